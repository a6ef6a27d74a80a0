//! Blocks from the future (rule B4): held until their time comes, because a clock that is a little off is no crime.
//!
//! Bounds: at most [`MAX_EARLY`] blocks, at most [`MAX_EARLY_PER_PEER`] from one peer.

use std::collections::BTreeMap;

use tabchain_primitives::{BlockHash, Timestamp};

use crate::{CompactBlock, PeerId};

/// The most blocks held.
pub const MAX_EARLY: usize = 32;

/// The most blocks held from one peer.
pub const MAX_EARLY_PER_PEER: usize = 4;

/// Blocks whose time has not come, by that time.
#[derive(Debug, Default)]
pub struct EarlyBlocks {
    held: BTreeMap<(Timestamp, BlockHash), (PeerId, CompactBlock)>,
}

impl EarlyBlocks {
    /// Holds a block until `at`; false when there is no room for it or it is held already.
    pub fn hold(&mut self, at: Timestamp, hash: BlockHash, peer: PeerId, block: CompactBlock) -> bool {
        let from_peer = self.held.values().filter(|(from, _)| *from == peer).count();
        if self.held.len() >= MAX_EARLY
            || from_peer >= MAX_EARLY_PER_PEER
            || self.held.contains_key(&(at, hash))
        {
            return false;
        }
        self.held.insert((at, hash), (peer, block));
        true
    }

    /// Gives out one block whose time has come.
    pub fn due(&mut self, now: Timestamp) -> Option<(PeerId, CompactBlock)> {
        let first = self.held.first_entry()?;
        (first.key().0 <= now).then(|| first.remove())
    }

    /// How many bytes are held, about.
    pub fn bytes(&self) -> usize {
        self.held.values().map(|(_, block)| block.bytes()).sum()
    }

    /// When the next block's time comes.
    pub fn next(&self) -> Option<Timestamp> {
        self.held.first_key_value().map(|((at, _), _)| *at)
    }
}
