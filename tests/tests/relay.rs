//! How blocks and transactions travel, and what that costs.

use std::cell::RefCell;
use std::rc::Rc;

use tabchain_node::{Command, Message, Reason, Reply};
use tabchain_primitives::Signature;
use tabchain_sim::{Place, Sim};
use tabchain_sync::{LinkMessage, Request, Response};
use tabchain_tests::{anchor, confirm, keep_transactions_secret, overhear, payment, world};

const PAYMENTS: u64 = 200;

/// Sends payments to a node; gives their bytes all together.
fn pay(sim: &mut Sim, node: Place) -> u64 {
    let mut bytes = 0;
    for number in 0..PAYMENTS {
        let payment = payment(number % 8, number / 8, 3, 1_000 + number);
        bytes += payment.size() as u64;
        sim.call(node, Command::SendTransaction(payment)).expect("a good payment");
    }
    bytes
}

/// What a node asks of its peers from now on.
fn requests_of(sim: &mut Sim, node: Place) -> Rc<RefCell<Vec<Request>>> {
    overhear(sim, node, |message| match message {
        Message::Request(_, request) => Some(request.clone()),
        _ => None,
    })
}

#[test]
fn a_block_of_known_transactions_travels_as_short_ids() {
    let mut sim = world(51);
    let (miner, peer) = (sim.add_node(), sim.add_node());
    sim.connect(miner, peer);
    let bytes = pay(&mut sim, miner);
    assert!(sim.run_until(30_000, |sim| u64::from(sim.status(peer).mempool) == PAYMENTS));
    let asked = requests_of(&mut sim, peer);
    let before = sim.bytes_sent(miner, peer);
    confirm(&mut sim, miner, &[miner, peer]);
    let cost = sim.bytes_sent(miner, peer) - before;
    assert!(cost < bytes / 10, "{cost} bytes for a block of {bytes}");
    assert!(asked.borrow().is_empty(), "nothing was missing");
}

#[test]
fn what_is_missing_is_asked_for_in_one_round_trip() {
    let mut sim = world(52);
    let (miner, peer) = (sim.add_node(), sim.add_node());
    keep_transactions_secret(&mut sim, miner);
    sim.connect(miner, peer);
    let bytes = pay(&mut sim, miner);
    let asked = requests_of(&mut sim, peer);
    let before = sim.bytes_sent(miner, peer);
    confirm(&mut sim, miner, &[miner, peer]);
    let cost = sim.bytes_sent(miner, peer) - before;
    assert!(cost < bytes * 12 / 10, "{cost} bytes for a block of {bytes}");
    let asked = asked.borrow();
    let whole = asked.iter().filter(|request| matches!(request, Request::Bodies(_))).count();
    assert_eq!(whole, 0, "no body was asked for whole: {asked:?}");
}

#[test]
fn what_came_only_with_the_block_is_sent_along_with_it() {
    let mut sim = world(54);
    let nodes = sim.add_nodes(3);
    let (miner, between, last) = (nodes[0], nodes[1], nodes[2]);
    // The miner keeps its transactions to itself, and does not ask for anybody else to connect to.
    let secretive = |_, message| match message {
        Message::Link(LinkMessage::Transactions(_) | LinkMessage::GetPeers) => None,
        other => Some(other),
    };
    sim.corrupt(miner, Box::new(secretive));
    sim.connect(miner, between);
    sim.connect(between, last);
    sim.run_for(2_000);
    let mut bytes = 0;
    for nonce in 0..20 {
        let payment = payment(1, nonce, 3, 1_000);
        bytes += payment.size() as u64;
        sim.call(miner, Command::SendTransaction(payment)).expect("a good payment");
    }
    sim.run_for(2_000);
    let asked = requests_of(&mut sim, last);
    let before = sim.bytes_sent(between, last);
    confirm(&mut sim, miner, &nodes);
    let asked = asked.borrow();
    assert!(asked.is_empty(), "no round trip: {asked:?}");
    let cost = sim.bytes_sent(between, last) - before;
    assert!(cost < bytes + 2_000, "{cost} bytes for a block of {bytes}");
}

#[test]
fn a_flood_of_transactions_behind_gaps_leaves_those_of_others_where_they_are() {
    let mut sim = world(55);
    let nodes = sim.add_nodes(3);
    let (victim, flooder, honest) = (nodes[0], nodes[1], nodes[2]);
    sim.connect(honest, victim);
    sim.connect(flooder, victim);
    sim.run_for(2_000);
    // An honest payment whose predecessor is still on its way.
    let behind = payment(7, 1, 3, 1_000);
    let id = behind.id();
    sim.call(honest, Command::SendTransaction(behind)).expect("it is held");
    // Large ones at a far better rate, each behind a gap.
    let mut flood = 0;
    for number in 0..480 {
        let anchor = anchor(number % 7, 1 + number / 7, 100_000 + number);
        flood += anchor.size() as u64;
        // The flooder's own pool lets one sender have only so much.
        let _ = sim.call(flooder, Command::SendTransaction(anchor));
        sim.run_for(200);
    }
    assert!(flood > 160 * 1024);
    sim.run_for(5_000);
    let Ok(Reply::Transaction(held)) = sim.call(victim, Command::Transaction(id)) else {
        panic!("an answer")
    };
    assert!(held.is_some(), "the honest one is still there");
    let pending = u64::from(sim.status(victim).mempool);
    let at_flooder = u64::from(sim.status(flooder).mempool);
    assert!(pending < at_flooder, "{pending} of {at_flooder}: the flooder has its share and no more");
    assert!(pending > 100, "and that it has: {pending}");
    assert!(sim.dismissed(victim).is_empty(), "what is held breaks no rule");
}

#[test]
fn invalid_signatures_cost_the_sender_its_place_and_nobody_else() {
    let mut sim = world(56);
    let nodes = sim.add_nodes(3);
    let (victim, liar, honest) = (nodes[0], nodes[1], nodes[2]);
    sim.connect(honest, victim);
    sim.connect(liar, victim);
    sim.run_for(2_000);
    // The liar damages every signature that it passes on.
    sim.corrupt(
        liar,
        Box::new(|_, mut message| {
            if let Message::Response(_, Response::Transactions(transactions)) = &mut message {
                for transaction in transactions {
                    *transaction = transaction.unsigned().clone().with_signature(Signature::ZERO);
                }
            }
            Some(message)
        }),
    );
    for nonce in 0..20 {
        sim.call(liar, Command::SendTransaction(payment(1, nonce, 3, 1_000))).expect("a good payment");
    }
    sim.run_for(5_000);
    let (liar_id, honest_id) = (sim.id(liar), sim.id(honest));
    assert!(sim.dismissed(victim).contains(&(liar_id, Reason::Misbehaviour)));
    assert_eq!(sim.status(victim).mempool, 0);
    // The same payments, with their own signatures, are taken from whoever has them.
    for nonce in 0..20 {
        sim.call(honest, Command::SendTransaction(payment(1, nonce, 3, 1_000))).expect("a good payment");
    }
    assert!(sim.run_until(10_000, |sim| sim.status(victim).mempool == 20));
    assert!(!sim.dismissed(victim).iter().any(|(id, _)| *id == honest_id));
}

#[test]
fn pending_transactions_reach_who_comes_later() {
    let mut sim = world(53);
    let (early, late) = (sim.add_node(), sim.add_node());
    pay(&mut sim, early);
    sim.connect(late, early);
    assert!(sim.run_until(30_000, |sim| u64::from(sim.status(late).mempool) == PAYMENTS));
    let Ok(Reply::Transactions(pending)) = sim.call(late, Command::Mempool { limit: 1_000 }) else {
        panic!("pending transactions")
    };
    assert_eq!(pending.len(), 100, "an answer has its bound");
}
