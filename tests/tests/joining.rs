//! Newcomers who join in the middle, are of use at once, and check the past afterwards; and those who forget it.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

use tabchain_chain::{Chain, Prefix, Snapshot, testing};
use tabchain_consensus::ChainSpec;
use tabchain_node::{
    Command, Event, Join, Limits, Message, Reason, Reply, SyncState, TransactionStatus, Warning,
};
use tabchain_primitives::{Amount, Block, Encode, Header, HeaderFields, Height, TxId};
use tabchain_records::{Batch, Column};
use tabchain_sim::{Place, Sim};
use tabchain_sync::{Keeps, LinkMessage, Response};
use tabchain_tests::{account, address, agree, grow, hash_at, height, payment, world_with};

/// Blocks between two snapshots.
const SPAN: u32 = 16;

fn limits() -> Limits {
    Limits { snapshot_blocks: SPAN, checkpoint_blocks: 8, ..Limits::default() }
}

/// Some nodes that agree on a chain of at least so many blocks, with payments in its first ones. Nobody mines any more.
fn archives(seed: u64, count: usize, blocks: u32) -> (Sim, Vec<Place>, Vec<TxId>) {
    let mut sim = world_with(seed, limits());
    let nodes = sim.add_nodes(count);
    for pair in nodes.windows(2) {
        sim.connect(pair[0], pair[1]);
    }
    sim.start_mining(nodes[0], address(0));
    let mut paid = Vec::new();
    for nonce in 0..5 {
        let payment = payment(1, nonce, 2, 1_000_000);
        paid.push(payment.id());
        sim.call(nodes[0], Command::SendTransaction(payment)).expect("a good payment");
        sim.run_for(3_000);
    }
    assert!(sim.run_until(3_600_000, |sim| height(sim, nodes[0]) >= blocks));
    sim.stop_mining(nodes[0]);
    assert!(sim.run_until(60_000, |sim| agree(sim, &nodes)));
    (sim, nodes, paid)
}

/// A newcomer that is connected to all of them.
fn newcomer(sim: &mut Sim, nodes: &[Place], limits: Limits) -> Place {
    let late = sim.add_node();
    sim.kill(late);
    sim.set_limits(late, limits);
    sim.open(late);
    for &node in nodes {
        sim.connect(late, node);
    }
    late
}

/// The heights that the node joined at, as its events tell.
fn joined_at(sim: &Sim, place: Place) -> Option<u32> {
    sim.events(place).iter().find_map(|event| match event {
        Event::Sync { progress, .. } => progress.past.map(|past| past.joined_at.value()),
        _ => None,
    })
}

fn is_complete(sim: &mut Sim, place: Place) -> bool {
    let status = sim.status(place);
    status.sync == SyncState::Synced && status.progress.past.is_none()
}

fn confirmed(sim: &mut Sim, place: Place, id: TxId) -> bool {
    match sim.call(place, Command::Transaction(id)) {
        Ok(Reply::Transaction(view)) => {
            view.is_some_and(|view| matches!(view.status, TransactionStatus::Confirmed { .. }))
        }
        other => panic!("a transaction or none, not {other:?}"),
    }
}

/// Every block and every payment is there, as in whoever has it all.
fn has_everything(sim: &mut Sim, place: Place, paid: &[TxId]) {
    let tip = height(sim, place);
    assert!((0..=tip).all(|height| hash_at(sim, place, height).is_some()), "every block is there");
    assert!(paid.iter().all(|id| confirmed(sim, place, *id)), "the explorer finds old payments");
    assert_eq!(account(sim, place, 2).balance.units(), 1_005_000_000);
}

#[test]
fn a_newcomer_is_of_use_long_before_it_has_every_block() {
    let (mut sim, nodes, paid) = archives(1, 3, 120);
    // For a while nobody says that it has old bodies.
    let old = Height::new(height(&mut sim, nodes[0]) - 2 * SPAN);
    let silent = Rc::new(Cell::new(true));
    for &node in &nodes {
        let silent = Rc::clone(&silent);
        sim.corrupt(
            node,
            Box::new(move |_, mut message| {
                if let Message::Link(LinkMessage::Hello(hello)) = &mut message
                    && silent.get()
                {
                    hello.keeps = Keeps { until: Height::GENESIS, from: old };
                }
                Some(message)
            }),
        );
    }
    let late = newcomer(&mut sim, &nodes, limits());
    assert!(sim.run_until(30_000, |sim| sim.status(late).sync == SyncState::Synced), "it is of use");
    let status = sim.status(late);
    let past = status.progress.past.expect("the past is not checked");
    let tip = status.height.value();
    assert_eq!(past.joined_at.value() % SPAN, 0);
    assert!(
        (SPAN..2 * SPAN).contains(&(tip - past.joined_at.value())),
        "deep enough, and no deeper than need be"
    );
    assert_eq!(account(&mut sim, late, 2).balance.units(), 1_005_000_000);
    assert_eq!(hash_at(&mut sim, late, 1), None, "old blocks are not there yet");
    assert_eq!(status.keeps_from.value(), past.joined_at.value() + 1);

    // It can pay and mine meanwhile.
    sim.call(late, Command::SendTransaction(payment(3, 0, 4, 5))).expect("a good payment");
    sim.start_mining(late, address(9));
    assert!(sim.run_until(60_000, |sim| height(sim, nodes[2]) > tip + 3), "others take its blocks");
    sim.stop_mining(late);

    // Then it meets them again, and they do.
    silent.set(false);
    sim.cut_off(&[late]);
    sim.heal();
    for &node in &nodes {
        sim.connect(late, node);
    }
    assert!(sim.run_until(300_000, |sim| is_complete(sim, late)));
    assert!(sim.run_until(30_000, |sim| agree(sim, &[late, nodes[0], nodes[1], nodes[2]])));
    has_everything(&mut sim, late, &paid);
    assert_eq!(sim.status(late).keeps_from, Height::GENESIS);
    assert!(sim.dismissed(late).is_empty(), "nobody was at fault");

    // And it stays so.
    sim.kill(late);
    sim.open(late);
    sim.run_for(5_000);
    has_everything(&mut sim, late, &paid);
    assert_eq!(sim.status(late).progress.past, None);
}

#[test]
fn every_peer_gives_a_share_and_the_whole_chain_is_checked_here() {
    let (mut sim, nodes, paid) = archives(2, 4, 100);
    let late = newcomer(&mut sim, &nodes, limits());
    assert!(sim.run_until(300_000, |sim| is_complete(sim, late)));
    assert!(joined_at(&sim, late).is_some());
    assert!(nodes.iter().all(|&node| sim.bytes_sent(node, late) > 4_000), "all of them gave some");
    has_everything(&mut sim, late, &paid);

    // What it has it gives, the very snapshot it joined by too.
    for &node in &nodes {
        sim.kill(node);
    }
    let later = newcomer(&mut sim, &[late], limits());
    assert!(sim.run_until(300_000, |sim| is_complete(sim, later)));
    assert!(joined_at(&sim, later).is_some());
    has_everything(&mut sim, later, &paid);
}

#[test]
fn what_lies_above_a_snapshot_comes_while_it_is_fetched_and_not_again_afterwards() {
    let (mut sim, nodes, paid) = archives(11, 2, 100);
    let silent = Rc::new(Cell::new(true));
    let given = Rc::new(RefCell::new(Vec::new()));
    for &node in &nodes {
        let (silent, given) = (Rc::clone(&silent), Rc::clone(&given));
        sim.corrupt(
            node,
            Box::new(move |_, message| {
                if let Message::Response(_, Response::Bodies(bodies)) = &message {
                    given.borrow_mut().extend(bodies.iter().map(|body| body.hash));
                }
                let chunks = matches!(message, Message::Response(_, Response::StateChunks(_)));
                (!chunks || !silent.get()).then_some(message)
            }),
        );
    }
    let late = newcomer(&mut sim, &nodes, limits());
    sim.run_for(3_000);
    assert_eq!(sim.status(late).sync, SyncState::Snapshot, "nobody gives the balances");
    let tip = height(&mut sim, nodes[0]);
    let snapshot = sim.status(late).progress.snapshot.expect("it has chosen").height.value();
    let above: BTreeSet<_> =
        (snapshot + 1..=tip).filter_map(|height| hash_at(&mut sim, nodes[0], height)).collect();
    assert_eq!(given.borrow().iter().copied().collect::<BTreeSet<_>>(), above);
    let before = given.borrow().len();
    silent.set(false);
    assert!(sim.run_until(60_000, |sim| sim.status(late).sync == SyncState::Synced));
    assert_eq!(height(&mut sim, late), tip);
    assert_eq!(joined_at(&sim, late), Some(snapshot));
    let again = given.borrow()[before..].iter().filter(|hash| above.contains(*hash)).count();
    assert_eq!(again, 0, "all of it was here");
    assert!(sim.run_until(300_000, |sim| is_complete(sim, late)));
    has_everything(&mut sim, late, &paid);
}

#[test]
fn bad_chunks_cost_their_sender_and_nobody_else() {
    let (mut sim, nodes, paid) = archives(3, 4, 100);
    // One gives chunks that are no part of the state, one never answers for them, one vanishes when asked.
    let lies = Rc::new(Cell::new(0));
    let told = Rc::clone(&lies);
    sim.corrupt(
        nodes[0],
        Box::new(move |_, mut message| {
            if let Message::Response(_, Response::StateChunks(chunks)) = &mut message {
                for chunk in chunks {
                    told.set(told.get() + 1);
                    *chunk.bytes.last_mut().expect("a chunk is never empty") ^= 1;
                }
            }
            Some(message)
        }),
    );
    sim.corrupt(
        nodes[1],
        Box::new(|_, message| {
            (!matches!(message, Message::Response(_, Response::StateChunks(_)))).then_some(message)
        }),
    );
    let late = newcomer(&mut sim, &nodes, limits());
    assert!(sim.run_until(10_000, |sim| sim.status(late).sync == SyncState::Snapshot || lies.get() > 0));
    sim.kill(nodes[2]);
    assert!(
        sim.run_until(60_000, |sim| sim.status(late).sync == SyncState::Synced),
        "the honest one is enough"
    );
    assert!(lies.get() > 0, "it was asked, and lied");
    let away = sim.dismissed(late).to_vec();
    assert!(away.contains(&(sim.id(nodes[0]), Reason::Misbehaviour)));
    assert!(
        !away.iter().any(|(id, _)| *id == sim.id(nodes[3]) || *id == sim.id(nodes[1])),
        "only the liar went"
    );
    assert!(sim.run_until(300_000, |sim| is_complete(sim, late)));
    has_everything(&mut sim, late, &paid);
}

#[test]
fn who_wants_every_block_first_gets_no_snapshot() {
    let (mut sim, nodes, paid) = archives(4, 2, 80);
    let late = newcomer(&mut sim, &nodes, Limits { join: Join::Full, ..limits() });
    assert!(sim.run_until(300_000, |sim| is_complete(sim, late)));
    assert_eq!(joined_at(&sim, late), None);
    has_everything(&mut sim, late, &paid);
}

#[test]
fn where_nobody_has_a_snapshot_every_block_is_fetched() {
    let (mut sim, nodes, paid) = archives(5, 2, 80);
    for &node in &nodes {
        sim.corrupt(
            node,
            Box::new(|_, mut message| {
                if let Message::Response(_, Response::Snapshots(blocks)) = &mut message {
                    blocks.clear();
                }
                Some(message)
            }),
        );
    }
    let late = newcomer(&mut sim, &nodes, limits());
    assert!(sim.run_until(300_000, |sim| is_complete(sim, late)));
    assert_eq!(joined_at(&sim, late), None);
    has_everything(&mut sim, late, &paid);
}

#[test]
fn a_node_that_was_away_goes_on_from_where_it_stood() {
    let (mut sim, nodes, paid) = archives(6, 2, 60);
    let sleeper = nodes[1];
    let before = height(&mut sim, sleeper);
    sim.call(sleeper, Command::Close).expect("everything is written");
    sim.kill(sleeper);
    grow(&mut sim, nodes[0], &[nodes[0]], before + 4 * SPAN);

    sim.open(sleeper);
    sim.connect(sleeper, nodes[0]);
    assert!(sim.run_until(300_000, |sim| is_complete(sim, sleeper)));
    let told = sim.events(sleeper).iter().filter_map(|event| match event {
        Event::Sync { progress, .. } => progress.past,
        _ => None,
    });
    let least = told.map(|past| past.checked.value()).min().expect("it joined in the middle");
    assert!(least + 3 >= before, "what it had checked before is not checked again: {least}");
    assert!(agree(&mut sim, &nodes));
    has_everything(&mut sim, sleeper, &paid);
}

#[test]
fn whenever_it_dies_on_the_way_it_opens_at_a_valid_state_and_goes_on() {
    let (mut sim, nodes, paid) = archives(7, 3, 150);
    let late = newcomer(&mut sim, &nodes, limits());
    let mut lives = 0;
    while !is_complete(&mut sim, late) {
        lives += 1;
        assert!(lives < 400, "it gets on from life to life");
        // Moments that fall before, into and after the writes of a join and of what follows it.
        sim.run_for(23 * (lives % 37));
        if is_complete(&mut sim, late) {
            break;
        }
        sim.kill(late);
        sim.open(late);
        for &node in &nodes {
            sim.connect(late, node);
        }
        sim.run_for(150 + 40 * (lives % 9));
        let status = sim.status(late);
        if status.height > Height::GENESIS && status.sync != SyncState::Starting {
            assert_eq!(account(&mut sim, late, 2).balance.units() % 1_000_000, 0, "a state that was once");
        }
    }
    assert!(lives > 3, "it died on the way");
    let rebuilt = Event::Warning(Warning::Rebuilding);
    assert!(!sim.events(late).contains(&rebuilt), "what it had written was whole each time");
    assert!(agree(&mut sim, &[late, nodes[0]]));
    has_everything(&mut sim, late, &paid);
}

#[test]
fn a_chain_that_hides_theft_deep_in_its_past_is_found_out_and_left() {
    let (mut sim, nodes, paid) = archives(8, 1, 70);
    let honest = nodes[0];
    // Most of the work is the thieves': their second block gave all there is to one of them, and every header since
    // commits to that. Their node was made to believe it.
    let thief = sim.add_node();
    sim.call(thief, Command::Close).expect("it is empty");
    sim.kill(thief);
    sim.disk(thief).commit(theft(110)).expect("there is room");
    sim.corrupt(thief, Box::new(|_, message| Some(message)));
    sim.open(thief);
    assert!(sim.run_until(10_000, |sim| height(sim, thief) == 110), "they live by it");
    assert_eq!(account(&mut sim, thief, 66).balance.units(), 8_000_000_000);

    let late = newcomer(&mut sim, &[thief], limits());
    assert!(
        sim.run_until(20_000, |sim| joined_at(sim, late).is_some()),
        "nothing else is known, so it joins"
    );
    sim.connect(late, honest);
    let found = Event::Warning(Warning::FalsePast { height: Height::new(2) });
    assert!(sim.run_until(60_000, |sim| sim.events(late).contains(&found)), "and finds out");
    assert!(sim.run_until(300_000, |sim| agree(sim, &[late, honest]) && is_complete(sim, late)));
    has_everything(&mut sim, late, &paid);
    assert_eq!(account(&mut sim, late, 66).balance.units(), 0);

    // Nor is it led there again.
    sim.kill(late);
    sim.open(late);
    sim.connect(late, thief);
    sim.connect(late, honest);
    sim.run_for(60_000);
    assert!(agree(&mut sim, &[late, honest]));
    assert_eq!(sim.events(late).iter().filter(|event| **event == found).count(), 1);
}

/// What a node has on disk that believes in a chain of so many blocks whose second one gave everything to key 66.
fn theft(blocks: u32) -> Batch {
    let spec = testing::spec();
    let allocations = vec![(address(66), testing::units(8_000_000_000))];
    let stolen = ChainSpec::new(tabchain_consensus::Parameters { allocations, ..testing::parameters() });
    let stolen = Chain::new(Arc::new(stolen.expect("a good spec")));
    let mut chain = Chain::new(spec.clone());
    let mut all = vec![testing::extend(&mut chain, address(60), &[]).0];
    let claim = testing::mine(&chain, address(60), &[]).header.fields();
    let header = Header::new(HeaderFields { state_root: stolen.state_root(), ..claim });
    let second = Block { header: testing::solve(header), transactions: Vec::new() };
    chain.insert_header(second.header, second.header.time()).expect("it has its work");
    let mut snapshot = Snapshot::of(second.header);
    for byte in 0..=u8::MAX {
        snapshot.take(byte, &stolen.state_chunk(Prefix::byte(byte))).expect("the root is theirs");
    }
    chain.adopt(snapshot).expect("the supply is right");

    let mut batch = Batch::default();
    for (byte, chunk) in chain.take_dirty_chunks() {
        batch.put(Column::State, [byte], chunk);
    }
    let checkpoint = second.hash();
    all.push(second);
    while all.len() < blocks as usize {
        all.push(testing::extend(&mut chain, address(60), &[]).0);
    }
    for block in &all {
        let row = [&[1][..], &block.header.to_bytes()].concat();
        batch.put(Column::Headers, *block.hash().as_bytes(), row);
        batch.put(Column::Bodies, *block.hash().as_bytes(), vec![0]);
    }
    batch.put(Column::Meta, b"chain", spec.genesis_hash().to_bytes());
    batch.put(Column::Meta, b"past", spec.genesis_hash().to_bytes());
    batch.put(Column::Meta, b"checkpoint", checkpoint.to_bytes());
    batch.put(Column::Meta, b"tip", chain.tip().hash.to_bytes());
    batch
}

#[test]
fn a_pruned_node_says_what_it_keeps_and_is_not_asked_for_more() {
    let (mut sim, nodes, paid) = archives(9, 1, 100);
    let archive = nodes[0];
    let keep = 24;
    let pruned = newcomer(&mut sim, &nodes, Limits { keep_bodies: Some(keep), join: Join::Full, ..limits() });
    assert!(sim.run_until(120_000, |sim| agree(sim, &[archive, pruned])));
    sim.run_for(10_000);
    let (tip, from) = (height(&mut sim, pruned), sim.status(pruned).keeps_from.value());
    assert!((keep..=keep + keep / 8 + 2).contains(&(tip - from + 1)), "{from} of {tip}");
    assert_eq!(sim.disk(pruned).rows(Column::Bodies).count(), (tip - from + 1) as usize);
    assert_eq!(hash_at(&mut sim, pruned, from - 1), None);
    assert!(hash_at(&mut sim, pruned, from).is_some());
    assert!(!confirmed(&mut sim, pruned, paid[0]), "the look-ups went with the bodies");
    assert_eq!(account(&mut sim, pruned, 2).balance.units(), 1_005_000_000, "the state did not");

    // A newcomer gets what is recent from both, and what is old from the one that has it.
    let asked = Rc::new(Cell::new(0));
    let count = Rc::clone(&asked);
    sim.corrupt(
        pruned,
        Box::new(move |_, message| {
            if let Message::Response(_, Response::Bodies(bodies)) = &message
                && bodies.is_empty()
            {
                count.set(count.get() + 1);
            }
            Some(message)
        }),
    );
    let late = newcomer(&mut sim, &[archive, pruned], Limits { join: Join::Full, ..limits() });
    assert!(sim.run_until(300_000, |sim| is_complete(sim, late)));
    has_everything(&mut sim, late, &paid);
    assert_eq!(asked.get(), 0, "nobody asked it for what it does not have");

    // It goes on, and comes back as it was.
    sim.start_mining(archive, address(0));
    assert!(sim.run_until(600_000, |sim| height(sim, pruned) >= tip + 20));
    sim.stop_mining(archive);
    sim.run_for(10_000);
    let from = sim.status(pruned).keeps_from;
    sim.kill(pruned);
    sim.open(pruned);
    sim.run_for(5_000);
    assert_eq!(sim.status(pruned).keeps_from, from);
    assert_eq!(account(&mut sim, pruned, 2).balance.units(), 1_005_000_000);
}

#[test]
fn a_pruned_newcomer_checks_the_past_and_keeps_none_of_it() {
    let (mut sim, nodes, _) = archives(10, 2, 120);
    let late = newcomer(&mut sim, &nodes, Limits { keep_bodies: Some(20), ..limits() });
    assert!(sim.run_until(300_000, |sim| is_complete(sim, late)));
    assert!(joined_at(&sim, late).is_some());
    let tip = height(&mut sim, late);
    sim.start_mining(nodes[0], address(0));
    assert!(sim.run_until(600_000, |sim| height(sim, late) >= tip + 20));
    sim.stop_mining(nodes[0]);
    sim.run_for(10_000);
    let status = sim.status(late);
    assert!(status.keeps_from.value() + 24 >= status.height.value() && status.keeps_from > Height::GENESIS);
    assert!(sim.disk(late).rows(Column::Bodies).count() <= 24);
    assert!(agree(&mut sim, &[late, nodes[0]]));
}

#[test]
fn old_steps_back_are_forgotten_and_a_deep_reorganisation_rebuilds_from_blocks() {
    let keep_undo = 20;
    let mut sim = world_with(11, Limits { keep_undo, ..limits() });
    let nodes = sim.add_nodes(2);
    let (weak, strong) = (nodes[0], nodes[1]);
    sim.start_mining(weak, address(3));
    assert!(sim.run_until(600_000, |sim| height(sim, weak) >= 60));
    sim.stop_mining(weak);
    assert!(sim.disk(weak).rows(Column::Undo).count() <= keep_undo as usize + 1);
    sim.start_mining(strong, address(4));
    assert!(sim.run_until(900_000, |sim| height(sim, strong) >= 80));
    sim.stop_mining(strong);
    sim.connect(weak, strong);
    assert!(sim.run_until(300_000, |sim| agree(sim, &nodes)));
    assert_eq!(account(&mut sim, weak, 3).balance.units(), Amount::ONE_TAB.units() * 1_000);
    assert!(is_complete(&mut sim, weak) || sim.run_until(300_000, |sim| is_complete(sim, weak)));
}
