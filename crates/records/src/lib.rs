//! What can be said to a store, as plain values.
//!
//! The node core asks for rows and hands out batches without knowing who keeps them; the store keeps them without
//! knowing what they mean. This crate is the vocabulary between the two: no rules, no I/O, no floor above it.
//!
//! Keys sort as bytes. A key has at most [`MAX_KEY_BYTES`], a value at most [`MAX_VALUE_BYTES`]; a batch that breaks
//! either bound is refused whole by every store.
//!
//! ```
//! use tabchain_records::{Batch, Column, Durability, Query};
//!
//! let mut batch = Batch::new(Durability::Strict);
//! batch.put(Column::Meta, b"tip", vec![1, 2, 3]);
//! assert_eq!(batch.bytes(), 6);
//! assert!(batch.check().is_ok());
//!
//! let newest = Query::prefix(Column::Headers, b"", 1).reversed();
//! assert_eq!(newest.column(), Column::Headers);
//! ```

mod batch;
mod error;
mod query;

pub use batch::{Batch, Change, Durability};
pub use error::StoreError;
pub use query::{Query, Rows};

/// The longest key, in bytes.
pub const MAX_KEY_BYTES: usize = 256;

/// The largest value, in bytes (16 MiB).
pub const MAX_VALUE_BYTES: usize = 16 * 1024 * 1024;

/// One kind of record. Each is a table of its own with its own ordered keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Column {
    /// Block headers and what was learnt about them.
    Headers,
    /// Block bodies, one blob a block.
    Bodies,
    /// What takes a connected block back.
    Undo,
    /// Account state, one blob a key range.
    State,
    /// Look-ups derived from blocks: transactions, addresses, topics.
    Index,
    /// Single facts: the tip, the chain's genesis, progress of a join.
    Meta,
    /// Encrypted keys and the wallet's own notes.
    Wallet,
    /// Remembered peers.
    Peers,
    /// States of earlier blocks: to be served, and to check the past with.
    Snapshots,
    /// Headers far below the tip, many a row.
    HeaderPages,
    /// Block bodies far below the tip, many a row.
    BodyPages,
}

impl Column {
    /// Every column, in the order of declaration.
    pub const ALL: [Self; 11] = [
        Self::Headers,
        Self::Bodies,
        Self::Undo,
        Self::State,
        Self::Index,
        Self::Meta,
        Self::Wallet,
        Self::Peers,
        Self::Snapshots,
        Self::HeaderPages,
        Self::BodyPages,
    ];

    /// The name of the table on disk; changing one is a change of schema.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Headers => "headers",
            Self::Bodies => "bodies",
            Self::Undo => "undo",
            Self::State => "state",
            Self::Index => "index",
            Self::Meta => "meta",
            Self::Wallet => "wallet",
            Self::Peers => "peers",
            Self::Snapshots => "snapshots",
            Self::HeaderPages => "header-pages",
            Self::BodyPages => "body-pages",
        }
    }

    /// The column's place in [`Column::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_sit_at_their_index_under_distinct_names() {
        let names: std::collections::BTreeSet<_> = Column::ALL.iter().map(|c| c.name()).collect();
        assert_eq!(names.len(), Column::ALL.len());
        for (place, column) in Column::ALL.into_iter().enumerate() {
            assert_eq!(column.index(), place);
        }
    }
}
