//! Joining in the middle: from a chain of headers that is far ahead to the accounts at one of its blocks.
//!
//! While the best header is far above the tip, peers are asked which snapshots they can give. One that lies deep enough
//! below the best header, and on its chain, is fetched chunk by chunk; nothing but the header's state root says that it is
//! right, and whatever work stands behind it, it makes no money. The blocks above it are fetched and their signatures checked
//! meanwhile. Then the chain stands there at once, and takes the steps that are left; the blocks below come by
//! [`past`](crate::past). When nobody offers a snapshot, every block is fetched from where the chain stands.
//!
//! Bounds: one state that a header with proof of work commits to; what is asked of peers, in `tabchain_sync::snapshot`.

use std::collections::BTreeSet;

use tabchain_chain::{RestoreError, Snapshot, StateChunk};
use tabchain_primitives::codec::Decode;
use tabchain_primitives::{BlockHash, Height, Timestamp};
use tabchain_sync::headers::Bar;
use tabchain_sync::score::Fault;
use tabchain_sync::snapshot::{CHUNKS, SnapshotDownload};
use tabchain_sync::{Chunk, PeerId, Request};

use crate::fetch::Asked;
use crate::node::Node;
use crate::{Join, SnapshotProgress};

const PATIENCE_MS: u64 = 8_000;
/// A snapshot is not chosen while headers still come; if none has come for so long, those who keep us waiting don't count.
const SETTLE_MS: u64 = 10_000;
/// A snapshot of which nothing comes for so long is given up.
const GIVE_UP_MS: u64 = 30_000;
/// A snapshot may lie at most so many spans below the best header: honest peers keep the last two.
const DEEPEST_SPANS: u32 = 4;

/// A node on its way to a snapshot.
#[derive(Debug, Default)]
pub(crate) struct Joining {
    pub(crate) download: SnapshotDownload,
    snapshot: Option<Box<Snapshot>>,
    /// The height of the best header, and when it got there.
    best: (Height, Timestamp),
    /// Since when a snapshot would be worth it.
    since: Option<Timestamp>,
    /// When the last chunk came.
    moved_at: Timestamp,
}

impl Joining {
    pub(crate) fn is_fetching(&self) -> bool {
        self.snapshot.is_some()
    }

    /// How much of the snapshot has come.
    pub(crate) fn progress(&self) -> Option<SnapshotProgress> {
        let count = |parts: usize| u32::try_from(parts).unwrap_or(u32::MAX);
        self.snapshot.as_ref().map(|snapshot| SnapshotProgress {
            height: snapshot.height(),
            parts: count(CHUNKS - snapshot.missing().len()),
            of: count(CHUNKS),
        })
    }
}

impl Node {
    /// Goes on towards a snapshot, if that is the way.
    pub(crate) fn join(&mut self) {
        let best = self.chain.best_header().height;
        if self.joining.best.0 != best {
            self.joining.best = (best, self.now);
        }
        if !self.may_join() {
            if self.waits_for_headers() {
                self.ask_for_snapshots();
            }
            self.joining.since = None;
            if self.joining.snapshot.take().is_some() {
                self.joining.download.end();
            }
            return;
        }
        self.joining.since.get_or_insert(self.now);
        self.ask_for_snapshots();
        self.choose_snapshot();
        for plan in self.joining.download.plan(self.now) {
            let (block, first_bytes) = (plan.block, plan.first_bytes);
            let request = Request::StateChunks { block, first_bytes: first_bytes.clone() };
            self.ask(plan.peer, request, Asked::StateChunks(block, first_bytes), plan.patience);
        }
    }

    /// Whether blocks are not fetched yet, because a snapshot may make most of them less urgent.
    pub(crate) fn is_joining(&self) -> bool {
        if !self.may_join() {
            return self.waits_for_headers();
        }
        let begun = self.joining.since.unwrap_or(self.now);
        let asking = self.joining.download.is_asking() && self.now.since(begun) < SETTLE_MS;
        let coming = !self.headers_are_settled() && !self.joining.download.offers().is_empty();
        self.joining.snapshot.is_some() || asking || coming
    }

    /// Bodies that follow the snapshot being fetched: they are needed as soon as it is here, and their signatures can be
    /// checked before.
    pub(crate) fn bodies_above_snapshot(&self, window: usize) -> Vec<BlockHash> {
        let Some(snapshot) = &self.joining.snapshot else { return Vec::new() };
        let above = snapshot.height().value().saturating_add(1)..;
        let hashes = above.map_while(|height| self.chain.best_hash_at(Height::new(height)));
        let has_body = |hash: &BlockHash| self.chain.has_body(hash);
        hashes.skip_while(has_body).take(window).filter(|hash| !has_body(hash)).collect()
    }

    /// When joining goes on though nothing happens.
    pub(crate) fn next_joining_moment(&self) -> Option<Timestamp> {
        let after = |since: Timestamp| Some(since.saturating_add(SETTLE_MS)).filter(|at| *at > self.now);
        let settled = if self.is_joining() { after(self.joining.best.1) } else { None };
        let asked = self.joining.since.and_then(after);
        [settled, asked, self.joining.download.next_try(self.now)].into_iter().flatten().min()
    }

    pub(crate) fn snapshots_came(&mut self, peer: &PeerId, blocks: Vec<BlockHash>) {
        self.joining.download.offered(peer, blocks);
    }

    pub(crate) fn chunks_came(&mut self, peer: PeerId, block: BlockHash, asked: &[u8], chunks: Vec<Chunk>) {
        let given: BTreeSet<_> = chunks.iter().map(|chunk| chunk.first_byte).collect();
        self.joining.download.answered(&peer, &block, asked, &given);
        let Some(snapshot) = self.joining.snapshot.as_mut().filter(|snapshot| *snapshot.block() == block)
        else {
            return;
        };
        let as_asked = given.len() == chunks.len() && given.iter().all(|byte| asked.contains(byte));
        let mut good = as_asked;
        for Chunk { first_byte, bytes } in chunks {
            good = good
                && StateChunk::from_bytes(&bytes)
                    .is_ok_and(|chunk| snapshot.take(first_byte, &chunk).is_ok());
            if !good {
                break;
            }
            self.joining.download.took(&block, first_byte);
            self.joining.moved_at = self.now;
        }
        if !good {
            self.joining.download.wrong(&peer, &block);
            self.blame(&peer, Fault::Dishonest);
        }
        if self.joining.snapshot.as_ref().is_some_and(|snapshot| snapshot.missing().is_empty()) {
            self.stand_at_snapshot();
        }
    }

    /// Whether the chain is so far behind that a snapshot is worth it, and has gone as far as its own blocks lead.
    fn may_join(&self) -> bool {
        self.is_worth_joining(self.chain.best_header().height)
            && self.disk.failure().is_none()
            && self.chain.next_step().is_none()
    }

    /// Whether headers still come that may make a snapshot worth it.
    fn waits_for_headers(&self) -> bool {
        let claimed = self.greeted().filter_map(|(_, peer)| Some(peer.hello.as_ref()?.tip.height)).max();
        claimed.is_some_and(|claimed| self.is_worth_joining(claimed)) && !self.headers_are_settled()
    }

    fn is_worth_joining(&self, goal: Height) -> bool {
        let (tip, span) = (self.chain.tip().height.value(), self.config.limits.snapshot_blocks);
        let far = goal.value().saturating_sub(tip) >= span.saturating_mul(2);
        self.config.limits.join == Join::Snapshot && span > 0 && far && self.ready
    }

    fn headers_are_settled(&self) -> bool {
        let behind = self.headers.is_behind(&Bar::best(&self.best_claim()), |hash| self.chain.contains(hash));
        !behind || self.now.since(self.joining.best.1) >= SETTLE_MS
    }

    fn ask_for_snapshots(&mut self) {
        while let Some(peer) = self.joining.download.ask(|peer| self.requests.may_ask(peer)) {
            self.ask(peer, Request::Snapshots, Asked::Snapshots, PATIENCE_MS);
        }
    }

    /// Keeps to a snapshot that is still good and to be had; otherwise takes the highest that is.
    fn choose_snapshot(&mut self) {
        let is_good = |node: &Self, block: &BlockHash| {
            node.is_deep_enough(block) && node.joining.download.sources(block) > 0
        };
        if let Some(snapshot) = &self.joining.snapshot {
            let stuck = self.now.since(self.joining.moved_at) >= GIVE_UP_MS;
            if !stuck && is_good(self, snapshot.block()) {
                return;
            }
            self.joining.snapshot = None;
            self.joining.download.give_up();
        }
        if !self.headers_are_settled() {
            return;
        }
        let offers = self.joining.download.offers();
        let known = offers.iter().filter(|block| is_good(self, block));
        let headers = known.filter_map(|block| self.chain.header(block).copied());
        if let Some(header) = headers.max_by_key(tabchain_primitives::Header::height) {
            self.joining.snapshot = Some(Box::new(Snapshot::of(header)));
            self.joining.download.begin(header.hash());
            self.joining.moved_at = self.now;
        }
    }

    /// Whether a block is on the best header chain, deep enough to be left standing by any usual reorganisation, and
    /// worth the way.
    fn is_deep_enough(&self, block: &BlockHash) -> bool {
        let span = self.config.limits.snapshot_blocks;
        let (tip, best) = (self.chain.tip().height.value(), self.chain.best_header().height.value());
        let Some(height) = self.chain.header(block).map(tabchain_primitives::Header::height) else {
            return false;
        };
        let deep = best.saturating_sub(height.value());
        deep >= span
            && deep <= span.saturating_mul(DEEPEST_SPANS)
            && height.value() > tip
            && self.chain.best_hash_at(height) == Some(*block)
    }

    /// All chunks are there: the chain moves.
    fn stand_at_snapshot(&mut self) {
        let Some(snapshot) = self.joining.snapshot.take() else { return };
        self.joining.download.end();
        let block = *snapshot.block();
        match self.chain.adopt(*snapshot) {
            Ok(replay) => {
                self.begin_past(block, replay);
                self.write_whole_state();
                self.moved.jump(block);
                self.begin_snapshot();
            }
            // Its header is not kept any more: another one is chosen.
            Err(RestoreError::MissingCheckpoint(_)) => {}
            Err(_) => self.mark_invalid(&block),
        }
    }
}
