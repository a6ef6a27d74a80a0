//! Which of two chains is followed, case by case: the same natively and in wasm.

use std::sync::Arc;

use tabchain_chain::{Chain, InsertError, Limits, Status, Step, testing::*};
use tabchain_consensus::{ChainSpec, Parameters};
use tabchain_mempool::{Dropped, FeeRate, Mempool};
use tabchain_primitives::{Block, BlockHash, Encode, Header, Height, StateRoot, Transaction};
use tabchain_sim::{Sim, World};
use tabchain_tests::{address, agree, door::with_work, hash_at, height, tips};
#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;
use web_time::{Duration, Instant};

#[cfg(target_family = "wasm")]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_dedicated_worker);

fn archive() -> Archive {
    Archive::new(Chain::new(spec()))
}

/// So many blocks on top of others, told apart by their miner, each with what is to be in it.
fn branch(on: &[Block], miner: u64, count: u64, contents: impl Fn(u64) -> Vec<Transaction>) -> Vec<Block> {
    let mut own = archive();
    own.offer_all(on);
    (0..count).map(|index| own.extend(Key::new(miner).address(), &contents(index))).collect()
}

fn nothing(_: u64) -> Vec<Transaction> {
    Vec::new()
}

/// A payment of the key 0 with this nonce.
fn payment(nonce: u64) -> Transaction {
    transfer(&spec(), &Key::new(0), nonce, Key::new(500 + nonce % 50).address(), 10 + nonce, 200)
}

/// Another one with the same nonce.
fn rival(nonce: u64) -> Transaction {
    transfer(&spec(), &Key::new(0), nonce, Key::new(700 + nonce % 40).address(), 20 + nonce, 100)
}

/// Everything that a disagreement of two nodes could show in: the tip, the roots, every account.
fn everything(chain: &Chain) -> (BlockHash, StateRoot, u64, Vec<u8>) {
    let accounts = chain.state_chunk(tabchain_chain::Prefix::new(0, 0).expect("all of them"));
    (chain.tip().hash, chain.state_root(), chain.supply().units(), accounts.to_bytes())
}

#[test]
fn of_equal_work_the_first_seen_stays() {
    let (ours, theirs) = (branch(&[], 100, 3, nothing), branch(&[], 200, 3, nothing));
    for (first, second) in [(&ours, &theirs), (&theirs, &ours)] {
        let mut archive = archive();
        archive.offer_all(first);
        let before = everything(&archive.chain);
        archive.offer_all(second);
        assert_eq!(everything(&archive.chain), before);
        let more = branch(second, 300, 1, nothing);
        archive.offer_all(&more);
        assert_eq!(archive.chain.tip().hash, more[0].hash(), "one block more decides");
    }
}

#[test]
fn a_longer_chain_with_less_work_does_not_win() {
    // The half-life is one interval: blocks in quick succession double the difficulty each time.
    let parameters = Parameters { half_life_ms: 1_000, ..parameters() };
    let spec = Arc::new(ChainSpec::new(parameters).expect("still a chain"));
    let mut heavy = Archive::new(Chain::new(spec.clone()));
    for _ in 0..4 {
        let time = heavy.chain.tip().header.time().saturating_add(1);
        let block = mine_at(&heavy.chain, Key::new(1).address(), &[], time);
        heavy.offer(&block).expect("the header is good");
    }
    let mut long = Archive::new(Chain::new(spec));
    let blocks: Vec<_> = (0..6).map(|_| long.extend(Key::new(2).address(), &[])).collect();
    assert!(long.chain.tip().height > heavy.chain.tip().height);
    assert!(long.chain.tip().work < heavy.chain.tip().work);
    let before = everything(&heavy.chain);
    heavy.offer_all(&blocks);
    assert_eq!(everything(&heavy.chain), before);
    assert_eq!(heavy.chain.best_header(), heavy.chain.tip());
    long.offer_all(&heavy.blocks_by_height());
    assert_eq!(everything(&long.chain), before, "and the shorter one with more work does");
}

/// The blocks that an archive holds, parents first.
trait ByHeight {
    fn blocks_by_height(&self) -> Vec<Block>;
}

impl ByHeight for Archive {
    fn blocks_by_height(&self) -> Vec<Block> {
        let mut blocks: Vec<Block> = self.blocks.values().cloned().collect();
        blocks.sort_by_key(|block| block.header.height());
        blocks
    }
}

#[test]
fn an_invalid_block_deep_inside_a_heavier_fork_gives_the_old_tip_and_state_back() {
    let shared = branch(&[], 100, 5, nothing);
    let ours = branch(&shared, 100, 10, |index| vec![payment(index)]);
    let theirs = branch(&shared, 200, 8, |index| vec![rival(index)]);
    let next = branch(&[&shared[..], &theirs].concat(), 200, 1, nothing).remove(0);
    let liar =
        Block { header: with_work(&next.header, |fields| fields.state_root = StateRoot::ZERO), ..next };
    let fork = [&theirs[..], std::slice::from_ref(&liar), &headers_on(&liar, 6)].concat();

    let mut archive = archive();
    archive.offer_all(&shared);
    archive.offer_all(&ours);
    let before = everything(&archive.chain);
    for block in &fork {
        archive.chain.insert_header(block.header, block.header.time()).expect("the header is good");
    }
    assert!(archive.chain.best_header().work > archive.chain.tip().work, "it is heavier by far");
    // The bodies come newest first, so that the whole fork is there at once.
    for block in fork.iter().rev() {
        archive.body(block);
    }
    assert_eq!(everything(&archive.chain), before);
    for block in &fork[8..] {
        assert_eq!(archive.chain.entry(&block.hash()).map(|entry| entry.status), Some(Status::Invalid));
        assert_eq!(archive.offer(block), Err(InsertError::KnownInvalid(block.hash())));
    }
    archive.extend(Key::new(100).address(), &[payment(10)]);
    let honest = branch(&[&shared[..], &theirs].concat(), 300, 9, nothing);
    archive.offer_all(&honest);
    assert_eq!(archive.chain.tip().hash, honest[8].hash(), "the good part of the fork can still win");
}

/// Empty blocks on top of one whose state nobody has, so they can say what they like.
fn headers_on(parent: &Block, count: u32) -> Vec<Block> {
    let mut parent = parent.header;
    let next = |_| {
        let header = with_work(&parent, |fields| {
            fields.height = fields.height.next().expect("low");
            fields.parent = parent.hash();
            fields.time = fields.time.saturating_add(1_000);
        });
        parent = header;
        Block { header, transactions: Vec::new() }
    };
    (0..count).map(next).collect()
}

#[test]
fn a_reorg_of_1088_blocks_and_back_is_exact_and_takes_less_than_a_minute() {
    let ours = branch(&[], 100, 1_088, |index| vec![payment(index)]);
    let theirs = branch(&[], 200, 1_089, |index| vec![rival(index)]);
    let mut archive = archive();
    archive.offer_all(&ours);
    let before = everything(&archive.chain);
    let begin = Instant::now();
    archive.offer_all(&theirs);
    assert_eq!(archive.chain.tip().hash, theirs[1_088].hash());
    assert_ne!(everything(&archive.chain), before);

    let back = branch(&ours, 100, 2, nothing);
    for block in &back {
        archive.chain.insert_header(block.header, block.header.time()).expect("the header is good");
        archive.blocks.insert(block.hash(), block.clone());
        archive.chain.mark_body(&block.hash());
    }
    let mut passed = Vec::new();
    while let Some(step) = archive.chain.next_step() {
        archive.follow(step);
        if archive.chain.tip().hash == ours[1_087].hash() {
            passed.push(everything(&archive.chain));
        }
    }
    assert_eq!(archive.chain.tip().hash, back[1].hash());
    assert_eq!(passed, [before], "the old tip was passed once, with the very same state");
    assert!(begin.elapsed() < Duration::from_mins(1), "{:?}", begin.elapsed());
}

#[test]
fn transactions_of_a_lost_branch_return_to_the_pool_unless_they_conflict() {
    let instead = transfer(&spec(), &Key::new(1), 0, Key::new(8).address(), 77, 200);
    let lost = transfer(&spec(), &Key::new(1), 0, Key::new(9).address(), 50, 200);
    let (ours, theirs) = (
        branch(&[], 100, 1, |_| vec![payment(0), payment(1), lost.clone()]),
        branch(&[], 200, 2, |index| if index == 0 { vec![instead.clone(), payment(0)] } else { Vec::new() }),
    );
    let limits = tabchain_mempool::Limits { min_fee_rate: FeeRate::new(0), ..Default::default() };
    let (mut archive, mut pool) = (archive(), Mempool::new(limits));
    archive.offer_all(&ours);
    for block in &theirs {
        archive.chain.insert_header(block.header, block.header.time()).expect("the header is good");
        archive.blocks.insert(block.hash(), block.clone());
        archive.chain.mark_body(&block.hash());
    }
    while let Some(step) = archive.chain.next_step() {
        archive.follow(step);
        match step {
            Step::Connect(hash) => drop(pool.on_connect(&archive.blocks[&hash])),
            Step::Disconnect(hash) => pool.on_disconnect(&archive.blocks[&hash]),
        }
    }
    let next = Height::new(3);
    assert_eq!(pool.settle(&archive.chain, next), [(lost.unsigned().id(), Dropped::Conflict)]);
    assert_eq!(pool.template(&archive.chain, 100_000, next), [payment(1)]);
}

#[test]
fn a_hundred_tips_at_one_height_take_bounded_memory() {
    let limits = Limits { side_headers: 20, ..Limits::default() };
    let mut archive = Archive::new(Chain::with_limits(spec(), limits));
    let main = branch(&[], 100, 12, nothing);
    archive.offer_all(&main);
    let before = everything(&archive.chain);
    let tip = |miner: u64| -> Header { branch(&main[..9], 1_000 + miner, 1, nothing)[0].header };
    let kept = (0..100).filter(|miner| {
        let header = tip(*miner);
        match archive.chain.insert_header(header, header.time()) {
            Ok(_) => true,
            Err(error) => {
                assert_eq!(error, InsertError::LowWork);
                false
            }
        }
    });
    assert_eq!(kept.count(), 20, "as many as there is room for");
    assert_eq!(everything(&archive.chain), before);
    let heavier = branch(&main[..10], 2_000, 3, nothing);
    archive.offer_all(&heavier);
    assert_eq!(archive.chain.tip().hash, heavier[2].hash(), "none of them stands in the way of more work");
}

/// Half of the nodes see nothing of the other half for three hours: the longer they were apart, the more has to be
/// taken back, and none of it is anybody's fault.
#[test]
fn halves_that_were_parted_for_hours_are_one_within_two_minutes_and_nobody_is_banned() {
    let parameters = Parameters { interval_ms: 30_000, half_life_ms: 900_000, ..parameters() };
    let spec = Arc::new(ChainSpec::new(parameters).expect("still a chain"));
    let mut sim = Sim::new(World::new(spec, 3));
    let nodes = sim.add_nodes(6);
    sim.introduce(&nodes);
    sim.start_mining(nodes[0], address(0));
    sim.start_mining(nodes[5], address(1));
    assert!(sim.run_until(1_200_000, |sim| height(sim, nodes[2]) >= 5 && agree(sim, &nodes)));
    let (west, east) = nodes.split_at(3);
    sim.cut_off(west);
    let parted = height(&mut sim, nodes[0]);
    sim.run_for(3 * 3_600_000);
    for side in [west, east] {
        assert!(height(&mut sim, side[1]) > parted + 50, "each side went on by itself");
    }
    assert_ne!(hash_at(&mut sim, west[0], parted + 20), hash_at(&mut sim, east[0], parted + 20));

    sim.heal();
    assert!(sim.run_until(120_000, |sim| agree(sim, &nodes)), "{:?}", tips(&mut sim, &nodes));
    assert!(nodes.iter().all(|&node| sim.dismissed(node).is_empty()), "nobody is sent away for it");
}
