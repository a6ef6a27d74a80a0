//! Saying too much of one thing.

use std::collections::BTreeMap;

use tabchain_node::{Message, PeerId};
use tabchain_primitives::{
    AccountNonce, Action, Address, Amount, BlockHash, Header, HeaderFields, Height, HistoryRoot, MerkleRoot,
    Output, PublicKey, Signature, StateRoot, Transaction, Transfer, TxId, UnsignedTransaction,
};
use tabchain_sync::message::{MAX_PEERS_TOLD, MAX_TRANSACTION_IDS};
use tabchain_sync::{CompactBlock, LinkMessage, PeerAddress, PeerRecord, Request, RequestId, Response, Rng};

use crate::behaviour::{Behaviour, Scene};

/// What there is too much of.
#[derive(Clone, Debug)]
pub enum Junk {
    /// Announcements of transactions that don't exist.
    TransactionIds,
    /// Transactions with bad signatures, in the name of somebody who could pay for them.
    BadSignatures(PublicKey),
    /// Blocks whose parents nobody knows.
    Orphans(Header),
    /// Peers that don't exist, told whenever peers are asked for.
    Addresses,
    /// Questions: for all headers, again and again.
    Questions,
}

/// Says to everybody, so many times each time it acts, something of no use.
#[derive(Clone, Debug)]
pub struct Flood {
    /// What.
    pub junk: Junk,
    /// How much at once.
    pub each: usize,
    /// How often, in milliseconds.
    pub every_ms: u64,
    asked: u64,
    /// What was announced and can be given, the latest of it.
    forged: BTreeMap<TxId, Transaction>,
}

impl Flood {
    /// So much of it so often.
    pub const fn new(junk: Junk, each: usize, every_ms: u64) -> Self {
        Self { junk, each, every_ms, asked: 0, forged: BTreeMap::new() }
    }

    fn message(&mut self, rng: &mut Rng) -> Option<Message> {
        Some(match &self.junk {
            Junk::TransactionIds => {
                let ids = (0..MAX_TRANSACTION_IDS).map(|_| TxId::from_bytes(noise(rng)));
                Message::Link(LinkMessage::Transactions(ids.collect()))
            }
            Junk::BadSignatures(rich) => {
                if self.forged.len() > 4_096 {
                    self.forged.clear();
                }
                let forged = (0..16).map(|_| forge(rich, rng)).map(|forged| (forged.id(), forged));
                let forged: BTreeMap<_, _> = forged.collect();
                let ids = forged.keys().copied().collect();
                self.forged.extend(forged);
                Message::Link(LinkMessage::Transactions(ids))
            }
            Junk::Orphans(model) => Message::Link(LinkMessage::Block(Box::new(orphan(model, rng)))),
            Junk::Questions => {
                self.asked += 1;
                // Far from the numbers that the node below chooses.
                let id = RequestId(1 << 40 | self.asked);
                Message::Request(id, Request::Headers { locator: Vec::new(), limit: 2_000 })
            }
            Junk::Addresses => return None,
        })
    }
}

impl Behaviour for Flood {
    fn acts(&mut self, scene: &mut Scene<'_>) {
        for &peer in scene.peers {
            for _ in 0..self.each {
                if let Some(message) = self.message(scene.rng) {
                    scene.say(peer, message);
                }
            }
        }
    }

    fn pace_ms(&self) -> Option<u64> {
        Some(self.every_ms)
    }

    fn says(&mut self, _to: PeerId, message: Message, scene: &mut Scene<'_>) -> Option<Message> {
        match (&self.junk, message) {
            (Junk::Addresses, Message::Link(LinkMessage::Peers(_))) => {
                let records = (0..MAX_PEERS_TOLD).map(|_| nobody(scene.rng)).collect();
                Some(Message::Link(LinkMessage::Peers(records)))
            }
            (_, other) => Some(other),
        }
    }

    fn hears(&mut self, from: PeerId, message: Message, scene: &mut Scene<'_>) -> Option<Message> {
        match (&self.junk, &message) {
            (Junk::BadSignatures(_), Message::Request(id, Request::Transactions(ids))) => {
                let forged = ids.iter().filter_map(|id| self.forged.get(id)).cloned().collect();
                scene.say(from, Message::Response(*id, Response::Transactions(forged)));
                None
            }
            // Answers to its own questions are not the node's business.
            (Junk::Questions, Message::Response(RequestId(id), _)) if *id > 1 << 40 => None,
            _ => Some(message),
        }
    }
}

fn noise(rng: &mut Rng) -> [u8; 32] {
    let mut bytes = [0; 32];
    for part in bytes.chunks_mut(8) {
        part.copy_from_slice(&rng.draw().to_le_bytes());
    }
    bytes
}

fn orphan(model: &Header, rng: &mut Rng) -> CompactBlock {
    let fields = HeaderFields {
        height: Height::new(1_000_000),
        parent: BlockHash::from_bytes(noise(rng)),
        miner: Address::from_bytes([8; 20]),
        tx_count: 0,
        tx_root: MerkleRoot::ZERO,
        state_root: StateRoot::ZERO,
        history_root: HistoryRoot::ZERO,
        nonce: rng.draw(),
        ..model.fields()
    };
    CompactBlock { header: Header::new(fields), salt: 0, short_ids: Vec::new(), prefilled: Vec::new() }
}

fn nobody(rng: &mut Rng) -> PeerRecord {
    let address = PeerAddress::new(format!("/nowhere/{}", rng.draw())).expect("a short text");
    PeerRecord { id: PeerId::new(&noise(rng)).expect("32 bytes fit"), addresses: vec![address] }
}

fn forge(rich: &PublicKey, rng: &mut Rng) -> Transaction {
    let to = Address::from_bytes([7; 20]);
    let amount = Amount::from_units(1 + rng.draw() % 1_000).expect("a small amount");
    let output = Output::new(to, amount).expect("not zero");
    let action = Action::Transfer(Transfer::new(vec![output], "").expect("one output"));
    let fee = Amount::from_units(10_000 + rng.draw() % 1_000).expect("a small amount");
    let unsigned = UnsignedTransaction::new(*rich, AccountNonce::ZERO, Height::MAX, fee, action);
    unsigned.expect("small amounts").with_signature(Signature::ZERO)
}
