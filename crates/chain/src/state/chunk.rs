//! Chunks: all accounts under a key prefix. The same rows are kept in the store and served to joining peers.

use tabchain_primitives::{
    Account, AccountKey, Address, Decode, DecodeError, Encode, StateRoot,
    codec::{Reader, write_list, write_varint},
    merkle,
};

use super::{
    State, Subtree,
    proof::{ProofError, climb, stranger_is_on_path},
};

/// The most accounts a chunk is decoded with. One that has more is split by a longer prefix.
const MAX_ROWS: usize = 1 << 18;

/// The first bits of account keys, at most [`Prefix::MAX_BITS`] of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix {
    bits: u8,
    value: u16,
}

/// All accounts under a prefix, and what it takes to check them against a state root by themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateChunk {
    prefix: Prefix,
    rows: Vec<Row>,
    /// The hashes beside the path to the prefix, from the root down. The path ends early where the tree does.
    siblings: Vec<[u8; 32]>,
    /// The account at the end of a path that ended early, if it is outside the prefix.
    stranger: Option<(AccountKey, Account)>,
}

/// An account with its address: how it is stored, sent and kept for undoing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Row(pub(crate) Address, pub(crate) Account);

impl Prefix {
    /// The longest prefix: 65,536 chunks.
    pub const MAX_BITS: u8 = 16;

    /// The prefix of this many bits with this value; `None` if the value does not fit them.
    pub fn new(bits: u8, value: u16) -> Option<Self> {
        (bits <= Self::MAX_BITS && u32::from(value) >> bits == 0).then_some(Self { bits, value })
    }

    /// The prefix of all keys that begin with this byte.
    pub const fn byte(byte: u8) -> Self {
        Self { bits: 8, value: byte as u16 }
    }

    /// Whether a key begins with it.
    pub fn contains(self, key: &AccountKey) -> bool {
        let first = u16::from_be_bytes([key.as_bytes()[0], key.as_bytes()[1]]);
        u32::from(first) >> (Self::MAX_BITS - self.bits) == u32::from(self.value)
    }

    pub(super) const fn bits(self) -> usize {
        self.bits as usize
    }

    /// The lowest key under the prefix.
    pub(super) fn first_key(self) -> AccountKey {
        let first = u32::from(self.value) << (Self::MAX_BITS - self.bits);
        let mut key = [0; 32];
        key[..2].copy_from_slice(&first.to_be_bytes()[2..]);
        AccountKey::from_bytes(key)
    }
}

impl StateChunk {
    /// Which keys it is about.
    pub const fn prefix(&self) -> Prefix {
        self.prefix
    }

    /// Its accounts, in the order of their keys.
    pub fn accounts(&self) -> impl ExactSizeIterator<Item = (&Address, &Account)> {
        self.rows.iter().map(|Row(address, account)| (address, account))
    }

    pub(crate) fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// Whether these are all the accounts under the prefix in the state with this root.
    pub fn verify(&self, root: &StateRoot) -> Result<(), ProofError> {
        let leaves = self.leaves()?;
        let path = self.siblings.len();
        let hash = match (&leaves[..], &self.stranger) {
            _ if path > self.prefix.bits() => return Err(ProofError::TooLong),
            ([], Some((key, account))) => {
                let outside = !self.prefix.contains(key);
                stranger_is_on_path(key, &self.prefix.first_key(), path)?;
                outside.then(|| account.leaf(key)).ok_or(ProofError::Stranger)?
            }
            (_, Some(_)) => return Err(ProofError::Stranger),
            // Above the prefix's own depth the tree goes on unless at most one account is there.
            ([_, _, ..], None) if path < self.prefix.bits() => return Err(ProofError::Root),
            (leaves, None) => fold(leaves, path),
        };
        let found = climb(&self.prefix.first_key(), hash, &self.siblings)?;
        if found == *root.as_bytes() { Ok(()) } else { Err(ProofError::Root) }
    }

    /// The keys and leaf hashes of its accounts.
    fn leaves(&self) -> Result<Vec<(AccountKey, [u8; 32])>, ProofError> {
        let mut leaves: Vec<(AccountKey, [u8; 32])> = Vec::with_capacity(self.rows.len());
        for Row(address, account) in &self.rows {
            let key = AccountKey::of(address);
            if !self.prefix.contains(&key) {
                return Err(ProofError::Outside);
            }
            if account.is_empty() || leaves.last().is_some_and(|(last, _)| *last >= key) {
                return Err(ProofError::Order);
            }
            leaves.push((key, account.leaf(&key)));
        }
        Ok(leaves)
    }
}

impl State {
    /// The chunk of a prefix.
    pub(crate) fn chunk(&self, prefix: Prefix) -> StateChunk {
        let mut siblings = Vec::new();
        let (_, end) =
            self.descend(&prefix.first_key(), prefix.bits(), |link| siblings.push(self.hash(link)));
        let stranger = match end.subtree() {
            Subtree::Leaf(index) => {
                let leaf = self.leaves.get(index);
                (!prefix.contains(&leaf.key)).then_some((leaf.key, leaf.account))
            }
            Subtree::Empty | Subtree::Branch(_) => None,
        };
        StateChunk { prefix, rows: self.rows(prefix), siblings, stranger }
    }
}

/// A chunk as the store keeps it: a `list` of rows in the order of their keys.
pub(super) fn encode_rows(rows: &[Row]) -> Vec<u8> {
    let mut out = Vec::new();
    write_list(&mut out, rows);
    out
}

/// Reads what [`encode_rows`] wrote.
pub(crate) fn decode_rows(bytes: &[u8]) -> Result<Vec<Row>, DecodeError> {
    let mut reader = Reader::new(bytes);
    let rows = reader.list(0..=usize::MAX)?;
    reader.finish()?;
    Ok(rows)
}

/// The hash of the subtree at this depth that holds exactly these leaves.
pub(super) fn fold(leaves: &[(AccountKey, [u8; 32])], depth: usize) -> [u8; 32] {
    match leaves {
        [] => merkle::EMPTY,
        [(_, hash)] => *hash,
        _ => {
            let (left, right) = leaves.split_at(leaves.partition_point(|(key, _)| !key.bit(depth)));
            merkle::node(&fold(left, depth + 1), &fold(right, depth + 1))
        }
    }
}

impl Encode for Row {
    fn encode(&self, out: &mut Vec<u8>) {
        self.0.encode(out);
        self.1.encode(out);
    }
}

impl Decode for Row {
    const MIN_BYTES: usize = Address::BYTES + Account::MIN_BYTES;

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self(Decode::decode(reader)?, Decode::decode(reader)?))
    }
}

impl Encode for Prefix {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(self.bits);
        write_varint(out, u64::from(self.value));
    }
}

impl Decode for Prefix {
    const MIN_BYTES: usize = 2;

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let bits = reader.u8()?;
        let value = u16::try_from(reader.varint()?).ok();
        value.and_then(|value| Self::new(bits, value)).ok_or(DecodeError::NotCanonical("a key prefix"))
    }
}

impl Encode for StateChunk {
    fn encode(&self, out: &mut Vec<u8>) {
        self.prefix.encode(out);
        write_list(out, &self.rows);
        write_list(out, &self.siblings);
        match &self.stranger {
            None => out.push(0),
            Some((key, account)) => {
                out.push(1);
                key.encode(out);
                account.encode(out);
            }
        }
    }
}

impl Decode for StateChunk {
    const MIN_BYTES: usize = Prefix::MIN_BYTES + 3;

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let prefix = Decode::decode(reader)?;
        let rows = reader.list(0..=MAX_ROWS)?;
        let siblings = reader.list(0..=usize::from(Prefix::MAX_BITS))?;
        let stranger = match reader.u8()? {
            0 => None,
            1 => Some((Decode::decode(reader)?, Decode::decode(reader)?)),
            kind => return Err(DecodeError::UnknownKind { of: "the end of a state chunk", kind }),
        };
        Ok(Self { prefix, rows, siblings, stranger })
    }
}
