//! Block headers: 180 bytes that commit to everything else (section 4 of `docs/protocol.md`).

use sha2::{Digest, Sha256};

use crate::{
    address::Address,
    codec::{Decode, DecodeError, Encode, Reader},
    hash::{BlockHash, HistoryRoot, MerkleRoot, StateRoot},
    quantity::{Height, Timestamp},
    target::CompactTarget,
};

/// How many bytes a header has.
pub const HEADER_BYTES: usize = 180;
/// The bytes that stay the same while a nonce is searched: two SHA-256 blocks, whose midstate is kept.
pub const HEADER_PREFIX_BYTES: usize = 128;
/// The version of every header (rule B1).
pub const HEADER_VERSION: u32 = 1;

/// A block header. It may say anything: the rules are checked in `consensus`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Header(HeaderFields);

/// The fields of a header, in the order of their bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HeaderFields {
    /// [`HEADER_VERSION`] (rule B1).
    pub version: u32,
    /// How many blocks lie below.
    pub height: Height,
    /// The block below; for a genesis, the spec hash.
    pub parent: BlockHash,
    /// Who is paid for the block.
    pub miner: Address,
    /// How many transactions the block has.
    pub tx_count: u32,
    /// Root over the witness hashes of the transactions.
    pub tx_root: MerkleRoot,
    /// Root of all accounts after the block.
    pub state_root: StateRoot,
    /// Root over the hashes of all earlier blocks.
    pub history_root: HistoryRoot,
    /// When it was made, as its miner says.
    pub time: Timestamp,
    /// What its hash must not exceed.
    pub target: CompactTarget,
    /// What the miner searched.
    pub nonce: u64,
}

impl Header {
    /// A header with these fields.
    pub const fn new(fields: HeaderFields) -> Self {
        Self(fields)
    }

    /// All fields, to make another header from.
    pub const fn fields(&self) -> HeaderFields {
        self.0
    }

    /// The same header with another nonce.
    #[must_use]
    pub const fn with_nonce(self, nonce: u64) -> Self {
        Self(HeaderFields { nonce, ..self.0 })
    }

    /// Double SHA-256 of its bytes. Computed anew at every call: keep it where it is needed often.
    pub fn hash(&self) -> BlockHash {
        let once = Sha256::digest(self.to_array());
        BlockHash::from_bytes(Sha256::digest(once).into())
    }

    /// Its bytes.
    pub fn to_array(&self) -> [u8; HEADER_BYTES] {
        let fields = &self.0;
        let mut bytes = [0; HEADER_BYTES];
        let mut rest = bytes.as_mut_slice();
        let mut put = |field: &[u8]| {
            let (head, tail) = std::mem::take(&mut rest).split_at_mut(field.len());
            head.copy_from_slice(field);
            rest = tail;
        };
        put(&fields.version.to_le_bytes());
        put(&fields.height.value().to_le_bytes());
        put(fields.parent.as_bytes());
        put(fields.miner.as_bytes());
        put(&fields.tx_count.to_le_bytes());
        put(fields.tx_root.as_bytes());
        put(fields.state_root.as_bytes());
        put(fields.history_root.as_bytes());
        put(&fields.time.millis().to_le_bytes());
        put(&fields.target.bits().to_le_bytes());
        put(&fields.nonce.to_le_bytes());
        bytes
    }

    /// The version.
    pub const fn version(&self) -> u32 {
        self.0.version
    }

    /// How many blocks lie below.
    pub const fn height(&self) -> Height {
        self.0.height
    }

    /// The hash of the block below; for a genesis, the spec hash.
    pub const fn parent(&self) -> BlockHash {
        self.0.parent
    }

    /// Who is paid for the block.
    pub const fn miner(&self) -> Address {
        self.0.miner
    }

    /// How many transactions the block has.
    pub const fn tx_count(&self) -> u32 {
        self.0.tx_count
    }

    /// Root over the witness hashes of the transactions.
    pub const fn tx_root(&self) -> MerkleRoot {
        self.0.tx_root
    }

    /// Root of all accounts after the block.
    pub const fn state_root(&self) -> StateRoot {
        self.0.state_root
    }

    /// Root over the hashes of all earlier blocks.
    pub const fn history_root(&self) -> HistoryRoot {
        self.0.history_root
    }

    /// When it was made, as its miner says.
    pub const fn time(&self) -> Timestamp {
        self.0.time
    }

    /// What its hash must not exceed.
    pub const fn target(&self) -> CompactTarget {
        self.0.target
    }

    /// What the miner searched.
    pub const fn nonce(&self) -> u64 {
        self.0.nonce
    }
}

impl Encode for Header {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_array());
    }
}

impl Decode for Header {
    const MIN_BYTES: usize = HEADER_BYTES;

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self(HeaderFields {
            version: reader.u32()?,
            height: Decode::decode(reader)?,
            parent: Decode::decode(reader)?,
            miner: Decode::decode(reader)?,
            tx_count: reader.u32()?,
            tx_root: Decode::decode(reader)?,
            state_root: Decode::decode(reader)?,
            history_root: Decode::decode(reader)?,
            time: Decode::decode(reader)?,
            target: Decode::decode(reader)?,
            nonce: reader.u64()?,
        }))
    }
}
