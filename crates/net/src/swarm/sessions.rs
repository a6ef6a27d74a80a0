//! What happens on connections: sessions, their frames, requests and answers.

use libp2p::core::ConnectedPoint;
use libp2p::request_response::{Event, Message};
use libp2p::swarm::ConnectionId;
use libp2p::{Multiaddr, PeerId};
use libp2p_webrtc_browser::Path;
use tabchain_sync::{self as sync, ConnectionKind, PeerAddress, PeerInfo};
use web_time::Instant;

use super::{Net, Session};
use crate::address::{from_libp2p, to_libp2p};
use crate::message::NetEvent;
use crate::{fetch, link};

impl Net {
    pub(super) fn on_link_event(&mut self, event: link::Event) -> Vec<NetEvent> {
        let event = match event {
            link::Event::Up { peer, connection, endpoint } => self.on_up(peer, connection, &endpoint),
            link::Event::Down { peer } => self.on_down(peer),
            link::Event::Frame { peer, bytes } => from_libp2p(&peer).map(|peer| NetEvent::Link(peer, bytes)),
            link::Event::Refused { peer, connection } => {
                self.swarm.close_connection(connection);
                return if self.detours.is_opening(&peer) { self.give_up(&peer) } else { Vec::new() };
            }
        };
        event.into_iter().collect()
    }

    fn on_up(&mut self, peer: PeerId, id: ConnectionId, endpoint: &ConnectedPoint) -> Option<NetEvent> {
        let (path, outbound) = (Path::of(endpoint), endpoint.is_dialer());
        self.sessions.insert(peer, Session { path, outbound });
        self.swarm.behaviour_mut().fetch.show(peer, id, endpoint.clone());
        let introducer = self.dials.introducer(&peer);
        let known_as = self.dials.end(&peer);
        if path == Path::Circuit && outbound {
            self.detours.on_up(&peer, Instant::now());
        } else {
            self.detours.end(&peer);
        }
        if path == Path::Circuit {
            self.counts.add(|counts| counts.relayed += 1);
        } else {
            self.counts.add(|counts| counts.direct += 1);
            self.dials.forget_introducer(&peer);
            for (circuit, _) in self.dials.circuits(&peer) {
                self.swarm.close_connection(circuit);
            }
        }
        let info = peer_info(path, endpoint, known_as.into_iter().next(), introducer);
        Some(NetEvent::Up(from_libp2p(&peer)?, info))
    }

    fn on_down(&mut self, peer: PeerId) -> Option<NetEvent> {
        self.swarm.behaviour_mut().fetch.hide(&peer);
        let now = Instant::now();
        match self.sessions.remove(&peer) {
            Some(Session { path: Path::Circuit, outbound: true }) => drop(self.detours.on_ended(&peer, now)),
            Some(Session { path: Path::Circuit, outbound: false }) => self.dials.expect(peer, now),
            _ => {}
        }
        from_libp2p(&peer).map(NetEvent::Down)
    }

    pub(super) fn request(&mut self, peer: sync::PeerId, number: u64, body: Vec<u8>) -> Vec<NetEvent> {
        let fetch = &mut self.swarm.behaviour_mut().fetch;
        match to_libp2p(&peer).and_then(|peer| fetch.send_request(&peer, body)) {
            Some(id) => {
                self.requests.on_sent(id, number);
                Vec::new()
            }
            None => vec![NetEvent::RequestFailed(peer, number)],
        }
    }

    pub(super) fn on_fetch_event(&mut self, event: fetch::Event) -> Option<NetEvent> {
        match event {
            Event::Message { peer, message: Message::Request { request_id, request, channel }, .. } => {
                if !self.sessions.contains_key(&peer) {
                    return None;
                }
                let number = self.requests.on_received(peer, request_id, channel);
                Some(NetEvent::Request(from_libp2p(&peer)?, number, request))
            }
            Event::Message { peer, message: Message::Response { request_id, response }, .. } => {
                let number = self.requests.take_sent(request_id)?;
                Some(NetEvent::Response(from_libp2p(&peer)?, number, response))
            }
            Event::OutboundFailure { peer, request_id, error, .. } => {
                tracing::debug!(%peer, %error, "request failed");
                let number = self.requests.take_sent(request_id)?;
                Some(NetEvent::RequestFailed(from_libp2p(&peer)?, number))
            }
            Event::InboundFailure { request_id, .. } | Event::ResponseSent { request_id, .. } => {
                self.requests.forget_received(request_id);
                None
            }
        }
    }
}

/// `known_as` is the `/webrtc` address that a peer was dialled by; that of the connection is good only while there is a
/// circuit.
fn peer_info(
    path: Path,
    endpoint: &ConnectedPoint,
    known_as: Option<Multiaddr>,
    introducer: Option<PeerId>,
) -> PeerInfo {
    let kind = match path {
        Path::WebRtc => ConnectionKind::Direct,
        Path::Circuit => ConnectionKind::Relayed,
        Path::Other => ConnectionKind::Native,
    };
    let address = match endpoint {
        ConnectedPoint::Dialer { address, .. } if path == Path::Other => Some(address.clone()),
        ConnectedPoint::Dialer { .. } => known_as,
        // Where an inbound connection came from is not where its peer listens.
        ConnectedPoint::Listener { .. } => None,
    };
    let address = address.and_then(|address| PeerAddress::new(address.to_string()).ok());
    let introducer = introducer.and_then(|introducer| from_libp2p(&introducer));
    PeerInfo { kind, outbound: endpoint.is_dialer(), address, introducer }
}
