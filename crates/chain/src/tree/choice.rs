//! Fork choice: which block the state moves to, and the next step on the way (section 8 of `docs/protocol.md`).
//!
//! A block is *ready* once its body and those of all its ancestors are there. The goal is the ready block with the
//! most work; of equals, the one that was ready first. So a chain of equal work never displaces the one that is
//! there, and when a heavier one turns out to be invalid the goal is again what it was before.

use super::{Index, Tree};

/// One step of the state toward the goal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Move {
    /// Takes the tip back.
    Back(Index),
    /// Connects a child of the tip.
    Forth(Index),
}

impl Tree {
    /// The next step, if the state is not where it should be.
    pub(crate) fn next_move(&self) -> Option<Move> {
        let tip = self.tip();
        if tip == self.goal {
            return None;
        }
        let height = self.node(tip).header.height();
        if self.ancestor(self.goal, height) != Some(tip) {
            return Some(Move::Back(tip));
        }
        self.ancestor(self.goal, height.next()?).map(Move::Forth)
    }

    pub(crate) fn has_body(&self, index: Index) -> bool {
        self.node(index).has_body
    }

    pub(crate) fn is_invalid(&self, index: Index) -> bool {
        self.node(index).invalid
    }

    /// A block's body is there now.
    pub(crate) fn mark_body(&mut self, index: Index) {
        self.node_mut(index).has_body = true;
        self.give_back(index);
        let parent_is_ready = self.parent(index).is_none_or(|parent| self.node(parent).ready.is_some());
        if parent_is_ready && self.node(index).ready.is_none() {
            self.make_ready(index);
        }
    }

    /// A block's body is gone.
    pub(crate) fn forget_body(&mut self, index: Index) {
        self.node_mut(index).has_body = false;
        // What is connected needs its body no more, unless it is taken back: then `step_back` looks at it again.
        if !self.is_active(index) {
            self.unready(index);
        }
    }

    /// A block broke a rule: it and everything above it is out.
    pub(crate) fn mark_invalid(&mut self, index: Index) {
        debug_assert!(index != Self::GENESIS, "a chain without a genesis is no chain");
        for descendant in self.with_descendants(index) {
            self.node_mut(descendant).invalid = true;
        }
        if self.node(self.best()).invalid {
            self.choose_best();
        }
        if self.node(self.goal).invalid {
            self.choose_goal();
        }
        self.arrive();
    }

    /// A block's body does not come: it and everything above it counts for nothing until it does. Nothing if the body is
    /// there, or one below it is lacking too.
    pub(crate) fn withhold(&mut self, index: Index) {
        let node = self.node(index);
        let lowest = self.parent(index).is_some_and(|parent| self.node(parent).ready.is_some());
        if node.has_body || node.ready.is_some() || !lowest {
            return;
        }
        for descendant in self.with_descendants(index) {
            self.node_mut(descendant).withheld = true;
        }
        if self.node(self.best()).withheld {
            self.choose_best();
        }
    }

    /// The block that a withheld branch begins with has come: the branch counts as any other.
    pub(crate) fn give_back(&mut self, index: Index) {
        let begins = self.parent(index).is_some_and(|parent| !self.node(parent).withheld);
        if !self.node(index).withheld || !begins {
            return;
        }
        for descendant in self.with_descendants(index) {
            self.node_mut(descendant).withheld = false;
        }
        self.choose_best();
    }

    pub(crate) fn is_withheld(&self, index: Index) -> bool {
        self.node(index).withheld
    }

    /// The state stands at a block at once: what leads there counts as connected, whether or not the bodies are there.
    /// Says whether that was no step back.
    pub(crate) fn stand_at(&mut self, end: Index) -> bool {
        let before = self.tip();
        while self.ancestor(end, self.node(self.tip()).header.height()) != Some(self.tip()) {
            self.step_back();
        }
        let tip = self.tip();
        let path = std::iter::successors(Some(end), |index| self.parent(*index));
        let path: Vec<Index> = path.take_while(|index| *index != tip).collect();
        for index in path.into_iter().rev() {
            self.step_forth(index);
        }
        tip == before
    }

    /// The state has moved to a child of the tip.
    pub(crate) fn step_forth(&mut self, index: Index) {
        debug_assert_eq!(self.parent(index), Some(self.tip()), "the state moves by one block");
        self.give_back(index);
        if self.node(index).ready.is_none() {
            self.make_ready(index);
        }
        self.active.push(index);
        self.arrive();
    }

    /// The state has moved back to the tip's parent.
    pub(crate) fn step_back(&mut self) {
        if self.former.is_empty() {
            self.former = self.active.clone();
        }
        let tip = self.active.pop().expect("the genesis is never taken back");
        if !self.node(tip).has_body {
            self.unready(tip);
        }
        self.arrive();
    }

    /// The chain that was left is kept until the state is where it goes: only then is it sure not to be led back.
    fn arrive(&mut self) {
        if self.tip() == self.goal {
            self.former = Vec::new();
        }
    }

    fn make_ready(&mut self, index: Index) {
        let mut found = vec![index];
        while let Some(index) = found.pop() {
            self.readied = self.readied.saturating_add(1);
            self.node_mut(index).ready = Some(self.readied);
            let node = self.node(index);
            if !node.invalid && node.work > self.node(self.goal).work {
                self.goal = index;
            }
            // Newest first onto the stack, so the first seen is ready first.
            let waiting = self
                .children(index)
                .filter(|child| self.node(*child).has_body && self.node(*child).ready.is_none());
            found.extend(waiting.collect::<Vec<_>>());
        }
    }

    fn unready(&mut self, index: Index) {
        for descendant in self.with_descendants(index) {
            self.node_mut(descendant).ready = None;
        }
        if self.node(self.goal).ready.is_none() {
            self.choose_goal();
        }
    }

    /// Finds the best header among all. Only after a block was found invalid, which costs its maker a block's work, or bodies
    /// were waited for in vain, which takes its time.
    fn choose_best(&mut self) {
        let candidates = self.indices().filter(|index| {
            let node = self.node(*index);
            !node.invalid && !node.withheld
        });
        let best = candidates.max_by_key(|index| self.end(*index)).expect("the genesis is never out");
        self.follow_best(best);
    }

    /// Finds the goal among all.
    fn choose_goal(&mut self) {
        let rank = |index: &Index| {
            let node = self.node(*index);
            (node.work, node.ready.map(std::cmp::Reverse))
        };
        let candidates = self.indices().filter(|index| {
            let node = self.node(*index);
            !node.invalid && node.ready.is_some()
        });
        self.goal = candidates.max_by_key(rank).expect("the genesis is always ready");
    }

    /// Every block that is kept, as an arena index.
    fn indices(&self) -> impl Iterator<Item = Index> {
        self.by_hash.values().copied()
    }
}
