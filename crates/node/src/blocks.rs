//! Blocks and steps back kept at hand. Everything here is also on disk, or on its way there, so it can be dropped at will.
//!
//! Bounds: blocks up to a number of bytes, [`MAX_UNDOS`] steps back. Blocks that have done their work go first, and of those that
//! wait for it, as of steps back, the oldest.

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
    /// All of them, in the order in which they go.
    order: BTreeMap<Turn, BlockHash>,
    /// The number of the next turn.
    next: u64,
    bytes: usize,
    capacity: usize,
    undos: BTreeMap<BlockHash, Undo>,
    undo_order: VecDeque<BlockHash>,
}

#[derive(Debug)]
struct Cached {
    block: VerifiedBlock,
    body: Vec<u8>,
    turn: Turn,
}

/// When a block goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Turn {
    /// It has not been connected, so to drop it would mean to read it again.
    waits: bool,
    number: u64,
}

impl Cached {
    /// About what it takes in memory: even a block without transactions has a header, and stands in two maps. The
    /// decoded form takes about as much again as the bytes.
    fn bytes(&self) -> usize {
        size_of::<Self>() + 2 * size_of::<BlockHash>() + 2 * self.body.len()
    }
}

impl BlockCache {
    pub(crate) const fn new(capacity: usize) -> Self {
        Self {
            blocks: BTreeMap::new(),
            order: BTreeMap::new(),
            next: 0,
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
        let turn = self.turn(true);
        let cached = Cached { block, body, turn };
        self.bytes += cached.bytes();
        self.blocks.insert(hash, cached);
        self.order.insert(turn, hash);
        while self.bytes > self.capacity && self.order.len() > 1 {
            let first = *self.order.values().next().expect("more than one is there");
            self.remove(&first);
        }
    }

    /// A block has done its work: it goes before those that wait for theirs.
    pub(crate) fn done(&mut self, hash: &BlockHash) {
        let turn = self.turn(false);
        if let Some(cached) = self.blocks.get_mut(hash) {
            self.order.remove(&std::mem::replace(&mut cached.turn, turn));
            self.order.insert(turn, *hash);
        }
    }

    pub(crate) fn block(&self, hash: &BlockHash) -> Option<&VerifiedBlock> {
        self.blocks.get(hash).map(|cached| &cached.block)
    }

    pub(crate) fn body(&self, hash: &BlockHash) -> Option<&[u8]> {
        self.blocks.get(hash).map(|cached| cached.body.as_slice())
    }

    pub(crate) fn remove(&mut self, hash: &BlockHash) {
        if let Some(cached) = self.blocks.remove(hash) {
            self.bytes -= cached.bytes();
            self.order.remove(&cached.turn);
        }
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

    fn turn(&mut self, waits: bool) -> Turn {
        self.next += 1;
        Turn { waits, number: self.next }
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

#[cfg(test)]
mod tests {
    use super::*;
    use tabchain_chain::Chain;
    use tabchain_chain::testing::{Key, mine_at, spec};

    /// As many blocks without transactions, each another.
    fn empty_blocks(count: u64) -> impl Iterator<Item = VerifiedBlock> {
        let (spec, chain) = (spec(), Chain::new(spec()));
        let first = chain.tip().header.time().saturating_add(1);
        (0..count).map(move |number| {
            let block = mine_at(&chain, Key::new(0).address(), &[], first.saturating_add(number));
            let checked = CheckedBlock::check(&spec, block).expect("a good block");
            checked.verified(Verdict::AllValid).expect("nothing is signed")
        })
    }

    #[test]
    fn blocks_that_are_hardly_any_bytes_fill_the_cache_all_the_same() {
        let mut cache = BlockCache::new(100 * 1_024);
        let mut hashes = Vec::new();
        for block in empty_blocks(400) {
            hashes.push(block.hash());
            let body = body_of(&block);
            cache.insert(block, body);
        }
        assert!(cache.blocks.len() < 400, "{} are held in 100 KiB", cache.blocks.len());
        assert!(cache.blocks.len() > 100, "but many are: {}", cache.blocks.len());
        assert!(cache.block(&hashes[399]).is_some() && cache.block(&hashes[0]).is_none(), "the newest");
        for hash in &hashes {
            cache.remove(hash);
        }
        assert_eq!((cache.bytes, cache.order.len()), (0, 0));
    }

    #[test]
    fn blocks_that_have_done_their_work_go_before_those_that_wait_however_old() {
        let mut cache = BlockCache::new(100 * 1_024);
        let (mut waiting, mut done) = (Vec::new(), Vec::new());
        for (number, block) in empty_blocks(400).enumerate() {
            let hash = block.hash();
            let body = body_of(&block);
            cache.insert(block, body);
            if number < 50 {
                waiting.push(hash);
            } else {
                cache.done(&hash);
                done.push(hash);
            }
        }
        assert!(waiting.iter().all(|hash| cache.block(hash).is_some()), "they are the oldest");
        assert!(
            cache.block(&done[0]).is_none() && cache.block(&done[349]).is_some(),
            "the oldest of the rest"
        );
        assert_eq!(cache.blocks.len(), cache.order.len());
    }
}
