//! What is on disk: the keys and values of every column.
//!
//! | Column | Key | Value |
//! |---|---|---|
//! | headers | hash | flags \|\| header |
//! | header-pages | height / 256 | flags \|\| header \|\| the end of its hash, for each header |
//! | bodies | hash | the block's list of transactions, as on the wire |
//! | body-pages | height of the first | hash \|\| length \|\| the list of transactions, for each block |
//! | undo | hash | the step back |
//! | state | first byte of the account keys | the chunk's accounts |
//! | index | `t` \|\| first byte of transaction ids \|\| height where the segment begins | 8 bytes of an id \|\| place, sorted |
//! | | `a` \|\| first byte of addresses \|\| height where the segment begins | address \|\| place, sorted |
//! | snapshots | `s` \|\| height \|\| first byte of the account keys | the chunk, as on the wire |
//! | | `p` \|\| first byte of the account keys | the accounts of the replayed past |
//! | meta | `chain`, `tip`, `checkpoint` | a block hash |
//! | | `pending`, `pending-own` | transactions, one after the other |
//! | | `snapshots` | the hashes of the blocks whose state is there whole |
//! | | `past` | the hash of the block below which nothing was checked yet; the genesis if all was |
//! | | `replayed` | the hash of the block after which the replayed past stands |
//! | wallet | `keystore`, `accounts` | the encrypted wallet; its addresses |
//! | peers | peer id | when it was good, its addresses |
//!
//! The flags of a header say whether the body is there (1) and the block invalid (2); 4 times one more than how many heights below
//! it the page begins that its body lies in, or 0 if it lies in a row of its own. A place is a height and a position in the block.
//! The index and the state stand at the checkpoint. Bytes that don't have the form of a row are not an error here: they are no row,
//! and whoever reads decides what that means.

use std::ops::Range;

use tabchain_primitives::codec::{Decode, Encode, Reader, write_bytes, write_list};
use tabchain_primitives::{Address, Block, BlockHash, HEADER_BYTES, Header, Height, Transaction};
use tabchain_records::Rows;

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
/// Meta: the blocks whose state is kept for others.
pub(crate) const SNAPSHOTS: &[u8] = b"snapshots";
/// Meta: the block that the node joined at, while what lies below is being checked.
pub(crate) const PAST: &[u8] = b"past";
/// Meta: the block after which the rows of the replayed past stand.
pub(crate) const REPLAYED: &[u8] = b"replayed";
/// Wallet: the encrypted wallet.
pub(crate) const KEYSTORE: &[u8] = b"keystore";
/// Wallet: its addresses, in order.
pub(crate) const ACCOUNTS: &[u8] = b"accounts";

/// Heights that a page of headers is about.
pub(crate) const PAGE_HEIGHTS: u32 = 256;
/// The bytes that a header takes as a row of its own.
pub(crate) const HEADER_ROW_BYTES: usize = 32 + 1 + HEADER_BYTES;
/// The bytes of its hash that stand behind a header in a page, so that damage is seen.
const CHECK_BYTES: usize = 4;
const PAGED_BYTES: usize = 1 + HEADER_BYTES + CHECK_BYTES;

const HAS_BODY: u8 = 1;
const INVALID: u8 = 2;
const IN_PAGE: u8 = 4;
/// Heights that a page of bodies is about: as many as the flags of a header can tell apart.
pub(crate) const PAGE_SPAN: u32 = (u8::MAX / IN_PAGE) as u32;
/// The bytes of a place.
pub(crate) const PLACE_BYTES: usize = 6;

/// A header and what was learnt about its block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HeaderRow {
    pub(crate) header: Header,
    pub(crate) has_body: bool,
    /// How far below it the page begins that its body lies in; none if that has a row of its own.
    pub(crate) page_below: Option<u8>,
    pub(crate) invalid: bool,
}

impl HeaderRow {
    /// The row of a header by itself.
    pub(crate) fn value(&self) -> Vec<u8> {
        let mut value = Vec::with_capacity(1 + HEADER_BYTES);
        self.write(&mut value);
        value
    }

    /// Reads a row; its key has to be the one its header has.
    pub(crate) fn read(key: &[u8], value: &[u8]) -> Option<(BlockHash, Self)> {
        let (hash, row) = Self::parse(value)?;
        (key == hash.as_bytes()).then_some((hash, row))
    }

    /// Adds a header to a page.
    pub(crate) fn write_in_page(&self, hash: &BlockHash, page: &mut Vec<u8>) {
        self.write(page);
        page.extend_from_slice(check_of(hash));
    }

    /// Reads a header of a page.
    fn read_in_page(bytes: &[u8]) -> Option<(BlockHash, Self)> {
        let (row, check) = bytes.split_last_chunk::<CHECK_BYTES>()?;
        let (hash, row) = Self::parse(row)?;
        (check_of(&hash) == check).then_some((hash, row))
    }

    fn write(&self, out: &mut Vec<u8>) {
        let page = self.page_below.map_or(0, |below| IN_PAGE * (below + 1));
        out.push((u8::from(self.has_body) * HAS_BODY) | (u8::from(self.invalid) * INVALID) | page);
        self.header.encode(out);
    }

    fn parse(value: &[u8]) -> Option<(BlockHash, Self)> {
        let (&flags, header) = value.split_first()?;
        let (has_body, invalid) = (flags & HAS_BODY != 0, flags & INVALID != 0);
        let page_below = (flags / IN_PAGE).checked_sub(1);
        if header.len() != HEADER_BYTES || (page_below.is_some() && !has_body) {
            return None;
        }
        let header = Header::from_bytes(header).ok()?;
        let row = Self { header, has_body, page_below, invalid };
        Some((header.hash(), row))
    }
}

fn check_of(hash: &BlockHash) -> &[u8; CHECK_BYTES] {
    hash.as_bytes().last_chunk().expect("a hash is longer than its end")
}

/// Which page a header belongs in.
pub(crate) fn page_of(height: Height) -> u32 {
    height.value() / PAGE_HEIGHTS
}

pub(crate) fn page_key(page: u32) -> [u8; 4] {
    page.to_be_bytes()
}

/// What can be read of a page of headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HeaderPage {
    pub(crate) number: u32,
    pub(crate) headers: Vec<(BlockHash, HeaderRow)>,
    /// Whether that was all of it.
    pub(crate) whole: bool,
}

impl HeaderPage {
    /// Reads a page. A header that is damaged or belongs elsewhere is left out. A key is no page's if no height leads to it.
    pub(crate) fn read(key: &[u8], value: &[u8]) -> Option<Self> {
        let number = u32::from_be_bytes(key.try_into().ok()?);
        if number > page_of(Height::MAX) {
            return None;
        }
        let mut whole = value.len().is_multiple_of(PAGED_BYTES);
        let mut headers = Vec::with_capacity(value.len() / PAGED_BYTES);
        for bytes in value.chunks_exact(PAGED_BYTES) {
            let read = HeaderRow::read_in_page(bytes);
            match read.filter(|(_, row)| page_of(row.header.height()) == number) {
                Some(row) => headers.push(row),
                None => whole = false,
            }
        }
        Some(Self { number, headers, whole })
    }
}

/// A block's body, as it lies on disk and crosses the wire.
pub(crate) fn body(transactions: &[Transaction]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(transactions.len() * Transaction::USUAL_BYTES);
    write_list(&mut bytes, transactions);
    bytes
}

/// Adds a body to a page.
pub(crate) fn write_in_body_page(hash: &BlockHash, body: &[u8], page: &mut Vec<u8>) {
    page.extend_from_slice(hash.as_bytes());
    write_bytes(page, body);
}

/// The key of the page of bodies that begins at a height.
pub(crate) fn body_page_key(first: Height) -> [u8; 4] {
    first.value().to_be_bytes()
}

/// The headers in a row of the column of headers, or of that of their pages, each with its hash. What is damaged is left out.
pub fn stored_headers(key: &[u8], value: &[u8]) -> Vec<(BlockHash, Header)> {
    let rows = match HeaderRow::read(key, value) {
        Some(row) => vec![row],
        None => HeaderPage::read(key, value).map(|page| page.headers).unwrap_or_default(),
    };
    rows.into_iter().map(|(hash, row)| (hash, row.header)).collect()
}

/// The bodies in a row of the column of bodies, or of that of their pages, each with its block's hash. Of a damaged page, as
/// many as can be told.
pub fn stored_bodies<'a>(key: &[u8], value: &'a [u8]) -> Vec<(BlockHash, &'a [u8])> {
    if let Some(hash) = read_hash(key) {
        return vec![(hash, value)];
    }
    let mut reader = Reader::new(value);
    let body = || {
        let hash = BlockHash::from_bytes(reader.array().ok()?);
        Some((hash, reader.bytes(0..=value.len()).ok()?))
    };
    std::iter::from_fn(body).collect()
}

/// The body of a block in the row that was asked for, if it is there.
pub(crate) fn body_in<'a>(rows: &'a Rows, hash: &BlockHash) -> Option<&'a [u8]> {
    let bodies = rows.0.iter().flat_map(|(key, value)| stored_bodies(key, value));
    bodies.into_iter().find_map(|(of, body)| (of == *hash).then_some(body))
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

/// The keys of an index's rows that begin so and stand for segments below a height.
pub(crate) fn segments_below(beginning: [u8; 2], height: Height) -> Range<Vec<u8>> {
    beginning.to_vec()..[&beginning[..], &height.value().to_be_bytes()].concat()
}

/// The addresses that a transaction concerns, each once: its sender and whom it pays.
pub(crate) fn addresses_of(transaction: &Transaction) -> Vec<Address> {
    addresses_between(Address::of(transaction.sender()), transaction)
}

/// The same for who knows the sender's address already.
pub(crate) fn addresses_between(sender: Address, transaction: &Transaction) -> Vec<Address> {
    let paid = transaction.action().outputs().iter().map(|output| *output.to());
    let mut addresses: Vec<_> = std::iter::once(sender).chain(paid).collect();
    addresses.sort_unstable();
    addresses.dedup();
    addresses
}

/// A chunk of the state at a height.
pub(crate) fn snapshot_key(height: Height, first_byte: u8) -> Vec<u8> {
    [&snapshot_prefix(height)[..], &[first_byte]].concat()
}

/// All chunks of the state at a height.
pub(crate) fn snapshot_range(height: Height) -> Range<Vec<u8>> {
    let after = Height::new(height.value().saturating_add(1));
    snapshot_prefix(height)..snapshot_prefix(after)
}

/// All chunks of states below a height.
pub(crate) fn snapshots_below(height: Height) -> Range<Vec<u8>> {
    snapshot_prefix(Height::GENESIS)..snapshot_prefix(height)
}

fn snapshot_prefix(height: Height) -> Vec<u8> {
    [b"s".as_slice(), &height.value().to_be_bytes()].concat()
}

/// What all keys of the replayed past begin with.
pub(crate) const REPLAY_PREFIX: &[u8] = b"p";

pub(crate) fn replay_key(first_byte: u8) -> Vec<u8> {
    [REPLAY_PREFIX, &[first_byte]].concat()
}

/// All rows of the replayed past.
pub(crate) fn replay_range() -> Range<Vec<u8>> {
    REPLAY_PREFIX.to_vec()..b"q".to_vec()
}

/// Block hashes, one after the other.
pub(crate) fn hashes(hashes: &[BlockHash]) -> Vec<u8> {
    let mut value = Vec::new();
    write_list(&mut value, hashes);
    value
}

pub(crate) fn read_hashes(value: &[u8], most: usize) -> Option<Vec<BlockHash>> {
    let mut reader = Reader::new(value);
    let hashes = reader.list(0..=most).ok()?;
    reader.finish().ok()?;
    Some(hashes)
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
            let row = HeaderRow { header, has_body, page_below: None, invalid };
            let value = row.value();
            assert_eq!(HeaderRow::read(hash.as_bytes(), &value), Some((hash, row)));
            for place in 1..value.len() {
                let mut damaged = value.clone();
                damaged[place] ^= 0x40;
                assert_eq!(HeaderRow::read(hash.as_bytes(), &damaged), None, "byte {place}");
            }
            assert_eq!(HeaderRow::read(hash.as_bytes(), &value[1..]), None);
        }
    }

    #[test]
    fn a_header_says_where_its_body_lies() {
        let header = *ChainSpec::dev().genesis_header();
        let hash = header.hash();
        for below in (0..PAGE_SPAN).map(|below| u8::try_from(below).expect("a small span")) {
            let row = HeaderRow { header, has_body: true, page_below: Some(below), invalid: below % 2 == 0 };
            assert_eq!(HeaderRow::read(hash.as_bytes(), &row.value()), Some((hash, row)));
        }
        let mut nowhere = HeaderRow { header, has_body: false, page_below: None, invalid: false }.value();
        nowhere[0] |= IN_PAGE;
        assert_eq!(HeaderRow::read(hash.as_bytes(), &nowhere), None, "a body that is not there lies nowhere");
    }

    #[test]
    fn a_page_gives_its_bodies_back_up_to_where_it_is_damaged() {
        let bodies: Vec<_> = [(1, 200), (2, 1), (3, 70_000)]
            .map(|(n, length)| (BlockHash::from_bytes([n; 32]), vec![n; length]))
            .to_vec();
        let mut page = Vec::new();
        for (hash, body) in &bodies {
            write_in_body_page(hash, body, &mut page);
        }
        let read = |page: &[u8]| {
            let key = body_page_key(Height::new(7));
            let read = stored_bodies(&key, page).into_iter().map(|(hash, body)| (hash, body.to_vec()));
            read.collect::<Vec<_>>()
        };
        assert_eq!(read(&page), bodies);
        assert_eq!(read(&page[..page.len() - 1]), bodies[..2]);
        page[32] ^= 0x80;
        assert!(read(&page).iter().all(|body| !bodies.contains(body)), "nothing is taken for what it is not");
        assert_eq!(read(&[]), []);
        let (hash, body) = &bodies[0];
        assert_eq!(stored_bodies(hash.as_bytes(), body), [(*hash, &body[..])], "a row of its own");
    }

    #[test]
    fn a_page_gives_its_headers_back_and_leaves_out_the_damaged_ones() {
        let genesis = *ChainSpec::dev().genesis_header();
        let rows: Vec<_> = (0..3_u64)
            .map(|nonce| (genesis.with_nonce(nonce), nonce == 1))
            .map(|(header, has_body)| {
                (header.hash(), HeaderRow { header, has_body, page_below: None, invalid: !has_body })
            })
            .collect();
        let mut page = Vec::new();
        for (hash, row) in &rows {
            row.write_in_page(hash, &mut page);
        }
        let read = |number, value: &[u8]| {
            let page = HeaderPage::read(&page_key(number), value).expect("a key of a page");
            (page.headers, page.whole)
        };
        assert_eq!(read(0, &page), (rows.clone(), true));
        for place in 1..PAGED_BYTES {
            let mut damaged = page.clone();
            damaged[place] ^= 0x40;
            assert_eq!(read(0, &damaged), (rows[1..].to_vec(), false), "byte {place}");
        }
        assert_eq!(read(0, &page[..page.len() - 1]), (rows[..2].to_vec(), false));
        assert_eq!(read(1, &page), (Vec::new(), false), "of other heights");
        assert_eq!(HeaderPage::read(b"no", &page), None);
        assert_eq!(HeaderPage::read(&[0xff; 4], &page), None);
    }

    #[test]
    fn the_chunks_of_a_height_are_one_range() {
        let range = snapshot_range(Height::new(256));
        assert!(range.contains(&snapshot_key(Height::new(256), 0)));
        assert!(range.contains(&snapshot_key(Height::new(256), 255)));
        assert!(!range.contains(&snapshot_key(Height::new(255), 255)));
        assert!(!range.contains(&snapshot_key(Height::new(257), 0)));
        assert!(replay_range().contains(&replay_key(255)) && !range.contains(&replay_key(255)));
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
        let hash = BlockHash::from_bytes([1; 32]);
        assert_eq!(read_hashes(&hashes(&[hash, hash]), 2), Some(vec![hash, hash]));
        assert_eq!(read_hashes(&hashes(&[hash, hash]), 1), None);
        let genesis = ChainSpec::dev().genesis();
        assert_eq!(block(genesis.header, &body(&genesis.transactions)), Some(genesis));
    }
}
