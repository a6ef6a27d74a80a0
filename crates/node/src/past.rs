//! The past of a node that joined in the middle: fetched, checked block by block, and written down.
//!
//! The bodies come the same way as those at the tip, and only while the node stands at its best header. Each is connected to
//! accounts that belong to the past alone ([`Replay`]), so the node is of use meanwhile, however long it takes. When the
//! block is reached whose state was taken from a snapshot, every block from the genesis has been checked here. When one of
//! them breaks a rule, the chain is left for good, whatever its work, and the state is rebuilt from what is valid.
//!
//! Bounds: one more state in memory; [`STEPS`] blocks an input, [`WINDOW`] bodies fetched ahead.

use std::collections::BTreeSet;

use tabchain_chain::Replay;
use tabchain_consensus::VerifiedBlock;
use tabchain_primitives::{BlockHash, Header, Height};
use tabchain_records::{Column, Rows};
use tabchain_sync::Keeps;

use crate::index::Index;
use crate::node::{Node, Purpose};
use crate::{Event, Warning, rows};

/// Blocks checked on one input; the rest follow at once, but let other inputs in between.
const STEPS: usize = 8;
/// Bodies fetched ahead.
const WINDOW: u32 = 512;
/// Rows of bodies read ahead from the store.
const READ_AHEAD: u32 = 16;
/// Blocks after which the accounts of the past are written, so that a later run goes on from there.
pub(crate) const CHECKPOINT_BLOCKS: u32 = 8_192;

/// What is not checked yet.
#[derive(Debug)]
pub(crate) struct Past {
    replay: Replay,
    /// The block whose state was taken from a snapshot.
    anchor: (Height, BlockHash),
    /// The height up to which the accounts of the past are on disk.
    written: Height,
    /// What the blocks that were checked since then add to the index.
    index: Index,
    reading: BTreeSet<BlockHash>,
}

impl Past {
    pub(crate) fn new(replay: Replay, anchor: (Height, BlockHash), written: Height) -> Self {
        Self { replay, anchor, written, index: Index::default(), reading: BTreeSet::new() }
    }

    /// Where on the past its transactions and addresses are found, as far as that is not on disk.
    pub(crate) fn index(&self) -> &Index {
        &self.index
    }

    /// The height of the block that the node joined at.
    pub(crate) fn anchor(&self) -> Height {
        self.anchor.0
    }

    /// How far it is checked.
    pub(crate) fn checked(&self) -> Height {
        self.replay.height()
    }

    /// What a later run needs no bodies of.
    pub(crate) fn written(&self) -> Height {
        self.written
    }
}

impl Node {
    /// The state was taken from a snapshot: what lies below it is to be checked, from where that had come before.
    pub(crate) fn begin_past(&mut self, anchor: BlockHash, replay: Replay) {
        let height = self.chain.tip().height;
        let before = self.past.take().map(|past| past.replay);
        let mut replay = before.filter(|before| self.chain.is_active(before.at())).unwrap_or(replay);
        replay.mark_all_dirty();
        self.past = Some(Box::new(Past::new(replay, (height, anchor), Height::GENESIS)));
        self.disk.put(Column::Meta, rows::PAST, anchor.as_bytes().to_vec());
        self.write_past();
    }

    /// Checks the next blocks of the past, as far as their bodies are there.
    pub(crate) fn check_past(&mut self) {
        if self.disk.failure().is_some() {
            return;
        }
        for _ in 0..STEPS {
            if !self.past_may_go_on() {
                return;
            }
            let Some(hash) = self.next_of_past() else { return };
            let Some(block) = self.blocks.block(&hash).cloned() else { return self.read_past(&hash) };
            if !self.check_past_block(&block) {
                return;
            }
        }
    }

    /// Whether the next block of the past can be checked, or read, now: what lies ahead goes first.
    pub(crate) fn past_may_go_on(&self) -> bool {
        let reading = self.past.as_ref().is_none_or(|past| !past.reading.is_empty());
        let waits = !self.ready || reading || self.has_blocks_ahead() || !self.disk.has_room();
        let next = self.next_of_past().filter(|_| !waits);
        next.is_some_and(|hash| self.chain.has_body(&hash))
    }

    /// Bodies that the past lacks, oldest first.
    pub(crate) fn missing_of_past(&self) -> Vec<BlockHash> {
        let Some(past) = &self.past else { return Vec::new() };
        let first = past.checked().value().saturating_add(1);
        let last = past.anchor.0.value().min(past.checked().value().saturating_add(WINDOW));
        let hashes = (first..=last).filter_map(|height| self.chain.hash_at(Height::new(height)));
        hashes.filter(|hash| !self.chain.has_body(hash)).collect()
    }

    pub(crate) fn past_loaded(&mut self, hashes: &[BlockHash], rows: &Rows) {
        for hash in hashes {
            if let Some(past) = &mut self.past {
                past.reading.remove(hash);
            }
            if !self.take_stored(hash, rows) {
                self.forget_body(hash);
            }
        }
    }

    /// Whether a block lies below where the node joined, and so stands without having been checked.
    pub(crate) fn is_past(&self, hash: &BlockHash) -> bool {
        let height = self.chain.header(hash).map(tabchain_primitives::Header::height);
        let joined = self.past.as_ref().map(|past| past.anchor.0);
        joined.is_some_and(|joined| height <= Some(joined)) && self.chain.is_active(hash)
    }

    /// A block of the past breaks a rule: the chain above it is left, whatever its work.
    pub(crate) fn leave_false_past(&mut self, hash: &BlockHash) {
        if let Some(header) = self.chain.header(hash) {
            self.event(Event::Warning(Warning::FalsePast { height: header.height() }));
        }
        self.blocks.remove(hash);
        self.forget_body(hash);
        self.note_invalid(hash);
        self.rebuild();
    }

    /// Writes the accounts of the past and what its blocks add to the index, so that a later run goes on from here.
    pub(crate) fn write_past(&mut self) {
        let Some(past) = &mut self.past else { return };
        past.written = past.replay.height();
        let at = *past.replay.at();
        for (first_byte, chunk) in past.replay.take_dirty_chunks() {
            self.disk.put(Column::Snapshots, rows::replay_key(first_byte), chunk);
        }
        for (key, entries) in past.index.take_segment() {
            self.disk.put(Column::Index, key, entries);
        }
        self.disk.put(Column::Meta, rows::REPLAYED, at.as_bytes().to_vec());
    }

    /// Which bodies this node has.
    pub(crate) fn keeps(&self) -> Keeps {
        let pruned = self.pruning.until;
        let joined = self.past.as_ref().map_or(Height::GENESIS, |past| past.anchor.0);
        let until = self.past.as_ref().filter(|_| pruned == Height::GENESIS).map(|past| past.checked());
        let gone = pruned.max(joined);
        let from = if gone == Height::GENESIS { gone } else { Height::new(gone.value().saturating_add(1)) };
        Keeps { until: until.unwrap_or(Height::GENESIS), from }
    }

    fn next_of_past(&self) -> Option<BlockHash> {
        let past = self.past.as_ref()?;
        self.chain.hash_at(past.replay.height().next()?)
    }

    /// Checks one block; false when nothing more is to be checked.
    fn check_past_block(&mut self, block: &VerifiedBlock) -> bool {
        let Some(past) = &mut self.past else { return false };
        if past.replay.connect(&self.chain, block).is_err() {
            self.leave_false_past(&block.hash());
            return false;
        }
        past.index.connect(block);
        self.blocks.done(&block.hash());
        let unwritten = past.replay.height().value() - past.written.value();
        let done = *past.replay.at() == past.anchor.1;
        if done || unwritten >= CHECKPOINT_BLOCKS || past.index.is_large() {
            self.write_past();
        }
        if done {
            self.end_past();
        }
        !done
    }

    /// Everything has been checked.
    fn end_past(&mut self) {
        self.past = None;
        let genesis = self.config.spec.genesis_hash();
        self.disk.put(Column::Meta, rows::PAST, genesis.as_bytes().to_vec());
        self.disk.delete(Column::Meta, rows::REPLAYED);
        self.disk.delete_range(Column::Snapshots, rows::replay_range());
        self.disk.hurry();
    }

    fn read_past(&mut self, next: &BlockHash) {
        let Some(first) = self.chain.header(next).map(Header::height) else { return };
        self.flush();
        let rows = self.read_ahead_fits(READ_AHEAD);
        let ahead = self.bodies_ahead(first, rows, |height| self.chain.hash_at(height));
        for (row, hashes) in self.body_rows(ahead) {
            if let Some(past) = &mut self.past {
                past.reading.extend(&hashes);
                self.load(Purpose::Past(hashes), row);
            }
        }
    }
}
