//! The little of protocol buffers that both messages need: varints, a length prefix, and a walk over fields.

use crate::error::WireError;

const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const BYTES: u64 = 2;
const FIXED32: u64 = 5;

/// The most bytes that a 64-bit varint takes.
const MAX_VARINT: usize = 10;

/// A field's value, as far as we care.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    Varint(u64),
    Bytes(&'a [u8]),
    /// A fixed-width number: neither message has one.
    Fixed,
}

/// Walks over the fields of one message.
pub(crate) struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    pub(crate) fn of(message: &'a [u8]) -> Self {
        Self(message)
    }

    fn take(&mut self, len: u64) -> Result<&'a [u8], WireError> {
        let len = usize::try_from(len).map_err(|_| WireError::Truncated)?;
        let (head, tail) = self.0.split_at_checked(len).ok_or(WireError::Truncated)?;
        self.0 = tail;
        Ok(head)
    }

    fn varint(&mut self) -> Result<u64, WireError> {
        let (value, used) = read_varint(self.0)?.ok_or(WireError::Truncated)?;
        self.0 = &self.0[used..];
        Ok(value)
    }

    fn field(&mut self) -> Result<(u64, Value<'a>), WireError> {
        let key = self.varint()?;
        let value = match key & 7 {
            VARINT => Value::Varint(self.varint()?),
            BYTES => {
                let len = self.varint()?;
                Value::Bytes(self.take(len)?)
            }
            FIXED64 => self.take(8).map(|_| Value::Fixed)?,
            FIXED32 => self.take(4).map(|_| Value::Fixed)?,
            other => return Err(WireError::WireType(other)),
        };
        Ok((key >> 3, value))
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u64, Value<'a>), WireError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.0 = &[];
        }
        Some(field)
    }
}

/// Appends a number field.
pub(crate) fn put_number(out: &mut Vec<u8>, field: u64, value: u64) {
    put_varint(out, (field << 3) | VARINT);
    put_varint(out, value);
}

/// Appends a bytes or string field.
pub(crate) fn put_bytes(out: &mut Vec<u8>, field: u64, value: &[u8]) {
    put_varint(out, (field << 3) | BYTES);
    put_varint(out, value.len() as u64);
    out.extend_from_slice(value);
}

/// Appends a varint in its shortest form.
pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push((value & 0x7f) as u8);
}

/// How many bytes [`put_varint`] appends.
pub(crate) fn varint_len(value: usize) -> usize {
    let bits = (usize::BITS - value.leading_zeros()).max(1);
    bits.div_ceil(7) as usize
}

/// Splits one length-prefixed message off the front of `buffer`: the message and all the bytes it took, or `None`
/// while it is incomplete. The length is judged as soon as it is known.
pub(crate) fn split_prefixed(buffer: &[u8], max: usize) -> Result<Option<(&[u8], usize)>, WireError> {
    let Some((len, used)) = read_varint(buffer)? else { return Ok(None) };
    if used > 1 && buffer[used - 1] == 0 {
        return Err(WireError::PrefixNotMinimal);
    }
    let len = usize::try_from(len).ok().filter(|len| *len <= max).ok_or(WireError::TooLong { max })?;
    Ok(buffer.get(used..used + len).map(|message| (message, used + len)))
}

/// Reads a varint off the front: its value and its length, or `None` while it is incomplete.
fn read_varint(bytes: &[u8]) -> Result<Option<(u64, usize)>, WireError> {
    let mut value = 0u64;
    for (index, byte) in bytes.iter().take(MAX_VARINT).enumerate() {
        let bits = u64::from(byte & 0x7f);
        let shifted = bits << (7 * index);
        if shifted >> (7 * index) != bits {
            return Err(WireError::VarintOverflow);
        }
        value |= shifted;
        if byte & 0x80 == 0 {
            return Ok(Some((value, index + 1)));
        }
    }
    if bytes.len() < MAX_VARINT { Ok(None) } else { Err(WireError::VarintOverflow) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_round_trip_at_the_edges() {
        for value in [0, 1, 127, 128, 16_383, 16_384, u64::from(u32::MAX), u64::MAX] {
            let mut out = Vec::new();
            put_varint(&mut out, value);
            assert_eq!(read_varint(&out), Ok(Some((value, out.len()))));
            assert_eq!(usize::try_from(value).map(varint_len), Ok(out.len()));
            for cut in 0..out.len() {
                assert_eq!(read_varint(&out[..cut]), Ok(None));
            }
        }
    }

    #[test]
    fn a_varint_of_more_than_64_bits_is_refused() {
        let mut bytes = [0xff; 10];
        bytes[9] = 0x02;
        assert_eq!(read_varint(&bytes), Err(WireError::VarintOverflow));
        assert_eq!(read_varint(&[0x80; 10]), Err(WireError::VarintOverflow));
    }

    #[test]
    fn a_prefix_is_minimal_and_bounded() {
        assert_eq!(split_prefixed(&[], 4), Ok(None));
        assert_eq!(split_prefixed(&[2, 7], 4), Ok(None));
        assert_eq!(split_prefixed(&[2, 7, 8, 9], 4), Ok(Some((&[7, 8][..], 3))));
        assert_eq!(split_prefixed(&[0], 4), Ok(Some((&[][..], 1))));
        assert_eq!(split_prefixed(&[5], 4), Err(WireError::TooLong { max: 4 }));
        assert_eq!(split_prefixed(&[0x81, 0x00, 1], 4), Err(WireError::PrefixNotMinimal));
    }

    #[test]
    fn unknown_fields_are_walked_over_and_malformed_ones_end_the_walk() {
        let bytes = [0x08, 1, 0x19, 0, 0, 0, 0, 0, 0, 0, 0, 0x12, 1, b'a', 0x25, 0, 0, 0, 0];
        let fields: Vec<_> = Fields::of(&bytes).collect::<Result<_, _>>().expect("well formed");
        assert_eq!(
            fields,
            [(1, Value::Varint(1)), (3, Value::Fixed), (2, Value::Bytes(b"a")), (4, Value::Fixed),]
        );
        assert_eq!(Fields::of(&[0x12, 9, 0]).collect::<Vec<_>>(), [Err(WireError::Truncated)]);
        assert_eq!(Fields::of(&[0x0b, 0]).collect::<Vec<_>>(), [Err(WireError::WireType(3))]);
    }
}
