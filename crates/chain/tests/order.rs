//! Blocks in any order of arrival lead to the same tip and the same state.

use proptest::prelude::*;
use tabchain_chain::{Chain, testing::*};
use tabchain_primitives::Block;

/// A tree of blocks: each grows on one that was there before it, and pays someone. `parents[k]` chooses block k's.
fn tree(parents: &[prop::sample::Index]) -> Vec<Block> {
    let mut paths: Vec<Vec<Block>> = vec![Vec::new()];
    for (number, parent) in (0..).zip(parents) {
        let mut path = paths[parent.index(paths.len())].clone();
        path.push(child(&path, number));
        paths.push(path);
    }
    // One block more on the longest, so that it alone has the most work.
    let mut longest = paths.iter().max_by_key(|path| path.len()).expect("there is the genesis").clone();
    longest.push(child(&longest, 999));
    paths.push(longest);
    paths.into_iter().filter_map(|mut path| path.pop()).collect()
}

fn child(path: &[Block], number: u64) -> Block {
    let mut own = Archive::new(Chain::new(spec()));
    own.offer_all(path);
    let sender = Key::new(number % 8);
    let nonce = own.chain.account(&sender.address()).nonce.value();
    let payment = transfer(&spec(), &sender, nonce, Key::new(500 + number).address(), 10 + number, 1);
    own.extend(Key::new(600 + number % 3).address(), &[payment])
}

/// Offers blocks until all are taken in, each round those whose parents are there.
fn arrive(mut blocks: Vec<Block>) -> Archive {
    let mut archive = Archive::new(Chain::new(spec()));
    while !blocks.is_empty() {
        blocks.retain(|block| archive.offer(block).is_err());
    }
    archive
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn any_order_of_arrival_gives_the_same_tip_and_root(
        parents in prop::collection::vec(any::<prop::sample::Index>(), 1..14),
        order in any::<prop::sample::Index>(),
        headers_first in any::<bool>(),
    ) {
        let blocks = tree(&parents);
        let winner = blocks.last().expect("one was added").clone();
        let mut shuffled = blocks.clone();
        // A few turns and swaps by one number, so that a failure shrinks to a readable case.
        let turn = order.index(shuffled.len());
        shuffled.rotate_left(turn);
        (0..shuffled.len()).for_each(|at| shuffled.swap(at, (at * 7 + turn) % blocks.len()));
        let archive = if headers_first {
            let mut archive = Archive::new(Chain::new(spec()));
            for block in &blocks {
                archive.chain.insert_header(block.header, block.header.time()).expect("parents come first");
            }
            for block in &shuffled {
                archive.body(block);
            }
            archive
        } else {
            arrive(shuffled)
        };
        prop_assert_eq!(archive.chain.tip().hash, winner.hash());
        prop_assert_eq!(archive.chain.state_root(), winner.header.state_root());
        prop_assert_eq!(archive.chain.best_header(), archive.chain.tip());
        prop_assert!(archive.chain.missing_bodies(99).is_empty());
    }
}
