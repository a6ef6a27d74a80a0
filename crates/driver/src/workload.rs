//! How the time of a driver goes by.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use web_time::Instant;

/// How a driver has spent its time since it was made, and what it got done.
///
/// The first five are all of its time: it does one of them at any moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Workload {
    /// Waiting, and nothing was asked of the store: for peers, for people, or for nothing at all.
    pub waiting: Duration,
    /// Waiting, and the store had yet to answer.
    pub storing: Duration,
    /// Checking signatures itself.
    pub checking: Duration,
    /// Reading messages of peers, and writing them.
    pub translating: Duration,
    /// In the node itself.
    pub thinking: Duration,
    /// How long checkers were at it meanwhile, all of them together.
    pub checking_elsewhere: Duration,
    /// Signatures checked.
    pub signatures: u64,
    /// Commits handed to the store.
    pub commits: u64,
    /// Changes of rows in them.
    pub changes: u64,
    /// Bytes of keys and values in them.
    pub bytes: u64,
}

/// What a driver does at a moment.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Occupation {
    Waiting,
    Storing,
    Checking,
    Translating,
    Thinking,
}

/// Notes what a driver does; clones read the same notes.
#[derive(Clone, Debug)]
pub(crate) struct Meter(Arc<Mutex<Notes>>);

#[derive(Debug)]
struct Notes {
    total: Workload,
    now: Occupation,
    since: Instant,
}

impl Meter {
    pub(crate) fn new() -> Self {
        let (total, now) = (Workload::default(), Occupation::Waiting);
        Self(Arc::new(Mutex::new(Notes { total, now, since: Instant::now() })))
    }

    /// What is done from now on.
    pub(crate) fn turn_to(&self, next: Occupation) {
        self.note(|notes| notes.turn_to(next));
    }

    pub(crate) fn checked(&self, signatures: usize) {
        self.note(|notes| notes.total.signatures += signatures as u64);
    }

    pub(crate) fn checked_elsewhere(&self, took: Duration) {
        self.note(|notes| notes.total.checking_elsewhere += took);
    }

    pub(crate) fn committed(&self, changes: usize, bytes: usize) {
        self.note(|notes| {
            notes.total.commits += 1;
            notes.total.changes += changes as u64;
            notes.total.bytes += bytes as u64;
        });
    }

    /// How the time went by until now.
    pub(crate) fn read(&self) -> Workload {
        self.note(|notes| {
            notes.turn_to(notes.now);
            notes.total
        })
    }

    fn note<T>(&self, change: impl FnOnce(&mut Notes) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Notes {
    fn turn_to(&mut self, next: Occupation) {
        let now = Instant::now();
        let spent = match self.now {
            Occupation::Waiting => &mut self.total.waiting,
            Occupation::Storing => &mut self.total.storing,
            Occupation::Checking => &mut self.total.checking,
            Occupation::Translating => &mut self.total.translating,
            Occupation::Thinking => &mut self.total.thinking,
        };
        *spent += now.saturating_duration_since(self.since);
        (self.now, self.since) = (next, now);
    }
}
