//! One data channel and the libp2p stream on it.
//!
//! The channel outlives the stream's owner: when the stream is let go, the channel stays until both halves have ended,
//! so that what was written is delivered, or until the linger time is over.
//!
//! # Numbers that are taken over
//!
//! Browsers give a new channel the lowest free number, often that of the channel that has just closed. When the packet
//! is lost that ends the close for the other side, the new channel comes there before the old one is gone. Chromium then
//! fails the old one and opens the new one, but takes the late end of the old close for the end of the new channel: it is
//! lost as soon as it says anything, and the side that opened it never hears of it.
//!
//! So the side that sees its old channel fail refuses the new one while it still can ([`Channel::refuse`]), and the side
//! that opened it begins anew on another channel, unseen by the stream's owner. That is safe: the stream was refused before
//! anybody there had read of it. Each stream begins anew once; the bytes kept for it are those sent before the first answer,
//! up to [`MAX_EARLY`].

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
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

use super::{js::Listener, peer::Peer};
use crate::{
    stream::{Half, StreamState},
    wire::frame::{Decoder, Flag, Frame, MAX_DATA, MAX_FRAME, encode},
};

/// A writer waits while the browser holds more than this of one channel.
const MAX_BUFFERED: usize = 1 << 20;

/// A waiting writer goes on when the browser holds no more than this.
const LOW_BUFFERED: u32 = 256 << 10;

/// How many bytes a stream may send before the first answer and still begin anew on another channel.
const MAX_EARLY: usize = 16 << 10;

/// A data channel and its stream.
pub(super) struct Channel {
    raw: RefCell<RtcDataChannel>,
    peer: Weak<Peer>,
    /// Its place among the peer's channels.
    key: u64,
    /// We opened it.
    ours: bool,
    inner: RefCell<Inner>,
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
    received: VecDeque<Vec<u8>>,
    /// How much of the first chunk has been read.
    read: usize,
    received_bytes: usize,
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

/// What was sent on a stream before anything came back.
enum Early {
    /// Each message, while they are few enough to be sent again.
    Kept(Vec<Vec<u8>>),
    /// Waits for the new channel to open.
    Again(Vec<Vec<u8>>),
    /// The other side has answered, or this stream doesn't begin anew.
    Over,
}

impl Channel {
    /// Attaches to a data channel. Bytes that come from now on are kept. A stream that we opened may begin anew.
    pub(super) fn new(raw: RtcDataChannel, peer: &Rc<Peer>, key: u64, ours: bool) -> Rc<Self> {
        let channel = Rc::new(Self {
            raw: RefCell::new(raw),
            peer: Rc::downgrade(peer),
            key,
            ours,
            inner: RefCell::new(Inner {
                state: StreamState::new(),
                decoder: Decoder::default(),
                received: VecDeque::new(),
                read: 0,
                received_bytes: 0,
                reader: None,
                writer: None,
                early: if ours { Early::Kept(Vec::new()) } else { Early::Over },
                last_word: None,
                lingering: None,
            }),
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
        if let Some(count) = inner.take(buffer) {
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
        if !self.is_open() || self.raw().buffered_amount() as usize + MAX_FRAME > MAX_BUFFERED {
            self.inner.borrow_mut().writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let count = data.len().min(MAX_DATA);
        if self.send(None, &data[..count]) {
            Poll::Ready(Ok(count))
        } else {
            self.lose();
            Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
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
                Poll::Ready(Ok(()))
            }
            Half::Ended | Half::Stopped => Poll::Ready(Ok(())),
            Half::Reset => Poll::Ready(Err(io::ErrorKind::ConnectionReset.into())),
        }
    }

    /// The stream's owner is gone.
    pub(super) fn abandon(self: &Rc<Self>) {
        let (flag, unread) = {
            let mut inner = self.inner.borrow_mut();
            inner.reader = None;
            inner.writer = None;
            (inner.state.abandon(), inner.clear())
        };
        self.credit(unread);
        self.answer(flag);
        if !self.closing.get() && self.raw().ready_state() != RtcDataChannelState::Closed {
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
        if last_word.is_some() {
            self.send(last_word, &[]);
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
            self.raw().close();
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

    /// Refuses a stream whose channel is about to be lost. The channel isn't closed: that would throw away the refusal,
    /// which waits for the end of the old channel's close. The other side closes it.
    pub(super) fn refuse(&self) {
        let flag = self.inner.borrow_mut().state.reset();
        self.send(flag, &[]);
        self.closing.set(true);
    }

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
                tracing::debug!("a stream's other side did not end in time");
                this.lose();
            }
        });
    }

    fn on_open(&self) {
        let early = std::mem::replace(&mut self.inner.borrow_mut().early, Early::Over);
        match early {
            Early::Again(messages) => {
                for message in messages {
                    self.raw().send_with_u8_array(&message).ok();
                }
            }
            other => self.inner.borrow_mut().early = other,
        }
        self.wake_writer();
    }

    /// A channel that has done its work fails only if its number is taken over.
    fn on_error(&self) {
        if self.closing.get()
            && let Some(peer) = self.peer.upgrade()
            && let Some(number) = self.raw().id()
        {
            peer.expect_lost(number);
        }
    }

    /// Fails as the browser would have it.
    #[cfg(test)]
    pub(super) fn fail(&self) {
        self.raw().dispatch_event(&Event::new("error").expect("a kind")).expect("an event");
    }

    fn on_message(self: &Rc<Self>, event: Event) {
        let Ok(buffer) = event.unchecked_into::<MessageEvent>().data().dyn_into::<ArrayBuffer>() else {
            return self.violate("text instead of bytes");
        };
        let bytes = Uint8Array::new(&buffer).to_vec();
        let mut frames = VecDeque::new();
        let decoded = self.inner.borrow_mut().decoder.push(&bytes, |frame| frames.push_back(frame));
        for frame in frames {
            self.on_frame(frame);
        }
        if let Err(error) = decoded {
            self.violate(&error.to_string());
        }
    }

    fn on_frame(self: &Rc<Self>, Frame { flag, data }: Frame) {
        let early = std::mem::replace(&mut self.inner.borrow_mut().early, Early::Over);
        if let (Some(Flag::Reset), Early::Kept(messages)) = (flag, early)
            && self.begin_anew(messages)
        {
            return;
        }
        // Data first: a frame may carry the last bytes together with FIN.
        if !data.is_empty() && self.inner.borrow().state.accepts_data() && !self.keep(data) {
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
    fn keep(&self, data: Vec<u8>) -> bool {
        let Some(peer) = self.peer.upgrade() else { return true };
        let mut inner = self.inner.borrow_mut();
        let fits =
            inner.received_bytes + data.len() <= peer.config().receive_buffer && peer.debit(data.len());
        if fits {
            peer.counters.count(|metrics| metrics.bytes_received += data.len() as u64);
            inner.received_bytes += data.len();
            inner.received.push_back(data);
        }
        fits
    }

    /// Puts the stream on another channel. `false`: there is none.
    fn begin_anew(self: &Rc<Self>, messages: Vec<Vec<u8>>) -> bool {
        let Some(fresh) = self.peer.upgrade().and_then(|peer| peer.replacement()) else { return false };
        tracing::debug!("a stream was refused before it began, and begins anew");
        let old = self.raw.replace(fresh);
        self.inner.borrow_mut().early = Early::Again(messages);
        self.listen();
        old.close();
        true
    }

    fn credit(&self, count: usize) {
        if let Some(peer) = self.peer.upgrade() {
            peer.credit(count);
        }
    }

    fn violate(self: &Rc<Self>, what: &str) {
        tracing::warn!(what, "resetting a stream");
        let (flag, unread, wakers) = {
            let mut inner = self.inner.borrow_mut();
            (inner.state.reset(), inner.clear(), [inner.reader.take(), inner.writer.take()])
        };
        self.credit(unread);
        self.answer(flag);
        wakers.into_iter().flatten().for_each(Waker::wake);
    }

    fn on_close(self: &Rc<Self>) {
        self.lose();
        self.listeners.borrow_mut().clear();
        if let Some(peer) = self.peer.upgrade() {
            peer.forget(self.key);
            if self.turn.get() == Turn::Taken {
                peer.turns(self.ours).give();
            }
        }
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
        if flag.is_some() {
            self.send(flag, &[]);
        }
        if state.is_done() {
            self.close();
        }
    }

    fn raw(&self) -> RtcDataChannel {
        self.raw.borrow().clone()
    }

    fn is_open(&self) -> bool {
        self.raw().ready_state() == RtcDataChannelState::Open
    }

    fn send(&self, flag: Option<Flag>, data: &[u8]) -> bool {
        if !self.is_open() {
            return false;
        }
        let message = encode(flag, data);
        let sent = self.raw().send_with_u8_array(&message).is_ok();
        if sent {
            if let Some(peer) = self.peer.upgrade() {
                peer.counters.count(|metrics| metrics.bytes_sent += data.len() as u64);
            }
            self.inner.borrow_mut().early.push(message);
        }
        sent
    }
}

impl Early {
    fn push(&mut self, message: Vec<u8>) {
        if let Self::Kept(messages) = self {
            messages.push(message);
            if messages.iter().map(Vec::len).sum::<usize>() > MAX_EARLY {
                *self = Self::Over;
            }
        }
    }
}

impl Inner {
    /// Moves received bytes into `buffer`; `None` when there are none.
    fn take(&mut self, buffer: &mut [u8]) -> Option<usize> {
        if buffer.is_empty() {
            return Some(0);
        }
        let mut count = 0;
        while count < buffer.len()
            && let Some(chunk) = self.received.front()
        {
            let part = (chunk.len() - self.read).min(buffer.len() - count);
            buffer[count..count + part].copy_from_slice(&chunk[self.read..self.read + part]);
            count += part;
            self.read += part;
            if self.read == chunk.len() {
                self.received.pop_front();
                self.read = 0;
            }
        }
        self.received_bytes -= count;
        (count > 0).then_some(count)
    }

    /// Drops what nobody will read.
    fn clear(&mut self) -> usize {
        self.received.clear();
        self.read = 0;
        std::mem::take(&mut self.received_bytes)
    }
}
