//! A peer that has all blocks of a chain and answers as an honest one does, but for transactions and snapshots: what a node
//! is fed from that catches up with nothing else to wait for.

use std::collections::HashMap;

use tabchain_consensus::ChainSpec;
use tabchain_node::{ConnectionKind, Input, Message, PeerId, PeerInfo};
use tabchain_primitives::{Block, BlockHash, Encode, HEADER_BYTES, Header, Target, Timestamp, Work};
use tabchain_sync::message::RESPONSE_BUDGET;
use tabchain_sync::{Body, Hello, Keeps, LinkMessage, PROTOCOL_VERSION, Request, Response, TipClaim};

/// All blocks above the genesis, as a peer has them.
pub struct Peer {
    id: PeerId,
    headers: Vec<Header>,
    heights: HashMap<BlockHash, usize>,
    bodies: Vec<Vec<u8>>,
}

impl Peer {
    /// A peer that has these blocks, the lowest first.
    pub fn new<'a>(chain: impl Iterator<Item = &'a Block> + Clone) -> Self {
        let headers: Vec<Header> = chain.clone().map(|block| block.header).collect();
        let heights = (1..).zip(&headers).map(|(height, header)| (header.hash(), height)).collect();
        let bodies = chain.map(|block| block.to_bytes().split_off(HEADER_BYTES)).collect();
        Self { id: PeerId::new(&[1; 38]).expect("a short id"), headers, heights, bodies }
    }

    /// Who it is.
    pub const fn id(&self) -> PeerId {
        self.id
    }

    /// How many blocks it has.
    pub const fn blocks(&self) -> usize {
        self.headers.len()
    }

    /// The bytes of all its blocks.
    pub fn bytes(&self) -> usize {
        self.bodies.iter().map(|body| body.len() + HEADER_BYTES).sum()
    }

    /// A moment after its last block.
    pub fn present(&self) -> Timestamp {
        self.headers.last().map_or(Timestamp::ZERO, Header::time).saturating_add(1_000)
    }

    /// What a node hears first of it when it has so many blocks: that it is there, and its hello.
    pub fn arrives(&self, spec: &ChainSpec, shown: usize, now: Timestamp) -> [Input; 2] {
        let info =
            PeerInfo { kind: ConnectionKind::Native, outbound: false, address: None, introducer: None };
        let hello = Hello {
            version: PROTOCOL_VERSION,
            genesis: spec.genesis_hash(),
            session: 1,
            tip: self.claim(shown),
            keeps: Keeps::default(),
            time: now,
            agent: "a peer made up".to_owned(),
        };
        let hello = Message::Link(LinkMessage::Hello(hello));
        [Input::PeerUp(self.id, info), Input::Message(self.id, hello)]
    }

    /// What it says of its tip when it has so many blocks, one at least.
    pub fn claim(&self, shown: usize) -> TipClaim {
        let targets = self.headers[..shown].iter().filter_map(|header| header.target().expand().ok());
        let work = targets.map(Target::work).fold(Work::ZERO, |sum, work| sum + work);
        let tip = &self.headers[shown - 1];
        TipClaim { hash: tip.hash(), height: tip.height(), work }
    }

    /// What it answers when it has so many blocks.
    pub fn answer(&self, request: Request, shown: usize) -> Response {
        match request {
            Request::Headers { locator, limit } => {
                let from = locator.iter().find_map(|hash| self.heights.get(hash)).copied().unwrap_or(0);
                let above = self.headers[..shown].iter().skip(from);
                Response::Headers(above.take(limit as usize).copied().collect())
            }
            Request::Bodies(hashes) => Response::Bodies(self.bodies(hashes)),
            Request::BlockTransactions { .. } => Response::BlockTransactions(Vec::new()),
            Request::Transactions(_) => Response::Transactions(Vec::new()),
            Request::Snapshots => Response::Snapshots(Vec::new()),
            Request::StateChunks { .. } => Response::StateChunks(Vec::new()),
        }
    }

    /// As many of these bodies as an answer holds.
    fn bodies(&self, hashes: Vec<BlockHash>) -> Vec<Body> {
        let mut bytes = 0;
        let given = hashes.into_iter().map_while(|hash| {
            let body = &self.bodies[self.heights[&hash] - 1];
            let fits = bytes < RESPONSE_BUDGET;
            bytes += body.len();
            fits.then(|| Body { hash, bytes: body.clone() })
        });
        given.collect()
    }
}
