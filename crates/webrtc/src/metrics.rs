//! Plain counters of what a transport did and how it ended: [`Metrics`] is a snapshot, to be shown or exported by any means.
//!
//! Bounded: every key is a variant of a small enum.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use crate::{ConnectionError, Error, Stage};

/// What has happened since the transport was made. Gauges are differences: connections that are open are those connected
/// less those ended, streams those opened and accepted less those closed and reset.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metrics {
    /// Dials.
    pub outbound: Attempts,
    /// Connections that peers began.
    pub inbound: Attempts,
    /// Established connections that ended, by cause.
    pub ended: BTreeMap<ConnectionError, u64>,
    /// Streams that we opened.
    pub streams_opened: u64,
    /// Streams that peers opened.
    pub streams_accepted: u64,
    /// Streams of both kinds whose halves both ended in order.
    pub streams_closed: u64,
    /// Streams of both kinds that ended otherwise: reset, given up, or gone with their connection.
    pub streams_reset: u64,
    /// Streams of ours that began anew on another channel, unseen by their owners.
    pub streams_begun_anew: u64,
    /// Bytes received on streams, without framing.
    pub bytes_received: u64,
    /// Bytes sent on streams, without framing.
    pub bytes_sent: u64,
}

/// Attempts to connect, of one direction.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attempts {
    /// How many began.
    pub started: u64,
    /// How many ended in a connection.
    pub connected: u64,
    /// How many did not, by reason.
    pub failed: BTreeMap<Reason, u64>,
}

/// Why an attempt ended without a connection: an [`Error`] without its details.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// [`Error::NoSignalingPath`]
    NoSignalingPath,
    /// [`Error::CircuitDial`]
    CircuitDial,
    /// [`Error::CircuitClosed`]
    CircuitClosed,
    /// [`Error::Signaling`]
    Signaling,
    /// [`Error::Timeout`]
    Timeout(Stage),
    /// [`Error::SimultaneousDial`]
    SimultaneousDial,
    /// [`Error::Superseded`]
    Superseded,
    /// [`Error::TooManyNegotiations`]
    TooManyNegotiations,
    /// [`Error::ConnectivityFailed`]
    ConnectivityFailed,
    /// [`Error::Browser`]
    Browser,
    /// [`Error::BehaviourUnavailable`]
    BehaviourUnavailable,
    /// [`Error::Unsupported`]
    Unsupported,
    /// The swarm gave the attempt up: another address was faster, or the swarm ended.
    Abandoned,
}

impl Reason {
    /// A short name, fit for a label.
    pub fn name(self) -> &'static str {
        match self {
            Self::NoSignalingPath => "no_signaling_path",
            Self::CircuitDial => "circuit_dial",
            Self::CircuitClosed => "circuit_closed",
            Self::Signaling => "signaling",
            Self::Timeout(Stage::Signaling) => "timeout_signaling",
            Self::Timeout(Stage::Description) => "timeout_description",
            Self::Timeout(Stage::Connectivity) => "timeout_connectivity",
            Self::SimultaneousDial => "simultaneous_dial",
            Self::Superseded => "superseded",
            Self::TooManyNegotiations => "too_many_negotiations",
            Self::ConnectivityFailed => "connectivity_failed",
            Self::Browser => "browser",
            Self::BehaviourUnavailable => "behaviour_unavailable",
            Self::Unsupported => "unsupported",
            Self::Abandoned => "abandoned",
        }
    }

    fn of(error: &Error) -> Self {
        match error {
            Error::NoSignalingPath(_) => Self::NoSignalingPath,
            Error::CircuitDial(_) => Self::CircuitDial,
            Error::CircuitClosed => Self::CircuitClosed,
            Error::Signaling(_) => Self::Signaling,
            Error::Timeout(stage) => Self::Timeout(*stage),
            Error::SimultaneousDial => Self::SimultaneousDial,
            Error::Superseded => Self::Superseded,
            Error::TooManyNegotiations => Self::TooManyNegotiations,
            Error::ConnectivityFailed => Self::ConnectivityFailed,
            Error::Browser { .. } => Self::Browser,
            Error::BehaviourUnavailable => Self::BehaviourUnavailable,
            // Refused before an attempt begins, so never counted.
            Error::NotAListenAddress | Error::Unsupported => Self::Unsupported,
        }
    }
}

/// The counters of one transport. Clones count together.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counters(Arc<Mutex<Metrics>>);

/// The direction of an attempt.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Direction {
    Outbound,
    Inbound,
}

impl Counters {
    pub(crate) fn snapshot(&self) -> Metrics {
        self.lock().clone()
    }

    pub(crate) fn count(&self, change: impl FnOnce(&mut Metrics)) {
        change(&mut self.lock());
    }

    /// Counts an attempt: that it began, and how it ended, be it that nobody waited for its end.
    pub(crate) async fn attempt<T>(
        &self,
        direction: Direction,
        attempt: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        self.count(|metrics| metrics.of(direction).started += 1);
        let mut running = Running { counters: self, direction, outcome: Err(Reason::Abandoned) };
        let result = attempt.await;
        running.outcome = result.as_ref().map(|_| ()).map_err(Reason::of);
        result
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Metrics> {
        // Nothing but additions happens while it is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Metrics {
    fn of(&mut self, direction: Direction) -> &mut Attempts {
        match direction {
            Direction::Outbound => &mut self.outbound,
            Direction::Inbound => &mut self.inbound,
        }
    }
}

struct Running<'a> {
    counters: &'a Counters,
    direction: Direction,
    outcome: Result<(), Reason>,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let (direction, outcome) = (self.direction, self.outcome);
        self.counters.count(|metrics| {
            let attempts = metrics.of(direction);
            match outcome {
                Ok(()) => attempts.connected += 1,
                Err(reason) => *attempts.failed.entry(reason).or_default() += 1,
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use futures::{FutureExt, executor::block_on};

    use super::*;

    #[test]
    fn every_attempt_that_began_ends_as_one_thing() {
        let counters = Counters::default();
        block_on(counters.attempt(Direction::Outbound, ready(Ok(())))).expect("it succeeds");
        for _ in 0..2 {
            let timeout = ready(Err::<(), _>(Error::Timeout(Stage::Description)));
            assert!(block_on(counters.attempt(Direction::Outbound, timeout)).is_err());
        }
        let mut dropped = Box::pin(counters.attempt(Direction::Inbound, pending::<Result<(), Error>>()));
        assert!(dropped.as_mut().now_or_never().is_none());
        assert_eq!(counters.snapshot().inbound, Attempts { started: 1, ..Attempts::default() });
        drop(dropped);

        let Metrics { outbound, inbound, .. } = counters.snapshot();
        let failed = BTreeMap::from([(Reason::Timeout(Stage::Description), 2)]);
        assert_eq!(outbound, Attempts { started: 3, connected: 1, failed });
        assert_eq!(inbound.failed, BTreeMap::from([(Reason::Abandoned, 1)]));
    }

    #[test]
    fn an_attempt_that_was_never_begun_is_not_counted() {
        let counters = Counters::default();
        drop(counters.attempt(Direction::Outbound, ready(Ok(()))));
        assert_eq!(counters.snapshot(), Metrics::default());
    }
}
