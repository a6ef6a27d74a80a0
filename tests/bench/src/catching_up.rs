//! A node that is far behind: everything it does with blocks of every size on their way from a peer's answer to its rows,
//! but for the signatures, which are taken for checked, and the store, which takes what it is given.

use std::{collections::HashMap, collections::VecDeque, sync::Arc};

use tabchain_chain::{Chain, Undo};
use tabchain_consensus::{ChainSpec, CheckedBlock, SignatureChecks, Verdict, VerifiedBlock};
use tabchain_node::{Config, ConnectionKind, Event, Input, Join, Message, Node, Output, PeerId, PeerInfo};
use tabchain_primitives::{Block, BlockHash, Decode, Encode, HEADER_BYTES, Header, Target, Timestamp, Work};
use tabchain_records::Rows as StoredRows;
use tabchain_sync::message::RESPONSE_BUDGET;
use tabchain_sync::{Body, Hello, Keeps, LinkMessage, PROTOCOL_VERSION, Request, Response, TipClaim};

use crate::{
    Scale,
    rows::{Rows, Times, rate, rounds},
    world::{self, Mixed},
};

pub(crate) fn measure(scale: Scale) -> Rows {
    let accounts = scale.pick(100_000, 600);
    let Mixed { mut chain, gifts, blocks } = world::mixed(accounts, scale.pick(4_000, 60));
    let count: usize = blocks.iter().map(|block| block.transactions.len()).sum();
    let mut rows = Rows::default();
    #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
    rows.add("transactions in a block, in the mean", count as f64 / blocks.len() as f64, "");
    rows.add_rate("transactions taken in by a node", whole_node(scale, &gifts, &blocks).per_second(count));
    stages(scale, &mut chain, &blocks, count, &mut rows);
    rows
}

/// The very node, fed by a peer.
fn whole_node(scale: Scale, gifts: &[Block], blocks: &[Block]) -> Times {
    let peer = Peer::new(gifts.iter().chain(blocks));
    let mut times = Times::default();
    for _ in 0..rounds(scale).min(8) {
        let mut tab = Tab::new(&peer);
        tab.take_in(gifts.len());
        times.take(|| tab.take_in(peer.headers.len()));
    }
    times
}

/// The parts of it that a block goes through for itself.
fn stages(scale: Scale, chain: &mut Chain, blocks: &[Block], count: usize, rows: &mut Rows) {
    let bytes = world::encoded(blocks);
    let decode = || bytes.iter().map(|bytes| Block::from_bytes(bytes).expect("a block").transactions.len());
    rows.add_rate("of that: decoded", rate(scale, count, || decode().sum::<usize>()));

    let spec = Arc::clone(chain.spec());
    let checked = |block: &Block| CheckedBlock::check(&spec, block.clone()).expect("a good block");
    let check = rate(scale, count, || blocks.iter().map(|block| checked(block).ids().len()).sum::<usize>());
    rows.add_rate("of that: hashed and checked", check);

    let ready: Vec<CheckedBlock> = blocks.iter().map(checked).collect();
    let genesis = spec.genesis_hash();
    let digest =
        || ready.iter().map(|block| block.signatures(&genesis)).map(|SignatureChecks(all)| all.len());
    rows.add_rate("of that: digests to be signed", rate(scale, count, || digest().sum::<usize>()));

    let valid = |block: CheckedBlock| block.verified(Verdict::AllValid).expect("the verdict says so");
    let ready: Vec<VerifiedBlock> = ready.into_iter().map(valid).collect();
    let mut times = Times::default();
    for _ in 0..rounds(scale) {
        let undos: Vec<Undo> = times
            .take(|| ready.iter().map(|block| chain.connect(block).expect("it follows the tip")).collect());
        undos.iter().rev().for_each(|undo| chain.disconnect(undo).expect("it is the tip's"));
    }
    rows.add_rate("of that: connected", times.per_second(count));
}

/// All blocks as a peer has them.
struct Peer {
    id: PeerId,
    spec: Arc<ChainSpec>,
    headers: Vec<Header>,
    heights: HashMap<BlockHash, usize>,
    bodies: Vec<Vec<u8>>,
}

/// A node, and what it is going to hear.
struct Tab<'a> {
    node: Node,
    peer: &'a Peer,
    /// So many blocks the peer says to have.
    shown: usize,
    now: Timestamp,
    wake: Option<Timestamp>,
    coming: VecDeque<Input>,
    tip: BlockHash,
}

impl Peer {
    fn new<'a>(chain: impl Iterator<Item = &'a Block> + Clone) -> Self {
        let headers: Vec<Header> = chain.clone().map(|block| block.header).collect();
        let heights = (1..).zip(&headers).map(|(height, header)| (header.hash(), height)).collect();
        let bodies = chain.map(|block| block.to_bytes().split_off(HEADER_BYTES)).collect();
        Self { id: PeerId::new(&[1; 38]).expect("a short id"), spec: world::spec(), headers, heights, bodies }
    }

    /// What it says of its tip when it has so many blocks.
    fn claim(&self, blocks: usize) -> TipClaim {
        let targets = self.headers[..blocks].iter().filter_map(|header| header.target().expand().ok());
        let work = targets.map(Target::work).fold(Work::ZERO, |sum, work| sum + work);
        let tip = &self.headers[blocks - 1];
        TipClaim { hash: tip.hash(), height: tip.height(), work }
    }

    fn answer(&self, request: Request, shown: usize) -> Response {
        match request {
            Request::Headers { locator, limit } => {
                let from = locator.iter().find_map(|hash| self.heights.get(hash)).copied().unwrap_or(0);
                let above = self.headers[..shown].iter().skip(from);
                Response::Headers(above.take(limit as usize).copied().collect())
            }
            Request::Bodies(hashes) => {
                let mut bytes = 0;
                let given = hashes.into_iter().map_while(|hash| {
                    let body = &self.bodies[self.heights[&hash] - 1];
                    let fits = bytes < RESPONSE_BUDGET;
                    bytes += body.len();
                    fits.then(|| Body { hash, bytes: body.clone() })
                });
                Response::Bodies(given.collect())
            }
            Request::BlockTransactions { .. } => Response::BlockTransactions(Vec::new()),
            Request::Transactions(_) => Response::Transactions(Vec::new()),
            Request::Snapshots => Response::Snapshots(Vec::new()),
            Request::StateChunks { .. } => Response::StateChunks(Vec::new()),
        }
    }
}

impl<'a> Tab<'a> {
    fn new(peer: &'a Peer) -> Self {
        let mut config = Config::new(Arc::clone(&peer.spec), [5; 32]);
        config.limits.join = Join::Full;
        let node = Node::open(config);
        let last = peer.headers.last().map_or(Timestamp::ZERO, Header::time);
        let (now, tip) = (last.saturating_add(1_000), peer.spec.genesis_hash());
        let mut tab = Self { node, peer, shown: 0, now, wake: None, coming: VecDeque::new(), tip };
        tab.carry_out();
        let info =
            PeerInfo { kind: ConnectionKind::Native, outbound: false, address: None, introducer: None };
        tab.coming.push_back(Input::PeerUp(peer.id, info));
        tab
    }

    /// Has the node fetch so many blocks.
    fn take_in(&mut self, blocks: usize) {
        let claim = self.peer.claim(blocks);
        let first = self.shown == 0;
        let news = if first { LinkMessage::Hello(self.hello(claim)) } else { LinkMessage::Tip(claim) };
        self.shown = blocks;
        self.coming.push_back(Input::Message(self.peer.id, Message::Link(news)));
        while self.tip != claim.hash {
            let input = self.coming.pop_front().unwrap_or_else(|| self.sleep());
            self.node.handle(self.now, input);
            self.carry_out();
        }
    }

    fn hello(&self, tip: TipClaim) -> Hello {
        Hello {
            version: PROTOCOL_VERSION,
            genesis: self.peer.spec.genesis_hash(),
            tip,
            keeps: Keeps::default(),
            time: self.now,
            agent: "a bench".to_owned(),
        }
    }

    /// Nothing is going on: the time comes for which the node wanted to be woken.
    fn sleep(&mut self) -> Input {
        self.now = self.now.max(self.wake.take().expect("the node waits for nothing, and is not done"));
        Input::Tick
    }

    fn carry_out(&mut self) {
        while let Some(output) = self.node.poll() {
            match output {
                Output::Commit(id, _) => self.coming.push_back(Input::Committed(id)),
                Output::Load(id, _) => self.coming.push_back(Input::Loaded(id, StoredRows::default())),
                Output::Verify(job, _) => self.coming.push_back(Input::Verified(job, Verdict::AllValid)),
                Output::Send(to, Message::Request(id, request)) => {
                    let answer = Message::Response(id, self.peer.answer(request, self.shown));
                    self.coming.push_back(Input::Message(to, answer));
                }
                Output::Event(Event::Head { hash, .. }) => self.tip = hash,
                Output::WakeAt(at) => self.wake = Some(at),
                _ => {}
            }
        }
    }
}
