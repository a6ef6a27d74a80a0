//! Which chunk of a state to fetch from whom.
//!
//! Every peer is asked once which snapshots it can give. The node chooses one; its 256 chunks are then dealt out in batches
//! to all who offered it, a few to each. Every chunk is checked by itself, so it does not matter who sent it: a peer that
//! gives a bad one is out, and its chunks go to others. A peer that stalls gets half as many chunks and twice the time.
//! When no chunk is left to deal, a peer that is idle is given what another has kept us waiting for.
//!
//! Bounds: [`MAX_SNAPSHOTS`] offers of each peer; [`MAX_BATCHES`] batches open to one peer and [`MAX_OPEN`] in all, each of
//! which brings about a megabyte at most; a chunk is asked of at most [`MAX_ASKED`] peers at a time.

use std::collections::{BTreeMap, BTreeSet};

use tabchain_primitives::{BlockHash, Timestamp};

use crate::message::{MAX_CHUNKS, MAX_SNAPSHOTS};
use crate::{PeerId, RecentSet};

/// The most batches open to one peer.
pub const MAX_BATCHES: usize = 2;
/// The most batches open in all.
pub const MAX_OPEN: usize = 16;
/// The most peers that are asked for one chunk at the same time.
pub const MAX_ASKED: usize = 2;
/// The most offers remembered that a peer did not keep.
pub const MAX_WITHDRAWN: usize = 16;
/// How many chunks a state has.
pub const CHUNKS: usize = 256;

const PATIENCE_MS: u64 = 4_000;
const MAX_PATIENCE_MS: u64 = 32_000;
/// A chunk that was asked for so long ago is asked of somebody else too, if nothing else is left to ask for.
const SLOW_MS: u64 = 1_000;

/// Who offers what, and the chunks under way.
#[derive(Debug, Default)]
pub struct SnapshotDownload {
    lanes: BTreeMap<PeerId, Lane>,
    target: Option<Target>,
}

#[derive(Debug)]
struct Lane {
    offers: Offers,
    open: usize,
    batch: usize,
    patience: u64,
    /// Batches it let stall since it last answered.
    stalls: u32,
    /// What it offered and then did not give: it is not believed again.
    withdrawn: RecentSet<BlockHash>,
}

#[derive(Debug, PartialEq, Eq)]
enum Offers {
    Unknown,
    Asked,
    Known(Vec<BlockHash>),
}

#[derive(Debug)]
struct Target {
    block: BlockHash,
    /// Chunks that have not come, and when each was last asked for and of how many.
    missing: BTreeMap<u8, Wait>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Wait {
    asked: usize,
    since: Timestamp,
}

/// A batch of chunks to ask a peer for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChunkPlan {
    /// Whom to ask.
    pub peer: PeerId,
    /// Of which block's state.
    pub block: BlockHash,
    /// The first bytes of the keys, rising.
    pub first_bytes: Vec<u8>,
    /// How long to wait, in milliseconds.
    pub patience: u64,
}

impl SnapshotDownload {
    /// A peer that may be asked joined.
    pub fn joined(&mut self, peer: PeerId) {
        self.lanes.entry(peer).or_insert_with(|| Lane {
            offers: Offers::Unknown,
            open: 0,
            batch: MAX_CHUNKS,
            patience: PATIENCE_MS,
            stalls: 0,
            withdrawn: RecentSet::new(MAX_WITHDRAWN),
        });
    }

    /// A peer left. Its open batches are given back by [`SnapshotDownload::failed`].
    pub fn left(&mut self, peer: &PeerId) {
        self.lanes.remove(peer);
    }

    /// The next peer to ask for its offers, of those that may be asked.
    pub fn ask(&mut self, may: impl Fn(&PeerId) -> bool) -> Option<PeerId> {
        let unknown = |(peer, lane): &(&PeerId, &mut Lane)| lane.offers == Offers::Unknown && may(peer);
        let (peer, lane) = self.lanes.iter_mut().find(unknown)?;
        lane.offers = Offers::Asked;
        Some(*peer)
    }

    /// Whether somebody's offers are not known yet.
    pub fn is_asking(&self) -> bool {
        self.lanes.values().any(|lane| !matches!(lane.offers, Offers::Known(_)))
    }

    /// A peer told what it offers; nothing, if it did not answer.
    pub fn offered(&mut self, peer: &PeerId, mut blocks: Vec<BlockHash>) {
        blocks.truncate(MAX_SNAPSHOTS);
        if let Some(lane) = self.lanes.get_mut(peer) {
            blocks.retain(|block| !lane.withdrawn.contains(block));
            lane.offers = Offers::Known(blocks);
        }
    }

    /// Every block that is offered by somebody.
    pub fn offers(&self) -> BTreeSet<BlockHash> {
        self.lanes.values().flat_map(Lane::offered).copied().collect()
    }

    /// How many peers offer a block.
    pub fn sources(&self, block: &BlockHash) -> usize {
        self.lanes.values().filter(|lane| lane.offered().contains(block)).count()
    }

    /// Begins to fetch the state after a block.
    pub fn begin(&mut self, block: BlockHash) {
        let missing = (0..=u8::MAX).map(|byte| (byte, Wait::default())).collect();
        self.target = Some(Target { block, missing });
    }

    /// The state does not come: none of those who offer it is believed again.
    pub fn give_up(&mut self) {
        if let Some(target) = self.target.take() {
            self.lanes.values_mut().for_each(|lane| lane.withdraw(&target.block));
        }
    }

    /// Fetches nothing more. What peers offer is asked anew when it is needed again.
    pub fn end(&mut self) {
        self.target = None;
        for lane in self.lanes.values_mut() {
            lane.offers = Offers::Unknown;
        }
    }

    /// Deals out the chunks that are missing.
    pub fn plan(&mut self, now: Timestamp) -> Vec<ChunkPlan> {
        let Some(target) = &mut self.target else { return Vec::new() };
        let sources = self.lanes.values().filter(|lane| lane.offered().contains(&target.block)).count();
        let share = target.missing.len().div_ceil(MAX_BATCHES * sources.max(1)).clamp(1, MAX_CHUNKS);
        let mut plans = Vec::new();
        for round in 0..MAX_BATCHES {
            for peer in by_reliability(&self.lanes) {
                let open: usize = self.lanes.values().map(|lane| lane.open).sum();
                let Some(lane) = self.lanes.get_mut(&peer) else { continue };
                if lane.open > round || open >= MAX_OPEN || !lane.offered().contains(&target.block) {
                    continue;
                }
                let first_bytes = target.deal(lane, share, now);
                if !first_bytes.is_empty() {
                    lane.open += 1;
                    plans.push(ChunkPlan { peer, block: target.block, first_bytes, patience: lane.patience });
                }
            }
        }
        plans
    }

    /// When chunks that were kept waiting for can be asked of somebody else.
    pub fn next_try(&self, now: Timestamp) -> Option<Timestamp> {
        let waiting = self.target.iter().flat_map(|target| target.missing.values());
        let slow = waiting.filter(|wait| wait.asked > 0).map(|wait| wait.since.saturating_add(SLOW_MS));
        slow.filter(|at| *at > now).min()
    }

    /// An answer to a batch came: these chunks were in it. If it gave none, the peer does not offer the state any more.
    pub fn answered(&mut self, peer: &PeerId, block: &BlockHash, asked: &[u8], given: &BTreeSet<u8>) {
        self.give_back(block, asked);
        let Some(lane) = self.lanes.get_mut(peer) else { return };
        lane.open = lane.open.saturating_sub(1);
        if given.is_empty() {
            lane.withdraw(block);
        } else {
            lane.stalls = 0;
            lane.patience = (lane.patience / 2).max(PATIENCE_MS);
            lane.batch = (lane.batch * 2).min(MAX_CHUNKS);
        }
    }

    /// No answer came in time, or the peer is gone.
    pub fn failed(&mut self, peer: &PeerId, block: &BlockHash, asked: &[u8]) {
        self.give_back(block, asked);
        if let Some(lane) = self.lanes.get_mut(peer) {
            lane.open = lane.open.saturating_sub(1);
            lane.stalls += 1;
            lane.patience = (lane.patience * 2).min(MAX_PATIENCE_MS);
            lane.batch = (lane.batch / 2).max(1);
        }
    }

    /// A chunk is here and good.
    pub fn took(&mut self, block: &BlockHash, first_byte: u8) {
        if let Some(target) = self.target.as_mut().filter(|target| target.block == *block) {
            target.missing.remove(&first_byte);
        }
    }

    /// A peer gave a chunk that is not of the state: it is not asked for this state again.
    pub fn wrong(&mut self, peer: &PeerId, block: &BlockHash) {
        if let Some(lane) = self.lanes.get_mut(peer) {
            lane.withdraw(block);
        }
    }

    fn give_back(&mut self, block: &BlockHash, asked: &[u8]) {
        let Some(target) = self.target.as_mut().filter(|target| target.block == *block) else { return };
        for byte in asked {
            if let Some(wait) = target.missing.get_mut(byte) {
                wait.asked = wait.asked.saturating_sub(1);
            }
        }
    }
}

impl Lane {
    fn offered(&self) -> &[BlockHash] {
        match &self.offers {
            Offers::Known(blocks) => blocks,
            Offers::Unknown | Offers::Asked => &[],
        }
    }

    fn withdraw(&mut self, block: &BlockHash) {
        if self.offered().contains(block) {
            self.withdrawn.insert(*block);
        }
        if let Offers::Known(blocks) = &mut self.offers {
            blocks.retain(|offered| offered != block);
        }
    }
}

impl Target {
    /// Chunks for a peer: those that nobody was asked for; if there are none, those that are slow to come.
    fn deal(&mut self, lane: &Lane, share: usize, now: Timestamp) -> Vec<u8> {
        let most = share.min(lane.batch);
        let free = |wait: &Wait| wait.asked == 0;
        let slow = |wait: &Wait| lane.open == 0 && wait.asked < MAX_ASKED && now.since(wait.since) >= SLOW_MS;
        let mut dealt = self.pick(most, free);
        if dealt.is_empty() {
            dealt = self.pick(most, slow);
        }
        for byte in &dealt {
            let wait = self.missing.get_mut(byte).expect("it was picked from these");
            *wait = Wait { asked: wait.asked + 1, since: now };
        }
        dealt
    }

    fn pick(&self, most: usize, which: impl Fn(&Wait) -> bool) -> Vec<u8> {
        self.missing.iter().filter(|(_, wait)| which(wait)).take(most).map(|(byte, _)| *byte).collect()
    }
}

/// The peers, those that answer before those that stall.
fn by_reliability(lanes: &BTreeMap<PeerId, Lane>) -> Vec<PeerId> {
    let mut lanes: Vec<_> = lanes.iter().collect();
    lanes.sort_by_key(|(_, lane)| lane.stalls);
    lanes.into_iter().map(|(peer, _)| *peer).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: BlockHash = BlockHash::from_bytes([7; 32]);

    fn peer(n: u8) -> PeerId {
        PeerId::new(&[n]).unwrap()
    }

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    /// A download of `BLOCK` from so many peers that offer it.
    fn download(peers: u8) -> SnapshotDownload {
        let mut download = SnapshotDownload::default();
        for n in 1..=peers {
            download.joined(peer(n));
            assert_eq!(download.ask(|_| true), Some(peer(n)));
            download.offered(&peer(n), vec![BLOCK]);
        }
        download.begin(BLOCK);
        download
    }

    fn answer(download: &mut SnapshotDownload, plan: &ChunkPlan) {
        let given = plan.first_bytes.iter().copied().collect();
        download.answered(&plan.peer, &plan.block, &plan.first_bytes, &given);
        plan.first_bytes.iter().for_each(|byte| download.took(&BLOCK, *byte));
    }

    #[test]
    fn every_peer_is_asked_once_and_only_those_who_offer_a_state_are_asked_for_it() {
        let mut download = SnapshotDownload::default();
        (1..=3).for_each(|n| download.joined(peer(n)));
        assert_eq!(download.ask(|asked| *asked != peer(1)), Some(peer(2)));
        assert_eq!([download.ask(|_| true), download.ask(|_| true)], [1, 3].map(|n| Some(peer(n))));
        assert_eq!(download.ask(|_| true), None);
        assert!(download.is_asking());
        download.offered(&peer(1), vec![BLOCK]);
        download.offered(&peer(2), vec![]);
        download.offered(&peer(3), vec![BlockHash::ZERO, BLOCK]);
        assert!(!download.is_asking());
        assert_eq!(download.offers(), BTreeSet::from([BLOCK, BlockHash::ZERO]));
        assert_eq!(download.sources(&BLOCK), 2);
        download.begin(BLOCK);
        assert!(download.plan(at(0)).iter().all(|plan| plan.peer != peer(2)));
    }

    #[test]
    fn all_chunks_are_dealt_to_all_who_offer_them_and_none_twice() {
        let mut download = download(3);
        let mut dealt = Vec::new();
        loop {
            let plans = download.plan(at(0));
            if plans.is_empty() {
                break;
            }
            if dealt.is_empty() {
                assert_eq!(plans.iter().map(|plan| plan.peer).collect::<BTreeSet<_>>().len(), 3);
            }
            for plan in plans {
                dealt.extend(plan.first_bytes.clone());
                answer(&mut download, &plan);
            }
        }
        dealt.sort_unstable();
        assert_eq!(dealt, (0..=u8::MAX).collect::<Vec<_>>());
    }

    #[test]
    fn what_a_stalling_peer_does_not_give_goes_to_others() {
        let mut download = download(2);
        let (slow, mut fast): (Vec<_>, Vec<_>) =
            download.plan(at(0)).into_iter().partition(|plan| plan.peer == peer(1));
        while let Some(plan) = fast.pop() {
            answer(&mut download, &plan);
            fast.extend(download.plan(at(0)));
        }
        assert_eq!(download.plan(at(SLOW_MS - 1)), [], "it may still come");
        assert_eq!(download.next_try(at(SLOW_MS - 1)), Some(at(SLOW_MS)));
        let instead = download.plan(at(SLOW_MS));
        assert!(!instead.is_empty() && instead.iter().all(|plan| plan.peer == peer(2)));

        download.failed(&peer(1), &BLOCK, &slow[0].first_bytes);
        let again = download.plan(at(SLOW_MS)).into_iter().find(|plan| plan.peer == peer(1));
        assert!(
            again.is_none_or(
                |plan| plan.patience == 2 * PATIENCE_MS && plan.first_bytes.len() <= MAX_CHUNKS / 2
            )
        );
    }

    #[test]
    fn who_gives_a_bad_chunk_or_none_is_out() {
        let mut download = download(2);
        let plans = download.plan(at(0));
        let bad = plans.iter().find(|plan| plan.peer == peer(1)).expect("both are asked");
        let given = bad.first_bytes.iter().copied().collect();
        download.answered(&peer(1), &BLOCK, &bad.first_bytes, &given);
        download.wrong(&peer(1), &BLOCK);
        assert_eq!(download.sources(&BLOCK), 1);
        let empty = plans.iter().find(|plan| plan.peer == peer(2)).expect("both are asked");
        download.answered(&peer(2), &BLOCK, &empty.first_bytes, &BTreeSet::new());
        assert_eq!(download.sources(&BLOCK), 0);
        assert!(download.plan(at(100_000)).is_empty());

        // Nor is it believed when it offers the same again.
        download.end();
        assert!(download.ask(|_| true).is_some());
        download.offered(&peer(2), vec![BLOCK, BlockHash::ZERO]);
        assert_eq!(download.offers(), BTreeSet::from([BlockHash::ZERO]));
    }

    #[test]
    fn what_does_not_come_at_all_is_given_up() {
        let mut download = download(2);
        download.plan(at(0));
        download.give_up();
        assert_eq!(download.sources(&BLOCK), 0);
        assert!(download.plan(at(100_000)).is_empty());
    }

    #[test]
    fn what_a_peer_that_left_was_asked_for_goes_to_others() {
        let mut download = download(2);
        let plans = download.plan(at(0));
        download.left(&peer(1));
        for plan in &plans {
            if plan.peer == peer(1) {
                download.failed(&peer(1), &BLOCK, &plan.first_bytes);
            } else {
                answer(&mut download, plan);
            }
        }
        let left: usize = download.plan(at(0)).iter().map(|plan| plan.first_bytes.len()).sum();
        assert!(left > 0);
    }

    #[test]
    fn batches_are_bounded() {
        let mut download = download(32);
        let plans = download.plan(at(0));
        assert_eq!(plans.len(), MAX_OPEN);
        assert!(plans.iter().all(|plan| plan.first_bytes.len() <= MAX_CHUNKS));
        assert!(plans.iter().all(|plan| plan.first_bytes.is_sorted()));
    }
}
