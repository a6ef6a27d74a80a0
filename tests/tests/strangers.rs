//! Peers that lie, err, or belong elsewhere.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use tabchain_chain::testing;
use tabchain_consensus::ChainSpec;
use tabchain_node::{Message, Reason};
use tabchain_primitives::{Decode, Encode};
use tabchain_sim::{Latency, Sim, World};
use tabchain_sync::{LinkMessage, Request, Response, Rng};
use tabchain_tests::{address, agree, grow, height, overhear, world};

#[test]
fn a_node_of_another_chain_is_sent_away_and_told_why() {
    let mut sim = world(31);
    let other =
        ChainSpec::new(tabchain_consensus::Parameters { name: "elsewhere".into(), ..testing::parameters() });
    let (ours, stranger) = (sim.add_node(), sim.add_node_on(Arc::new(other.expect("a good spec"))));
    sim.connect(ours, stranger);
    sim.run_for(2_000);
    // Whichever hears the other's hello first hangs up.
    let told: Vec<_> =
        [ours, stranger].iter().flat_map(|&place| sim.dismissed(place)).map(|(_, why)| *why).collect();
    assert_eq!(told, [Reason::WrongGenesis]);
    assert_eq!((sim.status(ours).peers, sim.status(stranger).peers), (0, 0));
}

#[test]
fn a_wrong_body_does_not_condemn_the_honest_header() {
    let mut sim = world(32);
    let (honest, liar) = (sim.add_node(), sim.add_node());
    sim.connect(honest, liar);
    grow(&mut sim, honest, &[honest, liar], 30);

    // The liar answers first with bodies that hold nothing of what their headers commit to.
    let lies = Arc::new(Mutex::new(0));
    let told = Arc::clone(&lies);
    sim.corrupt(
        liar,
        Box::new(move |_, mut message| {
            if let Message::Response(_, Response::Bodies(bodies)) = &mut message {
                *told.lock().expect("one thread") += bodies.len();
                for body in bodies {
                    body.bytes.push(0);
                }
            }
            Some(message)
        }),
    );
    let victim = sim.add_node();
    sim.connect(victim, liar);
    sim.run_for(3_000);
    assert!(*lies.lock().expect("one thread") > 0, "it was asked, and lied");
    sim.connect(victim, honest);
    assert!(sim.run_until(60_000, |sim| agree(sim, &[victim, honest])), "the honest bodies are taken");
    let (liar, honest) = (sim.id(liar), sim.id(honest));
    assert!(sim.dismissed(victim).contains(&(liar, Reason::Misbehaviour)));
    assert!(!sim.dismissed(victim).iter().any(|(id, _)| *id == honest));
}

#[test]
fn a_peer_that_never_answers_is_passed_over() {
    let mut sim = world(33);
    let nodes = sim.add_nodes(2);
    let (good, silent) = (nodes[0], nodes[1]);
    sim.connect(good, silent);
    grow(&mut sim, good, &nodes, 40);

    sim.corrupt(
        silent,
        Box::new(|_, message| (!matches!(message, Message::Response(..))).then_some(message)),
    );
    let late = sim.add_node();
    sim.connect(late, silent);
    sim.run_for(1_000);
    sim.connect(late, good);
    assert!(sim.run_until(60_000, |sim| agree(sim, &[late, good])));
}

#[test]
fn a_block_from_a_fast_clock_is_held_until_its_time_comes() {
    let mut sim = world(34);
    let (fast, right) = (sim.add_node(), sim.add_node());
    // Ten seconds more than the rule allows.
    sim.set_clock_ahead(fast, 130_000);
    sim.connect(right, fast);
    sim.start_mining(fast, address(0));
    assert!(sim.run_until(60_000, |sim| height(sim, fast) >= 1));
    sim.stop_mining(fast);
    sim.run_for(2_000);
    assert_eq!(height(&mut sim, right), 0, "too early");
    assert!(sim.run_until(60_000, |sim| agree(sim, &[right, fast])), "accepted when its time has come");
    assert!(sim.dismissed(right).is_empty(), "a fast clock is no crime");
}

#[test]
fn a_header_without_its_work_costs_the_sender_its_place() {
    let mut sim = world(35);
    let (forger, node) = (sim.add_node(), sim.add_node());
    sim.corrupt(
        forger,
        Box::new(|_, mut message| {
            if let Message::Response(_, Response::Headers(headers)) = &mut message {
                for header in headers {
                    *header = header.with_nonce(header.nonce().wrapping_add(1));
                }
            }
            Some(message)
        }),
    );
    sim.start_mining(forger, address(0));
    assert!(sim.run_until(120_000, |sim| height(sim, forger) >= 20));
    sim.connect(node, forger);
    sim.run_for(20_000);
    let id = sim.id(forger);
    assert!(sim.dismissed(node).contains(&(id, Reason::Misbehaviour)));
    assert_eq!(sim.status(node).height.value(), 0);
}

#[test]
fn a_block_without_its_work_is_neither_kept_nor_passed_on() {
    let mut sim = world(39);
    let nodes = sim.add_nodes(3);
    let (forger, middle, far) = (nodes[0], nodes[1], nodes[2]);
    sim.connect(forger, middle);
    sim.connect(middle, far);
    sim.run_for(2_000);
    sim.corrupt(
        forger,
        Box::new(|_, mut message| {
            if let Message::Link(LinkMessage::Block(block)) = &mut message {
                let target = block.header.target().expand().expect("the chain computed it");
                while target.is_met_by(&block.header.hash()) {
                    block.header = block.header.with_nonce(block.header.nonce().wrapping_add(1));
                }
            }
            // And there is no other way to its blocks.
            Some(message).filter(|message| !matches!(message, Message::Response(..)))
        }),
    );
    sim.start_mining(forger, address(0));
    assert!(sim.run_until(120_000, |sim| height(sim, forger) >= 1));
    sim.run_for(10_000);
    let sent_away = (sim.id(forger), Reason::Misbehaviour);
    assert!(sim.dismissed(middle).contains(&sent_away));
    let best = [middle, far].map(|node| sim.status(node).best_height.value());
    assert_eq!(best, [0, 0], "not even its header is known");
}

/// When a tab changes networks, two connections come and one goes, and each side sees that at another moment.
#[test]
fn sessions_that_begin_anew_on_either_side_however_often_go_on_on_both() {
    for seed in 0..20 {
        let mut sim = world(3_700 + seed);
        let (one, other) = (sim.add_node(), sim.add_node());
        sim.connect(one, other);
        sim.start_mining(one, address(0));
        sim.run_for(10_000);
        let mut rng = Rng::new([u8::try_from(seed).expect("a small number"); 32]);
        for _ in 0..12 {
            // At once, while the hello is on its way, and after a while.
            sim.run_for([0, rng.draw() % 100, rng.draw() % 6_000][rng.below(3)]);
            let (at, with) = if rng.draw().is_multiple_of(2) { (one, other) } else { (other, one) };
            sim.renew_session(at, with);
        }
        sim.run_for(1_000);
        sim.stop_mining(one);
        assert!(sim.run_until(10_000, |sim| agree(sim, &[one, other])), "seed {seed}");
        sim.run_for(30_000);
        assert!(sim.dismissed(one).is_empty() && sim.dismissed(other).is_empty(), "seed {seed}");
        assert_eq!((sim.status(one).peers, sim.status(other).peers), (1, 1), "seed {seed}");
    }
}

#[test]
fn a_block_that_is_found_between_two_hellos_is_told() {
    for seed in 0..20 {
        let mut world = World::new(testing::spec(), 3_800 + seed);
        world.link.latency = Latency::Same(400);
        let mut sim = Sim::new(world);
        let (miner, other) = (sim.add_node(), sim.add_node());
        sim.connect(miner, other);
        sim.start_mining(miner, address(0));
        sim.run_for(20_000);
        // Its hello is on its way, or the answer.
        sim.renew_session(miner, other);
        sim.run_for(700);
        sim.stop_mining(miner);
        assert!(sim.run_until(10_000, |sim| agree(sim, &[miner, other])), "seed {seed}");
    }
}

#[test]
fn what_is_new_is_asked_for_once() {
    let mut sim = world(36);
    let nodes = sim.add_nodes(6);
    sim.introduce(&nodes);
    sim.run_for(2_000);
    let asked = overhear(&mut sim, nodes[5], |message| match message {
        Message::Request(_, Request::Transactions(ids)) => Some(ids.clone()),
        _ => None,
    });
    for nonce in 0..10 {
        let command = tabchain_node::Command::SendTransaction(tabchain_tests::payment(0, nonce, 1, 1_000));
        sim.call(nodes[0], command).expect("a good payment");
    }
    sim.run_for(5_000);
    assert_eq!(sim.status(nodes[5]).mempool, 10);
    let asked = asked.borrow().concat();
    assert_eq!(asked.len(), 10);
    assert_eq!(asked.iter().collect::<BTreeSet<_>>().len(), 10);
}

/// Every fifth message has a few bits turned over and is sent if it still is a message.
fn stutter(seed: u8) -> tabchain_sim::Tongue {
    let mut rng = Rng::new([seed; 32]);
    Box::new(move |_, message| {
        if rng.below(5) > 0 {
            return Some(message);
        }
        let mut bytes = message.to_bytes();
        for _ in 0..=rng.below(3) {
            let place = rng.below(bytes.len());
            bytes[place] ^= 1 << rng.below(8);
        }
        Some(Message::from_bytes(&bytes).unwrap_or(message))
    })
}

#[test]
fn whatever_strangers_say_honest_nodes_agree() {
    for seed in 0..6 {
        let mut sim = world(u64::from(seed) + 100);
        let nodes = sim.add_nodes(6);
        let (honest, liars) = nodes.split_at(3);
        for (&liar, seed) in liars.iter().zip(seed..) {
            sim.corrupt(liar, stutter(seed));
        }
        sim.introduce(&nodes);
        sim.start_mining(honest[0], address(0));
        sim.start_mining(liars[0], address(1));
        for nonce in 0..5 {
            let command =
                tabchain_node::Command::SendTransaction(tabchain_tests::payment(2, nonce, 1, 1_000));
            sim.call(liars[1], command).expect("a good payment");
            sim.run_for(10_000);
        }
        sim.stop_mining(liars[0]);
        assert!(sim.run_until(300_000, |sim| agree(sim, honest)), "seed {seed}");
        assert!(height(&mut sim, honest[2]) > 20);
        let sent_away = |place: usize| {
            sim.dismissed(honest[place]).iter().any(|(id, why)| {
                *why == Reason::Misbehaviour && honest.iter().any(|&other| sim.id(other) == *id)
            })
        };
        assert!((0..3).all(|place| !sent_away(place)), "no honest node is taken for a liar");
    }
}
