//! Browser-to-browser WebRTC for rust-libp2p: the `/webrtc` transport of the libp2p specification, for `wasm32`.
//!
//! Two tabs can't listen for connections. They can both connect to a relay, though, and over the relayed connection
//! exchange what their browsers need to find a direct path. This crate does the exchange and turns the direct path
//! into a libp2p connection, on which any protocol runs. The relay sees the few kilobytes of the exchange, no more.
//!
//! ```text
//!            1. circuit                    1. circuit
//!     tab A ------------------ relay ------------------ tab B
//!       |   2. offer, answer, candidates over the circuit   |
//!       |                                                   |
//!       +------------------- 3. direct ---------------------+
//!                  one data channel per stream
//! ```
//!
//! # The two halves
//!
//! [`new`] returns a [`Transport`] and a [`Behaviour`] that work together, as `libp2p_relay::client::new` does.
//!
//! - The transport goes **first**, before the relay's: the relay client takes `.../p2p-circuit/webrtc/...` for an
//!   address of its own.
//! - Listen on `<relay>/p2p/R/p2p-circuit` (relay client) and on `/webrtc` (this crate).
//! - Dial `<relay>/p2p/R/p2p-circuit/webrtc/p2p/B`. The transport asks the behaviour for a signalling stream; the
//!   behaviour uses a relayed connection to `B` that is there, or dials the circuit for it. When there is a relayed
//!   connection already, `/webrtc/p2p/B` is enough; then no part of libp2p mistakes the result for a relayed one.
//! - Dial the `/webrtc` address alone. When a circuit address goes along, the circuit wins the race.
//!
//! `ConnectedPoint::is_relayed` is true for a direct connection that was dialled with its long address. Use [`Path`].
//!
//! The relayed connection stays open after the upgrade, as in other implementations. Close it when [`Event::Direct`]
//! says so (`CloseConnection::One`); what application protocols do on circuits is for the application to decide.
//!
//! # Security
//!
//! There is no Noise handshake. The fingerprints of both DTLS certificates travel over the relayed connection, which is
//! authenticated and encrypted end to end, so the remote peer is the one at the other end of that.
//!
//! # Bounds
//!
//! What a peer can make grow: a signalling message (64 KiB), candidates (64), negotiations at once
//! ([`Config::with_max_negotiations`]; one inbound a peer), streams that nobody has accepted yet (1,024 a
//! connection), received bytes that nobody has read yet ([`Config::with_receive_buffer`] a stream and four times that a
//! connection; a stream that exceeds it is reset), a data channel that stays half closed (10 s).
//!
//! # Elsewhere than in a browser
//!
//! Everything compiles; the behaviour and the signalling are the same, and dials fail with [`Error::Unsupported`].

mod address;
mod behaviour;
mod config;
mod error;
mod handler;
mod imp;
mod metrics;
mod negotiations;
mod stats;
#[cfg_attr(not(target_arch = "wasm32"), allow(dead_code, reason = "streams exist in a browser only"))]
mod stream;
mod transport;
#[cfg_attr(not(target_arch = "wasm32"), allow(dead_code, reason = "streams exist in a browser only"))]
mod wire;

pub use address::Path;
pub use behaviour::{Behaviour, Event};
pub use config::{Config, IceServer};
pub use error::{ConnectionError, Error, SignalingError, Stage, WireError};
pub use imp::{Connection, Stream};
pub use metrics::{Attempts, Metrics, Reason};
pub use stats::{ConnectionStats, stats};
pub use transport::Transport;

/// The protocol that carries offers, answers and candidates over a relayed connection.
pub const SIGNALING_PROTOCOL: libp2p_swarm::StreamProtocol =
    libp2p_swarm::StreamProtocol::new("/webrtc-signaling/0.0.1");

/// Creates the transport and the behaviour that belongs to it.
///
/// Both must be used: the transport waits for the behaviour to supply signalling streams.
pub fn new(config: Config) -> (Transport, Behaviour) {
    let (to_behaviour, requests) = futures::channel::mpsc::channel(transport::REQUESTS);
    let (to_transport, incoming) = futures::channel::mpsc::channel(transport::INCOMING);
    let counters = metrics::Counters::default();
    let behaviour = Behaviour::new(&config, requests, to_transport, counters.clone());
    (Transport::new(config, to_behaviour, incoming, counters), behaviour)
}
