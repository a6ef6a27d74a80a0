//! The headers: taking them in, finding them, and naming chains to other nodes.

use tabchain_consensus::{HeaderError, check_hashed_header};
use tabchain_primitives::{BlockHash, Header, Height, Timestamp};

use crate::{
    chain::{Chain, Entry, Inserted, Status, Tip},
    error::InsertError,
};

/// The most hashes of a locator: ten, then one for each doubling of the distance, then the genesis.
pub const MAX_LOCATOR: usize = 48;

impl Chain {
    /// Takes in a header that follows one that is here, if it keeps the rules B1 to B6.
    pub fn insert_header(&mut self, header: Header, now: Timestamp) -> Result<Inserted, InsertError> {
        self.insert_hashed_header(header, header.hash(), now)
    }

    /// The same for whoever has computed its hash already.
    pub fn insert_hashed_header(
        &mut self,
        header: Header,
        hash: BlockHash,
        now: Timestamp,
    ) -> Result<Inserted, InsertError> {
        debug_assert_eq!(header.hash(), hash, "the header has this hash");
        if let Some(index) = self.tree.find(&hash) {
            let invalid = self.tree.is_invalid(index);
            self.tree.pass(index);
            return if invalid { Err(InsertError::KnownInvalid(hash)) } else { Ok(Inserted::Known) };
        }
        let parent = self.tree.find(&header.parent()).ok_or(InsertError::UnknownParent(header.parent()))?;
        if self.tree.is_invalid(parent) {
            return Err(InsertError::KnownInvalid(header.parent()));
        }
        let grandparent = self.tree.parent(parent).map(|index| &self.tree.node(index).header);
        check_hashed_header(&self.spec, &header, &hash, &self.tree.node(parent).header, grandparent, now)
            .map_err(|error| match error {
                HeaderError::TooEarly { at } => InsertError::TooEarly { at },
                error => InsertError::Rule(error),
            })?;
        self.tree.insert(header, hash, parent).map_err(|_| InsertError::LowWork)?;
        Ok(Inserted::New)
    }

    /// From now on, headers that follow this block one after the other are taken in whatever their work: they were
    /// [weighed](crate::Weighing) and make a better chain. An unknown hash is ignored.
    pub fn expect_branch(&mut self, from: &BlockHash) {
        if let Some(index) = self.tree.find(from) {
            self.tree.bring_in(index);
        }
    }

    /// The expected branch is here, or will not come. What of it is not the best chain is a side branch now.
    pub fn end_branch(&mut self) {
        self.tree.brought_in();
    }

    /// Headers of side branches that were forgotten since the last call: their rows in a store are of no more use.
    pub fn take_evicted(&mut self) -> Vec<(Height, BlockHash)> {
        self.tree.take_evicted()
    }

    /// A header by its hash.
    pub fn header(&self, hash: &BlockHash) -> Option<&Header> {
        self.tree.find(hash).map(|index| &self.tree.node(index).header)
    }

    /// Whether the header is here.
    pub fn contains(&self, hash: &BlockHash) -> bool {
        self.tree.find(hash).is_some()
    }

    /// What is known of a block.
    pub fn entry(&self, hash: &BlockHash) -> Option<Entry> {
        let index = self.tree.find(hash)?;
        let node = self.tree.node(index);
        let status = if self.tree.is_invalid(index) {
            Status::Invalid
        } else if self.tree.is_active(index) {
            Status::Active
        } else {
            Status::Candidate
        };
        Some(Entry {
            height: node.header.height(),
            work: node.work,
            status,
            has_body: self.tree.has_body(index),
        })
    }

    /// The end of the header chain with the most work that is neither known to be invalid nor
    /// [withheld](Self::withhold); the first seen of equals.
    pub fn best_header(&self) -> Tip {
        Tip::of(self.tree.node(self.tree.best()))
    }

    /// The block that the state stands at.
    pub fn tip(&self) -> Tip {
        Tip::of(self.tree.node(self.tree.tip()))
    }

    /// The block at a height of the active chain.
    pub fn hash_at(&self, height: Height) -> Option<BlockHash> {
        self.tree.active_at(height).map(|index| self.tree.node(index).hash)
    }

    /// The block at a height of the best header chain.
    pub fn best_hash_at(&self, height: Height) -> Option<BlockHash> {
        self.tree.best_at(height).map(|index| self.tree.node(index).hash)
    }

    /// Whether a block is on the active chain.
    pub fn is_active(&self, hash: &BlockHash) -> bool {
        self.tree.find(hash).is_some_and(|index| self.tree.is_active(index))
    }

    /// The ancestor of a block at a height, or the block itself.
    pub fn ancestor(&self, of: &BlockHash, height: Height) -> Option<BlockHash> {
        let index = self.tree.ancestor(self.tree.find(of)?, height)?;
        Some(self.tree.node(index).hash)
    }

    /// Hashes from a block down to the genesis, ever farther apart: enough for another node to find where its chain
    /// leaves this one. Empty if the block is not known; never more than [`MAX_LOCATOR`].
    pub fn locator(&self, from: &BlockHash) -> Vec<BlockHash> {
        let Some(mut index) = self.tree.find(from) else { return Vec::new() };
        let mut locator = Vec::new();
        let mut stride: u32 = 1;
        loop {
            let node = self.tree.node(index);
            locator.push(node.hash);
            let height = node.header.height().value();
            if height == 0 {
                return locator;
            }
            if locator.len() >= 10 {
                stride = stride.saturating_mul(2);
            }
            let below = Height::new(height.saturating_sub(stride));
            index = self.tree.ancestor(index, below).expect("every height below a block has an ancestor");
        }
    }

    /// Headers of the active chain after the first hash of the locator that is on it, or after the genesis.
    pub fn headers_after(&self, locator: &[BlockHash], limit: usize) -> Vec<Header> {
        let known = locator.iter().filter_map(|hash| self.tree.find(hash));
        let common = known.into_iter().find(|index| self.tree.is_active(*index));
        let height = common.map_or(Height::GENESIS, |index| self.tree.node(index).header.height());
        self.tree.active_after(height).take(limit).map(|node| node.header).collect()
    }

    /// How many blocks of the best header chain wait for nothing but their turn to be connected.
    pub fn waiting_bodies(&self) -> usize {
        let is_on_the_way = self.next_step().is_some();
        if is_on_the_way { self.tree.best_ready().saturating_sub(self.tree.active_len()) } else { 0 }
    }

    /// Blocks of the best header chain whose bodies are wanted, oldest first: of the first whose body is lacking and those
    /// above it, `window` blocks in all.
    pub fn missing_bodies(&self, window: usize) -> Vec<BlockHash> {
        self.tree.best_lacking().take(window).filter(|node| !node.has_body).map(|node| node.hash).collect()
    }
}
