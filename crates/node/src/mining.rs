//! Mining: a template for whoever searches nonces, renewed when the tip or the memory pool changes.
//!
//! A block found goes the very same way as one from a peer.
//!
//! Bounds: the last [`MAX_TEMPLATES`] templates are kept, because a nonce may be found just as they are renewed.

use std::collections::VecDeque;

use tabchain_primitives::{Address, Block, BlockHash, HEADER_BYTES, Timestamp};

use crate::adopt::Source;
use crate::node::Node;
use crate::{Event, JobId, MiningStatus, Output, Template};

const MAX_TEMPLATES: usize = 4;
/// A template follows the memory pool at most so often.
const FOLLOW_POOL_MS: u64 = 1_000;
/// A template's time is renewed so often.
const RENEW_MS: u64 = 10_000;
/// So far behind the best header, mining would only make forks.
const MAX_BEHIND: u32 = 24;
/// A node that is so far behind mines all the same when its tip has not moved for so long: it catches up with nothing.
const CATCH_UP_MS: u64 = 2 * 60 * 1000;
/// A list's count takes at most so many bytes in a block.
const COUNT_BYTES: usize = 3;

#[derive(Debug, Default)]
pub(crate) struct Mining {
    to: Option<Address>,
    templates: VecDeque<(JobId, Block)>,
    made_at: Timestamp,
    /// A block was found on this one and is being checked: nothing more is searched for on it.
    solved: Option<BlockHash>,
    pool_changed: bool,
    found: Vec<BlockHash>,
    blocks_found: u32,
    told_found: u32,
}

impl Mining {
    /// The memory pool changed.
    pub(crate) fn note_mempool(&mut self) {
        self.pool_changed = true;
    }

    /// Counts our own blocks among those that joined the active chain.
    pub(crate) fn note_adopted(&mut self, adopted: &[BlockHash]) {
        let before = self.found.len();
        self.found.retain(|hash| !adopted.contains(hash));
        let counted = u32::try_from(before - self.found.len()).unwrap_or(u32::MAX);
        self.blocks_found = self.blocks_found.saturating_add(counted);
    }

    pub(crate) fn status(&self) -> MiningStatus {
        MiningStatus { to: self.to, blocks_found: self.blocks_found }
    }
}

impl Node {
    pub(crate) fn start_mining(&mut self, to: Address) {
        self.mining.to = Some(to);
        self.mining.solved = None;
        self.mining.templates.clear();
        self.event(Event::Mining(self.mining.status()));
    }

    pub(crate) fn stop_mining(&mut self) {
        if self.mining.to.take().is_some() {
            self.mining.templates.clear();
            self.emit(Output::StopMining);
            self.event(Event::Mining(self.mining.status()));
        }
    }

    pub(crate) fn mined(&mut self, job: JobId, nonce: u64) {
        let Some((_, block)) = self.mining.templates.iter().find(|(id, _)| *id == job) else { return };
        let header = block.header.with_nonce(nonce);
        let (block, hash) = (Block { header, transactions: block.transactions.clone() }, header.hash());
        let stale = header.parent() != self.chain.tip().hash;
        if stale || self.insert_header(header, &hash).is_err() {
            return;
        }
        self.mining.solved = Some(header.parent());
        self.mining.made_at = self.now;
        self.mining.templates.clear();
        self.mining.found.push(hash);
        if self.mining.found.len() > MAX_TEMPLATES {
            self.mining.found.remove(0);
        }
        self.accept_block(block, hash, Source::Mined);
    }

    /// Hands out a template if there is none, or a better one.
    pub(crate) fn refresh_mining(&mut self) {
        if self.mining.told_found != self.mining.blocks_found {
            self.mining.told_found = self.mining.blocks_found;
            self.event(Event::Mining(self.mining.status()));
        }
        let Some(to) = self.mining.to else { return };
        if !self.may_mine() {
            if !self.mining.templates.is_empty() {
                self.mining.templates.clear();
                self.emit(Output::StopMining);
            }
            return;
        }
        if self.next_template_at() <= self.now {
            self.hand_out_template(to);
        }
    }

    pub(crate) fn next_mining_moment(&self) -> Option<Timestamp> {
        self.mining.to?;
        if self.may_mine() {
            return Some(self.next_template_at());
        }
        let given_up = self.tip_since.saturating_add(CATCH_UP_MS);
        self.is_far_behind().then_some(given_up).filter(|at| *at > self.now)
    }

    fn next_template_at(&self) -> Timestamp {
        let tip = self.chain.tip().hash;
        if self.mining.solved == Some(tip) {
            // The tip will move in a moment. Should it not, the search goes on.
            return self.mining.made_at.saturating_add(RENEW_MS);
        }
        match self.mining.templates.back() {
            Some((_, newest)) if newest.header.parent() == tip => {}
            _ => return self.now,
        }
        let wait = if self.mining.pool_changed { FOLLOW_POOL_MS } else { RENEW_MS };
        self.mining.made_at.saturating_add(wait)
    }

    fn may_mine(&self) -> bool {
        self.ready && self.disk.has_room() && !self.is_far_behind()
    }

    /// Whether a block mined now would be of no use, because better ones are just coming. Headers alone don't say so: the tip
    /// must be old, and must have moved lately.
    fn is_far_behind(&self) -> bool {
        let behind = self.chain.best_header().height.value().saturating_sub(self.chain.tip().height.value());
        let moves = self.now.since(self.tip_since) < CATCH_UP_MS;
        behind > MAX_BEHIND && !self.is_at_present() && moves
    }

    fn hand_out_template(&mut self, to: Address) {
        self.mining.made_at = self.now;
        self.mining.solved = None;
        self.mining.pool_changed = false;
        let room = self.config.spec.max_block_bytes().saturating_sub(HEADER_BYTES + COUNT_BYTES);
        let transactions = self.mempool.template(&self.chain, room, self.next_height());
        let header = self.chain.prepare_header(to, &transactions, self.clock.day());
        let header = header.expect("the pool gives only what the state allows");
        let target = header.target().expand().expect("the chain computed it");
        let id = self.new_job();
        self.mining.templates.push_back((id, Block { header, transactions }));
        while self.mining.templates.len() > MAX_TEMPLATES {
            self.mining.templates.pop_front();
        }
        self.emit(Output::Mine(id, Template { header: header.to_array(), target }));
    }
}
