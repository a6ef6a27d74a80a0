//! The transport: addresses in, negotiated connections out. What the negotiation itself does is the platform's part.

use std::{
    collections::VecDeque,
    future::Future,
    pin::Pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use futures::{
    FutureExt, SinkExt, StreamExt,
    channel::{mpsc, oneshot},
    future::{BoxFuture, Either, select},
};
use futures_timer::Delay;
use libp2p_core::{
    Multiaddr,
    transport::{DialOpts, ListenerId, TransportError, TransportEvent},
};
use libp2p_identity::PeerId;
use tracing::Instrument;
use web_time::Instant;

use crate::{
    Config, Connection, Error, Stage,
    address::{Target, address_of, listen_address},
    handler::{Line, Reply},
    imp,
    metrics::{Counters, Direction},
    negotiations::{Negotiations, Side, Ticket},
};

/// How many requests may wait for the behaviour.
pub(crate) const REQUESTS: usize = 64;

/// How many signalling streams may wait for the transport.
pub(crate) const INCOMING: usize = 32;

/// Asks the behaviour for a signalling stream.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) peer: PeerId,
    /// What to dial when there is no relayed connection.
    pub(crate) circuit: Option<Multiaddr>,
    pub(crate) reply: Reply,
}

/// A signalling stream that a peer has opened.
#[derive(Debug)]
pub(crate) struct Incoming {
    pub(crate) peer: PeerId,
    pub(crate) line: Line,
}

type Upgrade = BoxFuture<'static, Result<(PeerId, Connection), Error>>;

/// The [`libp2p_core::Transport`] of `/webrtc` addresses. See the crate's documentation for how to wire it.
pub struct Transport {
    config: Config,
    requests: mpsc::Sender<Request>,
    incoming: mpsc::Receiver<Incoming>,
    negotiations: Negotiations,
    listener: Option<ListenerId>,
    events: VecDeque<TransportEvent<Upgrade, Error>>,
    waker: Option<Waker>,
    counters: Counters,
}

impl Transport {
    pub(crate) fn new(
        config: Config,
        requests: mpsc::Sender<Request>,
        incoming: mpsc::Receiver<Incoming>,
        counters: Counters,
    ) -> Self {
        Self {
            negotiations: Negotiations::new(config.local_peer, config.max_negotiations),
            config,
            requests,
            incoming,
            listener: None,
            events: VecDeque::new(),
            waker: None,
            counters,
        }
    }

    fn announce(&mut self, event: TransportEvent<Upgrade, Error>) {
        self.events.push_back(event);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    fn accept(&self, listener_id: ListenerId, incoming: Incoming) -> TransportEvent<Upgrade, Error> {
        let Incoming { peer, line } = incoming;
        // Taken now and not when first polled, so that a dial that starts in between knows of it.
        let ticket = self.negotiations.inbound(peer);
        let (config, counters) = (self.config.clone(), self.counters.clone());
        let upgrade = async move {
            let attempt = async { run(ticket?, imp::accept(line, peer, &config, &counters)).await };
            Ok((peer, counters.attempt(Direction::Inbound, attempt).await?))
        };
        TransportEvent::Incoming {
            listener_id,
            upgrade: upgrade.boxed(),
            local_addr: listen_address(),
            send_back_addr: address_of(peer),
        }
    }
}

impl libp2p_core::Transport for Transport {
    type Output = (PeerId, Connection);
    type Error = Error;
    type ListenerUpgrade = Upgrade;
    type Dial = Upgrade;

    /// Takes `/webrtc`, once: there is only one way in.
    fn listen_on(&mut self, id: ListenerId, address: Multiaddr) -> Result<(), TransportError<Error>> {
        if Target::parse(&address).is_some() {
            // Said here, or the relay's transport would take it and reserve a circuit.
            return Err(TransportError::Other(Error::NotAListenAddress));
        }
        if address != listen_address() || self.listener.is_some() {
            return Err(TransportError::MultiaddrNotSupported(address));
        }
        self.listener = Some(id);
        self.announce(TransportEvent::NewAddress { listener_id: id, listen_addr: address });
        Ok(())
    }

    fn remove_listener(&mut self, id: ListenerId) -> bool {
        let removed = self.listener.take_if(|listener| *listener == id).is_some();
        if removed {
            self.announce(TransportEvent::ListenerClosed { listener_id: id, reason: Ok(()) });
        }
        removed
    }

    fn dial(&mut self, address: Multiaddr, opts: DialOpts) -> Result<Upgrade, TransportError<Error>> {
        let target = Target::parse(&address).filter(|_| opts.role.is_dialer());
        let Some(Target { peer, circuit }) = target else {
            return Err(TransportError::MultiaddrNotSupported(address));
        };
        let (config, counters) = (self.config.clone(), self.counters.clone());
        let (requests, negotiations) = (self.requests.clone(), self.negotiations.clone());
        let dial = async move {
            let attempt = async {
                let ticket = negotiations.outbound(peer).await?;
                let opening = async {
                    let opened = open_signaling(requests, peer, circuit);
                    within(config.dial_timeout, opened, Stage::Signaling).await?
                };
                run(ticket, async {
                    let line = staged(Stage::Signaling, opening).await?;
                    imp::dial(line, peer, &config, &counters).await
                })
                .await
            };
            Ok((peer, counters.attempt(Direction::Outbound, attempt).await?))
        };
        Ok(dial.boxed())
    }

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<TransportEvent<Upgrade, Error>> {
        if let Some(event) = self.events.pop_front() {
            return Poll::Ready(event);
        }
        while let Poll::Ready(Some(incoming)) = self.incoming.poll_next_unpin(cx) {
            // Nobody listens: dropping the stream tells the peer.
            if let Some(listener) = self.listener {
                return Poll::Ready(self.accept(listener, incoming));
            }
        }
        self.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

/// Waits for `future` for no longer than `limit`.
pub(crate) async fn within<F: Future>(limit: Duration, future: F, stage: Stage) -> Result<F::Output, Error> {
    match select(Box::pin(future), Delay::new(limit)).await {
        Either::Left((output, _)) => Ok(output),
        Either::Right(((), _)) => Err(Error::Timeout(stage)),
    }
}

/// Runs one stage in a span of its own, which says how it ended.
pub(crate) async fn staged<T>(
    stage: Stage,
    step: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let span = tracing::debug_span!("stage", name = stage.name(), outcome = tracing::field::Empty);
    let result = step.instrument(span.clone()).await;
    match &result {
        Ok(_) => span.record("outcome", "done"),
        Err(error) => span.record("outcome", tracing::field::display(error)),
    };
    result
}

/// Runs a negotiation until it is over or has to give way. All that is logged on the way is in one span, which says with whom.
async fn run(
    mut ticket: Ticket,
    negotiation: impl Future<Output = Result<Connection, Error>>,
) -> Result<Connection, Error> {
    let side = match ticket.side {
        Side::Outbound => "outbound",
        Side::Inbound(_) => "inbound",
    };
    let span = tracing::debug_span!("webrtc", peer = %ticket.peer, side, outcome = tracing::field::Empty);
    let attempt = async {
        let start = Instant::now();
        let result = match select(Box::pin(negotiation), &mut ticket.ended).await {
            Either::Left((result, _)) => result,
            Either::Right((reason, _)) => Err(reason.unwrap_or(Error::Superseded)),
        };
        let elapsed = start.elapsed();
        let span = tracing::Span::current();
        match &result {
            Ok(_) => {
                span.record("outcome", "connected");
                tracing::debug!(?elapsed, "directly connected");
            }
            Err(error) => {
                span.record("outcome", tracing::field::display(error));
                tracing::debug!(%error, benign = error.is_benign(), ?elapsed, "no direct connection");
            }
        }
        result
    };
    attempt.instrument(span).await
}

async fn open_signaling(
    mut requests: mpsc::Sender<Request>,
    peer: PeerId,
    circuit: Option<Multiaddr>,
) -> Result<Line, Error> {
    let (reply, line) = oneshot::channel();
    requests.send(Request { peer, circuit, reply }).await.map_err(|_| Error::BehaviourUnavailable)?;
    // The request sits in a handler that goes with its connection.
    line.await.map_err(|_| Error::CircuitClosed)?
}
