//! Selfish mining (Eyal and Sirer, 2014): what is found is kept until others come near, then told all at once, so that others
//! worked for nothing.

use tabchain_node::{Message, PeerId};
use tabchain_primitives::{Address, Height};
use tabchain_sync::{LinkMessage, Response, TipClaim};

use crate::behaviour::{Behaviour, Scene};

/// Keeps the blocks it finds to itself. It mines for `address`, and its node must mine for the same.
#[derive(Clone, Debug)]
pub struct SelfishMiner {
    address: Address,
    /// How high others are.
    public: Height,
    /// Up to here everybody may know.
    shown: Height,
    /// The newest of its own tips that was held back, and the claim that tells of it.
    hidden: Option<TipClaim>,
}

impl SelfishMiner {
    /// Mines for this address.
    pub const fn new(address: Address) -> Self {
        Self { address, public: Height::GENESIS, shown: Height::GENESIS, hidden: None }
    }

    /// Others have reached a height: what is hidden is told when they are one behind it, or beside it.
    fn others_reached(&mut self, height: Height, scene: &mut Scene<'_>) {
        self.public = self.public.max(height);
        let Some(hidden) = self.hidden else { return };
        let lead = hidden.height.value().saturating_sub(self.public.value());
        if lead > 1 || self.public <= self.shown {
            return;
        }
        self.shown = hidden.height;
        self.hidden = None;
        for &peer in scene.peers {
            scene.say(peer, Message::Link(LinkMessage::Tip(hidden)));
        }
    }
}

impl Behaviour for SelfishMiner {
    fn says(&mut self, _to: PeerId, message: Message, _scene: &mut Scene<'_>) -> Option<Message> {
        match message {
            Message::Link(LinkMessage::Block(block)) => {
                let header = block.header;
                let own = header.miner() == self.address && header.height() > self.public;
                if !own {
                    return Some(Message::Link(LinkMessage::Block(block)));
                }
                // Only that the hash is right matters: who asks for it gets the headers, and those say the work.
                let work = tabchain_primitives::Work::new(tabchain_primitives::U256::from(u64::MAX));
                self.hidden = Some(TipClaim { hash: header.hash(), height: header.height(), work });
                None
            }
            Message::Link(LinkMessage::Tip(claim)) if claim.height > self.shown.max(self.public) => None,
            Message::Response(id, Response::Headers(mut headers)) => {
                let limit = self.shown.max(self.public);
                headers.retain(|header| header.height() <= limit);
                Some(Message::Response(id, Response::Headers(headers)))
            }
            other => Some(other),
        }
    }

    fn hears(&mut self, _from: PeerId, message: Message, scene: &mut Scene<'_>) -> Option<Message> {
        match &message {
            Message::Link(LinkMessage::Block(block)) => self.others_reached(block.header.height(), scene),
            Message::Link(LinkMessage::Tip(claim)) => self.others_reached(claim.height, scene),
            _ => {}
        }
        Some(message)
    }
}
