//! Bodies that come while a node catches up lie together on its disk, and are there again whatever happens.

use tabchain_node::{Command, Event, Join, Limits, Reply, SyncState, Warning, stored_bodies};
use tabchain_primitives::{BlockHash, HEADER_BYTES};
use tabchain_records::{Batch, Column};
use tabchain_sim::{Place, Sim};
use tabchain_tests::{account, address, agree, grow, hash_at, height, miner, reopen, world_with};

/// Blocks within so many of the tip have rows of their own.
const NEAR: usize = 128;
/// The flags that a header had in its row before there were pages of bodies.
const FLAGS: u8 = 3;

fn limits() -> Limits {
    Limits { join: Join::Full, checkpoint_blocks: 64, ..Limits::default() }
}

/// A node that mined so many blocks, with payments in the first of them, and mines no more.
fn archive(seed: u64, blocks: u32) -> (Sim, Place) {
    let mut sim = world_with(seed, limits());
    let node = miner(&mut sim, blocks);
    sim.stop_mining(node);
    (sim, node)
}

/// A newcomer with these limits, connected to a node.
fn newcomer(sim: &mut Sim, node: Place, limits: Limits) -> Place {
    let late = sim.add_node();
    sim.kill(late);
    sim.set_limits(late, limits);
    sim.open(late);
    sim.connect(late, node);
    late
}

/// A newcomer that has taken in what the archive has.
fn caught_up(sim: &mut Sim, archive: Place) -> Place {
    let late = newcomer(sim, archive, limits());
    assert!(sim.run_until(300_000, |sim| agree(sim, &[late, archive])));
    sim.run_for(1_000);
    late
}

/// An archive, a newcomer that has caught up with it and was closed, and the blocks that both have.
fn closed_after_catching_up(seed: u64, blocks: u32) -> (Sim, Place, Place, Vec<BlockHash>) {
    let (mut sim, archive) = archive(seed, blocks);
    let late = caught_up(&mut sim, archive);
    let blocks = chain(&mut sim, archive);
    sim.call(late, Command::Close).expect("everything is written");
    (sim, archive, late, blocks)
}

fn count(sim: &mut Sim, node: Place, column: Column) -> usize {
    sim.disk(node).rows(column).count()
}

/// The blocks that have a body on disk, in both columns, each as often as it is there.
fn on_disk(sim: &mut Sim, node: Place) -> Vec<BlockHash> {
    let disk = sim.disk(node);
    let rows = disk.rows(Column::Bodies).chain(disk.rows(Column::BodyPages));
    let mut hashes: Vec<_> =
        rows.flat_map(|(key, value)| stored_bodies(key, value)).map(|(hash, _)| hash).collect();
    hashes.sort_unstable();
    hashes
}

fn chain(sim: &mut Sim, node: Place) -> Vec<BlockHash> {
    let tip = height(sim, node);
    (1..=tip).map(|height| hash_at(sim, node, height).expect("every block is there")).collect()
}

fn sorted(mut hashes: Vec<BlockHash>) -> Vec<BlockHash> {
    hashes.sort_unstable();
    hashes
}

fn is_there(sim: &mut Sim, node: Place, block: BlockHash) -> bool {
    match sim.call(node, Command::Block(block)) {
        Ok(Reply::Block(block)) => block.is_some(),
        other => panic!("a block or none, not {other:?}"),
    }
}

#[test]
fn a_chain_that_was_caught_up_with_lies_in_few_rows_and_is_there_again_and_served() {
    let (mut sim, archive) = archive(601, 400);
    assert_eq!(count(&mut sim, archive, Column::BodyPages), 0, "who mines a block has it as a row");
    let late = caught_up(&mut sim, archive);
    let blocks = chain(&mut sim, archive);
    let (rows, pages) = (count(&mut sim, late, Column::Bodies), count(&mut sim, late, Column::BodyPages));
    assert!((5..40).contains(&pages) && (NEAR..NEAR + 40).contains(&rows), "{pages} pages, {rows} rows");
    assert_eq!(on_disk(&mut sim, late), sorted(blocks.clone()), "each body is there once");

    // Opened again it has nothing at hand but what it reads.
    sim.call(late, Command::Close).expect("everything is written");
    sim.kill(archive);
    reopen(&mut sim, late);
    assert!(!sim.events(late).contains(&Event::Warning(Warning::Rebuilding)));
    assert_eq!(chain(&mut sim, late), blocks);
    let third = caught_up(&mut sim, late);
    assert_eq!(chain(&mut sim, third), blocks);
    assert_eq!(account(&mut sim, third, 2).balance.units(), 1_005_000_000);
}

#[test]
fn a_state_that_is_lost_is_rebuilt_from_pages_without_any_peer() {
    let (mut sim, archive) = archive(602, 400);
    let late = caught_up(&mut sim, archive);
    let tip = sim.status(late).tip;
    sim.call(late, Command::Close).expect("everything is written");
    sim.kill(archive);
    sim.disk(late).lose(Column::State, |_| true);
    reopen(&mut sim, late);
    assert!(sim.events(late).contains(&Event::Warning(Warning::Rebuilding)));
    assert!(sim.run_until(60_000, |sim| sim.status(late).tip == tip), "every block is connected again");
    assert_eq!(account(&mut sim, late, 2).balance.units(), 1_005_000_000);
}

#[test]
fn bodies_of_a_damaged_or_lost_page_are_fetched_again() {
    let damages: [fn(&mut Vec<u8>); 4] = [
        Vec::clear,
        |page| page.truncate(page.len() / 2),
        // The length of the first body, and a byte of a later one.
        |page| page[32] ^= 0x55,
        |page| {
            let middle = page.len() / 2;
            page[middle] ^= 1;
        },
    ];
    for (number, damage) in (0..).zip(damages) {
        let (mut sim, archive, late, blocks) = closed_after_catching_up(610 + number, 300);
        let tip = sim.status(archive).tip;
        let mut which = 0;
        sim.disk(late).damage(Column::BodyPages, |_, page| {
            which += 1;
            if which % 2 == 0 {
                damage(page);
            }
        });
        sim.disk(late).lose(Column::State, |_| true);
        reopen(&mut sim, late);
        sim.connect(late, archive);
        assert!(
            sim.run_until(120_000, |sim| sim.status(late).tip == tip),
            "damage {number}: all is there again"
        );
        sim.run_for(1_000);
        assert_eq!(account(&mut sim, late, 2).balance.units(), 1_005_000_000);

        // And on disk too.
        sim.call(late, Command::Close).expect("everything is written");
        sim.kill(archive);
        let told = sim.events(late).len();
        reopen(&mut sim, late);
        assert!(!sim.events(late)[told..].contains(&Event::Warning(Warning::Rebuilding)));
        assert_eq!(chain(&mut sim, late), blocks);
        let third = caught_up(&mut sim, late);
        assert_eq!(chain(&mut sim, third), blocks, "damage {number}: it serves them all");
    }
}

#[test]
fn pages_that_no_header_leads_to_are_thrown_away_with_the_damage() {
    let (mut sim, archive, late, blocks) = closed_after_catching_up(620, 400);
    let tip = sim.status(archive).tip;
    sim.disk(late).lose(Column::HeaderPages, |_| true);
    reopen(&mut sim, late);
    sim.connect(late, archive);
    assert!(sim.run_until(120_000, |sim| sim.status(late).tip == tip));
    sim.run_for(1_000);
    assert_eq!(chain(&mut sim, late), blocks);
    let kept = on_disk(&mut sim, late);
    assert_eq!(kept.len(), blocks.len(), "no body is there twice");
}

#[test]
fn a_node_that_dies_while_it_catches_up_has_what_it_had_written() {
    let (mut sim, archive) = archive(603, 500);
    let blocks = chain(&mut sim, archive);
    let late = newcomer(&mut sim, archive, limits());
    let mut lives = 0_u32;
    while !agree(&mut sim, &[late, archive]) {
        lives += 1;
        assert!(lives < 200, "it gets on");
        sim.run_for(u64::from(150 + 23 * (lives % 17)));
        sim.kill(late);
        // Every third time the power goes, and with it some of the last commits.
        if lives.is_multiple_of(3) {
            sim.disk(late).lose_last((lives % 5) as usize);
        }
        let kept = on_disk(&mut sim, late);
        reopen(&mut sim, late);
        assert!(!sim.events(late).contains(&Event::Warning(Warning::Rebuilding)), "life {lives}");
        for block in kept {
            assert!(is_there(&mut sim, late, block), "life {lives}: what lies on disk is found");
        }
        sim.connect(late, archive);
    }
    assert!(lives > 3, "it died in between: {lives} lives");
    assert_eq!(chain(&mut sim, late), blocks);
    assert_eq!(on_disk(&mut sim, late), sorted(blocks));
    assert!(count(&mut sim, late, Column::BodyPages) > 4);
}

#[test]
fn what_a_reorganisation_left_in_pages_is_still_given_by_its_hash() {
    let mut sim = world_with(604, limits());
    let nodes = sim.add_nodes(2);
    let (weak, strong) = (nodes[0], nodes[1]);
    sim.start_mining(weak, address(3));
    assert!(sim.run_until(3_600_000, |sim| height(sim, weak) >= 300));
    sim.stop_mining(weak);
    let late = caught_up(&mut sim, weak);
    let left = chain(&mut sim, weak);
    let pages = count(&mut sim, late, Column::BodyPages);
    assert!(pages > 0);
    sim.start_mining(strong, address(4));
    assert!(sim.run_until(3_600_000, |sim| height(sim, strong) >= 330));
    sim.stop_mining(strong);
    sim.kill(weak);
    sim.connect(late, strong);
    assert!(sim.run_until(300_000, |sim| agree(sim, &[late, strong])));
    sim.run_for(1_000);

    // Pages of both branches lie at the same heights.
    let active = chain(&mut sim, strong);
    assert!(count(&mut sim, late, Column::BodyPages) > pages);
    sim.call(late, Command::Close).expect("everything is written");
    for life in 0..2 {
        reopen(&mut sim, late);
        for block in left.iter().chain(&active) {
            assert!(is_there(&mut sim, late, *block), "life {life}");
        }
    }
    assert_eq!(on_disk(&mut sim, late), sorted([&left[..], &active].concat()));
    sim.kill(strong);
    let third = caught_up(&mut sim, late);
    assert_eq!(chain(&mut sim, third), active);
}

#[test]
fn a_pruned_newcomer_keeps_the_last_bodies_and_no_page() {
    let (mut sim, archive) = archive(605, 400);
    let late = newcomer(&mut sim, archive, Limits { keep_bodies: Some(20), ..limits() });
    assert!(sim.run_until(300_000, |sim| agree(sim, &[late, archive])));
    sim.run_for(10_000);
    assert_eq!(count(&mut sim, late, Column::BodyPages), 0);
    let blocks = chain(&mut sim, archive);
    let from = sim.status(late).keeps_from.value() as usize;
    assert!(from + 24 > blocks.len());
    assert_eq!(on_disk(&mut sim, late), sorted(blocks[from - 1..].to_vec()));
}

#[test]
fn pruning_takes_a_page_when_all_of_it_is_too_old() {
    let (mut sim, _, late, blocks) = closed_after_catching_up(606, 400);
    sim.kill(late);
    sim.set_limits(late, Limits { keep_bodies: Some(200), ..limits() });
    sim.open(late);
    assert!(sim.run_until(60_000, |sim| sim.status(late).keeps_from.value() > 150));
    sim.run_for(1_000);
    let from = sim.status(late).keeps_from.value();
    for life in 0..2 {
        let kept = on_disk(&mut sim, late);
        for (height, block) in (1..).zip(&blocks) {
            assert_eq!(is_there(&mut sim, late, *block), height >= from, "life {life}: block {height}");
            let lies_there = kept.binary_search(block).is_ok();
            // What lies in a page with one that is kept stays until that one goes.
            assert!(lies_there || height < from, "block {height}");
            assert!(!lies_there || height + 63 > from, "block {height}");
        }
        reopen(&mut sim, late);
    }
}

#[test]
fn the_past_below_a_snapshot_goes_into_pages_too() {
    let limits = Limits { snapshot_blocks: 16, join: Join::Snapshot, ..limits() };
    let mut sim = world_with(607, limits);
    let archive = sim.add_node();
    grow(&mut sim, archive, &[archive], 400);
    let blocks = chain(&mut sim, archive);
    let late = newcomer(&mut sim, archive, limits);
    assert!(sim.run_until(300_000, |sim| {
        let status = sim.status(late);
        status.sync == SyncState::Synced && status.progress.past.is_none()
    }));
    let joined = |event: &Event| matches!(event, Event::Sync { progress, .. } if progress.past.is_some());
    assert!(sim.events(late).iter().any(joined), "it joined in the middle");
    sim.run_for(1_000);
    assert!(count(&mut sim, late, Column::BodyPages) > 4);
    assert!(count(&mut sim, late, Column::Bodies) < NEAR + 40);
    sim.call(late, Command::Close).expect("everything is written");
    reopen(&mut sim, late);
    assert_eq!(chain(&mut sim, late), blocks);
}

#[test]
fn a_store_from_before_there_were_pages_of_bodies_is_taken_over() {
    let (mut sim, archive, late, blocks) = closed_after_catching_up(608, 400);
    sim.kill(late);
    // Schema 3 had a row for each body, and no header said where its body lies.
    let mut batch = Batch::default();
    for (key, page) in sim.disk(late).rows(Column::BodyPages) {
        for (hash, body) in stored_bodies(key, page) {
            batch.put(Column::Bodies, *hash.as_bytes(), body.to_vec());
        }
    }
    batch.clear(Column::BodyPages);
    sim.disk(late).commit(batch).expect("there is room");
    sim.disk(late).damage(Column::Headers, |_, row| row[0] &= FLAGS);
    sim.disk(late).damage(Column::HeaderPages, |_, page| {
        page.chunks_mut(1 + HEADER_BYTES + 4).for_each(|row| row[0] &= FLAGS);
    });
    assert_eq!(count(&mut sim, late, Column::Bodies), blocks.len());

    sim.open(late);
    sim.run_for(5_000);
    assert!(!sim.events(late).contains(&Event::Warning(Warning::Rebuilding)));
    assert_eq!(chain(&mut sim, late), blocks);
    assert_eq!(count(&mut sim, late, Column::BodyPages), 0, "nothing is written twice");
    sim.kill(archive);
    let third = caught_up(&mut sim, late);
    assert_eq!(chain(&mut sim, third), blocks);
    assert!(count(&mut sim, third, Column::BodyPages) > 0);
}
