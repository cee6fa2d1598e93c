use crate::support::{append, database, open, open_with, run, state, tell};
use orch_core::{Digest, Faults, RunStore, Timestamp};
use orch_store::{PruneRequest, Verification};
use sha2::Digest as _;
use std::sync::Arc;

/// The tables of format 1, as the program wrote them that made them.
const FORMAT_1: &str = "
    PRAGMA journal_mode = WAL;
    CREATE TABLE runs (
        key      INTEGER PRIMARY KEY,
        id       TEXT    NOT NULL UNIQUE,
        workflow TEXT    NOT NULL,
        created  INTEGER NOT NULL,
        outcome  TEXT
    ) STRICT;
    CREATE INDEX runs_by_workflow ON runs (workflow, key);
    CREATE TABLE events (
        run   INTEGER NOT NULL REFERENCES runs (key),
        seq   INTEGER NOT NULL,
        at    INTEGER NOT NULL,
        body  TEXT    NOT NULL,
        chain BLOB    NOT NULL,
        PRIMARY KEY (run, seq)
    ) STRICT, WITHOUT ROWID;
    PRAGMA user_version = 1;
";

/// Two runs: one that is over and stored an artifact, one that was cut off.
fn make(folder: &tempfile::TempDir, artifact: Digest) {
    state(folder);
    let database = database(folder);
    database.execute_batch(FORMAT_1).unwrap();
    let created = format!(
        r#"{{"type":"run-created","format":1,"workflow":"w","file":"w.yaml","plan_hash":"{artifact}","plan":{{}},"tasks":[],"inputs":{{}}}}"#
    );
    let stored = format!(
        r#"{{"type":"artifact-stored","task":"scan","artifact":{{"name":"a.json","media_type":"a/b","digest":"{artifact}","bytes":1}}}}"#
    );
    let finished = r#"{"type":"run-finished","outcome":"succeeded","outputs":{}}"#.to_owned();
    for (key, outcome, bodies) in
        [(1, Some("succeeded"), vec![created.clone(), stored, finished]), (2, None, vec![created])]
    {
        database.execute("INSERT INTO runs VALUES (?1, ?2, 'w', 1000, ?3)", (key, run(key).as_str(), outcome)).unwrap();
        let mut chain = [0_u8; 32];
        for (seq, body) in (1_i64..).zip(bodies) {
            let at = 999 + seq;
            let mut hash = sha2::Sha256::new();
            hash.update(chain);
            hash.update(seq.to_be_bytes());
            hash.update(at.to_be_bytes());
            hash.update(body.as_bytes());
            chain = hash.finalize().into();
            database.execute("INSERT INTO events VALUES (?1, ?2, ?3, ?4, ?5)", (key, seq, at, body, chain)).unwrap();
        }
    }
}

#[test]
fn runs_of_format_1_are_listed_read_verified_and_continued() {
    let folder = tempfile::tempdir().unwrap();
    let (_, blobs) = open_with(&folder, Arc::new(orch_core::NoFaults));
    let artifact = blobs.put(b"artifact").unwrap();
    make(&folder, artifact);
    // Reading alone is enough to bring it up to date.
    let store = open(&folder);
    let listed = store.list(Some("w"), 10).unwrap();
    let shown: Vec<_> =
        listed.iter().map(|run| (run.events, run.updated, run.suspended, run.outcome.is_some())).collect();
    assert_eq!(shown, [(1, Timestamp(1_000), false, false), (3, Timestamp(1_002), false, true)]);
    assert_eq!(store.read(&run(1), 0).unwrap().len(), 3);
    assert_eq!(store.verify(&run(1)).unwrap(), Verification { events: 3, broken_at: None });
    assert_eq!(store.check().unwrap(), [] as [String; 0]);
    append(&store, &run(2), 1, vec![tell()]).unwrap();
    assert_eq!(store.verify(&run(2)).unwrap(), Verification { events: 2, broken_at: None });
    // What it stored is kept for as long as it is.
    let mut request =
        PruneRequest { now: Timestamp(i64::MAX), older_than: None, keep: None, most_bytes: None, dry_run: false };
    assert_eq!(store.prune(&blobs, &request).unwrap().blobs, 0);
    request.keep = Some(0);
    let pruned = store.prune(&blobs, &request).unwrap();
    assert_eq!((pruned.runs, pruned.blobs), (vec![run(1)], 1));
    assert_eq!(store.check().unwrap(), [] as [String; 0]);
}

/// Ends the change of format just before it counts.
struct NoMigration;

impl Faults for NoMigration {
    fn at(&self, point: &'static str) -> std::io::Result<()> {
        if point == "migrate.before-commit" { Err(std::io::Error::other("cut off")) } else { Ok(()) }
    }
}

#[test]
fn a_change_of_format_that_is_cut_off_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    make(&folder, Digest::of(b"artifact"));
    let (store, _) = open_with(&folder, Arc::new(NoMigration));
    assert!(store.list(None, 10).unwrap_err().to_string().contains("cut off"));
    assert!(store.prepare().is_err());
    let version: i64 = database(&folder).pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    assert_eq!(version, 1);
    assert_eq!(open(&folder).list(None, 10).unwrap().len(), 2);
}

#[test]
fn many_may_change_the_format_at_once() {
    let folder = tempfile::tempdir().unwrap();
    make(&folder, Digest::of(b"artifact"));
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert_eq!(open(&folder).list(None, 10).unwrap().len(), 2));
        }
    });
}
