//! Keys: a phrase of words, the accounts that follow from it, their encryption at rest, and signing.
//!
//! Sans I/O and without randomness: entropy, salts and nonces are arguments, the encrypted keystore is bytes to be kept
//! somewhere. Secrets are wiped when they are dropped and never shown by `Debug`.
//!
//! ```
//! use tabchain_wallet::{KeystoreNonce, Mnemonic, Salt, Wallet};
//!
//! # // Real ones come from a good source of randomness.
//! let (entropy, salt, nonce) = ([7; 16], Salt([1; 16]), KeystoreNonce([2; 24]));
//! let mnemonic = Mnemonic::from_entropy(&entropy).unwrap();
//! let wallet = Wallet::create(mnemonic, "correct horse", salt).unwrap();
//! let kept = wallet.seal(nonce);
//! let again = Wallet::unlock(&kept, "correct horse").unwrap();
//! assert_eq!(again.accounts(), wallet.accounts());
//! assert!(Wallet::unlock(&kept, "wrong horse").is_err());
//! ```

mod confirmation;
mod derivation;
mod error;
mod keystore;
mod mnemonic;
mod payment_uri;
mod wallet;

pub use confirmation::Confirmation;
pub use derivation::{COIN_TYPE, SecretKey};
pub use error::WalletError;
pub use keystore::{KeystoreNonce, MAX_KEYSTORE_BYTES, MIN_PASSPHRASE_CHARS, Salt};
pub use mnemonic::{Mnemonic, MnemonicError};
pub use payment_uri::{PaymentUri, PaymentUriError};
pub use wallet::{AccountIndex, MAX_ACCOUNTS, Wallet, WalletAccount};

#[cfg(all(test, target_family = "wasm"))]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_dedicated_worker);
