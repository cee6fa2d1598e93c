//! The points at which tests make the store fail, or end the process: before and after everything that is made durable.

use crate::folder::from_io;
use orch_core::{Faults, StoreError};
use std::path::Path;

/// All of them. A crash at any one leaves a state folder that opens, with all that was acknowledged and no half of anything.
pub const FAULT_POINTS: &[&str] = &[
    "migrate.before-commit",
    "log.before-begin",
    "log.before-commit",
    "log.after-commit",
    "log.before-acknowledge",
    "wish.before-commit",
    "wish.after-commit",
    "group.before-commit",
    "group.after-commit",
    "kv.before-commit",
    "kv.after-commit",
    "own.after-lock",
    "blob.before-sync",
    "blob.before-rename",
    "blob.after-rename",
    "prune.before-reports",
    "prune.before-commit",
    "prune.after-commit",
    "prune.between-runs",
    "prune.between-blobs",
];

/// Passes a point.
pub(crate) fn pass(faults: &dyn Faults, point: &'static str, place: &Path) -> Result<(), StoreError> {
    debug_assert!(FAULT_POINTS.contains(&point), "`{point}` is not in the list that tests go through");
    faults.at(point).map_err(|error| from_io(place, &error))
}
