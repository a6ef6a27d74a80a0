//! One connection's link: a stream of frames each way.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use asynchronous_codec::{Bytes, Framed};
use futures::{Sink, Stream as _};
use libp2p::StreamProtocol;
use libp2p::core::upgrade::ReadyUpgrade;
use libp2p::swarm::handler::{
    ConnectionEvent, DialUpgradeError, FullyNegotiatedInbound, FullyNegotiatedOutbound, StreamUpgradeError,
};
use libp2p::swarm::{ConnectionHandler, ConnectionHandlerEvent, Stream, SubstreamProtocol};
use unsigned_varint::codec::UviBytes;

use super::{MAX_FRAME, MAX_QUEUE};

type Frames = Framed<Stream, UviBytes<Bytes>>;

/// What the behaviour tells a connection's link.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Open, though this is a circuit.
    Open,
    /// Let go of what the peer has opened on this circuit.
    Decline,
    /// The session runs here: read from now on.
    Begin,
    /// Send a frame.
    Send(Vec<u8>),
}

/// What a connection's link tells the behaviour.
#[derive(Debug)]
pub(crate) enum Report {
    /// The remote opened its half on a circuit, on which ours is held back.
    Asked,
    /// The remote speaks the protocol; frames can be sent.
    Opened,
    /// A frame came in. Only after [`Order::Begin`].
    Frame(Vec<u8>),
    /// The remote does not take the link on this circuit.
    Refused,
    /// The link is of no more use, and so neither is the connection.
    Lost(Lost),
}

/// Why a link ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lost {
    /// The stream was closed or failed.
    Closed,
    /// The remote reads too slowly: what waited for it outgrew [`MAX_QUEUE`].
    SlowReader,
}

enum Outbound {
    /// This is a circuit, and nothing says yet that there is no other way.
    Held,
    Wanted,
    Opening,
    Open(Box<Frames>),
    /// The remote does not speak the protocol (a relay, say), or the link was lost.
    Off,
}

/// Each side opens one stream to send on, so there is nothing to agree on about who opens what.
pub(crate) struct Handler {
    protocol: StreamProtocol,
    is_circuit: bool,
    outbound: Outbound,
    inbound: Option<Frames>,
    reads: bool,
    queue: VecDeque<Vec<u8>>,
    queued_bytes: usize,
    reports: VecDeque<Report>,
}

impl Handler {
    pub(crate) fn new(protocol: StreamProtocol, is_circuit: bool) -> Self {
        Self {
            protocol,
            is_circuit,
            outbound: if is_circuit { Outbound::Held } else { Outbound::Wanted },
            inbound: None,
            reads: false,
            queue: VecDeque::new(),
            queued_bytes: 0,
            reports: VecDeque::new(),
        }
    }

    fn lose(&mut self, why: Lost) {
        if !matches!(self.outbound, Outbound::Off) {
            self.turn_off();
            self.reports.push_back(Report::Lost(why));
        }
    }

    fn refuse(&mut self) {
        self.turn_off();
        if self.is_circuit {
            self.reports.push_back(Report::Refused);
        }
    }

    fn turn_off(&mut self) {
        self.outbound = Outbound::Off;
        self.inbound = None;
        self.queue.clear();
        self.queued_bytes = 0;
    }

    fn send(&mut self, frame: Vec<u8>) {
        if matches!(self.outbound, Outbound::Off) {
            return;
        }
        self.queued_bytes += frame.len();
        self.queue.push_back(frame);
        if self.queued_bytes > MAX_QUEUE {
            self.lose(Lost::SlowReader);
        }
    }

    /// Hands queued frames to the stream as far as it takes them, and flushes.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Result<(), Lost> {
        let Outbound::Open(frames) = &mut self.outbound else { return Ok(()) };
        let mut frames = Pin::new(&mut **frames);
        while !self.queue.is_empty() {
            match frames.as_mut().poll_ready(cx).map_err(|_| Lost::Closed)? {
                Poll::Pending => break,
                Poll::Ready(()) => {
                    let frame = self.queue.pop_front().expect("the loop condition saw one");
                    self.queued_bytes -= frame.len();
                    frames.as_mut().start_send(frame.into()).map_err(|_| Lost::Closed)?;
                }
            }
        }
        frames.poll_flush(cx).map_err(|_| Lost::Closed)?.is_ready();
        Ok(())
    }

    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Result<Vec<u8>, Lost>> {
        let Some(frames) = self.inbound.as_mut().filter(|_| self.reads) else { return Poll::Pending };
        Pin::new(frames).poll_next(cx).map(|frame| match frame {
            Some(Ok(bytes)) => Ok(bytes.to_vec()),
            Some(Err(_)) | None => Err(Lost::Closed),
        })
    }
}

impl ConnectionHandler for Handler {
    type FromBehaviour = Order;
    type ToBehaviour = Report;
    type InboundProtocol = ReadyUpgrade<StreamProtocol>;
    type OutboundProtocol = ReadyUpgrade<StreamProtocol>;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = ();

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol> {
        SubstreamProtocol::new(ReadyUpgrade::new(self.protocol.clone()), ())
    }

    fn connection_keep_alive(&self) -> bool {
        !matches!(self.outbound, Outbound::Held | Outbound::Off)
    }

    fn on_behaviour_event(&mut self, order: Order) {
        match order {
            Order::Open if matches!(self.outbound, Outbound::Held) => self.outbound = Outbound::Wanted,
            Order::Open => {}
            Order::Decline => self.inbound = None,
            Order::Begin => self.reads = true,
            Order::Send(frame) => self.send(frame),
        }
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Self::OutboundProtocol, (), Self::ToBehaviour>> {
        if matches!(self.outbound, Outbound::Wanted) {
            self.outbound = Outbound::Opening;
            let protocol = SubstreamProtocol::new(ReadyUpgrade::new(self.protocol.clone()), ());
            return Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol });
        }
        if let Err(why) = self.poll_send(cx) {
            self.lose(why);
        }
        if let Some(report) = self.reports.pop_front() {
            return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(report));
        }
        match self.poll_receive(cx) {
            Poll::Ready(Ok(frame)) => {
                Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(Report::Frame(frame)))
            }
            Poll::Ready(Err(why)) => {
                self.lose(why);
                let report = self.reports.pop_front().expect("an open link that is lost reports it");
                Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(report))
            }
            Poll::Pending => Poll::Pending,
        }
    }

    fn on_connection_event(
        &mut self,
        event: ConnectionEvent<'_, Self::InboundProtocol, Self::OutboundProtocol>,
    ) {
        match event {
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound {
                protocol: stream, ..
            }) => {
                self.outbound = Outbound::Open(Box::new(frames(stream)));
                self.reports.push_back(Report::Opened);
            }
            // A remote that opens a second stream means the newer one.
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound { protocol: stream, .. }) => {
                self.inbound = Some(frames(stream));
                if matches!(self.outbound, Outbound::Held) {
                    self.reports.push_back(Report::Asked);
                }
            }
            ConnectionEvent::DialUpgradeError(DialUpgradeError { error, .. }) => match error {
                StreamUpgradeError::NegotiationFailed => self.refuse(),
                _ => self.lose(Lost::Closed),
            },
            _ => {}
        }
    }
}

fn frames(stream: Stream) -> Frames {
    let mut codec = UviBytes::default();
    codec.set_max_len(MAX_FRAME);
    Framed::new(stream, codec)
}
