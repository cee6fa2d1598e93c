//! The run log and the artifacts of runs on disk. The only crate that names SQLite.
//!
//! A state folder holds `state.db` (one row an event, appended only, each chained to the one before by SHA-256) and `blobs/`
//! (artifacts by digest). One thread writes; whatever waits when it comes round shares one transaction and so one fsync.

mod blobs;
mod folder;
mod log;
mod read;
mod schema;
mod writer;

pub use blobs::FolderBlobs;
pub use folder::StateFolder;
pub use log::{SqliteStore, Verification};
