//! Blocks and steps back kept at hand. Everything here is also on disk, or on its way there, so it can be dropped at will.
//!
//! Bounds: blocks up to a number of bytes, [`MAX_UNDOS`] steps back; the oldest go first.

use std::collections::{BTreeMap, VecDeque};

use tabchain_chain::Undo;
use tabchain_consensus::{CheckedBlock, Verdict, VerifiedBlock};
use tabchain_primitives::BlockHash;
use tabchain_records::Rows;

use crate::node::Node;
use crate::rows;

/// The most steps back kept at hand.
const MAX_UNDOS: usize = 64;

#[derive(Debug)]
pub(crate) struct BlockCache {
    blocks: BTreeMap<BlockHash, Cached>,
    order: VecDeque<BlockHash>,
    bytes: usize,
    capacity: usize,
    undos: BTreeMap<BlockHash, Undo>,
    undo_order: VecDeque<BlockHash>,
}

#[derive(Debug)]
struct Cached {
    block: VerifiedBlock,
    body: Vec<u8>,
}

impl BlockCache {
    pub(crate) const fn new(capacity: usize) -> Self {
        Self {
            blocks: BTreeMap::new(),
            order: VecDeque::new(),
            bytes: 0,
            capacity,
            undos: BTreeMap::new(),
            undo_order: VecDeque::new(),
        }
    }

    /// Keeps a block, and its body as bytes. The newest block is kept whatever its size.
    pub(crate) fn insert(&mut self, block: VerifiedBlock, body: Vec<u8>) {
        let hash = block.hash();
        if self.blocks.contains_key(&hash) {
            return;
        }
        // The decoded form takes about as much again.
        self.bytes += 2 * body.len();
        self.blocks.insert(hash, Cached { block, body });
        self.order.push_back(hash);
        while self.bytes > self.capacity && self.order.len() > 1 {
            let oldest = self.order.pop_front().expect("more than one is there");
            self.forget(&oldest);
        }
    }

    pub(crate) fn block(&self, hash: &BlockHash) -> Option<&VerifiedBlock> {
        self.blocks.get(hash).map(|cached| &cached.block)
    }

    pub(crate) fn body(&self, hash: &BlockHash) -> Option<&[u8]> {
        self.blocks.get(hash).map(|cached| cached.body.as_slice())
    }

    pub(crate) fn remove(&mut self, hash: &BlockHash) {
        self.order.retain(|kept| kept != hash);
        self.forget(hash);
    }

    pub(crate) fn insert_undo(&mut self, undo: Undo) {
        let hash = *undo.block();
        if self.undos.insert(hash, undo).is_none() {
            self.undo_order.push_back(hash);
        }
        if self.undo_order.len() > MAX_UNDOS
            && let Some(oldest) = self.undo_order.pop_front()
        {
            self.undos.remove(&oldest);
        }
    }

    pub(crate) fn undo(&self, hash: &BlockHash) -> Option<&Undo> {
        self.undos.get(hash)
    }

    fn forget(&mut self, hash: &BlockHash) {
        if let Some(cached) = self.blocks.remove(hash) {
            self.bytes -= 2 * cached.body.len();
        }
    }
}

impl Node {
    /// Has a block at hand that was written, if it is whole in the rows that were read for it.
    pub(crate) fn take_stored(&mut self, hash: &BlockHash, rows: &Rows) -> bool {
        let Some(body) = rows::body_in(rows, hash) else { return false };
        let Some(block) = self.stored_block(hash, body) else { return false };
        self.blocks.insert(block, body.to_vec());
        true
    }

    /// A block that was written, as it was verified then.
    fn stored_block(&self, hash: &BlockHash, body: &[u8]) -> Option<VerifiedBlock> {
        let block = rows::block(*self.chain.header(hash)?, body)?;
        let checked = CheckedBlock::check(&self.config.spec, block).ok()?;
        // Only blocks with verified signatures are ever written.
        Some(checked.verified(Verdict::AllValid).expect("the verdict is that all are valid"))
    }
}

/// The block's body as bytes.
pub(crate) fn body_of(block: &VerifiedBlock) -> Vec<u8> {
    rows::body(&block.block().transactions)
}
