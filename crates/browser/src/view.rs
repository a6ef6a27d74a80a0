//! What the page sees of the ledger: plain objects, written in the words of one chain.

use js_sys::Date;
use libp2p_identity::PeerId;
use serde::Serialize;
use tabchain_node as node;
use tabchain_primitives::{self as primitives, Address, AddressPrefix, Timestamp};
use tsify::Tsify;

/// Puts things into the words of a chain: addresses begin with its prefix.
#[derive(Clone, Copy)]
pub(crate) struct Words {
    pub(crate) prefix: AddressPrefix,
}

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

#[derive(Serialize, Tsify)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BlockSummary {
    hash: String,
    height: u32,
    #[serde(with = "serde_wasm_bindgen::preserve")]
    #[tsify(type = "Date")]
    time: Date,
    miner: String,
    transactions: u32,
    size: u32,
    #[tsify(type = "bigint")]
    reward: u64,
    #[tsify(type = "bigint")]
    fees: u64,
    difficulty: f64,
}

#[derive(Serialize, Tsify)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Block {
    #[serde(flatten)]
    summary: BlockSummary,
    parent: String,
    version: u32,
    #[tsify(type = "bigint")]
    nonce: u64,
    target: String,
    tx_root: String,
    state_root: String,
    history_root: String,
    confirmations: u32,
    transaction_list: Vec<Transaction>,
}

#[derive(Serialize, Tsify)]
#[tsify(type = "TransactionFacts & Action")]
pub(crate) struct Transaction {
    #[serde(flatten)]
    facts: TransactionFacts,
    #[serde(flatten)]
    action: Action,
}

#[derive(Serialize, Tsify)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TransactionFacts {
    id: String,
    sender: String,
    #[tsify(type = "bigint")]
    nonce: u64,
    #[tsify(type = "bigint")]
    fee: u64,
    valid_until: u32,
    size: u32,
    #[serde(with = "optional_date", skip_serializing_if = "Option::is_none")]
    #[tsify(type = "Date", optional)]
    time: Option<Date>,
    status: TransactionStatus,
}

#[derive(Serialize, Tsify)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub(crate) enum Action {
    Transfer {
        outputs: Vec<Output>,
        memo: String,
    },
    Anchor {
        topic: String,
        #[serde(with = "serde_bytes")]
        #[tsify(type = "Uint8Array<ArrayBuffer>")]
        data: Vec<u8>,
    },
}

#[derive(Serialize, Tsify)]
pub(crate) struct Output {
    to: String,
    #[tsify(type = "bigint")]
    amount: u64,
}

#[derive(Serialize, Tsify)]
#[serde(tag = "state", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub(crate) enum TransactionStatus {
    Pending,
    Confirmed { block_hash: String, height: u32, confirmations: u32, position: u32 },
    Dropped,
}

#[derive(Serialize, Tsify)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Account {
    address: String,
    #[tsify(type = "bigint")]
    balance: u64,
    #[tsify(type = "bigint")]
    nonce: u64,
    #[tsify(type = "bigint")]
    pending_out: u64,
    #[tsify(type = "bigint")]
    pending_in: u64,
    #[tsify(type = "bigint")]
    maturing: u64,
}

#[derive(Serialize, Tsify)]
pub(crate) struct WalletState {
    exists: bool,
    unlocked: bool,
    accounts: Vec<WalletAccount>,
}

#[derive(Serialize, Tsify)]
pub(crate) struct WalletAccount {
    index: u32,
    address: String,
}

impl Words {
    pub(crate) fn address(self, address: &Address) -> String {
        address.to_bech32(self.prefix)
    }

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

    pub(crate) fn summary(self, block: &node::BlockSummary) -> BlockSummary {
        let header = &block.header;
        BlockSummary {
            hash: block.hash.to_string(),
            height: header.height().value(),
            time: date(header.time()),
            miner: self.address(&header.miner()),
            transactions: header.tx_count(),
            size: block.size,
            reward: block.reward.units(),
            fees: block.fees.units(),
            difficulty: block.difficulty,
        }
    }

    pub(crate) fn block(self, block: &node::BlockView) -> Block {
        let header = block.summary.header.fields();
        Block {
            summary: self.summary(&block.summary),
            parent: header.parent.to_string(),
            version: header.version,
            nonce: header.nonce,
            target: header
                .target
                .expand()
                .map(|target| hex::encode(target.to_be_bytes()))
                .unwrap_or_default(),
            tx_root: header.tx_root.to_string(),
            state_root: header.state_root.to_string(),
            history_root: header.history_root.to_string(),
            confirmations: block.confirmations,
            transaction_list: block
                .transactions
                .iter()
                .map(|transaction| self.transaction(transaction))
                .collect(),
        }
    }

    pub(crate) fn transaction(self, view: &node::TransactionView) -> Transaction {
        let transaction = &view.transaction;
        let facts = TransactionFacts {
            id: view.id.to_string(),
            sender: self.address(&view.sender),
            nonce: transaction.nonce().value(),
            fee: transaction.fee().units(),
            valid_until: transaction.valid_until().value(),
            size: u32::try_from(transaction.size()).expect("a transaction fits a block"),
            time: view.time.map(date),
            status: view.status.into(),
        };
        Transaction { facts, action: self.action(transaction.action()) }
    }

    fn action(self, action: &primitives::Action) -> Action {
        match action {
            primitives::Action::Transfer(transfer) => {
                let output = |output: &primitives::Output| Output {
                    to: self.address(output.to()),
                    amount: output.amount().units(),
                };
                Action::Transfer {
                    outputs: transfer.outputs().iter().map(output).collect(),
                    memo: transfer.memo().to_owned(),
                }
            }
            primitives::Action::Anchor(anchor) => {
                Action::Anchor { topic: anchor.topic().to_owned(), data: anchor.data().to_vec() }
            }
        }
    }

    pub(crate) fn account(self, account: &node::AccountView) -> Account {
        Account {
            address: self.address(&account.address),
            balance: account.balance.units(),
            nonce: account.nonce.value(),
            pending_out: account.pending_out.units(),
            pending_in: account.pending_in.units(),
            maturing: account.maturing.units(),
        }
    }

    pub(crate) fn wallet(self, wallet: &node::WalletState) -> WalletState {
        let account = |account: &node::WalletAccount| WalletAccount {
            index: account.index,
            address: self.address(&account.address),
        };
        WalletState {
            exists: wallet.exists,
            unlocked: wallet.unlocked,
            accounts: wallet.accounts.iter().map(account).collect(),
        }
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

impl From<node::TransactionStatus> for TransactionStatus {
    fn from(status: node::TransactionStatus) -> Self {
        match status {
            node::TransactionStatus::Pending => Self::Pending,
            node::TransactionStatus::Confirmed { block, height, position, confirmations } => {
                Self::Confirmed {
                    block_hash: block.to_string(),
                    height: height.value(),
                    confirmations,
                    position,
                }
            }
            node::TransactionStatus::Dropped => Self::Dropped,
        }
    }
}

/// A peer id as libp2p writes it. Ids come from libp2p; one that does not, as a test's may, is written in hex.
pub(crate) fn peer_text(peer: &node::PeerId) -> String {
    PeerId::from_bytes(peer.as_bytes()).map_or_else(|_| hex::encode(peer.as_bytes()), PeerId::to_base58)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a Date holds 8.64e15 ms at most, and shows more as an invalid date"
)]
fn date(time: Timestamp) -> Date {
    Date::new(&(time.millis() as f64).into())
}

mod optional_date {
    use js_sys::Date;
    use serde::{Serialize, Serializer};

    struct Preserved<'a>(&'a Date);

    impl Serialize for Preserved<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serde_wasm_bindgen::preserve::serialize(self.0, serializer)
        }
    }

    #[expect(clippy::ref_option, reason = "serde calls it with the field")]
    pub(super) fn serialize<S: Serializer>(date: &Option<Date>, serializer: S) -> Result<S::Ok, S::Error> {
        date.as_ref().map(Preserved).serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use js_sys::{BigInt, Reflect, Uint8Array};
    use tabchain_primitives::{
        AccountNonce, Amount, Anchor, Height, PublicKey, Signature, TxId, UnsignedTransaction,
    };
    use wasm_bindgen::{JsCast, JsValue};
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;
    use crate::error::to_js;

    fn get(object: &JsValue, name: &str) -> JsValue {
        Reflect::get(object, &name.into()).expect("an object")
    }

    #[wasm_bindgen_test]
    fn a_transaction_is_a_flat_object_of_bigints_dates_and_bytes() {
        let anchor = Anchor::new("notes", vec![1, 2, 3]).expect("short");
        let fee = Amount::from_units(150).expect("small");
        let unsigned = UnsignedTransaction::new(
            PublicKey::ZERO,
            AccountNonce::new(u64::MAX),
            Height::new(7),
            fee,
            primitives::Action::Anchor(anchor),
        );
        let transaction = unsigned.expect("well-formed").with_signature(Signature::ZERO);
        let view = node::TransactionView {
            id: TxId::ZERO,
            sender: Address::ZERO,
            transaction,
            status: node::TransactionStatus::Pending,
            time: Some(Timestamp::from_millis(1_500)),
        };
        let words = Words { prefix: "dtab".parse().expect("letters") };
        let object = to_js(&words.transaction(&view));
        assert_eq!(get(&object, "kind"), "anchor");
        assert_eq!(get(&get(&object, "status"), "state"), "pending");
        assert_eq!(get(&object, "nonce"), JsValue::from(BigInt::from(u64::MAX)));
        assert_eq!(get(&object, "fee"), JsValue::from(BigInt::from(150)));
        assert_eq!(get(&object, "validUntil"), 7);
        assert_eq!(get(&object, "time").dyn_into::<Date>().map(|date| date.get_time()), Ok(1_500.0));
        assert_eq!(
            get(&object, "data").dyn_into::<Uint8Array>().map(|bytes| bytes.to_vec()),
            Ok(vec![1, 2, 3])
        );
        assert!(get(&object, "sender").as_string().is_some_and(|sender| sender.starts_with("dtab1")));
    }
}
