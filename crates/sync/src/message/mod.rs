//! What nodes say to each other (protocol, section 10).
//!
//! Two protocols run on a connection. `link` is one long-lived stream of small frames that are said, not asked:
//! [`LinkMessage`]. `fetch` is request and response for bulk: [`Request`], [`Response`]. [`Message`] is either, as the node
//! core hands it out and takes it in.
//!
//! # Bounds
//! A link frame has at most [`MAX_LINK_BYTES`], a request [`MAX_REQUEST_BYTES`], a response [`MAX_RESPONSE_BYTES`]; every list
//! has a bound of its own, checked before anything is allocated for it.

mod fetch;
mod link;
#[cfg(test)]
mod tests;

pub use fetch::{Body, Chunk, Failure, Request, Response};
pub use link::{CompactBlock, Hello, Keeps, LinkMessage, PeerRecord, Prefilled, ShortId, TipClaim};

use tabchain_primitives::codec::{Decode, DecodeError, Encode, Reader};

/// The version of both protocols that this build speaks.
pub const PROTOCOL_VERSION: u32 = 2;

/// The largest frame on a link.
pub const MAX_LINK_BYTES: usize = 64 * 1024;
/// The largest request.
pub const MAX_REQUEST_BYTES: usize = 64 * 1024;
/// The largest response.
pub const MAX_RESPONSE_BYTES: usize = 4 * 1024 * 1024;

/// The most block hashes in a locator.
pub const MAX_LOCATOR: usize = 64;
/// The most headers in one response.
pub const MAX_HEADERS: usize = 2_000;
/// The most bodies asked for at once.
pub const MAX_BODIES: usize = 256;
/// The largest body, in bytes.
pub const MAX_BODY_BYTES: usize = 2 * 1024 * 1024;
/// The most snapshots told at once.
pub const MAX_SNAPSHOTS: usize = 4;
/// The most state chunks asked for at once.
pub const MAX_CHUNKS: usize = 64;
/// The largest state chunk, in bytes. A state whose accounts are more than about 80,000 to one chunk is not served.
pub const MAX_CHUNK_BYTES: usize = 2 * 1024 * 1024;
/// A response stops taking further bodies, chunks or transactions once it holds so many bytes.
pub const RESPONSE_BUDGET: usize = 1024 * 1024;
/// The most transactions of a block that a compact block or a request for its transactions can name.
pub const MAX_NAMED_TRANSACTIONS: usize = 8_192;
/// The most transaction ids in one announcement or request.
pub const MAX_TRANSACTION_IDS: usize = 256;
/// The most peers told at once.
pub const MAX_PEERS_TOLD: usize = 16;
/// The most addresses told of one peer.
pub const MAX_PEER_ADDRESSES: usize = 4;
/// The longest name a node gives its software, in bytes.
pub const MAX_AGENT_BYTES: usize = 64;

/// Tells the requests of one side of a connection apart. Whoever asks chooses it; an answer carries it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// One message, sent or received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// A frame of the link.
    Link(LinkMessage),
    /// A question. Received: the id is the network layer's, unique among that peer's open questions.
    Request(RequestId, Request),
    /// The answer to a question.
    Response(RequestId, Response),
    /// Received: no answer will come. Sent: none will be given.
    RequestFailed(RequestId, Failure),
}

impl Encode for RequestId {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0.to_le_bytes());
    }
}

impl Decode for RequestId {
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        r.u64().map(Self)
    }
}

/// The form in which a message crosses from one thread to another; on the wire the two protocols carry their own.
impl Encode for Message {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Link(message) => {
                out.push(0);
                message.encode(out);
            }
            Self::Request(id, request) => {
                out.push(1);
                id.encode(out);
                request.encode(out);
            }
            Self::Response(id, response) => {
                out.push(2);
                id.encode(out);
                response.encode(out);
            }
            Self::RequestFailed(id, failure) => {
                out.push(3);
                id.encode(out);
                failure.encode(out);
            }
        }
    }
}

impl Decode for Message {
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match r.u8()? {
            0 => Ok(Self::Link(LinkMessage::decode(r)?)),
            1 => Ok(Self::Request(RequestId::decode(r)?, Request::decode(r)?)),
            2 => Ok(Self::Response(RequestId::decode(r)?, Response::decode(r)?)),
            3 => Ok(Self::RequestFailed(RequestId::decode(r)?, Failure::decode(r)?)),
            kind => Err(DecodeError::UnknownKind { of: "message", kind }),
        }
    }
}
