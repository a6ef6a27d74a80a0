//! Fork choice: the cases of chains that compete.

use tabchain_chain::{Chain, InsertError, Limits, Status, Step, testing::*};
use tabchain_primitives::{Block, Header, HeaderFields, Height, StateRoot, Transaction};

fn archive() -> Archive {
    Archive::new(Chain::new(spec()))
}

/// So many blocks on top of a chain that others don't share, told apart by their miner.
fn branch(on: &[Block], miner: u64, count: usize) -> Vec<Block> {
    branch_with(on, miner, count, |_| Vec::new())
}

fn branch_with(
    on: &[Block],
    miner: u64,
    count: usize,
    transactions: impl Fn(usize) -> Vec<Transaction>,
) -> Vec<Block> {
    let mut own = archive();
    own.offer_all(on);
    (0..count).map(|index| own.extend(Key::new(miner).address(), &transactions(index))).collect()
}

/// The same block, but its header claims another state: everything else about it is in order.
fn with_a_lie(block: &Block) -> Block {
    let fields = HeaderFields { state_root: StateRoot::ZERO, ..block.header.fields() };
    Block { header: solve(Header::new(fields)), transactions: block.transactions.clone() }
}

/// Headers on top of a block whose state nobody has, so they can say what they like.
fn headers_on(parent: &Block, count: u32) -> Vec<Block> {
    let mut parent = parent.header;
    let next = |_| {
        let fields = parent.fields();
        let height = fields.height.next().expect("tests stay low");
        let time = fields.time.saturating_add(1_000);
        parent =
            solve(Header::new(HeaderFields { height, parent: parent.hash(), time, tx_count: 0, ..fields }));
        Block { header: parent, transactions: Vec::new() }
    };
    (0..count).map(next).collect()
}

#[test]
fn of_equal_work_the_first_seen_stays() {
    let (ours, theirs) = (branch(&[], 100, 3), branch(&[], 200, 3));
    let mut archive = archive();
    archive.offer_all(&ours);
    archive.offer_all(&theirs);
    assert_eq!(archive.chain.tip().hash, ours[2].hash());
    assert_eq!(archive.chain.best_header().hash, ours[2].hash());
    let more = branch(&theirs, 200, 1);
    archive.offer_all(&more);
    assert_eq!(archive.chain.tip().hash, more[0].hash(), "one more block decides");
}

#[test]
fn an_invalid_block_deep_in_a_heavier_fork_gives_the_old_state_back() {
    let shared = branch(&[], 100, 5);
    let payment = |index: usize| {
        let nonce = index as u64;
        vec![transfer(&spec(), &Key::new(0), nonce, Key::new(500 + nonce).address(), 10, 1)]
    };
    let ours = branch_with(&shared, 100, 10, payment);
    let theirs = branch(&shared, 200, 8);
    let liar = with_a_lie(&branch(&[&shared[..], &theirs].concat(), 200, 1)[0]);
    let after = headers_on(&liar, 6);
    let mut archive = archive();
    archive.offer_all(&shared);
    archive.offer_all(&ours);
    let before = (archive.chain.tip(), archive.chain.state_root(), archive.chain.supply());

    // Headers first, as they come from a peer; then every body. The fork is longer than ours by five.
    let fork = [&theirs[..], std::slice::from_ref(&liar), &after].concat();
    for block in &fork {
        archive.chain.insert_header(block.header, block.header.time()).expect("the header is good");
    }
    assert_eq!(archive.chain.best_header().hash, after[5].hash());
    assert_eq!(archive.chain.missing_bodies(100), fork.iter().map(Block::hash).collect::<Vec<_>>());
    for block in fork.iter().rev() {
        archive.body(block);
    }

    assert_eq!((archive.chain.tip(), archive.chain.state_root(), archive.chain.supply()), before);
    assert_eq!(archive.chain.best_header(), before.0);
    for block in std::iter::once(&liar).chain(&after) {
        assert_eq!(archive.chain.entry(&block.hash()).map(|entry| entry.status), Some(Status::Invalid));
        assert_eq!(archive.offer(block), Err(InsertError::KnownInvalid(block.hash())));
    }
    let child = headers_on(&after[5], 1).remove(0);
    assert_eq!(archive.offer(&child), Err(InsertError::KnownInvalid(after[5].hash())));
    archive.extend(Key::new(100).address(), &[]);
}

#[test]
fn a_fork_that_is_invalid_at_equal_work_gives_the_old_tip_back() {
    let ours = branch(&[], 100, 3);
    let theirs = branch(&[], 200, 3);
    let liar = with_a_lie(&branch(&theirs, 200, 1)[0]);
    let mut archive = archive();
    archive.offer_all(&ours);
    archive.offer_all(&theirs);
    archive.offer_all(&[liar]);
    assert_eq!(archive.chain.tip().hash, ours[2].hash(), "not left at the fork's third block");
}

#[test]
fn a_reorg_of_1088_blocks_and_back_is_exact() {
    let pay = |to: u64| {
        move |index: usize| {
            let nonce = index as u64;
            let key = Key::new(to / 1_000);
            vec![transfer(&spec(), &key, nonce, Key::new(to + nonce % 50).address(), 10 + nonce, 1)]
        }
    };
    let ours = branch_with(&[], 100, 1_088, pay(1_000));
    let theirs = branch_with(&[], 200, 1_089, pay(2_000));
    let mut archive = archive();
    archive.offer_all(&ours);
    let root = archive.chain.state_root();
    archive.offer_all(&theirs);
    assert_eq!(archive.chain.tip().hash, theirs[1_088].hash());
    assert_ne!(archive.chain.state_root(), root);

    let back = branch(&ours, 100, 2);
    let mut passed = Vec::new();
    for block in &back {
        archive.chain.insert_header(block.header, block.header.time()).expect("the header is good");
        archive.blocks.insert(block.hash(), block.clone());
        archive.chain.mark_body(&block.hash());
    }
    while let Some(step) = archive.chain.next_step() {
        archive.follow(step);
        if archive.chain.tip().hash == ours[1_087].hash() {
            passed.push(archive.chain.state_root());
        }
    }
    assert_eq!(archive.chain.tip().hash, back[1].hash());
    assert_eq!(passed, [root], "the old tip was passed once, with the very same state");
}

#[test]
fn a_hundred_tips_at_one_height_are_bounded() {
    let limits = Limits { side_headers: 20, ..Limits::default() };
    let mut archive = Archive::new(Chain::with_limits(spec(), limits));
    let main = branch(&[], 100, 30);
    archive.offer_all(&main);
    for miner in 0..100 {
        let tip = branch(&main[..25], 1_000 + miner, 1);
        let outcome = archive.offer(&tip[0]);
        assert_eq!(outcome.is_ok(), miner < 20, "tip {miner}: no more work than those that are there");
    }
    let evicted = archive.chain.take_evicted();
    assert!(evicted.is_empty(), "equal work pushes nothing out");
    let heavier = branch(&main[..26], 2_000, 2);
    archive.offer_all(&heavier);
    assert_eq!(archive.chain.take_evicted().len(), 2, "more work does");
    assert_eq!(archive.chain.tip().hash, main[29].hash());
}

#[test]
fn a_heavier_fork_gets_through_a_flood_of_cheap_headers() {
    let limits = Limits { side_headers: 20, ..Limits::default() };
    let mut archive = Archive::new(Chain::with_limits(spec(), limits));
    let main = branch(&[], 100, 15);
    archive.offer_all(&main);
    for miner in 0..40 {
        drop(archive.offer(&branch(&[], 1_000 + miner, 1)[0]));
    }
    let fork = branch(&main[..3], 200, 13);
    archive.offer_all(&fork);
    assert_eq!(archive.chain.tip().hash, fork[12].hash());
    let again = branch(&main, 100, 2);
    archive.offer_all(&again);
    assert_eq!(archive.chain.tip().hash, again[1].hash(), "the old chain was kept beside it");
}

#[test]
fn bodies_may_come_in_any_order() {
    let blocks = branch(&[], 100, 6);
    let mut archive = archive();
    for block in &blocks {
        archive.chain.insert_header(block.header, block.header.time()).expect("the header is good");
    }
    let wanted = archive.chain.missing_bodies(4);
    assert_eq!(wanted, blocks[..4].iter().map(Block::hash).collect::<Vec<_>>());
    for index in [5, 3, 1, 4, 2] {
        archive.body(&blocks[index]);
        assert_eq!(archive.chain.tip().height, Height::GENESIS, "the first is not there");
        let wanted = archive.chain.missing_bodies(3);
        assert!(
            wanted.iter().all(|hash| blocks[..3].iter().any(|block| block.hash() == *hash)),
            "no further"
        );
        assert_eq!(archive.chain.waiting_bodies(), 0);
    }
    assert_eq!(archive.chain.missing_bodies(4), [blocks[0].hash()]);
    archive.body(&blocks[0]);
    assert_eq!(archive.chain.tip().hash, blocks[5].hash());
}

#[test]
fn bodies_that_wait_for_nothing_but_their_turn_are_counted() {
    let blocks = branch(&[], 100, 6);
    let mut archive = archive();
    for block in &blocks {
        archive.chain.insert_header(block.header, block.header.time()).expect("the header is good");
    }
    for block in [&blocks[0], &blocks[1], &blocks[2], &blocks[4]] {
        archive.chain.mark_body(&block.hash());
    }
    assert_eq!(archive.chain.waiting_bodies(), 3, "one of them waits for the one before it");
    archive.chain.forget_body(&blocks[0].hash());
    assert_eq!(archive.chain.waiting_bodies(), 0, "all wait for the first");
}

#[test]
fn a_body_that_got_lost_is_wanted_again() {
    let (ours, theirs) = (branch(&[], 100, 2), branch(&[], 200, 3));
    let mut archive = archive();
    archive.offer_all(&ours);
    for block in &theirs {
        archive.chain.insert_header(block.header, block.header.time()).expect("the header is good");
        archive.chain.mark_body(&block.hash());
    }
    assert_eq!(archive.chain.next_step(), Some(Step::Disconnect(ours[1].hash())));
    archive.chain.forget_body(&theirs[1].hash());
    assert_eq!(archive.chain.next_step(), None, "the fork can't be connected now");
    assert_eq!(archive.chain.missing_bodies(9), [theirs[1].hash()]);
    archive.blocks.extend(theirs.iter().map(|block| (block.hash(), block.clone())));
    archive.body(&theirs[1]);
    assert_eq!(archive.chain.tip().hash, theirs[2].hash());
}

#[test]
fn a_connected_block_that_turns_out_bad_is_taken_back() {
    let blocks = branch(&[], 100, 6);
    let mut archive = archive();
    archive.offer_all(&blocks);
    archive.chain.mark_invalid(&blocks[3].hash());
    while let Some(step) = archive.chain.next_step() {
        archive.follow(step);
    }
    assert_eq!(archive.chain.tip().hash, blocks[2].hash());
    let genesis = archive.chain.spec().genesis_hash();
    archive.chain.mark_invalid(&genesis);
    assert_eq!(archive.chain.next_step(), None, "the genesis can't be");
}

#[test]
fn another_node_finds_where_chains_part_from_a_locator() {
    let shared = branch(&[], 100, 150);
    let ours = [&shared[..], &branch(&shared, 100, 60)].concat();
    let theirs = [&shared[..], &branch(&shared, 200, 40)].concat();
    let (mut us, mut them) = (archive(), archive());
    us.offer_all(&ours);
    them.offer_all(&theirs);
    let locator = them.chain.locator(&them.chain.best_header().hash);
    assert!(locator.len() <= tabchain_chain::MAX_LOCATOR);
    assert_eq!(locator.last(), Some(&us.chain.spec().genesis_hash()));
    let headers = us.chain.headers_after(&locator, 500);
    assert!(headers[0].height() <= Height::new(151), "nothing in between is left out");
    assert_eq!(headers.last(), Some(&us.chain.tip().header));
    assert_eq!(
        us.chain.headers_after(&[], 3),
        ours[..3].iter().map(|block| block.header).collect::<Vec<_>>()
    );
    assert!(us.chain.headers_after(&us.chain.locator(&ours[209].hash()), 9).is_empty());
}

#[test]
fn an_orphan_and_a_block_from_the_future_can_come_again() {
    let blocks = branch(&[], 100, 2);
    let mut archive = archive();
    assert_eq!(archive.offer(&blocks[1]), Err(InsertError::UnknownParent(blocks[0].hash())));
    let early = tabchain_primitives::Timestamp::from_millis(blocks[0].header.time().millis() - 120_001);
    let refused = archive.chain.insert_header(blocks[0].header, early).expect_err("too far ahead");
    let InsertError::TooEarly { at } = refused else { panic!("{refused}") };
    archive.chain.insert_header(blocks[0].header, at).expect("then it is in time");
    archive.offer_all(&blocks);
    assert_eq!(archive.chain.tip().hash, blocks[1].hash());
}
