//! Answering peers. Nobody is asked to trust it: whatever is given can be checked by its hash.
//!
//! Bounds: [`MAX_SERVING_PER_PEER`] questions of a peer that need the store are open at once, and [`MAX_SERVING`] in all, the second half of them
//! one a peer, so that a few that ask much leave room for others; further ones are refused as busy. Of
//! bodies as many are read together as surely fit the answer's byte budget, or one, and the answer is cut there; of state chunks first one,
//! then as many as fit if they are up to twice as large as the largest so far: keys are hashes, so chunks are alike. All answers come
//! out of an [allowance](tabchain_sync::allowance) of each peer, of bodies and chunks not their bytes.

use std::collections::BTreeMap;

use tabchain_primitives::{BlockHash, HEADER_BYTES, Height, Transaction, TxId};
use tabchain_records::{Column, Query, Rows};
use tabchain_sync::allowance::Leave;
use tabchain_sync::message::RESPONSE_BUDGET;
use tabchain_sync::score::Fault;
use tabchain_sync::{Body, Chunk, Failure, Message, PeerId, Request, RequestId, Response};

use crate::body_pages::{PAGE_BYTES, Place};
use crate::node::{Node, Purpose};
use crate::{Output, rows};

const MAX_SERVING_PER_PEER: usize = 4;
/// The most answers in the making.
pub(crate) const MAX_SERVING: usize = 32;

/// No transaction is larger: 256 outputs of at most 28 bytes, a memo, and less than 200 bytes around them.
const MOST_TRANSACTION_BYTES: usize = 256 * 28 + 64 + 200;

/// Names an answer in the making.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ServingId(u64);

/// An answer in the making.
#[derive(Debug)]
pub(crate) struct Serving {
    pub(crate) peer: PeerId,
    request: RequestId,
    want: Want,
}

#[derive(Debug)]
enum Want {
    Bodies(Bodies),
    Chunks(Chunks),
    Transactions { block: BlockHash, positions: Vec<u32> },
}

/// Bodies on their way from the store to an answer.
#[derive(Debug)]
struct Bodies {
    /// Not looked at yet, the last first.
    left: Vec<BlockHash>,
    /// Being read together, in the order asked.
    group: Vec<BlockHash>,
    /// Those of the group that are there.
    read: BTreeMap<BlockHash, Vec<u8>>,
    /// How many the store has yet to answer for.
    open: usize,
    done: Vec<Body>,
    bytes: usize,
}

/// State chunks on their way from the store to an answer.
#[derive(Debug)]
struct Chunks {
    of: Height,
    left: std::vec::IntoIter<u8>,
    /// How many the store has yet to answer for.
    open: usize,
    done: Vec<Chunk>,
    bytes: usize,
    largest: usize,
}

impl Bodies {
    fn new(mut hashes: Vec<BlockHash>) -> Self {
        hashes.reverse();
        Self { left: hashes, group: Vec::new(), read: BTreeMap::new(), open: 0, done: Vec::new(), bytes: 0 }
    }

    /// The store gave a row, or has none.
    fn take(&mut self, rows: &Rows) {
        self.open -= 1;
        let there = rows.0.iter().flat_map(|(key, value)| rows::stored_bodies(key, value));
        let wanted = there.filter(|(hash, _)| self.group.contains(hash));
        self.read.extend(wanted.map(|(hash, body)| (hash, body.to_vec())));
    }

    /// Puts what was read into the answer, in the order asked, up to its budget.
    fn gather(&mut self) {
        for hash in self.group.drain(..) {
            if let Some(bytes) = self.read.remove(&hash)
                && self.bytes < RESPONSE_BUDGET
            {
                self.bytes += bytes.len();
                self.done.push(Body { hash, bytes });
            }
        }
    }
}

impl Chunks {
    fn new(of: Height, first_bytes: Vec<u8>) -> Self {
        Self { of, left: first_bytes.into_iter(), open: 0, done: Vec::new(), bytes: 0, largest: 0 }
    }

    /// The chunks to read next.
    fn next_group(&mut self) -> Vec<u8> {
        let room = RESPONSE_BUDGET.saturating_sub(self.bytes);
        let fit = if self.bytes == 0 { 1 } else { room.div_ceil(2 * self.largest) };
        self.left.by_ref().take(fit).collect()
    }

    /// The store gave a chunk, or has none.
    fn take(&mut self, rows: Rows) {
        self.open -= 1;
        for (key, bytes) in rows.0 {
            // What does not fit the answer is asked for again.
            if let Some(&first_byte) = key.last()
                && self.bytes < RESPONSE_BUDGET
            {
                self.bytes += bytes.len();
                self.largest = self.largest.max(bytes.len());
                self.done.push(Chunk { first_byte, bytes });
            }
        }
    }
}

impl Serving {
    /// How many bytes it holds.
    pub(crate) fn bytes(&self) -> usize {
        match &self.want {
            Want::Bodies(bodies) => bodies.bytes + bodies.read.values().map(Vec::len).sum::<usize>(),
            Want::Chunks(chunks) => chunks.bytes,
            Want::Transactions { .. } => 0,
        }
    }
}

impl Node {
    pub(crate) fn request(&mut self, peer: PeerId, id: RequestId, request: Request) {
        let Some(known) = self.peers.get_mut(&peer) else { return };
        let leave = known.allowance.ask(self.now);
        if leave != Leave::Given {
            self.emit(Output::Send(peer, Message::RequestFailed(id, Failure::Busy)));
            if leave == Leave::RefusedAgain {
                self.blame(&peer, Fault::Noise);
            }
            return;
        }
        match request {
            Request::Headers { locator, limit } => {
                let headers = self.chain.headers_after(&locator, limit as usize);
                self.spend(&peer, headers.len() * HEADER_BYTES);
                self.answer(peer, id, Response::Headers(headers));
            }
            Request::Transactions(ids) => {
                let transactions = self.pooled(&ids);
                self.spend(&peer, transactions.iter().map(Transaction::size).sum());
                self.answer(peer, id, Response::Transactions(transactions));
            }
            Request::Bodies(hashes) => {
                self.spend(&peer, 0);
                self.serve(peer, id, Want::Bodies(Bodies::new(hashes)));
            }
            Request::Snapshots => {
                let offers = self.snapshots.offers();
                self.spend(&peer, 0);
                self.answer(peer, id, Response::Snapshots(offers));
            }
            Request::StateChunks { block, first_bytes } => {
                self.spend(&peer, 0);
                if let Some(of) = self.snapshots.height(&block) {
                    self.serve(peer, id, Want::Chunks(Chunks::new(of, first_bytes)));
                } else {
                    self.answer(peer, id, Response::StateChunks(Vec::new()));
                }
            }
            Request::BlockTransactions { block, positions } => {
                self.serve(peer, id, Want::Transactions { block, positions });
            }
        }
    }

    /// An answer costs the peer some of what it may ask. The bytes of bodies and chunks don't count: a newcomer needs them as fast as
    /// they can be had, and the store bounds them.
    fn spend(&mut self, peer: &PeerId, bytes: usize) {
        if let Some(peer) = self.peers.get_mut(peer) {
            peer.allowance.spend(bytes as u64);
        }
    }

    pub(crate) fn serving_loaded(&mut self, id: ServingId, rows: Rows) {
        let Some(serving) = self.serving.remove(&id) else { return };
        match serving.want {
            Want::Bodies(mut bodies) => {
                bodies.take(&rows);
                self.go_on_serving(id, Serving { want: Want::Bodies(bodies), ..serving });
            }
            Want::Chunks(mut chunks) => {
                chunks.take(rows);
                self.go_on_serving(id, Serving { want: Want::Chunks(chunks), ..serving });
            }
            Want::Transactions { block, positions } => {
                let header = self.chain.header(&block).copied();
                let found = rows::body_in(&rows, &block)
                    .zip(header)
                    .and_then(|(body, header)| rows::block(header, body));
                let transactions =
                    found.map(|block| pick(&block.transactions, &positions)).unwrap_or_default();
                self.give_transactions(serving.peer, serving.request, transactions);
            }
        }
    }

    fn serve(&mut self, peer: PeerId, request: RequestId, want: Want) {
        let of_peer = self.serving.values().filter(|serving| serving.peer == peer).count();
        let most = if self.serving.len() < MAX_SERVING / 2 { MAX_SERVING_PER_PEER } else { 1 };
        if of_peer >= most || self.serving.len() >= MAX_SERVING {
            let busy = Message::RequestFailed(request, Failure::Busy);
            return self.emit(Output::Send(peer, busy));
        }
        let id = ServingId(self.next_serving);
        self.next_serving += 1;
        self.go_on_serving(id, Serving { peer, request, want });
    }

    fn go_on_serving(&mut self, id: ServingId, mut serving: Serving) {
        match &mut serving.want {
            Want::Bodies(bodies) => {
                while bodies.open == 0 {
                    bodies.gather();
                    if bodies.left.is_empty() || bodies.bytes >= RESPONSE_BUDGET {
                        let bodies = std::mem::take(&mut bodies.done);
                        return self.answer(serving.peer, serving.request, Response::Bodies(bodies));
                    }
                    let to_read = self.next_group(bodies);
                    for (row, _) in self.body_rows(to_read) {
                        bodies.open += 1;
                        self.load(Purpose::Serve(id), row);
                    }
                }
                self.serving.insert(id, serving);
            }
            Want::Chunks(chunks) => {
                if chunks.open == 0 {
                    let group = chunks.next_group();
                    if group.is_empty() {
                        let chunks = std::mem::take(&mut chunks.done);
                        return self.answer(serving.peer, serving.request, Response::StateChunks(chunks));
                    }
                    chunks.open = group.len();
                    for first_byte in group {
                        let key = rows::snapshot_key(chunks.of, first_byte);
                        self.load(Purpose::Serve(id), Query::get(Column::Snapshots, key));
                    }
                }
                self.serving.insert(id, serving);
            }
            Want::Transactions { block, positions } => {
                if let Some(known) = self.blocks.block(block) {
                    let transactions = pick(&known.block().transactions, positions);
                    return self.give_transactions(serving.peer, serving.request, transactions);
                }
                if !self.chain.has_body(block) {
                    return self.give_transactions(serving.peer, serving.request, Vec::new());
                }
                let rows = self.body_rows([*block]);
                self.serving.insert(id, serving);
                for (row, _) in rows {
                    self.load(Purpose::Serve(id), row);
                }
            }
        }
    }

    /// Chooses bodies that are surely no more than the answer has room for, or one; gives those to be read from the store.
    fn next_group(&self, bodies: &mut Bodies) -> Vec<BlockHash> {
        let mut room = RESPONSE_BUDGET.saturating_sub(bodies.bytes);
        let mut to_read = Vec::new();
        // However many of a page are wanted, they are no more than the page.
        let mut pages: BTreeMap<Height, usize> = BTreeMap::new();
        while let Some(hash) = bodies.left.last().copied() {
            let count = self.chain.header(&hash).map_or(0, |header| header.tx_count() as usize);
            let mut most =
                count.saturating_mul(MOST_TRANSACTION_BYTES).min(self.config.spec.max_block_bytes());
            if let Place::Page(first) = self.place_of_body(&hash) {
                let left = pages.entry(first).or_insert(PAGE_BYTES);
                most = most.min(*left);
                *left -= most;
            }
            if most > room && !bodies.group.is_empty() {
                break;
            }
            room = room.saturating_sub(most);
            bodies.left.pop();
            if let Some(body) = self.blocks.body(&hash) {
                bodies.read.insert(hash, body.to_vec());
            } else if self.chain.has_body(&hash) {
                to_read.push(hash);
            } else {
                continue;
            }
            bodies.group.push(hash);
        }
        to_read
    }

    fn pooled(&self, ids: &[TxId]) -> Vec<Transaction> {
        let mut bytes = 0;
        let known = ids.iter().filter_map(|id| self.mempool.get(id));
        known
            .take_while(|transaction| {
                bytes += transaction.size();
                bytes <= RESPONSE_BUDGET
            })
            .cloned()
            .collect()
    }

    /// Answers with transactions of a block.
    fn give_transactions(&mut self, peer: PeerId, id: RequestId, transactions: Vec<Transaction>) {
        self.spend(&peer, transactions.iter().map(Transaction::size).sum());
        self.answer(peer, id, Response::BlockTransactions(transactions));
    }

    fn answer(&mut self, peer: PeerId, id: RequestId, response: Response) {
        self.emit(Output::Send(peer, Message::Response(id, response)));
    }
}

/// The transactions at these positions: all, or none if one lies outside the block.
fn pick(transactions: &[Transaction], positions: &[u32]) -> Vec<Transaction> {
    positions
        .iter()
        .map(|&position| transactions.get(position as usize).cloned())
        .collect::<Option<_>>()
        .unwrap_or_default()
}
