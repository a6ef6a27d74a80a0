//! Outside of a browser everything works up to the browser's part: the signalling stream reaches the other side over a
//! circuit, by whatever address was dialled.
#![cfg(not(target_arch = "wasm32"))]

use std::{collections::BTreeMap, error::Error as _, time::Duration};

use futures::{StreamExt, future::join};
use libp2p::{
    Multiaddr, PeerId, Swarm, Transport,
    core::{muxing::StreamMuxerBox, transport::MemoryTransport, upgrade::Version},
    identity::Keypair,
    multiaddr::Protocol,
    noise, relay,
    swarm::{Config as SwarmConfig, NetworkBehaviour, SwarmEvent},
    yamux,
};
use libp2p_webrtc_browser::{self as webrtc, Error, Metrics, Path, Reason};

#[derive(NetworkBehaviour)]
struct Behaviour {
    relay: relay::client::Behaviour,
    webrtc: webrtc::Behaviour,
}

/// A relay that runs by itself; its address.
async fn start_relay() -> Multiaddr {
    let key = Keypair::generate_ed25519();
    let peer = key.public().to_peer_id();
    let transport = MemoryTransport::default()
        .upgrade(Version::V1)
        .authenticate(noise::Config::new(&key).expect("an Ed25519 key signs"))
        .multiplex(yamux::Config::default())
        .boxed();
    let behaviour = relay::Behaviour::new(peer, relay::Config::default());
    let mut swarm = Swarm::new(transport, behaviour, peer, SwarmConfig::with_tokio_executor());
    swarm.listen_on(Protocol::Memory(0).into()).expect("any port");
    let address = loop {
        if let SwarmEvent::NewListenAddr { address, .. } = swarm.select_next_some().await {
            break address;
        }
    };
    swarm.add_external_address(address.clone());
    tokio::spawn(async move {
        loop {
            swarm.select_next_some().await;
        }
    });
    address.with(Protocol::P2p(peer))
}

/// A node that listens at the relay; its `/webrtc` address there.
async fn start_node(relay: &Multiaddr) -> (Swarm<Behaviour>, Multiaddr) {
    let key = Keypair::generate_ed25519();
    let peer = key.public().to_peer_id();
    let (circuits, client) = relay::client::new(peer);
    let (direct, webrtc) = webrtc::new(webrtc::Config::new(peer));
    let others = circuits
        .or_transport(MemoryTransport::default())
        .upgrade(Version::V1)
        .authenticate(noise::Config::new(&key).expect("an Ed25519 key signs"))
        .multiplex(yamux::Config::default());
    let transport = direct
        .map(|(peer, connection), _| (peer, StreamMuxerBox::new(connection)))
        .or_transport(others.map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer))))
        .map(|either, _| either.into_inner())
        .boxed();
    let config = SwarmConfig::with_tokio_executor().with_idle_connection_timeout(Duration::from_mins(1));
    let mut swarm = Swarm::new(transport, Behaviour { relay: client, webrtc }, peer, config);
    swarm.listen_on(Protocol::WebRTC.into()).expect("the transport takes /webrtc");
    swarm.listen_on(relay.clone().with(Protocol::P2pCircuit)).expect("a relay address");
    loop {
        if let SwarmEvent::ExternalAddrConfirmed { address } = swarm.select_next_some().await
            && Path::of_address(&address) == Path::WebRtc
        {
            return (swarm, address);
        }
    }
}

/// Runs until an attempt fails, and names the cause.
async fn failure(swarm: &mut Swarm<Behaviour>) -> String {
    loop {
        match swarm.select_next_some().await {
            SwarmEvent::OutgoingConnectionError { error, .. } => return error.to_string(),
            SwarmEvent::IncomingConnectionError { error, .. } => {
                let mut cause = error.source();
                while let Some(error) = cause.and_then(std::error::Error::source) {
                    cause = Some(error);
                }
                return cause.expect("a transport error has a cause").to_string();
            }
            _ => {}
        }
    }
}

fn short_address(peer: PeerId) -> Multiaddr {
    Multiaddr::from(Protocol::WebRTC).with(Protocol::P2p(peer))
}

#[tokio::test]
async fn an_attempt_reaches_the_browsers_part_on_both_sides() {
    let relay = start_relay().await;
    let (mut a, _) = start_node(&relay).await;
    let (mut b, at_b) = start_node(&relay).await;
    let unsupported = Error::Unsupported.to_string();

    a.dial(at_b).expect("a fresh dial");
    let (of_a, of_b) = join(failure(&mut a), failure(&mut b)).await;
    assert!(of_a.contains(&unsupported), "{of_a}");
    assert!(of_b.contains(&unsupported), "{of_b}");

    // The circuit is still there, so the other side needs no address to signal over.
    b.dial(short_address(*a.local_peer_id())).expect("a fresh dial");
    let (of_a, of_b) = join(failure(&mut a), failure(&mut b)).await;
    assert!(of_a.contains(&unsupported), "{of_a}");
    assert!(of_b.contains(&unsupported), "{of_b}");

    for node in [&a, &b] {
        let Metrics { outbound, inbound, .. } = node.behaviour().webrtc.metrics();
        for attempts in [outbound, inbound] {
            assert_eq!((attempts.started, attempts.connected), (1, 0));
            assert_eq!(attempts.failed, BTreeMap::from([(Reason::Unsupported, 1)]));
        }
    }
}

#[tokio::test]
async fn a_peer_without_a_path_is_named() {
    let relay = start_relay().await;
    let (mut a, _) = start_node(&relay).await;
    let nobody = PeerId::random();
    a.dial(short_address(nobody)).expect("a fresh dial");
    let text = failure(&mut a).await;
    assert!(text.contains(&Error::NoSignalingPath(nobody).to_string()), "{text}");

    a.dial(relay.with(Protocol::P2pCircuit).with(Protocol::WebRTC).with(Protocol::P2p(nobody)))
        .expect("fresh");
    let first = failure(&mut a).await;
    let second = failure(&mut a).await;
    assert!([first, second].iter().any(|text| text.contains("could not dial the circuit")));
    let failed = BTreeMap::from([(Reason::NoSignalingPath, 1), (Reason::CircuitDial, 1)]);
    assert_eq!(a.behaviour().webrtc.metrics().outbound.failed, failed);
}

#[tokio::test]
async fn only_webrtc_is_listened_on_and_only_once() {
    let relay = start_relay().await;
    let (mut a, at_a) = start_node(&relay).await;
    assert!(a.listen_on(Protocol::WebRTC.into()).is_err());
    assert!(a.listen_on(at_a).is_err(), "the address of a peer is not one to listen on");
}
