//! The rules that need no state: the chain spec, difficulty, reward, proof of work, and what a block or a
//! transaction must be by itself.
//!
//! A rule is written once in `docs/protocol.md`; here it is one free function named as a proposition, with the rule's
//! number in its documentation, and one error variant. What a peer sends climbs through types: a [`Block`] becomes a
//! [`CheckedBlock`] by its cheap rules, and a [`VerifiedBlock`] once its signatures were checked; only that can be
//! connected to a chain. The same goes for a single transaction.
//!
//! Signatures are values too: [`SignatureChecks`] go out to whoever has time to check them, a [`Verdict`] comes back.
//!
//! ```
//! use tabchain_consensus::{ChainSpec, CheckedBlock, verify_batch};
//! use tabchain_primitives::Block;
//!
//! let spec = ChainSpec::dev();
//! // A block as it came from a peer; its header was checked by `check_header`.
//! let block: Block = spec.genesis();
//! let checked = CheckedBlock::check(&spec, block)?;
//! let verdict = verify_batch(&checked.signatures(&spec.genesis_hash()), [7; 32]);
//! let verified = checked.verified(verdict)?;
//! assert_eq!(verified.hash(), spec.genesis_hash());
//! # Ok::<(), tabchain_consensus::BlockError>(())
//! ```
//!
//! [`Block`]: tabchain_primitives::Block

mod block_rules;
mod check_order;
mod difficulty;
mod header_rules;
mod reward;
mod signatures;
mod spec;
mod spec_file;
mod transaction_rules;

pub use block_rules::{
    BlockError, CheckedBlock, VerifiedBlock, block_fits_limit, no_transaction_appears_twice,
    tx_count_matches, tx_root_matches,
};
pub use check_order::{CheckOrder, MAX_LISTS, Verdicts};
pub use difficulty::next_target;
pub use header_rules::{
    HeaderError, check_hashed_header, check_header, hash_meets_target, height_follows_parent,
    target_is_as_computed, time_is_after_parent, time_is_not_ahead, version_is_known,
};
pub use reward::reward;
pub use signatures::{
    SignatureCheck, SignatureChecks, Verdict, signature_is_valid, verify_batch, verify_each,
};
pub use spec::{ChainSpec, Parameters, SpecError};
pub use transaction_rules::{
    CheckedTransaction, TransactionError, VerifiedTransaction, balance_covers_total, nonce_is_next,
    transaction_fits_block, transaction_is_not_expired,
};

#[cfg(all(test, target_family = "wasm"))]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_dedicated_worker);
