//! Whom to ask for headers.
//!
//! While the node is far behind, one peer is asked at a time, because all would answer the same; near the tip whoever claims
//! to know more is asked. A claim that an answer did not bear out is not believed again until it changes; a peer that did
//! not answer, or whose answer was from the future, is asked again later.
//!
//! Bounds: one open question a peer, [`MAX_ASKED`] in all; one note for each connected peer.

use std::collections::BTreeMap;

use tabchain_primitives::{BlockHash, Height, Timestamp, Work};

use crate::{PeerId, TipClaim};

/// The most peers asked at once.
pub const MAX_ASKED: usize = 4;

/// A claim that is so many blocks ahead makes for a long download, done with one peer at a time.
const FAR: u32 = 500;

/// Claims of the connected peers and what came of them.
#[derive(Debug, Default)]
pub struct HeaderSync {
    lanes: BTreeMap<PeerId, Lane>,
}

#[derive(Debug)]
struct Lane {
    hash: BlockHash,
    height: Height,
    /// Not known for a block that was announced without its ancestors: only its headers will tell.
    work: Option<Work>,
    asked: bool,
    /// The claim was not borne out.
    doubted: bool,
    /// Nothing is asked before.
    wait_until: Timestamp,
    /// The last header of a full answer: the next question goes on from there.
    reached: Option<BlockHash>,
}

impl HeaderSync {
    /// A peer says what its tip is.
    pub fn claimed(&mut self, peer: PeerId, claim: TipClaim) {
        self.note(peer, claim.hash, claim.height, Some(claim.work));
    }

    /// A peer announced a block whose parent is not known.
    pub fn announced(&mut self, peer: PeerId, hash: BlockHash, height: Height) {
        self.note(peer, hash, height, None);
    }

    /// A peer left.
    pub fn left(&mut self, peer: &PeerId) {
        self.lanes.remove(peer);
    }

    /// Which block a peer claims to have reached, and its height.
    pub fn claim(&self, peer: &PeerId) -> Option<(BlockHash, Height)> {
        self.lanes.get(peer).map(|lane| (lane.hash, lane.height))
    }

    /// Whether a chain of this work is more than the peer is known to have.
    pub fn is_more(&self, peer: &PeerId, work: Work) -> bool {
        self.lanes.get(peer).is_none_or(|lane| lane.work.is_some_and(|claimed| claimed < work))
    }

    /// Whether a question is open.
    pub fn is_asking(&self) -> bool {
        self.lanes.values().any(|lane| lane.asked)
    }

    /// Whether some peer claims more than `best`, in a block that is not known and a claim that is not doubted.
    pub fn is_behind(&self, best: &TipClaim, knows: impl Fn(&BlockHash) -> bool) -> bool {
        self.lanes.values().any(|lane| lane.is_more_than(best, &knows))
    }

    /// The next peer to ask, with the block to go on from (`best` if none). `knows` tells whether a header is known.
    pub fn next(
        &mut self,
        now: Timestamp,
        best: &TipClaim,
        knows: impl Fn(&BlockHash) -> bool,
    ) -> Option<(PeerId, Option<BlockHash>)> {
        let asked = self.lanes.values().filter(|lane| lane.asked).count();
        let promising =
            |lane: &Lane| !lane.asked && lane.wait_until <= now && lane.is_more_than(best, &knows);
        let lanes = self.lanes.iter_mut().filter(|(_, lane)| promising(lane));
        let (peer, lane) = lanes.max_by_key(|(_, lane)| lane.work)?;
        let far = lane.height.value().saturating_sub(best.height.value()) > FAR;
        if asked >= if far { 1 } else { MAX_ASKED } {
            return None;
        }
        lane.asked = true;
        Some((*peer, lane.reached))
    }

    /// An answer came and its headers are in. `more` is the last of them if there may be more to get.
    pub fn answered(&mut self, peer: &PeerId, more: Option<BlockHash>, knows: impl Fn(&BlockHash) -> bool) {
        if let Some(lane) = self.lanes.get_mut(peer) {
            lane.asked = false;
            lane.reached = more;
            lane.doubted = more.is_none() && !knows(&lane.hash);
        }
    }

    /// No answer came, or one whose time has not come: the peer is not asked again until then.
    pub fn wait(&mut self, peer: &PeerId, until: Timestamp) {
        if let Some(lane) = self.lanes.get_mut(peer) {
            lane.asked = false;
            lane.wait_until = until;
        }
    }

    /// When a peer that was waited for may be asked again.
    pub fn next_try(&self, now: Timestamp) -> Option<Timestamp> {
        let waiting = self.lanes.values().filter(|lane| !lane.doubted && lane.wait_until > now);
        waiting.map(|lane| lane.wait_until).min()
    }

    fn note(&mut self, peer: PeerId, hash: BlockHash, height: Height, work: Option<Work>) {
        let wait_until = Timestamp::ZERO;
        let new = Lane { hash, height, work, asked: false, doubted: false, wait_until, reached: None };
        let lane = self.lanes.entry(peer).or_insert(new);
        if lane.hash != hash {
            lane.doubted = false;
        }
        (lane.hash, lane.height, lane.work) = (hash, height, work);
    }
}

impl Lane {
    fn is_more_than(&self, best: &TipClaim, knows: impl Fn(&BlockHash) -> bool) -> bool {
        !self.doubted && self.work.is_none_or(|work| work > best.work) && !knows(&self.hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tabchain_primitives::{Height, U256, Work};

    const NOW: Timestamp = Timestamp::from_millis(1_000);

    fn peer(n: u8) -> PeerId {
        PeerId::new(&[n]).unwrap()
    }

    fn claim(n: u32) -> TipClaim {
        let mut hash = [0; 32];
        hash[..4].copy_from_slice(&n.to_le_bytes());
        TipClaim { hash: BlockHash::from_bytes(hash), height: Height::new(n), work: Work::new(U256::from(n)) }
    }

    #[test]
    fn far_behind_one_peer_is_asked_and_near_the_tip_several() {
        let mut sync = HeaderSync::default();
        sync.claimed(peer(1), claim(5_000));
        sync.claimed(peer(2), claim(5_001));
        let nothing = |_: &BlockHash| false;
        assert_eq!(sync.next(NOW, &claim(0), nothing), Some((peer(2), None)));
        assert_eq!(sync.next(NOW, &claim(0), nothing), None);
        assert_eq!(sync.next(NOW, &claim(4_999), nothing), Some((peer(1), None)));
    }

    #[test]
    fn a_full_answer_is_followed_up_from_its_end() {
        let mut sync = HeaderSync::default();
        sync.claimed(peer(1), claim(5_000));
        let nothing = |_: &BlockHash| false;
        sync.next(NOW, &claim(0), nothing);
        sync.answered(&peer(1), Some(claim(2_000).hash), nothing);
        assert_eq!(sync.next(NOW, &claim(2_000), nothing), Some((peer(1), Some(claim(2_000).hash))));
    }

    #[test]
    fn a_claim_not_borne_out_is_doubted_until_it_changes() {
        let mut sync = HeaderSync::default();
        sync.claimed(peer(1), claim(9));
        let nothing = |_: &BlockHash| false;
        sync.next(NOW, &claim(5), nothing);
        sync.answered(&peer(1), None, nothing);
        assert!(!sync.is_behind(&claim(5), nothing));
        assert_eq!(sync.next(NOW, &claim(5), nothing), None);
        sync.claimed(peer(1), claim(10));
        assert_eq!(sync.next(NOW, &claim(5), nothing), Some((peer(1), None)));
    }

    #[test]
    fn a_silent_peer_is_asked_again_later() {
        let mut sync = HeaderSync::default();
        sync.claimed(peer(1), claim(9));
        let nothing = |_: &BlockHash| false;
        sync.next(NOW, &claim(5), nothing);
        let later = NOW.saturating_add(30_000);
        sync.wait(&peer(1), later);
        assert_eq!(sync.next(NOW, &claim(5), nothing), None);
        assert_eq!(sync.next_try(NOW), Some(later));
        assert_eq!(sync.next(later, &claim(5), nothing), Some((peer(1), None)));
    }
}
