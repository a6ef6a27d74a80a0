//! How blocks and transactions travel, and what that costs.

use std::sync::{Arc, Mutex};

use tabchain_node::{Command, Message, Reply};
use tabchain_sim::{Place, Sim};
use tabchain_sync::{LinkMessage, Request};
use tabchain_tests::{address, agree, height, payment, world};

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

/// Lets a node mine until nothing is pending, and the other follow.
fn confirm(sim: &mut Sim, miner: Place, other: Place) {
    let at = height(sim, miner);
    sim.start_mining(miner, address(0));
    assert!(sim.run_until(60_000, |sim| height(sim, miner) > at && sim.status(miner).mempool == 0));
    sim.stop_mining(miner);
    assert!(sim.run_until(30_000, |sim| agree(sim, &[miner, other])));
}

/// What a node asks of its peers from now on.
fn listen(sim: &mut Sim, node: Place) -> Arc<Mutex<Vec<Request>>> {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let ear = Arc::clone(&heard);
    sim.corrupt(
        node,
        Box::new(move |_, message| {
            if let Message::Request(_, request) = &message {
                ear.lock().expect("one thread").push(request.clone());
            }
            Some(message)
        }),
    );
    heard
}

#[test]
fn a_block_of_known_transactions_travels_as_short_ids() {
    let mut sim = world(51);
    let (miner, peer) = (sim.add_node(), sim.add_node());
    sim.connect(miner, peer);
    let bytes = pay(&mut sim, miner);
    assert!(sim.run_until(30_000, |sim| u64::from(sim.status(peer).mempool) == PAYMENTS));
    let asked = listen(&mut sim, peer);
    let before = sim.bytes_sent(miner, peer);
    confirm(&mut sim, miner, peer);
    let cost = sim.bytes_sent(miner, peer) - before;
    assert!(cost < bytes / 10, "{cost} bytes for a block of {bytes}");
    assert!(asked.lock().expect("one thread").is_empty(), "nothing was missing");
}

#[test]
fn what_is_missing_is_asked_for_in_one_round_trip() {
    let mut sim = world(52);
    let (miner, peer) = (sim.add_node(), sim.add_node());
    // The miner keeps its transactions to itself.
    let secretive = |_, message| match message {
        Message::Link(LinkMessage::Transactions(_)) => None,
        other => Some(other),
    };
    sim.corrupt(miner, Box::new(secretive));
    sim.connect(miner, peer);
    let bytes = pay(&mut sim, miner);
    let asked = listen(&mut sim, peer);
    let before = sim.bytes_sent(miner, peer);
    confirm(&mut sim, miner, peer);
    let cost = sim.bytes_sent(miner, peer) - before;
    assert!(cost < bytes * 12 / 10, "{cost} bytes for a block of {bytes}");
    let asked = asked.lock().expect("one thread");
    let whole = asked.iter().filter(|request| matches!(request, Request::Bodies(_))).count();
    assert_eq!(whole, 0, "no body was asked for whole: {asked:?}");
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
