//! The store as others use it: [`orch_core::RunStore`] over one writer thread and readers of their own.

use crate::folder::StateFolder;
use crate::writer::{Request, Writer};
use crate::{read, schema};
use orch_core::{BoxFuture, Event, Faults, NoFaults, Record, RunId, RunStore, RunSummary, StoreError, Timestamp};
use std::sync::{Arc, Mutex};
use tokio::sync::oneshot;

/// Runs in SQLite.
pub struct SqliteStore {
    folder: StateFolder,
    // Started by the first append: commands that only read never take part in writing.
    writer: Mutex<Option<Arc<Writer>>>,
    faults: Arc<dyn Faults>,
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
        SqliteStore { folder, writer: Mutex::new(None), faults }
    }

    fn writer(&self) -> Result<Arc<Writer>, StoreError> {
        let mut writer = self.writer.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match &*writer {
            Some(writer) => Ok(Arc::clone(writer)),
            None => {
                let started = Arc::new(Writer::start(&self.folder, Arc::clone(&self.faults))?);
                *writer = Some(Arc::clone(&started));
                Ok(started)
            }
        }
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
        read::resolve(&schema::open_for_reading(&self.folder)?, &self.folder, name)
    }

    /// Checks the hash chain of a run.
    ///
    /// # Errors
    /// When the run is unknown or the log cannot be read.
    pub fn verify(&self, run: &RunId) -> Result<Verification, StoreError> {
        read::verify(&schema::open_for_reading(&self.folder)?, &self.folder, run)
    }
}

impl RunStore for SqliteStore {
    fn append(&self, run: &RunId, expected: u64, events: Vec<(Timestamp, Event)>) -> BoxFuture<Result<(), StoreError>> {
        let writer = match self.writer() {
            Ok(writer) => writer,
            Err(error) => return Box::pin(std::future::ready(Err(error))),
        };
        let (done, answer) = oneshot::channel();
        writer.send(Request { run: run.clone(), expected, events, done });
        let place = self.folder.path().display().to_string();
        Box::pin(async move {
            let stopped = || StoreError::Broken { place, reason: "the log's writer has stopped".to_owned() };
            answer.await.unwrap_or_else(|_| Err(stopped()))
        })
    }

    fn read(&self, run: &RunId, after: u64) -> Result<Vec<Record>, StoreError> {
        read::events(&schema::open_for_reading(&self.folder)?, &self.folder, run, after)
    }

    fn list(&self, workflow: Option<&str>, most: usize) -> Result<Vec<RunSummary>, StoreError> {
        read::list(&schema::open_for_reading(&self.folder)?, &self.folder, workflow, most)
    }
}
