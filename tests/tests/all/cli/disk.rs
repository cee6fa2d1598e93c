//! State folders that are full, closed, damaged or of another time: one clear error, nothing half-done, and a way on.

use super::packages::hostile_place;
use super::program::{Place, Ran, binary};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;

/// A small file system of its own in a place; taken away in the end.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Needs root. Elsewhere the tests bound the size of files instead, see [`small`].
    fn mount(place: &Place, options: &str) -> Option<SmallDisk> {
        if !rustix::process::geteuid().is_root() {
            return None;
        }
        let folder = place.outside("disk");
        fs::create_dir(&folder).unwrap();
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(&folder).output().unwrap();
        mounted.status.success().then_some(SmallDisk(folder))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

/// A run with `--state` on a disk of `kib`, and the folder. Where nothing can be mounted, no file may grow beyond that size: the
/// system then says "file too large" in the place of "no space left", which is another unusable state folder.
fn small(place: &Place, kib: u64, arguments: &[&str]) -> (Ran, Option<SmallDisk>) {
    if let Some(disk) = SmallDisk::mount(place, &format!("size={kib}k")) {
        let state = disk.0.join("state");
        let mut command = place.command(arguments);
        command.arg("--state").arg(state);
        return (Ran::of(command), Some(disk));
    }
    let mut command = Command::new("sh");
    // The signal that comes with the limit would end the program before it can say anything.
    command.args(["-c", "trap '' XFSZ; ulimit -f \"$0\" && exec \"$@\"", &(kib * 2).to_string()]).arg(binary());
    command.args(arguments).arg("--state").arg(place.outside("disk/state"));
    place.surround(&mut command);
    (Ran::of(command), None)
}

#[test]
fn a_full_disk_is_told_and_the_next_run_elsewhere_works() {
    // From no room for the tables to no room for the last events.
    let place = hostile_place();
    let flood = ", with: { to: log, bytes: 4000, count: 600 }";
    place.write(
        "flood.yaml",
        format!("schema: orch-wasm/v1\nname: flood\ntasks:\n  one: {{ uses: test/hostile/flood@^1{flood} }}\n"),
    );
    place.run(["run", "flood.yaml", "--state", "large"]).exits(0);
    for kib in [8, 16, 48, 200, 1024] {
        let (ran, disk) = small(&place, kib, &["run", "flood.yaml"]);
        let code = if disk.is_some() { "error[OW0503]" } else { "error[OW0501]" };
        ran.exits(7).says(code);
        drop(disk);
        let _ = fs::remove_dir_all(place.outside("disk"));
        place.run(["run", "flood.yaml", "--state", "large"]).exits(0);
    }
    place.run(["runs", "verify", "--state", "large"]).exits(0);
    place.still_works();
}

#[test]
fn what_was_written_before_the_disk_was_full_can_be_read() {
    let place = hostile_place();
    let task = |count: u64| {
        format!("  one: {{ uses: test/hostile/flood@^1, with: {{ to: log, bytes: 4000, count: {count} }} }}\n")
    };
    place.write("little.yaml", format!("schema: orch-wasm/v1\nname: little\ntasks:\n{}", task(1)));
    place.write("much.yaml", format!("schema: orch-wasm/v1\nname: much\ntasks:\n{}", task(2000)));
    let Some(disk) = SmallDisk::mount(&place, "size=2m") else {
        // Only a file system can be full and then have room again; the size bound is the case above.
        return assert!(!rustix::process::geteuid().is_root(), "root cannot mount a tmpfs");
    };
    let state = disk.0.join("state");
    let state = state.to_str().unwrap();
    let id = place.run(["run", "little.yaml", "--state", state, "--format", "json"]).exits(0).lines()[0]["run"].clone();
    place.run(["run", "much.yaml", "--state", state]).exits(7).says("error[OW0503]");
    for arguments in [["runs", "verify", id.as_str().unwrap()], ["runs", "show", id.as_str().unwrap()]] {
        place.run(arguments.iter().chain(&["--state", state])).exits(0);
    }
    place.run(["runs", "list", "--state", state]).exits(0).says_out("little");
    // With room again the same folder works.
    let larger = Command::new("mount").args(["-o", "remount,size=64m"]).arg(&disk.0).status().unwrap();
    assert!(larger.success());
    place.run(["run", "much.yaml", "--state", state]).exits(0);
    place.run(["runs", "verify", "--state", state]).exits(0);
}

/// What `init` and `publish` began on a full disk is in nobody's way when there is room again.
#[test]
fn what_is_written_on_a_full_disk_is_whole_or_not_there() {
    let place = Place::new();
    let Some(disk) = SmallDisk::mount(&place, "size=8k") else {
        assert!(!rustix::process::geteuid().is_root(), "root cannot mount a tmpfs");
        let mut command = Command::new("sh");
        command.args(["-c", "trap '' XFSZ; ulimit -f 2 && exec \"$0\" init begun"]).arg(binary());
        place.surround(&mut command);
        assert_ne!(Ran::of(command).code, 0);
        place.run(["init", "begun"]).exits(0);
        place.run(["run", "begun/workflow.yaml"]).exits(0);
        return;
    };
    let room = |size: &str| {
        let options = format!("remount,size={size}");
        assert!(Command::new("mount").args(["-o", &options]).arg(&disk.0).status().unwrap().success());
    };
    let folder = disk.0.join("begun");
    let workflow = folder.join("workflow.yaml");
    let mut tries = 0;
    // A page more each time, so that it fails at each file in turn.
    for pages in 2..40 {
        room(&format!("{}k", pages * 4));
        let ran = place.run([std::ffi::OsStr::new("init"), folder.as_os_str()]);
        if ran.code == 0 {
            break;
        }
        ran.fails(7, "OW0503", &[]);
        assert!(!workflow.exists() && !folder.join("registry").exists(), "{ran}");
        tries += 1;
    }
    assert!(tries > 2, "{tries}");
    let state = ["--state", "elsewhere"].map(std::ffi::OsStr::new);
    let run = [std::ffi::OsStr::new("run"), workflow.as_os_str()];
    // The lock lies beside the workflow, where there is no room left.
    let ran = place.run(run.into_iter().chain(state));
    assert!(ran.code == 0 || (ran.code == 7 && ran.stderr.contains("error[OW0503]")), "{ran}");
    room("8m");
    place.run(run.into_iter().chain(state)).exits(0);
    // A package that does not fit: the version is not there until it is whole.
    let registry = folder.join("registry");
    place.write("package.wasm", super::packages::hostile());
    let publish = [
        std::ffi::OsStr::new("plugin"),
        "publish".as_ref(),
        "package.wasm".as_ref(),
        "--registry".as_ref(),
        registry.as_os_str(),
    ];
    room("100k");
    place.run(publish).fails(7, "OW0503", &["nothing half-written counts"]);
    place.run(run.into_iter().chain(state)).exits(0);
    room("64m");
    place.run(publish).exits(0);
    place.run(["plugin", "verify", "test/hostile", "--registry", registry.to_str().unwrap()]).exits(0);
}

/// A run with this state folder is refused as unusable.
#[track_caller]
fn unusable(place: &Place, state: &str, texts: &[&str]) {
    let ran = place.run(["run", "--state", state]);
    ran.fails(7, "OW0501", texts);
    place.run(["doctor", "--state", state]).exits(1).says_out("✘ state");
}

#[test]
fn a_state_folder_that_cannot_be_one_is_refused() {
    let place = Place::new();
    place.write("file", "kept");
    unusable(&place, "file", &["file", "is not a folder", "--state"]);
    unusable(&place, "file/below", &["file/below"]);
    symlink("nowhere", place.path("dangling")).unwrap();
    unusable(&place, "dangling", &["dangling"]);
    assert_eq!(place.read("file"), "kept");
    fs::create_dir_all(place.path("folder/state.db")).unwrap();
    unusable(&place, "folder", &["state.db"]);
    place.still_works();
}

#[test]
fn a_state_folder_that_cannot_be_written_is_refused() {
    let place = Place::new();
    // Root may write everywhere except where nobody may.
    if let Some(disk) = SmallDisk::mount(&place, "size=4m,ro") {
        let state = disk.0.join("state");
        unusable(&place, state.to_str().unwrap(), &["Read-only file system"]);
        unusable(&place, disk.0.to_str().unwrap(), &["state.db"]);
    } else {
        assert!(!rustix::process::geteuid().is_root(), "root cannot mount a tmpfs");
        fs::create_dir(place.path("closed")).unwrap();
        let closed = std::os::unix::fs::PermissionsExt::from_mode(0o500);
        fs::set_permissions(place.path("closed"), closed).unwrap();
        unusable(&place, "closed", &["state.db"]);
        unusable(&place, "closed/below", &["closed/below"]);
    }
    place.run(["run", "--state", "/proc/nowhere"]).fails(7, "OW0501", &["/proc/nowhere"]);
    place.still_works();
}

#[test]
fn a_damaged_database_is_refused_and_left_as_it_is() {
    let place = Place::new();
    place.run(["run"]).exits(0);
    let good = fs::read(place.path(".orch-wasm/state.db")).unwrap();
    let mut scrambled = good.clone();
    scrambled[100..].iter_mut().for_each(|byte| *byte = byte.wrapping_mul(31).wrapping_add(7));
    let text = b"this is no database at all, but long enough to be looked at as if it were one".repeat(10);
    for bytes in [text.as_slice(), &scrambled, &good[..good.len() / 2 + 17]] {
        place.write(".orch-wasm/state.db", bytes);
        let ran = place.run(["run"]);
        ran.fails(7, "OW0501", &["state.db"]);
        assert_eq!(fs::read(place.path(".orch-wasm/state.db")).unwrap(), bytes, "it was written to");
        place.run(["runs", "list"]).fails(7, "OW0501", &["state.db"]);
        place.run(["run", "--state", "elsewhere"]).exits(0);
    }
    place.write(".orch-wasm/state.db", &good);
    place.run(["runs", "verify"]).exits(0);
    place.still_works();
}

#[test]
fn a_database_of_another_format_is_refused() {
    let place = Place::new();
    place.run(["run"]).exits(0);
    let set = |version: u32| {
        let database = rusqlite::Connection::open(place.path(".orch-wasm/state.db")).unwrap();
        database.pragma_update(None, "user_version", version).unwrap();
    };
    set(99);
    let both = ["its format is 99", "knows 2"];
    place.run(["run"]).fails(7, "OW0501", &both);
    // What reads must not guess either.
    for verb in ["list", "show", "logs", "verify"] {
        place.run(["runs", verb]).fails(7, "OW0501", &both);
    }
    place.run(["explain", "latest", "greet"]).fails(7, "OW0501", &both);
    place.run(["run", "--state", "elsewhere"]).exits(0);
    set(2);
    place.still_works();
}
