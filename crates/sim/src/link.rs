//! What carries bytes between two places: how long it takes, how much fits through, what is lost, and who can reach whom.

use tabchain_sync::Rng;

/// What is between any two places.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Link {
    /// How long a byte takes one way.
    pub latency: Latency,
    /// How much later a message may come than the one before it, on average, in milliseconds. Order is kept all the same.
    pub jitter_ms: f64,
    /// The share of packets that get lost. Data channels send them again, so loss costs time; a packet that is lost
    /// [`MAX_LOSSES`] times in a row costs the connection.
    pub loss: f64,
}

/// How long a byte takes from one place to another, one way, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Latency {
    /// The same everywhere.
    Same(u64),
    /// Places lie on a square map. Each has a last mile, and the farther apart two are the longer it takes.
    Map {
        /// From each place to the backbone.
        last_mile_ms: u64,
        /// From one corner of the map to the opposite one.
        across_ms: u64,
    },
}

/// How a place is connected to all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// Bytes a second that it can send, all connections together.
    pub up: u64,
    /// Bytes a second that it can receive, all connections together.
    pub down: u64,
    /// What stands between it and the network.
    pub nat: Nat,
}

/// Who can open a direct connection to whom, once both were introduced (the kinds of RFC 4787, by how a hole is punched).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Nat {
    /// Reachable by everybody.
    Open,
    /// One outer port for all, open to an address once that was written to: a full or address-restricted cone.
    Cone,
    /// One outer port for all, open to an address and port once those were written to.
    PortRestricted,
    /// Another outer port for each peer, which nobody can guess.
    Symmetric,
    /// Lets no datagrams through: no direct connection at all.
    Blocked,
}

/// A place on the map, each coordinate from 0 to 1.
pub(crate) type Spot = (f64, f64);

/// A packet that is lost so often in a row costs the connection.
pub const MAX_LOSSES: u32 = 6;

/// What one packet carries.
const PACKET_BYTES: usize = 1_200;
/// The least time before a lost packet is sent again, in milliseconds.
const LEAST_RESEND_MS: u64 = 200;
/// The longest way on a square map.
const DIAGONAL: f64 = std::f64::consts::SQRT_2;

impl Default for Link {
    fn default() -> Self {
        Self { latency: Latency::Same(50), jitter_ms: 0.0, loss: 0.0 }
    }
}

impl Default for Access {
    /// 16 Mbit/s each way, and reachable.
    fn default() -> Self {
        Self { up: 2_000_000, down: 2_000_000, nat: Nat::Open }
    }
}

impl Link {
    /// The way between two spots, in milliseconds.
    pub(crate) fn way_ms(&self, a: Spot, b: Spot) -> u64 {
        match self.latency {
            Latency::Same(millis) => millis,
            Latency::Map { last_mile_ms, across_ms } => {
                let distance = (a.0 - b.0).hypot(a.1 - b.1) / DIAGONAL;
                2 * last_mile_ms + whole(distance * as_float(across_ms))
            }
        }
    }

    /// How much longer a message of so many bytes takes by chance, on a way of `way_ms`; none if the connection breaks over it.
    pub(crate) fn trouble_ms(&self, bytes: usize, way_ms: u64, rng: &mut Rng) -> Option<u64> {
        let jitter = if self.jitter_ms > 0.0 { whole(-(1.0 - rng.unit()).ln() * self.jitter_ms) } else { 0 };
        if self.loss <= 0.0 {
            return Some(jitter);
        }
        let mut left = bytes.div_ceil(PACKET_BYTES).max(1);
        let mut wait = LEAST_RESEND_MS.max(2 * way_ms);
        let mut late = jitter;
        // Each round sends again what the one before lost.
        for _ in 0..MAX_LOSSES {
            left = lost(left, self.loss, rng);
            if left == 0 {
                return Some(late);
            }
            late += wait;
            wait *= 2;
        }
        None
    }
}

impl Nat {
    /// Whether a direct connection between the two comes about.
    pub const fn meets(self, other: Self) -> bool {
        use Nat::{Blocked, PortRestricted, Symmetric};
        !matches!(
            (self, other),
            (Blocked, _)
                | (_, Blocked)
                | (Symmetric, Symmetric | PortRestricted)
                | (PortRestricted, Symmetric)
        )
    }
}

/// How many of so many packets get lost. Of many, about the expected number: one draw is enough.
fn lost(packets: usize, loss: f64, rng: &mut Rng) -> usize {
    if packets > 16 {
        let expected = as_float(packets as u64) * loss;
        return usize::try_from(whole(expected * 2.0 * rng.unit())).unwrap_or(packets);
    }
    (0..packets).filter(|_| rng.unit() < loss).count()
}

#[allow(clippy::cast_precision_loss)]
fn as_float(number: u64) -> f64 {
    number as f64
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn whole(number: f64) -> u64 {
    number.round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nats_meet_both_ways_or_not_at_all() {
        use Nat::{Blocked, Cone, Open, PortRestricted, Symmetric};
        let all = [Open, Cone, PortRestricted, Symmetric, Blocked];
        for a in all {
            assert!(all.iter().all(|&b| a.meets(b) == b.meets(a)));
            assert!(!a.meets(Blocked));
        }
        assert!(Open.meets(Symmetric) && Cone.meets(Symmetric) && PortRestricted.meets(PortRestricted));
        assert!(!Symmetric.meets(Symmetric) && !Symmetric.meets(PortRestricted));
    }

    #[test]
    fn loss_costs_time_and_rarely_the_connection() {
        let lossy = Link { loss: 0.02, ..Link::default() };
        let mut rng = Rng::new([1; 32]);
        let tries: Vec<_> = (0..10_000).map(|_| lossy.trouble_ms(1_000, 50, &mut rng)).collect();
        let late = tries.iter().filter(|late| late.is_some_and(|late| late > 0)).count();
        assert!((100..300).contains(&late), "two in a hundred, and not {late} in ten thousand");
        assert!(tries.iter().all(Option::is_some));
        let dead = Link { loss: 1.0, ..lossy };
        assert_eq!(dead.trouble_ms(1_000, 50, &mut rng), None);
    }

    #[test]
    fn on_a_map_far_is_later_than_near() {
        let map = Link { latency: Latency::Map { last_mile_ms: 10, across_ms: 140 }, ..Link::default() };
        assert_eq!(map.way_ms((0.5, 0.5), (0.5, 0.5)), 20);
        assert_eq!(map.way_ms((0.0, 0.0), (1.0, 1.0)), 160);
    }
}
