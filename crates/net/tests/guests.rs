//! Whoever is connected to a node may have a place there, to be introduced to others: as many as rule N14 says.
#![cfg(not(target_arch = "wasm32"))]

mod support;

use futures::StreamExt as _;
use libp2p::identity::Keypair;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::{NetworkBehaviour, SwarmEvent};
use libp2p::{
    Multiaddr, PeerId, Swarm, Transport as _, core::upgrade::Version, noise, ping, relay, swarm, tcp, yamux,
};
use support::Peer;
use tabchain_primitives::BlockHash;

#[derive(NetworkBehaviour)]
struct Guest {
    relay: relay::client::Behaviour,
    ping: ping::Behaviour,
}

/// Asks a node for a place, and says whether it was given one. A guest that was stays.
async fn has_place(at: &Multiaddr) -> bool {
    let key = Keypair::generate_ed25519();
    let (circuits, relay) = relay::client::new(key.public().to_peer_id());
    let transport = circuits
        .or_transport(tcp::tokio::Transport::default())
        .upgrade(Version::V1Lazy)
        .authenticate(noise::Config::new(&key).expect("a good key"))
        .multiplex(yamux::Config::default())
        .boxed();
    let guest = Guest { relay, ping: ping::Behaviour::default() };
    let config = swarm::Config::with_tokio_executor();
    let mut swarm = Swarm::new(transport, guest, key.public().to_peer_id(), config);
    swarm.listen_on(at.clone().with(Protocol::P2pCircuit)).expect("a node's address");
    loop {
        match swarm.select_next_some().await {
            SwarmEvent::Behaviour(GuestEvent::Relay(relay::client::Event::ReservationReqAccepted {
                ..
            })) => break,
            SwarmEvent::ListenerClosed { .. } => return false,
            _ => {}
        }
    }
    tokio::spawn(async move {
        loop {
            swarm.select_next_some().await;
        }
    });
    true
}

#[tokio::test]
async fn a_node_keeps_thirty_two_places_and_no_more() {
    let node = Peer::start(1, BlockHash::ZERO);
    let id = PeerId::from_bytes(node.id.as_bytes()).expect("libp2p made it");
    let at: Multiaddr = format!("{}/p2p/{id}", node.address().await).parse().expect("a socket and an id");
    for guest in 1..=32 {
        assert!(has_place(&at).await, "guest {guest}");
    }
    assert!(!has_place(&at).await);
}
