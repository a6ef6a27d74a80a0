//! What is on disk: the keys and values of every column.
//!
//! | Column | Key | Value |
//! |---|---|---|
//! | headers | hash | flags \|\| header |
//! | bodies | hash | the block's list of transactions, as on the wire |
//! | undo | hash | the step back |
//! | state | first byte of the account keys | the chunk's accounts |
//! | index | `t` \|\| first byte of transaction ids \|\| height where the segment begins | 8 bytes of an id \|\| place, sorted |
//! | | `a` \|\| first byte of addresses \|\| height where the segment begins | address \|\| place, sorted |
//! | meta | `chain`, `tip`, `checkpoint` | a block hash |
//! | | `pending`, `pending-own` | transactions, one after the other |
//! | wallet | `keystore`, `accounts` | the encrypted wallet; its addresses |
//! | peers | peer id | when it was good, its addresses |
//!
//! A place is a height and a position in the block. The index and the state stand at the checkpoint. Bytes that don't have the form of a row are not an error here: they are no row,
//! and whoever reads decides what that means.

use tabchain_primitives::codec::{Decode, Encode, Reader, write_list};
use tabchain_primitives::{Address, Block, BlockHash, HEADER_BYTES, Header, Height, Transaction};

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
/// The bytes of a place.
pub(crate) const PLACE_BYTES: usize = 6;

/// A header and what was learnt about its block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HeaderRow {
    pub(crate) header: Header,
    pub(crate) has_body: bool,
    pub(crate) invalid: bool,
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

/// A place on the chain: height, then position in the block.
pub(crate) fn place(at: Cursor) -> [u8; PLACE_BYTES] {
    let position = u16::try_from(at.position).expect("a block has at most 65,536 transactions");
    let mut bytes = [0; PLACE_BYTES];
    bytes[..4].copy_from_slice(&at.height.value().to_be_bytes());
    bytes[4..].copy_from_slice(&position.to_be_bytes());
    bytes
}

pub(crate) fn read_place(bytes: &[u8]) -> Option<Cursor> {
    let (height, position) = bytes.split_first_chunk()?;
    let position = u16::from_be_bytes(position.try_into().ok()?);
    Some(Cursor { height: Height::new(u32::from_be_bytes(*height)), position: position.into() })
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
    fn the_other_rows_come_back() {
        for at in [(0, 0), (70_000, 300), (u32::MAX, 65_535)] {
            let at = Cursor { height: Height::new(at.0), position: at.1 };
            assert_eq!(read_place(&place(at)), Some(at));
        }
        assert_eq!(read_place(&[0; 5]), None);
        let addresses = [Address::from_bytes([1; 20]), Address::from_bytes([2; 20])];
        assert_eq!(read_accounts(&accounts(&addresses), 2), Some(addresses.to_vec()));
        assert_eq!(read_accounts(&accounts(&addresses), 1), None);
        let genesis = ChainSpec::dev().genesis();
        assert_eq!(block(genesis.header, &body(&genesis.transactions)), Some(genesis));
    }
}
