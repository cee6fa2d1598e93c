//! Retention: runs that are over go, oldest first, until the rules hold; then the blobs that nobody refers to any more.

use crate::clear::{self, Cleared};
use crate::faults::pass;
use crate::folder::{StateFolder, from_io};
use crate::groups;
use crate::log::SqliteStore;
use crate::owner::{is_any_driven, is_driven};
use crate::schema::from_sqlite;
use crate::{FolderBlobs, vacuum};
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use orch_core::{Digest, RunId, StoreError, Timestamp};
use rusqlite::{Connection, params};
use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;

/// Entries of directories that one call looks at: some seconds on a slow disk.
pub(crate) const MOST_ENTRIES: u64 = 10_000;

/// Which runs go. Each rule that is given removes what breaks it; without any, no run goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PruneRequest {
    /// The time of day: blobs that are young by it stay.
    pub now: Timestamp,
    /// Runs that ended before this.
    pub older_than: Option<Timestamp>,
    /// Runs that are over and may stay: the newest.
    pub keep: Option<usize>,
    /// What all runs may take, in bytes: their events, the blobs that they refer to and their folders of reports.
    pub most_bytes: Option<u64>,
    /// Only tell what would go.
    pub dry_run: bool,
}

/// What went, or would go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pruned {
    /// The runs, oldest first.
    pub runs: Vec<RunId>,
    /// How many blobs.
    pub blobs: u64,
    /// Bytes of the events of those runs and of those blobs.
    pub bytes: u64,
    /// Whether the work was more than one call does: the next one goes on.
    pub unfinished: bool,
}

/// A run that shall go.
struct Chosen {
    key: i64,
    run: RunId,
    bytes: u64,
}

impl SqliteStore {
    /// Removes runs that are over and that nobody drives until the rules hold, oldest first; then blobs that no run refers to.
    /// After a crash at any point the next call finds each run either whole or gone, and at most without its reports.
    ///
    /// # Errors
    /// When something cannot be read or removed; what was removed before stays removed.
    pub fn prune(&self, blobs: &FolderBlobs, request: &PruneRequest) -> Result<Pruned, StoreError> {
        let mut pruned = Pruned::default();
        let mut budget = MOST_ENTRIES;
        let (mut gone, mut lost) = (HashSet::new(), HashSet::new());
        for chosen in self.reading(|connection| choose(connection, &self.folder, blobs, request))? {
            if !request.dry_run {
                // Nobody shall begin to drive it now.
                let Some(_owned) = self.own(&chosen.run)? else { continue };
                if self.remove_reports(&chosen.run, &mut budget)? == Cleared::Rest {
                    pruned.unfinished = true;
                    break;
                }
                let Some(digests) = self.remove_run(&chosen)? else { continue };
                lost.extend(digests);
                pass(&*self.faults, "prune.after-commit", self.folder.path())?;
            }
            gone.insert(chosen.key);
            pruned.bytes = pruned.bytes.saturating_add(chosen.bytes);
            pruned.runs.push(chosen.run);
            pass(&*self.faults, "prune.between-runs", self.folder.path())?;
        }
        self.prune_blobs(blobs, request, &gone, &lost, &mut budget, &mut pruned)?;
        if !request.dry_run && !pruned.runs.is_empty() {
            let is_driven = is_any_driven(&self.folder);
            self.maintaining(|connection| vacuum::give_back(connection, is_driven))?;
        }
        Ok(pruned)
    }

    /// Before the run itself, so that no folder is left that no run would lead to.
    fn remove_reports(&self, run: &RunId, budget: &mut u64) -> Result<Cleared, StoreError> {
        pass(&*self.faults, "prune.before-reports", self.folder.path())?;
        let place = self.folder.path().join("reports").join(run.as_str());
        // From a handle of the state folder on: `reports` may have become a link that leads elsewhere.
        let removed = Dir::open_ambient_dir(self.folder.path(), ambient_authority()).and_then(|state| {
            match state.symlink_metadata("reports") {
                Ok(found) if found.is_dir() => {
                    clear::remove(&state.open_dir("reports")?, OsStr::new(run.as_str()), budget)
                }
                _ => Ok(Cleared::Gone),
            }
        });
        removed.map_err(|error| from_io(&place, &error))
    }

    /// The blobs that it referred to. None: it is not as it was when it was chosen.
    fn remove_run(&self, chosen: &Chosen) -> Result<Option<Vec<[u8; 32]>>, StoreError> {
        self.writing("prune.before-commit", |connection| {
            let remove = || -> rusqlite::Result<Option<Vec<[u8; 32]>>> {
                let sql = "SELECT 1 FROM runs WHERE key = ?1 AND id = ?2 AND outcome IS NOT NULL AND suspended = 0";
                if !connection.prepare_cached(sql)?.exists(params![chosen.key, chosen.run.as_str()])? {
                    return Ok(None);
                }
                let digests = connection
                    .prepare_cached("SELECT digest FROM blob_refs WHERE run = ?1")?
                    .query_map([chosen.key], |row| row.get(0))?
                    .collect::<rusqlite::Result<_>>()?;
                groups::remove(connection, chosen.run.as_str())?;
                connection.prepare_cached("DELETE FROM events WHERE run = ?1")?.execute([chosen.key])?;
                // With it go its wishes, its results and its references to blobs.
                connection.prepare_cached("DELETE FROM runs WHERE key = ?1")?.execute([chosen.key])?;
                Ok(Some(digests))
            };
            remove().map_err(|error| from_sqlite(&self.folder, &error))
        })
    }
}

fn choose(
    connection: &Connection,
    folder: &StateFolder,
    blobs: &FolderBlobs,
    request: &PruneRequest,
) -> Result<Vec<Chosen>, StoreError> {
    let fail = |error: rusqlite::Error| from_sqlite(folder, &error);
    let mut sizes = match request.most_bytes {
        Some(_) => Some(Sizes::measure(connection, folder, blobs).map_err(fail)?),
        None => None,
    };
    let mut query = connection
        .prepare(
            "SELECT key, id, coalesce(updated, created), coalesce(bytes, 0) FROM runs
             WHERE outcome IS NOT NULL AND suspended = 0 ORDER BY key",
        )
        .map_err(fail)?;
    let over: Vec<(i64, String, i64, u64)> = query
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, size(row.get(3)?))))
        .and_then(Iterator::collect)
        .map_err(fail)?;
    let all = over.len();
    let mut chosen = Vec::new();
    for (index, (key, id, updated, bytes)) in over.into_iter().enumerate() {
        let old = request.older_than.is_some_and(|limit| updated < limit.0);
        let many = request.keep.is_some_and(|keep| all - index > keep);
        let large = sizes.as_ref().zip(request.most_bytes).is_some_and(|(sizes, most)| sizes.total > most);
        // An id that is none is damage: `check` tells of it, and nothing of it is removed.
        let Ok(run) = RunId::try_from(id) else { continue };
        if !(old || many || large) || is_driven(folder, &run) {
            continue;
        }
        if let Some(sizes) = &mut sizes {
            sizes.without(folder, key, &run, bytes);
        }
        chosen.push(Chosen { key, run, bytes });
    }
    Ok(chosen)
}

/// What runs take on disk.
struct Sizes {
    total: u64,
    refers: HashMap<i64, Vec<[u8; 32]>>,
    /// How many runs refer to a blob, and its length.
    blobs: HashMap<[u8; 32], (usize, u64)>,
}

impl Sizes {
    fn measure(connection: &Connection, folder: &StateFolder, blobs: &FolderBlobs) -> rusqlite::Result<Sizes> {
        let mut sizes = Sizes { total: 0, refers: HashMap::new(), blobs: HashMap::new() };
        let mut query = connection.prepare("SELECT id, coalesce(bytes, 0) FROM runs")?;
        for run in query.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?)))? {
            let (id, bytes) = run?;
            let reports = RunId::try_from(id).map_or(0, |run| reports_of(folder, &run));
            sizes.total = sizes.total.saturating_add(size(bytes)).saturating_add(reports);
        }
        let mut query = connection.prepare("SELECT run, digest FROM blob_refs")?;
        for reference in query.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, [u8; 32]>(1)?)))? {
            let (run, digest) = reference?;
            sizes.refers.entry(run).or_default().push(digest);
            let blob = sizes.blobs.entry(digest).or_insert_with(|| {
                let place = blobs.place(&Digest::from_bytes(digest));
                let length = std::fs::symlink_metadata(place).map_or(0, |found| found.len());
                sizes.total = sizes.total.saturating_add(length);
                (0, length)
            });
            blob.0 += 1;
        }
        Ok(sizes)
    }

    /// Takes a run out of the sum, with the blobs that no other one refers to.
    fn without(&mut self, folder: &StateFolder, key: i64, run: &RunId, bytes: u64) {
        let mut freed = bytes.saturating_add(reports_of(folder, run));
        for digest in self.refers.remove(&key).unwrap_or_default() {
            if let Some((runs, length)) = self.blobs.get_mut(&digest) {
                *runs -= 1;
                freed = freed.saturating_add(if *runs == 0 { *length } else { 0 });
            }
        }
        self.total = self.total.saturating_sub(freed);
    }
}

/// A size as it is stored. One below nothing is damage, which `check` tells of.
fn size(stored: i64) -> u64 {
    u64::try_from(stored).unwrap_or(0)
}

/// The files that are directly in a run's folder of reports, which is where reports are.
fn reports_of(folder: &StateFolder, run: &RunId) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder.path().join("reports").join(run.as_str())) else { return 0 };
    let budget = usize::try_from(MOST_ENTRIES).unwrap_or(usize::MAX);
    entries.take(budget).flatten().filter_map(|entry| entry.metadata().ok()).map(|found| found.len()).sum()
}
