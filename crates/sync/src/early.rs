//! Blocks from the future (rule B4): held until their time comes, because a clock that is a little off is no crime.
//!
//! Bounds: at most [`MAX_EARLY`] blocks, those whose time comes first; at most [`MAX_EARLY_PER_PEER`] from one peer. So blocks of a far
//! future, of which work has to be done only once, keep no place for good.

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
    /// Holds a block until `at`, if there is room for it; of too many, the one goes whose time comes last. False when it is held
    /// already, or not now.
    pub fn hold(&mut self, at: Timestamp, hash: BlockHash, peer: PeerId, block: CompactBlock) -> bool {
        let from_peer = self.held.values().filter(|(from, _)| *from == peer).count();
        if from_peer >= MAX_EARLY_PER_PEER || self.held.contains_key(&(at, hash)) {
            return false;
        }
        self.held.insert((at, hash), (peer, block));
        if self.held.len() > MAX_EARLY {
            self.held.pop_last();
        }
        self.held.contains_key(&(at, hash))
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

#[cfg(test)]
mod tests {
    use tabchain_primitives::Block;

    use super::*;
    use crate::testing::header;

    fn block() -> CompactBlock {
        CompactBlock::of(&Block { header: header(|_| {}), transactions: Vec::new() }, 1)
    }

    fn hold(early: &mut EarlyBlocks, at: u64, number: u8, peer: usize) -> bool {
        let peer = PeerId::new(&peer.to_le_bytes()).expect("a few bytes");
        let hash = BlockHash::from_bytes([number; 32]);
        early.hold(Timestamp::from_millis(at), hash, peer, block())
    }

    #[test]
    fn of_too_many_the_one_goes_whose_time_comes_last() {
        let mut early = EarlyBlocks::default();
        for number in 0..32 {
            assert!(hold(
                &mut early,
                1_000 + u64::from(number),
                number,
                usize::from(number) / MAX_EARLY_PER_PEER
            ));
        }
        assert!(!hold(&mut early, 2_000, 100, 100), "there are as many as are held, all of them nearer");
        assert!(hold(&mut early, 500, 101, 100));
        assert_eq!((early.held.len(), early.next()), (MAX_EARLY, Some(Timestamp::from_millis(500))));
        assert!(!hold(&mut early, 1_031, 102, 101), "of those that were there, the last has gone for it");
    }

    #[test]
    fn one_peer_fills_only_its_share() {
        let mut early = EarlyBlocks::default();
        let held = (0..40).filter(|number| hold(&mut early, 1_000 - u64::from(*number), *number, 1)).count();
        assert_eq!(held, MAX_EARLY_PER_PEER);
        assert!(hold(&mut early, 2_000, 100, 2));
        assert!(!hold(&mut early, 2_000, 100, 3), "it is held already");
    }
}
