//! Connections come, go and fail: from the dial of a circuit to the direct connection over it, or to the detour where
//! there is none.

use libp2p::core::ConnectedPoint;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{ConnectionId, DialError};
use libp2p::{Multiaddr, PeerId};
use libp2p_webrtc_browser::Path;
use tabchain_sync::{self as sync, PeerAddress};
use web_time::Instant;

use super::Net;
use crate::address::{from_libp2p, relay_of_circuit, to_libp2p};
use crate::detours::Due;
use crate::dials::{Circuit, First, Side, circuits_of, short_address};
use crate::introducers::introducer_of;
use crate::message::NetEvent;
use crate::transport;

impl Net {
    pub(super) fn dial(&mut self, peer: sync::PeerId, addresses: &[PeerAddress]) -> Vec<NetEvent> {
        let Some(target) = to_libp2p(&peer) else { return vec![NetEvent::DialFailed(peer)] };
        // One that is to be reached over another circuit soon is up then, or has failed.
        if self.sessions.contains_key(&target) || self.detours.contains(&target) {
            return Vec::new();
        }
        let addresses = addresses.iter().filter_map(|address| address.as_str().parse().ok());
        let addresses = addresses.filter(|address| self.is_open_to_us(address)).collect();
        match self.dials.begin(target, addresses, Instant::now()) {
            First::Dial(addresses) => self.dial_or_give_up(target, addresses),
            First::Wait => Vec::new(),
        }
    }

    pub(super) fn disconnect(&mut self, peer: &sync::PeerId) {
        if let Some(peer) = to_libp2p(peer) {
            self.detours.end(&peer);
            self.swarm.disconnect_peer_id(peer).ok();
        }
    }

    pub(super) fn on_connected(
        &mut self,
        peer: PeerId,
        id: ConnectionId,
        endpoint: &ConnectedPoint,
    ) -> Vec<NetEvent> {
        match Path::of(endpoint) {
            Path::Other => {
                if let Some(listen) = self.relays.on_connected(&peer, Instant::now()) {
                    match self.swarm.listen_on(listen) {
                        Ok(listener) => self.places.on_asked(listener, peer),
                        Err(error) => {
                            tracing::warn!(%peer, %error, "cannot listen at relay");
                            self.relays.on_lost(&peer, Instant::now());
                        }
                    }
                }
                Vec::new()
            }
            Path::Circuit => self.on_circuit(peer, id, endpoint),
            Path::WebRtc => Vec::new(),
        }
    }

    fn on_circuit(&mut self, peer: PeerId, id: ConnectionId, endpoint: &ConnectedPoint) -> Vec<NetEvent> {
        let circuit = match endpoint {
            ConnectedPoint::Dialer { address, .. } => {
                Circuit { side: Side::Ours, over_tab: introducer_of(address).is_some() }
            }
            ConnectedPoint::Listener { .. } => Circuit { side: Side::Theirs, over_tab: false },
        };
        if let Some(relay) = relay_of(endpoint) {
            self.dials.on_introduced(peer, relay);
        }
        let direct = self.dials.on_circuit(peer, id, circuit, Instant::now());
        if circuit.side == Side::Ours && self.detours.is_opening(&peer) {
            self.swarm.behaviour_mut().link.open_on(peer, id);
            return Vec::new();
        }
        match direct.filter(|_| !self.sessions.contains_key(&peer)) {
            Some(direct) => self.dial_or_give_up(peer, vec![direct]),
            None => Vec::new(),
        }
    }

    /// Circuits to a peer have done their work, unless the session still runs on one: then it moves first.
    pub(super) fn on_direct(&mut self, peer: &PeerId, circuits: Vec<ConnectionId>) {
        if self.sessions.get(peer).is_none_or(|session| session.path != Path::Circuit) {
            for circuit in circuits {
                self.swarm.close_connection(circuit);
            }
        }
    }

    pub(super) fn on_disconnected(
        &mut self,
        peer: PeerId,
        id: ConnectionId,
        endpoint: &ConnectedPoint,
    ) -> Vec<NetEvent> {
        self.dials.on_closed(peer, id);
        match Path::of(endpoint) {
            Path::Circuit if endpoint.is_dialer() && self.detours.is_opening(&peer) => self.give_up(&peer),
            Path::WebRtc => {
                self.detours.on_attempt_failed(&peer, Instant::now());
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    pub(super) fn on_dial_failed(&mut self, peer: PeerId, error: &DialError) -> Vec<NetEvent> {
        let now = Instant::now();
        if let Some(failure) = transport::direct_failure(error) {
            if failure.is_benign() {
                self.dials.give_way(&peer, now);
                self.detours.on_attempt_failed(&peer, now);
                return Vec::new();
            }
            self.counts.add(|counts| counts.failures.count(failure));
            self.detours.on_attempt_failed(&peer, now);
            if self.detours.contains(&peer) || self.take_detour(peer) {
                return Vec::new();
            }
        }
        let mut out = self.lose_relay(&peer);
        out.extend(self.give_up(&peer));
        out
    }

    /// The peer can't be reached directly: goes on over a circuit that we opened to it, if a relay carries one. Tabs that
    /// introduce do not give enough for that.
    fn take_detour(&mut self, peer: PeerId) -> bool {
        let ours = |circuit: &Circuit| circuit.side == Side::Ours && !circuit.over_tab;
        let circuit = self.dials.circuits(&peer).find(|(_, circuit)| ours(circuit));
        let Some((circuit, _)) = circuit.filter(|_| !self.sessions.contains_key(&peer)) else { return false };
        let addresses = self.dials.addresses(&peer).iter();
        let addresses = addresses.filter(|address| introducer_of(address).is_none()).cloned().collect();
        if self.detours.begin(peer, addresses) {
            tracing::debug!(%peer, "no direct connection: taking the circuit");
            self.swarm.behaviour_mut().link.open_on(peer, circuit);
        }
        self.detours.contains(&peer)
    }

    /// Tries direct connections again, and opens circuits again that have ended.
    pub(super) fn follow_detours(&mut self, now: Instant) -> Vec<NetEvent> {
        let mut out = Vec::new();
        for due in self.detours.due(now) {
            match due {
                Due::Attempt(peer) => {
                    if !self.dial_at(peer, vec![short_address(peer)]) {
                        self.detours.on_attempt_failed(&peer, now);
                    }
                }
                Due::Renewal(peer, addresses) => {
                    out.extend(self.dial_or_give_up(peer, circuits_of(&addresses)));
                }
            }
        }
        out
    }

    /// The peer is not reached, nor is going to be.
    pub(super) fn give_up(&mut self, peer: &PeerId) -> Vec<NetEvent> {
        self.detours.end(peer);
        self.dials.end(peer);
        self.dial_failed(peer).into_iter().collect()
    }

    pub(super) fn dial_failed(&self, peer: &PeerId) -> Option<NetEvent> {
        let unreached = !self.sessions.contains_key(peer);
        from_libp2p(peer).filter(|_| unreached).map(NetEvent::DialFailed)
    }

    /// Another tab's introduction is open to those who are directly connected to it. Without that filter the relay client
    /// would try to connect to it first, and get in the way of our own dials.
    fn is_open_to_us(&self, address: &Multiaddr) -> bool {
        let is_direct = |tab| self.sessions.get(&tab).is_some_and(|session| session.path != Path::Circuit);
        introducer_of(address).is_none_or(is_direct)
    }

    fn dial_or_give_up(&mut self, peer: PeerId, addresses: Vec<Multiaddr>) -> Vec<NetEvent> {
        if self.dial_at(peer, addresses) { Vec::new() } else { self.give_up(&peer) }
    }

    fn dial_at(&mut self, peer: PeerId, addresses: Vec<Multiaddr>) -> bool {
        if addresses.iter().any(|address| Path::of_address(address) == Path::WebRtc) {
            self.counts.add(|counts| counts.attempts += 1);
        }
        let opts = DialOpts::peer_id(peer).condition(PeerCondition::NotDialing).addresses(addresses).build();
        let dialled = self.swarm.dial(opts);
        if let Err(error) = &dialled {
            tracing::debug!(%peer, %error, "peer cannot be dialled");
        }
        dialled.is_ok()
    }
}

/// The relay that a circuit goes through.
fn relay_of(endpoint: &ConnectedPoint) -> Option<PeerId> {
    match endpoint {
        ConnectedPoint::Dialer { address, .. } => relay_of_circuit(address),
        ConnectedPoint::Listener { local_addr, .. } => relay_of_circuit(local_addr),
    }
}
