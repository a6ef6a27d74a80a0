//! Streams for whoever asks: opened on the direct connection to a peer, any number at once, and accepted by protocol.
//!
//! A stream is opened on the connection that the last [`Event::Direct`](libp2p_webrtc_browser::Event) named. When two peers
//! have dialled each other and one of two connections goes, streams on it fail, and whoever opened them begins anew.
//!
//! Bounds: [`WAITING`] accepted streams a protocol wait for their service; more are dropped, thus reset.

use std::{
    collections::{HashMap, VecDeque},
    convert::Infallible,
    future::{Ready, ready},
    io,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};

use futures::{
    SinkExt, StreamExt,
    channel::{mpsc, oneshot},
};
use libp2p::{
    InboundUpgrade, Multiaddr, PeerId, Stream, StreamProtocol,
    core::{Endpoint, UpgradeInfo, transport::PortUse, upgrade::ReadyUpgrade},
    swarm::{
        ConnectionDenied, ConnectionHandler, ConnectionHandlerEvent, ConnectionId, FromSwarm,
        NetworkBehaviour, NotifyHandler, StreamUpgradeError, SubstreamProtocol, THandler, THandlerInEvent,
        THandlerOutEvent, ToSwarm,
        handler::{ConnectionEvent, DialUpgradeError, FullyNegotiatedInbound, FullyNegotiatedOutbound},
    },
};

/// A thousand streams may come in one go.
const WAITING: usize = 2_000;

/// How many orders may wait for the swarm to be polled; whoever has more waits too.
const ORDERS: usize = 64;

/// How long it may take to agree upon a stream's protocol. Swarms give ten seconds by themselves, too few for the last of a
/// thousand streams on a slow machine.
const AGREEMENT: Duration = Duration::from_mins(1);

type Reply = oneshot::Sender<io::Result<Stream>>;

/// Who serves a protocol.
type Services = Arc<Mutex<HashMap<StreamProtocol, mpsc::Sender<(PeerId, Stream)>>>>;

/// A stream that is wanted on a connection.
#[derive(Debug)]
pub(crate) struct Order {
    protocol: StreamProtocol,
    reply: Reply,
}

/// Opens and accepts streams. Clones belong to the same swarm.
#[derive(Clone)]
pub(crate) struct Control {
    orders: mpsc::Sender<(PeerId, Order)>,
    services: Services,
}

impl Control {
    /// Opens a stream on the direct connection to a peer.
    pub(crate) async fn open_stream(&mut self, peer: PeerId, protocol: StreamProtocol) -> io::Result<Stream> {
        let (reply, stream) = oneshot::channel();
        let gone = |_| io::Error::from(io::ErrorKind::NotConnected);
        self.orders.send((peer, Order { protocol, reply })).await.map_err(|_| io::ErrorKind::NotConnected)?;
        stream.await.map_err(gone)?
    }

    /// The streams of a protocol that come in from now on.
    pub(crate) fn accept(&self, protocol: StreamProtocol) -> mpsc::Receiver<(PeerId, Stream)> {
        let (service, streams) = mpsc::channel(WAITING);
        self.services.lock().unwrap_or_else(PoisonError::into_inner).insert(protocol, service);
        streams
    }
}

/// The part of the swarm that opens and accepts.
pub(crate) struct Behaviour {
    orders: mpsc::Receiver<(PeerId, Order)>,
    services: Services,
    /// The direct connection to each peer.
    direct: HashMap<PeerId, ConnectionId>,
}

/// The behaviour, and what others hold of it.
pub(crate) fn new() -> (Behaviour, Control) {
    let (sender, orders) = mpsc::channel(ORDERS);
    let services = Services::default();
    let control = Control { orders: sender, services: Arc::clone(&services) };
    (Behaviour { orders, services, direct: HashMap::new() }, control)
}

impl Behaviour {
    /// Opens streams to a peer on this connection from now on.
    pub(crate) fn take(&mut self, peer: PeerId, connection: ConnectionId) {
        self.direct.insert(peer, connection);
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Handler;
    type ToSwarm = Infallible;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(Handler::new(peer, &self.services))
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(Handler::new(peer, &self.services))
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        if let FromSwarm::ConnectionClosed(closed) = event {
            self.direct.retain(|_, connection| *connection != closed.connection_id);
        }
    }

    fn on_connection_handler_event(&mut self, _: PeerId, _: ConnectionId, event: THandlerOutEvent<Self>) {
        match event {}
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Infallible, THandlerInEvent<Self>>> {
        while let Poll::Ready(Some((peer_id, order))) = self.orders.poll_next_unpin(cx) {
            if let Some(connection) = self.direct.get(&peer_id) {
                let handler = NotifyHandler::One(*connection);
                return Poll::Ready(ToSwarm::NotifyHandler { peer_id, handler, event: order });
            }
            // Dropping the order says that there is no connection.
        }
        Poll::Pending
    }
}

/// One connection.
pub(crate) struct Handler {
    peer: PeerId,
    services: Services,
    orders: VecDeque<Order>,
    waker: Option<Waker>,
}

impl Handler {
    fn new(peer: PeerId, services: &Services) -> Self {
        Self { peer, services: Arc::clone(services), orders: VecDeque::new(), waker: None }
    }
}

impl ConnectionHandler for Handler {
    type FromBehaviour = Order;
    type ToBehaviour = Infallible;
    type InboundProtocol = Served;
    type OutboundProtocol = ReadyUpgrade<StreamProtocol>;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = Reply;

    fn listen_protocol(&self) -> SubstreamProtocol<Served> {
        let services = self.services.lock().unwrap_or_else(PoisonError::into_inner);
        SubstreamProtocol::new(Served(services.keys().cloned().collect()), ()).with_timeout(AGREEMENT)
    }

    fn on_behaviour_event(&mut self, order: Order) {
        self.orders.push_back(order);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Self::OutboundProtocol, Reply, Infallible>> {
        if let Some(Order { protocol, reply }) = self.orders.pop_front() {
            let protocol = SubstreamProtocol::new(ReadyUpgrade::new(protocol), reply).with_timeout(AGREEMENT);
            return Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol });
        }
        self.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    fn on_connection_event(&mut self, event: ConnectionEvent<'_, Served, Self::OutboundProtocol, (), Reply>) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound {
                protocol: (stream, protocol),
                ..
            }) => {
                let mut services = self.services.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(service) = services.get_mut(&protocol) {
                    service.try_send((self.peer, stream)).ok();
                }
            }
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound {
                protocol: stream,
                info: reply,
            }) => {
                reply.send(Ok(stream)).ok();
            }
            ConnectionEvent::DialUpgradeError(DialUpgradeError { info: reply, error }) => {
                reply.send(Err(refusal(error))).ok();
            }
            _ => {}
        }
    }
}

fn refusal(error: StreamUpgradeError<Infallible>) -> io::Error {
    match error {
        StreamUpgradeError::Timeout => io::ErrorKind::TimedOut.into(),
        StreamUpgradeError::NegotiationFailed => io::ErrorKind::Unsupported.into(),
        StreamUpgradeError::Io(error) => error,
        StreamUpgradeError::Apply(never) => match never {},
    }
}

/// The protocols that are served; the one that was agreed upon comes with the stream.
pub(crate) struct Served(Vec<StreamProtocol>);

impl UpgradeInfo for Served {
    type Info = StreamProtocol;
    type InfoIter = std::vec::IntoIter<StreamProtocol>;

    fn protocol_info(&self) -> Self::InfoIter {
        self.0.clone().into_iter()
    }
}

impl InboundUpgrade<Stream> for Served {
    type Output = (Stream, StreamProtocol);
    type Error = Infallible;
    type Future = Ready<Result<Self::Output, Infallible>>;

    fn upgrade_inbound(self, stream: Stream, protocol: StreamProtocol) -> Self::Future {
        ready(Ok((stream, protocol)))
    }
}
