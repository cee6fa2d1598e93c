//! What people want of a run, kept until the process that drives it takes it into the log.

use crate::folder::StateFolder;
use crate::schema::from_sqlite;
use orch_core::{RunId, StoreError, Wish};
use rusqlite::{Connection, OptionalExtension, params};

/// Keeps a wish, inside of the caller's transaction. A run that is over can be asked for nothing.
pub(crate) fn keep(connection: &Connection, folder: &StateFolder, run: &RunId, wish: &Wish) -> Result<(), StoreError> {
    let fail = |error: rusqlite::Error| from_sqlite(folder, &error);
    let found: Option<(i64, Option<String>)> = connection
        .prepare_cached("SELECT key, outcome FROM runs WHERE id = ?1")
        .and_then(|mut query| query.query_row([run.as_str()], |row| Ok((row.get(0)?, row.get(1)?))).optional())
        .map_err(fail)?;
    let refuse = |reason: String| StoreError::Broken { place: format!("run {run}"), reason };
    let key = match found {
        None => return Err(StoreError::UnknownRun(run.to_string())),
        Some((_, Some(outcome))) => {
            return Err(refuse(format!("it is over ({outcome}), so nothing can be asked of it")));
        }
        Some((key, None)) => key,
    };
    let at = match wish {
        Wish::Answer { at, .. } => at.0,
        // A wish to stop has no time of its own; it counts when it is taken into the log.
        Wish::Cancel { .. } => 0,
    };
    let body = serde_json::to_string(wish).map_err(|error| refuse(error.to_string()))?;
    connection
        .prepare_cached("INSERT INTO wishes (run, at, body) VALUES (?1, ?2, ?3)")
        .and_then(|mut insert| insert.execute(params![key, at, body]))
        .map_err(fail)?;
    Ok(())
}
