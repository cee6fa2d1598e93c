//! The tables and their version. A newer format than this program's is refused, never guessed at.

use crate::folder::StateFolder;
use orch_core::StoreError;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::time::Duration;

/// The format of the database: `PRAGMA user_version`. 1: runs, events with a hash chain.
pub(crate) const FORMAT: i64 = 1;

/// How long a write waits for another process's transaction. Transactions are short; a minute of waiting is a stuck process.
const BUSY: Duration = Duration::from_secs(30);

/// Bytes of one region of the file that SQLite shares between processes (https://sqlite.org/walformat.html, section 2.1).
const SHARED_FILE: u64 = 32 << 10;

const TABLES: &str = "
    CREATE TABLE runs (
        key      INTEGER PRIMARY KEY,
        id       TEXT    NOT NULL UNIQUE,
        workflow TEXT    NOT NULL,
        created  INTEGER NOT NULL,   -- milliseconds since 1970
        outcome  TEXT                -- null while the run goes on, or when it was cut off
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

/// Opens the database for the writer thread, making it if it is not there.
pub(crate) fn open_for_writing(folder: &StateFolder) -> Result<Connection, StoreError> {
    let fail = |error: rusqlite::Error| from_sqlite(folder, &error);
    let connection = Connection::open(folder.database()).map_err(fail)?;
    connection.busy_timeout(BUSY).map_err(fail)?;
    // A checkpoint costs fsyncs of its own; at 4,000 pages (16 MiB) it comes once in some thousand transitions.
    // FULL: a commit returns after its fsync, also in WAL mode, where NORMAL would lose the last ones in a power cut.
    connection
        .execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA wal_autocheckpoint = 4000;")
        .map_err(fail)?;
    if version(&connection, folder)? == 0 {
        let made = format!("BEGIN IMMEDIATE; {TABLES} PRAGMA user_version = {FORMAT}; COMMIT;");
        if let Err(error) = connection.execute_batch(&made) {
            let _ = connection.execute_batch("ROLLBACK");
            // Two processes may have found an empty database at once; then the other one has made the tables.
            if version(&connection, folder)? == 0 {
                return Err(fail(error));
            }
        }
    }
    match version(&connection, folder)? {
        FORMAT => Ok(connection),
        found => Err(other_format(folder, found)),
    }
}

fn other_format(folder: &StateFolder, found: i64) -> StoreError {
    StoreError::Broken {
        place: folder.database().display().to_string(),
        reason: format!("its format is {found}, this program knows {FORMAT}: use the orch-wasm that wrote it"),
    }
}

/// Opens the database for reading.
pub(crate) fn open_for_reading(folder: &StateFolder) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection =
        Connection::open_with_flags(folder.database(), flags).map_err(|error| from_sqlite(folder, &error))?;
    connection.busy_timeout(BUSY).map_err(|error| from_sqlite(folder, &error))?;
    match version(&connection, folder)? {
        FORMAT => Ok(connection),
        // Another process is about to make the tables, or was ended before it could.
        0 => Err(StoreError::Broken {
            place: folder.database().display().to_string(),
            reason: "there are no runs here yet".to_owned(),
        }),
        found => Err(other_format(folder, found)),
    }
}

fn version(connection: &Connection, folder: &StateFolder) -> Result<i64, StoreError> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(|error| from_sqlite(folder, &error))
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
