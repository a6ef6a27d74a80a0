//! The sans-I/O node: one input is handled, then the outputs are drained.
//!
//! [`Node`] is the whole of tabchain without a clock, a network, a disk, threads or randomness: those are given to it as
//! [`Input`]s and asked of it as [`Output`]s. The driver in a tab and the simulator drive the identical node, so what was
//! simulated with many nodes is what runs. The same [`Config`] and the same inputs give the same outputs.
//!
//! ```text
//!            Input                                                 Output
//! peers ──> Message ──> link, fetch ──> adopt <──> chain ──> Send, Disconnect, Dial
//! store ──> Loaded, Committed ──> open, store, query       ──> Load, Commit
//! checks ─> Verified ──> verify ──> adopt, pool             ──> Verify
//! miner ──> Mined ──> mining ──> adopt                      ──> Mine, StopMining
//! person ─> Command ──> query, wallet, pool                 ──> Reply, Event
//! ```
//!
//! # Bounds
//! Everything a peer can make grow is bounded in the module that holds it: connections in `peers`, questions in `fetch`,
//! answers in `serve`, signatures in `verify`, early blocks and announcements in `tabchain_sync`, headers in
//! `tabchain_chain`, pending transactions in `tabchain_mempool`, unwritten rows in `disk`, `body_pages` and `index`. [`Holdings`] adds them up.
//! What comes while the node opens has its bounds in `deferred`.

mod adopt;
mod beginning;
mod blocks;
mod body_pages;
mod clock;
mod command;
mod config;
mod deferred;
mod dial;
mod disk;
mod error;
mod event;
mod fetch;
mod headers;
mod holdings;
mod index;
mod input;
mod join;
mod link;
mod mining;
mod node;
mod notice;
mod open;
mod output;
mod pages;
mod past;
mod peers;
mod pending;
mod pool;
mod prune;
mod query;
mod rows;
mod serve;
mod snapshots;
mod store;
mod verify;
mod view;
mod wallet;
mod withheld;

pub use command::{Command, MAX_LIST, Reply, Sealing};
pub use config::{Config, Join, Limits};
pub use error::{CommandError, Reason};
pub use event::{Event, PeerChange, Warning};
pub use holdings::Holdings;
pub use input::Input;
pub use node::Node;
pub use output::{BatchId, CommandId, JobId, LoadId, Output, Template};
pub use rows::{stored_bodies, stored_headers};
pub use tabchain_sync::{ConnectionKind, Message, PeerAddress, PeerId, PeerInfo};
pub use view::{
    AccountView, BlockSummary, BlockView, Cursor, MiningStatus, PastProgress, PeerStatus, Progress,
    ProvenAccount, ProvenBlock, SnapshotProgress, Status, SyncState, TransactionStatus, TransactionView,
    WalletAccount, WalletState,
};
