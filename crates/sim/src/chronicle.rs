//! What happened, in figures: when blocks were found and when they reached whom, and what was sent for what.

use std::collections::HashMap;

use tabchain_node::Message;
use tabchain_primitives::{BlockHash, Header, Height, Timestamp};
use tabchain_sync::{LinkMessage, Request, Response};

use crate::Place;

/// What a message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Purpose {
    /// Getting to know each other: hello, peers.
    Meeting,
    /// Telling of blocks: compact blocks and tips.
    Announcing,
    /// Asking for headers and giving them.
    Headers,
    /// Asking for blocks or parts of them, and giving them.
    Blocks,
    /// Telling of transactions by id, and asking for them.
    TransactionIds,
    /// Giving transactions.
    Transactions,
    /// Asking for states of earlier blocks, and giving them.
    Snapshots,
}

/// A block that was found in the world.
#[derive(Clone, Debug)]
pub struct Birth {
    /// Its hash.
    pub hash: BlockHash,
    /// Its parent.
    pub parent: BlockHash,
    /// Its height.
    pub height: Height,
    /// How many transactions it has.
    pub transactions: u32,
    /// Where it was found.
    pub place: Place,
    /// When.
    pub at: Timestamp,
    /// When it joined the active chain of whom, in that order.
    pub arrivals: Vec<(Place, Timestamp)>,
}

/// Everything that is counted.
#[derive(Debug, Default)]
pub struct Chronicle {
    births: Vec<Birth>,
    by_hash: HashMap<BlockHash, usize>,
    received: Vec<[u64; Purpose::ALL.len()]>,
    reorgs: Vec<(Place, Timestamp, usize)>,
    messages: u64,
    events: u64,
    dials: u64,
    refused_dials: u64,
    signatures: u64,
}

impl Purpose {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Meeting,
        Self::Announcing,
        Self::Headers,
        Self::Blocks,
        Self::TransactionIds,
        Self::Transactions,
        Self::Snapshots,
    ];

    /// What a message is for.
    pub fn of(message: &Message) -> Self {
        match message {
            Message::Link(link) => match link {
                LinkMessage::Block(_) | LinkMessage::Tip(_) => Self::Announcing,
                LinkMessage::Transactions(_) | LinkMessage::GetTransactions => Self::TransactionIds,
                _ => Self::Meeting,
            },
            Message::Request(_, request) => match request {
                Request::Headers { .. } => Self::Headers,
                Request::Transactions(_) => Self::TransactionIds,
                Request::Snapshots | Request::StateChunks { .. } => Self::Snapshots,
                _ => Self::Blocks,
            },
            Message::Response(_, response) => match response {
                Response::Headers(_) => Self::Headers,
                Response::Transactions(_) => Self::Transactions,
                Response::Snapshots(_) | Response::StateChunks(_) => Self::Snapshots,
                _ => Self::Blocks,
            },
            Message::RequestFailed(..) => Self::Meeting,
        }
    }
}

impl Chronicle {
    /// The blocks that were found, in that order.
    pub fn births(&self) -> &[Birth] {
        &self.births
    }

    /// A block that was found.
    pub fn birth(&self, hash: &BlockHash) -> Option<&Birth> {
        self.by_hash.get(hash).map(|&place| &self.births[place])
    }

    /// The bytes that a place has received for a purpose.
    pub fn received(&self, place: Place, purpose: Purpose) -> u64 {
        self.received.get(place.0).map_or(0, |bytes| bytes[purpose as usize])
    }

    /// The bytes that a place has received for blocks: announcements, headers, and what was missing.
    pub fn received_for_blocks(&self, place: Place) -> u64 {
        [Purpose::Announcing, Purpose::Headers, Purpose::Blocks]
            .iter()
            .map(|&purpose| self.received(place, purpose))
            .sum()
    }

    /// Who took blocks back, when, and how many.
    pub fn reorgs(&self) -> &[(Place, Timestamp, usize)] {
        &self.reorgs
    }

    /// How many messages arrived.
    pub fn messages(&self) -> u64 {
        self.messages
    }

    /// How many things happened at all.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// How many dials there were, and how many of them came to nothing.
    pub fn dials(&self) -> (u64, u64) {
        (self.dials, self.refused_dials)
    }

    /// How many signatures were given away to be verified.
    pub fn signatures(&self) -> u64 {
        self.signatures
    }

    pub(crate) fn checked(&mut self, signatures: usize) {
        self.signatures += signatures as u64;
    }

    pub(crate) fn happened(&mut self) {
        self.events += 1;
    }

    pub(crate) fn dialled(&mut self, opened: bool) {
        self.dials += 1;
        self.refused_dials += u64::from(!opened);
    }

    pub(crate) fn found(&mut self, header: &Header, place: Place, at: Timestamp) {
        let hash = header.hash();
        self.by_hash.insert(hash, self.births.len());
        self.births.push(Birth {
            hash,
            parent: header.parent(),
            height: header.height(),
            transactions: header.tx_count(),
            place,
            at,
            arrivals: Vec::new(),
        });
    }

    pub(crate) fn arrived(&mut self, place: Place, purpose: Purpose, bytes: u32) {
        if self.received.len() <= place.0 {
            self.received.resize(place.0 + 1, [0; Purpose::ALL.len()]);
        }
        self.received[place.0][purpose as usize] += u64::from(bytes);
        self.messages += 1;
    }

    /// A place's tip moved. Gives how many transactions the new blocks have.
    pub(crate) fn moved(
        &mut self,
        place: Place,
        at: Timestamp,
        adopted: &[BlockHash],
        reverted: &[BlockHash],
    ) -> u64 {
        if !reverted.is_empty() {
            self.reorgs.push((place, at, reverted.len()));
        }
        let mut transactions = 0;
        for hash in adopted {
            if let Some(&birth) = self.by_hash.get(hash) {
                self.births[birth].arrivals.push((place, at));
                transactions += u64::from(self.births[birth].transactions);
            }
        }
        transactions
    }
}
