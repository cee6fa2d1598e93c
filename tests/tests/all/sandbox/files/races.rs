//! Folders that change while a guest is on its way through them (F7).

use super::Folders;
use orch_core::Access;
use orch_tests::{Call, Running, Sandbox, Snapshot, from_environment, hostile};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Tasks at once, and how often each goes through its operations before another takes its place.
const TASKS: usize = 8;
const ROUNDS: usize = 50;
/// How long others take their places, in seconds; `ORCH_TEST_SECONDS` says another time.
const SECONDS: u64 = 4;

/// What goes through the name that is sometimes a folder and sometimes a link that leads out.
fn steps() -> Vec<Value> {
    let step = |op: &str, path: &str| json!({ "op": op, "mount": "/work", "path": path });
    let round = [
        step("read", "swap/canary"),
        step("write", "swap/canary"),
        step("append", "swap/inner/../canary"),
        step("create", "swap/made"),
        step("open-folder", "swap"),
        step("open-folder", "swap/inner"),
        step("stat", "swap/canary"),
        step("set-times", "swap/canary"),
        json!({ "op": "rename", "mount": "/work", "path": "swap/made", "to-mount": "/work", "to": "swap/taken" }),
        json!({ "op": "link", "mount": "/work", "path": "swap/canary", "to-mount": "/work", "to": "swap/linked" }),
        step("unlink", "swap/linked"),
        step("unlink", "swap/taken"),
    ];
    round.iter().cycle().take(round.len() * ROUNDS).cloned().collect()
}

#[test]
fn f7_a_folder_that_becomes_a_link_lets_nobody_out() {
    let folders = Folders::new();
    // What is seen there is nowhere else.
    std::fs::write(folders.at("outside/only-outside"), "content of outside").unwrap();
    let folders = Folders { before: Snapshot::of(&folders.at("outside")), ..folders };
    std::fs::create_dir_all(folders.at("work/swap/inner")).unwrap();
    std::fs::write(folders.at("work/swap/canary"), "content of work").unwrap();
    symlink("../outside", folders.at("work/other")).unwrap();

    let seconds = from_environment("ORCH_TEST_SECONDS").unwrap_or(SECONDS);
    let over = AtomicBool::new(false);
    let (swap, other) = (folders.at("work/swap"), folders.at("work/other"));
    let (swaps, answers) = std::thread::scope(|scope| {
        let swapping = scope.spawn(|| {
            let mut swaps = 0_u64;
            while !over.load(Ordering::Relaxed) {
                renameat_with(CWD, &swap, CWD, &other, RenameFlags::EXCHANGE).unwrap();
                swaps += 1;
            }
            swaps
        });
        let sandbox = Sandbox::new();
        let call = || {
            Call::new("files", json!({ "steps": steps() }))
                .mount("work", &folders.at("work"), Access::Write)
                .timeout(Duration::from_secs(60))
        };
        let begun = Instant::now();
        // Very many are the same.
        let mut answers = BTreeMap::<String, usize>::new();
        while begun.elapsed() < Duration::from_secs(seconds) {
            let running: Vec<Running> = (0..TASKS).map(|_| sandbox.start(&hostile(), call())).collect();
            for ended in running.into_iter().map(Running::end) {
                for answer in serde_json::from_value::<Vec<String>>(ended.output().clone()).unwrap() {
                    *answers.entry(answer).or_default() += 1;
                }
            }
        }
        over.store(true, Ordering::Relaxed);
        (swapping.join().unwrap(), answers)
    });
    let count = |which: &dyn Fn(&str) -> bool| {
        answers.iter().filter(|(answer, _)| which(answer)).map(|(_, count)| count).sum::<usize>()
    };
    // What is written there grows.
    let is_inside =
        |answer: &str| ["ok: content of work", "ok: changed by a guest"].iter().any(|it| answer.starts_with(it));
    let (all, inside, refused) = (count(&|_| true), count(&is_inside), count(&|answer| answer == "not-permitted"));
    println!("measured: F7: {seconds} s, {swaps} swaps, {all} calls, {inside} reads inside, {refused} refused");
    // Both sides of the race were met, or it showed nothing.
    assert!(swaps > 1_000 && inside > 0 && refused > 0, "{swaps} {inside} {refused}");
    for answer in answers.keys() {
        assert!(!answer.contains("content of outside") && !answer.contains("only-outside"), "{answer}");
    }
    assert_eq!(folders.before, Snapshot::of(&folders.at("outside")), "something outside was changed");
    // Errors that a guest can understand, never one of the engine.
    let errors: BTreeSet<&str> =
        answers.keys().map(String::as_str).filter(|answer| !answer.starts_with("ok")).collect();
    // Without `openat2`, what was a link a moment ago is read as one: that is `invalid`.
    let known =
        ["access", "busy", "exist", "invalid", "loop", "no-entry", "not-directory", "not-permitted", "would-block"];
    assert!(errors.iter().all(|error| known.contains(error)), "{errors:?}");
}
