//! Two nodes and a relay in one page of a real browser: the relay is reached by memory, what is direct is WebRTC.
#![cfg(target_arch = "wasm32")]

use std::time::Duration;

use futures::{
    AsyncReadExt, AsyncWriteExt, StreamExt,
    channel::{mpsc, oneshot},
    future::{Either, join, join_all, select},
};
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
    swarm::{
        Config as SwarmConfig, NetworkBehaviour,
        dial_opts::{DialOpts, PeerCondition},
    },
    yamux,
};
use libp2p_webrtc_browser::{Path, Reason, SIGNALING_PROTOCOL, Stage, stats};
use wasm_bindgen_futures::{JsFuture, spawn_local};
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

#[path = "../examples/two_tabs/streams.rs"]
mod streams;
#[allow(dead_code, reason = "shared with the example, which uses all of it")]
#[path = "../examples/two_tabs/tab.rs"]
mod tab;

use tab::Tab;

wasm_bindgen_test_configure!(run_in_browser);

/// Starts a relay in this page; it ends when the guard is dropped.
fn start_relay() -> (Multiaddr, oneshot::Sender<()>) {
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
    let (guard, mut dropped) = oneshot::channel::<()>();
    spawn_local(async move {
        // Not `select!`, which takes a receiver whose sender is gone for one that has been polled to its end.
        while let Either::Left(_) = select(swarm.select_next_some(), &mut dropped).await {}
    });
    (address.with(Protocol::P2p(peer)), guard)
}

fn rand_port(peer: PeerId) -> u64 {
    let bytes = peer.to_bytes();
    u64::from_le_bytes(bytes[bytes.len() - 8..].try_into().expect("eight bytes")) | 1
}

async fn two_tabs() -> (Tab, Tab, Multiaddr, oneshot::Sender<()>) {
    let (relay, guard) = start_relay();
    let start = || Tab::start(Memory::default(), |config| config.with_dial_timeout(Duration::from_secs(5)));
    let (a, b) = (start(), start());
    let address = b.reserve(&relay).await;
    (a, b, address, guard)
}

async fn connected() -> (Tab, Tab, oneshot::Sender<()>) {
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

/// Echoes with checksums again and again until `enough`, each begun anew when its stream is lost with its connection.
/// Returns how many passed, and how many were begun anew.
async fn echo_until(own: &Tab, other: &Tab, enough: impl Fn() -> bool) -> (u32, u32) {
    let (mut passed, mut anew) = (0, 0);
    while !enough() || passed < 3 {
        own.until("a direct connection", || own.paths(other.peer).contains(&Path::WebRtc)).await;
        match own.echo_sum(other.peer, 100_000, 50_000).await {
            Ok(_) => passed += 1,
            Err(error) => {
                assert!(
                    !error.contains("bytes") && !error.contains("sent was"),
                    "not lost but wrong: {error}"
                );
                anew += 1;
                Delay::new(Duration::from_millis(10)).await;
            }
        }
    }
    (passed, anew)
}

#[wasm_bindgen_test]
async fn streams_under_way_when_two_connections_become_one_end_in_order_or_begin_anew() {
    let (relay, _guard) = start_relay();
    for smaller_is_first in [true, false] {
        let start = || Tab::start(Memory::default(), |config| config);
        let mut tabs = [start(), start()];
        tabs.sort_by_key(|tab| tab.peer);
        if !smaller_is_first {
            tabs.reverse();
        }
        let [first, second] = tabs;
        assert_eq!(first.peer < second.peer, smaller_is_first);
        let (at_first, at_second) = (first.reserve(&relay).await, second.reserve(&relay).await);
        first.connect(&at_second).await.expect("a direct connection");

        // Both sides have streams under way while the other one dials as well, and after one of the connections is gone.
        let is_decided = || [&first, &second].iter().all(|tab| tab.duplicates() == 1);
        let is_over =
            || is_decided() && first.paths(second.peer).len() == 1 && second.paths(first.peer).len() == 1;
        let transfers = join_all((0..4).map(|lane| {
            let (own, other) = if lane % 2 == 0 { (&first, &second) } else { (&second, &first) };
            echo_until(own, other, is_over)
        }));
        let dialling = async {
            Delay::new(Duration::from_millis(200)).await;
            second.dial(
                DialOpts::peer_id(first.peer)
                    .condition(PeerCondition::Always)
                    .addresses(vec![at_first])
                    .build(),
            );
        };
        let (counts, ()) = join(transfers, dialling).await;
        let anew: u32 = counts.iter().map(|(_, anew)| anew).sum();
        if smaller_is_first {
            assert_eq!(
                anew, 0,
                "the connection that stays was there before, and nothing on it was lost: {counts:?}"
            );
        } else {
            assert!(anew > 0, "the connection that goes was in use: {counts:?}");
        }
        for (one, other) in [(&first, &second), (&second, &first)] {
            assert_eq!(one.paths(other.peer), [Path::WebRtc]);
            one.echo_sum(other.peer, 100_000, 100_000)
                .await
                .expect("it is the same connection on both sides");
        }
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

impl Stranger {
    /// Answers offers as a browser does, but finds no candidates; says something more, and keeps the stream or lets it go.
    /// What is returned tells when an answer is out.
    fn answer_truly(&mut self, more: Vec<u8>, keep: bool) -> mpsc::Receiver<()> {
        let mut incoming = self.control.accept(SIGNALING_PROTOCOL).expect("accepted once");
        let (mut tell, answered) = mpsc::channel(1);
        spawn_local(async move {
            let mut kept = Vec::new();
            while let Some((_, mut stream)) = incoming.next().await {
                let answer = answer_to(&read_message(&mut stream).await).await;
                stream.write_all(&[message(1, &answer), more.clone()].concat()).await.expect("open");
                stream.flush().await.expect("open");
                if keep {
                    kept.push(stream);
                }
                tell.try_send(()).expect("the test takes it");
            }
        });
        answered
    }

    /// Takes offers and says nothing. What is returned tells when one has come.
    fn be_silent(&mut self) -> mpsc::Receiver<()> {
        let mut incoming = self.control.accept(SIGNALING_PROTOCOL).expect("accepted once");
        let (mut tell, offered) = mpsc::channel(1);
        spawn_local(async move {
            let mut kept = Vec::new();
            while let Some((_, mut stream)) = incoming.next().await {
                read_message(&mut stream).await;
                kept.push(stream);
                tell.try_send(()).expect("the test takes it");
            }
        });
        offered
    }
}

/// The text of the next signalling message.
async fn read_message(stream: &mut libp2p::Stream) -> String {
    async fn length(stream: &mut libp2p::Stream) -> usize {
        let (mut length, mut shift, mut byte) = (0, 0, [0x80]);
        while byte[0] & 0x80 != 0 {
            stream.read_exact(&mut byte).await.expect("a message");
            length |= usize::from(byte[0] & 0x7f) << shift;
            shift += 7;
        }
        length
    }
    length(stream).await;
    stream.read_exact(&mut [0; 3]).await.expect("its type");
    let mut text = vec![0; length(stream).await];
    stream.read_exact(&mut text).await.expect("its text");
    String::from_utf8(text).expect("text")
}

async fn answer_to(offer: &str) -> String {
    let browser = web_sys::RtcPeerConnection::new().expect("a browser");
    let description = web_sys::RtcSessionDescriptionInit::new(web_sys::RtcSdpType::Offer);
    description.set_sdp(offer);
    JsFuture::from(browser.set_remote_description(&description)).await.expect("an offer");
    let answer = JsFuture::from(browser.create_answer()).await.expect("an answer");
    js_sys::Reflect::get(&answer, &"sdp".into()).expect("an object").as_string().expect("text")
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

#[wasm_bindgen_test]
async fn what_goes_wrong_after_an_answer_has_its_name() {
    let (relay, _guard) = start_relay();
    let garbage = message(2, &"{".repeat(200));
    let many = message(2, &format!("{}null", " ".repeat(200))).repeat(65);
    let cases = [
        (garbage, true, "a candidate is malformed", Reason::Signaling),
        (many, true, "too many candidates", Reason::Signaling),
        (message(1, &"x".repeat(200)), true, "expected a candidate", Reason::Signaling),
        (vec![], true, "timed out while looking for a direct path", Reason::Timeout(Stage::Connectivity)),
        // The other side's time is over a little earlier: its end of signalling is not the cause.
        (vec![], false, "timed out while looking for a direct path", Reason::Timeout(Stage::Connectivity)),
    ];
    for (more, keep, expected, reason) in cases {
        let mut stranger = Stranger::start(&relay).await;
        let _answered = stranger.answer_truly(more, keep);
        let a = Tab::start(Memory::default(), |config| config.with_dial_timeout(Duration::from_secs(2)));
        let error = a.connect(&stranger.address).await.expect_err("no honest peer");
        assert!(error.contains(expected), "{error} instead of {expected}");
        assert_eq!(a.metrics().outbound.failed.into_iter().collect::<Vec<_>>(), [(reason, 1)]);
        assert_eq!(a.paths(stranger.peer), [Path::Circuit], "the relayed connection survives: {expected}");
        a.stop();
    }
}

#[wasm_bindgen_test]
async fn a_relay_that_goes_in_the_middle_of_signalling_is_named_as_the_cause() {
    let expected = "the relayed connection closed before signalling was done";
    let only_cause = [(Reason::CircuitClosed, 1)];
    for is_answered in [false, true] {
        let (relay, guard) = start_relay();
        let mut stranger = Stranger::start(&relay).await;
        let mut reached =
            if is_answered { stranger.answer_truly(vec![], true) } else { stranger.be_silent() };
        let a = Tab::start(Memory::default(), |config| config.with_dial_timeout(Duration::from_secs(3)));
        let going = async {
            reached.next().await;
            drop(guard);
        };
        let (outcome, ()) = join(a.connect(&stranger.address), going).await;
        let error = outcome.expect_err("no honest peer");
        assert!(error.contains(expected), "{error}");
        assert_eq!(a.metrics().outbound.failed.into_iter().collect::<Vec<_>>(), only_cause);
        a.stop();
    }

    // The other way round: the offer that should have come does not.
    let (relay, guard) = start_relay();
    let b = Tab::start(Memory::default(), |config| config.with_dial_timeout(Duration::from_secs(3)));
    let address = b.reserve(&relay).await;
    let mut stranger = Stranger::start(&relay).await;
    b.dial(
        DialOpts::peer_id(stranger.peer)
            .addresses(vec![stranger.address.iter().filter(|part| *part != Protocol::WebRTC).collect()])
            .build(),
    );
    b.until("a circuit", || b.paths(stranger.peer) == [Path::Circuit]).await;
    let mut stream = stranger.control.open_stream(b.peer, SIGNALING_PROTOCOL).await.expect("spoken");
    stream.write_all(&message(0, &"x".repeat(200))[..20]).await.expect("open");
    stream.flush().await.expect("open");
    b.until("the attempt", || b.metrics().inbound.started == 1).await;
    drop(guard);
    b.until("the failure", || !b.failures().is_empty()).await;
    assert!(b.failures().iter().any(|text| text.contains(expected)), "{:?} {address}", b.failures());
    assert_eq!(b.metrics().inbound.failed.into_iter().collect::<Vec<_>>(), only_cause);
}
