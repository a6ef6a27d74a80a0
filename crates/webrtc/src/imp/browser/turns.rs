//! Who of many streams ends now.
//!
//! Chromium (156) asks the other side to forget all channels that are being closed in one packet. When they are too many for
//! one, some 580, the packet is never sent, and no channel of that connection is ever closed again. So only [`MAX_ENDING`]
//! streams of a connection end at a time: the last flag of the others, which makes the other side close as well, and their
//! own close wait for their turn.
//!
//! Turns are apart for streams that we opened and for those that we accepted. The first take one when the other side has
//! said all, so they hold it for as long as the browser takes to close. The second take one to say their own last word, and
//! hold it until the other side has said its own: for that the other side needs a turn of the first kind at most. So nobody
//! waits in a circle.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::{Rc, Weak},
};

use super::channel::Channel;

/// Streams of one kind that end at the same time. What both sides close, of both kinds, has to fit a packet.
const MAX_ENDING: usize = 128;

/// The turns of the streams of one kind.
#[derive(Default)]
pub(super) struct Turns {
    ending: Cell<usize>,
    waiting: RefCell<VecDeque<Weak<Channel>>>,
}

impl Turns {
    /// Lets a stream end now, or puts it into the queue.
    pub(super) fn take(&self, channel: &Rc<Channel>) -> bool {
        if self.ending.get() < MAX_ENDING {
            self.ending.set(self.ending.get() + 1);
            return true;
        }
        self.waiting.borrow_mut().push_back(Rc::downgrade(channel));
        false
    }

    /// A stream that had its turn has ended: it is the next one's.
    pub(super) fn give(&self) {
        loop {
            let Some(next) = self.waiting.borrow_mut().pop_front() else {
                return self.ending.set(self.ending.get() - 1);
            };
            if next.upgrade().is_some_and(|channel| channel.end_now()) {
                return;
            }
        }
    }
}
