//! Messages on a stream: each has its length before it, one goes each way.

use std::io;

use asynchronous_codec::{FramedRead, FramedWrite};
use futures::{AsyncRead, AsyncWrite, SinkExt as _, StreamExt as _};
use libp2p::{StreamProtocol, request_response};

use crate::message::{Answer, Request};
use crate::wire::{Nonsense, Wire};
use crate::{MAX_ANSWER, MAX_REQUEST};

/// Reads and writes requests and answers within their bounds. What is none is an [`io::ErrorKind::InvalidData`].
#[derive(Debug, Clone, Copy, Default)]
pub struct Codec;

impl request_response::Codec for Codec {
    type Protocol = StreamProtocol;
    type Request = Request;
    type Response = Answer;

    async fn read_request<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Request>
    where
        T: AsyncRead + Unpin + Send,
    {
        Ok(read(io, MAX_REQUEST).await?.try_into()?)
    }

    async fn read_response<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Answer>
    where
        T: AsyncRead + Unpin + Send,
    {
        Ok(read(io, MAX_ANSWER).await?.try_into()?)
    }

    async fn write_request<T>(&mut self, _: &StreamProtocol, io: &mut T, request: Request) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        write(io, request.into()).await
    }

    async fn write_response<T>(&mut self, _: &StreamProtocol, io: &mut T, answer: Answer) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        write(io, answer.into()).await
    }
}

impl From<Nonsense> for io::Error {
    fn from(nonsense: Nonsense) -> Self {
        Self::new(io::ErrorKind::InvalidData, nonsense)
    }
}

async fn read<T: AsyncRead + Unpin + Send>(io: &mut T, limit: usize) -> io::Result<Wire> {
    let mut frames = FramedRead::new(io, prost_codec::Codec::<Wire>::new(limit));
    Ok(frames.next().await.ok_or(io::ErrorKind::UnexpectedEof)??)
}

async fn write<T: AsyncWrite + Unpin + Send>(io: &mut T, message: Wire) -> io::Result<()> {
    let mut frames = FramedWrite::new(io, prost_codec::Codec::<Wire>::new(MAX_ANSWER));
    Ok(frames.send(message).await?)
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;
    use futures::io::Cursor;
    use libp2p::request_response::Codec as _;

    use super::*;
    use crate::PROTOCOL;
    use crate::message::{Found, Register};

    fn answer(bytes: &[u8]) -> io::Result<Answer> {
        block_on(Codec.read_response(&PROTOCOL, &mut Cursor::new(bytes)))
    }

    fn request(bytes: &[u8]) -> io::Result<Request> {
        block_on(Codec.read_request(&PROTOCOL, &mut Cursor::new(bytes)))
    }

    fn bytes_of(answer: Answer) -> Vec<u8> {
        let mut wire = Cursor::new(Vec::new());
        block_on(Codec.write_response(&PROTOCOL, &mut wire, answer)).expect("memory can be written");
        wire.into_inner()
    }

    /// An answer with a record of so many bytes.
    fn of_size(record: usize) -> Answer {
        let register = Register { record: Some(vec![1; record]), ..Register::default() };
        Answer::Discovered(Ok(Found { registrations: vec![register], cookie: vec![] }))
    }

    #[test]
    fn an_answer_is_read_up_to_its_bound() {
        // Three bytes say how long it is.
        let around_it = bytes_of(of_size(MAX_ANSWER)).len() - 3 - MAX_ANSWER;
        let largest = of_size(MAX_ANSWER - around_it);
        assert_eq!(answer(&bytes_of(largest.clone())).expect("within the bound"), largest);
        let above = bytes_of(of_size(MAX_ANSWER - around_it + 1));
        assert_eq!(answer(&above).expect_err("one byte more").kind(), io::ErrorKind::InvalidData);
        assert_eq!(request(&above).expect_err("no request").kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn a_length_alone_is_refused_before_anything_comes() {
        for length in [&[0x81, 0x80, 0x04][..], &[0xff; 11]] {
            assert_eq!(answer(length).expect_err("too long").kind(), io::ErrorKind::InvalidData);
        }
    }

    #[test]
    fn of_two_answers_the_first_counts_and_half_a_one_does_not() {
        let (first, second) = (Answer::Registered(Ok(1)), Answer::Registered(Ok(2)));
        let both = [bytes_of(first.clone()), bytes_of(second)].concat();
        assert_eq!(answer(&both).expect("an answer"), first);
        let half = answer(&both[..3]).expect_err("cut short");
        assert_eq!(half.kind(), io::ErrorKind::UnexpectedEof);
        assert!(answer(&[]).is_err());
    }

    #[cfg(not(target_arch = "wasm32"))]
    mod properties {
        use proptest::collection::vec;
        use proptest::prelude::*;

        use super::*;
        use crate::MAX_FOUND;

        proptest! {
            #[test]
            fn any_bytes_are_an_answer_or_an_error(bytes in vec(any::<u8>(), 0..300)) {
                let length = u8::try_from(bytes.len() % 128).expect("it is below 128");
                let framed = [&[length][..], &bytes].concat();
                let (read, asked) = (answer(&framed), request(&framed));
                prop_assert!(read.is_err() || asked.is_err(), "never both");
            }

            /// One that is nearly right gets further.
            #[test]
            fn a_changed_answer_is_one_within_the_bounds_or_an_error(
                count in 0..80usize, at in any::<prop::sample::Index>(), byte: u8
            ) {
                let register = Register { ttl: Some(u64::MAX), ..Register::default() };
                let found = Found { registrations: vec![register; count], cookie: vec![1; 9] };
                let mut bytes = bytes_of(Answer::Discovered(Ok(found)));
                let at = at.index(bytes.len());
                bytes[at] = byte;
                if let Ok(Answer::Discovered(Ok(found))) = answer(&bytes) {
                    prop_assert!(found.registrations.len() <= MAX_FOUND);
                }
            }
        }
    }
}
