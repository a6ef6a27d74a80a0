//! How the difficulty of the `test` chain follows a hash rate that jumps: the figures of `docs/protocol.md`, section 6.
//!
//! Solve times are drawn from the exponential distribution that mining has, by a seeded generator, in integers.

use tabchain_consensus::{ChainSpec, next_target};
use tabchain_primitives::{Header, HeaderFields, Height, Timestamp};
#[cfg(target_family = "wasm")]
use wasm_bindgen_test::wasm_bindgen_test as test;

#[cfg(target_family = "wasm")]
wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_dedicated_worker);

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;

/// A chain of headers that some hash rate finds.
struct Chain {
    spec: ChainSpec,
    parent: Header,
    tip: Header,
    random: u64,
    /// In hashes per millisecond.
    hash_rate: u64,
}

impl Chain {
    /// A chain whose first target takes the hash rate just the intended interval.
    fn steady(seed: u64) -> Self {
        let spec = ChainSpec::test();
        let genesis = *spec.genesis_header();
        let tip = above(&genesis, genesis.time().saturating_add(spec.interval_ms()), spec.genesis_target());
        let hash_rate = work(&tip) / spec.interval_ms();
        let mut chain = Self { parent: genesis, tip, random: seed, hash_rate, spec };
        chain.blocks(500);
        chain
    }

    /// Finds one block; its solve time in milliseconds.
    fn block(&mut self) -> u64 {
        let target = next_target(&self.spec, &self.tip, Some(&self.parent));
        let next = above(&self.tip, self.tip.time(), target);
        let average = u128::from(work(&next)) * 65_536 / u128::from(self.hash_rate);
        let solve_time = (average * u128::from(self.exponential())) >> 32;
        self.found_after(u64::try_from(solve_time).expect("a few hours"), target)
    }

    /// Finds one block after so long, whatever the hash rate.
    fn block_after(&mut self, solve_time: u64) {
        let target = next_target(&self.spec, &self.tip, Some(&self.parent));
        self.found_after(solve_time, target);
    }

    fn found_after(&mut self, solve_time: u64, target: tabchain_primitives::CompactTarget) -> u64 {
        let solve_time = solve_time.max(1);
        let next = above(&self.tip, self.tip.time().saturating_add(solve_time), target);
        self.parent = std::mem::replace(&mut self.tip, next);
        solve_time
    }

    /// Finds so many blocks; how long they took together.
    fn blocks(&mut self, count: u64) -> u64 {
        (0..count).map(|_| self.block()).sum()
    }

    /// Finds blocks until the next is expected within twice the interval, and not under half of it: how many, how long.
    fn until_settled(&mut self) -> (u64, u64) {
        let (mut count, mut time) = (0, 0);
        while !(MINUTE / 2..=2 * MINUTE).contains(&self.expected()) {
            time += self.block();
            count += 1;
        }
        (count, time)
    }

    /// How long the next block takes on average.
    fn expected(&self) -> u64 {
        let target = next_target(&self.spec, &self.tip, Some(&self.parent));
        work(&above(&self.tip, self.tip.time(), target)) / self.hash_rate
    }

    /// A number with mean 1 as a multiple of 2^-16, exponentially distributed: John von Neumann's way, by comparing
    /// uniform numbers only.
    fn exponential(&mut self) -> u64 {
        for whole in 0.. {
            let first = self.uniform();
            let (mut last, mut length) = (first, 1);
            loop {
                let next = self.uniform();
                if next >= last {
                    break;
                }
                (last, length) = (next, length + 1);
            }
            if length % 2 == 1 {
                return (whole << 16) + (first >> 16);
            }
        }
        unreachable!("a run is odd sooner or later")
    }

    /// 32 bits of `SplitMix64`.
    fn uniform(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.random ^ (self.random >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) >> 32
    }
}

fn above(parent: &Header, time: Timestamp, target: tabchain_primitives::CompactTarget) -> Header {
    let height = Height::new(parent.height().value() + 1);
    Header::new(HeaderFields { height, time, target, ..parent.fields() })
}

fn work(header: &Header) -> u64 {
    header.target().expand().expect("a target").work().value().try_into().expect("little work")
}

/// The median over many seeds, so that the figures say what is usual.
fn median(mut run: impl FnMut(&mut Chain) -> (u64, u64)) -> (u64, u64) {
    let runs: Vec<_> = (1..=101).map(|seed| run(&mut Chain::steady(seed))).collect();
    let middle = |mut values: Vec<u64>| {
        values.sort_unstable();
        values[values.len() / 2]
    };
    (middle(runs.iter().map(|run| run.0).collect()), middle(runs.iter().map(|run| run.1).collect()))
}

/// Under a steady hash rate the interval is as intended, within 2 % over 20,000 blocks.
#[test]
fn a_steady_hash_rate_keeps_the_interval() {
    let mut chain = Chain::steady(7);
    let average = chain.blocks(20_000) / 20_000;
    println!("steady: {average} ms");
    assert!(average.abs_diff(MINUTE) < MINUTE / 50, "{average} ms");
}

#[test]
fn a_hundredfold_hash_rate_is_followed() {
    let (blocks, time) = median(|chain| {
        chain.hash_rate *= 100;
        chain.until_settled()
    });
    println!("x100: {blocks} blocks in {} s", time / 1000);
    assert!((170..=230).contains(&blocks), "{blocks} blocks");
    assert!(time < 40 * MINUTE, "{time} ms");
}

#[test]
fn a_hundredth_of_the_hash_rate_is_followed() {
    let (blocks, time) = median(|chain| {
        chain.hash_rate /= 100;
        chain.until_settled()
    });
    println!("/100: {blocks} blocks in {} s", time / 1000);
    assert!(blocks <= 40, "{blocks} blocks");
    assert!(time < 4 * HOUR, "{time} ms");
}

/// Nobody mines for eight hours, then all come back: easier for a moment, then as before.
#[test]
fn an_eight_hour_silence_is_made_up_for() {
    let (blocks, time) = median(|chain| {
        chain.block_after(8 * HOUR);
        chain.until_settled()
    });
    println!("8 h silence: {blocks} blocks in {} s", time / 1000);
    assert!((60..=140).contains(&blocks), "{blocks} blocks");
    assert!(time < HOUR, "{time} ms");
}

/// A miner of all blocks who lies about time gains nothing: the target after n blocks depends on the time they span,
/// not on how it is spread (as long as no gap is above four half-lives).
#[test]
fn spreading_time_otherwise_gains_nothing() {
    let even = {
        let mut chain = Chain::steady(3);
        (0..60).for_each(|_| chain.block_after(MINUTE));
        chain.expected()
    };
    let uneven = {
        let mut chain = Chain::steady(3);
        (0..59).for_each(|_| chain.block_after(1));
        chain.block_after(60 * MINUTE - 59);
        chain.expected()
    };
    println!("even {even} ms, uneven {uneven} ms");
    assert!(even.abs_diff(uneven) < even / 100, "{even} ms and {uneven} ms");
}
