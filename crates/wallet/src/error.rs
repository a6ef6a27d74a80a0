//! What can go wrong with a wallet.

use crate::{keystore::MIN_PASSPHRASE_CHARS, mnemonic::MnemonicError, wallet::MAX_ACCOUNTS};

/// Why a wallet can't do what it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WalletError {
    /// The phrase or the entropy is not one.
    #[error(transparent)]
    Mnemonic(#[from] MnemonicError),
    /// A new passphrase is too short.
    #[error("a passphrase has at least {MIN_PASSPHRASE_CHARS} characters")]
    PassphraseTooShort,
    /// The keystore does not open. Whether the passphrase or the bytes are wrong is not told apart, because nobody
    /// but the owner should learn it.
    #[error("wrong passphrase, or a damaged keystore")]
    Locked,
    /// The keystore was written by newer software.
    #[error("the keystore has version {0}, which this software does not know")]
    UnknownVersion(u8),
    /// There are no more accounts in one wallet.
    #[error("a wallet has at most {MAX_ACCOUNTS} accounts")]
    TooManyAccounts,
    /// The transaction is not from an account of this wallet.
    #[error("the sender is not an account of this wallet")]
    NotOurs,
}
