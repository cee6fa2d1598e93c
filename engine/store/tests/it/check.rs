use crate::support::{
    append, created, created_with, database, ended, finished, open, open_with, run, state, stored, suspended, tell,
};
use orch_core::{Digest, NoFaults, Record, RunStore, RunSummary, TaskOutcome};
use orch_store::SqliteStore;
use std::sync::Arc;

const RUNS: u32 = 12;

/// Runs of all kinds. What they look like to whoever reads them.
fn fill(folder: &tempfile::TempDir) -> Digest {
    let (store, blobs) = open_with(folder, Arc::new(NoFaults));
    let component = blobs.put(b"component").unwrap();
    let artifact = blobs.put(b"artifact").unwrap();
    for number in 1..=RUNS {
        append(&store, &run(number), 0, vec![created_with(&[component]), stored(artifact)]).unwrap();
        (2..20).for_each(|seq| append(&store, &run(number), seq, vec![tell()]).unwrap());
        let key = Digest::of(&number.to_be_bytes());
        append(&store, &run(number), 20, vec![ended("scan", TaskOutcome::Succeeded, Some(key))]).unwrap();
        match number % 3 {
            0 => append(&store, &run(number), 21, vec![suspended()]).unwrap(),
            1 => append(&store, &run(number), 21, vec![finished()]).unwrap(),
            _ => {}
        }
    }
    artifact
}

type Seen = (Vec<RunSummary>, Vec<Vec<Record>>, Vec<String>);

fn see(store: &SqliteStore) -> Option<Seen> {
    let list = store.list(None, 100).ok()?;
    let logs = list.iter().map(|run| store.read(&run.run, 0).ok()).collect::<Option<Vec<_>>>()?;
    let results =
        (1..=RUNS).map(|number| format!("{:?}", store.result_of(&Digest::of(&number.to_be_bytes())))).collect();
    Some((list, logs, results))
}

#[test]
fn a_sound_folder_has_no_problems() {
    let folder = tempfile::tempdir().unwrap();
    fill(&folder);
    assert_eq!(open(&folder).check().unwrap(), [] as [String; 0]);
}

#[test]
fn a_flipped_bit_in_the_database_is_found_or_does_no_harm() {
    let folder = tempfile::tempdir().unwrap();
    fill(&folder);
    let expected = see(&open(&folder)).unwrap();
    let place = folder.path().join("state/state.db");
    let sound = std::fs::read(&place).unwrap();
    let (mut found, mut random) = (0, 88_172_645_463_325_252_u64);
    for _ in 0..200 {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let at = usize::try_from(random).unwrap() % sound.len();
        let bit = 1 << (random >> 60 & 7);
        let mut broken = sound.clone();
        broken[at] ^= bit;
        for suffix in ["-wal", "-shm"] {
            let _ = std::fs::remove_file(folder.path().join(format!("state/state.db{suffix}")));
        }
        std::fs::write(&place, &broken).unwrap();
        let store = open(&folder);
        match store.check() {
            Err(error) => {
                found += 1;
                assert!(error.to_string().contains("state.db"), "{error}");
            }
            Ok(lines) if !lines.is_empty() => {
                found += 1;
                assert!(lines.iter().all(|line| line.contains("state.db") || line.contains("run ")), "{lines:?}");
                // None of it panics, and what SQLite can still read is read.
                if let Ok(list) = store.list(None, 100) {
                    list.iter().for_each(|run| drop((store.read(&run.run, 0), store.verify(&run.run))));
                }
            }
            // Free space, or a byte that means nothing.
            Ok(_) => assert_eq!(see(&store), Some(expected.clone()), "bit {bit} of byte {at}"),
        }
        // Writing to it may fail, and says so.
        let _ = append(&store, &run(2), 21, vec![tell()]);
    }
    assert!(found > 50, "{found}");
}

#[test]
fn a_flipped_bit_in_a_blob_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let artifact = fill(&folder);
    let place = state(&folder).path().join("blobs/sha256").join(&artifact.hex()[..2]).join(artifact.hex());
    let sound = std::fs::read(&place).unwrap();
    for at in 0..sound.len() {
        let mut broken = sound.clone();
        broken[at] ^= 1 << (at % 8);
        std::fs::write(&place, broken).unwrap();
        let lines = open(&folder).check().unwrap();
        assert!(lines.len() == 1 && lines[0].contains(&artifact.hex()), "{lines:?}");
    }
    std::fs::remove_file(&place).unwrap();
    let lines = open(&folder).check().unwrap();
    assert_eq!(lines.len(), usize::try_from(RUNS).unwrap(), "each run that needs it is named");
    assert!(lines[0].contains(run(1).as_str()) && lines[0].contains("is missing"), "{lines:?}");
}

#[test]
fn what_tables_say_of_a_run_is_checked_against_its_events() {
    for change in [
        "UPDATE runs SET workflow = 'x' WHERE key = 2",
        "UPDATE runs SET created = 1 WHERE key = 2",
        "UPDATE runs SET updated = 1 WHERE key = 2",
        "UPDATE runs SET suspended = 1 WHERE key = 2",
        "UPDATE runs SET outcome = 'failed' WHERE key = 2",
        "UPDATE runs SET events = 20 WHERE key = 2",
        "UPDATE runs SET bytes = 20 WHERE key = 2",
        "DELETE FROM events WHERE run = 2 AND seq = 21",
        "DELETE FROM blob_refs WHERE run = 2",
        "UPDATE blob_refs SET digest = zeroblob(32) WHERE run = 2 AND digest = (SELECT min(digest) FROM blob_refs)",
        "UPDATE results SET step = 'other' WHERE run = 2",
        "UPDATE results SET key = zeroblob(32) WHERE run = 2",
    ] {
        let folder = tempfile::tempdir().unwrap();
        let artifact = orch_store::FolderBlobs::new(state(&folder)).put(b"artifact").unwrap();
        let store = open(&folder);
        append(&store, &run(1), 0, vec![created()]).unwrap();
        append(&store, &run(2), 0, vec![created(), stored(artifact)]).unwrap();
        (2..20).for_each(|seq| append(&store, &run(2), seq, vec![tell()]).unwrap());
        let key = Digest::of(b"key");
        append(&store, &run(2), 20, vec![ended("scan", TaskOutcome::Succeeded, Some(key))]).unwrap();
        assert_eq!(store.check().unwrap(), [] as [String; 0]);
        drop(store);
        assert_eq!(database(&folder).execute(change, []).unwrap(), 1, "{change}");
        let lines = open(&folder).check().unwrap();
        assert!(lines.len() == 1 && lines[0].contains(run(2).as_str()), "{change}: {lines:?}");
        assert_eq!(open(&folder).verify(&run(1)).unwrap().broken_at, None);
    }
}

#[test]
fn other_tables_and_strange_files_are_named() {
    let folder = tempfile::tempdir().unwrap();
    fill(&folder);
    database(&folder).execute("DROP INDEX wishes_by_run", []).unwrap();
    let strange = folder.path().join("state/blobs/sha256/zz");
    std::fs::create_dir(&strange).unwrap();
    std::fs::write(strange.join("x"), "").unwrap();
    let lines = open(&folder).check().unwrap().join("\n");
    assert!(lines.contains("wishes_by_run") && lines.contains("zz/x"), "{lines}");
}
