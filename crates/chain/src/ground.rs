//! What follows from a chain's blocks up to one of them: the accounts, and the history that the next header commits to.
//!
//! The chain stands on one ground, its tip's; whoever checks the past has another, and both move by the same rules.

use tabchain_consensus::{ChainSpec, VerifiedBlock};
use tabchain_primitives::{Account, Header, HistoryRoot, StateRoot};

use crate::{
    error::ConnectError,
    history::History,
    ledger::{self, Terms},
    state::{Change, State},
};

#[derive(Debug)]
pub(crate) struct Ground {
    pub(crate) state: State,
    /// Holds the hashes of all blocks so far, the last one's too: its root is what the next header must say.
    pub(crate) history: History,
}

impl Ground {
    /// After the genesis alone.
    pub(crate) fn genesis(spec: &ChainSpec) -> Self {
        let mut state = State::new();
        state.write(&genesis_changes(spec), Change::after);
        let mut history = History::default();
        history.push(&spec.genesis_hash());
        Self { state, history }
    }

    /// Goes on by the next block if it keeps the rules T6 to T8, B11 and B12. Err: all is as it was.
    pub(crate) fn accept(
        &mut self,
        terms: &Terms,
        block: &VerifiedBlock,
    ) -> Result<Vec<Change>, ConnectError> {
        let header = &block.block().header;
        history_root_is_computed(header, self.history.root())?;
        let changes = ledger::apply(&self.state, terms, &block.block().transactions, block.senders())?;
        let root_is_right = |root| state_root_is_computed(header, root);
        self.write_if(&changes, Change::after, Change::before, root_is_right)?;
        self.history.push(&block.hash());
        Ok(changes)
    }

    /// Goes back by a block, if that leads to the root before it. Err: all is as it was.
    pub(crate) fn take_back(&mut self, changes: &[Change], before: StateRoot) -> Result<(), StateRoot> {
        let leads_back = |root| if root == before { Ok(()) } else { Err(root) };
        self.write_if(changes, Change::before, Change::after, leads_back)?;
        self.history.truncate(self.history.len() - 1);
        Ok(())
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
}

/// The accounts of a spec's genesis, as changes to nothing.
pub(crate) fn genesis_changes(spec: &ChainSpec) -> Vec<Change> {
    ledger::allocate(spec.allocations())
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
