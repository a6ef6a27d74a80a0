//! The contract on the memory and the `redb` backend, and what only a file can show.
#![cfg(not(target_arch = "wasm32"))]

mod contract;

use futures::executor::block_on;
use redb::{Database, TableDefinition};
use tabchain_store::{Batch, Column, Durability, MemoryStore, Query, RedbStore, SCHEMA, Store, StoreError};
use tempfile::TempDir;

macro_rules! on_memory {
    ($($promise:ident,)*) => {
        mod memory {
            $(#[test] fn $promise() { super::block_on(super::contract::$promise(super::MemoryStore::new())); })*
        }
    };
}
every_promise!(on_memory);

macro_rules! on_redb {
    ($($promise:ident,)*) => {
        mod redb_file {
            $(#[test] fn $promise() {
                let folder = super::folder();
                super::block_on(super::contract::$promise(super::open(&folder).unwrap()));
            })*
        }
    };
}
every_promise!(on_redb);

#[test]
fn a_replaced_writer_in_memory_is_fenced() {
    let old = MemoryStore::new();
    let new = old.successor();
    block_on(contract::a_replaced_writer_is_fenced(old, new));
}

#[test]
fn a_replaced_writer_of_a_file_is_fenced() {
    let folder = folder();
    let old = open(&folder).unwrap();
    let new = old.successor().unwrap();
    block_on(contract::a_replaced_writer_is_fenced(old, new));
}

#[test]
fn rows_outlive_the_handle() {
    let folder = folder();
    block_on(contract::fill(&open(&folder).unwrap(), 5));
    assert!(block_on(contract::is_filled(&open(&folder).unwrap(), 5)));
}

#[test]
fn a_file_has_one_process_at_a_time() {
    let folder = folder();
    let store = open(&folder).unwrap();
    assert_eq!(open(&folder).unwrap_err(), StoreError::InUse);
    drop(store);
    assert!(open(&folder).is_ok());
}

#[test]
fn a_kill_loses_only_what_was_relaxed() {
    let folder = folder();
    let store = open(&folder).unwrap();
    block_on(contract::fill(&store, 5));
    let mut relaxed = Batch::new(Durability::Relaxed);
    relaxed.clear(Column::Headers);
    block_on(store.commit(relaxed)).unwrap();

    // What a killed process leaves behind is the file as it stands now.
    let after_the_kill = folder.path().join("killed.redb");
    std::fs::copy(path(&folder), &after_the_kill).unwrap();
    assert!(block_on(contract::is_filled(&RedbStore::open(after_the_kill).unwrap(), 5)));
    assert!(block_on(contract::is_filled(&store, 0)));
}

#[test]
fn relaxed_commits_reach_the_disk_before_too_much_is_at_stake() {
    let folder = folder();
    let store = open(&folder).unwrap();
    for number in 0..20_u8 {
        let mut mebibyte = Batch::new(Durability::Relaxed);
        mebibyte.put(Column::Bodies, [number], vec![number; 1 << 20]);
        block_on(store.commit(mebibyte)).unwrap();
    }
    let after_the_kill = folder.path().join("killed.redb");
    std::fs::copy(path(&folder), &after_the_kill).unwrap();
    let survivor = RedbStore::open(after_the_kill).unwrap();
    let rows = block_on(survivor.load(Query::prefix(Column::Bodies, b"", 99))).unwrap();
    assert_eq!(rows.0.len(), 16, "the sixteenth mebibyte takes the earlier ones to the disk");
}

#[test]
fn a_file_from_the_future_is_refused_and_left_alone() {
    let folder = folder();
    block_on(contract::fill(&open(&folder).unwrap(), 5));
    set_schema(&folder, SCHEMA + 1);
    assert_eq!(open(&folder).unwrap_err(), StoreError::NewerSchema { found: SCHEMA + 1, supported: SCHEMA });
    let newer = SCHEMA + 1;
    assert_eq!(
        open(&folder).unwrap_err().to_string(),
        format!("data has schema {newer}, this version understands up to {SCHEMA}; update to open it")
    );
    set_schema(&folder, SCHEMA);
    assert!(block_on(contract::is_filled(&open(&folder).unwrap(), 5)));
}

#[test]
fn a_file_of_an_older_schema_keeps_its_rows_and_gets_the_columns_it_lacks() {
    let folder = folder();
    block_on(contract::fill(&open(&folder).unwrap(), 5));
    set_schema(&folder, 2);
    let database = Database::open(path(&folder)).unwrap();
    let transaction = database.begin_write().unwrap();
    let newer = [Column::HeaderPages, Column::BodyPages];
    for column in newer {
        let pages = TableDefinition::<&[u8], &[u8]>::new(column.name());
        assert!(transaction.delete_table(pages).unwrap(), "schema 2 had no such column");
    }
    transaction.commit().unwrap();
    drop(database);

    let store = open(&folder).unwrap();
    assert!(block_on(contract::is_filled(&store, 5)));
    for column in newer {
        let mut page = Batch::default();
        page.put(column, [1], vec![2]);
        block_on(store.commit(page)).unwrap();
        let read = block_on(store.load(Query::get(column, [1]))).unwrap();
        assert_eq!(read.into_value(), Some(vec![2]));
    }
    drop(store);
    set_schema(&folder, SCHEMA + 1);
    assert!(open(&folder).is_err(), "and is of this schema from then on");
}

#[test]
fn files_that_are_not_ours_are_refused() {
    let folder = folder();
    std::fs::write(path(&folder), b"dear diary").unwrap();
    assert!(matches!(open(&folder), Err(StoreError::Corrupt(_))), "{:?}", open(&folder).map(drop));
    assert_eq!(std::fs::read(path(&folder)).unwrap(), b"dear diary");

    std::fs::remove_file(path(&folder)).unwrap();
    let theirs = Database::create(path(&folder)).unwrap();
    let transaction = theirs.begin_write().unwrap();
    transaction.open_table(TableDefinition::<u64, u64>::new("theirs")).unwrap();
    transaction.commit().unwrap();
    drop(theirs);
    assert!(matches!(open(&folder), Err(StoreError::Corrupt(_))));
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("there is room for a folder")
}

fn path(folder: &TempDir) -> std::path::PathBuf {
    folder.path().join("chain.redb")
}

fn open(folder: &TempDir) -> Result<RedbStore, StoreError> {
    RedbStore::open(path(folder))
}

fn set_schema(folder: &TempDir, schema: u64) {
    let database = Database::open(path(folder)).unwrap();
    let transaction = database.begin_write().unwrap();
    {
        let mut facts = transaction.open_table(TableDefinition::<&str, u64>::new("tabchain")).unwrap();
        facts.insert("schema", schema).unwrap();
    }
    transaction.commit().unwrap();
}
