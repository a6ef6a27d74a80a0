//! What a simulated world is made of.

use std::sync::Arc;

use tabchain_consensus::ChainSpec;
use tabchain_node::Limits;

use crate::link::{Access, Link};
use crate::place::Place;

/// What a simulated world is made of.
#[derive(Clone, Debug)]
pub struct World {
    /// The chain.
    pub spec: Arc<ChainSpec>,
    /// All that is random follows from it.
    pub seed: u64,
    /// What is between any two places.
    pub link: Link,
    /// How a place is connected, unless told otherwise.
    pub access: Access,
    /// How much of everything a node takes on.
    pub limits: Limits,
    /// How long a store takes for one operation, in milliseconds.
    pub disk_ms: u64,
    /// So many of the last commits a power cut may undo at most, as far as they asked for no more than relaxed durability.
    pub volatile_commits: usize,
    /// How long a signature takes to check, in microseconds. A place checks one after the other.
    pub signature_us: u64,
    /// How long a transaction takes to be connected with its block, in microseconds. Meanwhile the node hears nothing.
    pub transaction_us: u64,
    /// Hashes a second of each miner.
    pub hash_rate: f64,
    /// The place of which a recording is made, of the last life there.
    pub recorded: Option<Place>,
    /// Whether the events that nodes tell are kept, for [`Sim::events`](crate::Sim::events). In a large world they fill memory.
    pub keeps_events: bool,
}

impl World {
    /// A world on this chain with usual links and disks, in which one miner alone finds blocks at the chain's interval.
    pub fn new(spec: Arc<ChainSpec>, seed: u64) -> Self {
        let work = spec.pow_limit().work().value();
        let work: f64 = work.to_string().parse().expect("a whole number");
        #[allow(clippy::cast_precision_loss)]
        let hash_rate = work * 1000.0 / spec.interval_ms() as f64;
        Self {
            spec,
            seed,
            link: Link::default(),
            access: Access::default(),
            limits: Limits::default(),
            disk_ms: 2,
            volatile_commits: 8,
            signature_us: 100,
            transaction_us: 20,
            hash_rate,
            recorded: None,
            keeps_events: true,
        }
    }
}
