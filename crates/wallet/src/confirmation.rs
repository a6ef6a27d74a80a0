//! How settled a transaction is: in words, because proof of work never says "for ever".

use tabchain_primitives::Height;

/// How deep a transaction lies. There is no finality: each tier only makes a reversal dearer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Confirmation {
    /// In no block yet.
    Pending,
    /// In one of the last few blocks, which two miners at once may still replace.
    Seen,
    /// Deep enough for everyday payments: 6 blocks.
    Likely,
    /// Deep enough for what would hurt to lose: 60 blocks.
    Settled,
}

impl Confirmation {
    /// The depth from which a transaction is [`Likely`](Self::Likely).
    pub const LIKELY_DEPTH: u32 = 6;
    /// The depth from which a transaction is [`Settled`](Self::Settled).
    pub const SETTLED_DEPTH: u32 = 60;

    /// The tier of a transaction in the block at `included`, seen from the tip. The tip itself is one deep.
    pub fn of(included: Option<Height>, tip: Height) -> Self {
        let Some(included) = included.filter(|included| *included <= tip) else {
            return Self::Pending;
        };
        match tip.value() - included.value() {
            above if above + 1 >= Self::SETTLED_DEPTH => Self::Settled,
            above if above + 1 >= Self::LIKELY_DEPTH => Self::Likely,
            _ => Self::Seen,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiers_begin_at_their_depth() {
        let tier = |tip| Confirmation::of(Some(Height::new(100)), Height::new(tip));
        assert_eq!(Confirmation::of(None, Height::new(100)), Confirmation::Pending);
        assert_eq!(tier(99), Confirmation::Pending, "reverted below it");
        assert_eq!([tier(100), tier(104)], [Confirmation::Seen; 2]);
        assert_eq!([tier(105), tier(158)], [Confirmation::Likely; 2]);
        assert_eq!([tier(159), tier(u32::MAX)], [Confirmation::Settled; 2]);
    }
}
