//! Outside of a browser: negotiations fail, so connections and streams are never made.

use std::{
    convert::Infallible,
    future::{Future, ready},
    io,
    pin::Pin,
    task::{Context, Poll},
};

use futures::{AsyncRead, AsyncWrite};
use libp2p_core::{StreamMuxer, muxing::StreamMuxerEvent};
use libp2p_identity::PeerId;

use crate::{Config, ConnectionError, ConnectionStats, Error, handler::Line, metrics::Counters};

/// A direct connection: there is none outside of a browser.
#[derive(Debug)]
pub struct Connection(Infallible);

/// A stream on a direct connection: there is none outside of a browser.
#[derive(Debug)]
pub struct Stream(Infallible);

pub(crate) fn dial(
    _: Line,
    _: PeerId,
    _: &Config,
    _: &Counters,
) -> impl Future<Output = Result<Connection, Error>> + use<> {
    ready(Err(Error::Unsupported))
}

pub(crate) fn accept(
    _: Line,
    _: PeerId,
    _: &Config,
    _: &Counters,
) -> impl Future<Output = Result<Connection, Error>> + use<> {
    ready(Err(Error::Unsupported))
}

pub(crate) fn stats(_: PeerId) -> impl Future<Output = Option<ConnectionStats>> + Send {
    ready(None)
}

impl StreamMuxer for Connection {
    type Substream = Stream;
    type Error = ConnectionError;

    fn poll_inbound(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<Stream, ConnectionError>> {
        match self.0 {}
    }

    fn poll_outbound(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<Stream, ConnectionError>> {
        match self.0 {}
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), ConnectionError>> {
        match self.0 {}
    }

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<StreamMuxerEvent, ConnectionError>> {
        match self.0 {}
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut [u8]) -> Poll<io::Result<usize>> {
        match self.0 {}
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        match self.0 {}
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.0 {}
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.0 {}
    }
}
