//! Targets and work: how hard a block was to find.

use std::{
    fmt,
    iter::Sum,
    ops::{Add, AddAssign},
};

use ruint::aliases::U256;

use crate::{
    codec::{Decode, DecodeError, Encode, Reader},
    hash::BlockHash,
};

/// The largest number a block hash may be (rule B6). Never zero.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target(U256);

/// A target in four bytes, as in Bitcoin's `nBits`: one exponent byte and a 23-bit mantissa.
///
/// It holds whatever a header says; only [`expand`](Self::expand) tells whether that is a target.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct CompactTarget(u32);

/// Why four bytes are not the compact form of a target (section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CompactTargetError {
    /// The sign bit is set.
    #[error("the compact target is negative")]
    Negative,
    /// The value is zero.
    #[error("the compact target is zero")]
    Zero,
    /// The value does not fit 256 bits.
    #[error("the compact target does not fit 256 bits")]
    Overflow,
    /// The value has another compact form.
    #[error("the compact target is not in its canonical form")]
    NotCanonical,
}

/// How many hashes a chain took to find, on average. Sums stop at the top instead of wrapping.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Work(U256);

impl Target {
    /// The easiest target there can be.
    pub const MAX: Self = Self(U256::MAX);

    /// The target with this value, unless it is zero.
    pub fn new(value: U256) -> Option<Self> {
        (!value.is_zero()).then_some(Self(value))
    }

    /// Its value.
    pub const fn value(self) -> U256 {
        self.0
    }

    /// Its value as 32 bytes, most significant first: what a miner compares a block hash with.
    pub const fn to_be_bytes(self) -> [u8; 32] {
        self.0.to_be_bytes()
    }

    /// Whether a block with this hash did the work.
    pub fn is_met_by(self, hash: &BlockHash) -> bool {
        U256::from_be_bytes(*hash.as_bytes()) <= self.0
    }

    /// How many hashes it takes to meet it, on average: `floor(2^256 / (target + 1))`.
    pub fn work(self) -> Work {
        // 2^256 does not fit; `2^256 / (t + 1) = (2^256 - (t + 1)) / (t + 1) + 1`, and the dividend is `!t`.
        let quotient = self.0.checked_add(U256::ONE).map_or(U256::ZERO, |divisor| !self.0 / divisor);
        Work(quotient.saturating_add(U256::ONE))
    }

    /// The compact form, rounded down to the mantissa's 23 bits.
    ///
    /// A target of 2^248 and more rounds as any other: the exponent is then 33 at most.
    pub fn to_compact(self) -> CompactTarget {
        let mut exponent = self.0.byte_len();
        let mut mantissa = if exponent <= 3 {
            low_word(self.0) << (8 * (3 - exponent))
        } else {
            low_word(self.0 >> (8 * (exponent - 3)))
        };
        if mantissa & SIGN != 0 {
            mantissa >>= 8;
            exponent += 1;
        }
        let exponent = u32::try_from(exponent).expect("a target has at most 32 bytes");
        CompactTarget(exponent << 24 | mantissa)
    }
}

impl CompactTarget {
    /// The compact target with these bits, exponent first.
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// Its bits, exponent first.
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// The target it stands for.
    pub fn expand(self) -> Result<Target, CompactTargetError> {
        if self.0 & SIGN != 0 {
            return Err(CompactTargetError::Negative);
        }
        let exponent = (self.0 >> 24) as usize;
        let mantissa = U256::from(self.0 & (SIGN - 1));
        let value = if exponent <= 3 {
            mantissa >> (8 * (3 - exponent))
        } else {
            mantissa.checked_shl(8 * (exponent - 3)).ok_or(CompactTargetError::Overflow)?
        };
        let target = Target::new(value).ok_or(CompactTargetError::Zero)?;
        if target.to_compact() == self { Ok(target) } else { Err(CompactTargetError::NotCanonical) }
    }
}

impl Work {
    /// No work at all.
    pub const ZERO: Self = Self(U256::ZERO);

    /// The work with this value.
    pub const fn new(value: U256) -> Self {
        Self(value)
    }

    /// Its value.
    pub const fn value(self) -> U256 {
        self.0
    }

    /// Its value as 32 bytes, most significant first.
    pub const fn to_be_bytes(self) -> [u8; 32] {
        self.0.to_be_bytes()
    }
}

impl Add for Work {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Work {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sum for Work {
    fn sum<I: Iterator<Item = Self>>(works: I) -> Self {
        works.fold(Self::ZERO, Self::add)
    }
}

/// In decimal.
impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Work({})", self.0)
    }
}

/// 32 bytes, most significant first, so that bytes sort as numbers.
impl Encode for Work {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_be_bytes());
    }
}

impl Decode for Work {
    const MIN_BYTES: usize = 32;

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.array::<32>().map(|bytes| Self(U256::from_be_bytes(bytes)))
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({:#x})", self.0)
    }
}

impl fmt::Display for CompactTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#010x}", self.0)
    }
}

impl fmt::Debug for CompactTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CompactTarget({self})")
    }
}

impl Encode for CompactTarget {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0.to_le_bytes());
    }
}

impl Decode for CompactTarget {
    const MIN_BYTES: usize = 4;

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.u32().map(Self)
    }
}

/// The sign bit of the mantissa. A target is never negative, but the bit is reserved and never part of the number.
const SIGN: u32 = 0x0080_0000;

/// The lowest 32 bits.
fn low_word(value: U256) -> u32 {
    value.wrapping_to()
}
