//! Where on the active chain a transaction or an address is found.
//!
//! Like the state, the index on disk is a checkpoint: what blocks since then added is held here, and connecting them again
//! after a crash adds it again. A checkpoint writes it as one *segment*: a row for each first byte of a transaction id or of
//! an address, with sorted entries. So many blocks cost few rows, and a look-up reads only the rows of one byte.
//!
//! A segment is never touched again. What a reorganisation left in older ones leads nowhere, or to another block, so whoever
//! looks up compares with the block itself.
//!
//! Bounds: [`LARGE_BYTES`] of entries, and those of the blocks connected on one input; then a checkpoint is due.

use tabchain_consensus::VerifiedBlock;
use tabchain_primitives::{Address, Height, TxId};
use tabchain_records::{Column, Query, Rows};

use crate::{Cursor, rows};

/// So much of entries makes a checkpoint due.
const LARGE_BYTES: usize = 8 * 1024 * 1024;

/// The first bytes of a transaction id: whoever meets another with the same looks at the block.
const ID_BYTES: usize = 8;

/// What is looked up by: the beginning of a row's key, and of each of its entries.
trait Name: Copy + Ord {
    const KIND: u8;

    fn bytes(&self) -> &[u8];
}

type Id = [u8; ID_BYTES];

impl Name for Id {
    const KIND: u8 = b't';

    fn bytes(&self) -> &[u8] {
        self
    }
}

impl Name for Address {
    const KIND: u8 = b'a';

    fn bytes(&self) -> &[u8] {
        self.as_bytes()
    }
}

/// What is not on disk yet.
#[derive(Debug, Default)]
pub(crate) struct Index {
    transactions: Vec<(Id, Cursor)>,
    addresses: Vec<(Address, Cursor)>,
}

impl Index {
    /// A block joined the active chain.
    pub(crate) fn connect(&mut self, block: &VerifiedBlock) {
        let height = block.block().header.height();
        let named = block.ids().iter().zip(block.senders());
        for (position, (transaction, (id, sender))) in (0..).zip(block.block().transactions.iter().zip(named))
        {
            let at = Cursor { height, position };
            self.transactions.push((beginning(id), at));
            let addresses = rows::addresses_between(*sender, transaction);
            self.addresses.extend(addresses.into_iter().map(|address| (address, at)));
        }
    }

    /// The block of a height left the active chain.
    pub(crate) fn disconnect(&mut self, height: Height) {
        self.transactions.retain(|(_, at)| at.height != height);
        self.addresses.retain(|(_, at)| at.height != height);
    }

    /// Forgets what is not on disk: the chain begins anew from there.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Whether so much is held that it should be written.
    pub(crate) fn is_large(&self) -> bool {
        size_of_val(&self.transactions[..]) + size_of_val(&self.addresses[..]) >= LARGE_BYTES
    }

    /// Where a transaction may be, as far as that is not on disk.
    pub(crate) fn transaction(&self, id: &TxId) -> Vec<Cursor> {
        held(&self.transactions, &beginning(id))
    }

    /// Where an address may appear, as far as that is not on disk.
    pub(crate) fn address(&self, address: &Address) -> Vec<Cursor> {
        held(&self.addresses, address)
    }

    /// Hands out the rows of a segment with all that is held.
    pub(crate) fn take_segment(&mut self) -> Vec<(Vec<u8>, Vec<u8>)> {
        let Self { transactions, addresses } = std::mem::take(self);
        let heights = transactions.iter().map(|(_, at)| at.height);
        let Some(first) = heights.min() else { return Vec::new() };
        let mut segment = rows_of(transactions, first);
        segment.extend(rows_of(addresses, first));
        segment
    }
}

/// Asks for the rows that may know a transaction.
pub(crate) fn transaction_query(id: &TxId) -> Query {
    query(&beginning(id))
}

/// Asks for the rows that may know an address.
pub(crate) fn address_query(address: &Address) -> Query {
    query(address)
}

/// Where a transaction may be, as these rows say.
pub(crate) fn transaction_places(rows: &Rows, id: &TxId) -> Vec<Cursor> {
    stored(rows, &beginning(id))
}

/// Where an address may appear, as these rows say.
pub(crate) fn address_places(rows: &Rows, address: &Address) -> Vec<Cursor> {
    stored(rows, address)
}

fn beginning(id: &TxId) -> Id {
    *id.as_bytes().first_chunk().expect("an id is longer than its beginning")
}

fn query<N: Name>(name: &N) -> Query {
    Query::prefix(Column::Index, &[N::KIND, name.bytes()[0]], u32::MAX)
}

fn held<N: Name>(entries: &[(N, Cursor)], name: &N) -> Vec<Cursor> {
    entries.iter().filter(|(named, _)| named == name).map(|(_, at)| *at).collect()
}

/// One row for each first byte, under a key that says where the segment begins.
fn rows_of<N: Name>(mut entries: Vec<(N, Cursor)>, first: Height) -> Vec<(Vec<u8>, Vec<u8>)> {
    entries.sort_unstable();
    let same_byte = entries.chunk_by(|(one, _), (other, _)| one.bytes()[0] == other.bytes()[0]);
    let row = |entries: &[(N, Cursor)]| {
        let key = [&[N::KIND, entries[0].0.bytes()[0]], &first.value().to_be_bytes()[..]].concat();
        let mut value = Vec::new();
        for (name, at) in entries {
            value.extend_from_slice(name.bytes());
            value.extend_from_slice(&rows::place(*at));
        }
        (key, value)
    };
    same_byte.map(row).collect()
}

/// The places after a name in rows of sorted entries. A row that has been damaged has fewer of them, or wrong ones.
fn stored<N: Name>(rows: &Rows, name: &N) -> Vec<Cursor> {
    let name = name.bytes();
    let width = name.len() + rows::PLACE_BYTES;
    let mut places = Vec::new();
    for (_, value) in &rows.0 {
        let entries: Vec<&[u8]> = value.chunks_exact(width).collect();
        let begin = entries.partition_point(|entry| &entry[..name.len()] < name);
        let ours = entries[begin..].iter().take_while(|entry| entry.starts_with(name));
        places.extend(ours.filter_map(|entry| rows::read_place(&entry[name.len()..])));
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(height: u32, position: u32) -> Cursor {
        Cursor { height: Height::new(height), position }
    }

    fn address(first: u8, last: u8) -> Address {
        let mut bytes = [first; 20];
        bytes[19] = last;
        Address::from_bytes(bytes)
    }

    #[test]
    fn a_segment_has_a_row_for_each_first_byte_and_says_what_was_held() {
        let entries: Vec<_> =
            (0..200_u8).map(|n| (address(n % 3, n % 5), at(u32::from(n), 70_000 % 7))).collect();
        let rows = rows_of(entries.clone(), Height::new(9));
        assert_eq!(rows.len(), 3);
        assert!(rows.iter().all(|(key, _)| key[2..] == [0, 0, 0, 9]));
        for name in [address(0, 0), address(2, 4), address(1, 3)] {
            let of_byte: Vec<_> = rows.iter().filter(|(key, _)| key[1] == name.bytes()[0]).cloned().collect();
            assert_eq!(stored(&Rows(of_byte), &name), held(&entries, &name));
        }
        assert_eq!(stored(&Rows(rows), &address(1, 77)), []);
    }

    #[test]
    fn a_damaged_row_is_no_harm() {
        let name = address(1, 1);
        let mut rows = rows_of(vec![(name, at(1, 2)), (name, at(3, 4))], Height::new(1));
        rows[0].1.pop();
        assert_eq!(stored(&Rows(rows), &name), [at(1, 2)]);
        assert_eq!(stored(&Rows(vec![(vec![b'a', 1], vec![1])]), &name), []);
    }

    #[test]
    fn a_block_that_leaves_takes_its_entries_along() {
        let mut index =
            Index { transactions: vec![([1; 8], at(4, 0)), ([2; 8], at(5, 0))], ..Index::default() };
        index.disconnect(Height::new(5));
        assert_eq!(index.transaction(&TxId::from_bytes([2; 32])), []);
        assert_eq!(index.transaction(&TxId::from_bytes([1; 32])), [at(4, 0)]);
        assert_eq!(index.take_segment().len(), 1);
        assert!(index.take_segment().is_empty());
    }
}
