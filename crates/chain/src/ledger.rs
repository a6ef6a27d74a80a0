//! What a block does to the accounts: rules T6, T7 and T8, and who is paid.
//!
//! Nothing here touches the state. The transactions run on an overlay over it, and what comes out is the list of
//! accounts that changed; a block that breaks a rule leaves nothing to take back.

use std::collections::BTreeMap;

use tabchain_consensus::{
    ChainSpec, TransactionError, balance_covers_total, nonce_is_next, reward, transaction_is_not_expired,
};
use tabchain_primitives::{Account, AccountKey, Address, Amount, Height, Transaction};

use crate::{
    error::ConnectError,
    state::{Change, State},
};

/// What the accounts need to know of a block besides its transactions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    pub(crate) height: Height,
    pub(crate) miner: Address,
    /// The reward that is now old enough, and whose it is.
    pub(crate) matured: Option<(Address, Amount)>,
}

impl Terms {
    /// The terms of a block at a height. `miner_at` tells who made an earlier block of its chain.
    pub(crate) fn of(
        spec: &ChainSpec,
        height: Height,
        miner: Address,
        miner_at: impl FnOnce(Height) -> Address,
    ) -> Self {
        let matured =
            spec.matured_height(height).map(|rewarded| (miner_at(rewarded), reward(spec, rewarded)));
        Self { height, miner, matured }
    }
}

/// The accounts that change when these transactions are applied in order, sorted by key.
pub(crate) fn apply<'a>(
    state: &State,
    terms: &Terms,
    transactions: impl IntoIterator<Item = &'a Transaction>,
) -> Result<Vec<Change>, ConnectError> {
    let mut ledger = Ledger::over(state);
    if let Some((address, reward)) = terms.matured {
        ledger.credit(address, reward);
    }
    let mut fees = Amount::ZERO;
    for (index, transaction) in transactions.into_iter().enumerate() {
        transaction_is_not_expired(transaction, terms.height)
            .and_then(|()| ledger.run(transaction))
            .map_err(|error| ConnectError::Transaction { index, error })?;
        fees = fees.checked_add(transaction.fee()).expect(WITHIN_SUPPLY);
    }
    ledger.credit(terms.miner, fees);
    Ok(ledger.into_changes())
}

/// The accounts of the genesis, sorted by key.
pub(crate) fn allocate(allocations: impl IntoIterator<Item = (Address, Amount)>) -> Vec<Change> {
    let nothing = State::new();
    let mut ledger = Ledger::over(&nothing);
    for (address, amount) in allocations {
        ledger.credit(address, amount);
    }
    ledger.into_changes()
}

/// What all balances add up to after the block at `tip`: the allocations and every reward that has matured.
pub(crate) fn supply_at(spec: &ChainSpec, tip: Height) -> Amount {
    let newest = spec.matured_height(tip).map_or(0, Height::value);
    let rewards = (1..=newest).map(|height| reward(spec, Height::new(height)));
    let allocated = spec.allocations().iter().map(|(_, amount)| *amount);
    Amount::checked_sum(allocated.chain(rewards)).expect(WITHIN_SUPPLY)
}

/// The accounts that were looked at, over the state that has the rest.
struct Ledger<'a> {
    state: &'a State,
    touched: BTreeMap<Address, Change>,
}

impl<'a> Ledger<'a> {
    const fn over(state: &'a State) -> Self {
        Self { state, touched: BTreeMap::new() }
    }

    fn run(&mut self, transaction: &Transaction) -> Result<(), TransactionError> {
        let sender = self.account(Address::of(transaction.sender()));
        nonce_is_next(transaction, sender)?;
        balance_covers_total(transaction, sender)?;
        sender.nonce = sender.nonce.next().expect("there are never 2^64 transactions");
        sender.balance = sender.balance.checked_sub(transaction.total()).expect("rule T8 was checked");
        for output in transaction.action().outputs() {
            self.credit(*output.to(), output.amount());
        }
        Ok(())
    }

    fn credit(&mut self, to: Address, amount: Amount) {
        if !amount.is_zero() {
            let account = self.account(to);
            account.balance = account.balance.checked_add(amount).expect(WITHIN_SUPPLY);
        }
    }

    fn account(&mut self, address: Address) -> &mut Account {
        let state = self.state;
        let change = self.touched.entry(address).or_insert_with(|| {
            let key = AccountKey::of(&address);
            let before = state.get(&key);
            Change { key, address, before, after: before }
        });
        &mut change.after
    }

    fn into_changes(self) -> Vec<Change> {
        let differs = |change: &Change| change.before != change.after;
        let mut changes: Vec<Change> = self.touched.into_values().filter(differs).collect();
        changes.sort_unstable_by_key(|change| change.key);
        changes
    }
}

const WITHIN_SUPPLY: &str =
    "all balances together are within a supply below 2^53, which a chain spec is checked for";
