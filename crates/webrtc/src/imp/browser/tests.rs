//! One of our peers and a bare `RTCPeerConnection` in one page: what another implementation, or a lossy network, may do
//! that no second peer of ours would.

use std::{
    cell::Cell,
    future::poll_fn,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use futures::{FutureExt, StreamExt, channel::mpsc};
use js_sys::{ArrayBuffer, Uint8Array};
use libp2p_identity::PeerId;
use send_wrapper::SendWrapper;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};
use web_sys::{
    Event, EventTarget, MessageEvent, RtcDataChannel, RtcDataChannelEvent, RtcDataChannelState,
    RtcPeerConnection,
};
use web_time::Instant;

use super::{
    channel::{Channel, LOW_BUFFERED, MAX_BUFFERED},
    js::{Listener, create_data_channel, get},
    peer::Peer,
};
use crate::{
    Config, ConnectionError,
    metrics::Counters,
    wire::frame::{Frame, MAX_DATA},
};

wasm_bindgen_test_configure!(run_in_browser);

const RESET: [u8; 3] = [2, 8, 2];
const FIN: [u8; 3] = [2, 8, 0];
const FIN_ACK: [u8; 3] = [2, 8, 3];

/// What proposes a protocol, and the frame that carries it.
const PROPOSAL: &[u8] = b"\x13/multistream/1.0.0\n\x08/echo/1\n";
const PROPOSED: &[u8] = b"\x1f\x12\x1d\x13/multistream/1.0.0\n\x08/echo/1\n";

/// The events of one kind, from now on.
struct Events {
    received: mpsc::Receiver<Event>,
    _listener: Listener,
}

impl Events {
    fn of(target: &EventTarget, kind: &'static str) -> Self {
        let (sender, received) = mpsc::channel(1_024);
        let listener = Listener::new(target, kind, move |event| {
            sender.clone().try_send(event).expect("the test reads them");
        });
        Self { received, _listener: listener }
    }

    async fn next(&mut self) -> Event {
        self.received.next().await.expect("the listener lives as long as this")
    }
}

/// A channel of the bare side, and what comes on it.
struct Bare {
    raw: RtcDataChannel,
    messages: Events,
}

impl Bare {
    fn new(raw: RtcDataChannel) -> Self {
        raw.set_binary_type(web_sys::RtcDataChannelType::Arraybuffer);
        Self { messages: Events::of(&raw, "message"), raw }
    }

    async fn next(&mut self) -> Vec<u8> {
        let data = self.messages.next().await.unchecked_into::<MessageEvent>().data();
        Uint8Array::new(&data.unchecked_into::<ArrayBuffer>()).to_vec()
    }

    fn send(&self, bytes: &[u8]) {
        self.raw.send_with_u8_array(bytes).expect("open");
    }
}

/// A peer of ours that is connected to a bare connection.
struct Pair {
    ours: Rc<Peer>,
    bare: RtcPeerConnection,
    channels: Events,
}

impl Pair {
    async fn connect() -> Self {
        Self::configured(|_| {}).await
    }

    async fn configured(change: impl FnOnce(&mut Config)) -> Self {
        let id = PeerId::random();
        let mut config = Config::new(id);
        change(&mut config);
        let ours = Peer::new(id, &config, Counters::default()).expect("a browser");
        let bare = RtcPeerConnection::new().expect("a browser");
        let mut channels = Events::of(&bare, "datachannel");
        ours.open_init().expect("a fresh connection");
        let offer = describe(&ours.raw).await;
        JsFuture::from(bare.set_remote_description(offer.unchecked_ref())).await.expect("an offer");
        let answer = describe(&bare).await;
        JsFuture::from(ours.raw.set_remote_description(answer.unchecked_ref())).await.expect("an answer");
        // The first channel: both sides are connected.
        channels.next().await;
        ours.established();
        Self { ours, bare, channels }
    }

    async fn open(&self) -> Rc<Channel> {
        poll_fn(|cx| self.ours.poll_outbound(cx)).await.expect("connected")
    }

    async fn accepted(&self) -> Rc<Channel> {
        poll_fn(|cx| self.ours.poll_inbound(cx)).await.expect("connected")
    }

    /// The next channel that comes to the bare side.
    async fn comes(&mut self) -> Bare {
        Bare::new(self.channels.next().await.unchecked_into::<RtcDataChannelEvent>().channel())
    }

    /// A channel that the bare side opens, once it is open.
    async fn opens(&self) -> Bare {
        let channel = Bare::new(create_data_channel(&self.bare, "").expect("connected"));
        Events::of(&channel.raw, "open").next().await;
        channel
    }
}

/// Makes the description that is due, with all candidates in it.
async fn describe(raw: &RtcPeerConnection) -> JsValue {
    let mut changes = Events::of(raw, "icegatheringstatechange");
    let answers = get(raw, "signalingState") == "have-remote-offer";
    let made = if answers { raw.create_answer() } else { raw.create_offer() };
    let made = JsFuture::from(made).await.expect("a description");
    JsFuture::from(raw.set_local_description(made.unchecked_ref())).await.expect("its own");
    while get(raw, "iceGatheringState") != "complete" {
        changes.next().await;
    }
    get(raw, "localDescription")
}

async fn write(channel: &Rc<Channel>, bytes: &[u8]) {
    let count = poll_fn(|cx| channel.poll_write(cx, bytes)).await.expect("open");
    assert_eq!(count, bytes.len());
}

async fn read(channel: &Channel) -> std::io::Result<Vec<u8>> {
    let mut buffer = [0; 100];
    let count = poll_fn(|cx| channel.poll_read(cx, &mut buffer)).await?;
    Ok(buffer[..count].to_vec())
}

async fn read_to_end(channel: &Channel) -> std::io::Result<Vec<u8>> {
    let mut all = Vec::new();
    loop {
        let bytes = read(channel).await?;
        if bytes.is_empty() {
            return Ok(all);
        }
        all.extend(bytes);
    }
}

/// Does something as soon as it is woken, in the middle of whatever wakes it.
struct AtOnce(SendWrapper<Box<dyn Fn()>>);

impl AtOnce {
    fn waker(act: impl Fn() + 'static) -> Waker {
        Arc::new(Self(SendWrapper::new(Box::new(act)))).into()
    }
}

impl Wake for AtOnce {
    fn wake(self: Arc<Self>) {
        (self.0)();
    }
}

#[wasm_bindgen_test]
async fn bytes_that_come_before_a_stream_is_accepted_are_all_read() {
    let pair = Pair::connect().await;
    let channel = pair.opens().await;
    let sent: Vec<u8> = (0..2_000_000u32).map(|index| (index % 251).to_le_bytes()[0]).collect();
    for data in sent.chunks(MAX_DATA) {
        let mut frame = Vec::new();
        Frame { flag: None, data }.encode(&mut frame);
        channel.send(&frame);
    }
    channel.send(&FIN);
    // It answers the end of the stream when all has come; nobody has taken the stream yet.
    let mut channel = channel;
    assert_eq!(channel.next().await, FIN_ACK);
    let stream = pair.accepted().await;
    assert!(read_to_end(&stream).await.expect("it ended in order") == sent);
}

#[wasm_bindgen_test]
async fn a_writer_waits_while_the_browser_holds_a_mebibyte_and_goes_on_when_most_is_sent() {
    let mut pair = Pair::connect().await;
    let stream = pair.open().await;
    write(&stream, b"hello").await;
    let channel = pair.comes().await;
    let held = || stream.handle().buffered_amount();
    let data = vec![7; 8 << 20];
    let (mut sent, mut waits) = (0, 0);
    while sent < data.len() {
        sent += poll_fn(|cx| {
            let poll = stream.poll_write(cx, &data[sent..]);
            if poll.is_pending() {
                waits += 1;
            } else if waits > 0 {
                assert!(held() as usize <= MAX_BUFFERED);
            }
            poll
        })
        .await
        .expect("open");
        assert!(held() as usize <= MAX_BUFFERED, "{} bytes are held", held());
    }
    // Each wait ends when all but a little is sent, so there are no more of them than that takes.
    let most = data.len() / (MAX_BUFFERED - LOW_BUFFERED as usize) + 1;
    assert!((1..=most).contains(&waits), "{waits} waits");
    drop(channel);
}

#[wasm_bindgen_test]
async fn whoever_is_woken_may_read_write_and_let_the_stream_go_at_once() {
    let mut pair = Pair::connect().await;
    let stream = pair.open().await;
    write(&stream, b"hello").await;
    let mut channel = pair.comes().await;
    channel.next().await;

    let done = Rc::new(Cell::new(false));
    let waker = AtOnce::waker({
        let (stream, done) = (Rc::clone(&stream), Rc::clone(&done));
        move || {
            let (mut cx, mut buffer) = (Context::from_waker(Waker::noop()), [0; 10]);
            let read = stream.poll_read(&mut cx, &mut buffer);
            assert!(matches!(read, Poll::Ready(Ok(3))), "what woke it is there");
            assert!(matches!(stream.poll_write(&mut cx, b"thanks"), Poll::Ready(Ok(6))));
            stream.abandon();
            done.set(true);
        }
    });
    assert!(stream.poll_read(&mut Context::from_waker(&waker), &mut [0; 10]).is_pending());
    channel.send(b"\x05\x12\x03you");
    assert_eq!(channel.next().await, b"\x08\x12\x06thanks");
    assert_eq!(channel.next().await, RESET);
    assert!(done.get());

    // The same in the middle of the end of the connection, of which everything that waits is told.
    let stream = pair.open().await;
    let done = Rc::new(Cell::new(false));
    let waker = AtOnce::waker({
        let (stream, ours, done) = (Rc::clone(&stream), Rc::clone(&pair.ours), Rc::clone(&done));
        move || {
            let mut cx = Context::from_waker(Waker::noop());
            assert!(matches!(stream.poll_read(&mut cx, &mut [0; 10]), Poll::Ready(Err(_))));
            assert!(matches!(ours.poll_outbound(&mut cx), Poll::Ready(Err(_))));
            stream.abandon();
            done.set(true);
        }
    });
    assert!(stream.poll_read(&mut Context::from_waker(&waker), &mut [0; 10]).is_pending());
    pair.ours.end(ConnectionError::Lost);
    assert!(done.get());
}

#[wasm_bindgen_test]
async fn garbage_resets_its_stream_and_no_other() {
    let pair = Pair::connect().await;
    let mut sound = pair.opens().await;
    let kept = pair.accepted().await;
    let garbage: [&[u8]; 4] = [
        &[0xff, 0xff, 0x7f], // A frame that is too long.
        &[2, 8, 9],          // An unknown flag.
        &[2, 0x12, 5],       // Data that isn't there.
        &[3, 0x0a, 1, b'x'], // Bytes where a number belongs.
    ];
    for bytes in garbage {
        let mut channel = pair.opens().await;
        let stream = pair.accepted().await;
        channel.send(bytes);
        assert_eq!(channel.next().await, RESET);
        let error = read(&stream).await.expect_err("it is reset");
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    }
    let mut channel = pair.opens().await;
    let stream = pair.accepted().await;
    channel.raw.send_with_str("text").expect("open");
    assert_eq!(channel.next().await, RESET);
    assert!(read(&stream).await.is_err());

    sound.send(b"\x05\x12\x03you");
    assert_eq!(read(&kept).await.expect("nothing happened to it"), b"you");
    write(&kept, b"hello").await;
    assert_eq!(sound.next().await, b"\x07\x12\x05hello");
}

#[wasm_bindgen_test]
async fn a_stream_that_is_refused_before_it_began_begins_anew_with_all_that_was_sent() {
    let mut pair = Pair::connect().await;
    let stream = pair.open().await;
    write(&stream, b"hello").await;
    poll_fn(|cx| stream.poll_close(cx)).await.expect("open");
    let mut first = pair.comes().await;
    assert_eq!(first.next().await, b"\x07\x12\x05hello");
    first.send(&RESET);

    let mut second = pair.comes().await;
    assert_eq!(second.next().await, b"\x07\x12\x05hello");
    assert_eq!(second.next().await, FIN);
    assert_eq!(first.raw.ready_state(), RtcDataChannelState::Open, "its close is left to the other side");
    second.send(b"\x05\x12\x03you");
    assert_eq!(read(&stream).await.expect("the stream goes on"), b"you");
}

#[wasm_bindgen_test]
async fn a_stream_begins_anew_four_times_and_never_after_an_answer() {
    let mut pair = Pair::connect().await;
    let refused = pair.open().await;
    write(&refused, b"hello").await;
    for _ in 0..5 {
        let mut channel = pair.comes().await;
        assert_eq!(channel.next().await, b"\x07\x12\x05hello");
        channel.send(&RESET);
    }
    assert!(read(&refused).await.is_err(), "refused five times");

    let answered = pair.open().await;
    write(&answered, b"hello").await;
    let mut channel = pair.comes().await;
    channel.next().await;
    channel.send(b"\x05\x12\x03you");
    assert_eq!(read(&answered).await.expect("answered"), b"you");
    channel.send(&RESET);
    assert!(read(&answered).await.is_err(), "reset");
}

#[wasm_bindgen_test]
async fn a_channel_whose_number_was_taken_over_is_refused_and_the_next_is_not() {
    let pair = Pair::configured(|config| config.linger = Duration::from_millis(20)).await;
    let old = pair.opens().await;
    let number = old.raw.id();
    let stream = pair.accepted().await;
    let mut closed = Events::of(&old.raw, "close");
    stream.lose();
    // What Chromium does to the old channel when the new one comes too early; a lost packet can't be had here.
    stream.fail();
    closed.next().await;

    let mut new = pair.opens().await;
    assert_eq!(new.raw.id(), number, "the lowest free number");
    assert_eq!(new.next().await, RESET);
    assert!(poll_fn(|cx| pair.ours.poll_inbound(cx)).now_or_never().is_none(), "nobody accepts it");
    // It isn't lost here, so the side that has refused it closes it in the end.
    Events::of(&new.raw, "close").next().await;

    let next = pair.opens().await;
    assert_eq!(next.raw.id(), number);
    let stream = pair.accepted().await;
    next.send(b"\x05\x12\x03you");
    assert_eq!(read(&stream).await.expect("accepted"), b"you");
}

#[wasm_bindgen_test]
async fn a_thousand_streams_that_come_before_any_is_accepted_are_all_kept() {
    let pair = Pair::connect().await;
    let mut come = Events::of(&pair.ours.raw, "datachannel");
    let opened: Vec<_> =
        (0..1_000).map(|_| create_data_channel(&pair.bare, "").expect("connected")).collect();
    for _ in &opened {
        come.next().await;
    }
    for _ in &opened {
        assert!(poll_fn(|cx| pair.ours.poll_inbound(cx)).now_or_never().is_some(), "one was refused");
    }
}

#[wasm_bindgen_test]
async fn a_stream_that_is_not_answered_begins_anew_if_it_has_only_proposed_a_protocol() {
    let mut pair = Pair::configured(|config| config.patience = Duration::from_millis(50)).await;
    let asking = pair.open().await;
    write(&asking, b"do it").await;
    let mut asked = pair.comes().await;
    assert_eq!(asked.next().await, b"\x07\x12\x05do it");
    let proposing = pair.open().await;
    write(&proposing, PROPOSAL).await;
    let mut first = pair.comes().await;
    assert_eq!(first.next().await, PROPOSED);

    // The one that asked is older: had it begun anew, it would have done so before.
    let mut second = pair.comes().await;
    assert_eq!(second.next().await, PROPOSED);
    assert_eq!(first.next().await, RESET, "in case the other side was only slow");
    second.send(b"\x05\x12\x03you");
    assert_eq!(read(&proposing).await.expect("the stream goes on"), b"you");
    assert_eq!(first.raw.ready_state(), RtcDataChannelState::Open, "its close is left to the other side");
    asked.send(b"\x05\x12\x03you");
    assert_eq!(read(&asking).await.expect("nothing happened to it"), b"you");
}

#[wasm_bindgen_test]
async fn a_busy_peer_hears_proposals_again_a_few_at_a_time() {
    let pair = Pair::connect().await;
    let patience = pair.ours.config().patience;
    for _ in 0..20 {
        let stream = pair.open().await;
        poll_fn(|cx| stream.poll_write(cx, PROPOSAL)).await.expect("open");
    }
    let begun = || pair.ours.counters.snapshot().streams_begun_anew;
    assert!(pair.ours.unanswered.look(Instant::now(), patience).is_some_and(|wait| wait <= patience));
    assert_eq!(begun(), 0, "not yet");
    let later = Instant::now() + patience;
    for expected in [(8, true), (16, true), (20, false)] {
        let more = pair.ours.unanswered.look(later, patience).is_some();
        assert_eq!((begun(), more), expected);
    }
}

#[wasm_bindgen_test]
async fn a_stream_that_has_heard_a_piece_of_an_answer_waits_for_the_rest() {
    let mut pair = Pair::connect().await;
    let stream = pair.open().await;
    write(&stream, PROPOSAL).await;
    let mut come = Events::of(&stream.handle(), "message");
    let mut channel = pair.comes().await;
    assert_eq!(channel.next().await, PROPOSED);
    channel.send(&[5]);
    come.next().await;
    let patience = pair.ours.config().patience;
    assert!(pair.ours.unanswered.look(Instant::now() + patience, patience).is_none(), "none waits");
    assert_eq!(pair.ours.counters.snapshot().streams_begun_anew, 0);
    channel.send(b"\x12\x03you");
    assert_eq!(read(&stream).await.expect("the same channel"), b"you");
}

#[wasm_bindgen_test]
async fn a_channel_on_which_nothing_came_is_left_to_the_other_side_to_close() {
    let mut pair = Pair::connect().await;
    let dropped = pair.open().await;
    write(&dropped, PROPOSAL).await;
    dropped.abandon();
    let mut channel = pair.comes().await;
    assert_eq!(channel.next().await, PROPOSED);
    assert_eq!(channel.next().await, RESET);
    // What was said after it has come: a close would have come as well.
    let stream = pair.open().await;
    write(&stream, b"hello").await;
    pair.comes().await.next().await;
    assert_eq!(channel.raw.ready_state(), RtcDataChannelState::Open);
    channel.raw.close();
    drop(stream);
}

#[wasm_bindgen_test]
async fn channels_that_never_close_give_their_turns_to_others() {
    let mut pair = Pair::configured(|config| config.linger = Duration::from_millis(20)).await;
    for _ in 0..300 {
        let stream = pair.open().await;
        write(&stream, PROPOSAL).await;
        stream.abandon();
        // The other side keeps its channel open.
        pair.comes().await;
    }
    poll_fn(|cx| pair.ours.poll_drained(cx)).await;
    let last = pair.open().await;
    write(&last, b"hello").await;
    let mut channel = pair.comes().await;
    channel.next().await;
    channel.send(b"\x05\x12\x03you");
    assert_eq!(read(&last).await.expect("answered"), b"you");
    last.abandon();
    let mut closed = Events::of(&channel.raw, "close");
    closed.next().await;
}

#[wasm_bindgen_test]
async fn a_stream_whose_end_is_not_acknowledged_fails_in_time_and_one_whose_is_stays() {
    let mut pair = Pair::configured(|config| config.linger = Duration::from_millis(100)).await;
    let (known, lost) = (pair.open().await, pair.open().await);
    let mut channels = Vec::new();
    for stream in [&known, &lost] {
        write(stream, b"hello").await;
        channels.push(pair.comes().await);
    }
    for (stream, channel) in [&known, &lost].into_iter().zip(&mut channels) {
        channel.send(b"\x05\x12\x03you");
        assert_eq!(read(stream).await.expect("answered"), b"you");
        poll_fn(|cx| stream.poll_close(cx)).await.expect("open");
    }
    channels[0].send(&FIN_ACK);
    assert!(read(&lost).await.is_err(), "nobody knows of its end");
    channels[0].send(b"\x05\x12\x03all");
    assert_eq!(read(&known).await.expect("the other half is open"), b"all");
    assert_eq!(
        channels[1].raw.ready_state(),
        RtcDataChannelState::Open,
        "its close is left to the other side"
    );
}
