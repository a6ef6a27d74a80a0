//! What the tree forgets: side branches beyond [`Limits::side_headers`](super::Limits::side_headers).
//!
//! Headers far below the tip cost little work, so anyone can make many of them. When the side branches are full, the
//! one with the least work goes, down to where it left the rest; a newcomer with no more work than that is refused
//! instead. So a flood of cheap headers can only push out cheaper ones, and never a fork that leaves near the tip.
//! A header farther than [`Limits::side_depth`](super::Limits::side_depth) below the end of the best chain is not even
//! looked at, unless it makes a better one or belongs to a branch that was weighed.
//! The chains that are kept and the way to the block that is next to be connected are never forgotten.

use tabchain_primitives::Work;

use super::{Index, LowWork, Node, Tree};

impl Tree {
    /// How many headers are on none of the chains that are kept.
    pub(super) fn side_headers(&self) -> usize {
        let chains = self.chains();
        let own = |at: usize| {
            let earlier = chains[..at].iter().map(|other| self.shared(chains[at], other));
            chains[at].len() - earlier.max().unwrap_or(0)
        };
        self.nodes.len() - (0..chains.len()).map(own).sum::<usize>()
    }

    /// Sees to it that a side header with this much work fits.
    pub(super) fn make_room(&mut self, work: Work, parent: Index) -> Result<(), LowWork> {
        let depth = self.row(self.best()).saturating_sub(self.row(parent) + 1);
        if depth > self.limits.side_depth as usize {
            return Err(LowWork);
        }
        while self.side_headers() >= self.limits.side_headers {
            let least =
                self.least_end(Some(parent)).filter(|end| self.node(*end).work < work).ok_or(LowWork)?;
            self.forget_branch(least, Some(parent));
        }
        Ok(())
    }

    /// Forgets what is too much after chains have moved to other branches.
    pub(crate) fn trim(&mut self) {
        while self.side_headers() > self.limits.side_headers {
            let Some(least) = self.least_end(None) else { return };
            self.forget_branch(least, None);
        }
    }

    /// The end of the side branch with the least work.
    fn least_end(&self, keep: Option<Index>) -> Option<Index> {
        self.ends.iter().map(|(_, _, index)| *index).find(|index| !self.is_kept(*index, keep))
    }

    /// Whether a block stays: on a chain, next to be connected, or about to have a child.
    fn is_kept(&self, index: Index, keep: Option<Index>) -> bool {
        let row = self.row(index);
        Some(index) == keep
            || index == self.goal
            || self.chains().iter().any(|chain| chain.get(row) == Some(&index))
    }

    /// Forgets an end, its parent if that was its only child, and so on down.
    fn forget_branch(&mut self, end: Index, keep: Option<Index>) {
        let mut index = end;
        while self.node(index).child.is_none() && !self.is_kept(index, keep) {
            let parent = self.parent(index).expect("the genesis is on every chain");
            self.forget(index, parent);
            index = parent;
        }
    }

    /// Forgets a block without children.
    fn forget(&mut self, index: Index, parent: Index) {
        let end = self.end(index);
        self.ends.remove(&end);
        let Node { header, hash, sibling, .. } = *self.node(index);
        if self.node(parent).child == Some(index) {
            self.node_mut(parent).child = sibling;
        } else {
            let before = self.children(parent).find(|child| self.node(*child).sibling == Some(index));
            let before = before.expect("a block is among its parent's children");
            self.node_mut(before).sibling = sibling;
        }
        if self.node(parent).child.is_none() {
            self.ends.insert(self.end(parent));
        }
        self.by_hash.remove(&hash);
        self.nodes.remove(index.place());
        self.evicted.push((header.height(), hash));
    }
}
