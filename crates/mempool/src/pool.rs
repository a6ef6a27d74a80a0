//! The pool: what comes in, and what the chain's moves do to it.

use std::collections::{BTreeMap, BTreeSet};

use tabchain_consensus::{
    CheckedTransaction, TransactionError, VerifiedTransaction, nonce_is_next, transaction_is_not_expired,
};
use tabchain_primitives::{Account, AccountNonce, Address, Amount, Block, Height, Transaction, TxId};

use crate::{
    AccountView,
    error::{AdmitError, Dropped},
    fee::{FeeRate, replacement_fee},
    queue::{Entry, Queue, Rank, Standing},
};

/// What a pool takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most bytes of all transactions together.
    pub bytes: usize,
    /// The most bytes of one sender's transactions.
    pub bytes_per_sender: usize,
    /// The most transactions of one sender, and how far from the account's nonce they may be.
    pub count_per_sender: usize,
    /// The most bytes of transactions that are held behind a gap.
    pub held_bytes: usize,
    /// The least fee rate.
    pub min_fee_rate: FeeRate,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes: 8 << 20,
            bytes_per_sender: 64 << 10,
            count_per_sender: 64,
            held_bytes: 1 << 20,
            min_fee_rate: FeeRate::new(1_000),
        }
    }
}

/// The most drops that are told of at once: a deep reorg through full blocks would have no end of them.
const MAX_TOLD: usize = 65_536;

/// What letting a transaction in has led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admitted {
    /// Whether it waits behind a gap.
    pub held: bool,
    /// The transaction whose place it took.
    pub replaced: Option<TxId>,
    /// Those that went to make room for it.
    pub evicted: Vec<TxId>,
}

/// The place that a transaction would get.
struct Admission {
    sender: Address,
    account: Account,
    standing: Standing,
    /// Whose place it takes, and how many bytes that frees.
    replaced: Option<(TxId, usize)>,
    /// Who goes to make room.
    room: Vec<(Address, AccountNonce)>,
}

/// Transactions that wait for a block. See the [crate documentation](crate).
#[derive(Debug, Default)]
pub struct Mempool {
    pub(crate) limits: Limits,
    pub(crate) queues: BTreeMap<Address, Queue>,
    ids: BTreeMap<TxId, (Address, AccountNonce)>,
    /// The first ready transaction of each queue, by how soon a miner takes it.
    pub(crate) heads: BTreeSet<(Rank, Address)>,
    /// The last transaction of each queue, the first to go in front.
    pub(crate) tails: BTreeSet<(Standing, Address)>,
    expiry: BTreeSet<(Height, TxId)>,
    pub(crate) bytes: usize,
    pub(crate) held_bytes: usize,
    arrivals: u64,
    /// Senders whose accounts may have changed since the pool was settled.
    touched: BTreeSet<Address>,
    /// Whether a block was disconnected since then: then any account may have changed.
    reverted: bool,
    /// What went since then.
    dropped: Vec<(TxId, Dropped)>,
}

impl Mempool {
    /// An empty pool.
    pub fn new(limits: Limits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// What it takes.
    pub const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// How many transactions there are.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Their bytes together.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether a transaction is here.
    pub fn contains(&self, id: &TxId) -> bool {
        self.ids.contains_key(id)
    }

    /// A transaction by its id.
    pub fn get(&self, id: &TxId) -> Option<&Transaction> {
        let (sender, nonce) = self.ids.get(id)?;
        self.queues.get(sender)?.get(*nonce).map(|entry| &entry.transaction)
    }

    /// All ids, in the order of their bytes.
    pub fn ids(&self) -> impl Iterator<Item = &TxId> {
        self.ids.keys()
    }

    /// What an address sends, by nonce, and then what it is to be paid. Looks at every transaction.
    pub fn by_account(&self, address: &Address) -> Vec<&Transaction> {
        let own = self.queues.get(address).into_iter().flat_map(Queue::entries);
        let others = self.queues.iter().filter(|(sender, _)| *sender != address);
        let paying = others.flat_map(|(_, queue)| queue.entries()).filter(|entry| entry.pays(address));
        own.chain(paying).map(|entry| &entry.transaction).collect()
    }

    /// The nonce of an address's next transaction: after its account's, and after those that are ready here.
    pub fn next_nonce(&self, address: &Address, view: &dyn AccountView) -> AccountNonce {
        let nonce = view.account(address).nonce;
        self.queues.get(address).map_or(nonce, |queue| queue.next_nonce(nonce))
    }

    /// Whether a transaction is here and held behind a gap.
    pub fn is_held(&self, id: &TxId) -> bool {
        let entry = self.ids.get(id).and_then(|(sender, nonce)| self.queues.get(sender)?.get(*nonce));
        entry.is_some_and(|entry| !entry.standing().ready)
    }

    /// Drops a transaction that is held; false when it is not.
    pub fn forget_held(&mut self, id: &TxId) -> bool {
        if !self.is_held(id) {
            return false;
        }
        let (sender, nonce) = self.ids[id];
        self.drop_entry(sender, nonce, Dropped::Evicted);
        true
    }

    /// Looks, before a signature is checked, whether [`insert`](Self::insert) would let a transaction in, and whether it would be held.
    pub fn consider(
        &mut self,
        transaction: &CheckedTransaction,
        view: &dyn AccountView,
        next: Height,
    ) -> Result<bool, AdmitError> {
        let entry = Entry::checked(transaction, self.arrivals);
        self.admission(&entry, view, next).map(|admission| !admission.standing.ready)
    }

    /// Lets a transaction in that could be in the block at height `next`, or later behind others of its sender.
    pub fn insert(
        &mut self,
        transaction: VerifiedTransaction,
        view: &dyn AccountView,
        next: Height,
    ) -> Result<Admitted, AdmitError> {
        let entry = Entry::verified(transaction, self.arrivals);
        let Admission { sender, account, standing, replaced, room } = self.admission(&entry, view, next)?;
        self.arrivals += 1;
        if replaced.is_some() {
            self.remove(sender, entry.nonce());
        }
        let evicted = room.into_iter().filter_map(|(sender, nonce)| self.remove(sender, nonce));
        let evicted = evicted.map(|entry| entry.id).collect();
        self.add(sender, entry, account.nonce);
        Ok(Admitted { held: !standing.ready, replaced: replaced.map(|(id, _)| id), evicted })
    }

    /// A block was connected: what it confirms goes. Gives back which of its transactions were here.
    pub fn on_connect(&mut self, block: &Block) -> Vec<TxId> {
        let mut confirmed = Vec::new();
        for transaction in &block.transactions {
            if self.is_empty() {
                break;
            }
            let sender = Address::of(transaction.sender());
            if !self.queues.contains_key(&sender) {
                continue;
            }
            if let Some(entry) = self.remove(sender, transaction.nonce()) {
                if entry.transaction.unsigned() == transaction.unsigned() {
                    confirmed.push(entry.id);
                } else {
                    self.tell(entry.id, Dropped::Conflict);
                }
            }
            let base = transaction.nonce().next().expect("no account lives to send 2^64 transactions");
            self.change(sender, |queue| queue.set_base(base));
            self.touched.insert(sender);
        }
        confirmed
    }

    /// A block was disconnected: its transactions come back, unless others have their nonces by now.
    pub fn on_disconnect(&mut self, block: &Block) {
        self.reverted = true;
        for transaction in block.transactions.iter().rev() {
            let entry = Entry::of_block(transaction, self.arrivals);
            let (sender, nonce) = (entry.sender(), entry.nonce());
            let conflict = self.queues.get(&sender).is_some_and(|queue| queue.get(nonce).is_some());
            if !conflict {
                self.arrivals += 1;
                self.add(sender, entry, nonce);
            }
            self.change(sender, |queue| queue.set_base(nonce));
            self.keep_within_sender_limits(sender);
        }
        self.keep_within_limits();
    }

    /// Takes note of the accounts after the chain has moved, the block at height `next` being the next to come. Gives
    /// back what went since the last time and was not confirmed, as far as it is not more than 65,536.
    pub fn settle(&mut self, view: &dyn AccountView, next: Height) -> Vec<(TxId, Dropped)> {
        let touched = std::mem::take(&mut self.touched);
        let stale: Vec<Address> = if std::mem::take(&mut self.reverted) {
            self.queues.keys().copied().collect()
        } else {
            touched.into_iter().collect()
        };
        for sender in stale {
            self.settle_sender(sender, &view.account(&sender));
        }
        self.expire(next);
        self.keep_within_limits();
        std::mem::take(&mut self.dropped)
    }

    /// Whether there is a place for a transaction, and who gives way.
    fn admission(
        &mut self,
        entry: &Entry,
        view: &dyn AccountView,
        next: Height,
    ) -> Result<Admission, AdmitError> {
        if self.contains(&entry.id) {
            return Err(AdmitError::Known);
        }
        transaction_is_not_expired(&entry.transaction, next)?;
        fee_is_high_enough(entry, self.limits.min_fee_rate)?;
        let sender = entry.sender();
        let account = view.account(&sender);
        self.change(sender, |queue| queue.set_base(account.nonce));
        let (standing, replaced) = self.place_for(sender, entry, &account)?;
        let room = self.room_for(entry, sender, standing, replaced.map_or(0, |(_, bytes)| bytes))?;
        Ok(Admission { sender, account, standing, replaced, room })
    }

    /// What its sender's other transactions leave for it: its standing, and the one whose nonce it has.
    fn place_for(
        &self,
        sender: Address,
        entry: &Entry,
        account: &Account,
    ) -> Result<(Standing, Option<(TxId, usize)>), AdmitError> {
        let alone = Queue::at(account.nonce);
        let queue = self.queues.get(&sender).unwrap_or(&alone);
        nonce_is_in_reach(entry, account, self.limits.count_per_sender)?;
        let replaced = queue.get(entry.nonce());
        if let Some(old) = replaced {
            replacement_pays_more(old, entry)?;
        }
        let competes = |other: &&Entry| other.nonce() != entry.nonce() && other.nonce() >= account.nonce;
        let (mut bytes, mut total) = (entry.bytes, Some(entry.transaction.total()));
        for other in queue.entries().filter(competes) {
            bytes += other.bytes;
            total = total.and_then(|total| total.checked_add(other.transaction.total()));
        }
        if bytes > self.limits.bytes_per_sender {
            return Err(AdmitError::SenderFull);
        }
        balance_covers_all(account, total.unwrap_or(Amount::MAX))?;
        Ok((queue.standing_of(entry), replaced.map(|old| (old.id, old.bytes))))
    }

    /// Drops what an account can no longer send.
    fn settle_sender(&mut self, sender: Address, account: &Account) {
        let Some(queue) = self.queues.get(&sender) else { return };
        let mut left = Some(account.balance);
        let mut gone = Vec::new();
        for entry in queue.entries() {
            if entry.nonce() < account.nonce {
                gone.push((entry.nonce(), Dropped::Conflict));
                continue;
            }
            left = left.and_then(|left| left.checked_sub(entry.transaction.total()));
            if left.is_none() {
                gone.push((entry.nonce(), Dropped::Unfunded));
            }
        }
        for (nonce, reason) in gone {
            self.drop_entry(sender, nonce, reason);
        }
        self.change(sender, |queue| queue.set_base(account.nonce));
    }

    fn expire(&mut self, next: Height) {
        while let Some((_, id)) = self.expiry.first().filter(|(valid_until, _)| *valid_until < next) {
            let (sender, nonce) = self.ids[id];
            self.drop_entry(sender, nonce, Dropped::Expired);
        }
    }

    pub(crate) fn drop_entry(&mut self, sender: Address, nonce: AccountNonce, reason: Dropped) {
        let entry = self.remove(sender, nonce).expect("what is dropped was found just now");
        self.tell(entry.id, reason);
    }

    fn tell(&mut self, id: TxId, reason: Dropped) {
        if self.dropped.len() < MAX_TOLD {
            self.dropped.push((id, reason));
        }
    }

    /// Puts an entry into the queue of an account with this nonce.
    fn add(&mut self, sender: Address, entry: Entry, base: AccountNonce) {
        self.ids.insert(entry.id, (sender, entry.nonce()));
        self.expiry.insert((entry.transaction.valid_until(), entry.id));
        self.change(sender, |queue| {
            queue.set_base(base);
            queue.insert(entry);
        });
    }

    pub(crate) fn remove(&mut self, sender: Address, nonce: AccountNonce) -> Option<Entry> {
        let entry = self.change(sender, |queue| queue.remove(nonce))?;
        self.ids.remove(&entry.id);
        self.expiry.remove(&(entry.transaction.valid_until(), entry.id));
        Some(entry)
    }

    /// Changes a queue and keeps what is counted and sorted by it in step.
    fn change<T>(&mut self, sender: Address, change: impl FnOnce(&mut Queue) -> T) -> T {
        let mut queue = self.queues.remove(&sender).unwrap_or_default();
        self.bytes -= queue.bytes();
        self.held_bytes -= queue.held_bytes();
        queue.head().map(|head| self.heads.remove(&(head.rank(), sender)));
        queue.tail().map(|tail| self.tails.remove(&(tail.standing(), sender)));
        let result = change(&mut queue);
        self.bytes += queue.bytes();
        self.held_bytes += queue.held_bytes();
        queue.head().map(|head| self.heads.insert((head.rank(), sender)));
        queue.tail().map(|tail| self.tails.insert((tail.standing(), sender)));
        if !queue.is_empty() {
            self.queues.insert(sender, queue);
        }
        result
    }
}

/// The fee rate is at least what the pool takes.
fn fee_is_high_enough(entry: &Entry, least: FeeRate) -> Result<(), AdmitError> {
    if entry.rate >= least {
        Ok(())
    } else {
        Err(AdmitError::FeeTooLow { needed: least.fee_for(entry.bytes) })
    }
}

/// The nonce was not used, and is near enough to the account's to be held.
fn nonce_is_in_reach(entry: &Entry, account: &Account, reach: usize) -> Result<(), AdmitError> {
    match entry.nonce().value().checked_sub(account.nonce.value()) {
        None => Ok(nonce_is_next(&entry.transaction, account)?),
        Some(ahead) if ahead >= reach as u64 => Err(AdmitError::NonceTooFar),
        Some(_) => Ok(()),
    }
}

/// Who takes another's nonce pays a clearly higher fee.
fn replacement_pays_more(old: &Entry, new: &Entry) -> Result<(), AdmitError> {
    let needed = replacement_fee(old.transaction.fee(), old.bytes, new.bytes);
    if new.transaction.fee() >= needed { Ok(()) } else { Err(AdmitError::ReplacementTooCheap { needed }) }
}

/// The balance covers all that the sender has in the pool (T8, taken together).
fn balance_covers_all(account: &Account, needed: Amount) -> Result<(), AdmitError> {
    let balance = account.balance;
    let covered = balance >= needed;
    if covered { Ok(()) } else { Err(TransactionError::BalanceTooLow { balance, needed }.into()) }
}
