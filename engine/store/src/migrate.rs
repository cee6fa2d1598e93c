//! From format 1 to format 2, inside of the caller's transaction: either all of it is there, or the old format is.

use crate::folder::StateFolder;
use crate::schema::{TABLES_2, from_sqlite};
use orch_core::{Event, StoreError};
use rusqlite::{Connection, params};

const RUNS: &str = "
    ALTER TABLE runs ADD COLUMN suspended INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE runs ADD COLUMN events INTEGER;
    ALTER TABLE runs ADD COLUMN updated INTEGER;
    ALTER TABLE runs ADD COLUMN bytes INTEGER;
    UPDATE runs SET
        events = (SELECT coalesce(max(seq), 0) FROM events WHERE run = key),
        bytes = (SELECT coalesce(sum(octet_length(body)), 0) FROM events WHERE run = key);
    UPDATE runs SET updated = coalesce((SELECT at FROM events WHERE run = key AND seq = runs.events), created);
";

pub(crate) fn from_1(connection: &Connection, folder: &StateFolder) -> Result<(), StoreError> {
    let fail = |error: rusqlite::Error| from_sqlite(folder, &error);
    connection.execute_batch(&format!("{RUNS} {TABLES_2}")).map_err(fail)?;
    // Runs of format 1 stored artifacts, and nothing else that a blob is kept for.
    let mut query = connection
        .prepare("SELECT run, body FROM events WHERE body LIKE '{\"type\":\"artifact-stored\"%'")
        .map_err(fail)?;
    let mut refer =
        connection.prepare("INSERT OR IGNORE INTO blob_refs (run, digest) VALUES (?1, ?2)").map_err(fail)?;
    let mut rows = query.query([]).map_err(fail)?;
    while let Some(row) = rows.next().map_err(fail)? {
        let key: i64 = row.get(0).map_err(fail)?;
        let body = row.get_ref(1).map_err(fail)?;
        // An event that cannot be read is for `verify` to report; it must not keep all others from being read.
        if let Ok(Ok(Event::ArtifactStored { artifact, .. })) = body.as_str().map(serde_json::from_str) {
            refer.execute(params![key, artifact.digest.bytes()]).map_err(fail)?;
        }
    }
    Ok(())
}
