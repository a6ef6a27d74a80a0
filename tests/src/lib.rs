//! Vectors, scenarios and end-to-end proofs.
//!
//! A scenario under `tests/` is a short story: who is there, what happens, what must be true afterwards. What the stories
//! share is here: a small chain on which every other hash is good enough, and questions to ask of a simulated world.

pub mod counting;
pub mod door;
pub mod fuzz;
pub mod one_node;

use std::cell::RefCell;
use std::rc::Rc;

use tabchain_chain::testing::{Key, parameters, spec, units};
use tabchain_consensus::ChainSpec;
use tabchain_node::{AccountView, Command, Limits, Message, Reply, SyncState};
use tabchain_primitives::{
    AccountNonce, Action, Address, Anchor, BlockHash, Height, Transaction, UnsignedTransaction,
};
use tabchain_sim::{Place, Sim, World};
use tabchain_sync::LinkMessage;

/// A world on the chain for tests.
pub fn world(seed: u64) -> Sim {
    Sim::new(World::new(spec(), seed))
}

/// A world whose chain has a block a minute, and adjusts as slowly as the one for people.
pub fn world_of_minutes(seed: u64) -> Sim {
    let minutes =
        tabchain_consensus::Parameters { interval_ms: 60_000, half_life_ms: 1_800_000, ..parameters() };
    Sim::new(World::new(ChainSpec::new(minutes).expect("these parameters make a chain").into(), seed))
}

/// A world on the chain for tests in which nodes take on so much.
pub fn world_with(seed: u64, limits: Limits) -> Sim {
    Sim::new(World { limits, ..World::new(spec(), seed) })
}

/// The address of the key with this number. Keys 0 to 7 begin with 1,000 TAB each.
pub fn address(number: u64) -> Address {
    Key::new(number).address()
}

/// A payment from one numbered key to another, signed.
pub fn payment(from: u64, nonce: u64, to: u64, units: u64) -> Box<Transaction> {
    Box::new(tabchain_chain::testing::transfer(&spec(), &Key::new(from), nonce, address(to), units, 10_000))
}

/// The largest anchor there is, from a numbered key, signed.
pub fn anchor(from: u64, nonce: u64, fee: u64) -> Box<Transaction> {
    let action = Action::Anchor(Anchor::new("topic", vec![7; 256]).expect("within bounds"));
    let (key, nonce) = (Key::new(from), AccountNonce::new(nonce));
    let unsigned = UnsignedTransaction::new(key.public(), nonce, Height::MAX, units(fee), action);
    Box::new(key.sign(&spec(), unsigned.expect("within bounds")))
}

/// Makes a payment on the world's chain through a node.
///
/// # Panics
/// If the node doesn't take it.
pub fn pay(sim: &mut Sim, through: Place, from: u64, nonce: u64) {
    let spec = sim.spec().clone();
    let transfer =
        tabchain_chain::testing::transfer(&spec, &Key::new(from), nonce, address(1), 1_000 + nonce, 10_000);
    sim.call(through, Command::SendTransaction(Box::new(transfer))).expect("a good payment");
}

/// Adds a node to the world that mines so many blocks by itself, with payments in them, and goes on.
///
/// # Panics
/// If it doesn't come so far in 20 minutes.
pub fn miner(sim: &mut Sim, blocks: u32) -> Place {
    let node = sim.add_node();
    sim.start_mining(node, address(0));
    for nonce in 0..5 {
        sim.call(node, Command::SendTransaction(payment(1, nonce, 2, 1_000_000))).expect("a good payment");
        sim.run_for(3_000);
    }
    assert!(sim.run_until(1_200_000, |sim| height(sim, node) >= blocks));
    node
}

/// Lets a node mine until all of these have so many blocks and stand at one tip.
///
/// # Panics
/// If they don't come so far in an hour.
pub fn grow(sim: &mut Sim, miner: Place, all: &[Place], blocks: u32) {
    sim.start_mining(miner, address(0));
    assert!(sim.run_until(3_600_000, |sim| all.iter().all(|&place| height(sim, place) >= blocks)));
    sim.stop_mining(miner);
    assert!(sim.run_until(30_000, |sim| agree(sim, all)));
}

/// Lets a node mine until nothing is pending and all of these stand at one tip.
///
/// # Panics
/// If they don't come so far in a minute.
pub fn confirm(sim: &mut Sim, miner: Place, all: &[Place]) {
    sim.start_mining(miner, address(0));
    assert!(sim.run_until(60_000, |sim| sim.status(miner).mempool == 0));
    sim.stop_mining(miner);
    assert!(sim.run_until(30_000, |sim| agree(sim, all)));
}

/// What a node says from now on, as far as it is picked.
pub fn overhear<T: 'static>(
    sim: &mut Sim,
    node: Place,
    pick: impl Fn(&Message) -> Option<T> + 'static,
) -> Rc<RefCell<Vec<T>>> {
    let heard = Rc::new(RefCell::new(Vec::new()));
    let ear = Rc::clone(&heard);
    let listen = move |_, message| {
        ear.borrow_mut().extend(pick(&message));
        Some(message)
    };
    sim.corrupt(node, Box::new(listen));
    heard
}

/// Lets a node tell nobody of transactions from now on.
pub fn keep_transactions_secret(sim: &mut Sim, node: Place) {
    let secretive = |_, message| match message {
        Message::Link(LinkMessage::Transactions(_)) => None,
        other => Some(other),
    };
    sim.corrupt(node, Box::new(secretive));
}

/// Kills a node and opens it again.
///
/// # Panics
/// If it isn't open within a minute.
pub fn reopen(sim: &mut Sim, place: Place) {
    sim.kill(place);
    sim.open(place);
    assert!(sim.run_until(60_000, |sim| sim.status(place).sync != SyncState::Starting));
}

/// The tip of each place.
pub fn tips(sim: &mut Sim, places: &[Place]) -> Vec<BlockHash> {
    places.iter().map(|&place| sim.status(place).tip).collect()
}

/// The height of a place.
pub fn height(sim: &mut Sim, place: Place) -> u32 {
    sim.status(place).height.value()
}

/// Whether all places stand at one tip.
pub fn agree(sim: &mut Sim, places: &[Place]) -> bool {
    let tips = tips(sim, places);
    tips.windows(2).all(|pair| pair[0] == pair[1])
}

/// The block at a height, as one place has it.
pub fn hash_at(sim: &mut Sim, place: Place, height: u32) -> Option<BlockHash> {
    match sim.call(place, Command::BlockAt(Height::new(height))) {
        Ok(Reply::Block(block)) => block.map(|block| block.summary.hash),
        other => panic!("a block or none, not {other:?}"),
    }
}

/// The account of a numbered key, as one place sees it.
pub fn account(sim: &mut Sim, place: Place, number: u64) -> AccountView {
    match sim.call(place, Command::Account(address(number))) {
        Ok(Reply::Account(view)) => view,
        other => panic!("an account, not {other:?}"),
    }
}
