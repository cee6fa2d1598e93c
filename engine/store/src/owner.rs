//! Who drives a run: the process that holds the lock `locks/<run>`. The kernel gives it back at any death.

use crate::faults::pass;
use crate::folder::{StateFolder, from_io};
use orch_core::{Faults, RunId, StoreError};
use std::fs::{File, TryLockError};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often a lock is tried for: a listing that looks whether it is held, holds it for some microseconds.
const TRIES: u32 = 10;
const BETWEEN_TRIES: Duration = Duration::from_millis(2);

/// The right to drive a run, until it is dropped.
#[derive(Debug)]
pub struct Owned {
    file: File,
    path: PathBuf,
}

impl Drop for Owned {
    fn drop(&mut self) {
        // While the lock is held, so that whoever waits for this file finds it gone and begins anew.
        if is_at(&self.file, &self.path) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn path_of(folder: &StateFolder, run: &RunId) -> PathBuf {
    folder.path().join("locks").join(run.as_str())
}

/// Whether a file is the one under this name.
fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), std::fs::symlink_metadata(path)) {
        (Ok(open), Ok(named)) => (open.dev(), open.ino()) == (named.dev(), named.ino()),
        _ => false,
    }
}

/// Takes the right to drive a run. None: somebody else has it.
pub(crate) fn own(folder: &StateFolder, run: &RunId, faults: &dyn Faults) -> Result<Option<Owned>, StoreError> {
    for _ in 0..TRIES {
        let (file, path) = folder.lock_file(run.as_str())?;
        match file.try_lock() {
            // The owner before may have removed the file between the opening and the locking of it.
            Ok(()) if is_at(&file, &path) => {
                let owned = Owned { file, path };
                pass(faults, "own.after-lock", &owned.path)?;
                return Ok(Some(owned));
            }
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => std::thread::sleep(BETWEEN_TRIES),
            Err(TryLockError::Error(error)) => return Err(from_io(&path, &error)),
        }
    }
    Ok(None)
}

/// Whether a process drives a run. When that cannot be told, it is believed: whoever asks wants to take something away.
pub(crate) fn is_driven(folder: &StateFolder, run: &RunId) -> bool {
    match File::open(path_of(folder, run)) {
        // Shared, so that two who look do not take each other for an owner.
        Ok(file) => file.try_lock_shared().is_err(),
        Err(error) => error.kind() != ErrorKind::NotFound,
    }
}

/// Whether any process drives any run.
pub(crate) fn is_any_driven(folder: &StateFolder) -> bool {
    let Ok(names) = std::fs::read_dir(folder.path().join("locks")) else { return false };
    names
        .flatten()
        .filter_map(|entry| entry.file_name().to_str().and_then(|name| RunId::try_from(name).ok()))
        .any(|run| is_driven(folder, &run))
}
