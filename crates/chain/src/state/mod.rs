//! The state: every account, in a compact sparse Merkle tree that is kept up to date (section 7 of
//! `docs/protocol.md`).
//!
//! A subtree with one account is a leaf, wherever it stands, so a million accounts need about 1.44 million branches.
//! A block's changes come as one sorted batch: each touched path is walked and hashed once, however many of the
//! accounts below it changed, and row by row, so that many hashes are taken at once. Writing a batch and writing it back restores the tree exactly, because its shape
//! depends on nothing but the accounts it holds.
//!
//! Bounds: about 165 bytes an account (104 for the leaf, 40 for a branch). Depth is at most 256, and grows with the
//! logarithm of the accounts unless someone finds keys with long common prefixes, which costs hashing by the bit.

mod chunk;
mod preview;
mod proof;
mod write;

pub use chunk::{Prefix, StateChunk};
pub use proof::{AccountProof, ProofError};

pub(crate) use chunk::{Row, decode_rows};

use chunk::encode_rows;
use write::Stale;

use tabchain_primitives::{Account, AccountKey, Address, Amount, StateRoot, merkle};

use crate::arena::Arena;

/// How many rows the state is kept in: one for each first byte of an account key.
pub(crate) const CHUNKS: usize = 256;

/// One account before and after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) key: AccountKey,
    pub(crate) address: Address,
    pub(crate) before: Account,
    pub(crate) after: Account,
}

impl Change {
    pub(crate) const fn before(&self) -> Account {
        self.before
    }

    pub(crate) const fn after(&self) -> Account {
        self.after
    }
}

/// All accounts that are not empty.
#[derive(Debug)]
pub(crate) struct State {
    root: Link,
    branches: Arena<Branch>,
    leaves: Arena<Leaf>,
    /// The sum of all balances. Rows of strangers may add up to more than any chain has.
    supply: u128,
    dirty: [bool; CHUNKS],
    /// What a write leaves to be hashed; empty between two writes.
    stale: Stale,
}

/// What a subtree is, in four bytes: nothing, a leaf or a branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Link(u32);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Subtree {
    Empty,
    Leaf(u32),
    Branch(u32),
}

#[derive(Debug)]
struct Branch {
    hash: [u8; 32],
    left: Link,
    right: Link,
}

#[derive(Debug)]
struct Leaf {
    hash: [u8; 32],
    key: AccountKey,
    address: Address,
    account: Account,
}

impl State {
    pub(crate) const fn new() -> Self {
        Self {
            root: Link::EMPTY,
            branches: Arena::new(),
            leaves: Arena::new(),
            supply: 0,
            dirty: [false; CHUNKS],
            stale: Stale::new(),
        }
    }

    /// The account under a key; an empty one if there is none.
    pub(crate) fn get(&self, key: &AccountKey) -> Account {
        self.find(key).map_or(Account::EMPTY, |leaf| leaf.account)
    }

    /// The account under each key.
    ///
    /// All paths go down a step at a time: the steps of one wait for memory, but not for each other.
    pub(crate) fn get_all(&self, keys: &[AccountKey]) -> Vec<Account> {
        let mut ends = vec![self.root; keys.len()];
        for depth in 0..KEY_BITS {
            let mut arrived = true;
            for (end, key) in ends.iter_mut().zip(keys) {
                if let Subtree::Branch(index) = end.subtree() {
                    (*end, _) = self.branches.get(index).halves(key, depth);
                    arrived = false;
                }
            }
            if arrived {
                break;
            }
        }
        let leaves = ends.into_iter().zip(keys).map(|(end, key)| self.leaf_at(end, key));
        leaves.map(|leaf| leaf.map_or(Account::EMPTY, |leaf| leaf.account)).collect()
    }

    pub(crate) fn root(&self) -> StateRoot {
        StateRoot::from_bytes(self.hash(self.root))
    }

    /// The sum of all balances, if it is an amount at all.
    pub(crate) fn supply(&self) -> Option<Amount> {
        u64::try_from(self.supply).ok().and_then(|units| Amount::from_units(units).ok())
    }

    /// How many accounts there are.
    pub(crate) fn len(&self) -> usize {
        self.leaves.len()
    }

    /// Which chunks changed since the marks were last taken.
    pub(crate) fn dirty_mut(&mut self) -> &mut [bool; CHUNKS] {
        &mut self.dirty
    }

    /// The rows that changed since the marks were last taken, as they are stored.
    pub(crate) fn take_dirty_chunks(&mut self) -> Vec<(u8, Vec<u8>)> {
        let dirty = std::mem::replace(&mut self.dirty, [false; CHUNKS]);
        let changed = (0..=u8::MAX).filter(|byte| dirty[usize::from(*byte)]);
        changed.map(|byte| (byte, encode_rows(&self.rows(Prefix::byte(byte))))).collect()
    }

    /// The accounts under a prefix, in the order of their keys.
    pub(crate) fn rows(&self, prefix: Prefix) -> Vec<Row> {
        let mut rows = Vec::new();
        let (_, end) = self.descend(&prefix.first_key(), prefix.bits(), |_| ());
        self.collect(end, &mut |leaf| {
            if prefix.contains(&leaf.key) {
                rows.push(Row(leaf.address, leaf.account));
            }
        });
        rows
    }

    fn find(&self, key: &AccountKey) -> Option<&Leaf> {
        self.leaf_at(self.descend(key, KEY_BITS, |_| ()).1, key)
    }

    /// The leaf of a key, at the end of its path.
    fn leaf_at(&self, end: Link, key: &AccountKey) -> Option<&Leaf> {
        match end.subtree() {
            Subtree::Leaf(index) => Some(self.leaves.get(index)).filter(|leaf| leaf.key == *key),
            Subtree::Empty | Subtree::Branch(_) => None,
        }
    }

    /// Walks toward a key for at most so many steps; tells what stands beside each step, and returns how many there were
    /// and where they led.
    fn descend(&self, key: &AccountKey, steps: usize, mut beside: impl FnMut(Link)) -> (usize, Link) {
        let mut link = self.root;
        for depth in 0..steps {
            let Subtree::Branch(index) = link.subtree() else { return (depth, link) };
            let (toward, other) = self.branches.get(index).halves(key, depth);
            beside(other);
            link = toward;
        }
        (steps, link)
    }

    fn collect(&self, link: Link, visit: &mut impl FnMut(&Leaf)) {
        match link.subtree() {
            Subtree::Empty => {}
            Subtree::Leaf(index) => visit(self.leaves.get(index)),
            Subtree::Branch(index) => {
                let branch = self.branches.get(index);
                self.collect(branch.left, visit);
                self.collect(branch.right, visit);
            }
        }
    }

    fn hash(&self, link: Link) -> [u8; 32] {
        match link.subtree() {
            Subtree::Empty => merkle::EMPTY,
            Subtree::Leaf(index) => self.leaves.get(index).hash,
            Subtree::Branch(index) => self.branches.get(index).hash,
        }
    }

    /// Whether the account under this key is all that the subtree holds, or would hold.
    fn can_hold(&self, link: Link, key: &AccountKey) -> bool {
        match link.subtree() {
            Subtree::Empty => true,
            Subtree::Leaf(index) => self.leaves.get(index).key == *key,
            Subtree::Branch(_) => false,
        }
    }

    /// The two halves of a subtree at this depth; a leaf stands on the side its key names.
    fn split(&self, link: Link, depth: usize) -> (Link, Link) {
        match link.subtree() {
            Subtree::Empty => (Link::EMPTY, Link::EMPTY),
            Subtree::Leaf(index) if self.leaves.get(index).key.bit(depth) => (Link::EMPTY, link),
            Subtree::Leaf(_) => (link, Link::EMPTY),
            Subtree::Branch(index) => {
                let branch = self.branches.get(index);
                (branch.left, branch.right)
            }
        }
    }
}

impl Branch {
    /// The half in which a key lies, of a branch at this depth, and the other.
    const fn halves(&self, key: &AccountKey, depth: usize) -> (Link, Link) {
        if key.bit(depth) { (self.right, self.left) } else { (self.left, self.right) }
    }
}

impl Link {
    const EMPTY: Self = Self(0);
    const LEAF: u32 = 1 << 31;

    const fn leaf(index: u32) -> Self {
        Self(Self::LEAF | index)
    }

    /// Branches count from one, so that zero is left for nothing.
    const fn branch(index: u32) -> Self {
        Self(index + 1)
    }

    const fn subtree(self) -> Subtree {
        match self.0 {
            0 => Subtree::Empty,
            link if link & Self::LEAF != 0 => Subtree::Leaf(link & !Self::LEAF),
            link => Subtree::Branch(link - 1),
        }
    }
}

/// How many bits a key has: the deepest a leaf can stand.
const KEY_BITS: usize = 256;

fn first_byte(key: &AccountKey) -> usize {
    usize::from(key.as_bytes()[0])
}

/// How many leading bits two keys share.
fn common_bits(one: &AccountKey, other: &AccountKey) -> usize {
    let pairs = one.as_bytes().iter().zip(other.as_bytes());
    let equal = pairs.clone().take_while(|(one, other)| one == other).count();
    let rest = pairs.map(|(one, other)| one ^ other).nth(equal).map_or(0, u8::leading_zeros);
    equal * 8 + rest as usize
}

#[cfg(test)]
mod tests;
