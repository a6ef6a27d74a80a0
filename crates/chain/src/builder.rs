//! Opening a chain from what was stored: headers, and the accounts at one block, the *checkpoint*.
//!
//! A store may have lost rows or flipped bits. A header that does not hold together is left out, with all that
//! follows it, as if it had never come; peers have it. The accounts must lead to the checkpoint's state root, or the
//! chain does not open and has to be replayed from its genesis. They must also own together exactly what there is at
//! its height: so no snapshot, however much work stands behind it, makes money.

use std::sync::Arc;

use tabchain_consensus::{
    ChainSpec, hash_meets_target, height_follows_parent, time_is_after_parent, version_is_known,
};
use tabchain_primitives::{Account, AccountKey, BlockHash, Header, Height, MAX_BLOCK_TRANSACTIONS};

use crate::{
    chain::{Chain, genesis_changes},
    error::RestoreError,
    history::History,
    ledger,
    state::{Change, Prefix, Row, State, StateChunk, decode_rows},
    tree::{Limits, Tree},
};

/// A chain that is being put together from stored rows.
#[derive(Debug)]
pub struct ChainBuilder {
    spec: Arc<ChainSpec>,
    tree: Tree,
    state: State,
}

impl ChainBuilder {
    /// A chain of this spec with nothing but the genesis.
    pub fn new(spec: Arc<ChainSpec>) -> Self {
        Self::with_limits(spec, Limits::default())
    }

    /// The same with other limits.
    pub fn with_limits(spec: Arc<ChainSpec>, limits: Limits) -> Self {
        let tree = Tree::new(*spec.genesis_header(), limits);
        Self { spec, tree, state: State::new() }
    }

    /// A stored header, parents first. Of chains with equal work, the one given first counts as seen first. Says
    /// whether it was taken in: not if its parent wasn't, or if the row is damaged.
    ///
    /// The clock and the target's own computation were checked when it was stored; what shows a damaged row is
    /// checked again.
    pub fn header(&mut self, header: Header) -> bool {
        let hash = header.hash();
        if self.tree.find(&hash).is_some() {
            return true;
        }
        let Some(parent) = self.tree.find(&header.parent()) else { return false };
        let below = &self.tree.node(parent).header;
        let sound = version_is_known(&header)
            .and_then(|()| height_follows_parent(&header, below))
            .and_then(|()| time_is_after_parent(&header, below))
            .and_then(|()| hash_meets_target(&header, &hash));
        sound.is_ok() && !self.tree.is_invalid(parent) && self.tree.insert(header, hash, parent).is_ok()
    }

    /// Notes that a block's body is stored. Ancestors of the checkpoint need not be named. Unknown hashes are ignored.
    pub fn body(&mut self, hash: &BlockHash) {
        if let Some(index) = self.tree.find(hash) {
            self.tree.mark_body(index);
        }
    }

    /// Notes that a block was found invalid. The genesis and unknown hashes are ignored.
    pub fn invalid(&mut self, hash: &BlockHash) {
        if let Some(index) = self.tree.find(hash).filter(|index| self.tree.parent(*index).is_some()) {
            self.tree.mark_invalid(index);
        }
    }

    /// The accounts whose keys begin with this byte, as [`Chain::take_dirty_chunks`] gave them. A chunk that is not
    /// given is empty.
    pub fn chunk(&mut self, first_byte: u8, bytes: &[u8]) -> Result<(), RestoreError> {
        let rows =
            decode_rows(bytes).map_err(|cause| RestoreError::BrokenChunk { prefix: first_byte, cause })?;
        let changes: Vec<Change> = rows.iter().map(change_from_nothing).collect();
        let placed = changes.iter().all(|change| Prefix::byte(first_byte).contains(&change.key))
            && changes.is_sorted_by(|a, b| a.key < b.key);
        if !placed {
            return Err(RestoreError::MisplacedAccount(first_byte));
        }
        self.write(&changes)?;
        self.state.dirty_mut()[usize::from(first_byte)] = false;
        Ok(())
    }

    /// The accounts of a chunk that came from a peer and was [verified](StateChunk::verify) against the checkpoint's
    /// state root. Unlike those from the store they count as changed, to be stored.
    pub fn state_chunk(&mut self, chunk: &StateChunk) -> Result<(), RestoreError> {
        let changes: Vec<Change> = chunk.rows().iter().map(change_from_nothing).collect();
        if !changes.is_sorted_by(|a, b| a.key < b.key) {
            return Err(RestoreError::MisplacedAccount(chunk.prefix().first_byte()));
        }
        self.write(&changes)
    }

    /// The chain with its tip at the checkpoint. From there [`Chain::next_step`] leads on, to the block it had reached.
    ///
    /// A chain whose checkpoint is the genesis needs no chunks.
    pub fn build(mut self, checkpoint: &BlockHash) -> Result<Chain, RestoreError> {
        let end = self.tree.find(checkpoint).ok_or(RestoreError::MissingCheckpoint(*checkpoint))?;
        let header = self.tree.node(end).header;
        if header.height() == Height::GENESIS {
            // Its rows may never have been stored, so they count as changed.
            self.state = State::new();
            self.state.write(&genesis_changes(&self.spec), Change::after);
        }
        let (computed, claimed) = (self.state.root(), header.state_root());
        if computed != claimed {
            return Err(RestoreError::StateRoot { computed, claimed });
        }
        let expected = ledger::supply_at(&self.spec, header.height());
        if self.state.supply() != Some(expected) {
            return Err(RestoreError::Supply { expected });
        }
        self.tree.activate(end);
        let mut history = History::default();
        for node in self.tree.active() {
            if node.hash == *checkpoint && history.root() != header.history_root() {
                return Err(RestoreError::HistoryRoot);
            }
            history.push(&node.hash);
        }
        Ok(Chain { spec: self.spec, tree: self.tree, state: self.state, history })
    }

    fn write(&mut self, changes: &[Change]) -> Result<(), RestoreError> {
        // A root proves what the accounts are, not that they came about by the rules: whoever forged it must not be
        // able to stop a node with a number that no chain reaches.
        let nonces = changes.iter().map(|change| change.after.nonce);
        if let Some(nonce) = nonces.max().filter(|nonce| nonce.value() > MAX_TRANSACTIONS) {
            return Err(RestoreError::ImpossibleNonce { nonce });
        }
        self.state.write(changes, Change::after);
        Ok(())
    }
}

/// No chain has more: so many in every block of every height.
const MAX_TRANSACTIONS: u64 = MAX_BLOCK_TRANSACTIONS as u64 * u32::MAX as u64;

fn change_from_nothing(Row(address, account): &Row) -> Change {
    Change { key: AccountKey::of(address), address: *address, before: Account::EMPTY, after: *account }
}
