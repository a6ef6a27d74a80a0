//! What a node is opened with.

use std::sync::Arc;

use tabchain_consensus::ChainSpec;
use tabchain_sync::PeerId;

/// Everything a node is opened with. The seed is its only source of randomness.
#[derive(Clone, Debug)]
pub struct Config {
    /// The chain.
    pub spec: Arc<ChainSpec>,
    /// Drives every choice that has to be unpredictable to others: salts, whom to dial.
    pub seed: [u8; 32],
    /// The node's own id, so that it never dials itself.
    pub identity: Option<PeerId>,
    /// What to call this software to peers, at most 64 bytes.
    pub agent: String,
    /// How much of everything.
    pub limits: Limits,
}

/// How much of everything a node takes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections, whoever opened them.
    pub peers: usize,
    /// Connections that the node opens by itself.
    pub outbound: usize,
    /// Bytes of checked blocks waiting for their turn, and of recent ones kept at hand.
    pub block_bytes: usize,
    /// Blocks between two checkpoints of the state.
    pub checkpoint_blocks: u32,
    /// Headers beside the chains that count.
    pub chain: tabchain_chain::Limits,
    /// How to come to a chain that is far ahead.
    pub join: Join,
    /// Blocks between two snapshots that are kept for others. One is joined by when it is as many blocks deep.
    pub snapshot_blocks: u32,
    /// How many steps back from the tip are kept, and an eighth of them of what was caught up with. A deeper reorganisation
    /// rebuilds the state from blocks.
    pub keep_undo: u32,
    /// How many bodies below the tip are kept; none is all of them.
    pub keep_bodies: Option<u32>,
}

/// How to come to a chain that is far ahead.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Join {
    /// Take the accounts at a block that is deep enough, check them against its header, and be of use at once; all that
    /// lies below is fetched and checked in the background.
    #[default]
    Snapshot,
    /// Fetch and check every block from the first, and only then be of use.
    Full,
}

impl Config {
    /// A node on `spec` with the usual limits.
    pub fn new(spec: Arc<ChainSpec>, seed: [u8; 32]) -> Self {
        Self {
            spec,
            seed,
            identity: None,
            agent: concat!("tabchain/", env!("CARGO_PKG_VERSION")).to_owned(),
            limits: Limits::default(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            peers: 32,
            outbound: 8,
            block_bytes: 16 * 1024 * 1024,
            checkpoint_blocks: 64,
            chain: tabchain_chain::Limits::default(),
            join: Join::Snapshot,
            snapshot_blocks: 1_024,
            keep_undo: 16_384,
            keep_bodies: None,
        }
    }
}
