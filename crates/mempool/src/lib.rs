//! Transactions that wait for a block: which are let in, which go when there is no room, and which a miner takes.
//!
//! The pool is policy, not consensus (section 9 of `docs/protocol.md`): nodes may differ in it. Each sender has a
//! queue by nonce. What follows on from the account's nonce without a gap is *ready*; what stands behind a gap is
//! *held* until the gap is filled. A transaction counts no more than the cheapest of those it has to wait for, so the
//! last one of a queue is always its cheapest, and making room never leaves a gap.
//!
//! The pool is pure: what it needs of the accounts it asks an [`AccountView`]. After the chain has moved, its owner
//! tells which blocks were connected and disconnected, and then lets the pool [`settle`](Mempool::settle).
//!
//! Bounds, all in [`Limits`]: bytes of all transactions, bytes and number of one sender's, bytes of those that are
//! held. Indexes come on top: memory is about four times the bytes.

mod error;
mod fee;
mod pool;
mod queue;
mod room;
mod template;

pub use error::{AdmitError, Dropped};
pub use fee::FeeRate;
pub use pool::{Admitted, Limits, Mempool};

use tabchain_chain::Chain;
use tabchain_primitives::{Account, Address};

/// Where the accounts are looked up.
pub trait AccountView {
    /// The account of an address at the tip; empty if it has none.
    fn account(&self, address: &Address) -> Account;
}

impl AccountView for Chain {
    fn account(&self, address: &Address) -> Account {
        Self::account(self, address)
    }
}

#[cfg(test)]
mod tests;
