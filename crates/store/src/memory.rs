//! The store that forgets: ordered maps behind a lock.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard};

use tabchain_records::{Batch, Change, Column, Query, Rows, StoreError};

use crate::Store;

/// Rows in memory. Clones are handles of the same writer on the same rows.
///
/// Memory grows with what is put in, and with nothing else.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    shared: Arc<Mutex<Shared>>,
    epoch: u64,
}

impl MemoryStore {
    /// An empty store, ready to write.
    pub fn new() -> Self {
        Self::default()
    }

    /// A new writer on the same rows; this handle and its clones are fenced from now on.
    #[must_use = "the old handles can no longer write"]
    pub fn successor(&self) -> Self {
        let mut shared = self.lock();
        shared.epoch += 1;
        Self { shared: Arc::clone(&self.shared), epoch: shared.epoch }
    }

    /// [`Store::load`] for callers without an executor.
    pub fn load_now(&self, query: &Query) -> Result<Rows, StoreError> {
        if query.is_vacant() {
            return Ok(Rows::default());
        }
        let shared = self.lock();
        let rows = match query {
            Query::Get { column, key } => {
                let value = shared.columns[column.index()].get(key);
                value.map(|value| (key.clone(), value.clone())).into_iter().collect()
            }
            Query::Range { column, from, to, limit, reverse } => {
                range(&shared.columns[column.index()], from, to.as_deref(), *limit, *reverse)
            }
        };
        Ok(Rows(rows))
    }

    /// [`Store::commit`] for callers without an executor.
    pub fn commit_now(&self, batch: Batch) -> Result<(), StoreError> {
        batch.check()?;
        let mut shared = self.lock();
        if shared.epoch != self.epoch {
            return Err(StoreError::Fenced);
        }
        for change in batch.into_changes() {
            shared.apply(change);
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().expect("nothing panics while it holds the rows")
    }
}

impl Store for MemoryStore {
    async fn load(&self, query: Query) -> Result<Rows, StoreError> {
        self.load_now(&query)
    }

    async fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        self.commit_now(batch)
    }
}

type Table = BTreeMap<Vec<u8>, Vec<u8>>;

#[derive(Debug, Default)]
struct Shared {
    columns: [Table; Column::ALL.len()],
    epoch: u64,
}

impl Shared {
    fn apply(&mut self, change: Change) {
        let table = &mut self.columns[change.column().index()];
        match change {
            Change::Put { key, value, .. } => drop(table.insert(key, value)),
            Change::Delete { key, .. } => drop(table.remove(&key)),
            Change::DeleteRange { range, .. } => table.extract_if(range, |_, _| true).for_each(drop),
        }
    }
}

fn range(
    table: &Table,
    from: &[u8],
    to: Option<&[u8]>,
    limit: u32,
    reverse: bool,
) -> Vec<(Vec<u8>, Vec<u8>)> {
    let end = to.map_or(Bound::Unbounded, Bound::Excluded);
    let rows = table.range::<[u8], _>((Bound::Included(from), end));
    let own = |(key, value): (&Vec<u8>, &Vec<u8>)| (key.clone(), value.clone());
    let limit = limit as usize;
    if reverse { rows.rev().take(limit).map(own).collect() } else { rows.take(limit).map(own).collect() }
}
