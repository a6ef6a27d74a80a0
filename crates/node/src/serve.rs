//! Answering peers. Nobody is asked to trust it: whatever is given can be checked by its hash.
//!
//! Bounds: [`MAX_SERVING_PER_PEER`] questions of a peer that need the store are open at once, and [`MAX_SERVING`] in all, the second half of them
//! one a peer, so that a few that ask much leave room for others; further ones are refused as busy. One
//! body is read at a time for each, and an answer is cut at its byte budget. Headers and transactions, which need no store, come
//! out of an [allowance](tabchain_sync::allowance) of each peer.

use tabchain_primitives::{BlockHash, HEADER_BYTES, Transaction, TxId};
use tabchain_records::{Column, Query, Rows};
use tabchain_sync::allowance::Leave;
use tabchain_sync::message::RESPONSE_BUDGET;
use tabchain_sync::score::Fault;
use tabchain_sync::{Body, Failure, Message, PeerId, Request, RequestId, Response};

use crate::node::{Node, Purpose};
use crate::{Output, rows};

const MAX_SERVING_PER_PEER: usize = 4;
/// The most answers in the making.
pub(crate) const MAX_SERVING: usize = 32;

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
    Bodies { left: std::vec::IntoIter<BlockHash>, reading: Option<BlockHash>, done: Vec<Body>, bytes: usize },
    Transactions { block: BlockHash, positions: Vec<u32> },
}

impl Serving {
    /// How many bytes it holds.
    pub(crate) const fn bytes(&self) -> usize {
        match &self.want {
            Want::Bodies { bytes, .. } => *bytes,
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
                let left = hashes.into_iter();
                self.serve(peer, id, Want::Bodies { left, reading: None, done: Vec::new(), bytes: 0 });
            }
            Request::BlockTransactions { block, positions } => {
                self.serve(peer, id, Want::Transactions { block, positions });
            }
        }
    }

    /// An answer costs the peer some of what it may ask. Bodies are bounded by the store that they are read from.
    fn spend(&mut self, peer: &PeerId, bytes: usize) {
        if let Some(peer) = self.peers.get_mut(peer) {
            peer.allowance.spend(bytes as u64);
        }
    }

    pub(crate) fn serving_loaded(&mut self, id: ServingId, rows: Rows) {
        let Some(serving) = self.serving.remove(&id) else { return };
        let body = rows.into_value();
        match serving.want {
            Want::Bodies { left, reading, mut done, mut bytes } => {
                if let (Some(hash), Some(body)) = (reading, body) {
                    bytes += body.len();
                    done.push(Body { hash, bytes: body });
                }
                let want = Want::Bodies { left, reading: None, done, bytes };
                self.go_on_serving(id, Serving { want, ..serving });
            }
            Want::Transactions { block, positions } => {
                let header = self.chain.header(&block).copied();
                let found = body.zip(header).and_then(|(body, header)| rows::block(header, &body));
                let transactions =
                    found.map(|block| pick(&block.transactions, &positions)).unwrap_or_default();
                self.answer(serving.peer, serving.request, Response::BlockTransactions(transactions));
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
            Want::Bodies { left, reading, done, bytes } => {
                while *bytes < RESPONSE_BUDGET
                    && let Some(hash) = left.next()
                {
                    if let Some(body) = self.blocks.body(&hash) {
                        *bytes += body.len();
                        done.push(Body { hash, bytes: body.to_vec() });
                    } else if self.chain.has_body(&hash) {
                        *reading = Some(hash);
                        self.serving.insert(id, serving);
                        self.load(Purpose::Serve(id), Query::get(Column::Bodies, *hash.as_bytes()));
                        return;
                    }
                }
                let bodies = std::mem::take(done);
                self.answer(serving.peer, serving.request, Response::Bodies(bodies));
            }
            Want::Transactions { block, positions } => {
                if let Some(known) = self.blocks.block(block) {
                    let transactions = pick(&known.block().transactions, positions);
                    return self.answer(
                        serving.peer,
                        serving.request,
                        Response::BlockTransactions(transactions),
                    );
                }
                if !self.chain.has_body(block) {
                    return self.answer(
                        serving.peer,
                        serving.request,
                        Response::BlockTransactions(Vec::new()),
                    );
                }
                let query = Query::get(Column::Bodies, *block.as_bytes());
                self.serving.insert(id, serving);
                self.load(Purpose::Serve(id), query);
            }
        }
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
