//! Attempts that fail: each has its cause, and the circuit stays.

use std::time::Duration;

use futures::{AsyncWriteExt, StreamExt, future::join};
use libp2p::core::transport::memory::MemoryTransport as Memory;
use libp2p_webrtc_browser::{Path, Reason, SIGNALING_PROTOCOL, Stage};
use wasm_bindgen_futures::JsFuture;
use wasm_bindgen_test::wasm_bindgen_test;

use crate::{
    start_relay,
    stranger::{Answer, Stranger, message},
    tab::Tab,
};

/// Where it is time that ends an attempt: enough to come to the stage where it waits, on a busy machine too.
const SHORT: Duration = Duration::from_secs(4);

/// Where it must be something else.
const LONG: Duration = Duration::from_secs(25);

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
        let a = Tab::start(Memory::default(), |config| config.with_dial_timeout(SHORT));
        let error = a.connect(&stranger.address).await.expect_err("no honest peer");
        assert!(error.contains(expected), "{error} instead of {expected}");
        assert_eq!(a.paths(stranger.peer), [Path::Circuit], "the relayed connection survives: {expected}");
        a.stop();
    }
}

#[wasm_bindgen_test]
async fn an_inbound_attempt_that_goes_wrong_is_ended_and_the_next_one_works() {
    let (relay, _guard) = start_relay();
    let b = Tab::start(Memory::default(), |config| config.with_dial_timeout(SHORT));
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
    stranger.reached_by(&b).await;
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
        let a = Tab::start(Memory::default(), |config| config.with_dial_timeout(SHORT));
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
        let a = Tab::start(Memory::default(), |config| config.with_dial_timeout(LONG));
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
    let b = Tab::start(Memory::default(), |config| config.with_dial_timeout(LONG));
    let address = b.reserve(&relay).await;
    let mut stranger = Stranger::start(&relay).await;
    stranger.reached_by(&b).await;
    let mut stream = stranger.control.open_stream(b.peer, SIGNALING_PROTOCOL).await.expect("spoken");
    stream.write_all(&message(0, &"x".repeat(200))[..20]).await.expect("open");
    stream.flush().await.expect("open");
    b.until("the attempt", || b.metrics().inbound.started == 1).await;
    drop(guard);
    b.until("the failure", || !b.failures().is_empty()).await;
    assert!(b.failures().iter().any(|text| text.contains(expected)), "{:?} {address}", b.failures());
    assert_eq!(b.metrics().inbound.failed.into_iter().collect::<Vec<_>>(), only_cause);
}
