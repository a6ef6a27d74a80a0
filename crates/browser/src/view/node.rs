//! The node itself: where it stands, whom it is connected to, how its time goes by.

use js_sys::Date;
use libp2p_identity::PeerId;
use serde::Serialize;
use tabchain_node as node;
use tsify::Tsify;

use super::{Words, date};

#[derive(Serialize, Tsify)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NodeStatus {
    network: String,
    genesis_hash: String,
    height: u32,
    tip_hash: String,
    #[serde(with = "serde_wasm_bindgen::preserve")]
    #[tsify(type = "Date")]
    tip_time: Date,
    best_height: u32,
    sync: SyncState,
    #[serde(flatten)]
    progress: Progress,
    /// The oldest height from which on every block is kept in full; 0 if all are.
    keeps_from: u32,
    peers: u32,
    difficulty: f64,
    network_hash_rate: f64,
    mempool: u32,
    #[tsify(type = "bigint")]
    supply: u64,
    mining: NodeMining,
}

#[derive(Clone, Copy, Serialize, Tsify)]
#[serde(rename_all = "camelCase")]
pub(crate) enum SyncState {
    Starting,
    Alone,
    Connecting,
    Headers,
    Snapshot,
    Blocks,
    Synced,
}

/// How far a node is that joined in the middle.
#[derive(Serialize, Tsify)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Progress {
    #[serde(skip_serializing_if = "Option::is_none")]
    snapshot: Option<SnapshotProgress>,
    #[serde(skip_serializing_if = "Option::is_none")]
    past: Option<PastProgress>,
    sources: u32,
}

#[derive(Serialize, Tsify)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SnapshotProgress {
    height: u32,
    parts: u32,
    of: u32,
}

#[derive(Serialize, Tsify)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PastProgress {
    joined_at: u32,
    checked: u32,
}

/// What the node knows of mining; threads and hash rates are the miner's.
#[derive(Serialize, Tsify)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NodeMining {
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<String>,
    blocks_found: u32,
}

#[derive(Serialize, Tsify)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Peer {
    id: String,
    kind: Kind,
    outbound: bool,
    height: u32,
    agent: String,
    #[serde(with = "serde_wasm_bindgen::preserve")]
    #[tsify(type = "Date")]
    connected_at: Date,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
}

/// How the time of a node went by since it was opened, in milliseconds, and what it got done.
#[derive(Serialize, Tsify)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Workload {
    waiting: f64,
    storing: f64,
    checking: f64,
    translating: f64,
    thinking: f64,
    checking_elsewhere: f64,
    signatures: f64,
    commits: f64,
    changes: f64,
    bytes: f64,
}

#[derive(Clone, Copy, Serialize, Tsify)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Kind {
    Direct,
    Relayed,
    Native,
}

impl Words {
    pub(crate) fn status(self, status: &node::Status) -> NodeStatus {
        NodeStatus {
            network: status.network.clone(),
            genesis_hash: status.genesis.to_string(),
            height: status.height.value(),
            tip_hash: status.tip.to_string(),
            tip_time: date(status.tip_time),
            best_height: status.best_height.value(),
            sync: status.sync.into(),
            progress: status.progress.into(),
            keeps_from: status.keeps_from.value(),
            peers: status.peers,
            difficulty: status.difficulty,
            network_hash_rate: status.network_hash_rate,
            mempool: status.mempool,
            supply: status.supply.units(),
            mining: self.mining(&status.mining),
        }
    }

    pub(crate) fn mining(self, mining: &node::MiningStatus) -> NodeMining {
        NodeMining { to: mining.to.map(|to| self.address(&to)), blocks_found: mining.blocks_found }
    }
}

impl From<tabchain_driver::Workload> for Workload {
    #[expect(clippy::cast_precision_loss, reason = "counts to look at")]
    fn from(spent: tabchain_driver::Workload) -> Self {
        let millis = |time: std::time::Duration| 1e3 * time.as_secs_f64();
        Self {
            waiting: millis(spent.waiting),
            storing: millis(spent.storing),
            checking: millis(spent.checking),
            translating: millis(spent.translating),
            thinking: millis(spent.thinking),
            checking_elsewhere: millis(spent.checking_elsewhere),
            signatures: spent.signatures as f64,
            commits: spent.commits as f64,
            changes: spent.changes as f64,
            bytes: spent.bytes as f64,
        }
    }
}

impl From<&node::PeerStatus> for Peer {
    fn from(peer: &node::PeerStatus) -> Self {
        Self {
            id: peer_text(&peer.id),
            kind: peer.kind.into(),
            outbound: peer.outbound,
            height: peer.height.value(),
            agent: peer.agent.clone(),
            connected_at: date(peer.connected_at),
            address: peer.address.as_ref().map(ToString::to_string),
        }
    }
}

impl From<node::SyncState> for SyncState {
    fn from(state: node::SyncState) -> Self {
        match state {
            node::SyncState::Starting => Self::Starting,
            node::SyncState::Alone => Self::Alone,
            node::SyncState::Connecting => Self::Connecting,
            node::SyncState::Headers => Self::Headers,
            node::SyncState::Snapshot => Self::Snapshot,
            node::SyncState::Blocks => Self::Blocks,
            node::SyncState::Synced => Self::Synced,
        }
    }
}

impl From<node::Progress> for Progress {
    fn from(progress: node::Progress) -> Self {
        let snapshot = |snapshot: node::SnapshotProgress| SnapshotProgress {
            height: snapshot.height.value(),
            parts: snapshot.parts,
            of: snapshot.of,
        };
        let past = |past: node::PastProgress| PastProgress {
            joined_at: past.joined_at.value(),
            checked: past.checked.value(),
        };
        Self {
            snapshot: progress.snapshot.map(snapshot),
            past: progress.past.map(past),
            sources: progress.sources,
        }
    }
}

impl From<node::ConnectionKind> for Kind {
    fn from(kind: node::ConnectionKind) -> Self {
        match kind {
            node::ConnectionKind::Direct => Self::Direct,
            node::ConnectionKind::Relayed => Self::Relayed,
            node::ConnectionKind::Native => Self::Native,
        }
    }
}

/// A peer id as libp2p writes it. Ids come from libp2p; one that does not, as a test's may, is written in hex.
fn peer_text(peer: &node::PeerId) -> String {
    PeerId::from_bytes(peer.as_bytes()).map_or_else(|_| hex::encode(peer.as_bytes()), PeerId::to_base58)
}
