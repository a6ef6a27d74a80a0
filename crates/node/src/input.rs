//! What happens to a node.

use tabchain_consensus::Verdict;
use tabchain_records::{Rows, StoreError};
use tabchain_sync::{Message, PeerAddress, PeerId, PeerInfo};

use crate::{BatchId, Command, CommandId, JobId, LoadId};

/// One thing that happened. The node takes one at a time, with the moment it happened.
#[derive(Debug)]
pub enum Input {
    /// Time passed; due when the last [`Output::WakeAt`](crate::Output::WakeAt) says, and harmless at any other moment.
    Tick,
    /// A connection to a peer is open and carries messages. A second one to the same peer replaces the first.
    PeerUp(PeerId, PeerInfo),
    /// The connection is gone, or a dial came to nothing.
    PeerDown(PeerId),
    /// A peer that could be dialled was found (at a relay, by an invite, among the remembered).
    Discovered(PeerId, Vec<PeerAddress>),
    /// The machine was asleep, or is in another network: peers that could not be reached may be now.
    Woke,
    /// A message arrived.
    Message(PeerId, Message),
    /// The person or program that this node serves wants something.
    Command(CommandId, Command),
    /// The store answered a question.
    Loaded(LoadId, Rows),
    /// The store could not answer.
    LoadFailed(LoadId, StoreError),
    /// A batch is in the store.
    Committed(BatchId),
    /// A batch is not in the store, nothing of it.
    CommitFailed(BatchId, StoreError),
    /// Signatures were checked.
    Verified(JobId, Verdict),
    /// A nonce was found that may solve the template of this job.
    Mined(JobId, u64),
}
