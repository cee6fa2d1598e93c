//! Values that outlive runs. Each key has a version that only goes up, so that compare-and-set holds over deletions too.

use crate::folder::StateFolder;
use crate::schema::from_sqlite;
use orch_core::{KvEntry, KvError, KvPlace, Size, StoreError};
use rusqlite::{Connection, OptionalExtension, params};

/// What a key costs besides its bytes, so that very many small or deleted ones reach a quota too.
const OVERHEAD: u64 = 64;

pub(crate) fn get(
    connection: &Connection,
    folder: &StateFolder,
    place: &KvPlace,
    key: &str,
) -> Result<Option<KvEntry>, StoreError> {
    let KvPlace { workflow, plugin, bucket } = place;
    connection
        .prepare_cached(
            "SELECT value, version FROM kept WHERE key = ?4 AND value IS NOT NULL AND bucket =
             (SELECT key FROM buckets WHERE workflow = ?1 AND plugin = ?2 AND name = ?3)",
        )
        .and_then(|mut query| {
            let entry = |row: &rusqlite::Row<'_>| {
                Ok(KvEntry { value: row.get(0)?, version: row.get::<_, i64>(1)?.cast_unsigned() })
            };
            query.query_row(params![workflow, plugin.as_str(), bucket.as_str(), key], entry).optional()
        })
        .map_err(|error| from_sqlite(folder, &error))
}

/// Inside of the caller's transaction. The inner error means that nothing was changed.
pub(crate) fn set(
    connection: &Connection,
    folder: &StateFolder,
    place: &KvPlace,
    key: &str,
    value: Option<&[u8]>,
    expected: Option<u64>,
    quota: Size,
) -> Result<Result<u64, KvError>, StoreError> {
    change(connection, place, key, value, expected, quota).map_err(|error| from_sqlite(folder, &error))
}

fn change(
    connection: &Connection,
    place: &KvPlace,
    key: &str,
    value: Option<&[u8]>,
    expected: Option<u64>,
    quota: Size,
) -> rusqlite::Result<Result<u64, KvError>> {
    let names = params![place.workflow, place.plugin.as_str(), place.bucket.as_str()];
    let (bucket, used): (i64, i64) = connection
        .prepare_cached(
            "INSERT INTO buckets (workflow, plugin, name) VALUES (?1, ?2, ?3)
             ON CONFLICT (workflow, plugin, name) DO UPDATE SET name = excluded.name RETURNING key, bytes",
        )?
        .query_row(names, |row| Ok((row.get(0)?, row.get(1)?)))?;
    let before: Option<(Option<i64>, i64)> = connection
        .prepare_cached("SELECT length(value), version FROM kept WHERE bucket = ?1 AND key = ?2")?
        .query_row(params![bucket, key], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let cost = |length: u64| length + key.len() as u64 + OVERHEAD;
    let (had, version, is_there) = match before {
        None => (0, 0, false),
        Some((length, version)) => {
            (cost(length.unwrap_or(0).cast_unsigned()), version.cast_unsigned(), length.is_some())
        }
    };
    let found = if is_there { version } else { 0 };
    if let Some(expected) = expected.filter(|expected| *expected != found) {
        return Ok(Err(KvError::Conflict { expected, found }));
    }
    let wanted = used.cast_unsigned().saturating_sub(had) + cost(value.map_or(0, |value| value.len() as u64));
    // A change that makes the bucket smaller is always possible, or a full one could not be emptied.
    if wanted > quota.bytes() && wanted >= used.cast_unsigned() {
        return Ok(Err(KvError::Quota { wanted, quota }));
    }
    let version = version + 1;
    connection
        .prepare_cached(
            "INSERT INTO kept (bucket, key, value, version) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (bucket, key) DO UPDATE SET value = excluded.value, version = excluded.version",
        )?
        .execute(params![bucket, key, value, version.cast_signed()])?;
    connection
        .prepare_cached("UPDATE buckets SET bytes = ?2 WHERE key = ?1")?
        .execute(params![bucket, wanted.cast_signed()])?;
    Ok(Ok(version))
}
