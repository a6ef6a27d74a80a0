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
        let chain = tabchain_chain::Limits::default();
        Self { peers: 32, outbound: 8, block_bytes: 16 * 1024 * 1024, checkpoint_blocks: 64, chain }
    }
}
