//! Pending transactions across a reload: what is written down of them, and how they come back.
//!
//! There are two rows. Our own are written as soon as they are pending; the whole pool, those that pay most first, when it has changed, but
//! not more often than every [`WRITE_EVERY_MS`], and at closing. Once the node stands at its tip again they are checked like
//! anybody's, signatures included. Of a damaged row that is taken which can be read.
//!
//! Bounds: [`MAX_OWN_BYTES`] and [`MAX_POOL_BYTES`] of transactions, [`MAX_OWN`] of them our own; [`AT_ONCE`] are verified at a time.

use std::collections::{BTreeSet, VecDeque};

use tabchain_consensus::{CheckedTransaction, VerifiedTransaction};
use tabchain_primitives::codec::{Decode, Encode, Reader};
use tabchain_primitives::{Timestamp, Transaction, TxId};
use tabchain_records::Column;

use crate::node::Node;
use crate::rows;
use crate::verify::Job;

const MAX_OWN: usize = 1_024;
const MAX_OWN_BYTES: usize = 256 * 1024;
const MAX_POOL_BYTES: usize = 1024 * 1024;
const WRITE_EVERY_MS: u64 = 30_000;
/// Few enough that a tab does not stall while their signatures are checked.
const AT_ONCE: usize = 256;

/// What is known of the rows.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    /// Transactions of our own side that are in the pool, or were until lately.
    own: BTreeSet<TxId>,
    own_changed: bool,
    pool_changed: bool,
    /// How many transactions were in the pool when the chain last moved.
    settled: usize,
    written_at: Timestamp,
    /// Read, and not yet given back to the pool, our own first.
    found: VecDeque<(Transaction, bool)>,
}

impl Pending {
    /// Takes in what is on disk.
    pub(crate) fn restore(&mut self, own: Option<&Vec<u8>>, pool: Option<&Vec<u8>>) {
        let rows = [(own, true, MAX_OWN_BYTES), (pool, false, MAX_POOL_BYTES)];
        self.found.clear();
        for (row, is_own, most) in rows {
            let bytes = row.filter(|row| row.len() <= most);
            self.found.extend(bytes.into_iter().flat_map(|row| read(row)).map(|one| (one, is_own)));
        }
    }

    /// A transaction came into the pool.
    pub(crate) fn note(&mut self, id: TxId, is_own: bool) {
        self.pool_changed = true;
        if is_own && self.own.len() < MAX_OWN {
            self.own_changed |= self.own.insert(id);
        }
    }

    /// The chain has moved: transactions may have left the pool.
    pub(crate) fn note_settled(&mut self, left: usize, is_pending: impl Fn(&TxId) -> bool) {
        self.pool_changed |= left != std::mem::replace(&mut self.settled, left);
        let before = self.own.len();
        self.own.retain(is_pending);
        self.own_changed |= self.own.len() < before;
    }

    fn is_due(&self, now: Timestamp) -> bool {
        self.pool_changed && now.since(self.written_at) >= WRITE_EVERY_MS
    }
}

impl Node {
    /// Gives the pool back what was written of it, a part at a time. What is no transaction any more is passed over.
    pub(crate) fn restore_pending(&mut self) {
        let mut checked = Vec::new();
        while checked.len() < AT_ONCE
            && let Some((transaction, is_own)) = self.pending.found.pop_front()
        {
            if let Ok(transaction) = CheckedTransaction::check(&self.config.spec, transaction) {
                if is_own {
                    self.pending.own.insert(transaction.id());
                }
                checked.push(transaction);
            }
        }
        if !checked.is_empty() {
            self.verify(Job::Restored { checked });
        }
    }

    pub(crate) fn admit_restored(&mut self, transaction: VerifiedTransaction) {
        let is_own = self.pending.own.contains(&transaction.id());
        // What the pool does not take was confirmed, has expired, or is there by another way.
        let _ = self.admit(transaction, is_own);
    }

    /// Writes down what has changed, if it is time.
    pub(crate) fn store_pending(&mut self) {
        if std::mem::take(&mut self.pending.own_changed) {
            let mut own: Vec<&Transaction> =
                self.pending.own.iter().filter_map(|id| self.mempool.get(id)).collect();
            own.sort_unstable_by_key(|&transaction| (transaction.sender(), transaction.nonce()));
            let row = row(own.into_iter(), MAX_OWN_BYTES);
            self.disk.put(Column::Meta, rows::OWN_PENDING, row);
            self.disk.hurry();
        }
        if self.pending.is_due(self.now) {
            self.store_pool();
        }
    }

    /// Writes the pool down as it is.
    pub(crate) fn store_pool(&mut self) {
        if !std::mem::take(&mut self.pending.pool_changed) {
            return;
        }
        self.pending.written_at = self.now;
        let pool = self.mempool.template(&self.chain, MAX_POOL_BYTES, self.next_height());
        self.disk.put(Column::Meta, rows::PENDING, row(pool.iter(), MAX_POOL_BYTES));
    }

    pub(crate) fn next_pending_moment(&self) -> Option<Timestamp> {
        self.pending.pool_changed.then(|| self.pending.written_at.saturating_add(WRITE_EVERY_MS))
    }
}

/// As many transactions as fit, one after the other.
fn row<'a>(transactions: impl Iterator<Item = &'a Transaction>, most: usize) -> Vec<u8> {
    let mut row = Vec::new();
    for transaction in transactions {
        let before = row.len();
        transaction.encode(&mut row);
        if row.len() > most {
            row.truncate(before);
            break;
        }
    }
    row
}

/// The transactions of a row, up to the first that can't be read.
fn read(row: &[u8]) -> Vec<Transaction> {
    let mut reader = Reader::new(row);
    std::iter::from_fn(|| (reader.remaining() > 0).then(|| Transaction::decode(&mut reader).ok())?).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tabchain_primitives::{
        AccountNonce, Action, Amount, Anchor, Height, PublicKey, Signature, UnsignedTransaction,
    };

    fn transaction(nonce: u64) -> Transaction {
        let action = Action::Anchor(Anchor::new("topic", vec![7; 100]).expect("within bounds"));
        let (sender, nonce) = (PublicKey::from_bytes([1; 32]), AccountNonce::new(nonce));
        UnsignedTransaction::new(sender, nonce, Height::new(9), Amount::ZERO, action)
            .expect("within bounds")
            .with_signature(Signature::ZERO)
    }

    #[test]
    fn a_row_comes_back_and_of_a_damaged_one_what_can_be_read() {
        let all: Vec<_> = (0..10).map(transaction).collect();
        let written = row(all.iter(), MAX_POOL_BYTES);
        assert_eq!(read(&written), all);
        assert_eq!(read(&written[..written.len() - 1]), all[..9]);
        assert!(read(&[0xff; 99]).is_empty());
    }

    #[test]
    fn a_row_has_its_bound() {
        let all: Vec<_> = (0..100).map(transaction).collect();
        let written = row(all.iter(), 1_000);
        assert!(written.len() <= 1_000 && written.len() + all[0].size() > 1_000);
        assert_eq!(read(&written), all[..read(&written).len()]);
        let mut pending = Pending::default();
        pending.restore(None, Some(&vec![0; MAX_POOL_BYTES + 1]));
        assert!(pending.found.is_empty(), "a row that nobody wrote");
    }
}
