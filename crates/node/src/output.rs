//! What a node wants done.

use tabchain_consensus::SignatureChecks;
use tabchain_primitives::{HEADER_BYTES, Target, Timestamp};
use tabchain_records::{Batch, Query};
use tabchain_sync::{Message, PeerAddress, PeerId};

use crate::{CommandError, Event, Reason, Reply};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u64);
    };
}

id!(
    /// Names a batch; they rise in the order in which batches must take effect.
    BatchId
);
id!(
    /// Names a question to the store.
    LoadId
);
id!(
    /// Names work given away: checking signatures, or searching a nonce.
    JobId
);
id!(
    /// Names a command; whoever gives it chooses it.
    CommandId
);

/// One thing to do. Outputs are done in the order they come out of [`Node::poll`](crate::Node::poll).
#[derive(Debug)]
pub enum Output {
    /// Send a message to a peer. Messages to one peer keep their order.
    Send(PeerId, Message),
    /// Open a connection; answered by `PeerUp` or `PeerDown`.
    Dial(PeerId, Vec<PeerAddress>),
    /// Close a connection; answered by `PeerDown`.
    Disconnect(PeerId, Reason),
    /// Write a batch; answered by `Committed` or `CommitFailed`. Batches take effect in order.
    Commit(BatchId, Batch),
    /// Ask the store; answered by `Loaded` or `LoadFailed`. Sees every batch given out before it.
    Load(LoadId, Query),
    /// Check signatures; answered by `Verified`.
    Verify(JobId, SignatureChecks),
    /// These signatures need not be checked any more. An answer that comes all the same changes nothing.
    Unverify(JobId),
    /// Search a nonce, in place of any earlier search; answered by `Mined`, as often as one is found.
    Mine(JobId, Template),
    /// Search no more.
    StopMining,
    /// The answer to a command.
    Reply(CommandId, Result<Reply, CommandError>),
    /// Something to tell the person or program that this node serves.
    Event(Event),
    /// Give a [`Tick`](crate::Input::Tick) at this moment; replaces the moment given before.
    WakeAt(Timestamp),
}

/// A header that only lacks its nonce.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// The header's bytes, its last eight (the nonce) zero.
    pub header: [u8; HEADER_BYTES],
    /// What the block hash must not exceed.
    pub target: Target,
}
