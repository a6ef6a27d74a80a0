//! Accounts that were not computed here, but read from rows or from chunks of strangers.
//!
//! They must lead to the state root of the block they are said to be of, and own together exactly what there is at its
//! height: so no snapshot, however much work stands behind it, makes money.

use tabchain_consensus::ChainSpec;
use tabchain_primitives::{Account, AccountKey, Address, Header, MAX_BLOCK_TRANSACTIONS};

use crate::{
    error::RestoreError,
    ledger,
    state::{Change, Prefix, Row, State, decode_rows},
};

/// Adds the accounts of a stored row, which then counts as stored.
pub(crate) fn restore(state: &mut State, first_byte: u8, bytes: &[u8]) -> Result<(), RestoreError> {
    let rows = decode_rows(bytes).map_err(|cause| RestoreError::BrokenChunk { prefix: first_byte, cause })?;
    add(state, first_byte, &rows)?;
    state.dirty_mut()[usize::from(first_byte)] = false;
    Ok(())
}

/// Adds accounts whose keys begin with this byte, in the order of their keys.
pub(crate) fn add(state: &mut State, first_byte: u8, rows: &[Row]) -> Result<(), RestoreError> {
    let addresses: Vec<Address> = rows.iter().map(|Row(address, _)| *address).collect();
    let keys = AccountKey::of_all(&addresses);
    let changes: Vec<Change> = rows.iter().zip(keys).map(change_from_nothing).collect();
    let placed = changes.iter().all(|change| Prefix::byte(first_byte).contains(&change.key))
        && changes.is_sorted_by(|a, b| a.key < b.key);
    if !placed {
        return Err(RestoreError::MisplacedAccount(first_byte));
    }
    // A root proves what the accounts are, not that they came about by the rules: whoever forged it must not be
    // able to stop a node with a number that no chain reaches.
    let nonces = changes.iter().map(|change| change.after.nonce);
    if let Some(nonce) = nonces.max().filter(|nonce| nonce.value() > MAX_TRANSACTIONS) {
        return Err(RestoreError::ImpossibleNonce { nonce });
    }
    state.write(&changes, Change::after);
    Ok(())
}

/// Whether these are the accounts after the block with this header, as far as the header alone can tell.
pub(crate) fn are_those_of(state: &State, spec: &ChainSpec, header: &Header) -> Result<(), RestoreError> {
    let (computed, claimed) = (state.root(), header.state_root());
    if computed != claimed {
        return Err(RestoreError::StateRoot { computed, claimed });
    }
    let expected = ledger::supply_at(spec, header.height());
    if state.supply() != Some(expected) {
        return Err(RestoreError::Supply { expected });
    }
    Ok(())
}

/// No chain has more: so many in every block of every height.
const MAX_TRANSACTIONS: u64 = MAX_BLOCK_TRANSACTIONS as u64 * u32::MAX as u64;

fn change_from_nothing((Row(address, account), key): (&Row, AccountKey)) -> Change {
    Change { key, address: *address, before: Account::EMPTY, after: *account }
}
