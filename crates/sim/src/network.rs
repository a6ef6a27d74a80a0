//! Who is connected to whom, and when what is sent arrives. Order is kept within a connection, and nothing is lost while it
//! lasts.
//!
//! A place sends over one line and receives over one line, whatever the number of its connections; what waits for a peer
//! that reads slowly is bounded, as in the protocol (N16): one mebibyte, then the connection is closed.

use std::collections::{BTreeMap, BTreeSet};

use tabchain_primitives::Timestamp;
use tabchain_sync::Rng;

use crate::Place;
use crate::link::{Access, Link, Spot};

/// So many bytes may wait for a peer that reads slowly (N16).
const MAX_WAITING_BYTES: u64 = 1024 * 1024;

/// All places and the connections between them.
#[derive(Debug, Default)]
pub(crate) struct Network {
    ends: Vec<End>,
    opened: u64,
}

/// One place's end of everything.
#[derive(Debug)]
struct End {
    access: Access,
    spot: Spot,
    island: u32,
    /// When its line out is free again, in microseconds.
    out_free_at: u64,
    /// What waits in its line in, in bytes, and as of when, in microseconds.
    waiting_in: (u64, u64),
    ways: BTreeMap<Place, Way>,
}

/// From one place to another.
#[derive(Clone, Copy, Debug, Default)]
struct Way {
    /// The number of the open connection; a later one has another number.
    connection: Option<u64>,
    /// Nothing overtakes what arrives then.
    last_arrival: Timestamp,
    bytes: u64,
}

/// What becomes of something sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Arrives(Timestamp),
    /// The connection breaks over it: too much was lost, or too much waits.
    Breaks,
}

impl Network {
    pub(crate) fn add(&mut self, access: Access, spot: Spot) {
        self.ends.push(End {
            access,
            spot,
            island: 0,
            out_free_at: 0,
            waiting_in: (0, 0),
            ways: BTreeMap::new(),
        });
    }

    pub(crate) fn set_access(&mut self, place: Place, access: Access) {
        self.ends[place.0].access = access;
    }

    pub(crate) fn access(&self, place: Place) -> Access {
        self.ends[place.0].access
    }

    pub(crate) fn spot(&self, place: Place) -> Spot {
        self.ends[place.0].spot
    }

    /// Opens a connection, unless there is one or the two can't reach each other; gives its number.
    pub(crate) fn open(&mut self, a: Place, b: Place) -> Option<u64> {
        if a == b || self.connection(a, b).is_some() || !self.reach(a, b) {
            return None;
        }
        self.opened += 1;
        for (from, to) in [(a, b), (b, a)] {
            let way = self.ends[from.0].ways.entry(to).or_default();
            way.connection = Some(self.opened);
        }
        Some(self.opened)
    }

    /// Closes a connection; false when there is none.
    pub(crate) fn close(&mut self, a: Place, b: Place) -> bool {
        let mut closed = false;
        for (from, to) in [(a, b), (b, a)] {
            let way = self.ends[from.0].ways.get_mut(&to);
            closed = way.is_some_and(|way| way.connection.take().is_some());
        }
        closed
    }

    pub(crate) fn connection(&self, a: Place, b: Place) -> Option<u64> {
        self.ends[a.0].ways.get(&b)?.connection
    }

    /// Everyone a place is connected to.
    pub(crate) fn neighbours(&self, of: Place) -> Vec<Place> {
        let ways = self.ends[of.0].ways.iter();
        ways.filter(|(_, way)| way.connection.is_some()).map(|(place, _)| *place).collect()
    }

    /// What becomes of so many bytes, sent now.
    pub(crate) fn send(
        &mut self,
        link: &Link,
        rng: &mut Rng,
        from: Place,
        to: Place,
        bytes: usize,
        now: Timestamp,
    ) -> Fate {
        let way_ms = link.way_ms(self.ends[from.0].spot, self.ends[to.0].spot);
        let Some(trouble_ms) = link.trouble_ms(bytes, way_ms, rng) else { return Fate::Breaks };
        let now = now.millis().saturating_mul(1_000);
        let sender = &mut self.ends[from.0];
        sender.out_free_at = sender.out_free_at.max(now) + micros(bytes as u64, sender.access.up);
        let there = sender.out_free_at + (way_ms + trouble_ms) * 1_000;
        let Some(read) = self.ends[to.0].take_in(bytes as u64, there) else { return Fate::Breaks };
        let way = self.ends[from.0].ways.entry(to).or_default();
        way.bytes += bytes as u64;
        way.last_arrival = way.last_arrival.max(Timestamp::from_millis(read.div_ceil(1_000)));
        Fate::Arrives(way.last_arrival)
    }

    pub(crate) fn reach(&self, a: Place, b: Place) -> bool {
        self.ends[a.0].island == self.ends[b.0].island
    }

    /// Whether the two may ever open a direct connection.
    pub(crate) fn meets(&self, a: Place, b: Place) -> bool {
        self.ends[a.0].access.nat.meets(self.ends[b.0].access.nat)
    }

    /// Parts the world: who is in none of these islands is on the mainland. Gives the connections that broke.
    pub(crate) fn part(&mut self, islands: &[&[Place]]) -> Vec<(Place, Place)> {
        let all = self.ends.iter_mut().map(|end| &mut end.island);
        all.for_each(|island| *island = 0);
        for (number, island) in (1..).zip(islands) {
            for place in *island {
                self.ends[place.0].island = number;
            }
        }
        let mut broken = BTreeSet::new();
        for a in (0..self.ends.len()).map(Place) {
            for b in self.neighbours(a) {
                if !self.reach(a, b) {
                    broken.insert((a.min(b), a.max(b)));
                }
            }
        }
        for &(a, b) in &broken {
            self.close(a, b);
        }
        broken.into_iter().collect()
    }

    pub(crate) fn bytes(&self, from: Place, to: Place) -> u64 {
        self.ends[from.0].ways.get(&to).map_or(0, |way| way.bytes)
    }
}

impl End {
    /// When so many bytes that come in at `there` have been read, in microseconds; none if too much waits already.
    fn take_in(&mut self, bytes: u64, there: u64) -> Option<u64> {
        let (waiting, since) = self.waiting_in;
        let read = there.saturating_sub(since).saturating_mul(self.access.down) / 1_000_000;
        let before = waiting.saturating_sub(read);
        if before > MAX_WAITING_BYTES {
            return None;
        }
        self.waiting_in = (before + bytes, since.max(there));
        Some(there + micros(before + bytes, self.access.down))
    }
}

fn micros(bytes: u64, a_second: u64) -> u64 {
    bytes.saturating_mul(1_000_000) / a_second.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::Nat;

    const NOW: Timestamp = Timestamp::from_millis(1_000);

    fn pair(access: Access) -> (Network, Rng) {
        let mut network = Network::default();
        for _ in 0..3 {
            network.add(access, (0.0, 0.0));
        }
        network.open(Place(0), Place(1)).expect("nothing stands between them");
        network.open(Place(0), Place(2)).expect("nothing stands between them");
        (network, Rng::new([0; 32]))
    }

    fn arrival(network: &mut Network, rng: &mut Rng, to: usize, bytes: usize) -> u64 {
        match network.send(&Link::default(), rng, Place(0), Place(to), bytes, NOW) {
            Fate::Arrives(at) => at.since(NOW),
            Fate::Breaks => panic!("the link is good"),
        }
    }

    #[test]
    fn all_connections_of_a_place_share_its_line() {
        let (mut network, mut rng) = pair(Access { up: 100_000, down: 10_000_000, nat: Nat::Open });
        assert_eq!(arrival(&mut network, &mut rng, 1, 10_000), 151);
        assert_eq!(arrival(&mut network, &mut rng, 2, 10_000), 251, "it waits for the first");
    }

    #[test]
    fn what_waits_for_a_slow_reader_is_bounded() {
        let (mut network, mut rng) = pair(Access { up: 100_000_000, down: 1_000, nat: Nat::Open });
        let mut send = || network.send(&Link::default(), &mut rng, Place(0), Place(1), 300_000, NOW);
        let fates: Vec<_> = (0..5).map(|_| send()).collect();
        assert!(fates[..4].iter().all(|fate| matches!(fate, Fate::Arrives(_))));
        assert_eq!(fates[4], Fate::Breaks);
    }

    #[test]
    fn islands_break_what_crosses_the_water_and_nothing_else() {
        let (mut network, _) = pair(Access::default());
        assert_eq!(network.part(&[&[Place(1)]]), [(Place(0), Place(1))]);
        assert!(network.connection(Place(0), Place(2)).is_some());
        assert_eq!(network.open(Place(0), Place(1)), None);
        network.part(&[]);
        assert!(network.open(Place(0), Place(1)).is_some());
    }
}
