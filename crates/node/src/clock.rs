//! The time of day, and the node's own time.
//!
//! The clock outside is put right now and then, by seconds or by hours, forth or back. What rules and peers speak of is the
//! *time of day*, as it was last given. Deadlines, pauses and allowances are counted in *own time*, which goes as the clock outside
//! does and never back: when that is put back, it goes on from where it was. So nothing waits for as long as a clock was wrong.
//!
//! Bounds: two numbers.

use tabchain_primitives::Timestamp;

/// Both times as of the last input.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Clock {
    day: Timestamp,
    /// How far own time is ahead of the time of day: by as much as the clock was ever put back, in milliseconds.
    ahead: u64,
}

impl Clock {
    /// Takes the time of day; gives by how many milliseconds the clock was put back.
    pub(crate) fn set(&mut self, day: Timestamp) -> u64 {
        let back = self.day.since(day);
        self.ahead = self.ahead.saturating_add(back);
        self.day = day;
        back
    }

    /// The time of day.
    pub(crate) const fn day(&self) -> Timestamp {
        self.day
    }

    /// The node's own time.
    pub(crate) fn own(&self) -> Timestamp {
        self.own_at(self.day)
    }

    /// The node's own time at a time of day, if the clock is let be until then.
    pub(crate) fn own_at(&self, day: Timestamp) -> Timestamp {
        day.saturating_add(self.ahead)
    }

    /// The time of day at a moment of own time, by the clock as it is now.
    pub(crate) const fn day_at(&self, own: Timestamp) -> Timestamp {
        Timestamp::from_millis(own.millis().saturating_sub(self.ahead))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn own_time_goes_on_from_where_it_was_when_the_clock_is_put_back() {
        let mut clock = Clock::default();
        let steps = [(1_000, 0), (1_500, 0), (200, 1_300), (300, 0), (9_000, 0), (8_999, 1)];
        let owns = steps.map(|(day, back)| {
            assert_eq!(clock.set(at(day)), back);
            assert_eq!(clock.day(), at(day));
            clock.own().millis()
        });
        assert_eq!(owns, [1_000, 1_500, 1_500, 1_600, 10_300, 10_300]);
        assert_eq!((clock.own_at(at(9_999)), clock.day_at(at(11_300))), (at(11_300), at(9_999)));
    }

    #[test]
    fn no_time_is_too_far_away() {
        let mut clock = Clock::default();
        clock.set(at(u64::MAX));
        clock.set(at(0));
        clock.set(at(u64::MAX));
        assert_eq!(clock.own(), at(u64::MAX));
        assert_eq!(clock.day_at(at(5)), at(0));
    }
}
