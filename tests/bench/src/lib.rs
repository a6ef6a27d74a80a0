//! How fast the ledger is: the same work, timed natively and in a tab.
//!
//! `cargo xtask bench` runs each of [`BENCHES`] in a process, or a page, of its own, so that the memory one of them
//! leaves behind is not counted as another's. Every time is the median of seven rounds, after as many that warm up; the
//! best of them stands beside it, as other work on the machine makes a median mean little.

mod blocks;
mod catching_up;
mod headers;
mod memory;
pub mod peer;
mod rows;
mod signatures;
mod template;
pub mod world;

pub use headers::chain_of;
pub use rows::{Row, Rows};

/// A piece of work to be measured.
pub type Bench = fn(Scale) -> Rows;

/// Every piece of work by its name.
pub const BENCHES: [(&str, Bench); 7] = [
    ("signatures", signatures::measure),
    ("blocks", blocks::measure),
    ("catching-up", catching_up::measure),
    ("headers", headers::measure),
    ("template", template::measure),
    ("memory-accounts", memory::of_accounts),
    ("memory-headers", memory::of_headers),
];

/// How much of the work is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// As much as figures need.
    Full,
    /// As little as shows that the work can be done at all.
    Small,
}

impl Scale {
    /// One of two sizes.
    pub(crate) const fn pick(self, full: usize, small: usize) -> usize {
        match self {
            Self::Full => full,
            Self::Small => small,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bench_works() {
        for (name, bench) in BENCHES {
            let rows = bench(Scale::Small).0;
            assert!(!rows.is_empty(), "{name} has figures");
            for row in rows {
                assert!(row.best.is_finite() && row.best >= row.value && row.value >= 0.0, "{row}");
            }
        }
    }
}
