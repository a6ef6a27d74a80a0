//! A seeded network simulator that drives the very node that runs in a tab.
//!
//! A [`Sim`] is a world of nodes under one virtual clock: discrete events, links with latency and bandwidth, disks that take
//! their time and lose what was not finished when a node dies, mining as a matter of luck drawn from the seed. The same
//! seed and the same story give the same [`Trace`] hash.
//!
//! ```
//! use tabchain_sim::{Sim, World};
//!
//! let mut sim = Sim::new(World::new(tabchain_chain::testing::spec(), 1));
//! let (alice, bob) = (sim.add_node(), sim.add_node());
//! sim.connect(alice, bob);
//! sim.start_mining(alice, tabchain_chain::testing::Key::new(0).address());
//! sim.run_for(60_000);
//! assert!(sim.status(bob).height.value() > 0);
//! ```

pub mod adversary;
mod ask;
mod behaviour;
mod chronicle;
mod churn;
mod disk;
mod events;
mod judge;
mod link;
mod mining;
mod network;
mod place;
mod recording;
mod rendezvous;
mod sim;
mod trace;
mod verdicts;
mod watch;
mod world;

pub use behaviour::{Behaviour, Scene, Tongue};
pub use chronicle::{Birth, Chronicle, Purpose};
pub use churn::{Churn, Span};
pub use disk::Disk;
pub use link::{Access, Latency, Link, MAX_LOSSES, Nat};
pub use place::Place;
pub use recording::{Recording, ReplayError};
pub use rendezvous::Rendezvous;
pub use sim::Sim;
pub use trace::Trace;
pub use world::World;
