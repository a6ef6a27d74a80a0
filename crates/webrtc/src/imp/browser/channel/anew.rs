//! Numbers that are taken over, and streams that begin anew.
//!
//! Browsers give a new channel the lowest free number, often that of the channel that has just closed. When the packet
//! is lost that ends the close for the other side, the new channel comes there before the old one is gone. Chromium then
//! fails the old one and opens the new one, but takes the late end of the old close for the end of the new channel: it is
//! lost as soon as it says anything, and the side that opened it never hears of it.
//!
//! So a stream that we opened may begin anew on another channel, unseen by its owner:
//!
//! - when the other side refuses it before anything else. The side that sees its old channel fail does so while it still
//!   can ([`Channel::refuse`]), and nobody there has read of the stream.
//! - when nothing is heard for a while ([`Config::with_patience`](crate::Config::with_patience)) and all that was said is which protocol is
//!   wanted. Other implementations refuse nothing; their end of the channel is lost with their answer. Should they be slow
//!   instead, they hear a reset on the old channel, and have been asked for nothing yet.
//!
//! The next number may be just as bad, so a stream begins anew up to [`MAX_MOVES`] times. What is kept for it is what was sent
//! before the first answer, up to [`MAX_EARLY`].
//!
//! A channel may also be lost a little later, when answers have come. Then nobody acknowledges that our half has ended, which
//! the other side does by itself, and after [`Config::with_linger`](crate::Config::with_linger) the stream fails: whoever
//! waits for more hears of it.
//!
//! A channel that was refused, on which nothing came, or the acknowledgement doesn't, may be lost, and is not closed from here:
//! the other side doesn't know it, so it would never close, and Chromium (156) there leaves out all channels that come after an
//! unknown one in the same packet. Their numbers are then free here and taken there: one lost packet spoils many streams. A
//! reset makes the other side close it if it does know it.

use std::rc::Rc;

use web_sys::RtcDataChannel;

use super::Channel;
use crate::wire::{
    frame::{Decoder, Flag, Frame},
    proposal::is_proposal,
};

/// How many bytes a stream may send before the first answer and still begin anew on another channel.
const MAX_EARLY: usize = 16 << 10;

/// How often a stream begins anew. On a line that loses packets and has many streams in a row a tenth of the numbers may be bad.
const MAX_MOVES: u8 = 4;

/// What was sent on a stream before anything came back.
pub(super) enum Early {
    /// While it is little enough to be sent again.
    Kept(Sent),
    /// Waits for the new channel to open.
    Again(Sent),
    /// The other side has answered, or this stream doesn't begin anew.
    Over,
}

/// The messages of a stream that nobody has answered.
#[derive(Default)]
pub(super) struct Sent {
    messages: Vec<Vec<u8>>,
    /// How often the stream has begun anew.
    moves: u8,
}

impl Early {
    /// Of a stream that we opened, or of another, which never begins anew.
    pub(super) fn new(ours: bool) -> Self {
        if ours { Self::Kept(Sent::default()) } else { Self::Over }
    }

    /// Keeps a message that was sent. Returns whether it was the first.
    pub(super) fn push(&mut self, message: &[u8]) -> bool {
        let Self::Kept(Sent { messages, .. }) = self else { return false };
        messages.push(message.to_vec());
        let first = messages.len() == 1;
        if messages.iter().map(Vec::len).sum::<usize>() > MAX_EARLY {
            *self = Self::Over;
        }
        first
    }

    /// Whether something was sent, and nothing came.
    pub(super) fn is_unanswered(&self) -> bool {
        matches!(self, Self::Kept(sent) if !sent.messages.is_empty())
    }

    /// Whether all that was sent is which protocol is wanted.
    fn is_proposal(&self) -> bool {
        let Self::Kept(Sent { messages, .. }) = self else { return false };
        let (mut data, mut flagged) = (Vec::new(), false);
        let mut decoder = Decoder::default();
        let whole = messages.iter().all(|message| {
            let each = |frame: Frame<'_>| {
                flagged |= frame.flag.is_some();
                data.extend_from_slice(frame.data);
            };
            decoder.push(message, each).is_ok()
        });
        whole && !flagged && is_proposal(&data)
    }
}

impl Channel {
    /// Refuses a stream whose channel is about to be lost. The channel isn't closed: that would throw away the refusal,
    /// which waits for the end of the old channel's close. Should it live after all, it is closed when that has had its time.
    pub(in crate::imp::browser) fn refuse(self: &Rc<Self>) {
        let flag = self.inner.borrow_mut().state.reset();
        if let Some(flag) = flag {
            self.say(flag);
        }
        self.closing.set(true);
        self.linger();
    }

    /// Whether it waits for a first answer. Other implementations send a frame in pieces, and a piece is a sign of one.
    pub(in crate::imp::browser) fn is_unanswered(&self) -> bool {
        let inner = self.inner.borrow();
        inner.early.is_unanswered() && !inner.decoder.is_amid()
    }

    /// Nothing was heard for long: begins anew, if that does no harm.
    pub(in crate::imp::browser) fn lose_patience(self: &Rc<Self>) -> bool {
        if !self.is_unanswered() {
            return false;
        }
        let sent = {
            let mut inner = self.inner.borrow_mut();
            if inner.state.is_done() || !inner.early.is_proposal() {
                return false;
            }
            match std::mem::replace(&mut inner.early, Early::Over) {
                Early::Kept(sent) => sent,
                Early::Again(_) | Early::Over => return false,
            }
        };
        let Some(old) = self.move_over(sent) else { return false };
        tracing::debug!("a stream was not answered, and begins anew");
        let mut reset = Vec::new();
        Frame { flag: Some(Flag::Reset), data: &[] }.encode(&mut reset);
        old.send_with_u8_array(&reset).ok();
        true
    }

    /// Puts a refused stream on another channel. `false`: there is none.
    pub(super) fn begin_anew(self: &Rc<Self>, sent: Sent) -> bool {
        tracing::debug!("a stream was refused before it began, and begins anew");
        self.move_over(sent).is_some()
    }

    /// Takes another channel, on which the messages are sent as soon as it is open. Returns the old one; `None` if this is all
    /// over, or has been tried often enough.
    fn move_over(self: &Rc<Self>, Sent { messages, moves }: Sent) -> Option<RtcDataChannel> {
        if moves == MAX_MOVES {
            return None;
        }
        let peer = self.peer.upgrade()?;
        let fresh = peer.replacement()?;
        peer.counters.count(|metrics| metrics.streams_begun_anew += 1);
        let old = self.raw.replace(fresh);
        {
            let mut inner = self.inner.borrow_mut();
            inner.early = Early::Again(Sent { messages, moves: moves + 1 });
            inner.decoder = Decoder::default();
        }
        self.listen();
        Some(old)
    }

    /// Sends again what waits for the channel to open, and waits for an answer again.
    pub(super) fn resend(self: &Rc<Self>) {
        let early = std::mem::replace(&mut self.inner.borrow_mut().early, Early::Over);
        let Early::Again(sent) = early else {
            self.inner.borrow_mut().early = early;
            return;
        };
        for message in &sent.messages {
            self.raw().send_with_u8_array(message).ok();
        }
        self.inner.borrow_mut().early = Early::Kept(sent);
        if let Some(peer) = self.peer.upgrade() {
            peer.unanswered.expect(&peer, self);
        }
    }

    /// A channel that has done its work fails only if its number is taken over.
    pub(super) fn on_error(&self) {
        if self.closing.get()
            && let Some(peer) = self.peer.upgrade()
            && let Some(number) = self.raw.borrow().id()
        {
            peer.expect_lost(number);
        }
    }
}
