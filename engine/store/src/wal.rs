//! The room of the write-ahead log. An fsync of a file that grows also writes the file system's own journal, which doubles what
//! an append costs. So the log is given its full length once, and from then on SQLite writes over it in place.

use crate::folder::{StateFolder, from_io};
use crate::schema::in_transaction;
use orch_core::StoreError;
use rusqlite::Connection;
use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};

/// Pages in the log at which SQLite folds it into the database and begins it anew: once in a hundred appends, which costs each of
/// them some microseconds. A longer log would save little of that and take longer to make.
pub(crate) const FRAMES: u64 = 256;

/// A page and its head in the log (https://sqlite.org/walformat.html, section 1.2).
const FRAME: u64 = 4096 + 24;

/// The log is folded after the commit that goes beyond `FRAMES`: room for what such a commit adds.
const LENGTH: u64 = (FRAMES + 16) * FRAME;

/// On a disk with less room than this, it is worth more than speed.
const ROOM: u64 = 64 << 20;

/// Makes the log as long as it gets. What is added is zeros, which no reader takes for a frame: frames carry a salt and a checksum.
pub(crate) fn reserve(connection: &Connection, folder: &StateFolder) -> Result<(), StoreError> {
    let place = folder.path().join("state.db-wal");
    let has_room =
        rustix::fs::statvfs(folder.path()).is_ok_and(|disk| disk.f_bavail.saturating_mul(disk.f_frsize) > ROOM);
    if !has_room {
        return Ok(());
    }
    // Nobody else writes the log or cuts it while this transaction has the right to write.
    in_transaction(connection, folder, || {
        let mut log = OpenOptions::new().write(true).open(&place).map_err(|error| from_io(&place, &error))?;
        let length = log.seek(SeekFrom::End(0)).map_err(|error| from_io(&place, &error))?;
        extend(&mut log, length).map_err(|error| {
            let _ = log.set_len(length);
            from_io(&place, &error)
        })
    })
}

fn extend(log: &mut File, mut length: u64) -> std::io::Result<()> {
    let zeros = [0; 64 << 10];
    while length < LENGTH {
        let next = (LENGTH - length).min(zeros.len() as u64);
        log.write_all(&zeros[..usize::try_from(next).unwrap_or(zeros.len())])?;
        length += next;
    }
    log.sync_all()
}
