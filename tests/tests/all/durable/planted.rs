//! The checkers are honest: mistakes that are planted in the store are found by looking from outside.

use super::shapes::{SHAPES, faulty, log_of, run_faulty};
use crate::cli::program::Ran;
use std::process::Command;

/// Events that the program said are durable, and that the next process does not find: what was shown was not on disk.
fn shown_and_lost(bug: &str) -> Vec<String> {
    let mut lost = Vec::new();
    for visit in 1..=6 {
        let place = SHAPES[0].place();
        let arguments = ["run", "w.yaml", "--jobs", "2", "--format", "json"];
        let ran = run_faulty(&place, &arguments, &format!("kill:log.before-commit:{visit}"), bug);
        let found = log_of(&place).len();
        let shown = ran.stdout.lines().count();
        if shown > found {
            lost.push(format!("{shown} events were shown, {found} are there"));
        }
    }
    lost
}

#[test]
fn what_is_shown_is_on_disk_and_the_check_would_notice() {
    assert_eq!(shown_and_lost(""), Vec::<String>::new());
    assert!(!shown_and_lost("acknowledge-early").is_empty(), "an early acknowledgement goes unnoticed");
}

/// How often a run shows events whose write no fsync had followed: read from the system calls of the process.
fn shown_before_fsync(bug: &str) -> Option<usize> {
    let place = SHAPES[0].place();
    let trace = place.outside("trace");
    let inner = faulty(&place, &["run", "w.yaml", "--jobs", "2", "--format", "json"], "", bug);
    let mut command = Command::new("strace");
    command
        .args(["-f", "-y", "-s", "20000", "-e", "trace=pwrite64,write,fsync,fdatasync", "-o"])
        .arg(&trace)
        .arg(inner.get_program());
    command.args(inner.get_args());
    place.surround(&mut command);
    for (name, value) in inner.get_envs() {
        value.map(|value| command.env(name, value));
    }
    let ran = Ran::unchecked(command);
    assert_eq!(ran.code, 0, "{ran}");
    let text = std::fs::read_to_string(trace).ok()?;
    let (mut dirty, mut breaches, mut shown) = (false, 0, 0);
    for line in text.lines() {
        let on_log = line.contains("state.db-wal>");
        if on_log && line.contains("pwrite64(") {
            dirty = true;
        } else if on_log && (line.contains("fdatasync(") || line.contains("fsync(")) {
            dirty = false;
        } else if line.contains("write(1<") && line.contains("task-finished") {
            shown += 1;
            breaches += usize::from(dirty);
        }
    }
    assert!(shown >= 4, "the trace shows only {shown} ends of tasks");
    Some(breaches)
}

#[test]
fn nothing_is_shown_before_it_is_synced_and_the_check_would_notice() {
    let there = Command::new("strace").arg("--version").output().is_ok();
    assert!(there, "strace is missing; it is what reads the system calls of the program");
    assert_eq!(shown_before_fsync(""), Some(0));
    assert!(shown_before_fsync("skip-fsync") > Some(0), "a missing fsync goes unnoticed");
}
