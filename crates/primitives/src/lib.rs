//! Amounts, hashes, addresses, transactions, headers and blocks, with their one canonical byte form.
//!
//! This is the lowest floor: it knows what things are, not which of them are allowed. What a type can rule out by its
//! shape (rules T1 to T4 and E1 to E4 of `docs/protocol.md`) it rules out in its constructor and in its decoder, so a
//! malformed value can't be built. Everything that needs a chain spec, a parent or an account is decided above.
//!
//! Bounds: decoding allocates in proportion to the bytes it was given, never to a number that those bytes name.
//!
//! ```
//! use tabchain_primitives::{Amount, Decode, Encode};
//!
//! let amount: Amount = "1.5".parse().unwrap();
//! assert_eq!(amount.units(), 1_500_000);
//! assert_eq!(Amount::from_bytes(&amount.to_bytes()), Ok(amount));
//! ```

mod account;
mod address;
mod amount;
mod block;
pub mod codec;
mod hash;
mod header;
pub mod merkle;
mod quantity;
pub mod sha256;
mod state;
pub mod tagged;
mod target;
mod transaction;

pub use account::Account;
pub use address::{Address, AddressError, AddressPrefix};
pub use amount::{Amount, AmountParseError, AmountTooLarge};
pub use block::{Block, MAX_BLOCK_TRANSACTIONS};
pub use codec::{Decode, DecodeError, Encode};
pub use hash::{
    AccountKey, BlockHash, HexError, HistoryRoot, MerkleRoot, PublicKey, Signature, SigningDigest, SpecHash,
    StateRoot, TxId, WitnessHash,
};
pub use header::{HEADER_BYTES, HEADER_PREFIX_BYTES, HEADER_VERSION, Header, HeaderFields};
pub use quantity::{AccountNonce, Height, Timestamp};
pub use ruint::aliases::U256;
pub use target::{CompactTarget, CompactTargetError, Target, Work};
pub use transaction::{
    Action, Anchor, MAX_DATA_BYTES, MAX_MEMO_BYTES, MAX_OUTPUTS, MAX_TOPIC_BYTES, Malformed, Output,
    TRANSACTION_VERSION, Transaction, Transfer, UnsignedTransaction,
};
