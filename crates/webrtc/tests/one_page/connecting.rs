//! How two tabs come to one direct connection, and how it ends.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use futures::{
    AsyncReadExt, AsyncWriteExt,
    future::{join, join_all},
};
use futures_timer::Delay;
use js_sys::{Array, Function};
use libp2p::{
    Multiaddr, PeerId,
    core::transport::memory::MemoryTransport as Memory,
    multiaddr::Protocol,
    swarm::dial_opts::{DialOpts, PeerCondition},
};
use libp2p_webrtc_browser::{IceServer, Path};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::{connected, only_direct, start_relay, tab::Tab, two_tabs};

#[wasm_bindgen_test]
async fn dialling_each_other_at_once_makes_one_connection() {
    let (relay, _guard) = start_relay();
    let start = || Tab::start(Memory::default(), |config| config);
    for round in 0..5 {
        let (a, b) = (start(), start());
        let (at_a, at_b) = (a.reserve(&relay).await, b.reserve(&relay).await);
        a.dial(at_b);
        b.dial(at_a);
        only_direct(&a, &b).await;
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

/// The ICE servers of each browser connection that is made from now on, as the browser has them.
fn ice_servers_of_connections() -> Array {
    // The constructor is wrapped rather than the provider asked: what counts is what reaches the browser.
    let wrap = "const made = []; const Plain = RTCPeerConnection; \
        globalThis.RTCPeerConnection = class extends Plain { \
            constructor(settings) { super(settings); made.push(JSON.stringify(this.getConfiguration().iceServers)); } \
        }; return made;";
    Function::new_no_args(wrap).call0(&JsValue::UNDEFINED).expect("it runs").unchecked_into()
}

#[wasm_bindgen_test]
async fn each_attempt_takes_the_ice_servers_of_the_moment() {
    let (relay, _guard) = start_relay();
    let issued = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&issued);
    let a = Tab::start(Memory::default(), |config| {
        config.with_ice_servers(move || {
            let credential = format!("secret {}", counter.fetch_add(1, Ordering::Relaxed));
            vec![IceServer::with_credentials("turn:127.0.0.1:9", "anna", credential)]
        })
    });
    let b = Tab::start(Memory::default(), |config| config);
    let (at_a, at_b) = (a.reserve(&relay).await, b.reserve(&relay).await);
    assert_eq!(issued.load(Ordering::Relaxed), 0, "nobody asks before there is an attempt");
    let made = ice_servers_of_connections();
    for (one, other, address) in [(&a, &b, &at_b), (&b, &a, &at_a), (&a, &b, &at_b)] {
        one.connect(address).await.expect("a direct connection");
        only_direct(one, other).await;
        one.disconnect(other.peer);
        for tab in [&a, &b] {
            tab.until("the end", || tab.paths(if tab.peer == a.peer { b.peer } else { a.peer }).is_empty())
                .await;
        }
    }
    assert_eq!(issued.load(Ordering::Relaxed), 3, "once for each attempt, be it ours or theirs");
    let made: Vec<_> = made.iter().filter_map(|servers| servers.as_string()).collect();
    let with_servers: Vec<_> = made.iter().filter(|servers| *servers != "[]").collect();
    assert_eq!((made.len(), with_servers.len()), (6, 3), "{made:?}");
    for (attempt, servers) in with_servers.into_iter().enumerate() {
        for part in ["turn:127.0.0.1:9", "anna", &format!("secret {attempt}")] {
            assert!(servers.contains(part), "{part} in {servers}");
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
    only_direct(&a, &b).await;
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
    only_direct(&a, &b).await;
    between.stop();
    b.echo(a.peer, 100_000, 100_000).await.expect("the tab between is needed no more");
}

fn short_address(peer: PeerId) -> Multiaddr {
    Multiaddr::from(Protocol::WebRTC).with(Protocol::P2p(peer))
}
