//! D6, D7: a state folder that goes away, closes, is wanted twice, or rots.

use super::disks::{files, lost_or_half};
use super::shapes::{SHAPES, log_of, run_faulty, text};
use super::signals::UnderWay;
use crate::cli::program::{Place, Ran};
use orch_core::Digest;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};
use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::Command;

const RUN: [&str; 6] = ["run", "w.yaml", "--jobs", "2", "--format", "json"];
const RESUME: [&str; 6] = ["resume", "latest", "--workflow", "w.yaml", "--format", "json"];
const STATE: &str = ".orch-wasm";

#[track_caller]
pub(super) fn ends_well(place: &Place) {
    SHAPES[0].bring_to_end(place);
    let breaches = SHAPES[0].breaches(place);
    assert!(breaches.is_empty(), "{}\n{}", breaches.join("\n"), text(&log_of(place)));
    place.run(["runs", "verify", "latest", "--workflow", "w.yaml"]).exits(0);
    place.run(["doctor", "w.yaml"]).exits(0);
}

/// A chain that takes its time, driven until its second task runs.
fn under_way() -> (Place, UnderWay) {
    let place = SHAPES[0].place();
    place.replace("w.yaml", "ms: 5", "ms: 400");
    let mut run = UnderWay::start(&place, &RUN);
    run.until("task-started", 2);
    (place, run)
}

/// Everything that was shown, as text.
fn shown(run: &UnderWay) -> String {
    run.shown.iter().map(|line| format!("{line}\n")).collect()
}

#[test]
fn d6_a_state_folder_that_is_moved_away_under_way() {
    let (place, mut run) = under_way();
    let (state, away) = (place.path(STATE), place.path("away"));
    fs::rename(&state, &away).unwrap();
    // Wherever it lies now, somebody drives its run.
    let state_away = ["resume", "latest", "--workflow", "w.yaml", "--state", "away"];
    place.run(state_away).fails(2, "OW0504", &["another process drives"]);
    let over = run.end();
    assert!([Some(0), Some(7)].contains(&over.code), "{:?}: {}", over.code, over.said);
    // What was written under the old name is reports at most, and no second log.
    assert!(!state.join("state.db").exists(), "it began a second log");
    let _ = fs::remove_dir_all(&state);
    fs::rename(&away, &state).unwrap();
    let lost = lost_or_half(&place, &shown(&run));
    assert!(lost.is_empty(), "{}", lost.join("\n"));
    ends_well(&place);
}

/// Makes a path one that nobody may write, not even root, or takes that back. Not all file systems can.
fn immutable(paths: &[PathBuf], sign: &str) -> bool {
    Command::new("chattr").arg(format!("{sign}i")).args(paths).output().is_ok_and(|done| done.status.success())
}

/// Takes away what would keep the folder from being removed.
struct Closed(Vec<PathBuf>);

impl Drop for Closed {
    fn drop(&mut self) {
        immutable(&self.0, "-");
    }
}

#[test]
fn d6_a_permission_that_is_lost_under_way() {
    let (place, mut run) = under_way();
    let state = place.path(STATE);
    let closed = Closed(vec![state.join("state.db"), state.join("state.db-wal"), state.join("blobs"), state.clone()]);
    if !immutable(&closed.0, "+") {
        return assert!(!rustix::process::geteuid().is_root(), "root cannot make a file immutable here");
    }
    let over = run.end();
    assert_eq!(over.code, Some(7), "{}", over.said);
    assert!(over.said.contains("error[OW0501]") && over.said.contains("state.db"), "{}", over.said);
    for arguments in [&RUN[..], &RESUME[..]] {
        place.run(arguments).exits(7).says("error[OW0501]");
    }
    drop(closed);
    let lost = lost_or_half(&place, &shown(&run));
    assert!(lost.is_empty(), "{}", lost.join("\n"));
    ends_well(&place);
}

/// The state folder as a mount that can only be read.
struct ReadOnly(PathBuf);

impl ReadOnly {
    fn mount(folder: PathBuf) -> Option<ReadOnly> {
        if !rustix::process::geteuid().is_root() {
            return None;
        }
        assert!(Command::new("mount").arg("--bind").args([&folder, &folder]).status().unwrap().success());
        assert!(Command::new("mount").args(["-o", "remount,ro,bind"]).arg(&folder).status().unwrap().success());
        Some(ReadOnly(folder))
    }
}

impl Drop for ReadOnly {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

#[test]
fn d6_a_state_folder_that_can_only_be_read() {
    let place = SHAPES[0].place();
    run_faulty(&place, &RUN, "kill:dispatch.after-attempts:2", "");
    let before = tree(&place.path(STATE));
    let Some(closed) = ReadOnly::mount(place.path(STATE)) else { return };
    for arguments in [&RUN[..], &RESUME[..], &["cancel", "latest", "--workflow", "w.yaml"]] {
        place.run(arguments).exits(7).says("error[OW0501]").says(STATE);
    }
    place.run(["doctor", "w.yaml"]).exits(1).says_out("✘ state");
    // What is only read is shown, or refused as clearly.
    for verb in ["list", "show", "verify"] {
        let ran = place.run(["runs", verb, "--workflow", "w.yaml"]);
        assert!(ran.code == 0 || (ran.code == 7 && ran.stderr.contains("error[OW0501]")), "{ran}");
    }
    drop(closed);
    assert_eq!(tree(&place.path(STATE)), before, "it was written to");
    ends_well(&place);
}

#[test]
fn d6_two_at_once() {
    let (place, mut run) = under_way();
    place.run(RESUME).fails(2, "OW0504", &["another process drives"]);
    run.until("task-finished", 2);
    place.run(RESUME).fails(2, "OW0504", &["another process drives"]);
    assert_eq!(run.end().code, Some(0));
    ends_well(&place);
    // Two runs of a workflow without a group are nobody's business but their own.
    place.replace("w.yaml", "concurrency: { group: one }\n", "");
    let (mut one, mut other) = (UnderWay::start(&place, &RUN), UnderWay::start(&place, &RUN));
    assert_eq!((one.end().code, other.end().code), (Some(0), Some(0)));
    assert_eq!(place.run(["runs", "list", "--format", "json"]).exits(0).lines().len(), 3);
    place.run(["doctor", "w.yaml"]).exits(0);
}

/// All files below a folder with their bytes.
pub(super) fn tree(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all: Vec<_> = files(folder).into_iter().map(|file| (file.clone(), fs::read(file).unwrap())).collect();
    all.sort();
    all
}

fn restore(folder: &Path, tree: &[(PathBuf, Vec<u8>)]) {
    fs::remove_dir_all(folder).unwrap();
    fs::DirBuilder::new().mode(0o700).create(folder).unwrap();
    for (file, bytes) in tree {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, bytes).unwrap();
    }
}

/// What the tables hold, read by hand from a copy; none when SQLite cannot read it.
fn dump(place: &Place) -> Option<Vec<String>> {
    let copy = place.outside("copy");
    let _ = fs::remove_dir_all(&copy);
    fs::create_dir(&copy).unwrap();
    for name in ["state.db", "state.db-wal"] {
        let _ = fs::copy(place.path(STATE).join(name), copy.join(name));
    }
    let connection = Connection::open_with_flags(copy.join("state.db"), OpenFlags::SQLITE_OPEN_READ_WRITE).ok()?;
    let integrity: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0)).ok()?;
    let mut lines = vec![format!("integrity {integrity}")];
    // Places of groups are for as long as a process lives; nothing else tells what they should be.
    let tables = ["sqlite_schema", "runs", "wishes", "results", "blob_refs"];
    let whole = tables.map(|table| (table, format!("SELECT * FROM {table} ORDER BY 1, 2")));
    // Of each run what is found by its key: an event that says it is of another run lies where that one's are not.
    let of_runs = [("events of 1", 1), ("events of 2", 2), ("events of 3", 3)]
        .map(|(table, run)| (table, format!("SELECT * FROM events WHERE run = {run} ORDER BY seq")));
    for (table, sql) in whole.into_iter().chain(of_runs) {
        let mut query = connection.prepare(&sql).ok()?;
        let columns = query.column_count();
        let mut rows = query.query([]).ok()?;
        while let Some(row) = rows.next().ok()? {
            let values: Option<Vec<String>> = (0..columns)
                .map(|column| {
                    Some(match row.get_ref(column).ok()? {
                        ValueRef::Blob(bytes) => format!("{bytes:?}"),
                        ValueRef::Text(text) => format!("{:?}", String::from_utf8_lossy(text)),
                        other => format!("{other:?}"),
                    })
                })
                .collect();
            lines.push(format!("{table} {}", values?.join(" ")));
        }
    }
    Some(lines)
}

/// A state folder with two runs that are over, one of them with an artifact, and one that was killed.
fn three_runs() -> (Place, Vec<String>) {
    let place = SHAPES[0].place();
    let stores = "{ name: stored, media-type: text/plain, steps: [{ op: write, bytes: 20000 }, { op: finish }] }";
    let store = format!("{{ uses: test/hostile/artifact@^1, permissions: {{ artifacts: [stored] }}, with: {stores} }}");
    place.write("store.yaml", format!("schema: orch-wasm/v1\nname: store\ntasks: {{ store: {store} }}\n"));
    place.run(["run", "store.yaml"]).exits(0);
    place.run(RUN).exits(0);
    run_faulty(&place, &RUN, "kill:dispatch.after-attempts:3", "");
    let listed = place.run(["runs", "list", "--format", "json"]).exits(0).lines();
    let ids = listed.iter().rev().map(|run| run["run"].as_str().unwrap().to_owned()).collect();
    (place, ids)
}

/// Changes one bit of a file, the same one for the same seed. Where there are zeros there is mostly nothing, so it is none of those.
fn flip(file: &Path, seed: u64) -> String {
    let mut bytes = fs::read(file).unwrap();
    let used: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at] != 0).collect();
    let random = usize::from_str_radix(&Digest::of(&seed.to_le_bytes()).hex()[..12], 16).unwrap();
    let at = used[random % used.len()];
    bytes[at] ^= 1 << (random % 8);
    fs::write(file, bytes).unwrap();
    format!("seed {seed}: bit {} of byte {at} of {}", random % 8, file.display())
}

fn ask(place: &Place, arguments: &[&str], what: &str) -> Ran {
    let ran = Ran::unchecked(place.command(arguments));
    assert!(ran.code < 64 && !ran.stderr.contains("panicked at"), "{what}: {ran}");
    ran
}

#[test]
fn d7_flipped_bits_in_the_database_are_told() {
    let (place, runs) = three_runs();
    // So that everything is in the database itself.
    drop(log_of(&place));
    let state = place.path(STATE);
    let good = tree(&state);
    let whole = dump(&place).unwrap();
    let (mut told, mut free, mut served) = (0, 0, 0);
    for seed in 0..30 {
        let what = flip(&state.join("state.db"), seed);
        let found = dump(&place);
        let doctor = ask(&place, &["doctor", "w.yaml"], &what);
        if doctor.code == 0 {
            // A comment in the text of a table says nothing.
            let content = |lines: &[String]| -> Vec<String> {
                lines.iter().filter(|line| !line.starts_with("sqlite_schema ")).cloned().collect()
            };
            assert_eq!(found.as_deref().map(content), Some(content(&whole)), "{what}: nobody says so");
            free += 1;
        } else {
            doctor.says_out("✘ state");
            told += 1;
        }
        // Lines of one run: its events, or its row.
        let own = |lines: &[String], of: &str| -> Vec<String> {
            lines.iter().filter(|line| line.starts_with(of)).cloned().collect()
        };
        let same = |of: &str| found.as_ref().is_some_and(|found| own(found, of) == own(&whole, of));
        for (number, run) in runs.iter().enumerate() {
            let verified = ask(&place, &["runs", "verify", run, "--workflow", "w.yaml"], &what);
            let shown = ask(&place, &["runs", "show", run, "--workflow", "w.yaml", "--format", "json"], &what);
            let of = format!("events of {} ", number + 1);
            let events = same(&of);
            if let (false, 0, Some(found)) = (events, verified.code, &found) {
                let (found, whole) = (own(found, &of), own(&whole, &of));
                let differ = found.iter().find(|line| !whole.contains(line));
                panic!("{what}: {} events, one is {differ:?}, and verified: {verified}", found.len());
            }
            // One whose rows are as they were is served, unless what all share is broken.
            if events && same("runs ") && same("integrity ") && same("sqlite_schema ") {
                assert_eq!((verified.code, shown.code), (0, 0), "{what}: {verified}{shown}");
                served += 1;
            }
        }
        let resumed = ask(&place, &["resume", &runs[2], "--workflow", "w.yaml"], &what);
        assert!(resumed.code == 0 || !resumed.stderr.is_empty(), "{what}: {resumed}");
        restore(&state, &good);
    }
    assert!(told >= 5, "only {told} flips were told");
    println!("{told} flips were told, {free} changed nothing; {served} runs were none of their business");
    place.run(["doctor", "w.yaml"]).exits(0);
    place.run(["resume", &runs[2], "--workflow", "w.yaml"]).exits(0);
}

#[test]
fn d7_flipped_bits_in_the_write_ahead_log_end_it_there() {
    let (place, runs) = three_runs();
    let state = place.path(STATE);
    let good = tree(&state);
    let whole = dump(&place).unwrap();
    let length = fs::metadata(state.join("state.db-wal")).unwrap().len();
    assert!(length > 0, "the process that was killed left no log behind");
    let (mut shorter, mut same) = (0, 0);
    for seed in 100..115 {
        let what = flip(&state.join("state.db-wal"), seed);
        let events = |lines: &[String]| -> Vec<String> {
            lines.iter().filter(|line| line.starts_with("events ")).cloned().collect()
        };
        let found = dump(&place).map(|lines| events(&lines));
        if let Some(found) = &found {
            // Nothing that is there differs; what is gone is an end.
            let whole = events(&whole);
            assert_eq!(found[..], whole[..found.len()], "{what}");
            (shorter, same) = if found.len() < whole.len() { (shorter + 1, same) } else { (shorter, same + 1) };
        }
        let doctor = ask(&place, &["doctor", "w.yaml"], &what);
        let resumed = ask(&place, &["resume", &runs[2], "--workflow", "w.yaml", "--jobs", "2"], &what);
        // What the log ends with is a run to resume, or a state before that run.
        assert!(doctor.code == 1 || [0, 2].contains(&resumed.code), "{what}: {resumed}");
        restore(&state, &good);
    }
    println!("{shorter} flips shortened the log, {same} changed nothing");
    place.run(["doctor", "w.yaml"]).exits(0);
    place.run(["resume", &runs[2], "--workflow", "w.yaml"]).exits(0);
}

#[test]
fn d7_flipped_bits_in_blobs_are_told_and_nothing_runs_on_them() {
    let (place, runs) = three_runs();
    let state = place.path(STATE);
    let good = tree(&state);
    let blobs = files(&state.join("blobs"));
    assert_eq!(blobs.len(), 2, "the component and the artifact");
    for seed in 200..215 {
        let blob = &blobs[(seed % 2) as usize];
        let is_component = fs::metadata(blob).unwrap().len() != 20_000;
        let what = flip(blob, seed);
        let hex = blob.file_name().unwrap().to_str().unwrap();
        ask(&place, &["doctor", "w.yaml"], &what).exits(1).says_out("✘ state").says_out(hex);
        // The logs are whole.
        ask(&place, &["runs", "verify", &runs[0], "--workflow", "w.yaml"], &what).exits(0);
        let marks = tree(&place.path("ledger"));
        let resumed = ask(&place, &["resume", &runs[2], "--workflow", "w.yaml"], &what);
        if is_component {
            resumed.exits(7).says("error[OW0501]").says(hex);
            assert_eq!(tree(&place.path("ledger")), marks, "{what}: something ran");
        } else {
            resumed.exits(0);
        }
        restore(&state, &good);
    }
}
