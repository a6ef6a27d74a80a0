//! The steps: bodies that arrive, and the state that follows the best chain of them one block at a time.

use tabchain_consensus::VerifiedBlock;
use tabchain_primitives::{Address, BlockHash, Height};

use crate::{
    chain::{Chain, Step},
    error::{ConnectError, DisconnectError},
    ledger::Terms,
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

    /// The body of this block, the first that is lacking on its branch, does not come: until it does, the branch counts for
    /// nothing, whatever its work. When it [comes](Self::mark_body), the branch is as good as before. An unknown hash is
    /// ignored, and so is a block that is not the first.
    pub fn withhold(&mut self, hash: &BlockHash) {
        if let Some(index) = self.tree.find(hash) {
            self.tree.withhold(index);
        }
    }

    /// Whether a block is withheld, or one below it.
    pub fn is_withheld(&self, hash: &BlockHash) -> bool {
        self.tree.find(hash).is_some_and(|index| self.tree.is_withheld(index))
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
        let terms = self.terms(block.block().header.height(), block.block().header.miner());
        let changes = self.ground.accept(&terms, block).inspect_err(|_| self.tree.mark_invalid(index))?;
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
        let changes = undo.changes(|key| self.ground.state.get(key)).ok_or(damaged)?;
        self.ground.take_back(&changes, expected).map_err(|_| damaged)?;
        self.tree.step_back();
        Ok(())
    }

    /// What the accounts need to know of a block on top of the tip.
    pub(super) fn terms(&self, height: Height, miner: Address) -> Terms {
        let rewarded = |height| self.tree.active_at(height).expect("a reward matures after its own block");
        Terms::of(&self.spec, height, miner, |height| self.tree.node(rewarded(height)).header.miner())
    }
}
