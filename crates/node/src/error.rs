//! Why a command was refused, and why a peer was sent away.

use tabchain_consensus::TransactionError;
use tabchain_mempool::AdmitError;
use tabchain_primitives::{Amount, Malformed};
use tabchain_records::StoreError;
use tabchain_wallet::{MnemonicError, WalletError};

/// Why a command was refused. [`CommandError::code`] is the stable name that programs match on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// The node is still reading its store, and too much waits for that already.
    #[error("the node is still starting")]
    Starting,
    /// The node was closed.
    #[error("the node is closed")]
    Closed,
    /// There is no wallet.
    #[error("there is no wallet")]
    NoWallet,
    /// There is a wallet already; it is never overwritten.
    #[error("there is a wallet already")]
    WalletExists,
    /// The wallet has to be unlocked first.
    #[error("the wallet is locked")]
    WalletLocked,
    /// The wallet has no such account.
    #[error("the wallet has no account {0}")]
    NoSuchAccount(u32),
    /// The wallet could not do it.
    #[error(transparent)]
    Wallet(#[from] WalletError),
    /// The parts make no transaction.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// The account can't cover it.
    #[error("{needed} TAB needed, {available} TAB available")]
    InsufficientFunds {
        /// Fee and outputs.
        needed: Amount,
        /// Balance minus what pending transactions pay.
        available: Amount,
    },
    /// The transaction breaks a rule.
    #[error(transparent)]
    Transaction(#[from] TransactionError),
    /// The memory pool does not take it.
    #[error(transparent)]
    Refused(AdmitError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl CommandError {
    /// The error's name in the public interface; it never changes.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Starting | Self::Closed => "closed",
            Self::NoWallet => "no-wallet",
            Self::WalletExists => "wallet-exists",
            Self::WalletLocked => "wallet-locked",
            Self::NoSuchAccount(_) => "invalid-argument",
            Self::Wallet(error) => wallet_code(error),
            Self::Malformed(error) => malformed_code(error),
            Self::InsufficientFunds { .. } => "insufficient-funds",
            Self::Transaction(error) => transaction_code(error),
            Self::Refused(error) => refusal_code(error),
            Self::Store(StoreError::NewerSchema { .. }) => "newer-schema",
            Self::Store(_) => "storage",
        }
    }
}

impl From<AdmitError> for CommandError {
    fn from(error: AdmitError) -> Self {
        match error {
            AdmitError::Rule(error) => Self::Transaction(error),
            error => Self::Refused(error),
        }
    }
}

/// Why a peer was sent away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
pub enum Reason {
    /// It follows another chain.
    #[error("another genesis")]
    WrongGenesis,
    /// It speaks another version.
    #[error("another protocol version")]
    WrongVersion,
    /// It is this very node.
    #[error("connected to itself")]
    Itself,
    /// It did not say hello in time.
    #[error("no hello")]
    NoHello,
    /// There are enough connections.
    #[error("too many peers")]
    TooManyPeers,
    /// It sent what no honest node sends, or kept failing.
    #[error("misbehaviour")]
    Misbehaviour,
    /// It was dialled only to see whether it is there, and it is.
    #[error("only felt for")]
    Felt,
    /// Others were of more use.
    #[error("replaced by a more useful peer")]
    Replaced,
    /// It let too much stall.
    #[error("too slow")]
    TooSlow,
    /// The node is closing.
    #[error("closing")]
    Closing,
}

fn wallet_code(error: &WalletError) -> &'static str {
    match error {
        WalletError::Mnemonic(MnemonicError::EntropyLength(_))
        | WalletError::PassphraseTooShort
        | WalletError::TooManyAccounts
        | WalletError::NotOurs => "invalid-argument",
        WalletError::Mnemonic(_) => "invalid-phrase",
        WalletError::Locked => "wrong-passphrase",
        WalletError::UnknownVersion(_) => "newer-schema",
    }
}

fn malformed_code(error: &Malformed) -> &'static str {
    match error {
        Malformed::ZeroOutput | Malformed::TotalTooLarge => "invalid-amount",
        Malformed::OutputCount(_)
        | Malformed::MemoLength(_)
        | Malformed::TopicLength(_)
        | Malformed::DataLength(_) => "invalid-argument",
    }
}

fn transaction_code(error: &TransactionError) -> &'static str {
    match error {
        TransactionError::BadSignature => "rejected",
        TransactionError::Expired { .. } => "expired",
        TransactionError::WrongNonce { .. } => "nonce-conflict",
        TransactionError::BalanceTooLow { .. } => "insufficient-funds",
        TransactionError::TooLarge { .. } => "invalid-argument",
    }
}

fn refusal_code(error: &AdmitError) -> &'static str {
    match error {
        AdmitError::FeeTooLow { .. } | AdmitError::ReplacementTooCheap { .. } => "fee-too-low",
        AdmitError::NonceTooFar => "nonce-conflict",
        AdmitError::Rule(error) => transaction_code(error),
        AdmitError::Known | AdmitError::SenderFull | AdmitError::PoolFull { .. } => "rejected",
    }
}
