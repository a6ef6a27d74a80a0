//! The `link` protocol: small frames on a stream that lives as long as the connection.
//!
//! The behaviour turns connections into *sessions*: at most one a peer, up when the link is open, down when it is lost.
//! On a direct connection the link opens at once. On a circuit it is held back: until [`Behaviour::open_on`] says that no
//! direct connection came about, or the peer says the same by opening it from its side.
//!
//! A session moves when a better connection opens: from a circuit to a direct one, and of two circuits to the one that
//! the smaller peer opened, so that both sides end on the same; the circuit that is left is closed. Two direct connections
//! are the `/webrtc` behaviour's affair: it closes one, and if the session ran on that one, another begins on what is left.
//! What arrives on a connection stays unread until the session is there, so a frame is lost only with its connection.
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
use libp2p_webrtc_browser::Path;

use handler::{Handler, Order, Report};

/// The largest frame, in bytes.
pub(crate) const MAX_FRAME: usize = 64 * 1024;
/// How many bytes may wait for one peer.
pub(crate) const MAX_QUEUE: usize = 1024 * 1024;

/// What happens to sessions.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// Frames can be sent to and will come from this peer, on this connection.
    Up { peer: PeerId, connection: ConnectionId, endpoint: ConnectedPoint },
    /// The session is over.
    Down { peer: PeerId },
    /// A frame of the peer's.
    Frame { peer: PeerId, bytes: Vec<u8> },
    /// The peer does not take the link on a circuit.
    Refused { peer: PeerId, connection: ConnectionId },
}

/// How good a connection is for a session. Both sides of it judge alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    CircuitOfLarger,
    CircuitOfSmaller,
    Direct,
}

struct Connection {
    id: ConnectionId,
    endpoint: ConnectedPoint,
    rank: Rank,
    open: bool,
}

pub(crate) struct Behaviour {
    local: PeerId,
    protocol: StreamProtocol,
    connections: HashMap<PeerId, Vec<Connection>>,
    sessions: HashMap<PeerId, ConnectionId>,
    actions: VecDeque<ToSwarm<Event, Order>>,
}

impl Behaviour {
    pub(crate) fn new(local: PeerId, protocol: StreamProtocol) -> Self {
        Self {
            local,
            protocol,
            connections: HashMap::new(),
            sessions: HashMap::new(),
            actions: VecDeque::new(),
        }
    }

    /// Queues a frame. Without a session it is dropped: the caller is being told that the peer is gone.
    pub(crate) fn send(&mut self, peer: PeerId, frame: Vec<u8>) {
        if let Some(id) = self.sessions.get(&peer) {
            self.order(peer, *id, Order::Send(frame));
        }
    }

    /// Opens the link on a circuit, since no direct connection came about.
    pub(crate) fn open_on(&mut self, peer: PeerId, circuit: ConnectionId) {
        self.order(peer, circuit, Order::Open);
    }

    /// The peer opened the link on a circuit: it found no direct connection.
    fn on_asked(&mut self, peer: PeerId, id: ConnectionId) {
        let is_direct = |connection: &Connection| connection.open && connection.rank == Rank::Direct;
        let has_direct = self.connections.get(&peer).is_some_and(|all| all.iter().any(is_direct));
        self.order(peer, id, if has_direct { Order::Decline } else { Order::Open });
    }

    fn on_opened(&mut self, peer: PeerId, id: ConnectionId) {
        let Some(connection) = self.connection_mut(&peer, id) else { return };
        connection.open = true;
        let rank = connection.rank;
        if let Some(current) = self.sessions.get(&peer).copied() {
            let old = self.connection_mut(&peer, current).map(|connection| connection.rank);
            // A peer that opens a second circuit has lost the first.
            if old.is_some_and(|old| old < rank || old == rank && rank != Rank::Direct) {
                self.close(peer, current);
                self.on_ended(peer, current);
            }
        } else {
            self.start_session(peer);
        }
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

    /// Begins a session on the best open connection, if there is one.
    fn start_session(&mut self, peer: PeerId) {
        let open = self.connections.get(&peer).into_iter().flatten().filter(|connection| connection.open);
        if let Some(Connection { id, endpoint, .. }) = open.max_by_key(|connection| connection.rank) {
            let (connection, endpoint) = (*id, endpoint.clone());
            self.sessions.insert(peer, connection);
            self.order(peer, connection, Order::Begin);
            self.actions.push_back(ToSwarm::GenerateEvent(Event::Up { peer, connection, endpoint }));
        }
    }

    fn connection_mut(&mut self, peer: &PeerId, id: ConnectionId) -> Option<&mut Connection> {
        self.connections.get_mut(peer)?.iter_mut().find(|connection| connection.id == id)
    }

    fn order(&mut self, peer_id: PeerId, id: ConnectionId, event: Order) {
        self.actions.push_back(ToSwarm::NotifyHandler { peer_id, handler: NotifyHandler::One(id), event });
    }

    fn close(&mut self, peer_id: PeerId, id: ConnectionId) {
        let connection = CloseConnection::One(id);
        self.actions.push_back(ToSwarm::CloseConnection { peer_id, connection });
    }

    fn rank(&self, peer: &PeerId, endpoint: &ConnectedPoint) -> Rank {
        let opened_by_smaller = endpoint.is_dialer() == (self.local < *peer);
        match Path::of(endpoint) {
            Path::WebRtc | Path::Other => Rank::Direct,
            Path::Circuit if opened_by_smaller => Rank::CircuitOfSmaller,
            Path::Circuit => Rank::CircuitOfLarger,
        }
    }

    fn handler(&self, address: &Multiaddr) -> Handler {
        Handler::new(self.protocol.clone(), Path::of_address(address) == Path::Circuit)
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Handler;
    type ToSwarm = Event;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        local: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(self.handler(local))
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        address: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(self.handler(address))
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionEstablished(ConnectionEstablished {
                peer_id,
                connection_id: id,
                endpoint,
                ..
            }) => {
                let rank = self.rank(&peer_id, endpoint);
                let connection = Connection { id, endpoint: endpoint.clone(), rank, open: false };
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
        match report {
            Report::Asked => self.on_asked(peer, id),
            Report::Opened => self.on_opened(peer, id),
            Report::Frame(bytes) if self.sessions.get(&peer) == Some(&id) => {
                self.actions.push_back(ToSwarm::GenerateEvent(Event::Frame { peer, bytes }));
            }
            // From a connection that the session has just left.
            Report::Frame(_) => {}
            Report::Refused => {
                let refused = Event::Refused { peer, connection: id };
                self.actions.push_back(ToSwarm::GenerateEvent(refused));
            }
            Report::Lost(why) => {
                tracing::debug!(%peer, ?why, "link lost");
                self.close(peer, id);
                self.on_ended(peer, id);
            }
        }
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        self.actions.pop_front().map_or(Poll::Pending, Poll::Ready)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIRECT: &str = "/webrtc/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";
    const CIRCUIT: &str =
        "/ip4/127.0.0.1/tcp/1/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN/p2p-circuit";

    /// A node and a peer whose id is greater.
    struct Pair {
        links: Behaviour,
        peer: PeerId,
        next: usize,
    }

    impl Pair {
        fn new() -> Self {
            let mut peers = [PeerId::random(), PeerId::random()];
            peers.sort_unstable();
            Self { links: Behaviour::new(peers[0], StreamProtocol::new("/link")), peer: peers[1], next: 0 }
        }

        fn connect(&mut self, address: &str, outbound: bool) -> ConnectionId {
            let id = ConnectionId::new_unchecked(self.next);
            self.next += 1;
            let address: Multiaddr = address.parse().expect("valid");
            let endpoint = if outbound {
                ConnectedPoint::Dialer { address, role_override: Endpoint::Dialer, port_use: PortUse::Reuse }
            } else {
                ConnectedPoint::Listener { local_addr: address, send_back_addr: Multiaddr::empty() }
            };
            self.links.on_swarm_event(FromSwarm::ConnectionEstablished(ConnectionEstablished {
                peer_id: self.peer,
                connection_id: id,
                endpoint: &endpoint,
                failed_addresses: &[],
                other_established: 0,
            }));
            id
        }

        fn report(&mut self, id: ConnectionId, report: Report) -> Vec<Did> {
            self.links.on_connection_handler_event(self.peer, id, report);
            self.links.actions.drain(..).map(Did::from).collect()
        }
    }

    /// What the behaviour did, for comparison.
    #[derive(Debug, PartialEq, Eq)]
    enum Did {
        Told(ConnectionId, Order),
        Closed(ConnectionId),
        Up(ConnectionId),
        Down,
        Frame(Vec<u8>),
        Refused(ConnectionId),
    }

    impl From<ToSwarm<Event, Order>> for Did {
        fn from(action: ToSwarm<Event, Order>) -> Self {
            match action {
                ToSwarm::NotifyHandler { handler: NotifyHandler::One(id), event, .. } => {
                    Self::Told(id, event)
                }
                ToSwarm::CloseConnection { connection: CloseConnection::One(id), .. } => Self::Closed(id),
                ToSwarm::GenerateEvent(Event::Up { connection, .. }) => Self::Up(connection),
                ToSwarm::GenerateEvent(Event::Down { .. }) => Self::Down,
                ToSwarm::GenerateEvent(Event::Frame { bytes, .. }) => Self::Frame(bytes),
                ToSwarm::GenerateEvent(Event::Refused { connection, .. }) => Self::Refused(connection),
                other => panic!("the link does nothing like {other:?}"),
            }
        }
    }

    fn begins(id: ConnectionId) -> [Did; 2] {
        [Did::Told(id, Order::Begin), Did::Up(id)]
    }

    fn moves(from: ConnectionId, to: ConnectionId) -> Vec<Did> {
        [Did::Closed(from), Did::Down].into_iter().chain(begins(to)).collect()
    }

    #[test]
    fn a_session_moves_from_a_circuit_to_a_direct_connection_and_not_back() {
        let mut pair = Pair::new();
        let circuit = pair.connect(CIRCUIT, true);
        assert_eq!(pair.report(circuit, Report::Opened), begins(circuit));
        let direct = pair.connect(DIRECT, true);
        assert_eq!(pair.report(direct, Report::Opened), moves(circuit, direct));
        assert_eq!(pair.report(circuit, Report::Frame(vec![1])), [], "it was left");
        assert_eq!(pair.report(direct, Report::Frame(vec![2])), [Did::Frame(vec![2])]);

        let another = pair.connect(CIRCUIT, false);
        assert_eq!(pair.report(another, Report::Opened), []);
    }

    #[test]
    fn a_circuit_is_opened_for_a_peer_that_found_no_other_way_but_not_beside_a_direct_connection() {
        let mut pair = Pair::new();
        let circuit = pair.connect(CIRCUIT, false);
        assert_eq!(pair.report(circuit, Report::Asked), [Did::Told(circuit, Order::Open)]);
        let direct = pair.connect(DIRECT, false);
        assert_eq!(pair.report(direct, Report::Opened), begins(direct));
        let another = pair.connect(CIRCUIT, false);
        assert_eq!(pair.report(another, Report::Asked), [Did::Told(another, Order::Decline)]);
    }

    #[test]
    fn of_two_circuits_the_smaller_peers_stays_and_of_one_peers_the_newer() {
        let mut pair = Pair::new();
        let theirs = pair.connect(CIRCUIT, false);
        assert_eq!(pair.report(theirs, Report::Opened), begins(theirs));
        let ours = pair.connect(CIRCUIT, true);
        assert_eq!(pair.report(ours, Report::Opened), moves(theirs, ours));
        let late = pair.connect(CIRCUIT, false);
        assert_eq!(pair.report(late, Report::Opened), [], "ours is the smaller peer's");
        let newer = pair.connect(CIRCUIT, true);
        assert_eq!(pair.report(newer, Report::Opened), moves(ours, newer));
    }

    #[test]
    fn a_session_goes_on_where_the_link_is_still_open() {
        let mut pair = Pair::new();
        let first = pair.connect(DIRECT, true);
        let second = pair.connect(DIRECT, false);
        assert_eq!(pair.report(first, Report::Opened), begins(first));
        assert_eq!(pair.report(second, Report::Opened), [], "the other side may close either");
        assert_eq!(pair.report(first, Report::Lost(handler::Lost::Closed)), moves(first, second));
        assert_eq!(
            pair.report(second, Report::Lost(handler::Lost::SlowReader)),
            [Did::Closed(second), Did::Down]
        );
    }

    #[test]
    fn a_refusal_is_told_and_ends_nothing() {
        let mut pair = Pair::new();
        let circuit = pair.connect(CIRCUIT, true);
        assert_eq!(pair.report(circuit, Report::Refused), [Did::Refused(circuit)]);
    }
}
