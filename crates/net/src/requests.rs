//! Which number of ours belongs to which request of libp2p's.
//!
//! Bounds: an entry lives as long as its request, of which a connection has at most 32 open in each direction. Of answers
//! [`TO_ONE`] bytes are on their way to a peer at most and [`TO_ALL`] bytes in all: whoever asks much and reads slowly, or under many
//! names, takes no more of our memory.

use std::collections::HashMap;
use std::hash::Hash;

use libp2p::PeerId;
use libp2p::request_response::{InboundRequestId, OutboundRequestId, ResponseChannel};

type Channel = ResponseChannel<Vec<u8>>;

/// How many bytes of answers may be on their way to one peer. One that keeps to the protocol has no more open: ten questions, with
/// answers that are cut at about a megabyte.
const TO_ONE: usize = 32 * 1024 * 1024;
/// How many bytes of answers may be on their way to all peers together.
const TO_ALL: usize = 2 * TO_ONE;

#[derive(Default)]
pub(crate) struct Requests {
    sent: HashMap<OutboundRequestId, u64>,
    received: HashMap<(PeerId, u64), (InboundRequestId, Channel)>,
    next: u64,
    answers: Answers<InboundRequestId>,
}

/// How long the answers are that are on their way, and to whom.
struct Answers<Id>(HashMap<Id, (PeerId, usize)>);

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

    /// The way back for an answer of so many bytes, which is on its way from then on. `None` as well if too much is on its way.
    pub(crate) fn answer(&mut self, peer: PeerId, number: u64, bytes: usize) -> Option<Channel> {
        let (id, channel) = self.received.remove(&(peer, number))?;
        self.answers.add(id, peer, bytes).then_some(channel)
    }

    /// An inbound request ended, with our answer or without it.
    pub(crate) fn forget_received(&mut self, id: InboundRequestId) {
        self.answers.0.remove(&id);
        self.received.retain(|_, (known, _)| *known != id);
    }
}

impl<Id> Default for Answers<Id> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<Id: Eq + Hash> Answers<Id> {
    fn add(&mut self, id: Id, peer: PeerId, bytes: usize) -> bool {
        let (mut to_one, mut to_all) = (bytes, bytes);
        for (other, bytes) in self.0.values() {
            to_all += bytes;
            to_one += if *other == peer { *bytes } else { 0 };
        }
        let fits = to_one <= TO_ONE && to_all <= TO_ALL;
        if fits {
            self.0.insert(id, (peer, bytes));
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1024 * 1024;

    #[test]
    fn answers_to_a_peer_are_bounded_and_those_to_all_peers_are() {
        let mut answers = Answers::default();
        let (greedy, other) = (PeerId::random(), PeerId::random());
        let given = (0..40).filter(|id| answers.add(*id, greedy, MIB)).count();
        assert_eq!(given, 32);
        assert!(answers.add(40, other, 4 * MIB), "one that asks much leaves room for others");

        let strangers = (41..100).filter(|id| answers.add(*id, PeerId::random(), 4 * MIB)).count();
        assert_eq!(strangers, (64 - 32 - 4) / 4, "many names have no more in all");
    }

    #[test]
    fn an_answer_that_has_arrived_makes_room() {
        let mut answers = Answers::default();
        let peer = PeerId::random();
        assert!(answers.add(1, peer, 32 * MIB));
        assert!(!answers.add(2, peer, 1));
        answers.0.remove(&1);
        assert!(answers.add(3, peer, 1));
    }
}
