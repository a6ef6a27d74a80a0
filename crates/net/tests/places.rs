//! What relays that keep a place for a node can make it do, and what they can't.
#![cfg(not(target_arch = "wasm32"))]

mod support;

use std::time::{Duration, SystemTime};

use libp2p::Multiaddr;
use prost::Message as _;
use support::{Peer, Relay};
use tabchain_net::NetEvent;
use tabchain_sync::PeerAddress;

/// A relay's answer to whoever asks for a place, as circuit relay v2 has it.
#[derive(Clone, PartialEq, prost::Message)]
struct Answer {
    #[prost(int32, tag = "1")]
    kind: i32,
    #[prost(message, optional, tag = "3")]
    place: Option<Place>,
    #[prost(int32, tag = "5")]
    status: i32,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Place {
    #[prost(uint64, tag = "1")]
    until: u64,
    #[prost(bytes = "vec", repeated, tag = "2")]
    addresses: Vec<Vec<u8>>,
}

/// The answer that there is a place for so long, reached by these addresses.
fn granted(lasts: Duration, addresses: impl IntoIterator<Item = Multiaddr>) -> Vec<u8> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("it is later");
    let addresses = addresses.into_iter().map(|address| address.to_vec()).collect();
    let place = Place { until: (now + lasts).as_secs(), addresses };
    Answer { kind: 2, place: Some(place), status: 100 }.encode_length_delimited_to_vec()
}

fn socket(port: u16) -> Multiaddr {
    format!("/ip4/127.0.0.1/tcp/{port}").parse().expect("valid")
}

async fn relay_is(node: &Peer, relay: &Relay, wanted: bool) {
    let relay = PeerAddress::new(relay.address.to_string()).expect("it fits");
    node.next(|event| match event {
        NetEvent::Relay { address, connected } => (address == relay && connected == wanted).then_some(()),
        _ => None,
    })
    .await;
}

#[tokio::test]
async fn a_relay_that_wants_to_be_asked_again_at_once_is_let_go() {
    let relay = Relay::pretender(|| granted(Duration::ZERO, [socket(1)])).await;
    let node = Peer::among(&[&relay], 1);
    relay_is(&node, &relay, true).await;
    relay_is(&node, &relay, false).await;
    let asked = relay.asked_for_a_place();
    assert!(asked < 10, "{asked} times");
}

#[tokio::test]
async fn a_relay_that_names_ever_more_addresses_is_let_go_and_another_it_names_stays() {
    let honest = Relay::standard().await;
    let other = honest.address.clone();
    let relay = Relay::pretender(move || {
        let of_another = |port| socket(port).with(other.iter().last().expect("it ends in its id"));
        granted(Duration::from_hours(1), (1..=60).map(of_another))
    })
    .await;
    let node = Peer::among(&[&honest, &relay], 1);
    let relay_address = PeerAddress::new(relay.address.to_string()).expect("it fits");
    let mut told = Vec::new();
    while !told.contains(&(relay_address.clone(), false)) {
        told.push(
            node.next(|event| match event {
                NetEvent::Relay { address, connected } => Some((address, connected)),
                _ => None,
            })
            .await,
        );
    }
    let lost: Vec<_> = told.iter().filter(|(_, connected)| !connected).collect();
    assert_eq!(lost, [&(relay_address, false)]);
}
