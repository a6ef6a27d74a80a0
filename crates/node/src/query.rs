//! Answering our own side: the explorer's questions, from memory where that is enough and from the store where not.
//!
//! Bounds: an answer has at most [`MAX_LIST`](crate::MAX_LIST) rows; questions come from our own side only.

use std::collections::{BTreeMap, BTreeSet};

use tabchain_consensus::reward;
use tabchain_primitives::{
    Address, Amount, Block, BlockHash, HEADER_BYTES, Header, Height, Transaction, TxId,
};
use tabchain_records::{Column, Query, Rows};

use crate::node::{Node, Purpose};
use crate::rows::{self, SummaryRow};
use crate::{
    AccountView, BlockSummary, BlockView, Command, CommandId, Cursor, LoadId, MAX_LIST, ProvenAccount,
    ProvenBlock, Reply, TransactionStatus, TransactionView,
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
    Summaries { limit: usize, genesis: bool, rows: Vec<SummaryRow> },
    Transaction { place: Option<(BlockHash, u32)> },
    History { pending: Vec<TransactionView>, places: Vec<Cursor> },
}

/// What a row that was asked for holds.
#[derive(Clone, Copy, Debug)]
enum Waiting {
    Index,
    Body(BlockHash),
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

    pub(crate) fn query_loaded(&mut self, id: QueryId, load: LoadId, rows: Rows) {
        let Some(mut lookup) = self.queries.remove(&id) else { return };
        match lookup.waiting.remove(&load) {
            Some(Waiting::Index) => lookup.take_index(rows),
            Some(Waiting::Body(hash)) => {
                let block = rows.into_value().zip(self.chain.header(&hash).copied());
                if let Some(block) = block.and_then(|(body, header)| rows::block(header, &body)) {
                    lookup.bodies.insert(hash, block);
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
        let limit = limit.min(MAX_LIST);
        let below = before.map_or_else(|| self.next_height(), |before| before.min(self.next_height()));
        let genesis = below > Height::GENESIS;
        let query = Query::range(
            Column::Index,
            rows::summary_key(Height::GENESIS),
            Some(rows::summary_key(below)),
            limit,
        );
        let want = Want::Summaries { limit: limit as usize, genesis, rows: Vec::new() };
        self.look_up(command, want, Some(query.reversed()));
    }

    fn transaction(&mut self, command: CommandId, id: &TxId) {
        if let Some(transaction) = self.mempool.get(id) {
            let view = TransactionView::pending(transaction);
            return self.reply(command, Ok(Reply::Transaction(Some(Box::new(view)))));
        }
        let query = Query::get(Column::Index, rows::transaction_key(id));
        self.look_up(command, Want::Transaction { place: None }, Some(query));
    }

    fn history(&mut self, command: CommandId, address: &Address, before: Option<Cursor>, limit: u32) {
        let limit = limit.min(MAX_LIST);
        let pending: Vec<_> = if before.is_none() {
            let pending = self.mempool.by_account(address).into_iter().take(limit as usize);
            pending.map(TransactionView::pending).collect()
        } else {
            Vec::new()
        };
        let left = limit.saturating_sub(u32::try_from(pending.len()).unwrap_or(limit));
        let prefix = rows::address_prefix(address);
        let query = match before {
            Some(before) => {
                Query::range(Column::Index, prefix, Some(rows::address_key(address, before)), left)
            }
            None => Query::prefix(Column::Index, &prefix, left),
        };
        self.look_up(command, Want::History { pending, places: Vec::new() }, Some(query.reversed()));
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
        if lookup.waiting.is_empty() {
            for hash in self.bodies_for(&lookup.want) {
                if lookup.bodies.contains_key(&hash) {
                    continue;
                }
                if let Some(block) = self.block_at_hand(&hash) {
                    lookup.bodies.insert(hash, block);
                } else if lookup.asked.insert(hash) {
                    self.flush();
                    let load = self.load(Purpose::Query(id), Query::get(Column::Bodies, *hash.as_bytes()));
                    lookup.waiting.insert(load, Waiting::Body(hash));
                }
            }
        }
        if lookup.waiting.is_empty() {
            let reply = self.answer_of(&lookup);
            self.reply(lookup.command, Ok(reply));
        } else {
            self.queries.insert(id, lookup);
        }
    }

    fn bodies_for(&self, want: &Want) -> Vec<BlockHash> {
        match want {
            Want::Block(hash) | Want::Transaction { place: Some((hash, _)) } => vec![*hash],
            Want::Transaction { place: None } | Want::Summaries { .. } => Vec::new(),
            Want::History { places, .. } => {
                let hashes: BTreeSet<_> =
                    places.iter().filter_map(|at| self.chain.hash_at(at.height)).collect();
                hashes.into_iter().collect()
            }
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
            Want::Summaries { limit, genesis, rows } => Reply::Blocks(self.summaries(rows, *limit, *genesis)),
            Want::Transaction { place } => {
                let view =
                    place.and_then(|(hash, position)| self.placed_view(&lookup.bodies, &hash, position));
                Reply::Transaction(view.map(Box::new))
            }
            Want::History { pending, places } => {
                let placed = places.iter().filter_map(|at| {
                    let hash = self.chain.hash_at(at.height)?;
                    self.placed_view(&lookup.bodies, &hash, at.position)
                });
                Reply::Transactions(pending.iter().cloned().chain(placed).collect())
            }
        }
    }

    fn placed_view(
        &self,
        bodies: &BTreeMap<BlockHash, Block>,
        hash: &BlockHash,
        position: u32,
    ) -> Option<TransactionView> {
        let block = bodies.get(hash)?;
        let transaction = block.transactions.get(position as usize)?;
        Some(self.confirmed_view(transaction, *hash, &block.header, position))
    }

    fn block_view(&self, hash: BlockHash, block: &Block) -> BlockView {
        let size = HEADER_BYTES + rows::body(&block.transactions).len();
        let fees = block.transactions.iter().map(Transaction::fee).fold(Amount::ZERO, add);
        let row = SummaryRow { hash, size: u32::try_from(size).unwrap_or(u32::MAX), fees };
        let transactions = (0..).zip(&block.transactions);
        BlockView {
            summary: self.summary(&row, block.header),
            confirmations: self.confirmations(&hash, block.header.height()),
            transactions: transactions
                .map(|(position, transaction)| {
                    self.confirmed_view(transaction, hash, &block.header, position)
                })
                .collect(),
        }
    }

    fn summaries(&self, rows: &[SummaryRow], limit: usize, genesis: bool) -> Vec<BlockSummary> {
        let known = rows.iter().filter_map(|row| Some(self.summary(row, *self.chain.header(&row.hash)?)));
        let mut summaries: Vec<_> = known.collect();
        if genesis && rows.len() < limit {
            let block = self.config.spec.genesis();
            let hash = self.config.spec.genesis_hash();
            summaries.push(self.block_view(hash, &block).summary);
        }
        summaries
    }

    fn summary(&self, row: &SummaryRow, header: Header) -> BlockSummary {
        let height = header.height();
        let reward = if height == Height::GENESIS { Amount::ZERO } else { reward(&self.config.spec, height) };
        let difficulty = self.difficulty(header.target());
        BlockSummary { hash: row.hash, header, size: row.size, reward, fees: row.fees, difficulty }
    }

    fn confirmations(&self, hash: &BlockHash, height: Height) -> u32 {
        if self.chain.is_active(hash) { self.chain.tip().height.value() - height.value() + 1 } else { 0 }
    }
}

impl Lookup {
    fn take_index(&mut self, rows: Rows) {
        match &mut self.want {
            Want::Summaries { rows: found, .. } => {
                found.extend(rows.0.iter().filter_map(|(_, value)| SummaryRow::read(value)));
            }
            Want::Transaction { place } => {
                *place = rows.into_value().as_deref().and_then(rows::read_transaction_place);
            }
            Want::History { places, .. } => {
                places.extend(rows.0.iter().filter_map(|(key, _)| rows::read_address_key(key)));
            }
            Want::Block(_) => {}
        }
    }
}

/// The sum, or the most there can be: sums for show must not fail on what a stranger made up.
fn add(sum: Amount, more: Amount) -> Amount {
    sum.checked_add(more).unwrap_or(Amount::MAX)
}
