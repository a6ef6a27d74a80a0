//! Which number of ours belongs to which request of libp2p's.
//!
//! Bounds: an entry lives as long as its request, of which a connection has at most 32 open in each direction.

use std::collections::HashMap;

use libp2p::PeerId;
use libp2p::request_response::{InboundRequestId, OutboundRequestId, ResponseChannel};

type Channel = ResponseChannel<Vec<u8>>;

#[derive(Default)]
pub(crate) struct Requests {
    sent: HashMap<OutboundRequestId, u64>,
    received: HashMap<(PeerId, u64), (InboundRequestId, Channel)>,
    next: u64,
}

impl Requests {
    pub(crate) fn on_sent(&mut self, id: OutboundRequestId, number: u64) {
        self.sent.insert(id, number);
    }

    /// The number of a request that has ended.
    pub(crate) fn take_sent(&mut self, id: OutboundRequestId) -> Option<u64> {
        self.sent.remove(&id)
    }

    /// Numbers a request that came in.
    pub(crate) fn on_received(&mut self, peer: PeerId, id: InboundRequestId, channel: Channel) -> u64 {
        self.next += 1;
        self.received.insert((peer, self.next), (id, channel));
        self.next
    }

    /// The way back to whoever asked.
    pub(crate) fn take_received(&mut self, peer: PeerId, number: u64) -> Option<Channel> {
        self.received.remove(&(peer, number)).map(|(_, channel)| channel)
    }

    /// An inbound request ended without our answer.
    pub(crate) fn forget_received(&mut self, id: InboundRequestId) {
        self.received.retain(|_, (known, _)| *known != id);
    }
}
