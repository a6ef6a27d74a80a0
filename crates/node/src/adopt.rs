//! From a header or a body that came from anywhere to the tip of the active chain.
//!
//! A header is checked and kept; a body is checked against its header, its signatures are sent to be verified, and only then
//! is it written down and marked as there. The chain says which steps lead to the best tip whose bodies are there; each step is
//! taken here, with its rows. What a run of steps changed is told once, when no further step is possible; while the node catches up,
//! a few times a second.

use tabchain_chain::{InsertError, Inserted, Step, Undo};
use tabchain_consensus::{BlockError, CheckedBlock, VerifiedBlock};
use tabchain_primitives::codec::Decode;
use tabchain_primitives::{Block, BlockHash, Header, Timestamp};
use tabchain_records::{Column, Query, Rows};
use tabchain_sync::PeerId;
use tabchain_sync::score::Fault;

use crate::body_pages::PAGE_BYTES;
use crate::headers::Heaviest;
use crate::node::{Node, Purpose};
use crate::verify::Job;
use crate::withheld::Withheld;
use crate::{Event, blocks};

/// Steps taken on one input; the rest follow at once, but let other inputs in between.
const MAX_STEPS: usize = 64;
/// Rows of bodies read ahead from the store.
const READ_AHEAD: u32 = 16;

/// While a node catches up, what changed is told at most so often, and at the latest when so many blocks were adopted.
const TELL_EVERY_MS: u64 = 250;
const TELL_AT_LEAST: usize = 256;

/// What a run of steps changed so far.
#[derive(Debug, Default)]
pub(crate) struct Moved {
    adopted: Vec<BlockHash>,
    reverted: Vec<BlockHash>,
}

/// Where a body came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// A peer gave it whole.
    Peer(PeerId),
    /// It was put together from a peer's short ids and our own memory pool: if it does not fit, nobody is to blame.
    Rebuilt(PeerId),
    /// We mined it.
    Mined,
}

impl Moved {
    fn is_empty(&self) -> bool {
        self.adopted.is_empty() && self.reverted.is_empty()
    }

    fn adopt(&mut self, hash: BlockHash) {
        if self.reverted.last() == Some(&hash) {
            self.reverted.pop();
        } else {
            self.adopted.push(hash);
        }
    }

    /// The chain stands at this block without having taken the steps.
    pub(crate) fn jump(&mut self, hash: BlockHash) {
        self.adopted.push(hash);
    }

    fn revert(&mut self, hash: BlockHash) {
        if self.adopted.last() == Some(&hash) {
            self.adopted.pop();
        } else {
            self.reverted.push(hash);
        }
    }
}

impl Node {
    /// Takes a header in, and writes it down if it is new.
    pub(crate) fn insert_header(
        &mut self,
        header: Header,
        hash: &BlockHash,
    ) -> Result<Inserted, InsertError> {
        let inserted = self.chain.insert_hashed_header(header, *hash, self.clock.day())?;
        if matches!(inserted, Inserted::New) {
            self.note_header(hash, true);
            self.delete_evicted();
        }
        Ok(inserted)
    }

    /// Deletes the rows of headers that the chain has forgotten.
    pub(crate) fn delete_evicted(&mut self) {
        for (height, forgotten) in self.chain.take_evicted() {
            self.forget_header(&forgotten, height);
            self.erase_body(&forgotten, height);
            self.disk.delete(Column::Undo, *forgotten.as_bytes());
            self.blocks.remove(&forgotten);
        }
    }

    /// Takes a body in. It counts only once its signatures are verified.
    pub(crate) fn accept_block(&mut self, block: Block, hash: BlockHash, source: Source) {
        let known = self.chain.has_body(&hash) || self.is_verifying(&hash) || self.is_pruned(&hash);
        if known || !self.chain.contains(&hash) {
            return;
        }
        match CheckedBlock::check(&self.config.spec, block) {
            Ok(checked) => self.verify(Job::Block { checked: Box::new(checked), source, places: Vec::new() }),
            Err(error) => self.refuse_block(&hash, source, &error),
        }
    }

    /// A block broke a rule that needs no state.
    pub(crate) fn refuse_block(&mut self, hash: &BlockHash, source: Source, error: &BlockError) {
        self.bodies.release(hash);
        if error.is_of_another_body() {
            // The header may be honest: only whoever sent this body is to blame, and others are asked.
            if let Source::Peer(peer) = source {
                self.bodies.wrong(&peer, *hash);
                self.blame(&peer, Fault::WrongBody);
            }
            return;
        }
        self.mark_invalid(hash);
        if let Source::Peer(peer) | Source::Rebuilt(peer) = source {
            self.blame(&peer, Fault::Dishonest);
        }
    }

    /// Keeps a verified block: on disk, at hand, and marked as there.
    pub(crate) fn keep_block(&mut self, block: VerifiedBlock) {
        let hash = block.hash();
        let (body, height) = (blocks::body_of(&block), block.block().header.height());
        self.bodies.release(&hash);
        self.note_body(hash, height, body.clone());
        self.chain.mark_body(&hash);
        self.note_header(&hash, false);
        self.blocks.insert(block, body);
    }

    /// Whether steps may be taken: not while one waits for the store, and never once nothing can be written.
    pub(crate) fn may_step(&self) -> bool {
        self.reading.is_empty() && self.disk.failure().is_none()
    }

    /// Takes the steps that lead to the best tip.
    pub(crate) fn advance(&mut self) {
        if self.disk.failure().is_some() {
            // No further than this: that is a valid tip too.
            return self.arrive();
        }
        if !self.may_step() {
            return;
        }
        for _ in 0..MAX_STEPS {
            let taken = match self.chain.next_step() {
                Some(Step::Connect(hash)) => self.connect(&hash),
                Some(Step::Disconnect(hash)) => self.disconnect_block(&hash),
                None => return self.arrive(),
            };
            if !taken {
                return;
            }
        }
    }

    pub(crate) fn bodies_loaded(&mut self, hashes: &[BlockHash], rows: &Rows) {
        for hash in hashes {
            self.reading.remove(hash);
            if !self.take_stored(hash, rows) {
                self.lose_body(hash);
            }
        }
    }

    pub(crate) fn undo_loaded(&mut self, hash: &BlockHash, rows: Rows) {
        self.reading.remove(hash);
        match rows.into_value().and_then(|value| Undo::from_bytes(&value).ok()) {
            Some(undo) if undo.block() == hash => self.blocks.insert_undo(undo),
            _ => self.rebuild(),
        }
    }

    /// Connects the block, or starts to read it; true when the step is taken, or the block found invalid.
    fn connect(&mut self, hash: &BlockHash) -> bool {
        if self.blocks.block(hash).is_none() {
            self.read_ahead(hash);
            return false;
        }
        self.finish_snapshot();
        let block = self.blocks.block(hash).expect("it was there just now");
        match self.chain.connect(block) {
            Ok(undo) => {
                let height = block.block().header.height();
                let transactions = block.ids().len();
                self.index.connect(block);
                self.mempool.on_connect(block.block());
                self.keep_undo(&undo, height);
                self.blocks.insert_undo(undo);
                self.blocks.done(hash);
                self.moved.adopt(*hash);
                self.unwritten.step(transactions, self.is_catching_up());
                self.begin_snapshot();
            }
            Err(error) => {
                assert!(error.is_rule(), "the chain named this block as its next step");
                let height = block.block().header.height();
                self.blocks.remove(hash);
                self.erase_body(hash, height);
                self.mark_invalid(hash);
            }
        }
        true
    }

    /// Takes the tip back, or starts to read what that needs; true when the step is taken.
    fn disconnect_block(&mut self, hash: &BlockHash) -> bool {
        let Some(block) = self.blocks.block(hash).cloned() else {
            self.read_bodies([*hash]);
            return false;
        };
        if self.blocks.undo(hash).is_none() {
            self.flush();
            self.reading.insert(*hash);
            self.load(Purpose::Undo(*hash), Query::get(Column::Undo, *hash.as_bytes()));
            return false;
        }
        self.drop_snapshot_of_tip();
        let undo = self.blocks.undo(hash).expect("it was there just now");
        if self.chain.disconnect(undo).is_err() {
            self.rebuild();
            return false;
        }
        self.index.disconnect(block.block().header.height());
        self.mempool.on_disconnect(block.block());
        self.moved.revert(*hash);
        self.unwritten.step(block.ids().len(), self.is_catching_up());
        true
    }

    /// No further step is possible: what changed is told.
    fn arrive(&mut self) {
        self.become_ready();
        if self.next_telling().is_none_or(|at| self.now < at) {
            return;
        }
        let Moved { adopted, reverted } = std::mem::take(&mut self.moved);
        self.tip_since = self.now;
        self.settle_mempool();
        let tip = self.chain.tip();
        let (hash, height) = (tip.hash, tip.height);
        self.event(Event::Head { hash, height, adopted: adopted.clone(), reverted: reverted.clone() });
        self.tell_pending_again(&reverted);
        self.tell_confirmed(&adopted);
        self.announce(&adopted);
        self.mining.note_adopted(&adopted);
        if !self.is_catching_up() {
            self.disk.hurry();
        }
    }

    /// When what changed is told, if no further step is possible until then. It is never left untold: what made it wait may pass
    /// without anything else to do.
    pub(crate) fn next_telling(&self) -> Option<Timestamp> {
        if self.moved.is_empty() || self.disk.failure().is_none() && !self.stands() {
            return None;
        }
        let may_wait = self.is_catching_up() && self.moved.adopted.len() < TELL_AT_LEAST;
        Some(if may_wait { self.tip_since.saturating_add(TELL_EVERY_MS) } else { self.now })
    }

    /// Whether no step is possible with what is there.
    fn stands(&self) -> bool {
        self.reading.is_empty() && self.chain.next_step().is_none()
    }

    /// Says, once, that the steps of the last run are repeated. What they changed is no news.
    fn become_ready(&mut self) {
        if !self.ready {
            self.ready = true;
            self.moved = Moved::default();
            self.event(Event::Ready);
            self.restore_pending();
        }
    }

    /// Reads the bodies of the next steps from the store.
    fn read_ahead(&mut self, next: &BlockHash) {
        self.flush();
        let above = self.chain.header(next).and_then(|header| header.height().next());
        let rows = self.read_ahead_fits(READ_AHEAD);
        let ahead =
            above.map(|above| self.bodies_ahead(above, rows, |height| self.chain.best_hash_at(height)));
        self.read_bodies([*next].into_iter().chain(ahead.unwrap_or_default()));
    }

    /// No more rows are read ahead than the cache holds, or the first would be pushed out by the last.
    pub(crate) fn read_ahead_fits(&self, most: u32) -> u32 {
        let largest = self.config.spec.max_block_bytes().max(PAGE_BYTES);
        let fits = self.config.limits.block_bytes / (4 * largest);
        most.min(u32::try_from(fits).unwrap_or(most)).max(1)
    }

    fn read_bodies(&mut self, hashes: impl IntoIterator<Item = BlockHash>) {
        self.flush();
        for (row, hashes) in self.body_rows(hashes) {
            self.reading.extend(&hashes);
            self.load(Purpose::Bodies(hashes), row);
        }
    }

    /// The store does not have a body that it should: it is fetched again.
    fn lose_body(&mut self, hash: &BlockHash) {
        if self.chain.is_active(hash) {
            // A block cannot be taken back without its body, so the state is rebuilt instead.
            self.rebuild();
            return;
        }
        self.forget_body(hash);
    }

    /// A body is not there, or not any more.
    pub(crate) fn forget_body(&mut self, hash: &BlockHash) {
        if let Some(height) = self.chain.header(hash).map(Header::height) {
            self.erase_body(hash, height);
        }
        self.chain.forget_body(hash);
        self.note_header(hash, false);
    }

    /// Gives up the state and builds it anew from what the store has of blocks.
    pub(crate) fn rebuild(&mut self) {
        self.flush();
        self.reading.clear();
        self.moved = Moved::default();
        self.heaviest = Heaviest::default();
        self.withheld = Withheld::default();
        self.begin_opening(true);
    }

    /// A block breaks a rule: it is out, and so is everything above it.
    pub(crate) fn mark_invalid(&mut self, hash: &BlockHash) {
        if self.is_past(hash) {
            self.leave_false_past(hash);
        } else {
            self.note_invalid(hash);
        }
    }

    pub(crate) fn note_invalid(&mut self, hash: &BlockHash) {
        self.chain.mark_invalid(hash);
        self.note_header(hash, false);
        self.unverify_invalid_blocks();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_of_steps_that_ends_where_it_began_changed_nothing() {
        let hash = |n| BlockHash::from_bytes([n; 32]);
        let mut moved = Moved::default();
        moved.revert(hash(2));
        moved.revert(hash(1));
        moved.adopt(hash(9));
        moved.revert(hash(9));
        moved.adopt(hash(1));
        moved.adopt(hash(2));
        assert!(moved.is_empty());
    }
}
