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

/// How long a guest waits that says nothing.
const QUIET: Duration = Duration::from_hours(1);
/// How long one waits that pings without a pause.
const BUSY: Duration = Duration::from_millis(1);

/// A swarm that wants to be introduced, and pings whoever it is connected to after such pauses.
fn guest(pause: Duration) -> Swarm<Guest> {
    let key = Keypair::generate_ed25519();
    let (circuits, relay) = relay::client::new(key.public().to_peer_id());
    let transport = circuits
        .or_transport(tcp::tokio::Transport::default())
        .upgrade(Version::V1Lazy)
        .authenticate(noise::Config::new(&key).expect("a good key"))
        .multiplex(yamux::Config::default())
        .boxed();
    let ping = ping::Behaviour::new(ping::Config::new().with_interval(pause));
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

/// A new guest, if it is given a place, which it keeps; what it is dialled by.
async fn with_place(at: &Multiaddr) -> Option<Multiaddr> {
    let mut swarm = guest(QUIET);
    let address = at.clone().with(Protocol::P2pCircuit).with(Protocol::P2p(*swarm.local_peer_id()));
    is_given_a_place(&mut swarm, at).await.then(|| {
        stays(swarm);
        address
    })
}

fn stays(mut swarm: Swarm<Guest>) {
    tokio::spawn(async move {
        loop {
            swarm.select_next_some().await;
        }
    });
}

/// Opens a circuit to a guest: for how long and how much, as the node says that carries it, or why it does not.
async fn opens(
    visitor: &mut Swarm<Guest>,
    to: &Multiaddr,
) -> Result<(Option<Duration>, Option<u64>), String> {
    visitor.dial(to.clone()).expect("a circuit's address");
    loop {
        match visitor.select_next_some().await {
            SwarmEvent::Behaviour(GuestEvent::Relay(relay::client::Event::OutboundCircuitEstablished {
                limit,
                ..
            })) => {
                return Ok((
                    limit.and_then(|limit| limit.duration()),
                    limit.and_then(|limit| limit.data_in_bytes()),
                ));
            }
            SwarmEvent::OutgoingConnectionError { error, .. } => return Err(format!("{error:?}")),
            _ => {}
        }
    }
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
        assert!(with_place(&at).await.is_some(), "guest {guest}");
    }
    assert_eq!(with_place(&at).await, None);
}

#[tokio::test]
async fn a_node_carries_sixteen_circuits_and_no_more() {
    let node = Peer::start(1, BlockHash::ZERO);
    let at = address_of(&node, &node.address().await);
    let host = with_place(&at).await.expect("the first guest");
    for circuit in 1..=16 {
        let mut visitor = guest(QUIET);
        assert!(opens(&mut visitor, &host).await.is_ok(), "circuit {circuit}");
        stays(visitor);
    }
    let refusal = opens(&mut guest(QUIET), &host).await.expect_err("the seventeenth");
    assert!(refusal.contains("ResourceLimitExceeded"), "{refusal}");
}

#[tokio::test]
async fn of_one_peers_circuits_a_node_carries_four_and_those_of_others_beside_them() {
    let node = Peer::start(1, BlockHash::ZERO);
    let at = address_of(&node, &node.address().await);
    let mut hosts = Vec::new();
    for _ in 0..5 {
        hosts.push(with_place(&at).await.expect("there are places"));
    }
    let (mut greedy, mut modest) = (guest(QUIET), guest(QUIET));
    for host in &hosts[..4] {
        opens(&mut greedy, host).await.expect("four are allowed");
    }
    let refusal = opens(&mut greedy, &hosts[4]).await.expect_err("the fifth");
    assert!(refusal.contains("ResourceLimitExceeded"), "{refusal}");
    opens(&mut modest, &hosts[4]).await.expect("another's first");
}

/// Rule N14. That the time ends a circuit is libp2p's doing: `tabchain-relay` has a test for it, with a shorter one.
#[tokio::test]
async fn a_circuit_through_a_node_is_for_thirty_seconds_and_sixty_four_kibibytes() {
    let node = Peer::start(1, BlockHash::ZERO);
    let at = address_of(&node, &node.address().await);
    let host = with_place(&at).await.expect("the first guest");
    let limits = opens(&mut guest(QUIET), &host).await;
    assert_eq!(limits, Ok((Some(Duration::from_secs(30)), Some(64 * 1024))));
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
    let (mut host, mut visitor) = (guest(BUSY), guest(BUSY));
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
