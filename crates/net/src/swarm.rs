//! The swarm's loop: events of libp2p become [`NetEvent`]s, [`NetCommand`]s become calls.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use async_channel::{Receiver, Sender};
use futures::{FutureExt, StreamExt, select};
use futures_timer::Delay;
use libp2p::core::ConnectedPoint;
use libp2p::multiaddr::Protocol;
use libp2p::rendezvous::Namespace;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{ConnectionId, SwarmEvent};
use libp2p::{Multiaddr, PeerId, Swarm, relay, rendezvous, request_response};
use libp2p_webrtc_browser::{self as webrtc, Path};
use tabchain_sync::{self as sync, ConnectionKind, PeerAddress, PeerInfo};
use web_time::Instant;

use crate::address::{from_libp2p, is_dialable, relay_of_circuit, to_libp2p};
use crate::behaviour::{Behaviour, BehaviourEvent, LedgerEvent};
use crate::config::NetConfig;
use crate::dials::{Dials, First, Side};
use crate::introducers::{Introducers, guest_address, introducer_of, place_at};
use crate::message::{MAX_ADDRESSES, NetCommand, NetEvent};
use crate::relays::Relays;
use crate::requests::Requests;
use crate::{NetError, link, transport};

/// How many commands and how many events may wait.
pub const CHANNEL: usize = 256;

const TICK: Duration = Duration::from_secs(1);
/// How often the relays are asked who else is there: often while few are known.
const DISCOVER_LONELY: Duration = Duration::from_secs(3);
const DISCOVER: Duration = Duration::from_secs(30);
/// With this many sessions a node is no longer lonely.
const COMPANY: usize = 4;
/// Registrations are renewed well before a relay forgets them.
const REGISTER: Duration = Duration::from_mins(15);
const REGISTRATION_SECONDS: u64 = 2 * 60 * 60;
const MAX_DISCOVERED: u64 = 64;

/// The two ends that whoever drives a [`Net`] holds.
pub struct NetHandle {
    /// Takes commands.
    pub commands: Sender<NetCommand>,
    /// Gives events.
    pub events: Receiver<NetEvent>,
}

/// The swarm. It lives while [`Net::run`] is polled.
pub struct Net {
    swarm: Swarm<Behaviour>,
    relays: Relays,
    requests: Requests,
    sessions: HashMap<PeerId, Path>,
    dials: Dials,
    introducers: Introducers,
    guests: HashSet<PeerId>,
    namespace: Namespace,
    commands: Receiver<NetCommand>,
    events: Sender<NetEvent>,
    next_discovery: Instant,
    next_registration: Instant,
}

impl Net {
    /// Builds the swarm of a node. Nothing is sent before [`Net::run`].
    pub fn new(config: NetConfig) -> Result<(Self, NetHandle), NetError> {
        let local = config.peer_id();
        let (circuit_transport, circuits) = relay::client::new(local);
        let ice = config.ice_servers.clone();
        let (webrtc_transport, webrtc) =
            webrtc::new(webrtc::Config::new(local).with_ice_servers(move || ice()));
        let transport = transport::build(&config.key, webrtc_transport, circuit_transport)?;
        let behaviour = Behaviour::new(&config, circuits, webrtc);
        let mut swarm = Swarm::new(transport, behaviour, local, transport::executor());
        swarm.listen_on(Multiaddr::empty().with(Protocol::WebRTC))?;
        // What a guest is told: whoever is connected to this node needs no more to find it.
        swarm.add_external_address(Multiaddr::empty().with(Protocol::WebRTC));
        for address in &config.listen {
            swarm.listen_on(address.clone())?;
        }

        let now = Instant::now();
        let seed = local.to_bytes().iter().fold(0u64, |seed, byte| seed.rotate_left(8) ^ u64::from(*byte));
        let (command_sender, commands) = async_channel::bounded(CHANNEL);
        let (events, event_receiver) = async_channel::bounded(CHANNEL);
        let net = Self {
            swarm,
            relays: Relays::new(config.relays, seed, now),
            requests: Requests::default(),
            sessions: HashMap::new(),
            dials: Dials::new(local),
            introducers: Introducers::default(),
            guests: HashSet::new(),
            namespace: Namespace::new(config.namespace).expect("a namespace is a few dozen bytes"),
            commands,
            events,
            next_discovery: now,
            next_registration: now,
        };
        Ok((net, NetHandle { commands: command_sender, events: event_receiver }))
    }

    /// Runs until [`NetCommand::Shutdown`], or until the handle is dropped.
    pub async fn run(mut self) {
        let mut tick = Delay::new(Duration::ZERO).fuse();
        loop {
            let out = select! {
                event = self.swarm.select_next_some() => self.on_swarm_event(event),
                command = self.commands.recv().fuse() => match command {
                    Ok(NetCommand::Shutdown) | Err(_) => return,
                    Ok(command) => { self.on_command(command); Vec::new() }
                },
                () = tick => {
                    // A fresh timer each time: an expired one may not be polled again on wasm32.
                    tick = Delay::new(TICK).fuse();
                    self.on_tick();
                    Vec::new()
                }
            };
            for event in out {
                if self.events.send(event).await.is_err() {
                    return;
                }
            }
        }
    }

    fn on_tick(&mut self) {
        let now = Instant::now();
        for relay in self.relays.due(now) {
            tracing::debug!(%relay, "dialling relay");
            if let Err(error) = self.swarm.dial(relay) {
                tracing::debug!(%error, "relay cannot be dialled");
            }
        }
        for peer in self.dials.expire(now) {
            if let Some(peer) = from_libp2p(&peer).filter(|_| !self.sessions.contains_key(&peer)) {
                self.tell(NetEvent::DialFailed(peer));
            }
        }
        self.ask_for_a_place(now);
        if now >= self.next_registration {
            self.register();
        }
        if now >= self.next_discovery {
            self.discover(now);
        }
    }

    /// Has one more of the tabs that this one is directly connected to keep a place for it, while there are too few.
    fn ask_for_a_place(&mut self, now: Instant) {
        let direct = self.sessions.iter().filter(|(_, path)| **path == Path::WebRtc).map(|(peer, _)| *peer);
        let Some(peer) = self.introducers.next(direct, now) else { return };
        match self.swarm.listen_on(place_at(peer)) {
            Ok(listener) => self.introducers.on_asked(peer, listener),
            Err(error) => tracing::debug!(%peer, %error, "cannot listen at a peer"),
        }
    }

    fn register(&mut self) {
        self.next_registration = Instant::now() + REGISTER;
        for relay in self.relays.reserved().collect::<Vec<_>>() {
            let rendezvous = &mut self.swarm.behaviour_mut().rendezvous;
            if let Err(error) = rendezvous.register(self.namespace.clone(), relay, Some(REGISTRATION_SECONDS))
            {
                tracing::warn!(%relay, %error, "cannot register");
            }
        }
    }

    fn discover(&mut self, now: Instant) {
        let lonely = self.sessions.len() < COMPANY;
        self.next_discovery = now + if lonely { DISCOVER_LONELY } else { DISCOVER };
        for relay in self.relays.reserved().collect::<Vec<_>>() {
            let namespace = Some(self.namespace.clone());
            self.swarm.behaviour_mut().rendezvous.discover(namespace, None, Some(MAX_DISCOVERED), relay);
        }
    }

    fn on_command(&mut self, command: NetCommand) {
        match command {
            NetCommand::Dial(peer, addresses) => self.dial(peer, &addresses),
            NetCommand::Disconnect(peer) => {
                if let Some(peer) = to_libp2p(&peer) {
                    self.swarm.disconnect_peer_id(peer).ok();
                }
            }
            NetCommand::Link(peer, frame) => {
                if let Some(peer) = to_libp2p(&peer) {
                    self.swarm.behaviour_mut().link().send(peer, frame);
                }
            }
            NetCommand::Request(peer, number, body) => self.request(peer, number, body),
            NetCommand::Respond(peer, number, body) => {
                let channel = to_libp2p(&peer).and_then(|peer| self.requests.take_received(peer, number));
                if let Some(channel) = channel {
                    // An error means that the peer has gone in the meantime.
                    self.swarm.behaviour_mut().fetch().send_response(channel, body).ok();
                }
            }
            NetCommand::Refuse(peer, number) => {
                // Dropping the channel resets the stream.
                to_libp2p(&peer).and_then(|peer| self.requests.take_received(peer, number));
            }
            NetCommand::UseRelays(addresses) => self.use_relays(&addresses),
            NetCommand::Shutdown => {}
        }
    }

    fn use_relays(&mut self, addresses: &[PeerAddress]) {
        let addresses = addresses.iter().filter_map(|address| address.as_str().parse().ok());
        for peer in self.relays.replace(addresses, Instant::now()) {
            self.swarm.disconnect_peer_id(peer).ok();
        }
        self.on_tick();
    }

    fn dial(&mut self, peer: sync::PeerId, addresses: &[PeerAddress]) {
        let Some(target) = to_libp2p(&peer) else { return self.tell(NetEvent::DialFailed(peer)) };
        if self.swarm.behaviour_mut().link().has_session(&target) {
            return;
        }
        let addresses = addresses.iter().filter_map(|address| address.as_str().parse().ok());
        let addresses = addresses.filter(|address| self.is_open_to_us(address)).collect();
        if let First::Dial(addresses) = self.dials.begin(target, addresses, Instant::now()) {
            self.dial_at(target, addresses);
        }
    }

    /// Another tab's introduction is open to those who are connected to it. Without that filter the relay client would
    /// try to connect to it first, and get in the way of our own dials.
    fn is_open_to_us(&self, address: &Multiaddr) -> bool {
        introducer_of(address).is_none_or(|introducer| self.sessions.contains_key(&introducer))
    }

    fn dial_at(&mut self, target: PeerId, addresses: Vec<Multiaddr>) {
        let opts =
            DialOpts::peer_id(target).condition(PeerCondition::NotDialing).addresses(addresses).build();
        if let Err(error) = self.swarm.dial(opts) {
            tracing::debug!(%target, %error, "peer cannot be dialled");
            self.dials.end(&target);
            if let Some(peer) = from_libp2p(&target) {
                self.tell(NetEvent::DialFailed(peer));
            }
        }
    }

    fn request(&mut self, peer: sync::PeerId, number: u64, body: Vec<u8>) {
        let connected = to_libp2p(&peer).filter(|peer| self.sessions.contains_key(peer));
        let Some(target) = connected else { return self.tell(NetEvent::RequestFailed(peer, number)) };
        let id = self.swarm.behaviour_mut().fetch().send_request(&target, body);
        self.requests.on_sent(id, number);
    }

    /// Says something outside the loop's own turn. When the channel is full the swarm is not being listened to, and what
    /// is said here (a dial or request that failed at once) will be found out by its timeout.
    fn tell(&self, event: NetEvent) {
        self.events.try_send(event).ok();
    }

    fn on_swarm_event(&mut self, event: SwarmEvent<BehaviourEvent>) -> Vec<NetEvent> {
        match event {
            SwarmEvent::Behaviour(event) => self.on_behaviour_event(event),
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, .. } => {
                self.on_connected(peer_id, connection_id, &endpoint);
                Vec::new()
            }
            SwarmEvent::ConnectionClosed { peer_id, connection_id, cause, num_established, .. } => {
                tracing::debug!(peer = %peer_id, ?cause, left = num_established, "connection closed");
                self.dials.on_closed(peer_id, connection_id);
                if num_established == 0 { self.lose_relay(&peer_id) } else { Vec::new() }
            }
            SwarmEvent::OutgoingConnectionError { peer_id: Some(peer), error, .. } => {
                tracing::debug!(%peer, %error, "dial failed");
                self.on_dial_failed(peer)
            }
            SwarmEvent::ListenerClosed { listener_id, addresses, .. } => {
                self.introducers.on_closed(listener_id, Instant::now());
                let relays = addresses.iter().filter_map(relay_of_circuit).collect::<Vec<_>>();
                relays.iter().flat_map(|relay| self.lose_relay(relay)).collect()
            }
            SwarmEvent::NewListenAddr { address, .. } if Path::of_address(&address) == Path::Other => {
                vec![self.listening()]
            }
            // Where a relay keeps a place for circuits, the `/webrtc` behaviour adds the direct address that goes with it.
            SwarmEvent::ExternalAddrConfirmed { address } | SwarmEvent::ExternalAddrExpired { address }
                if is_dialable(&address) =>
            {
                vec![self.listening()]
            }
            _ => Vec::new(),
        }
    }

    fn on_connected(&mut self, peer: PeerId, id: ConnectionId, endpoint: &ConnectedPoint) {
        match Path::of(endpoint) {
            Path::Other => {
                if let Some(listen) = self.relays.on_connected(&peer, Instant::now())
                    && let Err(error) = self.swarm.listen_on(listen)
                {
                    tracing::warn!(%peer, %error, "cannot listen at relay");
                    self.relays.on_lost(&peer, Instant::now());
                }
            }
            Path::Circuit => {
                let side = if endpoint.is_dialer() { Side::Ours } else { Side::Theirs };
                if let Some(relay) = relay_of(endpoint) {
                    self.dials.on_introduced(peer, relay);
                }
                let direct = self.dials.on_circuit(peer, id, side, Instant::now());
                if let Some(direct) = direct.filter(|_| !self.sessions.contains_key(&peer)) {
                    self.dial_at(peer, vec![direct]);
                }
            }
            Path::WebRtc => {}
        }
    }

    fn on_dial_failed(&mut self, peer: PeerId) -> Vec<NetEvent> {
        self.dials.end(&peer);
        let mut events = self.lose_relay(&peer);
        if !self.sessions.contains_key(&peer) {
            events.extend(from_libp2p(&peer).map(NetEvent::DialFailed));
        }
        events
    }

    fn lose_relay(&mut self, peer: &PeerId) -> Vec<NetEvent> {
        if self.relays.on_lost(peer, Instant::now()) { self.relay_event(peer, false) } else { Vec::new() }
    }

    fn relay_event(&self, peer: &PeerId, connected: bool) -> Vec<NetEvent> {
        let address =
            self.relays.address(peer).and_then(|address| PeerAddress::new(address.to_string()).ok());
        address.map(|address| NetEvent::Relay { address, connected }).into_iter().collect()
    }

    /// Where others can reach this node: by `/webrtc` through its relays, or at its own sockets.
    fn listening(&self) -> NetEvent {
        let direct = self.swarm.external_addresses().filter(|address| is_dialable(address));
        let sockets = self.swarm.listeners().filter(|address| Path::of_address(address) == Path::Other);
        let addresses =
            direct.chain(sockets).filter_map(|address| PeerAddress::new(address.to_string()).ok());
        NetEvent::Listening(addresses.take(MAX_ADDRESSES).collect())
    }

    fn on_behaviour_event(&mut self, event: BehaviourEvent) -> Vec<NetEvent> {
        match event {
            BehaviourEvent::Ledger(LedgerEvent::Link(event)) => {
                self.on_link_event(event).into_iter().collect()
            }
            BehaviourEvent::Ledger(LedgerEvent::Fetch(event)) => {
                self.on_fetch_event(event).into_iter().collect()
            }
            BehaviourEvent::Circuits(relay::client::Event::ReservationReqAccepted {
                relay_peer_id, ..
            }) => {
                if !self.relays.on_reserved(&relay_peer_id) {
                    return Vec::new();
                }
                let now = Instant::now();
                self.next_registration = now;
                self.next_discovery = now;
                self.relay_event(&relay_peer_id, true)
            }
            BehaviourEvent::Introducer(event) => self.on_guest(&event).into_iter().collect(),
            BehaviourEvent::Webrtc(webrtc::Event::Direct { circuits, .. }) => {
                for circuit in circuits {
                    self.swarm.close_connection(circuit);
                }
                Vec::new()
            }
            BehaviourEvent::Rendezvous(rendezvous::client::Event::Discovered { registrations, .. }) => {
                let records = registrations.into_iter().map(|registration| registration.record);
                records.filter_map(|record| self.discovered(record.peer_id(), record.addresses())).collect()
            }
            _ => Vec::new(),
        }
    }

    /// A tab that keeps its place with us can be introduced to all others we are connected to.
    fn on_guest(&mut self, event: &relay::Event) -> Option<NetEvent> {
        match event {
            relay::Event::ReservationReqAccepted { src_peer_id: guest, renewed: false } => {
                self.guests.insert(*guest);
                self.discovered(*guest, &[])
            }
            relay::Event::ReservationTimedOut { src_peer_id: guest }
            | relay::Event::ReservationClosed { src_peer_id: guest } => {
                self.guests.remove(guest);
                None
            }
            _ => None,
        }
    }

    /// A peer that can be dialled, with the addresses that this kind of node can use and those that we can offer others.
    fn discovered(&self, peer: PeerId, addresses: &[Multiaddr]) -> Option<NetEvent> {
        let local = *self.swarm.local_peer_id();
        if peer == local {
            return None;
        }
        let dialable = addresses.iter().filter(|address| is_dialable(address)).cloned();
        let guest = self.guests.contains(&peer).then(|| guest_address(local, peer));
        let addresses: Vec<PeerAddress> = guest
            .into_iter()
            .chain(dialable)
            .filter_map(|address| PeerAddress::new(address.to_string()).ok())
            .take(MAX_ADDRESSES)
            .collect();
        (!addresses.is_empty()).then_some(NetEvent::Discovered(from_libp2p(&peer)?, addresses))
    }

    fn on_link_event(&mut self, event: link::Event) -> Option<NetEvent> {
        match event {
            link::Event::Up { peer, endpoint } => {
                self.sessions.insert(peer, Path::of(&endpoint));
                let introducer = self.dials.take_introducer(&peer);
                let known_as = self.dials.end(&peer);
                Some(NetEvent::Up(from_libp2p(&peer)?, peer_info(&endpoint, known_as, introducer)))
            }
            link::Event::Down { peer } => {
                self.sessions.remove(&peer);
                Some(NetEvent::Down(from_libp2p(&peer)?))
            }
            link::Event::Frame { peer, bytes } => Some(NetEvent::Link(from_libp2p(&peer)?, bytes)),
        }
    }

    fn on_fetch_event(&mut self, event: request_response::Event<Vec<u8>, Vec<u8>>) -> Option<NetEvent> {
        use request_response::{Event, Message};
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
            Event::InboundFailure { request_id, .. } => {
                self.requests.forget_received(request_id);
                None
            }
            Event::ResponseSent { .. } => None,
        }
    }
}

/// The relay that a circuit goes through.
fn relay_of(endpoint: &ConnectedPoint) -> Option<PeerId> {
    match endpoint {
        ConnectedPoint::Dialer { address, .. } => relay_of_circuit(address),
        ConnectedPoint::Listener { local_addr, .. } => relay_of_circuit(local_addr),
    }
}

/// `known_as` is the address that a direct connection was dialled by; its own is good only while there is a circuit.
fn peer_info(endpoint: &ConnectedPoint, known_as: Option<Multiaddr>, introducer: Option<PeerId>) -> PeerInfo {
    let path = Path::of(endpoint);
    let kind = match path {
        Path::WebRtc => ConnectionKind::Direct,
        Path::Circuit => ConnectionKind::Relayed,
        Path::Other => ConnectionKind::Native,
    };
    let address = match endpoint {
        ConnectedPoint::Dialer { .. } if path == Path::WebRtc => known_as,
        ConnectedPoint::Dialer { address, .. } => Some(address.clone()),
        // Where an inbound connection came from is not where its peer listens.
        ConnectedPoint::Listener { .. } => None,
    };
    let address = address.and_then(|address| PeerAddress::new(address.to_string()).ok());
    let introducer = introducer.and_then(|introducer| from_libp2p(&introducer));
    PeerInfo { kind, outbound: endpoint.is_dialer(), address, introducer }
}
