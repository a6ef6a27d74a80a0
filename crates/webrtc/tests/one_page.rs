//! Two nodes and a relay in one page of a real browser: the relay is reached by memory, what is direct is WebRTC.
#![cfg(target_arch = "wasm32")]

use std::time::Duration;

use futures::{AsyncReadExt, AsyncWriteExt, StreamExt, future::join_all};
use futures_timer::Delay;
use libp2p::{
    Multiaddr, PeerId, StreamProtocol, Swarm, Transport,
    core::{
        transport::{MemoryTransport, memory::MemoryTransport as Memory},
        upgrade::Version,
    },
    identity::Keypair,
    multiaddr::Protocol,
    noise, relay,
    swarm::{Config as SwarmConfig, NetworkBehaviour, dial_opts::DialOpts},
    yamux,
};
use libp2p_webrtc_browser::{Path, SIGNALING_PROTOCOL, stats};
use wasm_bindgen_futures::{JsFuture, spawn_local};
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

#[allow(dead_code, reason = "shared with the example, which uses all of it")]
#[path = "../examples/two_tabs/tab.rs"]
mod tab;

use tab::Tab;

wasm_bindgen_test_configure!(run_in_browser);

/// Starts a relay in this page; it ends when the guard is dropped.
fn start_relay() -> (Multiaddr, futures::channel::oneshot::Sender<()>) {
    let key = Keypair::generate_ed25519();
    let peer = key.public().to_peer_id();
    let transport = MemoryTransport::default()
        .upgrade(Version::V1)
        .authenticate(noise::Config::new(&key).expect("an Ed25519 key signs"))
        .multiplex(yamux::Config::default())
        .boxed();
    let config = relay::Config { max_circuits_per_peer: 64, ..relay::Config::default() };
    let mut swarm = Swarm::new(
        transport,
        relay::Behaviour::new(peer, config),
        peer,
        SwarmConfig::with_wasm_executor().with_idle_connection_timeout(Duration::from_mins(1)),
    );
    let address: Multiaddr = Protocol::Memory(rand_port(peer)).into();
    swarm.listen_on(address.clone()).expect("a free port");
    swarm.add_external_address(address.clone());
    let (guard, mut dropped) = futures::channel::oneshot::channel::<()>();
    spawn_local(async move {
        loop {
            futures::select! {
                _ = swarm.select_next_some() => {}
                _ = dropped => return,
            }
        }
    });
    (address.with(Protocol::P2p(peer)), guard)
}

fn rand_port(peer: PeerId) -> u64 {
    let bytes = peer.to_bytes();
    u64::from_le_bytes(bytes[bytes.len() - 8..].try_into().expect("eight bytes")) | 1
}

async fn two_tabs() -> (Tab, Tab, Multiaddr, futures::channel::oneshot::Sender<()>) {
    let (relay, guard) = start_relay();
    let start = || Tab::start(Memory::default(), |config| config.with_dial_timeout(Duration::from_secs(5)));
    let (a, b) = (start(), start());
    let address = b.reserve(&relay).await;
    (a, b, address, guard)
}

async fn connected() -> (Tab, Tab, futures::channel::oneshot::Sender<()>) {
    let (a, b, address, guard) = two_tabs().await;
    a.connect(&address).await.expect("a direct connection");
    for (one, other) in [(&a, &b), (&b, &a)] {
        one.until("the circuit to close", || one.paths(other.peer) == [Path::WebRtc]).await;
    }
    (a, b, guard)
}

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
    let mut sink = b.control.clone().accept(SINK).expect("accepted once");
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
    let mut sink = b.control.clone().accept(SINK).expect("accepted once");
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
    let mut sink = b.control.clone().accept(SINK).expect("accepted once");
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
    for _ in 0..200 {
        let stats = stats(b.peer).await.expect("connected");
        if stats.channels_opened - stats.channels_closed < 10 {
            assert!(stats.channels_opened > 1_500, "{stats:?}");
            return;
        }
        Delay::new(Duration::from_millis(50)).await;
    }
    panic!("channels stay open: {:?}", stats(b.peer).await);
}

#[wasm_bindgen_test]
async fn dialling_each_other_at_once_makes_one_connection() {
    let (relay, _guard) = start_relay();
    let start = || Tab::start(Memory::default(), |config| config);
    for round in 0..5 {
        let (a, b) = (start(), start());
        let (at_a, at_b) = (a.reserve(&relay).await, b.reserve(&relay).await);
        a.dial(at_b);
        b.dial(at_a);
        for (one, other) in [(&a, &b), (&b, &a)] {
            one.until("one direct connection", || one.paths(other.peer) == [Path::WebRtc]).await;
        }
        Delay::new(Duration::from_millis(300)).await;
        assert_eq!(a.paths(b.peer), [Path::WebRtc], "round {round}: {:?} {:?}", a.failures(), b.failures());
        assert_eq!(b.paths(a.peer), [Path::WebRtc], "round {round}");
        a.echo(b.peer, 10_000, 10_000).await.expect("it is the same connection on both sides");
        b.echo(a.peer, 10_000, 10_000).await.expect("it is the same connection on both sides");
    }
}

#[wasm_bindgen_test]
async fn the_relay_may_go_after_the_upgrade() {
    let (a, b, relay) = connected().await;
    drop(relay);
    a.until("the relay to go", || a.paths(b.peer) == [Path::WebRtc]).await;
    a.echo(b.peer, 200_000, 200_000).await.expect("the direct connection stays");
}

#[wasm_bindgen_test]
async fn an_end_is_noticed_by_the_other_side() {
    let (a, b, _relay) = connected().await;
    let mut stream = a.open(b.peer).await;
    stream.write_all(b"hello").await.expect("open");
    let mut hello = [0; 5];
    stream.read_exact(&mut hello).await.expect("echoed");
    let start = web_time::Instant::now();
    b.stop();
    assert!(stream.read(&mut hello).await.is_err(), "the stream fails");
    a.until("the end", || a.paths(b.peer).is_empty()).await;
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

#[wasm_bindgen_test]
async fn no_path_and_no_answer_are_told_apart() {
    let (a, b, address, _relay) = two_tabs().await;
    let error = a.connect(&"/webrtc".parse::<Multiaddr>().expect("valid").with(Protocol::P2p(b.peer))).await;
    assert!(error.as_ref().is_err_and(|text| text.contains("no relayed connection")), "{error:?}");

    b.stop();
    let error = a.connect(&address).await;
    assert!(error.as_ref().is_err_and(|text| text.contains("could not dial the circuit")), "{error:?}");
}

#[wasm_bindgen_test]
async fn a_circuit_that_is_there_is_enough_to_signal_over() {
    let (a, b, address, _relay) = two_tabs().await;
    let circuit: Multiaddr = address.iter().filter(|part| *part != Protocol::WebRTC).collect();
    a.dial(circuit);
    a.until("a circuit", || a.paths(b.peer) == [Path::Circuit]).await;
    // The other side dials back over it, though it knows no address.
    b.connect(&short_address(a.peer)).await.expect("a direct connection");
    a.echo(b.peer, 10_000, 10_000).await.expect("it works both ways");
}

#[wasm_bindgen_test]
async fn a_tab_introduces_two_others_when_every_relay_is_gone() {
    let (relay, guard) = start_relay();
    let start = || Tab::start(Memory::default(), |config| config);
    let (a, b, between) = (start(), start(), start());
    between.reserve(&relay).await;
    for tab in [&a, &b] {
        let circuit = relay.clone().with(Protocol::P2pCircuit).with(Protocol::P2p(between.peer));
        tab.dial(circuit);
        tab.until("a circuit", || tab.paths(between.peer) == [Path::Circuit]).await;
        tab.connect(&short_address(between.peer)).await.expect("a direct connection");
    }
    drop(guard);
    let address = a.reserve(&short_address(between.peer)).await;
    b.connect(&address).await.expect("a direct connection, signalled over a tab");
    b.until("the circuit to close", || b.paths(a.peer) == [Path::WebRtc]).await;
    between.stop();
    b.echo(a.peer, 100_000, 100_000).await.expect("the tab between is needed no more");
}

/// A peer at the relay that has the signalling protocol in its own hands, or doesn't have it at all.
struct Stranger {
    peer: PeerId,
    address: Multiaddr,
    control: libp2p_stream::Control,
}

#[derive(NetworkBehaviour)]
struct StrangerBehaviour {
    relay: relay::client::Behaviour,
    streams: libp2p_stream::Behaviour,
}

/// What a stranger says to an offer, and whether it keeps the stream open after.
type Answer = (Vec<u8>, bool);

impl Stranger {
    async fn start(relay: &Multiaddr) -> Self {
        let key = Keypair::generate_ed25519();
        let peer = key.public().to_peer_id();
        let (circuits, client) = relay::client::new(peer);
        let transport = circuits
            .or_transport(MemoryTransport::default())
            .upgrade(Version::V1)
            .authenticate(noise::Config::new(&key).expect("an Ed25519 key signs"))
            .multiplex(yamux::Config::default())
            .boxed();
        let streams = libp2p_stream::Behaviour::new();
        let control = streams.new_control();
        let config = SwarmConfig::with_wasm_executor().with_idle_connection_timeout(Duration::from_mins(1));
        let mut swarm = Swarm::new(transport, StrangerBehaviour { relay: client, streams }, peer, config);
        swarm.listen_on(relay.clone().with(Protocol::P2pCircuit)).expect("a relay address");
        while swarm.external_addresses().next().is_none() {
            swarm.select_next_some().await;
        }
        spawn_local(async move {
            loop {
                swarm.select_next_some().await;
            }
        });
        let address =
            relay.clone().with(Protocol::P2pCircuit).with(Protocol::WebRTC).with(Protocol::P2p(peer));
        Self { peer, address, control }
    }

    fn answer_with(&mut self, (bytes, keep): Answer) {
        let mut incoming = self.control.accept(SIGNALING_PROTOCOL).expect("accepted once");
        spawn_local(async move {
            while let Some((_, mut stream)) = incoming.next().await {
                let mut some = [0; 100];
                stream.read_exact(&mut some).await.expect("an offer");
                stream.write_all(&bytes).await.expect("open");
                stream.flush().await.expect("open");
                if keep {
                    spawn_local(async move {
                        Delay::new(Duration::from_mins(1)).await;
                        drop(stream);
                    });
                } else {
                    stream.close().await.expect("open");
                }
            }
        });
    }
}

fn short_address(peer: PeerId) -> Multiaddr {
    Multiaddr::from(Protocol::WebRTC).with(Protocol::P2p(peer))
}

/// A signalling message, as the specification has it.
fn message(kind: u8, data: &str) -> Vec<u8> {
    let length = |n: usize| {
        let n = u8::try_from(n & 0x7f).expect("seven bits") | 0x80;
        move |rest: usize| [n, u8::try_from(rest).expect("short")]
    };
    let size = length(data.len())(data.len() >> 7);
    let body = [&[8, kind, 0x12], &size[..], data.as_bytes()].concat();
    [&length(body.len())(body.len() >> 7)[..], &body].concat()
}

#[wasm_bindgen_test]
async fn each_failure_of_the_other_side_has_its_name() {
    let (relay, _guard) = start_relay();
    let long = "x".repeat(200);
    let cases: [(Option<Answer>, &str); 6] = [
        (None, "does not speak the signalling protocol"),
        (Some((vec![], true)), "timed out while waiting for the session description"),
        (Some((vec![], false)), "ended signalling early"),
        (Some((vec![0xff, 0xff, 0xff, 0x7f], true)), "longer than"),
        (Some((message(0, &long), true)), "expected an answer"),
        (Some((message(1, &long), true)), "refused to take the peer's description"),
    ];
    for (answer, expected) in cases {
        let mut stranger = Stranger::start(&relay).await;
        if let Some(answer) = answer {
            stranger.answer_with(answer);
        }
        let a = Tab::start(Memory::default(), |config| config.with_dial_timeout(Duration::from_secs(2)));
        let error = a.connect(&stranger.address).await.expect_err("no honest peer");
        assert!(error.contains(expected), "{error} instead of {expected}");
        assert_eq!(a.paths(stranger.peer), [Path::Circuit], "the relayed connection survives: {expected}");
        a.stop();
    }
}

#[wasm_bindgen_test]
async fn an_inbound_attempt_that_goes_wrong_is_ended_and_the_next_one_works() {
    let (relay, _guard) = start_relay();
    let b = Tab::start(Memory::default(), |config| config.with_dial_timeout(Duration::from_secs(2)));
    let address = b.reserve(&relay).await;
    let offer = web_sys::RtcPeerConnection::new().expect("a browser");
    offer.create_data_channel("init");
    let offer = JsFuture::from(offer.create_offer()).await.expect("an offer");
    let sdp = js_sys::Reflect::get(&offer, &"sdp".into()).expect("an object").as_string().expect("text");
    let cases = [
        (vec![], "timed out while waiting for the session description"),
        (message(2, &"{}".repeat(100)), "expected an offer"),
        (message(0, &"x".repeat(200)), "refused to take the peer's description"),
        (message(0, &sdp), "timed out while looking for a direct path"),
        ([message(0, &sdp), message(2, &"{".repeat(200))].concat(), "a candidate is malformed"),
        ([message(0, &sdp), message(0, &sdp)].concat(), "expected a candidate"),
    ];
    let mut stranger = Stranger::start(&relay).await;
    b.dial(
        DialOpts::peer_id(stranger.peer)
            .addresses(vec![stranger.address.iter().filter(|part| *part != Protocol::WebRTC).collect()])
            .build(),
    );
    b.until("a circuit", || b.paths(stranger.peer) == [Path::Circuit]).await;
    for (bytes, expected) in cases {
        let before = b.failures().len();
        let mut stream = stranger.control.open_stream(b.peer, SIGNALING_PROTOCOL).await.expect("spoken");
        stream.write_all(&bytes).await.expect("open");
        stream.flush().await.expect("open");
        b.until("the failure", || b.failures().len() > before).await;
        let error = b.failures()[before..].join("; ");
        assert!(error.contains(expected), "{error} instead of {expected}");
    }
    let a = Tab::start(Memory::default(), |config| config);
    a.connect(&address).await.expect("others connect as ever");
}
