//! The files of a registry folder. Everything goes through a directory handle, so that no name and no link leads out of it;
//! everything is bounded before it is read; everything that is written is on disk before it counts.

use crate::Error;
use cap_fs_ext::{FollowSymlinks, OpenOptionsFollowExt as _, OpenOptionsSyncExt as _};
use cap_std::fs::{Dir, File, OpenOptions};
use orch_core::Faults;
use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::sync::Arc;

/// How often a name for a temporary file is drawn before giving up: two draws never meet in practice.
const ATTEMPTS: usize = 8;

/// Never follows a link at the end of a path, never blocks on a pipe.
fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.follow(FollowSymlinks::No).nonblock(true);
    options
}

/// What the system's answer means for a file of a registry: a link there is damage, whoever put it.
pub(crate) fn read_error(place: &str, error: io::Error) -> Error {
    let leads_out = error.kind() == io::ErrorKind::PermissionDenied && error.raw_os_error().is_none();
    let link = error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error());
    match leads_out || link {
        true => Error::damaged(place, "it is or contains a symbolic link, which is not followed"),
        false => Error::Io { action: "read", place: place.to_owned(), source: error },
    }
}

/// Opens a file; `None` when it is not there.
pub(crate) fn open(dir: &Dir, path: &str) -> Result<Option<(File, u64)>, Error> {
    let file = match dir.open_with(path, options().read(true)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(read_error(path, error)),
    };
    let metadata = file.metadata().map_err(|error| read_error(path, error))?;
    if !metadata.is_file() {
        return Err(Error::damaged(path, "it is no file"));
    }
    Ok(Some((file, metadata.len())))
}

/// All of a file; `None` when it is not there.
pub(crate) fn read(dir: &Dir, path: &str, most: u64) -> Result<Option<Vec<u8>>, Error> {
    let Some((file, length)) = open(dir, path)? else { return Ok(None) };
    if length > most {
        return Err(Error::damaged(path, format!("it has {length} bytes, at most {most} are allowed")));
    }
    let mut bytes = Vec::with_capacity(length as usize);
    // It may grow while it is read.
    file.take(most).read_to_end(&mut bytes).map_err(|error| read_error(path, error))?;
    Ok(Some(bytes))
}

/// What was found where a blob of a known length should be.
pub(crate) enum Blob {
    /// As many bytes as there should be.
    Whole(Arc<[u8]>),
    /// Another number of bytes.
    Length(u64),
}

/// A blob of a known length, read once; `None` when it is not there.
pub(crate) fn read_blob(dir: &Dir, path: &str, length: u64) -> Result<Option<Blob>, Error> {
    let Some((file, found)) = open(dir, path)? else { return Ok(None) };
    if found != length {
        return Ok(Some(Blob::Length(found)));
    }
    let mut bytes = Vec::with_capacity(length as usize);
    // It may grow or shrink while it is read.
    file.take(length).read_to_end(&mut bytes).map_err(|error| read_error(path, error))?;
    Ok(Some(match bytes.len() as u64 == length {
        true => Blob::Whole(bytes.into()),
        false => Blob::Length(bytes.len() as u64),
    }))
}

/// Makes the entries of a folder durable.
pub(crate) fn sync_folder(dir: &Dir, path: &str) -> io::Result<()> {
    dir.open(if path.is_empty() { "." } else { path })?.sync_all()
}

/// Makes a folder and those above it, durably.
pub(crate) fn make_folder(dir: &Dir, path: &str) -> Result<(), Error> {
    let mut done = String::new();
    for part in path.split('/') {
        let parent = done.clone();
        if !done.is_empty() {
            done.push('/');
        }
        done.push_str(part);
        match dir.create_dir(&done) {
            Ok(()) => sync_folder(dir, &parent).map_err(Error::io("write", done.as_str()))?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(write_error(&done, error)),
        }
    }
    Ok(())
}

fn write_error(place: &str, error: io::Error) -> Error {
    match read_error(place, error) {
        Error::Io { place, source, .. } => Error::Io { action: "write", place, source },
        other => other,
    }
}

/// Puts a file in place whole or not at all: written aside, fsynced, renamed, the folder fsynced.
pub(crate) fn write_whole(dir: &Dir, path: &str, bytes: &[u8], faults: &dyn Faults) -> Result<(), Error> {
    let folder = Path::new(path).parent().and_then(Path::to_str).unwrap_or_default();
    make_folder(dir, folder)?;
    let (aside, mut file) = create_aside(dir, folder).map_err(|error| write_error(path, error))?;
    let written = (|| {
        faults.at("registry.file.write")?;
        file.write_all(bytes)?;
        faults.at("registry.file.sync")?;
        file.sync_all()?;
        faults.at("registry.file.rename")?;
        dir.rename(&aside, dir, path)?;
        sync_folder(dir, folder)
    })();
    written.map_err(|error| {
        // It may be gone already; what stays behind is never read.
        let _ = dir.remove_file(&aside);
        write_error(path, error)
    })
}

fn create_aside(dir: &Dir, folder: &str) -> io::Result<(String, File)> {
    let mut last = io::Error::from(io::ErrorKind::AlreadyExists);
    for _ in 0..ATTEMPTS {
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|error| io::Error::other(error.to_string()))?;
        let aside = format!("{folder}/.aside-{:016x}", u64::from_le_bytes(random));
        match dir.open_with(&aside, options().write(true).create_new(true)) {
            Ok(file) => return Ok((aside, file)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => last = error,
            Err(error) => return Err(error),
        }
    }
    Err(last)
}

/// Opens a file for appending to it, after cutting it to `keep` bytes.
pub(crate) fn append(dir: &Dir, path: &str, keep: u64, bytes: &[u8], faults: &dyn Faults) -> Result<(), Error> {
    let folder = Path::new(path).parent().and_then(Path::to_str).unwrap_or_default();
    make_folder(dir, folder)?;
    let mut file =
        dir.open_with(path, options().append(true).create(true)).map_err(|error| write_error(path, error))?;
    let appended = (|| {
        if file.metadata()?.len() != keep {
            file.set_len(keep)?;
        }
        faults.at("registry.index.write")?;
        file.write_all(bytes)?;
        faults.at("registry.index.sync")?;
        file.sync_all()?;
        sync_folder(dir, folder)
    })();
    appended.map_err(|error| {
        // Not acknowledged, so it should not be there; if this fails too, the torn line is cut off by the next publish.
        let _ = file.set_len(keep);
        write_error(path, error)
    })
}

/// Holds the registry for one writer until it is dropped.
pub(crate) fn lock(dir: &Dir, path: &str) -> Result<File, Error> {
    let file = dir.open_with(path, options().write(true).create(true)).map_err(|error| write_error(path, error))?;
    loop {
        match rustix::fs::flock(&file, rustix::fs::FlockOperation::LockExclusive) {
            Ok(()) => return Ok(file),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(write_error(path, error.into())),
        }
    }
}
