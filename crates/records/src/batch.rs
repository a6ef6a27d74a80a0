//! A list of changes that happen together or not at all.

use std::ops::Range;

use crate::{Column, MAX_KEY_BYTES, MAX_VALUE_BYTES, StoreError};

/// How sure a commit must be before it is reported as done.
///
/// Either way a batch is atomic and later batches never outlive earlier ones; a power cut may only shorten history.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Durability {
    /// Handed to the operating system: fast, may be lost with the power. For bulk.
    #[default]
    Relaxed,
    /// On the disk. For tips and for keys.
    Strict,
}

/// One change to one column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Writes a value, replacing what was there.
    Put {
        /// Where.
        column: Column,
        /// Under which key.
        key: Vec<u8>,
        /// What.
        value: Vec<u8>,
    },
    /// Removes one key; nothing happens where there is none.
    Delete {
        /// Where.
        column: Column,
        /// Which key.
        key: Vec<u8>,
    },
    /// Removes every key of a half-open range, which is neither empty nor inverted.
    DeleteRange {
        /// Where.
        column: Column,
        /// From the start, which goes too, up to the end, which stays.
        range: Range<Vec<u8>>,
    },
}

/// Changes that a store applies in order, as one: all of them or none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    durability: Durability,
    changes: Vec<Change>,
    bytes: usize,
}

impl Batch {
    /// An empty batch.
    pub const fn new(durability: Durability) -> Self {
        Self { durability, changes: Vec::new(), bytes: 0 }
    }

    /// Writes `value` under `key`.
    pub fn put(&mut self, column: Column, key: impl Into<Vec<u8>>, value: Vec<u8>) {
        self.push(Change::Put { column, key: key.into(), value });
    }

    /// Removes `key`.
    pub fn delete(&mut self, column: Column, key: impl Into<Vec<u8>>) {
        self.push(Change::Delete { column, key: key.into() });
    }

    /// Removes every key from `range.start` up to, without, `range.end`. An empty or inverted range is no change.
    pub fn delete_range(&mut self, column: Column, range: Range<Vec<u8>>) {
        if !range.is_empty() {
            self.push(Change::DeleteRange { column, range });
        }
    }

    /// Removes every key of `column`.
    pub fn clear(&mut self, column: Column) {
        // One byte longer than any key may be, so it sorts after all of them.
        let end = vec![0xff; MAX_KEY_BYTES + 1];
        self.delete_range(column, Vec::new()..end);
    }

    /// Appends the changes of `other`; the stricter durability wins.
    pub fn merge(&mut self, other: Self) {
        self.durability = self.durability.max(other.durability);
        self.bytes += other.bytes;
        self.changes.extend(other.changes);
    }

    /// Whether there is nothing to change.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// How many changes there are.
    pub fn len(&self) -> usize {
        self.changes.len()
    }

    /// The size of all keys and values together, for whoever decides when a batch is large enough.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// How sure the commit must be.
    pub fn durability(&self) -> Durability {
        self.durability
    }

    /// The changes in the order they apply.
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// Hands the changes out, in order.
    pub fn into_changes(self) -> Vec<Change> {
        self.changes
    }

    /// Refuses keys and values over their bounds. Every store asks this before it touches anything.
    pub fn check(&self) -> Result<(), StoreError> {
        self.changes.iter().try_for_each(Change::check)
    }

    fn push(&mut self, change: Change) {
        self.bytes += change.bytes();
        self.changes.push(change);
    }
}

impl Change {
    /// The column it changes.
    pub fn column(&self) -> Column {
        match self {
            Self::Put { column, .. } | Self::Delete { column, .. } | Self::DeleteRange { column, .. } => {
                *column
            }
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Put { key, value, .. } => key.len() + value.len(),
            Self::Delete { key, .. } => key.len(),
            Self::DeleteRange { range, .. } => range.start.len() + range.end.len(),
        }
    }

    fn check(&self) -> Result<(), StoreError> {
        match self {
            Self::Put { key, value, .. } => {
                key_fits(key)?;
                value_fits(value)
            }
            Self::Delete { key, .. } => key_fits(key),
            // Bounds are no keys: one may well lie past the longest key.
            Self::DeleteRange { .. } => Ok(()),
        }
    }
}

fn key_fits(key: &[u8]) -> Result<(), StoreError> {
    if key.len() > MAX_KEY_BYTES { Err(StoreError::KeyTooLong(key.len())) } else { Ok(()) }
}

fn value_fits(value: &[u8]) -> Result<(), StoreError> {
    if value.len() > MAX_VALUE_BYTES { Err(StoreError::ValueTooLarge(value.len())) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merging_keeps_order_adds_bytes_and_takes_the_stricter_durability() {
        let mut first = Batch::new(Durability::Relaxed);
        first.put(Column::Meta, b"a", vec![1, 2]);
        let mut second = Batch::new(Durability::Strict);
        second.delete(Column::Meta, b"a");
        second.delete_range(Column::Index, vec![1]..vec![2]);
        first.merge(second);

        assert_eq!(first.durability(), Durability::Strict);
        assert_eq!((first.len(), first.bytes()), (3, 3 + 1 + 2));
        assert!(matches!(
            first.changes(),
            [Change::Put { .. }, Change::Delete { .. }, Change::DeleteRange { .. }]
        ));
    }

    #[test]
    fn the_bounds_are_the_last_that_fit() {
        let fits = |key: usize, value: usize| {
            let mut batch = Batch::default();
            batch.put(Column::State, vec![0; key], vec![0; value]);
            batch.check()
        };
        assert_eq!(fits(MAX_KEY_BYTES, MAX_VALUE_BYTES), Ok(()));
        assert_eq!(fits(MAX_KEY_BYTES + 1, 0), Err(StoreError::KeyTooLong(MAX_KEY_BYTES + 1)));
        assert_eq!(fits(0, MAX_VALUE_BYTES + 1), Err(StoreError::ValueTooLarge(MAX_VALUE_BYTES + 1)));
    }

    #[test]
    fn ranges_without_keys_are_no_change() {
        let mut batch = Batch::default();
        batch.delete_range(Column::Index, vec![2]..vec![2]);
        batch.delete_range(Column::Index, vec![2]..vec![1]);
        assert!(batch.is_empty());
    }

    #[test]
    fn clearing_reaches_past_the_longest_key() {
        let mut batch = Batch::default();
        batch.clear(Column::Peers);
        let [Change::DeleteRange { range, .. }] = batch.changes() else { panic!("clear is one range") };
        assert!(range.contains(&vec![0xff; MAX_KEY_BYTES]));
        assert!(range.contains(&Vec::new()));
    }
}
