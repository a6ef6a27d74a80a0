//! Merkle trees over 32-byte items: the transactions of a block, and the headers of a chain.
//!
//! A list is split at the largest power of two smaller than its length, as in RFC 6962, so nothing is ever doubled
//! and no two lists share a root (CVE-2012-2459 can't arise). A [`MountainRange`] is the same tree seen from its
//! right edge: perfect trees of falling size, joined from right to left. It grows by one item in amortised constant
//! time and keeps at most 64 hashes, one for each bit of its length.

use crate::{
    codec::{Decode, DecodeError, Encode, Reader, write_list, write_varint},
    tagged::Tag,
};

/// The root of the empty list, and of an empty subtree of the state.
pub const EMPTY: [u8; 32] = [0; 32];

/// No tree is higher: a length has 64 bits.
const MAX_HEIGHT: usize = 64;

/// Longer than any chain will be, and far from the end of 64 bits.
const MAX_LENGTH: u64 = 1 << 48;

/// The hash of an item at the foot of a tree.
pub fn leaf(item: &[u8; 32]) -> [u8; 32] {
    Tag::Leaf.hash(&[item])
}

/// The hash of two subtrees, left and right.
pub fn node(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    Tag::Node.hash(&[left, right])
}

/// The hash of each pair of subtrees, left and right, in order. In a tab several are hashed at once.
pub fn nodes(pairs: &[[[u8; 32]; 2]]) -> Vec<[u8; 32]> {
    Tag::Node.hash_pairs(pairs)
}

/// The root over the items; [`EMPTY`] if there are none.
///
/// Row by row from the leaves up: what is left over at the end of a row moves up as it is, which is where RFC 6962 splits.
pub fn root(items: impl IntoIterator<Item = [u8; 32]>) -> [u8; 32] {
    let items: Vec<[u8; 32]> = items.into_iter().collect();
    let mut row = Tag::Leaf.hash_all(&items.iter().map(<[u8; 32]>::as_slice).collect::<Vec<_>>());
    while row.len() > 1 {
        let (pairs, alone) = row.as_chunks();
        let mut above = nodes(pairs);
        above.extend_from_slice(alone);
        row = above;
    }
    row.pop().unwrap_or(EMPTY)
}

/// The right edge of a growing tree: enough to append and to know the root, not enough to prove.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MountainRange {
    length: u64,
    /// The roots of the perfect trees, from left to right: one for each bit that is set in `length`, high bits first.
    peaks: Vec<[u8; 32]>,
}

impl MountainRange {
    /// How many items there are.
    pub const fn length(&self) -> u64 {
        self.length
    }

    /// Appends an item.
    pub fn push(&mut self, item: &[u8; 32]) {
        let mut tree = leaf(item);
        // Appending carries like adding one: each low bit that is set is a peak as high as the tree to be placed.
        for _ in 0..self.length.trailing_ones() {
            let left = self.peaks.pop().expect("there is a peak for each bit of the length");
            tree = node(&left, &tree);
        }
        self.peaks.push(tree);
        self.length = self.length.checked_add(1).expect("it was at most 2^48 when it was read");
    }

    /// The root over all items so far.
    pub fn root(&self) -> [u8; 32] {
        self.peaks.iter().rev().copied().reduce(|right, left| node(&left, &right)).unwrap_or(EMPTY)
    }
}

impl Encode for MountainRange {
    fn encode(&self, out: &mut Vec<u8>) {
        write_varint(out, self.length);
        out.extend_from_slice(self.peaks.as_flattened());
    }
}

impl Decode for MountainRange {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let length = reader.varint()?;
        if length > MAX_LENGTH {
            return Err(DecodeError::NotCanonical("mountain range"));
        }
        let peaks = (0..length.count_ones()).map(|_| reader.array()).collect::<Result<_, _>>()?;
        Ok(Self { length, peaks })
    }
}

/// That an item stands at a place of a list, shown by the hashes beside its path to the root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    index: u64,
    length: u64,
    /// The subtrees beside the path, the lowest first.
    siblings: Vec<[u8; 32]>,
}

impl Proof {
    /// The proof for the item at `index`, if there is one.
    pub fn of(items: &[[u8; 32]], index: usize) -> Option<Self> {
        (index < items.len()).then(|| {
            let mut siblings = Vec::new();
            collect_siblings(items, index, &mut siblings);
            Self { index: index as u64, length: items.len() as u64, siblings }
        })
    }

    /// A proof from its parts, as something other than a list of items has found them; lowest sibling first.
    pub const fn from_parts(index: u64, length: u64, siblings: Vec<[u8; 32]>) -> Self {
        Self { index, length, siblings }
    }

    /// Where the item stands.
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// How long the list is. A root does not commit to its length: compare it with the header's.
    pub const fn length(&self) -> u64 {
        self.length
    }

    /// Whether `item` stands there in a list with this root and length.
    pub fn verify(&self, root: &[u8; 32], item: &[u8; 32]) -> bool {
        self.index < self.length && self.fold(leaf(item)).is_some_and(|folded| folded == *root)
    }

    /// The root that follows from the leaf, if there are exactly as many siblings as the path is long.
    fn fold(&self, mut hash: [u8; 32]) -> Option<[u8; 32]> {
        let mut siblings = self.siblings.iter();
        // `last` is the last place of the row: a place without a right neighbour moves up as it is.
        let (mut place, mut last) = (self.index, self.length - 1);
        while last > 0 {
            if place & 1 == 1 {
                hash = node(siblings.next()?, &hash);
            } else if place < last {
                hash = node(&hash, siblings.next()?);
            }
            place >>= 1;
            last >>= 1;
        }
        siblings.next().is_none().then_some(hash)
    }
}

impl Encode for Proof {
    fn encode(&self, out: &mut Vec<u8>) {
        write_varint(out, self.index);
        write_varint(out, self.length);
        write_list(out, &self.siblings);
    }
}

impl Decode for Proof {
    const MIN_BYTES: usize = 3;

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let index = reader.varint()?;
        let length = reader.varint()?;
        let siblings = reader.list(0..=MAX_HEIGHT)?;
        Ok(Self { index, length, siblings })
    }
}

/// The root over `items`, of which there is at least one.
fn subtree(items: &[[u8; 32]]) -> [u8; 32] {
    root(items.iter().copied())
}

fn collect_siblings(items: &[[u8; 32]], index: usize, siblings: &mut Vec<[u8; 32]>) {
    if items.len() == 1 {
        return;
    }
    let (left, right) = items.split_at(items.len().next_power_of_two() / 2);
    if index < left.len() {
        collect_siblings(left, index, siblings);
        siblings.push(subtree(right));
    } else {
        collect_siblings(right, index - left.len(), siblings);
        siblings.push(subtree(left));
    }
}
