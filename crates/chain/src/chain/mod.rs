//! The chain: headers, fork choice, accounts and history, moved one block at a time.

mod accounts;
mod headers;
mod mining;
mod steps;

pub use headers::MAX_LOCATOR;

use std::sync::Arc;

use tabchain_consensus::ChainSpec;
use tabchain_primitives::{BlockHash, Header, Height, Work};

use crate::{
    ground::Ground,
    tree::{Limits, Node, Tree},
};

/// One chain and all headers beside it. See the [crate documentation](crate).
#[derive(Debug)]
pub struct Chain {
    pub(crate) spec: Arc<ChainSpec>,
    pub(crate) tree: Tree,
    /// What follows from the active blocks, the tip among them.
    pub(crate) ground: Ground,
}

/// What became of a header that was offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inserted {
    /// It was taken in.
    New,
    /// It was here already.
    Known,
}

/// The end of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tip {
    /// Its hash.
    pub hash: BlockHash,
    /// Its height.
    pub height: Height,
    /// The work of its whole chain.
    pub work: Work,
    /// Its header.
    pub header: Header,
}

/// What is known of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its height.
    pub height: Height,
    /// The work of the chain up to and with it.
    pub work: Work,
    /// How it stands.
    pub status: Status,
    /// Whether its body is there.
    pub has_body: bool,
}

/// How a block stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Its header is good; the rest is not known, or lost to a heavier chain.
    Candidate,
    /// It is on the active chain.
    Active,
    /// It, or one of its ancestors, broke a rule.
    Invalid,
}

/// What the owner of bodies and undo records is to feed in next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The tip's undo record, to [`Chain::disconnect`].
    Disconnect(BlockHash),
    /// This block, to [`Chain::connect`].
    Connect(BlockHash),
}

impl Chain {
    /// The chain of a spec, at its genesis.
    pub fn new(spec: Arc<ChainSpec>) -> Self {
        Self::with_limits(spec, Limits::default())
    }

    /// The same with other limits.
    pub fn with_limits(spec: Arc<ChainSpec>, limits: Limits) -> Self {
        let tree = Tree::new(spec.genesis().header, limits);
        let ground = Ground::genesis(&spec);
        Self { spec, tree, ground }
    }

    /// The parameters.
    pub const fn spec(&self) -> &Arc<ChainSpec> {
        &self.spec
    }
}

impl Tip {
    fn of(node: &Node) -> Self {
        Self { hash: node.hash, height: node.header.height(), work: node.work, header: node.header }
    }
}
