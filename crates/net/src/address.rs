//! What addresses say, and ids as both sides of this crate have them.

use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};
use libp2p_webrtc_browser::Path;
use tabchain_sync as sync;

use crate::transport;

/// Whether an address that somebody told of can be dialled from here: in a tab, one circuit with `/webrtc` at its end. (What
/// a tab that introduces hands out is made from all its addresses, and some of those have a circuit already.)
pub(crate) fn is_dialable(address: &Multiaddr) -> bool {
    let path = Path::of_address(address);
    let circuits = address.iter().filter(|protocol| matches!(protocol, Protocol::P2pCircuit)).count();
    path == transport::DISCOVERED && (path != Path::WebRtc || circuits == 1)
}

/// The relay that a circuit address goes through.
pub(crate) fn relay_of_circuit(address: &Multiaddr) -> Option<PeerId> {
    let before = address.iter().take_while(|protocol| !matches!(protocol, Protocol::P2pCircuit));
    let has_circuit = address.iter().any(|protocol| matches!(protocol, Protocol::P2pCircuit));
    match before.last() {
        Some(Protocol::P2p(relay)) if has_circuit => Some(relay),
        _ => None,
    }
}

pub(crate) fn to_libp2p(peer: &sync::PeerId) -> Option<PeerId> {
    PeerId::from_bytes(peer.as_bytes()).ok()
}

pub(crate) fn from_libp2p(peer: &PeerId) -> Option<sync::PeerId> {
    sync::PeerId::new(&peer.to_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RELAY: &str = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";

    #[test]
    fn a_circuit_address_names_its_relay() {
        let own = PeerId::random();
        let relay: PeerId = RELAY.parse().expect("valid");
        let parse = |text: String| text.parse::<Multiaddr>().expect("valid");
        let check = |text: String, expected| assert_eq!(relay_of_circuit(&parse(text)), expected);
        check(format!("/ip4/127.0.0.1/tcp/1/ws/p2p/{RELAY}/p2p-circuit/p2p/{own}"), Some(relay));
        check(format!("/webrtc/p2p/{RELAY}/p2p-circuit/webrtc/p2p/{own}"), Some(relay));
        check(format!("/ip4/127.0.0.1/tcp/1/ws/p2p/{RELAY}"), None);
        check(format!("/webrtc/p2p/{own}"), None);
    }
}
