//! Whoever is connected to a node may have a place there, to be introduced to others: as many as rule N14 says.
#![cfg(not(target_arch = "wasm32"))]

mod support;

use std::time::Duration;

use futures::StreamExt as _;
use libp2p::identity::Keypair;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::{NetworkBehaviour, SwarmEvent};
use libp2p::{
    Multiaddr, PeerId, Swarm, Transport as _, core::upgrade::Version, noise, ping, relay, swarm, tcp, yamux,
};
use support::Peer;
use tabchain_primitives::BlockHash;
use tabchain_sync::PeerAddress;

#[derive(NetworkBehaviour)]
struct Guest {
    relay: relay::client::Behaviour,
    ping: ping::Behaviour,
}

/// A swarm that wants to be introduced, and pings whoever it is connected to without a pause.
fn guest() -> Swarm<Guest> {
    let key = Keypair::generate_ed25519();
    let (circuits, relay) = relay::client::new(key.public().to_peer_id());
    let transport = circuits
        .or_transport(tcp::tokio::Transport::default())
        .upgrade(Version::V1Lazy)
        .authenticate(noise::Config::new(&key).expect("a good key"))
        .multiplex(yamux::Config::default())
        .boxed();
    let ping = ping::Behaviour::new(ping::Config::new().with_interval(Duration::from_millis(1)));
    let config = swarm::Config::with_tokio_executor().with_idle_connection_timeout(Duration::MAX);
    Swarm::new(transport, Guest { relay, ping }, key.public().to_peer_id(), config)
}

/// Asks a node for a place, and says whether it was given one.
async fn is_given_a_place(swarm: &mut Swarm<Guest>, at: &Multiaddr) -> bool {
    swarm.listen_on(at.clone().with(Protocol::P2pCircuit)).expect("a node's address");
    loop {
        match swarm.select_next_some().await {
            SwarmEvent::Behaviour(GuestEvent::Relay(relay::client::Event::ReservationReqAccepted {
                ..
            })) => return true,
            SwarmEvent::ListenerClosed { .. } => return false,
            _ => {}
        }
    }
}

/// The same of a new guest, which stays if it was given one.
async fn has_place(at: &Multiaddr) -> bool {
    let mut swarm = guest();
    let given = is_given_a_place(&mut swarm, at).await;
    if given {
        tokio::spawn(async move {
            loop {
                swarm.select_next_some().await;
            }
        });
    }
    given
}

fn address_of(node: &Peer, socket: &PeerAddress) -> Multiaddr {
    let id = PeerId::from_bytes(node.id.as_bytes()).expect("libp2p made it");
    format!("{socket}/p2p/{id}").parse().expect("a socket and an id")
}

#[tokio::test]
async fn a_node_keeps_thirty_two_places_and_no_more() {
    let node = Peer::start(1, BlockHash::ZERO);
    let at = address_of(&node, &node.address().await);
    for guest in 1..=32 {
        assert!(has_place(&at).await, "guest {guest}");
    }
    assert!(!has_place(&at).await);
}

/// What happens on a circuit: a ping comes back, or it ends.
enum OnCircuit {
    Ping,
    Closed,
}

async fn next_on_circuit(swarm: &mut Swarm<Guest>, with: PeerId) -> OnCircuit {
    loop {
        match swarm.select_next_some().await {
            SwarmEvent::Behaviour(GuestEvent::Ping(ping::Event { peer, result: Ok(_), .. }))
                if peer == with =>
            {
                return OnCircuit::Ping;
            }
            SwarmEvent::ConnectionClosed { peer_id, .. } if peer_id == with => return OnCircuit::Closed,
            _ => {}
        }
    }
}

/// Rule N14: 64 KiB, which is enough to be introduced and not to live on.
#[tokio::test]
async fn a_circuit_through_a_node_is_cut_for_both_when_it_has_carried_too_much() {
    let node = Peer::start(1, BlockHash::ZERO);
    let at = address_of(&node, &node.address().await);
    let (mut host, mut visitor) = (guest(), guest());
    assert!(is_given_a_place(&mut host, &at).await);
    let (host_id, visitor_id) = (*host.local_peer_id(), *visitor.local_peer_id());
    let circuit = at.with(Protocol::P2pCircuit).with(Protocol::P2p(host_id));
    visitor.dial(circuit).expect("a circuit's address");
    let (mut pings, mut host_closed, mut visitor_closed) = (0, false, false);
    let until_both_know = async {
        while !(host_closed && visitor_closed) {
            tokio::select! {
                event = next_on_circuit(&mut host, visitor_id) => match event {
                    OnCircuit::Ping => pings += 1,
                    OnCircuit::Closed => host_closed = true,
                },
                event = next_on_circuit(&mut visitor, host_id) => match event {
                    OnCircuit::Ping => pings += 1,
                    OnCircuit::Closed => visitor_closed = true,
                },
            }
        }
    };
    // Its seconds would end it too, but not so soon.
    tokio::time::timeout(Duration::from_secs(20), until_both_know).await.expect("its bytes end it");
    assert!(pings > 100, "it carried something before: {pings} pings");
}
