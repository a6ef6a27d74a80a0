//! Whom to ask for headers.
//!
//! Near the tip whoever claims to know more is asked, a few at once. A chain that takes more than one answer is *weighed*
//! before any of it is kept: its lane holds what was seen so far (`W`, which this module does not look into) and
//! goes on with the next question. Of those one runs at a time, highest claim first, because honest peers would all tell the
//! same; when it takes long, others run beside it, and when there is no place left for one that waits, the slowest gives up
//! its place. So peers that drip delay the honest ones, and never keep them out.
//!
//! What was weighed by a peer that left, or was too slow, is not lost: the next one goes on from there, if its chain is the same.
//!
//! A claim that an answer did not bear out is not believed again until it changes, and its peer waits ever longer; a
//! peer that did not answer, or whose answer was from the future, is asked again later.
//!
//! Bounds: one open question a peer; [`MAX_ASKED`] short questions and [`MAX_WEIGHED`] chains being weighed in all, and one more that
//! was left; one note for each connected peer.

use std::{cmp::Reverse, collections::BTreeMap};

use tabchain_primitives::{BlockHash, Height, Timestamp, Work};

use crate::{PeerId, TipClaim};

/// The most peers asked at once for what may be one answer.
pub const MAX_ASKED: usize = 4;
/// The most chains being weighed at once.
pub const MAX_WEIGHED: usize = 4;

/// A claim that is so many blocks ahead makes for a long download.
const FAR: u32 = 500;
/// When all that run have run for so long, one more is weighed beside them.
const PATIENCE_MS: u64 = 30_000;
/// A chain that has been weighed for so long loses its place to another if it is the slowest.
const SLOW_MS: u64 = 60_000;
/// How long a peer waits after a claim that one answer did not bear out; doubled each time.
const DOUBT_MS: u64 = 2_000;
/// It is doubled no more than so often: half an hour.
const MAX_DOUBTS: u32 = 10;
/// A chain that was weighed for nothing counts for so many claims.
const WEIGHED_FOR_NOTHING: u32 = 4;

/// Claims of the connected peers and what came of them.
#[derive(Debug)]
pub struct HeaderSync<W> {
    lanes: BTreeMap<PeerId, Lane<W>>,
    /// The longest of the chains whose peers left before they were weighed, and how many answers it is.
    left: Option<(W, u64)>,
}

#[derive(Debug)]
struct Lane<W> {
    hash: BlockHash,
    height: Height,
    /// Not known for a block that was announced without its ancestors: only its headers will tell.
    work: Option<Work>,
    asked: bool,
    /// What it claimed when it was last asked.
    asked_for: BlockHash,
    /// The claim was not borne out.
    doubted: bool,
    /// How much was asked for nothing since a claim was last borne out.
    doubts: u32,
    /// Nothing is asked before.
    wait_until: Timestamp,
    weighed: Option<Weighed<W>>,
}

#[derive(Debug)]
struct Weighed<W> {
    /// Not here while an answer is being worked through.
    so_far: Option<W>,
    since: Timestamp,
    answers: u64,
    /// It was begun with another peer, whose chain may have been another.
    inherited: bool,
    /// It lost its place while a question was open: the answer is of no use.
    gives_up: bool,
}

/// What a claim has to be more than, to be worth a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bar {
    /// Where the best header chain ends.
    pub best: Height,
    /// How much work is there already.
    pub work: Work,
    /// A block that was announced without its ancestors must be above this.
    pub height: Height,
}

/// What was weighed of a peer's chain when an answer comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Before<W> {
    /// It is the first answer.
    Nothing,
    /// This.
    Weighed(W),
    /// The chain lost its place to another while the answer was on its way.
    GivenUp,
}

impl Bar {
    /// More than the best header chain.
    pub const fn best(best: &TipClaim) -> Self {
        Self { best: best.height, work: best.work, height: Height::GENESIS }
    }

    /// Clearly more than a chain that was weighed and is not here yet. A block or two more than that will be asked for
    /// when it is: honest peers go on while a newcomer is busy.
    pub fn above(best: &TipClaim, weighed: &TipClaim) -> Self {
        let (work, height) = (weighed.work.value(), weighed.height.value());
        let work = Work::new(work.saturating_add(work >> 4));
        Self { best: best.height, work, height: Height::new(height.saturating_add(height >> 4)) }
    }
}

impl<W> Default for HeaderSync<W> {
    fn default() -> Self {
        Self { lanes: BTreeMap::new(), left: None }
    }
}

impl<W> HeaderSync<W> {
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
        let weighed = self.lanes.remove(peer).and_then(|lane| lane.weighed);
        self.leave(weighed);
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

    /// What was weighed so far of each chain.
    pub fn so_far(&self) -> impl Iterator<Item = &W> {
        let left = self.left.iter().map(|(weighed, _)| weighed);
        self.runs().filter_map(|(_, weighed)| weighed.so_far.as_ref()).chain(left)
    }

    /// How many chains are being weighed.
    pub fn weighed(&self) -> usize {
        self.runs().count()
    }

    /// Whether some peer claims more than the bar, in a block that is not known and a claim that is not doubted.
    pub fn is_behind(&self, bar: &Bar, knows: impl Fn(&BlockHash) -> bool) -> bool {
        self.lanes.values().any(|lane| lane.is_more_than(bar, &knows))
    }

    /// Whether a peer may yet show more than the bar: it claims it, or is being asked.
    pub fn promises(&self, peer: &PeerId, bar: &Bar, knows: impl Fn(&BlockHash) -> bool) -> bool {
        self.lanes.get(peer).is_some_and(|lane| lane.asked || lane.is_more_than(bar, knows))
    }

    /// Whether a peer that may be asked claims more than the bar.
    pub fn is_rivalled(&self, now: Timestamp, bar: &Bar, knows: impl Fn(&BlockHash) -> bool) -> bool {
        self.lanes.values().any(|lane| lane.wait_until <= now && lane.is_more_than(bar, &knows))
    }

    /// The next peer to ask, with what was weighed of its chain so far. `knows` tells whether a header is known.
    pub fn next(
        &mut self,
        now: Timestamp,
        bar: &Bar,
        knows: impl Fn(&BlockHash) -> bool,
    ) -> Option<(PeerId, Option<&W>)> {
        for lane in self.lanes.values_mut().filter(|lane| !lane.asked && !lane.is_more_than(bar, &knows)) {
            lane.weighed = None;
        }
        let peer = self.under_way(now).or_else(|| self.beginner(now, bar, &knows))?;
        let far = self.is_far(&peer, bar);
        let lane = self.lanes.get_mut(&peer)?;
        lane.asked = true;
        lane.asked_for = lane.hash;
        if far && lane.weighed.is_none() {
            lane.weighed = self.left.take().map(|(so_far, answers)| Weighed {
                so_far: Some(so_far),
                since: now,
                answers,
                inherited: true,
                gives_up: false,
            });
        }
        Some((peer, lane.weighed.as_ref().and_then(|weighed| weighed.so_far.as_ref())))
    }

    /// Peers that may be asked for a part of a chain that was weighed, the one that showed it first.
    pub fn helpers(&self, now: Timestamp, chain: &TipClaim, shown_by: &PeerId) -> Vec<PeerId> {
        let free = self.lanes.iter().filter(|(_, lane)| !lane.asked && lane.wait_until <= now);
        let able = free.filter(|(peer, lane)| {
            *peer == shown_by || !lane.doubted && lane.work.is_some_and(|work| work >= chain.work)
        });
        let mut able: Vec<PeerId> = able.map(|(peer, _)| *peer).collect();
        if let Some(place) = able.iter().position(|peer| peer == shown_by) {
            able[..=place].rotate_right(1);
        }
        able
    }

    /// A peer is asked for a part of a chain that was weighed.
    pub fn helps(&mut self, peer: &PeerId) {
        if let Some(lane) = self.lanes.get_mut(peer) {
            lane.asked = true;
        }
    }

    /// It answered.
    pub fn helped(&mut self, peer: &PeerId) {
        if let Some(lane) = self.lanes.get_mut(peer) {
            lane.asked = false;
        }
    }

    /// An answer came. Gives what was weighed of the peer's chain before.
    pub fn take(&mut self, peer: &PeerId) -> Before<W> {
        let Some(lane) = self.lanes.get_mut(peer) else { return Before::GivenUp };
        lane.asked = false;
        match &mut lane.weighed {
            None => Before::Nothing,
            Some(weighed) if weighed.gives_up => {
                lane.weighed = None;
                Before::GivenUp
            }
            Some(weighed) => weighed.so_far.take().map_or(Before::Nothing, Before::Weighed),
        }
    }

    /// The answer was a full one, and this is what was weighed with it: the next question goes on from there. Unless too
    /// many chains are being weighed: then it begins anew later.
    pub fn goes_on(&mut self, peer: &PeerId, so_far: W, now: Timestamp) {
        let full = self.weighed() >= MAX_WEIGHED;
        let Some(lane) = self.lanes.get_mut(peer) else { return };
        match &mut lane.weighed {
            Some(weighed) => {
                weighed.so_far = Some(so_far);
                weighed.answers += 1;
                weighed.inherited = false;
            }
            None if full => lane.wait_until = now.saturating_add(PATIENCE_MS),
            None => {
                let so_far = Some(so_far);
                lane.weighed =
                    Some(Weighed { so_far, since: now, answers: 1, inherited: false, gives_up: false });
            }
        }
    }

    /// The end of the peer's chain was seen. It has this much work, which is more than ours (`better`) or not. True if the
    /// peer made us weigh a chain for less than it had claimed.
    pub fn seen(&mut self, peer: &PeerId, work: Work, better: bool, now: Timestamp) -> bool {
        let Some(lane) = self.lanes.get_mut(peer) else { return false };
        let weighed = lane.weighed.take().is_some();
        // What it claims since then is another matter.
        let same = lane.asked_for == lane.hash;
        let borne_out = lane.work.is_none_or(|claimed| claimed <= work);
        if same && lane.work.is_none() {
            lane.work = Some(work);
        }
        if better && (borne_out || !same) {
            lane.doubts = 0;
            return false;
        }
        if same && borne_out {
            // No more was said than that there is a block, and so it is; or ours has grown meanwhile.
            lane.wait_until = now.saturating_add(DOUBT_MS);
            return false;
        }
        lane.doubted = same;
        lane.doubt(if weighed { WEIGHED_FOR_NOTHING } else { 1 }, now);
        weighed
    }

    /// The peer's chain changed while it was weighed, or can't be weighed any more: it begins anew later. At once, if what was
    /// weighed before was another's chain.
    pub fn begin_anew(&mut self, peer: &PeerId, now: Timestamp) {
        if let Some(lane) = self.lanes.get_mut(peer)
            && !lane.weighed.take().is_some_and(|weighed| weighed.inherited)
        {
            lane.doubt(WEIGHED_FOR_NOTHING, now);
        }
    }

    /// No answer came, or one whose time has not come: the peer is not asked again until then.
    pub fn wait(&mut self, peer: &PeerId, until: Timestamp) {
        if let Some(lane) = self.lanes.get_mut(peer) {
            lane.asked = false;
            lane.wait_until = lane.wait_until.max(until);
            if lane.weighed.as_ref().is_some_and(|weighed| weighed.gives_up) {
                lane.weighed = None;
            }
        }
    }

    /// When a peer that was waited for may be asked again, or one more beside those that take long.
    pub fn next_try(&self, now: Timestamp) -> Option<Timestamp> {
        let waiting = self.lanes.values().filter(|lane| !lane.doubted && lane.wait_until > now);
        let newest = self.runs().map(|(_, weighed)| weighed.since.saturating_add(PATIENCE_MS)).max();
        let oldest = self.runs().map(|(_, weighed)| weighed.since.saturating_add(SLOW_MS)).min();
        let moments = newest.into_iter().chain(oldest).filter(|at| *at > now);
        waiting.map(|lane| lane.wait_until).chain(moments).min()
    }

    /// A peer whose chain is being weighed and that is not being asked.
    fn under_way(&self, now: Timestamp) -> Option<PeerId> {
        let ready = |lane: &Lane<W>| !lane.asked && lane.wait_until <= now && lane.weighed.is_some();
        self.lanes.iter().find(|(_, lane)| ready(lane)).map(|(peer, _)| *peer)
    }

    /// A peer to be asked for the first time: the highest claim of those that have deceived least.
    fn beginner(&mut self, now: Timestamp, bar: &Bar, knows: impl Fn(&BlockHash) -> bool) -> Option<PeerId> {
        let promising = |lane: &Lane<W>| {
            !lane.asked && lane.weighed.is_none() && lane.wait_until <= now && lane.is_more_than(bar, &knows)
        };
        let short = self.lanes.values().filter(|lane| lane.asked && lane.weighed.is_none()).count();
        let candidates = self.lanes.iter().filter(|(_, lane)| promising(lane));
        let (peer, lane) = candidates.max_by_key(|(_, lane)| (Reverse(lane.doubts), lane.work))?;
        let (peer, far) = (*peer, lane.is_far(bar));
        if !far {
            return (short < MAX_ASKED).then_some(peer);
        }
        (short == 0 && self.has_place(now)).then_some(peer)
    }

    /// Whether one more chain may be weighed now. If need be, the slowest is given up for it.
    fn has_place(&mut self, now: Timestamp) -> bool {
        if self.runs().any(|(_, weighed)| now.since(weighed.since) < PATIENCE_MS) {
            return false;
        }
        if self.weighed() < MAX_WEIGHED {
            return true;
        }
        let pace = |weighed: &Weighed<W>| weighed.answers * 1_000_000 / (now.since(weighed.since) + 1);
        let fastest = self.runs().max_by_key(|(_, weighed)| pace(weighed)).map(|(peer, _)| *peer);
        let slow = self
            .runs()
            .filter(|(peer, weighed)| Some(**peer) != fastest && now.since(weighed.since) >= SLOW_MS);
        let slowest = slow.min_by_key(|(_, weighed)| pace(weighed)).map(|(peer, _)| *peer);
        slowest.inspect(|peer| self.give_up(peer, now)).is_some()
    }

    /// A chain loses its place. The answer that is under way will fit nowhere.
    fn give_up(&mut self, peer: &PeerId, now: Timestamp) {
        let Some(lane) = self.lanes.get_mut(peer) else { return };
        lane.doubt(WEIGHED_FOR_NOTHING, now);
        let nothing = Weighed { so_far: None, since: now, answers: 0, inherited: false, gives_up: true };
        let weighed = std::mem::replace(&mut lane.weighed, lane.asked.then_some(nothing));
        self.leave(weighed);
    }

    /// A chain is not weighed with its peer any more. The longest of them waits for another that has it.
    fn leave(&mut self, weighed: Option<Weighed<W>>) {
        let Some(Weighed { so_far: Some(so_far), answers, .. }) = weighed else { return };
        if self.left.as_ref().is_none_or(|(_, most)| *most < answers) {
            self.left = Some((so_far, answers));
        }
    }

    fn is_far(&self, peer: &PeerId, bar: &Bar) -> bool {
        self.lanes.get(peer).is_some_and(|lane| lane.is_far(bar))
    }

    /// The chains that are being weighed.
    fn runs(&self) -> impl Iterator<Item = (&PeerId, &Weighed<W>)> {
        let runs = self.lanes.iter().filter_map(|(peer, lane)| Some((peer, lane.weighed.as_ref()?)));
        runs.filter(|(_, weighed)| !weighed.gives_up)
    }

    fn note(&mut self, peer: PeerId, hash: BlockHash, height: Height, work: Option<Work>) {
        let wait_until = Timestamp::ZERO;
        let new = Lane {
            hash,
            height,
            work,
            asked: false,
            asked_for: hash,
            doubted: false,
            doubts: 0,
            wait_until,
            weighed: None,
        };
        let lane = self.lanes.entry(peer).or_insert(new);
        if lane.hash != hash {
            lane.doubted = false;
        }
        (lane.hash, lane.height, lane.work) = (hash, height, work);
    }
}

impl<W> Lane<W> {
    fn is_more_than(&self, bar: &Bar, knows: impl Fn(&BlockHash) -> bool) -> bool {
        let more = self.work.map_or(self.height > bar.height, |work| work > bar.work);
        more && !self.doubted && !knows(&self.hash)
    }

    /// Whether what it claims makes for a long download.
    fn is_far(&self, bar: &Bar) -> bool {
        self.height.value().saturating_sub(bar.best.value()) > FAR
    }

    fn doubt(&mut self, more: u32, now: Timestamp) {
        self.doubts = (self.doubts + more).min(MAX_DOUBTS);
        self.wait_until = now.saturating_add(DOUBT_MS << (self.doubts - 1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tabchain_primitives::U256;

    const NOW: Timestamp = Timestamp::from_millis(1_000);

    fn peer(n: u8) -> PeerId {
        PeerId::new(&[n]).unwrap()
    }

    fn claim(n: u32) -> TipClaim {
        let mut hash = [0; 32];
        hash[..4].copy_from_slice(&n.to_le_bytes());
        TipClaim { hash: BlockHash::from_bytes(hash), height: Height::new(n), work: Work::new(U256::from(n)) }
    }

    fn nothing(_: &BlockHash) -> bool {
        false
    }

    /// Whom a node asks whose best header is the `best`th, and what it knows of that peer's chain.
    fn next(sync: &mut HeaderSync<u32>, now: Timestamp, best: u32) -> Option<(PeerId, Option<u32>)> {
        let (peer, so_far) = sync.next(now, &Bar::best(&claim(best)), nothing)?;
        Some((peer, so_far.copied()))
    }

    fn claims(tips: &[u32]) -> HeaderSync<u32> {
        let mut sync = HeaderSync::default();
        for (n, tip) in (1..).zip(tips) {
            sync.claimed(peer(n), claim(*tip));
        }
        sync
    }

    /// A full answer came, the first or a further one.
    fn full(sync: &mut HeaderSync<u32>, from: u8, now: Timestamp) {
        match sync.take(&peer(from)) {
            Before::Nothing => sync.goes_on(&peer(from), 2_000, now),
            Before::Weighed(before) => sync.goes_on(&peer(from), before + 2_000, now),
            Before::GivenUp => {}
        }
    }

    #[test]
    fn far_behind_one_peer_is_asked_and_near_the_tip_several() {
        let mut sync = claims(&[5_000, 5_001]);
        assert_eq!(next(&mut sync, NOW, 0), Some((peer(2), None)));
        assert_eq!(next(&mut sync, NOW, 0), None);
        assert_eq!(next(&mut sync, NOW, 4_999), Some((peer(1), None)));
    }

    #[test]
    fn a_full_answer_is_followed_up_with_what_was_weighed() {
        let mut sync = claims(&[5_000]);
        next(&mut sync, NOW, 0);
        assert_eq!(sync.take(&peer(1)), Before::Nothing);
        sync.goes_on(&peer(1), 2_000, NOW);
        assert_eq!(next(&mut sync, NOW, 0), Some((peer(1), Some(2_000))));
        assert_eq!(sync.take(&peer(1)), Before::Weighed(2_000));
        sync.goes_on(&peer(1), 4_000, NOW);
        assert_eq!(sync.weighed(), 1);
        assert_eq!(next(&mut sync, NOW, 6_000), None, "the claim is no more than what there is by now");
        assert_eq!(sync.weighed(), 0, "so what was weighed is forgotten");
    }

    #[test]
    fn a_claim_not_borne_out_is_doubted_until_it_changes_and_ever_longer() {
        let mut sync = claims(&[9]);
        let mut now = NOW;
        let mut waits = Vec::new();
        for n in 10..24 {
            assert_eq!(next(&mut sync, now, 5), Some((peer(1), None)));
            assert_eq!(sync.take(&peer(1)), Before::Nothing);
            assert!(!sync.seen(&peer(1), Work::ZERO, false, now));
            assert!(!sync.is_behind(&Bar::best(&claim(5)), nothing));
            assert_eq!(next(&mut sync, now.saturating_add(100_000_000), 5), None, "the same claim");
            sync.claimed(peer(1), claim(n));
            let until = sync.next_try(now).expect("it waits");
            waits.push(until.since(now) / 1_000);
            now = until;
        }
        assert_eq!(waits, [2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 1024, 1024, 1024, 1024]);
        next(&mut sync, now, 5);
        sync.seen(&peer(1), claim(23).work, true, now);
        assert_eq!(sync.next_try(now), None);
    }

    #[test]
    fn what_is_more_than_ours_and_less_than_was_claimed_is_a_lie_all_the_same() {
        let mut sync = claims(&[9_000]);
        next(&mut sync, NOW, 5);
        sync.take(&peer(1));
        assert!(!sync.seen(&peer(1), claim(6).work, true, NOW));
        assert_eq!(next(&mut sync, NOW.saturating_add(100_000), 6), None);
    }

    #[test]
    fn a_claim_that_is_newer_than_the_question_is_not_judged_by_the_answer() {
        let mut sync = claims(&[9]);
        next(&mut sync, NOW, 5);
        sync.claimed(peer(1), claim(10));
        sync.take(&peer(1));
        assert!(!sync.seen(&peer(1), claim(9).work, true, NOW));
        assert_eq!(next(&mut sync, NOW, 9), Some((peer(1), None)));
    }

    #[test]
    fn a_chain_weighed_for_nothing_counts_for_more() {
        let mut sync = claims(&[9_000]);
        next(&mut sync, NOW, 5);
        full(&mut sync, 1, NOW);
        next(&mut sync, NOW, 5);
        sync.take(&peer(1));
        assert!(sync.seen(&peer(1), Work::ZERO, false, NOW));
        sync.claimed(peer(1), claim(9_001));
        assert_eq!(sync.next_try(NOW), Some(NOW.saturating_add(16_000)));
    }

    #[test]
    fn an_announced_block_that_is_no_better_is_no_lie() {
        let mut sync = HeaderSync::<u32>::default();
        sync.announced(peer(1), claim(4).hash, Height::new(4));
        assert_eq!(next(&mut sync, NOW, 5), Some((peer(1), None)));
        sync.take(&peer(1));
        assert!(!sync.seen(&peer(1), claim(4).work, false, NOW));
        let later = NOW.saturating_add(10_000);
        assert_eq!(next(&mut sync, later, 5), None);
        assert_eq!(next(&mut sync, later, 3), Some((peer(1), None)), "should ours fall, it is more");
    }

    #[test]
    fn a_silent_peer_is_asked_again_later_and_goes_on_where_it_was() {
        let mut sync = claims(&[9_000]);
        next(&mut sync, NOW, 5);
        full(&mut sync, 1, NOW);
        assert_eq!(next(&mut sync, NOW, 5), Some((peer(1), Some(2_000))));
        let later = NOW.saturating_add(30_000);
        sync.wait(&peer(1), later);
        assert_eq!(next(&mut sync, NOW, 5), None);
        assert_eq!(sync.next_try(NOW), Some(later));
        assert_eq!(next(&mut sync, later, 5), Some((peer(1), Some(2_000))));
    }

    #[test]
    fn what_was_weighed_with_a_peer_that_left_is_gone_on_with() {
        let mut sync = claims(&[9_000, 8_000]);
        assert_eq!(next(&mut sync, NOW, 5), Some((peer(1), None)));
        full(&mut sync, 1, NOW);
        assert_eq!(next(&mut sync, NOW, 5), Some((peer(1), Some(2_000))));
        sync.left(&peer(1));
        assert_eq!(next(&mut sync, NOW, 5), Some((peer(2), Some(2_000))));
        assert_eq!(sync.so_far().count(), 1);
        // Its chain turns out to be another one, which is nobody's fault.
        assert_eq!(sync.take(&peer(2)), Before::Weighed(2_000));
        sync.begin_anew(&peer(2), NOW);
        assert_eq!(next(&mut sync, NOW, 5), Some((peer(2), None)));
    }

    #[test]
    fn while_a_chain_that_was_weighed_comes_in_only_clearly_more_is_asked_for() {
        let mut sync = claims(&[16_000, 16_001, 16_900]);
        sync.announced(peer(4), claim(16_002).hash, Height::new(16_002));
        let bar = Bar::above(&claim(0), &claim(16_000));
        assert!(!sync.is_behind(&bar, nothing));
        assert_eq!(sync.next(NOW, &bar, nothing), None);
        sync.claimed(peer(3), claim(17_001));
        assert_eq!(sync.next(NOW, &bar, nothing), Some((peer(3), None)));
        let helpers = sync.helpers(NOW, &claim(16_001), &peer(1));
        assert_eq!(helpers, [peer(1), peer(2)], "the third is busy, the fourth has said nothing");
    }

    /// Peers 1 to 4 claim the most and drip; peer 9 is honest, and faster.
    #[test]
    fn peers_that_drip_delay_an_honest_one_and_do_not_keep_it_out() {
        let mut sync = claims(&[90_005, 90_004, 90_003, 90_002, 90_001]);
        sync.claimed(peer(9), claim(80_000));
        let mut honest = None;
        for second in 0..600 {
            let now = NOW.saturating_add(second * 1_000);
            while let Some((asked, _)) = next(&mut sync, now, 0) {
                if asked == peer(9) {
                    honest.get_or_insert(second);
                }
            }
            for n in [1, 2, 3, 4, 5, 9] {
                // One answer in seven seconds; the honest peer answers at once.
                if n == 9 && sync.lanes[&peer(9)].asked || second % 7 == 0 && sync.lanes[&peer(n)].asked {
                    full(&mut sync, n, now);
                }
            }
            assert!(sync.weighed() <= MAX_WEIGHED);
        }
        let honest = honest.expect("its turn comes");
        assert!(honest < 300, "after {honest} s");
        assert!(sync.lanes[&peer(9)].weighed.as_ref().expect("nobody took its place").answers > 200);
    }
}
