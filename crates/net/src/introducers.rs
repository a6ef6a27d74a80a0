//! Tabs that introduce tabs: which connected peers keep a place for us, and for whom we keep one.
//!
//! Every node is a small circuit relay for those it is directly connected to. A few peers are asked to keep a place, so
//! that two nodes that share only a third can find a direct path with no native relay left. Pure: time comes in.
//!
//! Bounds: at most [`MAX_INTRODUCERS`] keep a place for us; for how many we keep one is the relay behaviour's limit.

use std::collections::HashMap;
use std::time::Duration;

use libp2p::core::transport::ListenerId;
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId, relay};
use web_time::Instant;

use crate::dials::short_address;

/// How many peers are asked to keep a place for us.
const MAX_INTRODUCERS: usize = 3;
/// A peer that would not keep a place is asked again after this.
const PAUSE: Duration = Duration::from_mins(1);
/// For how many we keep a place, and how many exchanges pass through us at once. Signalling takes a few kilobytes.
const MAX_GUESTS: usize = 32;
const MAX_CIRCUITS: usize = 16;
/// Of these, how many begin or end at one peer that asks for another.
const MAX_CIRCUITS_PER_PEER: usize = 4;
const MAX_CIRCUIT_BYTES: u64 = 64 * 1024;
const MAX_CIRCUIT_DURATION: Duration = Duration::from_secs(30);

/// The relay that runs in every node.
pub(crate) fn behaviour(local: PeerId) -> relay::Behaviour {
    let config = relay::Config {
        max_reservations: MAX_GUESTS,
        max_reservations_per_peer: 1,
        max_circuits: MAX_CIRCUITS,
        // libp2p compares this one with "more than", which lets in one more than it says.
        max_circuits_per_peer: MAX_CIRCUITS_PER_PEER - 1,
        max_circuit_bytes: MAX_CIRCUIT_BYTES,
        max_circuit_duration: MAX_CIRCUIT_DURATION,
        ..relay::Config::default()
    };
    relay::Behaviour::new(local, config)
}

#[derive(Default)]
pub(crate) struct Introducers {
    asked: HashMap<ListenerId, PeerId>,
    paused: HashMap<PeerId, Instant>,
}

impl Introducers {
    /// The next peer to ask for a place.
    pub(crate) fn next(
        &mut self,
        mut sessions: impl Iterator<Item = PeerId>,
        now: Instant,
    ) -> Option<PeerId> {
        self.paused.retain(|_, until| *until > now);
        if self.asked.len() >= MAX_INTRODUCERS {
            return None;
        }
        sessions
            .find(|peer| !self.asked.values().any(|asked| asked == peer) && !self.paused.contains_key(peer))
    }

    /// A peer was asked, by this listener.
    pub(crate) fn on_asked(&mut self, peer: PeerId, listener: ListenerId) {
        self.asked.insert(listener, peer);
    }

    /// A listener closed: its peer keeps no place for us any more, or never did.
    pub(crate) fn on_closed(&mut self, listener: ListenerId, now: Instant) {
        if let Some(peer) = self.asked.remove(&listener) {
            self.paused.insert(peer, now + PAUSE);
        }
    }
}

/// Where to listen for a place at `peer`.
pub(crate) fn place_at(peer: PeerId) -> Multiaddr {
    short_address(peer).with(Protocol::P2pCircuit)
}

/// The address by which those who are connected to `local` reach its guest.
pub(crate) fn guest_address(local: PeerId, guest: PeerId) -> Multiaddr {
    place_at(local).with(Protocol::WebRTC).with(Protocol::P2p(guest))
}

/// The tab that an address leads through, if it is a tab.
pub(crate) fn introducer_of(address: &Multiaddr) -> Option<PeerId> {
    let mut parts = address.iter();
    match (parts.next(), parts.next(), parts.next()) {
        (Some(Protocol::WebRTC), Some(Protocol::P2p(tab)), Some(Protocol::P2pCircuit)) => Some(tab),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_peers_are_asked_and_one_that_will_not_is_left_alone_for_a_while() {
        let mut introducers = Introducers::default();
        let peers: Vec<PeerId> = (0..5).map(|_| PeerId::random()).collect();
        let now = Instant::now();
        let mut listeners = Vec::new();
        while let Some(peer) = introducers.next(peers.iter().copied(), now) {
            let listener = ListenerId::next();
            introducers.on_asked(peer, listener);
            listeners.push((peer, listener));
        }
        assert_eq!(listeners.iter().map(|(peer, _)| *peer).collect::<Vec<_>>(), peers[..3]);

        introducers.on_closed(listeners[0].1, now);
        assert_eq!(
            introducers.next(peers.iter().copied(), now),
            Some(peers[3]),
            "not the one that would not"
        );
        assert_eq!(introducers.next(peers.iter().copied(), now + PAUSE), Some(peers[0]), "until later");
    }

    #[test]
    fn an_introduction_names_its_tab() {
        let (tab, guest) = (PeerId::random(), PeerId::random());
        assert_eq!(introducer_of(&guest_address(tab, guest)), Some(tab));
        assert_eq!(introducer_of(&short_address(guest)), None);
        let relayed = format!("/ip4/127.0.0.1/tcp/1/ws/p2p/{tab}/p2p-circuit/webrtc/p2p/{guest}");
        assert_eq!(introducer_of(&relayed.parse().expect("valid")), None);
    }
}
