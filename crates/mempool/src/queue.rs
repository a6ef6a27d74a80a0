//! One sender's transactions, by nonce.

use std::{cmp::Reverse, collections::BTreeMap};

use tabchain_consensus::{CheckedTransaction, VerifiedTransaction};
use tabchain_primitives::{AccountNonce, Address, Transaction, TxId};

use crate::fee::FeeRate;

/// A transaction in the pool, and what its place depends on.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) transaction: Transaction,
    pub(crate) id: TxId,
    pub(crate) bytes: usize,
    pub(crate) rate: FeeRate,
    /// The how-manieth it was.
    pub(crate) arrival: u64,
    standing: Standing,
}

/// How much a transaction is worth keeping, least first: held before ready, then by the least rate up to it, then the
/// newest. Along a queue it never rises but for the arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Standing {
    pub(crate) ready: bool,
    pub(crate) rate: FeeRate,
    arrival: Reverse<u64>,
}

/// How soon a miner takes a ready transaction: by its own rate, then the oldest. Greatest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rank {
    rate: FeeRate,
    arrival: Reverse<u64>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Queue {
    /// The account's nonce.
    base: AccountNonce,
    entries: BTreeMap<AccountNonce, Entry>,
}

impl Entry {
    pub(crate) fn verified(transaction: VerifiedTransaction, arrival: u64) -> Self {
        let (id, bytes) = (transaction.id(), transaction.size());
        Self::new(transaction.into_transaction(), id, bytes, arrival)
    }

    /// A transaction whose signature may yet turn out to be wrong.
    pub(crate) fn checked(transaction: &CheckedTransaction, arrival: u64) -> Self {
        Self::new(transaction.transaction().clone(), transaction.id(), transaction.size(), arrival)
    }

    /// A transaction of a block, whose signature was checked with it.
    pub(crate) fn of_block(transaction: &Transaction, arrival: u64) -> Self {
        Self::new(transaction.clone(), transaction.id(), transaction.size(), arrival)
    }

    pub(crate) fn sender(&self) -> Address {
        Address::of(self.transaction.sender())
    }

    pub(crate) const fn nonce(&self) -> AccountNonce {
        self.transaction.nonce()
    }

    /// Whether an output goes to this address.
    pub(crate) fn pays(&self, address: &Address) -> bool {
        self.transaction.action().outputs().iter().any(|output| output.to() == address)
    }

    pub(crate) const fn standing(&self) -> Standing {
        self.standing
    }

    pub(crate) const fn rank(&self) -> Rank {
        Rank { rate: self.rate, arrival: Reverse(self.arrival) }
    }

    fn new(transaction: Transaction, id: TxId, bytes: usize, arrival: u64) -> Self {
        let rate = FeeRate::of(transaction.fee(), bytes);
        let standing = Standing { ready: false, rate, arrival: Reverse(arrival) };
        Self { transaction, id, bytes, rate, arrival, standing }
    }
}

impl Queue {
    /// An empty queue of an account with this nonce.
    pub(crate) const fn at(base: AccountNonce) -> Self {
        Self { base, entries: BTreeMap::new() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.entries.values().map(|entry| entry.bytes).sum()
    }

    pub(crate) fn held_bytes(&self) -> usize {
        let held = self.entries.values().filter(|entry| !entry.standing.ready);
        held.map(|entry| entry.bytes).sum()
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    pub(crate) fn get(&self, nonce: AccountNonce) -> Option<&Entry> {
        self.entries.get(&nonce)
    }

    /// The entry after this nonce.
    pub(crate) fn after(&self, nonce: AccountNonce) -> Option<&Entry> {
        self.entries.get(&nonce.next()?)
    }

    /// The entry before this nonce.
    pub(crate) fn before(&self, nonce: AccountNonce) -> Option<&Entry> {
        self.entries.range(..nonce).next_back().map(|(_, entry)| entry)
    }

    /// How far the last entry is from the account's nonce.
    pub(crate) fn reach(&self) -> u64 {
        self.tail().map_or(0, |tail| tail.nonce().value().saturating_sub(self.base.value()))
    }

    /// The entry that is ready first.
    pub(crate) fn head(&self) -> Option<&Entry> {
        self.entries.get(&self.base)
    }

    /// The last entry: the least worth keeping.
    pub(crate) fn tail(&self) -> Option<&Entry> {
        self.entries.values().next_back()
    }

    /// The first nonce from the account's own that no entry has.
    pub(crate) fn next_nonce(&self, from: AccountNonce) -> AccountNonce {
        let mut next = from;
        while self.entries.contains_key(&next) {
            next = next.next().expect("a queue is bounded, so a nonce after it is free");
        }
        next
    }

    pub(crate) fn insert(&mut self, entry: Entry) {
        self.entries.insert(entry.nonce(), entry);
        self.refresh();
    }

    pub(crate) fn remove(&mut self, nonce: AccountNonce) -> Option<Entry> {
        let removed = self.entries.remove(&nonce);
        self.refresh();
        removed
    }

    /// Tells where the account stands now.
    pub(crate) fn set_base(&mut self, base: AccountNonce) {
        self.base = base;
        self.refresh();
    }

    /// The standing an entry would have.
    pub(crate) fn standing_of(&self, entry: &Entry) -> Standing {
        let below = self.entries.range(..entry.nonce());
        let rate = below.map(|(_, below)| below.rate).fold(entry.rate, FeeRate::min);
        let ready = self.next_nonce(self.base) >= entry.nonce() && entry.nonce() >= self.base;
        Standing { ready, rate, ..entry.standing }
    }

    fn refresh(&mut self) {
        let mut next = Some(self.base);
        let mut rate = None;
        for (nonce, entry) in &mut self.entries {
            let least = rate.map_or(entry.rate, |rate: FeeRate| rate.min(entry.rate));
            rate = Some(least);
            let ready = next == Some(*nonce);
            if ready {
                next = nonce.next();
            }
            entry.standing = Standing { ready, rate: least, ..entry.standing };
        }
    }
}
