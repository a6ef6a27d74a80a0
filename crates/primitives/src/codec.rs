//! The codec: one byte form of every value (section 1 of `docs/protocol.md`).
//!
//! Decoding and then encoding gives the same bytes; whatever would not is an error with a cause of its own. A length
//! is checked against its bound, and against the bytes that are left, before anything is allocated for it.

use std::ops::RangeInclusive;

use crate::{amount::AmountTooLarge, transaction::Malformed};

/// A value with a byte form.
pub trait Encode {
    /// Appends the value's bytes to `out`.
    fn encode(&self, out: &mut Vec<u8>);

    /// The value's bytes.
    fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.encode(&mut out);
        out
    }
}

/// Many byte forms, one after the other in one piece of memory.
#[derive(Debug, Default)]
pub struct Pieces {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Pieces {
    /// Room for so many pieces, which have about so many bytes each.
    pub fn with_capacity(count: usize, each: usize) -> Self {
        Self { bytes: Vec::with_capacity(count * each), ends: Vec::with_capacity(count) }
    }

    /// Adds the piece that is appended to the bytes.
    pub fn add(&mut self, append: impl FnOnce(&mut Vec<u8>)) {
        append(&mut self.bytes);
        self.ends.push(self.bytes.len());
    }

    /// Each piece, in the order in which they were added.
    pub fn list(&self) -> Vec<&[u8]> {
        let begins = std::iter::once(0).chain(self.ends.iter().copied());
        begins.zip(&self.ends).map(|(begin, end)| &self.bytes[begin..*end]).collect()
    }
}

/// A value that can be read back from its byte form.
pub trait Decode: Sized {
    /// No encoding of the type is shorter. It bounds how many items a list can hold in the bytes that are left.
    const MIN_BYTES: usize = 1;

    /// Reads one value and leaves the reader behind it.
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError>;

    /// Reads one value that takes up all of `bytes` (rule E3).
    fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let value = Self::decode(&mut reader)?;
        reader.finish()?;
        Ok(value)
    }
}

/// Why bytes are not the form of any value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The bytes end before the value does.
    #[error("the bytes end before the value does")]
    UnexpectedEnd,
    /// Bytes follow the value (rule E3).
    #[error("{count} bytes follow the value")]
    TrailingBytes {
        /// How many.
        count: usize,
    },
    /// A varint was written with more bytes than it needs (rule E1).
    #[error("a varint is longer than it needs to be")]
    NonMinimalVarint,
    /// A varint does not fit 64 bits (rule E1).
    #[error("a varint does not fit 64 bits")]
    VarintOverflow,
    /// A length or a count is outside its bounds (rule E2).
    #[error("a length of {length} is not within {min} to {max}")]
    Length {
        /// The length that was written.
        length: u64,
        /// The least allowed.
        min: usize,
        /// The most allowed.
        max: usize,
    },
    /// Text is not UTF-8 (rule E4).
    #[error("text is not UTF-8")]
    NotUtf8,
    /// A version byte that this software does not know (rule T1 for a transaction).
    #[error("version {0} is not known")]
    UnknownVersion(u8),
    /// A transaction does something that this software does not know (rule T2).
    #[error("action kind {0} is not known")]
    UnknownAction(u8),
    /// A byte that should tell kinds apart names none of them.
    #[error("{kind} is not a known kind of {of}")]
    UnknownKind {
        /// What was being read.
        of: &'static str,
        /// The byte.
        kind: u8,
    },
    /// An amount is above its maximum (rule T3).
    #[error(transparent)]
    AmountTooLarge(#[from] AmountTooLarge),
    /// The parts can be read, but don't make a transaction (rules T3 and T4).
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// A value breaks an order, or another form that makes its bytes the only ones.
    #[error("{0} is not in its canonical form")]
    NotCanonical(&'static str),
}

/// What is left to read of some bytes.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads `bytes` from their start.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// How many bytes are left.
    pub const fn remaining(&self) -> usize {
        self.rest.len()
    }

    /// Fails unless every byte was read (rule E3).
    pub fn finish(&self) -> Result<(), DecodeError> {
        match self.remaining() {
            0 => Ok(()),
            count => Err(DecodeError::TrailingBytes { count }),
        }
    }

    /// The next `length` bytes.
    pub fn take(&mut self, length: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(DecodeError::UnexpectedEnd)?;
        self.rest = rest;
        Ok(taken)
    }

    /// The next `N` bytes, as they are.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (array, rest) = self.rest.split_first_chunk::<N>().ok_or(DecodeError::UnexpectedEnd)?;
        self.rest = rest;
        Ok(*array)
    }

    /// One byte.
    pub fn u8(&mut self) -> Result<u8, DecodeError> {
        self.array::<1>().map(|[byte]| byte)
    }

    /// Four bytes, little endian.
    pub fn u32(&mut self) -> Result<u32, DecodeError> {
        self.array().map(u32::from_le_bytes)
    }

    /// Eight bytes, little endian.
    pub fn u64(&mut self) -> Result<u64, DecodeError> {
        self.array().map(u64::from_le_bytes)
    }

    /// A LEB128 number in its shortest form (rule E1).
    pub fn varint(&mut self) -> Result<u64, DecodeError> {
        let mut value = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.u8()?;
            let bits = u64::from(byte & 0x7f);
            if bits << shift >> shift != bits {
                return Err(DecodeError::VarintOverflow);
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                let padded = byte == 0 && shift > 0;
                return if padded { Err(DecodeError::NonMinimalVarint) } else { Ok(value) };
            }
        }
        Err(DecodeError::VarintOverflow)
    }

    /// A length-prefixed run of bytes.
    pub fn bytes(&mut self, bounds: RangeInclusive<usize>) -> Result<&'a [u8], DecodeError> {
        let length = self.length(&bounds)?;
        self.take(length)
    }

    /// A length-prefixed run of UTF-8; the bounds count bytes (rule E4).
    pub fn text(&mut self, bounds: RangeInclusive<usize>) -> Result<&'a str, DecodeError> {
        std::str::from_utf8(self.bytes(bounds)?).map_err(|_| DecodeError::NotUtf8)
    }

    /// A count-prefixed list.
    pub fn list<T: Decode>(&mut self, bounds: RangeInclusive<usize>) -> Result<Vec<T>, DecodeError> {
        let count = self.length(&bounds)?;
        if count.saturating_mul(T::MIN_BYTES) > self.remaining() {
            return Err(DecodeError::UnexpectedEnd);
        }
        let mut items = Vec::with_capacity(count);
        for _ in 0..count {
            items.push(T::decode(self)?);
        }
        Ok(items)
    }

    /// A length or a count within `bounds` (the first half of rule E2).
    pub fn length(&mut self, bounds: &RangeInclusive<usize>) -> Result<usize, DecodeError> {
        let length = self.varint()?;
        let (min, max) = (*bounds.start(), *bounds.end());
        usize::try_from(length).ok().filter(|length| bounds.contains(length)).ok_or(DecodeError::Length {
            length,
            min,
            max,
        })
    }
}

/// Appends a number in its shortest LEB128 form.
pub fn write_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(low_byte(value) | 0x80);
        value >>= 7;
    }
    out.push(low_byte(value));
}

/// Appends the bytes after their length.
pub fn write_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    write_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Appends the items after their count.
pub fn write_list<'a, T: Encode + 'a>(
    out: &mut Vec<u8>,
    items: impl IntoIterator<Item = &'a T, IntoIter: ExactSizeIterator>,
) {
    let items = items.into_iter();
    write_varint(out, items.len() as u64);
    for item in items {
        item.encode(out);
    }
}

/// Bytes as they are.
impl<const N: usize> Encode for [u8; N] {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }
}

impl<const N: usize> Decode for [u8; N] {
    const MIN_BYTES: usize = N;

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.array()
    }
}

const fn low_byte(value: u64) -> u8 {
    value.to_le_bytes()[0]
}
