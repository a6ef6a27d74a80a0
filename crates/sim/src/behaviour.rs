//! How a node is made to behave otherwise than it would: a behaviour stands between the node and the network, hears what comes
//! before the node does, and has a say in what goes out.
//!
//! A place may have several; they hear and speak in the order in which they were given.

use tabchain_node::{Message, PeerId};
use tabchain_primitives::Timestamp;
use tabchain_sync::Rng;

/// Something between a node and the network.
pub trait Behaviour {
    /// The node is about to say something. What this gives is said instead.
    fn says(&mut self, _to: PeerId, message: Message, _scene: &mut Scene<'_>) -> Option<Message> {
        Some(message)
    }

    /// Something was said to the node. What this gives is what the node hears.
    fn hears(&mut self, _from: PeerId, message: Message, _scene: &mut Scene<'_>) -> Option<Message> {
        Some(message)
    }

    /// Acts of its own accord, as often as [`pace_ms`](Self::pace_ms) says.
    fn acts(&mut self, _scene: &mut Scene<'_>) {}

    /// How often it acts; never, if it says nothing.
    fn pace_ms(&self) -> Option<u64> {
        None
    }
}

/// Changes what a node says, or swallows it.
pub type Tongue = Box<dyn FnMut(PeerId, Message) -> Option<Message>>;

/// What a behaviour sees of the world, and what it can do.
pub struct Scene<'a> {
    /// What time it is.
    pub now: Timestamp,
    /// Who is connected.
    pub peers: &'a [PeerId],
    /// Chance, from the world's seed.
    pub rng: &'a mut Rng,
    pub(crate) deeds: &'a mut Vec<Deed>,
}

/// What a behaviour does.
pub(crate) enum Deed {
    Say { after_ms: u64, to: PeerId, message: Message },
    HangUp(PeerId),
}

impl Scene<'_> {
    /// Says something that the node knows nothing of.
    pub fn say(&mut self, to: PeerId, message: Message) {
        self.say_after(0, to, message);
    }

    /// Says something later.
    pub fn say_after(&mut self, after_ms: u64, to: PeerId, message: Message) {
        self.deeds.push(Deed::Say { after_ms, to, message });
    }

    /// Ends a connection.
    pub fn hang_up(&mut self, peer: PeerId) {
        self.deeds.push(Deed::HangUp(peer));
    }
}

impl Behaviour for Tongue {
    fn says(&mut self, to: PeerId, message: Message, _scene: &mut Scene<'_>) -> Option<Message> {
        self(to, message)
    }
}
