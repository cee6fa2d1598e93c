//! The run log and the artifacts of runs on disk. The only crate that names SQLite.
//!
//! A state folder holds `state.db` (one row an event, appended only, each chained to the one before by SHA-256), `blobs/` (artifacts
//! and components by digest) and `locks/` (who drives a run). What waits to be written shares one transaction and so one fsync.

mod blobs;
mod check;
mod clear;
mod commit;
mod faults;
mod folder;
mod groups;
mod kept;
mod log;
mod migrate;
mod owner;
mod prune;
mod prune_blobs;
mod read;
mod schema;
mod vacuum;
mod wal;
mod wish;
mod writer;

pub use blobs::FolderBlobs;
pub use faults::FAULT_POINTS;
pub use folder::StateFolder;
pub use log::{SqliteStore, Verification};
pub use owner::Owned;
pub use prune::{PruneRequest, Pruned};
