//! Frames on a data channel: data, a flag, or both. A frame with its prefix is at most 16 KiB.

use super::proto::{Fields, Value, put_bytes, put_number, put_varint, split_prefixed, varint_len};
use crate::error::WireError;

/// The longest frame, prefix included.
pub(crate) const MAX_FRAME: usize = 16 * 1024;

/// What prefix, flag, and the message field's key and length may take of [`MAX_FRAME`].
const OVERHEAD: usize = 3 + 2 + 1 + 3;

/// The most data that we put into one frame.
pub(crate) const MAX_DATA: usize = MAX_FRAME - OVERHEAD;

const FLAG: u64 = 1;
const MESSAGE: u64 = 2;

/// What a frame says about the stream, beside its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flag {
    /// The sender will send no more data.
    Fin,
    /// The sender will read no more data.
    StopSending,
    /// The sender gives the stream up at once.
    Reset,
    /// The sender has received a [`Flag::Fin`] and all the data before it.
    FinAck,
}

/// One frame, as long as the bytes are there that it came in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Frame<'a> {
    pub(crate) flag: Option<Flag>,
    pub(crate) data: &'a [u8],
}

impl Frame<'_> {
    /// Appends the frame, prefix first. Its data is at most [`MAX_DATA`] long.
    pub(crate) fn encode(self, out: &mut Vec<u8>) {
        let Self { flag, data } = self;
        debug_assert!(data.len() <= MAX_DATA, "callers split data into frames");
        let flag_len = if flag.is_some() { 2 } else { 0 };
        let data_len = if data.is_empty() { 0 } else { 1 + varint_len(data.len()) + data.len() };
        out.reserve(data.len() + OVERHEAD);
        put_varint(out, (flag_len + data_len) as u64);
        if let Some(flag) = flag {
            put_number(out, FLAG, flag.number());
        }
        if !data.is_empty() {
            put_bytes(out, MESSAGE, data);
        }
    }
}

/// Puts frames together again: a data channel message usually is one frame, but need not be. Holds at most one
/// unfinished frame.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    partial: Vec<u8>,
}

impl Decoder {
    /// Whether a frame has begun and not ended.
    pub(crate) fn is_amid(&self) -> bool {
        !self.partial.is_empty()
    }

    /// Takes the bytes of one data channel message and hands each frame that is complete to `each`.
    pub(crate) fn push(&mut self, bytes: &[u8], mut each: impl FnMut(Frame<'_>)) -> Result<(), WireError> {
        if self.partial.is_empty() {
            let used = decode_all(bytes, &mut each)?;
            self.partial.extend_from_slice(&bytes[used..]);
        } else {
            self.partial.extend_from_slice(bytes);
            let used = decode_all(&self.partial, &mut each)?;
            self.partial.drain(..used);
        }
        Ok(())
    }
}

impl Flag {
    fn number(self) -> u64 {
        match self {
            Self::Fin => 0,
            Self::StopSending => 1,
            Self::Reset => 2,
            Self::FinAck => 3,
        }
    }

    fn from_number(number: u64) -> Result<Self, WireError> {
        match number {
            0 => Ok(Self::Fin),
            1 => Ok(Self::StopSending),
            2 => Ok(Self::Reset),
            3 => Ok(Self::FinAck),
            other => Err(WireError::UnknownFlag(other)),
        }
    }
}

fn decode_all(bytes: &[u8], each: &mut impl FnMut(Frame<'_>)) -> Result<usize, WireError> {
    let mut used = 0;
    while let Some((body, taken)) = split_prefixed(&bytes[used..], MAX_FRAME)? {
        each(decode(body)?);
        used += taken;
    }
    Ok(used)
}

fn decode(body: &[u8]) -> Result<Frame<'_>, WireError> {
    let mut frame = Frame::default();
    for field in Fields::of(body) {
        match field? {
            (FLAG, Value::Varint(number)) => frame.flag = Some(Flag::from_number(number)?),
            (MESSAGE, Value::Bytes(data)) => frame.data = data,
            (FLAG | MESSAGE, _) => return Err(WireError::FieldType),
            _ => {}
        }
    }
    Ok(frame)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(flag: Option<Flag>, data: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        Frame { flag, data }.encode(&mut out);
        out
    }

    /// A frame that outlives its bytes.
    type Owned = (Option<Flag>, Vec<u8>);

    fn decoded(chunks: &[&[u8]]) -> Result<Vec<Owned>, WireError> {
        let mut decoder = Decoder::default();
        let mut frames = Vec::new();
        for chunk in chunks {
            decoder.push(chunk, |frame| frames.push((frame.flag, frame.data.to_vec())))?;
        }
        Ok(frames)
    }

    #[test]
    fn bytes_are_those_of_the_specification() {
        assert_eq!(encode(Some(Flag::Fin), b""), [2, 0x08, 0]);
        assert_eq!(encode(Some(Flag::FinAck), b""), [2, 0x08, 3]);
        assert_eq!(encode(None, b"hi"), [4, 0x12, 2, b'h', b'i']);
        assert_eq!(encode(Some(Flag::StopSending), b"a"), [5, 0x08, 1, 0x12, 1, b'a']);
        assert_eq!(encode(None, b""), [0]);
    }

    #[test]
    fn the_longest_frame_fits_the_limit() {
        let data = vec![7; MAX_DATA];
        let bytes = encode(Some(Flag::Reset), &data);
        assert!(bytes.len() <= MAX_FRAME, "{} bytes", bytes.len());
        assert_eq!(decoded(&[&bytes]), Ok(vec![(Some(Flag::Reset), data)]));
    }

    #[test]
    fn frames_may_be_split_and_joined_anywhere() {
        let frames = [
            (None, vec![1; 200]),
            (Some(Flag::StopSending), vec![2; 127]),
            (Some(Flag::Fin), vec![]),
            (None, vec![]),
            (Some(Flag::Reset), b"bye".to_vec()),
        ];
        let bytes: Vec<u8> = frames.iter().flat_map(|(flag, data)| encode(*flag, data)).collect();
        for cut in 0..=bytes.len() {
            assert_eq!(decoded(&[&bytes[..cut], &bytes[cut..]]).as_deref(), Ok(&frames[..]), "cut at {cut}");
        }
    }

    #[test]
    fn garbage_is_an_error_and_not_a_panic() {
        assert_eq!(decoded(&[&[0xff, 0xff, 0x7f]]), Err(WireError::TooLong { max: MAX_FRAME }));
        assert_eq!(decoded(&[&[2, 0x08, 9]]), Err(WireError::UnknownFlag(9)));
        assert_eq!(decoded(&[&[2, 0x0a, 0]]), Err(WireError::FieldType));
        assert_eq!(decoded(&[&[2, 0x12, 5]]), Err(WireError::Truncated));
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod properties {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn any_frame() -> impl Strategy<Value = (Option<Flag>, Vec<u8>)> {
        let flag =
            prop_oneof![Just(Flag::Fin), Just(Flag::StopSending), Just(Flag::Reset), Just(Flag::FinAck)];
        (proptest::option::of(flag), vec(any::<u8>(), 0..300))
    }

    proptest! {
        #[test]
        fn any_frames_survive_any_splitting(frames in vec(any_frame(), 0..8), sizes in vec(1..90usize, 1..60)) {
            let mut bytes = Vec::new();
            for (flag, data) in &frames {
                Frame { flag: *flag, data }.encode(&mut bytes);
            }
            let (mut decoder, mut decoded, mut rest) = (Decoder::default(), Vec::new(), &bytes[..]);
            for size in sizes.into_iter().cycle() {
                let (chunk, tail) = rest.split_at(size.min(rest.len()));
                decoder.push(chunk, |frame| decoded.push((frame.flag, frame.data.to_vec()))).expect("our own bytes");
                rest = tail;
                if rest.is_empty() {
                    break;
                }
            }
            prop_assert_eq!(decoded, frames);
        }

        #[test]
        fn any_bytes_are_frames_or_an_error_and_little_is_kept(chunks in vec(vec(any::<u8>(), 0..200), 0..20)) {
            let mut decoder = Decoder::default();
            for chunk in chunks {
                if decoder.push(&chunk, |frame| assert!(frame.data.len() <= MAX_FRAME)).is_err() {
                    break;
                }
                prop_assert!(decoder.partial.len() <= MAX_FRAME + 3);
            }
        }
    }
}
