//! One relayed connection: opens and accepts signalling streams on it.

use std::{
    collections::VecDeque,
    convert::Infallible,
    sync::{Arc, Weak},
    task::{Context, Poll, Waker},
};

use futures::channel::oneshot;
use libp2p_core::upgrade::ReadyUpgrade;
use libp2p_swarm::{
    ConnectionHandler, ConnectionHandlerEvent, Stream, StreamProtocol, StreamUpgradeError, SubstreamProtocol,
    handler::{ConnectionEvent, DialUpgradeError, FullyNegotiatedInbound, FullyNegotiatedOutbound},
};

use crate::{Error, SIGNALING_PROTOCOL, SignalingError};

/// Where a signalling stream is wanted, or why there is none.
pub(crate) type Reply = oneshot::Sender<Result<Line, Error>>;

/// A signalling stream, and the relayed connection that it runs over.
#[derive(Debug)]
#[cfg_attr(not(target_arch = "wasm32"), allow(dead_code, reason = "signalling happens in a browser only"))]
pub struct Line {
    pub(crate) stream: Stream,
    pub(crate) circuit: Circuit,
}

/// Whether a relayed connection is still there: a stream that ends doesn't say whether it ended alone.
#[derive(Debug, Clone)]
#[cfg_attr(not(target_arch = "wasm32"), allow(dead_code, reason = "signalling happens in a browser only"))]
pub(crate) struct Circuit(Weak<()>);

#[cfg_attr(not(target_arch = "wasm32"), allow(dead_code, reason = "signalling happens in a browser only"))]
impl Circuit {
    pub(crate) fn is_gone(&self) -> bool {
        self.0.strong_count() == 0
    }
}

type Upgrade = ReadyUpgrade<StreamProtocol>;
type HandlerEvent = ConnectionHandlerEvent<Upgrade, Reply, Line>;

/// Speaks the signalling protocol on one relayed connection. Signalling streams keep it alive, nothing else does.
#[derive(Debug, Default)]
pub struct Handler {
    wanted: VecDeque<Reply>,
    accepted: VecDeque<Line>,
    /// Goes with the handler, thus with the connection.
    alive: Arc<()>,
    waker: Option<Waker>,
}

impl Handler {
    /// More inbound streams than this wait for the behaviour only if it is stuck: the rest is dropped, thus reset.
    const MAX_ACCEPTED: usize = 4;

    fn line(&self, stream: Stream) -> Line {
        Line { stream, circuit: Circuit(Arc::downgrade(&self.alive)) }
    }

    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

impl ConnectionHandler for Handler {
    type FromBehaviour = Reply;
    type ToBehaviour = Line;
    type InboundProtocol = Upgrade;
    type OutboundProtocol = Upgrade;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = Reply;

    fn listen_protocol(&self) -> SubstreamProtocol<Upgrade> {
        SubstreamProtocol::new(ReadyUpgrade::new(SIGNALING_PROTOCOL), ())
    }

    fn on_behaviour_event(&mut self, reply: Reply) {
        self.wanted.push_back(reply);
        self.wake();
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<HandlerEvent> {
        if let Some(line) = self.accepted.pop_front() {
            return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(line));
        }
        while let Some(reply) = self.wanted.pop_front() {
            if !reply.is_canceled() {
                let protocol = SubstreamProtocol::new(ReadyUpgrade::new(SIGNALING_PROTOCOL), reply);
                return Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol });
            }
        }
        self.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    fn on_connection_event(&mut self, event: ConnectionEvent<'_, Upgrade, Upgrade, (), Reply>) {
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound { protocol: stream, .. })
                if self.accepted.len() < Self::MAX_ACCEPTED =>
            {
                self.accepted.push_back(self.line(stream));
                self.wake();
            }
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound {
                protocol: stream,
                info: reply,
            }) => {
                // A dial that was dropped meanwhile drops the stream with it.
                reply.send(Ok(self.line(stream))).ok();
            }
            ConnectionEvent::DialUpgradeError(DialUpgradeError { info: reply, error }) => {
                reply.send(Err(open_error(error))).ok();
            }
            _ => {}
        }
    }
}

fn open_error(error: StreamUpgradeError<Infallible>) -> Error {
    match error {
        StreamUpgradeError::Timeout => Error::Timeout(crate::Stage::Signaling),
        StreamUpgradeError::NegotiationFailed => SignalingError::Unsupported.into(),
        StreamUpgradeError::Io(error) => SignalingError::Io(error).into(),
        StreamUpgradeError::Apply(never) => match never {},
    }
}
