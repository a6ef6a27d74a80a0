//! What the browser itself says about a connection.

use libp2p::PeerId;
use libp2p_webrtc_browser::{self as webrtc, ConnectionStats};
use tabchain_sync as sync;

/// Reads `RTCPeerConnection.getStats` of the direct connection with a peer: the selected candidate pair and its bytes.
/// `None`: there is no such connection in this tab.
pub async fn path_stats(peer: &sync::PeerId) -> Option<ConnectionStats> {
    webrtc::stats(PeerId::from_bytes(peer.as_bytes()).ok()?).await
}
