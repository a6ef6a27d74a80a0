//! How requests and responses look on the wire: each a length-prefixed run of bytes.
//!
//! What the bytes mean is the business of `tabchain-sync`. Bounds: a request is at most [`MAX_REQUEST`] bytes and a
//! response at most [`MAX_RESPONSE`]; memory is taken as bytes arrive, at first 4 KiB ahead of them and then as much as have come.

use std::io;

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use libp2p::{StreamProtocol, request_response};

/// The largest request, in bytes.
pub(crate) const MAX_REQUEST: usize = 64 * 1024;
/// The largest response, in bytes.
pub(crate) const MAX_RESPONSE: usize = 5 * 1024 * 1024;

/// How far an allocation may run ahead while nothing has arrived.
const FIRST_STEP: usize = 4 * 1024;
/// How far it may ever run ahead of the bytes that have arrived.
const STEP: usize = 64 * 1024;

#[derive(Clone)]
pub(crate) struct Codec;

impl request_response::Codec for Codec {
    type Protocol = StreamProtocol;
    type Request = Vec<u8>;
    type Response = Vec<u8>;

    async fn read_request<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Vec<u8>>
    where
        T: AsyncRead + Unpin + Send,
    {
        read_frame(io, MAX_REQUEST).await
    }

    async fn read_response<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Vec<u8>>
    where
        T: AsyncRead + Unpin + Send,
    {
        read_frame(io, MAX_RESPONSE).await
    }

    async fn write_request<T>(&mut self, _: &StreamProtocol, io: &mut T, bytes: Vec<u8>) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        write_frame(io, &bytes, MAX_REQUEST).await
    }

    async fn write_response<T>(&mut self, _: &StreamProtocol, io: &mut T, bytes: Vec<u8>) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        write_frame(io, &bytes, MAX_RESPONSE).await
    }
}

/// Reads a little-endian `u32` length, then that many bytes.
async fn read_frame<T: AsyncRead + Unpin>(io: &mut T, most: usize) -> io::Result<Vec<u8>> {
    let mut prefix = [0; 4];
    io.read_exact(&mut prefix).await?;
    let length = u32::from_le_bytes(prefix) as usize;
    if length > most {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "frame is longer than allowed"));
    }
    let mut bytes = Vec::new();
    while bytes.len() < length {
        let start = bytes.len();
        bytes.resize(length.min(start + start.clamp(FIRST_STEP, STEP)), 0);
        io.read_exact(&mut bytes[start..]).await?;
    }
    Ok(bytes)
}

async fn write_frame<T: AsyncWrite + Unpin>(io: &mut T, bytes: &[u8], most: usize) -> io::Result<()> {
    if bytes.len() > most {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "frame is longer than allowed"));
    }
    let length = u32::try_from(bytes.len()).expect("the bound fits 32 bits");
    io.write_all(&length.to_le_bytes()).await?;
    io.write_all(bytes).await?;
    io.close().await
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use futures::executor::block_on;
    use futures::io::Cursor;

    use super::*;

    fn read(wire: &[u8], most: usize) -> io::Result<Vec<u8>> {
        block_on(read_frame(&mut Cursor::new(wire), most))
    }

    #[test]
    fn a_frame_comes_back_as_it_was_written() {
        for length in [0, 1, FIRST_STEP - 1, FIRST_STEP, FIRST_STEP + 1, STEP, STEP + 1, 5 * STEP] {
            let bytes = vec![7; length];
            let mut wire = Cursor::new(Vec::new());
            block_on(write_frame(&mut wire, &bytes, MAX_RESPONSE)).expect("within the bound");
            assert_eq!(read(wire.get_ref(), MAX_RESPONSE).expect("well formed"), bytes);
        }
    }

    /// Says that much comes, and gives a little at a time; notes how much room there was for it.
    struct Drip {
        prefix: Cursor<[u8; 4]>,
        given: usize,
        most_ahead: usize,
    }

    impl AsyncRead for Drip {
        fn poll_read(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            buffer: &mut [u8],
        ) -> Poll<io::Result<usize>> {
            let Poll::Ready(Ok(0)) = Pin::new(&mut self.prefix).poll_read(cx, buffer) else {
                return Poll::Ready(Ok(4));
            };
            if self.given == 3 * FIRST_STEP {
                return Poll::Ready(Ok(0));
            }
            self.most_ahead = self.most_ahead.max(buffer.len().saturating_sub(self.given));
            self.given += 1;
            Poll::Ready(Ok(1))
        }
    }

    #[test]
    fn a_length_alone_makes_nobody_take_memory() {
        let length = u32::try_from(MAX_RESPONSE).expect("small").to_le_bytes();
        let mut drip = Drip { prefix: Cursor::new(length), given: 0, most_ahead: 0 };
        let read = block_on(read_frame(&mut drip, MAX_RESPONSE));
        assert_eq!(read.expect_err("cut short").kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(drip.most_ahead, FIRST_STEP);
    }

    #[test]
    fn hostile_lengths_are_refused() {
        let too_long = u32::try_from(MAX_REQUEST + 1).expect("small").to_le_bytes();
        assert_eq!(read(&too_long, MAX_REQUEST).expect_err("too long").kind(), io::ErrorKind::InvalidData);
        let mut cut_short = 100u32.to_le_bytes().to_vec();
        cut_short.push(1);
        assert_eq!(
            read(&cut_short, MAX_REQUEST).expect_err("cut short").kind(),
            io::ErrorKind::UnexpectedEof
        );
    }
}
