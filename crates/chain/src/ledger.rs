//! What a block does to the accounts: rules T6, T7 and T8, and who is paid.
//!
//! Nothing here touches the state. The transactions run on an overlay over it, and what comes out is the list of
//! accounts that changed; a block that breaks a rule leaves nothing to take back.

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

/// The accounts that change when these transactions, by these senders, are applied in order, sorted by key.
pub(crate) fn apply(
    state: &State,
    terms: &Terms,
    transactions: &[Transaction],
    senders: &[Address],
) -> Result<Vec<Change>, ConnectError> {
    let rewarded = terms.matured.map(|(address, _)| address);
    let named = transactions.iter().zip(senders).flat_map(|(transaction, sender)| {
        [*sender].into_iter().chain(transaction.action().outputs().iter().map(|output| *output.to()))
    });
    let named: Vec<Address> = rewarded.into_iter().chain(named).chain([terms.miner]).collect();
    let mut ledger = Ledger::over(state, &named);
    if let Some((_, reward)) = terms.matured {
        ledger.credit_next(reward);
    }
    let mut fees = Amount::ZERO;
    for (index, transaction) in transactions.iter().enumerate() {
        transaction_is_not_expired(transaction, terms.height)
            .and_then(|()| ledger.run(transaction))
            .map_err(|error| ConnectError::Transaction { index, error })?;
        fees = fees.checked_add(transaction.fee()).expect(WITHIN_SUPPLY);
    }
    ledger.credit_next(fees);
    Ok(ledger.into_changes())
}

/// The accounts of the genesis, sorted by key.
pub(crate) fn allocate(allocations: &[(Address, Amount)]) -> Vec<Change> {
    let nothing = State::new();
    let named: Vec<Address> = allocations.iter().map(|(address, _)| *address).collect();
    let mut ledger = Ledger::over(&nothing, &named);
    for (_, amount) in allocations {
        ledger.credit_next(*amount);
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

/// The accounts that a block may change. They are taken one after the other, in the order in which the block names them, and as
/// often as it does.
struct Ledger {
    /// Sorted by key.
    changes: Vec<Change>,
    /// Where each account that the block names stands among them.
    places: std::vec::IntoIter<usize>,
}

impl Ledger {
    /// All accounts of these addresses, as they are.
    fn over(state: &State, addresses: &[Address]) -> Self {
        let keys = AccountKey::of_all(addresses);
        // Keys are hashes: their first bytes tell nearly all of them apart.
        let mut order: Vec<(u64, usize)> = keys.iter().map(first_bytes).zip(0..).collect();
        order.sort_unstable_by(|(one, at), (other, beside)| {
            one.cmp(other).then_with(|| keys[*at].cmp(&keys[*beside]))
        });
        let (mut places, mut distinct) = (vec![0; keys.len()], Vec::with_capacity(keys.len()));
        let mut owners = Vec::with_capacity(keys.len());
        for (_, index) in order {
            if distinct.last() != Some(&keys[index]) {
                distinct.push(keys[index]);
                owners.push(addresses[index]);
            }
            places[index] = distinct.len() - 1;
        }
        let accounts = state.get_all(&distinct);
        let changes = distinct.into_iter().zip(owners).zip(accounts).map(|((key, address), before)| Change {
            key,
            address,
            before,
            after: before,
        });
        Self { changes: changes.collect(), places: places.into_iter() }
    }

    /// Runs a transaction whose sender is the next account, and those it pays the ones after it.
    fn run(&mut self, transaction: &Transaction) -> Result<(), TransactionError> {
        let sender = self.next();
        nonce_is_next(transaction, sender)?;
        balance_covers_total(transaction, sender)?;
        sender.nonce = sender.nonce.next().expect("there are never 2^64 transactions");
        sender.balance = sender.balance.checked_sub(transaction.total()).expect("rule T8 was checked");
        for output in transaction.action().outputs() {
            self.credit_next(output.amount());
        }
        Ok(())
    }

    fn credit_next(&mut self, amount: Amount) {
        let account = self.next();
        account.balance = account.balance.checked_add(amount).expect(WITHIN_SUPPLY);
    }

    /// The next account that the block names.
    fn next(&mut self) -> &mut Account {
        let place = self.places.next().expect("every account that the block names was listed");
        &mut self.changes[place].after
    }

    fn into_changes(self) -> Vec<Change> {
        let mut changes = self.changes;
        changes.retain(|change| change.before != change.after);
        changes
    }
}

fn first_bytes(key: &AccountKey) -> u64 {
    u64::from_be_bytes(*key.as_bytes().first_chunk().expect("a key has 32 bytes"))
}

const WITHIN_SUPPLY: &str =
    "all balances together are within a supply below 2^53, which a chain spec is checked for";
