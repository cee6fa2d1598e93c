use crate::support::{append, created, finished, open, run, suspended};
use orch_core::{Admission, GroupStore, GroupTicket, OnConflict, RunStore, Timestamp, Wish};
use orch_store::{Owned, SqliteStore};
use std::sync::atomic::{AtomicU32, Ordering};

const MINUTE: i64 = 60_000;

fn ticket(number: u32) -> GroupTicket {
    GroupTicket {
        run: run(number),
        group: "deploy".into(),
        limit: 1,
        queue: 10,
        on_conflict: OnConflict::Queue,
        priority: 0,
        since: Timestamp(0),
    }
}

/// A run that is there and driven.
fn begin(store: &SqliteStore, number: u32) -> Owned {
    let owned = store.own(&run(number)).unwrap().unwrap();
    append(store, &run(number), 0, vec![created()]).unwrap();
    owned
}

fn enter(store: &SqliteStore, ticket: &GroupTicket) -> Admission {
    store.enter(ticket, Timestamp(0)).unwrap()
}

fn waiting(ahead: u32) -> Admission {
    Admission::Waiting { ahead }
}

#[test]
fn places_go_to_the_line_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let _owned: Vec<Owned> = (1..=4).map(|number| begin(&store, number)).collect();
    assert_eq!(enter(&store, &ticket(1)), Admission::Admitted);
    assert_eq!(enter(&store, &ticket(2)), waiting(0));
    assert_eq!(enter(&store, &ticket(3)), waiting(1));
    assert_eq!(enter(&store, &GroupTicket { priority: 5, ..ticket(4) }), waiting(0), "who matters more is before them");
    assert_eq!(enter(&store, &ticket(1)), Admission::Admitted, "the same ticket again changes nothing");
    assert_eq!(enter(&store, &GroupTicket { group: "other".into(), ..ticket(5) }), Admission::Admitted);
    store.leave(&run(1)).unwrap();
    assert_eq!(enter(&store, &ticket(2)), waiting(0), "the place is the other's, who has not asked again yet");
    assert_eq!(enter(&store, &GroupTicket { priority: 5, ..ticket(4) }), Admission::Admitted);
    store.leave(&run(4)).unwrap();
    store.leave(&run(4)).unwrap();
    assert_eq!(enter(&store, &ticket(2)), Admission::Admitted);
}

#[test]
fn who_waits_long_overtakes() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let _owned: Vec<Owned> = (1..=3).map(|number| begin(&store, number)).collect();
    enter(&store, &ticket(1));
    let humble = ticket(2);
    assert_eq!(store.enter(&humble, Timestamp(0)).unwrap(), waiting(0));
    let late = GroupTicket { priority: 10, since: Timestamp(10 * MINUTE), ..ticket(3) };
    // 10 points for 10 minutes of waiting: as many as the other has, and it came first.
    assert_eq!(store.enter(&late, Timestamp(10 * MINUTE)).unwrap(), waiting(1));
    store.leave(&run(3)).unwrap();
    let early = GroupTicket { since: Timestamp(9 * MINUTE), ..late };
    assert_eq!(store.enter(&early, Timestamp(9 * MINUTE)).unwrap(), waiting(0), "at 9 minutes it has 9 points only");
    assert_eq!(
        store.enter(&humble, Timestamp(10 * MINUTE - 1)).unwrap(),
        waiting(1),
        "a minute counts when it is full"
    );
}

#[test]
fn the_place_of_a_run_that_crashed_is_free_and_that_of_a_suspended_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let first = begin(&store, 1);
    let _second = begin(&store, 2);
    enter(&store, &ticket(1));
    assert_eq!(enter(&store, &ticket(2)), waiting(0));
    append(&store, &run(1), 1, vec![suspended()]).unwrap();
    drop(first);
    assert_eq!(enter(&store, &ticket(2)), waiting(0));
    // It goes on, and then the process ends without a word.
    let first = store.own(&run(1)).unwrap().unwrap();
    append(&store, &run(1), 2, vec![orch_core::Event::RunResumed { by: orch_core::Person::default() }]).unwrap();
    assert_eq!(enter(&store, &ticket(2)), waiting(0));
    drop(first);
    assert_eq!(enter(&store, &ticket(2)), Admission::Admitted);
}

#[test]
fn the_place_of_a_run_that_is_over_is_free() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let _owned: Vec<Owned> = (1..=2).map(|number| begin(&store, number)).collect();
    enter(&store, &ticket(1));
    append(&store, &run(1), 1, vec![finished()]).unwrap();
    assert_eq!(enter(&store, &ticket(2)), Admission::Admitted);
    assert!(matches!(enter(&store, &ticket(1)), Admission::TurnedAway { .. }));
}

#[test]
fn a_suspended_run_that_waits_holds_up_nobody_and_keeps_its_turn() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let _first = begin(&store, 1);
    let second = begin(&store, 2);
    let _third = begin(&store, 3);
    enter(&store, &ticket(1));
    assert_eq!(enter(&store, &ticket(2)), waiting(0));
    append(&store, &run(2), 1, vec![suspended()]).unwrap();
    drop(second);
    assert_eq!(enter(&store, &ticket(3)), waiting(0));
    let _second = store.own(&run(2)).unwrap().unwrap();
    assert_eq!(enter(&store, &ticket(3)), waiting(1));
}

#[test]
fn one_more_than_may_wait_is_turned_away() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let _owned: Vec<Owned> = (1..=3).map(|number| begin(&store, number)).collect();
    let short = |number| GroupTicket { queue: 1, ..ticket(number) };
    assert_eq!(enter(&store, &short(1)), Admission::Admitted);
    assert_eq!(enter(&store, &short(2)), waiting(0));
    let Admission::TurnedAway { reason } = enter(&store, &short(3)) else { panic!("two wait") };
    assert!(reason.contains("`deploy`") && reason.contains('1'), "{reason}");
    assert_eq!(enter(&store, &short(2)), waiting(0), "who is in the line stays in it");
    store.leave(&run(1)).unwrap();
    assert_eq!(enter(&store, &short(2)), Admission::Admitted);
    assert_eq!(enter(&store, &short(3)), waiting(0));
}

#[test]
fn on_conflict_cancel_turns_away() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let _owned: Vec<Owned> = (1..=2).map(|number| begin(&store, number)).collect();
    let cancel = |number| GroupTicket { on_conflict: OnConflict::Cancel, ..ticket(number) };
    assert_eq!(enter(&store, &cancel(1)), Admission::Admitted);
    assert!(matches!(enter(&store, &cancel(2)), Admission::TurnedAway { .. }));
    store.leave(&run(1)).unwrap();
    assert_eq!(enter(&store, &cancel(2)), Admission::Admitted);
}

#[test]
fn on_conflict_cancel_running_asks_each_once_to_stop() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let _owned: Vec<Owned> = (1..=3).map(|number| begin(&store, number)).collect();
    let newer = |number| GroupTicket { on_conflict: OnConflict::CancelRunning, limit: 2, ..ticket(number) };
    assert_eq!(enter(&store, &newer(1)), Admission::Admitted);
    assert_eq!(enter(&store, &newer(2)), Admission::Admitted);
    assert_eq!(store.wishes(&run(1)).unwrap(), [], "there was a place");
    for _ in 0..3 {
        assert_eq!(enter(&store, &newer(3)), waiting(0));
    }
    for number in [1, 2] {
        let wishes = store.wishes(&run(number)).unwrap();
        let [(_, Wish::Cancel { by, undo: false })] = wishes.as_slice() else { panic!("{wishes:?}") };
        assert_eq!(by.name, "concurrency group `deploy`");
    }
    assert_eq!(store.wishes(&run(3)).unwrap(), []);
    store.leave(&run(1)).unwrap();
    assert_eq!(enter(&store, &newer(3)), Admission::Admitted);
}

#[test]
fn one_that_waits_for_people_makes_room_without_them() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder);
    let first = begin(&store, 1);
    let _second = begin(&store, 2);
    assert_eq!(enter(&store, &ticket(1)), Admission::Admitted);
    append(&store, &run(1), 1, vec![suspended()]).unwrap();
    drop(first);
    assert_eq!(enter(&store, &ticket(2)), waiting(0), "it keeps its place");
    let newer = GroupTicket { on_conflict: OnConflict::CancelRunning, ..ticket(2) };
    assert_eq!(enter(&store, &newer), waiting(0));
    assert_eq!(enter(&store, &newer), Admission::Admitted);
    assert_eq!(store.wishes(&run(1)).unwrap().len(), 1, "whoever drives it next ends it");
}

#[test]
fn the_limit_holds_for_many_who_come_and_go() {
    let folder = tempfile::tempdir().unwrap();
    open(&folder).prepare().unwrap();
    let (inside, most) = (AtomicU32::new(0), AtomicU32::new(0));
    std::thread::scope(|scope| {
        for thread in 1..=8_u32 {
            let (inside, most, folder) = (&inside, &most, &folder);
            scope.spawn(move || {
                let store = open(folder);
                // xorshift, so that each run of this test does the same.
                let mut random = thread.wrapping_mul(2_654_435_761);
                for turn in 0..6 {
                    let number = thread * 100 + turn;
                    let _owned = begin(&store, number);
                    random ^= random << 13;
                    random ^= random >> 17;
                    random ^= random << 5;
                    let ticket = GroupTicket {
                        limit: 3,
                        priority: u8::try_from(random % 100).unwrap(),
                        since: Timestamp(i64::from(random % 1000)),
                        ..ticket(number)
                    };
                    if random % 5 == 0 {
                        // It loses patience.
                        enter(&store, &ticket);
                        store.leave(&run(number)).unwrap();
                        continue;
                    }
                    while enter(&store, &ticket) != Admission::Admitted {
                        std::thread::yield_now();
                    }
                    most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    (0..random % 50).for_each(|_| std::thread::yield_now());
                    inside.fetch_sub(1, Ordering::SeqCst);
                    store.leave(&run(number)).unwrap();
                }
            });
        }
    });
    assert!((1..=3).contains(&most.into_inner()));
}
