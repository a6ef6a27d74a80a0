//! Amounts of value, counted in whole base units.

pub use encapsulate::Amount;

use std::{fmt, str::FromStr};

use crate::codec::{Decode, DecodeError, Encode, Reader, write_varint};

/// A number of base units above [`Amount::MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} base units are more than an amount can be")]
pub struct AmountTooLarge(pub u64);

/// Why text is not an amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AmountParseError {
    /// Not digits with at most one point between or before them.
    #[error("an amount is digits with at most one decimal point")]
    Form,
    /// More than six digits follow the point.
    #[error("an amount has at most six digits after the point")]
    TooPrecise,
    /// Above [`Amount::MAX`].
    #[error("the amount is too large")]
    TooLarge,
}

/// Keeps the field out of reach even for the rest of this file, so that no amount is ever above the maximum.
mod encapsulate {
    use super::AmountTooLarge;

    /// A number of base units from 0 to 2^53 - 1 (rule T3); one TAB is 1,000,000 of them.
    ///
    /// The maximum is what a JavaScript number holds exactly.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub struct Amount(u64);

    impl Amount {
        /// Nothing.
        pub const ZERO: Self = Self(0);
        /// The most an amount can be.
        pub const MAX: Self = Self((1 << 53) - 1);
        /// One TAB.
        pub const ONE_TAB: Self = Self(1_000_000);

        /// The amount of so many base units.
        pub const fn from_units(units: u64) -> Result<Self, AmountTooLarge> {
            if units <= Self::MAX.0 { Ok(Self(units)) } else { Err(AmountTooLarge(units)) }
        }

        /// Its base units.
        pub const fn units(self) -> u64 {
            self.0
        }
    }
}

/// Decimal digits after the point: what one TAB is divided into.
const DECIMALS: usize = 6;

impl Amount {
    /// The sum, unless it is above the maximum.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        Self::from_units(self.units().checked_add(other.units())?).ok()
    }

    /// The difference, unless it is below zero.
    #[must_use]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        Self::from_units(self.units().checked_sub(other.units())?).ok()
    }

    /// The sum of all, unless it is above the maximum.
    pub fn checked_sum(amounts: impl IntoIterator<Item = Self>) -> Option<Self> {
        amounts.into_iter().try_fold(Self::ZERO, Self::checked_add)
    }

    /// Whether it is nothing.
    pub fn is_zero(self) -> bool {
        self == Self::ZERO
    }
}

/// In TAB, without zeros at the end: `1.5`, `0.000001`, `3`.
impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let one = Self::ONE_TAB.units();
        let (whole, part) = (self.units() / one, self.units() % one);
        if part == 0 {
            return write!(f, "{whole}");
        }
        let part = format!("{part:0DECIMALS$}");
        write!(f, "{whole}.{}", part.trim_end_matches('0'))
    }
}

/// Reads an amount in TAB: `1.5`, `.5`, `3`. Signs, exponents and separators are refused.
impl FromStr for Amount {
    type Err = AmountParseError;

    fn from_str(text: &str) -> Result<Self, AmountParseError> {
        let (whole, part) = match text.split_once('.') {
            Some((_, "")) => return Err(AmountParseError::Form),
            Some((whole, part)) => (whole, part),
            None if text.is_empty() => return Err(AmountParseError::Form),
            None => (text, ""),
        };
        if !whole.bytes().chain(part.bytes()).all(|digit| digit.is_ascii_digit()) {
            return Err(AmountParseError::Form);
        }
        if part.len() > DECIMALS {
            return Err(AmountParseError::TooPrecise);
        }
        let digits = format!("{whole}{part:0<DECIMALS$}");
        let units = digits.parse().map_err(|_| AmountParseError::TooLarge)?;
        Self::from_units(units).map_err(|_| AmountParseError::TooLarge)
    }
}

impl Encode for Amount {
    fn encode(&self, out: &mut Vec<u8>) {
        write_varint(out, self.units());
    }
}

impl Decode for Amount {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self::from_units(reader.varint()?)?)
    }
}
