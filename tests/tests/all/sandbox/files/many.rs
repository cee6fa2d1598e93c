//! Very many files and very deep folders (F13), and the engine's own clean-up after them.

use super::Folders;
use orch_core::{Access, Blobs};
use orch_tests::{Call, Sandbox, Snapshot, alone, hostile, open_files};
use rustix::fs::{CWD, Mode, OFlags, mkdirat, openat};
use serde_json::{Value, json};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{Duration, Instant};

/// As deep as the catalogue says: a recursion with an open folder for each level ends at about a thousand.
const LEVELS: u64 = 10_000;
const FILES: u64 = 20_000;

/// A folder in a folder, and so on, with a link to `canary` at the bottom.
fn deepen(top: &Path, canary: &Path) {
    let flags = OFlags::DIRECTORY | OFlags::PATH;
    let mut here = openat(CWD, top, flags, Mode::empty()).unwrap();
    for _ in 0..LEVELS {
        mkdirat(&here, "d", Mode::RWXU).unwrap();
        here = openat(&here, "d", flags, Mode::empty()).unwrap();
    }
    rustix::fs::symlinkat(canary, &here, "link").unwrap();
}

/// How deep it is, by looking.
fn depth(top: &Path) -> u64 {
    let flags = OFlags::DIRECTORY | OFlags::PATH;
    let mut here = openat(CWD, top, flags, Mode::empty()).unwrap();
    let mut levels = 0;
    while let Ok(inner) = openat(&here, "d", flags, Mode::empty()) {
        here = inner;
        levels += 1;
    }
    levels
}

#[test]
fn f13_a_guest_that_makes_very_many_or_very_deep_folders_harms_itself() {
    if !alone("sandbox::files::many::f13_a_guest_that_makes_very_many_or_very_deep_folders_harms_itself") {
        return;
    }
    let folders = Folders::new();
    let sandbox = Sandbox::new();
    let _ = sandbox.run(&hostile(), Call::new("info", Value::Null));
    let before = open_files();
    let steps = json!([
        { "op": "deepen", "mount": "/work", "path": ".", "length": LEVELS },
        { "op": "fill", "mount": "/work", "path": "inner", "length": FILES },
    ]);
    let call = Call::new("files", json!({ "steps": steps })).mount("work", &folders.at("work"), Access::Write);
    let begun = Instant::now();
    let ended = sandbox.run(&hostile(), call.timeout(Duration::from_secs(120)));
    assert_eq!(ended.output(), &json!(["ok", "ok"]));
    println!("measured: F13: {LEVELS} levels and {FILES} files in {} ms", begun.elapsed().as_millis());
    assert_eq!(depth(&folders.at("work")), LEVELS);
    assert_eq!(open_files(), before);
    assert_eq!(folders.before, Snapshot::of(&folders.at("outside")));
    // The folder is the user's: the engine neither reads nor clears it. A run beside it goes on as before.
    sandbox.run(&hostile(), Call::new("info", Value::Null)).output();
    clear(&folders.at("work"));
}

/// By a program that can: what a test leaves behind is the test's own affair.
fn clear(folder: &Path) {
    let cleared = std::process::Command::new("rm").arg("-rf").arg(folder).status().unwrap();
    assert!(cleared.success());
}

#[test]
fn f13_clean_up_reaches_the_bottom_and_follows_no_link() {
    let folders = Folders::new();
    let sandbox = Sandbox::new();
    // A process of the same user may plant what it wants in the folder that the engine clears.
    let staged = sandbox.blobs().stage(&[super::blob(&sandbox, "content")]).unwrap();
    let place = staged.path().to_owned();
    deepen(&place, &folders.at("outside/canary"));
    symlink(folders.at("outside"), place.join("link")).unwrap();
    for number in 0..2_000 {
        std::fs::write(place.join(format!("before/{number}")), "").unwrap();
    }
    let begun = Instant::now();
    // On a thread with a small stack: a call for each level would not fit.
    std::thread::Builder::new().stack_size(256 << 10).spawn(move || drop(staged)).unwrap().join().unwrap();
    println!("measured: F13: cleared in {} ms", begun.elapsed().as_millis());
    assert!(!place.exists(), "it is left");
    assert_eq!(folders.before, Snapshot::of(&folders.at("outside")));
}
