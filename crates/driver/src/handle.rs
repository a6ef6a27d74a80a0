//! What the rest of the program holds of a running node: a way to ask, and a way to be told.

use async_channel::{Receiver, Sender};
use futures::channel::oneshot;
use tabchain_node::{Command, CommandError, Reply};

use crate::listener::{Listener, Listeners};
use crate::workload::{Meter, Workload};

/// How many calls may wait.
pub const CALLS: usize = 64;

pub(crate) type Answer = oneshot::Sender<Result<Reply, CommandError>>;

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

    /// Everything the node tells from now on. A listener that lags behind by [`EVENTS`](crate::EVENTS) loses the oldest,
    /// transactions before anything else.
    pub fn events(&self) -> Listener {
        self.listeners.add()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_to_a_node_that_is_gone_says_so() {
        let (handle, calls, _) = Handle::new(Meter::new());
        drop(calls);
        let reply = futures::executor::block_on(handle.call(Command::Status));
        assert_eq!(reply.map(|_| ()), Err(CommandError::Closed));
    }
}
