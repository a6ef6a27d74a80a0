//! What a block does to the accounts: rules T6, T7 and T8, and who is paid.
//!
//! Nothing here touches the state. The transactions run on an overlay over it, and what comes out is the list of
//! accounts that changed; a block that breaks a rule leaves nothing to take back.

use tabchain_consensus::{
    ChainSpec, TransactionError, balance_covers_total, nonce_is_next, reward, transaction_is_not_expired,
};
use tabchain_primitives::{Account, AccountKey, Address, Amount, Height, Output, Transaction};

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

/// The accounts that change when these transactions, by these senders, are applied in order, sorted by key.
pub(crate) fn apply(
    state: &State,
    terms: &Terms,
    transactions: &[Transaction],
    senders: &[Address],
) -> Result<Vec<Change>, ConnectError> {
    let paid = transactions.iter().flat_map(|transaction| transaction.action().outputs()).map(Output::to);
    let matured = terms.matured.iter().map(|(address, _)| address);
    let mut ledger = Ledger::over(state, senders.iter().chain(paid).chain(matured).chain([&terms.miner]));
    if let Some((address, reward)) = terms.matured {
        ledger.credit(&address, reward);
    }
    let mut fees = Amount::ZERO;
    for (index, (transaction, sender)) in transactions.iter().zip(senders).enumerate() {
        transaction_is_not_expired(transaction, terms.height)
            .and_then(|()| ledger.run(transaction, sender))
            .map_err(|error| ConnectError::Transaction { index, error })?;
        fees = fees.checked_add(transaction.fee()).expect(WITHIN_SUPPLY);
    }
    ledger.credit(&terms.miner, fees);
    Ok(ledger.into_changes())
}

/// The accounts of the genesis, sorted by key.
pub(crate) fn allocate(allocations: &[(Address, Amount)]) -> Vec<Change> {
    let nothing = State::new();
    let mut ledger = Ledger::over(&nothing, allocations.iter().map(|(address, _)| address));
    for (address, amount) in allocations {
        ledger.credit(address, *amount);
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

/// The accounts that a block may change, by address.
struct Ledger(Vec<Change>);

impl Ledger {
    /// All accounts of these addresses, as they are.
    fn over<'a>(state: &State, addresses: impl Iterator<Item = &'a Address>) -> Self {
        let mut addresses: Vec<Address> = addresses.copied().collect();
        addresses.sort_unstable();
        addresses.dedup();
        let keys = AccountKey::of_all(&addresses);
        let accounts = state.get_all(&keys);
        let changes = addresses.into_iter().zip(keys).zip(accounts).map(|((address, key), before)| Change {
            key,
            address,
            before,
            after: before,
        });
        Self(changes.collect())
    }

    fn run(&mut self, transaction: &Transaction, from: &Address) -> Result<(), TransactionError> {
        let sender = self.account(from);
        nonce_is_next(transaction, sender)?;
        balance_covers_total(transaction, sender)?;
        sender.nonce = sender.nonce.next().expect("there are never 2^64 transactions");
        sender.balance = sender.balance.checked_sub(transaction.total()).expect("rule T8 was checked");
        for output in transaction.action().outputs() {
            self.credit(output.to(), output.amount());
        }
        Ok(())
    }

    fn credit(&mut self, to: &Address, amount: Amount) {
        let account = self.account(to);
        account.balance = account.balance.checked_add(amount).expect(WITHIN_SUPPLY);
    }

    fn account(&mut self, address: &Address) -> &mut Account {
        let place = self.0.binary_search_by_key(address, |change| change.address);
        &mut self.0[place.expect("every address of the block was listed")].after
    }

    fn into_changes(self) -> Vec<Change> {
        let mut changes = self.0;
        changes.retain(|change| change.before != change.after);
        changes.sort_unstable_by_key(|change| change.key);
        changes
    }
}

const WITHIN_SUPPLY: &str =
    "all balances together are within a supply below 2^53, which a chain spec is checked for";
