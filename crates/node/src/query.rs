//! Answering our own side: the explorer's questions, from memory where that is enough and from the store where not.
//!
//! Bounds: an answer has at most [`MAX_LIST`] rows; questions come from our own side only.

use std::collections::{BTreeMap, BTreeSet};

use tabchain_consensus::reward;
use tabchain_primitives::{
    Address, Amount, Block, BlockHash, HEADER_BYTES, Header, Height, Transaction, TxId,
};
use tabchain_records::{Query, Rows};

use crate::node::{Node, Purpose};
use crate::{
    AccountView, BlockSummary, BlockView, Command, CommandId, Cursor, LoadId, MAX_LIST, ProvenAccount,
    ProvenBlock, Reply, TransactionStatus, TransactionView, index, rows,
};

/// Names a question that waits for the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct QueryId(u64);

/// A question that waits for the store.
#[derive(Debug)]
pub(crate) struct Lookup {
    command: CommandId,
    want: Want,
    waiting: BTreeMap<LoadId, Waiting>,
    bodies: BTreeMap<BlockHash, Block>,
    /// Bodies that were asked for: what did not come then is not there.
    asked: BTreeSet<BlockHash>,
}

#[derive(Debug)]
enum Want {
    Block(BlockHash),
    Summaries(Vec<BlockHash>),
    Transaction { id: TxId, places: Vec<Cursor> },
    History(History),
}

/// What is to be told of an address.
#[derive(Debug)]
struct History {
    address: Address,
    before: Option<Cursor>,
    pending: Vec<TransactionView>,
    /// Where it may appear, the newest first.
    places: Vec<Cursor>,
    /// How many of them are wanted.
    limit: usize,
}

/// What a row that was asked for holds.
#[derive(Debug)]
enum Waiting {
    Index,
    Bodies(Vec<BlockHash>),
}

impl Node {
    pub(crate) fn explore(&mut self, command: CommandId, question: &Command) {
        match *question {
            Command::Block(hash) => self.look_up(command, Want::Block(hash), None),
            Command::BlockAt(height) => match self.chain.hash_at(height) {
                Some(hash) => self.look_up(command, Want::Block(hash), None),
                None => self.reply(command, Ok(Reply::Block(None))),
            },
            Command::LatestBlocks { before, limit } => self.latest_blocks(command, before, limit),
            Command::Transaction(ref id) => self.transaction(command, id),
            Command::TransactionsOf { address, before, limit } => {
                self.history(command, &address, before, limit);
            }
            Command::Account(address) => {
                let view = self.account_view(address);
                self.reply(command, Ok(Reply::Account(view)));
            }
            Command::AccountProof(address) => {
                let proof = self.chain.account_proof(&address);
                let proven = ProvenAccount { header: self.chain.tip().header, proof };
                self.reply(command, Ok(Reply::AccountProof(Box::new(proven))));
            }
            Command::BlockProof(height) => {
                let proven = self.proven_block(height).map(Box::new);
                self.reply(command, Ok(Reply::BlockProof(proven)));
            }
            Command::Mempool { limit } => {
                let pending = self.mempool.ids().filter_map(|id| self.mempool.get(id));
                let views =
                    pending.take(limit.min(MAX_LIST) as usize).map(TransactionView::pending).collect();
                self.reply(command, Ok(Reply::Transactions(views)));
            }
            _ => {}
        }
    }

    pub(crate) fn query_loaded(&mut self, id: QueryId, load: LoadId, rows: &Rows) {
        let Some(mut lookup) = self.queries.remove(&id) else { return };
        match lookup.waiting.remove(&load) {
            Some(Waiting::Index) => lookup.take_index(rows),
            Some(Waiting::Bodies(hashes)) => {
                for hash in hashes {
                    let block = rows::body_in(rows, &hash).zip(self.chain.header(&hash).copied());
                    if let Some(block) = block.and_then(|(body, header)| rows::block(header, body)) {
                        lookup.bodies.insert(hash, block);
                    }
                }
            }
            None => {}
        }
        self.go_on_looking(id, lookup);
    }

    /// A transaction in a block as it is shown.
    pub(crate) fn confirmed_view(
        &self,
        transaction: &Transaction,
        block: BlockHash,
        header: &Header,
        position: u32,
    ) -> TransactionView {
        let height = header.height();
        let confirmations = self.confirmations(&block, height);
        TransactionView {
            status: TransactionStatus::Confirmed { block, height, position, confirmations },
            time: Some(header.time()),
            ..TransactionView::pending(transaction)
        }
    }

    fn proven_block(&self, height: Height) -> Option<ProvenBlock> {
        let tip = self.chain.tip();
        let proof = (height < tip.height).then(|| self.chain.history_proof(height, tip.height)).flatten()?;
        Some(ProvenBlock { header: tip.header, block: self.chain.hash_at(height)?, proof })
    }

    fn latest_blocks(&mut self, command: CommandId, before: Option<Height>, limit: u32) {
        let below = before.map_or_else(|| self.next_height(), |before| before.min(self.next_height()));
        let heights = (0..below.value()).rev().take(limit.min(MAX_LIST) as usize);
        let hashes = heights.filter_map(|height| self.chain.hash_at(Height::new(height))).collect();
        self.look_up(command, Want::Summaries(hashes), None);
    }

    fn transaction(&mut self, command: CommandId, id: &TxId) {
        if let Some(transaction) = self.mempool.get(id) {
            let view = TransactionView::pending(transaction);
            return self.reply(command, Ok(Reply::Transaction(Some(Box::new(view)))));
        }
        let past = self.past.iter().flat_map(|past| past.index().transaction(id));
        let places = self.index.transaction(id).into_iter().chain(past).collect();
        self.look_up(command, Want::Transaction { id: *id, places }, Some(index::transaction_query(id)));
    }

    fn history(&mut self, command: CommandId, address: &Address, before: Option<Cursor>, limit: u32) {
        let limit = limit.min(MAX_LIST) as usize;
        let pending: Vec<_> = if before.is_none() {
            let pending = self.mempool.by_account(address).into_iter().take(limit);
            pending.map(TransactionView::pending).collect()
        } else {
            Vec::new()
        };
        let limit = limit - pending.len();
        let past = self.past.iter().flat_map(|past| past.index().address(address));
        let places = self.index.address(address).into_iter().chain(past).collect();
        let history = History { address: *address, before, pending, places, limit };
        self.look_up(command, Want::History(history), Some(index::address_query(address)));
    }

    fn account_view(&self, address: Address) -> AccountView {
        let account = self.chain.account(&address);
        let (mut pending_out, mut pending_in) = (Amount::ZERO, Amount::ZERO);
        for transaction in self.mempool.by_account(&address) {
            if Address::of(transaction.sender()) == address {
                pending_out = add(pending_out, transaction.total());
            }
            for output in transaction.action().outputs().iter().filter(|output| *output.to() == address) {
                pending_in = add(pending_in, output.amount());
            }
        }
        let maturing = self.maturing(&address);
        AccountView {
            address,
            balance: account.balance,
            nonce: account.nonce,
            pending_out,
            pending_in,
            maturing,
        }
    }

    /// Rewards of the last blocks that this address mined and that are not paid yet.
    fn maturing(&self, address: &Address) -> Amount {
        let spec = &self.config.spec;
        let tip = self.chain.tip().height.value();
        let first = tip.saturating_sub(spec.maturity().saturating_sub(1)).max(1);
        let heights = (first..=tip).map(Height::new);
        let mined = heights.filter(|height| {
            let header = self.chain.hash_at(*height).and_then(|hash| self.chain.header(&hash));
            header.is_some_and(|header| header.miner() == *address)
        });
        mined.map(|height| reward(spec, height)).fold(Amount::ZERO, add)
    }

    fn look_up(&mut self, command: CommandId, want: Want, index: Option<Query>) {
        let id = QueryId(self.next_query);
        self.next_query += 1;
        let mut lookup = Lookup {
            command,
            want,
            waiting: BTreeMap::new(),
            bodies: BTreeMap::new(),
            asked: BTreeSet::new(),
        };
        if let Some(query) = index {
            self.flush();
            let load = self.load(Purpose::Query(id), query);
            lookup.waiting.insert(load, Waiting::Index);
        }
        self.go_on_looking(id, lookup);
    }

    /// Asks for the bodies that the answer needs; answers when all are there, or are known to be missing.
    fn go_on_looking(&mut self, id: QueryId, mut lookup: Lookup) {
        while lookup.waiting.is_empty() {
            self.ask_for_missing(id, &mut lookup);
            if lookup.waiting.is_empty() && !self.drop_strays(&mut lookup) {
                let reply = self.answer_of(&lookup);
                return self.reply(lookup.command, Ok(reply));
            }
        }
        self.queries.insert(id, lookup);
    }

    fn ask_for_missing(&mut self, id: QueryId, lookup: &mut Lookup) {
        let mut missing = Vec::new();
        for hash in self.bodies_for(&lookup.want) {
            if lookup.bodies.contains_key(&hash) {
                continue;
            }
            if let Some(block) = self.block_at_hand(&hash) {
                lookup.bodies.insert(hash, block);
            } else if lookup.asked.insert(hash) {
                missing.push(hash);
            }
        }
        if !missing.is_empty() {
            self.flush();
        }
        for (row, hashes) in self.body_rows(missing) {
            let load = self.load(Purpose::Query(id), row);
            lookup.waiting.insert(load, Waiting::Bodies(hashes));
        }
    }

    /// Takes out places of a history whose block says nothing of the address, because the index is older than the chain;
    /// true if there were some, so that others come into question.
    fn drop_strays(&self, lookup: &mut Lookup) -> bool {
        let Want::History(history) = &mut lookup.want else { return false };
        let before = history.places.len();
        let (address, limit, bodies) = (history.address, history.limit, &lookup.bodies);
        let mut looked_at = 0;
        history.places.retain(|at| {
            looked_at += 1;
            looked_at > limit
                || self.placed(bodies, *at).is_some_and(|(_, _, transaction)| {
                    rows::addresses_of(transaction).binary_search(&address).is_ok()
                })
        });
        history.places.len() < before
    }

    fn bodies_for(&self, want: &Want) -> Vec<BlockHash> {
        let blocks_of = |places: &[Cursor]| {
            let hashes: BTreeSet<_> = places.iter().filter_map(|at| self.chain.hash_at(at.height)).collect();
            hashes.into_iter().collect()
        };
        match want {
            Want::Block(hash) => vec![*hash],
            Want::Summaries(hashes) => hashes.clone(),
            Want::Transaction { places, .. } => blocks_of(places),
            Want::History(History { places, limit, .. }) => blocks_of(&places[..places.len().min(*limit)]),
        }
    }

    fn block_at_hand(&self, hash: &BlockHash) -> Option<Block> {
        if *hash == self.config.spec.genesis_hash() {
            return Some(self.config.spec.genesis());
        }
        self.blocks.block(hash).map(|block| block.block().clone())
    }

    fn answer_of(&self, lookup: &Lookup) -> Reply {
        match &lookup.want {
            Want::Block(hash) => {
                Reply::Block(lookup.bodies.get(hash).map(|block| Box::new(self.block_view(*hash, block))))
            }
            Want::Summaries(hashes) => {
                let blocks = hashes.iter().filter_map(|hash| Some((hash, lookup.bodies.get(hash)?)));
                Reply::Blocks(blocks.map(|(hash, block)| self.summary(*hash, block)).collect())
            }
            Want::Transaction { id, places } => {
                let placed = places.iter().filter_map(|at| self.placed_view(&lookup.bodies, *at));
                let view = placed.into_iter().find(|view| view.transaction.id() == *id);
                Reply::Transaction(view.map(Box::new))
            }
            Want::History(History { pending, places, limit, .. }) => {
                let placed = places.iter().take(*limit);
                let placed = placed.filter_map(|at| self.placed_view(&lookup.bodies, *at));
                Reply::Transactions(pending.iter().cloned().chain(placed).collect())
            }
        }
    }

    /// What stands at a place of the active chain, with the hash of its block and its header.
    fn placed<'a>(
        &self,
        bodies: &'a BTreeMap<BlockHash, Block>,
        at: Cursor,
    ) -> Option<(BlockHash, &'a Header, &'a Transaction)> {
        let hash = self.chain.hash_at(at.height)?;
        let block = bodies.get(&hash)?;
        Some((hash, &block.header, block.transactions.get(at.position as usize)?))
    }

    fn placed_view(&self, bodies: &BTreeMap<BlockHash, Block>, at: Cursor) -> Option<TransactionView> {
        let (hash, header, transaction) = self.placed(bodies, at)?;
        Some(self.confirmed_view(transaction, hash, header, at.position))
    }

    fn block_view(&self, hash: BlockHash, block: &Block) -> BlockView {
        let transactions = (0..).zip(&block.transactions);
        BlockView {
            summary: self.summary(hash, block),
            confirmations: self.confirmations(&hash, block.header.height()),
            transactions: transactions
                .map(|(position, transaction)| {
                    self.confirmed_view(transaction, hash, &block.header, position)
                })
                .collect(),
        }
    }

    fn summary(&self, hash: BlockHash, block: &Block) -> BlockSummary {
        let header = block.header;
        let transactions = block.transactions.iter();
        let size = HEADER_BYTES + rows::body(&block.transactions).len();
        let fees = transactions.map(Transaction::fee).fold(Amount::ZERO, add);
        let height = header.height();
        let reward = if height == Height::GENESIS { Amount::ZERO } else { reward(&self.config.spec, height) };
        let difficulty = self.difficulty(header.target());
        let size = u32::try_from(size).unwrap_or(u32::MAX);
        BlockSummary { hash, header, size, reward, fees, difficulty }
    }

    fn confirmations(&self, hash: &BlockHash, height: Height) -> u32 {
        if self.chain.is_active(hash) { self.chain.tip().height.value() - height.value() + 1 } else { 0 }
    }
}

impl Lookup {
    fn take_index(&mut self, rows: &Rows) {
        match &mut self.want {
            Want::Transaction { id, places } => places.extend(index::transaction_places(rows, id)),
            Want::History(history) => history.take_places(rows),
            Want::Block(_) | Want::Summaries(_) => {}
        }
    }
}

impl History {
    /// Joins what is on disk to what is not; after a reorganisation a place may be named twice.
    fn take_places(&mut self, rows: &Rows) {
        self.places.extend(index::address_places(rows, &self.address));
        self.places.retain(|at| self.before.is_none_or(|before| *at < before));
        self.places.sort_unstable_by(|one, other| other.cmp(one));
        self.places.dedup();
    }
}

/// The sum, or the most there can be: sums for show must not fail on what a stranger made up.
fn add(sum: Amount, more: Amount) -> Amount {
    sum.checked_add(more).unwrap_or(Amount::MAX)
}
