//! Which body to fetch from whom.
//!
//! The node names the bodies it wants, oldest first; they are dealt out in batches to all peers that can have them, a few
//! batches to each, the fastest first. A batch is as large as its peer is expected to answer in [`BATCH_MS`], as far as an
//! answer holds. A peer that stalls loses its batch to others and from then on is asked only for what nobody else
//! has, with twice the time and half the bodies each time, until it answers; the time shrinks again as it does. Once there is nothing
//! left to deal out, the oldest bodies that a slow peer is at are asked of one that is idle and at least twice as fast: so the
//! window moves on. Which peer sent a body does not matter: each is checked against its header.
//!
//! What the node wants lies in a [`BodyDownload::window`], together with what waits for its turn, so all of it is still at hand
//! then.
//!
//! Bounds: at most [`MAX_WINDOW`] bodies are under way, each asked of two peers at most, at most [`MAX_BATCHES`] batches to one peer and
//! [`MAX_OPEN`] in all, each of which brings about a megabyte at most; a peer's lacks are remembered up to [`MAX_LACKS`].

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use tabchain_primitives::BlockHash;

use crate::message::{MAX_BODIES, RESPONSE_BUDGET};
use crate::{PeerId, recent::RecentSet};

/// The most bodies under way at once.
pub const MAX_WINDOW: usize = 4_096;
/// The most bytes that the bodies of a window are expected to have. A node keeps some sixteen megabytes of blocks at hand, in which
/// each has twice its size and a little more.
const WINDOW_BYTES: u64 = 6 * 1024 * 1024;
/// The fewest bodies of a window, however large they are.
const MIN_WINDOW: usize = 16;
/// The most batches open to one peer.
pub const MAX_BATCHES: usize = 2;
/// The most batches open in all.
pub const MAX_OPEN: usize = 16;
/// The most bodies remembered as lacking at one peer.
pub const MAX_LACKS: usize = 1_024;

/// A peer that let so many batches stall in a row is of no use.
pub const MAX_STALLS: u32 = 3;

/// What a batch should take, in milliseconds.
pub const BATCH_MS: u64 = 1_000;
const PATIENCE_MS: u64 = 4_000;
const MAX_PATIENCE_MS: u64 = 32_000;

/// The window of bodies under way.
#[derive(Debug, Default)]
pub struct BodyDownload {
    lanes: BTreeMap<PeerId, Lane>,
    under_way: BTreeMap<BlockHash, UnderWay>,
    /// What a body has lately had, in bytes.
    body_bytes: Option<u64>,
}

/// How a body comes.
#[derive(Clone, Copy, Debug)]
struct UnderWay {
    /// From this peer; none when it comes by another way.
    from: Option<PeerId>,
    /// It was asked of a second peer.
    hastened: bool,
}

#[derive(Debug)]
struct Lane {
    open: usize,
    batch: usize,
    patience: u64,
    /// Batches it let stall since it last answered.
    stalls: u32,
    /// How many bytes it has lately given in a second.
    rate: Option<u64>,
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
            rate: None,
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
        let is_new = !self.under_way.contains_key(&hash);
        self.under_way.entry(hash).or_insert(UnderWay { from: None, hastened: false });
        is_new
    }

    /// Gives a reserved body free.
    pub fn release(&mut self, hash: &BlockHash) {
        self.under_way.remove(hash);
    }

    /// Whether the body is under way.
    pub fn is_under_way(&self, hash: &BlockHash) -> bool {
        self.under_way.contains_key(hash)
    }

    /// How many bodies are under way.
    pub fn len(&self) -> usize {
        self.under_way.len()
    }

    /// Whether nothing is under way.
    pub fn is_empty(&self) -> bool {
        self.under_way.is_empty()
    }

    /// How many blocks there should be between the last one connected, or the first whose body is lacking, and the last one
    /// fetched.
    pub fn window(&self) -> usize {
        let fits = WINDOW_BYTES / self.body_bytes.unwrap_or_default().max(1);
        usize::try_from(fits).unwrap_or(MAX_WINDOW).clamp(MIN_WINDOW, MAX_WINDOW)
    }

    /// Whether there is a peer that more could be asked of. If not, there is nothing to deal out.
    pub fn may_ask(&self) -> bool {
        self.open() < MAX_OPEN && self.lanes.values().any(|lane| lane.open < MAX_BATCHES)
    }

    /// Deals out the wanted bodies. `has` tells whether a peer's chain reaches a block.
    pub fn plan(
        &mut self,
        wanted: &[BlockHash],
        has: impl Fn(&PeerId, &BlockHash) -> bool,
    ) -> Vec<BatchPlan> {
        let oldest: Vec<_> = wanted.iter().take(MAX_BODIES).copied().collect();
        let room = MAX_WINDOW.saturating_sub(self.under_way.len());
        let mut wanted: Vec<_> =
            wanted.iter().filter(|hash| !self.under_way.contains_key(*hash)).take(room).copied().collect();
        let share = wanted.len().div_ceil(self.lanes.len().max(1)).clamp(1, MAX_BODIES);
        let mut plans = Vec::new();
        for round in 0..MAX_BATCHES {
            for peer in self.by_merit() {
                if self.lanes[&peer].open > round || self.open() >= MAX_OPEN {
                    continue;
                }
                let fits = |hash: &&BlockHash| {
                    self.gives(&peer, hash, &has) && !self.better_gives(&peer, hash, &has)
                };
                let most = share.min(self.batch(&peer));
                let hashes: Vec<_> = wanted.iter().filter(fits).take(most).copied().collect();
                if hashes.is_empty() {
                    continue;
                }
                let mut dealt = hashes.iter().peekable();
                wanted.retain(|hash| dealt.next_if_eq(&hash).is_none());
                plans.push(self.begin(peer, hashes, false));
            }
        }
        if wanted.is_empty() || room == 0 {
            plans.extend(self.hasten(&oldest, has));
        }
        plans
    }

    /// Asks an idle peer for the oldest bodies that one at most half as fast is at.
    fn hasten(
        &mut self,
        oldest: &[BlockHash],
        has: impl Fn(&PeerId, &BlockHash) -> bool,
    ) -> Option<BatchPlan> {
        let first = oldest.iter().find(|hash| self.under_way.contains_key(hash))?;
        let UnderWay { from: Some(slow), hastened: false } = self.under_way[first] else { return None };
        let rate = self.lanes.get(&slow).and_then(|lane| lane.rate).unwrap_or_default();
        let is_better = |peer: &PeerId| {
            let lane = &self.lanes[peer];
            let faster = lane.rate.is_some_and(|own| own / 2 >= rate);
            *peer != slow && lane.open == 0 && lane.stalls == 0 && faster
        };
        let peer = self.by_merit().into_iter().find(is_better).filter(|_| self.open() < MAX_OPEN)?;
        let of_slow = |hash: &&BlockHash| {
            let under_way = self.under_way.get(*hash);
            let at_slow = under_way.is_some_and(|way| way.from == Some(slow) && !way.hastened);
            at_slow && self.gives(&peer, hash, &has)
        };
        let hashes: Vec<_> = oldest.iter().filter(of_slow).take(self.batch(&peer)).copied().collect();
        (!hashes.is_empty()).then(|| self.begin(peer, hashes, true))
    }

    fn begin(&mut self, peer: PeerId, hashes: Vec<BlockHash>, hastened: bool) -> BatchPlan {
        let way = UnderWay { from: Some(peer), hastened };
        self.under_way.extend(hashes.iter().map(|hash| (*hash, way)));
        let lane = self.lanes.get_mut(&peer).expect("it was listed just now");
        lane.open += 1;
        BatchPlan { peer, hashes, patience: lane.patience }
    }

    fn open(&self) -> usize {
        self.lanes.values().map(|lane| lane.open).sum()
    }

    /// How many bodies a peer is asked for at once: what it can be expected to give soon, and what an answer holds.
    fn batch(&self, peer: &PeerId) -> usize {
        let lane = &self.lanes[peer];
        let Some(each) = self.body_bytes else { return lane.batch };
        let soon = lane.rate.map_or(u64::MAX, |rate| rate.saturating_mul(BATCH_MS) / 1_000);
        let bodies = soon.min(RESPONSE_BUDGET as u64).div_ceil(each.max(1));
        usize::try_from(bodies).unwrap_or(MAX_BODIES).clamp(1, lane.batch)
    }

    /// An answer to a batch came. What was asked for and not given, the peer lacks; unless it gave something else of it,
    /// for then the rest may just not have fitted. `bytes` came after `millis`.
    pub fn answered(
        &mut self,
        peer: &PeerId,
        asked: &[BlockHash],
        given: &BTreeSet<BlockHash>,
        bytes: usize,
        millis: u64,
    ) {
        self.end(peer, asked);
        if let Some(each) = (bytes as u64).checked_div(given.len() as u64) {
            self.body_bytes = Some(self.body_bytes.map_or(each, |before| before.midpoint(each)));
        }
        let Some(lane) = self.lanes.get_mut(peer) else { return };
        lane.open = lane.open.saturating_sub(1);
        if given.is_empty() {
            for hash in asked {
                lane.lacks.insert(*hash);
            }
        } else {
            lane.stalls = 0;
            let rate = (bytes as u64).saturating_mul(1_000) / millis.max(1);
            lane.rate = Some(lane.rate.map_or(rate, |before| before.midpoint(rate)));
            lane.patience = (lane.patience / 2).max(PATIENCE_MS);
            lane.batch = (lane.batch * 2).min(MAX_BODIES);
        }
    }

    /// No answer came in time, or the peer is gone.
    pub fn failed(&mut self, peer: &PeerId, asked: &[BlockHash]) {
        self.end(peer, asked);
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

    /// Whether a peer was asked in vain: it lacks this body, or did not answer when it was last asked.
    pub fn has_failed(&self, peer: &PeerId, hash: &BlockHash) -> bool {
        self.lanes.get(peer).is_some_and(|lane| lane.stalls > 0 || lane.lacks.contains(hash))
    }

    /// Whether a peer lets one batch stall after the other.
    pub fn is_hopeless(&self, peer: &PeerId) -> bool {
        self.lanes.get(peer).is_some_and(|lane| lane.stalls >= MAX_STALLS)
    }

    /// The bodies are no longer expected of this peer; those that another was asked for in its place still come.
    fn end(&mut self, peer: &PeerId, asked: &[BlockHash]) {
        for hash in asked {
            if self.under_way.get(hash).is_some_and(|way| way.from == Some(*peer)) {
                self.under_way.remove(hash);
            }
        }
    }

    /// The peers, those that answer before those that stall, and the faster before the slower. Who was not asked yet is
    /// given the benefit of the doubt.
    fn by_merit(&self) -> Vec<PeerId> {
        let merit = |lane: &Lane| (lane.stalls, Reverse(lane.rate.unwrap_or(u64::MAX)));
        let mut lanes: Vec<_> = self.lanes.iter().collect();
        lanes.sort_by_key(|(_, lane)| merit(lane));
        lanes.into_iter().map(|(peer, _)| *peer).collect()
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

    fn hashes(count: usize) -> Vec<BlockHash> {
        let hash = |n: usize| {
            let mut hash = [0; 32];
            hash[..4].copy_from_slice(&u32::try_from(n).expect("a few").to_le_bytes());
            BlockHash::from_bytes(hash)
        };
        (0..count).map(hash).collect()
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
    fn whoever_is_asked_for_all_it_may_be_asked_for_is_asked_no_more() {
        let mut download = BodyDownload::default();
        assert!(!download.may_ask());
        download.joined(peer(1));
        let wanted = hashes(MAX_BATCHES * MAX_BODIES + 1);
        let mut plans = Vec::new();
        while download.may_ask() {
            plans.extend(download.plan(&wanted, everything));
        }
        assert_eq!(plans.len(), MAX_BATCHES);
        answer(&mut download, &plans[0], 1_000, 10);
        assert!(download.may_ask());
    }

    #[test]
    fn a_stalled_batch_goes_to_another_peer_and_the_slow_one_gets_less() {
        let mut download = BodyDownload::default();
        download.joined(peer(1));
        let wanted = hashes(MAX_BODIES);
        let plan = download.plan(&wanted, everything).remove(0);
        download.failed(&peer(1), &plan.hashes);
        let again = download.plan(&wanted, everything).remove(0);
        assert_eq!((again.hashes.len(), again.patience), (MAX_BODIES / 2, 2 * plan.patience));
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
        download.answered(&peer(1), &wanted, &BTreeSet::new(), 0, 10);
        assert!(download.plan(&wanted, everything).is_empty());
        download.joined(peer(2));
        assert_eq!(download.plan(&wanted, everything)[0].peer, peer(2));
    }

    /// Answers a plan with all it asked for, each body of so many bytes.
    fn answer(download: &mut BodyDownload, plan: &BatchPlan, each: usize, millis: u64) {
        let given: BTreeSet<_> = plan.hashes.iter().copied().collect();
        download.answered(&plan.peer, &plan.hashes, &given, each * given.len(), millis);
    }

    #[test]
    fn the_window_holds_fewer_bodies_the_larger_they_are() {
        let mut download = BodyDownload::default();
        download.joined(peer(1));
        let mut window_of = |each| {
            // Twenty times, so that what came before is forgotten.
            for _ in 0..20 {
                let plan = download.plan(&hashes(1), everything).remove(0);
                answer(&mut download, &plan, each, 10);
            }
            download.window()
        };
        assert_eq!([100, 64 * 1024, 1024 * 1024].map(&mut window_of), [MAX_WINDOW, 96, MIN_WINDOW]);
        assert_eq!(BodyDownload::default().window(), MAX_WINDOW);
    }

    #[test]
    fn the_faster_peer_is_asked_for_more() {
        let mut download = BodyDownload::default();
        download.joined(peer(1));
        download.joined(peer(2));
        for plan in download.plan(&hashes(2), everything) {
            let millis = if plan.peer == peer(1) { 1_000 } else { 20 };
            answer(&mut download, &plan, 10_000, millis);
        }
        let plans = download.plan(&hashes(200)[2..], everything);
        let asked = |n| {
            let of = plans.iter().filter(|plan| plan.peer == peer(n));
            of.map(|plan| plan.hashes.len()).sum::<usize>()
        };
        assert_eq!(plans[0].peer, peer(2), "and first");
        assert!(asked(1) <= 2 && asked(2) >= 50, "{} and {}", asked(1), asked(2));
    }

    #[test]
    fn what_a_slow_peer_is_at_last_is_asked_of_a_faster_one_too_but_once() {
        let mut download = BodyDownload::default();
        download.joined(peer(1));
        download.joined(peer(2));
        let first = download.plan(&hashes(2), everything);
        for plan in &first {
            answer(&mut download, plan, 10_000, if plan.peer == peer(1) { 1_000 } else { 100 });
        }
        let wanted = &hashes(4)[2..];
        let plans = download.plan(wanted, everything);
        let (slow, fast): (Vec<_>, Vec<_>) = plans.into_iter().partition(|plan| plan.peer == peer(1));
        answer(&mut download, &fast[0], 10_000, 100);
        let left: Vec<_> = wanted.iter().filter(|hash| slow[0].hashes.contains(hash)).copied().collect();
        let again = download.plan(&left, everything);
        assert_eq!(
            again.iter().map(|plan| (plan.peer, plan.hashes.clone())).collect::<Vec<_>>(),
            [(peer(2), left.clone())]
        );
        assert!(download.plan(&left, everything).is_empty(), "no third time");
        download.failed(&peer(1), &slow[0].hashes);
        assert!(download.is_under_way(&left[0]), "it still comes from the other");
        answer(&mut download, &again[0], 10_000, 100);
        assert!(download.is_empty());
    }

    #[test]
    fn who_lets_batch_after_batch_stall_is_hopeless_until_it_answers() {
        let mut download = BodyDownload::default();
        download.joined(peer(1));
        let mut patience = Vec::new();
        for _ in 0..MAX_STALLS {
            assert!(!download.is_hopeless(&peer(1)));
            let plan = download.plan(&hashes(1), everything).remove(0);
            patience.push(plan.patience);
            download.failed(&peer(1), &plan.hashes);
        }
        assert_eq!(patience, [4_000, 8_000, 16_000]);
        assert!(download.is_hopeless(&peer(1)));
        for expected in [32_000, 16_000, 8_000, 4_000, 4_000] {
            let plan = download.plan(&hashes(1), everything).remove(0);
            assert_eq!(plan.patience, expected, "and shrinks again");
            answer(&mut download, &plan, 1_000, 10);
        }
        assert!(!download.is_hopeless(&peer(1)));
    }

    #[test]
    fn the_window_and_the_batches_are_bounded() {
        let mut download = BodyDownload::default();
        for n in 0..32 {
            download.joined(peer(n));
        }
        let plans = download.plan(&hashes(2 * MAX_WINDOW), everything);
        assert_eq!(plans.len(), MAX_OPEN);
        assert!(plans.iter().map(|plan| plan.hashes.len()).sum::<usize>() <= MAX_WINDOW);
        assert!(plans.iter().all(|plan| plan.hashes.len() <= MAX_BODIES));
    }
}
