//! A browser's WebSocket that is looked at again and again.
//!
//! The transport underneath dials without waiting for the socket, and wakes nobody when it can't be opened or closes: who
//! dials a relay that is away would wait for a timeout. So whoever waits here is woken every [`LOOK`], and finds out.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::{AsyncRead, AsyncWrite, FutureExt};
use futures_timer::Delay;

/// How often a waiting reader or writer looks.
const LOOK: Duration = Duration::from_millis(500);

/// A connection whose readers and writers look for themselves whether it still is one.
pub(crate) struct Watched<C> {
    connection: C,
    next_look: Delay,
}

impl<C> Watched<C> {
    pub(crate) fn new(connection: C) -> Self {
        Self { connection, next_look: Delay::new(LOOK) }
    }

    fn or_look<T>(&mut self, outcome: Poll<T>, cx: &mut Context<'_>) -> Poll<T> {
        if outcome.is_pending() {
            while self.next_look.poll_unpin(cx).is_ready() {
                self.next_look = Delay::new(LOOK);
            }
        }
        outcome
    }
}

impl<C: AsyncRead + Unpin> AsyncRead for Watched<C> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.connection).poll_read(cx, into);
        self.or_look(outcome, cx)
    }
}

impl<C: AsyncWrite + Unpin> AsyncWrite for Watched<C> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.connection).poll_write(cx, from);
        self.or_look(outcome, cx)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.connection).poll_flush(cx);
        self.or_look(outcome, cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.connection).poll_close(cx);
        self.or_look(outcome, cx)
    }
}
