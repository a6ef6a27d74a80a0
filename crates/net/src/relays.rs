//! Which relays this node uses, and when it tries each of them again.
//!
//! Pure: time comes in, and what to do comes out. A relay that cannot be reached, or that went away, is tried again after
//! a pause that doubles from one second to fifteen, or at once when the machine wakes up. Bounds: at most [`MAX_RELAYS`]
//! relays.

use std::time::Duration;

use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};
use web_time::Instant;

use crate::pauses::Pauses;

/// How many relays a node uses.
pub(crate) const MAX_RELAYS: usize = 8;

const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// A dial, or the wait for a reservation, that takes longer has failed.
const PATIENCE: Duration = Duration::from_secs(20);
/// One that was asked something after the machine woke up, and says nothing for so long, is gone.
const SILENCE: Duration = Duration::from_secs(8);

/// How far we are with a relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waiting { until: Instant },
    Dialing { since: Instant },
    Connected { since: Instant },
    Reserved,
}

struct Relay {
    peer: PeerId,
    address: Multiaddr,
    state: State,
    failures: u32,
    asked: Option<Instant>,
}

/// The relays of this node.
pub(crate) struct Relays {
    relays: Vec<Relay>,
    pauses: Pauses,
}

impl Relays {
    /// Starts with `addresses`, all due at once. Addresses without a peer id are left out: there would be nobody to trust.
    pub(crate) fn new(addresses: impl IntoIterator<Item = Multiaddr>, seed: u64, now: Instant) -> Self {
        let mut relays = Self { relays: Vec::new(), pauses: Pauses::new(FIRST_PAUSE, LONGEST_PAUSE, seed) };
        relays.replace(addresses, now);
        relays
    }

    /// Uses `addresses` from now on. Those that were used before stay as they are, but one that waits is due at once:
    /// whoever names it anew has reason to. The others that were used before are given back.
    pub(crate) fn replace(
        &mut self,
        addresses: impl IntoIterator<Item = Multiaddr>,
        now: Instant,
    ) -> Vec<PeerId> {
        let mut before = std::mem::take(&mut self.relays);
        let addresses = addresses.into_iter().filter_map(|address| Some((peer_of(&address)?, address)));
        for (peer, address) in addresses.take(MAX_RELAYS) {
            let kept = before.iter().position(|relay| relay.address == address);
            self.relays.push(match kept {
                Some(index) => before.swap_remove(index),
                None => {
                    Relay { peer, address, state: State::Waiting { until: now }, failures: 0, asked: None }
                }
            });
        }
        self.stop_waiting(now);
        let left = before.into_iter().map(|relay| relay.peer);
        left.filter(|peer| self.address(peer).is_none()).collect()
    }

    /// The relays to dial now.
    pub(crate) fn due(&mut self, now: Instant) -> Vec<Multiaddr> {
        let stuck: Vec<PeerId> = self.relays.iter().filter(|r| r.is_stuck(now)).map(|r| r.peer).collect();
        for peer in stuck {
            self.on_lost(&peer, now);
        }
        let mut due = Vec::new();
        for relay in &mut self.relays {
            if matches!(relay.state, State::Waiting { until } if until <= now) {
                relay.state = State::Dialing { since: now };
                due.push(relay.address.clone());
            }
        }
        due
    }

    /// The machine woke up: those that wait are due at once, and those that keep a place for us have to say something.
    pub(crate) fn hurry(&mut self, now: Instant) {
        self.stop_waiting(now);
        for relay in self.relays.iter_mut().filter(|relay| relay.state == State::Reserved) {
            relay.asked = Some(now);
        }
    }

    /// A relay said something.
    pub(crate) fn on_heard(&mut self, peer: &PeerId) {
        if let Some(relay) = self.get_mut(peer) {
            relay.asked = None;
        }
    }

    /// The relays that were asked something and did not answer.
    pub(crate) fn silent(&mut self, now: Instant) -> Vec<PeerId> {
        let is_silent = |asked: &mut Instant| now.saturating_duration_since(*asked) > SILENCE;
        let silent = |relay: &mut Relay| relay.asked.take_if(is_silent).map(|_| relay.peer);
        self.relays.iter_mut().filter_map(silent).collect()
    }

    /// The relay is connected: returns the address to listen on there.
    pub(crate) fn on_connected(&mut self, peer: &PeerId, now: Instant) -> Option<Multiaddr> {
        let relay = self.get_mut(peer)?;
        if matches!(relay.state, State::Connected { .. } | State::Reserved) {
            return None;
        }
        relay.state = State::Connected { since: now };
        Some(relay.address.clone().with(Protocol::P2pCircuit))
    }

    /// The relay keeps a place for us. Returns whether that is news.
    pub(crate) fn on_reserved(&mut self, peer: &PeerId) -> bool {
        let Some(relay) = self.get_mut(peer) else { return false };
        relay.failures = 0;
        std::mem::replace(&mut relay.state, State::Reserved) != State::Reserved
    }

    /// The connection, the dial or the reservation failed. Returns whether a reservation was lost by it.
    pub(crate) fn on_lost(&mut self, peer: &PeerId, now: Instant) -> bool {
        let Some(relay) = self.relays.iter_mut().find(|relay| relay.peer == *peer) else { return false };
        if matches!(relay.state, State::Waiting { .. }) {
            return false;
        }
        let was_reserved = relay.state == State::Reserved;
        relay.asked = None;
        let pause = self.pauses.after(relay.failures);
        relay.failures = relay.failures.saturating_add(1);
        relay.state = State::Waiting { until: now + pause };
        was_reserved
    }

    /// The relay does what no honest one does: it is lost, and tried again as rarely as one that is never there. Returns whether
    /// a reservation was lost by it.
    pub(crate) fn on_misbehaved(&mut self, peer: &PeerId, now: Instant) -> bool {
        if let Some(relay) = self.get_mut(peer) {
            relay.failures = u32::MAX;
        }
        self.on_lost(peer, now)
    }

    /// The relays that keep a place for us.
    pub(crate) fn reserved(&self) -> impl Iterator<Item = PeerId> + '_ {
        self.relays.iter().filter(|relay| relay.state == State::Reserved).map(|relay| relay.peer)
    }

    /// A relay's address, if this peer is one of ours.
    pub(crate) fn address(&self, peer: &PeerId) -> Option<&Multiaddr> {
        self.relays.iter().find(|relay| relay.peer == *peer).map(|relay| &relay.address)
    }

    fn stop_waiting(&mut self, now: Instant) {
        for relay in &mut self.relays {
            if let State::Waiting { until } = &mut relay.state {
                *until = now;
            }
        }
    }

    fn get_mut(&mut self, peer: &PeerId) -> Option<&mut Relay> {
        self.relays.iter_mut().find(|relay| relay.peer == *peer)
    }
}

impl Relay {
    fn is_stuck(&self, now: Instant) -> bool {
        match self.state {
            State::Dialing { since } | State::Connected { since } => {
                now.saturating_duration_since(since) > PATIENCE
            }
            State::Waiting { .. } | State::Reserved => false,
        }
    }
}

/// The peer an address ends in.
pub(crate) fn peer_of(address: &Multiaddr) -> Option<PeerId> {
    match address.iter().last() {
        Some(Protocol::P2p(peer)) => Some(peer),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: &str = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";

    fn relays(now: Instant) -> (Relays, PeerId) {
        let address = format!("/ip4/127.0.0.1/tcp/1/ws/p2p/{PEER}").parse().expect("a valid address");
        (Relays::new([address], 7, now), PEER.parse().expect("a valid peer id"))
    }

    #[test]
    fn a_relay_is_dialled_once_then_listened_on() {
        let now = Instant::now();
        let (mut relays, peer) = relays(now);
        assert_eq!(relays.due(now).len(), 1);
        assert_eq!(relays.due(now).len(), 0);
        let listen = relays.on_connected(&peer, now).expect("just connected");
        assert!(listen.to_string().ends_with(&format!("{PEER}/p2p-circuit")));
        assert!(relays.on_reserved(&peer));
        assert!(!relays.on_reserved(&peer), "a renewal is no news");
        assert_eq!(relays.reserved().collect::<Vec<_>>(), [peer]);
    }

    #[test]
    fn pauses_grow_to_a_bound_and_a_reservation_resets_them() {
        let mut now = Instant::now();
        let (mut relays, peer) = relays(now);
        for _ in 0..20 {
            assert_eq!(relays.due(now).len(), 1);
            relays.on_lost(&peer, now);
            assert_eq!(relays.due(now).len(), 0, "never at once");
            now += LONGEST_PAUSE.mul_f64(1.5);
        }
        relays.due(now);
        relays.on_connected(&peer, now);
        relays.on_reserved(&peer);
        assert!(relays.on_lost(&peer, now));
        assert_eq!(relays.due(now + FIRST_PAUSE.mul_f64(1.5)).len(), 1);
    }

    /// The relay is gone for as long as it takes to be started anew; all its tabs notice at once.
    #[test]
    fn tabs_of_a_relay_that_restarts_are_back_within_a_minute_and_not_all_at_once() {
        const TABS: usize = 1_000;
        let start = Instant::now();
        for away in [5, 20, 600].map(Duration::from_secs) {
            let mut back = vec![0; 60];
            for seed in 0..TABS as u64 {
                let address = format!("/ip4/127.0.0.1/tcp/1/ws/p2p/{PEER}").parse().expect("a valid address");
                let peer = PEER.parse().expect("a valid peer id");
                let mut relays = Relays::new([address], seed, start);
                relays.due(start);
                relays.on_connected(&peer, start);
                relays.on_reserved(&peer);
                assert!(relays.on_lost(&peer, start));
                let mut now = start;
                while relays.due(now).is_empty() || now - start < away {
                    // A dial of what is not there fails at once.
                    relays.on_lost(&peer, now);
                    now += Duration::from_millis(250);
                }
                let late = usize::try_from((now - (start + away)).as_secs()).expect("seconds");
                back[late] += 1;
            }
            let busiest = back.iter().max().copied().unwrap_or_default();
            assert_eq!(back.iter().sum::<usize>(), TABS, "all are back within a minute: {back:?}");
            assert!(busiest <= TABS / 3, "{busiest} come in one second: {back:?}");
        }
    }

    #[test]
    fn a_relay_that_says_nothing_is_given_up_and_tried_again() {
        let now = Instant::now();
        let (mut relays, peer) = relays(now);
        relays.due(now);
        relays.on_connected(&peer, now);
        let later = now + PATIENCE + Duration::from_secs(1);
        assert_eq!(relays.due(later).len(), 0, "given up, and waiting");
        assert_eq!(relays.due(later + LONGEST_PAUSE.mul_f64(1.5)).len(), 1);
    }

    #[test]
    fn one_that_misbehaves_waits_as_long_as_any_however_often_it_kept_a_place() {
        let now = Instant::now();
        let (mut relays, peer) = relays(now);
        relays.due(now);
        relays.on_connected(&peer, now);
        relays.on_reserved(&peer);
        assert!(relays.on_misbehaved(&peer, now));
        assert!(!relays.on_lost(&peer, now), "the connection is closed besides");
        assert_eq!(relays.due(now + LONGEST_PAUSE.mul_f64(0.49)), []);
        assert_eq!(relays.due(now + LONGEST_PAUSE.mul_f64(1.5)).len(), 1);
    }

    #[test]
    fn after_sleep_relays_are_tried_at_once_and_have_to_answer() {
        let now = Instant::now();
        let (mut relays, peer) = relays(now);
        for _ in 0..10 {
            relays.hurry(now);
            assert_eq!(relays.due(now).len(), 1, "however often that failed");
            relays.on_lost(&peer, now);
        }
        relays.hurry(now);
        relays.due(now);
        relays.on_connected(&peer, now);
        relays.on_reserved(&peer);

        let late = now + SILENCE + Duration::from_secs(1);
        assert_eq!(relays.silent(late), [], "nobody asked");
        relays.hurry(now);
        assert_eq!(relays.silent(now), []);
        assert_eq!(relays.silent(late), [peer]);
        assert_eq!(relays.silent(late), []);
        relays.hurry(now);
        relays.on_heard(&peer);
        assert_eq!(relays.silent(late), []);
    }

    #[test]
    fn an_address_without_a_peer_is_left_out() {
        let address: Multiaddr = "/ip4/127.0.0.1/tcp/1/ws".parse().expect("a valid address");
        assert_eq!(Relays::new([address], 0, Instant::now()).due(Instant::now()).len(), 0);
    }

    #[test]
    fn a_relay_that_is_kept_keeps_its_state_and_the_others_are_given_back() {
        let now = Instant::now();
        let (mut relays, peer) = relays(now);
        let address = relays.address(&peer).cloned().expect("it is one of ours");
        relays.due(now);
        relays.on_connected(&peer, now);
        relays.on_reserved(&peer);
        let other = PeerId::random();
        let second =
            "/ip4/127.0.0.1/tcp/2/ws".parse::<Multiaddr>().expect("valid").with(Protocol::P2p(other));
        assert_eq!(relays.replace([second.clone(), address], now), []);
        assert_eq!(relays.reserved().collect::<Vec<_>>(), [peer]);
        assert_eq!(relays.due(now), std::slice::from_ref(&second), "only the new one is dialled");
        relays.on_lost(&other, now);
        assert_eq!(relays.due(now), []);
        assert_eq!(relays.replace([second.clone()], now), [peer]);
        assert_eq!(relays.due(now), [second], "named anew, so not waited for");
    }
}
