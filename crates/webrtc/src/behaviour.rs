//! Supplies the transport with signalling streams, takes those that come in, and keeps one direct connection a peer.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    convert::Infallible,
    task::{Context, Poll},
    time::Duration,
};

use either::Either;
use futures::{StreamExt, channel::mpsc};
use libp2p_core::{Endpoint, Multiaddr, transport::PortUse};
use libp2p_identity::PeerId;
use libp2p_swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, NotifyHandler, THandler, THandlerInEvent,
    THandlerOutEvent, ToSwarm,
    behaviour::{ConnectionClosed, ConnectionEstablished, DialFailure},
    dial_opts::{DialOpts, PeerCondition},
    dummy,
};
use web_time::Instant;

use crate::{
    Config, Error, Path,
    address::webrtc_address_beside,
    handler::{Handler, Reply},
    metrics::{Counters, Metrics},
    transport::{Incoming, Request},
};

/// What the behaviour reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A peer is connected directly. Its circuits, listed here, have done their work and may be closed. It is said again when
    /// another direct connection was made and closed in favour of this one: there are the circuits of that attempt; and when a
    /// circuit comes late that was dialled for an attempt that is over.
    Direct {
        /// The peer.
        peer: PeerId,
        /// The direct connection.
        connection: ConnectionId,
        /// Relayed connections to the same peer.
        circuits: Vec<ConnectionId>,
    },
    /// A peer had two direct connections, since both sides dialled; one is being closed, and the other side closes the
    /// same one.
    DuplicateClosed {
        /// The peer.
        peer: PeerId,
        /// The connection that stays.
        kept: ConnectionId,
        /// The connection that goes.
        closed: ConnectionId,
    },
}

type Action = ToSwarm<Event, Either<Reply, Infallible>>;

/// The [`NetworkBehaviour`] that belongs to a [`Transport`](crate::Transport). Bounds: what it holds grows with
/// connections and with local dials, not with what peers send.
pub struct Behaviour {
    local: PeerId,
    /// Direct connections that were made within this time of each other were dialled at once.
    simultaneity: Duration,
    requests: mpsc::Receiver<Request>,
    incoming: mpsc::Sender<Incoming>,
    circuits: HashMap<PeerId, Vec<ConnectionId>>,
    direct: HashMap<PeerId, Vec<Direct>>,
    /// Requests that wait for a circuit, with the dial that should bring it.
    waiting: HashMap<PeerId, Vec<(ConnectionId, Reply)>>,
    /// Circuits that are being dialled. Any other circuit to the same peer serves those who wait as well.
    dialled: HashSet<ConnectionId>,
    actions: VecDeque<Action>,
    counters: Counters,
}

/// A direct connection.
#[derive(Debug, Clone, Copy)]
struct Direct {
    id: ConnectionId,
    dialer: PeerId,
    since: Instant,
}

impl Behaviour {
    pub(crate) fn new(
        config: &Config,
        requests: mpsc::Receiver<Request>,
        incoming: mpsc::Sender<Incoming>,
        counters: Counters,
    ) -> Self {
        Self {
            local: config.local_peer,
            simultaneity: config.dial_timeout,
            requests,
            incoming,
            circuits: HashMap::new(),
            direct: HashMap::new(),
            waiting: HashMap::new(),
            dialled: HashSet::new(),
            actions: VecDeque::new(),
            counters,
        }
    }

    /// What the transport and its connections have done so far, and why attempts failed.
    pub fn metrics(&self) -> Metrics {
        self.counters.snapshot()
    }

    /// The direct connections to a peer; after a moment there is at most one.
    pub fn direct_connections(&self, peer: &PeerId) -> impl Iterator<Item = ConnectionId> {
        self.direct.get(peer).into_iter().flatten().map(|direct| direct.id)
    }

    fn on_request(&mut self, Request { peer, circuit, reply }: Request) {
        if reply.is_canceled() {
            return;
        }
        if let Some(connection) = self.circuits.get(&peer).and_then(|circuits| circuits.last()) {
            self.actions.push_back(open(peer, *connection, reply));
            return;
        }
        let Some(circuit) = circuit else {
            reply.send(Err(Error::NoSignalingPath(peer))).ok();
            return;
        };
        // `Always`: the swarm counts the dial that waits for this as one to the same peer.
        let opts = DialOpts::peer_id(peer).condition(PeerCondition::Always).addresses(vec![circuit]).build();
        self.waiting.entry(peer).or_default().push((opts.connection_id(), reply));
        self.dialled.insert(opts.connection_id());
        self.actions.push_back(ToSwarm::Dial { opts });
    }

    fn on_established(&mut self, established: &ConnectionEstablished<'_>) {
        let (peer, id) = (established.peer_id, established.connection_id);
        match Path::of(established.endpoint) {
            Path::Circuit => self.on_circuit(peer, id),
            Path::WebRtc => {
                let dialer = if established.endpoint.is_dialer() { self.local } else { peer };
                self.on_direct(peer, Direct { id, dialer, since: Instant::now() });
            }
            Path::Other => {}
        }
    }

    fn on_circuit(&mut self, peer: PeerId, id: ConnectionId) {
        self.circuits.entry(peer).or_default().push(id);
        let mut waiting = self.waiting.remove(&peer).unwrap_or_default();
        waiting.retain(|(_, reply)| !reply.is_canceled());
        // One that the peer has dialled may be for an attempt of its own, which knows nothing of the direct connection.
        let of_no_use = self.dialled.remove(&id) && waiting.is_empty();
        for (_, reply) in waiting {
            self.actions.push_back(open(peer, id, reply));
        }
        if let Some(direct) = self.direct.get(&peer).and_then(|all| all.first())
            && of_no_use
        {
            let event = Event::Direct { peer, connection: direct.id, circuits: vec![id] };
            self.actions.push_back(ToSwarm::GenerateEvent(event));
        }
    }

    fn on_direct(&mut self, peer: PeerId, new: Direct) {
        let all = self.direct.entry(peer).or_default();
        let kept = all.iter().copied().fold(new, |kept, old| survivor(old, kept, self.simultaneity));
        for closed in all.iter().chain([&new]).map(|direct| direct.id).filter(|id| *id != kept.id) {
            tracing::debug!(%peer, %closed, kept = %kept.id, "closing a duplicate direct connection");
            self.actions.push_back(ToSwarm::CloseConnection {
                peer_id: peer,
                connection: libp2p_swarm::CloseConnection::One(closed),
            });
            self.actions.push_back(ToSwarm::GenerateEvent(Event::DuplicateClosed {
                peer,
                kept: kept.id,
                closed,
            }));
        }
        *all = vec![kept];
        let circuits = self.circuits.get(&peer).cloned().unwrap_or_default();
        self.actions.push_back(ToSwarm::GenerateEvent(Event::Direct { peer, connection: kept.id, circuits }));
    }

    fn on_closed(&mut self, closed: &ConnectionClosed<'_>) {
        let (peer, id) = (closed.peer_id, closed.connection_id);
        remove(&mut self.circuits, peer, |circuit| *circuit == id);
        remove(&mut self.direct, peer, |direct| direct.id == id);
    }

    fn on_dial_failure(&mut self, failure: &DialFailure<'_>) {
        self.dialled.remove(&failure.connection_id);
        let Some(peer) = failure.peer_id else { return };
        let Some(waiting) = self.waiting.get_mut(&peer) else { return };
        for (_, reply) in waiting.extract_if(.., |(id, _)| *id == failure.connection_id) {
            reply.send(Err(Error::CircuitDial(failure.error.to_string()))).ok();
        }
        if waiting.is_empty() {
            self.waiting.remove(&peer);
        }
    }

    fn handler_for(path: Path) -> THandler<Self> {
        match path {
            Path::Circuit => Either::Left(Handler::default()),
            Path::WebRtc | Path::Other => Either::Right(dummy::ConnectionHandler),
        }
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Either<Handler, dummy::ConnectionHandler>;
    type ToSwarm = Event;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        local_addr: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(Self::handler_for(Path::of_address(local_addr)))
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        address: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(Self::handler_for(Path::of_address(address)))
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        match event {
            FromSwarm::ConnectionEstablished(established) => self.on_established(&established),
            FromSwarm::ConnectionClosed(closed) => self.on_closed(&closed),
            FromSwarm::DialFailure(failure) => self.on_dial_failure(&failure),
            FromSwarm::ExternalAddrConfirmed(confirmed) => {
                let beside = webrtc_address_beside(confirmed.addr, self.local);
                self.actions.extend(beside.map(ToSwarm::ExternalAddrConfirmed));
            }
            FromSwarm::ExternalAddrExpired(expired) => {
                let beside = webrtc_address_beside(expired.addr, self.local);
                self.actions.extend(beside.map(ToSwarm::ExternalAddrExpired));
            }
            _ => {}
        }
    }

    fn on_connection_handler_event(&mut self, peer: PeerId, _: ConnectionId, event: THandlerOutEvent<Self>) {
        match event {
            Either::Left(line) => {
                // A transport that is that far behind refuses: dropping the stream resets it.
                if self.incoming.try_send(Incoming { peer, line }).is_err() {
                    tracing::debug!(%peer, "too many signalling streams are waiting");
                }
            }
            Either::Right(never) => match never {},
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<Event, THandlerInEvent<Self>>> {
        loop {
            if let Some(action) = self.actions.pop_front() {
                return Poll::Ready(action);
            }
            match self.requests.poll_next_unpin(cx) {
                Poll::Ready(Some(request)) => self.on_request(request),
                // The transport is gone with its swarm.
                Poll::Ready(None) | Poll::Pending => return Poll::Pending,
            }
        }
    }
}

fn open(peer: PeerId, connection: ConnectionId, reply: Reply) -> Action {
    ToSwarm::NotifyHandler {
        peer_id: peer,
        handler: NotifyHandler::One(connection),
        event: Either::Left(reply),
    }
}

/// Which of two direct connections to a peer stays. Dialled at once from both sides: the one of the smaller peer, as
/// both can tell. Otherwise the newer: the older may be a leftover of a peer that has started anew.
fn survivor(old: Direct, new: Direct, simultaneity: Duration) -> Direct {
    let at_once = new.since.duration_since(old.since) < simultaneity;
    if at_once && old.dialer < new.dialer { old } else { new }
}

fn remove<T>(map: &mut HashMap<PeerId, Vec<T>>, peer: PeerId, which: impl Fn(&T) -> bool) {
    if let Some(list) = map.get_mut(&peer) {
        list.retain(|item| !which(item));
        if list.is_empty() {
            map.remove(&peer);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::{FutureExt, channel::oneshot, future::poll_fn};
    use libp2p_core::{ConnectedPoint, multiaddr::Protocol};

    use super::*;
    use crate::address::{address_of, listen_address};

    const AT_ONCE: Duration = Duration::from_secs(10);

    /// A behaviour whose transport asks for streams to one peer.
    struct Asked {
        behaviour: Behaviour,
        requests: mpsc::Sender<Request>,
        peer: PeerId,
    }

    impl Asked {
        fn new() -> Self {
            let (requests, asked) = mpsc::channel(1);
            let (incoming, _) = mpsc::channel(1);
            let config = Config::new(PeerId::random());
            let behaviour = Behaviour::new(&config, asked, incoming, Counters::default());
            Self { behaviour, requests, peer: PeerId::random() }
        }

        fn circuit(&self) -> Multiaddr {
            Multiaddr::from(Protocol::P2p(PeerId::random()))
                .with(Protocol::P2pCircuit)
                .with(Protocol::P2p(self.peer))
        }

        /// A dial begins that needs a circuit. Returns which one is dialled for it, and where its stream is to come.
        fn dial(&mut self) -> (ConnectionId, oneshot::Receiver<Result<crate::handler::Line, Error>>) {
            let (reply, line) = oneshot::channel();
            let circuit = Some(self.circuit());
            self.requests.try_send(Request { peer: self.peer, circuit, reply }).expect("there is room");
            match self.next() {
                Some(ToSwarm::Dial { opts }) => (opts.connection_id(), line),
                other => panic!("no dial: {other:?}"),
            }
        }

        fn established(&mut self, id: ConnectionId, endpoint: &ConnectedPoint) {
            self.behaviour.on_swarm_event(FromSwarm::ConnectionEstablished(ConnectionEstablished {
                peer_id: self.peer,
                connection_id: id,
                endpoint,
                failed_addresses: &[],
                other_established: 0,
            }));
        }

        fn comes_in(&mut self, id: ConnectionId, local_addr: Multiaddr) {
            let send_back_addr = address_of(self.peer);
            self.established(id, &ConnectedPoint::Listener { local_addr, send_back_addr });
        }

        fn succeeds(&mut self, id: ConnectionId) {
            let (address, role_override, port_use) = (self.circuit(), Endpoint::Dialer, PortUse::New);
            self.established(id, &ConnectedPoint::Dialer { address, role_override, port_use });
        }

        fn next(&mut self) -> Option<Action> {
            poll_fn(|cx| self.behaviour.poll(cx)).now_or_never()
        }

        fn says(&mut self) -> Option<Event> {
            match self.next()? {
                ToSwarm::GenerateEvent(event) => Some(event),
                other => panic!("no event: {other:?}"),
            }
        }

        fn opens_a_stream_on(&mut self, id: ConnectionId) -> bool {
            matches!(self.next(), Some(ToSwarm::NotifyHandler { handler: NotifyHandler::One(one), .. }) if one == id)
        }
    }

    #[test]
    fn a_circuit_that_comes_when_the_attempt_that_needed_it_is_over_is_named_as_well() {
        let [theirs, direct] = [1_001, 1_002].map(ConnectionId::new_unchecked);
        let mut asked = Asked::new();
        let peer = asked.peer;
        let (ours, _line) = asked.dial();
        let circuit = asked.circuit();
        asked.comes_in(theirs, circuit);
        assert!(asked.opens_a_stream_on(theirs), "theirs serves as well, and is there first");
        asked.comes_in(direct, listen_address());
        assert_eq!(asked.says(), Some(Event::Direct { peer, connection: direct, circuits: vec![theirs] }));
        asked.succeeds(ours);
        assert_eq!(asked.says(), Some(Event::Direct { peer, connection: direct, circuits: vec![ours] }));
        assert!(asked.next().is_none());
    }

    #[test]
    fn a_circuit_beside_a_direct_connection_is_left_to_the_attempt_that_it_is_for() {
        let [theirs, direct] = [1_001, 1_002].map(ConnectionId::new_unchecked);
        let mut asked = Asked::new();
        asked.comes_in(direct, listen_address());
        assert!(asked.says().is_some());
        let (ours, _line) = asked.dial();
        asked.succeeds(ours);
        assert!(asked.opens_a_stream_on(ours));
        let circuit = asked.circuit();
        asked.comes_in(theirs, circuit);
        assert!(asked.next().is_none(), "the peer begins anew: it may have lost the direct connection");
    }

    #[test]
    fn both_sides_keep_the_same_of_two_connections() {
        let mut peers = [PeerId::random(), PeerId::random()];
        peers.sort();
        let start = Instant::now();
        let at = |id, dialer, seconds| Direct {
            id: ConnectionId::new_unchecked(id),
            dialer,
            since: start + Duration::from_secs(seconds),
        };
        // One side sees them in one order, the other in the other.
        let (small, large) = (at(1, peers[0], 0), at(2, peers[1], 1));
        assert_eq!(survivor(small, large, AT_ONCE).id, small.id);
        let (large, small) = (at(2, peers[1], 0), at(1, peers[0], 1));
        assert_eq!(survivor(large, small, AT_ONCE).id, small.id);
    }

    #[test]
    fn a_connection_made_anew_replaces_an_old_one() {
        let mut peers = [PeerId::random(), PeerId::random()];
        peers.sort();
        let start = Instant::now();
        let old = Direct { id: ConnectionId::new_unchecked(1), dialer: peers[0], since: start };
        let later = start + AT_ONCE * 2;
        let new = Direct { id: ConnectionId::new_unchecked(2), dialer: peers[1], since: later };
        assert_eq!(survivor(old, new, AT_ONCE).id, new.id);
    }
}
