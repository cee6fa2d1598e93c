//! Reading runs back.

use crate::folder::StateFolder;
use crate::log::Verification;
use crate::schema::from_sqlite;
use crate::writer::chain;
use orch_core::{Event, Record, RunId, RunOutcome, RunSummary, StoreError, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};

fn damaged(folder: &StateFolder, reason: String) -> StoreError {
    StoreError::Broken { place: folder.database().display().to_string(), reason }
}

fn key(connection: &Connection, folder: &StateFolder, run: &RunId) -> Result<i64, StoreError> {
    connection
        .query_row("SELECT key FROM runs WHERE id = ?1", [run.as_str()], |row| row.get(0))
        .optional()
        .map_err(|error| from_sqlite(folder, &error))?
        .ok_or_else(|| StoreError::UnknownRun(run.to_string()))
}

pub(crate) fn events(
    connection: &Connection,
    folder: &StateFolder,
    run: &RunId,
    after: u64,
) -> Result<Vec<Record>, StoreError> {
    let fail = |error: rusqlite::Error| from_sqlite(folder, &error);
    let key = key(connection, folder, run)?;
    let mut query = connection
        .prepare_cached("SELECT seq, at, body FROM events WHERE run = ?1 AND seq > ?2 ORDER BY seq")
        .map_err(fail)?;
    let mut rows = query.query(params![key, after.cast_signed()]).map_err(fail)?;
    let mut records = Vec::new();
    while let Some(row) = rows.next().map_err(fail)? {
        let seq = row.get::<_, i64>(0).map_err(fail)?.cast_unsigned();
        let body: String = row.get(2).map_err(fail)?;
        let event = serde_json::from_str(&body)
            .map_err(|error| damaged(folder, format!("event {seq} of run `{run}` cannot be read: {error}")))?;
        records.push(Record { seq, at: Timestamp(row.get(1).map_err(fail)?), event });
    }
    Ok(records)
}

pub(crate) fn verify(connection: &Connection, folder: &StateFolder, run: &RunId) -> Result<Verification, StoreError> {
    let fail = |error: rusqlite::Error| from_sqlite(folder, &error);
    let key = key(connection, folder, run)?;
    let mut query = connection
        .prepare_cached("SELECT seq, at, body, chain FROM events WHERE run = ?1 ORDER BY seq")
        .map_err(fail)?;
    let mut rows = query.query([key]).map_err(fail)?;
    let (mut events, mut before, mut last) = (0, [0; 32], String::new());
    while let Some(row) = rows.next().map_err(fail)? {
        let seq = row.get::<_, i64>(0).map_err(fail)?.cast_unsigned();
        let body: String = row.get(2).map_err(fail)?;
        let stored: Vec<u8> = row.get(3).map_err(fail)?;
        let expected = chain(&before, seq, Timestamp(row.get(1).map_err(fail)?), &body);
        if seq != events + 1 || stored != expected {
            return Ok(Verification { events, broken_at: Some(events + 1) });
        }
        (events, before, last) = (seq, expected, body);
    }
    // The chain does not show that its end was cut off. Every run has a first event, and one that has ended its last one.
    let ended: bool = connection
        .query_row("SELECT outcome IS NOT NULL FROM runs WHERE key = ?1", [key], |row| row.get(0))
        .map_err(fail)?;
    let has_end = || matches!(serde_json::from_str(&last), Ok(Event::RunFinished { .. }));
    let cut = events == 0 || (ended && !has_end());
    Ok(Verification { events, broken_at: cut.then_some(events + 1) })
}

pub(crate) fn list(
    connection: &Connection,
    folder: &StateFolder,
    workflow: Option<&str>,
    most: usize,
) -> Result<Vec<RunSummary>, StoreError> {
    let fail = |error: rusqlite::Error| from_sqlite(folder, &error);
    let sql = "SELECT r.id, r.workflow, r.created, r.outcome, e.seq, e.at FROM runs r
               JOIN events e ON e.run = r.key AND e.seq = (SELECT max(seq) FROM events WHERE run = r.key)
               WHERE ?1 IS NULL OR r.workflow = ?1 ORDER BY r.key DESC LIMIT ?2";
    let mut query = connection.prepare_cached(sql).map_err(fail)?;
    let mut rows = query.query(params![workflow, i64::try_from(most).unwrap_or(i64::MAX)]).map_err(fail)?;
    let mut runs = Vec::new();
    while let Some(row) = rows.next().map_err(fail)? {
        let id: String = row.get(0).map_err(fail)?;
        let outcome: Option<String> = row.get(3).map_err(fail)?;
        let outcome = outcome
            .map(|word| serde_json::from_value::<RunOutcome>(word.into()))
            .transpose()
            .map_err(|error| damaged(folder, format!("the outcome of run `{id}` cannot be read: {error}")))?;
        runs.push(RunSummary {
            run: RunId::try_from(id).map_err(|error| damaged(folder, error.to_string()))?,
            workflow: row.get(1).map_err(fail)?,
            created: Timestamp(row.get(2).map_err(fail)?),
            outcome,
            events: row.get::<_, i64>(4).map_err(fail)?.cast_unsigned(),
            updated: Timestamp(row.get(5).map_err(fail)?),
        });
    }
    Ok(runs)
}

pub(crate) fn resolve(connection: &Connection, folder: &StateFolder, name: &str) -> Result<RunId, StoreError> {
    let fail = |error: rusqlite::Error| from_sqlite(folder, &error);
    let unknown = || StoreError::UnknownRun(orch_core::visible(name).into_owned());
    let mut query = if name == "latest" {
        connection.prepare_cached("SELECT id FROM runs WHERE ?1 = ?1 ORDER BY key DESC LIMIT 1")
    } else {
        // Ids are hexadecimal digits; anything else, wildcards too, fits none.
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(unknown());
        }
        connection.prepare_cached(
            "SELECT id FROM runs WHERE id LIKE ?1 || '%' OR id LIKE '%' || ?1 ORDER BY key DESC LIMIT 5",
        )
    }
    .map_err(fail)?;
    let ids: Vec<String> =
        query.query_map([name], |row| row.get(0)).map_err(fail)?.collect::<Result<_, _>>().map_err(fail)?;
    match ids.as_slice() {
        [] => Err(unknown()),
        [one] => RunId::try_from(one.as_str()).map_err(|error| damaged(folder, error.to_string())),
        several => Err(StoreError::Ambiguous { prefix: name.to_owned(), runs: several.join(", ") }),
    }
}
