//! What the page is told without asking.

use serde::Serialize;
use tabchain_consensus::CheckOrder;
use tabchain_driver::{DriverEvent, Ended, MiningOrder};
use tabchain_node::{Event, PeerChange, Warning};
use tabchain_primitives::codec::Encode;
use tsify::Tsify;

use crate::error::{EdgeError, Failure};
use crate::view::{NodeMining, Peer, Progress, SyncState, Transaction, WalletState, Words};

/// Something that happened in the node, or that the node wants of the page.
#[derive(Serialize, Tsify)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub(crate) enum News {
    Ready,
    Head {
        hash: String,
        height: u32,
        adopted: Vec<String>,
        reverted: Vec<String>,
    },
    Sync {
        state: SyncState,
        height: u32,
        best_height: u32,
        #[serde(flatten)]
        progress: Progress,
        peers: u32,
    },
    Peer {
        change: Change,
        peer: Peer,
    },
    Transaction {
        transaction: Transaction,
    },
    Mining {
        mining: NodeMining,
    },
    Wallet {
        wallet: WalletState,
    },
    Warning {
        code: WarningCode,
        message: String,
    },
    /// A relay keeps a place for us, or no longer does.
    Relay {
        address: String,
        connected: bool,
    },
    /// Where others can reach this node now.
    Listening {
        addresses: Vec<String>,
    },
    /// Search a nonce for this header, and for nothing else any more.
    Mine {
        #[tsify(type = "bigint")]
        job: u64,
        #[serde(with = "serde_bytes")]
        #[tsify(type = "Uint8Array")]
        header: Vec<u8>,
        #[serde(with = "serde_bytes")]
        #[tsify(type = "Uint8Array")]
        target: Vec<u8>,
    },
    /// Search no more.
    Rest,
    /// Have these signatures checked.
    Check {
        #[tsify(type = "bigint")]
        number: u64,
        #[serde(with = "serde_bytes")]
        #[tsify(type = "Uint8Array<ArrayBuffer>")]
        order: Vec<u8>,
    },
    /// The node has ended; with an error when it was not asked to.
    Ended {
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<Failure>,
    },
}

#[derive(Serialize, Tsify)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Change {
    Up,
    Changed,
    Down,
}

#[derive(Serialize, Tsify)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum WarningCode {
    StaleTip,
    StorageFull,
    Rebuilding,
    Clock,
    FalsePast,
}

impl Words {
    pub(crate) fn news(self, event: &DriverEvent) -> News {
        match event {
            DriverEvent::Node(event) => self.node_news(event),
            DriverEvent::Relay { address, connected } => {
                News::Relay { address: address.to_string(), connected: *connected }
            }
            DriverEvent::Listening(addresses) => News::Listening { addresses: texts(addresses) },
        }
    }

    fn node_news(self, event: &Event) -> News {
        match event {
            Event::Ready => News::Ready,
            Event::Head { hash, height, adopted, reverted } => News::Head {
                hash: hash.to_string(),
                height: height.value(),
                adopted: texts(adopted),
                reverted: texts(reverted),
            },
            Event::Sync { state, height, best_height, progress, peers } => News::Sync {
                state: (*state).into(),
                height: height.value(),
                best_height: best_height.value(),
                progress: (*progress).into(),
                peers: *peers,
            },
            Event::Peer(change, peer) => News::Peer { change: (*change).into(), peer: peer.into() },
            Event::Transaction(view) => News::Transaction { transaction: self.transaction(view) },
            Event::Mining(mining) => News::Mining { mining: self.mining(mining) },
            Event::Wallet(wallet) => News::Wallet { wallet: self.wallet(wallet) },
            Event::Warning(warning) => News::Warning { code: warning.into(), message: warning.to_string() },
            Event::Fatal(error) => News::Ended { error: Some(EdgeError::from(error.clone()).into()) },
        }
    }
}

impl From<MiningOrder> for News {
    fn from(order: MiningOrder) -> Self {
        match order {
            MiningOrder::Mine(job, template) => Self::Mine {
                job: job.0,
                header: template.header.to_vec(),
                target: template.target.to_be_bytes().to_vec(),
            },
            MiningOrder::Stop => Self::Rest,
        }
    }
}

impl From<(u64, CheckOrder)> for News {
    fn from((number, order): (u64, CheckOrder)) -> Self {
        Self::Check { number, order: order.to_bytes() }
    }
}

impl From<Ended> for News {
    fn from(ended: Ended) -> Self {
        let error = match ended {
            Ended::Closed => None,
            Ended::Fatal(error) => Some(EdgeError::from(error).into()),
        };
        Self::Ended { error }
    }
}

impl From<PeerChange> for Change {
    fn from(change: PeerChange) -> Self {
        match change {
            PeerChange::Up => Self::Up,
            PeerChange::Changed => Self::Changed,
            PeerChange::Down => Self::Down,
        }
    }
}

impl From<&Warning> for WarningCode {
    fn from(warning: &Warning) -> Self {
        match warning {
            Warning::StaleTip { .. } => Self::StaleTip,
            Warning::StorageFull => Self::StorageFull,
            Warning::Rebuilding => Self::Rebuilding,
            Warning::FalsePast { .. } => Self::FalsePast,
            Warning::Clock { .. } => Self::Clock,
        }
    }
}

fn texts(items: &[impl ToString]) -> Vec<String> {
    items.iter().map(ToString::to_string).collect()
}
