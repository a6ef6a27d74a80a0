//! A narrow asynchronous store: bytes in, bytes out, no rules.
//!
//! Two verbs, [`Store::load`] and [`Store::commit`], over the vocabulary of `tabchain-records`, which is re-exported
//! here. A commit is atomic: after a kill at any moment either all of a batch is there or nothing of it.
//!
//! | Backend | Where | Survives |
//! |---|---|---|
//! | [`MemoryStore`] | everywhere; what `sim` and tests use | nothing |
//! | `RedbStore` | native | the process and, once a strict commit returned, the power |
//! | `IdbStore` | browsers, on a window or in a dedicated worker | the tab, as long as the browser keeps our data |
//!
//! # One writer
//! Whoever opens a store for writing takes over: an epoch kept with the data rises, and every commit checks within its
//! own transaction that the epoch is still its own. A writer that was replaced without noticing (a frozen tab whose lock was
//! stolen) gets [`StoreError::Fenced`] and has changed nothing. Reading is never fenced.
//!
//! # Bounds
//! A key has at most [`MAX_KEY_BYTES`], a value at most [`MAX_VALUE_BYTES`]. The store sets no bound on the length of
//! a batch or of an answer: whoever asks does, by `limit`, and by cutting batches at some megabytes.

mod memory;

#[cfg_attr(target_arch = "wasm32", path = "indexeddb.rs")]
#[cfg_attr(not(target_arch = "wasm32"), path = "redb.rs")]
mod imp;

pub use imp::*;
pub use memory::MemoryStore;
pub use tabchain_records::*;

/// The layout on disk that this build writes, and the newest it reads. Both lasting backends record it.
///
/// A store of an older schema gets the columns that it lacks, empty, and is otherwise left as it is: 2 added the snapshots, 3 the
/// pages of headers, 4 the pages of bodies.
pub const SCHEMA: u64 = 4;

/// Keeps rows. The futures are for one thread: they need not be `Send`.
#[allow(async_fn_in_trait)]
pub trait Store {
    /// Answers a question about one column. Sees every commit that has returned.
    async fn load(&self, query: Query) -> Result<Rows, StoreError>;

    /// Applies a batch in order, whole or not at all. An empty batch changes nothing but is still fenced.
    async fn commit(&self, batch: Batch) -> Result<(), StoreError>;
}
