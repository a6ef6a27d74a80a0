//! Two swarms that can't connect directly (there is no WebRTC outside browsers) talk over a relay's circuit.
#![cfg(not(target_arch = "wasm32"))]

mod support;

use libp2p::relay;
use support::{Peer, Relay};
use tabchain_net::{DirectFailures, NetCommand, NetEvent};
use tabchain_sync::ConnectionKind;

/// Two peers with a place at the relay, the first of which has dialled the second.
async fn connected(relay: &Relay) -> (Peer, Peer) {
    let (a, b) = (Peer::at(relay, 1).await, Peer::at(relay, 2).await);
    a.tell(NetCommand::Dial(b.id, vec![relay.address_of(&b.id)])).await;
    are_up(&a, &b).await;
    (a, b)
}

async fn are_up(a: &Peer, b: &Peer) {
    assert_eq!(a.up().await, (b.id, ConnectionKind::Relayed, true));
    assert_eq!(b.up().await, (a.id, ConnectionKind::Relayed, false));
}

async fn says(from: &Peer, to: &Peer, frame: Vec<u8>) {
    from.tell(NetCommand::Link(to.id, frame.clone())).await;
    let heard = to.next(|event| match event {
        NetEvent::Link(peer, bytes) => Some((peer, bytes)),
        NetEvent::Down(_) => panic!("the session ended"),
        _ => None,
    });
    assert_eq!(heard.await, (from.id, frame));
}

#[tokio::test]
async fn frames_and_requests_pass_over_the_circuit_both_ways() {
    let relay = Relay::start(relay::Config { max_circuit_bytes: 8 << 20, ..relay::Config::default() }).await;
    let (a, b) = connected(&relay).await;
    for (from, to) in [(&a, &b), (&b, &a)] {
        says(from, to, vec![7; 50_000]).await;
        from.tell(NetCommand::Request(to.id, 5, vec![1; 60_000])).await;
        let asked = to.next(|event| match event {
            NetEvent::Request(_, number, body) => Some((number, body.len())),
            _ => None,
        });
        let (number, length) = asked.await;
        assert_eq!(length, 60_000);
        to.tell(NetCommand::Respond(from.id, number, vec![2; 1_500_000])).await;
        let answered = from.next(|event| match event {
            NetEvent::Response(_, number, body) => Some((number, body.len())),
            _ => None,
        });
        assert_eq!(answered.await, (5, 1_500_000));
    }
    assert_eq!(relay.circuits().0, 1, "one circuit is enough for two");
    let counts = a.handle.counts.get();
    assert_eq!((counts.attempts, counts.direct, counts.relayed), (1, 0, 1));
    assert_eq!(counts.failures, DirectFailures { blocked: 1, ..DirectFailures::default() });
    assert_eq!(b.handle.counts.get().attempts, 0, "whoever opened the circuit looks after it");
}

#[tokio::test]
async fn a_direct_connection_is_tried_again_and_the_session_outlives_its_failure() {
    let relay = Relay::start(relay::Config::default()).await;
    let (a, b) = connected(&relay).await;
    a.tell(NetCommand::Wake).await;
    a.next(|event| (event == NetEvent::Woke).then_some(())).await;
    while a.handle.counts.get().failures.blocked < 2 {
        tokio::task::yield_now().await;
    }
    says(&a, &b, vec![1]).await;
    says(&b, &a, vec![2]).await;
    assert_eq!(a.handle.counts.get().relayed, 1);
}

#[tokio::test]
async fn a_circuit_at_its_limit_ends_its_requests_and_another_is_opened() {
    let limits = relay::Config { max_circuit_bytes: 100_000, ..relay::Config::default() };
    let relay = Relay::start(limits).await;
    let (a, b) = connected(&relay).await;
    for _ in 0..2 {
        // 60,000 bytes are passed on; what comes after them is not.
        a.tell(NetCommand::Request(b.id, 1, vec![1; 60_000])).await;
        b.next(|event| matches!(event, NetEvent::Request(..)).then_some(())).await;
        a.tell(NetCommand::Request(b.id, 2, vec![1; 60_000])).await;
        let mut ended = (false, 0);
        while ended != (true, 2) {
            match a.next(Some).await {
                NetEvent::Down(peer) if peer == b.id => ended.0 = true,
                NetEvent::RequestFailed(..) => ended.1 += 1,
                _ => {}
            }
        }
        b.next(|event| (event == NetEvent::Down(a.id)).then_some(())).await;
        // The node of either may want to dial at once, and is in nobody's way.
        b.tell(NetCommand::Dial(a.id, vec![relay.address_of(&a.id)])).await;
        a.tell(NetCommand::Dial(b.id, vec![relay.address_of(&b.id)])).await;
        are_up(&a, &b).await;
        says(&a, &b, vec![3]).await;
    }
    assert_eq!(relay.circuits(), (3, 2));
}

#[tokio::test]
async fn a_peer_that_has_left_is_given_up() {
    let relay = Relay::start(relay::Config::default()).await;
    let (a, b) = connected(&relay).await;
    b.tell(NetCommand::Shutdown).await;
    a.next(|event| (event == NetEvent::Down(b.id)).then_some(())).await;
    a.next(|event| (event == NetEvent::DialFailed(b.id)).then_some(())).await;
    let back = Peer::at(&relay, 2).await;
    a.tell(NetCommand::Dial(b.id, vec![relay.address_of(&b.id)])).await;
    are_up(&a, &back).await;
}

#[tokio::test]
async fn a_peer_that_is_sent_away_stays_away() {
    let relay = Relay::start(relay::Config::default()).await;
    let (a, b) = connected(&relay).await;
    a.tell(NetCommand::Disconnect(b.id)).await;
    a.next(|event| (event == NetEvent::Down(b.id)).then_some(())).await;
    b.next(|event| (event == NetEvent::Down(a.id)).then_some(())).await;
    a.tell(NetCommand::Dial(b.id, vec![relay.address_of(&b.id)])).await;
    are_up(&a, &b).await;
    assert_eq!(relay.circuits().0, 2, "none was opened in between");
}
