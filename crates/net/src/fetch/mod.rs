//! The `fetch` protocol: requests and responses, on the connection that the session with a peer runs on and no other.
//!
//! libp2p's request-response spreads requests over all connections to a peer, circuits among them. So it is shown one
//! connection a peer: the one of the session, while the session lasts. On every other the protocol is not there at all.
//! A peer asks only after our hello, which says that we have a session too, so nobody asks too early.
//!
//! What the bytes mean is the business of `tabchain-sync`. Bounds: a connection has at most 32 requests open in each
//! direction, and their sizes are bounded in [`codec`].

mod codec;
mod handler;

use std::collections::{HashMap, VecDeque};
use std::iter;
use std::task::{Context, Poll};
use std::time::Duration;

use libp2p::core::transport::PortUse;
use libp2p::core::{ConnectedPoint, Endpoint};
use libp2p::request_response::{self, OutboundRequestId, ProtocolSupport, ResponseChannel};
use libp2p::swarm::behaviour::{ConnectionClosed, ConnectionEstablished};
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, NotifyHandler, THandler, THandlerInEvent,
    THandlerOutEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId, StreamProtocol};

use codec::Codec;
pub(crate) use codec::MAX_RESPONSE;
use handler::{Handler, Order};

/// How many requests a connection may have open in one direction.
const MAX_STREAMS: usize = 32;
const TIMEOUT: Duration = Duration::from_mins(1);

/// What becomes of requests.
pub(crate) type Event = request_response::Event<Vec<u8>, Vec<u8>>;

type Inner = request_response::Behaviour<Codec>;

pub(crate) struct Behaviour {
    inner: Inner,
    shown: HashMap<PeerId, (ConnectionId, ConnectedPoint)>,
    actions: VecDeque<ToSwarm<Event, Order>>,
}

impl Behaviour {
    pub(crate) fn new(protocol: StreamProtocol) -> Self {
        let config = request_response::Config::default()
            .with_request_timeout(TIMEOUT)
            .with_max_concurrent_streams(MAX_STREAMS);
        let protocols = iter::once((protocol, ProtocolSupport::Full));
        Self {
            inner: Inner::with_codec(Codec, protocols, config),
            shown: HashMap::new(),
            actions: VecDeque::new(),
        }
    }

    /// A session has begun on this connection.
    pub(crate) fn show(&mut self, peer: PeerId, id: ConnectionId, endpoint: ConnectedPoint) {
        self.hide(&peer);
        let serving = match &endpoint {
            ConnectedPoint::Dialer { address, role_override, port_use } => self
                .inner
                .handle_established_outbound_connection(id, peer, address, *role_override, *port_use),
            ConnectedPoint::Listener { local_addr, send_back_addr } => {
                self.inner.handle_established_inbound_connection(id, peer, local_addr, send_back_addr)
            }
        };
        let Ok(serving) = serving else { return };
        self.inner.on_swarm_event(FromSwarm::ConnectionEstablished(ConnectionEstablished {
            peer_id: peer,
            connection_id: id,
            endpoint: &endpoint,
            failed_addresses: &[],
            other_established: 0,
        }));
        self.shown.insert(peer, (id, endpoint));
        self.actions.push_back(ToSwarm::NotifyHandler {
            peer_id: peer,
            handler: NotifyHandler::One(id),
            event: Order::Serve(Box::new(serving)),
        });
    }

    /// The session is over; the requests in flight are too.
    pub(crate) fn hide(&mut self, peer: &PeerId) {
        if let Some((connection_id, endpoint)) = self.shown.remove(peer) {
            self.inner.on_swarm_event(FromSwarm::ConnectionClosed(ConnectionClosed {
                peer_id: *peer,
                connection_id,
                endpoint: &endpoint,
                cause: None,
                remaining_established: 0,
            }));
        }
    }

    /// Asks a peer; `None` without a session.
    pub(crate) fn send_request(&mut self, peer: &PeerId, body: Vec<u8>) -> Option<OutboundRequestId> {
        self.shown.contains_key(peer).then(|| self.inner.send_request(peer, body))
    }

    /// Answers a peer. Whoever has gone in the meantime hears nothing.
    pub(crate) fn send_response(&mut self, channel: ResponseChannel<Vec<u8>>, body: Vec<u8>) {
        self.inner.send_response(channel, body).ok();
    }

    fn is_shown(&self, peer: &PeerId, id: ConnectionId) -> bool {
        self.shown.get(peer).is_some_and(|(shown, _)| *shown == id)
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
        Ok(Handler::default())
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(Handler::default())
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionClosed(closed) if self.is_shown(&closed.peer_id, closed.connection_id) => {
                self.hide(&closed.peer_id);
            }
            FromSwarm::AddressChange(change) if self.is_shown(&change.peer_id, change.connection_id) => {
                self.inner.on_swarm_event(event);
            }
            // What was never shown is not missed, and nothing is ever dialled for a request.
            _ => {}
        }
    }

    fn on_connection_handler_event(&mut self, peer: PeerId, id: ConnectionId, event: THandlerOutEvent<Self>) {
        // A session that has just moved leaves events behind.
        if self.is_shown(&peer, id) {
            self.inner.on_connection_handler_event(peer, id, event);
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        if let Some(action) = self.actions.pop_front() {
            return Poll::Ready(action);
        }
        self.inner.poll(cx).map(|action| action.map_in(Order::Inner))
    }
}
