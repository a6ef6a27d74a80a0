//! Streams that we opened and that wait for a first answer, oldest first.
//!
//! Bounds: a stream is remembered for [`Config::with_patience`](crate::Config::with_patience) at most, or as long as streams before it wait
//! to begin anew. Of those that run out of patience at the same time, [`AT_ONCE`] begin anew at a time: on a machine that
//! is merely busy, more of them would make it busier.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::{Rc, Weak},
    time::Duration,
};

use futures_timer::Delay;
use wasm_bindgen_futures::spawn_local;
use web_time::Instant;

use super::{channel::Channel, peer::Peer};

/// Streams that begin anew at the same time.
const AT_ONCE: usize = 8;

#[derive(Default)]
pub(super) struct Unanswered {
    /// When each will have waited for long enough.
    waiting: RefCell<VecDeque<(Instant, Weak<Channel>)>>,
    /// Somebody looks after them.
    watched: Cell<bool>,
}

impl Unanswered {
    /// Waits for the answer to a stream's first message.
    pub(super) fn expect(&self, peer: &Rc<Peer>, channel: &Rc<Channel>) {
        let due = Instant::now() + peer.config().patience;
        self.waiting.borrow_mut().push_back((due, Rc::downgrade(channel)));
        if !self.watched.replace(true) {
            let (peer, patience) = (Rc::downgrade(peer), peer.config().patience);
            spawn_local(async move {
                let mut wait = patience;
                loop {
                    Delay::new(wait).await;
                    let Some(peer) = peer.upgrade() else { return };
                    let Some(next) = peer.unanswered.look(Instant::now(), patience) else { return };
                    wait = next;
                }
            });
        }
    }

    /// Lets those begin anew that have waited for long enough. Returns when to look again.
    pub(super) fn look(&self, now: Instant, patience: Duration) -> Option<Duration> {
        let mut begun = 0;
        while let Some((due, channel)) = self.first() {
            if due > now {
                return Some(due - now);
            }
            if begun == AT_ONCE {
                return Some(patience / 4);
            }
            self.waiting.borrow_mut().pop_front();
            begun += usize::from(channel.lose_patience());
        }
        self.watched.set(false);
        None
    }

    /// The first that still waits.
    fn first(&self) -> Option<(Instant, Rc<Channel>)> {
        let mut waiting = self.waiting.borrow_mut();
        while let Some((due, channel)) = waiting.front() {
            match channel.upgrade() {
                Some(channel) if channel.is_unanswered() => return Some((*due, channel)),
                _ => waiting.pop_front(),
            };
        }
        None
    }
}
