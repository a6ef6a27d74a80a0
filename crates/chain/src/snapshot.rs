//! Joining in the middle: the accounts at a block, put together from chunks that strangers gave.
//!
//! Every chunk is checked by itself against the block's state root when it comes, in whatever order. When all are there,
//! [`Chain::adopt`] moves the chain to the block at once. What was not looked at then, all that lies between where the
//! chain stood and the block, is for the [`Replay`] that it leaves behind.
//!
//! Bounds: the state that a header with proof of work commits to, and nothing else.

use std::collections::BTreeSet;

use tabchain_primitives::{BlockHash, Header, Height};

use crate::{
    accounts,
    chain::Chain,
    error::RestoreError,
    ground::Ground,
    replay::Replay,
    state::{Prefix, ProofError, State, StateChunk},
};

/// The accounts at a block, as far as they have come.
#[derive(Debug)]
pub struct Snapshot {
    block: BlockHash,
    header: Header,
    state: State,
    missing: BTreeSet<u8>,
    /// What is wrong with the block itself: its accounts are proven, and can't be.
    impossible: Option<RestoreError>,
}

impl Snapshot {
    /// Nothing yet of the accounts after this block.
    pub fn of(header: Header) -> Self {
        let missing = (0..=u8::MAX).collect();
        Self { block: header.hash(), header, state: State::new(), missing, impossible: None }
    }

    /// Whose accounts they are.
    pub const fn block(&self) -> &BlockHash {
        &self.block
    }

    /// Its height.
    pub const fn height(&self) -> Height {
        self.header.height()
    }

    /// Takes the accounts whose keys begin with this byte. One that came before changes nothing.
    pub fn take(&mut self, first_byte: u8, chunk: &StateChunk) -> Result<(), ProofError> {
        if chunk.prefix() != Prefix::byte(first_byte) {
            return Err(ProofError::Outside);
        }
        chunk.verify(&self.header.state_root())?;
        if self.missing.remove(&first_byte)
            && let Err(error) = accounts::add(&mut self.state, first_byte, chunk.rows())
        {
            self.impossible = Some(error);
        }
        Ok(())
    }

    /// The first bytes of keys whose chunks have not come.
    pub const fn missing(&self) -> &BTreeSet<u8> {
        &self.missing
    }
}

impl Chain {
    /// Moves to the block of a snapshot at once, and leaves behind what has to be replayed to know that its past is
    /// valid. Everything counts as changed, to be stored.
    ///
    /// Err: all is as it was. If the snapshot was complete, its block can't be valid, however much work stands behind
    /// it: its accounts own more or less than there is, or its header commits to other ancestors than it has.
    pub fn adopt(&mut self, snapshot: Snapshot) -> Result<Replay, RestoreError> {
        let Snapshot { block, header, state, impossible, .. } = snapshot;
        let end = self.tree.find(&block).filter(|end| !self.tree.is_invalid(*end));
        let end = end.ok_or(RestoreError::MissingCheckpoint(block))?;
        if let Some(impossible) = impossible {
            return Err(impossible);
        }
        accounts::are_those_of(&state, &self.spec, &header)?;
        let history = self.tree.history_to(end, &self.ground.history);
        if history.root() != header.history_root() {
            return Err(RestoreError::HistoryRoot);
        }
        let mut ground = Ground { state, history };
        ground.history.push(&block);
        ground.state.dirty_mut().fill(true);
        let tip = self.tip();
        let before = std::mem::replace(&mut self.ground, ground);
        let goes_on = self.tree.stand_at(end);
        Ok(if goes_on { Replay::from(before, tip) } else { Replay::genesis(&self.spec) })
    }
}
