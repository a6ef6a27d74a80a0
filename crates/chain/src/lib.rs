//! The rules that need a chain: which headers there are, which chain of them has won, and what everyone owns.
//!
//! [`Chain`] holds every header in a tree, the accounts at one block of it (the *tip*), and the history that headers
//! commit to. It holds no bodies and does no I/O: [`Chain::next_step`] says which block to connect or disconnect next,
//! and whoever keeps blocks and undo records feeds it in. One call moves the state by one block, or not at all.
//!
//! ```text
//! insert_header ── tree ── mark_body ── next_step ──> Connect(hash)    ── connect(block)   ──> Undo, to be kept
//!                                                 └─> Disconnect(hash) ── disconnect(undo)
//! ```
//!
//! ```
//! use tabchain_chain::{Chain, testing::{Key, extend, spec}};
//!
//! let mut chain = Chain::new(spec());
//! let (block, undo) = extend(&mut chain, Key::new(0).address(), &[]);
//! assert_eq!(chain.tip().hash, block.hash());
//! chain.disconnect(&undo).unwrap();
//! assert_eq!(chain.tip().hash, chain.spec().genesis_hash());
//! ```
//!
//! Memory: about 400 bytes a header with its share of the history, about 165 an account. What peers can make grow is
//! bounded: headers on side branches by [`Limits`], everything else by proof of work and by fees. How much work a long
//! branch has is found out by [`Weighing`] it, before it is kept.

mod accounts;
mod arena;
mod builder;
mod chain;
mod error;
mod ground;
mod history;
mod ledger;
mod replay;
mod snapshot;
mod state;
#[cfg(feature = "testing")]
pub mod testing;
mod tree;
mod undo;
mod weighing;

pub use builder::ChainBuilder;
pub use chain::{Chain, Entry, Inserted, MAX_LOCATOR, Status, Step, Tip};
pub use error::{ConnectError, DisconnectError, InsertError, RestoreError};
pub use history::HistoryProof;
pub use replay::Replay;
pub use snapshot::Snapshot;
pub use state::{AccountProof, Prefix, ProofError, StateChunk};
pub use tree::Limits;
pub use undo::Undo;
pub use weighing::{MAX_STRETCHES, Stretch, WeighError, Weighing};
