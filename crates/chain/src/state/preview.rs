//! The root after changes that are not made: what a miner writes into a header.

use tabchain_primitives::{StateRoot, merkle};

use super::{Change, Link, State, Subtree};

/// What a subtree would be. A leaf moves up as long as it is alone, so it is told apart from a branch.
#[derive(Clone, Copy, Debug)]
enum Preview {
    Empty,
    Leaf([u8; 32]),
    Branch([u8; 32]),
}

impl State {
    /// The root the state would have if every changed account were as it is after its change.
    ///
    /// The changes are sorted by key and no key comes twice.
    pub(crate) fn root_after(&self, changes: &[Change]) -> StateRoot {
        StateRoot::from_bytes(self.preview(self.root, 0, changes).hash())
    }

    /// The same walk as `write_below`, with hashes in the place of nodes.
    fn preview(&self, link: Link, depth: usize, changes: &[Change]) -> Preview {
        match changes {
            [] => return self.as_it_is(link),
            [change] if self.can_hold(link, &change.key) => {
                let after = change.after;
                return if after.is_empty() {
                    Preview::Empty
                } else {
                    Preview::Leaf(after.leaf(&change.key))
                };
            }
            _ => {}
        }
        let (left, right) = self.split(link, depth);
        let (lower, upper) = changes.split_at(changes.partition_point(|change| !change.key.bit(depth)));
        match (self.preview(left, depth + 1, lower), self.preview(right, depth + 1, upper)) {
            (Preview::Empty, alone @ (Preview::Empty | Preview::Leaf(_)))
            | (alone @ Preview::Leaf(_), Preview::Empty) => alone,
            (left, right) => Preview::Branch(merkle::node(&left.hash(), &right.hash())),
        }
    }

    fn as_it_is(&self, link: Link) -> Preview {
        match link.subtree() {
            Subtree::Empty => Preview::Empty,
            Subtree::Leaf(index) => Preview::Leaf(self.leaves.get(index).hash),
            Subtree::Branch(index) => Preview::Branch(self.branches.get(index).hash),
        }
    }
}

impl Preview {
    const fn hash(self) -> [u8; 32] {
        match self {
            Self::Empty => merkle::EMPTY,
            Self::Leaf(hash) | Self::Branch(hash) => hash,
        }
    }
}
