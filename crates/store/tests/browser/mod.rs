//! The contract on IndexedDB, and what only a browser can show. Told once on a window and once in a worker.

use std::pin::pin;

use futures::future::join_all;
use futures::poll;
use indexed_db_futures::database::Database;
use indexed_db_futures::prelude::*;
use js_sys::{Function, Uint8Array};
use tabchain_store::{Batch, Column, Durability, IdbStore, Query, Rows, SCHEMA, Store, StoreError};
use wasm_bindgen::JsValue;
use wasm_bindgen_test::wasm_bindgen_test;

use crate::contract;

macro_rules! on_indexeddb {
    ($($promise:ident,)*) => {
        $(#[wasm_bindgen_test] async fn $promise() {
            let name = stringify!($promise);
            contract::$promise(fresh(name).await).await;
            IdbStore::destroy(name).await.unwrap();
        })*
    };
}
crate::every_promise!(on_indexeddb);

#[wasm_bindgen_test]
async fn a_replaced_writer_is_fenced() {
    let name = "a_replaced_writer_is_fenced";
    let old = fresh(name).await;
    let new = IdbStore::open_writer(name).await.unwrap();
    contract::a_replaced_writer_is_fenced(old, new).await;
}

#[wasm_bindgen_test]
async fn of_twenty_writers_the_last_remains() {
    let name = "of_twenty_writers_the_last_remains";
    fresh(name).await.close();
    let writers = join_all((0..20).map(|_| IdbStore::open_writer(name))).await;
    let mut remaining = 0;
    for writer in writers {
        match writer.unwrap().commit(Batch::default()).await {
            Ok(()) => remaining += 1,
            Err(error) => assert_eq!(error, StoreError::Fenced),
        }
    }
    assert_eq!(remaining, 1);
}

#[wasm_bindgen_test]
async fn rows_outlive_the_handle() {
    let name = "rows_outlive_the_handle";
    let store = fresh(name).await;
    contract::fill(&store, 5).await;
    drop(store);
    let store = IdbStore::open_writer(name).await.unwrap();
    assert!(contract::is_filled(&store, 5).await);
    contract::fill(&store, 6).await;
    assert!(contract::is_filled(&store, 6).await);
}

#[wasm_bindgen_test]
async fn a_reader_reads_and_does_not_fence() {
    let name = "a_reader_reads_and_does_not_fence";
    let writer = fresh(name).await;
    let reader = IdbStore::open(name).await.unwrap();
    contract::fill(&writer, 5).await;
    assert!(contract::is_filled(&reader, 5).await);
    assert_eq!(reader.commit(Batch::default()).await, Err(StoreError::ReadOnly));
}

#[wasm_bindgen_test]
async fn a_closed_store_says_so() {
    let store = fresh("a_closed_store_says_so").await;
    let twin = store.clone();
    store.close();
    store.close();
    assert_eq!(twin.load(Query::get(Column::Meta, b"tip")).await, Err(StoreError::Closed));
    assert_eq!(twin.commit(Batch::default()).await, Err(StoreError::Closed));
}

#[wasm_bindgen_test]
async fn an_open_store_makes_way_for_its_deletion() {
    let name = "an_open_store_makes_way_for_its_deletion";
    let store = fresh(name).await;
    contract::fill(&store, 5).await;
    IdbStore::destroy(name).await.unwrap();
    assert_eq!(store.load(Query::get(Column::Meta, b"tip")).await, Err(StoreError::Closed));
    let anew = IdbStore::open_writer(name).await.unwrap();
    assert!(contract::is_filled(&anew, 0).await);
}

#[wasm_bindgen_test]
async fn a_newer_schema_is_refused_and_left_alone() {
    let name = "a_newer_schema_is_refused_and_left_alone";
    let store = fresh(name).await;
    contract::fill(&store, 5).await;

    let newer = SCHEMA + 41;
    let upgrade = Database::open(name).with_version(u32::try_from(newer).unwrap()).build().unwrap();
    let upgraded = upgrade.await.unwrap();
    assert_eq!(store.commit(Batch::default()).await, Err(StoreError::Closed), "it made way for the upgrade");
    let refusal = StoreError::NewerSchema { found: newer, supported: SCHEMA };
    assert_eq!(IdbStore::open_writer(name).await.unwrap_err(), refusal);
    assert_eq!(IdbStore::open(name).await.unwrap_err(), refusal);

    let headers = upgraded.transaction("headers").build().unwrap();
    let kept = headers.object_store("headers").unwrap().count().primitive().unwrap().await.unwrap();
    assert_eq!(kept, 5);
}

#[wasm_bindgen_test]
async fn a_call_is_not_hurt_by_a_caller_who_looks_late() {
    let store = fresh("a_call_is_not_hurt_by_a_caller_who_looks_late").await;
    contract::fill(&store, 5).await;
    let mut batch = Batch::new(Durability::Strict);
    batch.delete(Column::Headers, [4]);
    let mut commit = pin!(store.commit(batch));
    let mut newest = pin!(store.load(Query::prefix(Column::Headers, b"", 2).reversed()));
    assert!(poll!(&mut commit).is_pending());
    assert!(poll!(&mut newest).is_pending());
    for _ in 0..5 {
        // Each read is a turn of the database in which nobody looks at the two calls.
        store.load(Query::get(Column::Meta, b"tip")).await.unwrap();
    }
    assert_eq!(commit.await, Ok(()));
    let keys: Vec<_> = newest.await.unwrap().0.into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys, [[3], [2]]);
}

#[wasm_bindgen_test]
async fn a_commit_nobody_waits_for_is_kept_whole() {
    let store = fresh("a_commit_nobody_waits_for_is_kept_whole").await;
    let mut batch = Batch::default();
    for number in 0..500_u32 {
        batch.put(Column::Index, number.to_be_bytes(), vec![1; 100]);
    }
    assert!(poll!(pin!(store.commit(batch))).is_pending());
    // The next commit waits its turn behind the abandoned one.
    store.commit(Batch::default()).await.unwrap();
    assert_eq!(store.load(Query::prefix(Column::Index, b"", 999)).await.unwrap().0.len(), 500);
}

#[wasm_bindgen_test]
async fn questions_asked_together_are_one_transaction_and_none_is_aborted() {
    let store = fresh("questions_asked_together_are_one_transaction_and_none_is_aborted").await;
    contract::fill(&store, 9).await;
    let watch = Function::new_no_args(
        "const counts = self.counts = { begun: 0, aborted: 0 };
         const { transaction } = IDBDatabase.prototype, { abort } = IDBTransaction.prototype;
         IDBDatabase.prototype.transaction = function (...of) { counts.begun++; return transaction.apply(this, of); };
         IDBTransaction.prototype.abort = function () { counts.aborted++; return abort.apply(this); };
         self.unwatch = () => { Object.assign(IDBDatabase.prototype, { transaction }); Object.assign(IDBTransaction.prototype, { abort }); };",
    );
    watch.call0(&JsValue::NULL).expect("the prototypes can be watched");

    let range = Query::range(Column::Headers, [2], Some(vec![5]), 9);
    let highest = Query::prefix(Column::Headers, b"", 2).reversed();
    let gets = (0..8_u8).map(|key| Query::get(Column::Headers, [key]));
    let elsewhere = [Query::get(Column::Meta, b"tip"), Query::prefix(Column::Bodies, b"", 9).reversed()];
    let queries = gets.chain([range, highest]).chain(elsewhere);
    let answers = join_all(queries.map(|query| store.load(query))).await;

    let counts =
        Function::new_no_args("self.unwatch(); return `${self.counts.begun} ${self.counts.aborted}`;");
    let counts = counts.call0(&JsValue::NULL).expect("they were watched").as_string();
    assert_eq!(counts.as_deref(), Some("1 0"));
    let keys: Vec<_> = answers
        .into_iter()
        .map(|answer| answer.unwrap().0.iter().map(|(key, value)| (key[0], value.len())).collect::<Vec<_>>())
        .collect();
    for (key, rows) in (0..8).zip(&keys) {
        assert_eq!(*rows, [(key, 32)]);
    }
    assert_eq!(keys[8..], [vec![(2, 32), (3, 32), (4, 32)], vec![(8, 32), (7, 32)], vec![], vec![]]);
}

#[wasm_bindgen_test]
async fn of_questions_asked_together_only_the_one_that_can_not_be_answered_is_refused() {
    let name = "of_questions_asked_together_only_the_one_that_can_not_be_answered_is_refused";
    IdbStore::destroy(name).await.unwrap();
    // Of our columns only one is there, and one of its rows is not ours.
    let foreign = Database::open(name).with_version(u32::try_from(SCHEMA).unwrap()).with_on_upgrade_needed(
        |_, database| {
            let headers = database.create_object_store("headers").build()?;
            headers.put("a word").with_key(JsValue::from(key(1))).build().map(drop)?;
            headers.put(JsValue::from(key(7))).with_key(JsValue::from(key(2))).build().map(drop)
        },
    );
    foreign.build().unwrap().await.unwrap().close();

    let store = IdbStore::open(name).await.unwrap();
    let asked = [
        Query::get(Column::Headers, [1]),
        Query::get(Column::Headers, [2]),
        Query::get(Column::Peers, [2]),
        Query::get(Column::Headers, [3]),
    ];
    let answers = join_all(asked.map(|query| store.load(query))).await;
    assert_eq!(
        answers,
        [
            Err(StoreError::Corrupt("a value is not binary")),
            Ok(Rows(vec![(vec![2], vec![7])])),
            Err(StoreError::Corrupt("a column is missing")),
            Ok(Rows::default()),
        ]
    );
}

#[wasm_bindgen_test]
async fn a_database_of_an_older_schema_keeps_its_rows_and_gets_the_columns_it_lacks() {
    const SCHEMA_2: [&str; 9] =
        ["headers", "bodies", "undo", "state", "index", "meta", "wallet", "peers", "snapshots"];
    let schema_3 = SCHEMA_2.into_iter().chain(["header-pages"]).collect::<Vec<_>>();
    for (version, columns) in [(2_u32, &SCHEMA_2[..]), (3, &schema_3)] {
        let name = &format!("of schema {version}");
        IdbStore::destroy(name).await.unwrap();
        let names: Vec<_> = columns.iter().map(ToString::to_string).collect();
        let older = Database::open(name).with_version(version).with_on_upgrade_needed(move |_, database| {
            for name in &names {
                let column = database.create_object_store(name).build()?;
                column.put(JsValue::from(key(8))).with_key(JsValue::from(key(7))).build().map(drop)?;
            }
            let facts = database.create_object_store("tabchain").build()?;
            facts.put(5_u32).with_key("epoch").build().map(drop)
        });
        older.build().unwrap().await.unwrap().close();

        let store = IdbStore::open_writer(name).await.unwrap();
        let row = |of: u8| Rows(vec![(vec![7], vec![of])]);
        for column in Column::ALL {
            let is_old = columns.contains(&column.name());
            let there = if is_old { row(8) } else { Rows::default() };
            assert_eq!(store.load(Query::prefix(column, b"", 9)).await, Ok(there), "{column:?}");
        }
        let mut batch = Batch::default();
        for column in Column::ALL {
            batch.put(column, [7], vec![9]);
        }
        store.commit(batch).await.unwrap();
        drop(store);
        let again = IdbStore::open(name).await.unwrap();
        for column in Column::ALL {
            assert_eq!(again.load(Query::get(column, [7])).await, Ok(row(9)), "{column:?}");
        }
        let refusal = Database::open(name).with_version(version).build().unwrap().await;
        assert!(refusal.is_err(), "it is of this schema from then on");
    }
}

/// One byte for the browser.
fn key(byte: u8) -> Uint8Array {
    Uint8Array::from(&[byte][..])
}

/// A writer on an empty database of that name, whatever an earlier run left behind.
async fn fresh(name: &str) -> IdbStore {
    IdbStore::destroy(name).await.expect("what is there can be deleted");
    IdbStore::open_writer(name).await.expect("an empty database opens")
}
