//! What a node shows: plain facts, gathered when asked.

use tabchain_chain::{AccountProof, HistoryProof};
use tabchain_primitives::{
    AccountNonce, Address, Amount, BlockHash, CompactTarget, Header, Height, Timestamp, Transaction, TxId,
};
use tabchain_sync::{ConnectionKind, PeerAddress, PeerId};

/// How the node is doing.
#[derive(Clone, Debug, PartialEq)]
pub struct Status {
    /// The chain spec's name.
    pub network: String,
    /// The genesis.
    pub genesis: BlockHash,
    /// Height of the tip.
    pub height: Height,
    /// The tip.
    pub tip: BlockHash,
    /// When the tip's miner says it was made.
    pub tip_time: Timestamp,
    /// Height of the best header, which a node that is behind works towards.
    pub best_height: Height,
    /// What it is busy with.
    pub sync: SyncState,
    /// How far it is with what it took from others without having checked it all.
    pub progress: Progress,
    /// The oldest height from which on every body is kept; the genesis if all are.
    pub keeps_from: Height,
    /// Peers that have said hello.
    pub peers: u32,
    /// Target of the tip.
    pub target: CompactTarget,
    /// How many times harder the tip was to find than the easiest block of this chain.
    pub difficulty: f64,
    /// Hashes a second of all miners, estimated from the last blocks.
    pub network_hash_rate: f64,
    /// Pending transactions.
    pub mempool: u32,
    /// All balances together.
    pub supply: Amount,
    /// What is being mined.
    pub mining: MiningStatus,
}

/// What a node is busy with, as a person would say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SyncState {
    /// Reading its own store.
    Starting,
    /// Nobody to talk to, and nobody being dialled.
    Alone,
    /// Dialling, or waiting for the first hello.
    Connecting,
    /// Fetching headers.
    Headers,
    /// Fetching the accounts at a block that is deep enough.
    Snapshot,
    /// Fetching and checking blocks.
    Blocks,
    /// At the tip of the best chain it knows.
    Synced,
}

/// How far a node is that joined in the middle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// The snapshot that is being fetched.
    pub snapshot: Option<SnapshotProgress>,
    /// The past that is being checked. The node is of use meanwhile.
    pub past: Option<PastProgress>,
    /// Peers that are being asked for bodies or for parts of a snapshot.
    pub sources: u32,
}

/// A snapshot that is being fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnapshotProgress {
    /// The height of its block.
    pub height: Height,
    /// Parts that have come, each checked by itself against the block's state root.
    pub parts: u32,
    /// Parts there are.
    pub of: u32,
}

/// A past that is being checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PastProgress {
    /// The block whose accounts were taken from others, and checked against its header.
    pub joined_at: Height,
    /// Every block up to and with this height was checked here.
    pub checked: Height,
}

/// Whether the node mines. Threads and hash rates are the miner's to tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MiningStatus {
    /// For whom, if it does.
    pub to: Option<Address>,
    /// Blocks it found since it was opened.
    pub blocks_found: u32,
}

/// A peer that has said hello.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerStatus {
    /// Who.
    pub id: PeerId,
    /// By what path.
    pub kind: ConnectionKind,
    /// Whether we dialled.
    pub outbound: bool,
    /// The newest block that it told of. What it heard from us first it need not tell (N3), so one that follows us may be higher.
    pub height: Height,
    /// What it calls its software. Written by a stranger.
    pub agent: String,
    /// Since when.
    pub connected_at: Timestamp,
    /// At what address.
    pub address: Option<PeerAddress>,
}

/// A block in a line.
#[derive(Clone, Debug, PartialEq)]
pub struct BlockSummary {
    /// Its hash.
    pub hash: BlockHash,
    /// Its header.
    pub header: Header,
    /// Its bytes, header included.
    pub size: u32,
    /// New supply that its miner gets once it is mature.
    pub reward: Amount,
    /// All fees in it, which its miner got at once.
    pub fees: Amount,
    /// How many times harder it was to find than the easiest block of this chain.
    pub difficulty: f64,
}

/// A block in full.
#[derive(Clone, Debug, PartialEq)]
pub struct BlockView {
    /// What fits a line.
    pub summary: BlockSummary,
    /// Blocks on the active chain from it to the tip, itself included; zero when it is not on it.
    pub confirmations: u32,
    /// Its transactions.
    pub transactions: Vec<TransactionView>,
}

/// A transaction and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionView {
    /// Its id.
    pub id: TxId,
    /// Who pays.
    pub sender: Address,
    /// The transaction.
    pub transaction: Transaction,
    /// Where it stands.
    pub status: TransactionStatus,
    /// The time of its block; for a pending one when it was first seen, if that is known.
    pub time: Option<Timestamp>,
}

/// Where a transaction stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionStatus {
    /// In the memory pool.
    Pending,
    /// In a block.
    Confirmed {
        /// The block.
        block: BlockHash,
        /// Its height.
        height: Height,
        /// The transaction's place in it.
        position: u32,
        /// Blocks on the active chain from that one to the tip; zero when it is not on it.
        confirmations: u32,
    },
    /// Gone from the memory pool without having been confirmed: expired, replaced, or pushed out.
    Dropped,
}

/// A place in the history of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    /// Height of the block.
    pub height: Height,
    /// Place in the block.
    pub position: u32,
}

/// What an address holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountView {
    /// Whose.
    pub address: Address,
    /// Confirmed balance.
    pub balance: Amount,
    /// The nonce of its next transaction, pending ones left aside.
    pub nonce: AccountNonce,
    /// What its pending transactions pay, fees included.
    pub pending_out: Amount,
    /// What pending transactions pay it.
    pub pending_in: Amount,
    /// Block rewards it will get.
    pub maturing: Amount,
}

/// The wallet as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WalletState {
    /// Whether there is one.
    pub exists: bool,
    /// Whether it is open.
    pub unlocked: bool,
    /// Its accounts.
    pub accounts: Vec<WalletAccount>,
}

/// An account of the wallet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WalletAccount {
    /// Its place in the wallet, from 0.
    pub index: u32,
    /// Its address.
    pub address: Address,
}

impl TransactionView {
    /// A transaction that waits for a block.
    pub fn pending(transaction: &Transaction) -> Self {
        Self {
            id: transaction.id(),
            sender: Address::of(transaction.sender()),
            transaction: transaction.clone(),
            status: TransactionStatus::Pending,
            time: None,
        }
    }
}

/// What an account holds, proven by a header: whoever trusts the header needs nothing else.
#[derive(Clone, Debug, PartialEq)]
pub struct ProvenAccount {
    /// The tip.
    pub header: Header,
    /// From the header's state root to the account, or to where it would be.
    pub proof: AccountProof,
}

/// A block, proven by a later header.
#[derive(Clone, Debug, PartialEq)]
pub struct ProvenBlock {
    /// The tip.
    pub header: Header,
    /// The block.
    pub block: BlockHash,
    /// From the header's history root to the block.
    pub proof: HistoryProof,
}
