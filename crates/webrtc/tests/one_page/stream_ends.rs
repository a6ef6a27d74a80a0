//! Streams on a direct connection: how they end, and that their channels are given back.

use std::time::Duration;

use futures::{AsyncReadExt, AsyncWriteExt, StreamExt, future::join_all};
use futures_timer::Delay;
use libp2p::{PeerId, StreamProtocol};
use libp2p_webrtc_browser::stats;
use wasm_bindgen_test::wasm_bindgen_test;

use crate::connected;

#[wasm_bindgen_test]
async fn bytes_pass_directly_and_the_browser_says_so() {
    let (a, b, _relay) = connected().await;
    let size = 4 << 20;
    a.echo(b.peer, size, 1 << 20).await.expect("all comes back");
    b.echo(a.peer, 100_000, 1 << 20).await.expect("the other way round too");
    a.until("a ping", || a.pings() > 0).await;
    for (own, peer) in [(&a, &b), (&b, &a)] {
        let stats = stats(peer.peer).await.expect("connected");
        assert_eq!(stats.local_candidate_type, "host", "{} {stats:?}", own.peer);
        assert!(stats.bytes_sent > size as u64 && stats.bytes_received > size as u64, "{stats:?}");
    }
}

#[wasm_bindgen_test]
async fn one_half_ends_while_the_other_goes_on() {
    let (a, b, _relay) = connected().await;
    let mut stream = a.open(b.peer).await;
    stream.write_all(b"first").await.expect("open");
    let mut five = [0; 5];
    stream.read_exact(&mut five).await.expect("echoed");
    stream.write_all(b"last").await.expect("open");
    stream.close().await.expect("our half ends");
    assert!(stream.write_all(b"more").await.is_err(), "nothing is written after the end");
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.expect("their half goes on and ends");
    assert_eq!(rest, b"last");
}

const SINK: StreamProtocol = StreamProtocol::new("/sink/1");

#[wasm_bindgen_test]
async fn what_was_written_before_the_end_is_delivered() {
    let (a, b, _relay) = connected().await;
    let mut sink = b.control.accept(SINK);
    let size = 1 << 20;
    let mut stream = a.control.clone().open_stream(b.peer, SINK).await.expect("spoken");
    stream.write_all(&vec![7; size]).await.expect("open");
    stream.close().await.expect("our half ends");
    drop(stream);
    let (_, mut stream) = sink.next().await.expect("it comes");
    let mut received = Vec::new();
    stream.read_to_end(&mut received).await.expect("it ends in order");
    assert_eq!(received.len(), size);
    for _ in 0..200 {
        if let Err(error) = stream.write_all(b"anyone?").await {
            assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
            return;
        }
        Delay::new(Duration::from_millis(10)).await;
    }
    panic!("nobody reads, and nobody says so");
}

#[wasm_bindgen_test]
async fn a_stream_that_is_let_go_is_reset() {
    let (a, b, _relay) = connected().await;
    let mut sink = b.control.accept(SINK);
    let mut stream = a.control.clone().open_stream(b.peer, SINK).await.expect("spoken");
    stream.write_all(b"unfinished").await.expect("open");
    let (_, mut received) = sink.next().await.expect("it comes");
    drop(stream);
    let error = received.read_to_end(&mut Vec::new()).await.expect_err("it doesn't end in order");
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}

#[wasm_bindgen_test]
async fn a_reader_that_is_too_slow_loses_its_stream_and_no_other() {
    let (a, b, _relay) = connected().await;
    let mut sink = b.control.accept(SINK);
    let mut stream = a.control.clone().open_stream(b.peer, SINK).await.expect("spoken");
    let sent = stream.write_all(&vec![0; 8 << 20]).await;
    assert_eq!(sent.expect_err("nobody reads").kind(), std::io::ErrorKind::ConnectionReset);
    let (_, mut received) = sink.next().await.expect("it comes");
    assert!(received.read_to_end(&mut Vec::new()).await.is_err());
    a.echo(b.peer, 100_000, 100_000).await.expect("the connection goes on");
}

#[wasm_bindgen_test]
async fn two_hundred_streams_at_once() {
    let (a, b, _relay) = connected().await;
    let results = join_all((0..200).map(|_| a.echo(b.peer, 3_000, 3_000))).await;
    assert!(results.iter().all(Result::is_ok), "{results:?}");
}

#[wasm_bindgen_test]
async fn channels_are_given_back() {
    let (a, b, _relay) = connected().await;
    // More than Chromium has channel numbers.
    for _ in 0..30 {
        let results = join_all((0..50).map(|_| a.echo(b.peer, 100, 100))).await;
        assert!(results.iter().all(Result::is_ok), "{results:?}");
    }
    assert!(channels_close(b.peer).await > 1_500);
}

/// Waits until hardly a channel to a peer is open, and says how many there were in all.
async fn channels_close(peer: PeerId) -> u64 {
    for _ in 0..200 {
        let stats = stats(peer).await.expect("connected");
        if stats.channels_opened - stats.channels_closed < 10 {
            return stats.channels_opened;
        }
        Delay::new(Duration::from_millis(50)).await;
    }
    panic!("channels stay open: {:?}", stats(peer).await);
}

#[wasm_bindgen_test]
async fn a_thousand_streams_that_end_at_once_give_their_channels_back() {
    let (a, b, _relay) = connected().await;
    let mut streams = Vec::new();
    for _ in 0..1_000 {
        streams.push(a.open(b.peer).await);
    }
    for stream in &mut streams {
        stream.close().await.expect("our half ends");
    }
    for stream in &mut streams {
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).await.expect("theirs ends too");
        assert!(rest.is_empty());
    }
    drop(streams);
    channels_close(b.peer).await;
}
