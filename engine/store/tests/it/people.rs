use crate::support::{append, created, ended, finished, open, run, suspended, wait};
use orch_core::{Answer, Digest, Event, Person, RunStore, StoreError, TaskOutcome, Timestamp, Wish};

fn ann() -> Person {
    Person { name: "ann".into(), groups: vec!["release".into()] }
}

fn approve(at: i64) -> Wish {
    Wish::Answer {
        task: "deploy".parse().unwrap(),
        answer: Answer::Approve,
        by: ann(),
        plan_hash: Digest::of(b""),
        comment: None,
        at: Timestamp(at),
    }
}

#[test]
fn wishes_stay_in_order_until_they_are_granted() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    append(&store, &run(1), 0, vec![created()]).unwrap();
    append(&store, &run(2), 0, vec![created()]).unwrap();
    let stop = Wish::Cancel { by: ann(), undo: true };
    // Another process than the one that drives the run.
    let other = open(&folder);
    other.wish(&run(1), &approve(5)).unwrap();
    other.wish(&run(2), &stop).unwrap();
    other.wish(&run(1), &stop).unwrap();
    let wishes = store.wishes(&run(1)).unwrap();
    assert_eq!(wishes.iter().map(|(_, wish)| wish.clone()).collect::<Vec<_>>(), [approve(5), stop]);
    wait(store.granted(&run(1), wishes[0].0)).unwrap();
    assert_eq!(store.wishes(&run(1)).unwrap(), wishes[1..]);
    wait(store.granted(&run(1), wishes[1].0)).unwrap();
    wait(store.granted(&run(1), wishes[1].0)).unwrap();
    assert_eq!(store.wishes(&run(1)).unwrap(), []);
    assert_eq!(store.wishes(&run(2)).unwrap().len(), 1, "a wish for another run is not granted with it");
    // A number is never used again, so that what was granted cannot be taken for what came later.
    other.wish(&run(1), &approve(6)).unwrap();
    assert!(store.wishes(&run(1)).unwrap()[0].0 > wishes[1].0);
}

#[test]
fn nothing_can_be_asked_of_a_run_that_is_unknown_or_over() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    append(&store, &run(1), 0, vec![created(), finished()]).unwrap();
    let refused = store.wish(&run(1), &approve(1)).unwrap_err().to_string();
    assert!(refused.contains(run(1).as_str()) && refused.contains("it is over (succeeded)"), "{refused}");
    assert_eq!(store.wish(&run(2), &approve(1)), Err(StoreError::UnknownRun(run(2).to_string())));
    assert!(matches!(store.wishes(&run(2)), Err(StoreError::UnknownRun(_))));
}

#[test]
fn lists_show_who_is_suspended() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let shown = || {
        let listed = store.list(Some("w"), 1).unwrap().remove(0);
        (listed.suspended, listed.events, listed.updated)
    };
    append(&store, &run(1), 0, vec![created()]).unwrap();
    assert_eq!(shown(), (false, 1, Timestamp(1_000)));
    append(&store, &run(1), 1, vec![suspended()]).unwrap();
    assert_eq!(shown(), (true, 2, Timestamp(1_001)));
    append(&store, &run(1), 2, vec![Event::RunResumed { by: ann() }]).unwrap();
    assert_eq!(shown(), (false, 3, Timestamp(1_002)));
    append(&store, &run(1), 3, vec![suspended()]).unwrap();
    append(&store, &run(1), 4, vec![finished()]).unwrap();
    assert_eq!(shown(), (false, 5, Timestamp(1_004)));
    assert_eq!(store.list(Some("other"), 10).unwrap(), []);
}

#[test]
fn the_newest_result_that_says_so_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let (key, other) = (Digest::of(b"key"), Digest::of(b"other"));
    append(&store, &run(1), 0, vec![created(), ended("scan[3]", TaskOutcome::Succeeded, Some(key))]).unwrap();
    assert_eq!(store.result_of(&key).unwrap(), Some((run(1), "scan[3]".parse().unwrap())));
    let not = [ended("scan", TaskOutcome::Failed, Some(key)), ended("scan", TaskOutcome::Succeeded, None)];
    append(&store, &run(2), 0, [created()].into_iter().chain(not).collect()).unwrap();
    assert_eq!(store.result_of(&key).unwrap(), Some((run(1), "scan[3]".parse().unwrap())));
    append(&store, &run(3), 0, vec![created(), ended("build/scan", TaskOutcome::Succeeded, Some(key))]).unwrap();
    assert_eq!(store.result_of(&key).unwrap(), Some((run(3), "build/scan".parse().unwrap())));
    assert_eq!(store.result_of(&other).unwrap(), None);
}
