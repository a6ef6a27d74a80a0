//! What can be read from the state at the tip: accounts, sums, proofs and rows to be stored.

use tabchain_consensus::reward;
use tabchain_primitives::{Account, AccountKey, Address, Amount, Height, HistoryRoot, StateRoot};

use crate::{
    chain::Chain,
    history::HistoryProof,
    state::{AccountProof, Prefix, StateChunk},
};

impl Chain {
    /// The account of an address; empty if it has none.
    pub fn account(&self, address: &Address) -> Account {
        self.ground.state.get(&AccountKey::of(address))
    }

    /// How many accounts there are.
    pub fn accounts(&self) -> usize {
        self.ground.state.len()
    }

    /// The root over all accounts.
    pub fn state_root(&self) -> StateRoot {
        self.ground.state.root()
    }

    /// The root that the next header commits to: over the hashes of all active blocks.
    pub fn history_root(&self) -> HistoryRoot {
        self.ground.history.root()
    }

    /// The sum of all balances.
    pub fn supply(&self) -> Amount {
        self.ground.state.supply().expect("a chain spec's supply is below 2^53")
    }

    /// The sum of the rewards that wait to be credited.
    pub fn maturing(&self) -> Amount {
        let tip = self.tip().height.value();
        let oldest = tip.saturating_sub(self.spec.maturity()) + 1;
        let rewards = (oldest..=tip).map(|height| reward(&self.spec, Height::new(height)));
        Amount::checked_sum(rewards).expect("a chain spec's supply is below 2^53")
    }

    /// The sum of an address's rewards that wait to be credited.
    pub fn maturing_of(&self, miner: &Address) -> Amount {
        let tip = self.tip().height.value();
        let since = Height::new(tip.saturating_sub(self.spec.maturity()));
        let own = self.tree.active_after(since).filter(|node| node.header.miner() == *miner);
        let rewards = own.map(|node| reward(&self.spec, node.header.height()));
        Amount::checked_sum(rewards).expect("a chain spec's supply is below 2^53")
    }

    /// What the tip's state root says about an address.
    pub fn account_proof(&self, address: &Address) -> AccountProof {
        self.ground.state.prove(&AccountKey::of(address))
    }

    /// All accounts under a prefix, to be checked against the tip's state root.
    pub fn state_chunk(&self, prefix: Prefix) -> StateChunk {
        self.ground.state.chunk(prefix)
    }

    /// That the header at `seen_from` (at most one above the tip) commits to the block at a lower height.
    pub fn history_proof(&self, block: Height, seen_from: Height) -> Option<HistoryProof> {
        self.ground.history.prove(block.value() as usize, seen_from.value() as usize)
    }

    /// The rows of the state that changed since the last call: first byte of the keys, and a `list` of (address,
    /// account) in the order of their keys. A chain that is new has its genesis' rows to be taken.
    pub fn take_dirty_chunks(&mut self) -> Vec<(u8, Vec<u8>)> {
        self.ground.state.take_dirty_chunks()
    }

    /// Notes that a row was not stored after all, to be taken again.
    pub fn mark_dirty(&mut self, first_byte: u8) {
        self.ground.state.dirty_mut()[usize::from(first_byte)] = true;
    }
}
