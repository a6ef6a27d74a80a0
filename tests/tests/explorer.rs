//! Everything a page shows is read from the node's own store.

use tabchain_node::{BlockSummary, BlockView, Command, Cursor, Reply, TransactionStatus, TransactionView};
use tabchain_primitives::{BlockHash, Height, TxId};
use tabchain_sim::{Place, Sim};
use tabchain_tests::{address, hash_at, height, payment, world};

const PAYMENTS: u64 = 12;

/// A node with some blocks, among them twelve payments from key 1 to key 2.
fn node() -> (Sim, Place) {
    let mut sim = world(41);
    let node = sim.add_node();
    sim.start_mining(node, address(0));
    for nonce in 0..PAYMENTS {
        sim.call(node, Command::SendTransaction(payment(1, nonce, 2, 1_000 + nonce)))
            .expect("a good payment");
        sim.run_for(2_500);
    }
    sim.run_for(20_000);
    sim.stop_mining(node);
    assert_eq!(sim.status(node).mempool, 0);
    // What is in memory goes with a crash; what follows is read from the store.
    sim.run_for(2_000);
    sim.kill(node);
    sim.open(node);
    sim.run_for(2_000);
    (sim, node)
}

fn latest(sim: &mut Sim, node: Place, before: Option<u32>, limit: u32) -> Vec<BlockSummary> {
    match sim.call(node, Command::LatestBlocks { before: before.map(Height::new), limit }) {
        Ok(Reply::Blocks(blocks)) => blocks,
        other => panic!("blocks, not {other:?}"),
    }
}

fn history(sim: &mut Sim, node: Place, before: Option<Cursor>, limit: u32) -> Vec<TransactionView> {
    match sim.call(node, Command::TransactionsOf { address: address(2), before, limit }) {
        Ok(Reply::Transactions(views)) => views,
        other => panic!("transactions, not {other:?}"),
    }
}

fn block(sim: &mut Sim, node: Place, hash: BlockHash) -> Option<Box<BlockView>> {
    match sim.call(node, Command::Block(hash)) {
        Ok(Reply::Block(block)) => block,
        other => panic!("a block or none, not {other:?}"),
    }
}

#[test]
fn blocks_are_paged_down_to_the_genesis() {
    let (mut sim, node) = node();
    let tip = height(&mut sim, node);
    let mut heights = Vec::new();
    let mut before = None;
    loop {
        let page = latest(&mut sim, node, before, 7);
        let Some(last) = page.last() else { break };
        before = Some(last.header.height().value());
        heights.extend(page.iter().map(|summary| summary.header.height().value()));
    }
    assert_eq!(heights, (0..=tip).rev().collect::<Vec<_>>());
}

#[test]
fn a_summary_says_what_its_block_says() {
    let (mut sim, node) = node();
    let mut transactions = 0;
    for summary in latest(&mut sim, node, None, 100) {
        let view = block(&mut sim, node, summary.hash).expect("every block is there");
        assert_eq!(view.summary, summary);
        assert_eq!(view.transactions.len(), summary.header.tx_count() as usize);
        transactions += view.transactions.len() as u64;
        let paid = view.transactions.iter().map(|view| view.transaction.fee().units()).sum::<u64>();
        assert_eq!(summary.fees.units(), paid);
        let tip = height(&mut sim, node);
        assert_eq!(view.confirmations, tip - summary.header.height().value() + 1);
    }
    assert_eq!(transactions, PAYMENTS);
}

#[test]
fn the_history_of_an_address_is_paged_newest_first() {
    let (mut sim, node) = node();
    let mut amounts = Vec::new();
    let mut before = None;
    loop {
        let page = history(&mut sim, node, before, 5);
        let Some(last) = page.last() else { break };
        let TransactionStatus::Confirmed { height, position, .. } = last.status else {
            panic!("all are confirmed")
        };
        before = Some(Cursor { height, position });
        amounts.extend(page.iter().map(|view| view.transaction.action().outputs()[0].amount().units()));
    }
    assert_eq!(amounts, (0..PAYMENTS).map(|nonce| 1_000 + nonce).rev().collect::<Vec<_>>());
}

#[test]
fn what_is_not_there_is_said_to_be_not_there() {
    let (mut sim, node) = node();
    assert!(block(&mut sim, node, BlockHash::from_bytes([7; 32])).is_none());
    assert_eq!(hash_at(&mut sim, node, 1_000_000), None);
    let unknown = sim.call(node, Command::Transaction(TxId::from_bytes([7; 32])));
    assert_eq!(unknown, Ok(Reply::Transaction(None)));
    let genesis = hash_at(&mut sim, node, 0).expect("a chain begins somewhere");
    assert_eq!(genesis, sim.status(node).genesis);
}

#[test]
fn blocks_that_were_taken_back_leave_no_ghosts_in_what_is_looked_up() {
    let mut sim = world(42);
    let (node, other) = (sim.add_node(), sim.add_node());
    let both = |sim: &mut Sim, nonce| {
        for (place, from) in [(node, 1), (other, 4)] {
            let own = payment(from, nonce, 2, 1_000 + nonce);
            sim.call(place, Command::SendTransaction(own)).expect("a good payment");
        }
        sim.run_for(4_000);
    };
    // Enough blocks that the index of the first ones is on disk.
    sim.start_mining(node, address(0));
    sim.start_mining(other, address(3));
    for nonce in 0..30 {
        both(&mut sim, nonce);
    }
    sim.stop_mining(node);
    let lost = hash_at(&mut sim, node, 5).expect("a block");
    let behind = height(&mut sim, node);
    assert!(behind > 80, "{behind}");
    sim.run_until(600_000, |sim| height(sim, other) > behind + 5);
    sim.stop_mining(other);
    sim.connect(node, other);
    assert!(sim.run_until(60_000, |sim| sim.status(node).tip == sim.status(other).tip));
    assert_ne!(hash_at(&mut sim, node, 5), Some(lost), "the other chain won");

    let amounts = |sim: &mut Sim| {
        // What was taken back is pending again, and comes before all that is confirmed.
        let (mut amounts, mut before) = (Vec::new(), Cursor { height: Height::MAX, position: 0 });
        loop {
            let page = history(sim, node, Some(before), 7);
            for view in &page {
                let TransactionStatus::Confirmed { height, position, .. } = view.status else {
                    panic!("only what is confirmed has a place")
                };
                before = Cursor { height, position };
                amounts.push(view.transaction.action().outputs()[0].amount().units());
            }
            if page.len() < 7 {
                return amounts;
            }
        }
    };
    assert_eq!(amounts(&mut sim), (0..30).map(|nonce| 1_000 + nonce).rev().collect::<Vec<_>>());
    for nonce in 0..30 {
        let found = |sim: &mut Sim, from| match sim
            .call(node, Command::Transaction(payment(from, nonce, 2, 1_000 + nonce).id()))
        {
            Ok(Reply::Transaction(Some(view))) => Some(view.status),
            _ => None,
        };
        assert!(matches!(found(&mut sim, 4), Some(TransactionStatus::Confirmed { .. })));
        assert!(!matches!(found(&mut sim, 1), Some(TransactionStatus::Confirmed { .. })));
    }
}
