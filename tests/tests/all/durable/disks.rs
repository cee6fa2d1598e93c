//! D4, D5: disks that fill up, and disks that do not sync. Whatever was shown is there afterwards, what is there is whole, and with
//! room again the run goes on.

use super::shapes::{SHAPES, log_of, text};
use super::signals::of;
use crate::cli::program::{Place, Ran, binary};
use orch_core::Digest;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Disks of growing sizes: from no room for the tables to room for nearly everything.
const DISKS: u64 = 20;

/// Room for everything, and less than what the store takes for much.
const ENOUGH: u64 = 48 << 10;

const RUN: [&str; 6] = ["run", "w.yaml", "--jobs", "2", "--format", "json"];

/// The chain with two tasks beside it that write much: one talks, one stores.
fn place() -> Place {
    let place = SHAPES[0].place();
    let chain = place.read("w.yaml");
    let stores = "{ name: stored, media-type: text/plain, steps: [{ op: write, bytes: 300000 }, { op: finish }] }";
    place.write(
        "w.yaml",
        format!(
            "{chain}  talk: {{ uses: test/hostile/flood@^1, needs: [a], with: {{ to: log, bytes: 4000, count: 100 }} }}
  store: {{ uses: test/hostile/artifact@^1, needs: [b], permissions: {{ artifacts: [stored] }}, with: {stores} }}
"
        ),
    );
    place
}

/// A small file system in the place of the state folder, taken away in the end.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(place: &Place, kib: u64) -> Option<SmallDisk> {
        if !rustix::process::geteuid().is_root() {
            return None;
        }
        let folder = place.path(".orch-wasm");
        fs::create_dir(&folder).unwrap();
        let options = format!("mode=700,size={kib}k");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(&folder).status().unwrap();
        assert!(mounted.success(), "root cannot mount a tmpfs");
        Some(SmallDisk(folder))
    }

    fn enlarge(&self) {
        let options = format!("remount,size={ENOUGH}k");
        let mounted = Command::new("mount").args(["-o", &options]).arg(&self.0).status().unwrap();
        assert!(mounted.success());
    }

    /// A file that leaves so much of a large disk.
    fn fill(&self, kib: u64) -> PathBuf {
        let file = self.0.join("ballast");
        let length = format!("{}KiB", ENOUGH - kib);
        assert!(Command::new("fallocate").args(["-l", &length]).arg(&file).status().unwrap().success());
        file
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

/// The program with no file longer than this: what is left where nothing can be mounted. The signal that comes with the limit would
/// end it before it can say anything.
fn bounded(place: &Place, kib: u64) -> Ran {
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' XFSZ; ulimit -f \"$0\" && exec \"$@\"", &(kib * 2).to_string()]).arg(binary());
    command.args(RUN);
    place.surround(&mut command);
    Ran::of(command)
}

/// Events that were shown and are not in the log, and files that are not what their names say.
pub(super) fn lost_or_half(place: &Place, stdout: &str) -> Vec<String> {
    let log = log_of(place);
    let mut found = Vec::new();
    // The last line may be cut where the process was.
    let shown = stdout.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    for line in shown {
        if !log.iter().any(|record| record["seq"] == line["seq"] && record["event"] == line["event"]) {
            found.push(format!("shown and not in the log: {line}"));
        }
    }
    let blobs = files(&place.path(".orch-wasm/blobs"));
    for blob in &blobs {
        let digest = Digest::of(&fs::read(blob).unwrap());
        if !blob.ends_with(digest.hex()) {
            found.push(format!("half-written: {}", blob.display()));
        }
    }
    for record in log.iter().filter(|record| record["event"]["type"] == "artifact-stored") {
        let digest = record["event"]["artifact"]["digest"].as_str().unwrap().trim_start_matches("sha256:").to_owned();
        if !blobs.iter().any(|blob| blob.ends_with(&digest)) {
            found.push(format!("in the log and not there: artifact {digest}"));
        }
    }
    found
}

/// All files below a folder.
pub(super) fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    entries
        .map(|entry| entry.unwrap().path())
        .flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] })
        .collect()
}

/// Whether the task that stores had to be told that its artifact has no place: a failure with a type, not an end of the process.
fn is_refused(log: &[Value]) -> bool {
    of(log, "task-finished").iter().any(|event| {
        event["task"] == "store"
            && event["failure"]["what"] == json!({ "kind": "dependency", "target": "artifacts", "retryable": true })
    })
}

/// Drives the run to its end, or a new one when there is none.
#[track_caller]
fn end_of(place: &Place) {
    match log_of(place).last().map(|record| record["event"]["type"] == "run-finished") {
        None => drop(place.run(RUN).exits(0)),
        Some(true) => {}
        Some(false) => {
            let ran = place.run(["resume", "latest", "--workflow", "w.yaml", "--jobs", "2"]);
            ran.exits(i32::from(is_refused(&log_of(place))));
        }
    }
}

/// With the fault gone: nothing is lost or half-written, the run comes to its end, and another one works.
#[track_caller]
fn goes_on(place: &Place, ran: &Ran, what: &str) {
    let found = lost_or_half(place, &ran.stdout);
    assert!(found.is_empty(), "{what}:\n{}\n{ran}", found.join("\n"));
    end_of(place);
    let breaches = SHAPES[0].breaches(place);
    assert!(breaches.is_empty(), "{what}:\n{}\n{}\n{ran}", breaches.join("\n"), text(&log_of(place)));
    place.run(RUN).exits(0);
    place.run(["doctor", "w.yaml"]).exits(0);
}

#[test]
fn d5_twenty_disks_that_fill_up() {
    let whole = {
        let place = place();
        let _disk = SmallDisk::mount(&place, ENOUGH);
        place.run(RUN).exits(0);
        files(&place.path(".orch-wasm")).iter().map(|file| fs::metadata(file).unwrap().len()).sum::<u64>() >> 10
    };
    let (mut full, mut begun) = (0, 0);
    for number in 0..DISKS {
        let place = place();
        let kib = 8 + whole * 3 / 2 * number / DISKS;
        // Room comes back in two ways: the disk grows, or something else on it goes.
        let grows = number % 2 == 0;
        let disk = SmallDisk::mount(&place, if grows { kib } else { ENOUGH });
        let ballast = disk.as_ref().filter(|_| !grows).map(|disk| disk.fill(kib));
        let ran = if disk.is_some() { place.run(RUN) } else { bounded(&place, kib) };
        full += u32::from(ran.code != 0);
        if ran.code > 1 {
            ran.exits(7).says(if disk.is_some() { "error[OW0503]" } else { "error[OW0501]" });
        }
        match (&disk, ballast) {
            (_, Some(ballast)) => fs::remove_file(ballast).unwrap(),
            (Some(disk), None) => disk.enlarge(),
            (None, None) => {}
        }
        let log = log_of(&place);
        assert!(ran.code != 1 || is_refused(&log), "{}\n{ran}", text(&log));
        begun += u32::from(ran.code != 0 && !log.is_empty());
        goes_on(&place, &ran, &format!("{kib} KiB"));
    }
    // A bound on each file is wider than one on all of them.
    let (least_full, least_begun) = if rustix::process::geteuid().is_root() { (10, 3) } else { (5, 1) };
    assert!(
        full >= least_full && begun >= least_begun,
        "only {full} disks were full, {begun} of them in the midst of a run"
    );
    println!("{full} of {DISKS} disks were full, {begun} of them in the midst of a run; a whole run takes {whole} KiB");
}

/// A run in which the system says no to the call with this number of every thread. The calls that it was said to, and whether an
/// event was shown after one for the log.
fn refused(place: &Place, calls: &str, error: &str, number: u32) -> (Ran, Vec<String>, bool) {
    let trace = place.outside("trace");
    let mut command = Command::new("strace");
    command.args(["-f", "-y", "-e", &format!("trace={calls},write"), "-e"]);
    command.arg(format!("inject={calls}:error={error}:when={number}")).arg("-o").arg(&trace).arg(binary()).args(RUN);
    place.surround(&mut command);
    let ran = Ran::of(command);
    let (mut injected, mut of_log, mut shown) = (Vec::new(), false, false);
    for line in fs::read_to_string(trace).unwrap().lines() {
        shown |= of_log && line.contains("write(1<");
        if line.contains("(INJECTED)") {
            of_log |= line.contains("state.db-wal>");
            injected.push(line.to_owned());
        }
    }
    (ran, injected, shown)
}

/// Tries each number; answers how many runs ended by it.
#[track_caller]
fn each(calls: &str, error: &str, code: &str, numbers: &[u32]) -> usize {
    let mut ended = 0;
    for number in numbers {
        let place = place();
        let (ran, injected, shown) = refused(&place, calls, error, *number);
        let what = format!("{error} of {calls} {number}:\n{}", injected.join("\n"));
        assert!(!shown, "{what}: an event was shown after the log said no\n{ran}");
        // SQLite has no word for a lack of room in the file that it shares with other processes, and here the disk is not full.
        let of_shared = injected.iter().any(|call| call.contains("state.db-shm>"));
        match ran.code {
            0 => {}
            1 => assert!(is_refused(&log_of(&place)), "{what}\n{ran}"),
            _ => drop(ran.exits(7).says(if of_shared { "error[OW0501]" } else { code })),
        }
        ended += usize::from(ran.code == 7);
        goes_on(&place, &ran, &what);
    }
    ended
}

#[test]
fn d4_a_sync_that_fails_ends_the_run_and_the_next_process_goes_on() {
    let ended = each("fdatasync,fsync", "EIO", "error[OW0501]", &[1, 2, 3, 4, 5, 6, 8, 10, 13]);
    assert!(ended >= 5, "only {ended} runs ended by it");
    println!("{ended} runs ended by a sync that failed");
}

#[test]
fn d4_a_write_that_finds_no_room_ends_the_run_and_the_next_process_goes_on() {
    let ended = each("pwrite64", "ENOSPC", "error[OW0503]", &[1, 2, 5, 9, 14, 20, 30]);
    assert!(ended >= 4, "only {ended} runs ended by it");
    println!("{ended} runs ended by a write that failed");
}
