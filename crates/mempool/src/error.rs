//! Why a transaction was not let in, or went.

use tabchain_consensus::TransactionError;
use tabchain_primitives::Amount;

use crate::fee::FeeRate;

/// Why a transaction was not let in. None of these is the fault of the peer that sent it: it may see another tip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AdmitError {
    /// It is here already, perhaps with another signature.
    #[error("the transaction is in the pool already")]
    Known,
    /// It could not be in the next block (T6), its nonce was used (T7), or its sender's balance does not cover it and
    /// what else the sender has in the pool (T8).
    #[error(transparent)]
    Rule(#[from] TransactionError),
    /// Its fee rate is below what this pool takes.
    #[error("the fee is too low: {needed} is the least")]
    FeeTooLow {
        /// The least fee for its size.
        needed: Amount,
    },
    /// Another transaction of the sender has its nonce, and it pays too little to take its place.
    #[error("to replace a transaction with the same nonce takes a fee of {needed}")]
    ReplacementTooCheap {
        /// The least fee for its size.
        needed: Amount,
    },
    /// Its nonce is too far from the account's to be held.
    #[error("the nonce is too far ahead")]
    NonceTooFar,
    /// Its sender has as much in the pool as one may have.
    #[error("the sender has too much in the pool")]
    SenderFull,
    /// The pool is full of transactions that pay no less.
    #[error("the pool is full: it takes more than {needed}")]
    PoolFull {
        /// The rate of the cheapest that it would have to push out.
        needed: FeeRate,
    },
}

/// Why a transaction went without having been confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dropped {
    /// The chain passed its `valid_until`.
    Expired,
    /// Another transaction used its nonce.
    Conflict,
    /// Its sender's balance no longer covers it and those before it.
    Unfunded,
    /// Room was needed for others that pay more.
    Evicted,
}
