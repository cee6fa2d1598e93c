//! The tables and their version. A newer format than this program's is refused, never guessed at; an older one is rewritten.

use crate::faults::pass;
use crate::folder::StateFolder;
use crate::migrate::from_1;
use orch_core::{Faults, StoreError};
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::time::Duration;

/// The format of the database: `PRAGMA user_version`. 1: runs, events with a hash chain. 2: what lists and retention need in
/// `runs`; wishes, results, places, references to blobs and kept values.
pub(crate) const FORMAT: i64 = 2;

/// How long a write waits for another process's transaction. Transactions are short; a minute of waiting is a stuck process.
pub(crate) const BUSY: Duration = Duration::from_secs(30);
/// The same for callers that must not keep their thread.
const SOON: Duration = Duration::from_millis(10);

/// Bytes of one region of the file that SQLite shares between processes (https://sqlite.org/walformat.html, section 2.1).
const SHARED_FILE: u64 = 32 << 10;

/// `runs` ends with the columns of format 2, in the order in which the migration adds them.
const TABLES: &str = "
    CREATE TABLE runs (
        key       INTEGER PRIMARY KEY,
        id        TEXT    NOT NULL UNIQUE,
        workflow  TEXT    NOT NULL,
        created   INTEGER NOT NULL,  -- milliseconds since 1970
        outcome   TEXT,              -- null while the run goes on, or when it was cut off
        suspended INTEGER NOT NULL DEFAULT 0,
        events    INTEGER,           -- how many there are: the highest seq
        updated   INTEGER,           -- when the last one was appended
        bytes     INTEGER            -- of all their bodies
    ) STRICT;
    CREATE INDEX runs_by_workflow ON runs (workflow, key);
    CREATE TABLE events (
        run   INTEGER NOT NULL REFERENCES runs (key),
        seq   INTEGER NOT NULL,      -- 1, 2, 3, … without gaps
        at    INTEGER NOT NULL,
        body  TEXT    NOT NULL,      -- the event as JSON
        chain BLOB    NOT NULL,      -- SHA-256 over the chain before, seq, at and body
        PRIMARY KEY (run, seq)
    ) STRICT, WITHOUT ROWID;
";

/// The tables that format 1 did not have.
pub(crate) const TABLES_2: &str = "
    CREATE TABLE wishes (
        key  INTEGER PRIMARY KEY AUTOINCREMENT,
        run  INTEGER NOT NULL REFERENCES runs (key) ON DELETE CASCADE,
        at   INTEGER NOT NULL,
        body TEXT    NOT NULL        -- the wish as JSON
    ) STRICT;
    CREATE INDEX wishes_by_run ON wishes (run, key);
    CREATE TABLE results (
        key  BLOB    NOT NULL PRIMARY KEY,  -- the digest of what the result depends on
        run  INTEGER NOT NULL REFERENCES runs (key) ON DELETE CASCADE,
        step TEXT    NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX results_by_run ON results (run);
    CREATE TABLE places (
        number   INTEGER PRIMARY KEY AUTOINCREMENT,
        run      TEXT    NOT NULL UNIQUE,   -- its id: a run may ask for a place before its first event
        grp      TEXT    NOT NULL,
        priority INTEGER NOT NULL,
        since    INTEGER NOT NULL,
        admitted INTEGER NOT NULL DEFAULT 0,
        told     INTEGER NOT NULL DEFAULT 0 -- whether it was asked to make room
    ) STRICT;
    CREATE INDEX places_by_group ON places (grp);
    CREATE TABLE blob_refs (
        run    INTEGER NOT NULL REFERENCES runs (key) ON DELETE CASCADE,
        digest BLOB    NOT NULL,
        PRIMARY KEY (run, digest)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX blob_refs_by_digest ON blob_refs (digest);
    CREATE TABLE buckets (
        key      INTEGER PRIMARY KEY,
        workflow TEXT    NOT NULL,
        plugin   TEXT    NOT NULL,
        name     TEXT    NOT NULL,
        bytes    INTEGER NOT NULL DEFAULT 0,  -- of what is kept in it, as counted against its quota
        UNIQUE (workflow, plugin, name)
    ) STRICT;
    CREATE TABLE kept (
        bucket  INTEGER NOT NULL REFERENCES buckets (key) ON DELETE CASCADE,
        key     TEXT    NOT NULL,
        value   BLOB,                         -- null when it was deleted: its version must not come again
        version INTEGER NOT NULL,
        PRIMARY KEY (bucket, key)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE sweep (next INTEGER NOT NULL) STRICT;  -- the folder of blobs at which the next call of prune begins
    INSERT INTO sweep VALUES (0);
";

/// Opens the database for writing, making it if it is not there.
pub(crate) fn open_for_writing(folder: &StateFolder, faults: &dyn Faults) -> Result<Connection, StoreError> {
    let fail = |error: rusqlite::Error| from_sqlite(folder, &error);
    let connection = Connection::open(folder.database()).map_err(fail)?;
    connection.busy_timeout(BUSY).map_err(fail)?;
    connection.set_prepared_statement_cache_capacity(64);
    // Looked at first: what another version made is not touched.
    let found = version(&connection, folder)?;
    if found > FORMAT {
        return Err(other_format(folder, found));
    }
    if found == 0 {
        // Counts only for a database that is being made; free pages are then given back in small steps.
        connection.execute_batch("PRAGMA auto_vacuum = INCREMENTAL").map_err(fail)?;
    }
    // FULL: a commit returns after its fsync, also in WAL mode, where NORMAL would lose the last ones in a power cut.
    connection
        .execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;")
        .map_err(fail)?;
    connection.execute_batch(&format!("PRAGMA wal_autocheckpoint = {}", crate::wal::FRAMES)).map_err(fail)?;
    if found < FORMAT {
        let made = in_transaction(&connection, folder, || {
            // Two processes may have found the same old format; the second one finds the new one here.
            match version(&connection, folder)? {
                0 => connection.execute_batch(&format!("{TABLES} {TABLES_2}")).map_err(fail)?,
                1 => from_1(&connection, folder)?,
                _ => return Ok(()),
            }
            connection.pragma_update(None, "user_version", FORMAT).map_err(fail)?;
            pass(faults, "migrate.before-commit", &folder.database())
        });
        made?;
    }
    match version(&connection, folder)? {
        FORMAT => Ok(connection),
        found => Err(other_format(folder, found)),
    }
}

/// Does something in one transaction that is allowed to write from its begin on; an error takes all of it back.
pub(crate) fn in_transaction<T>(
    connection: &Connection,
    folder: &StateFolder,
    work: impl FnOnce() -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    connection.execute_batch("BEGIN IMMEDIATE").map_err(|error| from_sqlite(folder, &error))?;
    finish(connection, folder, work)
}

/// The same for a caller that comes again: nothing is done, and soon, while another process writes.
pub(crate) fn in_transaction_soon<T>(
    connection: &Connection,
    folder: &StateFolder,
    work: impl FnOnce() -> Result<T, StoreError>,
) -> Result<Option<T>, StoreError> {
    let fail = |error: rusqlite::Error| from_sqlite(folder, &error);
    connection.busy_timeout(SOON).map_err(fail)?;
    let begun = connection.execute_batch("BEGIN IMMEDIATE");
    connection.busy_timeout(BUSY).map_err(fail)?;
    match begun {
        Ok(()) => finish(connection, folder, work).map(Some),
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => Ok(None),
        Err(error) => Err(fail(error)),
    }
}

fn finish<T>(
    connection: &Connection,
    folder: &StateFolder,
    work: impl FnOnce() -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let fail = |error: rusqlite::Error| from_sqlite(folder, &error);
    let done = work().and_then(|value| connection.execute_batch("COMMIT").map_err(fail).map(|()| value));
    if done.is_err() {
        let _ = connection.execute_batch("ROLLBACK");
    }
    done
}

fn other_format(folder: &StateFolder, found: i64) -> StoreError {
    StoreError::Broken {
        place: folder.database().display().to_string(),
        reason: format!("its format is {found}, this program knows {FORMAT}: use the orch-wasm that wrote it"),
    }
}

/// Opens the database for reading. One of an older format is rewritten first, which takes the right to write.
pub(crate) fn open_for_reading(folder: &StateFolder, faults: &dyn Faults) -> Result<Connection, StoreError> {
    let connection = open_read_only(folder)?;
    match version(&connection, folder)? {
        FORMAT => Ok(connection),
        // Another process is about to make the tables, or was ended before it could.
        0 => Err(StoreError::Broken {
            place: folder.database().display().to_string(),
            reason: "there are no runs here yet".to_owned(),
        }),
        1 => {
            drop(connection);
            drop(open_for_writing(folder, faults)?);
            open_read_only(folder)
        }
        found => Err(other_format(folder, found)),
    }
}

fn open_read_only(folder: &StateFolder) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection =
        Connection::open_with_flags(folder.database(), flags).map_err(|error| from_sqlite(folder, &error))?;
    connection.busy_timeout(BUSY).map_err(|error| from_sqlite(folder, &error))?;
    Ok(connection)
}

/// What the tables, their columns and their indexes look like, one line each.
pub(crate) fn shape(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let sql = "SELECT m.name || ' ' || x.cid || ' ' || x.name || ' ' || x.type || ' ' || x.\"notnull\" || ' ' || x.pk || ' ' ||
                      coalesce(x.dflt_value, '-') FROM sqlite_schema m, pragma_table_xinfo(m.name) x WHERE m.type = 'table'
               UNION ALL
               SELECT m.tbl_name || ' ' || m.name || ' ' || x.seqno || ' ' || x.cid || ' ' || x.\"desc\" || ' ' ||
                      coalesce(x.coll, '-') FROM sqlite_schema m, pragma_index_xinfo(m.name) x WHERE m.type = 'index'
               UNION ALL
               SELECT m.name || ' ' || f.\"from\" || ' ' || f.\"table\" || ' ' || f.\"to\" || ' ' || f.on_delete
               FROM sqlite_schema m, pragma_foreign_key_list(m.name) f WHERE m.type = 'table' ORDER BY 1";
    connection.prepare(sql)?.query_map([], |row| row.get(0))?.collect()
}

/// The shape that a new database has.
pub(crate) fn expected_shape() -> rusqlite::Result<Vec<String>> {
    let connection = Connection::open_in_memory()?;
    connection.execute_batch(&format!("{TABLES} {TABLES_2}"))?;
    shape(&connection)
}

fn version(connection: &Connection, folder: &StateFolder) -> Result<i64, StoreError> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(|error| from_sqlite(folder, &error))
}

/// Something in the database that nobody of us wrote so.
pub(crate) fn damaged(folder: &StateFolder, reason: String) -> StoreError {
    StoreError::Broken { place: folder.database().display().to_string(), reason }
}

/// An error of SQLite in the words of the port.
pub(crate) fn from_sqlite(folder: &StateFolder, error: &rusqlite::Error) -> StoreError {
    let place = folder.database().display().to_string();
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => StoreError::Full(place),
        // SQLite says "full" of its database and its log only, not of the file that it shares with other processes.
        Some(ErrorCode::SystemIoFailure) if no_room(folder) => StoreError::Full(place),
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
            StoreError::Broken { place, reason: format!("it is damaged ({error}): move it away to start anew") }
        }
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => StoreError::Broken {
            place,
            reason: format!("it cannot be written ({error}): choose another place with --state"),
        },
        _ => StoreError::Broken { place, reason: error.to_string() },
    }
}

/// Whether the disk has less room than SQLite's shared file takes.
fn no_room(folder: &StateFolder) -> bool {
    rustix::fs::statvfs(folder.path()).is_ok_and(|disk| disk.f_bavail.saturating_mul(disk.f_frsize) < SHARED_FILE)
}
