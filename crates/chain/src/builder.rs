//! Opening a chain from what was stored: headers, and the accounts at one block, the *checkpoint*.
//!
//! A store may have lost rows or flipped bits. A header that does not hold together is left out, with all that
//! follows it, as if it had never come; peers have it. The accounts must lead to the checkpoint's state root, or the
//! chain does not open and has to be replayed from its genesis.

use std::sync::Arc;

use tabchain_consensus::{
    ChainSpec, hash_meets_target, height_follows_parent, time_is_after_parent, version_is_known,
};
use tabchain_primitives::{BlockHash, Header, Height};

use crate::{
    accounts,
    chain::Chain,
    error::RestoreError,
    ground::{Ground, genesis_changes},
    history::History,
    state::{Change, State},
    tree::{Limits, Tree},
};

/// A chain that is being put together from stored rows.
#[derive(Debug)]
pub struct ChainBuilder {
    spec: Arc<ChainSpec>,
    tree: Tree,
    state: State,
}

impl ChainBuilder {
    /// A chain of this spec with nothing but the genesis.
    pub fn new(spec: Arc<ChainSpec>) -> Self {
        Self::with_limits(spec, Limits::default())
    }

    /// The same with other limits.
    pub fn with_limits(spec: Arc<ChainSpec>, limits: Limits) -> Self {
        let tree = Tree::new(*spec.genesis_header(), limits);
        Self { spec, tree, state: State::new() }
    }

    /// A stored header and its hash, parents first. Of chains with equal work, the one given first counts as seen first. Says
    /// whether it was taken in: not if its parent wasn't, or if the row is damaged.
    ///
    /// The clock and the target's own computation were checked when it was stored; what shows a damaged row is
    /// checked again.
    pub fn header(&mut self, header: Header, hash: BlockHash) -> bool {
        debug_assert_eq!(header.hash(), hash, "whoever read the header hashed it");
        if self.tree.find(&hash).is_some() {
            return true;
        }
        let Some(parent) = self.tree.find(&header.parent()) else { return false };
        let below = &self.tree.node(parent).header;
        let sound = version_is_known(&header)
            .and_then(|()| height_follows_parent(&header, below))
            .and_then(|()| time_is_after_parent(&header, below))
            .and_then(|()| hash_meets_target(&header, &hash));
        let fits = sound.is_ok() && !self.tree.is_invalid(parent);
        if fits {
            self.tree.restore(header, hash, parent);
        }
        fits
    }

    /// Notes that a block's body is stored. The chain stands at its checkpoint whether or not the bodies below it are
    /// there. Unknown hashes are ignored.
    pub fn body(&mut self, hash: &BlockHash) {
        if let Some(index) = self.tree.find(hash) {
            self.tree.mark_body(index);
        }
    }

    /// Notes that a block was found invalid. The genesis and unknown hashes are ignored.
    pub fn invalid(&mut self, hash: &BlockHash) {
        if let Some(index) = self.tree.find(hash).filter(|index| self.tree.parent(*index).is_some()) {
            self.tree.mark_invalid(index);
        }
    }

    /// The accounts whose keys begin with this byte, as [`Chain::take_dirty_chunks`] gave them. A chunk that is not
    /// given is empty.
    pub fn chunk(&mut self, first_byte: u8, bytes: &[u8]) -> Result<(), RestoreError> {
        accounts::restore(&mut self.state, first_byte, bytes)
    }

    /// The chain with its tip at the checkpoint. From there [`Chain::next_step`] leads on, to the block it had reached.
    ///
    /// A chain whose checkpoint is the genesis needs no chunks.
    pub fn build(mut self, checkpoint: &BlockHash) -> Result<Chain, RestoreError> {
        let end = self.tree.find(checkpoint).ok_or(RestoreError::MissingCheckpoint(*checkpoint))?;
        let header = self.tree.node(end).header;
        if header.height() == Height::GENESIS {
            // Its rows may never have been stored, so they count as changed.
            self.state = State::new();
            self.state.write(&genesis_changes(&self.spec), Change::after);
        }
        accounts::are_those_of(&self.state, &self.spec, &header)?;
        self.tree.stand_at(end);
        self.tree.trim();
        let mut history = History::default();
        for node in self.tree.active() {
            if node.hash == *checkpoint && history.root() != header.history_root() {
                return Err(RestoreError::HistoryRoot);
            }
            history.push(&node.hash);
        }
        Ok(Chain { spec: self.spec, tree: self.tree, ground: Ground { state: self.state, history } })
    }
}
