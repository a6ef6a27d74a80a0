//! Peers that are talked to over a circuit, since no direct connection came about.
//!
//! Whoever opened the circuit looks after it: it tries a direct connection again and again, and opens another circuit when
//! a relay has ended one at its limits. The other side only takes part. Pure: time comes in, and what to do comes out.
//!
//! A direct connection is tried again after a pause that doubles from five seconds to five minutes; a circuit is opened
//! again after one that doubles from a second, and begins anew once a circuit has lasted half a minute. After
//! [`MAX_RENEWALS`] that did not, or when the peer is not there any more, it is given up, as if it had never been reached.
//! Bounds: at most [`MAX_DETOURS`] peers.

use std::collections::HashMap;
use std::time::Duration;

use libp2p::{Multiaddr, PeerId};
use web_time::Instant;

use crate::pauses::Pauses;

/// How many peers a node talks to over circuits that it opened itself: somebody else pays for them.
const MAX_DETOURS: usize = 8;

const FIRST_ATTEMPT: Duration = Duration::from_secs(5);
const RAREST_ATTEMPT: Duration = Duration::from_mins(5);
const FIRST_RENEWAL: Duration = Duration::from_secs(1);
const LONGEST_RENEWAL: Duration = Duration::from_mins(1);
/// How many circuits to a peer in a row may be short-lived.
const MAX_RENEWALS: u32 = 6;
/// A circuit that lasted so long was worth it.
const LONG: Duration = Duration::from_secs(30);

struct Detour {
    /// The long `/webrtc` addresses of the peer.
    addresses: Vec<Multiaddr>,
    state: State,
    /// Direct attempts that failed since the first.
    attempts: u32,
    /// Circuits in a row that were opened again soon after.
    renewals: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The circuit, or the link on it, is being opened.
    Opening,
    /// There is a session on the circuit; a direct connection is tried again at this moment.
    Open { since: Instant, attempt_at: Instant },
    /// There is a session on the circuit, and a direct connection is being tried.
    Trying { since: Instant },
    /// The circuit ended; another is opened at this moment.
    Ended { renew_at: Instant },
}

/// What is due.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// Try a direct connection to this peer.
    Attempt(PeerId),
    /// Open a circuit to this peer, which has these `/webrtc` addresses.
    Renewal(PeerId, Vec<Multiaddr>),
}

/// The peers that are reached over circuits of ours.
pub(crate) struct Detours {
    peers: HashMap<PeerId, Detour>,
    attempts: Pauses,
    renewals: Pauses,
}

impl Detours {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            peers: HashMap::new(),
            attempts: Pauses::new(FIRST_ATTEMPT, RAREST_ATTEMPT, seed),
            renewals: Pauses::new(FIRST_RENEWAL, LONGEST_RENEWAL, !seed),
        }
    }

    /// No direct connection came about, and there is a circuit. `false`: there are too many of them already.
    pub(crate) fn begin(&mut self, peer: PeerId, addresses: Vec<Multiaddr>) -> bool {
        if self.peers.len() >= MAX_DETOURS && !self.peers.contains_key(&peer) {
            return false;
        }
        self.peers.insert(peer, Detour { addresses, state: State::Opening, attempts: 0, renewals: 0 });
        true
    }

    /// What to do now.
    pub(crate) fn due(&mut self, now: Instant) -> Vec<Due> {
        let mut due = Vec::new();
        for (peer, detour) in &mut self.peers {
            match detour.state {
                State::Open { since, attempt_at } if attempt_at <= now => {
                    detour.state = State::Trying { since };
                    due.push(Due::Attempt(*peer));
                }
                State::Ended { renew_at } if renew_at <= now => {
                    detour.state = State::Opening;
                    due.push(Due::Renewal(*peer, detour.addresses.clone()));
                }
                _ => {}
            }
        }
        due
    }

    /// Makes direct attempts due at once: in another network they may succeed.
    pub(crate) fn hurry(&mut self, now: Instant) {
        for detour in self.peers.values_mut() {
            if let State::Open { attempt_at, .. } = &mut detour.state {
                *attempt_at = now;
            }
        }
    }

    /// Whether a session with the peer over a circuit of ours is still to come.
    pub(crate) fn is_opening(&self, peer: &PeerId) -> bool {
        self.peers.get(peer).is_some_and(|detour| detour.state == State::Opening)
    }

    /// Whether the peer is reached over a circuit of ours, or is going to be again.
    pub(crate) fn contains(&self, peer: &PeerId) -> bool {
        self.peers.contains_key(peer)
    }

    /// The session on the circuit began.
    pub(crate) fn on_up(&mut self, peer: &PeerId, now: Instant) {
        if let Some(detour) = self.peers.get_mut(peer) {
            detour.state = State::Open { since: now, attempt_at: now + self.attempts.after(detour.attempts) };
        }
    }

    /// A direct connection failed once more.
    pub(crate) fn on_attempt_failed(&mut self, peer: &PeerId, now: Instant) {
        let Some(detour) = self.peers.get_mut(peer) else { return };
        if let State::Trying { since } = detour.state {
            detour.attempts = detour.attempts.saturating_add(1);
            detour.state = State::Open { since, attempt_at: now + self.attempts.after(detour.attempts) };
        }
    }

    /// The session on the circuit ended. Returns whether another circuit will be opened.
    pub(crate) fn on_ended(&mut self, peer: &PeerId, now: Instant) -> bool {
        let Some(detour) = self.peers.get_mut(peer) else { return false };
        let (State::Open { since, .. } | State::Trying { since }) = detour.state else { return true };
        if now.saturating_duration_since(since) >= LONG {
            detour.renewals = 0;
        }
        if detour.renewals >= MAX_RENEWALS {
            self.peers.remove(peer);
            return false;
        }
        detour.state = State::Ended { renew_at: now + self.renewals.after(detour.renewals) };
        detour.renewals += 1;
        true
    }

    /// The peer is reached in another way, or not at all.
    pub(crate) fn end(&mut self, peer: &PeerId) {
        self.peers.remove(peer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A session over a circuit that has just begun.
    fn detours() -> (Detours, PeerId, Instant) {
        let (mut detours, peer, now) = (Detours::new(7), PeerId::random(), Instant::now());
        assert!(detours.begin(peer, vec![Multiaddr::empty()]));
        assert!(detours.is_opening(&peer));
        detours.on_up(&peer, now);
        assert!(!detours.is_opening(&peer));
        (detours, peer, now)
    }

    /// The longest that a pause may be.
    fn at_most(pause: Duration) -> Duration {
        pause.mul_f64(1.5)
    }

    #[test]
    fn a_direct_connection_is_tried_ever_more_rarely_and_one_attempt_at_a_time() {
        let (mut detours, peer, mut now) = detours();
        assert_eq!(detours.due(now), []);
        assert_eq!(detours.due(now + at_most(FIRST_ATTEMPT)), [Due::Attempt(peer)]);
        for _ in 0..20 {
            assert_eq!(detours.due(now + at_most(RAREST_ATTEMPT)), [], "it is being tried");
            detours.on_attempt_failed(&peer, now);
            now += at_most(RAREST_ATTEMPT);
            assert_eq!(detours.due(now), [Due::Attempt(peer)]);
        }
        detours.on_attempt_failed(&peer, now);
        assert_eq!(detours.due(now + RAREST_ATTEMPT.mul_f64(0.4)), []);
        detours.hurry(now);
        assert_eq!(detours.due(now), [Due::Attempt(peer)], "unless the network has changed");
    }

    #[test]
    fn a_circuit_at_its_limits_is_opened_again_and_no_attempt_is_made_without_one() {
        let (mut detours, peer, now) = detours();
        let cut = now + LONG;
        assert!(detours.on_ended(&peer, cut));
        detours.hurry(cut);
        assert_eq!(detours.due(cut), []);
        let renewal = cut + at_most(FIRST_RENEWAL);
        assert_eq!(detours.due(renewal), [Due::Renewal(peer, vec![Multiaddr::empty()])]);
        assert!(detours.is_opening(&peer));
        assert_eq!(detours.due(renewal + at_most(RAREST_ATTEMPT)), []);
        detours.on_up(&peer, renewal);
        assert_eq!(detours.due(renewal + at_most(RAREST_ATTEMPT)), [Due::Attempt(peer)]);
    }

    #[test]
    fn circuits_that_do_not_last_are_opened_again_ever_more_slowly_unless_one_was_worth_it() {
        let (mut detours, peer, mut now) = detours();
        for _ in 1..MAX_RENEWALS {
            assert!(detours.on_ended(&peer, now));
            assert_eq!(detours.due(now), []);
            now += at_most(LONGEST_RENEWAL);
            assert_eq!(detours.due(now).len(), 1);
            detours.on_up(&peer, now);
        }
        assert!(detours.on_ended(&peer, now));
        assert_eq!(detours.due(now + at_most(FIRST_RENEWAL)), [], "it waits longer by now");
        now += at_most(LONGEST_RENEWAL);
        detours.due(now);
        detours.on_up(&peer, now);
        now += LONG;
        assert!(detours.on_ended(&peer, now));
        assert_eq!(detours.due(now + at_most(FIRST_RENEWAL)).len(), 1);
    }

    #[test]
    fn a_peer_whose_circuits_never_last_is_given_up() {
        let (mut detours, peer, mut now) = detours();
        for _ in 0..MAX_RENEWALS {
            assert!(detours.on_ended(&peer, now));
            now += at_most(LONGEST_RENEWAL);
            detours.due(now);
            detours.on_up(&peer, now);
        }
        assert!(!detours.on_ended(&peer, now));
        assert!(!detours.contains(&peer));
    }

    #[test]
    fn only_so_many_peers_are_reached_over_circuits() {
        let (mut detours, peer, _) = detours();
        for _ in 1..MAX_DETOURS {
            assert!(detours.begin(PeerId::random(), Vec::new()));
        }
        assert!(!detours.begin(PeerId::random(), Vec::new()));
        assert!(detours.begin(peer, Vec::new()), "it has its place");
        detours.end(&peer);
        assert!(detours.begin(PeerId::random(), Vec::new()));
    }
}
