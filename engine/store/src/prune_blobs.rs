//! Blobs that no run refers to. They come from runs that went, and from processes that ended between storing a blob and saying so
//! in the log.

use crate::FolderBlobs;
use crate::blobs::{hold_for_removal, touch};
use crate::faults::pass;
use crate::folder::from_io;
use crate::log::SqliteStore;
use crate::owner::is_any_driven;
use crate::prune::{PruneRequest, Pruned};
use crate::schema::from_sqlite;
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use orch_core::{Digest, StoreError, Timestamp};
use std::collections::HashSet;
use std::os::unix::fs::MetadataExt;

/// Blobs are in as many folders, by the first byte of their digest.
const FOLDERS: u32 = 256;

/// How old a blob is that nobody is about to refer to. While a run is driven, one of its attempts may have stored a blob that the
/// log learns of at the attempt's end; no task takes longer than a day.
const HOUR: i64 = 60 * 60 * 1000;
const DAY: i64 = 24 * HOUR;

impl SqliteStore {
    /// Removes old blobs that no run but those in `gone` refers to. `lost` are those that lost a reference in this call: while a
    /// run is driven they stay for the usual time, since it may be about to use a result of a run that has just gone.
    pub(crate) fn prune_blobs(
        &self,
        blobs: &FolderBlobs,
        request: &PruneRequest,
        gone: &HashSet<i64>,
        lost: &HashSet<[u8; 32]>,
        budget: &mut u64,
        pruned: &mut Pruned,
    ) -> Result<(), StoreError> {
        let place = self.folder.path().join("blobs/sha256");
        let Ok(all) = Dir::open_ambient_dir(&place, ambient_authority()) else { return Ok(()) };
        let is_driven = is_any_driven(&self.folder);
        let before = Timestamp(request.now.0.saturating_sub(if is_driven { DAY } else { HOUR }));
        if is_driven && !request.dry_run {
            for digest in lost {
                // One that is not there needs no time.
                let _ = touch(&blobs.place(&Digest::from_bytes(*digest)));
            }
        }
        let first = self.reading(|connection| {
            let next = connection.query_row("SELECT next FROM sweep", [], |row| row.get::<_, u32>(0));
            Ok(next.unwrap_or(0) % FOLDERS)
        })?;
        for folder in (0..FOLDERS).map(|offset| (first + offset) % FOLDERS) {
            if *budget == 0 {
                pruned.unfinished = true;
                return self
                    .maintaining(|connection| connection.execute("UPDATE sweep SET next = ?1", [folder]).map(|_| ()));
            }
            let Ok(entries) = all.read_dir(format!("{folder:02x}")) else { continue };
            // A folder that was begun is finished: the names in it are ours, and 256 of them share what there is.
            for entry in entries.flatten() {
                *budget = budget.saturating_sub(1);
                let Some(digest) = digest_of(&entry.file_name()) else { continue };
                self.prune_blob(blobs, &digest, before, request.dry_run, gone, pruned)?;
            }
        }
        Ok(())
    }

    fn prune_blob(
        &self,
        blobs: &FolderBlobs,
        digest: &Digest,
        before: Timestamp,
        dry_run: bool,
        gone: &HashSet<i64>,
        pruned: &mut Pruned,
    ) -> Result<(), StoreError> {
        let place = blobs.place(digest);
        let old = || {
            let found = std::fs::symlink_metadata(&place).ok()?;
            let changed = found.mtime().saturating_mul(1000);
            (found.is_file() && changed < before.0).then_some(found.len())
        };
        if old().is_none() || self.is_needed(digest, gone)? {
            return Ok(());
        }
        // From here on nobody makes it young again unseen.
        let held = if dry_run { None } else { Some(hold_for_removal(&self.folder)?) };
        let Some(length) = old() else { return Ok(()) };
        if held.is_some() {
            if self.is_needed(digest, gone)? {
                return Ok(());
            }
            std::fs::remove_file(&place).map_err(|error| from_io(&place, &error))?;
        }
        drop(held);
        pruned.blobs += 1;
        pruned.bytes = pruned.bytes.saturating_add(length);
        pass(&*self.faults, "prune.between-blobs", self.folder.path())
    }

    /// Whether a run refers to a blob that is not in `gone`.
    fn is_needed(&self, digest: &Digest, gone: &HashSet<i64>) -> Result<bool, StoreError> {
        self.reading(|connection| {
            let needed = || -> rusqlite::Result<bool> {
                let mut query = connection.prepare_cached("SELECT run FROM blob_refs WHERE digest = ?1")?;
                let mut runs = query.query([digest.bytes()])?;
                while let Some(row) = runs.next()? {
                    if !gone.contains(&row.get(0)?) {
                        return Ok(true);
                    }
                }
                Ok(false)
            };
            needed().map_err(|error| from_sqlite(&self.folder, &error))
        })
    }
}

/// The digest that a file is named by.
pub(crate) fn digest_of(name: &std::ffi::OsStr) -> Option<Digest> {
    format!("sha256:{}", name.to_str()?).parse().ok()
}
