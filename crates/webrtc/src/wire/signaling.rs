//! Signalling messages, and a channel of them over any stream of bytes.

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::proto::{Fields, Value, put_bytes, put_number, put_varint, split_prefixed};
use crate::error::{SignalingError, WireError};

/// The longest message we take. A browser's description of data channels alone is below 2 KiB; others may add more.
pub(crate) const MAX_MESSAGE: usize = 64 * 1024;

const TYPE: u64 = 1;
const DATA: u64 = 2;

const CHUNK: usize = 4 * 1024;

/// One signalling message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Message {
    /// The dialer's session description.
    Offer(String),
    /// The listener's session description.
    Answer(String),
    /// JSON of an `RTCIceCandidateInit`; empty or `null` for the end of candidates.
    Candidate(String),
}

impl Message {
    /// Encodes the message, prefix first.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let (kind, data) = match self {
            Self::Offer(data) => (0, data),
            Self::Answer(data) => (1, data),
            Self::Candidate(data) => (2, data),
        };
        let mut body = Vec::with_capacity(data.len() + 8);
        put_number(&mut body, TYPE, kind);
        put_bytes(&mut body, DATA, data.as_bytes());
        let mut out = Vec::with_capacity(body.len() + 3);
        put_varint(&mut out, body.len() as u64);
        out.extend_from_slice(&body);
        out
    }

    /// Decodes a message without its prefix.
    pub(crate) fn decode(body: &[u8]) -> Result<Self, WireError> {
        let (mut kind, mut data) = (None, "");
        for field in Fields::of(body) {
            match field? {
                (TYPE, Value::Varint(number)) => kind = Some(number),
                (DATA, Value::Bytes(bytes)) => {
                    data = std::str::from_utf8(bytes).map_err(|_| WireError::NotText)?;
                }
                (TYPE | DATA, _) => return Err(WireError::FieldType),
                _ => {}
            }
        }
        match kind {
            Some(0) => Ok(Self::Offer(data.to_owned())),
            Some(1) => Ok(Self::Answer(data.to_owned())),
            Some(2) => Ok(Self::Candidate(data.to_owned())),
            Some(other) => Err(WireError::UnknownType(other)),
            None => Err(WireError::MissingType),
        }
    }
}

/// Reads messages. [`Receiver::next`] may be dropped at any point without losing a byte.
pub(crate) struct Receiver<R> {
    from: R,
    buffer: Vec<u8>,
}

impl<R: AsyncRead + Unpin> Receiver<R> {
    pub(crate) fn new(from: R) -> Self {
        Self { from, buffer: Vec::new() }
    }

    /// The next message; `None` when the other side has closed the stream between two messages.
    pub(crate) async fn next(&mut self) -> Result<Option<Message>, SignalingError> {
        loop {
            if let Some((body, used)) = split_prefixed(&self.buffer, MAX_MESSAGE)? {
                let message = Message::decode(body)?;
                self.buffer.drain(..used);
                return Ok(Some(message));
            }
            let mut chunk = [0; CHUNK];
            match self.from.read(&mut chunk).await? {
                0 if self.buffer.is_empty() => return Ok(None),
                0 => return Err(WireError::Truncated.into()),
                count => self.buffer.extend_from_slice(&chunk[..count]),
            }
        }
    }
}

/// Writes messages.
pub(crate) struct Sender<W>(W);

impl<W: AsyncWrite + Unpin> Sender<W> {
    pub(crate) fn new(to: W) -> Self {
        Self(to)
    }

    pub(crate) async fn send(&mut self, message: &Message) -> Result<(), SignalingError> {
        self.0.write_all(&message.encode()).await?;
        self.0.flush().await?;
        Ok(())
    }

    /// Says that no more messages come.
    pub(crate) async fn close(&mut self) -> Result<(), SignalingError> {
        Ok(self.0.close().await?)
    }
}

#[cfg(test)]
mod tests {
    use futures::{executor::block_on, io::Cursor};

    use super::*;

    #[test]
    fn bytes_are_those_of_the_specification() {
        assert_eq!(Message::Offer("v=0".into()).encode(), [7, 0x08, 0, 0x12, 3, b'v', b'=', b'0']);
        assert_eq!(Message::Candidate(String::new()).encode(), [4, 0x08, 2, 0x12, 0]);
    }

    #[test]
    fn decoding_inverts_encoding() {
        for message in
            [Message::Offer("o".repeat(300)), Message::Answer("a".into()), Message::Candidate("null".into())]
        {
            let bytes = message.encode();
            let (body, used) = split_prefixed(&bytes, MAX_MESSAGE).expect("valid").expect("complete");
            assert_eq!(used, bytes.len());
            assert_eq!(Message::decode(body), Ok(message));
        }
    }

    #[test]
    fn malformed_messages_are_named() {
        assert_eq!(Message::decode(&[]), Err(WireError::MissingType));
        assert_eq!(Message::decode(&[0x08, 3]), Err(WireError::UnknownType(3)));
        assert_eq!(Message::decode(&[0x08, 0, 0x12, 1, 0xff]), Err(WireError::NotText));
        assert_eq!(Message::decode(&[0x10, 0]), Err(WireError::FieldType));
    }

    #[test]
    fn a_receiver_reads_message_by_message_until_the_end() {
        let messages = [Message::Offer("x".repeat(9_000)), Message::Candidate("{}".into())];
        let bytes: Vec<u8> = messages.iter().flat_map(Message::encode).collect();
        let mut receiver = Receiver::new(Cursor::new(bytes.clone()));
        block_on(async {
            for message in &messages {
                assert_eq!(receiver.next().await.expect("valid").as_ref(), Some(message));
            }
            assert_eq!(receiver.next().await.expect("a clean end"), None);
            let mut cut = Receiver::new(Cursor::new(bytes[..9].to_vec()));
            assert!(matches!(cut.next().await, Err(SignalingError::Wire(WireError::Truncated))));
            let mut long = Receiver::new(Cursor::new([0xff, 0xff, 0xff, 0x7f]));
            assert!(matches!(long.next().await, Err(SignalingError::Wire(WireError::TooLong { .. }))));
        });
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod properties {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    proptest! {
        #[test]
        fn decoding_inverts_encoding(kind in 0..3u8, text in ".{0,200}") {
            let message = match kind {
                0 => Message::Offer(text),
                1 => Message::Answer(text),
                _ => Message::Candidate(text),
            };
            let bytes = message.encode();
            let (body, used) = split_prefixed(&bytes, MAX_MESSAGE).expect("valid").expect("complete");
            prop_assert_eq!(used, bytes.len());
            prop_assert_eq!(Message::decode(body), Ok(message));
        }

        #[test]
        fn any_bytes_are_a_message_or_an_error(bytes in vec(any::<u8>(), 0..300)) {
            if let Ok(message) = Message::decode(&bytes) {
                prop_assert!(message.encode().len() <= bytes.len() + 8);
            }
        }
    }
}
