//! `tabchain-relay`: introduces browser tabs to each other, and has no power over what they keep.
//!
//! It serves the page and tells a tab in `/bootstrap.json` what it needs to join; over libp2p (WebSocket) it lends tabs a
//! circuit for signalling (circuit relay v2) and a place to find each other (rendezvous); over UDP it answers STUN. When
//! it is gone, the tabs that are connected go on without it.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use tabchain_relay::{Relay, config::Config};
//!
//! let relay = Relay::start(Config::default()).await?;
//! println!("{}", relay.addresses());
//! relay.stop().await;
//! # Ok(())
//! # }
//! ```
//!
//! Bounds: every module that holds something for a peer says in its first lines what caps it; the caps are settings of
//! [`config::Config`].

pub mod bootstrap;
pub mod config;
pub mod http;
pub mod identity;
pub mod meter;
pub mod metrics;
pub mod pace;
pub mod page;
mod rendezvous;
pub mod stun;
mod swarm;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use libp2p::PeerId;
use thiserror::Error;
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::bootstrap::Facts;
use crate::config::Config;
use crate::http::Gate;
use crate::identity::IdentityError;
use crate::metrics::Metrics;
use crate::stun::Limiter;
use crate::swarm::Network;

/// A running relay.
#[derive(Debug)]
pub struct Relay {
    addresses: Addresses,
    peer_id: PeerId,
    stop: watch::Sender<bool>,
    parts: JoinSet<Service>,
    stun: JoinHandle<()>,
    drain: Duration,
}

/// Where a relay can be reached, as it is told to the browser on this machine.
///
/// Its text is one line for programs: `ready http=<url> ws=<multiaddress> stun=<host:port>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addresses {
    /// The page's URL.
    pub http: String,
    /// The libp2p multiaddress, with the peer id.
    pub ws: String,
    /// The STUN server, `host:port`.
    pub stun: String,
}

impl fmt::Display for Addresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ready http={} ws={} stun={}", self.http, self.ws, self.stun)
    }
}

/// What a relay listens for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// The page and the HTTP API.
    Http,
    /// libp2p over WebSocket.
    WebSocket,
    /// STUN over UDP.
    Stun,
}

impl Service {
    /// The setting that chooses its port.
    pub fn port_key(self) -> &'static str {
        match self {
            Self::Http => "http_port",
            Self::WebSocket => "ws_port",
            Self::Stun => "stun_port",
        }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http => "the page (HTTP)",
            Self::WebSocket => "libp2p (WebSocket)",
            Self::Stun => "STUN (UDP)",
        })
    }
}

/// Why a relay doesn't start.
#[derive(Debug, Error)]
pub enum StartError {
    /// There is no identity.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// Something else listens on the port already.
    #[error(
        "port {port} for {service} is taken: end what listens there, or choose another with --{} (0 picks a free one)",
        service.port_key().replace('_', "-")
    )]
    PortTaken {
        /// What the port is for.
        service: Service,
        /// The port.
        port: u16,
    },
    /// The address can't be listened on for another reason.
    #[error("can't listen on {address} for {service}: {source}")]
    Unbindable {
        /// What it is for.
        service: Service,
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
}

impl Relay {
    /// Listens for everything and begins to serve.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        let keypair = identity::load_or_create(&config.data_dir)?;
        let peer_id = keypair.public().to_peer_id();
        let metrics = Arc::new(Metrics::new());

        let failed = |service, port| {
            let address = SocketAddr::new(config.listen, port);
            move |source: io::Error| match source.kind() {
                io::ErrorKind::AddrInUse => StartError::PortTaken { service, port },
                _ => StartError::Unbindable { service, address, source },
            }
        };
        let http_failed = failed(Service::Http, config.http_port);
        let stun_failed = failed(Service::Stun, config.stun_port);
        let listener = TcpListener::bind((config.listen, config.http_port)).await.map_err(&http_failed)?;
        let http_port = listener.local_addr().map_err(&http_failed)?.port();
        let socket = UdpSocket::bind((config.listen, config.stun_port)).await.map_err(&stun_failed)?;
        let stun_port = socket.local_addr().map_err(&stun_failed)?.port();
        claim(SocketAddr::new(config.listen, config.ws_port))
            .map_err(failed(Service::WebSocket, config.ws_port))?;
        let network = Network::listen(&config, &keypair, metrics.clone())
            .await
            .map_err(failed(Service::WebSocket, config.ws_port))?;

        let facts = Arc::new(Facts::new(config.clone(), peer_id, network.port(), stun_port));
        let addresses = addresses(&config, &facts, http_port, stun_port);
        let (stop, stopped) = watch::channel(false);
        let mut parts = JoinSet::new();
        let gate = Gate::new(listener, limit(config.max_http_connections));
        let router = http::router(facts, metrics.clone(), page::find);
        parts.spawn(serve_http(gate, router, stopped.clone()));
        parts.spawn(async move {
            network.run(stopped).await;
            Service::WebSocket
        });
        let limiter = Limiter::new(config.max_stun_per_second, config.max_stun_sources);
        let stun = tokio::spawn(stun::serve(socket, limiter, metrics));
        Ok(Self { addresses, peer_id, stop, parts, stun, drain: config.drain_duration() })
    }

    /// Where it can be reached.
    pub fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// Its libp2p identity.
    pub fn peer_id(&self) -> PeerId {
        self.peer_id
    }

    /// Waits until a part of the relay ends by itself, which is a failure: it names the part when it is known.
    pub async fn broken(&mut self) -> Option<Service> {
        tokio::select! {
            part = self.parts.join_next() => part.and_then(Result::ok),
            _ = &mut self.stun => Some(Service::Stun),
        }
    }

    /// Takes no new connections or reservations, lets open circuits end for as long as the settings allow, then closes.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        let deadline = self.drain + Duration::from_secs(1);
        let ended = async { while self.parts.join_next().await.is_some() {} };
        if tokio::time::timeout(deadline, ended).await.is_err() {
            tracing::info!("some connections did not end in time and are cut");
        }
        self.stun.abort();
    }
}

async fn serve_http(gate: Gate, router: axum::Router, mut stopped: watch::Receiver<bool>) -> Service {
    let signal = async move {
        // A dropped sender means that nobody is left to say stop: the relay itself is gone.
        let _ = stopped.wait_for(|stop| *stop).await;
    };
    if let Err(error) = axum::serve(gate, router).with_graceful_shutdown(signal).await {
        tracing::error!(%error, "the HTTP server ended");
    }
    Service::Http
}

/// Makes sure that nobody else listens at `address`. libp2p would share the port with them and get half the connections.
fn claim(address: SocketAddr) -> io::Result<()> {
    std::net::TcpListener::bind(address).map(drop)
}

fn addresses(config: &Config, facts: &Facts, http_port: u16, stun_port: u16) -> Addresses {
    let host = facts.default_host();
    let http = if config.behind_proxy {
        format!("https://{host}")
    } else {
        format!("http://{}", host.with_port(http_port))
    };
    Addresses { http, ws: facts.relay_address(&host), stun: host.with_port(stun_port) }
}

fn limit(limit: std::num::NonZeroU32) -> usize {
    usize::try_from(limit.get()).expect("a usize has at least 32 bits here")
}
