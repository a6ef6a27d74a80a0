//! Why a header, a block, a step back or a restored chain was refused.

use tabchain_consensus::{HeaderError, TransactionError};
use tabchain_primitives::{AccountNonce, Amount, BlockHash, DecodeError, HistoryRoot, StateRoot, Timestamp};

/// Why a header was not taken in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InsertError {
    /// Its parent is not here. It may be good: ask for what lies between.
    #[error("the parent {0} is not known")]
    UnknownParent(BlockHash),
    /// Rule B4: its time is further ahead than the limit allows. It may be good later.
    #[error("the block's time is too far ahead; it may come at {at}")]
    TooEarly {
        /// When it can be offered again.
        at: Timestamp,
    },
    /// It, or one of its ancestors, was found invalid before.
    #[error("block {0} was found invalid before")]
    KnownInvalid(BlockHash),
    /// It makes no better chain, and the side branches are full of more work or it leaves too far below the end.
    #[error("this header has too little work to be kept")]
    LowWork,
    /// It breaks a rule.
    #[error(transparent)]
    Rule(HeaderError),
}

/// Why a block does not connect to the tip.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// It is no child of the tip, or its header was never taken in. Nothing is held against it.
    #[error("block {0} does not follow the tip")]
    NotNext(BlockHash),
    /// It, or one of its ancestors, was found invalid before.
    #[error("block {0} was found invalid before")]
    KnownInvalid(BlockHash),
    /// A transaction breaks one of the rules T6 to T8.
    #[error("transaction {index}: {error}")]
    Transaction {
        /// Its place in the block.
        index: usize,
        /// The rule.
        error: TransactionError,
    },
    /// Rule B11.
    #[error("the state after the block has root {computed}, not {claimed}")]
    StateRoot {
        /// What follows from its transactions.
        computed: StateRoot,
        /// What its header says.
        claimed: StateRoot,
    },
    /// Rule B12.
    #[error("the history below the block has root {computed}, not {claimed}")]
    HistoryRoot {
        /// What follows from its ancestors.
        computed: HistoryRoot,
        /// What its header says.
        claimed: HistoryRoot,
    },
    /// There is no height after the tip's.
    #[error("the chain has reached the last height")]
    LastHeight,
}

impl ConnectError {
    /// Whether the block itself is to blame, and so was marked invalid.
    pub const fn is_rule(&self) -> bool {
        !matches!(self, Self::NotNext(_) | Self::LastHeight)
    }

    /// The name in `docs/protocol.md` of the rule that was broken, if one was.
    pub const fn rule(&self) -> Option<&'static str> {
        match self {
            Self::Transaction { error, .. } => Some(error.rule()),
            Self::StateRoot { .. } => Some("B11"),
            Self::HistoryRoot { .. } => Some("B12"),
            Self::NotNext(_) | Self::KnownInvalid(_) | Self::LastHeight => None,
        }
    }
}

/// Why the tip was not taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DisconnectError {
    /// The undo record is not the tip's.
    #[error("the undo record of block {0} is not the tip's")]
    NotTip(BlockHash),
    /// The genesis stays.
    #[error("the genesis can't be taken back")]
    Genesis,
    /// The undo record does not lead to the state before the block: it was damaged.
    #[error("the undo record of block {0} is damaged")]
    Damaged(BlockHash),
}

/// Why a stored chain can't be opened. What is stored is damaged, or belongs to another chain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RestoreError {
    /// A state chunk can't be read.
    #[error("state chunk {prefix} can't be read: {cause}")]
    BrokenChunk {
        /// The first byte of its keys.
        prefix: u8,
        /// What is wrong with its bytes.
        cause: DecodeError,
    },
    /// A state chunk holds an account that belongs elsewhere or comes out of order.
    #[error("state chunk {0} holds an account in the wrong place")]
    MisplacedAccount(u8),
    /// An account has sent more transactions than there can be.
    #[error("an account has sent {nonce} transactions, more than there can be")]
    ImpossibleNonce {
        /// Its nonce.
        nonce: AccountNonce,
    },
    /// The accounts own more or less than was allocated and rewarded up to the checkpoint.
    #[error("the stored accounts do not own together the {expected} that there are")]
    Supply {
        /// What they should own.
        expected: Amount,
    },
    /// The checkpoint's header was not given, or not all that lies below it.
    #[error("the header of checkpoint {0} is missing")]
    MissingCheckpoint(BlockHash),
    /// The accounts are not those of the checkpoint.
    #[error("the stored state has root {computed}, the checkpoint {claimed}")]
    StateRoot {
        /// What follows from the stored accounts.
        computed: StateRoot,
        /// What the checkpoint's header says.
        claimed: StateRoot,
    },
    /// The headers below the checkpoint are not those it commits to.
    #[error("the stored headers are not those the checkpoint commits to")]
    HistoryRoot,
}
