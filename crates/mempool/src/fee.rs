//! What a transaction pays for the room it takes.

use std::fmt;

use tabchain_primitives::Amount;

/// Base units for each 1,000 bytes, rounded down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FeeRate(u64);

impl FeeRate {
    /// The rate of so many base units for 1,000 bytes.
    pub const fn new(units_per_1000_bytes: u64) -> Self {
        Self(units_per_1000_bytes)
    }

    /// What a transaction of this many bytes pays with this fee.
    pub fn of(fee: Amount, bytes: usize) -> Self {
        // 2^53 times 1,000 is below 2^63.
        Self(fee.units() * 1_000 / bytes.max(1) as u64)
    }

    /// Base units for 1,000 bytes.
    pub const fn units_per_1000_bytes(self) -> u64 {
        self.0
    }

    /// The least fee that gives a transaction of this many bytes this rate; the largest amount if none does.
    pub fn fee_for(self, bytes: usize) -> Amount {
        amount((u128::from(self.0) * bytes as u128).div_ceil(1_000))
    }
}

impl fmt::Display for FeeRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} units per 1,000 bytes", self.0)
    }
}

/// The least fee with which a transaction of `bytes` takes the place of one that paid `fee` for `old_bytes`: a quarter
/// more in all and a quarter more for each byte. Anything less would let one account have the network relay a stream
/// of replacements for next to nothing.
pub(crate) fn replacement_fee(fee: Amount, old_bytes: usize, bytes: usize) -> Amount {
    let old = u128::from(fee.units());
    let in_all = (old * 5).div_ceil(4).max(old + 1);
    let by_rate = (old * 5 * bytes as u128).div_ceil(4 * old_bytes.max(1) as u128);
    amount(in_all.max(by_rate))
}

fn amount(units: u128) -> Amount {
    u64::try_from(units).ok().and_then(|units| Amount::from_units(units).ok()).unwrap_or(Amount::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn units(units: u64) -> Amount {
        Amount::from_units(units).expect("tests stay below 2^53")
    }

    #[test]
    fn a_rate_and_its_fee_agree() {
        for (rate, bytes) in [(0, 180), (1, 180), (1_000, 180), (1_234, 177), (999_999, 5_000)] {
            let fee = FeeRate::new(rate).fee_for(bytes);
            assert!(FeeRate::of(fee, bytes) >= FeeRate::new(rate), "{fee} is enough");
            if let Some(less) = fee.checked_sub(units(1)) {
                assert!(FeeRate::of(less, bytes) < FeeRate::new(rate), "{less} is not");
            }
        }
        assert_eq!(FeeRate::of(Amount::MAX, 1).units_per_1000_bytes(), Amount::MAX.units() * 1_000);
    }

    #[test]
    fn a_replacement_pays_a_quarter_more_in_all_and_by_the_byte() {
        assert_eq!(replacement_fee(units(100), 200, 200), units(125));
        assert_eq!(replacement_fee(units(101), 200, 200), units(127), "rounded up");
        assert_eq!(replacement_fee(units(100), 200, 100), units(125), "smaller, but no less in all");
        assert_eq!(replacement_fee(units(100), 200, 400), units(250));
        assert_eq!(replacement_fee(Amount::ZERO, 200, 400), units(1));
        assert_eq!(replacement_fee(Amount::MAX, 200, 400), Amount::MAX);
    }
}
