//! The libp2p rendezvous protocol 1.0.0 as both ends of it speak it here: what a node asks, what a relay answers, and how
//! large either may be.
//!
//! `tabchain-net` asks and `tabchain-relay` answers. Neither is libp2p's own: its relay offers who is long gone, and its
//! client keeps what it is told for as long as it is told to, and panics when a relay asks back. Both understand libp2p's.
//!
//! Bounds: a request is at most [`MAX_REQUEST`] bytes and an answer at most [`MAX_ANSWER`], of which the first [`MAX_FOUND`]
//! registrations are read; what follows the message on its stream is not. A record is at most [`MAX_REQUEST`] bytes.

mod codec;
mod message;
mod wire;

use libp2p::StreamProtocol;

pub use codec::Codec;
pub use message::{Answer, Discover, Found, Refusal, Register, Request};

/// What the protocol is called.
pub const PROTOCOL: StreamProtocol = StreamProtocol::new("/rendezvous/1.0.0");

/// The largest request, in bytes: a signed record with a few addresses is some hundred.
pub const MAX_REQUEST: usize = 4 * 1024;

/// The largest answer, in bytes: [`MAX_FOUND`] registrations of a kilobyte each, or fewer that are larger.
pub const MAX_ANSWER: usize = MAX_FOUND * 1024;

/// The most registrations in one answer.
pub const MAX_FOUND: usize = 64;

/// The longest namespace, in bytes, that the specification allows.
pub const MAX_NAMESPACE: usize = 255;

/// The shortest registration, in seconds: renewing more often than every half of this would be noise.
pub const MIN_TTL: u64 = 30;

/// The longest registration, in seconds, and what is meant when none is asked for.
pub const MAX_TTL: u64 = 2 * 60 * 60;
