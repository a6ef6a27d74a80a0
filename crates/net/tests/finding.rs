//! Nodes find each other at relays, whatever other relays tell them.
#![cfg(not(target_arch = "wasm32"))]

mod support;

use std::collections::HashMap;

use futures::executor::block_on;
use futures::io::Cursor;
use libp2p::core::PeerRecord;
use libp2p::identity::Keypair;
use libp2p::request_response::Codec as _;
use support::{Peer, Relay};
use tabchain_net::{NetCommand, NetEvent};
use tabchain_rendezvous::{Answer, Codec, Discover, Found, MAX_ANSWER, PROTOCOL, Refusal, Register, Request};
use tabchain_sync::{PeerAddress, PeerId};

/// Where the nodes of the chain with genesis zero meet.
const NAMESPACE: &str = "tabchain/0000000000000000";

/// An answer as it is written.
fn bytes_of(answer: Answer) -> Vec<u8> {
    let mut wire = Cursor::new(Vec::new());
    block_on(Codec.write_response(&PROTOCOL, &mut wire, answer)).expect("memory can be written");
    wire.into_inner()
}

fn found(registrations: Vec<Register>) -> Vec<u8> {
    bytes_of(Answer::Discovered(Ok(Found { registrations, cookie: vec![0; 8] })))
}

/// A peer that is nowhere, and its registration for longer than the world lasts.
fn somebody() -> (PeerId, Register) {
    let key = Keypair::generate_ed25519();
    let address = "/ip4/192.0.2.1/tcp/1".parse().expect("valid");
    let record = PeerRecord::new(&key, vec![address]).expect("Ed25519 signs").into_signed_envelope();
    let register = Register {
        namespace: Some(NAMESPACE.to_owned()),
        record: Some(record.into_protobuf_encoding()),
        ttl: Some(u64::MAX),
    };
    (PeerId::new(&key.public().to_peer_id().to_bytes()).expect("an id fits"), register)
}

/// A relay that tells everybody this, and that it tells of them for no time at all.
async fn tells(answer: Vec<u8>) -> Relay {
    Relay::liar(move |request| match request {
        Request::Discover(_) => Some(answer.clone()),
        _ => Some(bytes_of(Answer::Registered(Ok(0)))),
    })
    .await
}

fn discoveries(relay: &Relay) -> usize {
    relay.asked().iter().filter(|request| matches!(request, Request::Discover(_))).count()
}

async fn next_found(node: &Peer) -> (PeerId, Vec<PeerAddress>) {
    node.next(|event| match event {
        NetEvent::Discovered(peer, addresses) => Some((peer, addresses)),
        _ => None,
    })
    .await
}

/// Whom a node finds besides `honest` until each of these relays was asked twice (so what it told first was read), and then
/// `honest` once more; how often each, and how often the relays were asked.
async fn finds(node: &Peer, relays: &[Relay], honest: PeerId) -> (HashMap<PeerId, usize>, Vec<usize>) {
    let (mut asked, mut found) = (vec![0; relays.len()], HashMap::new());
    loop {
        let (peer, _) = next_found(node).await;
        for (times, relay) in asked.iter_mut().zip(relays) {
            *times += discoveries(relay);
        }
        if peer != honest {
            *found.entry(peer).or_default() += 1;
        } else if asked.iter().all(|times| *times >= 2) {
            return (found, asked);
        }
    }
}

#[tokio::test]
async fn two_nodes_find_each_other_at_a_standard_relay() {
    let relay = Relay::standard().await;
    let (a, b) = (Peer::among(&[&relay], 1), Peer::among(&[&relay], 2));
    let at = b.address().await;
    assert_eq!(next_found(&a).await, (b.id, vec![at.clone()]));
    assert_eq!(next_found(&b).await.0, a.id);
    a.tell(NetCommand::Dial(b.id, vec![at])).await;
    assert_eq!(a.up().await.0, b.id);
}

#[tokio::test]
async fn of_too_many_that_a_relay_tells_of_as_many_are_taken_as_an_answer_may_hold() {
    let honest = Relay::standard().await;
    let b = Peer::among(&[&honest], 2);
    let (peers, registrations): (Vec<PeerId>, _) = (0..200).map(|_| somebody()).unzip();
    let liar = tells(found(registrations)).await;
    let a = Peer::among(&[&liar, &honest], 1);
    let (found, _) = finds(&a, &[liar], b.id).await;
    assert!(peers[..64].iter().all(|peer| found.contains_key(peer)));
    assert_eq!(found.len(), 64);
}

#[tokio::test]
async fn what_is_forged_is_left_out_and_what_is_told_twice_is_told_once() {
    let honest = Relay::standard().await;
    let b = Peer::among(&[&honest], 2);
    let (good, register) = somebody();
    let (_, mut forged) = somebody();
    let signature = forged.record.as_mut().and_then(|record| record.last_mut()).expect("it is signed");
    *signature ^= 1;
    let (_, elsewhere) = somebody();
    let elsewhere = Register { namespace: Some("tabchain/1".to_owned()), ..elsewhere };
    // Two answers on the stream: the second is not for us.
    let answer = [
        found(vec![forged, register.clone(), elsewhere, Register::default(), register]),
        found(vec![somebody().1]),
    ];
    let liar = tells(answer.concat()).await;
    let a = Peer::among(&[&liar, &honest], 1);
    let (found, asked) = finds(&a, &[liar], b.id).await;
    assert_eq!(found.keys().collect::<Vec<_>>(), [&good]);
    assert!(found[&good] <= asked[0], "{found:?} of {asked:?} answers");
}

/// Seven that lie in different ways, and one that does not: as many as a node uses.
#[tokio::test]
async fn relays_that_answer_nonsense_are_asked_again_and_stand_in_nobodys_way() {
    let honest = Relay::standard().await;
    let b = Peer::among(&[&honest], 2);
    let question = Request::Discover(Discover::default());
    let mut as_answer = Cursor::new(Vec::new());
    block_on(Codec.write_request(&PROTOCOL, &mut as_answer, question)).expect("memory can be written");
    let too_long = Register { record: Some(vec![0; MAX_ANSWER]), ..Register::default() };
    let nonsense = [
        Vec::new(),
        b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
        vec![0xff; 64],
        as_answer.into_inner(),
        found(vec![somebody().1, too_long]),
        bytes_of(Answer::Registered(Ok(u64::MAX))),
        bytes_of(Answer::Discovered(Err(Refusal::Full))),
    ];
    let mut liars = Vec::new();
    for answer in nonsense {
        liars.push(tells(answer).await);
    }
    let relays: Vec<&Relay> = liars.iter().chain([&honest]).collect();
    let a = Peer::among(&relays, 1);
    let (found, _) = finds(&a, &liars, b.id).await;
    assert!(found.is_empty(), "{found:?}");
}

#[tokio::test]
async fn a_relay_that_never_answers_is_not_asked_again_before_it_has() {
    let honest = Relay::standard().await;
    let b = Peer::among(&[&honest], 2);
    let silent = Relay::liar(|_| None).await;
    let a = Peer::among(&[&silent], 1);
    a.next(|event| matches!(event, NetEvent::Relay { connected: true, .. }).then_some(())).await;
    let both = [&silent, &honest].map(|relay| PeerAddress::new(relay.address.to_string()).expect("it fits"));
    a.tell(NetCommand::UseRelays(both.to_vec())).await;
    for _ in 0..2 {
        assert_eq!(next_found(&a).await.0, b.id);
    }
    let asked = silent.asked();
    let [registrations, discoveries] = [true, false].map(|registration| {
        asked.iter().filter(|request| matches!(request, Request::Register(_)) == registration).count()
    });
    assert!(registrations <= 1, "{registrations} registrations");
    assert_eq!(discoveries, 1);
}
