//! The store in a browser, kept by IndexedDB: one database, one object store a column.
//!
//! Works on a window and in a dedicated worker. Keys and values are plain binary; a commit is one transaction: the
//! epoch is read, then all changes are queued, then the browser is waited for once. Inside a transaction nothing but
//! its own requests is ever awaited, since the browser ends a transaction that has nothing to do. For the same reason a
//! call, once begun, runs to its end by itself, however late its caller looks at it again, and even if never.
//!
//! The database's version is our schema. When another tab upgrades or deletes the database, this one lets go at once
//! and answers `Closed` from then on.

use std::rc::Rc;

use futures::channel::oneshot;
use indexed_db_futures::cursor::CursorDirection;
use indexed_db_futures::database::Database;
use indexed_db_futures::error::{Error, OpenDbError, UnexpectedDataError};
use indexed_db_futures::internals::SystemRepr;
use indexed_db_futures::object_store::ObjectStore;
use indexed_db_futures::prelude::*;
use indexed_db_futures::transaction::{
    Transaction, TransactionDurability, TransactionMode, TransactionOptions,
};
use indexed_db_futures::{KeyRange, OpenDbResult};
use js_sys::{ArrayBuffer, Uint8Array};
use tabchain_records::{Batch, Change, Column, Durability, Query, Rows, StoreError};
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::spawn_local;

use crate::{SCHEMA, Store};

/// Rows in one IndexedDB database. Clones are handles of the same writer; the last one to go closes the database.
#[derive(Clone, Debug)]
pub struct IdbStore {
    connection: Rc<Connection>,
    epoch: Option<u32>,
}

impl IdbStore {
    /// Opens the database for reading, creating it where there is none. Commits are refused with `ReadOnly`.
    ///
    /// Fails with `NewerSchema`, the rows untouched, when a newer build has written here.
    pub async fn open(name: &str) -> Result<Self, StoreError> {
        let connection = Rc::new(Connection::open(name).await?);
        Ok(Self { connection, epoch: None })
    }

    /// Opens the database for writing. Earlier writers, in whatever tab, are fenced.
    pub async fn open_writer(name: &str) -> Result<Self, StoreError> {
        let reader = Self::open(name).await?;
        let connection = Rc::clone(&reader.connection);
        let epoch = by_itself(async move { connection.take_over().await }).await?;
        Ok(Self { epoch: Some(epoch), ..reader })
    }

    /// Closes this and all clones once what is under way has finished; later calls answer `Closed`.
    pub fn close(&self) {
        self.connection.database.as_sys().close();
    }

    /// Deletes the database and everything in it. Handles in other tabs let go of it first.
    pub async fn destroy(name: &str) -> Result<(), StoreError> {
        let deletion = Database::delete_by_name(name).map_err(not_opened)?;
        deletion.await.map_err(refused)
    }
}

impl Store for IdbStore {
    async fn load(&self, query: Query) -> Result<Rows, StoreError> {
        let connection = Rc::clone(&self.connection);
        by_itself(async move { connection.load(query).await }).await
    }

    async fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        let connection = Rc::clone(&self.connection);
        let epoch = self.epoch.ok_or(StoreError::ReadOnly)?;
        by_itself(async move { connection.commit(batch, epoch).await }).await
    }
}

/// The object store for our own facts beside the columns, with the epoch of its writer.
const FACTS: &str = "tabchain";
const EPOCH: &str = "epoch";

/// An open database that lets go when another tab wants to upgrade or delete it.
#[derive(Debug)]
struct Connection {
    database: Database,
    _let_go: Closure<dyn FnMut()>,
}

impl Connection {
    async fn open(name: &str) -> Result<Self, StoreError> {
        let database = match open_database(name).await {
            Err(error) if dom_name(&error).as_deref() == Some("VersionError") => {
                return Err(newer_schema(name).await);
            }
            opened => opened.map_err(not_opened)?,
        };
        let let_go = Closure::new({
            let database = database.as_sys().clone();
            move || database.close()
        });
        database.as_sys().set_onversionchange(Some(let_go.as_ref().unchecked_ref()));
        Ok(Self { database, _let_go: let_go })
    }

    async fn load(&self, query: Query) -> Result<Rows, StoreError> {
        if query.is_vacant() {
            return Ok(Rows::default());
        }
        let name = query.column().name();
        let transaction = self.database.transaction(name).build().map_err(refused)?;
        let table = transaction.object_store(name).map_err(refused)?;
        match query {
            Query::Get { key, .. } => get(&table, key).await,
            Query::Range { from, to, limit, reverse: false, .. } => ascending(&table, &from, to, limit).await,
            Query::Range { from, to, limit, reverse: true, .. } => descending(&table, &from, to, limit).await,
        }
    }

    async fn commit(&self, batch: Batch, epoch: u32) -> Result<(), StoreError> {
        batch.check()?;
        let transaction = self.begin_write(&names_in(&batch), batch.durability())?;
        if written_epoch(&transaction).await? != epoch {
            return Err(StoreError::Fenced);
        }
        queue(&transaction, batch)?;
        finish(transaction).await
    }

    /// Raises the epoch and returns it: whoever wrote under an earlier one is fenced.
    async fn take_over(&self) -> Result<u32, StoreError> {
        let transaction = self.begin_write(&[FACTS], Durability::Relaxed)?;
        let epoch = written_epoch(&transaction).await? + 1;
        let facts = transaction.object_store(FACTS).map_err(refused)?;
        facts.put(epoch).with_key(EPOCH).build().map_err(refused)?;
        finish(transaction).await?;
        Ok(epoch)
    }

    fn begin_write(&self, names: &[&str], durability: Durability) -> Result<Transaction<'_>, StoreError> {
        let durability = match durability {
            Durability::Relaxed => TransactionDurability::Relaxed,
            Durability::Strict => TransactionDurability::Strict,
        };
        self.database
            .transaction(names)
            .with_mode(TransactionMode::Readwrite)
            .with_options(TransactionOptions::new().with_durability(durability))
            .build()
            .map_err(refused)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let database = self.database.as_sys();
        database.set_onversionchange(None);
        database.close();
    }
}

async fn open_database(name: &str) -> OpenDbResult<Database> {
    let version = u32::try_from(SCHEMA).expect("the schema is a small number");
    Database::open(name)
        .with_version(version)
        .with_on_upgrade_needed(|_, database| {
            let there: Vec<String> = database.object_store_names().collect();
            let wanted = Column::ALL.map(Column::name).into_iter().chain([FACTS]);
            for name in wanted.filter(|name| !there.iter().any(|there| there == name)) {
                database.create_object_store(name).build()?;
            }
            Ok(())
        })
        .build()?
        .await
}

/// What to say when the database refused our version: which one it has.
async fn newer_schema(name: &str) -> StoreError {
    let opened = match Database::open(name).build() {
        Ok(request) => request.await,
        Err(error) => Err(error),
    };
    match opened {
        Ok(database) => {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "versions are whole and positive"
            )]
            let found = database.version() as u64;
            database.close();
            StoreError::NewerSchema { found, supported: SCHEMA }
        }
        Err(error) => not_opened(error),
    }
}

/// Runs a call to its end whether or not the caller goes on polling.
async fn by_itself<T: 'static>(
    call: impl Future<Output = Result<T, StoreError>> + 'static,
) -> Result<T, StoreError> {
    let (tell, told) = oneshot::channel();
    spawn_local(async move {
        // Nobody may be listening any more; the call was made all the same.
        let _ = tell.send(call.await);
    });
    told.await.expect("a spawned call ends by telling")
}

/// The object stores a batch touches, and the one with the epoch.
fn names_in(batch: &Batch) -> Vec<&'static str> {
    let touched = |column: &Column| batch.changes().iter().any(|change| change.column() == *column);
    let columns = Column::ALL.into_iter().filter(touched).map(Column::name);
    columns.chain([FACTS]).collect()
}

async fn written_epoch(transaction: &Transaction<'_>) -> Result<u32, StoreError> {
    let facts = transaction.object_store(FACTS).map_err(refused)?;
    let epoch: Option<u32> = facts.get(EPOCH).primitive().map_err(refused)?.await.map_err(refused)?;
    Ok(epoch.unwrap_or(0))
}

/// Queues every change, waiting for none. Dropping the transaction afterwards takes all of them back.
fn queue(transaction: &Transaction<'_>, batch: Batch) -> Result<(), StoreError> {
    let mut tables: [Option<ObjectStore<'_>>; Column::ALL.len()] = Default::default();
    for change in batch.into_changes() {
        let column = change.column();
        let table = match &mut tables[column.index()] {
            Some(table) => table,
            none => none.insert(transaction.object_store(column.name()).map_err(refused)?),
        };
        match change {
            Change::Put { key, value, .. } => {
                table.put(binary(&value)).with_key(binary(&key)).build().map(drop)
            }
            Change::Delete { key, .. } => table.delete(binary(&key)).build().map(drop),
            Change::DeleteRange { range, .. } => {
                table.delete::<JsValue, _>(key_range(&range.start, Some(&range.end))).build().map(drop)
            }
        }
        .map_err(refused)?;
    }
    Ok(())
}

/// Waits until the browser has kept the transaction, or says why it did not.
async fn finish(transaction: Transaction<'_>) -> Result<(), StoreError> {
    let handle = transaction.as_sys().clone();
    transaction.commit().await.map_err(|error| match (&error, handle.error()) {
        // The wrapper only knows that there was an abort, the transaction knows the cause: a full disk is told here.
        (Error::MissingData(UnexpectedDataError::TransactionAborted), Some(cause)) => {
            named(&cause.name(), &cause.message())
        }
        _ => refused(error),
    })
}

async fn get(table: &ObjectStore<'_>, key: Vec<u8>) -> Result<Rows, StoreError> {
    let value: Option<JsValue> =
        table.get(binary(&key)).primitive().map_err(refused)?.await.map_err(refused)?;
    let row = value.map(|value| Ok((key, value_bytes(value)?))).transpose()?;
    Ok(Rows(row.into_iter().collect()))
}

async fn ascending(
    table: &ObjectStore<'_>,
    from: &[u8],
    to: Option<Vec<u8>>,
    limit: u32,
) -> Result<Rows, StoreError> {
    let range = key_range(from, to.as_deref());
    let keys =
        table.get_all_keys::<JsValue>().with_query::<JsValue, _>(range.clone()).with_limit(limit).primitive();
    let values = table.get_all::<JsValue>().with_query::<JsValue, _>(range).with_limit(limit).primitive();
    let (keys, values) = (keys.map_err(refused)?, values.map_err(refused)?);
    let (keys, values) = (keys.await.map_err(refused)?, values.await.map_err(refused)?);
    let row = |(key, value): (Result<JsValue, Error>, Result<JsValue, Error>)| {
        Ok((key_bytes(key.map_err(refused)?)?, value_bytes(value.map_err(refused)?)?))
    };
    keys.zip(values).map(row).collect::<Result<_, _>>().map(Rows)
}

/// A key cursor finds the lowest key that is wanted, in two steps however many rows; the rows themselves come at once.
async fn descending(
    table: &ObjectStore<'_>,
    from: &[u8],
    to: Option<Vec<u8>>,
    limit: u32,
) -> Result<Rows, StoreError> {
    let range = key_range(from, to.as_deref());
    let cursor = table
        .open_key_cursor()
        .with_query::<JsValue, _>(range)
        .with_direction(CursorDirection::Prev)
        .primitive();
    let Some(mut cursor) = cursor.map_err(refused)?.await.map_err(refused)? else {
        return Ok(Rows::default());
    };
    let highest = cursor_key(&cursor)?;
    cursor.advance_by(limit - 1).await.map_err(refused)?;
    // Past the end one browser clears the key, another leaves the old one standing.
    let lowest = match cursor_key(&cursor)? {
        Some(key) if limit == 1 || Some(&key) != highest.as_ref() => key,
        _ => from.to_vec(),
    };
    let mut rows = ascending(table, &lowest, to, limit).await?;
    rows.0.reverse();
    Ok(rows)
}

fn cursor_key(cursor: &indexed_db_futures::cursor::BaseCursor) -> Result<Option<Vec<u8>>, StoreError> {
    let key: Option<JsValue> = cursor.primary_key().map_err(refused)?;
    key.map(key_bytes).transpose()
}

/// A copy for the browser. A view would be cheaper here, but it would have the browser clone all of our memory.
fn binary(bytes: &[u8]) -> JsValue {
    Uint8Array::from(bytes).into()
}

fn key_range(from: &[u8], to: Option<&[u8]>) -> KeyRange<JsValue> {
    match to {
        Some(to) => KeyRange::Bound(binary(from), false, binary(to), true),
        None => KeyRange::LowerBound(binary(from), false),
    }
}

fn key_bytes(key: JsValue) -> Result<Vec<u8>, StoreError> {
    let key: ArrayBuffer = key.dyn_into().map_err(|_| StoreError::Corrupt("a key is not binary"))?;
    Ok(Uint8Array::new(&key).to_vec())
}

fn value_bytes(value: JsValue) -> Result<Vec<u8>, StoreError> {
    let value: Uint8Array = value.dyn_into().map_err(|_| StoreError::Corrupt("a value is not binary"))?;
    Ok(value.to_vec())
}

fn dom_name(error: &OpenDbError) -> Option<String> {
    match error {
        OpenDbError::Base(Error::DomException(exception)) => Some(exception.as_sys().name()),
        _ => None,
    }
}

fn not_opened(error: OpenDbError) -> StoreError {
    match error {
        OpenDbError::UnsupportedEnvironment | OpenDbError::NullFactory => StoreError::Unavailable,
        OpenDbError::VersionZero => StoreError::Backend("the schema may not be zero".into()),
        OpenDbError::Base(error) => match refused(error) {
            // There is no connection yet that could be closed: this is how a private window says no.
            StoreError::Closed => StoreError::Unavailable,
            other => other,
        },
    }
}

fn refused(error: Error) -> StoreError {
    match error {
        Error::DomException(exception) => named(&exception.as_sys().name(), &exception.message()),
        other => StoreError::Backend(other.to_string()),
    }
}

/// Gives what the browser says our own name.
fn named(name: &str, message: &str) -> StoreError {
    match name {
        "QuotaExceededError" => StoreError::QuotaExceeded,
        // We report an abort of our own before the browser does: this one came with a connection cut from outside.
        "InvalidStateError" | "AbortError" => StoreError::Closed,
        "SecurityError" => StoreError::Unavailable,
        "NotFoundError" => StoreError::Corrupt("a column is missing"),
        _ => StoreError::Backend(format!("{name}: {message}")),
    }
}
