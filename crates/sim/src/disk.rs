//! A node's disk: rows in ordered maps, and operations that take their time, one after the other.
//!
//! What has not finished when the node dies is lost, as with a real store. Memory grows with what is put in.

use std::collections::BTreeMap;
use std::ops::Bound;

use tabchain_primitives::Timestamp;
use tabchain_records::{Batch, Change, Column, Query, Rows, StoreError};

type Table = BTreeMap<Vec<u8>, Vec<u8>>;

/// Rows that outlive the node they belong to.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    tables: [Table; Column::ALL.len()],
    busy_until: Timestamp,
    /// How many bytes it takes at all; none is no limit.
    quota: Option<usize>,
    written: usize,
}

impl Disk {
    /// When an operation that takes `millis` and is begun now will be finished.
    pub(crate) fn begin(&mut self, now: Timestamp, millis: u64) -> Timestamp {
        self.busy_until = self.busy_until.max(now).saturating_add(millis);
        self.busy_until
    }

    /// Forgets what was being done.
    pub(crate) fn reset(&mut self) {
        self.busy_until = Timestamp::ZERO;
    }

    /// From now on the disk takes only so many more bytes.
    pub fn set_quota(&mut self, bytes: usize) {
        self.quota = Some(self.written.saturating_add(bytes));
    }

    /// Applies a batch, whole or not at all.
    pub fn commit(&mut self, batch: Batch) -> Result<(), StoreError> {
        batch.check()?;
        let written = self.written.saturating_add(batch.bytes());
        if self.quota.is_some_and(|quota| written > quota) {
            return Err(StoreError::QuotaExceeded);
        }
        self.written = written;
        for change in batch.into_changes() {
            self.apply(change);
        }
        Ok(())
    }

    /// Answers a question.
    pub fn load(&self, query: &Query) -> Rows {
        match query {
            Query::Get { column, key } => {
                let value = self.table(*column).get(key);
                Rows(value.map(|value| (key.clone(), value.clone())).into_iter().collect())
            }
            Query::Range { column, from, to, limit, reverse } => {
                if to.as_ref().is_some_and(|to| to <= from) {
                    return Rows::default();
                }
                let end = to.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
                let rows = self.table(*column).range::<Vec<u8>, _>((Bound::Included(from), end));
                let rows = rows.map(|(key, value)| (key.clone(), value.clone()));
                let limit = *limit as usize;
                Rows(if *reverse { rows.rev().take(limit).collect() } else { rows.take(limit).collect() })
            }
        }
    }

    /// The rows of a column.
    pub fn rows(&self, column: Column) -> impl Iterator<Item = (&Vec<u8>, &Vec<u8>)> {
        self.table(column).iter()
    }

    /// Does damage: changes, as only a broken disk would, every row of a column.
    pub fn damage(&mut self, column: Column, mut how: impl FnMut(&[u8], &mut Vec<u8>)) {
        for (key, value) in &mut self.tables[column.index()] {
            how(key, value);
        }
    }

    /// Loses the rows of a column for which `which` is true.
    pub fn lose(&mut self, column: Column, mut which: impl FnMut(&[u8]) -> bool) {
        self.tables[column.index()].retain(|key, _| !which(key));
    }

    fn table(&self, column: Column) -> &Table {
        &self.tables[column.index()]
    }

    fn apply(&mut self, change: Change) {
        match change {
            Change::Put { column, key, value } => {
                self.tables[column.index()].insert(key, value);
            }
            Change::Delete { column, key } => {
                self.tables[column.index()].remove(&key);
            }
            Change::DeleteRange { column, range } => {
                self.tables[column.index()].retain(|key, _| !range.contains(key));
            }
        }
    }
}
