//! The libp2p side: circuit relay v2 and rendezvous for tabs, over WebSocket.
//!
//! Bounds: connections (all, pending, per peer), reservations, circuits (number, time, bytes, bytes a second), registrations
//! and request rates are capped by [`Config`]. Rates are per peer and not per IP address: everyone behind one NAT, one proxy or one
//! machine shares an address, and a whole office must be able to join. Peer ids are free to make, so what holds against
//! one attacker with many is the total of each kind.

mod address;
mod setup;

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use libp2p::core::transport::ListenerId;
use libp2p::identity::Keypair;
use libp2p::swarm::{ConnectionId, SwarmEvent};
use libp2p::{Multiaddr, PeerId, Swarm, ping, relay, request_response};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::config::{Announce, Config, Host};
use crate::metrics::{Answer, Metrics};
use crate::rendezvous::{self, Registry, Served};
use address::{tcp_port, websocket_address};
use setup::{Behaviour, BehaviourEvent};

pub(crate) use address::announced_address;

/// How long a connection that holds no reservation and no circuit is kept: enough for a tab to discover and to come back.
const IDLE_TIMEOUT: Duration = Duration::from_mins(1);

/// How often registrations that ran out of time are cleared away.
const SWEEP: Duration = Duration::from_secs(10);

/// The swarm, listening.
pub(crate) struct Network {
    swarm: Swarm<Behaviour>,
    listeners: Vec<ListenerId>,
    listening: Multiaddr,
    /// Whether addresses of this machine's interfaces are handed out as they become known.
    announces_interfaces: bool,
    drain: Duration,
    metrics: Arc<Metrics>,
    reserved: HashSet<PeerId>,
    /// Open circuits between a source and a destination. libp2p reports some closings twice, so a plain counter would drift.
    circuits: HashMap<(PeerId, PeerId), u32>,
    registry: Registry,
}

impl Network {
    /// Listens as `config` says.
    pub(crate) async fn listen(
        config: &Config,
        keypair: &Keypair,
        metrics: Arc<Metrics>,
    ) -> io::Result<Self> {
        let peer_id = keypair.public().to_peer_id();
        let transport = setup::transport(config, keypair, metrics.clone());
        let behaviour = setup::behaviour(config, keypair);
        let swarm_config =
            libp2p::swarm::Config::with_tokio_executor().with_idle_connection_timeout(IDLE_TIMEOUT);
        let mut swarm = Swarm::new(transport, behaviour, peer_id, swarm_config);

        let wanted = websocket_address(&Host::Ip(config.listen), config.ws_port, false);
        let mut listeners = vec![swarm.listen_on(wanted).map_err(io_error)?];
        let listening = loop {
            match swarm.select_next_some().await {
                SwarmEvent::NewListenAddr { address, .. } => break address,
                SwarmEvent::ListenerError { error, .. } => return Err(error),
                SwarmEvent::ListenerClosed { reason, .. } => {
                    return Err(reason.err().unwrap_or_else(|| io::ErrorKind::NotConnected.into()));
                }
                _ => {}
            }
        };
        if config.listen == IpAddr::V6(Ipv6Addr::UNSPECIFIED) {
            // HTTP and STUN on `::` take IPv4 too, libp2p doesn't.
            let port = tcp_port(&listening);
            let wanted = websocket_address(&Ipv4Addr::UNSPECIFIED.into(), port, false);
            listeners.push(swarm.listen_on(wanted).map_err(io_error)?);
        }
        let mut network = Self {
            swarm,
            listeners,
            listening,
            announces_interfaces: config.announce == Announce::Auto,
            drain: config.drain_duration(),
            metrics,
            reserved: HashSet::new(),
            circuits: HashMap::new(),
            registry: Registry::new(config.max_registrations, config.max_registrations_per_peer),
        };
        network.announce(config);
        Ok(network)
    }

    /// The TCP port that is listened on.
    pub(crate) fn port(&self) -> u16 {
        tcp_port(&self.listening)
    }

    /// Serves until `stop` turns true, then drains: no new reservations, and a few seconds for open circuits.
    pub(crate) async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let stopped = async move {
            // A dropped sender means that nobody is left to say stop: the relay itself is gone.
            let _ = stop.wait_for(|stop| *stop).await;
        };
        tokio::pin!(stopped);
        let mut sweep = tokio::time::interval(SWEEP);
        loop {
            tokio::select! {
                () = &mut stopped => break,
                _ = sweep.tick() => {
                    self.registry.expire(std::time::Instant::now());
                    self.show_gauges();
                }
                event = self.swarm.select_next_some() => self.on_event(event),
            }
        }
        self.drain().await;
    }

    async fn drain(mut self) {
        let deadline = Instant::now() + self.drain;
        self.swarm.behaviour_mut().relay.set_status(Some(relay::Status::Disable));
        for listener in std::mem::take(&mut self.listeners) {
            self.swarm.remove_listener(listener);
        }
        while !self.circuits.is_empty() {
            tokio::select! {
                () = tokio::time::sleep_until(deadline) => break,
                event = self.swarm.select_next_some() => self.on_event(event),
            }
        }
        let peers: Vec<PeerId> = self.swarm.connected_peers().copied().collect();
        for peer in peers {
            // An error says that the peer has left by itself.
            let _ = self.swarm.disconnect_peer_id(peer);
        }
        let goodbye = deadline.max(Instant::now() + Duration::from_millis(500));
        while self.swarm.connected_peers().next().is_some() {
            tokio::select! {
                () = tokio::time::sleep_until(goodbye) => break,
                event = self.swarm.select_next_some() => self.on_event(event),
            }
        }
    }

    /// Tells the relay behaviour which addresses tabs can reach it by: without one it hands out no reservation.
    fn announce(&mut self, config: &Config) {
        let address = match &config.announce {
            Announce::Auto => self.listening.clone(),
            Announce::Host(host) => announced_address(config, host, self.port()),
        };
        self.swarm.add_external_address(address);
    }

    fn on_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::Behaviour(BehaviourEvent::Relay(event)) => self.on_relay_event(event),
            SwarmEvent::Behaviour(BehaviourEvent::Rendezvous(event)) => self.on_rendezvous_event(event),
            SwarmEvent::Behaviour(BehaviourEvent::Ping(ping::Event {
                peer,
                connection,
                result: Err(error),
            })) => {
                self.on_silence(peer, connection, &error);
            }
            SwarmEvent::NewListenAddr { address, .. } if self.announces_interfaces => {
                self.swarm.add_external_address(address);
            }
            SwarmEvent::ExpiredListenAddr { address, .. } => self.swarm.remove_external_address(&address),
            SwarmEvent::ConnectionEstablished { peer_id, .. } => {
                tracing::debug!(%peer_id, "connected");
                self.metrics.connections.inc();
            }
            SwarmEvent::ConnectionClosed { peer_id, num_established, cause, .. } => {
                tracing::debug!(%peer_id, ?cause, "disconnected");
                self.metrics.connections.dec();
                if num_established == 0 {
                    self.forget(peer_id);
                }
            }
            SwarmEvent::IncomingConnectionError { error, .. } => {
                tracing::debug!(%error, "connection refused");
                self.metrics.connections_refused.inc();
            }
            SwarmEvent::ListenerError { error, .. } => tracing::warn!(%error, "listener"),
            _ => {}
        }
    }

    /// A machine that fell asleep keeps its connection open: it must not keep its places too.
    fn on_silence(&mut self, peer: PeerId, connection: ConnectionId, error: &ping::Failure) {
        if !matches!(error, ping::Failure::Unsupported) {
            tracing::debug!(%peer, %error, "no answer to pings");
            self.swarm.close_connection(connection);
        }
    }

    fn on_relay_event(&mut self, event: relay::Event) {
        use relay::Event;
        let reservation = |answer| self.metrics.reservation_requests.get_or_create(answer).inc();
        let circuit = |answer| self.metrics.circuit_requests.get_or_create(answer).inc();
        // The deprecated events are the only ones that tell of a granted request that failed.
        #[allow(deprecated)]
        match event {
            Event::ReservationReqAccepted { src_peer_id, renewed } => {
                tracing::debug!(peer = %src_peer_id, renewed, "reservation");
                reservation(&Answer::ACCEPTED);
                self.reserved.insert(src_peer_id);
            }
            Event::ReservationReqDenied { src_peer_id, status } => {
                tracing::debug!(peer = %src_peer_id, ?status, "reservation refused");
                reservation(&Answer::REFUSED);
            }
            Event::ReservationReqAcceptFailed { .. } | Event::ReservationReqDenyFailed { .. } => {
                reservation(&Answer::FAILED);
            }
            Event::ReservationTimedOut { src_peer_id } => {
                self.reserved.remove(&src_peer_id);
            }
            // Told of every closed connection, with a reservation or not: `forget` sees the peer's last one.
            Event::ReservationClosed { .. } => {}
            Event::CircuitReqAccepted { src_peer_id, dst_peer_id } => {
                tracing::debug!(from = %src_peer_id, to = %dst_peer_id, "circuit");
                circuit(&Answer::ACCEPTED);
                *self.circuits.entry((src_peer_id, dst_peer_id)).or_default() += 1;
            }
            Event::CircuitReqDenied { src_peer_id, dst_peer_id, status } => {
                tracing::debug!(from = %src_peer_id, to = %dst_peer_id, ?status, "circuit refused");
                circuit(&Answer::REFUSED);
            }
            Event::CircuitReqOutboundConnectFailed { .. }
            | Event::CircuitReqAcceptFailed { .. }
            | Event::CircuitReqDenyFailed { .. } => {
                circuit(&Answer::FAILED);
            }
            Event::CircuitClosed { src_peer_id, dst_peer_id, error } => {
                tracing::debug!(from = %src_peer_id, to = %dst_peer_id, ?error, "circuit closed");
                self.close_circuit((src_peer_id, dst_peer_id));
            }
            Event::StatusChanged { status } => tracing::debug!(?status, "relay"),
        }
        self.show_gauges();
    }

    fn close_circuit(&mut self, ends: (PeerId, PeerId)) {
        if let Some(count) = self.circuits.get_mut(&ends) {
            *count -= 1;
            if *count == 0 {
                self.circuits.remove(&ends);
            }
        }
    }

    /// The last connection of a peer is gone, and with it what it held.
    fn forget(&mut self, peer: PeerId) {
        self.reserved.remove(&peer);
        self.registry.forget(peer);
        self.circuits.retain(|(source, destination), _| *source != peer && *destination != peer);
        self.show_gauges();
    }

    fn show_gauges(&self) {
        let open: u32 = self.circuits.values().sum();
        self.metrics.circuits.set(open.into());
        let length = |length: usize| i64::try_from(length).expect("memory holds fewer than 2^63 things");
        self.metrics.reservations.set(length(self.reserved.len()));
        self.metrics.registrations.set(length(self.registry.len()));
    }

    fn on_rendezvous_event(&mut self, event: rendezvous::Event) {
        use request_response::{Event, Message};
        // Whatever else happens on these streams is a client's hurry or mistake, and its own loss.
        let Event::Message { peer, message: Message::Request { request, channel, .. }, .. } = event else {
            return;
        };
        let (served, answer) =
            rendezvous::serve(&mut self.registry, peer, request, std::time::Instant::now());
        tracing::debug!(%peer, ?served, "rendezvous");
        if let Some(answer) = answer {
            // An error says that the peer has left.
            let _ = self.swarm.behaviour_mut().rendezvous.send_response(channel, answer);
        }
        let registration = |answer| self.metrics.registration_requests.get_or_create(answer).inc();
        let discovery = |answer| self.metrics.discoveries.get_or_create(answer).inc();
        match served {
            Served::Registered => registration(&Answer::ACCEPTED),
            Served::RegistrationRefused => registration(&Answer::REFUSED),
            Served::Discovered => discovery(&Answer::ACCEPTED),
            Served::DiscoveryRefused => discovery(&Answer::REFUSED),
            Served::Unregistered => 0,
        };
        self.show_gauges();
    }
}

/// libp2p wraps the system's error; the cause is what tells a taken port from the rest.
fn io_error(error: libp2p::TransportError<io::Error>) -> io::Error {
    match error {
        libp2p::TransportError::Other(error) => {
            let mut cause = error.get_ref().map(|inner| inner as &(dyn std::error::Error + 'static));
            while let Some(current) = cause {
                if let Some(system) = current.downcast_ref::<io::Error>().filter(|e| e.get_ref().is_none()) {
                    return io::Error::from(system.kind());
                }
                cause = current.source();
            }
            error
        }
        unsupported @ libp2p::TransportError::MultiaddrNotSupported(_) => io::Error::other(unsupported),
    }
}
