//! Lies about chains: claims without headers, and headers without much work.

use tabchain_consensus::{ChainSpec, next_target};
use tabchain_node::{Message, PeerId};
use tabchain_primitives::{
    Address, BlockHash, Header, HeaderFields, Height, HistoryRoot, MerkleRoot, StateRoot, Timestamp, U256,
    Work,
};
use tabchain_sync::message::MAX_HEADERS;
use tabchain_sync::{LinkMessage, Request, Response, Rng, TipClaim};

use crate::behaviour::{Behaviour, Scene};

/// Tells of no block, and claims to stand at the genesis: who hears only such peers hears nothing new.
#[derive(Clone, Copy, Debug)]
pub struct Silent {
    /// Where it claims to stand.
    pub genesis: BlockHash,
}

impl Behaviour for Silent {
    fn says(&mut self, _to: PeerId, message: Message, _scene: &mut Scene<'_>) -> Option<Message> {
        match message {
            Message::Link(LinkMessage::Block(_) | LinkMessage::Tip(_)) => None,
            Message::Link(LinkMessage::Hello(mut hello)) => {
                hello.tip = TipClaim { hash: self.genesis, height: Height::GENESIS, work: Work::ZERO };
                Some(Message::Link(LinkMessage::Hello(hello)))
            }
            Message::Response(id, Response::Headers(_)) => {
                Some(Message::Response(id, Response::Headers(Vec::new())))
            }
            other => Some(other),
        }
    }
}

/// Claims a tip that nobody knows, with more work than there is, another one each time.
#[derive(Clone, Copy, Debug, Default)]
pub struct Boaster;

impl Behaviour for Boaster {
    fn says(&mut self, _to: PeerId, message: Message, scene: &mut Scene<'_>) -> Option<Message> {
        match message {
            Message::Link(LinkMessage::Hello(mut hello)) => {
                hello.tip = boast(hello.tip, scene.rng);
                Some(Message::Link(LinkMessage::Hello(hello)))
            }
            Message::Link(LinkMessage::Tip(claim)) => {
                Some(Message::Link(LinkMessage::Tip(boast(claim, scene.rng))))
            }
            other => Some(other),
        }
    }

    fn acts(&mut self, scene: &mut Scene<'_>) {
        let nothing = TipClaim { hash: BlockHash::ZERO, height: Height::new(1), work: Work::ZERO };
        for &peer in scene.peers {
            let claim = boast(nothing, scene.rng);
            scene.say(peer, Message::Link(LinkMessage::Tip(claim)));
        }
    }

    fn pace_ms(&self) -> Option<u64> {
        Some(5_000)
    }
}

fn boast(claim: TipClaim, rng: &mut Rng) -> TipClaim {
    let mut hash = [0; 32];
    hash[..8].copy_from_slice(&rng.draw().to_le_bytes());
    let height = Height::new(claim.height.value().saturating_add(1_000));
    TipClaim { hash: BlockHash::from_bytes(hash), height, work: Work::new(U256::from(u64::MAX)) }
}

/// Claims a forged chain of easy headers, and answers every question for headers with the next of it.
#[derive(Clone, Debug)]
pub struct CheapHeaders {
    chain: Vec<Header>,
    hashes: Vec<BlockHash>,
}

impl CheapHeaders {
    /// Has this chain to offer, from the genesis' child upward.
    pub fn new(chain: Vec<Header>) -> Self {
        let hashes = chain.iter().map(Header::hash).collect();
        Self { chain, hashes }
    }

    fn claim(&self) -> Option<TipClaim> {
        let last = self.chain.last()?;
        Some(TipClaim {
            hash: *self.hashes.last()?,
            height: last.height(),
            work: Work::new(U256::from(u64::MAX)),
        })
    }

    fn after(&self, locator: &[BlockHash]) -> Vec<Header> {
        let known = locator.iter().find_map(|hash| self.hashes.iter().position(|ours| ours == hash));
        let from = known.map_or(0, |place| place + 1);
        self.chain[from..].iter().take(MAX_HEADERS).copied().collect()
    }
}

impl Behaviour for CheapHeaders {
    fn says(&mut self, _to: PeerId, message: Message, _scene: &mut Scene<'_>) -> Option<Message> {
        match message {
            Message::Link(LinkMessage::Hello(mut hello)) => {
                hello.tip = self.claim().unwrap_or(hello.tip);
                Some(Message::Link(LinkMessage::Hello(hello)))
            }
            Message::Link(LinkMessage::Tip(_) | LinkMessage::Block(_)) => None,
            other => Some(other),
        }
    }

    fn hears(&mut self, from: PeerId, message: Message, scene: &mut Scene<'_>) -> Option<Message> {
        if let Message::Request(id, Request::Headers { locator, .. }) = &message {
            let headers = self.after(locator);
            scene.say(from, Message::Response(*id, Response::Headers(headers)));
            return None;
        }
        Some(message)
    }
}

/// A chain of `count` headers on the genesis, each as easy as the rules allow, of which no block exists.
///
/// The rules that a header alone must keep (B1 to B6) it keeps, up to the moment `now`.
pub fn forge(spec: &ChainSpec, count: u32, now: Timestamp, seed: u64) -> Vec<Header> {
    let mut rng = Rng::new([u8::try_from(seed % 251).unwrap_or(0); 32]);
    let genesis = *spec.genesis_header();
    let room = now.since(genesis.time());
    // As slow as fits into the time there was, which keeps targets easy.
    let pause = (room / u64::from(count.max(1))).max(1);
    let mut chain: Vec<Header> = Vec::new();
    for height in 1..=count {
        let parent = chain.last().copied().unwrap_or(genesis);
        let grandparent = match chain.len() {
            0 => None,
            1 => Some(genesis),
            many => Some(chain[many - 2]),
        };
        let target = next_target(spec, &parent, grandparent.as_ref());
        let fields = HeaderFields {
            version: 1,
            height: Height::new(height),
            parent: parent.hash(),
            miner: Address::from_bytes([9; 20]),
            tx_count: 0,
            tx_root: MerkleRoot::ZERO,
            state_root: StateRoot::ZERO,
            history_root: HistoryRoot::ZERO,
            time: parent.time().saturating_add(pause),
            target,
            nonce: rng.draw(),
        };
        let limit = target.expand().unwrap_or(spec.pow_limit());
        let mut header = Header::new(fields);
        while !limit.is_met_by(&header.hash()) {
            header = header.with_nonce(header.nonce().wrapping_add(1));
        }
        chain.push(header);
    }
    chain
}
