//! What nodes say to each other, and the small state machines that decide what to ask whom.
//!
//! Nothing here knows the chain or a clock: each machine is told what happened and when, and answers with what to do. The
//! node composes them. That keeps every one of them small enough to be tested alone.
//!
//! | Module | Decides | What a peer can make grow |
//! |---|---|---|
//! | [`allowance`] | whether a peer asks too much | two numbers |
//! | [`message`] | the bytes of link and fetch | frames, lists: each bounded before it is allocated |
//! | [`book`] | whom to dial | 256 good peers, of which 192 proved themselves, and 256 heard of, of 4 addresses, 64 told by one peer |
//! | [`eviction`] | whose place a newcomer gets | nothing |
//! | [`score`] | who has to go | a number |
//! | [`requests`] | what still waits for an answer | 8 questions to a peer |
//! | [`headers`] | whom to ask for headers | one claim a peer, 4 chains being weighed |
//! | [`branch`] | which stretch of a weighed chain to fetch from whom | 4 stretches of 2000 headers |
//! | [`bodies`] | which body to fetch from whom | a window of 512 in 16 batches |
//! | [`snapshot`] | which chunk of a state to fetch from whom | four offers a peer, 256 chunks in 16 batches |
//! | [`compact`] | a block from short ids | one slot a transaction the header counts |
//! | [`early`] | blocks from the future | 32, 4 from one peer |
//! | [`talk`] | whether a peer says too much | two numbers |
//! | [`transactions`] | transaction announcements | 4096 ids known a peer, 1024 waiting, 256 wanted from one |
//! | [`held`] | whose transactions may wait behind a gap | 128 KiB a peer |

pub mod allowance;
pub mod bodies;
pub mod book;
pub mod branch;
mod bucket;
pub mod compact;
pub mod early;
pub mod eviction;
pub mod headers;
pub mod held;
pub mod message;
mod peer;
mod recent;
pub mod requests;
mod rng;
pub mod score;
pub mod snapshot;
pub mod talk;
#[cfg(test)]
mod testing;
pub mod transactions;

pub use message::{
    Body, Chunk, CompactBlock, Failure, Hello, Keeps, LinkMessage, MAX_LINK_BYTES, MAX_REQUEST_BYTES,
    MAX_RESPONSE_BYTES, Message, PROTOCOL_VERSION, PeerRecord, Prefilled, Request, RequestId, Response,
    ShortId, TipClaim,
};
pub use peer::{
    ConnectionKind, MAX_ADDRESS_BYTES, MAX_PEER_ID_BYTES, PeerAddress, PeerError, PeerId, PeerInfo,
};
pub use recent::RecentSet;
pub use rng::Rng;
