//! Checking the past: every block from the genesis to where a snapshot was taken, by the same rules as at the tip.
//!
//! A replay has accounts and history of its own and never touches those of the chain, so that a node is of use while it
//! checks. Once it has connected the snapshot's block, whose state root it has then computed, nothing is left that
//! was only believed.
//!
//! Bounds: the accounts of one more state, and 64 bytes a block.

use tabchain_consensus::{ChainSpec, VerifiedBlock};
use tabchain_primitives::{BlockHash, Height};

use crate::{
    accounts,
    chain::{Chain, Tip},
    error::{ConnectError, RestoreError},
    ground::Ground,
    history::History,
    ledger::Terms,
    state::State,
};

/// How far the past of a chain was checked.
#[derive(Debug)]
pub struct Replay {
    ground: Ground,
    at: BlockHash,
    height: Height,
}

impl Replay {
    /// Nothing was checked yet.
    pub fn genesis(spec: &ChainSpec) -> Self {
        Self { ground: Ground::genesis(spec), at: spec.genesis_hash(), height: Height::GENESIS }
    }

    /// Goes on from stored rows, as [`Replay::take_dirty_chunks`] gave them, at a block of the active chain.
    pub fn restore<'a>(
        chain: &Chain,
        at: &BlockHash,
        rows: impl IntoIterator<Item = (u8, &'a [u8])>,
    ) -> Result<Self, RestoreError> {
        let missing = RestoreError::MissingCheckpoint(*at);
        let index = chain.tree.find(at).filter(|index| chain.tree.is_active(*index)).ok_or(missing)?;
        let header = chain.tree.node(index).header;
        let mut state = State::new();
        for (first_byte, bytes) in rows {
            accounts::restore(&mut state, first_byte, bytes)?;
        }
        accounts::are_those_of(&state, &chain.spec, &header)?;
        let mut history = chain.tree.history_to(index, &chain.ground.history);
        history.push(at);
        Ok(Self { ground: Ground { state, history }, at: *at, height: header.height() })
    }

    pub(crate) const fn from(ground: Ground, tip: Tip) -> Self {
        Self { ground, at: tip.hash, height: tip.height }
    }

    /// The last block that was checked.
    pub const fn at(&self) -> &BlockHash {
        &self.at
    }

    /// Its height.
    pub const fn height(&self) -> Height {
        self.height
    }

    /// Checks the next block, whose header the chain has taken in: the rules T6 to T8, B11 and B12. Err: all is as it
    /// was; nothing is marked invalid.
    pub fn connect(&mut self, chain: &Chain, block: &VerifiedBlock) -> Result<(), ConnectError> {
        let (hash, header) = (block.hash(), &block.block().header);
        let index = chain.tree.find(&hash).ok_or(ConnectError::NotNext(hash))?;
        if header.parent() != self.at {
            return Err(ConnectError::NotNext(hash));
        }
        let miner_at = |height| {
            let below = chain.tree.ancestor(index, height).expect("a reward matures after its own block");
            chain.tree.node(below).header.miner()
        };
        let terms = Terms::of(&chain.spec, header.height(), header.miner(), miner_at);
        self.ground.accept(&terms, block)?;
        (self.at, self.height) = (hash, header.height());
        Ok(())
    }

    /// The rows of the state that changed since the last call, as [`Chain::take_dirty_chunks`] gives them.
    pub fn take_dirty_chunks(&mut self) -> Vec<(u8, Vec<u8>)> {
        self.ground.state.take_dirty_chunks()
    }

    /// Notes that all rows have yet to be stored.
    pub fn mark_all_dirty(&mut self) {
        self.ground.state.dirty_mut().fill(true);
    }
}

impl crate::tree::Tree {
    /// The hashes of all blocks below this one. `active` are those of the active chain, the tip among them.
    pub(crate) fn history_to(&self, end: crate::tree::Index, active: &History) -> History {
        let below = std::iter::successors(self.parent(end), |index| self.parent(*index));
        let path: Vec<_> = below.take_while(|index| !self.is_active(*index)).collect();
        let lowest = path.last().copied().unwrap_or(end);
        let mut history = active.clone();
        history.truncate(self.node(lowest).header.height().value() as usize);
        for index in path.into_iter().rev() {
            history.push(&self.node(index).hash);
        }
        history
    }
}
