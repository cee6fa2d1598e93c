use crate::support::{open, run};
use std::sync::atomic::{AtomicU32, Ordering};

#[test]
fn one_process_drives_a_run() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (open(&folder), open(&folder));
    assert!(!first.is_driven(&run(1)));
    let owned = first.own(&run(1)).unwrap().unwrap();
    assert!(second.is_driven(&run(1)) && !second.is_driven(&run(2)));
    assert!(second.own(&run(1)).unwrap().is_none());
    assert!(second.own(&run(2)).unwrap().is_some());
    drop(owned);
    assert!(!second.is_driven(&run(1)));
    let locks = folder.path().join("state/locks");
    assert_eq!(std::fs::read_dir(&locks).unwrap().count(), 0, "nothing is left behind");
    assert!(second.own(&run(1)).unwrap().is_some());
}

#[test]
fn what_a_killed_process_left_is_no_owner() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let locks = folder.path().join("state/locks");
    std::fs::create_dir_all(&locks).unwrap();
    std::fs::write(locks.join(run(1).as_str()), "").unwrap();
    assert!(!store.is_driven(&run(1)));
    assert_eq!(std::fs::read_dir(&locks).unwrap().count(), 1, "to look changes nothing");
    drop(store.own(&run(1)).unwrap().unwrap());
    assert_eq!(std::fs::read_dir(&locks).unwrap().count(), 0);
}

#[test]
fn a_lock_whose_file_was_taken_away_does_not_take_the_next_one_away() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let first = store.own(&run(1)).unwrap().unwrap();
    std::fs::remove_file(folder.path().join("state/locks").join(run(1).as_str())).unwrap();
    let second = store.own(&run(1)).unwrap().unwrap();
    drop(first);
    assert!(store.is_driven(&run(1)));
    drop(second);
    assert!(!store.is_driven(&run(1)));
}

#[test]
fn never_two_at_once_however_they_come_and_go() {
    let folder = tempfile::tempdir().unwrap();
    let (inside, taken) = (AtomicU32::new(0), AtomicU32::new(0));
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let store = open(&folder);
                for _ in 0..50 {
                    if let Some(owned) = store.own(&run(1)).unwrap() {
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                        taken.fetch_add(1, Ordering::SeqCst);
                        store.is_driven(&run(1));
                        inside.fetch_sub(1, Ordering::SeqCst);
                        drop(owned);
                    }
                }
            });
        }
    });
    assert!(taken.into_inner() > 0);
}
