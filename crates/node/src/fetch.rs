//! Asking peers for bodies and transactions, and what their answers mean. Headers have a module of their own.
//!
//! Bounds: ten questions to a peer, a window of bodies, [`MAX_REBUILDING`] compact blocks being completed; nothing is asked
//! while too much waits to be written or verified.

use std::collections::BTreeSet;

use tabchain_consensus::CheckedTransaction;
use tabchain_primitives::{BlockHash, Transaction, TxId};
use tabchain_sync::book::Regard;
use tabchain_sync::compact::Reconstruction;
use tabchain_sync::score::Fault;
use tabchain_sync::{Body, Failure, Message, PeerId, Request, RequestId, Response};

use crate::adopt::Source;
use crate::node::Node;
use crate::verify::Job;
use crate::{Output, Reason, rows};

pub(crate) const PATIENCE_MS: u64 = 8_000;
/// A tick that comes so late says that the tab was asleep.
pub(crate) const SLEPT_MS: u64 = 5_000;
const MAX_REBUILDING: usize = 16;
/// The most bytes of them.
pub(crate) const MAX_REBUILDING_BYTES: usize = 8 * 1024 * 1024;

/// What a question was about.
#[derive(Debug)]
pub(crate) enum Asked {
    Headers,
    /// A stretch of a chain that was weighed.
    Stretch(usize),
    Bodies(Vec<BlockHash>),
    BlockTransactions(BlockHash, Box<Reconstruction>),
    Transactions(Vec<TxId>),
    Snapshots,
    StateChunks(BlockHash, Vec<u8>),
}

impl Asked {
    /// Whether it was about what makes up most of a ledger.
    pub(crate) fn is_bulk(&self) -> bool {
        matches!(self, Self::Bodies(_) | Self::StateChunks(..))
    }

    /// How many bytes are kept for the answer.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::BlockTransactions(_, block) => block.bytes(),
            _ => 0,
        }
    }
}

impl Node {
    pub(crate) fn ask(&mut self, peer: PeerId, request: Request, note: Asked, patience: u64) {
        let id = self.requests.ask(peer, note, self.now, patience);
        self.emit(Output::Send(peer, Message::Request(id, request)));
    }

    /// Deals out the bodies that are missing on the best chain of headers.
    pub(crate) fn ask_for_bodies(&mut self) {
        if !self.disk.has_room() || self.blocks_out.are_enough() || !self.bodies.may_ask() {
            return;
        }
        let wanted = self.wanted_bodies();
        if wanted.is_empty() {
            return;
        }
        let (chain, headers, peers) = (&self.chain, &self.headers, &self.peers);
        let has = |peer: &PeerId, hash: &BlockHash| {
            let (Some((claimed, height)), Some(header)) = (headers.claim(peer), chain.header(hash)) else {
                return false;
            };
            if !peers.get(peer).is_some_and(|peer| peer.keeps.has(header.height())) {
                return false;
            }
            if chain.contains(&claimed) {
                chain.ancestor(&claimed, header.height()) == Some(*hash)
            } else {
                height >= header.height()
            }
        };
        for plan in self.bodies.plan(&wanted, has) {
            let request = Request::Bodies(plan.hashes.clone());
            self.ask(plan.peer, request, Asked::Bodies(plan.hashes), plan.patience);
        }
    }

    /// Bodies to be fetched, oldest first: those that lead to the best header, and once the node stands there, those of the
    /// past. Last come those that are not waited for any more. On the way to a snapshot, those above it.
    fn wanted_bodies(&self) -> Vec<BlockHash> {
        if self.is_joining() {
            return self.bodies_above_snapshot(self.bodies.window());
        }
        let mut wanted = if self.has_blocks_ahead() {
            self.chain.missing_bodies(self.window())
        } else {
            self.missing_of_past()
        };
        wanted.extend(self.withheld.aside());
        wanted
    }

    /// How many blocks to fetch from, from the first whose body is lacking on. What waits for its turn to be connected takes its
    /// part, and may leave none.
    pub(crate) fn window(&self) -> usize {
        self.bodies.window().saturating_sub(self.chain.waiting_bodies())
    }

    pub(crate) fn expire_requests(&mut self) {
        // When a deadline is long past, it was this node that slept.
        let slept = self.requests.deadline().is_some_and(|at| self.now.since(at) >= SLEPT_MS);
        for (peer, asked) in self.requests.expire(self.now) {
            self.unanswered(&peer, asked);
            if !slept {
                self.blame(&peer, Fault::Stalled);
                self.replace_if_hopeless(&peer);
            }
        }
    }

    /// A peer that gives no bodies is let go for another, if there is another.
    fn replace_if_hopeless(&mut self, peer: &PeerId) {
        if self.bodies.is_hopeless(peer) && self.greeted().count() > 1 {
            self.dislike(*peer, Regard::Discouraged);
            self.disconnect(peer, Reason::TooSlow);
        }
    }

    /// No answer will come: others are asked.
    pub(crate) fn unanswered(&mut self, peer: &PeerId, asked: Asked) {
        match asked {
            Asked::Headers => self.no_headers(peer),
            Asked::Stretch(number) => self.no_stretch(peer, number),
            Asked::Bodies(hashes) => self.bodies.failed(peer, &hashes),
            Asked::BlockTransactions(hash, _) => self.bodies.release(&hash),
            Asked::Transactions(ids) => self.relay.failed(peer, &ids),
            Asked::Snapshots => self.snapshots_came(peer, Vec::new()),
            Asked::StateChunks(block, first_bytes) => {
                self.joining.download.failed(peer, &block, &first_bytes);
            }
        }
    }

    pub(crate) fn request_failed(&mut self, peer: PeerId, id: RequestId, failure: Failure) {
        let Some((asked, _)) = self.requests.close(&peer, id) else { return };
        self.unanswered(&peer, asked);
        match failure {
            Failure::Malformed => self.blame(&peer, Fault::Dishonest),
            Failure::Timeout => self.blame(&peer, Fault::Stalled),
            Failure::Closed | Failure::Unsupported | Failure::Busy => {}
        }
    }

    pub(crate) fn response(&mut self, peer: PeerId, id: RequestId, response: Response) {
        // An answer to nothing is one that came too late.
        let Some((asked, since)) = self.requests.close(&peer, id) else { return };
        let millis = self.now.since(since);
        if !matches!(asked, Asked::Bodies(_)) {
            self.note_answer(&peer, millis);
        }
        match (asked, response) {
            (Asked::Headers, Response::Headers(headers)) => self.headers_came(peer, &headers),
            (Asked::Stretch(number), Response::Headers(headers)) => {
                self.stretch_came(peer, number, headers);
            }
            (Asked::Bodies(hashes), Response::Bodies(bodies)) => {
                self.bodies_came(peer, &hashes, bodies, millis);
            }
            (Asked::BlockTransactions(hash, block), Response::BlockTransactions(transactions)) => {
                self.block_transactions_came(peer, hash, *block, transactions);
            }
            (Asked::Transactions(ids), Response::Transactions(transactions)) => {
                self.transactions_came(peer, &ids, transactions);
            }
            (Asked::Snapshots, Response::Snapshots(blocks)) => self.snapshots_came(&peer, blocks),
            (Asked::StateChunks(block, asked), Response::StateChunks(chunks)) => {
                self.chunks_came(peer, block, &asked, chunks);
            }
            (asked, _) => {
                self.unanswered(&peer, asked);
                self.blame(&peer, Fault::Dishonest);
            }
        }
    }

    /// Asks for what a compact block lacks; false when that is not possible now.
    pub(crate) fn ask_for_block_transactions(
        &mut self,
        peer: PeerId,
        hash: BlockHash,
        block: Reconstruction,
    ) -> bool {
        let rebuilding = || self.requests.notes().map(|(_, note)| note.bytes()).filter(|bytes| *bytes > 0);
        let bytes = rebuilding().sum::<usize>() + block.bytes();
        let too_many = rebuilding().count() >= MAX_REBUILDING || bytes > MAX_REBUILDING_BYTES;
        if too_many || !self.requests.may_ask(&peer) {
            return false;
        }
        let request = Request::BlockTransactions { block: hash, positions: block.missing() };
        self.ask(peer, request, Asked::BlockTransactions(hash, Box::new(block)), PATIENCE_MS);
        true
    }

    /// Asks for transactions that were announced, as far as there is room to check them.
    pub(crate) fn ask_for_transactions(&mut self) {
        if !self.has_room_to_verify() {
            return;
        }
        let (requests, mempool) = (&self.requests, &self.mempool);
        for (peer, ids) in self.relay.questions(|peer| requests.may_ask(peer), |id| mempool.contains(id)) {
            self.ask(peer, Request::Transactions(ids.clone()), Asked::Transactions(ids), PATIENCE_MS);
        }
    }

    fn bodies_came(&mut self, peer: PeerId, asked: &[BlockHash], bodies: Vec<Body>, millis: u64) {
        let asked_for: BTreeSet<_> = asked.iter().copied().collect();
        let given: BTreeSet<_> = bodies.iter().map(|body| body.hash).collect();
        let bytes = bodies.iter().map(|body| body.bytes.len()).sum();
        self.bodies.answered(&peer, asked, &given, bytes, millis);
        if given.len() != bodies.len() || !given.is_subset(&asked_for) {
            return self.blame(&peer, Fault::Dishonest);
        }
        for Body { hash, bytes } in bodies {
            let Some(header) = self.chain.header(&hash).copied() else { continue };
            if let Some(block) = rows::block(header, &bytes) {
                self.accept_block(block, hash, Source::Peer(peer));
            } else {
                self.bodies.wrong(&peer, hash);
                self.blame(&peer, Fault::WrongBody);
            }
        }
    }

    fn block_transactions_came(
        &mut self,
        peer: PeerId,
        hash: BlockHash,
        mut block: Reconstruction,
        transactions: Vec<Transaction>,
    ) {
        self.bodies.release(&hash);
        // None at all says that the peer does not have the block (any more).
        if transactions.is_empty() {
            return;
        }
        if block.fill(transactions).is_err() {
            return self.blame(&peer, Fault::Noise);
        }
        if let Some(block) = block.finish() {
            self.accept_block(block, hash, Source::Rebuilt(peer));
        }
    }

    /// What comes is wanted of this peer until it is checked; the rest may be had from others.
    fn transactions_came(&mut self, peer: PeerId, asked: &[TxId], transactions: Vec<Transaction>) {
        let given: BTreeSet<_> = transactions.iter().map(Transaction::id).collect();
        let checked = if given.len() == transactions.len() && given.iter().all(|id| asked.contains(id)) {
            self.check_all_relayed(&peer, transactions)
        } else {
            self.blame(&peer, Fault::Noise);
            Vec::new()
        };
        let checked_ids: BTreeSet<_> = checked.iter().map(CheckedTransaction::id).collect();
        let rest: Vec<_> = asked.iter().copied().filter(|id| !checked_ids.contains(id)).collect();
        self.relay.failed(&peer, &rest);
        if !checked.is_empty() {
            self.verify(Job::Relayed { checked, peer });
        }
    }

    /// Those of a peer's transactions that are worth the check of their signatures; none if there is no room for that now, or the
    /// peer had to go.
    fn check_all_relayed(
        &mut self,
        peer: &PeerId,
        transactions: Vec<Transaction>,
    ) -> Vec<CheckedTransaction> {
        let mut checked = Vec::new();
        for transaction in transactions {
            match self.check_relayed(peer, transaction) {
                Ok(transaction) => checked.extend(transaction),
                Err(id) => {
                    self.relay.refuse(id);
                    self.blame(peer, Fault::InvalidTransaction);
                }
            }
        }
        if !self.has_room_to_verify() || !self.peers.contains_key(peer) {
            checked.clear();
        }
        checked
    }
}
