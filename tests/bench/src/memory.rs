//! Memory of accounts and of headers, as the tab or the process grows by them.
//!
//! What is freed on the way is counted as well, as a tab never gives memory back: blocks are as small as in life, so it
//! is little.

use tabchain_chain::Chain;
use tabchain_primitives::Timestamp;

use crate::{Scale, headers, rows::Rows, world};

pub(crate) fn of_accounts(scale: Scale) -> Rows {
    let accounts = scale.pick(1_000_000, 2_000);
    let before = bytes();
    let chain = world::chain(&[], accounts);
    let grown = bytes() - before;
    assert!(chain.accounts() >= accounts, "all of them, the one that paid and the miner");
    let mut rows = Rows::default();
    rows.add("memory of 1,000,000 accounts", grown / 1e6, "MB");
    rows.add("memory of an account", grown / to_f64(accounts), "bytes");
    rows
}

pub(crate) fn of_headers(scale: Scale) -> Rows {
    let headers = headers::chain_of(scale.pick(100_000, 100));
    let before = bytes();
    let mut chain = Chain::new(world::spec());
    for header in &headers {
        chain.insert_header(*header, Timestamp::from_millis(u64::MAX)).expect("a good header");
    }
    let grown = bytes() - before;
    assert_eq!(chain.best_header().height.value() as usize, headers.len());
    let mut rows = Rows::default();
    rows.add("memory of a header", grown / to_f64(headers.len()), "bytes");
    rows
}

fn to_f64(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::INFINITY, f64::from)
}

/// How large the page's memory is.
#[cfg(target_family = "wasm")]
fn bytes() -> f64 {
    to_f64(core::arch::wasm32::memory_size(0)) * 65_536.0
}

/// How much of the process is in memory, where the system says so.
#[cfg(not(target_family = "wasm"))]
fn bytes() -> f64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm.split_whitespace().nth(1).and_then(|pages| pages.parse().ok());
    pages.map_or(0.0, |pages: u32| f64::from(pages) * 4_096.0)
}
