//! Counts the bytes of libp2p streams, and among them those of circuits.
//!
//! libp2p's relay behaviour moves a circuit's bytes itself and tells nobody how many, so the streams are wrapped here,
//! below it. A stream is a circuit's when the first bytes that come in on it negotiate the circuit relay protocol: as a
//! proposal from the side that asks, as an echo from the side that is asked. What comes in on such a stream goes out on
//! the other, so counting what comes in counts each byte once, and reading it more slowly keeps a circuit to its pace.
//!
//! Bound: `PROLOGUE` bytes a stream, for as long as it is undecided.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures::{AsyncRead, AsyncWrite};
use libp2p::core::muxing::{StreamMuxer, StreamMuxerEvent};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::metrics::{Metrics, Way};
use crate::pace::Allowance;

/// Protocol negotiation that says nothing of circuits within so many bytes is about something else.
const PROLOGUE: usize = 96;

/// What both protocols of circuit relay v2 begin with.
const CIRCUIT_PROTOCOLS: &[u8] = b"/libp2p/circuit/relay/0.2.0/";

/// A connection whose streams are counted.
#[derive(Debug)]
pub struct Metered<M> {
    inner: M,
    metrics: Arc<Metrics>,
    allowance: Allowance,
}

impl<M> Metered<M> {
    /// Counts the streams of `inner` in `metrics`, and lets its circuits carry what `allowance` gives.
    pub fn new(inner: M, metrics: Arc<Metrics>, allowance: Allowance) -> Self {
        Self { inner, metrics, allowance }
    }

    fn wrap<S>(&self, stream: S) -> MeteredStream<S> {
        MeteredStream {
            inner: stream,
            kind: Kind::Undecided(Vec::new()),
            metrics: self.metrics.clone(),
            allowance: self.allowance.clone(),
            wait: None,
        }
    }
}

impl<M> StreamMuxer for Metered<M>
where
    M: StreamMuxer + Unpin,
    M::Substream: Unpin,
{
    type Substream = MeteredStream<M::Substream>;
    type Error = M::Error;

    fn poll_inbound(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Self::Substream, Self::Error>> {
        let stream = ready!(Pin::new(&mut self.inner).poll_inbound(cx))?;
        Poll::Ready(Ok(self.wrap(stream)))
    }

    fn poll_outbound(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Self::Substream, Self::Error>> {
        let stream = ready!(Pin::new(&mut self.inner).poll_outbound(cx))?;
        Poll::Ready(Ok(self.wrap(stream)))
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Pin::new(&mut self.inner).poll_close(cx)
    }

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<StreamMuxerEvent, Self::Error>> {
        Pin::new(&mut self.inner).poll(cx)
    }
}

/// A stream that is counted.
#[derive(Debug)]
pub struct MeteredStream<S> {
    inner: S,
    kind: Kind,
    metrics: Arc<Metrics>,
    allowance: Allowance,
    wait: Option<Pin<Box<Sleep>>>,
}

impl<S> MeteredStream<S> {
    fn count_in(&mut self, bytes: &[u8]) {
        self.metrics.transport.get_or_create(&Way::IN).inc_by(bytes.len() as u64);
        let through_circuits = self.kind.circuit_bytes_in(bytes);
        self.metrics.circuit_bytes.inc_by(through_circuits);
        self.allowance.spend(through_circuits);
    }

    /// Ready when a circuit may go on.
    fn poll_allowance(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !matches!(self.kind, Kind::Circuit) {
            return Poll::Ready(());
        }
        loop {
            if let Some(wait) = &mut self.wait {
                ready!(wait.as_mut().poll(cx));
            }
            self.wait = self.allowance.wait_until(Instant::now()).map(|until| Box::pin(sleep_until(until)));
            if self.wait.is_none() {
                return Poll::Ready(());
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for MeteredStream<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_allowance(cx));
        let length = ready!(Pin::new(&mut self.inner).poll_read(cx, buf))?;
        self.count_in(&buf[..length]);
        Poll::Ready(Ok(length))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for MeteredStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let length = ready!(Pin::new(&mut self.inner).poll_write(cx, buf))?;
        self.metrics.transport.get_or_create(&Way::OUT).inc_by(length as u64);
        Poll::Ready(Ok(length))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_close(cx)
    }
}

#[derive(Debug)]
enum Kind {
    /// Too little came in to tell; here is what did.
    Undecided(Vec<u8>),
    Circuit,
    Other,
}

impl Kind {
    /// How many circuit bytes have become known with `bytes`: earlier ones count once the stream is known to be a circuit's.
    fn circuit_bytes_in(&mut self, bytes: &[u8]) -> u64 {
        match self {
            Self::Circuit => bytes.len() as u64,
            Self::Other => 0,
            Self::Undecided(prologue) => {
                let earlier = prologue.len();
                prologue.extend_from_slice(&bytes[..bytes.len().min(PROLOGUE - earlier)]);
                if prologue.windows(CIRCUIT_PROTOCOLS.len()).any(|window| window == CIRCUIT_PROTOCOLS) {
                    *self = Self::Circuit;
                    return (earlier + bytes.len()) as u64;
                }
                if prologue.len() == PROLOGUE {
                    *self = Self::Other;
                }
                0
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::AsyncReadExt as _;
    use futures::io::Cursor;

    use super::*;

    const HOP: &[u8] = b"\x13/multistream/1.0.0\n\x20/libp2p/circuit/relay/0.2.0/hop\n";
    const PING: &[u8] = b"\x13/multistream/1.0.0\n\x11/ipfs/ping/1.0.0\n";

    #[test]
    fn a_circuit_is_known_however_its_prologue_is_cut() {
        for cut in 1..HOP.len() {
            let mut kind = Kind::Undecided(Vec::new());
            let counted: u64 = HOP.chunks(cut).map(|chunk| kind.circuit_bytes_in(chunk)).sum();
            assert_eq!(counted, HOP.len() as u64, "in pieces of {cut}");
            assert_eq!(kind.circuit_bytes_in(&[0; 1000]), 1000);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_circuit_goes_on_as_its_allowance_says_and_other_streams_as_they_like() {
        let metered = Metered::new((), Arc::new(Metrics::new()), Allowance::new(1_000));
        for (prologue, seconds) in [(PING, 0), (HOP, 4)] {
            let sent = [prologue.to_vec(), vec![7; 20_000]].concat();
            let mut stream = metered.wrap(Cursor::new(sent.clone()));
            let begin = Instant::now();
            let mut received = Vec::new();
            let mut buffer = [0; 100];
            while let length @ 1.. = stream.read(&mut buffer).await.unwrap() {
                received.extend_from_slice(&buffer[..length]);
            }
            assert_eq!(received, sent);
            assert_eq!(begin.elapsed().as_secs(), seconds);
        }
    }

    #[test]
    fn another_protocol_is_never_a_circuit_even_if_it_talks_about_them() {
        let mut kind = Kind::Undecided(Vec::new());
        assert_eq!(kind.circuit_bytes_in(PING), 0);
        assert_eq!(kind.circuit_bytes_in(&[7; 64]), 0);
        assert!(matches!(kind, Kind::Other));
        assert_eq!(kind.circuit_bytes_in(HOP), 0);
    }
}
