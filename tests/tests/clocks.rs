//! Clocks that are put right, or wrong, while a node runs: forth by hours, back by minutes, again and again. What a node waits for
//! comes or is given up in its time all the same, and it tells where it stands.

use tabchain_node::{Event, SyncState, Warning};
use tabchain_sim::adversary::Withholding;
use tabchain_sim::{Place, Sim};
use tabchain_tests::{agree, height, miner, world};

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;

/// Whether a node has told the tip at which it stands.
fn has_told_its_tip(sim: &mut Sim, node: Place) -> bool {
    sim.tip(node) == Some(sim.status(node).tip)
}

#[test]
fn a_clock_that_jumps_back_and_forth_keeps_no_node_from_joining() {
    let mut sim = world(401);
    let old = miner(&mut sim, 400);
    let other = sim.add_node();
    sim.connect(other, old);
    assert!(sim.run_until(60_000, |sim| agree(sim, &[old, other])));

    let late = sim.add_node();
    sim.connect(late, old);
    sim.connect(late, other);
    for ahead in [0, -5 * MINUTE_MS, 3 * HOUR_MS, 3 * HOUR_MS - 7 * MINUTE_MS, 0, 9 * HOUR_MS, -MINUTE_MS, 0]
    {
        sim.set_clock_ahead(late, ahead);
        sim.run_for(100);
    }
    assert!(sim.run_until(60_000, |sim| agree(sim, &[late, old])), "{:?}", sim.status(late));
    assert!(has_told_its_tip(&mut sim, late));

    // And so it goes on, with the clock an hour ahead and put right again.
    for ahead in [HOUR_MS, 0, HOUR_MS, 0] {
        sim.set_clock_ahead(late, ahead);
        let before = height(&mut sim, late);
        assert!(sim.run_until(60_000, |sim| height(sim, late) >= before + 5), "blocks come in");
        assert!(has_told_its_tip(&mut sim, late), "and are told");
    }
    assert!([old, other, late].iter().all(|&node| sim.dismissed(node).is_empty()));
}

#[test]
fn what_a_silent_peer_owes_is_asked_of_another_though_the_clock_was_put_back_by_hours() {
    let mut sim = world(402);
    let honest = miner(&mut sim, 300);
    sim.stop_mining(honest);
    let silent = sim.add_node();
    sim.connect(silent, honest);
    assert!(sim.run_until(60_000, |sim| agree(sim, &[honest, silent])));
    sim.behave(silent, Withholding);

    let late = sim.add_node();
    sim.set_clock_ahead(late, 10 * HOUR_MS);
    sim.connect(late, silent);
    assert!(sim.run_until(60_000, |sim| sim.status(late).sync == SyncState::Blocks));
    sim.set_clock_ahead(late, 0);
    sim.connect(late, honest);
    assert!(sim.run_until(60_000, |sim| agree(sim, &[late, honest])), "{:?}", sim.status(late));
    assert!(has_told_its_tip(&mut sim, late));
}

#[test]
fn a_miner_whose_clock_is_put_right_mines_blocks_of_the_present() {
    let mut sim = world(403);
    let nodes = sim.add_nodes(2);
    sim.connect(nodes[0], nodes[1]);
    sim.set_clock_ahead(nodes[0], HOUR_MS);
    sim.start_mining(nodes[0], tabchain_tests::address(0));
    sim.run_for(60_000);
    assert_eq!(height(&mut sim, nodes[1]), 0, "its blocks are of a time that has not come");
    sim.stop_mining(nodes[0]);
    sim.start_mining(nodes[1], tabchain_tests::address(1));
    let ahead = height(&mut sim, nodes[0]);
    assert!(sim.run_until(600_000, |sim| height(sim, nodes[1]) > ahead + 10));
    sim.stop_mining(nodes[1]);
    assert!(sim.run_until(60_000, |sim| agree(sim, &nodes)), "the work of the others is more");

    sim.set_clock_ahead(nodes[0], 0);
    let before = height(&mut sim, nodes[1]);
    sim.start_mining(nodes[0], tabchain_tests::address(0));
    assert!(sim.run_until(60_000, |sim| height(sim, nodes[1]) >= before + 5), "the other takes them in");
    assert!(sim.dismissed(nodes[1]).is_empty(), "a fast clock is no crime");
}

#[test]
fn a_clock_that_is_put_wrong_while_the_node_runs_is_told_of() {
    let mut sim = world(404);
    let nodes = sim.add_nodes(5);
    for &other in &nodes[..4] {
        sim.connect(nodes[4], other);
    }
    sim.start_mining(nodes[0], tabchain_tests::address(0));
    sim.run_for(30_000);
    let warned = |sim: &Sim| {
        let clock = |event: &Event| matches!(event, Event::Warning(Warning::Clock { seconds: 230..=240 }));
        sim.events(nodes[4]).iter().any(clock)
    };
    assert!(!warned(&sim));
    sim.set_clock_ahead(nodes[4], -4 * MINUTE_MS);
    sim.run_for(30_000);
    assert!(warned(&sim), "its peers' clocks are ahead of it all at once");
}
