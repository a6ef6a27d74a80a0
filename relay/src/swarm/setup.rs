//! How the swarm is put together: transport, behaviours and their limits.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use libp2p::connection_limits::{self, ConnectionLimits};
use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::{Boxed, Transport as _};
use libp2p::core::upgrade::Version;
use libp2p::identity::Keypair;
use libp2p::swarm::NetworkBehaviour;
use libp2p::{PeerId, identify, noise, ping, relay, tcp, websocket, yamux};

use crate::config::Config;
use crate::meter::Metered;
use crate::metrics::Metrics;
use crate::pace::Allowance;
use crate::rendezvous;

/// What the relay calls its protocols in `identify`.
const PROTOCOL_VERSION: &str = "/tabchain/relay/1";

/// How long the handshakes of a connection may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// The largest WebSocket message taken in: many Noise frames, far from libp2p's 256 MiB.
const MAX_WEBSOCKET_MESSAGE: usize = 1 << 20;

/// What the relay does on each connection.
#[derive(NetworkBehaviour)]
pub(super) struct Behaviour {
    pub(super) limits: connection_limits::Behaviour,
    pub(super) relay: relay::Behaviour,
    pub(super) rendezvous: rendezvous::Behaviour,
    pub(super) identify: identify::Behaviour,
    pub(super) ping: ping::Behaviour,
}

/// TCP, WebSocket, Noise and yamux, with every stream counted and circuits kept to their pace.
pub(super) fn transport(
    config: &Config,
    keypair: &Keypair,
    metrics: Arc<Metrics>,
) -> Boxed<(PeerId, StreamMuxerBox)> {
    let pace = config.circuit_bytes_per_second.get();
    let mut websocket = websocket::Config::new(tcp::tokio::Transport::new(tcp::Config::default()));
    websocket.set_max_data_size(MAX_WEBSOCKET_MESSAGE);
    websocket
        .upgrade(Version::V1Lazy)
        .authenticate(noise::Config::new(keypair).expect("an Ed25519 key can sign a Noise key"))
        .multiplex(yamux::Config::default())
        .timeout(HANDSHAKE_TIMEOUT)
        .map(move |(peer, muxer), _| {
            let metered = Metered::new(muxer, metrics.clone(), Allowance::new(pace));
            (peer, StreamMuxerBox::new(metered))
        })
        .boxed()
}

/// The behaviours, with their limits from the settings.
pub(super) fn behaviour(config: &Config, keypair: &Keypair) -> Behaviour {
    let limits = ConnectionLimits::default()
        .with_max_pending_incoming(Some(config.max_pending_connections.get()))
        .with_max_established(Some(config.max_connections.get()))
        .with_max_established_per_peer(Some(config.max_connections_per_peer.get()));
    let about = identify::Config::new(PROTOCOL_VERSION.to_owned(), keypair.public())
        .with_agent_version(concat!("tabchain-relay/", env!("CARGO_PKG_VERSION")).to_owned())
        .with_hide_listen_addrs(true)
        .with_cache_size(0);
    Behaviour {
        limits: connection_limits::Behaviour::new(limits),
        relay: relay::Behaviour::new(keypair.public().to_peer_id(), relay_config(config)),
        rendezvous: rendezvous::behaviour(),
        identify: identify::Behaviour::new(about),
        ping: ping::Behaviour::new(ping::Config::new()),
    }
}

fn relay_config(config: &Config) -> relay::Config {
    // libp2p compares its limits per peer with "more than", which lets in one more than they say.
    relay::Config {
        max_reservations: count(config.max_reservations),
        max_reservations_per_peer: count(config.max_reservations_per_peer) - 1,
        reservation_duration: config.reservation_duration(),
        reservation_rate_limiters: Vec::new(),
        max_circuits: count(config.max_circuits),
        max_circuits_per_peer: count(config.max_circuits_per_peer) - 1,
        max_circuit_duration: config.circuit_duration(),
        max_circuit_bytes: config.circuit_bytes.get(),
        circuit_src_rate_limiters: Vec::new(),
    }
    .reservation_rate_per_peer(
        config.max_reservation_requests_per_minute,
        refill(config.max_reservation_requests_per_minute),
    )
    .circuit_src_per_peer(
        config.max_circuit_requests_per_minute,
        refill(config.max_circuit_requests_per_minute),
    )
}

/// How often one request comes back to a peer that may make so many a minute.
fn refill(per_minute: NonZeroU32) -> Duration {
    Duration::from_mins(1) / per_minute.get()
}

fn count(limit: NonZeroU32) -> usize {
    usize::try_from(limit.get()).expect("a usize has at least 32 bits here")
}
