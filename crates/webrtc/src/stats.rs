//! What the browser says about live connections: the proof that bytes travel directly.

use libp2p_identity::PeerId;

use crate::imp;

/// Statistics of one direct connection, from `RTCPeerConnection.getStats()`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ConnectionStats {
    /// The kind of the local candidate in use: `host`, `srflx`, `prflx` or `relay` (TURN). Empty when no pair is selected.
    pub local_candidate_type: String,
    /// The kind of the remote candidate in use.
    pub remote_candidate_type: String,
    /// The transport protocol of the local candidate: `udp` or `tcp`.
    pub protocol: String,
    /// Bytes sent directly, on this connection.
    pub bytes_sent: u64,
    /// Bytes received directly, on this connection.
    pub bytes_received: u64,
    /// The latest round trip, in seconds.
    pub round_trip_time: Option<f64>,
    /// Data channels opened so far.
    pub channels_opened: u64,
    /// Data channels closed so far.
    pub channels_closed: u64,
}

/// Asks the browser about the direct connection to a peer; of several, the newest. `None` when there is none.
pub fn stats(peer: PeerId) -> impl Future<Output = Option<ConnectionStats>> + Send {
    imp::stats(peer)
}
