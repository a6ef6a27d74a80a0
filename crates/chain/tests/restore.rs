//! Opening a chain from stored rows, whole and damaged.

use tabchain_chain::{Chain, ChainBuilder, RestoreError, Step, testing::*};
use tabchain_primitives::{
    Account, AccountKey, AccountNonce, Address, Amount, Block, BlockHash, Encode, Header, HeaderFields,
    StateRoot,
};

/// The rows of a state, by the first byte of their keys.
type Chunks = Vec<(u8, Vec<u8>)>;

/// A chain of blocks with payments, and the rows of its state at a checkpoint.
struct Stored {
    blocks: Vec<Block>,
    checkpoint: BlockHash,
    chunks: Chunks,
}

fn stored(blocks: usize, checkpoint: usize) -> (Archive, Stored) {
    let mut archive = Archive::new(Chain::new(spec()));
    let mut chunks = Vec::new();
    let mut done = Vec::new();
    for index in 0..blocks {
        let nonce = index as u64;
        let payment = transfer(&spec(), &Key::new(3), nonce, Key::new(700 + nonce % 9).address(), 100, 2);
        done.push(archive.extend(Key::new(50).address(), &[payment]));
        if index + 1 == checkpoint {
            chunks = archive.chain.take_dirty_chunks();
        }
    }
    let checkpoint = done[checkpoint - 1].hash();
    (archive, Stored { blocks: done, checkpoint, chunks })
}

impl Stored {
    fn builder(&self) -> ChainBuilder {
        let mut builder = ChainBuilder::new(spec());
        for block in &self.blocks {
            assert!(builder.header(block.header, block.hash()));
        }
        builder
    }

    fn open(&self) -> Result<Chain, RestoreError> {
        let mut builder = self.builder();
        for (byte, row) in &self.chunks {
            builder.chunk(*byte, row)?;
        }
        self.blocks.iter().for_each(|block| builder.body(&block.hash()));
        builder.build(&self.checkpoint)
    }
}

#[test]
fn a_chain_opens_at_its_checkpoint_and_goes_on_to_where_it_was() {
    let (before, stored) = stored(12, 8);
    let mut after = Archive::new(stored.open().expect("the rows are whole"));
    assert_eq!(after.chain.tip().hash, stored.checkpoint);
    assert_eq!(after.chain.next_step(), Some(Step::Connect(stored.blocks[8].hash())));
    assert!(after.chain.take_dirty_chunks().is_empty(), "nothing has changed since the checkpoint");
    after.blocks = before.blocks;
    while let Some(step) = after.chain.next_step() {
        after.follow(step);
    }
    assert_eq!(after.chain.tip(), before.chain.tip());
    assert_eq!(after.chain.state_root(), before.chain.state_root());
    assert_eq!(after.chain.supply(), before.chain.supply());
    assert_eq!(after.chain.history_root(), before.chain.history_root());
    after.extend(Key::new(51).address(), &[]);
}

#[test]
fn a_checkpoint_that_lost_goes_back_by_its_undo_records() {
    let (before, stored) = stored(8, 8);
    let mut other = Archive::new(Chain::new(spec()));
    let fork: Vec<Block> = (0..10).map(|_| other.extend(Key::new(60).address(), &[])).collect();
    let mut after = Archive::new(stored.open().expect("the rows are whole"));
    after.undos = before.undos;
    after.offer_all(&fork);
    assert_eq!(after.chain.tip(), other.chain.tip());
    assert_eq!(after.chain.state_root(), other.chain.state_root());
}

#[test]
fn dirty_rows_are_those_that_changed_and_add_up_over_checkpoints() {
    let (mut archive, mut stored) = stored(12, 8);
    let later = archive.chain.take_dirty_chunks();
    assert!(later.len() < 256, "a few payments touch few chunks");
    for (byte, row) in later {
        match stored.chunks.iter_mut().find(|(known, _)| *known == byte) {
            Some((_, known)) => *known = row,
            None => stored.chunks.push((byte, row)),
        }
    }
    stored.checkpoint = archive.chain.tip().hash;
    assert_eq!(stored.open().expect("the rows are whole").tip(), archive.chain.tip());
    archive.chain.mark_dirty(9);
    assert_eq!(archive.chain.take_dirty_chunks().len(), 1);
}

/// Opens a chain whose first block claims a state that no rules lead to: all the work is there, and the root is right.
fn open_forged(forged: &[(Address, Account)]) -> Result<Chain, RestoreError> {
    let chain = Chain::new(spec());
    let honest = mine(&chain, Key::new(50).address(), &[]).header;
    let root = StateRoot::of_accounts(forged.iter().map(|(address, account)| (address, account)));
    let header = solve(Header::new(HeaderFields { state_root: root, ..honest.fields() }));
    let mut builder = ChainBuilder::new(spec());
    assert!(builder.header(header, header.hash()));
    for (address, account) in forged {
        let row = [&[1][..], &address.to_bytes(), &account.to_bytes()].concat();
        builder.chunk(AccountKey::of(address).as_bytes()[0], &row)?;
    }
    builder.build(&header.hash())
}

#[test]
fn a_forged_snapshot_makes_no_money_and_stops_nobody() {
    let allocated = 8 * 1_000_000_000;
    let account = |nonce, balance| Account { nonce: AccountNonce::new(nonce), balance: units(balance) };
    let (one, two) = (Key::new(1).address(), Key::new(2).address());
    let refused = |forged: &[_]| open_forged(forged).map(|chain| chain.tip()).expect_err("it is forged");
    assert!(open_forged(&[(one, account(0, allocated))]).is_ok(), "theft alone can't be told from payments");
    let expected = units(allocated);
    assert_eq!(refused(&[(one, account(0, allocated + 1))]), RestoreError::Supply { expected });
    assert_eq!(refused(&[(one, account(0, allocated - 1))]), RestoreError::Supply { expected });
    let all = Amount::MAX.units();
    assert_eq!(refused(&[(one, account(0, all)), (two, account(0, all))]), RestoreError::Supply { expected });
    let nonce = AccountNonce::new(u64::MAX);
    assert_eq!(refused(&[(one, account(u64::MAX, allocated))]), RestoreError::ImpossibleNonce { nonce });
}

#[test]
fn the_genesis_needs_no_rows_and_has_them_to_be_stored() {
    let chain = ChainBuilder::new(spec()).build(&spec().genesis_hash());
    let mut chain = chain.expect("there is nothing to be wrong");
    assert_eq!(chain.state_root(), spec().genesis_header().state_root());
    assert_eq!(chain.take_dirty_chunks(), Chain::new(spec()).take_dirty_chunks());
}

#[test]
fn damaged_accounts_are_detected() {
    let (_, whole) = stored(8, 8);
    let damage = |change: &dyn Fn(&mut Chunks)| {
        let mut chunks = whole.chunks.clone();
        change(&mut chunks);
        let stored = Stored { blocks: whole.blocks.clone(), checkpoint: whole.checkpoint, chunks };
        stored.open().map(|chain| chain.tip()).expect_err("the rows are damaged")
    };
    let lost = damage(&|chunks| chunks.truncate(1));
    assert!(matches!(lost, RestoreError::StateRoot { .. }), "{lost}");
    let richer = damage(&|chunks| *chunks[0].1.last_mut().expect("it has a row") ^= 1);
    assert!(matches!(richer, RestoreError::StateRoot { .. }), "{richer}");
    let elsewhere = damage(&|chunks| chunks[0].0 ^= 1);
    assert!(matches!(elsewhere, RestoreError::MisplacedAccount(_)), "{elsewhere}");
    let cut = damage(&|chunks| chunks[0].1.truncate(5));
    assert!(matches!(cut, RestoreError::BrokenChunk { .. }), "{cut}");
}

#[test]
fn damaged_headers_are_left_out() {
    let (_, stored) = stored(8, 5);
    // A hole above the checkpoint: the chain opens, and what is missing comes from peers.
    let mut builder = ChainBuilder::new(spec());
    let taken: Vec<bool> = (1..)
        .zip(&stored.blocks)
        .filter(|(height, _)| *height != 7)
        .map(|(_, block)| builder.header(block.header, block.hash()))
        .collect();
    assert_eq!(taken, [true, true, true, true, true, true, false]);
    for (byte, row) in &stored.chunks {
        builder.chunk(*byte, row).expect("the rows are whole");
    }
    let chain = builder.build(&stored.checkpoint).expect("the checkpoint is whole");
    assert_eq!(chain.best_header().hash, stored.blocks[5].hash());

    // A flipped bit is as good as a hole: what it makes of the header has no work, or no children.
    let mut builder = ChainBuilder::new(spec());
    let first = stored.blocks[0].header;
    let flipped = Header::new(HeaderFields { tx_count: first.tx_count() ^ 1, ..first.fields() });
    builder.header(flipped, flipped.hash());
    assert!(!builder.header(stored.blocks[1].header, stored.blocks[1].hash()));
    let refused = builder.build(&stored.checkpoint).map(|chain| chain.tip());
    assert_eq!(refused, Err(RestoreError::MissingCheckpoint(stored.checkpoint)));
}

#[test]
fn a_block_that_was_found_invalid_stays_so() {
    let (_, stored) = stored(8, 5);
    let mut builder = stored.builder();
    builder.invalid(&stored.blocks[6].hash());
    for (byte, row) in &stored.chunks {
        builder.chunk(*byte, row).expect("the rows are whole");
    }
    let chain = builder.build(&stored.checkpoint).expect("the rows are whole");
    assert_eq!(chain.best_header().hash, stored.blocks[5].hash());
}
