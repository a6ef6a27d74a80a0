//! Reads and writes in the order the node asked for them.
//!
//! Commits run one after the other. Loads between two commits run together: each sees every commit that was given out
//! before it, and none that came after.

use std::collections::VecDeque;
use std::rc::Rc;

use futures::future::{FutureExt, LocalBoxFuture};
use futures::stream::{FuturesUnordered, StreamExt};
use tabchain_node::{BatchId, Input, LoadId};
use tabchain_records::{Batch, Query};
use tabchain_store::Store;

enum Task {
    Load(LoadId, Query),
    Commit(BatchId, Batch),
}

pub(crate) struct Storage<S> {
    store: Rc<S>,
    waiting: VecDeque<Task>,
    running: FuturesUnordered<LocalBoxFuture<'static, Input>>,
    committing: bool,
}

impl<S: Store + 'static> Storage<S> {
    pub(crate) fn new(store: S) -> Self {
        Self {
            store: Rc::new(store),
            waiting: VecDeque::new(),
            running: FuturesUnordered::new(),
            committing: false,
        }
    }

    /// Whether an outcome is due.
    pub(crate) fn is_busy(&self) -> bool {
        !self.running.is_empty()
    }

    pub(crate) fn load(&mut self, id: LoadId, query: Query) {
        self.waiting.push_back(Task::Load(id, query));
        self.start();
    }

    pub(crate) fn commit(&mut self, id: BatchId, batch: Batch) {
        self.waiting.push_back(Task::Commit(id, batch));
        self.start();
    }

    /// The next outcome; never while there is nothing to wait for. May be dropped and called again.
    pub(crate) async fn next(&mut self) -> Input {
        match self.running.next().await {
            Some(outcome) => {
                self.committing = false;
                self.start();
                outcome
            }
            None => futures::future::pending().await,
        }
    }

    fn start(&mut self) {
        while let Some(task) = self.waiting.front() {
            let may_start = match task {
                Task::Load(..) => !self.committing,
                Task::Commit(..) => self.running.is_empty(),
            };
            if !may_start {
                return;
            }
            let task = self.waiting.pop_front().expect("the loop condition saw one");
            self.committing = matches!(task, Task::Commit(..));
            self.running.push(run(Rc::clone(&self.store), task).boxed_local());
        }
    }
}

async fn run<S: Store>(store: Rc<S>, task: Task) -> Input {
    match task {
        Task::Load(id, query) => match store.load(query).await {
            Ok(rows) => Input::Loaded(id, rows),
            Err(error) => Input::LoadFailed(id, error),
        },
        Task::Commit(id, batch) => match store.commit(batch).await {
            Ok(()) => Input::Committed(id),
            Err(error) => Input::CommitFailed(id, error),
        },
    }
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;
    use tabchain_records::{Column, Durability};
    use tabchain_store::MemoryStore;

    use super::*;

    fn put(value: u8) -> Batch {
        let mut batch = Batch::new(Durability::Relaxed);
        batch.put(Column::Meta, *b"key", vec![value]);
        batch
    }

    #[test]
    fn a_load_sees_the_commits_before_it_and_none_after() {
        let mut storage = Storage::new(MemoryStore::new());
        let query = || Query::get(Column::Meta, *b"key");
        storage.load(LoadId(0), query());
        storage.commit(BatchId(1), put(1));
        storage.load(LoadId(2), query());
        storage.load(LoadId(3), query());
        storage.commit(BatchId(4), put(4));
        storage.load(LoadId(5), query());

        let mut seen = Vec::new();
        while !storage.running.is_empty() {
            match block_on(storage.next()) {
                Input::Loaded(LoadId(id), rows) => seen.push((id, rows.into_value().map(|value| value[0]))),
                Input::Committed(BatchId(id)) => seen.push((id, None)),
                other => panic!("unexpected {other:?}"),
            }
        }
        seen[2..4].sort_unstable();
        assert_eq!(seen, [(0, None), (1, None), (2, Some(1)), (3, Some(1)), (4, None), (5, Some(4))]);
    }
}
