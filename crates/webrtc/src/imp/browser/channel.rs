//! One data channel and the libp2p stream on it.
//!
//! The channel outlives the stream's owner: when the stream is let go, the channel stays until both halves have ended,
//! so that what was written is delivered, or until the linger time is over.

mod anew;
mod received;

use std::{
    cell::{Cell, Ref, RefCell},
    io,
    rc::{Rc, Weak},
    task::{Context, Poll, Waker},
};

use futures::{
    channel::oneshot,
    future::{Either, select},
};
use futures_timer::Delay;
use js_sys::{ArrayBuffer, Uint8Array};
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::spawn_local;
use web_sys::{Event, MessageEvent, RtcDataChannel, RtcDataChannelState, RtcDataChannelType};

use self::{anew::Early, received::Received};
use super::{js::Listener, peer::Peer};
use crate::{
    stream::{Half, StreamState},
    wire::frame::{Decoder, Flag, Frame, MAX_DATA, MAX_FRAME},
};

/// A writer waits while the browser holds more than this of one channel.
pub(super) const MAX_BUFFERED: usize = 1 << 20;

/// A waiting writer goes on when the browser holds no more than this.
pub(super) const LOW_BUFFERED: u32 = 256 << 10;

/// A data channel and its stream.
pub(super) struct Channel {
    raw: RefCell<RtcDataChannel>,
    peer: Weak<Peer>,
    /// Its place among the peer's channels.
    key: u64,
    /// We opened it.
    ours: bool,
    /// It has opened. To ask the browser at each message would take several microseconds.
    opened: Cell<bool>,
    inner: RefCell<Inner>,
    /// The stream's owner is gone.
    abandoned: Cell<bool>,
    /// The other side doesn't seem to know the channel any more.
    lost: Cell<bool>,
    /// It is to be closed, or is already.
    closing: Cell<bool>,
    /// Where it stands among those that end.
    turn: Cell<Turn>,
    /// Its end was counted.
    counted: Cell<bool>,
    listeners: RefCell<Vec<Listener>>,
}

struct Inner {
    state: StreamState,
    decoder: Decoder,
    received: Received,
    reader: Option<Waker>,
    writer: Option<Waker>,
    early: Early,
    /// The last flag, until it is this stream's turn to end.
    last_word: Option<Flag>,
    /// Dropped when the channel has closed: ends the wait of [`Channel::linger`].
    lingering: Option<oneshot::Sender<()>>,
}

/// Streams of a connection end in turns: see [`turns`](super::turns).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    NotYet,
    /// In the queue.
    Waiting,
    /// Until the channel has closed.
    Taken,
}

impl Channel {
    /// Attaches to a data channel. Bytes that come from now on are kept. A stream that we opened may begin anew.
    pub(super) fn new(raw: RtcDataChannel, peer: &Rc<Peer>, key: u64, ours: bool) -> Rc<Self> {
        let channel = Rc::new(Self {
            raw: RefCell::new(raw),
            peer: Rc::downgrade(peer),
            key,
            ours,
            opened: Cell::new(false),
            inner: RefCell::new(Inner {
                state: StreamState::new(),
                decoder: Decoder::default(),
                received: Received::default(),
                reader: None,
                writer: None,
                early: Early::new(ours),
                last_word: None,
                lingering: None,
            }),
            abandoned: Cell::new(false),
            lost: Cell::new(false),
            closing: Cell::new(false),
            turn: Cell::new(Turn::NotYet),
            counted: Cell::new(false),
            listeners: RefCell::default(),
        });
        channel.listen();
        channel
    }

    fn listen(self: &Rc<Self>) {
        let raw = self.raw();
        self.opened.set(raw.ready_state() == RtcDataChannelState::Open);
        raw.set_binary_type(RtcDataChannelType::Arraybuffer);
        raw.set_buffered_amount_low_threshold(LOW_BUFFERED);
        let on = |kind, call: fn(&Rc<Self>, Event)| {
            let this = Rc::downgrade(self);
            Listener::new(&raw, kind, move |event| {
                if let Some(this) = this.upgrade() {
                    call(&this, event);
                }
            })
        };
        *self.listeners.borrow_mut() = vec![
            on("message", Self::on_message),
            on("open", |this, _| this.on_open()),
            on("bufferedamountlow", |this, _| this.wake_writer()),
            on("error", |this, _| this.on_error()),
            on("close", |this, _| this.on_close()),
        ];
    }

    pub(super) fn poll_read(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut inner = self.inner.borrow_mut();
        if let Some(count) = inner.received.take(buffer) {
            drop(inner);
            self.credit(count);
            return Poll::Ready(Ok(count));
        }
        match inner.state.read_half() {
            Half::Open => {
                inner.reader = Some(cx.waker().clone());
                Poll::Pending
            }
            Half::Ended | Half::Stopped => Poll::Ready(Ok(0)),
            Half::Reset => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
        }
    }

    pub(super) fn poll_write(self: &Rc<Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        match self.inner.borrow().state.write_half() {
            Half::Open => {}
            Half::Ended | Half::Stopped => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            Half::Reset => return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
        }
        if data.is_empty() {
            return Poll::Ready(Ok(0));
        }
        if !self.opened.get() || self.raw().buffered_amount() as usize + MAX_FRAME > MAX_BUFFERED {
            self.inner.borrow_mut().writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let count = data.len().min(MAX_DATA);
        if self.send(Frame { flag: None, data: &data[..count] }) {
            Poll::Ready(Ok(count))
        } else if self.is_open() {
            self.lose();
            Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
        } else {
            // It is closing: what the other side has said before is still to come.
            self.inner.borrow_mut().writer = Some(cx.waker().clone());
            Poll::Pending
        }
    }

    /// Ends our half. It doesn't wait for the other side to say that everything has come: the channel itself stays
    /// until then.
    pub(super) fn poll_close(self: &Rc<Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let half = self.inner.borrow().state.write_half();
        match half {
            Half::Open if !self.is_open() => {
                self.inner.borrow_mut().writer = Some(cx.waker().clone());
                Poll::Pending
            }
            Half::Open => {
                let flag = self.inner.borrow_mut().state.finish();
                self.answer(flag);
                self.linger();
                Poll::Ready(Ok(()))
            }
            Half::Ended | Half::Stopped => Poll::Ready(Ok(())),
            Half::Reset => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
        }
    }

    /// The stream's owner is gone.
    pub(super) fn abandon(self: &Rc<Self>) {
        self.abandoned.set(true);
        let (flag, unread) = {
            let mut inner = self.inner.borrow_mut();
            inner.reader = None;
            inner.writer = None;
            (inner.state.abandon(), inner.received.clear())
        };
        self.credit(unread);
        self.answer(flag);
        if self.raw().ready_state() != RtcDataChannelState::Closed {
            self.linger();
        }
    }

    /// The connection beneath has ended.
    pub(super) fn lose(self: &Rc<Self>) {
        self.count_end();
        let (last_word, wakers) = {
            let mut inner = self.inner.borrow_mut();
            inner.state.on_lost();
            inner.lingering = None;
            (inner.last_word.take(), [inner.reader.take(), inner.writer.take()])
        };
        if let Some(flag) = last_word {
            self.say(flag);
        }
        self.close();
        wakers.into_iter().flatten().for_each(Waker::wake);
    }

    fn count_end(&self) {
        let state = self.inner.borrow().state;
        if !self.counted.replace(true)
            && let Some(peer) = self.peer.upgrade()
        {
            peer.counters.count(|metrics| {
                let ended = if state.ended_in_order() {
                    &mut metrics.streams_closed
                } else {
                    &mut metrics.streams_reset
                };
                *ended += 1;
            });
        }
    }

    /// Closes the data channel, when it is its turn; the browser first sends what it still holds.
    fn close(self: &Rc<Self>) {
        if !self.closing.replace(true) && self.has_turn() {
            self.close_raw();
        }
    }

    /// Closes the data channel, or leaves that to the other side if the channel may be lost: see [`anew`].
    fn close_raw(&self) {
        let goes_on = self.peer.upgrade().is_some_and(|peer| !peer.has_ended());
        if !(goes_on && (self.is_unanswered() || self.lost.get())) {
            self.raw().close();
        }
    }

    /// It is this stream's turn to end. `false`: it has ended already.
    pub(super) fn end_now(self: &Rc<Self>) -> bool {
        if self.raw().ready_state() == RtcDataChannelState::Closed {
            return false;
        }
        self.turn.set(Turn::Taken);
        if self.closing.get() {
            self.close_raw();
        } else {
            self.answer(None);
        }
        true
    }

    /// Whether it may end now. If not, it stands in the queue.
    fn has_turn(self: &Rc<Self>) -> bool {
        let Some(peer) = self.peer.upgrade() else { return true };
        match self.turn.get() {
            Turn::Taken => true,
            Turn::Waiting => false,
            Turn::NotYet if peer.turns(self.ours).take(self) => {
                self.turn.set(Turn::Taken);
                true
            }
            Turn::NotYet => {
                self.turn.set(Turn::Waiting);
                false
            }
        }
    }

    /// Looks again after a while whether all went its way: see [`Channel::on_lingered`]. An earlier wait is over.
    fn linger(self: &Rc<Self>) {
        let Some(peer) = self.peer.upgrade() else { return };
        let (hold, closed) = oneshot::channel::<()>();
        self.inner.borrow_mut().lingering = Some(hold);
        let this = Rc::downgrade(self);
        let limit = Delay::new(peer.config().linger);
        spawn_local(async move {
            if let Either::Right(_) = select(closed, limit).await
                && let Some(this) = this.upgrade()
            {
                this.on_lingered();
            }
        });
    }

    /// The other side had time to close the channel; or, if the stream was let go, to end its half; or at least to say that it
    /// knows of the end of ours, which it does by itself.
    fn on_lingered(self: &Rc<Self>) {
        let awaits_ack = self.inner.borrow().state.awaits_ack();
        if self.closing.get() && self.turn.get() == Turn::Taken {
            tracing::debug!("a channel did not close in time");
            self.leave();
        } else if self.closing.get() && self.turn.get() == Turn::NotYet {
            tracing::debug!("a channel that was refused lives");
            self.closing.set(false);
            self.close();
            self.linger();
        } else if self.abandoned.get() || (awaits_ack && self.raw().buffered_amount() == 0) {
            tracing::debug!("a stream's other side did not end in time");
            self.lost.set(awaits_ack);
            self.reset();
            self.linger();
        } else if awaits_ack {
            self.linger();
        }
    }

    /// Nothing more is heard of the channel: its place and its turn go to others.
    fn leave(self: &Rc<Self>) {
        self.count_end();
        self.listeners.borrow_mut().clear();
        if let Some(peer) = self.peer.upgrade() {
            peer.forget(self.key);
            if self.turn.replace(Turn::NotYet) == Turn::Taken {
                peer.turns(self.ours).give();
            }
        }
    }

    fn on_open(self: &Rc<Self>) {
        self.opened.set(true);
        self.resend();
        self.wake_writer();
    }

    /// The data channel as the browser knows it.
    #[cfg(test)]
    pub(super) fn handle(&self) -> RtcDataChannel {
        self.raw().clone()
    }

    /// Fails as the browser would have it.
    #[cfg(test)]
    pub(super) fn fail(&self) {
        self.raw().dispatch_event(&Event::new("error").expect("a kind")).expect("an event");
    }

    fn on_message(self: &Rc<Self>, event: Event) {
        let Some(peer) = self.peer.upgrade() else { return };
        let Ok(buffer) = event.unchecked_into::<MessageEvent>().data().dyn_into::<ArrayBuffer>() else {
            return self.violate("text instead of bytes");
        };
        let message = peer.scratch.read(&Uint8Array::new(&buffer));
        let mut decoder = std::mem::take(&mut self.inner.borrow_mut().decoder);
        let pushed = decoder.push(&message, |frame| self.on_frame(&peer, frame));
        self.inner.borrow_mut().decoder = decoder;
        peer.scratch.give_back(message);
        if let Err(error) = pushed {
            self.violate(&error.to_string());
        }
    }

    fn on_frame(self: &Rc<Self>, peer: &Peer, Frame { flag, data }: Frame<'_>) {
        let early = std::mem::replace(&mut self.inner.borrow_mut().early, Early::Over);
        if let (Some(Flag::Reset), Early::Kept(sent)) = (flag, early)
            && self.begin_anew(sent)
        {
            return;
        }
        // Data first: a frame may carry the last bytes together with FIN.
        if !data.is_empty() && self.inner.borrow().state.accepts_data() && !self.keep(peer, data) {
            return self.violate("more bytes than the receive buffer takes");
        }
        let (answer, wakers) = {
            let mut inner = self.inner.borrow_mut();
            let answer = flag.and_then(|flag| inner.state.on_flag(flag));
            let writer = flag.and_then(|_| inner.writer.take());
            (answer, [inner.reader.take(), writer])
        };
        self.answer(answer);
        wakers.into_iter().flatten().for_each(Waker::wake);
    }

    /// Keeps received bytes for the reader, if they fit.
    fn keep(&self, peer: &Peer, data: &[u8]) -> bool {
        let mut inner = self.inner.borrow_mut();
        let fits =
            inner.received.len() + data.len() <= peer.config().receive_buffer && peer.debit(data.len());
        if fits {
            peer.counters.count(|metrics| metrics.bytes_received += data.len() as u64);
            inner.received.push(data);
        }
        fits
    }

    fn credit(&self, count: usize) {
        if let Some(peer) = self.peer.upgrade() {
            peer.credit(count);
        }
    }

    fn violate(self: &Rc<Self>, what: &str) {
        tracing::warn!(what, "resetting a stream");
        let unread = self.inner.borrow_mut().received.clear();
        self.credit(unread);
        self.reset();
    }

    /// Gives both halves up, and tells both sides.
    fn reset(self: &Rc<Self>) {
        let (flag, wakers) = {
            let mut inner = self.inner.borrow_mut();
            (inner.state.reset(), [inner.reader.take(), inner.writer.take()])
        };
        self.answer(flag);
        wakers.into_iter().flatten().for_each(Waker::wake);
    }

    fn on_close(self: &Rc<Self>) {
        self.lose();
        self.leave();
    }

    fn wake_writer(&self) {
        let writer = self.inner.borrow_mut().writer.take();
        if let Some(writer) = writer {
            writer.wake();
        }
    }

    /// Sends a flag, and closes the channel when nothing more is to pass. The last flag waits for this stream's turn.
    fn answer(self: &Rc<Self>, flag: Option<Flag>) {
        if self.closing.get() {
            return;
        }
        let state = self.inner.borrow().state;
        let ends = state.is_done() || (state.has_said_all() && !self.ours);
        if ends && !self.has_turn() {
            if flag.is_some() {
                self.inner.borrow_mut().last_word = flag;
            }
            return;
        }
        let flag = flag.or_else(|| self.inner.borrow_mut().last_word.take());
        if let Some(flag) = flag {
            self.say(flag);
        }
        if state.is_done() {
            self.close();
        }
    }

    fn raw(&self) -> Ref<'_, RtcDataChannel> {
        self.raw.borrow()
    }

    fn is_open(&self) -> bool {
        self.raw().ready_state() == RtcDataChannelState::Open
    }

    /// Says a flag, if the channel is open.
    fn say(self: &Rc<Self>, flag: Flag) {
        if self.is_open() {
            self.send(Frame { flag: Some(flag), data: &[] });
        }
    }

    /// Hands a frame to the browser. `false`: the channel takes none.
    fn send(self: &Rc<Self>, frame: Frame<'_>) -> bool {
        let Some(peer) = self.peer.upgrade() else { return false };
        let mut message = peer.scratch.take();
        frame.encode(&mut message);
        let sent = self.raw().send_with_u8_array(&message).is_ok();
        if sent {
            peer.counters.count(|metrics| metrics.bytes_sent += frame.data.len() as u64);
            if self.inner.borrow_mut().early.push(&message) {
                peer.unanswered.expect(&peer, self);
            }
        }
        peer.scratch.give_back(message);
        sent
    }
}
