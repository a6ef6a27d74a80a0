//! Questions that wait for an answer.
//!
//! Bounds: at most [`MAX_OPEN_PER_PEER`] questions are open to one peer. Those for headers, bodies and state chunks bound
//! themselves and have room reserved; whoever asks for anything else looks at [`Requests::may_ask`] first.

use std::collections::BTreeMap;

use tabchain_primitives::Timestamp;

use crate::{PeerId, RequestId, bodies, snapshot};

/// The most questions open to one peer.
pub const MAX_OPEN_PER_PEER: usize = 10;

/// One question for headers, those for bodies and those for state chunks always have room.
const RESERVED: usize = 1 + bodies::MAX_BATCHES + snapshot::MAX_BATCHES;

/// Open questions, each with a note of what it was about.
#[derive(Debug)]
pub struct Requests<Note> {
    open: BTreeMap<RequestId, Open<Note>>,
    next: u64,
}

#[derive(Debug)]
struct Open<Note> {
    peer: PeerId,
    note: Note,
    asked: Timestamp,
    deadline: Timestamp,
}

impl<Note> Default for Requests<Note> {
    fn default() -> Self {
        Self { open: BTreeMap::new(), next: 0 }
    }
}

impl<Note> Requests<Note> {
    /// Whether the peer has room for one more question, the reserved room left aside.
    pub fn may_ask(&self, peer: &PeerId) -> bool {
        self.open_to(peer) < MAX_OPEN_PER_PEER - RESERVED
    }

    /// Notes a question that has to be answered within `patience` milliseconds.
    pub fn ask(&mut self, peer: PeerId, note: Note, now: Timestamp, patience: u64) -> RequestId {
        debug_assert!(
            self.open_to(&peer) < MAX_OPEN_PER_PEER,
            "others look for room first, and room is reserved for these"
        );
        let id = RequestId(self.next);
        self.next += 1;
        self.open.insert(id, Open { peer, note, asked: now, deadline: now.saturating_add(patience) });
        id
    }

    /// Takes back the note of a question that this peer was asked, and when; none if there is no such question (any more).
    pub fn close(&mut self, peer: &PeerId, id: RequestId) -> Option<(Note, Timestamp)> {
        if self.open.get(&id)?.peer != *peer {
            return None;
        }
        self.open.remove(&id).map(|open| (open.note, open.asked))
    }

    /// Takes back the notes of all questions whose time is over.
    pub fn expire(&mut self, now: Timestamp) -> Vec<(PeerId, Note)> {
        self.take(|open| open.deadline <= now)
    }

    /// Takes back the notes of all questions to a peer that left.
    pub fn forget(&mut self, peer: &PeerId) -> Vec<Note> {
        self.take(|open| open.peer == *peer).into_iter().map(|(_, note)| note).collect()
    }

    /// When the first question runs out of time.
    pub fn deadline(&self) -> Option<Timestamp> {
        self.open.values().map(|open| open.deadline).min()
    }

    /// The notes of all open questions.
    pub fn notes(&self) -> impl Iterator<Item = (&PeerId, &Note)> {
        self.open.values().map(|open| (&open.peer, &open.note))
    }

    fn open_to(&self, peer: &PeerId) -> usize {
        self.open.values().filter(|open| open.peer == *peer).count()
    }

    fn take(&mut self, which: impl Fn(&Open<Note>) -> bool) -> Vec<(PeerId, Note)> {
        self.open.extract_if(.., |_, open| which(open)).map(|(_, open)| (open.peer, open.note)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(n: u8) -> PeerId {
        PeerId::new(&[n]).unwrap()
    }

    #[test]
    fn only_the_asked_peer_can_answer_and_only_once() {
        let mut requests = Requests::default();
        let now = Timestamp::from_millis(5);
        let id = requests.ask(peer(1), "headers", now, 10);
        assert_eq!(requests.close(&peer(2), id), None);
        assert_eq!(requests.close(&peer(1), id), Some(("headers", now)));
        assert_eq!(requests.close(&peer(1), id), None);
    }

    #[test]
    fn time_and_leaving_give_questions_back() {
        let mut requests = Requests::default();
        let at = Timestamp::from_millis;
        requests.ask(peer(1), "slow", at(0), 10);
        requests.ask(peer(2), "gone", at(0), 20);
        assert_eq!(requests.deadline(), Some(at(10)));
        assert_eq!(requests.expire(at(9)), []);
        assert_eq!(requests.expire(at(10)), [(peer(1), "slow")]);
        assert_eq!(requests.forget(&peer(2)), ["gone"]);
        assert_eq!(requests.deadline(), None);
    }

    #[test]
    fn a_peer_is_asked_only_so_much() {
        let mut requests = Requests::default();
        for _ in 0..MAX_OPEN_PER_PEER - RESERVED {
            assert!(requests.may_ask(&peer(1)));
            requests.ask(peer(1), (), Timestamp::ZERO, 10);
        }
        assert!(!requests.may_ask(&peer(1)));
        assert!(requests.may_ask(&peer(2)));
    }
}
