//! The bytes of `/webrtc`: signalling messages and the frames that carry a stream over a data channel.
//!
//! Both are protocol buffers behind a length prefix. Decoding is bounded by the caller's limit before anything is
//! allocated, takes only the shortest form of a prefix, and skips fields that it doesn't know.

pub(crate) mod frame;
pub(crate) mod proposal;
pub(crate) mod proto;
pub(crate) mod signaling;
