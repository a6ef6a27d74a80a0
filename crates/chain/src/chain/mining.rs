//! Headers for blocks that are to be mined on the tip.

use tabchain_primitives::{
    Address, CompactTarget, HEADER_VERSION, Header, HeaderFields, MerkleRoot, Timestamp, Transaction,
};

use crate::{chain::Chain, error::ConnectError, ledger};

impl Chain {
    /// The header of a block with these transactions on top of the tip, lacking only its nonce. Its time is raised
    /// to be after the parent's (B3).
    pub fn prepare_header(
        &self,
        miner: Address,
        transactions: &[Transaction],
        time: Timestamp,
    ) -> Result<Header, ConnectError> {
        let tip = self.tip();
        let height = tip.height.next().ok_or(ConnectError::LastHeight)?;
        let senders = Address::of_all(transactions.iter().map(Transaction::sender));
        let terms = self.terms(height, miner);
        let changes = ledger::apply(&self.ground.state, &terms, transactions, &senders)?;
        Ok(Header::new(HeaderFields {
            version: HEADER_VERSION,
            height,
            parent: tip.hash,
            miner,
            tx_count: u32::try_from(transactions.len()).expect("a block's limit in bytes is far below 2^32"),
            tx_root: MerkleRoot::of_transactions(transactions),
            state_root: self.ground.state.root_after(&changes),
            history_root: self.ground.history.root(),
            time: time.max(tip.header.time().saturating_add(1)),
            target: self.next_target(),
            nonce: 0,
        }))
    }

    /// The target of the block after the tip (B5).
    pub fn next_target(&self) -> CompactTarget {
        let tip = self.tree.tip();
        let below = self.tree.parent(tip).map(|index| &self.tree.node(index).header);
        tabchain_consensus::next_target(&self.spec, &self.tree.node(tip).header, below)
    }
}
