//! Block templates: what a miner takes.

use std::collections::BTreeMap;

use tabchain_primitives::{Account, Address, Height, Transaction};

use crate::{
    AccountView,
    pool::Mempool,
    queue::{Entry, Rank},
};

/// After so many transactions that don't fit, what is left of the block is taken to be too small for any.
const MAX_MISFITS: usize = 32;

impl Mempool {
    /// Transactions for the block at height `next` that take at most `max_bytes` together, those that pay most for
    /// their bytes first, each sender's in the order of nonces. All of them can be applied in this order.
    ///
    /// The time it takes grows with what is taken, not with what waits.
    pub fn template(&self, view: &dyn AccountView, max_bytes: usize, next: Height) -> Vec<Transaction> {
        let mut heads = self.heads.iter().rev().copied().peekable();
        // Senders whose first transactions were taken: by the rank of their next, with their accounts as of then.
        let mut started: BTreeMap<(Rank, Address), (&Entry, Account)> = BTreeMap::new();
        let mut taken = Vec::new();
        let (mut left, mut misfits) = (max_bytes, 0);
        while misfits < MAX_MISFITS {
            let head_is_next = match (heads.peek(), started.last_key_value()) {
                (Some(head), Some((other, _))) => head > other,
                (head, _) => head.is_some(),
            };
            let candidate = if head_is_next {
                heads
                    .next()
                    .and_then(|(_, sender)| Some((self.queues.get(&sender)?.head()?, view.account(&sender))))
            } else {
                started.pop_last().map(|(_, candidate)| candidate)
            };
            let Some((entry, account)) = candidate else { break };
            if entry.bytes > left {
                misfits += 1;
                continue;
            }
            let Some(account) = after(entry, account, next) else { continue };
            left -= entry.bytes;
            taken.push(entry.transaction.clone());
            let sender = entry.sender();
            if let Some(follower) = self.queues.get(&sender).and_then(|queue| queue.after(entry.nonce())) {
                started.insert((follower.rank(), sender), (follower, account));
            }
        }
        taken
    }
}

/// The sender's account after the transaction, if it can be applied. What others pay it meanwhile is left out.
fn after(entry: &Entry, account: Account, next: Height) -> Option<Account> {
    let transaction = &entry.transaction;
    let valid = transaction.valid_until() >= next && transaction.nonce() == account.nonce;
    let balance = account.balance.checked_sub(transaction.total()).filter(|_| valid)?;
    Some(Account { nonce: account.nonce.next()?, balance })
}
