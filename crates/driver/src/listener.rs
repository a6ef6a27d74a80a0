//! Who is told what happens, and what waits for them.
//!
//! A listener that is slower than the node is never waited for. Of what waits for it, transactions give way first: when the tip
//! moves there may be hundreds of them, and whoever wants to know about one can ask. So a burst of them never pushes out that the
//! tip moved.
//!
//! Bounds: [`EVENTS`] events wait for a listener.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_channel::{Receiver, Sender, TrySendError};
use tabchain_node::{Event, PeerAddress};

/// How many events may wait for one listener.
pub const EVENTS: usize = 1_024;

/// What a running node tells.
#[derive(Clone, Debug)]
pub enum DriverEvent {
    /// Something the node itself says.
    Node(Event),
    /// A relay keeps a place for us, or no longer does.
    Relay {
        /// The relay's address, as it was configured.
        address: PeerAddress,
        /// Whether it keeps a place for us.
        connected: bool,
    },
    /// Where others can reach this node now.
    Listening(Vec<PeerAddress>),
}

/// Hears what a node tells. Dropping it ends that.
#[derive(Debug)]
pub struct Listener {
    waiting: Waiting,
    rung: Receiver<()>,
}

/// All who listen to a node.
#[derive(Clone, Default)]
pub(crate) struct Listeners(Arc<Mutex<Vec<Line>>>);

/// Leads to one listener.
struct Line {
    waiting: Waiting,
    bell: Sender<()>,
}

/// What was told and not heard yet, oldest first.
#[derive(Clone, Debug, Default)]
struct Waiting(Arc<Mutex<VecDeque<DriverEvent>>>);

impl Listener {
    /// The next event, oldest first; `None` once the node is gone and everything it told was heard.
    pub async fn next(&self) -> Option<DriverEvent> {
        loop {
            if let Some(event) = self.waiting.lock().pop_front() {
                return Some(event);
            }
            // What was told last of all rang before the line was cut.
            self.rung.recv().await.ok()?;
        }
    }
}

impl Listeners {
    /// One more, who hears everything from now on.
    pub(crate) fn add(&self) -> Listener {
        let (bell, rung) = async_channel::bounded(1);
        let waiting = Waiting::default();
        self.lines().push(Line { waiting: waiting.clone(), bell });
        Listener { waiting, rung }
    }

    pub(crate) fn tell(&self, event: &DriverEvent) {
        self.lines().retain(|line| line.tell(event));
    }

    fn lines(&self) -> MutexGuard<'_, Vec<Line>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Line {
    /// Whether somebody still listens.
    fn tell(&self, event: &DriverEvent) -> bool {
        self.waiting.push(event.clone());
        // Full means that the bell rings already.
        !matches!(self.bell.try_send(()), Err(TrySendError::Closed(())))
    }
}

impl Waiting {
    fn push(&self, event: DriverEvent) {
        let mut waiting = self.lock();
        if waiting.len() >= EVENTS {
            let oldest = waiting.iter().position(is_of_a_transaction).unwrap_or_default();
            waiting.remove(oldest);
        }
        waiting.push_back(event);
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<DriverEvent>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_of_a_transaction(event: &DriverEvent) -> bool {
    matches!(event, DriverEvent::Node(Event::Transaction(_)))
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use futures::executor::block_on;
    use tabchain_chain::testing::{Key, spec, transfer};
    use tabchain_node::TransactionView;

    use super::*;

    /// An event with a number, that is of no transaction.
    fn event(number: usize) -> DriverEvent {
        DriverEvent::Listening(vec![PeerAddress::new("/webrtc").expect("short"); number])
    }

    fn payment() -> DriverEvent {
        let payment = transfer(&spec(), &Key::new(1), 0, Key::new(2).address(), 1, 1);
        DriverEvent::Node(Event::Transaction(Box::new(TransactionView::pending(&payment))))
    }

    /// The numbers of what waits, and how many transactions wait among it.
    fn heard(listener: &Listener) -> (Vec<usize>, usize) {
        let all = std::iter::from_fn(|| listener.next().now_or_never().flatten());
        let (payments, others): (Vec<_>, Vec<_>) = all.partition(is_of_a_transaction);
        let number = |event| match event {
            DriverEvent::Listening(addresses) => addresses.len(),
            other => panic!("unexpected {other:?}"),
        };
        (others.into_iter().map(number).collect(), payments.len())
    }

    #[test]
    fn every_listener_hears_everything_and_a_slow_one_loses_the_oldest() {
        let listeners = Listeners::default();
        let (early, slow) = (listeners.add(), listeners.add());
        listeners.tell(&event(0));
        assert_eq!(heard(&early), (vec![0], 0));
        for number in 1..=EVENTS {
            listeners.tell(&event(number));
        }
        let all = || (1..=EVENTS).collect::<Vec<_>>();
        assert_eq!(heard(&early), (all(), 0));
        assert_eq!(heard(&slow), (all(), 0), "event 0 made room");
    }

    #[test]
    fn transactions_push_out_nothing_but_transactions() {
        let listeners = Listeners::default();
        let listener = listeners.add();
        listeners.tell(&event(1));
        for _ in 0..3 * EVENTS {
            listeners.tell(&payment());
        }
        listeners.tell(&event(2));
        assert_eq!(heard(&listener), (vec![1, 2], EVENTS - 2));
    }

    #[test]
    fn a_listener_hears_the_last_words_and_then_that_there_is_no_more() {
        let listeners = Listeners::default();
        let listener = listeners.add();
        listeners.tell(&event(1));
        drop(listeners);
        assert!(block_on(listener.next()).is_some());
        assert!(block_on(listener.next()).is_none());
    }

    #[test]
    fn nothing_waits_for_who_has_gone() {
        let listeners = Listeners::default();
        drop(listeners.add());
        listeners.tell(&event(1));
        assert!(listeners.lines().is_empty());
    }
}
