//! Saying the wrong thing: of peers, and of anything.

use tabchain_node::{Message, PeerId};
use tabchain_primitives::{Decode, Encode};
use tabchain_sync::message::MAX_PEERS_TOLD;
use tabchain_sync::{LinkMessage, PeerRecord};

use crate::Place;
use crate::behaviour::{Behaviour, Scene};

/// Tells of nobody but its accomplices.
#[derive(Clone, Debug)]
pub struct Sybil {
    accomplices: Vec<PeerRecord>,
}

impl Sybil {
    /// Tells of those who live at these places.
    pub fn new(accomplices: &[Place]) -> Self {
        let record = |place: &Place| PeerRecord { id: place.peer_id(), addresses: vec![place.address()] };
        Self { accomplices: accomplices.iter().map(record).collect() }
    }
}

impl Behaviour for Sybil {
    fn says(&mut self, _to: PeerId, message: Message, scene: &mut Scene<'_>) -> Option<Message> {
        let Message::Link(LinkMessage::Peers(_)) = message else { return Some(message) };
        let mut left = self.accomplices.clone();
        let mut told = Vec::new();
        while told.len() < MAX_PEERS_TOLD && !left.is_empty() {
            told.push(left.swap_remove(scene.rng.below(left.len())));
        }
        Some(Message::Link(LinkMessage::Peers(told)))
    }
}

/// Says a proper hello and nothing else, and hangs up a few seconds later: it costs its maker next to nothing, and can be done under
/// any number of names.
#[derive(Clone, Copy, Debug, Default)]
pub struct PasserBy;

impl Behaviour for PasserBy {
    fn says(&mut self, _to: PeerId, message: Message, _scene: &mut Scene<'_>) -> Option<Message> {
        Some(message).filter(is_hello)
    }

    fn hears(&mut self, _from: PeerId, message: Message, _scene: &mut Scene<'_>) -> Option<Message> {
        Some(message).filter(is_hello)
    }

    fn acts(&mut self, scene: &mut Scene<'_>) {
        for &peer in scene.peers {
            scene.hang_up(peer);
        }
    }

    fn pace_ms(&self) -> Option<u64> {
        Some(7_000)
    }
}

const fn is_hello(message: &Message) -> bool {
    matches!(message, Message::Link(LinkMessage::Hello(_)))
}

/// Has a few bits of every so many messages turned over, where what results still is a message.
#[derive(Clone, Copy, Debug)]
pub struct Stutter {
    /// One in so many.
    pub one_in: usize,
}

impl Behaviour for Stutter {
    fn says(&mut self, _to: PeerId, message: Message, scene: &mut Scene<'_>) -> Option<Message> {
        if scene.rng.below(self.one_in.max(1)) > 0 {
            return Some(message);
        }
        let mut bytes = message.to_bytes();
        for _ in 0..=scene.rng.below(3) {
            let place = scene.rng.below(bytes.len());
            bytes[place] ^= 1 << scene.rng.below(8);
        }
        Some(Message::from_bytes(&bytes).unwrap_or(message))
    }
}
