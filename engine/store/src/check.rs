//! Everything that can be checked of a state folder: the database as SQLite sees it, what its tables say of each other, the hash
//! chains, and the blobs. One line a problem.

use crate::FolderBlobs;
use crate::commit::{blobs_of, result_in};
use crate::folder::from_io;
use crate::log::SqliteStore;
use crate::prune_blobs::digest_of;
use crate::read;
use crate::schema::{expected_shape, from_sqlite, shape};
use orch_core::{Blobs, Digest, Event, RunId, StoreError};
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::BTreeSet;

/// Lines of SQLite's own check. Where there are more, the database is lost anyway.
const MOST_LINES: u32 = 100;

/// What lists show of a run.
struct Row {
    key: i64,
    id: String,
    workflow: String,
    created: i64,
    outcome: Option<String>,
    suspended: bool,
    updated: Option<i64>,
    bytes: Option<i64>,
}

impl SqliteStore {
    /// Checks all of it. Each line names the run, the blob or the file that is not as it was written; none: all is well.
    ///
    /// # Errors
    /// When the database cannot be opened, or is not a database any more.
    pub fn check(&self) -> Result<Vec<String>, StoreError> {
        let mut lines = self.reading(|connection| {
            let fail = |error: rusqlite::Error| from_sqlite(&self.folder, &error);
            // One view of the database, however much others write meanwhile.
            connection.execute_batch("BEGIN").map_err(fail)?;
            let checked = self.check_database(connection);
            let _ = connection.execute_batch("ROLLBACK");
            checked
        })?;
        self.check_blobs(&mut lines)?;
        Ok(lines)
    }

    fn check_database(&self, connection: &Connection) -> Result<Vec<String>, StoreError> {
        let fail = |error: rusqlite::Error| from_sqlite(&self.folder, &error);
        let file = self.folder.database().display().to_string();
        let mut lines = Vec::new();
        let mut tell = |found: rusqlite::Result<Vec<String>>| match found {
            Ok(found) => lines.extend(found.into_iter().map(|line| format!("`{file}`: {line}"))),
            Err(error) => lines.push(from_sqlite(&self.folder, &error).to_string()),
        };
        tell(integrity(connection));
        tell(foreign_keys(connection));
        tell(differences(connection));
        // The runs one by one: what is broken of one must not hide the others.
        let keys: Result<Vec<(i64, String)>, _> = connection
            .prepare("SELECT key, id FROM runs ORDER BY key")
            .and_then(|mut query| query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect());
        match keys {
            Err(error) => lines.push(fail(error).to_string()),
            Ok(keys) => {
                for (key, id) in keys {
                    if let Err(problem) = self.check_run(connection, key, &id) {
                        lines.push(format!("run {}: {problem}", orch_core::visible(&id)));
                    }
                }
            }
        }
        Ok(lines)
    }

    /// The first thing that is wrong with a run.
    fn check_run(&self, connection: &Connection, key: i64, id: &str) -> Result<(), String> {
        let run = RunId::try_from(id).map_err(|error| error.to_string())?;
        let text = |error: rusqlite::Error| from_sqlite(&self.folder, &error).to_string();
        let found = read::verify(connection, &self.folder, &run).map_err(|error| error.to_string())?;
        if let Some(seq) = found.broken_at {
            return Err(format!("event {seq} is not as it was written, or missing"));
        }
        let sql = "SELECT key, id, workflow, created, outcome, suspended, updated, bytes FROM runs WHERE key = ?1";
        let row = connection
            .query_row(sql, [key], |row| {
                Ok(Row {
                    key: row.get(0)?,
                    id: row.get(1)?,
                    workflow: row.get(2)?,
                    created: row.get(3)?,
                    outcome: row.get(4)?,
                    suspended: row.get(5)?,
                    updated: row.get(6)?,
                    bytes: row.get(7)?,
                })
            })
            .map_err(text)?;
        let records = read::events(connection, &self.folder, &run, 0).map_err(|error| error.to_string())?;
        let (mut outcome, mut suspended) = (None, false);
        let (mut refers, mut artifacts) = (BTreeSet::new(), BTreeSet::new());
        for record in &records {
            match &record.event {
                Event::RunCreated { workflow, .. } if *workflow != row.workflow || record.at.0 != row.created => {
                    return Err("lists show another workflow or time of creation than its events".to_owned());
                }
                Event::ArtifactStored { artifact, .. } => {
                    artifacts.insert(artifact.digest);
                }
                Event::RunSuspended { .. } => suspended = true,
                Event::RunResumed { .. } => suspended = false,
                Event::RunFinished { outcome: how, .. } => (outcome, suspended) = (Some(how.word()), false),
                _ => {}
            }
            refers.extend(blobs_of(&record.event));
            if let Some((digest, _)) = result_in(&record.event) {
                let there = connection
                    .prepare_cached("SELECT 1 FROM results WHERE key = ?1")
                    .and_then(|mut query| query.exists([digest.bytes()]))
                    .map_err(text)?;
                if !there {
                    return Err(format!("event {} has a result that cannot be found by its key", record.seq));
                }
            }
        }
        if outcome != row.outcome.as_deref() || suspended != row.suspended {
            return Err("lists show another outcome than its events".to_owned());
        }
        if row.updated != records.last().map(|record| record.at.0) || row.id != id {
            return Err("lists show another time of its last event than its events".to_owned());
        }
        let sql = "SELECT sum(octet_length(body)) FROM events WHERE run = ?1";
        let bytes: Option<i64> = connection.query_row(sql, [row.key], |row| row.get(0)).map_err(text)?;
        if bytes != row.bytes {
            return Err("its size is not that of its events".to_owned());
        }
        self.check_references(connection, key, &refers, &artifacts)?;
        check_results(connection, key).map_err(text)?
    }

    /// Runs of format 1 did not keep their components, so only the artifacts have to be there.
    fn check_references(
        &self,
        connection: &Connection,
        key: i64,
        expected: &BTreeSet<Digest>,
        artifacts: &BTreeSet<Digest>,
    ) -> Result<(), String> {
        let found: BTreeSet<Digest> = connection
            .prepare_cached("SELECT digest FROM blob_refs WHERE run = ?1")
            .and_then(|mut query| query.query_map([key], |row| row.get(0).map(Digest::from_bytes))?.collect())
            .map_err(|error| from_sqlite(&self.folder, &error).to_string())?;
        if let Some(digest) = found.difference(expected).next() {
            return Err(format!("it is said to refer to blob {digest}, which no event of it does"));
        }
        if let Some(digest) = artifacts.difference(&found).next() {
            return Err(format!("it is not said to refer to blob {digest}, which it stored"));
        }
        let blobs = self.folder.path().join("blobs/sha256");
        for digest in found {
            let hex = digest.hex();
            if !blobs.join(&hex[..2]).join(&hex).is_file() {
                return Err(format!("blob {digest} is missing"));
            }
        }
        Ok(())
    }

    fn check_blobs(&self, lines: &mut Vec<String>) -> Result<(), StoreError> {
        let blobs = FolderBlobs::new(self.folder.clone());
        let place = self.folder.path().join("blobs/sha256");
        let Ok(folders) = std::fs::read_dir(&place) else { return Ok(()) };
        for folder in folders {
            let folder = folder.map_err(|error| from_io(&place, &error))?.path();
            let files = std::fs::read_dir(&folder).map_err(|error| from_io(&folder, &error))?;
            for file in files {
                let file = file.map_err(|error| from_io(&folder, &error))?;
                let problem = match digest_of(&file.file_name()) {
                    Some(digest) if blobs.place(&digest) == file.path() => blobs.read(&digest).err(),
                    _ => Some(StoreError::Broken {
                        place: file.path().display().to_string(),
                        reason: "its name is not that of a blob".to_owned(),
                    }),
                };
                // One that has gone meanwhile was nobody's.
                if let Some(problem) = problem.filter(|_| file.path().exists()) {
                    lines.push(format!("blob {}", orch_core::visible(&problem.to_string())));
                }
            }
        }
        Ok(())
    }
}

fn integrity(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut query = connection.prepare(&format!("PRAGMA integrity_check({MOST_LINES})"))?;
    let lines: Vec<String> = query.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    Ok(lines.into_iter().filter(|line| line != "ok").collect())
}

fn foreign_keys(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut query = connection.prepare("PRAGMA foreign_key_check")?;
    let lines = query.query_map([], |row| {
        let (table, parent): (String, String) = (row.get(0)?, row.get(2)?);
        Ok(format!("table `{table}` has a row that names none of `{parent}`"))
    })?;
    lines.collect()
}

/// Tables, columns and indexes that are not as this program makes them.
fn differences(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let (found, expected) = (shape(connection)?, expected_shape()?);
    let missing = expected.iter().filter(|line| !found.contains(line));
    Ok(missing.map(|line| format!("the tables are not those of this format: no `{line}`")).collect())
}

/// Results that lead to this run lead to a step of it that ended so.
fn check_results(connection: &Connection, key: i64) -> rusqlite::Result<Result<(), String>> {
    let mut query = connection.prepare_cached("SELECT key, step FROM results WHERE run = ?1")?;
    let results: Vec<([u8; 32], String)> =
        query.query_map([key], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<rusqlite::Result<_>>()?;
    for (digest, step) in results {
        let sql =
            "SELECT body FROM events WHERE run = ?1 AND body LIKE '{\"type\":\"task-finished\"%' AND instr(body, ?2)";
        let body: Option<String> = connection
            .prepare_cached(sql)?
            .query_row(params![key, Digest::from_bytes(digest).to_string()], |row| row.get(0))
            .optional()?;
        let fits = body
            .and_then(|body| serde_json::from_str(&body).ok())
            .and_then(|event| result_in(&event))
            .is_some_and(|(_, of)| of == step);
        if !fits {
            return Ok(Err(format!("a result is said to be of step `{}`, which is not so", orch_core::visible(&step))));
        }
    }
    Ok(Ok(()))
}
