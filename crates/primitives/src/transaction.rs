//! Transactions: what an account asks the ledger to do (section 3 of `docs/protocol.md`).
//!
//! The shape rules hold by construction: a version (T1) and an action (T2) that are known, amounts and their sum in
//! range (T3), no empty output (T4), lists and texts within their bounds. Who may do it is decided above.

use crate::{
    address::Address,
    amount::Amount,
    codec::{Decode, DecodeError, Encode, Reader, write_bytes, write_list},
    hash::{BlockHash, PublicKey, Signature, SigningDigest, TxId, WitnessHash},
    quantity::{AccountNonce, Height},
    tagged::Tag,
};

/// The version of every transaction (rule T1).
pub const TRANSACTION_VERSION: u8 = 1;
/// The most outputs of a transfer.
pub const MAX_OUTPUTS: usize = 256;
/// The longest memo, in bytes.
pub const MAX_MEMO_BYTES: usize = 64;
/// The longest topic, in bytes.
pub const MAX_TOPIC_BYTES: usize = 32;
/// The most anchored data, in bytes.
pub const MAX_DATA_BYTES: usize = 256;

/// Why parts don't make a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// An output pays nothing (rule T4).
    #[error("an output pays nothing")]
    ZeroOutput,
    /// Fee and outputs together are above the maximum of an amount (rule T3).
    #[error("fee and outputs together are more than an amount can be")]
    TotalTooLarge,
    /// A transfer has 1 to [`MAX_OUTPUTS`] outputs.
    #[error("a transfer has 1 to {MAX_OUTPUTS} outputs, not {0}")]
    OutputCount(usize),
    /// A memo has at most [`MAX_MEMO_BYTES`].
    #[error("a memo has at most {MAX_MEMO_BYTES} bytes, not {0}")]
    MemoLength(usize),
    /// A topic has 1 to [`MAX_TOPIC_BYTES`].
    #[error("a topic has 1 to {MAX_TOPIC_BYTES} bytes, not {0}")]
    TopicLength(usize),
    /// Anchored data has at most [`MAX_DATA_BYTES`].
    #[error("anchored data has at most {MAX_DATA_BYTES} bytes, not {0}")]
    DataLength(usize),
}

/// A signed transaction. Whether the signature is good is rule T5's question, not the type's.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Transaction {
    unsigned: UnsignedTransaction,
    signature: Signature,
}

/// Everything about a transaction but its signature.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UnsignedTransaction {
    sender: PublicKey,
    nonce: AccountNonce,
    valid_until: Height,
    fee: Amount,
    action: Action,
}

/// What a transaction does.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Pays.
    Transfer(Transfer),
    /// Writes a little data into the ledger.
    Anchor(Anchor),
}

/// Pays one or more addresses, with a word about it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Transfer {
    outputs: Vec<Output>,
    memo: String,
}

/// One payment of a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Output {
    to: Address,
    amount: Amount,
}

/// Data under a topic: a content id, a hash, a note.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Anchor {
    topic: String,
    data: Vec<u8>,
}

impl Transaction {
    /// What most have, in bytes, and a little more: room for so much is rarely too little.
    pub const USUAL_BYTES: usize = 256;

    /// A transaction with its signature.
    pub const fn new(unsigned: UnsignedTransaction, signature: Signature) -> Self {
        Self { unsigned, signature }
    }

    /// What was signed.
    pub const fn unsigned(&self) -> &UnsignedTransaction {
        &self.unsigned
    }

    /// The signature.
    pub const fn signature(&self) -> &Signature {
        &self.signature
    }

    /// Its id: the same with any signature. Computed anew at every call.
    pub fn id(&self) -> TxId {
        self.unsigned.id()
    }

    /// The hash a block commits to: the signature is part of it. Computed anew at every call.
    pub fn witness_hash(&self) -> WitnessHash {
        WitnessHash::from_bytes(Tag::Wtx.hash(&[&self.to_bytes()]))
    }

    /// Its size in bytes. Computed anew at every call.
    pub fn size(&self) -> usize {
        self.to_bytes().len()
    }

    /// The sender's public key.
    pub const fn sender(&self) -> &PublicKey {
        self.unsigned.sender()
    }

    /// How many transactions the sender sent before.
    pub const fn nonce(&self) -> AccountNonce {
        self.unsigned.nonce()
    }

    /// The last height that may contain it (rule T6).
    pub const fn valid_until(&self) -> Height {
        self.unsigned.valid_until()
    }

    /// What the miner gets.
    pub const fn fee(&self) -> Amount {
        self.unsigned.fee()
    }

    /// What it does.
    pub const fn action(&self) -> &Action {
        self.unsigned.action()
    }

    /// All that leaves the sender's account: fee and outputs.
    pub fn total(&self) -> Amount {
        self.unsigned.total()
    }
}

impl UnsignedTransaction {
    /// A transaction to be signed, if fee and outputs together are an amount (rule T3).
    pub fn new(
        sender: PublicKey,
        nonce: AccountNonce,
        valid_until: Height,
        fee: Amount,
        action: Action,
    ) -> Result<Self, Malformed> {
        sum(fee, action.outputs()).ok_or(Malformed::TotalTooLarge)?;
        Ok(Self { sender, nonce, valid_until, fee, action })
    }

    /// Puts the signature to it.
    pub const fn with_signature(self, signature: Signature) -> Transaction {
        Transaction::new(self, signature)
    }

    /// Its id. Computed anew at every call.
    pub fn id(&self) -> TxId {
        TxId::from_bytes(Tag::Tx.hash(&[&self.to_bytes()]))
    }

    /// What the sender signs to make it valid on the chain with this genesis, and on no other.
    pub fn signing_digest(&self, genesis: &BlockHash) -> SigningDigest {
        SigningDigest::from_bytes(Tag::Sign.hash(&[genesis.as_bytes(), &self.to_bytes()]))
    }

    /// The sender's public key.
    pub const fn sender(&self) -> &PublicKey {
        &self.sender
    }

    /// How many transactions the sender sent before.
    pub const fn nonce(&self) -> AccountNonce {
        self.nonce
    }

    /// The last height that may contain it (rule T6).
    pub const fn valid_until(&self) -> Height {
        self.valid_until
    }

    /// What the miner gets.
    pub const fn fee(&self) -> Amount {
        self.fee
    }

    /// What it does.
    pub const fn action(&self) -> &Action {
        &self.action
    }

    /// All that leaves the sender's account: fee and outputs.
    pub fn total(&self) -> Amount {
        sum(self.fee, self.action.outputs()).expect("the constructor has added them up")
    }
}

impl Action {
    /// The payments it makes; none for an anchor.
    pub fn outputs(&self) -> &[Output] {
        match self {
            Self::Transfer(transfer) => transfer.outputs(),
            Self::Anchor(_) => &[],
        }
    }
}

impl Transfer {
    /// A transfer of 1 to [`MAX_OUTPUTS`] outputs with a memo of at most [`MAX_MEMO_BYTES`].
    pub fn new(outputs: Vec<Output>, memo: impl Into<String>) -> Result<Self, Malformed> {
        let memo = memo.into();
        if !(1..=MAX_OUTPUTS).contains(&outputs.len()) {
            return Err(Malformed::OutputCount(outputs.len()));
        }
        if memo.len() > MAX_MEMO_BYTES {
            return Err(Malformed::MemoLength(memo.len()));
        }
        Ok(Self { outputs, memo })
    }

    /// Who is paid, in order.
    pub fn outputs(&self) -> &[Output] {
        &self.outputs
    }

    /// The memo; empty if there is none.
    pub fn memo(&self) -> &str {
        &self.memo
    }
}

impl Output {
    /// A payment of at least one base unit (rule T4).
    pub fn new(to: Address, amount: Amount) -> Result<Self, Malformed> {
        if amount.is_zero() { Err(Malformed::ZeroOutput) } else { Ok(Self { to, amount }) }
    }

    /// Who is paid.
    pub const fn to(&self) -> &Address {
        &self.to
    }

    /// How much.
    pub const fn amount(&self) -> Amount {
        self.amount
    }
}

impl Anchor {
    /// Data of at most [`MAX_DATA_BYTES`] under a topic of 1 to [`MAX_TOPIC_BYTES`].
    pub fn new(topic: impl Into<String>, data: Vec<u8>) -> Result<Self, Malformed> {
        let topic = topic.into();
        if !(1..=MAX_TOPIC_BYTES).contains(&topic.len()) {
            return Err(Malformed::TopicLength(topic.len()));
        }
        if data.len() > MAX_DATA_BYTES {
            return Err(Malformed::DataLength(data.len()));
        }
        Ok(Self { topic, data })
    }

    /// What the data is about.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// The data.
    pub fn data(&self) -> &[u8] {
        &self.data
    }
}

impl Encode for Transaction {
    fn encode(&self, out: &mut Vec<u8>) {
        self.unsigned.encode(out);
        self.signature.encode(out);
    }
}

impl Decode for Transaction {
    const MIN_BYTES: usize = UnsignedTransaction::MIN_BYTES + Signature::MIN_BYTES;

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { unsigned: Decode::decode(reader)?, signature: Decode::decode(reader)? })
    }
}

impl Encode for UnsignedTransaction {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(TRANSACTION_VERSION);
        self.sender.encode(out);
        self.nonce.encode(out);
        self.valid_until.encode(out);
        self.fee.encode(out);
        self.action.encode(out);
    }
}

impl Decode for UnsignedTransaction {
    /// Version, sender, nonce, `valid_until`, fee, and the shortest action: an anchor of one byte of topic.
    const MIN_BYTES: usize = 1 + 32 + 1 + 4 + 1 + 4;

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let version = reader.u8()?;
        if version != TRANSACTION_VERSION {
            return Err(DecodeError::UnknownVersion(version));
        }
        let sender = Decode::decode(reader)?;
        let nonce = Decode::decode(reader)?;
        let valid_until = Decode::decode(reader)?;
        let fee = Decode::decode(reader)?;
        let action = Decode::decode(reader)?;
        Ok(Self::new(sender, nonce, valid_until, fee, action)?)
    }
}

const TRANSFER: u8 = 0;
const ANCHOR: u8 = 1;

impl Encode for Action {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Transfer(Transfer { outputs, memo }) => {
                out.push(TRANSFER);
                write_list(out, outputs);
                write_bytes(out, memo.as_bytes());
            }
            Self::Anchor(Anchor { topic, data }) => {
                out.push(ANCHOR);
                write_bytes(out, topic.as_bytes());
                write_bytes(out, data);
            }
        }
    }
}

impl Decode for Action {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match reader.u8()? {
            TRANSFER => {
                let outputs = reader.list(1..=MAX_OUTPUTS)?;
                let memo = reader.text(0..=MAX_MEMO_BYTES)?;
                Ok(Self::Transfer(Transfer::new(outputs, memo)?))
            }
            ANCHOR => {
                let topic = reader.text(1..=MAX_TOPIC_BYTES)?;
                let data = reader.bytes(0..=MAX_DATA_BYTES)?;
                Ok(Self::Anchor(Anchor::new(topic, data.to_vec())?))
            }
            kind => Err(DecodeError::UnknownAction(kind)),
        }
    }
}

impl Encode for Output {
    fn encode(&self, out: &mut Vec<u8>) {
        self.to.encode(out);
        self.amount.encode(out);
    }
}

impl Decode for Output {
    const MIN_BYTES: usize = Address::BYTES + 1;

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self::new(Decode::decode(reader)?, Decode::decode(reader)?)?)
    }
}

fn sum(fee: Amount, outputs: &[Output]) -> Option<Amount> {
    outputs.iter().try_fold(fee, |sum, output| sum.checked_add(output.amount))
}
