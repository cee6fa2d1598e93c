//! The state folder: created private, with a format that is checked before anything in it is believed.

use orch_core::StoreError;
use std::fs;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// An opened state folder.
#[derive(Debug, Clone)]
pub struct StateFolder {
    path: PathBuf,
}

impl StateFolder {
    /// Opens a state folder, making it if it is not there. What is made is readable for its owner only: logs and artifacts of
    /// scans are nobody else's business.
    ///
    /// # Errors
    /// When the path is no folder or cannot be written.
    pub fn open(path: &Path) -> Result<StateFolder, StoreError> {
        let broken = |error: &std::io::Error| from_io(path, error);
        match fs::symlink_metadata(path) {
            Ok(found) if found.is_dir() => {}
            Ok(_) => {
                let reason = "it is not a folder; remove it or choose another place with --state".to_owned();
                return Err(StoreError::Broken { place: path.display().to_string(), reason });
            }
            Err(_) => {
                fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|error| broken(&error))?;
                // Nobody wants run logs in a commit.
                fs::write(path.join(".gitignore"), "*\n").map_err(|error| broken(&error))?;
            }
        }
        Ok(StateFolder { path: path.to_owned() })
    }

    /// Opens a state folder that must be there already.
    ///
    /// # Errors
    /// When it is not.
    pub fn existing(path: &Path) -> Result<StateFolder, StoreError> {
        if path.join("state.db").is_file() {
            return Ok(StateFolder { path: path.to_owned() });
        }
        let reason = "there are no runs here yet".to_owned();
        Err(StoreError::Broken { place: path.display().to_string(), reason })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.path.join("state.db")
    }

    /// A folder inside, made private.
    pub(crate) fn inside(&self, name: &str) -> Result<PathBuf, StoreError> {
        let path = self.path.join(name);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&path).map_err(|error| from_io(&path, &error))?;
        Ok(path)
    }

    /// A file to lock, below `locks`; made private if it is not there.
    pub(crate) fn lock_file(&self, name: &str) -> Result<(fs::File, PathBuf), StoreError> {
        let path = self.inside("locks")?.join(name);
        let mut options = fs::OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let file = options.open(&path).map_err(|error| from_io(&path, &error))?;
        Ok((file, path))
    }

    /// Whether others than the owner may look inside: `doctor` warns of it.
    pub fn open_to_others(&self) -> bool {
        fs::metadata(&self.path).is_ok_and(|found| found.permissions().mode() & 0o077 != 0)
    }
}

/// An error of the system at a place. A full disk is told apart, because what helps is different.
pub(crate) fn from_io(place: &Path, error: &std::io::Error) -> StoreError {
    match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
            StoreError::Full(place.display().to_string())
        }
        _ => StoreError::Broken { place: place.display().to_string(), reason: error.to_string() },
    }
}
