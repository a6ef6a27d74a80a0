//! What a block must be by itself (rules B7 to B10, T5 and T6), and the types it climbs through.

use tabchain_primitives::{
    Address, Block, BlockHash, HEADER_BYTES, Header, MerkleRoot, Transaction, TxId, codec::write_varint,
    merkle,
};

use crate::{
    signatures::{SignatureChecks, Verdict},
    spec::ChainSpec,
    transaction_rules::{Names, TransactionError, signature_checks, transaction_is_not_expired},
};

/// The bytes beside the transaction of a block that holds one: the header and the count.
pub(crate) const BLOCK_OVERHEAD_BYTES: usize = HEADER_BYTES + 1;

/// Which rule a block's body breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BlockError {
    /// Rule B7.
    #[error("the block has {found} transactions, its header says {claimed}")]
    WrongCount {
        /// What the header says.
        claimed: u32,
        /// What there are.
        found: usize,
    },
    /// Rule B8.
    #[error("the transactions are not those the header commits to")]
    WrongRoot,
    /// Rule B9.
    #[error("the block has {bytes} bytes, more than {limit}")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The spec's limit.
        limit: usize,
    },
    /// Rule B10.
    #[error("the transaction at {index} is in the block already")]
    RepeatedTransaction {
        /// The place of the second.
        index: usize,
    },
    /// A transaction breaks a rule of its own (T5, T6).
    #[error("the transaction at {index}: {error}")]
    Transaction {
        /// Its place in the block.
        index: usize,
        /// The rule.
        error: TransactionError,
    },
}

impl BlockError {
    /// The rule's name in `docs/protocol.md`.
    pub const fn rule(&self) -> &'static str {
        match self {
            Self::WrongCount { .. } => "B7",
            Self::WrongRoot => "B8",
            Self::TooLarge { .. } => "B9",
            Self::RepeatedTransaction { .. } => "B10",
            Self::Transaction { error, .. } => error.rule(),
        }
    }

    /// Whether the body is another one than the header commits to: then the header is not to blame, and the honest
    /// body may still come.
    pub const fn is_of_another_body(&self) -> bool {
        matches!(self, Self::WrongCount { .. } | Self::WrongRoot)
    }
}

/// A block whose body belongs to its header and keeps the rules that need neither state nor signatures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedBlock {
    block: Block,
    hash: BlockHash,
    ids: Vec<TxId>,
    senders: Vec<Address>,
    bytes: usize,
}

/// A [`CheckedBlock`] whose signatures are valid: it can be connected to a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedBlock(CheckedBlock);

impl CheckedBlock {
    /// Checks a block by rules B7 to B10 and its transactions by T6. The header is checked apart.
    ///
    /// First that the body is the header's (B7, B8): only then does a broken rule speak against the header.
    pub fn check(spec: &ChainSpec, block: Block) -> Result<Self, BlockError> {
        tx_count_matches(&block)?;
        let names = Names::of_all(&block.transactions);
        tx_root_matches(&block.header, merkle_root(&names))?;
        let bytes = block_bytes(&names);
        block_fits_limit(spec, bytes)?;
        let ids: Vec<TxId> = names.into_iter().map(|names| names.id).collect();
        no_transaction_appears_twice(&ids)?;
        for (index, transaction) in block.transactions.iter().enumerate() {
            transaction_is_not_expired(transaction, block.header.height())
                .map_err(|error| BlockError::Transaction { index, error })?;
        }
        let senders = Address::of_all(block.transactions.iter().map(Transaction::sender));
        Ok(Self { hash: block.hash(), block, ids, senders, bytes })
    }

    /// The block.
    pub const fn block(&self) -> &Block {
        &self.block
    }

    /// Its hash.
    pub const fn hash(&self) -> BlockHash {
        self.hash
    }

    /// The ids of its transactions, in order.
    pub fn ids(&self) -> &[TxId] {
        &self.ids
    }

    /// The addresses of its transactions' senders, in order.
    pub fn senders(&self) -> &[Address] {
        &self.senders
    }

    /// How many bytes the block has, its header included.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// The signatures of its transactions, to be checked for the chain with this genesis.
    pub fn signatures(&self, genesis: &BlockHash) -> SignatureChecks {
        signature_checks(&self.block.transactions.iter().collect::<Vec<_>>(), genesis)
    }

    /// Those of its signatures that are not `known` to be valid, and the places of their transactions in the block.
    pub fn signatures_except(
        &self,
        genesis: &BlockHash,
        known: impl Fn(&TxId, &Transaction) -> bool,
    ) -> (Vec<usize>, SignatureChecks) {
        let transactions = self.ids.iter().zip(&self.block.transactions).enumerate();
        let open = transactions.filter(|(_, (id, transaction))| !known(id, transaction));
        let (places, open): (Vec<usize>, Vec<&Transaction>) =
            open.map(|(place, (_, transaction))| (place, transaction)).unzip();
        (places, signature_checks(&open, genesis))
    }

    /// Rule T5: takes the verdict on [`signatures`](Self::signatures).
    pub fn verified(self, verdict: Verdict) -> Result<VerifiedBlock, BlockError> {
        match verdict {
            Verdict::AllValid => Ok(VerifiedBlock(self)),
            Verdict::Invalid { index } => {
                Err(BlockError::Transaction { index, error: TransactionError::BadSignature })
            }
        }
    }
}

impl VerifiedBlock {
    /// The block.
    pub const fn block(&self) -> &Block {
        self.0.block()
    }

    /// The block, taken out.
    pub fn into_block(self) -> Block {
        self.0.block
    }

    /// Its hash.
    pub const fn hash(&self) -> BlockHash {
        self.0.hash()
    }

    /// The ids of its transactions, in order.
    pub fn ids(&self) -> &[TxId] {
        self.0.ids()
    }

    /// The addresses of its transactions' senders, in order.
    pub fn senders(&self) -> &[Address] {
        self.0.senders()
    }
}

/// Rule B7: `tx_count` equals the number of transactions.
pub fn tx_count_matches(block: &Block) -> Result<(), BlockError> {
    let (claimed, found) = (block.header.tx_count(), block.transactions.len());
    if claimed as usize == found { Ok(()) } else { Err(BlockError::WrongCount { claimed, found }) }
}

/// Rule B8: `tx_root` is the Merkle root of the transactions' witness hashes.
pub fn tx_root_matches(header: &Header, root: MerkleRoot) -> Result<(), BlockError> {
    if header.tx_root() == root { Ok(()) } else { Err(BlockError::WrongRoot) }
}

/// Rule B9: the block's bytes are at most the spec's limit.
pub fn block_fits_limit(spec: &ChainSpec, bytes: usize) -> Result<(), BlockError> {
    let limit = spec.max_block_bytes();
    if bytes <= limit { Ok(()) } else { Err(BlockError::TooLarge { bytes, limit }) }
}

/// Rule B10: no transaction id appears twice.
pub fn no_transaction_appears_twice(ids: &[TxId]) -> Result<(), BlockError> {
    let mut sorted: Vec<(&TxId, usize)> = ids.iter().zip(0..).collect();
    sorted.sort_unstable();
    let repeated = sorted.windows(2).filter(|pair| pair[0].0 == pair[1].0).map(|pair| pair[1].1);
    repeated.min().map_or(Ok(()), |index| Err(BlockError::RepeatedTransaction { index }))
}

fn merkle_root(names: &[Names]) -> MerkleRoot {
    MerkleRoot::from_bytes(merkle::root(names.iter().map(|names| *names.witness_hash.as_bytes())))
}

fn block_bytes(names: &[Names]) -> usize {
    let mut count = Vec::new();
    write_varint(&mut count, names.len() as u64);
    HEADER_BYTES + count.len() + names.iter().map(|names| names.bytes).sum::<usize>()
}
