//! Questions and answers for bulk.

use tabchain_primitives::codec::{
    Decode, DecodeError, Encode, Reader, write_bytes, write_list, write_varint,
};
use tabchain_primitives::{BlockHash, Header, Transaction, TxId};

use super::{
    MAX_BODIES, MAX_BODY_BYTES, MAX_CHUNK_BYTES, MAX_CHUNKS, MAX_HEADERS, MAX_LOCATOR,
    MAX_NAMED_TRANSACTIONS, MAX_SNAPSHOTS, MAX_TRANSACTION_IDS,
};

/// A question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Headers of the answerer's best chain after the first locator hash that is on it.
    Headers {
        /// Hashes of the asker's chain from new to old, at ever larger steps, at most [`MAX_LOCATOR`].
        locator: Vec<BlockHash>,
        /// The most headers wanted, at most [`MAX_HEADERS`].
        limit: u32,
    },
    /// Bodies of blocks, at most [`MAX_BODIES`].
    Bodies(Vec<BlockHash>),
    /// Some transactions of one block.
    BlockTransactions {
        /// The block.
        block: BlockHash,
        /// Their places in it, rising.
        positions: Vec<u32>,
    },
    /// Transactions of the memory pool, at most [`MAX_TRANSACTION_IDS`].
    Transactions(Vec<TxId>),
    /// The blocks whose state the answerer can give.
    Snapshots,
    /// Chunks of the state after a block.
    StateChunks {
        /// The block.
        block: BlockHash,
        /// The first bytes of the account keys, rising, at most [`MAX_CHUNKS`].
        first_bytes: Vec<u8>,
    },
}

/// An answer. A shorter one than was asked for says that the rest is not there, or did not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Response {
    /// Headers, each the child of the one before.
    Headers(Vec<Header>),
    /// Some of the bodies asked for, in the order asked.
    Bodies(Vec<Body>),
    /// The transactions asked for, all of them or none.
    BlockTransactions(Vec<Transaction>),
    /// Some of the transactions asked for, in the order asked.
    Transactions(Vec<Transaction>),
    /// Blocks of the answerer's chain whose state it can give, highest first, at most [`MAX_SNAPSHOTS`].
    Snapshots(Vec<BlockHash>),
    /// Some of the chunks asked for, in the order asked.
    StateChunks(Vec<Chunk>),
}

/// A chunk of a state as bytes: to be checked against the state root of a header, not yet looked into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// The first byte of its account keys.
    pub first_byte: u8,
    /// The encoded chunk, at most [`MAX_CHUNK_BYTES`].
    pub bytes: Vec<u8>,
}

/// The body of a block as bytes: what its header commits to, not yet looked into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    /// The block.
    pub hash: BlockHash,
    /// Its list of transactions, encoded; at most [`MAX_BODY_BYTES`].
    pub bytes: Vec<u8>,
}

/// Why a question stays without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// Nothing came in time.
    #[error("timed out")]
    Timeout,
    /// The connection closed.
    #[error("connection closed")]
    Closed,
    /// The peer does not speak the protocol.
    #[error("protocol not supported")]
    Unsupported,
    /// The answer could not be decoded or was over its bound.
    #[error("malformed answer")]
    Malformed,
    /// The answerer has too many open questions from the asker.
    #[error("busy")]
    Busy,
}

impl Encode for Request {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Headers { locator, limit } => {
                out.push(0);
                write_list(out, locator);
                write_varint(out, u64::from(*limit));
            }
            Self::Bodies(hashes) => {
                out.push(1);
                write_list(out, hashes);
            }
            Self::BlockTransactions { block, positions } => {
                out.push(2);
                block.encode(out);
                write_varint(out, positions.len() as u64);
                for &position in positions {
                    write_varint(out, u64::from(position));
                }
            }
            Self::Transactions(ids) => {
                out.push(3);
                write_list(out, ids);
            }
            Self::Snapshots => out.push(4),
            Self::StateChunks { block, first_bytes } => {
                out.push(5);
                block.encode(out);
                write_bytes(out, first_bytes);
            }
        }
    }
}

impl Decode for Request {
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match r.u8()? {
            0 => Ok(Self::Headers { locator: r.list(0..=MAX_LOCATOR)?, limit: bounded(r, MAX_HEADERS)? }),
            1 => Ok(Self::Bodies(r.list(1..=MAX_BODIES)?)),
            2 => Ok(Self::BlockTransactions { block: BlockHash::decode(r)?, positions: positions(r)? }),
            3 => Ok(Self::Transactions(r.list(1..=MAX_TRANSACTION_IDS)?)),
            4 => Ok(Self::Snapshots),
            5 => Ok(Self::StateChunks { block: BlockHash::decode(r)?, first_bytes: first_bytes(r)? }),
            kind => Err(DecodeError::UnknownKind { of: "request", kind }),
        }
    }
}

impl Encode for Response {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Headers(headers) => {
                out.push(0);
                write_list(out, headers);
            }
            Self::Bodies(bodies) => {
                out.push(1);
                write_list(out, bodies);
            }
            Self::BlockTransactions(transactions) => {
                out.push(2);
                write_list(out, transactions);
            }
            Self::Transactions(transactions) => {
                out.push(3);
                write_list(out, transactions);
            }
            Self::Snapshots(blocks) => {
                out.push(4);
                write_list(out, blocks);
            }
            Self::StateChunks(chunks) => {
                out.push(5);
                write_list(out, chunks);
            }
        }
    }
}

impl Decode for Response {
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match r.u8()? {
            0 => Ok(Self::Headers(r.list(0..=MAX_HEADERS)?)),
            1 => Ok(Self::Bodies(r.list(0..=MAX_BODIES)?)),
            2 => Ok(Self::BlockTransactions(r.list(0..=MAX_NAMED_TRANSACTIONS)?)),
            3 => Ok(Self::Transactions(r.list(0..=MAX_TRANSACTION_IDS)?)),
            4 => Ok(Self::Snapshots(r.list(0..=MAX_SNAPSHOTS)?)),
            5 => Ok(Self::StateChunks(r.list(0..=MAX_CHUNKS)?)),
            kind => Err(DecodeError::UnknownKind { of: "response", kind }),
        }
    }
}

impl Encode for Body {
    fn encode(&self, out: &mut Vec<u8>) {
        self.hash.encode(out);
        write_bytes(out, &self.bytes);
    }
}

impl Decode for Body {
    const MIN_BYTES: usize = 34;

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { hash: BlockHash::decode(r)?, bytes: r.bytes(1..=MAX_BODY_BYTES)?.to_vec() })
    }
}

impl Encode for Chunk {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(self.first_byte);
        write_bytes(out, &self.bytes);
    }
}

impl Decode for Chunk {
    const MIN_BYTES: usize = 3;

    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { first_byte: r.u8()?, bytes: r.bytes(1..=MAX_CHUNK_BYTES)?.to_vec() })
    }
}

impl Encode for Failure {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(match self {
            Self::Timeout => 0,
            Self::Closed => 1,
            Self::Unsupported => 2,
            Self::Malformed => 3,
            Self::Busy => 4,
        });
    }
}

impl Decode for Failure {
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match r.u8()? {
            0 => Ok(Self::Timeout),
            1 => Ok(Self::Closed),
            2 => Ok(Self::Unsupported),
            3 => Ok(Self::Malformed),
            4 => Ok(Self::Busy),
            kind => Err(DecodeError::UnknownKind { of: "failure", kind }),
        }
    }
}

/// A place in a block.
pub(super) fn position(r: &mut Reader<'_>) -> Result<u32, DecodeError> {
    bounded(r, MAX_NAMED_TRANSACTIONS - 1)
}

/// Places in a block, rising, at least one.
fn positions(r: &mut Reader<'_>) -> Result<Vec<u32>, DecodeError> {
    let count = bounded(r, MAX_NAMED_TRANSACTIONS)?;
    let mut positions = Vec::new();
    for _ in 0..count {
        let next = position(r)?;
        if positions.last().is_some_and(|&last| last >= next) {
            return Err(DecodeError::NotCanonical("a list of positions"));
        }
        positions.push(next);
    }
    Ok(positions)
}

/// First bytes of account keys, rising, at least one.
fn first_bytes(r: &mut Reader<'_>) -> Result<Vec<u8>, DecodeError> {
    let first_bytes = r.bytes(1..=MAX_CHUNKS)?;
    if first_bytes.is_sorted_by(|a, b| a < b) {
        Ok(first_bytes.to_vec())
    } else {
        Err(DecodeError::NotCanonical("a list of first bytes"))
    }
}

/// A number of at most `max`.
fn bounded(r: &mut Reader<'_>, max: usize) -> Result<u32, DecodeError> {
    let length = r.varint()?;
    u32::try_from(length).ok().filter(|&small| small as usize <= max).ok_or(DecodeError::Length {
        length,
        min: 0,
        max,
    })
}
