//! Who is connected to whom: what a node remembers, whom it lets go, and whom it looks for.

use tabchain_node::{Message, PeerId, Reason};
use tabchain_records::Column;
use tabchain_sim::{Place, Sim};
use tabchain_sync::{LinkMessage, PeerAddress, PeerRecord, Response, Rng};
use tabchain_tests::{address, agree, grow, height, overhear, world};

/// A peer that nobody is.
fn nobody(number: u32) -> PeerId {
    PeerId::new(format!("nobody-{number}").as_bytes()).expect("a short name")
}

fn peers(sim: &mut Sim, place: Place) -> u32 {
    sim.status(place).peers
}

fn was_dismissed(sim: &Sim, by: Place, other: Place) -> bool {
    sim.dismissed(by).iter().any(|(id, _)| *id == sim.id(other))
}

/// Makes a liar say, whenever it is asked for peers, that there are these.
fn tells_of(sim: &mut Sim, liar: Place, mut records: impl FnMut() -> Vec<PeerRecord> + 'static) {
    sim.corrupt(
        liar,
        Box::new(move |_, message| match message {
            Message::Link(LinkMessage::Peers(_)) => Some(Message::Link(LinkMessage::Peers(records()))),
            other => Some(other),
        }),
    );
}

#[test]
fn a_reopened_node_finds_its_peers_by_itself() {
    let mut sim = world(61);
    let nodes = sim.add_nodes(4);
    sim.introduce(&nodes);
    sim.run_for(30_000);
    assert_eq!(peers(&mut sim, nodes[0]), 3);
    sim.kill(nodes[0]);
    sim.run_for(60_000);
    // Nobody tells it of anybody, and the others have given up dialling it meanwhile.
    sim.open(nodes[0]);
    assert!(sim.run_until(20_000, |sim| peers(sim, nodes[0]) == 3));
}

#[test]
fn a_damaged_book_loses_only_the_damaged_rows() {
    let mut sim = world(62);
    let nodes = sim.add_nodes(8);
    sim.introduce(&nodes);
    sim.run_for(30_000);
    sim.kill(nodes[0]);
    let rows = sim.disk(nodes[0]).rows(Column::Peers).count();
    assert!(rows >= 4, "{rows} rows");
    let (mut row, mut rng) = (0, Rng::new([1; 32]));
    sim.disk(nodes[0]).damage(Column::Peers, |_, value| {
        row += 1;
        if row % 2 == 0 {
            value.truncate(rng.below(8));
        }
    });
    sim.open(nodes[0]);
    assert!(sim.run_until(60_000, |sim| peers(sim, nodes[0]) > 0), "who is left is dialled");
    let id = sim.id(nodes[0]);
    let left = sim.disk(nodes[0]).rows(Column::Peers).filter(|(_, value)| value.len() < 8).count();
    assert_eq!(left, 0, "what cannot be read is erased, by {id:?}");
}

#[test]
fn one_peer_that_tells_of_thousands_who_are_not_there_hides_nobody() {
    let mut sim = world(63);
    let nodes = sim.add_nodes(4);
    let (victim, liar, honest) = (nodes[0], nodes[1], &nodes[2..]);
    let mut number = 0;
    tells_of(&mut sim, liar, move || {
        let mut record = || {
            number += 1;
            let address = PeerAddress::new("/nowhere").expect("a short text");
            PeerRecord { id: nobody(number), addresses: vec![address] }
        };
        (0..16).map(|_| record()).collect()
    });
    sim.find(victim, liar);
    sim.run_for(10 * 60_000);
    for &other in honest {
        sim.find(victim, other);
    }
    assert!(sim.run_until(60_000, |sim| peers(sim, victim) == 3), "the honest are found among the many");
    let rows = sim.disk(victim).rows(Column::Peers).count();
    assert!(rows <= 3, "only who said hello is written down, not {rows}");
}

#[test]
fn a_relay_crowded_with_names_of_nobody_still_brings_tabs_together() {
    let mut sim = world(70);
    let nodes = sim.add_nodes(6);
    let relay = sim.gather(&nodes);
    // As many as one answer of a relay holds, and others each time.
    sim.crowd_rendezvous(relay, 64);
    assert!(
        sim.run_until(10 * 60_000, |sim| nodes.iter().all(|&node| peers(sim, node) >= 2)),
        "each finds others among hundreds that are not there"
    );
    sim.start_mining(nodes[0], tabchain_tests::address(0));
    sim.run_for(20 * 60_000);
    sim.stop_mining(nodes[0]);
    assert!(sim.run_until(60_000, |sim| tabchain_tests::agree(sim, &nodes)));
    assert!(nodes.iter().all(|&node| peers(&mut sim, node) == 5), "in the end everybody knows everybody");
    let rows = sim.disk(nodes[0]).rows(Column::Peers).count();
    assert!(rows <= 5, "only who said hello is written down, not {rows}");
}

#[test]
fn a_newcomer_finds_a_place_among_many_who_only_sit_there() {
    let mut sim = world(64);
    let nodes = sim.add_nodes(36);
    let (hub, sitters) = (nodes[0], &nodes[2..]);
    let miner = nodes[1];
    // The miner is there early and is first with every block.
    sim.connect(miner, hub);
    sim.start_mining(miner, address(0));
    sim.run_for(10_000);
    for &sitter in sitters {
        sim.connect(sitter, hub);
        sim.run_for(1_000);
    }
    let connected = peers(&mut sim, hub);
    assert_eq!(connected, 23, "what is kept for the node's own choice stays free");
    assert!(!was_dismissed(&sim, hub, miner), "who brings blocks stays");
    let full = sim.dismissed(hub).iter().filter(|(_, why)| *why == Reason::TooManyPeers).count();
    assert!(full >= 34 - 22, "for each newcomer one goes, not {full}");
    assert!(sitters[..10].iter().all(|&early| !was_dismissed(&sim, hub, early)), "who is long there stays");
    sim.run_for(5 * 60_000);
    let later = sim.dismissed(hub).iter().filter(|(_, why)| *why == Reason::TooManyPeers).count();
    assert!(later < full + 100, "those who were let go come back ever more rarely: {later}");
}

#[test]
fn whoever_was_only_heard_of_is_felt_for_and_then_remembered() {
    let mut sim = world(65);
    let nodes = sim.add_nodes(14);
    let curious = nodes[0];
    // A block a minute, so that nobody is kept looking for blocks.
    sim.set_hash_rate(nodes[1], 2.0 / 60.0);
    sim.start_mining(nodes[1], address(0));
    for &other in &nodes[1..] {
        sim.find(curious, other);
    }
    sim.run_for(10_000);
    assert_eq!(peers(&mut sim, curious), 8);
    let known = sim.disk(curious).rows(Column::Peers).count();
    assert!(known <= 9, "those it is connected to, and one that was felt for: {known}");
    sim.run_for(15 * 60_000);
    let felt = sim.dismissed(curious).iter().filter(|(_, why)| *why == Reason::Felt).count();
    assert!((3..=8).contains(&felt), "{felt} feelers in a quarter of an hour");
    assert_eq!(sim.disk(curious).rows(Column::Peers).count(), 13, "all are known to be there");
}

#[test]
fn a_node_that_is_kept_from_blocks_looks_for_somebody_who_has_them() {
    let mut sim = world(66);
    let victim = sim.add_node();
    let liars = sim.add_nodes(8);
    let miner = sim.add_node();
    for &liar in &liars {
        sim.find(victim, liar);
    }
    sim.run_for(10_000);
    assert_eq!(peers(&mut sim, victim), 8, "all its peers are in league");
    for &liar in &liars {
        // They answer everything, but tell of no block.
        let silent = |_, message| match message {
            Message::Link(LinkMessage::Block(_) | LinkMessage::Tip(_)) => None,
            Message::Response(id, Response::Headers(_)) => {
                Some(Message::Response(id, Response::Headers(Vec::new())))
            }
            other => Some(other),
        };
        sim.corrupt(liar, Box::new(silent));
    }
    sim.start_mining(miner, address(0));
    sim.run_for(30_000);
    sim.find(victim, miner);
    sim.run_for(30_000);
    assert_eq!(height(&mut sim, victim), 0, "it has as many peers as it wants");
    assert!(sim.run_until(10 * 60_000, |sim| height(sim, victim) > 0), "until it looks for more");
    sim.stop_mining(miner);
    assert!(sim.run_until(60_000, |sim| agree(sim, &[victim, miner])));
    sim.run_for(60_000);
    let gone: Vec<_> =
        sim.dismissed(victim).iter().filter(|(_, why)| *why == Reason::Replaced).map(|(id, _)| *id).collect();
    assert!(!gone.is_empty() && !gone.contains(&sim.id(miner)), "one of the useless goes for it: {gone:?}");
}

#[test]
fn a_peer_may_be_asked_for_peers_again_without_being_a_nuisance() {
    let mut sim = world(67);
    let (one, other) = (sim.add_node(), sim.add_node());
    let asked = overhear(&mut sim, one, |message| {
        matches!(message, Message::Link(LinkMessage::GetPeers)).then_some(())
    });
    sim.connect(one, other);
    sim.run_for(20 * 60_000);
    let asked = asked.borrow().len();
    assert!((3..=10).contains(&asked), "{asked} times in twenty minutes");
    assert!(sim.dismissed(other).is_empty() && sim.dismissed(one).is_empty());
}

#[test]
fn a_peer_that_has_headers_and_gives_no_bodies_is_replaced() {
    let mut sim = world(68);
    let (good, staller) = (sim.add_node(), sim.add_node());
    sim.connect(good, staller);
    grow(&mut sim, good, &[good, staller], 40);
    sim.corrupt(
        staller,
        Box::new(|_, message| match message {
            Message::Response(_, Response::Bodies(_)) | Message::Link(LinkMessage::Peers(_)) => None,
            other => Some(other),
        }),
    );
    // Another newcomer, as empty as itself, is all the company it has.
    let (late, empty) = (sim.add_node(), sim.add_node());
    sim.connect(late, staller);
    sim.connect(late, empty);
    let staller_id = sim.id(staller);
    assert!(sim.run_until(60_000, |sim| sim.dismissed(late).contains(&(staller_id, Reason::TooSlow))));
    let empty_id = sim.id(empty);
    assert!(!sim.dismissed(late).iter().any(|(id, _)| *id == empty_id), "who has nothing stalls nothing");
    sim.find(late, good);
    assert!(sim.run_until(60_000, |sim| agree(sim, &[late, good])));
    assert!(sim.run_until(60_000, |sim| agree(sim, &[empty, good])), "and it gives on what it has");
}

#[test]
fn a_tab_gives_on_what_it_has_while_it_still_downloads() {
    let mut sim = world(69);
    let source = sim.add_node();
    grow(&mut sim, source, &[source], 1_200);
    let (first, second) = (sim.add_node(), sim.add_node());
    sim.connect(first, source);
    sim.connect(second, first);
    let mut between = 0;
    assert!(sim.run_until(120_000, |sim| {
        let (ahead, behind) = (height(sim, first), height(sim, second));
        between += u32::from(behind > 0 && ahead < 1_200);
        behind >= 1_200
    }));
    assert!(between > 0, "the second had blocks before the first had all");
}
