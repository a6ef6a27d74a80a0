//! Writing changes into the tree.
//!
//! First the tree takes its new shape, and what has to be hashed anew is noted. Then it is hashed: the leaves, and row by row
//! the branches, the deepest first. The nodes of a row have nothing to do with each other, so their hashes are taken at once.

use tabchain_primitives::{Account, merkle};

use super::{Branch, Change, Leaf, Link, State, Subtree, first_byte};

/// What has changed and is not hashed yet.
#[derive(Debug)]
pub(super) struct Stale {
    leaves: Vec<u32>,
    /// The branches of each depth.
    branches: Vec<Vec<u32>>,
}

impl Stale {
    pub(super) const fn new() -> Self {
        Self { leaves: Vec::new(), branches: Vec::new() }
    }

    fn note_branch(&mut self, depth: usize, index: u32) {
        if self.branches.len() <= depth {
            self.branches.resize_with(depth + 1, Vec::new);
        }
        self.branches[depth].push(index);
    }
}

impl State {
    /// Sets every changed account to one of its two sides.
    ///
    /// The changes are sorted by key and no key comes twice.
    pub(crate) fn write(&mut self, changes: &[Change], side: fn(&Change) -> Account) {
        debug_assert!(changes.is_sorted_by(|a, b| a.key < b.key), "changes are sorted, each key once");
        self.root = self.write_below(self.root, 0, changes, side);
        self.hash_stale();
        for change in changes {
            self.dirty[first_byte(&change.key)] = true;
        }
    }

    fn write_below(
        &mut self,
        link: Link,
        depth: usize,
        changes: &[Change],
        side: fn(&Change) -> Account,
    ) -> Link {
        match changes {
            [] => return link,
            [change] if self.can_hold(link, &change.key) => return self.put(link, change, side(change)),
            _ => {}
        }
        let (left, right) = self.split(link, depth);
        let (lower, upper) = changes.split_at(changes.partition_point(|change| !change.key.bit(depth)));
        let left = self.write_below(left, depth + 1, lower, side);
        let right = self.write_below(right, depth + 1, upper, side);
        self.join(link, depth, left, right)
    }

    /// Puts an account where nothing else is.
    fn put(&mut self, link: Link, change: &Change, account: Account) -> Link {
        let before = match link.subtree() {
            Subtree::Leaf(index) => self.leaves.get(index).account,
            Subtree::Empty | Subtree::Branch(_) => Account::EMPTY,
        };
        self.supply = self.supply - u128::from(before.balance.units()) + u128::from(account.balance.units());
        let leaf = || Leaf { hash: UNHASHED, key: change.key, address: change.address, account };
        let index = match (link.subtree(), account.is_empty()) {
            (Subtree::Leaf(index), true) => {
                self.leaves.remove(index);
                return Link::EMPTY;
            }
            (_, true) => return Link::EMPTY,
            (Subtree::Leaf(index), false) => {
                *self.leaves.get_mut(index) = leaf();
                index
            }
            (_, false) => self.leaves.insert(leaf()),
        };
        self.stale.leaves.push(index);
        Link::leaf(index)
    }

    /// The subtree of two halves at this depth, in the place of what was there before. A leaf without a neighbour moves
    /// up.
    fn join(&mut self, before: Link, depth: usize, left: Link, right: Link) -> Link {
        let alone = match (left.subtree(), right.subtree()) {
            (Subtree::Empty, Subtree::Empty | Subtree::Leaf(_)) => Some(right),
            (Subtree::Leaf(_), Subtree::Empty) => Some(left),
            _ => None,
        };
        let index = match (before.subtree(), alone) {
            (Subtree::Branch(index), Some(alone)) => {
                self.branches.remove(index);
                return alone;
            }
            (_, Some(alone)) => return alone,
            (Subtree::Branch(index), None) => {
                *self.branches.get_mut(index) = Branch { hash: UNHASHED, left, right };
                index
            }
            (_, None) => self.branches.insert(Branch { hash: UNHASHED, left, right }),
        };
        self.stale.note_branch(depth, index);
        Link::branch(index)
    }

    fn hash_stale(&mut self) {
        let mut stale = std::mem::replace(&mut self.stale, Stale::new());
        let accounts = stale.leaves.iter().map(|index| self.leaves.get(*index));
        let hashes = Account::leaves(accounts.map(|leaf| (leaf.key, leaf.account)));
        for (index, hash) in stale.leaves.drain(..).zip(hashes) {
            self.leaves.get_mut(index).hash = hash;
        }
        for row in stale.branches.iter_mut().rev() {
            let branches = row.iter().map(|index| self.branches.get(*index));
            let halves = branches.map(|branch| [self.hash(branch.left), self.hash(branch.right)]);
            let hashes = merkle::nodes(&halves.collect::<Vec<_>>());
            for (index, hash) in row.drain(..).zip(hashes) {
                self.branches.get_mut(index).hash = hash;
            }
        }
        // The rows keep their room for the next write.
        self.stale = stale;
    }
}

/// Stands in a node until it is hashed.
const UNHASHED: [u8; 32] = merkle::EMPTY;
