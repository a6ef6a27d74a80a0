//! Compact blocks: naming the transactions of a block in six bytes each, and finding them again.
//!
//! A short id is the first six bytes of `sha256(key || transaction id)`, its key the first sixteen of
//! `sha256(block hash || salt)`. The sender chooses the salt when the block is there, so nobody can prepare transactions that
//! collide for everyone (as in BIP 152). A collision costs a round trip, never a wrong block: the header's root decides.
//!
//! What the receiver most likely lacks is sent along, if all of it fits [`MAX_PREFILLED_BYTES`]: a part of it would not save the
//! round trip in which the receiver asks for the rest.
//!
//! Bounds: a reconstruction holds one slot per transaction that its header counts, at most
//! [`MAX_NAMED_TRANSACTIONS`](crate::message::MAX_NAMED_TRANSACTIONS).

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};
use tabchain_primitives::{Block, BlockHash, Header, Transaction, TxId};

use crate::{CompactBlock, Prefilled, ShortId};

/// The most bytes of transactions that are sent along with a compact block.
pub const MAX_PREFILLED_BYTES: usize = 8 * 1024;

/// A block that is being put together from what is at hand.
#[derive(Clone, Debug)]
pub struct Reconstruction {
    header: Header,
    slots: Vec<Option<Transaction>>,
}

/// A compact block that contradicts itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CompactError {
    /// It does not name as many transactions as its header counts.
    #[error("compact block names {named} transactions, its header counts {counted}")]
    Count {
        /// Short ids and prefilled ones together.
        named: usize,
        /// What the header says.
        counted: u32,
    },
    /// Prefilled positions don't rise, or lie outside the block.
    #[error("prefilled positions are out of order")]
    Positions,
    /// An answer holds another number of transactions than was asked for.
    #[error("{found} transactions came where {asked} were asked for")]
    Answer {
        /// How many were asked for.
        asked: usize,
        /// How many came.
        found: usize,
    },
}

impl CompactBlock {
    /// Names all transactions of `block` by short ids.
    pub fn of(block: &Block, salt: u64) -> Self {
        let ids: Vec<TxId> = block.transactions.iter().map(Transaction::id).collect();
        Self::with_ids(block, &ids, salt)
    }

    /// Names all transactions of `block` by short ids; `ids` are those of its transactions.
    pub fn with_ids(block: &Block, ids: &[TxId], salt: u64) -> Self {
        let key = ShortIdKey::new(&block.hash(), salt);
        let short_ids = ids.iter().map(|id| key.short(id)).collect();
        Self { header: block.header, salt, short_ids, prefilled: Vec::new() }
    }

    /// How many bytes it takes, about.
    pub fn bytes(&self) -> usize {
        let prefilled = self.prefilled.iter().map(|filled| filled.transaction.size());
        size_of::<Self>() + self.short_ids.len() * size_of::<ShortId>() + prefilled.sum::<usize>()
    }

    /// The same for a receiver that lacks some of the transactions: they are sent along, if they fit.
    #[must_use]
    pub fn for_receiver(&self, block: &Block, ids: &[TxId], lacks: impl Fn(&TxId) -> bool) -> Self {
        let mut lacking = Vec::new();
        let mut bytes = 0;
        for (place, id) in ids.iter().enumerate().filter(|(_, id)| lacks(id)) {
            let Some(transaction) = block.transactions.get(place) else { return self.clone() };
            debug_assert_eq!(*id, transaction.id(), "the ids are the block's");
            bytes += transaction.size();
            if bytes > MAX_PREFILLED_BYTES {
                return self.clone();
            }
            lacking.push(place);
        }
        let mut compact = self.clone();
        let mut at = 0..;
        compact.short_ids.retain(|_| at.next().is_some_and(|place| lacking.binary_search(&place).is_err()));
        let prefill = |place: usize| Prefilled {
            position: u32::try_from(place).expect("a block counts its transactions in 32 bits"),
            transaction: block.transactions[place].clone(),
        };
        compact.prefilled = lacking.into_iter().map(prefill).collect();
        compact
    }
}

impl Reconstruction {
    /// Fills the slots of a compact block with `hash` from a pool: its ids, and a way to get at a transaction.
    pub fn begin<'a>(
        compact: CompactBlock,
        hash: &BlockHash,
        pool: impl Iterator<Item = &'a TxId>,
        get: impl Fn(&TxId) -> Option<Transaction>,
    ) -> Result<Self, CompactError> {
        let counted = compact.header.tx_count();
        let named = compact.short_ids.len() + compact.prefilled.len();
        if named != counted as usize {
            return Err(CompactError::Count { named, counted });
        }
        let key = ShortIdKey::new(hash, compact.salt);
        let mut slots = prefill(named, compact.prefilled)?;
        let places = places(&slots, &compact.short_ids);
        let mut found: BTreeMap<u32, Option<&TxId>> = BTreeMap::new();
        for id in pool {
            if let Some(Some(place)) = places.get(&key.short(id)) {
                // A second transaction for the same place means a collision: the block's own copy is asked for.
                found.entry(*place).and_modify(|first| *first = None).or_insert(Some(id));
            }
        }
        for (place, id) in found {
            slots[place as usize] = id.and_then(&get);
        }
        Ok(Self { header: compact.header, slots })
    }

    /// The header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// How many bytes it takes, about.
    pub fn bytes(&self) -> usize {
        let filled = self.slots.iter().flatten();
        self.slots.len() * size_of::<Option<Transaction>>() + filled.map(Transaction::size).sum::<usize>()
    }

    /// The places still empty, rising.
    pub fn missing(&self) -> Vec<u32> {
        (0..).zip(&self.slots).filter(|(_, slot)| slot.is_none()).map(|(place, _)| place).collect()
    }

    /// Fills the missing places, in their order.
    pub fn fill(&mut self, transactions: Vec<Transaction>) -> Result<(), CompactError> {
        let asked = self.slots.iter().filter(|slot| slot.is_none()).count();
        if transactions.len() != asked {
            return Err(CompactError::Answer { asked, found: transactions.len() });
        }
        let empty = self.slots.iter_mut().filter(|slot| slot.is_none());
        for (slot, transaction) in empty.zip(transactions) {
            *slot = Some(transaction);
        }
        Ok(())
    }

    /// The block, if no place is empty.
    pub fn finish(self) -> Option<Block> {
        let transactions = self.slots.into_iter().collect::<Option<_>>()?;
        Some(Block { header: self.header, transactions })
    }
}

struct ShortIdKey([u8; 16]);

impl ShortIdKey {
    fn new(hash: &BlockHash, salt: u64) -> Self {
        let digest: [u8; 32] =
            Sha256::new().chain_update(hash.as_bytes()).chain_update(salt.to_le_bytes()).finalize().into();
        Self(*digest.first_chunk().expect("a digest is longer than a key"))
    }

    fn short(&self, id: &TxId) -> ShortId {
        let digest: [u8; 32] =
            Sha256::new().chain_update(self.0).chain_update(id.as_bytes()).finalize().into();
        ShortId(*digest.first_chunk().expect("a digest is longer than a short id"))
    }
}

fn prefill(count: usize, prefilled: Vec<crate::Prefilled>) -> Result<Vec<Option<Transaction>>, CompactError> {
    let mut slots = vec![None; count];
    let mut next = 0;
    for filled in prefilled {
        let place = filled.position as usize;
        if place < next || place >= count {
            return Err(CompactError::Positions);
        }
        next = place + 1;
        slots[place] = Some(filled.transaction);
    }
    Ok(slots)
}

/// The empty place that each short id stands for; none where an id stands for two.
fn places(slots: &[Option<Transaction>], short_ids: &[ShortId]) -> BTreeMap<ShortId, Option<u32>> {
    let empty = (0..).zip(slots).filter(|(_, slot)| slot.is_none()).map(|(place, _)| place);
    let mut places = BTreeMap::new();
    for (place, &short) in empty.zip(short_ids) {
        places.entry(short).and_modify(|first| *first = None).or_insert(Some(place));
    }
    places
}

#[cfg(test)]
mod tests {
    use tabchain_primitives::{
        AccountNonce, Action, Amount, Anchor, Height, PublicKey, Signature, UnsignedTransaction,
    };

    use super::*;
    use crate::testing::header;

    fn transaction(n: u64) -> Transaction {
        let action = Action::Anchor(Anchor::new("topic", n.to_le_bytes().to_vec()).expect("within bounds"));
        let sender = PublicKey::from_bytes([1; 32]);
        UnsignedTransaction::new(sender, AccountNonce::ZERO, Height::new(9), Amount::ZERO, action)
            .expect("within bounds")
            .with_signature(Signature::ZERO)
    }

    fn block(count: u64) -> Block {
        let header = header(|fields| fields.tx_count = u32::try_from(count).expect("few"));
        Block { header, transactions: (0..count).map(transaction).collect() }
    }

    fn named(block: &Block) -> CompactBlock {
        CompactBlock::of(block, 7)
    }

    /// Rebuilds with a pool that holds these.
    fn rebuild(compact: CompactBlock, pool: &[Transaction]) -> Result<Reconstruction, CompactError> {
        let pool: BTreeMap<TxId, Transaction> =
            pool.iter().map(|known| (known.id(), known.clone())).collect();
        let hash = compact.header.hash();
        Reconstruction::begin(compact, &hash, pool.keys(), |id| pool.get(id).cloned())
    }

    #[test]
    fn a_full_pool_makes_the_block_and_what_is_missing_is_asked_for_by_place() {
        let block = block(5);
        let whole = rebuild(named(&block), &block.transactions).expect("it is consistent");
        assert_eq!(whole.finish(), Some(block.clone()));

        let mut part = rebuild(named(&block), &block.transactions[1..4]).expect("it is consistent");
        assert_eq!(part.missing(), [0, 4]);
        assert_eq!(part.fill(vec![transaction(0)]), Err(CompactError::Answer { asked: 2, found: 1 }));
        part.fill(vec![transaction(0), transaction(4)]).expect("both");
        assert_eq!(part.finish(), Some(block));
    }

    #[test]
    fn prefilled_transactions_take_their_places() {
        let block = block(3);
        let mut compact = named(&block);
        compact.short_ids.remove(1);
        compact.prefilled.push(Prefilled { position: 1, transaction: transaction(1) });
        let pool = [transaction(0), transaction(2)];
        let rebuilt = rebuild(compact.clone(), &pool).expect("it is consistent");
        assert_eq!(rebuilt.finish(), Some(block));

        compact.prefilled[0].position = 3;
        assert_eq!(rebuild(compact, &pool).err(), Some(CompactError::Positions));
    }

    #[test]
    fn what_the_receiver_lacks_comes_along_if_all_of_it_fits() {
        let block = block(70);
        let ids: Vec<TxId> = block.transactions.iter().map(Transaction::id).collect();
        let compact = named(&block);
        let lacking = &ids[10..13];
        let filled = compact.for_receiver(&block, &ids, |id| lacking.contains(id));
        assert_eq!((filled.short_ids.len(), filled.prefilled.len()), (67, 3));
        let pool: Vec<_> =
            block.transactions.iter().filter(|one| !lacking.contains(&one.id())).cloned().collect();
        let rebuilt = rebuild(filled, &pool).expect("it is consistent");
        assert_eq!(rebuilt.finish(), Some(block.clone()), "no round trip is left");
        let size = block.transactions[0].size();
        assert!(70 * size > MAX_PREFILLED_BYTES);
        assert_eq!(compact.for_receiver(&block, &ids, |_| true), compact, "all or nothing");
    }

    #[test]
    fn a_count_that_is_not_the_headers_is_refused() {
        let mut compact = named(&block(3));
        compact.short_ids.pop();
        assert_eq!(rebuild(compact, &[]).err(), Some(CompactError::Count { named: 2, counted: 3 }));
    }

    #[test]
    fn a_short_id_that_stands_for_two_is_asked_for() {
        let mut compact = named(&block(2));
        compact.short_ids[1] = compact.short_ids[0];
        let rebuilt = rebuild(compact, &[transaction(0), transaction(1)]).expect("it is consistent");
        assert_eq!(rebuilt.missing(), [0, 1]);
    }
}
