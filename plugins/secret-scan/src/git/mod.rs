//! Reads a Git repository's objects as they lie in its folder. Nothing is run, no configuration is read, and every number
//! that a file states is checked before it is used: the repository is somebody else's.
//!
//! [`refs`] finds where histories end, [`store`] reads objects, loose ones and those of packs, [`commits`] puts commits into
//! an order in which parents come first, [`diff`] says which files a commit brought.

pub mod commits;
pub mod delta;
pub mod diff;
pub mod id;
pub mod object;
pub mod pack;
pub mod refs;
pub mod store;

use std::fmt;

/// Why a part of a repository could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GitError {
    /// The object is in no pack and in no file.
    Missing(id::Id),
    /// The object has more bytes than are wanted.
    TooLarge(u64),
    /// A file or an object is not what it has to be; the text is for people.
    Broken(String),
}

impl GitError {
    pub(crate) fn broken(reason: impl Into<String>) -> GitError {
        GitError::Broken(reason.into())
    }
}

impl fmt::Display for GitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GitError::Missing(id) => write!(f, "the object {id} is not there"),
            GitError::TooLarge(bytes) => write!(f, "an object of {bytes} bytes is too large"),
            GitError::Broken(reason) => f.write_str(reason),
        }
    }
}

impl std::error::Error for GitError {}
