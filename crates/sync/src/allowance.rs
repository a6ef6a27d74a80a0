//! How much a peer may ask of this node: an allowance that is spent on answers and grows back with time.
//!
//! It is large enough for a newcomer that takes all headers at full speed from one peer, and small enough that a peer that
//! asks the same over and over keeps nobody busy. Whoever has spent it is told so once; whoever then goes on asking makes noise.
//!
//! Bounds: a few numbers a peer.

use tabchain_primitives::Timestamp;

use crate::bucket::TokenBucket;

/// The most bytes of answers at once: 200,000 headers.
pub const MOST_BYTES: u64 = 36_000_000;
/// So many bytes grow back in a second.
const BYTES_PER_SECOND: u64 = 3_600_000;
/// What any answer costs besides its bytes.
pub const BASE_COST: u64 = 4_096;

/// What a peer may still ask for.
#[derive(Clone, Copy, Debug)]
pub struct Allowance {
    left: TokenBucket<MOST_BYTES, { BYTES_PER_SECOND / 1_000 }>,
    refused: bool,
}

/// Whether a question is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leave {
    /// It is.
    Given,
    /// It is not: too much was asked lately.
    Refused,
    /// It is not, and that had been said before.
    RefusedAgain,
}

impl Allowance {
    /// The whole allowance.
    pub const fn new(now: Timestamp) -> Self {
        Self { left: TokenBucket::full(now), refused: false }
    }

    /// A question came.
    pub fn ask(&mut self, now: Timestamp) -> Leave {
        if self.left.refill(now) >= BASE_COST {
            self.refused = false;
            Leave::Given
        } else if std::mem::replace(&mut self.refused, true) {
            Leave::RefusedAgain
        } else {
            Leave::Refused
        }
    }

    /// It was answered with so many bytes.
    pub const fn spend(&mut self, bytes: u64) {
        self.left.spend(bytes.saturating_add(BASE_COST));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_millis(1_000);

    fn spent() -> Allowance {
        let mut allowance = Allowance::new(START);
        allowance.ask(START);
        allowance.spend(MOST_BYTES);
        allowance
    }

    #[test]
    fn a_newcomer_gets_two_hundred_thousand_headers_at_full_speed() {
        let mut allowance = Allowance::new(START);
        let answer = 2_000 * 180;
        let given = (0..200).take_while(|_| {
            let leave = allowance.ask(START);
            allowance.spend(answer);
            leave == Leave::Given
        });
        assert_eq!(given.count(), 99);
    }

    #[test]
    fn who_has_spent_it_is_told_once_and_then_makes_noise() {
        let mut allowance = spent();
        assert_eq!(allowance.ask(START), Leave::Refused);
        assert_eq!(allowance.ask(START), Leave::RefusedAgain);
        assert_eq!(allowance.ask(START.saturating_add(1)), Leave::RefusedAgain);
        let later = START.saturating_add(2_000);
        assert_eq!(allowance.ask(later), Leave::Given);
        allowance.spend(MOST_BYTES);
        assert_eq!(allowance.ask(later), Leave::Refused, "anew");
    }

    #[test]
    fn it_never_grows_beyond_the_whole() {
        let mut allowance = spent();
        let much_later = START.saturating_add(100 * 24 * 3_600_000);
        assert_eq!(allowance.ask(much_later), Leave::Given);
        allowance.spend(MOST_BYTES);
        assert_eq!(allowance.ask(much_later), Leave::Refused);
        assert_eq!(
            allowance.ask(Timestamp::ZERO),
            Leave::RefusedAgain,
            "a clock that goes back gives nothing"
        );
    }

    #[test]
    fn empty_answers_are_not_free() {
        let mut allowance = Allowance::new(START);
        let given = (0..).take_while(|_| {
            let leave = allowance.ask(START);
            allowance.spend(0);
            leave == Leave::Given
        });
        assert_eq!(given.count() as u64, MOST_BYTES / BASE_COST);
    }
}
