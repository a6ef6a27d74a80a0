//! The swarm's loop: events of libp2p become [`NetEvent`]s, [`NetCommand`]s become calls.
//!
//! What happens to connections is in [`connections`], what happens on them in [`sessions`]; how nodes learn of each other is in
//! [`finding`], and where they are introduced in [`places`].

mod connections;
mod finding;
mod places;
mod sessions;

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use async_channel::{Receiver, Sender};
use futures::{FutureExt, StreamExt, select};
use futures_timer::Delay;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::SwarmEvent;
use libp2p::{Multiaddr, PeerId, Swarm, ping, relay};
use libp2p_webrtc_browser::{self as webrtc, Path};
use tabchain_sync::PeerAddress;
use web_time::{Instant, SystemTime};

use crate::address::{is_dialable, to_libp2p};
use crate::behaviour::{Behaviour, BehaviourEvent};
use crate::config::NetConfig;
use crate::counts::Counts;
use crate::detours::Detours;
use crate::dials::Dials;
use crate::introducers::Introducers;
use crate::message::{NetCommand, NetEvent};
use crate::places::Places;
use crate::relays::Relays;
use crate::rendezvous::Rendezvous;
use crate::requests::Requests;
use crate::{NetError, transport};

/// How many commands may wait. Each may hold an answer of some MiB, so whoever drives the swarm keeps the others back.
pub const COMMANDS: usize = 16;
/// How many events may wait.
pub const EVENTS: usize = 256;

const TICK: Duration = Duration::from_secs(1);
/// A tick that comes so late says that the machine, or this tab, was asleep.
const ASLEEP: Duration = Duration::from_secs(15);
/// What hurries everything is heard at most so often.
const HURRY: Duration = Duration::from_secs(5);

/// The two ends that whoever drives a [`Net`] holds.
pub struct NetHandle {
    /// Takes commands.
    pub commands: Sender<NetCommand>,
    /// Gives events.
    pub events: Receiver<NetEvent>,
    /// Tells what became of attempts to connect.
    pub counts: Counts,
}

/// A session with a peer.
#[derive(Clone, Copy)]
struct Session {
    path: Path,
    /// Whether we made the connection that it runs on.
    outbound: bool,
}

/// The swarm. It lives while [`Net::run`] is polled.
pub struct Net {
    swarm: Swarm<Behaviour>,
    relays: Relays,
    requests: Requests,
    sessions: HashMap<PeerId, Session>,
    dials: Dials,
    detours: Detours,
    places: Places,
    introducers: Introducers,
    guests: HashSet<PeerId>,
    rendezvous: Rendezvous,
    commands: Receiver<NetCommand>,
    events: Sender<NetEvent>,
    counts: Counts,
    next_discovery: Instant,
    next_registration: Instant,
    next_hurry: Instant,
    last_tick: SystemTime,
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
        let (command_sender, commands) = async_channel::bounded(COMMANDS);
        let (events, event_receiver) = async_channel::bounded(EVENTS);
        let counts = Counts::default();
        let net = Self {
            swarm,
            relays: Relays::new(config.relays, seed, now),
            requests: Requests::default(),
            sessions: HashMap::new(),
            dials: Dials::new(local),
            detours: Detours::new(seed),
            places: Places::default(),
            introducers: Introducers::default(),
            guests: HashSet::new(),
            rendezvous: Rendezvous::new(config.key, config.namespace),
            commands,
            events,
            counts: counts.clone(),
            next_discovery: now,
            next_registration: now,
            next_hurry: now,
            last_tick: SystemTime::now(),
        };
        Ok((net, NetHandle { commands: command_sender, events: event_receiver, counts }))
    }

    /// Runs until [`NetCommand::Shutdown`], or until the handle is dropped.
    pub async fn run(mut self) {
        let mut tick = Delay::new(Duration::ZERO).fuse();
        loop {
            let out = select! {
                event = self.swarm.select_next_some() => self.on_swarm_event(event),
                command = self.commands.recv().fuse() => match command {
                    Ok(NetCommand::Shutdown) | Err(_) => return,
                    Ok(command) => self.on_command(command),
                },
                () = tick => {
                    // A fresh timer each time: an expired one may not be polled again on wasm32.
                    tick = Delay::new(TICK).fuse();
                    self.on_tick()
                }
            };
            for event in out {
                if self.events.send(event).await.is_err() {
                    return;
                }
            }
        }
    }

    fn on_tick(&mut self) -> Vec<NetEvent> {
        let mut out = if self.has_slept() { self.hurry() } else { Vec::new() };
        let now = Instant::now();
        for silent in self.relays.silent(now) {
            tracing::debug!(relay = %silent, "relay does not answer");
            self.swarm.disconnect_peer_id(silent).ok();
        }
        for relay in self.relays.due(now) {
            tracing::debug!(%relay, "dialling relay");
            if let Err(error) = self.swarm.dial(relay) {
                tracing::debug!(%error, "relay cannot be dialled");
            }
        }
        for peer in self.dials.expire(now) {
            out.extend(self.dial_failed(&peer));
        }
        out.extend(self.follow_detours(now));
        self.ask_for_a_place(now);
        if now >= self.next_registration {
            self.register(now);
        }
        if now >= self.next_discovery {
            self.discover(now);
        }
        out
    }

    /// Whether this tick is so late that the machine must have been asleep. The clock on the wall tells: others may stand
    /// still in the meantime.
    fn has_slept(&mut self) -> bool {
        let now = SystemTime::now();
        let since = now.duration_since(std::mem::replace(&mut self.last_tick, now));
        since.is_ok_and(|since| since > ASLEEP)
    }

    /// What failed before may succeed now: tries it all at once, and looks whether the relays are still there.
    fn hurry(&mut self) -> Vec<NetEvent> {
        let now = Instant::now();
        if now < self.next_hurry {
            return Vec::new();
        }
        tracing::debug!("awake");
        self.next_hurry = now + HURRY;
        self.relays.hurry(now);
        self.detours.hurry(now);
        self.discover(now);
        vec![NetEvent::Woke]
    }

    fn on_command(&mut self, command: NetCommand) -> Vec<NetEvent> {
        match command {
            NetCommand::Dial(peer, addresses) => return self.dial(peer, &addresses),
            NetCommand::Disconnect(peer) => self.disconnect(&peer),
            NetCommand::Link(peer, frame) => {
                if let Some(peer) = to_libp2p(&peer) {
                    self.swarm.behaviour_mut().link.send(peer, frame);
                }
            }
            NetCommand::Request(peer, number, body) => return self.request(peer, number, body),
            NetCommand::Respond(peer, number, body) => {
                // Without a channel, as with a refusal, the stream is reset.
                let channel =
                    to_libp2p(&peer).and_then(|peer| self.requests.answer(peer, number, body.len()));
                if let Some(channel) = channel {
                    self.swarm.behaviour_mut().fetch.send_response(channel, body);
                }
            }
            NetCommand::Refuse(peer, number) => {
                // Dropping the channel resets the stream.
                to_libp2p(&peer).and_then(|peer| self.requests.take_received(peer, number));
            }
            NetCommand::UseRelays(addresses) => return self.use_relays(&addresses),
            NetCommand::Wake => {
                let mut out = self.hurry();
                out.extend(self.on_tick());
                return out;
            }
            NetCommand::Shutdown => {}
        }
        Vec::new()
    }

    fn use_relays(&mut self, addresses: &[PeerAddress]) -> Vec<NetEvent> {
        let addresses = addresses.iter().filter_map(|address| address.as_str().parse().ok());
        for peer in self.relays.replace(addresses, Instant::now()) {
            self.swarm.disconnect_peer_id(peer).ok();
        }
        self.on_tick()
    }

    fn on_swarm_event(&mut self, event: SwarmEvent<BehaviourEvent>) -> Vec<NetEvent> {
        match event {
            SwarmEvent::Behaviour(event) => self.on_behaviour_event(event),
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, .. } => {
                self.on_connected(peer_id, connection_id, &endpoint)
            }
            SwarmEvent::ConnectionClosed {
                peer_id, connection_id, cause, endpoint, num_established, ..
            } => {
                tracing::debug!(peer = %peer_id, ?cause, left = num_established, "connection closed");
                let mut out = self.on_disconnected(peer_id, connection_id, &endpoint);
                if num_established == 0 {
                    out.extend(self.lose_relay(&peer_id));
                }
                out
            }
            SwarmEvent::OutgoingConnectionError { peer_id: Some(peer), error, .. } => {
                tracing::debug!(%peer, %error, "dial failed");
                self.on_dial_failed(peer, &error)
            }
            SwarmEvent::ListenerClosed { listener_id, .. } => self.on_place_closed(listener_id),
            SwarmEvent::NewListenAddr { address, .. } if Path::of_address(&address) == Path::Other => {
                vec![self.on_moved()]
            }
            SwarmEvent::NewListenAddr { listener_id, address } => self.on_place_address(listener_id, address),
            // Where a relay keeps a place for circuits, the `/webrtc` behaviour adds the direct address that goes with it.
            SwarmEvent::ExternalAddrConfirmed { address } | SwarmEvent::ExternalAddrExpired { address }
                if is_dialable(&address) =>
            {
                vec![self.on_moved()]
            }
            _ => Vec::new(),
        }
    }

    fn lose_relay(&mut self, peer: &PeerId) -> Vec<NetEvent> {
        if self.relays.on_lost(peer, Instant::now()) { self.relay_event(peer, false) } else { Vec::new() }
    }

    fn relay_event(&self, peer: &PeerId, connected: bool) -> Vec<NetEvent> {
        let address =
            self.relays.address(peer).and_then(|address| PeerAddress::new(address.to_string()).ok());
        address.map(|address| NetEvent::Relay { address, connected }).into_iter().collect()
    }

    fn on_behaviour_event(&mut self, event: BehaviourEvent) -> Vec<NetEvent> {
        match event {
            BehaviourEvent::Link(event) => self.on_link_event(event),
            BehaviourEvent::Fetch(event) => self.on_fetch_event(event).into_iter().collect(),
            BehaviourEvent::Ping(ping::Event { connection, result: Err(error), .. }) => {
                if !matches!(error, ping::Failure::Unsupported) {
                    tracing::debug!(%connection, %error, "no answer to pings");
                    self.swarm.close_connection(connection);
                }
                Vec::new()
            }
            BehaviourEvent::Circuits(relay::client::Event::ReservationReqAccepted {
                relay_peer_id,
                renewal,
                ..
            }) => self.on_place_kept(relay_peer_id, renewal),
            BehaviourEvent::Introducer(event) => self.on_guest(&event).into_iter().collect(),
            BehaviourEvent::Webrtc(webrtc::Event::Direct { peer, circuits, .. }) => {
                self.on_direct(&peer, circuits);
                Vec::new()
            }
            BehaviourEvent::Rendezvous(reply) => {
                self.rendezvous.on_reply(reply).map_or_else(Vec::new, |event| self.on_rendezvous(event))
            }
            _ => Vec::new(),
        }
    }
}
