//! What is on disk: the keys and values of every column.
//!
//! | Column | Key | Value |
//! |---|---|---|
//! | headers | hash | flags \|\| header |
//! | bodies | hash | the block's list of transactions, as on the wire |
//! | undo | hash | the step back |
//! | state | first byte of the account keys | the chunk's accounts |
//! | index | `t` \|\| transaction id | hash of its block \|\| place in it |
//! | | `a` \|\| address \|\| height \|\| place | transaction id |
//! | | `h` \|\| height | hash \|\| size \|\| fees |
//! | meta | `chain`, `tip`, `checkpoint` | a block hash |
//! | | `pending`, `pending-own` | transactions, one after the other |
//! | wallet | `keystore`, `accounts` | the encrypted wallet; its addresses |
//! | peers | peer id | when it was good, its addresses |
//!
//! The index covers the active chain only. Bytes that don't have the form of a row are not an error here: they are no row,
//! and whoever reads decides what that means.

use tabchain_primitives::codec::{Decode, Encode, Reader, write_list, write_varint};
use tabchain_primitives::{
    Address, Amount, Block, BlockHash, HEADER_BYTES, Header, Height, Transaction, TxId,
};

use crate::Cursor;

/// Meta: the genesis of the chain that the rows belong to.
pub(crate) const CHAIN: &[u8] = b"chain";
/// Meta: the tip of the active chain.
pub(crate) const TIP: &[u8] = b"tip";
/// Meta: the block after which the state chunks stand.
pub(crate) const CHECKPOINT: &[u8] = b"checkpoint";
/// Meta: the memory pool.
pub(crate) const PENDING: &[u8] = b"pending";
/// Meta: pending transactions of our own.
pub(crate) const OWN_PENDING: &[u8] = b"pending-own";
/// Wallet: the encrypted wallet.
pub(crate) const KEYSTORE: &[u8] = b"keystore";
/// Wallet: its addresses, in order.
pub(crate) const ACCOUNTS: &[u8] = b"accounts";

const HAS_BODY: u8 = 1;
const INVALID: u8 = 2;
const PLACE_BYTES: usize = 8;

/// A header and what was learnt about its block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HeaderRow {
    pub(crate) header: Header,
    pub(crate) has_body: bool,
    pub(crate) invalid: bool,
}

/// A block of the active chain in a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SummaryRow {
    pub(crate) hash: BlockHash,
    pub(crate) size: u32,
    pub(crate) fees: Amount,
}

impl HeaderRow {
    pub(crate) fn value(&self) -> Vec<u8> {
        let mut value = vec![(u8::from(self.has_body) * HAS_BODY) | (u8::from(self.invalid) * INVALID)];
        self.header.encode(&mut value);
        value
    }

    /// Reads a row; its key has to be the one its header has.
    pub(crate) fn read(key: &[u8], value: &[u8]) -> Option<(BlockHash, Self)> {
        let (&flags, header) = value.split_first()?;
        if header.len() != HEADER_BYTES || flags > HAS_BODY | INVALID {
            return None;
        }
        let header = Header::from_bytes(header).ok()?;
        let hash = header.hash();
        let row = Self { header, has_body: flags & HAS_BODY != 0, invalid: flags & INVALID != 0 };
        (key == hash.as_bytes()).then_some((hash, row))
    }
}

/// A block's body, as it lies on disk and crosses the wire.
pub(crate) fn body(transactions: &[Transaction]) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_list(&mut bytes, transactions);
    bytes
}

/// The block of a header and a body, if the body can be read.
pub(crate) fn block(header: Header, body: &[u8]) -> Option<Block> {
    let mut reader = Reader::new(body);
    let transactions = reader.list(0..=tabchain_primitives::MAX_BLOCK_TRANSACTIONS).ok()?;
    reader.finish().ok()?;
    Some(Block { header, transactions })
}

pub(crate) fn transaction_key(id: &TxId) -> Vec<u8> {
    [b"t", id.as_bytes().as_slice()].concat()
}

pub(crate) fn transaction_place(block: &BlockHash, position: u32) -> Vec<u8> {
    [block.as_bytes().as_slice(), &position.to_be_bytes()].concat()
}

pub(crate) fn read_transaction_place(value: &[u8]) -> Option<(BlockHash, u32)> {
    let (hash, position) = value.split_first_chunk()?;
    Some((BlockHash::from_bytes(*hash), u32::from_be_bytes(position.try_into().ok()?)))
}

/// What all keys of an address begin with.
pub(crate) fn address_prefix(address: &Address) -> Vec<u8> {
    [b"a", address.as_bytes().as_slice()].concat()
}

pub(crate) fn address_key(address: &Address, at: Cursor) -> Vec<u8> {
    let mut key = address_prefix(address);
    key.extend(at.height.value().to_be_bytes());
    key.extend(at.position.to_be_bytes());
    key
}

pub(crate) fn read_address_key(key: &[u8]) -> Option<Cursor> {
    let place = key.get(key.len().checked_sub(PLACE_BYTES)?..)?;
    let (height, position) = place.split_first_chunk()?;
    Some(Cursor {
        height: Height::new(u32::from_be_bytes(*height)),
        position: u32::from_be_bytes(position.try_into().ok()?),
    })
}

/// What all keys of summaries begin with.
pub(crate) const SUMMARY_PREFIX: &[u8] = b"h";

pub(crate) fn summary_key(height: Height) -> Vec<u8> {
    [SUMMARY_PREFIX, &height.value().to_be_bytes()].concat()
}

impl SummaryRow {
    pub(crate) fn value(&self) -> Vec<u8> {
        let mut value = self.hash.to_bytes();
        write_varint(&mut value, u64::from(self.size));
        self.fees.encode(&mut value);
        value
    }

    pub(crate) fn read(value: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(value);
        let hash = BlockHash::decode(&mut reader).ok()?;
        let size = u32::try_from(reader.varint().ok()?).ok()?;
        let fees = Amount::decode(&mut reader).ok()?;
        Some(Self { hash, size, fees })
    }
}

/// The addresses that a transaction concerns, each once: its sender and whom it pays.
pub(crate) fn addresses_of(transaction: &Transaction) -> Vec<Address> {
    let paid = transaction.action().outputs().iter().map(|output| *output.to());
    let mut addresses: Vec<_> = std::iter::once(Address::of(transaction.sender())).chain(paid).collect();
    addresses.sort_unstable();
    addresses.dedup();
    addresses
}

/// The addresses of a wallet.
pub(crate) fn accounts(addresses: &[Address]) -> Vec<u8> {
    let mut value = Vec::new();
    write_list(&mut value, addresses);
    value
}

pub(crate) fn read_accounts(value: &[u8], most: usize) -> Option<Vec<Address>> {
    let mut reader = Reader::new(value);
    let addresses = reader.list(0..=most).ok()?;
    reader.finish().ok()?;
    Some(addresses)
}

pub(crate) fn read_hash(value: &[u8]) -> Option<BlockHash> {
    value.try_into().ok().map(BlockHash::from_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tabchain_consensus::ChainSpec;

    #[test]
    fn a_header_row_comes_back_and_a_damaged_one_does_not() {
        let header = *ChainSpec::dev().genesis_header();
        let hash = header.hash();
        for (has_body, invalid) in [(false, false), (true, false), (true, true)] {
            let row = HeaderRow { header, has_body, invalid };
            let value = row.value();
            assert_eq!(HeaderRow::read(hash.as_bytes(), &value), Some((hash, row)));
            for place in 0..value.len() {
                let mut damaged = value.clone();
                damaged[place] ^= 0x40;
                assert_eq!(HeaderRow::read(hash.as_bytes(), &damaged), None, "byte {place}");
            }
            assert_eq!(HeaderRow::read(hash.as_bytes(), &value[1..]), None);
        }
    }

    #[test]
    fn keys_of_an_address_sort_by_place() {
        let address = Address::from_bytes([7; 20]);
        let key = |height, position| address_key(&address, Cursor { height: Height::new(height), position });
        let sorted = [key(1, 300), key(2, 0), key(2, 1), key(256, 0), key(65_536, 0)];
        assert!(sorted.is_sorted());
        assert!(sorted.iter().all(|key| key.starts_with(&address_prefix(&address))));
        let back = read_address_key(&key(256, 9));
        assert_eq!(back, Some(Cursor { height: Height::new(256), position: 9 }));
    }

    #[test]
    fn the_other_rows_come_back() {
        let hash = BlockHash::from_bytes([1; 32]);
        let row = SummaryRow { hash, size: 70_000, fees: Amount::ONE_TAB };
        assert_eq!(SummaryRow::read(&row.value()), Some(row));
        assert_eq!(read_transaction_place(&transaction_place(&hash, 9)), Some((hash, 9)));
        let addresses = [Address::from_bytes([1; 20]), Address::from_bytes([2; 20])];
        assert_eq!(read_accounts(&accounts(&addresses), 2), Some(addresses.to_vec()));
        assert_eq!(read_accounts(&accounts(&addresses), 1), None);
        let genesis = ChainSpec::dev().genesis();
        assert_eq!(block(genesis.header, &body(&genesis.transactions)), Some(genesis));
    }
}
