//! What a transaction must be (rules T5 to T8), and the types it climbs through until its signature was checked.
//!
//! Rules T1 to T4 hold for every [`Transaction`] by its type. T6 to T8 look at a height and at an account, which the
//! caller knows; they are here so that a block and the memory pool mean the same by them.

use tabchain_primitives::{
    Account, AccountNonce, Amount, BlockHash, Decode, Encode, Height, Signature, SigningDigest, Transaction,
    TxId, WitnessHash, codec::Pieces, tagged::Tag,
};

use crate::{
    block_rules::BLOCK_OVERHEAD_BYTES,
    signatures::{SignatureCheck, SignatureChecks, Verdict},
    spec::ChainSpec,
};

/// Which rule a transaction breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransactionError {
    /// Rule T5.
    #[error("the signature is not valid")]
    BadSignature,
    /// Rule T6.
    #[error("the transaction was valid until height {valid_until}, not {height}")]
    Expired {
        /// The last height that may contain it.
        valid_until: Height,
        /// The height of the block.
        height: Height,
    },
    /// Rule T7.
    #[error("the transaction's nonce is {found}, the account's {expected}")]
    WrongNonce {
        /// The account's nonce.
        expected: AccountNonce,
        /// The transaction's.
        found: AccountNonce,
    },
    /// Rule T8.
    #[error("the transaction needs {needed} TAB, the account has {balance}")]
    BalanceTooLow {
        /// What the account has.
        balance: Amount,
        /// Fee and outputs.
        needed: Amount,
    },
    /// Rule B9: not even an otherwise empty block could hold it.
    #[error("the transaction has {bytes} bytes, more than a block can hold")]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
}

impl TransactionError {
    /// The rule's name in `docs/protocol.md`.
    pub const fn rule(&self) -> &'static str {
        match self {
            Self::BadSignature => "T5",
            Self::Expired { .. } => "T6",
            Self::WrongNonce { .. } => "T7",
            Self::BalanceTooLow { .. } => "T8",
            Self::TooLarge { .. } => "B9",
        }
    }
}

/// A transaction that could be in a block, as far as can be told without state and signature. It knows its hashes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedTransaction {
    transaction: Transaction,
    id: TxId,
    witness_hash: WitnessHash,
    bytes: usize,
}

/// A [`CheckedTransaction`] whose signature is valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedTransaction(CheckedTransaction);

impl CheckedTransaction {
    /// Checks what can be checked of a transaction by itself.
    pub fn check(spec: &ChainSpec, transaction: Transaction) -> Result<Self, TransactionError> {
        let names = Names::of(&transaction);
        transaction_fits_block(spec, names.bytes)?;
        Ok(Self { transaction, id: names.id, witness_hash: names.witness_hash, bytes: names.bytes })
    }

    /// The transaction.
    pub const fn transaction(&self) -> &Transaction {
        &self.transaction
    }

    /// Its id.
    pub const fn id(&self) -> TxId {
        self.id
    }

    /// Its witness hash.
    pub const fn witness_hash(&self) -> WitnessHash {
        self.witness_hash
    }

    /// Its size in bytes.
    pub const fn size(&self) -> usize {
        self.bytes
    }

    /// Its signature, to be checked for the chain with this genesis.
    pub fn signatures(&self, genesis: &BlockHash) -> SignatureChecks {
        signature_checks(&[&self.transaction], genesis)
    }

    /// Rule T5: takes the verdict on [`signatures`](Self::signatures).
    pub fn verified(self, verdict: Verdict) -> Result<VerifiedTransaction, TransactionError> {
        match verdict {
            Verdict::AllValid => Ok(VerifiedTransaction(self)),
            Verdict::Invalid { .. } => Err(TransactionError::BadSignature),
        }
    }
}

impl VerifiedTransaction {
    /// The same, without what is known of its signature.
    pub const fn as_checked(&self) -> &CheckedTransaction {
        &self.0
    }

    /// The transaction.
    pub const fn transaction(&self) -> &Transaction {
        self.0.transaction()
    }

    /// The transaction, taken out.
    pub fn into_transaction(self) -> Transaction {
        self.0.transaction
    }

    /// Its id.
    pub const fn id(&self) -> TxId {
        self.0.id()
    }

    /// Its witness hash.
    pub const fn witness_hash(&self) -> WitnessHash {
        self.0.witness_hash()
    }

    /// Its size in bytes.
    pub const fn size(&self) -> usize {
        self.0.size()
    }
}

/// Rule T6: `valid_until` is at least the height of the block that contains it.
pub fn transaction_is_not_expired(transaction: &Transaction, height: Height) -> Result<(), TransactionError> {
    let valid_until = transaction.valid_until();
    if valid_until >= height { Ok(()) } else { Err(TransactionError::Expired { valid_until, height }) }
}

/// Rule T7: the nonce equals the sender's account nonce.
pub fn nonce_is_next(transaction: &Transaction, sender: &Account) -> Result<(), TransactionError> {
    let (expected, found) = (sender.nonce, transaction.nonce());
    if expected == found { Ok(()) } else { Err(TransactionError::WrongNonce { expected, found }) }
}

/// Rule T8: the sender's balance covers fee and all outputs.
pub fn balance_covers_total(transaction: &Transaction, sender: &Account) -> Result<(), TransactionError> {
    let (balance, needed) = (sender.balance, transaction.total());
    if balance >= needed { Ok(()) } else { Err(TransactionError::BalanceTooLow { balance, needed }) }
}

/// Rule B9, as far as one transaction goes: a block with nothing else holds it.
pub fn transaction_fits_block(spec: &ChainSpec, bytes: usize) -> Result<(), TransactionError> {
    let fits = bytes + BLOCK_OVERHEAD_BYTES <= spec.max_block_bytes();
    if fits { Ok(()) } else { Err(TransactionError::TooLarge { bytes }) }
}

/// The hashes of a transaction and its size, from encoding it once.
pub(crate) struct Names {
    pub(crate) id: TxId,
    pub(crate) witness_hash: WitnessHash,
    pub(crate) bytes: usize,
}

impl Names {
    pub(crate) fn of(transaction: &Transaction) -> Self {
        Self::of_all(std::slice::from_ref(transaction)).pop().expect("one for each transaction")
    }

    /// The names of each transaction, in order. In a tab several are hashed at once.
    pub(crate) fn of_all(transactions: &[Transaction]) -> Vec<Self> {
        let mut pieces = Pieces::with_capacity(transactions.len(), Transaction::USUAL_BYTES);
        for transaction in transactions {
            pieces.add(|bytes| transaction.encode(bytes));
        }
        let signed = pieces.list();
        let unsigned: Vec<&[u8]> =
            signed.iter().map(|signed| &signed[..signed.len() - Signature::MIN_BYTES]).collect();
        let ids = Tag::Tx.hash_all(&unsigned).into_iter().map(TxId::from_bytes);
        let witness_hashes = Tag::Wtx.hash_all(&signed).into_iter().map(WitnessHash::from_bytes);
        let names = ids.zip(witness_hashes).zip(&signed);
        names.map(|((id, witness_hash), signed)| Self { id, witness_hash, bytes: signed.len() }).collect()
    }
}

/// The signatures of these transactions, to be checked for the chain with this genesis.
pub(crate) fn signature_checks(transactions: &[&Transaction], genesis: &BlockHash) -> SignatureChecks {
    let mut messages = Pieces::with_capacity(transactions.len(), Transaction::USUAL_BYTES);
    for transaction in transactions {
        messages.add(|bytes| {
            genesis.encode(bytes);
            transaction.unsigned().encode(bytes);
        });
    }
    let digests = Tag::Sign.hash_all(&messages.list());
    let check = |(transaction, digest): (&&Transaction, [u8; 32])| SignatureCheck {
        key: *transaction.sender(),
        digest: SigningDigest::from_bytes(digest),
        signature: *transaction.signature(),
    };
    SignatureChecks(transactions.iter().zip(digests).map(check).collect())
}
