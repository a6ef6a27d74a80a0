//! Nonce search: the one hot loop of proof of work.
//!
//! A header is 180 bytes, so three SHA-256 chunks cover it, and the nonce sits in the last one (`docs/protocol.md`,
//! section 4). A [`Job`] hashes the first two chunks once (the *midstate*) and runs the rounds of the third chunk that
//! come before the nonce once; [`Job::search`] then tries four nonces at a time, one in each lane of a 128-bit vector
//! (`tabchain_primitives::sha256`).
//!
//! Nothing here allocates, reads a clock or knows a network. A search is bounded by the count it is given.
//!
//! ```
//! use tabchain_miner::{Job, Found};
//!
//! let header = [0u8; 180];
//! let easy = [0xff; 32];
//! assert_eq!(Job::new(&header, &easy).search(7, 4), Some(Found { nonce: 7 }));
//! ```

#![allow(clippy::inline_always, reason = "one loop is the whole crate: every step of it belongs inlined")]

mod ffi;
mod search;

pub use search::{Found, Job};
pub use tabchain_primitives::HEADER_BYTES;
