//! One transaction of the writer: events with their hash chain, and what other tables say of them.

use crate::faults::pass;
use crate::folder::StateFolder;
use crate::schema::{BUSY, damaged, from_sqlite, open_for_writing};
use crate::writer::{Entries, Request, What};
use orch_core::{Digest, Event, Faults, PlantedBug, Record, RunId, StoreError, TaskKind, TaskOutcome, chain_link};
use rusqlite::{Connection, ErrorCode, OptionalExtension, params};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

/// How many runs' positions are kept in memory.
const MOST_RUNS: usize = 1024;

/// How long to wait for another process's transaction.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    None,
    Full,
}

/// Where a run's log ends.
#[derive(Clone)]
struct Position {
    key: i64,
    seq: u64,
    chain: [u8; 32],
}

/// What came of one request. The error outside is the disk's and concerns all that share the transaction; the one inside is the
/// request's own.
type Answer = Result<Result<(), StoreError>, StoreError>;

pub(crate) struct Committer {
    connection: Connection,
    folder: StateFolder,
    faults: Arc<dyn Faults>,
    runs: HashMap<RunId, Position>,
}

impl Committer {
    pub(crate) fn open(folder: &StateFolder, faults: Arc<dyn Faults>) -> Result<Committer, StoreError> {
        let connection = open_for_writing(folder, &*faults)?;
        if faults.planted(PlantedBug::SkipFsync) {
            connection.pragma_update(None, "synchronous", "OFF").map_err(|error| from_sqlite(folder, &error))?;
        }
        Ok(Committer { connection, folder: folder.clone(), faults, runs: HashMap::new() })
    }

    pub(crate) fn plants(&self, bug: PlantedBug) -> bool {
        self.faults.planted(bug)
    }

    /// Takes the right to write and gives it back: what cannot be written says so here and not in the midst of a run.
    pub(crate) fn check(&self) -> Result<(), StoreError> {
        let fail = |error: rusqlite::Error| from_sqlite(&self.folder, &error);
        // What cannot be opened for writing SQLite opens for reading, and begins to write there without a word.
        if self.connection.is_readonly("main").map_err(fail)? {
            let reason = "it cannot be written: choose another place with --state".to_owned();
            return Err(StoreError::Broken { place: self.folder.database().display().to_string(), reason });
        }
        self.connection.busy_timeout(BUSY).and_then(|()| self.execute("BEGIN IMMEDIATE")).map_err(fail)?;
        self.execute("ROLLBACK").map_err(fail)
    }

    /// Makes appends quick. It may fail: then they are slower, and a disk that is full shows in the next one.
    pub(crate) fn reserve(&self) {
        let _ = crate::wal::reserve(&self.connection, &self.folder);
    }

    /// Writes and answers requests. Without patience they come back untouched when another process is writing.
    pub(crate) fn commit(&mut self, batch: Vec<Request>, patience: Patience) -> Result<(), Vec<Request>> {
        let begun = match self.begin(patience) {
            Ok(true) => Ok(()),
            Ok(false) => return Err(batch),
            Err(error) => Err(error),
        };
        let mut answers = Vec::with_capacity(batch.len());
        let mut waiting: Vec<_> = Vec::with_capacity(batch.len());
        let written = begun.and_then(|()| self.write(&batch, &mut answers));
        waiting.extend(batch.into_iter().map(|request| request.done));
        if written.is_ok() && self.plants(PlantedBug::AcknowledgeEarly) {
            answer(std::mem::take(&mut waiting), &written, &answers);
        }
        let written = written.and_then(|()| self.end());
        if written.is_err() {
            let _ = self.connection.execute_batch("ROLLBACK");
        }
        // After an error, what is in memory may be ahead of the disk.
        if written.is_err() || self.runs.len() > MOST_RUNS {
            self.runs.clear();
        }
        answer(waiting, &written, &answers);
        Ok(())
    }

    /// False: another process has the right to write.
    fn begin(&mut self, patience: Patience) -> Result<bool, StoreError> {
        pass(&*self.faults, "log.before-begin", self.folder.path())?;
        let wait = if patience == Patience::Full { BUSY } else { Duration::ZERO };
        let begun = self.connection.busy_timeout(wait).and_then(|()| self.execute("BEGIN IMMEDIATE"));
        match begun {
            Ok(()) => Ok(true),
            Err(error) if patience == Patience::None && error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {
                Ok(false)
            }
            Err(error) => Err(from_sqlite(&self.folder, &error)),
        }
    }

    fn end(&mut self) -> Result<(), StoreError> {
        pass(&*self.faults, "log.before-commit", self.folder.path())?;
        self.execute("COMMIT").map_err(|error| from_sqlite(&self.folder, &error))?;
        pass(&*self.faults, "log.after-commit", self.folder.path())?;
        pass(&*self.faults, "log.before-acknowledge", self.folder.path())
    }

    fn execute(&self, sql: &str) -> rusqlite::Result<()> {
        self.connection.prepare_cached(sql)?.execute([]).map(|_| ())
    }

    /// Fills `answers` with one entry for each request; an error means that nothing may be committed.
    fn write(&mut self, batch: &[Request], answers: &mut Vec<Result<(), StoreError>>) -> Result<(), StoreError> {
        for request in batch {
            answers.push(match &request.what {
                What::Append(entries) => self.append(&request.run, entries)?,
                What::Granted(number) => {
                    self.granted(&request.run, *number).map_err(|error| from_sqlite(&self.folder, &error))?;
                    Ok(())
                }
            });
        }
        Ok(())
    }

    fn granted(&self, run: &RunId, number: u64) -> rusqlite::Result<()> {
        let sql = "DELETE FROM wishes WHERE run = (SELECT key FROM runs WHERE id = ?1) AND key <= ?2";
        self.connection.prepare_cached(sql)?.execute(params![run.as_str(), number.cast_signed()]).map(|_| ())
    }

    fn append(&mut self, run: &RunId, entries: &Entries) -> Answer {
        let expected = entries.expected();
        let remembered = self.runs.remove(run).filter(|position| position.seq == expected);
        if let Some(position) = remembered
            && let Some(position) = self.extend(run, position, entries)?
        {
            self.runs.insert(run.clone(), position);
            return Ok(Ok(()));
        }
        // It is not remembered, or another process has written to the run since.
        let position = match self.position(run, entries)? {
            Ok(position) => position,
            Err(error) => return Ok(Err(error)),
        };
        if position.seq != expected {
            return Ok(Err(StoreError::Conflict { run: run.clone(), expected, found: position.seq }));
        }
        let Some(position) = self.extend(run, position, entries)? else {
            return Ok(Err(damaged(&self.folder, format!("what is stored of run `{run}` contradicts itself"))));
        };
        self.runs.insert(run.clone(), position);
        Ok(Ok(()))
    }

    /// Appends after a position. None, and nothing is written: the run is not at that position any more.
    fn extend(&self, run: &RunId, mut position: Position, entries: &Entries) -> Result<Option<Position>, StoreError> {
        let fail = |error: rusqlite::Error| from_sqlite(&self.folder, &error);
        // One statement checks the position and keeps what lists show; a page of its own is all that costs.
        let sql = "UPDATE runs SET events = ?4, updated = coalesce(?5, updated), bytes = bytes + ?6,
                   suspended = coalesce(?7, suspended), outcome = coalesce(?8, outcome)
                   WHERE key = ?1 AND id = ?2 AND events = ?3";
        let (mut suspended, mut outcome) = (None, None);
        for record in entries.records() {
            match &record.event {
                Event::RunSuspended { .. } => suspended = Some(true),
                Event::RunResumed { .. } => suspended = Some(false),
                Event::RunFinished { outcome: how, .. } => (suspended, outcome) = (Some(false), Some(how.word())),
                _ => {}
            }
        }
        let end = position.seq + entries.records().len() as u64;
        let updated = entries.records().last().map(|record| record.at.0);
        let changed = self
            .connection
            .prepare_cached(sql)
            .and_then(|mut update| {
                update.execute(params![
                    position.key,
                    run.as_str(),
                    position.seq.cast_signed(),
                    end.cast_signed(),
                    updated,
                    i64::try_from(entries.bytes()).unwrap_or(i64::MAX),
                    suspended,
                    outcome
                ])
            })
            .map_err(fail)?;
        if changed == 0 {
            return Ok(None);
        }
        let mut insert = self
            .connection
            .prepare_cached("INSERT INTO events (run, seq, at, body, chain) VALUES (?1, ?2, ?3, ?4, ?5)")
            .map_err(fail)?;
        for (Record { at, event, .. }, body) in entries.with_bodies() {
            position.seq += 1;
            position.chain = chain_link(&position.chain, position.seq, *at, body);
            insert
                .execute(params![position.key, position.seq.cast_signed(), at.0, body, position.chain])
                .map_err(fail)?;
            self.index(position.key, event).map_err(fail)?;
        }
        Ok(Some(position))
    }

    /// What other tables say of an event.
    fn index(&self, key: i64, event: &Event) -> rusqlite::Result<()> {
        for digest in blobs_of(event) {
            self.connection
                .prepare_cached("INSERT OR IGNORE INTO blob_refs (run, digest) VALUES (?1, ?2)")?
                .execute(params![key, digest.bytes()])?;
        }
        if let Some((digest, step)) = result_in(event) {
            self.connection
                .prepare_cached(
                    "INSERT INTO results (key, run, step) VALUES (?1, ?2, ?3)
                     ON CONFLICT (key) DO UPDATE SET run = excluded.run, step = excluded.step",
                )?
                .execute(params![digest.bytes(), key, step])?;
        }
        Ok(())
    }

    /// Where a run ends on disk. A run that is not there is made, if this is its creation.
    fn position(&self, run: &RunId, entries: &Entries) -> Result<Result<Position, StoreError>, StoreError> {
        let fail = |error: rusqlite::Error| from_sqlite(&self.folder, &error);
        let sql = "SELECT r.key, r.events, e.seq, e.chain FROM runs r LEFT JOIN events e
                   ON e.run = r.key AND e.seq = (SELECT max(seq) FROM events WHERE run = r.key) WHERE r.id = ?1";
        let position = |row: &rusqlite::Row<'_>| {
            let (counted, seq): (Option<i64>, Option<i64>) = (row.get(1)?, row.get(2)?);
            let Some(seq) = seq.filter(|_| seq == counted) else { return Ok(None) };
            Ok(Some(Position { key: row.get(0)?, seq: seq.cast_unsigned(), chain: row.get(3)? }))
        };
        let found = self
            .connection
            .prepare_cached(sql)
            .and_then(|mut query| query.query_row([run.as_str()], position).optional())
            .map_err(fail)?;
        match (found, entries.records().first()) {
            (Some(Some(position)), _) => Ok(Ok(position)),
            (Some(None), _) => {
                let reason = format!("run `{run}` has not as many events as it should have: see `runs verify`");
                Ok(Err(damaged(&self.folder, reason)))
            }
            (None, Some(Record { at, event: Event::RunCreated { workflow, .. }, .. })) if entries.expected() == 0 => {
                let sql =
                    "INSERT INTO runs (id, workflow, created, events, updated, bytes) VALUES (?1, ?2, ?3, 0, ?3, 0)";
                let key = self
                    .connection
                    .prepare_cached(sql)
                    .and_then(|mut insert| insert.insert(params![run.as_str(), workflow, at.0]))
                    .map_err(fail)?;
                Ok(Ok(Position { key, seq: 0, chain: [0; 32] }))
            }
            (None, _) => Ok(Err(StoreError::UnknownRun(run.to_string()))),
        }
    }
}

fn answer(
    waiting: Vec<tokio::sync::oneshot::Sender<Result<(), StoreError>>>,
    written: &Result<(), StoreError>,
    answers: &[Result<(), StoreError>],
) {
    for (index, done) in waiting.into_iter().enumerate() {
        let _ = done.send(written.clone().and_then(|()| answers.get(index).cloned().unwrap_or(Ok(()))));
    }
}

/// The blobs that a run needs because of an event: artifacts, and the components that it may run again, each once, however many tasks
/// use it.
pub(crate) fn blobs_of(event: &Event) -> BTreeSet<Digest> {
    match event {
        Event::ArtifactStored { artifact, .. } => BTreeSet::from([artifact.digest]),
        Event::RunCreated { tasks, .. } => tasks
            .iter()
            .filter_map(|task| match &task.what {
                TaskKind::Plugin { digest, .. } => Some(*digest),
                TaskKind::Gate | TaskKind::Approval | TaskKind::Workflow { .. } => None,
            })
            .collect(),
        _ => BTreeSet::new(),
    }
}

/// The result that an event offers for use again: what it depends on, and the step.
pub(crate) fn result_in(event: &Event) -> Option<(Digest, String)> {
    match event {
        Event::TaskFinished { task, outcome: TaskOutcome::Succeeded, key: Some(key), .. } => {
            Some((*key, task.to_string()))
        }
        _ => None,
    }
}
