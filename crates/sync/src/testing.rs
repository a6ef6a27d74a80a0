//! What the tests of several modules here are about.

use tabchain_primitives::{
    Address, BlockHash, CompactTarget, HEADER_VERSION, Header, HeaderFields, Height, HistoryRoot, MerkleRoot,
    StateRoot, Timestamp,
};

/// A header of the first height, all zero but for what is changed. Nothing here looks whether one is valid.
pub(crate) fn header(change: impl FnOnce(&mut HeaderFields)) -> Header {
    let mut fields = HeaderFields {
        version: HEADER_VERSION,
        height: Height::new(1),
        parent: BlockHash::ZERO,
        miner: Address::from_bytes([0; 20]),
        tx_count: 0,
        tx_root: MerkleRoot::ZERO,
        state_root: StateRoot::ZERO,
        history_root: HistoryRoot::ZERO,
        time: Timestamp::ZERO,
        target: CompactTarget::from_bits(0),
        nonce: 0,
    };
    change(&mut fields);
    Header::new(fields)
}
