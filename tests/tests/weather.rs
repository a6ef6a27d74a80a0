//! What the network does to nodes: people come and go, links are long and lossy, NATs stand between, power fails, clocks are off,
//! continents part. Nobody means ill here, so nobody may be sent away; the world itself insists on that.

use tabchain_chain::testing::{parameters, spec};
use tabchain_consensus::{ChainSpec, Parameters};
use tabchain_node::{Event, Warning};
use tabchain_sim::{Access, Churn, Latency, Link, Nat, Place, Sim, Span, World};
use tabchain_tests::{account, address, agree, height, pay, world, world_of_minutes};

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;

#[test]
fn half_the_tabs_leave_every_minute_and_the_rest_agree_within_three_intervals() {
    let mut sim = world_of_minutes(301);
    let nodes = sim.add_nodes(40);
    sim.gather(&nodes);
    let (stay, restless) = nodes.split_at(8);
    sim.run_for(MINUTE);
    for (number, &miner) in (0..).zip(&stay[..2]) {
        sim.make_miner(miner, address(number));
    }
    sim.churn(restless, Churn::a_minute(0.5));
    for nonce in 0..10 {
        pay(&mut sim, stay[3], 2, nonce);
        sim.run_for(2 * MINUTE);
        let high = height(&mut sim, stay[0]);
        assert!(stay.iter().all(|&node| height(&mut sim, node) + 2 >= high), "round {nonce}");
    }
    let paid = |sim: &mut Sim| account(sim, stay[7], 2).nonce.value() == 10;
    assert!(sim.run_until(30 * MINUTE, paid), "every payment arrived");
    sim.end_churn(restless);
    sim.stop_mining(stay[0]);
    sim.stop_mining(stay[1]);
    assert!(sim.run_until(3 * MINUTE, |sim| agree(sim, &nodes)), "within three intervals");
}

#[test]
fn most_tabs_stay_for_minutes_and_a_few_for_hours() {
    let mut sim = world_of_minutes(302);
    let nodes = sim.add_nodes(30);
    sim.gather(&nodes);
    for (number, &miner) in (0..4).zip(&nodes) {
        sim.make_miner(miner, address(number));
    }
    let churn = Churn {
        stay: Span::Weibull { scale_ms: 10 * MINUTE, shape: 0.5 },
        away: Span::LogNormal { median_ms: 10 * MINUTE, sigma: 1.5 },
        power_cuts: 0.0,
    };
    sim.churn(&nodes[1..], churn);
    sim.run_for(3 * HOUR);
    sim.end_churn(&nodes[1..]);
    for &miner in &nodes[..4] {
        sim.stop_mining(miner);
    }
    assert!(sim.run_until(2 * MINUTE, |sim| agree(sim, &nodes)));
    assert!(height(&mut sim, nodes[29]) > 100, "miners came and went, and the chain grew");
}

#[test]
fn power_fails_again_and_again_and_every_disk_is_a_shorter_history() {
    let mut sim = world(303);
    let nodes = sim.add_nodes(10);
    sim.gather(&nodes);
    sim.run_for(5_000);
    sim.make_miner(nodes[0], address(0));
    sim.make_miner(nodes[1], address(1));
    let span = Span::Always(20_000);
    sim.churn(&nodes[1..], Churn { stay: span, away: Span::Always(2_000), power_cuts: 1.0 });
    sim.run_for(3 * MINUTE);
    sim.end_churn(&nodes[1..]);
    // Two that stop at once may leave two tips of the same work, each kept by who saw it first: one goes on and breaks the tie.
    sim.stop_mining(nodes[1]);
    sim.run_for(20_000);
    sim.stop_mining(nodes[0]);
    assert!(sim.run_until(MINUTE, |sim| agree(sim, &nodes)));
    assert!(height(&mut sim, nodes[9]) > 100);
}

#[test]
fn two_parts_go_apart_for_hours_and_are_one_again_within_two_minutes_and_for_good() {
    let mut sim = world_of_minutes(304);
    let nodes = sim.add_nodes(40);
    sim.gather(&nodes);
    sim.run_for(MINUTE);
    // Each part has more nodes than one of them wants connections: nobody has to dial across afterwards.
    let (west, east) = nodes.split_at(16);
    sim.start_mining(west[0], address(0));
    sim.start_mining(east[0], address(1));
    sim.run_for(30 * MINUTE);
    sim.cut_off(west);
    sim.run_for(3 * HOUR);
    let parted = (sim.status(west[5]).tip, sim.status(east[5]).tip);
    assert_ne!(parted.0, parted.1);
    sim.heal();
    assert!(sim.run_until(2 * MINUTE, |sim| agree(sim, &nodes)), "one tip within two minutes");
    let deepest = sim.chronicle().reorgs().iter().map(|(_, _, depth)| *depth).max();
    assert!(deepest > Some(50), "one half took back hours: {deepest:?}");
    sim.run_for(30 * MINUTE);
    let across =
        west.iter().flat_map(|&node| sim.neighbours(node)).filter(|node| east.contains(node)).count();
    assert!(across >= west.len() / 2, "they have grown together: {across} connections across");
}

/// A world whose places lie on a map, with loss and jitter.
fn wide_world(seed: u64, loss: f64) -> Sim {
    let minutes = Parameters { interval_ms: MINUTE, half_life_ms: 30 * MINUTE, ..parameters() };
    let mut world = World::new(ChainSpec::new(minutes).expect("a good spec").into(), seed);
    world.link = Link { latency: Latency::Map { last_mile_ms: 15, across_ms: 180 }, jitter_ms: 10.0, loss };
    world.access = Access { up: 250_000, down: 1_250_000, nat: Nat::Open };
    Sim::new(world)
}

#[test]
fn on_bad_lines_across_the_globe_nobody_is_blamed_for_them() {
    let mut sim = wide_world(305, 0.05);
    let nodes = sim.add_nodes(24);
    sim.gather(&nodes);
    sim.run_for(MINUTE);
    sim.start_mining(nodes[0], address(0));
    sim.start_mining(nodes[1], address(1));
    for nonce in 0..20 {
        pay(&mut sim, nodes[5], 2, nonce);
        sim.run_for(MINUTE);
    }
    let paid = |sim: &mut Sim| account(sim, nodes[23], 2).nonce.value() == 20;
    assert!(sim.run_until(30 * MINUTE, paid), "every payment arrived");
    sim.stop_mining(nodes[0]);
    sim.stop_mining(nodes[1]);
    assert!(sim.run_until(3 * MINUTE, |sim| agree(sim, &nodes)));
}

#[test]
fn nats_of_all_kinds_leave_one_network() {
    let mut sim = wide_world(306, 0.0);
    let kinds = [Nat::Cone, Nat::PortRestricted, Nat::PortRestricted, Nat::Symmetric, Nat::Open];
    let nodes = sim.add_nodes(30);
    for (number, &node) in nodes.iter().enumerate() {
        let nat = kinds[number % kinds.len()];
        sim.set_access(node, Access { nat, ..sim.access(node) });
    }
    sim.gather(&nodes);
    sim.run_for(5 * MINUTE);
    sim.start_mining(nodes[3], address(0));
    sim.run_for(20 * MINUTE);
    sim.stop_mining(nodes[3]);
    assert!(sim.run_until(2 * MINUTE, |sim| agree(sim, &nodes)));
    let (dials, failed) = sim.chronicle().dials();
    assert!(failed > 0 && failed < dials, "{failed} of {dials} dials came to nothing");
    let symmetric = |place: &Place| sim.access(*place).nat == Nat::Symmetric;
    let pairs = nodes.iter().filter(|place| symmetric(place)).flat_map(|&place| sim.neighbours(place));
    assert!(pairs.filter(symmetric).count() == 0, "two symmetric ones never meet");
}

#[test]
fn every_relay_is_dead_and_tabs_mine_pay_and_let_newcomers_in() {
    let mut sim = world(307);
    let nodes = sim.add_nodes(12);
    let relay = sim.gather(&nodes);
    sim.run_for(MINUTE);
    sim.close_rendezvous(relay);
    sim.start_mining(nodes[0], address(0));
    pay(&mut sim, nodes[4], 2, 0);
    sim.run_for(MINUTE);
    // Somebody is invited by one of them, and finds the others through it.
    let newcomer = sim.add_node();
    sim.connect(newcomer, nodes[6]);
    assert!(sim.run_until(2 * MINUTE, |sim| sim.neighbours(newcomer).len() >= 4));
    sim.stop_mining(nodes[0]);
    assert!(sim.run_until(MINUTE, |sim| agree(sim, &[&nodes[..], &[newcomer]].concat())));
    assert_eq!(account(&mut sim, newcomer, 2).nonce.value(), 1);
}

#[test]
fn clocks_that_are_off_by_less_than_the_limit_part_nobody() {
    let mut sim = world_of_minutes(308);
    let nodes = sim.add_nodes(15);
    for (number, &node) in (0_i64..).zip(&nodes) {
        sim.set_clock_ahead(node, (number - 7) * 2_000);
    }
    sim.set_clock_ahead(nodes[14], 50_000);
    sim.introduce(&nodes);
    sim.start_mining(nodes[0], address(0));
    sim.start_mining(nodes[14], address(1));
    sim.run_for(HOUR);
    sim.stop_mining(nodes[0]);
    sim.stop_mining(nodes[14]);
    // A block of the fastest clock waits until the slowest has come as far.
    assert!(sim.run_until(2 * MINUTE, |sim| agree(sim, &nodes)));
    let warned = |event: &Event| matches!(event, Event::Warning(Warning::Clock { .. }));
    assert!(sim.events(nodes[14]).iter().any(warned), "who is nearly a minute ahead is told");
    assert!(!sim.events(nodes[7]).iter().any(warned), "who is right is not");
}

#[test]
fn a_hundred_nodes_tell_the_same_story_for_the_same_seed() {
    let story = |seed| {
        let mut sim = wide_world(seed, 0.01);
        let nodes = sim.add_nodes(100);
        sim.gather(&nodes);
        sim.make_miner(nodes[0], address(0));
        sim.churn(&nodes[50..], Churn::a_minute(0.5));
        sim.run_for(3 * MINUTE);
        (sim.trace().hash(), sim.trace().outputs())
    };
    let first = story(309);
    assert!(first.1 > 10_000, "something happens: {}", first.1);
    assert_eq!(first, story(309));
    assert_ne!(first, story(310));
}

#[test]
fn a_full_block_reaches_a_hundred_nodes_within_a_second_and_costs_little_more_than_its_names() {
    let mut world = World::new(spec(), 311);
    world.link = Link { latency: Latency::Same(100), ..Link::default() };
    let mut sim = Sim::new(world);
    let nodes = sim.add_nodes(100);
    sim.gather(&nodes);
    sim.run_for(30_000);
    for number in 0..160 {
        pay(&mut sim, nodes[number % 100], number as u64 % 8, number as u64 / 8);
    }
    sim.run_for(10_000);
    let before: Vec<u64> = nodes.iter().map(|&node| sim.chronicle().received_for_blocks(node)).collect();
    sim.start_mining(nodes[0], address(0));
    assert!(sim.run_until(MINUTE, |sim| !sim.chronicle().births().is_empty()));
    sim.stop_mining(nodes[0]);
    sim.run_for(10_000);
    let birth = &sim.chronicle().births()[0];
    assert_eq!((birth.transactions, birth.arrivals.len()), (160, 100));
    let mut late: Vec<u64> = birth.arrivals.iter().map(|(_, at)| at.since(birth.at)).collect();
    late.sort_unstable();
    assert!(late[95] <= 1_000, "95 in a hundred have it after {} ms", late[95]);
    let costs =
        nodes.iter().zip(&before).map(|(&node, before)| sim.chronicle().received_for_blocks(node) - before);
    let size = 160 * 157;
    assert!(costs.sum::<u64>() < size * 100, "names cost less than the block, though every peer tells them");
}
