//! A node's disk: rows in ordered maps, and operations that take their time, one after the other.
//!
//! What has not finished when the node dies is lost, as with a real store; when the power fails, so may be the last commits that
//! asked for no more than relaxed durability. They are undone newest first, so that history only gets shorter. Memory grows
//! with what is put in.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;

use tabchain_primitives::Timestamp;
use tabchain_records::{Batch, Change, Column, Durability, Query, Rows, StoreError};

type Table = BTreeMap<Vec<u8>, Vec<u8>>;

/// Rows that outlive the node they belong to.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    tables: [Table; Column::ALL.len()],
    busy_until: Timestamp,
    /// How many bytes it takes at all; none is no limit.
    quota: Option<usize>,
    written: usize,
    /// So many commits are remembered with what they replaced.
    volatile_most: usize,
    volatile: VecDeque<Vec<Replaced>>,
}

/// What stood under a key before.
type Replaced = (Column, Vec<u8>, Option<Vec<u8>>);

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
        let strict = batch.durability() == Durability::Strict;
        let mut replaced = Vec::new();
        for change in batch.into_changes() {
            self.apply(change, &mut replaced);
        }
        if strict || self.volatile_most == 0 {
            self.volatile.clear();
        } else {
            self.volatile.push_back(replaced);
            if self.volatile.len() > self.volatile_most {
                self.volatile.pop_front();
            }
        }
        Ok(())
    }

    /// How many of the last commits a power cut could undo.
    pub fn volatile(&self) -> usize {
        self.volatile.len()
    }

    /// Undoes the last so many commits, as far as they are volatile.
    pub fn lose_last(&mut self, commits: usize) {
        for _ in 0..commits {
            let Some(replaced) = self.volatile.pop_back() else { return };
            for (column, key, before) in replaced.into_iter().rev() {
                let table = &mut self.tables[column.index()];
                match before {
                    Some(value) => table.insert(key, value),
                    None => table.remove(&key),
                };
            }
        }
        self.volatile.clear();
    }

    pub(crate) fn set_volatile(&mut self, most: usize) {
        self.volatile_most = most;
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

    /// Makes a change and notes what it replaces.
    fn apply(&mut self, change: Change, replaced: &mut Vec<Replaced>) {
        let column = change.column();
        let table = &mut self.tables[column.index()];
        match change {
            Change::Put { key, value, .. } => {
                let before = table.insert(key.clone(), value);
                replaced.push((column, key, before));
            }
            Change::Delete { key, .. } => {
                let before = table.remove(&key);
                replaced.push((column, key, before));
            }
            Change::DeleteRange { range, .. } => {
                let gone = table.extract_if(range, |_, _| true);
                replaced.extend(gone.map(|(key, value)| (column, key, Some(value))));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(value: u8, durability: Durability) -> Batch {
        let mut batch = Batch::new(durability);
        batch.put(Column::Meta, *b"key", vec![value]);
        batch.put(Column::Index, [value], Vec::new());
        batch
    }

    fn value(disk: &Disk) -> Option<Vec<u8>> {
        disk.load(&Query::get(Column::Meta, *b"key")).into_value()
    }

    #[test]
    fn a_power_cut_undoes_the_last_commits_but_none_before_a_strict_one() {
        let mut disk = Disk::default();
        disk.set_volatile(2);
        disk.commit(put(1, Durability::Strict)).expect("there is room");
        for number in 2..=4 {
            disk.commit(put(number, Durability::Relaxed)).expect("there is room");
        }
        let mut cleared = Batch::default();
        cleared.clear(Column::Index);
        disk.commit(cleared).expect("there is room");
        assert_eq!(disk.rows(Column::Index).count(), 0);

        let mut once = disk.clone();
        once.lose_last(1);
        assert_eq!((value(&once), once.rows(Column::Index).count()), (Some(vec![4]), 4));
        disk.lose_last(9);
        assert_eq!(value(&disk), Some(vec![3]), "no more than two");

        disk.commit(put(9, Durability::Strict)).expect("there is room");
        disk.lose_last(9);
        assert_eq!(value(&disk), Some(vec![9]));
    }
}
