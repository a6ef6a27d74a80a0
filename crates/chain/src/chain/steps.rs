//! The steps: bodies that arrive, and the state that follows the best chain of them one block at a time.

use tabchain_consensus::{VerifiedBlock, reward};
use tabchain_primitives::{Account, Address, BlockHash, Header, Height, HistoryRoot, StateRoot};

use crate::{
    chain::{Chain, Step},
    error::{ConnectError, DisconnectError},
    ledger::{self, Terms},
    state::Change,
    tree::Move,
    undo::Undo,
};

impl Chain {
    /// Notes that a block's body is at hand. An unknown hash is ignored.
    pub fn mark_body(&mut self, hash: &BlockHash) {
        if let Some(index) = self.tree.find(hash) {
            self.tree.mark_body(index);
        }
    }

    /// Notes that a block's body is not at hand after all.
    pub fn forget_body(&mut self, hash: &BlockHash) {
        if let Some(index) = self.tree.find(hash) {
            self.tree.forget_body(index);
        }
    }

    /// Whether a block's body was marked.
    pub fn has_body(&self, hash: &BlockHash) -> bool {
        self.tree.find(hash).is_some_and(|index| self.tree.has_body(index))
    }

    /// Marks a block and everything above it invalid. The genesis and unknown hashes are ignored.
    ///
    /// Only for what the header itself commits to: a body that does not belong to its header says nothing about the
    /// block, whose honest body may still come.
    pub fn mark_invalid(&mut self, hash: &BlockHash) {
        if let Some(index) = self.tree.find(hash).filter(|index| self.tree.parent(*index).is_some()) {
            self.tree.mark_invalid(index);
        }
    }

    /// The next step toward the block with the most work whose bodies are all there; `None` where it stands already.
    pub fn next_step(&self) -> Option<Step> {
        self.tree.next_move().map(|step| match step {
            Move::Back(index) => Step::Disconnect(self.tree.node(index).hash),
            Move::Forth(index) => Step::Connect(self.tree.node(index).hash),
        })
    }

    /// Moves the state to a child of the tip, if it keeps the rules T6 to T8, B11 and B12.
    ///
    /// If it breaks one, the state is as it was and the block with everything above it is marked invalid.
    pub fn connect(&mut self, block: &VerifiedBlock) -> Result<Undo, ConnectError> {
        let hash = block.hash();
        let index = self.tree.find(&hash).ok_or(ConnectError::NotNext(hash))?;
        if self.tree.is_invalid(index) {
            return Err(ConnectError::KnownInvalid(hash));
        }
        if self.tree.parent(index) != Some(self.tree.tip()) {
            return Err(ConnectError::NotNext(hash));
        }
        let changes = self.accept(block).inspect_err(|_| self.tree.mark_invalid(index))?;
        self.history.push(&hash);
        self.tree.step_forth(index);
        Ok(Undo::new(hash, &changes))
    }

    /// Moves the state back to the tip's parent.
    pub fn disconnect(&mut self, undo: &Undo) -> Result<(), DisconnectError> {
        let tip = self.tree.node(self.tree.tip());
        if *undo.block() != tip.hash {
            return Err(DisconnectError::NotTip(*undo.block()));
        }
        let parent = self.tree.parent(self.tree.tip()).ok_or(DisconnectError::Genesis)?;
        let expected = self.tree.node(parent).header.state_root();
        let damaged = DisconnectError::Damaged(tip.hash);
        let changes = undo.changes(|key| self.state.get(key)).ok_or(damaged)?;
        let leads_back = |root| if root == expected { Ok(()) } else { Err(damaged) };
        self.write_if(&changes, Change::before, Change::after, leads_back)?;
        self.tree.step_back();
        self.history.truncate(self.history.len() - 1);
        Ok(())
    }

    /// Rules T6 to T8, B11 and B12. Err: the state is as it was.
    fn accept(&mut self, block: &VerifiedBlock) -> Result<Vec<Change>, ConnectError> {
        let header = &block.block().header;
        history_root_is_computed(header, self.history.root())?;
        let terms = self.terms(header.height(), header.miner());
        let changes = ledger::apply(&self.state, &terms, &block.block().transactions)?;
        let root_is_right = |root| state_root_is_computed(header, root);
        self.write_if(&changes, Change::after, Change::before, root_is_right)?;
        Ok(changes)
    }

    /// Writes one side of the changes if the root that it leads to is right; otherwise leaves the other side.
    fn write_if<E>(
        &mut self,
        changes: &[Change],
        side: fn(&Change) -> Account,
        other: fn(&Change) -> Account,
        root_is_right: impl FnOnce(StateRoot) -> Result<(), E>,
    ) -> Result<(), E> {
        let dirty = *self.state.dirty_mut();
        self.state.write(changes, side);
        root_is_right(self.state.root()).inspect_err(|_| {
            self.state.write(changes, other);
            *self.state.dirty_mut() = dirty;
        })
    }

    /// What the accounts need to know of a block on top of the tip.
    pub(super) fn terms(&self, height: Height, miner: Address) -> Terms {
        let matured = self.spec.matured_height(height).map(|rewarded| {
            let below = self.tree.active_at(rewarded).expect("a reward matures after its own block");
            (self.tree.node(below).header.miner(), reward(&self.spec, rewarded))
        });
        Terms { height, miner, matured }
    }
}

/// Rule B11: `state_root` is the root of the state after the block.
fn state_root_is_computed(header: &Header, computed: StateRoot) -> Result<(), ConnectError> {
    let claimed = header.state_root();
    if claimed == computed { Ok(()) } else { Err(ConnectError::StateRoot { computed, claimed }) }
}

/// Rule B12: `history_root` is the root of the mountain range over all earlier headers.
fn history_root_is_computed(header: &Header, computed: HistoryRoot) -> Result<(), ConnectError> {
    let claimed = header.history_root();
    if claimed == computed { Ok(()) } else { Err(ConnectError::HistoryRoot { computed, claimed }) }
}
