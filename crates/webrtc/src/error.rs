//! What can go wrong, one variant per cause.

use std::{fmt, io};

use libp2p_identity::PeerId;

/// Why a `/webrtc` dial or an inbound connection failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no relayed connection to the peer and the dialled address named no circuit.
    #[error("no relayed connection to {0} to signal over, and no circuit address to dial")]
    NoSignalingPath(PeerId),
    /// The circuit that signalling needs could not be dialled.
    #[error("could not dial the circuit to signal over: {0}")]
    CircuitDial(String),
    /// The relayed connection closed before signalling was done: the relay is gone, or the peer.
    #[error("the relayed connection closed before signalling was done")]
    CircuitClosed,
    /// Signalling failed.
    #[error("signalling failed: {0}")]
    Signaling(#[from] SignalingError),
    /// A stage took longer than [`Config::with_dial_timeout`](crate::Config::with_dial_timeout) allows.
    #[error("timed out while {0}")]
    Timeout(Stage),
    /// Both sides dialled at once and the other side's attempt goes on: a connection comes in, this dial ends.
    #[error("the other side is dialling too and its attempt goes on")]
    SimultaneousDial,
    /// The same peer began anew, so the older attempt was given up.
    #[error("replaced by a newer attempt of the same peer")]
    Superseded,
    /// More inbound connections are being negotiated than the configuration allows.
    #[error("too many connections are being negotiated")]
    TooManyNegotiations,
    /// The browser found no working pair of candidates, or the security handshake failed.
    #[error("the browser could not connect the two peers")]
    ConnectivityFailed,
    /// The browser refused a step.
    #[error("the browser refused to {step}: {reason}")]
    Browser {
        /// What it was asked to do.
        step: &'static str,
        /// What it said.
        reason: String,
    },
    /// The [`Behaviour`](crate::Behaviour) is gone, or so busy that it takes no more requests.
    #[error("the behaviour that belongs to this transport takes no requests")]
    BehaviourUnavailable,
    /// An address of a peer was given to listen on.
    #[error("listen on /webrtc, not on the address of a peer")]
    NotAListenAddress,
    /// There is no `RTCPeerConnection` here: not a browser, or a worker.
    #[error("this platform has no RTCPeerConnection")]
    Unsupported,
}

impl Error {
    /// Whether the peer is being connected all the same, by its own dial.
    pub fn is_benign(&self) -> bool {
        matches!(self, Self::SimultaneousDial | Self::Superseded)
    }
}

/// Where a negotiation stood when its time was over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Opening a signalling stream over a relayed connection.
    Signaling,
    /// Waiting for the other side's session description.
    Description,
    /// Looking for a working pair of candidates.
    Connectivity,
}

impl Stage {
    /// A short name, fit for a log's field.
    pub fn name(self) -> &'static str {
        match self {
            Self::Signaling => "signaling",
            Self::Description => "description",
            Self::Connectivity => "ice",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Signaling => "opening a signalling stream",
            Self::Description => "waiting for the session description",
            Self::Connectivity => "looking for a direct path",
        })
    }
}

/// What can go wrong on a signalling stream.
#[derive(Debug, thiserror::Error)]
pub enum SignalingError {
    /// The peer doesn't speak the signalling protocol.
    #[error("the peer does not speak the signalling protocol")]
    Unsupported,
    /// The stream failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A message is malformed.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// A message came that has no place at this point.
    #[error("expected {expected}")]
    Unexpected {
        /// What should have come.
        expected: &'static str,
    },
    /// The peer closed the stream before it was done.
    #[error("the peer ended signalling early")]
    Ended,
    /// A candidate isn't JSON.
    #[error("a candidate is malformed")]
    BadCandidate,
    /// More candidates than any honest peer has.
    #[error("too many candidates")]
    TooManyCandidates,
}

/// Why bytes are not a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// A field reaches past the end.
    #[error("the message is cut short")]
    Truncated,
    /// A number has more than 64 bits.
    #[error("a number has more than 64 bits")]
    VarintOverflow,
    /// A length prefix is not in its shortest form.
    #[error("the length prefix is not minimal")]
    PrefixNotMinimal,
    /// The message is longer than allowed.
    #[error("the message is longer than {max} bytes")]
    TooLong {
        /// The limit.
        max: usize,
    },
    /// A field has a wire type that doesn't exist.
    #[error("wire type {0} does not exist")]
    WireType(u64),
    /// A known field has the wrong wire type.
    #[error("a field has the wrong type")]
    FieldType,
    /// A frame has an unknown flag.
    #[error("flag {0} does not exist")]
    UnknownFlag(u64),
    /// A signalling message has an unknown type.
    #[error("signalling message type {0} does not exist")]
    UnknownType(u64),
    /// A signalling message has no type.
    #[error("a signalling message has no type")]
    MissingType,
    /// Text is not UTF-8.
    #[error("the text is not UTF-8")]
    NotText,
}

/// Why an established connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
pub enum ConnectionError {
    /// The browser says that the connection failed: no answer on any path.
    #[error("the browser lost the connection")]
    Lost,
    /// The other side closed it.
    #[error("the other side closed the connection")]
    ClosedByRemote,
    /// We closed it.
    #[error("the connection is closed")]
    Closed,
    /// The browser opens no further data channel.
    #[error("the browser opened no data channel")]
    NoChannel,
}
