//! What a node has written it has again, whatever happened to it or to its disk.

use tabchain_node::{Command, CommandError, Event, Join, Limits, Reply, Warning};
use tabchain_primitives::{Amount, Decode, HEADER_BYTES, Header};
use tabchain_records::{Batch, Column, Query, StoreError};
use tabchain_sim::{Place, Sim};
use tabchain_sync::Rng;
use tabchain_tests::{account, address, agree, hash_at, height, payment, reopen, world, world_with};

/// A node that has mined a while by itself.
fn miner(seed: u64, blocks: u32) -> (Sim, Place) {
    let mut sim = world(seed);
    let node = tabchain_tests::miner(&mut sim, blocks);
    (sim, node)
}

/// The same, but it has stopped, and there is another that agrees with it.
fn miner_with_peer(seed: u64, blocks: u32) -> (Sim, Place, Place) {
    let (mut sim, node) = miner(seed, blocks);
    let peer = sim.add_node();
    sim.connect(peer, node);
    sim.stop_mining(node);
    assert!(sim.run_until(60_000, |sim| agree(sim, &[node, peer])));
    (sim, node, peer)
}

#[test]
fn a_closed_node_opens_where_it_was() {
    let (mut sim, node) = miner(1, 100);
    let before = sim.status(node);
    let holds = account(&mut sim, node, 2);
    sim.call(node, Command::Close).expect("everything is written");
    assert!(matches!(sim.call(node, Command::Status), Err(CommandError::Closed)));

    reopen(&mut sim, node);
    let after = sim.status(node);
    assert!(after.height >= before.height, "nothing is lost by closing");
    assert_eq!(hash_at(&mut sim, node, before.height.value()), Some(before.tip));
    assert_eq!(account(&mut sim, node, 2), holds);
    assert_eq!(holds.balance.units(), 1_005_000_000);
}

#[test]
fn a_killed_node_opens_at_a_valid_tip_whenever_it_dies() {
    let (mut sim, node) = miner(2, 30);
    for life in 0..20 {
        sim.start_mining(node, address(0));
        // Moments that fall before, into and after commits.
        sim.run_for(1_700 + 37 * life);
        let seen = sim.status(node);
        // And again while it opens.
        sim.kill(node);
        sim.open(node);
        sim.run_for(life);
        reopen(&mut sim, node);
        let after = sim.status(node);
        assert!(after.height.value() + 2 >= seen.height.value(), "at most what was not written yet is lost");
        assert_eq!(account(&mut sim, node, 2).balance.units(), 1_005_000_000);
        let tip = after.height.value();
        assert!((1..=tip).all(|height| hash_at(&mut sim, node, height).is_some()), "every block is there");
    }
}

#[test]
fn damaged_state_is_rebuilt_from_blocks() {
    let (mut sim, node) = miner(3, 150);
    sim.stop_mining(node);
    sim.call(node, Command::Close).expect("everything is written");
    sim.disk(node).damage(Column::State, |_, value| {
        if let Some(last) = value.last_mut() {
            *last ^= 1;
        }
    });
    reopen(&mut sim, node);
    assert!(sim.events(node).contains(&Event::Warning(Warning::Rebuilding)));
    assert!(sim.status(node).height.value() >= 150);
    assert_eq!(account(&mut sim, node, 2).balance.units(), 1_005_000_000);

    // And what was rebuilt lasts.
    sim.call(node, Command::Close).expect("everything is written");
    let told = sim.events(node).len();
    reopen(&mut sim, node);
    assert!(!sim.events(node)[told..].contains(&Event::Warning(Warning::Rebuilding)));
}

#[test]
fn lost_bodies_and_headers_are_fetched_from_peers_again() {
    let (mut sim, node, peer) = miner_with_peer(4, 120);
    let tip = sim.status(peer).tip;

    sim.call(node, Command::Close).expect("everything is written");
    sim.disk(node).lose(Column::Bodies, |hash| hash[0] % 3 == 0);
    sim.disk(node).lose(Column::State, |_| true);
    sim.disk(node).lose(Column::Headers, |hash| hash[0] == hash[1]);
    reopen(&mut sim, node);
    sim.connect(peer, node);
    assert!(sim.run_until(120_000, |sim| sim.status(node).tip == tip), "all is there again");
    assert_eq!(account(&mut sim, node, 2).balance.units(), 1_005_000_000);
}

#[test]
fn pending_payments_are_there_again_after_a_reload() {
    let (mut sim, node, peer) = miner_with_peer(8, 10);
    for nonce in 0..30 {
        sim.call(peer, Command::SendTransaction(payment(3, nonce, 2, 1_000))).expect("a good payment");
    }
    assert!(sim.run_until(10_000, |sim| sim.status(node).mempool == 30), "from a peer");
    sim.run_for(31_000);
    let own = payment(4, 0, 2, 1_000);
    let id = own.id();
    sim.call(node, Command::SendTransaction(own)).expect("a good payment");
    sim.run_for(500);

    // Both die at once: nobody else has them.
    sim.kill(peer);
    reopen(&mut sim, node);
    assert!(
        sim.run_until(5_000, |sim| sim.status(node).mempool == 31),
        "our own, though just sent, and the rest"
    );
    let Ok(Reply::Transaction(Some(_))) = sim.call(node, Command::Transaction(id)) else {
        panic!("our own is there")
    };

    // And they reach the other and a block.
    sim.open(peer);
    sim.connect(peer, node);
    assert!(sim.run_until(30_000, |sim| sim.status(peer).mempool == 31));
    sim.start_mining(node, address(0));
    assert!(sim.run_until(60_000, |sim| sim.status(node).mempool == 0));
    assert_eq!(account(&mut sim, node, 4).nonce.value(), 1);

    // What was confirmed is not pending again.
    sim.stop_mining(node);
    sim.call(node, Command::Close).expect("everything is written");
    reopen(&mut sim, node);
    sim.run_for(5_000);
    assert_eq!(sim.status(node).mempool, 0);
}

#[test]
fn damaged_rows_of_pending_payments_are_checked_like_anybodys() {
    let (mut sim, node) = miner(9, 10);
    sim.stop_mining(node);
    for nonce in 0..20 {
        sim.call(node, Command::SendTransaction(payment(3, nonce, 2, 1_000))).expect("a good payment");
    }
    sim.call(node, Command::Close).expect("everything is written");
    let size = payment(3, 0, 2, 1_000).size();
    sim.disk(node).damage(Column::Meta, |key, value| {
        if key.starts_with(b"pending") {
            // The last byte of the tenth signature, and the end of the row.
            value[10 * size - 1] ^= 1;
            value.truncate(value.len() - 3);
        }
    });
    reopen(&mut sim, node);
    sim.run_for(5_000);
    assert_eq!(sim.status(node).mempool, 18, "all but the tenth and the last");
}

#[test]
fn a_full_disk_stops_the_node_from_writing_and_loses_nothing() {
    let (mut sim, node) = miner(5, 20);
    sim.disk(node).set_quota(20_000);
    assert!(sim.run_until(600_000, |sim| sim.events(node).contains(&Event::Warning(Warning::StorageFull))));
    let at = sim.status(node);
    sim.run_for(60_000);
    assert_eq!(sim.status(node).tip, at.tip, "it goes no further than it can write");
    assert_eq!(sim.status(node).mining.to, None);
    assert!(matches!(sim.call(node, Command::BlockAt(at.height)), Ok(Reply::Block(_))), "and still answers");

    // Opened with the disk still full, it stands at a valid tip; with room again, it goes on.
    reopen(&mut sim, node);
    assert!(sim.status(node).height.value() > 0);
    sim.disk(node).set_quota(usize::MAX / 2);
    reopen(&mut sim, node);
    assert!(sim.status(node).height.value() + 3 >= at.height.value());
}

/// While a node catches up it tells its tip only now and then; the disk is full in between.
#[test]
fn a_disk_that_is_full_while_the_node_catches_up_leaves_no_tip_untold() {
    for room in [60_000, 90_000, 120_000, 150_000] {
        let mut sim = world(8);
        let old = tabchain_tests::miner(&mut sim, 600);
        let late = sim.add_node();
        sim.disk(late).set_quota(room);
        sim.connect(late, old);
        let full = Event::Warning(Warning::StorageFull);
        assert!(sim.run_until(60_000, |sim| sim.events(late).contains(&full)));
        sim.run_for(5_000);
        let at = sim.status(late);
        assert!(at.height.value() < 600, "it is not at the tip: {at:?}");
        assert_eq!(sim.tip(late), Some(at.tip), "and has said where it is");
    }
}

#[test]
fn rows_of_another_chain_are_not_touched() {
    let (mut sim, node) = miner(6, 10);
    sim.call(node, Command::Close).expect("everything is written");
    sim.disk(node).damage(Column::Meta, |key, value| {
        if key == b"chain" {
            value[0] ^= 1;
        }
    });
    let rows = sim.disk(node).rows(Column::Headers).count();
    sim.kill(node);
    sim.open(node);
    sim.run_for(5_000);
    assert!(sim.events(node).iter().any(|event| matches!(event, Event::Fatal(StoreError::Corrupt(_)))));
    assert_eq!(sim.disk(node).rows(Column::Headers).count(), rows);
}

#[test]
fn whatever_a_broken_disk_says_the_node_opens_and_recovers() {
    let (mut sim, node, peer) = miner_with_peer(7, 60);
    let tip = sim.status(peer).tip;
    let mut rng = Rng::new([7; 32]);
    let columns = [
        Column::Headers,
        Column::Bodies,
        Column::Undo,
        Column::State,
        Column::Index,
        Column::Meta,
        Column::Peers,
        Column::HeaderPages,
    ];
    for round in 0..40 {
        sim.kill(node);
        let column = columns[round % columns.len()];
        sim.disk(node).damage(column, |key, value| match rng.below(8) {
            // The name of the chain is spared: without it the store would be somebody else's.
            _ if key == b"chain" || value.is_empty() => {}
            0 => {
                let place = rng.below(value.len());
                value[place] ^= 1 << rng.below(8);
            }
            1 => value.truncate(rng.below(value.len())),
            2 => value.push(0),
            _ => {}
        });
        reopen(&mut sim, node);
        sim.connect(node, peer);
        assert!(sim.run_until(120_000, |sim| sim.status(node).tip == tip), "round {round}: {column:?}");
    }
    assert_eq!(account(&mut sim, node, 2).balance.units(), 1_005_000_000);
}

#[test]
fn headers_below_the_tip_lie_in_pages_and_are_there_again_whenever_the_node_dies() {
    let (mut sim, node) = miner(10, 376);
    assert_eq!(sim.disk(node).rows(Column::HeaderPages).count(), 0, "nothing is deep enough yet");
    for life in 0..30 {
        sim.start_mining(node, address(0));
        // The page is begun at 384: some of these lives end just before, in and after that commit.
        sim.run_for(1_300 + 37 * life);
        let seen = sim.status(node);
        reopen(&mut sim, node);
        let after = sim.status(node);
        assert!(after.height.value() + 2 >= seen.height.value(), "at most what was not written yet is lost");
        let tip = after.height.value();
        assert!((1..=tip).all(|height| hash_at(&mut sim, node, height).is_some()), "every block is there");
    }
    assert!(height(&mut sim, node) >= 384);
    assert_eq!(sim.disk(node).rows(Column::HeaderPages).count(), 1);
    let singly = sim.disk(node).rows(Column::Headers).count();
    assert!((128..300).contains(&singly), "{singly} headers in rows of their own");
}

#[test]
fn headers_of_a_damaged_or_lost_page_are_fetched_again() {
    for lost in [true, false] {
        let (mut sim, node, peer) = miner_with_peer(11, 400);
        let tip = sim.status(peer).tip;
        sim.call(node, Command::Close).expect("everything is written");
        if lost {
            sim.disk(node).lose(Column::HeaderPages, |_| true);
        } else {
            sim.disk(node).damage(Column::HeaderPages, |_, page| page[20_000] ^= 1);
        }
        reopen(&mut sim, node);
        sim.connect(peer, node);
        assert!(sim.run_until(120_000, |sim| sim.status(node).tip == tip), "all is there again");
        assert!((1..400).all(|height| hash_at(&mut sim, node, height).is_some()));

        // And on disk too.
        sim.call(node, Command::Close).expect("everything is written");
        let told = sim.events(node).len();
        reopen(&mut sim, node);
        assert_eq!(sim.status(node).tip, tip);
        assert!(!sim.events(node)[told..].contains(&Event::Warning(Warning::Rebuilding)));
        assert_eq!(sim.disk(node).rows(Column::HeaderPages).count(), 1);
    }
}

#[test]
fn pages_that_no_header_belongs_in_are_thrown_away() {
    let (mut sim, node) = miner(14, 400);
    sim.stop_mining(node);
    let tip = sim.status(node).tip;
    sim.call(node, Command::Close).expect("everything is written");
    let mut strays = Batch::default();
    for key in [&[0xff; 4][..], &[0, 0xff, 0xff, 0xff], &[0, 1, 0, 0], &[0, 0, 0, 1], b"no page"] {
        strays.put(Column::HeaderPages, key, vec![1; 300]);
    }
    sim.disk(node).commit(strays).expect("there is room");
    reopen(&mut sim, node);
    assert_eq!(sim.status(node).tip, tip);
    sim.start_mining(node, address(0));
    sim.run_for(20_000);
    let keys: Vec<_> = sim.disk(node).rows(Column::HeaderPages).map(|(key, _)| key.clone()).collect();
    assert_eq!(keys, [[0, 0, 0, 0]]);
    assert!(sim.disk(node).rows(Column::Headers).count() >= 128, "what is near the tip has rows of its own");
}

#[test]
fn a_store_from_before_there_were_pages_is_taken_over() {
    let (mut sim, node) = miner(12, 400);
    sim.stop_mining(node);
    sim.call(node, Command::Close).expect("everything is written");
    let mut batch = Batch::default();
    let pages: Vec<_> = sim.disk(node).rows(Column::HeaderPages).map(|(_, page)| page.clone()).collect();
    // Schema 2 had a row for each header: its flags and its bytes, under its hash.
    for row in pages.iter().flat_map(|page| page.chunks_exact(1 + HEADER_BYTES + 4)) {
        let header = Header::from_bytes(&row[1..=HEADER_BYTES]).expect("a header of ours");
        batch.put(Column::Headers, *header.hash().as_bytes(), row[..=HEADER_BYTES].to_vec());
    }
    batch.clear(Column::HeaderPages);
    sim.disk(node).commit(batch).expect("there is room");
    assert!(sim.disk(node).rows(Column::Headers).count() >= 400);

    reopen(&mut sim, node);
    assert!(sim.status(node).height.value() >= 400);
    assert!(!sim.events(node).contains(&Event::Warning(Warning::Rebuilding)));
    sim.start_mining(node, address(0));
    sim.run_for(20_000);
    assert_eq!(sim.disk(node).rows(Column::HeaderPages).count(), 1, "and put into pages");
    assert!(sim.disk(node).rows(Column::Headers).count() < 300);
    reopen(&mut sim, node);
    let tip = height(&mut sim, node);
    assert!((1..=tip).all(|height| hash_at(&mut sim, node, height).is_some()), "every block is there");
}

#[test]
fn a_node_that_has_caught_up_has_little_to_connect_again() {
    let (mut sim, node) = miner(13, 100);
    sim.stop_mining(node);
    let late = sim.add_node();
    sim.connect(late, node);
    assert!(sim.run_until(120_000, |sim| agree(sim, &[node, late])));
    sim.run_for(1_000);
    let checkpoint = sim.disk(late).load(&Query::get(Column::Meta, *b"checkpoint")).into_value();
    let checkpoint = checkpoint.expect("it was written when the node had caught up");
    let near = (height(&mut sim, late) - 3..).map_while(|height| hash_at(&mut sim, late, height));
    assert!(near.collect::<Vec<_>>().iter().any(|hash| hash.as_bytes()[..] == checkpoint));
}

#[test]
fn of_what_was_caught_up_with_few_steps_back_are_written_and_then_all_up_to_the_limit() {
    let keep_undo = 40;
    let mut sim = world_with(15, Limits { keep_undo, join: Join::Full, ..Limits::default() });
    let nodes = sim.add_nodes(2);
    let (node, late) = (nodes[0], nodes[1]);
    sim.start_mining(node, address(3));
    assert!(sim.run_until(3_600_000, |sim| height(sim, node) >= 120));
    sim.stop_mining(node);
    assert!((35..=41).contains(&sim.disk(node).rows(Column::Undo).count()));
    sim.connect(late, node);
    assert!(sim.run_until(120_000, |sim| agree(sim, &nodes)));
    sim.run_for(1_000);
    let begun = sim.disk(late).rows(Column::Undo).count();
    assert!((1..=10).contains(&begun), "{begun} steps back");
    let joined = height(&mut sim, late);
    sim.start_mining(node, address(3));
    assert!(sim.run_until(3_600_000, |sim| height(sim, late) >= joined + 60));
    sim.stop_mining(node);
    sim.run_for(1_000);
    assert!((35..=41).contains(&sim.disk(late).rows(Column::Undo).count()));

    // Deeper than what it caught up with has steps back: the state is rebuilt.
    let third = sim.add_node();
    sim.connect(third, late);
    assert!(sim.run_until(120_000, |sim| agree(sim, &[third, late])));
    sim.run_for(1_000);
    let strong = sim.add_node();
    sim.start_mining(strong, address(4));
    let goal = height(&mut sim, third) + 20;
    assert!(sim.run_until(3_600_000, |sim| height(sim, strong) >= goal));
    sim.stop_mining(strong);
    sim.connect(third, strong);
    assert!(sim.run_until(300_000, |sim| agree(sim, &[third, strong])));
    assert_eq!(account(&mut sim, third, 3).balance.units(), 1_000 * Amount::ONE_TAB.units());
}
