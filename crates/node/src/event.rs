//! What a node tells without being asked.

use tabchain_primitives::{BlockHash, Height};
use tabchain_records::StoreError;

use crate::{MiningStatus, PeerStatus, Progress, SyncState, TransactionView, WalletState};

/// News.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The node has read its store and stands at a valid tip.
    Ready,
    /// The tip moved.
    Head {
        /// The new tip.
        hash: BlockHash,
        /// Its height.
        height: Height,
        /// Blocks that joined the active chain, oldest first.
        adopted: Vec<BlockHash>,
        /// Blocks that left it, newest first.
        reverted: Vec<BlockHash>,
    },
    /// Sync changed, or went on. At most a few times a second.
    Sync {
        /// What the node is busy with.
        state: SyncState,
        /// Height of the tip.
        height: Height,
        /// Height of the best header.
        best_height: Height,
        /// How far it is with what it took from others.
        progress: Progress,
        /// Peers that have said hello.
        peers: u32,
    },
    /// A peer said hello, told a new height, or left.
    Peer(PeerChange, PeerStatus),
    /// A transaction became pending, confirmed, pending again, or was dropped. Not told while blocks are fetched in bulk.
    Transaction(Box<TransactionView>),
    /// Mining started, stopped, or found a block.
    Mining(MiningStatus),
    /// The wallet changed.
    Wallet(WalletState),
    /// Something a person should know.
    Warning(Warning),
    /// The store is of no more use: this node is to be dropped and may be opened again.
    Fatal(StoreError),
}

/// What happened to a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerChange {
    /// It said hello.
    Up,
    /// It told a new height.
    Changed,
    /// It left.
    Down,
}

/// Something a person should know.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Warning {
    /// No new block for much longer than the chain's interval.
    #[error("no new block for {minutes} minutes; the tip may be stale")]
    StaleTip {
        /// For how long.
        minutes: u64,
    },
    /// There is no more room: the node goes on with what it has and writes nothing more.
    #[error("storage is full; nothing more is written")]
    StorageFull,
    /// Part of what was stored was damaged; it is being rebuilt.
    #[error("stored data was damaged and is being rebuilt")]
    Rebuilding,
    /// The state was taken from a snapshot, and a block below it turned out to break a rule: the chain was left, whatever
    /// its work.
    #[error("block {height} breaks a rule; the chain above it was left")]
    FalsePast {
        /// The block's height.
        height: Height,
    },
    /// Most peers' clocks differ from ours.
    #[error("the clock seems to be {seconds} seconds off")]
    Clock {
        /// By how much; positive when ours is behind.
        seconds: i64,
    },
}
