//! The only event loop: it turns a pure [`Node`](tabchain_node::Node) into a running one.
//!
//! The node says what it wants done; the driver has it done by a [`Store`](tabchain_store::Store), a network (the two
//! channels of a `tabchain_net::NetHandle`), a clock, a miner and checkers of signatures, and tells the node what came of it.
//! It decides nothing. The same loop runs in a tab's worker, on a server, and in tests.
//!
//! ```text
//!   Handle --calls--> +--------+ --load, commit--> Store
//!          <-events-- | Driver | --commands------> Net (its events come back)
//!                     |  Node  | --orders--------> miner (solutions come back)
//!                     |        | --signatures----> checkers (verdicts come back)
//!                     +--------+ --wake at-------> timer
//! ```
//!
//! Bounds: [`CALLS`] calls wait, [`EVENTS`] events wait for a listener (a slower one loses its oldest, transactions first), and
//! [`OUTBOX`] network commands wait while the network is busy; beyond that requests fail at once and frames are dropped. Of answers
//! among them [`OUTBOX_BYTES`] wait; what is asked beyond that is refused.

mod breath;
mod checks;
mod clock;
mod driver;
mod handle;
mod listener;
mod storage;
mod wire;
mod workload;

pub use checks::{CheckOutcome, Checkers, CheckersLost};
pub use clock::{Clock, SystemClock};
pub use driver::{Driver, Ended, MiningOrder, OUTBOX, OUTBOX_BYTES, Ports, Solution};
pub use handle::{CALLS, Handle};
pub use listener::{DriverEvent, EVENTS, Listener};
pub use workload::Workload;
