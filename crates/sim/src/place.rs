//! A place: a disk, a line, a clock, and the node that lives there for a while.

use std::collections::BTreeMap;
use std::sync::Arc;

use tabchain_consensus::ChainSpec;
use tabchain_node::{
    CommandError, CommandId, Event, JobId, Limits, Node, PeerAddress, PeerId, Reason, Reply, Template,
};
use tabchain_primitives::{Address, BlockHash, Timestamp};

use crate::behaviour::Behaviour;
use crate::churn::Churn;
use crate::disk::Disk;
use crate::recording::Recorder;
use crate::rendezvous::Rendezvous;

/// Where a node lives. A place keeps its disk and its peer id when the node in it dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place(pub usize);

/// A place and who lives there.
pub(crate) struct Home {
    pub(crate) spec: Arc<ChainSpec>,
    pub(crate) limits: Limits,
    pub(crate) id: PeerId,
    pub(crate) node: Option<Node>,
    /// Rises with every life of the node; what was meant for an earlier life is dropped.
    pub(crate) life: u64,
    /// When this life began.
    pub(crate) since: Timestamp,
    pub(crate) disk: Disk,
    pub(crate) wake: Option<Timestamp>,
    /// The node hears nothing before.
    pub(crate) busy_until: Timestamp,
    /// When the checker of signatures is free, in microseconds.
    pub(crate) checking_until: u64,
    pub(crate) mining: Option<(JobId, Template)>,
    pub(crate) hash_rate: f64,
    /// How far its clock is ahead, in milliseconds.
    pub(crate) ahead_ms: i64,
    pub(crate) behaviours: Vec<Box<dyn Behaviour>>,
    pub(crate) events: Vec<Event>,
    pub(crate) replies: BTreeMap<CommandId, Result<Reply, CommandError>>,
    pub(crate) dismissed: Vec<(PeerId, Reason)>,
    /// Where the node stood when it last said so.
    pub(crate) tip: Option<BlockHash>,
    pub(crate) recorder: Option<Recorder>,
    pub(crate) churn: Option<Churn>,
    /// Where it looks for others.
    pub(crate) lists: Vec<Rendezvous>,
    /// For whom it mines whenever it is open.
    pub(crate) mines_for: Option<Address>,
}

impl Place {
    /// The name of whoever lives here.
    pub(crate) fn peer_id(self) -> PeerId {
        PeerId::new(format!("node-{}", self.0).as_bytes()).expect("a short name")
    }

    /// Where it is dialled.
    pub(crate) fn address(self) -> PeerAddress {
        PeerAddress::new(format!("/sim/{}", self.0)).expect("a short text")
    }
}

impl Home {
    pub(crate) fn new(place: Place, spec: Arc<ChainSpec>, limits: Limits, hash_rate: f64) -> Self {
        Self {
            spec,
            limits,
            id: place.peer_id(),
            node: None,
            life: 0,
            since: Timestamp::ZERO,
            disk: Disk::default(),
            wake: None,
            busy_until: Timestamp::ZERO,
            checking_until: 0,
            mining: None,
            hash_rate,
            ahead_ms: 0,
            behaviours: Vec::new(),
            events: Vec::new(),
            replies: BTreeMap::new(),
            dismissed: Vec::new(),
            tip: None,
            recorder: None,
            churn: None,
            lists: Vec::new(),
            mines_for: None,
        }
    }

    /// What time it is by its own clock.
    pub(crate) fn clock(&self, now: Timestamp) -> Timestamp {
        Timestamp::from_millis(now.millis().saturating_add_signed(self.ahead_ms))
    }
}
