//! Which addresses are ours, and what an address says about a connection.

use libp2p_core::{ConnectedPoint, Multiaddr, multiaddr::Protocol};
use libp2p_identity::PeerId;

/// How the bytes of a connection travel.
///
/// `ConnectedPoint::is_relayed` can't tell: the address of a direct connection may name the circuit it was signalled
/// over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Path {
    /// Directly between two browsers.
    WebRtc,
    /// Through a relay.
    Circuit,
    /// Directly, by another transport.
    Other,
}

impl Path {
    /// The path of an established connection.
    pub fn of(endpoint: &ConnectedPoint) -> Self {
        match endpoint {
            ConnectedPoint::Dialer { address, .. } => Self::of_address(address),
            ConnectedPoint::Listener { local_addr, .. } => Self::of_address(local_addr),
        }
    }

    /// The path that the last step of an address takes. For an inbound connection, pass the local address.
    pub fn of_address(address: &Multiaddr) -> Self {
        address
            .iter()
            .filter_map(|protocol| match protocol {
                Protocol::WebRTC => Some(Self::WebRtc),
                Protocol::P2pCircuit => Some(Self::Circuit),
                _ => None,
            })
            .last()
            .unwrap_or(Self::Other)
    }
}

/// What a dialled `/webrtc` address says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) peer: PeerId,
    /// The circuit to signal over, ending in the peer, when the address names one.
    pub(crate) circuit: Option<Multiaddr>,
}

impl Target {
    /// Reads `[<circuit>]/webrtc/p2p/<peer>`. `None`: not an address for this transport.
    pub(crate) fn parse(address: &Multiaddr) -> Option<Self> {
        let parts: Vec<_> = address.iter().collect();
        let (peer, before) = match parts.as_slice() {
            [before @ .., Protocol::WebRTC, Protocol::P2p(peer)] => (*peer, before),
            _ => return None,
        };
        let relay = match before {
            [] => return Some(Self { peer, circuit: None }),
            [relay @ .., Protocol::P2pCircuit] => relay,
            [relay @ .., Protocol::P2pCircuit, Protocol::P2p(named)] if *named == peer => relay,
            _ => return None,
        };
        let circuit = relay.iter().cloned().chain([Protocol::P2pCircuit, Protocol::P2p(peer)]).collect();
        Some(Self { peer, circuit: Some(circuit) })
    }
}

/// `/webrtc`: what to listen on.
pub(crate) fn listen_address() -> Multiaddr {
    Multiaddr::from(Protocol::WebRTC)
}

/// `/webrtc/p2p/<peer>`: whom an inbound connection comes from.
pub(crate) fn address_of(peer: PeerId) -> Multiaddr {
    listen_address().with(Protocol::P2p(peer))
}

/// The `/webrtc` address that goes with a relayed address of ours: `<relay>/p2p-circuit[/p2p/<self>]` becomes
/// `<relay>/p2p-circuit/webrtc/p2p/<self>`.
pub(crate) fn webrtc_address_beside(circuit: &Multiaddr, local: PeerId) -> Option<Multiaddr> {
    let parts: Vec<_> = circuit.iter().collect();
    let relay = match parts.as_slice() {
        [relay @ .., Protocol::P2pCircuit] => relay,
        [relay @ .., Protocol::P2pCircuit, Protocol::P2p(peer)] if *peer == local => relay,
        _ => return None,
    };
    Some(
        relay.iter().cloned().chain([Protocol::P2pCircuit, Protocol::WebRTC, Protocol::P2p(local)]).collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str, peers: [PeerId; 2]) -> Multiaddr {
        text.replace("{R}", &peers[0].to_string())
            .replace("{B}", &peers[1].to_string())
            .parse()
            .expect("a valid address")
    }

    #[test]
    fn dialled_addresses_are_read() {
        let peers = [PeerId::random(), PeerId::random()];
        let circuit = Some(address("/dns/r/tcp/1/ws/p2p/{R}/p2p-circuit/p2p/{B}", peers));
        for (text, expected) in [
            ("/dns/r/tcp/1/ws/p2p/{R}/p2p-circuit/webrtc/p2p/{B}", Some(circuit.clone())),
            ("/dns/r/tcp/1/ws/p2p/{R}/p2p-circuit/p2p/{B}/webrtc/p2p/{B}", Some(circuit)),
            ("/webrtc/p2p/{B}", Some(None)),
            ("/dns/r/tcp/1/ws/p2p/{R}/p2p-circuit/p2p/{R}/webrtc/p2p/{B}", None),
            ("/dns/r/tcp/1/ws/p2p/{R}/webrtc/p2p/{B}", None),
            ("/dns/r/tcp/1/ws/p2p/{R}/p2p-circuit/p2p/{B}", None),
            ("/webrtc", None),
            ("/webrtc/p2p/{R}/p2p-circuit/p2p/{B}", None),
            ("/ip4/127.0.0.1/udp/1/webrtc-direct/p2p/{B}", None),
        ] {
            let expected = expected.map(|circuit| Target { peer: peers[1], circuit });
            assert_eq!(Target::parse(&address(text, peers)), expected, "{text}");
        }
    }

    #[test]
    fn the_last_step_decides_the_path() {
        let peers = [PeerId::random(), PeerId::random()];
        for (text, path) in [
            ("/dns/r/tcp/1/ws/p2p/{R}/p2p-circuit/webrtc/p2p/{B}", Path::WebRtc),
            ("/webrtc", Path::WebRtc),
            ("/dns/r/tcp/1/ws/p2p/{R}/p2p-circuit", Path::Circuit),
            ("/webrtc/p2p/{R}/p2p-circuit/p2p/{B}", Path::Circuit),
            ("/dns/r/tcp/1/ws/p2p/{R}", Path::Other),
        ] {
            assert_eq!(Path::of_address(&address(text, peers)), path, "{text}");
        }
    }

    #[test]
    fn a_circuit_address_of_ours_has_a_webrtc_one_beside_it() {
        let peers = [PeerId::random(), PeerId::random()];
        let beside = Some(address("/dns/r/tcp/1/ws/p2p/{R}/p2p-circuit/webrtc/p2p/{B}", peers));
        let of = |text| webrtc_address_beside(&address(text, peers), peers[1]);
        assert_eq!(of("/dns/r/tcp/1/ws/p2p/{R}/p2p-circuit/p2p/{B}"), beside);
        assert_eq!(of("/dns/r/tcp/1/ws/p2p/{R}/p2p-circuit"), beside);
        assert_eq!(of("/dns/r/tcp/1/ws/p2p/{R}/p2p-circuit/webrtc/p2p/{B}"), None);
        assert_eq!(of("/dns/r/tcp/1/ws/p2p/{B}"), None);
    }
}
