//! Whatever some peers do, the honest ones agree, and none of them takes another for a liar. That, and that blocks and supply
//! are as the rules say, the world itself insists on at every moment; each story here adds what else must be true.

use tabchain_chain::testing::{Key, spec};
use tabchain_node::{Event, PeerChange, Reason, SyncState, Warning};
use tabchain_records::Column;
use tabchain_sim::adversary::{
    Boaster, CheapHeaders, Flood, Junk, SelfishMiner, Silent, Stalling, Stutter, Sybil, Withholding,
    WrongBodies, forge,
};
use tabchain_sim::{Access, Place, Sim};
use tabchain_sync::transactions::MAX_WANTED_PER_PEER;
use tabchain_tests::{address, agree, height, pay, world, world_of_minutes};

const MINUTE: u64 = 60_000;

/// A world in which `count` nodes stand on one chain of `blocks` blocks; the first of them mines.
fn settled(seed: u64, count: usize, blocks: u32) -> (Sim, Vec<Place>) {
    let mut sim = world(seed);
    let nodes = sim.add_nodes(count);
    sim.introduce(&nodes);
    sim.start_mining(nodes[0], address(0));
    assert!(sim.run_until(10 * MINUTE, |sim| height(sim, nodes[0]) >= blocks));
    (sim, nodes)
}

/// Lets the miner rest and the honest come to one tip.
fn settle(sim: &mut Sim, miner: Place, honest: &[Place], millis: u64) {
    sim.stop_mining(miner);
    assert!(sim.run_until(millis, |sim| agree(sim, honest)), "the honest agree");
}

fn sent_away(sim: &Sim, by: Place, whom: Place) -> bool {
    sim.dismissed(by).contains(&(sim.id(whom), Reason::Misbehaviour))
}

#[test]
fn who_withholds_bodies_is_replaced() {
    let (mut sim, nodes) = settled(201, 2, 60);
    let liars = sim.add_nodes(3);
    sim.introduce(&[&nodes[..], &liars].concat());
    assert!(sim.run_until(MINUTE, |sim| agree(sim, &[&nodes[..1], &liars].concat())));
    for &liar in &liars {
        sim.behave(liar, Withholding);
    }
    let late = sim.add_node();
    for &peer in liars.iter().chain(&nodes[..1]) {
        sim.connect(late, peer);
    }
    settle(&mut sim, nodes[0], &[late, nodes[0], nodes[1]], MINUTE);
}

#[test]
fn who_answers_after_twenty_seconds_slows_nobody_down_for_long() {
    let (mut sim, nodes) = settled(202, 2, 60);
    let liars = sim.add_nodes(3);
    for &liar in &liars {
        sim.behave(liar, Stalling(20_000));
    }
    sim.introduce(&[&nodes[..], &liars].concat());
    sim.run_for(MINUTE);
    let late = sim.add_node();
    for &peer in liars.iter().chain(&nodes[..1]) {
        sim.connect(late, peer);
    }
    settle(&mut sim, nodes[0], &[late, nodes[0]], MINUTE);
}

#[test]
fn claims_of_more_work_than_there_is_stop_no_one() {
    let (mut sim, nodes) = settled(203, 3, 30);
    let boasters = sim.add_nodes(4);
    for &boaster in &boasters {
        sim.behave(boaster, Boaster);
    }
    let late = sim.add_node();
    sim.introduce(&[&nodes[..], &boasters, &[late]].concat());
    sim.run_for(2 * MINUTE);
    settle(&mut sim, nodes[0], &[&nodes[..], &[late]].concat(), MINUTE);
    assert_eq!(sim.status(late).best_height, sim.status(late).height);
}

#[test]
fn forged_easy_headers_from_eight_peers_lead_nobody_astray() {
    let (mut sim, nodes) = settled(204, 2, 300);
    let forged = forge(&spec(), 200, sim.now(), 1);
    let liars = sim.add_nodes(8);
    for &liar in &liars {
        sim.behave(liar, CheapHeaders::new(forged.clone()));
    }
    let late = sim.add_node();
    for &liar in &liars {
        sim.connect(late, liar);
    }
    sim.run_for(5_000);
    sim.connect(late, nodes[0]);
    settle(&mut sim, nodes[0], &[late, nodes[0], nodes[1]], MINUTE);
    let kept = sim.disk(late).rows(Column::Headers).count();
    let honest = height(&mut sim, nodes[0]) as usize;
    assert!(kept <= honest + forged.len(), "eight times the same is kept once at most: {kept}");
}

/// Forged headers from the genesis on that together have more work than the honest chain, and of which no block exists. One
/// liar does not answer when it is asked for bodies, the other says that it has none.
fn show_forged_headers(sim: &mut Sim, nodes: &[Place], count: u32) -> Vec<Place> {
    let forged = forge(&spec(), count, sim.now(), 3);
    let liars = sim.add_nodes(4);
    for (number, &liar) in liars.iter().enumerate() {
        sim.behave(liar, CheapHeaders::new(forged.clone()));
        if number % 2 == 0 {
            sim.behave(liar, Withholding);
        }
        for &node in nodes {
            sim.connect(liar, node);
        }
    }
    liars
}

#[test]
fn forged_headers_that_outweigh_a_young_chain_stop_neither_mining_nor_relay() {
    let (mut sim, nodes) = settled(218, 4, 20);
    show_forged_headers(&mut sim, &nodes, 50);
    sim.run_for(2_000);
    assert!(sim.status(nodes[1]).best_height.value() >= 50, "they are believed at first");
    for _ in 0..8 {
        let before = height(&mut sim, nodes[0]);
        sim.run_for(5_000);
        let now = height(&mut sim, nodes[0]);
        assert!(now > before, "the miner goes on at {before}");
        assert!(
            nodes.iter().all(|&node| height(&mut sim, node) + 3 >= now),
            "and its blocks reach everybody"
        );
    }
    for &node in &nodes {
        let status = sim.status(node);
        assert!(
            status.best_height <= status.height.next().expect("far from the end"),
            "not believed for long"
        );
        assert_eq!(status.sync, SyncState::Synced);
    }
    settle(&mut sim, nodes[0], &nodes, 10_000);
}

#[test]
fn a_newcomer_that_is_shown_forged_headers_first_takes_the_blocks_that_there_are() {
    let (mut sim, nodes) = settled(219, 2, 20);
    let late = sim.add_node();
    let liars = show_forged_headers(&mut sim, &[late], 50);
    sim.run_for(5_000);
    assert!(sim.status(late).best_height.value() >= 50, "it knows nothing better");
    sim.connect(late, nodes[0]);
    sim.stop_mining(nodes[0]);
    assert!(sim.run_until(MINUTE, |sim| agree(sim, &[late, nodes[0], nodes[1]])));
    assert_eq!(sim.status(late).sync, SyncState::Synced);
    let gone = liars.iter().filter(|&&liar| !sim.neighbours(late).contains(&liar)).count();
    assert!(gone > 0, "who claims a chain and gives nothing of it is let go");
    // Alone with such a chain it mines on what it has.
    sim.start_mining(late, address(3));
    let before = height(&mut sim, late);
    sim.run_for(20_000);
    assert!(height(&mut sim, late) > before);
}

#[test]
fn a_branch_whose_bodies_come_late_is_taken_when_they_come() {
    let (mut sim, nodes) = settled(220, 3, 60);
    settle(&mut sim, nodes[0], &nodes, 10_000);
    sim.cut_off(&nodes[2..]);
    let late = sim.add_node();
    for &node in &nodes[..2] {
        sim.behave(node, Withholding);
        sim.connect(late, node);
    }
    sim.run_for(MINUTE);
    assert_eq!(sim.status(late).best_height.value(), 0, "headers alone count for nothing by now");
    sim.heal();
    sim.connect(late, nodes[2]);
    assert!(sim.run_until(MINUTE, |sim| agree(sim, &[late, nodes[2]])));
}

#[test]
fn wrong_bodies_come_first_and_the_honest_ones_are_taken() {
    let (mut sim, nodes) = settled(205, 2, 60);
    let liars = sim.add_nodes(2);
    sim.introduce(&[&nodes[..], &liars].concat());
    assert!(sim.run_until(MINUTE, |sim| agree(sim, &[&nodes[..1], &liars].concat())));
    for &liar in &liars {
        sim.behave(liar, WrongBodies);
    }
    let late = sim.add_node();
    for &liar in &liars {
        sim.connect(late, liar);
    }
    sim.run_for(3_000);
    sim.connect(late, nodes[0]);
    settle(&mut sim, nodes[0], &[late, nodes[0], nodes[1]], MINUTE);
    assert!(liars.iter().all(|&liar| sent_away(&sim, late, liar)));
}

#[test]
fn orphans_without_end_push_no_honest_block_out() {
    let (mut sim, nodes) = settled(206, 4, 10);
    let flooder = sim.add_node();
    sim.behave(flooder, Flood::new(Junk::Orphans(*spec().genesis_header()), 50, 500));
    for &node in &nodes {
        sim.connect(flooder, node);
    }
    sim.run_for(2 * MINUTE);
    let high = height(&mut sim, nodes[0]);
    assert!(nodes.iter().all(|&node| height(&mut sim, node) + 3 >= high), "they follow meanwhile");
    assert!(nodes.iter().all(|&node| sent_away(&sim, node, flooder)), "and listen only so long");
    settle(&mut sim, nodes[0], &nodes, 10_000);
}

#[test]
fn transactions_with_bad_signatures_cost_the_sender_its_place_and_the_rest_go_on() {
    let (mut sim, nodes) = settled(207, 3, 5);
    let flooder = sim.add_node();
    sim.behave(flooder, Flood::new(Junk::BadSignatures(Key::new(2).public()), 4, 1_000));
    let before = sim.chronicle().signatures();
    for &node in &nodes {
        sim.connect(flooder, node);
    }
    sim.run_for(MINUTE);
    assert!(nodes.iter().all(|&node| sent_away(&sim, node, flooder)));
    let checked = sim.chronicle().signatures() - before;
    assert!(checked <= (nodes.len() * MAX_WANTED_PER_PEER) as u64, "{checked} were checked");
    pay(&mut sim, nodes[1], 2, 0);
    assert!(sim.run_until(MINUTE, |sim| tabchain_tests::account(sim, nodes[2], 2).nonce.value() == 1));
}

#[test]
fn ids_of_transactions_that_do_not_exist_do_not_keep_real_ones_away() {
    let (mut sim, nodes) = settled(208, 4, 5);
    let flooder = sim.add_node();
    sim.behave(flooder, Flood::new(Junk::TransactionIds, 4, 1_000));
    for &node in &nodes {
        sim.connect(flooder, node);
    }
    sim.run_for(20_000);
    for nonce in 0..20 {
        pay(&mut sim, nodes[0], 3, nonce);
    }
    let paid = |sim: &mut Sim, node| tabchain_tests::account(sim, node, 3).nonce.value() == 20;
    assert!(sim.run_until(MINUTE, |sim| nodes.iter().all(|&node| paid(sim, node))));
}

#[test]
fn questions_without_end_do_not_keep_a_node_from_following() {
    let (mut sim, nodes) = settled(209, 4, 20);
    let flooder = sim.add_node();
    sim.behave(flooder, Flood::new(Junk::Questions, 20, 1_000));
    for &node in &nodes {
        sim.connect(flooder, node);
    }
    sim.run_for(MINUTE);
    let high = height(&mut sim, nodes[0]);
    assert!(nodes.iter().all(|&node| height(&mut sim, node) + 4 >= high), "they follow meanwhile");
    settle(&mut sim, nodes[0], &nodes, 20_000);
}

#[test]
fn who_reads_slowly_loses_its_connection_and_delays_nobody() {
    let (mut sim, nodes) = settled(210, 4, 400);
    let slow = sim.add_node();
    sim.set_access(slow, Access { down: 500, ..Access::default() });
    // It asks for everything, again and again, and takes half a kilobyte a second.
    sim.behave(slow, Flood::new(Junk::Questions, 4, 1_000));
    for &node in &nodes {
        sim.connect(slow, node);
    }
    sim.run_for(MINUTE);
    let id = sim.id(slow);
    let lost = |event: &Event| matches!(event, Event::Peer(PeerChange::Down, peer) if peer.id == id);
    for &node in &nodes {
        assert!(sim.bytes_sent(node, slow) < 2 * 1024 * 1024, "what waits is bounded");
        assert!(sim.events(node).iter().any(lost), "and {node:?} is rid of it");
    }
    settle(&mut sim, nodes[0], &nodes, 10_000);
}

#[test]
fn addresses_of_nobody_leave_room_for_somebody() {
    let (mut sim, nodes) = settled(211, 6, 5);
    let liars = sim.add_nodes(4);
    for &liar in &liars {
        sim.behave(liar, Flood::new(Junk::Addresses, 1, MINUTE));
    }
    let late = sim.add_node();
    for &liar in &liars {
        sim.connect(late, liar);
    }
    sim.run_for(MINUTE);
    sim.connect(late, nodes[1]);
    let friends = |sim: &Sim| sim.neighbours(late).iter().filter(|&&peer| sim.is_honest(peer)).count();
    assert!(sim.run_until(10 * MINUTE, |sim| friends(sim) >= 4), "it finds the honest through one of them");
    settle(&mut sim, nodes[0], &[&nodes[..], &[late]].concat(), MINUTE);
}

#[test]
fn a_newcomer_among_silent_sybils_only_is_warned_that_its_tip_is_old() {
    let (mut sim, nodes) = settled(212, 3, 20);
    let sybils = sim.add_nodes(10);
    for &sybil in &sybils {
        sim.behave(sybil, Silent { genesis: spec().genesis_hash() });
        sim.behave(sybil, Sybil::new(&sybils));
    }
    let relay = sim.gather(&sybils);
    sim.bribe_rendezvous(relay, &sybils);
    let victim = sim.add_node();
    sim.register(relay, &[victim]);
    sim.stop_mining(nodes[0]);
    sim.run_for(20 * MINUTE);
    assert_eq!(height(&mut sim, victim), 0, "it hears of nothing");
    let warned = |event: &Event| matches!(event, Event::Warning(Warning::StaleTip { .. }));
    assert!(sim.events(victim).iter().any(warned), "and says so");
    // One honest peer is enough.
    sim.connect(victim, nodes[1]);
    sim.start_mining(nodes[0], address(0));
    sim.run_for(10_000);
    settle(&mut sim, nodes[0], &[&nodes[..], &[victim]].concat(), MINUTE);
}

#[test]
fn a_node_that_remembers_honest_peers_is_not_eclipsed_when_it_comes_back() {
    let (mut sim, nodes) = settled(213, 8, 20);
    let victim = nodes[7];
    sim.run_for(30_000);
    sim.kill(victim);
    let sybils = sim.add_nodes(24);
    for &sybil in &sybils {
        sim.behave(sybil, Silent { genesis: spec().genesis_hash() });
        sim.behave(sybil, Sybil::new(&sybils));
    }
    sim.open(victim);
    for &sybil in &sybils {
        sim.connect(sybil, victim);
    }
    sim.run_for(MINUTE);
    let honest = sim.neighbours(victim).iter().filter(|&&peer| sim.is_honest(peer)).count();
    assert!(honest >= 1, "one is enough");
    settle(&mut sim, nodes[0], &nodes, MINUTE);
    assert_eq!(sim.status(victim).sync, SyncState::Synced);
}

#[test]
fn a_selfish_miner_with_a_quarter_of_the_work_gains_little_and_splits_nobody() {
    let mut sim = world_of_minutes(214);
    let nodes = sim.add_nodes(9);
    let (selfish, honest) = nodes.split_first().expect("nine");
    sim.behave(*selfish, SelfishMiner::new(address(7)));
    sim.introduce(&nodes);
    sim.run_for(10_000);
    for (number, &miner) in (0..).zip(&honest[..3]) {
        sim.start_mining(miner, address(number));
    }
    sim.start_mining(*selfish, address(7));
    sim.run_for(4 * 60 * MINUTE);
    for &miner in &honest[..3] {
        sim.stop_mining(miner);
    }
    sim.stop_mining(*selfish);
    assert!(sim.run_until(2 * MINUTE, |sim| agree(sim, honest)));
    let tip = sim.status(honest[0]).tip;
    let (mut own, mut all, mut at) = (0_u32, 0_u32, tip);
    while let Some(birth) = sim.chronicle().birth(&at) {
        own += u32::from(birth.place == *selfish);
        all += 1;
        at = birth.parent;
    }
    let orphans = sim.chronicle().births().len() - all as usize;
    assert!(all > 100 && orphans > 0, "{all} blocks on the chain, {orphans} beside it");
    assert!(own * 100 < all * 40, "{own} of {all} blocks are the selfish miner's");
}

/// Gives every third place one of all the ways to be dishonest, in turn.
fn corrupt_a_third(sim: &mut Sim, nodes: &[Place]) -> Vec<Place> {
    let spec = sim.spec().clone();
    let forged = forge(&spec, 5, sim.now(), 2);
    let mut honest = Vec::new();
    for (number, &node) in nodes.iter().enumerate() {
        match number % 30 {
            1 => sim.behave(node, Withholding),
            4 => sim.behave(node, Stalling(15_000)),
            7 => sim.behave(node, Boaster),
            10 => sim.behave(node, WrongBodies),
            13 => sim.behave(node, CheapHeaders::new(forged.clone())),
            16 => sim.behave(node, Sybil::new(&nodes[1..2])),
            19 => sim.behave(node, Flood::new(Junk::TransactionIds, 1, 5_000)),
            22 => sim.behave(node, Flood::new(Junk::Orphans(*spec.genesis_header()), 2, 5_000)),
            25 => sim.behave(node, Stutter { one_in: 10 }),
            28 => sim.behave(node, Silent { genesis: spec.genesis_hash() }),
            _ => honest.push(node),
        }
    }
    honest
}

#[test]
fn a_third_of_the_network_lies_in_ten_ways_and_the_honest_agree() {
    let mut sim = world_of_minutes(215);
    let nodes = sim.add_nodes(30);
    let honest = corrupt_a_third(&mut sim, &nodes);
    assert_eq!(honest.len(), 20);
    sim.gather(&nodes);
    sim.run_for(MINUTE);
    sim.start_mining(honest[0], address(0));
    sim.start_mining(honest[1], address(1));
    sim.start_mining(nodes[1], address(2));
    for nonce in 0..5 {
        pay(&mut sim, honest[2], 3, nonce);
        sim.run_for(MINUTE);
    }
    let paid = |sim: &mut Sim| tabchain_tests::account(sim, honest[19], 3).nonce.value() == 5;
    assert!(sim.run_until(20 * MINUTE, paid), "every payment arrived");
    sim.stop_mining(nodes[1]);
    sim.stop_mining(honest[1]);
    settle(&mut sim, honest[0], &honest, 3 * MINUTE);
}
