//! Connections between nodes: latency, bandwidth, order kept, nothing lost while the connection lasts.

use std::collections::{BTreeMap, BTreeSet};

use tabchain_primitives::Timestamp;

use crate::Place;

/// What a link is like, the same for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// One way, in milliseconds.
    pub latency_ms: u64,
    /// Bytes a second in each direction of a connection.
    pub bandwidth: u64,
}

impl Default for Link {
    fn default() -> Self {
        Self { latency_ms: 50, bandwidth: 2_000_000 }
    }
}

/// Who is connected to whom.
#[derive(Debug, Default)]
pub(crate) struct Network {
    /// The number of the connection between two places; a later one has another number.
    open: BTreeMap<(Place, Place), u64>,
    /// When each direction is free again.
    free_at: BTreeMap<(Place, Place), Timestamp>,
    opened: u64,
    /// Places on this side can't reach the others.
    island: BTreeSet<Place>,
    bytes: BTreeMap<(Place, Place), u64>,
}

impl Network {
    /// Opens a connection, unless there is one or the two can't reach each other; gives its number.
    pub(crate) fn open(&mut self, a: Place, b: Place) -> Option<u64> {
        if a == b || self.connection(a, b).is_some() || !self.reach(a, b) {
            return None;
        }
        self.opened += 1;
        self.open.insert(ordered(a, b), self.opened);
        Some(self.opened)
    }

    /// Closes a connection; false when there is none.
    pub(crate) fn close(&mut self, a: Place, b: Place) -> bool {
        self.free_at.remove(&(a, b));
        self.free_at.remove(&(b, a));
        self.open.remove(&ordered(a, b)).is_some()
    }

    pub(crate) fn connection(&self, a: Place, b: Place) -> Option<u64> {
        self.open.get(&ordered(a, b)).copied()
    }

    /// Everyone a place is connected to.
    pub(crate) fn neighbours(&self, of: Place) -> Vec<Place> {
        let ends = self.open.keys().filter_map(|&(a, b)| match (a == of, b == of) {
            (true, _) => Some(b),
            (_, true) => Some(a),
            _ => None,
        });
        ends.collect()
    }

    /// When so many bytes, sent now, will have arrived.
    pub(crate) fn arrival(
        &mut self,
        link: Link,
        from: Place,
        to: Place,
        bytes: usize,
        now: Timestamp,
    ) -> Timestamp {
        let free_at = self.free_at.entry((from, to)).or_insert(now);
        let millis = (bytes as u64).saturating_mul(1000) / link.bandwidth.max(1);
        *free_at = (*free_at).max(now).saturating_add(millis);
        *self.bytes.entry((from, to)).or_default() += bytes as u64;
        free_at.saturating_add(link.latency_ms)
    }

    pub(crate) fn reach(&self, a: Place, b: Place) -> bool {
        self.island.contains(&a) == self.island.contains(&b)
    }

    /// Cuts these places off from all others; gives the connections that broke.
    pub(crate) fn cut_off(&mut self, island: BTreeSet<Place>) -> Vec<(Place, Place)> {
        self.island = island;
        let broken: Vec<_> = self.open.keys().copied().filter(|&(a, b)| !self.reach(a, b)).collect();
        for &(a, b) in &broken {
            self.close(a, b);
        }
        broken
    }

    pub(crate) fn bytes(&self, from: Place, to: Place) -> u64 {
        self.bytes.get(&(from, to)).copied().unwrap_or_default()
    }
}

fn ordered(a: Place, b: Place) -> (Place, Place) {
    (a.min(b), a.max(b))
}
