//! Artifacts by content: `blobs/sha256/<2>/<digest>`, written aside, fsynced, then renamed. A name is never a guest's.

use crate::clear;
use crate::faults::pass;
use crate::folder::{StateFolder, from_io};
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use orch_core::{BlobWriter, Blobs, Digest, Faults, NoFaults, StagedFolder, StoreError, UpstreamArtifact};
use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_NOW};
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Blobs in a state folder.
pub struct FolderBlobs {
    folder: StateFolder,
    faults: Arc<dyn Faults>,
}

/// Numbers what this process has under way, whichever value it belongs to.
static NEXT: AtomicU64 = AtomicU64::new(0);

impl std::fmt::Debug for FolderBlobs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FolderBlobs").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl FolderBlobs {
    /// The blobs of a state folder.
    pub fn new(folder: StateFolder) -> FolderBlobs {
        FolderBlobs::with_faults(folder, Arc::new(NoFaults))
    }

    /// Blobs that fail where a test wants it to.
    pub fn with_faults(folder: StateFolder, faults: Arc<dyn Faults>) -> FolderBlobs {
        let blobs = FolderBlobs { folder, faults };
        blobs.sweep();
        blobs
    }

    /// Stores bytes under their digest, if they are not there yet. Durable when it returns.
    ///
    /// # Errors
    /// When the disk is full or broken.
    pub fn put(&self, bytes: &[u8]) -> Result<Digest, StoreError> {
        let digest = Digest::of(bytes);
        let place = self.place(&digest);
        {
            let _held = keep_from_removal(&self.folder)?;
            if std::fs::metadata(&place).is_ok_and(|found| found.len() == bytes.len() as u64) {
                // As good as new, and so safe from `prune` for as long as a new one.
                touch(&place)?;
                // Whoever stored it may not have come that far yet.
                sync_folders(&self.folder, &digest)?;
                return Ok(digest);
            }
        }
        let mut writer = self.create()?;
        writer.write(bytes)?;
        writer.finish()
    }

    /// Removes what a killed process left half-done. Names hold the process, so that nobody else's work is touched; a link is
    /// removed and never followed.
    fn sweep(&self) {
        let Ok(work) = Dir::open_ambient_dir(self.folder.path().join("work"), ambient_authority()) else { return };
        for entry in work.entries().into_iter().flatten().flatten() {
            let name = entry.file_name();
            let process = name.to_str().and_then(|name| name.split('-').nth(1)).and_then(|id| id.parse::<u32>().ok());
            let gone = process.is_some_and(|process| !Path::new(&format!("/proc/{process}")).exists());
            if gone {
                let _ = clear::remove(&work, &name, &mut { u64::MAX });
            }
        }
    }

    /// A name that no other value of this process and no other process has.
    fn unique(&self, kind: &str) -> Result<PathBuf, StoreError> {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Ok(self.folder.inside("work")?.join(format!("{kind}-{}-{number}", std::process::id())))
    }

    pub(crate) fn place(&self, digest: &Digest) -> PathBuf {
        let hex = digest.hex();
        self.folder.path().join("blobs/sha256").join(&hex[..2]).join(hex)
    }
}

impl Blobs for FolderBlobs {
    fn create(&self) -> Result<Box<dyn BlobWriter>, StoreError> {
        let path = self.unique("blob")?;
        let file = File::create(&path).map_err(|error| from_io(&path, &error))?;
        let (root, faults) = (self.folder.clone(), Arc::clone(&self.faults));
        Ok(Box::new(Writing { file, path, root, faults, hash: Sha256::new(), broken: None, finished: false }))
    }

    fn stage(&self, files: &[UpstreamArtifact]) -> Result<Box<dyn StagedFolder>, StoreError> {
        let path = self.unique("stage")?;
        let staged = Staged { path };
        for file in files {
            let mut folder = staged.path.join(file.task.task.name());
            if let Some(item) = file.task.item {
                folder.push(item.to_string());
            }
            std::fs::create_dir_all(&folder).map_err(|error| from_io(&folder, &error))?;
            let (from, to) = (self.place(&file.digest), folder.join(file.name.as_str()));
            // A copy and not a hard link: a guest's folder must never share an inode with the store.
            std::fs::copy(&from, &to).map_err(|error| from_io(&from, &error))?;
        }
        Ok(Box::new(staged))
    }

    fn read(&self, digest: &Digest) -> Result<Vec<u8>, StoreError> {
        let place = self.place(digest);
        let mut content = Vec::new();
        File::open(&place)
            .and_then(|mut file| file.read_to_end(&mut content))
            .map_err(|error| from_io(&place, &error))?;
        if Digest::of(&content) != *digest {
            let reason = "its content is not what its name says: the disk or somebody changed it".to_owned();
            return Err(StoreError::Broken { place: place.display().to_string(), reason });
        }
        Ok(content)
    }
}

/// Keeps `prune` from removing a blob between its last look at it and the removal. A lock for each call: those who share one open
/// file would share its lock.
fn keep_from_removal(folder: &StateFolder) -> Result<File, StoreError> {
    let (file, path) = folder.lock_file("blobs")?;
    file.lock_shared().map_err(|error| from_io(&path, &error))?;
    Ok(file)
}

/// The right to remove blobs.
pub(crate) fn hold_for_removal(folder: &StateFolder) -> Result<File, StoreError> {
    let (file, path) = folder.lock_file("blobs")?;
    file.lock().map_err(|error| from_io(&path, &error))?;
    Ok(file)
}

/// Makes a blob as young as a new one.
pub(crate) fn touch(place: &Path) -> Result<(), StoreError> {
    let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
    let times = Timestamps { last_access: now, last_modification: now };
    rustix::fs::utimensat(CWD, place, &times, AtFlags::SYMLINK_NOFOLLOW).map_err(|error| from_io(place, &error.into()))
}

/// A name is durable only after its folder is, and that of a folder only after the one above. For a folder that has not changed,
/// this costs next to nothing.
fn sync_folders(root: &StateFolder, digest: &Digest) -> Result<(), StoreError> {
    let all = root.path().join("blobs/sha256");
    let sync = |folder: &Path| {
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(|error| from_io(folder, &error))
    };
    sync(&all.join(&digest.hex()[..2]))?;
    [all.as_path(), &root.path().join("blobs"), root.path()].into_iter().try_for_each(sync)
}

struct Writing {
    file: File,
    path: PathBuf,
    root: StateFolder,
    faults: Arc<dyn Faults>,
    hash: Sha256,
    /// Why the file does not have all that was written.
    broken: Option<StoreError>,
    finished: bool,
}

impl BlobWriter for Writing {
    fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.hash.update(bytes);
        self.file.write_all(bytes).map_err(|error| {
            let error = from_io(&self.path, &error);
            self.broken = Some(error.clone());
            error
        })
    }

    fn finish(mut self: Box<Self>) -> Result<Digest, StoreError> {
        // A guest may overhear that a write failed.
        if let Some(error) = self.broken.take() {
            return Err(error);
        }
        let digest = Digest::from_bytes(std::mem::take(&mut self.hash).finalize().into());
        let folder = self.root.inside(&format!("blobs/sha256/{}", &digest.hex()[..2]))?;
        pass(&*self.faults, "blob.before-sync", &self.path)?;
        self.file.sync_all().map_err(|error| from_io(&self.path, &error))?;
        pass(&*self.faults, "blob.before-rename", &self.path)?;
        let place = folder.join(digest.hex());
        {
            let _held = keep_from_removal(&self.root)?;
            std::fs::rename(&self.path, &place).map_err(|error| from_io(&place, &error))?;
        }
        self.finished = true;
        pass(&*self.faults, "blob.after-rename", &place)?;
        sync_folders(&self.root, &digest)?;
        Ok(digest)
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        if !self.finished {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

struct Staged {
    path: PathBuf,
}

impl StagedFolder for Staged {
    fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        // Through a handle of the parent: a link that a task planted is removed, never followed.
        if let (Some(parent), Some(name)) = (self.path.parent(), self.path.file_name())
            && let Ok(parent) = Dir::open_ambient_dir(parent, ambient_authority())
        {
            let _ = clear::remove(&parent, name, &mut { u64::MAX });
        }
    }
}
