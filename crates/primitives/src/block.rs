//! Blocks: a header and the transactions it commits to.

use crate::{
    codec::{Decode, DecodeError, Encode, Reader, write_list},
    hash::{BlockHash, MerkleRoot},
    header::Header,
    merkle,
    transaction::Transaction,
};

/// The most transactions a block can be decoded with. What a chain allows is less: its limit is in bytes (rule B9).
pub const MAX_BLOCK_TRANSACTIONS: usize = 65_536;

/// A block as it came: nothing about it has been checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// The header.
    pub header: Header,
    /// The transactions, in the order they apply.
    pub transactions: Vec<Transaction>,
}

impl Block {
    /// The header's hash. Computed anew at every call.
    pub fn hash(&self) -> BlockHash {
        self.header.hash()
    }
}

impl MerkleRoot {
    /// The root over the transactions' witness hashes (rule B8).
    pub fn of_transactions<'a>(transactions: impl IntoIterator<Item = &'a Transaction>) -> Self {
        let hashes = transactions.into_iter().map(|transaction| *transaction.witness_hash().as_bytes());
        Self::from_bytes(merkle::root(hashes))
    }
}

impl Encode for Block {
    fn encode(&self, out: &mut Vec<u8>) {
        self.header.encode(out);
        write_list(out, &self.transactions);
    }
}

impl Decode for Block {
    const MIN_BYTES: usize = Header::MIN_BYTES + 1;

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { header: Decode::decode(reader)?, transactions: reader.list(0..=MAX_BLOCK_TRANSACTIONS)? })
    }
}
