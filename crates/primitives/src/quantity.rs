//! Counts and times: heights, account nonces and timestamps.

use std::fmt;

use crate::codec::{Decode, DecodeError, Encode, Reader, write_varint};

/// How many blocks lie below a block; the genesis has 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Height(u32);

impl Height {
    /// The height of the genesis.
    pub const GENESIS: Self = Self(0);
    /// The last height there can be.
    pub const MAX: Self = Self(u32::MAX);

    /// The height with so many blocks below.
    pub const fn new(value: u32) -> Self {
        Self(value)
    }

    /// How many blocks lie below.
    pub const fn value(self) -> u32 {
        self.0
    }

    /// One higher, unless this is the last.
    #[must_use]
    pub fn next(self) -> Option<Self> {
        self.checked_add(1)
    }

    /// One lower, unless this is the genesis.
    #[must_use]
    pub fn previous(self) -> Option<Self> {
        self.checked_sub(1)
    }

    /// So many blocks higher.
    #[must_use]
    pub fn checked_add(self, blocks: u32) -> Option<Self> {
        self.0.checked_add(blocks).map(Self)
    }

    /// So many blocks lower.
    #[must_use]
    pub fn checked_sub(self, blocks: u32) -> Option<Self> {
        self.0.checked_sub(blocks).map(Self)
    }
}

impl fmt::Display for Height {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Encode for Height {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0.to_le_bytes());
    }
}

impl Decode for Height {
    const MIN_BYTES: usize = 4;

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.u32().map(Self)
    }
}

/// How many transactions an account has sent: what its next one must carry (rule T7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountNonce(u64);

impl AccountNonce {
    /// That of an account that has sent nothing.
    pub const ZERO: Self = Self(0);

    /// The nonce after so many transactions.
    pub const fn new(value: u64) -> Self {
        Self(value)
    }

    /// How many transactions came before.
    pub const fn value(self) -> u64 {
        self.0
    }

    /// One more, unless there is none.
    #[must_use]
    pub fn next(self) -> Option<Self> {
        self.0.checked_add(1).map(Self)
    }
}

impl fmt::Display for AccountNonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Encode for AccountNonce {
    fn encode(&self, out: &mut Vec<u8>) {
        write_varint(out, self.0);
    }
}

impl Decode for AccountNonce {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.varint().map(Self)
    }
}

/// A moment, in milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The epoch itself.
    pub const ZERO: Self = Self(0);

    /// The moment so many milliseconds after the epoch.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the epoch.
    pub const fn millis(self) -> u64 {
        self.0
    }

    /// So many milliseconds later; the last moment there is stays itself.
    #[must_use]
    pub const fn saturating_add(self, millis: u64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// Milliseconds from `earlier` to this, 0 if `earlier` is not earlier.
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms", self.0)
    }
}

impl Encode for Timestamp {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0.to_le_bytes());
    }
}

impl Decode for Timestamp {
    const MIN_BYTES: usize = 8;

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.u64().map(Self)
    }
}
