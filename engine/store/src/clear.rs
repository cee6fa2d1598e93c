//! Removing a folder that others may have filled: bounded in work and in depth, through handles, and never through a link.

use cap_std::fs::Dir;
use std::ffi::{OsStr, OsString};
use std::io::{Error, ErrorKind};

/// Whether it is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cleared {
    Gone,
    /// The budget was used up first.
    Rest,
}

/// Removes `name` from `parent`; each entry of a directory costs one of the budget. A link is removed, what it names is not.
///
/// Folders inside of folders are pulled up to the top one before they are looked into. So no depth costs more than two open
/// handles, where a descent into 10,000 levels would run out of them.
pub(crate) fn remove(parent: &Dir, name: &OsStr, budget: &mut u64) -> Result<Cleared, Error> {
    match parent.symlink_metadata(name) {
        Ok(found) if found.is_dir() => {}
        Ok(_) => return parent.remove_file(name).map(|()| Cleared::Gone),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Cleared::Gone),
        Err(error) => return Err(error),
    }
    let top = parent.open_dir(name)?;
    let mut pulled = 0_u64;
    loop {
        let mut is_empty = true;
        for entry in top.entries()? {
            let entry = entry?;
            is_empty = false;
            if !spend(budget) {
                return Ok(Cleared::Rest);
            }
            if !entry.file_type()?.is_dir() {
                top.remove_file(entry.file_name())?;
            } else if empty(&top, &entry.file_name(), &mut pulled, budget)? == Cleared::Rest {
                return Ok(Cleared::Rest);
            }
        }
        if is_empty {
            drop(top);
            return parent.remove_dir(name).map(|()| Cleared::Gone);
        }
    }
}

/// Removes a folder in `top`, and pulls up the folders in it.
fn empty(top: &Dir, name: &OsStr, pulled: &mut u64, budget: &mut u64) -> Result<Cleared, Error> {
    let folder = top.open_dir(name)?;
    for entry in folder.entries()? {
        let entry = entry?;
        if !spend(budget) {
            return Ok(Cleared::Rest);
        }
        if !entry.file_type()?.is_dir() {
            folder.remove_file(entry.file_name())?;
            continue;
        }
        // A name may be taken: by a guest, or by a call before that used up its budget.
        loop {
            *pulled += 1;
            match folder.rename(entry.file_name(), top, OsString::from(format!("pulled-{pulled}"))) {
                Ok(()) => break,
                Err(error)
                    if matches!(
                        error.kind(),
                        ErrorKind::DirectoryNotEmpty | ErrorKind::AlreadyExists | ErrorKind::NotADirectory
                    ) =>
                {
                    if !spend(budget) {
                        return Ok(Cleared::Rest);
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }
    drop(folder);
    top.remove_dir(name).map(|()| Cleared::Gone)
}

fn spend(budget: &mut u64) -> bool {
    let left = budget.checked_sub(1);
    *budget = left.unwrap_or(0);
    left.is_some()
}
