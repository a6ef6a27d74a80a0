//! The small world that the bytes are offered to: a chain of a few blocks, one that parts from it, and a lie.

use std::sync::{Arc, LazyLock};

use tabchain_chain::testing::{Archive, Key, transfer};
use tabchain_chain::{Chain, Undo};
use tabchain_consensus::ChainSpec;
use tabchain_primitives::{Block, Header, StateRoot, Transaction, Work};
use tabchain_sim::adversary::forge;

use crate::door::with_work;

/// The chain spec, made once: its keys take longer than most that is done with it.
pub(super) fn spec() -> Arc<ChainSpec> {
    static SPEC: LazyLock<Arc<ChainSpec>> = LazyLock::new(tabchain_chain::testing::spec);
    Arc::clone(&SPEC)
}

/// Blocks to choose from.
pub(super) struct Blocks {
    /// Each with the work of its chain.
    pub(super) all: Vec<(Block, Work)>,
    /// How many of them, from the first, are one chain.
    pub(super) main: usize,
}

/// Six blocks of one chain, three that part from it after the second, and one more that lies about the state.
pub(super) static BLOCKS: LazyLock<Blocks> = LazyLock::new(|| {
    let main = grow(&[], 6, 60);
    let mut all = main.clone();
    all.extend(grow(&main[..2], 3, 61));
    let (last, work) = grow(&main, 1, 62).remove(0);
    let header = with_work(&last.header, |fields| fields.state_root = StateRoot::ZERO);
    all.push((Block { header, ..last }, work));
    Blocks { all, main: main.len() }
});

/// Headers that are more than one answer holds, on the genesis, with nothing true below them.
pub(super) static LONG: LazyLock<Vec<Header>> = LazyLock::new(|| {
    let spec = spec();
    let end = spec.genesis_header().time().saturating_add(4_100 * spec.interval_ms());
    forge(&spec, 4_100, end, 7)
});

/// The chain at the block whose state honest peers serve: the third of the main blocks from their end.
pub(super) static SERVED: LazyLock<Chain> = LazyLock::new(|| at(BLOCKS.main - 2).chain);

/// The chain after so many of the main blocks.
fn at(blocks: usize) -> Archive {
    let mut archive = Archive::new(Chain::new(spec()));
    for (block, _) in &BLOCKS.all[..blocks] {
        archive.offer(block).expect("a good block");
    }
    archive
}

fn grow(on: &[(Block, Work)], count: u64, miner: u64) -> Vec<(Block, Work)> {
    let mut archive = Archive::new(Chain::new(spec()));
    for (block, _) in on {
        archive.offer(block).expect("a good block");
    }
    let first = archive.chain.account(&Key::new(3).address()).nonce.value();
    let next = |at| {
        let block = archive.extend(Key::new(miner).address(), &payments(first + at));
        (block, archive.chain.tip().work)
    };
    (0..count).map(next).collect()
}

/// What is paid in the block where key 3 has this nonce.
pub(super) fn payments(nonce: u64) -> Vec<Transaction> {
    vec![
        transfer(&spec(), &Key::new(3), nonce, Key::new(40 + nonce).address(), 500, 9_000),
        transfer(&spec(), &Key::new(4), nonce, Key::new(3).address(), 7, 9_000),
    ]
}

/// The chain at the end of the main blocks, and what takes its last block back.
pub(super) fn chain() -> (Chain, Undo) {
    let mut archive = at(BLOCKS.main);
    let tip = archive.chain.tip().hash;
    let undo = archive.undos.remove(&tip).expect("it was connected");
    (archive.chain, undo)
}
