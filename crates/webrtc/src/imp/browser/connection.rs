//! A connected peer as a libp2p muxer: one data channel a stream.

use std::{
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};

use futures::{
    AsyncRead, AsyncWrite,
    future::{poll_fn, select},
};
use futures_timer::Delay;
use libp2p_core::{StreamMuxer, muxing::StreamMuxerEvent};
use send_wrapper::SendWrapper;
use wasm_bindgen_futures::spawn_local;

use super::{channel::Channel, peer::Peer};
use crate::ConnectionError;

/// How long a closed connection goes on sending what was written on it.
const FLUSH: Duration = Duration::from_secs(2);

/// A direct connection to another browser.
pub struct Connection(SendWrapper<Rc<Peer>>);

/// A stream on a direct connection.
///
/// Dropping it before it was closed resets it, as other muxers do. What was written before a close is delivered even
/// if the stream is dropped right after.
pub struct Stream(SendWrapper<Rc<Channel>>);

impl Connection {
    pub(super) fn new(peer: Rc<Peer>) -> Self {
        peer.established();
        Self(SendWrapper::new(peer))
    }

    /// Ends it for libp2p at once, and for the browser when what was written is on its way.
    fn shut_down(&self) {
        let peer = Rc::clone(&self.0);
        peer.end(ConnectionError::Closed);
        spawn_local(async move {
            let drained = poll_fn(|cx| peer.poll_drained(cx));
            select(drained, Delay::new(FLUSH)).await;
            peer.raw.close();
        });
    }
}

impl StreamMuxer for Connection {
    type Substream = Stream;
    type Error = ConnectionError;

    fn poll_inbound(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Stream, ConnectionError>> {
        self.0.poll_inbound(cx).map_ok(Stream::new)
    }

    fn poll_outbound(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Stream, ConnectionError>> {
        self.0.poll_outbound(cx).map_ok(Stream::new)
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), ConnectionError>> {
        // The rest happens when it is dropped, which follows.
        Poll::Ready(Ok(()))
    }

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<StreamMuxerEvent, ConnectionError>> {
        self.0.poll_ended(cx).map(Err)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.shut_down();
    }
}

impl Stream {
    fn new(channel: Rc<Channel>) -> Self {
        Self(SendWrapper::new(channel))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.0.abandon();
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        self.0.poll_read(cx, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        self.0.poll_write(cx, data)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // What was written is with the browser, which sends it without being asked.
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_close(cx)
    }
}
