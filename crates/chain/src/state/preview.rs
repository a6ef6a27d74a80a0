//! The root after changes that are not made: what a miner writes into a header.

use tabchain_primitives::{Account, AccountKey, StateRoot, merkle};

use super::{Change, Link, State, Subtree};

/// What a subtree would be. A leaf moves up as long as it is alone, so it is told apart from a branch.
#[derive(Clone, Copy, Debug)]
enum Preview {
    Empty,
    Leaf(Hash),
    Branch(Hash),
}

/// The hash of a subtree.
#[derive(Clone, Copy, Debug)]
enum Hash {
    /// It stays as it is.
    Known([u8; 32]),
    /// It is the how-manieth of those that have to be taken.
    Due(usize),
}

/// What has to be hashed, as [`Stale`](super::Stale) has it for a tree that does change.
#[derive(Debug, Default)]
struct Due {
    count: usize,
    leaves: Vec<(usize, AccountKey, Account)>,
    /// Of each depth: which it is, and its halves.
    branches: Vec<Vec<(usize, [Hash; 2])>>,
}

impl State {
    /// The root the state would have if every changed account were as it is after its change.
    ///
    /// The changes are sorted by key and no key comes twice.
    pub(crate) fn root_after(&self, changes: &[Change]) -> StateRoot {
        let mut due = Due::default();
        let root = self.preview(self.root, 0, changes, &mut due).hash();
        StateRoot::from_bytes(root.among(&due.hashes()))
    }

    /// The same walk as `write_below`, with hashes in the place of nodes.
    fn preview(&self, link: Link, depth: usize, changes: &[Change], due: &mut Due) -> Preview {
        match changes {
            [] => return self.as_it_is(link),
            [change] if self.can_hold(link, &change.key) => return due.leaf(change),
            _ => {}
        }
        let (left, right) = self.split(link, depth);
        let (lower, upper) = changes.split_at(changes.partition_point(|change| !change.key.bit(depth)));
        let left = self.preview(left, depth + 1, lower, due);
        let right = self.preview(right, depth + 1, upper, due);
        match (left, right) {
            (Preview::Empty, alone @ (Preview::Empty | Preview::Leaf(_)))
            | (alone @ Preview::Leaf(_), Preview::Empty) => alone,
            (left, right) => due.branch(depth, [left.hash(), right.hash()]),
        }
    }

    fn as_it_is(&self, link: Link) -> Preview {
        match link.subtree() {
            Subtree::Empty => Preview::Empty,
            Subtree::Leaf(index) => Preview::Leaf(Hash::Known(self.leaves.get(index).hash)),
            Subtree::Branch(index) => Preview::Branch(Hash::Known(self.branches.get(index).hash)),
        }
    }
}

impl Due {
    fn leaf(&mut self, change: &Change) -> Preview {
        if change.after.is_empty() {
            return Preview::Empty;
        }
        let number = self.next();
        self.leaves.push((number, change.key, change.after));
        Preview::Leaf(Hash::Due(number))
    }

    fn branch(&mut self, depth: usize, halves: [Hash; 2]) -> Preview {
        let number = self.next();
        if self.branches.len() <= depth {
            self.branches.resize_with(depth + 1, Vec::new);
        }
        self.branches[depth].push((number, halves));
        Preview::Branch(Hash::Due(number))
    }

    fn next(&mut self) -> usize {
        self.count += 1;
        self.count - 1
    }

    /// All of them, the leaves first, then the branches from the deepest up.
    fn hashes(&self) -> Vec<[u8; 32]> {
        let mut hashes = vec![merkle::EMPTY; self.count];
        let leaves = Account::leaves(self.leaves.iter().map(|(_, key, account)| (*key, *account)));
        for ((number, ..), hash) in self.leaves.iter().zip(leaves) {
            hashes[*number] = hash;
        }
        for row in self.branches.iter().rev() {
            let halves = row.iter().map(|(_, halves)| halves.map(|half| half.among(&hashes)));
            let row_hashes = merkle::nodes(&halves.collect::<Vec<_>>());
            for ((number, _), hash) in row.iter().zip(row_hashes) {
                hashes[*number] = hash;
            }
        }
        hashes
    }
}

impl Preview {
    const fn hash(self) -> Hash {
        match self {
            Self::Empty => Hash::Known(merkle::EMPTY),
            Self::Leaf(hash) | Self::Branch(hash) => hash,
        }
    }
}

impl Hash {
    fn among(self, taken: &[[u8; 32]]) -> [u8; 32] {
        match self {
            Self::Known(hash) => hash,
            Self::Due(number) => taken[number],
        }
    }
}
