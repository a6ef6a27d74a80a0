//! Pauses between attempts: they double up to a bound, with jitter, so that the tabs of a relay that restarts do not come
//! back in one moment.

use std::time::Duration;

/// Draws pauses. Its numbers are a fixed sequence (splitmix64): they spread tabs; they guard nothing.
pub(crate) struct Pauses {
    first: Duration,
    longest: Duration,
    seed: u64,
}

impl Pauses {
    /// Pauses of about `first` at first and `longest` at most.
    pub(crate) fn new(first: Duration, longest: Duration, seed: u64) -> Self {
        Self { first, longest, seed }
    }

    /// The pause after so many failures before: half as long to one and a half times as long as the rule says.
    pub(crate) fn after(&mut self, failures: u32) -> Duration {
        let pause = self.first.saturating_mul(2u32.saturating_pow(failures.min(16))).min(self.longest);
        pause.mul_f64(0.5 + self.between_0_and_1())
    }

    fn between_0_and_1(&mut self) -> f64 {
        self.seed = self.seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.seed;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        f64::from(u32::try_from((mixed ^ (mixed >> 31)) >> 32).expect("the upper half fits"))
            / f64::from(u32::MAX)
    }
}
