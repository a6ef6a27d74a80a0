//! Which body to fetch from whom.
//!
//! The node names the bodies it wants, oldest first; they are dealt out in batches to all peers that can have them, a few
//! batches to each. A peer that stalls loses its batch to others and from then on is asked only for what nobody else
//! has, with twice the time and half the bodies each time, until it answers. Which peer sent a body does not matter: each is checked against its header.
//!
//! Bounds: at most [`MAX_WINDOW`] bodies are under way, at most [`MAX_BATCHES`] batches to one peer and [`MAX_OPEN`] in all, each of
//! which brings about a megabyte at most; a peer's lacks are
//! remembered up to [`MAX_LACKS`].

use std::collections::{BTreeMap, BTreeSet};

use tabchain_primitives::BlockHash;

use crate::{PeerId, message::MAX_BODIES, recent::RecentSet};

/// The most bodies under way at once.
pub const MAX_WINDOW: usize = 512;
/// The most batches open to one peer.
pub const MAX_BATCHES: usize = 2;
/// The most batches open in all.
pub const MAX_OPEN: usize = 16;
/// The most bodies remembered as lacking at one peer.
pub const MAX_LACKS: usize = 1_024;

const PATIENCE_MS: u64 = 4_000;
const MAX_PATIENCE_MS: u64 = 32_000;

/// The window of bodies under way.
#[derive(Debug, Default)]
pub struct BodyDownload {
    lanes: BTreeMap<PeerId, Lane>,
    under_way: BTreeSet<BlockHash>,
}

#[derive(Debug)]
struct Lane {
    open: usize,
    batch: usize,
    patience: u64,
    /// Batches it let stall since it last answered.
    stalls: u32,
    lacks: RecentSet<BlockHash>,
}

/// A batch to ask a peer for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchPlan {
    /// Whom to ask.
    pub peer: PeerId,
    /// For what, oldest first.
    pub hashes: Vec<BlockHash>,
    /// How long to wait, in milliseconds.
    pub patience: u64,
}

impl BodyDownload {
    /// A peer that may be asked joined.
    pub fn joined(&mut self, peer: PeerId) {
        self.lanes.entry(peer).or_insert_with(|| Lane {
            open: 0,
            batch: MAX_BODIES,
            patience: PATIENCE_MS,
            stalls: 0,
            lacks: RecentSet::new(MAX_LACKS),
        });
    }

    /// A peer's tip moved: it may have by now what it lacked before.
    pub fn moved(&mut self, peer: &PeerId) {
        if let Some(lane) = self.lanes.get_mut(peer) {
            lane.lacks = RecentSet::new(MAX_LACKS);
        }
    }

    /// A peer left. Its open batches are given back by [`BodyDownload::failed`].
    pub fn left(&mut self, peer: &PeerId) {
        self.lanes.remove(peer);
    }

    /// Keeps a body from being fetched while it comes by another way; false when it is under way already.
    pub fn reserve(&mut self, hash: BlockHash) -> bool {
        self.under_way.insert(hash)
    }

    /// Gives a reserved body free.
    pub fn release(&mut self, hash: &BlockHash) {
        self.under_way.remove(hash);
    }

    /// Whether the body is under way.
    pub fn is_under_way(&self, hash: &BlockHash) -> bool {
        self.under_way.contains(hash)
    }

    /// How many bodies are under way.
    pub fn len(&self) -> usize {
        self.under_way.len()
    }

    /// Whether nothing is under way.
    pub fn is_empty(&self) -> bool {
        self.under_way.is_empty()
    }

    /// Deals out the wanted bodies. `has` tells whether a peer's chain reaches a block.
    pub fn plan(
        &mut self,
        wanted: &[BlockHash],
        has: impl Fn(&PeerId, &BlockHash) -> bool,
    ) -> Vec<BatchPlan> {
        let room = MAX_WINDOW.saturating_sub(self.under_way.len());
        let mut wanted: Vec<_> =
            wanted.iter().filter(|hash| !self.under_way.contains(*hash)).take(room).copied().collect();
        let share = wanted.len().div_ceil(self.lanes.len().max(1)).clamp(1, MAX_BODIES);
        let mut plans = Vec::new();
        for round in 0..MAX_BATCHES {
            for peer in self.by_reliability() {
                let open: usize = self.lanes.values().map(|lane| lane.open).sum();
                if self.lanes[&peer].open > round || open >= MAX_OPEN {
                    continue;
                }
                let fits = |hash: &&BlockHash| {
                    self.gives(&peer, hash, &has) && !self.better_gives(&peer, hash, &has)
                };
                let most = share.min(self.lanes[&peer].batch);
                let hashes: Vec<_> = wanted.iter().filter(fits).take(most).copied().collect();
                if hashes.is_empty() {
                    continue;
                }
                wanted.retain(|hash| !hashes.contains(hash));
                self.under_way.extend(&hashes);
                let lane = self.lanes.get_mut(&peer).expect("it was listed just now");
                lane.open += 1;
                plans.push(BatchPlan { peer, hashes, patience: lane.patience });
            }
        }
        plans
    }

    /// An answer to a batch came. What was asked for and not given, the peer lacks; unless it gave something else of it,
    /// for then the rest may just not have fitted.
    pub fn answered(&mut self, peer: &PeerId, asked: &[BlockHash], given: &BTreeSet<BlockHash>) {
        for hash in asked {
            self.under_way.remove(hash);
        }
        let Some(lane) = self.lanes.get_mut(peer) else { return };
        lane.open = lane.open.saturating_sub(1);
        if given.is_empty() {
            for hash in asked {
                lane.lacks.insert(*hash);
            }
        } else {
            lane.stalls = 0;
            lane.patience = (lane.patience / 2).max(PATIENCE_MS);
            lane.batch = (lane.batch * 2).min(MAX_BODIES);
        }
    }

    /// No answer came in time, or the peer is gone.
    pub fn failed(&mut self, peer: &PeerId, asked: &[BlockHash]) {
        for hash in asked {
            self.under_way.remove(hash);
        }
        if let Some(lane) = self.lanes.get_mut(peer) {
            lane.open = lane.open.saturating_sub(1);
            lane.stalls += 1;
            lane.patience = (lane.patience * 2).min(MAX_PATIENCE_MS);
            lane.batch = (lane.batch / 2).max(1);
        }
    }

    /// A peer gave a body that is not the one its header commits to: it is not asked for that one again.
    pub fn wrong(&mut self, peer: &PeerId, hash: BlockHash) {
        if let Some(lane) = self.lanes.get_mut(peer) {
            lane.lacks.insert(hash);
        }
    }

    /// The peers, those that answer before those that stall.
    fn by_reliability(&self) -> Vec<PeerId> {
        let mut peers: Vec<_> = self.lanes.iter().map(|(peer, lane)| (lane.stalls, *peer)).collect();
        peers.sort_unstable();
        peers.into_iter().map(|(_, peer)| peer).collect()
    }

    fn gives(&self, peer: &PeerId, hash: &BlockHash, has: &impl Fn(&PeerId, &BlockHash) -> bool) -> bool {
        !self.lanes[peer].lacks.contains(hash) && has(peer, hash)
    }

    /// Whether a peer that stalls less can give the body too.
    fn better_gives(
        &self,
        peer: &PeerId,
        hash: &BlockHash,
        has: &impl Fn(&PeerId, &BlockHash) -> bool,
    ) -> bool {
        let stalls = self.lanes[peer].stalls;
        let mut better = self.lanes.iter().filter(|(_, lane)| lane.stalls < stalls);
        stalls > 0 && better.any(|(other, _)| self.gives(other, hash, has))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(n: u8) -> PeerId {
        PeerId::new(&[n]).unwrap()
    }

    fn hashes(count: u8) -> Vec<BlockHash> {
        (0..count).map(|n| BlockHash::from_bytes([n; 32])).collect()
    }

    fn everything(_: &PeerId, _: &BlockHash) -> bool {
        true
    }

    #[test]
    fn bodies_are_dealt_to_all_peers_and_none_twice() {
        let mut download = BodyDownload::default();
        download.joined(peer(1));
        download.joined(peer(2));
        let wanted = hashes(20);
        let plans = download.plan(&wanted, everything);
        let mut dealt: Vec<_> = plans.iter().flat_map(|plan| plan.hashes.clone()).collect();
        dealt.sort_unstable();
        assert_eq!(dealt, wanted);
        assert_eq!(plans.iter().map(|plan| plan.peer).collect::<BTreeSet<_>>().len(), 2);
        assert!(download.plan(&wanted, everything).is_empty());
    }

    #[test]
    fn a_stalled_batch_goes_to_another_peer_and_the_slow_one_gets_less() {
        let mut download = BodyDownload::default();
        download.joined(peer(1));
        let wanted = hashes(64);
        let plan = download.plan(&wanted, everything).remove(0);
        download.failed(&peer(1), &plan.hashes);
        let again = download.plan(&wanted, everything).remove(0);
        assert_eq!((again.hashes.len(), again.patience), (32, 2 * plan.patience));
    }

    #[test]
    fn who_stalls_is_asked_only_for_what_nobody_else_has() {
        let mut download = BodyDownload::default();
        download.joined(peer(1));
        let wanted = hashes(4);
        let plan = download.plan(&wanted, everything).remove(0);
        download.failed(&peer(1), &plan.hashes);
        download.joined(peer(2));
        let only_the_first = |asked: &PeerId, hash: &BlockHash| *asked == peer(1) || *hash != wanted[0];
        for plan in download.plan(&wanted, only_the_first) {
            assert_eq!(plan.hashes.contains(&wanted[0]), plan.peer == peer(1));
            assert!(plan.peer == peer(2) || plan.hashes.len() == 1);
        }
    }

    #[test]
    fn a_peer_that_lacks_a_body_is_not_asked_for_it_again() {
        let mut download = BodyDownload::default();
        download.joined(peer(1));
        let wanted = hashes(1);
        download.plan(&wanted, everything);
        download.answered(&peer(1), &wanted, &BTreeSet::new());
        assert!(download.plan(&wanted, everything).is_empty());
        download.joined(peer(2));
        assert_eq!(download.plan(&wanted, everything)[0].peer, peer(2));
    }

    #[test]
    fn the_window_and_the_batches_are_bounded() {
        let mut download = BodyDownload::default();
        for n in 0..32 {
            download.joined(peer(n));
        }
        let wanted: Vec<_> = (0..2_000u32)
            .map(|n| {
                let mut hash = [0; 32];
                hash[..4].copy_from_slice(&n.to_le_bytes());
                BlockHash::from_bytes(hash)
            })
            .collect();
        let plans = download.plan(&wanted, everything);
        assert_eq!(plans.len(), MAX_OPEN);
        assert!(plans.iter().map(|plan| plan.hashes.len()).sum::<usize>() <= MAX_WINDOW);
        assert!(plans.iter().all(|plan| plan.hashes.len() <= MAX_BODIES));
    }
}
