use crate::support::{append, created, finished, open, records, run, tell, wait};
use orch_core::{Faults, RunId, RunOutcome, RunStore, StoreError, Timestamp};
use orch_store::{SqliteStore, StateFolder};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

#[test]
fn what_is_acknowledged_is_read_back_by_another_process() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    append(&store, &run(1), 0, vec![created(), tell()]).unwrap();
    append(&store, &run(1), 2, vec![finished()]).unwrap();
    // Not closed: what another process sees does not depend on it.
    let other = open(&folder);
    let records = other.read(&run(1), 0).unwrap();
    assert_eq!(records.iter().map(|record| record.seq).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(records[2].event, finished());
    assert_eq!(other.read(&run(1), 2).unwrap().len(), 1);
    let listed = other.list(None, 10).unwrap();
    assert_eq!((listed[0].outcome, listed[0].events), (Some(RunOutcome::Succeeded), 3));
}

#[test]
fn an_append_at_the_wrong_place_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    append(&store, &run(1), 0, vec![created()]).unwrap();
    let conflict = append(&store, &run(1), 5, vec![tell()]).unwrap_err();
    assert_eq!(conflict, StoreError::Conflict { run: run(1), expected: 5, found: 1 });
    assert!(matches!(append(&store, &run(1), 0, vec![created()]), Err(StoreError::Conflict { .. })));
    assert!(
        matches!(append(&store, &run(2), 0, vec![tell()]), Err(StoreError::UnknownRun(_))),
        "a run begins with its creation"
    );
    assert_eq!(store.read(&run(1), 0).unwrap().len(), 1);
    assert!(matches!(store.read(&run(2), 0), Err(StoreError::UnknownRun(_))));
}

#[test]
fn a_second_writer_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (open(&folder), open(&folder));
    append(&first, &run(1), 0, vec![created()]).unwrap();
    append(&second, &run(1), 1, vec![tell()]).unwrap();
    let late = append(&first, &run(1), 1, vec![finished()]).unwrap_err();
    assert_eq!(late, StoreError::Conflict { run: run(1), expected: 1, found: 2 });
    assert_eq!(second.verify(&run(1)).unwrap().broken_at, None);
}

#[test]
fn many_runs_at_once_keep_their_order() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(open(&folder));
    std::thread::scope(|scope| {
        for number in 0..8 {
            let store = Arc::clone(&store);
            scope.spawn(move || {
                append(&store, &run(number), 0, vec![created()]).unwrap();
                (1..50).for_each(|seq| append(&store, &run(number), seq, vec![tell()]).unwrap());
            });
        }
    });
    for number in 0..8 {
        let seqs: Vec<u64> = store.read(&run(number), 0).unwrap().iter().map(|record| record.seq).collect();
        assert_eq!(seqs, (1..=50).collect::<Vec<_>>());
    }
}

#[test]
fn a_changed_event_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    append(&store, &run(1), 0, vec![created(), tell(), finished()]).unwrap();
    assert_eq!(store.verify(&run(1)).unwrap().broken_at, None);
    drop(store);
    let database = rusqlite::Connection::open(folder.path().join("state/state.db")).unwrap();
    for (change, broken_at) in [
        ("UPDATE events SET body = replace(body, 'requested', 'log-lost') WHERE seq = 2", 2),
        ("UPDATE events SET at = at + 1 WHERE seq = 1", 1),
        ("DELETE FROM events WHERE seq = 1", 1),
    ] {
        database.execute(change, []).unwrap();
        assert_eq!(open(&folder).verify(&run(1)).unwrap().broken_at, Some(broken_at), "{change}");
    }
}

#[test]
fn an_event_that_says_it_is_of_an_earlier_run_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    append(&store, &run(1), 0, vec![created()]).unwrap();
    append(&store, &run(2), 0, vec![created(), tell(), finished()]).unwrap();
    drop(store);
    let file = folder.path().join("state/state.db");
    let database = rusqlite::Connection::open(&file).unwrap();
    database.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    drop(database);
    let mut bytes = std::fs::read(&file).unwrap();
    let body = serde_json::to_string(&tell()).unwrap();
    let place = bytes.windows(body.len()).position(|part| part == body.as_bytes()).unwrap();
    // Before the body: a byte of the run, one of the number, two of the time.
    assert_eq!(bytes[place - 4..place - 2], [2, 2]);
    bytes[place - 4] = 0;
    std::fs::write(&file, bytes).unwrap();
    assert_eq!(open(&folder).verify(&run(2)).unwrap().broken_at, Some(2));
}

/// Fails the first commit, as a disk does that has an error once.
struct FirstCommitFails(AtomicU32);

impl Faults for FirstCommitFails {
    fn at(&self, point: &'static str) -> std::io::Result<()> {
        if point == "log.before-commit" && self.0.fetch_add(1, Ordering::SeqCst) == 1 {
            return Err(std::io::Error::from(std::io::ErrorKind::StorageFull));
        }
        Ok(())
    }
}

#[test]
fn what_failed_is_not_there_and_does_not_block_what_follows() {
    let folder = tempfile::tempdir().unwrap();
    let state = StateFolder::open(&folder.path().join("state")).unwrap();
    let store = SqliteStore::with_faults(state, Arc::new(FirstCommitFails(AtomicU32::new(0))));
    append(&store, &run(1), 0, vec![created()]).unwrap();
    assert!(matches!(append(&store, &run(1), 1, vec![tell()]), Err(StoreError::Full(_))));
    assert_eq!(store.read(&run(1), 0).unwrap().len(), 1);
    append(&store, &run(1), 1, vec![finished()]).unwrap();
    assert_eq!(store.verify(&run(1)).unwrap(), orch_store::Verification { events: 2, broken_at: None });
}

#[test]
fn names_of_runs() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let (a, b) = (
        RunId::try_from(format!("{}{}", "a".repeat(30), "01")).unwrap(),
        RunId::try_from(format!("{}{}", "a".repeat(30), "02")).unwrap(),
    );
    append(&store, &a, 0, vec![created()]).unwrap();
    append(&store, &b, 0, vec![created()]).unwrap();
    assert_eq!(store.resolve("latest"), Ok(b.clone()));
    assert_eq!(store.resolve("a01"), Ok(a));
    assert!(matches!(store.resolve("aaa"), Err(StoreError::Ambiguous { .. })));
    for unknown in ["", "%", "_", "zz", "' OR 1=1 --", "a03"] {
        assert!(matches!(store.resolve(unknown), Err(StoreError::UnknownRun(_))), "{unknown}");
    }
}

#[test]
fn folders_that_cannot_be_used_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "canary").unwrap();
    assert!(StateFolder::open(&file).unwrap_err().to_string().contains("not a folder"));
    assert_eq!(std::fs::read(&file).unwrap(), b"canary");

    let state = StateFolder::open(&folder.path().join("damaged")).unwrap();
    std::fs::write(state.path().join("state.db"), "no database at all, for sure not").unwrap();
    assert!(SqliteStore::new(state).prepare().unwrap_err().to_string().contains("damaged"));

    let newer = open(&folder);
    newer.prepare().unwrap();
    drop(newer);
    let database = rusqlite::Connection::open(folder.path().join("state/state.db")).unwrap();
    database.pragma_update(None, "user_version", 99).unwrap();
    drop(database);
    assert!(open(&folder).prepare().unwrap_err().to_string().contains("its format is 99, this program knows 2"));
}

#[test]
fn what_is_made_is_private() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    open(&folder).prepare().unwrap();
    let mode = std::fs::metadata(folder.path().join("state")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[test]
fn a_stopped_program_leaves_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    append(&store, &run(1), 0, vec![created()]).unwrap();
    store.list(None, 1).unwrap();
    assert!(store.wish(&run(2), &orch_core::Wish::Cancel { by: orch_core::Person::default(), undo: false }).is_err());
    drop(store);
    let names: Vec<_> = std::fs::read_dir(folder.path().join("state"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("state.db"))
        .collect();
    assert_eq!(names, ["state.db"]);
}

#[test]
fn an_append_that_nobody_waits_for_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    drop(store.append(&run(1), records(Timestamp(1), 0, vec![created()])));
    append(&store, &run(1), 1, vec![tell()]).unwrap();
    // Several that were asked for in order are written in that order, whichever is waited for first.
    let (second, third) = (
        store.append(&run(1), records(Timestamp(1), 2, vec![tell()])),
        store.append(&run(1), records(Timestamp(1), 3, vec![finished()])),
    );
    wait(third).unwrap();
    wait(second).unwrap();
    assert_eq!(store.verify(&run(1)).unwrap(), orch_store::Verification { events: 4, broken_at: None });
}

#[test]
fn another_process_in_the_middle_of_writing_is_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    append(&store, &run(1), 0, vec![created()]).unwrap();
    let other = crate::support::database(&folder);
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| append(&store, &run(1), 1, vec![tell()]));
        other.execute_batch("ROLLBACK").unwrap();
        waiting.join().unwrap().unwrap();
    });
}
