//! Nodes that can talk end at one tip, whatever came between them.

use tabchain_chain::testing::{parameters, spec};
use tabchain_consensus::{ChainSpec, Parameters};
use tabchain_node::{Command, Event, Reply, TransactionStatus};
use tabchain_primitives::Encode;
use tabchain_sim::{Place, Recording, Sim, World};
use tabchain_tests::{account, address, agree, grow, hash_at, height, payment, tips, world};

#[test]
fn eight_nodes_are_parted_and_agree_again() {
    let mut sim = world(7);
    let nodes = sim.add_nodes(8);
    sim.introduce(&nodes);
    sim.start_mining(nodes[0], address(0));
    sim.start_mining(nodes[7], address(1));
    assert!(sim.run_until(120_000, |sim| height(sim, nodes[3]) >= 20 && agree(sim, &nodes)));

    let (west, east) = nodes.split_at(4);
    sim.cut_off(west);
    sim.run_for(60_000);
    assert_ne!(tips(&mut sim, west)[0], tips(&mut sim, east)[0], "each side goes on by itself");

    sim.heal();
    assert!(sim.run_until(120_000, |sim| agree(sim, &nodes)), "one tip within two minutes");
    let low = height(&mut sim, nodes[0]) - 5;
    assert_eq!(hash_at(&mut sim, west[1], low), hash_at(&mut sim, east[2], low));
    assert!(nodes.iter().all(|&node| sim.dismissed(node).is_empty()), "nobody is sent away for it");
}

#[test]
fn a_late_joiner_gets_everything_from_several_peers() {
    let mut sim = world(11);
    let veterans = sim.add_nodes(3);
    sim.introduce(&veterans);
    grow(&mut sim, veterans[0], &veterans, 200);

    let late = sim.add_node();
    for &veteran in &veterans {
        sim.connect(late, veteran);
    }
    assert!(sim.run_until(60_000, |sim| agree(sim, &[late, veterans[0]])));
    let shares: Vec<_> = veterans.iter().map(|&veteran| sim.bytes_sent(veteran, late)).collect();
    assert!(
        shares.iter().filter(|&&bytes| bytes > 1_000).count() >= 2,
        "bodies came from more than one: {shares:?}"
    );
}

#[test]
fn whoever_came_to_a_node_is_made_known_to_those_who_come_later() {
    let mut sim = world(17);
    let nodes = sim.add_nodes(3);
    let [between, first, second] = nodes[..] else { panic!("three were added") };
    sim.connect(first, between);
    sim.run_for(5_000);
    // Only now does the one between learn how others can reach the first: they can through it.
    sim.find(between, first);
    sim.run_for(1_000);
    sim.connect(second, between);
    sim.start_mining(first, address(0));
    assert!(
        sim.run_until(60_000, |sim| sim.bytes_sent(first, second) > 0),
        "the two that shared a third are connected"
    );
}

#[test]
fn the_same_seed_tells_the_same_story() {
    let story = |seed| {
        let mut sim = world(seed);
        let nodes = sim.add_nodes(4);
        sim.introduce(&nodes);
        sim.start_mining(nodes[0], address(0));
        sim.start_mining(nodes[1], address(1));
        sim.run_for(40_000);
        sim.cut_off(&nodes[..2]);
        sim.run_for(20_000);
        sim.heal();
        sim.run_for(40_000);
        (sim.trace().hash(), sim.trace().outputs())
    };
    let first = story(3);
    assert!(first.1 > 1_000, "something happens");
    assert_eq!(first, story(3));
    assert_ne!(first, story(4));
}

#[test]
fn one_introduction_is_enough() {
    let mut sim = world(13);
    let friends = sim.add_nodes(5);
    sim.introduce(&friends);
    sim.run_for(10_000);
    let newcomer = sim.add_node();
    sim.connect(newcomer, friends[0]);
    assert!(
        sim.run_until(60_000, |sim| sim.status(newcomer).peers >= 4),
        "it is told of the others and dials them"
    );

    // And it finds them again by itself after a crash.
    sim.run_for(5_000);
    sim.kill(newcomer);
    sim.open(newcomer);
    assert!(sim.run_until(60_000, |sim| sim.status(newcomer).peers >= 3), "good peers are remembered");
}

#[test]
fn a_deep_reorg_ends_on_the_chain_with_more_work() {
    let mut sim = world(14);
    let (weak, strong) = (sim.add_node(), sim.add_node());
    sim.start_mining(weak, address(0));
    let paid = sim.call(weak, Command::SendTransaction(payment(2, 0, 3, 1_000_000)));
    let Ok(Reply::Transaction(Some(paid))) = paid else { panic!("a good payment, not {paid:?}") };
    sim.start_mining(strong, address(1));
    assert!(sim.run_until(2_000_000, |sim| height(sim, weak) >= 200));
    sim.stop_mining(weak);
    assert!(sim.run_until(2_000_000, |sim| height(sim, strong) >= height(sim, weak) + 20));
    sim.stop_mining(strong);
    assert!(account(&mut sim, weak, 3).balance.units() > 1_000_000_000);
    let best = sim.status(strong).tip;

    sim.connect(weak, strong);
    assert!(sim.run_until(60_000, |sim| agree(sim, &[weak, strong])));
    assert_eq!(sim.status(weak).tip, best);
    let deepest = sim.events(weak).iter().filter_map(|event| match event {
        Event::Head { reverted, .. } => Some(reverted.len()),
        _ => None,
    });
    assert!(deepest.max() >= Some(200), "all of its own chain was taken back at once");

    // The payment of the lost chain waits again, here and there, and is confirmed on the chain that won.
    assert_eq!(account(&mut sim, weak, 3).balance.units(), 1_000_000_000);
    assert_eq!(sim.status(weak).mempool, 1);
    sim.start_mining(strong, address(1));
    assert!(sim.run_until(60_000, |sim| account(sim, strong, 3).balance.units() == 1_001_000_000));
    let found = sim.call(weak, Command::Transaction(paid.id));
    let Ok(Reply::Transaction(Some(view))) = found else { panic!("a transaction, not {found:?}") };
    assert!(matches!(view.status, TransactionStatus::Confirmed { height, .. } if height.value() > 200));
}

#[test]
fn nodes_come_and_go_and_the_rest_agree() {
    let mut sim = world(15);
    let nodes = sim.add_nodes(12);
    sim.introduce(&nodes);
    let (stay, restless) = nodes.split_at(4);
    sim.start_mining(stay[0], address(0));
    // Every twenty seconds four of the restless die and the four that died before come back.
    for round in 0..9 {
        let (dying, coming) = (round % 2 * 4, (round + 1) % 2 * 4);
        for &node in &restless[dying..dying + 4] {
            sim.kill(node);
        }
        if round > 0 {
            for &node in &restless[coming..coming + 4] {
                sim.open(node);
            }
        }
        sim.run_for(20_000);
        let high = height(&mut sim, stay[0]);
        assert!(stay.iter().all(|&node| height(&mut sim, node) + 3 >= high), "round {round}");
    }
    sim.stop_mining(stay[0]);
    assert!(sim.run_until(60_000, |sim| agree(sim, &[stay, &restless[4..]].concat())));
}

/// One tab is closed meanwhile, and one frozen as it is, with all that it was about to do.
#[test]
fn tabs_that_were_asleep_for_eight_hours_are_back_within_a_minute() {
    const NIGHT: u64 = 8 * 60 * 60 * 1000;
    let parameters = Parameters { interval_ms: 5_000, half_life_ms: 300_000, ..parameters() };
    let mut sim = Sim::new(World::new(ChainSpec::new(parameters).expect("a good spec").into(), 16));
    let nodes = sim.add_nodes(5);
    let [miner, _, _, closed, frozen] = nodes[..] else { panic!("five were added") };
    sim.introduce(&nodes);
    sim.start_mining(miner, address(0));
    sim.run_for(60_000);
    let evening = height(&mut sim, frozen);
    sim.kill(closed);
    sim.freeze(frozen, NIGHT);
    sim.run_for(NIGHT);
    let missed = height(&mut sim, miner) - evening;
    assert!(missed > 5_000, "{missed} blocks were mined in the night");
    sim.open(closed);
    for tab in [closed, frozen] {
        assert!(height(&mut sim, tab) <= evening + 1, "{tab:?} has seen none of them");
    }
    let is_back = |sim: &mut Sim, tab| height(sim, tab) + 2 > height(sim, miner);
    assert!(sim.run_until(60_000, |sim| is_back(sim, closed) && is_back(sim, frozen)));
    for tab in [closed, frozen] {
        assert!(sim.dismissed(tab).is_empty(), "nobody is to blame for the night");
    }
}

#[test]
fn a_recorded_life_can_be_lived_again() {
    let mut world = World::new(spec(), 18);
    world.recorded = Some(Place(1));
    let limits = world.limits;
    let mut sim = Sim::new(world);
    let nodes = sim.add_nodes(4);
    sim.introduce(&nodes);
    sim.start_mining(nodes[0], address(0));
    sim.start_mining(nodes[1], address(1));
    sim.call(nodes[1], Command::SendTransaction(payment(2, 0, 3, 1_000))).expect("a good payment");
    sim.run_for(60_000);
    sim.cut_off(&nodes[..1]);
    sim.run_for(30_000);
    sim.heal();
    sim.run_for(60_000);

    let recording = sim.recording().expect("the second node is recorded");
    assert!(recording.inputs() > 500);
    let outputs = recording.play(&spec(), limits);
    assert!(outputs.as_ref().is_ok_and(|outputs| *outputs > 500), "{outputs:?}");
    let bytes = recording.to_bytes();
    assert_eq!(Recording::read(&bytes).as_ref(), Ok(&recording));

    // One bit of one message another way, and it is another life.
    let mut other = bytes;
    let middle = other.len() / 2;
    other[middle] ^= 1;
    assert!(Recording::read(&other).expect("its head is whole").play(&spec(), limits).is_err());
}
