//! The frames of the long-lived link.

use tabchain_primitives::codec::{
    Decode, DecodeError, Encode, Reader, write_bytes, write_list, write_varint,
};
use tabchain_primitives::{BlockHash, Header, Height, Timestamp, Transaction, TxId, Work};

use super::{
    MAX_AGENT_BYTES, MAX_NAMED_TRANSACTIONS, MAX_PEER_ADDRESSES, MAX_PEERS_TOLD, MAX_TRANSACTION_IDS,
};
use crate::{PeerAddress, PeerId};

/// One frame of the link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkMessage {
    /// The first frame of each side; said again only when a session began anew.
    Hello(Hello),
    /// A new block, its transactions named by short ids.
    Block(Box<CompactBlock>),
    /// The sender's tip moved in a way that no announced block tells: many at once, or back.
    Tip(TipClaim),
    /// Transactions the sender holds in its memory pool.
    Transactions(Vec<TxId>),
    /// Asks for the ids of the transactions the other side holds; said once it is worth the answer.
    GetTransactions,
    /// Asks for peers to dial.
    GetPeers,
    /// Peers the sender has found good.
    Peers(Vec<PeerRecord>),
    /// Which bodies the sender has changed.
    Keeps(Keeps),
}

/// Who is speaking, on which chain, and how far they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// [`PROTOCOL_VERSION`](super::PROTOCOL_VERSION) of the sender.
    pub version: u32,
    /// The genesis, which names the chain and all its parameters.
    pub genesis: BlockHash,
    /// A number that the sender drew when it began its session. Another one says that it has begun anew.
    pub session: u64,
    /// The sender's best tip.
    pub tip: TipClaim,
    /// Which bodies the sender has.
    pub keeps: Keeps,
    /// The sender's clock, so that a clock which is off can be noticed.
    pub time: Timestamp,
    /// The sender's software in a few words, at most [`MAX_AGENT_BYTES`]; for people only.
    pub agent: String,
}

/// What a peer says of its tip. A claim only: headers prove it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TipClaim {
    /// The block.
    pub hash: BlockHash,
    /// Its height.
    pub height: Height,
    /// The work of the chain that ends in it.
    pub work: Work,
}

/// Which bodies of its active chain a node has: the first ones up to a height, and the last ones from a height to its tip.
///
/// Whoever has all says `from` 0. One that forgets old bodies has only last ones; one that joined in the middle and checks
/// the past has both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keeps {
    /// Every body up to and with this height is there.
    pub until: Height,
    /// Every body from this height to the tip is there.
    pub from: Height,
}

/// A block whose transactions the receiver most likely holds already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompactBlock {
    /// The header, whose proof of work is checked before anything else happens.
    pub header: Header,
    /// Chosen by the sender; keys the short ids together with the block hash, so that nobody can prepare collisions.
    pub salt: u64,
    /// The transactions in block order, without the prefilled ones.
    pub short_ids: Vec<ShortId>,
    /// Transactions sent along, by rising position in the block.
    pub prefilled: Vec<Prefilled>,
}

/// Six bytes that name a transaction within one compact block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShortId(pub [u8; 6]);

/// A transaction that the sender thinks the receiver lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefilled {
    /// Its place in the block.
    pub position: u32,
    /// The transaction.
    pub transaction: Transaction,
}

/// A peer and where it can be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerRecord {
    /// The peer.
    pub id: PeerId,
    /// Its addresses, at most [`MAX_PEER_ADDRESSES`].
    pub addresses: Vec<PeerAddress>,
}

impl Encode for LinkMessage {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Hello(hello) => {
                out.push(0);
                hello.encode(out);
            }
            Self::Block(block) => {
                out.push(1);
                block.encode(out);
            }
            Self::Tip(tip) => {
                out.push(2);
                tip.encode(out);
            }
            Self::Transactions(ids) => {
                out.push(3);
                write_list(out, ids);
            }
            Self::GetTransactions => out.push(4),
            Self::GetPeers => out.push(5),
            Self::Peers(peers) => {
                out.push(6);
                write_list(out, peers);
            }
            Self::Keeps(keeps) => {
                out.push(7);
                keeps.encode(out);
            }
        }
    }
}

impl Decode for LinkMessage {
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match r.u8()? {
            0 => Ok(Self::Hello(Hello::decode(r)?)),
            1 => Ok(Self::Block(Box::new(CompactBlock::decode(r)?))),
            2 => Ok(Self::Tip(TipClaim::decode(r)?)),
            3 => Ok(Self::Transactions(r.list(1..=MAX_TRANSACTION_IDS)?)),
            4 => Ok(Self::GetTransactions),
            5 => Ok(Self::GetPeers),
            6 => Ok(Self::Peers(r.list(0..=MAX_PEERS_TOLD)?)),
            7 => Ok(Self::Keeps(Keeps::decode(r)?)),
            kind => Err(DecodeError::UnknownKind { of: "link frame", kind }),
        }
    }
}

impl Encode for Hello {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.version.to_le_bytes());
        self.genesis.encode(out);
        out.extend_from_slice(&self.session.to_le_bytes());
        self.tip.encode(out);
        self.keeps.encode(out);
        self.time.encode(out);
        write_bytes(out, self.agent.as_bytes());
    }
}

impl Decode for Hello {
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            version: r.u32()?,
            genesis: BlockHash::decode(r)?,
            session: r.u64()?,
            tip: TipClaim::decode(r)?,
            keeps: Keeps::decode(r)?,
            time: Timestamp::decode(r)?,
            agent: r.text(0..=MAX_AGENT_BYTES)?.to_owned(),
        })
    }
}

impl Encode for TipClaim {
    fn encode(&self, out: &mut Vec<u8>) {
        self.hash.encode(out);
        self.height.encode(out);
        self.work.encode(out);
    }
}

impl Decode for TipClaim {
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { hash: BlockHash::decode(r)?, height: Height::decode(r)?, work: Work::decode(r)? })
    }
}

impl Keeps {
    /// Whether the body at a height is there.
    pub fn has(&self, height: Height) -> bool {
        height <= self.until || height >= self.from
    }
}

impl Encode for Keeps {
    fn encode(&self, out: &mut Vec<u8>) {
        self.until.encode(out);
        self.from.encode(out);
    }
}

impl Decode for Keeps {
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { until: Height::decode(r)?, from: Height::decode(r)? })
    }
}

impl Encode for CompactBlock {
    fn encode(&self, out: &mut Vec<u8>) {
        self.header.encode(out);
        out.extend_from_slice(&self.salt.to_le_bytes());
        write_list(out, &self.short_ids);
        write_list(out, &self.prefilled);
    }
}

impl Decode for CompactBlock {
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            header: Header::decode(r)?,
            salt: r.u64()?,
            short_ids: r.list(0..=MAX_NAMED_TRANSACTIONS)?,
            prefilled: r.list(0..=MAX_NAMED_TRANSACTIONS)?,
        })
    }
}

impl Encode for ShortId {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
    }
}

impl Decode for ShortId {
    const MIN_BYTES: usize = 6;

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        r.array().map(Self)
    }
}

impl Encode for Prefilled {
    fn encode(&self, out: &mut Vec<u8>) {
        write_varint(out, u64::from(self.position));
        self.transaction.encode(out);
    }
}

impl Decode for Prefilled {
    const MIN_BYTES: usize = 1 + Transaction::MIN_BYTES;

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { position: super::fetch::position(r)?, transaction: Transaction::decode(r)? })
    }
}

impl Encode for PeerRecord {
    fn encode(&self, out: &mut Vec<u8>) {
        self.id.encode(out);
        write_list(out, &self.addresses);
    }
}

impl Decode for PeerRecord {
    const MIN_BYTES: usize = 3;

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { id: PeerId::decode(r)?, addresses: r.list(0..=MAX_PEER_ADDRESSES)? })
    }
}
