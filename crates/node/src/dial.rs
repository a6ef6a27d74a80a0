//! Whom the node dials: peers of its own choice, one more while its tip is stale, and feelers.
//!
//! A *feeler* goes to a peer that was only heard of, or now and then to one that was good before, says hello and goes again: so
//! the book knows, before it matters, who is there. If the peer claims a chain with more work, the feeler stays until that has been
//! looked into: two parts of the network that have enough connections of their own each find together by this. If it led to a
//! better chain, it becomes a peer of the node's own choice in the place of the least useful one: so the parts also grow
//! together. When no block has come for long, somebody may be keeping them from us: then one more peer than usual is
//! dialled, and after a while the one that has been of least use is let go, again and again at growing distances until a
//! block comes.
//!
//! Bounds: [`MAX_DIALS`] dials at once; one feeler at a time, every [`FEEL_EVERY_MS`], for [`FEELER_STAYS_MS`] at most; one peer above [`Limits::outbound`](crate::Limits).

use std::cmp::Reverse;
use std::collections::BTreeMap;

use tabchain_primitives::Timestamp;
use tabchain_sync::headers::Bar;
use tabchain_sync::{LinkMessage, PeerAddress, PeerId};

use crate::node::Node;
use crate::peers::{Origin, Peer};
use crate::{Output, Reason};

const MAX_DIALS: usize = 4;
const DIAL_PATIENCE_MS: u64 = 45_000;
/// An entry of the book is felt for at most so often.
const FEEL_EVERY_MS: u64 = 2 * 60 * 1000;
/// Of so many feelers one goes to a peer that was good before.
const FEELERS_TO_ONE_TRIED: usize = 4;
/// A feeler that tells of more work stays at most so long.
const FEELER_STAYS_MS: u64 = 10 * 60 * 1000;
/// After so many intervals without a block, and at least [`LOOK_AT_LEAST_MS`], the node looks for other peers.
const LOOK_INTERVALS: u64 = 10;
const LOOK_AT_LEAST_MS: u64 = 2 * 60 * 1000;
/// Each search in vain makes the pause before the next twice as long, so many times.
const MAX_DOUBLINGS: u32 = 4;
/// A peer dialled for that has so long to be of use.
const TRIAL_MS: u64 = 60_000;
/// One peer is asked for peers at most so often; it answers at most once a minute.
const ASK_ONE_EVERY_MS: u64 = 3 * 60 * 1000;
/// Some peer is asked at most so often.
const ASK_EVERY_MS: u64 = 30_000;

/// What is being dialled, and when more is due.
#[derive(Debug, Default)]
pub(crate) struct Dialling {
    under_way: BTreeMap<PeerId, Dial>,
    feel_at: Timestamp,
    ask_at: Timestamp,
    /// Searches in vain since the tip that is as old as this.
    searched: (Timestamp, u32),
    search_at: Timestamp,
}

/// A dial that is under way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dial {
    until: Timestamp,
    pub(crate) origin: Origin,
}

impl Dialling {
    /// Whether nobody is being dialled.
    pub(crate) fn is_empty(&self) -> bool {
        self.under_way.is_empty()
    }

    /// Whether this peer is being dialled.
    pub(crate) fn contains(&self, id: &PeerId) -> bool {
        self.under_way.contains_key(id)
    }

    /// A dial has ended, well or badly.
    pub(crate) fn end(&mut self, id: &PeerId) -> Option<Dial> {
        self.under_way.remove(id)
    }

    /// Gives up the dials that have had their time.
    fn take_overdue(&mut self, now: Timestamp) -> Vec<PeerId> {
        let (under_way, overdue): (BTreeMap<_, _>, BTreeMap<_, _>) =
            std::mem::take(&mut self.under_way).into_iter().partition(|(_, dial)| dial.until > now);
        self.under_way = under_way;
        overdue.into_keys().collect()
    }

    /// How many dials will be connections to stay.
    fn to_stay(&self) -> usize {
        self.under_way.values().filter(|dial| dial.origin != Origin::Feeler).count()
    }
}

impl Node {
    /// Dials while there are too few connections of our own, feels for new peers, and asks for more.
    pub(crate) fn dial(&mut self) {
        let now = self.now;
        for id in self.dialling.take_overdue(now) {
            self.note_missed(&id);
        }
        self.let_feelers_go();
        while self.wants_to_dial() {
            let (peers, under_way) = (&self.peers, &self.dialling.under_way);
            let taken = |id: &PeerId| peers.contains_key(id) || under_way.contains_key(id);
            let Some((id, addresses)) = self.book.pick(now, &mut self.rng, taken) else { break };
            self.begin_dial(id, addresses, Origin::Chosen);
        }
        self.feel();
        self.ask_for_peers();
    }

    /// Whether the node has as many connections of its own as it wants, feelers left aside.
    pub(crate) fn has_outbound(&self) -> bool {
        self.outbound() >= self.outbound_wanted()
    }

    pub(crate) fn next_dial_moment(&self) -> Option<Timestamp> {
        let taken = |id: &PeerId| self.is_taken(id);
        let gives_up = self.dialling.under_way.values().map(|dial| dial.until).min();
        let wants = self.wants_to_dial();
        let retry = if wants { self.book.next_retry(taken) } else { None };
        let feels = self.has_enough().then_some(self.dialling.feel_at);
        let looks = (self.ready && !self.is_looking()).then(|| self.looks_at());
        let tried = self.is_looking().then(|| self.trial_ends()).flatten();
        let asks = if self.wants_peers() { self.next_to_ask() } else { None };
        let asks = asks.map(|(at, _)| at.max(self.dialling.ask_at));
        let felt = self.feelers().map(|(_, peer)| peer.since.saturating_add(FEELER_STAYS_MS)).min();
        [gives_up, retry, feels, looks, tried, asks, felt].into_iter().flatten().min()
    }

    /// Whether other peers are looked for, because no block has come for long.
    pub(crate) fn is_looking(&self) -> bool {
        self.ready && self.now >= self.looks_at()
    }

    fn looks_at(&self) -> Timestamp {
        self.tip_since.saturating_add(self.look_patience()).max(self.dialling.search_at)
    }

    pub(crate) fn look_patience(&self) -> u64 {
        self.config.spec.interval_ms().saturating_mul(LOOK_INTERVALS).max(LOOK_AT_LEAST_MS)
    }

    /// A peer more was of no use: the next is dialled after a pause.
    fn note_search_in_vain(&mut self) {
        let (since, times) = self.dialling.searched;
        let times = if since == self.tip_since { times } else { 0 };
        let pause = self.look_patience() << times.min(MAX_DOUBLINGS);
        self.dialling.searched = (self.tip_since, times.saturating_add(1));
        self.dialling.search_at = self.now.saturating_add(pause);
    }

    fn begin_dial(&mut self, id: PeerId, addresses: Vec<PeerAddress>, origin: Origin) {
        let until = self.now.saturating_add(DIAL_PATIENCE_MS);
        self.dialling.under_way.insert(id, Dial { until, origin });
        self.emit(Output::Dial(id, addresses));
    }

    /// Dials somebody who was only heard of, or who was good before.
    fn feel(&mut self) {
        if self.dialling.feel_at > self.now || !self.has_enough() {
            return;
        }
        // Also when nobody is to be felt for: so the book need not be searched on every occasion.
        self.dialling.feel_at = self.now.saturating_add(FEEL_EVERY_MS);
        let (peers, under_way) = (&self.peers, &self.dialling.under_way);
        let taken = |id: &PeerId| peers.contains_key(id) || under_way.contains_key(id);
        let tried_first = self.rng.below(FEELERS_TO_ONE_TRIED) == 0;
        if let Some((id, addresses)) = self.book.pick_to_feel(tried_first, self.now, &mut self.rng, taken) {
            self.begin_dial(id, addresses, Origin::Feeler);
        }
    }

    /// Lets feelers go whose claim has been looked into, or that have had their time. Who led on to a better chain stays.
    fn let_feelers_go(&mut self) {
        let felt: Vec<PeerId> =
            self.feelers().map(|(id, _)| *id).filter(|id| !self.is_worth_staying(id)).collect();
        for id in felt {
            if !self.has_led_on(&id) {
                self.disconnect(&id, Reason::Felt);
            } else if let Some(peer) = self.peers.get_mut(&id) {
                peer.origin = Origin::Chosen;
            }
        }
        self.let_least_useful_go();
    }

    /// Whether the node stands on a block that this peer was first to show the way to.
    fn has_led_on(&self, id: &PeerId) -> bool {
        let first = self.peers.get(id).is_some_and(|peer| peer.merits.last_block.is_some());
        let claimed = self.headers.claim(id);
        first && claimed.is_some_and(|(hash, _)| self.chain.is_active(&hash))
    }

    /// Whether a feeler's chain may still turn out to be the better one.
    fn is_worth_staying(&self, id: &PeerId) -> bool {
        let chain = &self.chain;
        let in_time = self.peers.get(id).is_some_and(|peer| self.now.since(peer.since) < FEELER_STAYS_MS);
        let promises = self.headers.promises(id, &Bar::best(&self.best_claim()), |hash| chain.contains(hash));
        let claimed = self.headers.claim(id).and_then(|(hash, _)| chain.entry(&hash));
        let comes = claimed.is_some_and(|entry| {
            entry.status != tabchain_chain::Status::Invalid && entry.work > chain.tip().work
        });
        in_time && (promises || comes)
    }

    /// Feelers that said hello and stay, because they tell of more work.
    fn feelers(&self) -> impl Iterator<Item = (&PeerId, &Peer)> {
        self.greeted().filter(|(_, peer)| peer.origin == Origin::Feeler)
    }

    /// Whether all that is left to do is to feel for peers, nobody is being felt for, and there is a place for one.
    fn has_enough(&self) -> bool {
        self.has_outbound()
            && self.dialling.is_empty()
            && self.feelers().next().is_none()
            && self.peers.len() < self.config.limits.peers
    }

    /// Asks some peer for others while nobody is left to be dialled.
    fn ask_for_peers(&mut self) {
        if self.dialling.ask_at > self.now || !self.wants_peers() {
            return;
        }
        let Some((_, id)) = self.next_to_ask().filter(|(at, _)| *at <= self.now) else { return };
        self.dialling.ask_at = self.now.saturating_add(ASK_EVERY_MS);
        self.ask_peer_for_peers(&id);
    }

    /// Says that peers are wanted from this one, which is then expected to tell of some.
    pub(crate) fn ask_peer_for_peers(&mut self, id: &PeerId) {
        let Some(peer) = self.peers.get_mut(id) else { return };
        peer.asked_for_peers = true;
        peer.asked_peers_at = Some(self.now);
        self.say(id, LinkMessage::GetPeers);
    }

    fn wants_peers(&self) -> bool {
        self.wants_to_dial() && self.book.next_retry(|id| self.is_taken(id)).is_none_or(|at| at > self.now)
    }

    /// Who is asked for peers next, and when: who was not asked for longest.
    fn next_to_ask(&self) -> Option<(Timestamp, PeerId)> {
        let at = |peer: &Peer| {
            peer.asked_peers_at.map_or(Timestamp::ZERO, |at| at.saturating_add(ASK_ONE_EVERY_MS))
        };
        self.greeted().map(|(id, peer)| (at(peer), *id)).min()
    }

    fn wants_to_dial(&self) -> bool {
        self.dialling.under_way.len() < MAX_DIALS
            && self.outbound() + self.dialling.to_stay() < self.outbound_wanted()
            && self.peers.len() + self.dialling.under_way.len() < self.config.limits.peers
    }

    fn outbound_wanted(&self) -> usize {
        self.config.limits.outbound + usize::from(self.is_looking())
    }

    fn outbound(&self) -> usize {
        self.peers.values().filter(|peer| peer.info.outbound && peer.origin != Origin::Feeler).count()
    }

    /// Peers that the node dialled by itself and that said hello.
    fn dialled(&self) -> impl Iterator<Item = (&PeerId, &Peer)> {
        self.greeted().filter(|(_, peer)| peer.origin == Origin::Chosen)
    }

    /// When the youngest of more dialled peers than usual has had its time.
    fn trial_ends(&self) -> Option<Timestamp> {
        if self.dialled().count() <= self.config.limits.outbound {
            return None;
        }
        self.dialled().map(|(_, peer)| peer.since).max().map(|since| since.saturating_add(TRIAL_MS))
    }

    /// Of more dialled peers than usual, lets the one go that was first with a block longest ago.
    fn let_least_useful_go(&mut self) {
        let Some(trial_ends) = self.trial_ends() else { return };
        if self.is_looking() {
            if self.now < trial_ends {
                return;
            }
            self.note_search_in_vain();
        }
        let least = self.dialled().min_by_key(|(_, peer)| (peer.merits.last_block, Reverse(peer.since)));
        if let Some(id) = least.map(|(id, _)| *id) {
            self.disconnect(&id, Reason::Replaced);
        }
    }

    fn is_taken(&self, id: &PeerId) -> bool {
        self.peers.contains_key(id) || self.dialling.under_way.contains_key(id)
    }
}
