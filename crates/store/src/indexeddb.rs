//! The store in a browser, kept by IndexedDB: one database, one object store a column.
//!
//! Works on a window and in a dedicated worker. Keys and values are plain binary; a commit is one transaction: the
//! epoch is read, then all changes are queued, then the browser is waited for once. Inside a transaction nothing but
//! its own requests is ever awaited, since the browser ends a transaction that has nothing to do. For the same reason a
//! call, once begun, runs to its end by itself, however late its caller looks at it again, and even if never.
//!
//! Questions asked in one turn are answered by one transaction, and the browser is waited for once: beginning and ending a transaction
//! costs more than a read. When it fails, each question has one of its own, so that what is wrong with one is told to that one.
//!
//! The database's version is our schema. When another tab upgrades or deletes the database, this one lets go at once
//! and answers `Closed` from then on.

use std::cell::RefCell;
use std::rc::Rc;
use std::slice;

use futures::channel::oneshot;
use indexed_db_futures::OpenDbResult;
use indexed_db_futures::database::Database;
use indexed_db_futures::error::{Error, OpenDbError, UnexpectedDataError};
use indexed_db_futures::internals::SystemRepr;
use indexed_db_futures::object_store::ObjectStore;
use indexed_db_futures::prelude::*;
use indexed_db_futures::transaction::{
    Transaction, TransactionDurability, TransactionMode, TransactionOptions,
};
use tabchain_records::{Batch, Change, Column, Durability, Query, Rows, StoreError};
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::spawn_local;

use self::read::{Read, binary, key_range};
use crate::{SCHEMA, Store};

#[path = "indexeddb/read.rs"]
mod read;

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
        if query.is_vacant() {
            return Ok(Rows::default());
        }
        let (tell, told) = oneshot::channel();
        if self.connection.ask(query, tell) {
            let connection = Rc::clone(&self.connection);
            spawn_local(async move { connection.answer_all().await });
        }
        told.await.expect("whoever asks is told")
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
    /// Questions of this turn.
    asked: RefCell<Vec<Asked>>,
    _let_go: Closure<dyn FnMut()>,
}

/// A question, and where its answer goes.
type Asked = (Query, oneshot::Sender<Result<Rows, StoreError>>);

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
        Ok(Self { database, asked: RefCell::default(), _let_go: let_go })
    }

    /// Takes a question in; true for the first of a turn, after which all of them are to be answered.
    fn ask(&self, query: Query, tell: oneshot::Sender<Result<Rows, StoreError>>) -> bool {
        let mut asked = self.asked.borrow_mut();
        asked.push((query, tell));
        asked.len() == 1
    }

    /// Answers the questions of a turn.
    async fn answer_all(&self) {
        let (queries, tells): (Vec<_>, Vec<_>) = self.asked.take().into_iter().unzip();
        let answers = match self.read(&queries).await {
            Ok(answers) => answers,
            Err(error) if queries.len() == 1 => vec![Err(error)],
            Err(_) => self.read_singly(&queries).await,
        };
        for (tell, answer) in tells.into_iter().zip(answers) {
            // Nobody may be listening any more; the question was answered all the same.
            let _ = tell.send(answer);
        }
    }

    async fn read_singly(&self, queries: &[Query]) -> Vec<Result<Rows, StoreError>> {
        let mut answers = Vec::with_capacity(queries.len());
        for query in queries {
            let answer = self.read(slice::from_ref(query)).await;
            answers.extend(answer.unwrap_or_else(|error| vec![Err(error)]));
        }
        answers
    }

    /// Answers questions by one transaction, or says why that could not be had.
    async fn read(&self, queries: &[Query]) -> Result<Vec<Result<Rows, StoreError>>, StoreError> {
        let names = names_of(|column| queries.iter().any(|query| query.column() == column));
        let transaction = self.database.transaction(&names[..]).build().map_err(refused)?;
        let mut reads = Vec::with_capacity(queries.len());
        for query in queries {
            let table = transaction.object_store(query.column().name()).map_err(refused)?;
            reads.push(Read::begin(&table, query).await?);
        }
        finish(transaction).await?;
        let mut answers = Vec::with_capacity(reads.len());
        for read in reads {
            answers.push(read.rows().await);
        }
        Ok(answers)
    }

    async fn commit(&self, batch: Batch, epoch: u32) -> Result<(), StoreError> {
        batch.check()?;
        let mut names = names_of(|column| batch.changes().iter().any(|change| change.column() == column));
        names.push(FACTS);
        let transaction = self.begin_write(&names, batch.durability())?;
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

/// The object stores of the columns that are wanted.
fn names_of(wanted: impl Fn(Column) -> bool) -> Vec<&'static str> {
    Column::ALL.into_iter().filter(|column| wanted(*column)).map(Column::name).collect()
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
