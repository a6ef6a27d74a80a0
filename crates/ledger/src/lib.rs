//! Says in words what bytes of the ledger are, field by field, and which rule of `docs/protocol.md` they break.
//!
//! Each of [`transaction`], [`header`], [`block`] and [`address`] gives a [`Report`]: what was read, the faults that were
//! found, and what can't be told without more of the chain. Nothing here decides anything: every verdict is one of
//! `primitives` and `consensus`.

mod block;
mod report;
mod rules;
mod transaction;

pub use block::{Above, block, header};
pub use report::{Fault, Report};
pub use rules::rule_of;
pub use transaction::{address, transaction};
