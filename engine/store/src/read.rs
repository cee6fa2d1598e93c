//! Reading runs back.

use crate::folder::StateFolder;
use crate::log::Verification;
use crate::schema::{damaged, from_sqlite};
use orch_core::{
    Digest, Event, Record, RunId, RunOutcome, RunSummary, StepId, StoreError, Timestamp, Wish, chain_link,
};
use rusqlite::{Connection, OptionalExtension, params};

pub(crate) fn key(connection: &Connection, folder: &StateFolder, run: &RunId) -> Result<i64, StoreError> {
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
        let unreadable = |error: String| damaged(folder, format!("event {seq} of run `{run}` cannot be read: {error}"));
        let body = row.get_ref(2).map_err(fail)?.as_str().map_err(|error| unreadable(error.to_string()))?;
        let event = serde_json::from_str(body).map_err(|error| unreadable(error.to_string()))?;
        records.push(Record { seq, at: Timestamp(row.get(1).map_err(fail)?), event });
    }
    Ok(records)
}

/// The events of a run as they are stored: when, and the text that the hash chain is over.
pub(crate) fn texts(
    connection: &Connection,
    folder: &StateFolder,
    run: &RunId,
) -> Result<Vec<(Timestamp, String)>, StoreError> {
    let fail = |error: rusqlite::Error| from_sqlite(folder, &error);
    let key = key(connection, folder, run)?;
    let mut query =
        connection.prepare_cached("SELECT at, body FROM events WHERE run = ?1 ORDER BY seq").map_err(fail)?;
    let rows = query.query_map([key], |row| Ok((Timestamp(row.get(0)?), row.get(1)?))).map_err(fail)?;
    rows.collect::<Result<_, _>>().map_err(fail)
}

pub(crate) fn verify(connection: &Connection, folder: &StateFolder, run: &RunId) -> Result<Verification, StoreError> {
    let fail = |error: rusqlite::Error| from_sqlite(folder, &error);
    let key = key(connection, folder, run)?;
    let mut query = connection
        .prepare_cached("SELECT seq, at, body, chain, run FROM events WHERE run = ?1 ORDER BY seq")
        .map_err(fail)?;
    let mut rows = query.query([key]).map_err(fail)?;
    let (mut events, mut before, mut last) = (0, [0; 32], Vec::new());
    while let Some(row) = rows.next().map_err(fail)? {
        let seq = row.get::<_, i64>(0).map_err(fail)?.cast_unsigned();
        let broken = Verification { events, broken_at: Some(events + 1) };
        // Text that is none is as good as changed text.
        let Ok(body) = row.get_ref(2).map_err(fail)?.as_str() else { return Ok(broken) };
        let expected = chain_link(&before, seq, Timestamp(row.get(1).map_err(fail)?), body);
        let stored = row.get_ref(3).map_err(fail)?;
        // SQLite reads on until a row of a later run: one that says it is of an earlier one comes with the others.
        let is_of_run = row.get::<_, i64>(4).map_err(fail)? == key;
        if !is_of_run || seq != events + 1 || stored.as_blob() != Ok(&expected[..]) {
            return Ok(broken);
        }
        (events, before) = (seq, expected);
        last.clear();
        last.extend_from_slice(body.as_bytes());
    }
    // The chain does not show that its end was cut off. The run knows how many events it has, and one that has ended has an end.
    let (ended, counted): (bool, Option<i64>) = connection
        .query_row("SELECT outcome IS NOT NULL, events FROM runs WHERE key = ?1", [key], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .map_err(fail)?;
    let has_end = || matches!(serde_json::from_slice(&last), Ok(Event::RunFinished { .. }));
    let cut = events == 0 || counted != Some(events.cast_signed()) || (ended && !has_end());
    Ok(Verification { events, broken_at: cut.then_some(events + 1) })
}

/// Newest first by the key of the table, so that the first rows are all that is read.
pub(crate) const LIST: &str =
    "SELECT id, workflow, created, outcome, suspended, events, updated FROM runs ORDER BY key DESC LIMIT ?1";
pub(crate) const LIST_OF_WORKFLOW: &str = "SELECT id, workflow, created, outcome, suspended, events, updated FROM runs \
                                           WHERE workflow = ?2 ORDER BY key DESC LIMIT ?1";

pub(crate) fn list(
    connection: &Connection,
    folder: &StateFolder,
    workflow: Option<&str>,
    most: usize,
) -> Result<Vec<RunSummary>, StoreError> {
    let fail = |error: rusqlite::Error| from_sqlite(folder, &error);
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let mut query = connection.prepare_cached(workflow.map_or(LIST, |_| LIST_OF_WORKFLOW)).map_err(fail)?;
    let mut rows = match workflow {
        Some(workflow) => query.query(params![most, workflow]),
        None => query.query([most]),
    }
    .map_err(fail)?;
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
            suspended: row.get(4).map_err(fail)?,
            events: row.get::<_, i64>(5).map_err(fail)?.cast_unsigned(),
            updated: Timestamp(row.get(6).map_err(fail)?),
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

pub(crate) fn wishes(
    connection: &Connection,
    folder: &StateFolder,
    run: &RunId,
) -> Result<Vec<(u64, Wish)>, StoreError> {
    let fail = |error: rusqlite::Error| from_sqlite(folder, &error);
    let key = key(connection, folder, run)?;
    let mut query =
        connection.prepare_cached("SELECT key, body FROM wishes WHERE run = ?1 ORDER BY key").map_err(fail)?;
    let mut rows = query.query([key]).map_err(fail)?;
    let mut wishes = Vec::new();
    while let Some(row) = rows.next().map_err(fail)? {
        let number = row.get::<_, i64>(0).map_err(fail)?.cast_unsigned();
        let body: String = row.get(1).map_err(fail)?;
        let wish = serde_json::from_str(&body)
            .map_err(|error| damaged(folder, format!("wish {number} for run `{run}` cannot be read: {error}")))?;
        wishes.push((number, wish));
    }
    Ok(wishes)
}

pub(crate) fn result_of(
    connection: &Connection,
    folder: &StateFolder,
    key: &Digest,
) -> Result<Option<(RunId, StepId)>, StoreError> {
    let sql = "SELECT runs.id, results.step FROM results JOIN runs ON runs.key = results.run WHERE results.key = ?1";
    let found: Option<(String, String)> = connection
        .prepare_cached(sql)
        .and_then(|mut query| query.query_row([key.bytes()], |row| Ok((row.get(0)?, row.get(1)?))).optional())
        .map_err(|error| from_sqlite(folder, &error))?;
    let Some((run, step)) = found else { return Ok(None) };
    let unreadable = |error: String| damaged(folder, format!("the result for `{key}` cannot be read: {error}"));
    let run = RunId::try_from(run).map_err(|error| unreadable(error.to_string()))?;
    let step = StepId::try_from(step).map_err(|error| unreadable(error.to_string()))?;
    Ok(Some((run, step)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use orch_core::NoFaults;
    use rusqlite::StatementStatus;

    #[test]
    fn a_list_reads_no_more_rows_than_it_shows() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder::open(&folder.path().join("state")).unwrap();
        let database = crate::schema::open_for_writing(&state, &NoFaults).unwrap();
        database
            .execute_batch(
                "INSERT INTO runs (id, workflow, created, outcome, events, updated, bytes)
                 WITH RECURSIVE n (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM n WHERE n < 99999)
                 SELECT format('%032x', n), 'w' || (n % 1000), n, 'succeeded', 1, n, 1 FROM n",
            )
            .unwrap();
        let listed = list(&database, &state, None, 20).unwrap();
        assert_eq!((listed.len(), listed[0].created, listed[19].created), (20, Timestamp(99_999), Timestamp(99_980)));
        let listed = list(&database, &state, Some("w7"), 20).unwrap();
        assert_eq!((listed.len(), listed[0].created, listed[19].created), (20, Timestamp(99_007), Timestamp(80_007)));
        for (sql, by) in
            [(LIST, "SCAN runs"), (LIST_OF_WORKFLOW, "SEARCH runs USING INDEX runs_by_workflow (workflow=?)")]
        {
            let mut explain = database.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            (1..=explain.parameter_count()).for_each(|index| explain.raw_bind_parameter(index, 20).unwrap());
            let mut rows = explain.raw_query();
            let plan: String = rows.next().unwrap().unwrap().get(3).unwrap();
            assert_eq!(plan, by);
            // A sort would be a second line.
            assert!(rows.next().unwrap().is_none());
            // The scan is by the key and ends at the limit: it takes steps for 20 rows, not for 100,000.
            let mut query = database.prepare(sql).unwrap();
            query.raw_bind_parameter(1, 20).unwrap();
            if query.parameter_count() > 1 {
                query.raw_bind_parameter(2, "w7").unwrap();
            }
            let mut rows = query.raw_query();
            while rows.next().unwrap().is_some() {}
            drop(rows);
            assert!(query.get_status(StatementStatus::VmStep) < 1_000);
        }
    }
}
