//! How much a peer may say on the link without being asked: an allowance that grows back with time.
//!
//! It is large enough for the fastest chain and the busiest pool, and for what waited while this side slept; whoever says more for
//! long is not listened to meanwhile, and makes noise, at most once a second: an hour's messages at once are no crime.
//!
//! Bounds: a few numbers a peer.

use tabchain_primitives::Timestamp;

use crate::LinkMessage;
use crate::bucket::TokenBucket;

/// As much as can be said at once: 64 blocks.
const MOST: u64 = 64 * BLOCK;
/// So much grows back in a second: four blocks.
const PER_SECOND: u64 = 4 * BLOCK;
/// What a block counts: it may have to be looked for in the whole pool.
const BLOCK: u64 = 64 * 1024;
/// What another hello counts: all that was under way between the two is begun again.
const HELLO: u64 = BLOCK;
/// What anything else counts, besides the transactions that it names.
const BASE: u64 = 4 * 1024;
const TRANSACTION: u64 = 32;
const NOISE_EVERY_MS: u64 = 1_000;

/// What a peer may still say.
#[derive(Clone, Copy, Debug)]
pub struct Talk {
    left: TokenBucket<MOST, { PER_SECOND / 1_000 }>,
    noisy_since: Option<Timestamp>,
}

/// Whether a peer is listened to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hearing {
    /// It is.
    Heard,
    /// It is not: it said too much lately.
    Ignored,
    /// It is not, and goes on.
    Noise,
}

impl Talk {
    /// The whole allowance.
    pub const fn new(now: Timestamp) -> Self {
        Self { left: TokenBucket::full(now), noisy_since: None }
    }

    /// A peer says something.
    pub fn hear(&mut self, message: &LinkMessage, now: Timestamp) -> Hearing {
        self.take(cost(message), now)
    }

    /// A peer says hello again: it may have begun anew, and want to be told everything once more.
    pub fn greeted_again(&mut self, now: Timestamp) -> Hearing {
        self.take(HELLO, now)
    }

    fn take(&mut self, cost: u64, now: Timestamp) -> Hearing {
        if self.left.refill(now) >= cost {
            self.left.spend(cost);
            return Hearing::Heard;
        }
        match self.noisy_since {
            Some(since) if now.since(since) < NOISE_EVERY_MS => Hearing::Ignored,
            _ => {
                self.noisy_since = Some(now);
                Hearing::Noise
            }
        }
    }
}

const fn cost(message: &LinkMessage) -> u64 {
    match message {
        LinkMessage::Block(_) => BLOCK,
        LinkMessage::Transactions(ids) => BASE + TRANSACTION * ids.len() as u64,
        _ => BASE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_millis(1_000);

    fn heard(talk: &mut Talk, message: &LinkMessage, now: Timestamp) -> usize {
        std::iter::repeat_with(|| talk.hear(message, now))
            .take_while(|hearing| *hearing == Hearing::Heard)
            .count()
    }

    #[test]
    fn so_much_is_heard_at_once_and_a_little_each_second_after() {
        let mut talk = Talk::new(START);
        let message = LinkMessage::GetPeers;
        assert_eq!(heard(&mut talk, &message, START) as u64, MOST / BASE);
        let later = START.saturating_add(1_000);
        assert_eq!(heard(&mut talk, &message, later) as u64, PER_SECOND / 1_000 * 1_000 / BASE);
        let much_later = START.saturating_add(3_600_000);
        assert_eq!(heard(&mut talk, &message, much_later) as u64, MOST / BASE, "never more than the whole");
        assert_ne!(
            talk.hear(&message, Timestamp::ZERO),
            Hearing::Heard,
            "a clock that goes back gives nothing"
        );
    }

    #[test]
    fn who_goes_on_makes_noise_once_a_second() {
        let mut talk = Talk::new(START);
        let ids = LinkMessage::Transactions(Vec::new());
        heard(&mut talk, &ids, START);
        let noise =
            |talk: &mut Talk, now| (0..1_000).filter(|_| talk.hear(&ids, now) == Hearing::Noise).count();
        assert_eq!(noise(&mut talk, START), 0, "it was told already");
        assert_eq!(noise(&mut talk, START.saturating_add(1_000)), 1);
        assert_eq!(noise(&mut talk, START.saturating_add(1_999)), 0);
    }
}
