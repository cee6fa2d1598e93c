use crate::support::{
    append, created, created_with, database, ended, finished, open, open_with, run, state, stored, suspended,
};
use orch_core::{Blobs, Digest, NoFaults, RunStore, StoreError, TaskOutcome, Timestamp};
use orch_store::{FolderBlobs, PruneRequest, Pruned, SqliteStore};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A time by which every blob that a test made is old.
const LATER: Timestamp = Timestamp(i64::MAX);

const NONE: PruneRequest = PruneRequest { now: LATER, older_than: None, keep: None, most_bytes: None, dry_run: false };

fn both(folder: &tempfile::TempDir) -> (SqliteStore, FolderBlobs) {
    open_with(folder, Arc::new(NoFaults))
}

/// Runs that are over, with an end at 1,002 ms and later ones.
fn over(store: &SqliteStore, numbers: std::ops::RangeInclusive<u32>) {
    for number in numbers {
        append(store, &run(number), 0, vec![created()]).unwrap();
        append(store, &run(number), 1, vec![]).unwrap();
        append(store, &run(number), 1, vec![finished()]).unwrap();
    }
}

fn left(store: &SqliteStore) -> Vec<String> {
    store.list(None, 100).unwrap().iter().rev().map(|run| run.run.short().trim_start_matches('0').to_owned()).collect()
}

fn reports(folder: &tempfile::TempDir, number: u32) -> PathBuf {
    let place = folder.path().join("state/reports").join(run(number).as_str());
    std::fs::create_dir_all(&place).unwrap();
    place
}

#[test]
fn only_runs_that_are_over_and_driven_by_nobody_go() {
    let folder = tempfile::tempdir().unwrap();
    let (store, blobs) = both(&folder);
    over(&store, 1..=4);
    append(&store, &run(5), 0, vec![created()]).unwrap();
    append(&store, &run(6), 0, vec![created(), suspended()]).unwrap();
    let _owned = store.own(&run(2)).unwrap().unwrap();
    assert_eq!(store.prune(&blobs, &NONE).unwrap(), Pruned::default(), "no rule, nothing goes");
    let all = PruneRequest { keep: Some(0), ..NONE };
    let told = store.prune(&blobs, &PruneRequest { dry_run: true, ..all }).unwrap();
    assert_eq!(told.runs, [run(1), run(3), run(4)]);
    assert_eq!(left(&store), ["1", "2", "3", "4", "5", "6"]);
    let pruned = store.prune(&blobs, &all).unwrap();
    assert_eq!(pruned, told);
    assert!(pruned.bytes > 0 && !pruned.unfinished);
    assert_eq!(left(&store), ["2", "5", "6"]);
    assert!(matches!(store.read(&run(1), 0), Err(StoreError::UnknownRun(_))));
    assert_eq!(store.check().unwrap(), [] as [String; 0]);
    // A writer that remembers where the run ended does not write to another one.
    assert!(matches!(append(&store, &run(4), 2, vec![finished()]), Err(StoreError::UnknownRun(_))));
}

#[test]
fn the_oldest_go_until_each_rule_holds() {
    let folder = tempfile::tempdir().unwrap();
    let (store, blobs) = both(&folder);
    over(&store, 1..=6);
    let later = crate::support::records(Timestamp(9_000), 0, vec![created(), finished()]);
    crate::support::wait(store.append(&run(7), later)).unwrap();
    let prune = |request| store.prune(&blobs, &request).unwrap().runs;
    assert_eq!(prune(PruneRequest { keep: Some(5), ..NONE }), [run(1), run(2)]);
    let one: i64 = database(&folder).query_row("SELECT bytes FROM runs WHERE key = 3", [], |row| row.get(0)).unwrap();
    let one = u64::try_from(one).unwrap();
    assert_eq!(prune(PruneRequest { most_bytes: Some(5 * one), ..NONE }), []);
    assert_eq!(prune(PruneRequest { most_bytes: Some(5 * one - 1), ..NONE }), [run(3)]);
    assert_eq!(prune(PruneRequest { older_than: Some(Timestamp(9_000)), ..NONE }), [run(4), run(5), run(6)]);
    assert_eq!(left(&store), ["7"]);
}

#[test]
fn size_counts_blobs_and_reports() {
    let folder = tempfile::tempdir().unwrap();
    let (store, blobs) = both(&folder);
    let (own, shared) = (blobs.put(&[1; 5_000]).unwrap(), blobs.put(&[2; 7_000]).unwrap());
    append(&store, &run(1), 0, vec![created(), stored(own), stored(shared), finished()]).unwrap();
    append(&store, &run(2), 0, vec![created(), stored(shared), finished()]).unwrap();
    std::fs::write(reports(&folder, 2).join("summary.md"), [0; 3_000]).unwrap();
    let prune =
        |most| store.prune(&blobs, &PruneRequest { most_bytes: Some(most), dry_run: true, ..NONE }).unwrap().runs;
    assert_eq!(prune(20_000), []);
    assert_eq!(prune(14_000), [run(1)]);
    assert_eq!(prune(10_000), [run(1), run(2)]);
}

#[test]
fn what_only_they_refer_to_goes_with_them() {
    let folder = tempfile::tempdir().unwrap();
    let (store, blobs) = both(&folder);
    let [own, shared, component, nobody] = [b"own", b"sha", b"com", b"nob"].map(|bytes| blobs.put(bytes).unwrap());
    let key = Digest::of(b"key");
    append(&store, &run(1), 0, vec![created(), stored(own), stored(shared)]).unwrap();
    append(&store, &run(1), 3, vec![ended("scan", TaskOutcome::Succeeded, Some(key)), finished()]).unwrap();
    append(&store, &run(2), 0, vec![created_with(&[component]), stored(shared)]).unwrap();
    assert_eq!(store.prune(&blobs, &PruneRequest { now: Timestamp(0), ..NONE }).unwrap().blobs, 0, "they are young");
    assert_eq!(store.prune(&blobs, &NONE).unwrap().blobs, 1);
    assert!(blobs.read(&nobody).is_err());
    let pruned = store.prune(&blobs, &PruneRequest { keep: Some(0), ..NONE }).unwrap();
    assert_eq!((pruned.runs, pruned.blobs), (vec![run(1)], 1));
    assert!(blobs.read(&own).is_err());
    assert!(blobs.read(&shared).is_ok() && blobs.read(&component).is_ok());
    assert_eq!(store.result_of(&key).unwrap(), None);
    assert_eq!(store.check().unwrap(), [] as [String; 0]);
}

#[test]
fn while_a_run_is_driven_a_blob_that_has_just_lost_its_run_stays_for_a_while() {
    let folder = tempfile::tempdir().unwrap();
    let (store, blobs) = both(&folder);
    let digest = blobs.put(b"result").unwrap();
    let place = folder.path().join("state/blobs/sha256").join(&digest.hex()[..2]).join(digest.hex());
    // Two days old.
    let now = std::fs::metadata(&place).unwrap().modified().unwrap();
    let make_old = || {
        let old = now - std::time::Duration::from_secs(2 * 24 * 60 * 60);
        std::fs::File::options().write(true).open(&place).unwrap().set_modified(old).unwrap();
    };
    make_old();
    let now = now.duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
    let now = Timestamp(i64::try_from(now).unwrap() + 1_000);
    append(&store, &run(1), 0, vec![created(), stored(digest), finished()]).unwrap();
    let owned = store.own(&run(2)).unwrap().unwrap();
    let all = PruneRequest { now, keep: Some(0), ..NONE };
    let pruned = store.prune(&blobs, &all).unwrap();
    assert_eq!((pruned.runs.len(), pruned.blobs), (1, 0), "run 2 may be about to use the result of run 1");
    drop(owned);
    assert_eq!(store.prune(&blobs, &all).unwrap().blobs, 0, "it is as good as new");
    make_old();
    // To store it again makes it young, too.
    blobs.put(b"result").unwrap();
    assert_eq!(store.prune(&blobs, &all).unwrap().blobs, 0);
    make_old();
    assert_eq!(store.prune(&blobs, &all).unwrap().blobs, 1);
}

#[test]
fn a_planted_link_is_removed_and_never_followed() {
    let folder = tempfile::tempdir().unwrap();
    let (store, blobs) = both(&folder);
    over(&store, 1..=3);
    let canary = folder.path().join("canary");
    std::fs::create_dir(&canary).unwrap();
    std::fs::write(canary.join("file"), "alive").unwrap();
    let link = |to: &Path, name: PathBuf| std::os::unix::fs::symlink(to, name).unwrap();
    let first = reports(&folder, 1);
    std::fs::create_dir_all(first.join("deep/er")).unwrap();
    link(&canary, first.join("link"));
    link(&canary, first.join("deep/er/link"));
    link(&canary.join("file"), first.join("deep/file"));
    // The folder itself is a link.
    link(&canary, folder.path().join("state/reports").join(run(2).as_str()));
    std::fs::write(folder.path().join("state/reports").join(run(3).as_str()), "a file").unwrap();
    let pruned = store.prune(&blobs, &PruneRequest { keep: Some(0), ..NONE }).unwrap();
    assert_eq!(pruned.runs.len(), 3);
    assert_eq!(std::fs::read_dir(folder.path().join("state/reports")).unwrap().count(), 0);
    assert_eq!(std::fs::read(canary.join("file")).unwrap(), b"alive");

    // All of the reports are a link.
    over(&store, 4..=4);
    std::fs::remove_dir(folder.path().join("state/reports")).unwrap();
    std::fs::create_dir(canary.join(run(4).as_str())).unwrap();
    link(&canary, folder.path().join("state/reports"));
    store.prune(&blobs, &PruneRequest { keep: Some(0), ..NONE }).unwrap();
    assert!(canary.join(run(4).as_str()).is_dir());
}

#[test]
fn a_huge_folder_of_reports_is_removed_in_several_calls() {
    let folder = tempfile::tempdir().unwrap();
    let (store, blobs) = both(&folder);
    over(&store, 1..=2);
    let place = reports(&folder, 1);
    for number in 0..100 {
        let inner = place.join(format!("d{number}"));
        std::fs::create_dir(&inner).unwrap();
        (0..120).for_each(|file| std::fs::write(inner.join(file.to_string()), "").unwrap());
    }
    let all = PruneRequest { keep: Some(0), ..NONE };
    let first = store.prune(&blobs, &all).unwrap();
    assert!(first.unfinished && first.runs.is_empty(), "a run whose reports are left is left, too");
    let second = store.prune(&blobs, &all).unwrap();
    assert_eq!((second.unfinished, second.runs), (false, vec![run(1), run(2)]));
    assert!(!place.exists());
}

#[test]
fn no_depth_is_too_deep() {
    let folder = tempfile::tempdir().unwrap();
    let (store, blobs) = both(&folder);
    over(&store, 1..=1);
    let place = reports(&folder, 1);
    // Deeper than a path can be long and than a process may have files open.
    let mut inner = cap_std::fs::Dir::open_ambient_dir(&place, cap_std::ambient_authority()).unwrap();
    for _ in 0..3_000 {
        inner.create_dir("d").unwrap();
        inner = inner.open_dir("d").unwrap();
    }
    drop(inner);
    let pruned = store.prune(&blobs, &PruneRequest { keep: Some(0), ..NONE }).unwrap();
    assert_eq!(pruned.runs, [run(1)]);
    assert!(!place.exists());
}

#[test]
fn many_blobs_are_looked_through_in_turns() {
    let folder = tempfile::tempdir().unwrap();
    let (store, blobs) = both(&folder);
    store.prepare().unwrap();
    // Names that are none cost a look and stay.
    for number in 0..256 {
        let inner = folder.path().join("state/blobs/sha256").join(format!("{number:02x}"));
        std::fs::create_dir_all(&inner).unwrap();
        (0..60).for_each(|file| std::fs::write(inner.join(file.to_string()), "").unwrap());
    }
    // The last one that a look through the folders in order would come to.
    let last =
        (0_u32..).map(|number| number.to_be_bytes()).find(|bytes| Digest::of(bytes).hex().starts_with("ff")).unwrap();
    let digest = blobs.put(&last).unwrap();
    let first = store.prune(&blobs, &NONE).unwrap();
    assert_eq!((first.unfinished, first.blobs), (true, 0));
    assert_eq!(store.prune(&blobs, &NONE).unwrap().blobs, 1);
    assert!(blobs.read(&digest).is_err());
}

#[test]
fn the_file_becomes_small_again() {
    let folder = tempfile::tempdir().unwrap();
    let (store, blobs) = both(&folder);
    let large = orch_core::Event::TaskLog {
        task: "scan".parse().unwrap(),
        level: orch_core::LogLevel::Info,
        message: "x".repeat(64 << 10),
        fields: Vec::new(),
    };
    append(&store, &run(1), 0, vec![created()]).unwrap();
    append(&store, &run(1), 1, vec![large; 200]).unwrap();
    append(&store, &run(1), 201, vec![finished()]).unwrap();
    over(&store, 2..=2);
    store.prune(&blobs, &PruneRequest { keep: Some(1), ..NONE }).unwrap();
    drop(store);
    let length = std::fs::metadata(state(&folder).path().join("state.db")).unwrap().len();
    assert!(length < 6 << 20, "{length} bytes are left of 13 MiB");
    assert_eq!(left(&open(&folder)), ["2"]);
}

/// Counts when it goes away.
struct Over<'a>(&'a std::sync::atomic::AtomicU32);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
    }
}

#[test]
fn runs_that_live_are_not_disturbed() {
    let folder = tempfile::tempdir().unwrap();
    open(&folder).prepare().unwrap();
    let done = std::sync::atomic::AtomicU32::new(0);
    std::thread::scope(|scope| {
        for thread in 1..=3_u32 {
            let (folder, done) = (&folder, &done);
            scope.spawn(move || {
                // However it ends: who prunes waits for it.
                let _over = Over(done);
                let (store, blobs) = both(folder);
                for number in (0..15).map(|turn| thread * 100 + turn) {
                    let _owned = store.own(&run(number)).unwrap().unwrap();
                    append(&store, &run(number), 0, vec![created()]).unwrap();
                    let digest = blobs.put(&number.to_be_bytes()).unwrap();
                    append(&store, &run(number), 1, vec![stored(digest)]).unwrap();
                    append(&store, &run(number), 2, vec![finished()]).unwrap();
                    assert!(blobs.read(&digest).is_ok());
                }
                // One that was cut off.
                append(&store, &run(thread), 0, vec![created()]).unwrap();
            });
        }
        let (store, blobs) = both(&folder);
        while done.load(std::sync::atomic::Ordering::SeqCst) < 3 {
            // By a clock that stands still, all blobs are young.
            store.prune(&blobs, &PruneRequest { now: Timestamp(0), keep: Some(2), ..NONE }).unwrap();
        }
    });
    let (store, blobs) = both(&folder);
    store.prune(&blobs, &PruneRequest { keep: Some(2), ..NONE }).unwrap();
    assert_eq!(store.check().unwrap(), [] as [String; 0]);
    let listed = store.list(None, 100).unwrap();
    assert_eq!(listed.len(), 5);
    assert_eq!(listed.iter().filter(|run| run.outcome.is_none()).count(), 3);
}
