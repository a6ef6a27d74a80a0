//! What the rest of the program holds of a running node: a way to ask, and a way to be told.

use std::sync::{Arc, Mutex, PoisonError};

use async_channel::{Receiver, Sender};
use futures::channel::oneshot;
use tabchain_node::{Command, CommandError, Event, PeerAddress, Reply};

use crate::workload::{Meter, Workload};

/// How many calls may wait.
pub const CALLS: usize = 64;
/// How many events may wait for one listener.
pub const EVENTS: usize = 256;

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

pub(crate) type Answer = oneshot::Sender<Result<Reply, CommandError>>;

#[derive(Clone, Default)]
pub(crate) struct Listeners(Arc<Mutex<Vec<Sender<DriverEvent>>>>);

/// Asks a running node, and listens to it. Clones reach the same node.
#[derive(Clone)]
pub struct Handle {
    calls: Sender<(Command, Answer)>,
    listeners: Listeners,
    meter: Meter,
}

impl Handle {
    pub(crate) fn new(meter: Meter) -> (Self, Receiver<(Command, Answer)>, Listeners) {
        let (calls, incoming) = async_channel::bounded(CALLS);
        let listeners = Listeners::default();
        (Self { calls, listeners: listeners.clone(), meter }, incoming, listeners)
    }

    /// Has the node carry out a command. [`CommandError::Closed`] when it no longer runs.
    pub async fn call(&self, command: Command) -> Result<Reply, CommandError> {
        let (answer, reply) = oneshot::channel();
        self.calls.send((command, answer)).await.map_err(|_| CommandError::Closed)?;
        reply.await.unwrap_or(Err(CommandError::Closed))
    }

    /// How the driver's time went by until now.
    pub fn workload(&self) -> Workload {
        self.meter.read()
    }

    /// Everything the node tells from now on. A listener that lags behind by [`EVENTS`] loses the oldest.
    pub fn events(&self) -> Receiver<DriverEvent> {
        let (sender, receiver) = async_channel::bounded(EVENTS);
        self.listeners.0.lock().unwrap_or_else(PoisonError::into_inner).push(sender);
        receiver
    }
}

impl Listeners {
    pub(crate) fn tell(&self, event: &DriverEvent) {
        let mut listeners = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        listeners.retain(|listener| listener.force_send(event.clone()).is_ok());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(receiver: &Receiver<DriverEvent>) -> Vec<usize> {
        std::iter::from_fn(|| receiver.try_recv().ok())
            .map(|event| match event {
                DriverEvent::Listening(addresses) => addresses.len(),
                other => panic!("unexpected {other:?}"),
            })
            .collect()
    }

    fn event(length: usize) -> DriverEvent {
        DriverEvent::Listening(vec![PeerAddress::new("/webrtc").expect("short"); length])
    }

    #[test]
    fn every_listener_hears_everything_and_a_slow_one_loses_the_oldest() {
        let (handle, _calls, listeners) = Handle::new(Meter::new());
        let (early, slow) = (handle.events(), handle.events());
        listeners.tell(&event(0));
        assert_eq!(heard(&early), [0]);
        for length in 1..=EVENTS {
            listeners.tell(&event(length));
        }
        assert_eq!(heard(&early), (1..=EVENTS).collect::<Vec<_>>());
        assert_eq!(heard(&slow), (1..=EVENTS).collect::<Vec<_>>(), "event 0 made room");
    }

    #[test]
    fn a_call_to_a_node_that_is_gone_says_so() {
        let (handle, calls, _) = Handle::new(Meter::new());
        drop(calls);
        let reply = futures::executor::block_on(handle.call(Command::Status));
        assert_eq!(reply.map(|_| ()), Err(CommandError::Closed));
    }
}
