//! Whatever is done to them, the memory and the file give the same answers.
#![cfg(not(target_arch = "wasm32"))]

use futures::executor::block_on;
use proptest::prelude::*;
use tabchain_store::{Batch, Column, Durability, MemoryStore, Query, RedbStore, Store};

#[derive(Clone, Debug)]
enum Step {
    Put(Column, Vec<u8>, Vec<u8>),
    Delete(Column, Vec<u8>),
    DeleteRange(Column, Vec<u8>, Vec<u8>),
    Clear(Column),
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn batches_leave_memory_and_file_alike(
        batches in prop::collection::vec((any::<bool>(), prop::collection::vec(steps(), 0..20)), 1..6),
        queries in prop::collection::vec(queries(), 1..20),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let memory = MemoryStore::new();
        let mut file = RedbStore::open(folder.path().join("chain.redb")).unwrap();
        for (strict, steps) in batches {
            let batch = batch_of(strict, steps);
            block_on(memory.commit(batch.clone())).unwrap();
            block_on(file.commit(batch)).unwrap();
            if strict {
                drop(file);
                file = RedbStore::open(folder.path().join("chain.redb")).unwrap();
            }
            for column in Column::ALL {
                let all = Query::prefix(column, b"", u32::MAX);
                prop_assert_eq!(block_on(memory.load(all.clone())), block_on(file.load(all)));
            }
        }
        for query in queries {
            prop_assert_eq!(block_on(memory.load(query.clone())), block_on(file.load(query)));
        }
    }
}

fn batch_of(strict: bool, steps: Vec<Step>) -> Batch {
    let mut batch = Batch::new(if strict { Durability::Strict } else { Durability::Relaxed });
    for step in steps {
        match step {
            Step::Put(column, key, value) => batch.put(column, key, value),
            Step::Delete(column, key) => batch.delete(column, key),
            Step::DeleteRange(column, from, to) => batch.delete_range(column, from..to),
            Step::Clear(column) => batch.clear(column),
        }
    }
    batch
}

fn steps() -> impl Strategy<Value = Step> {
    let value = prop::collection::vec(any::<u8>(), 0..8);
    prop_oneof![
        8 => (columns(), keys(), value).prop_map(|(column, key, value)| Step::Put(column, key, value)),
        3 => (columns(), keys()).prop_map(|(column, key)| Step::Delete(column, key)),
        2 => (columns(), keys(), keys()).prop_map(|(column, from, to)| Step::DeleteRange(column, from, to)),
        1 => columns().prop_map(Step::Clear),
    ]
}

fn queries() -> impl Strategy<Value = Query> {
    let range = (columns(), keys(), prop::option::of(keys()), 0..12_u32, any::<bool>())
        .prop_map(|(column, from, to, limit, reverse)| Query::Range { column, from, to, limit, reverse });
    prop_oneof![(columns(), keys()).prop_map(|(column, key)| Query::get(column, key)), range]
}

/// Two columns and few keys, so that steps meet.
fn columns() -> impl Strategy<Value = Column> {
    prop_oneof![Just(Column::Headers), Just(Column::State)]
}

fn keys() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop_oneof![Just(0), Just(1), Just(0x7f), Just(0xff)], 0..4)
}
