//! The store as others use it: the ports [`RunStore`] and [`GroupStore`] over one writer and connections of their own.

use crate::faults::pass;
use crate::folder::StateFolder;
use crate::owner::{self, Owned};
use crate::schema::{self, from_sqlite};
use crate::writer::{Entries, Request, What, Writer};
use crate::{groups, kept, read, wish};
use orch_core::{
    Admission, BoxFuture, Digest, Faults, GroupStore, GroupTicket, KvEntry, KvError, KvPlace, KvStore, NoFaults,
    Record, RunId, RunStore, RunSummary, Size, StepId, StoreError, Timestamp, Wish,
};
use rusqlite::Connection;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::oneshot;

/// Runs in SQLite.
pub struct SqliteStore {
    pub(crate) folder: StateFolder,
    pub(crate) faults: Arc<dyn Faults>,
    // Closed before the writer's: the last connection folds the write-ahead log into the database, and one that only reads cannot.
    reader: Mutex<Option<Connection>>,
    // For what is not part of a run's log. Its own, since the writer's may be in the middle of a transaction.
    aside: Mutex<Option<Connection>>,
    // Started by the first append: commands that only read never take part in writing.
    writer: Mutex<Option<Arc<Writer>>>,
}

/// What `runs verify` found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verification {
    /// How many events were read.
    pub events: u64,
    /// The first event that is not as it was written.
    pub broken_at: Option<u64>,
}

impl SqliteStore {
    /// A store in a state folder. Nothing is opened before it is used.
    pub fn new(folder: StateFolder) -> SqliteStore {
        SqliteStore::with_faults(folder, Arc::new(NoFaults))
    }

    /// A store that fails where a test wants it to.
    pub fn with_faults(folder: StateFolder, faults: Arc<dyn Faults>) -> SqliteStore {
        SqliteStore { folder, faults, reader: Mutex::new(None), aside: Mutex::new(None), writer: Mutex::new(None) }
    }

    fn writer(&self) -> Result<Arc<Writer>, StoreError> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        match &*writer {
            Some(writer) => Ok(Arc::clone(writer)),
            None => {
                let started = Arc::new(Writer::start(&self.folder, Arc::clone(&self.faults))?);
                *writer = Some(Arc::clone(&started));
                Ok(started)
            }
        }
    }

    /// Where it is.
    pub fn folder(&self) -> &StateFolder {
        &self.folder
    }

    /// Opens the database for writing now, so that a folder that cannot be written is noticed before anything runs.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn prepare(&self) -> Result<(), StoreError> {
        self.writer().map(|_| ())
    }

    /// The run that an id, a unique part of its beginning or end, or `latest` names.
    ///
    /// # Errors
    /// When none or several fit, or the log cannot be read.
    pub fn resolve(&self, name: &str) -> Result<RunId, StoreError> {
        self.reading(|connection| read::resolve(connection, &self.folder, name))
    }

    /// Checks the hash chain of a run.
    ///
    /// # Errors
    /// When the run is unknown or the log cannot be read.
    pub fn verify(&self, run: &RunId) -> Result<Verification, StoreError> {
        self.reading(|connection| read::verify(connection, &self.folder, run))
    }

    /// The events of a run as they are stored, for a proof that does not depend on what this version makes of them.
    ///
    /// # Errors
    /// When the run is unknown or the log cannot be read.
    pub fn texts(&self, run: &RunId) -> Result<Vec<(Timestamp, String)>, StoreError> {
        self.reading(|connection| read::texts(connection, &self.folder, run))
    }

    /// Keeps what a person wants of a run until the process that drives it takes it into the log. On disk when it returns.
    ///
    /// # Errors
    /// When there is no such run, it is over, or nothing can be written.
    pub fn wish(&self, run: &RunId, wish: &Wish) -> Result<(), StoreError> {
        self.writing("wish.before-commit", |connection| wish::keep(connection, &self.folder, run, wish))?;
        pass(&*self.faults, "wish.after-commit", self.folder.path())
    }

    /// Takes the right to drive a run, which need not be there yet. It is given back by dropping it, and by the end of this
    /// process however that comes. None: somebody else has it.
    ///
    /// # Errors
    /// When the lock file cannot be made or locked.
    pub fn own(&self, run: &RunId) -> Result<Option<Owned>, StoreError> {
        owner::own(&self.folder, run, &*self.faults)
    }

    /// Whether a process drives a run right now.
    pub fn is_driven(&self, run: &RunId) -> bool {
        owner::is_driven(&self.folder, run)
    }

    /// Reads with a connection that is kept for the next one: opening one costs as much as reading a short run.
    pub(crate) fn reading<T>(&self, read: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let kept = self.reader.lock().unwrap_or_else(PoisonError::into_inner).take();
        let connection = match kept {
            Some(connection) => connection,
            None => schema::open_for_reading(&self.folder, &*self.faults)?,
        };
        // Several may read at once; the last one's connection stays. After an error a new one is less surprising.
        let done = read(&connection)?;
        *self.reader.lock().unwrap_or_else(PoisonError::into_inner) = Some(connection);
        Ok(done)
    }

    /// Writes in a transaction of its own, aside from the writer's.
    pub(crate) fn writing<T>(
        &self,
        before_commit: &'static str,
        write: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.aside(|connection| {
            schema::in_transaction(connection, &self.folder, || {
                let value = write(connection)?;
                pass(&*self.faults, before_commit, self.folder.path())?;
                Ok(value)
            })
        })
    }

    /// Does something outside of a transaction with the connection for writing.
    pub(crate) fn maintaining<T>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        self.aside(|connection| work(connection).map_err(|error| from_sqlite(&self.folder, &error)))
    }

    /// Works with the connection that writes beside the log.
    fn aside<T>(&self, work: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let mut aside = self.aside.lock().unwrap_or_else(PoisonError::into_inner);
        let connection = match aside.take() {
            Some(connection) => connection,
            None => schema::open_for_writing(&self.folder, &*self.faults)?,
        };
        let done = work(&connection);
        *aside = Some(connection);
        done
    }

    /// Sends a request to the writer. The future is lazy: the first poll, or its drop, sees to it that the request is served.
    fn request(&self, run: &RunId, what: What) -> BoxFuture<Result<(), StoreError>> {
        let writer = match self.writer() {
            Ok(writer) => writer,
            Err(error) => return Box::pin(std::future::ready(Err(error))),
        };
        let (done, answer) = oneshot::channel();
        let turn = writer.send(Request { run: run.clone(), what, done });
        let place = self.folder.path().display().to_string();
        Box::pin(async move {
            turn.take();
            let stopped = || StoreError::Broken { place, reason: "the log's writer has stopped".to_owned() };
            answer.await.unwrap_or_else(|_| Err(stopped()))
        })
    }
}

impl RunStore for SqliteStore {
    fn append(&self, run: &RunId, records: Arc<Vec<Record>>) -> BoxFuture<Result<(), StoreError>> {
        match Entries::new(records) {
            Ok(Some(entries)) => self.request(run, What::Append(entries)),
            Ok(None) => Box::pin(std::future::ready(Ok(()))),
            Err(error) => {
                let broken = StoreError::Broken { place: format!("run {run}"), reason: error.to_string() };
                Box::pin(std::future::ready(Err(broken)))
            }
        }
    }

    fn read(&self, run: &RunId, after: u64) -> Result<Vec<Record>, StoreError> {
        self.reading(|connection| read::events(connection, &self.folder, run, after))
    }

    fn list(&self, workflow: Option<&str>, most: usize) -> Result<Vec<RunSummary>, StoreError> {
        self.reading(|connection| read::list(connection, &self.folder, workflow, most))
    }

    fn wishes(&self, run: &RunId) -> Result<Vec<(u64, Wish)>, StoreError> {
        self.reading(|connection| read::wishes(connection, &self.folder, run))
    }

    fn granted(&self, run: &RunId, number: u64) -> BoxFuture<Result<(), StoreError>> {
        self.request(run, What::Granted(number))
    }

    fn result_of(&self, key: &Digest) -> Result<Option<(RunId, StepId)>, StoreError> {
        self.reading(|connection| read::result_of(connection, &self.folder, key))
    }
}

impl GroupStore for SqliteStore {
    fn enter(&self, ticket: &GroupTicket, now: Timestamp) -> Result<Admission, StoreError> {
        let admission =
            self.writing("group.before-commit", |connection| groups::enter(connection, &self.folder, ticket, now))?;
        pass(&*self.faults, "group.after-commit", self.folder.path())?;
        Ok(admission)
    }

    fn leave(&self, run: &RunId) -> Result<(), StoreError> {
        self.writing("group.before-commit", |connection| {
            groups::remove(connection, run.as_str()).map_err(|error| from_sqlite(&self.folder, &error))
        })?;
        pass(&*self.faults, "group.after-commit", self.folder.path())
    }
}

impl KvStore for SqliteStore {
    fn get(&self, place: &KvPlace, key: &str) -> Result<Option<KvEntry>, StoreError> {
        self.reading(|connection| kept::get(connection, &self.folder, place, key))
    }

    fn set(
        &self,
        place: &KvPlace,
        key: &str,
        value: Option<&[u8]>,
        expected: Option<u64>,
        quota: Size,
    ) -> Result<u64, KvError> {
        // What the caller did wrong is no reason to roll back, since nothing was changed then.
        let done = self.aside(|connection| {
            schema::in_transaction_soon(connection, &self.folder, || {
                let done = kept::set(connection, &self.folder, place, key, value, expected, quota)?;
                pass(&*self.faults, "kv.before-commit", self.folder.path())?;
                Ok(done)
            })
        })?;
        let Some(done) = done else { return Err(KvError::Busy) };
        pass(&*self.faults, "kv.after-commit", self.folder.path())?;
        done
    }
}
