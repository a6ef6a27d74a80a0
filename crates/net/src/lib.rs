//! The libp2p swarm: bytes in, bytes out.
//!
//! A [`Net`] joins the peer-to-peer network and says what happens there as [`NetEvent`]s; whoever drives it answers with
//! [`NetCommand`]s. It keeps reservations at its relays, finds other nodes there, connects to them directly, and carries
//! two protocols of ours on one connection to each: `link` (small frames) and `fetch` (request and response). That is a
//! direct connection wherever there can be one; where there can't, it is a relay's circuit, within the relay's limits, and
//! a direct one is tried again. What the bytes mean it does not know: that is `tabchain-sync`, in the core, where it can be
//! simulated.
//!
//! In a tab it runs on the window, which alone has `RTCPeerConnection`, and reaches other tabs by `/webrtc`. On a server
//! it is the same swarm with TCP and WebSocket.
//!
//! Bounds: 96 connections, 4 a peer; 1 MiB waits for a slow reader and 32 requests are open a connection and direction;
//! frames, requests and responses have the sizes that `docs/protocol.md` gives; of responses 32 MiB are on their way to a peer
//! and 64 MiB in all. The channels of the [`NetHandle`] hold [`COMMANDS`] and [`EVENTS`], and while nobody takes events the
//! swarm waits.

mod address;
mod behaviour;
mod config;
mod counts;
mod detours;
mod dials;
mod fetch;
mod introducers;
mod link;
mod message;
mod path;
mod pauses;
mod places;
mod relays;
mod rendezvous;
mod requests;
mod swarm;
mod transport;
#[cfg(target_arch = "wasm32")]
mod watched;

pub use config::{IceServers, NetConfig};
pub use counts::{ConnectionCounts, Counts, DirectFailures};
pub use libp2p_webrtc_browser::{ConnectionStats, IceServer};
pub use message::{MAX_ADDRESSES, NetCommand, NetEvent};
pub use path::path_stats;
pub use swarm::{COMMANDS, EVENTS, Net, NetHandle};

/// Why a swarm could not be started.
#[derive(Debug, thiserror::Error)]
pub enum NetError {
    /// Not a multiaddress that ends in `/p2p/<id>`.
    #[error(
        "\"{0}\" is not a relay's address: it must be a multiaddress that ends in /p2p/ and the relay's id"
    )]
    InvalidRelay(String),
    /// More relays than a node uses.
    #[error("{0} relays are more than the 8 that a node uses")]
    TooManyRelays(usize),
    /// The secure channel could not be set up.
    #[error("the noise handshake could not be set up: {0}")]
    Noise(#[from] libp2p::noise::Error),
    /// The system's name servers could not be read.
    #[error("cannot read how this system resolves names: {0}")]
    Names(std::io::Error),
    /// An address could not be listened on.
    #[error("cannot listen: {0}")]
    Listen(#[from] libp2p::TransportError<std::io::Error>),
}
