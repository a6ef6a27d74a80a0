//! The `link` protocol: small frames on a stream that lives as long as the connection.
//!
//! The behaviour turns connections into *sessions*: at most one a peer, up when the link is open, down when it is lost.
//! While a peer has two connections the session stays on the one it began on; the `/webrtc` behaviour closes one of the
//! two, and if it is that one, the session ends and another begins on what is left. So nothing is ever expected from a
//! connection that goes.
//!
//! Bounds: a frame is at most [`MAX_FRAME`] bytes, [`MAX_QUEUE`] bytes wait for a slow reader before it is cut off, and
//! sessions are as many as the swarm allows connections.

mod handler;

use std::collections::{HashMap, VecDeque};
use std::task::{Context, Poll};

use libp2p::core::transport::PortUse;
use libp2p::core::{ConnectedPoint, Endpoint};
use libp2p::swarm::behaviour::{ConnectionClosed, ConnectionEstablished};
use libp2p::swarm::{
    CloseConnection, ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, NotifyHandler, THandler,
    THandlerInEvent, THandlerOutEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId, StreamProtocol};

use handler::{Handler, Report};

/// The largest frame, in bytes.
pub(crate) const MAX_FRAME: usize = 64 * 1024;
/// How many bytes may wait for one peer.
pub(crate) const MAX_QUEUE: usize = 1024 * 1024;
/// What happens to sessions.
#[derive(Debug)]
pub(crate) enum Event {
    /// Frames can be sent to and will come from this peer.
    Up { peer: PeerId, endpoint: ConnectedPoint },
    /// The session is over.
    Down { peer: PeerId },
    /// A frame of the peer's.
    Frame { peer: PeerId, bytes: Vec<u8> },
}

struct Connection {
    id: ConnectionId,
    endpoint: ConnectedPoint,
    open: bool,
}

pub(crate) struct Behaviour {
    protocol: StreamProtocol,
    connections: HashMap<PeerId, Vec<Connection>>,
    sessions: HashMap<PeerId, ConnectionId>,
    actions: VecDeque<ToSwarm<Event, Vec<u8>>>,
}

impl Behaviour {
    pub(crate) fn new(protocol: StreamProtocol) -> Self {
        Self { protocol, connections: HashMap::new(), sessions: HashMap::new(), actions: VecDeque::new() }
    }

    /// Queues a frame. Without a session it is dropped: the caller is being told that the peer is gone.
    pub(crate) fn send(&mut self, peer: PeerId, frame: Vec<u8>) {
        if let Some(id) = self.sessions.get(&peer) {
            self.actions.push_back(ToSwarm::NotifyHandler {
                peer_id: peer,
                handler: NotifyHandler::One(*id),
                event: frame,
            });
        }
    }

    pub(crate) fn has_session(&self, peer: &PeerId) -> bool {
        self.sessions.contains_key(peer)
    }

    fn on_opened(&mut self, peer: PeerId, id: ConnectionId) {
        if let Some(connection) = self.connections.entry(peer).or_default().iter_mut().find(|c| c.id == id) {
            connection.open = true;
        }
        self.start_session(peer);
    }

    /// The link of a connection ended, or the connection did.
    fn on_ended(&mut self, peer: PeerId, id: ConnectionId) {
        if let Some(connections) = self.connections.get_mut(&peer) {
            connections.retain(|connection| connection.id != id);
            if connections.is_empty() {
                self.connections.remove(&peer);
            }
        }
        if self.sessions.get(&peer) == Some(&id) {
            self.sessions.remove(&peer);
            self.actions.push_back(ToSwarm::GenerateEvent(Event::Down { peer }));
            self.start_session(peer);
        }
    }

    /// Begins a session on an open connection, if there is one and no session yet.
    fn start_session(&mut self, peer: PeerId) {
        let open = self.connections.get(&peer).and_then(|all| all.iter().find(|connection| connection.open));
        if let (Some(Connection { id, endpoint, .. }), false) = (open, self.sessions.contains_key(&peer)) {
            self.sessions.insert(peer, *id);
            let endpoint = endpoint.clone();
            self.actions.push_back(ToSwarm::GenerateEvent(Event::Up { peer, endpoint }));
        }
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Handler;
    type ToSwarm = Event;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(Handler::new(self.protocol.clone()))
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(Handler::new(self.protocol.clone()))
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionEstablished(ConnectionEstablished {
                peer_id,
                connection_id,
                endpoint,
                ..
            }) => {
                let connection = Connection { id: connection_id, endpoint: endpoint.clone(), open: false };
                self.connections.entry(peer_id).or_default().push(connection);
            }
            FromSwarm::ConnectionClosed(ConnectionClosed { peer_id, connection_id, .. }) => {
                self.on_ended(peer_id, connection_id);
            }
            _ => {}
        }
    }

    fn on_connection_handler_event(
        &mut self,
        peer: PeerId,
        id: ConnectionId,
        report: THandlerOutEvent<Self>,
    ) {
        let is_session = self.sessions.get(&peer) == Some(&id);
        match report {
            Report::Opened => self.on_opened(peer, id),
            Report::Frame(bytes) if is_session => {
                self.actions.push_back(ToSwarm::GenerateEvent(Event::Frame { peer, bytes }));
            }
            Report::Frame(_) => {}
            Report::Lost(why) => {
                tracing::debug!(%peer, ?why, "link lost");
                self.on_ended(peer, id);
                let connection = CloseConnection::One(id);
                self.actions.push_back(ToSwarm::CloseConnection { peer_id: peer, connection });
            }
        }
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        self.actions.pop_front().map_or(Poll::Pending, Poll::Ready)
    }
}
