//! Tabs find each other by registering with the relay and asking it who else did.

mod support;

use std::num::NonZeroU32;

use libp2p::PeerId;
use libp2p::rendezvous::client::Event;
use libp2p::rendezvous::{ErrorCode, Namespace};
use libp2p::swarm::SwarmEvent;
use support::{Client, ClientBehaviourEvent, TestRelay};

const NAMESPACE: &str = "tabchain/dev";

/// Registers under a namespace with an address of its own, and says how the relay answered.
async fn register(
    client: &mut Client,
    relay: PeerId,
    namespace: &'static str,
    ttl: u64,
) -> Result<u64, ErrorCode> {
    client
        .act(move |swarm| {
            swarm.add_external_address("/ip4/192.0.2.1/tcp/1".parse().unwrap());
            let namespace = Namespace::from_static(namespace);
            swarm.behaviour_mut().rendezvous.register(namespace, relay, Some(ttl)).unwrap();
        })
        .await;
    client
        .wait("answer to a registration", |event| match event {
            SwarmEvent::Behaviour(ClientBehaviourEvent::Rendezvous(event)) => match event {
                Event::Registered { ttl, .. } => Some(Ok(ttl)),
                Event::RegisterFailed { error, .. } => Some(Err(error)),
                _ => None,
            },
            _ => None,
        })
        .await
}

/// Who is registered under the namespace, sorted.
async fn discover(client: &mut Client, relay: PeerId) -> Vec<PeerId> {
    client
        .act(move |swarm| {
            let namespace = Some(Namespace::from_static(NAMESPACE));
            swarm.behaviour_mut().rendezvous.discover(namespace, None, Some(50), relay);
        })
        .await;
    let mut found = client
        .wait("discovery", |event| match event {
            SwarmEvent::Behaviour(ClientBehaviourEvent::Rendezvous(Event::Discovered {
                registrations,
                ..
            })) => Some(
                registrations.iter().map(|registration| registration.record.peer_id()).collect::<Vec<_>>(),
            ),
            _ => None,
        })
        .await;
    found.sort();
    found
}

async fn joined(relay: &TestRelay) -> Client {
    let mut client = Client::new();
    client.connect(&relay.address).await;
    client
}

#[tokio::test]
async fn registered_peers_are_found_until_they_leave() {
    let relay = TestRelay::start(|_| ()).await;
    let server = relay.relay.peer_id();
    let (mut alice, mut bob, mut carol) = (joined(&relay).await, joined(&relay).await, joined(&relay).await);
    assert_eq!(register(&mut alice, server, NAMESPACE, 60).await, Ok(60));
    assert_eq!(register(&mut bob, server, NAMESPACE, 60).await, Ok(60));
    let mut both = vec![alice.peer_id, bob.peer_id];
    both.sort();
    assert_eq!(discover(&mut carol, server).await, both);

    bob.vanish().await;
    relay.metric_becomes("tabchain_relay_registrations", 1).await;
    assert_eq!(discover(&mut carol, server).await, [alice.peer_id], "who is gone is no longer offered");
}

#[tokio::test]
async fn a_registration_can_be_renewed_and_withdrawn() {
    let relay = TestRelay::start(|config| config.max_registrations_per_peer = NonZeroU32::MIN).await;
    let server = relay.relay.peer_id();
    let mut alice = joined(&relay).await;
    for ttl in [60, 90, 60] {
        assert_eq!(register(&mut alice, server, NAMESPACE, ttl).await, Ok(ttl));
    }
    assert_eq!(relay.metric("tabchain_relay_registrations").await, 1);
    alice
        .act(move |swarm| {
            swarm.behaviour_mut().rendezvous.unregister(Namespace::from_static(NAMESPACE), server);
        })
        .await;
    relay.metric_becomes("tabchain_relay_registrations", 0).await;
}

#[tokio::test]
async fn registrations_are_refused_by_their_rules() {
    let relay = TestRelay::start(|config| {
        config.max_registrations = NonZeroU32::new(2).unwrap();
        config.max_registrations_per_peer = NonZeroU32::MIN;
    })
    .await;
    let server = relay.relay.peer_id();
    let (mut alice, mut bob, mut carol) = (joined(&relay).await, joined(&relay).await, joined(&relay).await);
    assert_eq!(register(&mut alice, server, NAMESPACE, 1).await, Err(ErrorCode::InvalidTtl), "too short");
    assert_eq!(
        register(&mut alice, server, NAMESPACE, 1 << 40).await,
        Err(ErrorCode::InvalidTtl),
        "too long"
    );
    assert_eq!(register(&mut alice, server, "", 60).await, Err(ErrorCode::InvalidNamespace), "no name");
    assert_eq!(register(&mut alice, server, NAMESPACE, 60).await, Ok(60));
    assert_eq!(register(&mut alice, server, "another", 60).await, Err(ErrorCode::Unavailable), "one a peer");
    assert_eq!(register(&mut bob, server, NAMESPACE, 60).await, Ok(60));
    assert_eq!(register(&mut carol, server, NAMESPACE, 60).await, Err(ErrorCode::Unavailable), "two in all");
    let refused = r#"tabchain_relay_registration_requests_total{outcome="refused"}"#;
    assert_eq!(relay.metric(refused).await, 5);
    let mut held = vec![alice.peer_id, bob.peer_id];
    held.sort();
    assert_eq!(discover(&mut carol, server).await, held, "what was there before stays");
}

#[tokio::test]
async fn a_request_too_large_is_dropped_and_the_next_one_served() {
    let relay = TestRelay::start(|_| ()).await;
    let server = relay.relay.peer_id();
    let mut alice = joined(&relay).await;
    let addresses = || {
        (10..30).map(|label| format!("/dns/{}/tcp/1", vec![label.to_string(); 80].join(".")).parse().unwrap())
    };
    alice.act(move |swarm| addresses().for_each(|address| swarm.add_external_address(address))).await;
    assert!(register(&mut alice, server, NAMESPACE, 60).await.is_err());
    assert_eq!(relay.metric("tabchain_relay_registrations").await, 0);
    alice.act(move |swarm| addresses().for_each(|address| swarm.remove_external_address(&address))).await;
    assert_eq!(register(&mut alice, server, NAMESPACE, 60).await, Ok(60));
}
