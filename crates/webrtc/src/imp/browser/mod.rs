//! The browser's part.
//!
//! - `js`: what web-sys lacks, event listeners and errors.
//! - `peer`: one `RTCPeerConnection`, its events, and the channels on it.
//! - `channel`: one data channel and the libp2p stream on it.
//! - `negotiation`: from a signalling stream to a connected peer.
//! - `connection`: the peer as a libp2p muxer.
//! - `turns`: who of many streams ends now.
//! - `unanswered`: streams that wait for a first answer.
//! - `scratch`: a buffer for messages on their way.
//! - `report`: statistics.
//!
//! Everything lives on one thread, so state sits in cells. Two rules keep that safe: no cell is borrowed while a waker
//! or a browser function is called, but for a channel's own handle, which is replaced by events only; and a closure that the browser calls is freed in a later task.

mod channel;
mod connection;
mod js;
mod negotiation;
mod peer;
mod report;
mod scratch;
#[cfg(test)]
mod tests;
mod turns;
mod unanswered;

pub use connection::{Connection, Stream};
pub(crate) use negotiation::{accept, dial};
pub(crate) use report::stats;
