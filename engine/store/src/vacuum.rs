//! Giving free pages of the database back to the file system, in steps so short that nobody who writes has to wait for long.

use rusqlite::Connection;

/// Pages that one step gives back: 2 MiB, some milliseconds.
const STEP: i64 = 512;

/// Fewer than this are left for what comes.
const SPARE: i64 = 1024;

pub(crate) fn give_back(connection: &Connection, is_any_driven: bool) -> rusqlite::Result<()> {
    let number = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let (mut free, all) = (number("freelist_count")?, number("page_count")?);
    if free < SPARE {
        return Ok(());
    }
    // 0: a database that began as format 1, which can only be rewritten as a whole. That takes seconds and the right to write, so
    // it waits for a time when nobody drives a run, and until it is worth it. From then on it goes by steps.
    if number("auto_vacuum")? == 0 {
        if !is_any_driven && free > all / 4 {
            connection.execute_batch("PRAGMA auto_vacuum = INCREMENTAL; VACUUM")?;
        }
        return Ok(());
    }
    while free > SPARE {
        let mut step = connection.prepare(&format!("PRAGMA incremental_vacuum({STEP})"))?;
        // It gives back one page for each row that is asked for.
        let mut rows = step.query([])?;
        while rows.next()?.is_some() {}
        let left = number("freelist_count")?;
        if left >= free {
            break;
        }
        free = left;
    }
    Ok(())
}
