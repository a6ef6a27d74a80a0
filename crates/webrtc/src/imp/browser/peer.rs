//! One `RTCPeerConnection`: what happens on it, and the channels it has.
//!
//! Listeners are attached as soon as it is made, so nothing that happens before the connection is in use gets lost.

use std::{
    cell::{Cell, RefCell},
    collections::{HashMap, HashSet, VecDeque},
    future::poll_fn,
    rc::Rc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use futures_timer::Delay;
use js_sys::{Array, JSON};
use libp2p_identity::PeerId;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::spawn_local;
use web_sys::{
    EventTarget, RtcConfiguration, RtcDataChannel, RtcDataChannelEvent, RtcDataChannelState, RtcIceServer,
    RtcPeerConnection, RtcPeerConnectionIceEvent, RtcPeerConnectionState,
};

use super::{
    channel::Channel,
    js::{Listener, create_data_channel, get, refused},
    report,
    scratch::Scratch,
    turns::Turns,
    unanswered::Unanswered,
};
use crate::{Config, ConnectionError, Error, IceServer, Stage, metrics::Counters};

/// The label of the channel that a dialer opens so that its offer describes one.
const INIT: &str = "init";

/// Local candidates that wait to be sent. A machine has a few per interface.
const MAX_CANDIDATES: usize = 64;

/// Inbound streams that nobody has accepted yet. A peer may open a thousand in one go, and they come before the swarm is polled.
const MAX_UNACCEPTED: usize = 1_024;

/// How long a page that comes back to a network waits for a sign of the other side. Browsers check every 2.5 s at least.
const CHECK: Duration = Duration::from_secs(5);

/// An `RTCPeerConnection` and everything on it.
pub(super) struct Peer {
    pub(super) id: PeerId,
    pub(super) raw: RtcPeerConnection,
    config: Config,
    pub(super) counters: Counters,
    /// Negotiation is over: from now on its end counts as that of a connection.
    established: Cell<bool>,
    /// The dialer's first channel, until the peers are connected.
    init: RefCell<Option<RtcDataChannel>>,
    candidates: RefCell<VecDeque<String>>,
    /// How many candidates this side has found, and how many the other side has sent.
    gathered: Cell<u32>,
    pub(super) taken: Cell<u32>,
    channels: RefCell<HashMap<u64, Rc<Channel>>>,
    unaccepted: RefCell<VecDeque<Rc<Channel>>>,
    /// Numbers whose channel was taken over by a new one, which is about to come and to be lost.
    taken_over: RefCell<HashSet<u16>>,
    next_key: Cell<u64>,
    outbound: Cell<usize>,
    turns_of_ours: Turns,
    turns_of_theirs: Turns,
    pub(super) unanswered: Unanswered,
    pub(super) scratch: Scratch,
    received_bytes: Cell<usize>,
    ended: Cell<Option<ConnectionError>>,
    /// How often the browser has called the connection disconnected.
    silences: Cell<u32>,
    wakers: RefCell<Vec<Waker>>,
    listeners: RefCell<Vec<Listener>>,
}

/// What matters while connecting.
pub(super) enum Progress {
    /// A local candidate for the other side, as JSON.
    Candidate(String),
    Connected,
    Failed,
}

impl Peer {
    /// Makes the browser's object, with the ICE servers of the moment.
    pub(super) fn new(id: PeerId, config: &Config, counters: Counters) -> Result<Rc<Self>, Error> {
        if get(&js_sys::global(), "RTCPeerConnection").is_undefined() {
            return Err(Error::Unsupported);
        }
        let settings = RtcConfiguration::new();
        settings.set_ice_servers(&(config.ice_servers)().iter().map(ice_server).collect::<Array>());
        let raw =
            RtcPeerConnection::new_with_configuration(&settings).map_err(refused("make a connection"))?;
        let peer = Rc::new(Self {
            id,
            raw,
            config: config.clone(),
            counters,
            established: Cell::new(false),
            init: RefCell::default(),
            candidates: RefCell::default(),
            gathered: Cell::new(0),
            taken: Cell::new(0),
            channels: RefCell::default(),
            unaccepted: RefCell::default(),
            taken_over: RefCell::default(),
            next_key: Cell::new(0),
            outbound: Cell::new(0),
            turns_of_ours: Turns::default(),
            turns_of_theirs: Turns::default(),
            unanswered: Unanswered::default(),
            scratch: Scratch::default(),
            received_bytes: Cell::new(0),
            ended: Cell::new(None),
            silences: Cell::new(0),
            wakers: RefCell::default(),
            listeners: RefCell::default(),
        });
        peer.listen("icecandidate", &peer.raw, |peer, event| peer.on_candidate(event.unchecked_ref()));
        peer.listen("datachannel", &peer.raw, |peer, event| peer.on_channel(event.unchecked_ref()));
        peer.listen("connectionstatechange", &peer.raw, |peer, _| peer.on_state());
        Ok(peer)
    }

    pub(super) fn config(&self) -> &Config {
        &self.config
    }

    /// What has happened, while connecting.
    pub(super) async fn progress(&self) -> Progress {
        poll_fn(|cx| match self.raw.connection_state() {
            RtcPeerConnectionState::Connected => Poll::Ready(Progress::Connected),
            RtcPeerConnectionState::Failed | RtcPeerConnectionState::Closed => Poll::Ready(Progress::Failed),
            _ => match self.candidates.borrow_mut().pop_front() {
                Some(candidate) => Poll::Ready(Progress::Candidate(candidate)),
                None => self.wait(cx),
            },
        })
        .await
    }

    /// Logs how far the browser has come: whether paths were tried and none worked, or the security handshake failed, or it
    /// had nothing to try.
    pub(super) fn explain(&self, stage: Stage) {
        let of = |name| get(&self.raw, name).as_string().unwrap_or_default();
        tracing::debug!(
            ?stage,
            gathering = of("iceGatheringState"),
            ice = of("iceConnectionState"),
            signaling = of("signalingState"),
            connection = of("connectionState"),
            ours = self.gathered.get(),
            theirs = self.taken.get(),
            "the browser's side of it",
        );
    }

    /// The connection is in use from now on: its end is watched.
    pub(super) fn established(self: &Rc<Self>) {
        self.established.set(true);
        // The other side's `close()` shows on the association at once, on the connection after many seconds.
        if let Ok(association) = get(&self.raw, "sctp").dyn_into::<EventTarget>() {
            let watched = association.clone();
            self.listen("statechange", &association, move |peer, _| {
                if get(&watched, "state") == "closed" {
                    peer.end(ConnectionError::ClosedByRemote);
                }
            });
        }
        // A tab that is closed says so, or the other side would find out only when nothing more is heard.
        if let Ok(page) = js_sys::global().dyn_into::<EventTarget>() {
            self.listen("pagehide", &page, |peer, _| {
                peer.end(ConnectionError::Closed);
                peer.raw.close();
            });
        }
        // A page that comes back to a network may have another address there.
        if let Ok(page) = js_sys::global().dyn_into::<EventTarget>() {
            self.listen("online", &page, |peer, _| peer.check());
        }
        self.close_init();
        report::register(self);
    }

    pub(super) fn poll_inbound(&self, cx: &mut Context<'_>) -> Poll<Result<Rc<Channel>, ConnectionError>> {
        if let Some(channel) = self.unaccepted.borrow_mut().pop_front() {
            return Poll::Ready(Ok(channel));
        }
        self.poll_ended(cx).map(Err)
    }

    pub(super) fn poll_outbound(
        self: &Rc<Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Rc<Channel>, ConnectionError>> {
        if let Poll::Ready(ended) = self.poll_ended(cx) {
            return Poll::Ready(Err(ended));
        }
        if self.outbound.get() >= self.config.max_streams {
            return Poll::Pending;
        }
        match create_data_channel(&self.raw, "") {
            Ok(raw) => {
                self.outbound.set(self.outbound.get() + 1);
                Poll::Ready(Ok(self.add(raw, Origin::Local)))
            }
            // No channel number is free before one of ours has closed.
            Err(_) if self.outbound.get() > 0 => Poll::Pending,
            Err(error) => {
                tracing::debug!(%error, "no data channel");
                Poll::Ready(Err(ConnectionError::NoChannel))
            }
        }
    }

    /// Resolves when the connection has ended.
    pub(super) fn poll_ended(&self, cx: &mut Context<'_>) -> Poll<ConnectionError> {
        match self.ended.get() {
            Some(ended) => Poll::Ready(ended),
            None => self.wait(cx),
        }
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended.get().is_some()
    }

    /// Ends the connection: every stream on it fails, everyone who waits is told. The first reason stays.
    pub(super) fn end(&self, reason: ConnectionError) {
        if self.has_ended() {
            return;
        }
        tracing::debug!(peer = %self.id, %reason, "direct connection ended");
        self.ended.set(Some(reason));
        if self.established.get() {
            self.counters.count(|metrics| *metrics.ended.entry(reason).or_default() += 1);
        }
        self.unaccepted.borrow_mut().clear();
        let channels: Vec<_> = self.channels.borrow().values().cloned().collect();
        for channel in channels {
            channel.lose();
        }
        self.wake();
    }

    /// Opens the channel without which an offer would describe none.
    pub(super) fn open_init(&self) -> Result<(), Error> {
        let init = create_data_channel(&self.raw, INIT)?;
        self.init.replace(Some(init));
        Ok(())
    }

    /// Resolves when every channel has closed, thus sent what it held.
    pub(super) fn poll_drained(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.channels.borrow().is_empty() { Poll::Ready(()) } else { self.wait(cx) }
    }

    /// Takes room for received bytes.
    pub(super) fn debit(&self, count: usize) -> bool {
        let total = self.received_bytes.get() + count;
        let fits = total <= 4 * self.config.receive_buffer;
        if fits {
            self.received_bytes.set(total);
        }
        fits
    }

    /// Gives room for received bytes back.
    pub(super) fn credit(&self, count: usize) {
        self.received_bytes.set(self.received_bytes.get().saturating_sub(count));
    }

    /// A channel has closed: its number is free.
    pub(super) fn forget(&self, key: u64) {
        let removed = self.channels.borrow_mut().remove(&key);
        if removed.is_some() && Origin::of(key) == Origin::Local {
            self.outbound.set(self.outbound.get() - 1);
        }
        self.wake();
    }

    /// The turns in which streams end, of those that we opened or of the others.
    pub(super) fn turns(&self, ours: bool) -> &Turns {
        if ours { &self.turns_of_ours } else { &self.turns_of_theirs }
    }

    /// The next channel with this number won't live.
    pub(super) fn expect_lost(&self, number: u16) {
        tracing::debug!(peer = %self.id, number, "a channel's number was taken over before it was free");
        self.taken_over.borrow_mut().insert(number);
    }

    /// A channel for a stream that begins anew.
    pub(super) fn replacement(&self) -> Option<RtcDataChannel> {
        if self.has_ended() { None } else { create_data_channel(&self.raw, "").ok() }
    }

    /// Closes the first channel once it is open: before that, its number could be given away while the other side still
    /// learns of it.
    fn close_init(self: &Rc<Self>) {
        let Some(init) = self.init.take() else { return };
        if init.ready_state() == RtcDataChannelState::Connecting {
            let channel = init.clone();
            self.listen("open", &init, move |_, _| channel.close());
        } else {
            init.close();
        }
    }

    fn add(self: &Rc<Self>, raw: RtcDataChannel, origin: Origin) -> Rc<Channel> {
        let key = origin.key(self.next_key.get());
        self.next_key.set(self.next_key.get() + 1);
        self.counters.count(|metrics| match origin {
            Origin::Local => metrics.streams_opened += 1,
            Origin::Remote => metrics.streams_accepted += 1,
        });
        let channel = Channel::new(raw, self, key, origin == Origin::Local);
        self.channels.borrow_mut().insert(key, Rc::clone(&channel));
        channel
    }

    fn on_channel(self: &Rc<Self>, event: &RtcDataChannelEvent) {
        let raw = event.channel();
        if raw.label() == INIT {
            // The dialer closes it. Closing it here as well could do so before the dialer has seen it open.
        } else if raw.id().is_some_and(|number| self.taken_over.borrow_mut().remove(&number)) {
            self.add(raw, Origin::Remote).refuse();
        } else if self.unaccepted.borrow().len() >= MAX_UNACCEPTED || self.has_ended() {
            tracing::debug!(peer = %self.id, "refusing a stream: too many wait");
            raw.close();
        } else {
            let channel = self.add(raw, Origin::Remote);
            self.unaccepted.borrow_mut().push_back(channel);
            self.wake();
        }
    }

    fn on_candidate(&self, event: &RtcPeerConnectionIceEvent) {
        let Some(candidate) = event.candidate() else { return };
        if candidate.candidate().is_empty() || self.candidates.borrow().len() >= MAX_CANDIDATES {
            return;
        }
        self.gathered.set(self.gathered.get() + 1);
        let json = JSON::stringify(&candidate.to_json()).map(String::from);
        if let Ok(json) = json {
            self.candidates.borrow_mut().push_back(json);
            self.wake();
        }
    }

    fn on_state(self: &Rc<Self>) {
        match self.raw.connection_state() {
            RtcPeerConnectionState::Disconnected => self.watch_silence(),
            RtcPeerConnectionState::Failed => self.end(ConnectionError::Lost),
            RtcPeerConnectionState::Closed => self.end(ConnectionError::Closed),
            _ => self.wake(),
        }
    }

    /// Ends the connection unless the other side is heard of again.
    fn watch_silence(self: &Rc<Self>) {
        self.silences.set(self.silences.get() + 1);
        let (this, silence) = (Rc::downgrade(self), self.silences.get());
        let limit = Delay::new(self.config.silence);
        spawn_local(async move {
            limit.await;
            if let Some(peer) = this.upgrade()
                && peer.silences.get() == silence
                && peer.raw.connection_state() == RtcPeerConnectionState::Disconnected
            {
                peer.end(ConnectionError::Lost);
            }
        });
    }

    /// Ends the connection unless the other side is heard of soon: the browser itself would take three times as long.
    fn check(self: &Rc<Self>) {
        let this = Rc::downgrade(self);
        spawn_local(async move {
            let heard = async || report::heard(&*this.upgrade()?).await;
            let Some(before) = heard().await else { return };
            Delay::new(CHECK).await;
            if heard().await == Some(before)
                && let Some(peer) = this.upgrade()
            {
                peer.end(ConnectionError::Lost);
            }
        });
    }

    fn listen(
        self: &Rc<Self>,
        kind: &'static str,
        target: &EventTarget,
        call: impl Fn(&Rc<Self>, &JsValue) + 'static,
    ) {
        let this = Rc::downgrade(self);
        let listener = Listener::new(target, kind, move |event| {
            if let Some(this) = this.upgrade() {
                call(&this, &event);
            }
        });
        self.listeners.borrow_mut().push(listener);
    }

    fn wait<T>(&self, cx: &mut Context<'_>) -> Poll<T> {
        let mut wakers = self.wakers.borrow_mut();
        if !wakers.iter().any(|waker| waker.will_wake(cx.waker())) {
            wakers.push(cx.waker().clone());
        }
        Poll::Pending
    }

    fn wake(&self) {
        let wakers = std::mem::take(&mut *self.wakers.borrow_mut());
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.listeners.get_mut().clear();
        self.raw.close();
    }
}

/// Who opened a channel; the lowest bit of its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    Local,
    Remote,
}

impl Origin {
    fn key(self, number: u64) -> u64 {
        (number << 1) | u64::from(self == Self::Remote)
    }

    fn of(key: u64) -> Self {
        if key & 1 == 0 { Self::Local } else { Self::Remote }
    }
}

fn ice_server(server: &IceServer) -> JsValue {
    let entry = RtcIceServer::new();
    entry.set_urls(&server.urls.iter().map(JsValue::from).collect::<Array>());
    if let Some(username) = &server.username {
        entry.set_username(username);
    }
    if let Some(credential) = &server.credential {
        entry.set_credential(credential);
    }
    entry.into()
}
