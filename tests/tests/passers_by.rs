//! A crowd of names that one attacker makes up: each is listed at a relay, says a proper hello, and goes away. However many they
//! are, a node remembers those that it followed for hours, and finds them when it comes back.

use tabchain_node::PeerId;
use tabchain_records::Column;
use tabchain_sim::adversary::PasserBy;
use tabchain_sim::{Place, Sim};
use tabchain_tests::{address, world_of_minutes};

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;
/// More than a book has tried peers.
const CROWD: usize = 300;

/// Eight nodes that find each other at a relay, each of which mines.
fn friends(seed: u64) -> (Sim, Vec<Place>) {
    let mut sim = world_of_minutes(seed);
    let nodes = sim.add_nodes(8);
    sim.gather(&nodes);
    for (number, &node) in (0..).zip(&nodes) {
        sim.start_mining(node, address(number));
    }
    (sim, nodes)
}

/// One after the other is listed, comes, says hello, and goes. They come again by themselves.
fn pass_by(sim: &mut Sim, victim: Place) -> Vec<Place> {
    let crowd = sim.add_nodes(CROWD);
    for &one in &crowd {
        sim.behave(one, PasserBy);
        sim.find(victim, one);
        sim.connect(one, victim);
        sim.run_for(20_000);
    }
    crowd
}

/// Those of these whom a node has written down as good.
fn remembered(sim: &mut Sim, by: Place, of: &[Place]) -> usize {
    let ids: Vec<PeerId> = of.iter().map(|&place| sim.id(place)).collect();
    sim.disk(by).rows(Column::Peers).filter(|(key, _)| ids.iter().any(|id| id.as_bytes() == &key[..])).count()
}

#[test]
fn a_crowd_that_only_says_hello_makes_a_node_forget_nobody_whom_it_followed() {
    let (mut sim, nodes) = friends(401);
    sim.run_for(2 * HOUR);
    let (victim, friends) = nodes.split_first().expect("eight");
    assert_eq!(remembered(&mut sim, *victim, friends), friends.len());
    let crowd = pass_by(&mut sim, *victim);
    assert!(remembered(&mut sim, *victim, &crowd) > 0, "they are believed to be there");
    assert_eq!(remembered(&mut sim, *victim, friends), friends.len());
}

#[test]
fn nor_does_it_keep_a_node_that_has_just_come_from_making_friends() {
    let (mut sim, nodes) = friends(402);
    let (victim, friends) = nodes.split_first().expect("eight");
    pass_by(&mut sim, *victim);
    assert_eq!(remembered(&mut sim, *victim, friends), friends.len());
}
