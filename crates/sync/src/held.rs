//! Who gave the transactions that are held behind a gap of nonces.
//!
//! The memory pool bounds how much is held at all. So that one peer cannot fill that up and push out what others gave, each may
//! have a share of it; those who left have one share together, of which the oldest go first.
//!
//! Bounds: [`MAX_HELD_BYTES`] of transactions for each peer, and once more for all who left.

use std::collections::{BTreeMap, VecDeque};

use tabchain_primitives::TxId;

use crate::PeerId;

/// The most bytes that are held of what one peer gave.
pub const MAX_HELD_BYTES: usize = 128 * 1024;

/// Held transactions by who gave them.
#[derive(Debug, Default)]
pub struct HeldShares {
    given: BTreeMap<PeerId, VecDeque<Held>>,
    orphaned: VecDeque<Held>,
}

#[derive(Clone, Copy, Debug)]
struct Held {
    id: TxId,
    bytes: usize,
}

impl HeldShares {
    /// Whether so many bytes more may be held for a peer. `is_held` tells what still is.
    pub fn has_room(&mut self, peer: &PeerId, bytes: usize, is_held: impl Fn(&TxId) -> bool) -> bool {
        let Some(given) = self.given.get_mut(peer) else { return bytes <= MAX_HELD_BYTES };
        given.retain(|held| is_held(&held.id));
        sum(given) + bytes <= MAX_HELD_BYTES
    }

    /// A transaction that this peer gave is held now.
    pub fn note(&mut self, peer: PeerId, id: TxId, bytes: usize) {
        self.given.entry(peer).or_default().push_back(Held { id, bytes });
    }

    /// A peer left. Gives what need not be held any longer, because those who left gave too much together.
    pub fn left(&mut self, peer: &PeerId, is_held: impl Fn(&TxId) -> bool) -> Vec<TxId> {
        let Some(given) = self.given.remove(peer) else { return Vec::new() };
        self.orphaned.extend(given);
        self.orphaned.retain(|held| is_held(&held.id));
        let mut bytes = sum(&self.orphaned);
        let mut gone = Vec::new();
        while bytes > MAX_HELD_BYTES
            && let Some(oldest) = self.orphaned.pop_front()
        {
            bytes -= oldest.bytes;
            gone.push(oldest.id);
        }
        gone
    }
}

fn sum(held: &VecDeque<Held>) -> usize {
    held.iter().map(|held| held.bytes).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(n: u8) -> PeerId {
        PeerId::new(&[n]).expect("one byte")
    }

    fn id(n: u8) -> TxId {
        TxId::from_bytes([n; 32])
    }

    #[test]
    fn a_peer_fills_its_own_share_and_gets_it_back_as_gaps_close() {
        let mut shares = HeldShares::default();
        let half = MAX_HELD_BYTES / 2;
        shares.note(peer(1), id(1), half);
        assert!(shares.has_room(&peer(1), half, |_| true));
        shares.note(peer(1), id(2), half);
        assert!(!shares.has_room(&peer(1), 1, |_| true));
        assert!(shares.has_room(&peer(2), MAX_HELD_BYTES, |_| true), "another has its own");
        assert!(shares.has_room(&peer(1), half, |held| *held != id(1)), "the first is held no more");
    }

    #[test]
    fn coming_again_under_other_names_does_not_multiply_the_share() {
        let mut shares = HeldShares::default();
        let mut gone = 0;
        for n in 0..10 {
            shares.note(peer(n), id(n), MAX_HELD_BYTES);
            gone += shares.left(&peer(n), |_| true).len();
        }
        assert_eq!((gone, shares.orphaned.len()), (9, 1));
    }
}
