//! How requests and responses look on the wire: each a length-prefixed run of bytes.
//!
//! What the bytes mean is the business of `tabchain-sync`. Bounds: a request is at most [`MAX_REQUEST`] bytes and a
//! response at most [`MAX_RESPONSE`]; memory is taken as bytes arrive, at most 16 KiB ahead of them.

use std::io;

use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use libp2p::{StreamProtocol, request_response};

/// The largest request, in bytes.
pub(crate) const MAX_REQUEST: usize = 64 * 1024;
/// The largest response, in bytes.
pub(crate) const MAX_RESPONSE: usize = 5 * 1024 * 1024;

/// How far an allocation may run ahead of the bytes that have arrived.
const STEP: usize = 16 * 1024;

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
        bytes.resize(length.min(start + STEP), 0);
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
    use futures::executor::block_on;
    use futures::io::Cursor;

    use super::*;

    fn read(wire: &[u8], most: usize) -> io::Result<Vec<u8>> {
        block_on(read_frame(&mut Cursor::new(wire), most))
    }

    #[test]
    fn a_frame_comes_back_as_it_was_written() {
        for length in [0, 1, STEP - 1, STEP, STEP + 1, 5 * STEP] {
            let bytes = vec![7; length];
            let mut wire = Cursor::new(Vec::new());
            block_on(write_frame(&mut wire, &bytes, MAX_RESPONSE)).expect("within the bound");
            assert_eq!(read(wire.get_ref(), MAX_RESPONSE).expect("well formed"), bytes);
        }
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
