//! How much a peer is to blame. Points fall by half every ten minutes, so an honest peer with a bad hour is forgiven; a peer
//! at [`LIMIT`] is sent away, and one with [`DISCOURAGED`] is the first to give its place to another.

use tabchain_primitives::Timestamp;

/// At so many points a peer is sent away.
pub const LIMIT: u32 = 100;
/// With so many points a peer is discouraged.
pub const DISCOURAGED: u32 = 30;

const HALF_LIFE_MS: u64 = 10 * 60 * 1000;

/// What a peer did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Something that no honest node ever sends: a header without work, a forged signature, a frame out of place.
    Dishonest,
    /// A transaction that breaks a rule which needs neither a state nor the check of its signature.
    InvalidTransaction,
    /// A body that is not the one its header commits to.
    WrongBody,
    /// Headers that are not those it had shown before.
    OtherHeaders,
    /// It was asked and did not answer in time.
    Stalled,
    /// It answered something else than was asked, or said much more than it should.
    Noise,
}

/// A peer's points.
#[derive(Clone, Copy, Debug, Default)]
pub struct Score {
    points: u32,
    since: Timestamp,
}

impl Fault {
    /// Whether an honest node may come to this: by a slow line, a sleeping tab, a clumsy hand.
    pub const fn may_be_honest(self) -> bool {
        matches!(self, Self::Stalled | Self::Noise)
    }

    const fn points(self) -> u32 {
        match self {
            Self::Dishonest => LIMIT,
            Self::WrongBody | Self::OtherHeaders => 40,
            Self::InvalidTransaction => 20,
            Self::Stalled => 15,
            Self::Noise => 5,
        }
    }
}

impl Score {
    /// Adds what a fault weighs; true when the peer has to go.
    pub fn add(&mut self, fault: Fault, now: Timestamp) -> bool {
        self.points = self.points(now).saturating_add(fault.points());
        if now.since(self.since) >= HALF_LIFE_MS {
            self.since = now;
        }
        self.points >= LIMIT
    }

    /// The points that are left by now.
    pub fn points(&self, now: Timestamp) -> u32 {
        let half_lives = now.since(self.since) / HALF_LIFE_MS;
        u32::try_from(half_lives).ok().and_then(|times| self.points.checked_shr(times)).unwrap_or(0)
    }

    /// The points that are left by now, if they are enough to discourage the peer.
    pub fn discouraged(&self, now: Timestamp) -> Option<u32> {
        Some(self.points(now)).filter(|points| *points >= DISCOURAGED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_lie_is_enough_and_stalls_are_forgiven_with_time() {
        let start = Timestamp::from_millis(1_000_000);
        let spaced = |n: u64| start.saturating_add(n * HALF_LIFE_MS);
        assert!(Score::default().add(Fault::Dishonest, start));

        let mut hasty = Score::default();
        assert!((0..6).all(|_| !hasty.add(Fault::Stalled, start)));
        assert!(hasty.add(Fault::Stalled, start), "seven stalls at once are too many");

        assert_eq!(hasty.discouraged(start), Some(105));
        assert_eq!(hasty.discouraged(spaced(1)), Some(52));
        assert_eq!(hasty.discouraged(spaced(2)), None, "26 are forgiven");

        let mut patient = Score::default();
        assert!((0..100).all(|n| !patient.add(Fault::Stalled, spaced(n))));
    }
}
