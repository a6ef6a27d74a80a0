//! What every store keeps to, whoever keeps the rows. One function a promise, told to an empty store.

use tabchain_store::{
    Batch, Column, Durability, MAX_KEY_BYTES, MAX_VALUE_BYTES, Query, Rows, Store, StoreError,
};

/// Calls a macro with the name of every promise, so that no backend can leave one out.
#[macro_export]
macro_rules! every_promise {
    ($test:ident) => {
        $test! {
            what_is_put_is_got,
            columns_are_apart,
            the_last_change_of_a_batch_wins,
            keys_sort_as_bytes,
            ranges_are_half_open,
            ranges_run_both_ways_up_to_their_limit,
            ranges_without_keys_are_empty,
            deletes_take_one_key,
            range_deletes_take_the_start_and_leave_the_end,
            clearing_takes_a_whole_column,
            a_batch_over_bounds_leaves_nothing,
            the_largest_key_and_value_fit,
            an_empty_batch_changes_nothing,
            thousands_of_puts_are_one_commit,
            large_values_come_back_whole,
            commits_under_way_together_all_count,
        }
    };
}

pub(crate) async fn what_is_put_is_got(store: impl Store) {
    assert_eq!(value(&store, Column::Meta, b"tip").await, None);
    for (durability, tip) in [(Durability::Relaxed, vec![1, 2]), (Durability::Strict, vec![])] {
        let mut batch = Batch::new(durability);
        batch.put(Column::Meta, b"tip", tip.clone());
        store.commit(batch).await.expect("a small batch fits");
        assert_eq!(value(&store, Column::Meta, b"tip").await, Some(tip));
    }
}

pub(crate) async fn columns_are_apart(store: impl Store) {
    let mut batch = Batch::default();
    for column in Column::ALL {
        batch.put(column, b"same key", column.name().into());
    }
    store.commit(batch).await.unwrap();
    for column in Column::ALL {
        assert_eq!(value(&store, column, b"same key").await, Some(column.name().into()));
    }
}

pub(crate) async fn the_last_change_of_a_batch_wins(store: impl Store) {
    let mut batch = Batch::default();
    batch.put(Column::State, b"a", vec![1]);
    batch.put(Column::State, b"a", vec![2]);
    batch.put(Column::State, b"b", vec![1]);
    batch.delete(Column::State, b"b");
    batch.put(Column::State, b"c", vec![1]);
    batch.clear(Column::State);
    batch.put(Column::State, b"d", vec![1]);
    batch.put(Column::State, b"d", vec![2]);
    store.commit(batch).await.unwrap();
    assert_eq!(keys(&store, Query::prefix(Column::State, b"", 9)).await, [b"d"]);
    assert_eq!(value(&store, Column::State, b"d").await, Some(vec![2]));
}

pub(crate) async fn keys_sort_as_bytes(store: impl Store) {
    let sorted: [&[u8]; 9] = [b"", &[0], &[0, 0], &[0, 0xff], &[1], b"a", b"aa", &[0xff], &[0xff, 0]];
    let mut batch = Batch::default();
    for key in sorted.iter().rev() {
        batch.put(Column::Index, *key, key.to_vec());
    }
    store.commit(batch).await.unwrap();
    let Rows(rows) = store.load(Query::prefix(Column::Index, b"", 100)).await.unwrap();
    assert!(rows.iter().all(|(key, value)| key == value), "each key brings its own value");
    assert_eq!(rows.into_iter().map(|(key, _)| key).collect::<Vec<_>>(), sorted);
}

pub(crate) async fn ranges_are_half_open(store: impl Store) {
    fill(&store, 10).await;
    let range = |from: u8, to: Option<u8>| Query::range(Column::Headers, [from], to.map(|to| vec![to]), 100);
    assert_eq!(keys(&store, range(3, Some(6))).await, [[3], [4], [5]]);
    assert_eq!(keys(&store, range(8, None)).await, [[8], [9]]);
    assert_eq!(keys(&store, range(3, Some(6)).reversed()).await, [[5], [4], [3]]);
    assert_eq!(keys(&store, range(8, None).reversed()).await, [[9], [8]]);
}

pub(crate) async fn ranges_run_both_ways_up_to_their_limit(store: impl Store) {
    fill(&store, 10).await;
    let within = |limit| Query::range(Column::Headers, [2], Some(vec![7]), limit);
    for limit in 1..=8_u8 {
        let up: Vec<_> = (2..7).take(limit.into()).map(|key| vec![key]).collect();
        let down: Vec<_> = (2..7).rev().take(limit.into()).map(|key| vec![key]).collect();
        assert_eq!(keys(&store, within(limit.into())).await, up, "upwards, at most {limit}");
        assert_eq!(keys(&store, within(limit.into()).reversed()).await, down, "downwards, at most {limit}");
    }
    assert_eq!(keys(&store, Query::prefix(Column::Headers, b"", u32::MAX).reversed()).await.len(), 10);
}

pub(crate) async fn ranges_without_keys_are_empty(store: impl Store) {
    fill(&store, 10).await;
    let none: [Query; 5] = [
        Query::range(Column::Headers, [3], Some(vec![3]), 9),
        Query::range(Column::Headers, [6], Some(vec![3]), 9),
        Query::range(Column::Headers, [3], None, 0),
        Query::range(Column::Headers, [20], None, 9),
        Query::prefix(Column::Bodies, b"", 9),
    ];
    for query in none {
        assert_eq!(store.load(query.clone()).await, Ok(Rows::default()), "{query:?}");
        assert_eq!(store.load(query.clone().reversed()).await, Ok(Rows::default()), "reversed {query:?}");
    }
}

pub(crate) async fn deletes_take_one_key(store: impl Store) {
    fill(&store, 3).await;
    let mut batch = Batch::default();
    batch.delete(Column::Headers, [1]);
    batch.delete(Column::Headers, b"was never there");
    store.commit(batch).await.unwrap();
    assert_eq!(keys(&store, Query::prefix(Column::Headers, b"", 9)).await, [[0], [2]]);
}

pub(crate) async fn range_deletes_take_the_start_and_leave_the_end(store: impl Store) {
    fill(&store, 6).await;
    let mut batch = Batch::default();
    batch.delete_range(Column::Headers, vec![2]..vec![4]);
    batch.delete_range(Column::Headers, vec![5]..vec![5]);
    batch.delete_range(Column::Headers, vec![5]..vec![1]);
    batch.delete_range(Column::Bodies, vec![0]..vec![9]);
    store.commit(batch).await.unwrap();
    assert_eq!(keys(&store, Query::prefix(Column::Headers, b"", 9)).await, [[0], [1], [4], [5]]);
}

pub(crate) async fn clearing_takes_a_whole_column(store: impl Store) {
    fill(&store, 3).await;
    let mut batch = Batch::default();
    batch.put(Column::Headers, [0xff; MAX_KEY_BYTES], vec![]);
    batch.put(Column::Headers, b"", vec![]);
    batch.put(Column::Bodies, b"stays", vec![]);
    store.commit(batch).await.unwrap();

    let mut batch = Batch::default();
    batch.clear(Column::Headers);
    store.commit(batch).await.unwrap();
    assert!(keys(&store, Query::prefix(Column::Headers, b"", 9)).await.is_empty());
    assert_eq!(keys(&store, Query::prefix(Column::Bodies, b"", 9)).await, [b"stays"]);
}

pub(crate) async fn a_batch_over_bounds_leaves_nothing(store: impl Store) {
    let mut large = Batch::default();
    large.put(Column::Meta, b"before", vec![1]);
    large.put(Column::Bodies, b"body", vec![0; MAX_VALUE_BYTES + 1]);
    large.put(Column::Meta, b"after", vec![1]);
    assert_eq!(store.commit(large).await, Err(StoreError::ValueTooLarge(MAX_VALUE_BYTES + 1)));

    let mut long = Batch::default();
    long.put(Column::Meta, b"before", vec![1]);
    long.delete(Column::Bodies, [0; MAX_KEY_BYTES + 1]);
    assert_eq!(store.commit(long).await, Err(StoreError::KeyTooLong(MAX_KEY_BYTES + 1)));

    for column in Column::ALL {
        assert_eq!(store.load(Query::prefix(column, b"", 9)).await, Ok(Rows::default()));
    }
    fill(&store, 1).await;
}

pub(crate) async fn the_largest_key_and_value_fit(store: impl Store) {
    let mut batch = Batch::default();
    batch.put(Column::Bodies, [7; MAX_KEY_BYTES], vec![9; MAX_VALUE_BYTES]);
    store.commit(batch).await.unwrap();
    let body = value(&store, Column::Bodies, &[7; MAX_KEY_BYTES]).await.expect("it was kept");
    assert!(body == vec![9; MAX_VALUE_BYTES]);
}

pub(crate) async fn an_empty_batch_changes_nothing(store: impl Store) {
    fill(&store, 2).await;
    store.commit(Batch::new(Durability::Strict)).await.unwrap();
    assert_eq!(keys(&store, Query::prefix(Column::Headers, b"", 9)).await, [[0], [1]]);
}

pub(crate) async fn thousands_of_puts_are_one_commit(store: impl Store) {
    let key = |number: u32| number.to_be_bytes();
    let mut batch = Batch::default();
    for number in 0..5_000 {
        batch.put(Column::Index, key(number), vec![number.to_le_bytes()[0]; 200]);
    }
    store.commit(batch).await.unwrap();
    let Rows(rows) = store.load(Query::prefix(Column::Index, b"", 10_000)).await.unwrap();
    assert_eq!(rows.len(), 5_000);
    assert_eq!(rows[4_999], (key(4_999).to_vec(), vec![0x87; 200]));
    let newest = store.load(Query::prefix(Column::Index, b"", 1).reversed()).await.unwrap();
    assert_eq!(newest.0, rows[4_999..]);
}

pub(crate) async fn large_values_come_back_whole(store: impl Store) {
    let body = |seed: u8| -> Vec<u8> {
        (0_u32..1 << 20).map(|at| at.wrapping_mul(2_654_435_761).to_be_bytes()[0] ^ seed).collect()
    };
    let mut batch = Batch::new(Durability::Strict);
    for seed in 0..4 {
        batch.put(Column::Bodies, [seed], body(seed));
    }
    store.commit(batch).await.unwrap();
    let Rows(rows) = store.load(Query::prefix(Column::Bodies, b"", 9)).await.unwrap();
    assert_eq!(rows.len(), 4);
    assert!(rows.into_iter().zip(0..).all(|((_, value), seed)| value == body(seed)));
}

pub(crate) async fn commits_under_way_together_all_count(store: impl Store) {
    let commit = |number: u8| {
        let mut batch = Batch::default();
        batch.put(Column::Peers, [number], vec![number]);
        store.commit(batch)
    };
    let done = futures::future::join_all((0..20).map(commit)).await;
    assert!(done.into_iter().all(|result| result.is_ok()));
    assert_eq!(keys(&store, Query::prefix(Column::Peers, b"", 99)).await.len(), 20);
}

/// Two writers on the same rows: once the second is there, the first can read, and can no longer write.
pub(crate) async fn a_replaced_writer_is_fenced(old: impl Store, new: impl Store) {
    let mut late = Batch::new(Durability::Strict);
    late.put(Column::Meta, b"tip", vec![1]);
    late.clear(Column::Headers);
    assert_eq!(old.commit(late).await, Err(StoreError::Fenced));
    assert_eq!(old.commit(Batch::default()).await, Err(StoreError::Fenced));
    assert_eq!(value(&new, Column::Meta, b"tip").await, None);

    fill(&new, 2).await;
    assert_eq!(keys(&old, Query::prefix(Column::Headers, b"", 9)).await, [[0], [1]]);
}

/// Writes the rows that [`is_filled`] looks for: keys of one byte, counted up from zero.
pub(crate) async fn fill(store: &impl Store, rows: u8) {
    let mut batch = Batch::new(Durability::Strict);
    for key in 0..rows {
        batch.put(Column::Headers, [key], vec![key; 32]);
    }
    store.commit(batch).await.unwrap();
}

/// Whether exactly the rows of [`fill`] are there.
pub(crate) async fn is_filled(store: &impl Store, rows: u8) -> bool {
    let Rows(found) = store.load(Query::prefix(Column::Headers, b"", 1_000)).await.unwrap();
    found == (0..rows).map(|key| (vec![key], vec![key; 32])).collect::<Vec<_>>()
}

async fn value(store: &impl Store, column: Column, key: &[u8]) -> Option<Vec<u8>> {
    store.load(Query::get(column, key)).await.expect("a read works").into_value()
}

async fn keys(store: &impl Store, query: Query) -> Vec<Vec<u8>> {
    let Rows(rows) = store.load(query).await.expect("a read works");
    rows.into_iter().map(|(key, _)| key).collect()
}
