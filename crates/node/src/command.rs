//! What can be asked of a node from its own side, and what it answers.

use tabchain_primitives::{Address, Amount, BlockHash, Height, Output as Payment, Transaction, TxId};
use zeroize::Zeroizing;

use crate::{
    AccountView, BlockSummary, BlockView, Cursor, PeerStatus, ProvenAccount, ProvenBlock, Status,
    TransactionView, WalletState,
};

/// The most rows that one answer holds; a larger limit is cut to it.
pub const MAX_LIST: u32 = 100;

/// A wish. Everything random in it was drawn by whoever gives it.
#[derive(Debug)]
pub enum Command {
    /// How the node is. → [`Reply::Status`]
    Status,
    /// Who it is connected to. → [`Reply::Peers`]
    Peers,
    /// The block with this hash. → [`Reply::Block`]
    Block(BlockHash),
    /// The block of the active chain at this height. → [`Reply::Block`]
    BlockAt(Height),
    /// Blocks of the active chain, newest first. → [`Reply::Blocks`]
    LatestBlocks {
        /// Only those below this height.
        before: Option<Height>,
        /// At most so many, at most [`MAX_LIST`].
        limit: u32,
    },
    /// A transaction, pending or on the active chain. → [`Reply::Transaction`]
    Transaction(TxId),
    /// Transactions that an address sent or received: pending ones first, then newest first. → [`Reply::Transactions`]
    TransactionsOf {
        /// Whose.
        address: Address,
        /// Only confirmed ones before this place.
        before: Option<Cursor>,
        /// At most so many, at most [`MAX_LIST`].
        limit: u32,
    },
    /// What an address holds. → [`Reply::Account`]
    Account(Address),
    /// What an address holds, in a form that a header alone is enough to check. → [`Reply::AccountProof`]
    AccountProof(Address),
    /// That the block at this height is below the tip, in a form that the tip's header alone is enough to check.
    /// → [`Reply::BlockProof`]
    BlockProof(Height),
    /// Pending transactions. → [`Reply::Transactions`]
    Mempool {
        /// At most so many, at most [`MAX_LIST`].
        limit: u32,
    },
    /// Checks a signed transaction, takes it into the memory pool and tells the peers. → [`Reply::Transaction`]
    SendTransaction(Box<Transaction>),
    /// Mines, from now on and until told to stop, for this address. → [`Reply::Done`]
    StartMining {
        /// Who is paid.
        to: Address,
    },
    /// Mines no more. → [`Reply::Done`]
    StopMining,
    /// Writes everything down; the node does nothing more. → [`Reply::Done`], once it is written.
    Close,

    /// Whether there is a wallet, whether it is open, its addresses. → [`Reply::Wallet`]
    WalletState,
    /// Makes a wallet and opens it. → [`Reply::Phrase`], the only time the phrase is said
    WalletCreate {
        /// 16 bytes for a phrase of 12 words, 32 for one of 24.
        entropy: Zeroizing<Vec<u8>>,
        /// What the wallet is locked with.
        passphrase: Zeroizing<String>,
        /// Randomness for its encryption.
        sealing: Sealing,
    },
    /// Makes a wallet from a phrase and opens it. → [`Reply::Wallet`]
    WalletRestore {
        /// 12 or 24 words.
        phrase: Zeroizing<String>,
        /// What the wallet is locked with.
        passphrase: Zeroizing<String>,
        /// Randomness for its encryption.
        sealing: Sealing,
    },
    /// Opens the wallet. → [`Reply::Wallet`]
    WalletUnlock {
        /// What it was locked with.
        passphrase: Zeroizing<String>,
    },
    /// Closes the wallet; secrets leave memory. → [`Reply::Wallet`]
    WalletLock,
    /// Opens one more account of the wallet. → [`Reply::Wallet`]
    WalletAddAccount {
        /// Randomness for its encryption.
        sealing: Sealing,
    },
    /// Pays. → [`Reply::Transaction`], pending
    WalletSend {
        /// Who gets how much, at least one.
        outputs: Vec<Payment>,
        /// A public note, at most 64 bytes.
        memo: String,
        /// What the miner gets; the least that is relayed, if left out.
        fee: Option<Amount>,
        /// For how many blocks the payment may still be taken; a day's worth or so, if left out.
        valid_for: Option<u32>,
        /// Which account pays.
        from: u32,
    },
    /// Notarises data. → [`Reply::Transaction`], pending
    WalletAnchor {
        /// What it belongs to, 1 to 32 bytes.
        topic: String,
        /// The data, at most 256 bytes.
        data: Vec<u8>,
        /// What the miner gets; the least that is relayed, if left out.
        fee: Option<Amount>,
        /// For how many blocks it may still be taken.
        valid_for: Option<u32>,
        /// Which account pays.
        from: u32,
    },
    /// The encrypted wallet, for safe keeping. → [`Reply::Backup`]
    WalletExport,
    /// Takes an encrypted wallet back and opens it. → [`Reply::Wallet`]
    WalletImport {
        /// What [`Command::WalletExport`] gave.
        backup: Vec<u8>,
        /// What it was locked with.
        passphrase: Zeroizing<String>,
    },
    /// Erases the wallet. Only its phrase or a backup brings it back. → [`Reply::Wallet`]
    WalletForget,
}

/// Randomness for encrypting a wallet, drawn anew each time.
#[derive(Clone, Copy, Debug)]
pub struct Sealing {
    /// Keeps equal passphrases from making equal keys.
    pub salt: [u8; 16],
    /// Keeps equal wallets from making equal ciphertexts.
    pub nonce: [u8; 24],
}

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// It is done.
    Done,
    /// How the node is.
    Status(Box<Status>),
    /// Peers that have said hello.
    Peers(Vec<PeerStatus>),
    /// A block, if it is known.
    Block(Option<Box<BlockView>>),
    /// Blocks, newest first.
    Blocks(Vec<BlockSummary>),
    /// A transaction, if it is known.
    Transaction(Option<Box<TransactionView>>),
    /// Transactions, newest first.
    Transactions(Vec<TransactionView>),
    /// An account.
    Account(AccountView),
    /// An account, proven by the tip.
    AccountProof(Box<ProvenAccount>),
    /// A block, proven by the tip. None at the tip itself and above.
    BlockProof(Option<Box<ProvenBlock>>),
    /// The wallet as it is now.
    Wallet(WalletState),
    /// A new wallet's phrase.
    Phrase(Zeroizing<String>),
    /// The encrypted wallet.
    Backup(Vec<u8>),
}
