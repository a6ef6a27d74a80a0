//! Tabs that can't dial each other meet through the relay, within its limits.

mod support;

use std::num::{NonZeroU32, NonZeroU64};

use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::SwarmEvent;
use libp2p::{PeerId, ping};
use support::{Client, ClientBehaviourEvent, TestRelay};

fn nonzero(number: u32) -> NonZeroU32 {
    NonZeroU32::new(number).unwrap()
}

fn to(relay: &Multiaddr, peer: PeerId) -> Multiaddr {
    relay.clone().with(Protocol::P2pCircuit).with(Protocol::P2p(peer))
}

/// A ping that came back over a connection to `peer`.
fn pong_from(peer: PeerId) -> impl FnMut(SwarmEvent<ClientBehaviourEvent>) -> Option<()> {
    move |event| match event {
        SwarmEvent::Behaviour(ClientBehaviourEvent::Ping(ping::Event {
            peer: from, result: Ok(_), ..
        })) => (from == peer).then_some(()),
        _ => None,
    }
}

fn closed(peer: PeerId) -> impl FnMut(SwarmEvent<ClientBehaviourEvent>) -> Option<()> {
    move |event| match event {
        SwarmEvent::ConnectionClosed { peer_id, .. } => (peer_id == peer).then_some(()),
        _ => None,
    }
}

#[tokio::test]
async fn two_clients_talk_through_a_circuit() {
    let relay = TestRelay::start(|_| ()).await;
    let (mut alice, mut bob) = (Client::new(), Client::new());
    let listening = bob.reserve(&relay.address).await.unwrap();
    assert_eq!(listening, to(&relay.address, bob.peer_id), "the relay says how it is dialled");
    relay.metric_becomes("tabchain_relay_reservations", 1).await;

    alice.connect(&relay.address).await;
    let before = relay.metric("tabchain_relay_circuit_bytes_total").await;
    alice.connect(&to(&relay.address, bob.peer_id)).await;
    alice.wait("ping through the circuit", pong_from(bob.peer_id)).await;
    bob.wait("ping through the circuit", pong_from(alice.peer_id)).await;
    relay.metric_becomes("tabchain_relay_circuits", 1).await;
    let carried = relay.metric("tabchain_relay_circuit_bytes_total").await - before;
    assert!(carried > 500, "Noise, identify and pings are more than {carried} bytes");

    bob.vanish().await;
    relay.metric_becomes("tabchain_relay_circuits", 0).await;
    relay.metric_becomes("tabchain_relay_reservations", 0).await;
    relay.relay.stop().await;
}

#[tokio::test]
async fn one_reservation_too_many_is_refused_for_lack_of_resources() {
    let relay = TestRelay::start(|config| config.max_reservations = nonzero(2)).await;
    let mut clients = [Client::new(), Client::new(), Client::new()];
    for client in &mut clients[..2] {
        client.reserve(&relay.address).await.unwrap();
    }
    let refusal = clients[2].reserve(&relay.address).await.unwrap_err();
    assert!(refusal.contains("resource limit exceeded"), "{refusal}");
    let refused = r#"tabchain_relay_reservation_requests_total{outcome="refused"}"#;
    relay.metric_becomes(refused, 1).await;
    assert_eq!(relay.metric("tabchain_relay_reservations").await, 2, "the first two keep theirs");

    let [first, _second, mut third] = clients;
    first.vanish().await;
    relay.metric_becomes("tabchain_relay_reservations", 1).await;
    third.reserve(&relay.address).await.expect("a freed place is given again");
}

#[tokio::test]
async fn a_circuit_over_its_bytes_is_cut_for_both() {
    let relay = TestRelay::start(|config| config.circuit_bytes = NonZeroU64::new(8_192).unwrap()).await;
    let (mut alice, mut bob) = (Client::new(), Client::new());
    bob.reserve(&relay.address).await.unwrap();
    alice.connect(&relay.address).await;
    alice.connect(&to(&relay.address, bob.peer_id)).await;
    alice.wait("end of the circuit", closed(bob.peer_id)).await;
    bob.wait("end of the circuit", closed(alice.peer_id)).await;
    relay.metric_becomes("tabchain_relay_circuits", 0).await;
    let carried = relay.metric("tabchain_relay_circuit_bytes_total").await;
    assert!((8_192..40_000).contains(&carried), "{carried} bytes");
}

/// Nothing else would end it: these clients keep idle connections for an hour.
#[tokio::test]
async fn a_circuit_past_its_time_is_cut_for_both() {
    let relay = TestRelay::start(|config| config.circuit_seconds = NonZeroU32::MIN).await;
    let (mut alice, mut bob) = (Client::new(), Client::new());
    bob.reserve(&relay.address).await.unwrap();
    alice.connect(&relay.address).await;
    alice.connect(&to(&relay.address, bob.peer_id)).await;
    alice.wait("ping through the circuit", pong_from(bob.peer_id)).await;
    alice.wait("end of the circuit", closed(bob.peer_id)).await;
    bob.wait("end of the circuit", closed(alice.peer_id)).await;
    relay.metric_becomes("tabchain_relay_circuits", 0).await;
    assert_eq!(relay.metric("tabchain_relay_reservations").await, 1, "the place outlives it");
}

#[tokio::test]
async fn a_circuit_to_nobody_is_refused() {
    let relay = TestRelay::start(|_| ()).await;
    let mut alice = Client::new();
    alice.connect(&relay.address).await;
    let nobody = to(&relay.address, PeerId::random());
    alice.act(move |swarm| swarm.dial(nobody).unwrap()).await;
    alice
        .wait("refusal", |event| matches!(event, SwarmEvent::OutgoingConnectionError { .. }).then_some(()))
        .await;
    relay.metric_becomes(r#"tabchain_relay_circuit_requests_total{outcome="refused"}"#, 1).await;
}

#[tokio::test]
async fn a_peer_may_open_only_so_many_connections() {
    let relay = TestRelay::start(|config| config.max_connections_per_peer = nonzero(1)).await;
    let mut alice = Client::new();
    alice.connect(&relay.address).await;
    let again = libp2p::swarm::dial_opts::DialOpts::unknown_peer_id().address(relay.address.clone()).build();
    alice.act(move |swarm| swarm.dial(again).unwrap()).await;
    relay.metric_becomes("tabchain_relay_connections_refused_total", 1).await;
    assert_eq!(relay.metric("tabchain_relay_connections").await, 1);
}

#[tokio::test]
async fn a_stopping_relay_lets_go_of_its_clients_in_time() {
    let relay = TestRelay::start(|config| config.drain_seconds = 1).await;
    let (mut alice, mut bob) = (Client::new(), Client::new());
    bob.reserve(&relay.address).await.unwrap();
    alice.connect(&relay.address).await;
    alice.connect(&to(&relay.address, bob.peer_id)).await;
    let peer = relay.relay.peer_id();
    let stopping = relay.relay.stop();
    assert!(tokio::time::timeout(std::time::Duration::from_secs(4), stopping).await.is_ok());
    alice.wait("goodbye", closed(peer)).await;
    bob.wait("goodbye", closed(peer)).await;
}
