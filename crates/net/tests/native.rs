//! Two native swarms, one socket between them: sessions, frames, requests, and the end of all that.
#![cfg(not(target_arch = "wasm32"))]

mod support;

use support::Peer;
use tabchain_net::{NetCommand, NetEvent};
use tabchain_primitives::BlockHash;
use tabchain_sync::ConnectionKind;

async fn connected() -> (Peer, Peer) {
    let (a, b) = (Peer::start(1, BlockHash::ZERO), Peer::start(2, BlockHash::ZERO));
    let address = b.address().await;
    a.tell(NetCommand::Dial(b.id, vec![address])).await;
    assert_eq!(a.up().await, (b.id, ConnectionKind::Native, true));
    assert_eq!(b.up().await, (a.id, ConnectionKind::Native, false));
    (a, b)
}

#[tokio::test]
async fn frames_arrive_whole_and_in_order() {
    let (a, b) = connected().await;
    let frames: Vec<Vec<u8>> = (0..50u8).map(|i| vec![i; 1 + usize::from(i) * 1_000]).collect();
    for frame in &frames {
        a.tell(NetCommand::Link(b.id, frame.clone())).await;
    }
    for frame in frames {
        let received = b
            .next(|event| match event {
                NetEvent::Link(peer, bytes) => Some((peer, bytes)),
                _ => None,
            })
            .await;
        assert_eq!(received, (a.id, frame));
    }
}

#[tokio::test]
async fn a_request_is_answered_under_its_number() {
    let (a, b) = connected().await;
    for number in [7, 8] {
        a.tell(NetCommand::Request(b.id, number, vec![1; 60_000])).await;
        let (asked, body) = b
            .next(|event| match event {
                NetEvent::Request(_, asked, body) => Some((asked, body)),
                _ => None,
            })
            .await;
        assert_eq!(body, vec![1; 60_000]);
        b.tell(NetCommand::Respond(a.id, asked, vec![2; 3_000_000])).await;
        let answer = a
            .next(|event| match event {
                NetEvent::Response(_, number, body) => Some((number, body.len())),
                _ => None,
            })
            .await;
        assert_eq!(answer, (number, 3_000_000));
    }
}

/// Rule N16. Nothing is answered until all were asked.
#[tokio::test]
async fn of_forty_requests_at_once_thirty_two_are_open_and_the_rest_fail() {
    let (a, b) = connected().await;
    for number in 0..40 {
        a.tell(NetCommand::Request(b.id, number, vec![1])).await;
    }
    let mut failed = 0;
    while failed < 8 {
        a.next(|event| matches!(event, NetEvent::RequestFailed(peer, _) if peer == b.id).then_some(())).await;
        failed += 1;
    }
    let mut asked = Vec::new();
    while asked.len() < 32 {
        let request = |event| match event {
            NetEvent::Request(_, number, _) => Some(number),
            _ => None,
        };
        asked.push(b.next(request).await);
    }
    for number in asked {
        b.tell(NetCommand::Respond(a.id, number, vec![2])).await;
    }
    let mut answered = 0;
    while answered < 32 {
        match a.next(Some).await {
            NetEvent::Response(..) => answered += 1,
            NetEvent::RequestFailed(..) => panic!("no more than eight fail"),
            _ => {}
        }
    }
    // There is room again.
    a.tell(NetCommand::Request(b.id, 40, vec![1])).await;
    b.next(|event| matches!(event, NetEvent::Request(..)).then_some(())).await;
}

/// Rule N16. What is not read waits in the sockets, and then here, up to a bound.
#[tokio::test]
async fn who_reads_nothing_loses_its_connection_and_delays_nobody() {
    let (a, b) = connected().await;
    let c = Peer::start(3, BlockHash::ZERO);
    a.tell(NetCommand::Dial(c.id, vec![c.address().await])).await;
    assert_eq!(a.up().await, (c.id, ConnectionKind::Native, true));
    let mut sent = 0;
    // Nobody takes the events of the second, so it reads no more after some hundred.
    while a.handle.events.try_recv() != Ok(NetEvent::Down(b.id)) {
        assert!(sent < 2_000, "a hundred megabytes wait for it");
        a.tell(NetCommand::Link(b.id, vec![7; 60_000])).await;
        sent += 1;
        // Never so much at once that this alone would be too much.
        if sent % 4 == 0 {
            a.tell(NetCommand::Link(c.id, vec![1])).await;
            let heard = c.next(|event| matches!(event, NetEvent::Link(..)).then_some(event)).await;
            assert_eq!(heard, NetEvent::Link(a.id, vec![1]));
        }
    }
    assert!(sent > 256, "as long as it read, nothing was too much: {sent}");
}

#[tokio::test]
async fn a_disconnect_ends_the_session_on_both_sides_and_its_requests() {
    let (a, b) = connected().await;
    a.tell(NetCommand::Request(b.id, 1, vec![])).await;
    b.next(|event| matches!(event, NetEvent::Request(..)).then_some(())).await;
    b.tell(NetCommand::Disconnect(a.id)).await;
    let mut ended = (false, false);
    while ended != (true, true) {
        match a.next(Some).await {
            NetEvent::Down(peer) if peer == b.id => ended.0 = true,
            NetEvent::RequestFailed(peer, 1) if peer == b.id => ended.1 = true,
            _ => {}
        }
    }
    b.next(|event| (event == NetEvent::Down(a.id)).then_some(())).await;
}

#[tokio::test]
async fn a_peer_that_is_not_there_is_a_failed_dial() {
    let a = Peer::start(1, BlockHash::ZERO);
    let nobody = Peer::start(3, BlockHash::ZERO);
    let address = nobody.address().await;
    nobody.tell(NetCommand::Shutdown).await;
    while nobody.handle.events.recv().await.is_ok() {}
    a.tell(NetCommand::Dial(nobody.id, vec![address])).await;
    a.next(|event| (event == NetEvent::DialFailed(nobody.id)).then_some(())).await;
}

#[tokio::test]
async fn nodes_of_different_chains_have_no_session() {
    let (a, b) = (Peer::start(1, BlockHash::ZERO), Peer::start(2, BlockHash::from_bytes([9; 32])));
    let address = b.address().await;
    a.tell(NetCommand::Dial(b.id, vec![address])).await;
    // The link is refused, so nothing keeps the connection and it ends without ever having been a session.
    a.tell(NetCommand::Request(b.id, 5, vec![])).await;
    a.next(|event| match event {
        NetEvent::RequestFailed(peer, 5) => (peer == b.id).then_some(()),
        NetEvent::Up(..) => panic!("a session across chains"),
        _ => None,
    })
    .await;
}
