//! How a peer is dialled directly: first a circuit to it, then `/webrtc` over the circuit.
//!
//! One dial of the long address would do for a connection, but not for what comes after: a connection whose own address
//! names a relay counts as relayed in libp2p, and a peer cannot introduce others over it. So the circuit is dialled by
//! itself, and then the short address `/webrtc/p2p/<peer>`.
//!
//! Two peers often hear of each other in the same moment and dial both. A circuit that comes in is the other's dial, ahead
//! of ours: then ours waits for it. When both circuits are up at once, the smaller id goes on and the other waits. What
//! slips through nevertheless is two connections, of which the `/webrtc` behaviour closes one. A peer that has just lost
//! the circuit on which it talked to us opens another: it is waited for in the same way.
//!
//! Bounds: an entry a dial that is under way, one a circuit that is open, and one a peer that is waited for; they end with
//! the swarm's timeouts and with our patience. Who introduced whom is remembered for [`MAX_INTRODUCED`] peers until they are
//! connected directly.

use std::collections::HashMap;
use std::time::Duration;

use libp2p::multiaddr::Protocol;
use libp2p::swarm::ConnectionId;
use libp2p::{Multiaddr, PeerId};
use libp2p_webrtc_browser::Path;
use web_time::Instant;

/// How long we wait for the dial of a peer that was ahead of ours.
const PATIENCE: Duration = Duration::from_secs(20);

/// For so many peers it is remembered who introduced them; when there are more, all is forgotten and only that is lost.
const MAX_INTRODUCED: usize = 256;

/// Which side asked for a circuit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Ours,
    Theirs,
}

/// A circuit that is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Circuit {
    /// Which side asked for it.
    pub(crate) side: Side,
    /// Whether another tab carries it, and not a relay.
    pub(crate) over_tab: bool,
}

/// Dials that are under way, and circuits that they can use.
pub(crate) struct Dials {
    local: PeerId,
    wanted: HashMap<PeerId, Wanted>,
    circuits: HashMap<PeerId, HashMap<ConnectionId, Circuit>>,
    expected: HashMap<PeerId, Instant>,
    introduced: HashMap<PeerId, PeerId>,
}

struct Wanted {
    /// Its direct addresses, of which there is at least one.
    addresses: Vec<Multiaddr>,
    /// Set while we wait for the peer's own dial.
    until: Option<Instant>,
}

/// What to dial for a direct connection.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum First {
    /// These addresses; if they are circuits, more follows once one is open.
    Dial(Vec<Multiaddr>),
    /// Nothing: the peer is dialling us.
    Wait,
}

impl Dials {
    pub(crate) fn new(local: PeerId) -> Self {
        Self {
            local,
            wanted: HashMap::new(),
            circuits: HashMap::new(),
            expected: HashMap::new(),
            introduced: HashMap::new(),
        }
    }

    /// Begins to dial a peer at its addresses.
    pub(crate) fn begin(&mut self, peer: PeerId, addresses: Vec<Multiaddr>, now: Instant) -> First {
        let (direct, other): (Vec<_>, Vec<_>) =
            addresses.into_iter().partition(|address| Path::of_address(address) == Path::WebRtc);
        if direct.is_empty() {
            return First::Dial(other);
        }
        let waits = self.has_circuit(&peer, Side::Theirs) || self.is_expected(&peer, now);
        let circuits = circuits_of(&direct);
        self.wanted.insert(peer, Wanted { addresses: direct, until: waits.then(|| now + PATIENCE) });
        if waits {
            First::Wait
        } else if self.has_circuit(&peer, Side::Ours) {
            First::Dial(vec![short_address(peer)])
        } else {
            First::Dial(circuits.into_iter().chain(other).collect())
        }
    }

    /// A circuit opened. Returns what to dial over it, if we wait for that.
    pub(crate) fn on_circuit(
        &mut self,
        peer: PeerId,
        id: ConnectionId,
        circuit: Circuit,
        now: Instant,
    ) -> Option<Multiaddr> {
        self.circuits.entry(peer).or_default().insert(id, circuit);
        let goes_on = !self.has_circuit(&peer, Side::Theirs) || self.local < peer;
        let wanted = self.wanted.get_mut(&peer)?;
        match circuit.side {
            Side::Ours if goes_on => Some(short_address(peer)),
            Side::Ours => {
                wanted.until = Some(now + PATIENCE);
                None
            }
            Side::Theirs => None,
        }
    }

    /// A circuit to `peer` goes through `relay`.
    pub(crate) fn on_introduced(&mut self, peer: PeerId, relay: PeerId) {
        if self.introduced.len() >= MAX_INTRODUCED {
            self.introduced.clear();
        }
        self.introduced.insert(peer, relay);
    }

    /// Who introduced a peer: its last circuit may be closed by the time it is connected directly.
    pub(crate) fn introducer(&self, peer: &PeerId) -> Option<PeerId> {
        self.introduced.get(peer).copied()
    }

    /// A peer is connected directly: who introduced it need not be remembered any more.
    pub(crate) fn forget_introducer(&mut self, peer: &PeerId) {
        self.introduced.remove(peer);
    }

    /// Our dial ended in favour of the peer's, which is under way.
    pub(crate) fn give_way(&mut self, peer: &PeerId, now: Instant) {
        if let Some(wanted) = self.wanted.get_mut(peer) {
            wanted.until = Some(now + PATIENCE);
        }
    }

    /// The peer lost the circuit on which it talked to us, and will open another.
    pub(crate) fn expect(&mut self, peer: PeerId, now: Instant) {
        self.expected.insert(peer, now + PATIENCE);
    }

    /// A connection closed; it may have been a circuit.
    pub(crate) fn on_closed(&mut self, peer: PeerId, id: ConnectionId) {
        if let Some(circuits) = self.circuits.get_mut(&peer) {
            circuits.remove(&id);
            if circuits.is_empty() {
                self.circuits.remove(&peer);
            }
        }
    }

    /// The circuits to a peer that are open.
    pub(crate) fn circuits(&self, peer: &PeerId) -> impl Iterator<Item = (ConnectionId, Circuit)> {
        self.circuits.get(peer).into_iter().flatten().map(|(id, circuit)| (*id, *circuit))
    }

    /// The direct addresses of a peer that is being dialled.
    pub(crate) fn addresses(&self, peer: &PeerId) -> &[Multiaddr] {
        self.wanted.get(peer).map_or(&[], |wanted| &wanted.addresses)
    }

    /// The dial of a peer has ended, well or badly. Returns the addresses it was known by.
    pub(crate) fn end(&mut self, peer: &PeerId) -> Vec<Multiaddr> {
        self.expected.remove(peer);
        self.wanted.remove(peer).map(|wanted| wanted.addresses).unwrap_or_default()
    }

    /// The peers that did not dial us after all.
    pub(crate) fn expire(&mut self, now: Instant) -> Vec<PeerId> {
        self.expected.retain(|_, until| *until > now);
        let late = |wanted: &mut Wanted| wanted.until.is_some_and(|until| until <= now);
        self.wanted.extract_if(|_, wanted| late(wanted)).map(|(peer, _)| peer).collect()
    }

    fn has_circuit(&self, peer: &PeerId, side: Side) -> bool {
        self.circuits(peer).any(|(_, circuit)| circuit.side == side)
    }

    fn is_expected(&self, peer: &PeerId, now: Instant) -> bool {
        self.expected.get(peer).is_some_and(|until| *until > now)
    }
}

/// A peer's direct address as far as libp2p needs it while a circuit is there.
pub(crate) fn short_address(peer: PeerId) -> Multiaddr {
    Multiaddr::empty().with(Protocol::WebRTC).with(Protocol::P2p(peer))
}

/// The circuits that long `/webrtc` addresses are signalled over.
pub(crate) fn circuits_of(addresses: &[Multiaddr]) -> Vec<Multiaddr> {
    addresses.iter().map(circuit_of).collect()
}

/// The circuit that a long `/webrtc` address is signalled over.
fn circuit_of(address: &Multiaddr) -> Multiaddr {
    let last = address.iter().filter(|protocol| matches!(protocol, Protocol::WebRTC)).count();
    let mut seen = 0;
    address
        .iter()
        .filter(|protocol| {
            seen += usize::from(matches!(protocol, Protocol::WebRTC));
            !(matches!(protocol, Protocol::WebRTC) && seen == last)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RELAY: &str = "/ip4/127.0.0.1/tcp/1/ws/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";

    fn parse(text: &str) -> Multiaddr {
        text.parse().expect("a valid address")
    }

    const OURS: Circuit = Circuit { side: Side::Ours, over_tab: false };
    const THEIRS: Circuit = Circuit { side: Side::Theirs, over_tab: false };

    fn id(number: usize) -> ConnectionId {
        ConnectionId::new_unchecked(number)
    }

    fn long(peer: PeerId) -> Multiaddr {
        parse(&format!("{RELAY}/p2p-circuit/webrtc/p2p/{peer}"))
    }

    #[test]
    fn a_circuit_first_then_the_short_address() {
        let (mut dials, peer, now) = (Dials::new(PeerId::random()), PeerId::random(), Instant::now());
        let circuit = parse(&format!("{RELAY}/p2p-circuit/p2p/{peer}"));
        assert_eq!(dials.begin(peer, vec![long(peer)], now), First::Dial(vec![circuit]));
        assert_eq!(dials.on_circuit(peer, id(1), OURS, now), Some(short_address(peer)));
        assert_eq!(dials.end(&peer), [long(peer)]);
        let again = dials.begin(peer, vec![long(peer)], now);
        assert_eq!(again, First::Dial(vec![short_address(peer)]), "a circuit is there");
        dials.on_closed(peer, id(1));
        assert_ne!(dials.begin(peer, vec![long(peer)], now), again, "and gone");
    }

    #[test]
    fn a_peer_that_is_ahead_is_waited_for_but_not_for_ever() {
        let (mut dials, peer, now) = (Dials::new(PeerId::random()), PeerId::random(), Instant::now());
        assert_eq!(dials.on_circuit(peer, id(1), THEIRS, now), None);
        assert_eq!(dials.begin(peer, vec![long(peer)], now), First::Wait);
        assert_eq!(dials.expire(now), []);
        assert_eq!(dials.expire(now + PATIENCE), [peer]);
        assert_eq!(dials.expire(now + PATIENCE), []);
    }

    #[test]
    fn a_peer_whose_circuit_ran_out_is_waited_for_and_so_is_one_that_goes_first() {
        let (mut dials, peer, now) = (Dials::new(PeerId::random()), PeerId::random(), Instant::now());
        dials.expect(peer, now);
        assert_eq!(dials.begin(peer, vec![long(peer)], now), First::Wait);
        assert_eq!(dials.expire(now + PATIENCE), [peer]);
        assert_ne!(dials.begin(peer, vec![long(peer)], now + PATIENCE), First::Wait, "not for ever");
        dials.give_way(&peer, now);
        assert_eq!(dials.expire(now + PATIENCE), [peer]);
    }

    #[test]
    fn of_two_circuits_at_once_the_smaller_peer_goes_on() {
        let mut peers = [PeerId::random(), PeerId::random()];
        peers.sort_unstable();
        let now = Instant::now();
        let goes_on = |local, peer| {
            let mut dials = Dials::new(local);
            dials.begin(peer, vec![long(peer)], now);
            dials.on_circuit(peer, id(1), THEIRS, now);
            dials.on_circuit(peer, id(2), OURS, now).is_some()
        };
        assert!(goes_on(peers[0], peers[1]));
        assert!(!goes_on(peers[1], peers[0]));
    }

    #[test]
    fn the_circuit_over_a_tab_keeps_the_way_to_the_tab() {
        let (between, peer) = (PeerId::random(), PeerId::random());
        let long = parse(&format!("/webrtc/p2p/{between}/p2p-circuit/webrtc/p2p/{peer}"));
        assert_eq!(circuit_of(&long), parse(&format!("/webrtc/p2p/{between}/p2p-circuit/p2p/{peer}")));
    }

    #[test]
    fn who_introduced_a_peer_is_known_until_it_is_connected_directly() {
        let (mut dials, peer, relay) = (Dials::new(PeerId::random()), PeerId::random(), PeerId::random());
        dials.on_introduced(peer, relay);
        assert_eq!(dials.introducer(&peer), Some(relay));
        dials.forget_introducer(&peer);
        assert_eq!(dials.introducer(&peer), None);
        for _ in 0..2 * MAX_INTRODUCED {
            dials.on_introduced(PeerId::random(), relay);
        }
        assert!(dials.introduced.len() <= MAX_INTRODUCED);
    }

    #[test]
    fn sockets_are_dialled_as_they_are() {
        let (mut dials, peer) = (Dials::new(PeerId::random()), PeerId::random());
        let socket = parse("/ip4/127.0.0.1/tcp/9");
        assert_eq!(dials.begin(peer, vec![socket.clone()], Instant::now()), First::Dial(vec![socket]));
    }
}
