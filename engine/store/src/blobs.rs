//! Artifacts by content: `blobs/sha256/<2>/<digest>`, written aside, fsynced, then renamed. A name is never a guest's.

use crate::folder::{StateFolder, from_io};
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use orch_core::{BlobWriter, Blobs, Digest, StagedFolder, StoreError, UpstreamArtifact};
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Blobs in a state folder.
#[derive(Debug)]
pub struct FolderBlobs {
    folder: StateFolder,
    next: AtomicU64,
}

impl FolderBlobs {
    /// The blobs of a state folder.
    pub fn new(folder: StateFolder) -> FolderBlobs {
        let blobs = FolderBlobs { folder, next: AtomicU64::new(0) };
        blobs.sweep();
        blobs
    }

    /// Removes what a killed process left half-done. Names hold the process, so that nobody else's work is touched; a link is
    /// removed and never followed.
    fn sweep(&self) {
        let Ok(work) = Dir::open_ambient_dir(self.folder.path().join("work"), ambient_authority()) else { return };
        for entry in work.entries().into_iter().flatten().flatten() {
            let name = entry.file_name();
            let process = name.to_str().and_then(|name| name.split('-').nth(1)).and_then(|id| id.parse::<u32>().ok());
            let gone = process.is_some_and(|process| !Path::new(&format!("/proc/{process}")).exists());
            if gone && work.remove_dir_all(&name).is_err() {
                let _ = work.remove_file(&name);
            }
        }
    }

    /// A name that no other value of this process and no other process has.
    fn unique(&self, kind: &str) -> Result<PathBuf, StoreError> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        Ok(self.folder.inside("work")?.join(format!("{kind}-{}-{number}", std::process::id())))
    }

    fn place(&self, digest: &Digest) -> PathBuf {
        let hex = digest.hex();
        self.folder.path().join("blobs/sha256").join(&hex[..2]).join(hex)
    }
}

impl Blobs for FolderBlobs {
    fn create(&self) -> Result<Box<dyn BlobWriter>, StoreError> {
        let path = self.unique("blob")?;
        let file = File::create(&path).map_err(|error| from_io(&path, &error))?;
        let root = self.folder.clone();
        Ok(Box::new(Writing { file, path, root, hash: Sha256::new(), finished: false }))
    }

    fn stage(&self, files: &[UpstreamArtifact]) -> Result<Box<dyn StagedFolder>, StoreError> {
        let path = self.unique("stage")?;
        let staged = Staged { path };
        for file in files {
            let folder = staged.path.join(file.task.as_str());
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

struct Writing {
    file: File,
    path: PathBuf,
    root: StateFolder,
    hash: Sha256,
    finished: bool,
}

impl BlobWriter for Writing {
    fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.hash.update(bytes);
        self.file.write_all(bytes).map_err(|error| from_io(&self.path, &error))
    }

    fn finish(mut self: Box<Self>) -> Result<Digest, StoreError> {
        let digest = Digest::from_bytes(std::mem::take(&mut self.hash).finalize().into());
        let folder = self.root.inside(&format!("blobs/sha256/{}", &digest.hex()[..2]))?;
        self.file.sync_all().map_err(|error| from_io(&self.path, &error))?;
        let place = folder.join(digest.hex());
        std::fs::rename(&self.path, &place).map_err(|error| from_io(&place, &error))?;
        self.finished = true;
        // The name is durable only after its folder is.
        File::open(&folder).and_then(|folder| folder.sync_all()).map_err(|error| from_io(&folder, &error))?;
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
            let _ = parent.remove_dir_all(name);
        }
    }
}
