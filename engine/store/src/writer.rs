//! The one thread that writes. Whatever waits when it comes round goes into one transaction: one fsync for all.

use crate::folder::StateFolder;
use crate::schema::{from_sqlite, open_for_writing};
use orch_core::{Event, Faults, RunId, StoreError, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use tokio::sync::oneshot;

/// How many requests share a transaction at most, so that an acknowledgement never waits for an endless queue.
const MOST_SHARED: usize = 1024;

/// How many runs' positions are kept in memory.
const MOST_RUNS: usize = 1024;

pub(crate) struct Request {
    pub(crate) run: RunId,
    pub(crate) expected: u64,
    pub(crate) events: Vec<(Timestamp, Event)>,
    pub(crate) done: oneshot::Sender<Result<(), StoreError>>,
}

pub(crate) struct Writer {
    requests: Option<Sender<Request>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(crate) fn start(folder: &StateFolder, faults: Arc<dyn Faults>) -> Result<Writer, StoreError> {
        let connection = open_for_writing(folder)?;
        let (requests, queue) = channel();
        let mut state = State { connection, folder: folder.clone(), faults, runs: HashMap::new() };
        let thread = std::thread::Builder::new()
            .name("run-log".to_owned())
            .spawn(move || state.serve(&queue))
            .map_err(|error| crate::folder::from_io(folder.path(), &error))?;
        Ok(Writer { requests: Some(requests), thread: Some(thread) })
    }

    pub(crate) fn send(&self, request: Request) {
        if let Some(requests) = &self.requests {
            // A closed queue drops the request and with it the acknowledgement, which the caller sees.
            let _ = requests.send(request);
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.requests = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Where a run's log ends.
#[derive(Clone)]
struct Position {
    key: i64,
    seq: u64,
    chain: [u8; 32],
}

struct State {
    connection: Connection,
    folder: StateFolder,
    faults: Arc<dyn Faults>,
    runs: HashMap<RunId, Position>,
}

impl State {
    fn serve(&mut self, queue: &Receiver<Request>) {
        while let Ok(first) = queue.recv() {
            let mut batch = vec![first];
            batch.extend(queue.try_iter().take(MOST_SHARED - 1));
            self.commit(batch);
        }
        // Fold the write-ahead log into the database, so that a stopped program leaves one file. It may fail; the log stays valid.
        let _ = self.connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
    }

    fn commit(&mut self, batch: Vec<Request>) {
        let mut answers = Vec::with_capacity(batch.len());
        let written = self.transaction(&batch, &mut answers);
        if written.is_err() {
            let _ = self.connection.execute_batch("ROLLBACK");
            // What is in memory may be ahead of the disk now.
            self.runs.clear();
        }
        for (index, request) in batch.into_iter().enumerate() {
            let answer = match &written {
                Err(error) => Err(error.clone()),
                Ok(()) => answers.get(index).cloned().unwrap_or(Ok(())),
            };
            let _ = request.done.send(answer);
        }
        if self.runs.len() > MOST_RUNS {
            self.runs.clear();
        }
    }

    /// Fills `answers` with one entry for each request; an error as a whole means that nothing was written.
    fn transaction(&mut self, batch: &[Request], answers: &mut Vec<Result<(), StoreError>>) -> Result<(), StoreError> {
        let folder = self.folder.clone();
        let fail = |error: rusqlite::Error| from_sqlite(&folder, &error);
        self.connection.execute_batch("BEGIN IMMEDIATE").map_err(fail)?;
        for request in batch {
            let answer = self.append(request);
            // A request that does not fit its run is refused alone. Everything else is the disk's and concerns all.
            if let Err(error) = &answer
                && !matches!(error, StoreError::Conflict { .. } | StoreError::UnknownRun(_))
            {
                return Err(error.clone());
            }
            answers.push(answer);
        }
        let faulty = |error| crate::folder::from_io(folder.path(), &error);
        self.faults.at("log.before-commit").map_err(faulty)?;
        self.connection.execute_batch("COMMIT").map_err(fail)?;
        self.faults.at("log.after-commit").map_err(faulty)
    }

    fn append(&mut self, request: &Request) -> Result<(), StoreError> {
        let folder = self.folder.clone();
        let fail = |error: rusqlite::Error| from_sqlite(&folder, &error);
        let mut position = self.position(request)?;
        if position.seq != request.expected {
            let conflict = |found| StoreError::Conflict { run: request.run.clone(), expected: request.expected, found };
            return Err(conflict(position.seq));
        }
        let mut insert = self
            .connection
            .prepare_cached("INSERT INTO events (run, seq, at, body, chain) VALUES (?1, ?2, ?3, ?4, ?5)")
            .map_err(fail)?;
        for (at, event) in &request.events {
            let body = serde_json::to_string(event)
                .map_err(|error| StoreError::Broken { place: request.run.to_string(), reason: error.to_string() })?;
            position.seq += 1;
            position.chain = chain(&position.chain, position.seq, *at, &body);
            insert
                .execute(params![position.key, position.seq.cast_signed(), at.0, body, position.chain])
                .map_err(fail)?;
            if let Event::RunFinished { outcome, .. } = event {
                self.connection
                    .prepare_cached("UPDATE runs SET outcome = ?2 WHERE key = ?1")
                    .and_then(|mut update| update.execute(params![position.key, outcome.word()]))
                    .map_err(fail)?;
            }
        }
        drop(insert);
        self.runs.insert(request.run.clone(), position);
        Ok(())
    }

    fn position(&mut self, request: &Request) -> Result<Position, StoreError> {
        let folder = self.folder.clone();
        let fail = |error: rusqlite::Error| from_sqlite(&folder, &error);
        // Another process may have appended since, so what is remembered only serves where its next event is not there yet.
        if let Some(known) = self.runs.get(&request.run) {
            let taken: bool = self
                .connection
                .prepare_cached("SELECT EXISTS (SELECT 1 FROM events WHERE run = ?1 AND seq = ?2)")
                .and_then(|mut query| {
                    query.query_row(params![known.key, known.seq.cast_signed() + 1], |row| row.get(0))
                })
                .map_err(fail)?;
            if !taken {
                return Ok(known.clone());
            }
        }
        let key: Option<i64> = self
            .connection
            .prepare_cached("SELECT key FROM runs WHERE id = ?1")
            .and_then(|mut query| query.query_row([request.run.as_str()], |row| row.get(0)).optional())
            .map_err(fail)?;
        match (key, request.events.first()) {
            (Some(key), _) => {
                let last: Option<(i64, [u8; 32])> = self
                    .connection
                    .prepare_cached("SELECT seq, chain FROM events WHERE run = ?1 ORDER BY seq DESC LIMIT 1")
                    .and_then(|mut query| query.query_row([key], |row| Ok((row.get(0)?, row.get(1)?))).optional())
                    .map_err(fail)?;
                let (seq, chain) = last.unwrap_or((0, [0; 32]));
                Ok(Position { key, seq: seq.cast_unsigned(), chain })
            }
            (None, Some((at, Event::RunCreated { workflow, .. }))) if request.expected == 0 => {
                let key = self
                    .connection
                    .prepare_cached("INSERT INTO runs (id, workflow, created) VALUES (?1, ?2, ?3)")
                    .and_then(|mut insert| insert.insert(params![request.run.as_str(), workflow, at.0]))
                    .map_err(fail)?;
                Ok(Position { key, seq: 0, chain: [0; 32] })
            }
            (None, _) => Err(StoreError::UnknownRun(request.run.to_string())),
        }
    }
}

/// The next link of a run's hash chain.
pub(crate) fn chain(before: &[u8; 32], seq: u64, at: Timestamp, body: &str) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(before);
    hash.update(seq.to_be_bytes());
    hash.update(at.0.to_be_bytes());
    hash.update(body.as_bytes());
    hash.finalize().into()
}
