use crate::support::{append, created_with, ended, finished, open, open_with, run, stored, suspended, tell, wait};
use orch_core::{
    Blobs, Faults, GroupStore, GroupTicket, KvError, KvPlace, KvStore, OnConflict, Person, PlantedBug, RunStore, Size,
    StoreError, TaskOutcome, Timestamp, Wish,
};
use orch_store::{FAULT_POINTS, FolderBlobs, PruneRequest, SqliteStore};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

/// Fails at one point from its n-th passing on, and remembers which points were passed.
#[derive(Default)]
struct FailsAt {
    point: &'static str,
    spared: u32,
    passed: AtomicU32,
    seen: Mutex<BTreeSet<&'static str>>,
}

impl Faults for FailsAt {
    fn at(&self, point: &'static str) -> std::io::Result<()> {
        self.seen.lock().unwrap().insert(point);
        if point == self.point && self.passed.fetch_add(1, Ordering::SeqCst) >= self.spared {
            return Err(std::io::Error::other("cut off"));
        }
        Ok(())
    }
}

/// A bit of everything that is made durable, up to the first error.
fn live(store: &SqliteStore, blobs: &FolderBlobs, acknowledged: &mut u64) -> Result<(), StoreError> {
    let component = blobs.put(b"component")?;
    for number in 1..=2 {
        let Some(_owned) = store.own(&run(number))? else { continue };
        append(store, &run(number), 0, vec![created_with(&[component])])?;
        let ticket = GroupTicket {
            run: run(number),
            group: "g".into(),
            limit: 1,
            queue: 1,
            on_conflict: OnConflict::Queue,
            priority: 0,
            since: Timestamp(0),
        };
        store.enter(&ticket, Timestamp(0))?;
        let mut writer = blobs.create()?;
        writer.write(format!("artifact {number}").as_bytes())?;
        let artifact = writer.finish()?;
        append(store, &run(number), 1, vec![stored(artifact)])?;
        append(store, &run(number), 2, vec![ended("scan", TaskOutcome::Succeeded, Some(artifact))])?;
        let place =
            KvPlace { workflow: "w".into(), plugin: "a/b".try_into().unwrap(), bucket: "c".try_into().unwrap() };
        match store.set(&place, "key", Some(b"value"), None, Size::from_mib(1)) {
            Err(KvError::Store(error)) => return Err(error),
            done => assert!(done.is_ok()),
        }
        store.wish(&run(number), &Wish::Cancel { by: Person::default(), undo: false })?;
        let last = store.wishes(&run(number))?.last().map_or(0, |(key, _)| *key);
        append(store, &run(number), 3, vec![tell(), finished()])?;
        *acknowledged += 1;
        wait(store.granted(&run(number), last))?;
        store.leave(&run(number))?;
    }
    // Once more, with something that nobody refers to.
    blobs.put(b"nobody's")?;
    let now = Timestamp(i64::MAX);
    store.prune(blobs, &PruneRequest { now, older_than: None, keep: Some(1), most_bytes: None, dry_run: false })?;
    Ok(())
}

#[test]
fn each_point_is_passed() {
    let folder = tempfile::tempdir().unwrap();
    let faults = Arc::new(FailsAt::default());
    let (store, blobs) = open_with(&folder, Arc::clone(&faults) as Arc<dyn Faults>);
    std::fs::create_dir_all(folder.path().join("state/reports")).unwrap();
    live(&store, &blobs, &mut 0).unwrap();
    let seen = faults.seen.lock().unwrap().clone();
    assert_eq!(seen, FAULT_POINTS.iter().copied().collect());
}

#[test]
fn whatever_fails_the_folder_is_in_order_and_can_be_used() {
    for &point in FAULT_POINTS {
        for spared in 0..2 {
            let folder = tempfile::tempdir().unwrap();
            let faults = FailsAt { point, spared, ..FailsAt::default() };
            let (store, blobs) = open_with(&folder, Arc::new(faults));
            let mut acknowledged = 0;
            let lived = live(&store, &blobs, &mut acknowledged);
            if spared == 0 {
                assert!(lived.unwrap_err().to_string().contains("cut off"), "{point}");
            }
            drop((store, blobs));
            let (store, blobs) = open_with(&folder, Arc::new(orch_core::NoFaults));
            store.prepare().unwrap();
            assert_eq!(store.check().unwrap(), [] as [String; 0], "{point} {spared}");
            let over = store.list(None, 10).unwrap().iter().filter(|run| run.outcome.is_some()).count() as u64;
            // The last rule of `live` may have taken one away.
            assert!(over + 1 >= acknowledged, "{point} {spared}");
            // A new start in the same folder goes through.
            for summary in store.list(None, 10).unwrap() {
                let records = store.read(&summary.run, 0).unwrap();
                if summary.outcome.is_none() {
                    append(&store, &summary.run, records.len() as u64, vec![finished()]).unwrap();
                }
            }
            let all = PruneRequest {
                now: Timestamp(i64::MAX),
                older_than: None,
                keep: Some(0),
                most_bytes: None,
                dry_run: false,
            };
            store.prune(&blobs, &all).unwrap();
            assert_eq!(store.list(None, 10).unwrap(), []);
            let mut again = 0;
            live(&store, &blobs, &mut again).unwrap();
            assert_eq!((again, store.check().unwrap()), (2, Vec::new()), "{point} {spared}");
        }
    }
}

struct Planted(PlantedBug);

impl Faults for Planted {
    fn at(&self, point: &'static str) -> std::io::Result<()> {
        // What comes after the begin of the third transaction is lost: the disk is gone.
        if point == "log.before-commit" && self.0 == PlantedBug::AcknowledgeEarly {
            return Err(std::io::Error::other("cut off"));
        }
        Ok(())
    }

    fn planted(&self, bug: PlantedBug) -> bool {
        bug == self.0
    }
}

#[test]
fn a_planted_early_acknowledgement_loses_what_was_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open_with(&folder, Arc::new(Planted(PlantedBug::AcknowledgeEarly)));
    append(&store, &run(1), 0, vec![created_with(&[])]).unwrap();
    assert_eq!(open(&folder).list(None, 10).unwrap(), [], "a checker that looks at this finds the mistake");
}

#[test]
fn a_planted_missing_fsync_still_writes() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = open_with(&folder, Arc::new(Planted(PlantedBug::SkipFsync)));
    append(&store, &run(1), 0, vec![created_with(&[]), suspended()]).unwrap();
    assert_eq!(open(&folder).read(&run(1), 0).unwrap().len(), 2);
}
