//! A token bucket: what is spent grows back with time, up to a whole.
//!
//! Bounds: two numbers.

use tabchain_primitives::Timestamp;

/// At most `MOST` tokens, of which so many grow back in a millisecond.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TokenBucket<const MOST: u64, const PER_MILLISECOND: u64> {
    left: u64,
    at: Timestamp,
}

impl<const MOST: u64, const PER_MILLISECOND: u64> TokenBucket<MOST, PER_MILLISECOND> {
    pub(crate) const fn full(now: Timestamp) -> Self {
        Self { left: MOST, at: now }
    }

    /// How many there are now. A clock that goes back gives nothing.
    pub(crate) fn refill(&mut self, now: Timestamp) -> u64 {
        let grown = now.since(self.at).saturating_mul(PER_MILLISECOND);
        self.left = self.left.saturating_add(grown).min(MOST);
        self.at = now;
        self.left
    }

    /// Takes so many, or all that there are.
    pub(crate) const fn spend(&mut self, tokens: u64) {
        self.left = self.left.saturating_sub(tokens);
    }
}
