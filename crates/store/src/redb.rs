//! The store on a native disk, kept by `redb`: one file, one table a column.
//!
//! Calls block the thread they are made on for the time of a disk access; whoever shares a thread with sockets puts the
//! driver on one of its own. At most [`MAX_UNSYNCED_BYTES`] of relaxed commits are ever at stake at once.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use redb::{
    AccessGuard, Database, ReadableDatabase, ReadableTable, Table, TableDefinition, TableHandle,
    WriteTransaction,
};
use tabchain_records::{Batch, Change, Column, Durability, Query, Rows, StoreError};

use crate::{SCHEMA, Store};

/// After so many bytes of relaxed commits the next commit waits for the disk, whatever it asked for (16 MiB).
pub const MAX_UNSYNCED_BYTES: usize = 16 * 1024 * 1024;

/// Rows in one file. Clones are handles of the same writer; one process has the file open at a time.
#[derive(Clone, Debug)]
pub struct RedbStore {
    shared: Arc<Shared>,
    epoch: u64,
}

impl RedbStore {
    /// Opens the file for writing, creating it where there is none. Earlier writers are fenced.
    ///
    /// Fails with `InUse` while another process holds the file, and with `NewerSchema` or `Corrupt`, the
    /// rows untouched, where the file is not one this version understands.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let database = Database::create(path).map_err(refused)?;
        check_schema(&database)?;
        let shared = Arc::new(Shared { database, unsynced: AtomicUsize::new(0) });
        let epoch = shared.take_over()?;
        Ok(Self { shared, epoch })
    }

    /// A new writer on the same file; this handle and its clones are fenced from now on.
    pub fn successor(&self) -> Result<Self, StoreError> {
        let epoch = self.shared.take_over()?;
        Ok(Self { shared: Arc::clone(&self.shared), epoch })
    }

    fn commit_now(&self, batch: Batch) -> Result<(), StoreError> {
        batch.check()?;
        let bytes = batch.bytes();
        let durability = self.shared.durability_for(&batch);
        let mut transaction = self.shared.database.begin_write().map_err(refused)?;
        transaction.set_durability(durability).map_err(refused)?;
        if facts(&transaction)?.get(EPOCH).map_err(refused)?.map(|epoch| epoch.value()) != Some(self.epoch) {
            return Err(StoreError::Fenced);
        }
        apply(&transaction, batch)?;
        transaction.commit().map_err(refused)?;
        self.shared.note_committed(bytes, durability);
        Ok(())
    }
}

impl Store for RedbStore {
    async fn load(&self, query: Query) -> Result<Rows, StoreError> {
        if query.is_vacant() {
            return Ok(Rows::default());
        }
        let transaction = self.shared.database.begin_read().map_err(refused)?;
        let table = transaction.open_table(table_of(query.column())).map_err(refused)?;
        read(&table, &query).map(Rows).map_err(refused)
    }

    async fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        self.commit_now(batch)
    }
}

#[derive(Debug)]
struct Shared {
    database: Database,
    unsynced: AtomicUsize,
}

impl Shared {
    /// Raises the epoch and returns it: whoever wrote under an earlier one is fenced.
    fn take_over(&self) -> Result<u64, StoreError> {
        let transaction = self.database.begin_write().map_err(refused)?;
        let epoch = {
            let mut facts = facts(&transaction)?;
            let epoch = facts.get(EPOCH).map_err(refused)?.map_or(0, |epoch| epoch.value()) + 1;
            facts.insert(EPOCH, epoch).map_err(refused)?;
            facts.insert(SCHEMA_KEY, SCHEMA).map_err(refused)?;
            epoch
        };
        for column in Column::ALL {
            transaction.open_table(table_of(column)).map_err(refused)?;
        }
        transaction.commit().map_err(refused)?;
        Ok(epoch)
    }

    fn durability_for(&self, batch: &Batch) -> redb::Durability {
        let at_stake = self.unsynced.load(Ordering::Relaxed).saturating_add(batch.bytes());
        match batch.durability() {
            Durability::Relaxed if at_stake <= MAX_UNSYNCED_BYTES => redb::Durability::None,
            Durability::Relaxed | Durability::Strict => redb::Durability::Immediate,
        }
    }

    fn note_committed(&self, bytes: usize, durability: redb::Durability) {
        match durability {
            redb::Durability::None => self.unsynced.fetch_add(bytes, Ordering::Relaxed),
            _ => self.unsynced.swap(0, Ordering::Relaxed),
        };
    }
}

/// Our own facts about the file, beside the columns: its schema and the epoch of its writer.
const FACTS: TableDefinition<'static, &str, u64> = TableDefinition::new("tabchain");
const SCHEMA_KEY: &str = "schema";
const EPOCH: &str = "epoch";

fn table_of(column: Column) -> TableDefinition<'static, &'static [u8], &'static [u8]> {
    TableDefinition::new(column.name())
}

fn facts(transaction: &WriteTransaction) -> Result<Table<'_, &'static str, u64>, StoreError> {
    transaction.open_table(FACTS).map_err(refused)
}

/// Reads, and only reads, whether the file is ours and not from the future. An empty file is ours to take.
fn check_schema(database: &Database) -> Result<(), StoreError> {
    let transaction = database.begin_read().map_err(refused)?;
    let tables: Vec<_> = transaction.list_tables().map_err(refused)?.collect();
    if tables.is_empty() {
        return Ok(());
    }
    if !tables.iter().any(|table| table.name() == FACTS.name()) {
        return Err(StoreError::Corrupt("the file is a database, but not a store of ours"));
    }
    let facts = transaction.open_table(FACTS).map_err(refused)?;
    match facts.get(SCHEMA_KEY).map_err(refused)?.map(|schema| schema.value()) {
        Some(found) if found > SCHEMA => Err(StoreError::NewerSchema { found, supported: SCHEMA }),
        Some(_) => Ok(()),
        None => Err(StoreError::Corrupt("the file does not say its schema")),
    }
}

fn apply(transaction: &WriteTransaction, batch: Batch) -> Result<(), StoreError> {
    let mut tables = Column::ALL
        .into_iter()
        .map(|column| transaction.open_table(table_of(column)))
        .collect::<Result<Vec<_>, _>>()
        .map_err(refused)?;
    for change in batch.into_changes() {
        let table = &mut tables[change.column().index()];
        match change {
            Change::Put { key, value, .. } => table.insert(key.as_slice(), value.as_slice()).map(drop),
            Change::Delete { key, .. } => table.remove(key.as_slice()).map(drop),
            Change::DeleteRange { range, .. } => {
                table.retain_in(range.start.as_slice()..range.end.as_slice(), |_, _| false)
            }
        }
        .map_err(refused)?;
    }
    Ok(())
}

type Row = (Vec<u8>, Vec<u8>);

fn read(
    table: &impl ReadableTable<&'static [u8], &'static [u8]>,
    query: &Query,
) -> Result<Vec<Row>, redb::StorageError> {
    match query {
        Query::Get { key, .. } => {
            let value = table.get(key.as_slice())?;
            Ok(value.map(|value| (key.clone(), value.value().to_vec())).into_iter().collect())
        }
        Query::Range { from, to, limit, reverse, .. } => {
            let rows = match to {
                Some(to) => table.range(from.as_slice()..to.as_slice())?,
                None => table.range(from.as_slice()..)?,
            };
            let limit = *limit as usize;
            if *reverse {
                rows.rev().take(limit).map(own).collect()
            } else {
                rows.take(limit).map(own).collect()
            }
        }
    }
}

type Entry<'a> = (AccessGuard<'a, &'static [u8]>, AccessGuard<'a, &'static [u8]>);

fn own(entry: Result<Entry<'_>, redb::StorageError>) -> Result<Row, redb::StorageError> {
    entry.map(|(key, value)| (key.value().to_vec(), value.value().to_vec()))
}

/// Gives what `redb` says our own name.
fn refused(error: impl Into<redb::Error>) -> StoreError {
    use std::io::ErrorKind;
    match error.into() {
        redb::Error::DatabaseAlreadyOpen => StoreError::InUse,
        redb::Error::DatabaseClosed => StoreError::Closed,
        redb::Error::ValueTooLarge(bytes) => StoreError::ValueTooLarge(bytes),
        redb::Error::Corrupted(_) => StoreError::Corrupt("the database file is damaged"),
        redb::Error::Io(error) => match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
                StoreError::QuotaExceeded
            }
            ErrorKind::InvalidData | ErrorKind::UnexpectedEof => {
                StoreError::Corrupt("the file is not a database")
            }
            _ => StoreError::Backend(error.to_string()),
        },
        other => StoreError::Backend(other.to_string()),
    }
}
