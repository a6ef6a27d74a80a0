//! Making room: the last of a queue goes first, held before ready, cheapest before dearer.

use std::collections::BTreeSet;

use tabchain_primitives::{AccountNonce, Address};

use crate::{
    error::{AdmitError, Dropped},
    pool::Mempool,
    queue::{Entry, Standing},
};

impl Mempool {
    /// Which transactions go so that this one fits, all of them worth less than it.
    ///
    /// `freed` bytes are those of a transaction whose place it takes, and which is not among them.
    pub(crate) fn room_for(
        &self,
        entry: &Entry,
        sender: Address,
        standing: Standing,
        freed: usize,
    ) -> Result<Vec<(Address, AccountNonce)>, AdmitError> {
        let held = if standing.ready { 0 } else { entry.bytes };
        let mut bytes = (self.bytes + entry.bytes - freed).saturating_sub(self.limits.bytes);
        let mut held_bytes = (self.held_bytes + held).saturating_sub(self.limits.held_bytes);
        let mut going = Vec::new();
        let mut cheapest = self.cheapest_first();
        while bytes > 0 || held_bytes > 0 {
            let Some(victim) = cheapest.next() else {
                return Err(AdmitError::PoolFull { needed: standing.rate });
            };
            if victim.standing() >= standing {
                return Err(AdmitError::PoolFull { needed: victim.standing().rate });
            }
            let place = (victim.sender(), victim.nonce());
            if place == (sender, entry.nonce()) {
                continue;
            }
            bytes = bytes.saturating_sub(victim.bytes);
            held_bytes = held_bytes.saturating_sub(if victim.standing().ready { 0 } else { victim.bytes });
            going.push(place);
        }
        Ok(going)
    }

    /// Drops the cheapest until the pool is within its limits.
    pub(crate) fn keep_within_limits(&mut self) {
        while self.bytes > self.limits.bytes || self.held_bytes > self.limits.held_bytes {
            let Some((_, sender)) = self.tails.first().copied() else { return };
            self.drop_tail(sender);
        }
    }

    /// Drops a sender's last until it is within its limits.
    pub(crate) fn keep_within_sender_limits(&mut self, sender: Address) {
        let reach = self.limits.count_per_sender as u64;
        while self
            .queues
            .get(&sender)
            .is_some_and(|queue| queue.reach() >= reach || queue.bytes() > self.limits.bytes_per_sender)
        {
            self.drop_tail(sender);
        }
    }

    fn drop_tail(&mut self, sender: Address) {
        let tail = self.queues.get(&sender).and_then(|queue| queue.tail().map(Entry::nonce));
        self.drop_entry(sender, tail.expect("an empty queue is not kept"), Dropped::Evicted);
    }

    /// Every transaction in the order in which they would go.
    fn cheapest_first(&self) -> impl Iterator<Item = &Entry> {
        let mut tails = self.tails.iter().copied().peekable();
        // Those that became last by what was already given out.
        let mut next: BTreeSet<(Standing, Address, AccountNonce)> = BTreeSet::new();
        std::iter::from_fn(move || {
            let tail_is_next = match (tails.peek(), next.first()) {
                (Some((tail, _)), Some((other, _, _))) => tail <= other,
                (tail, _) => tail.is_some(),
            };
            let entry = if tail_is_next {
                let (_, sender) = tails.next()?;
                self.queues.get(&sender)?.tail()?
            } else {
                let (_, sender, nonce) = next.pop_first()?;
                self.queues.get(&sender)?.get(nonce)?
            };
            let sender = entry.sender();
            if let Some(before) = self.queues.get(&sender)?.before(entry.nonce()) {
                next.insert((before.standing(), sender, before.nonce()));
            }
            Some(entry)
        })
    }
}
