//! Measurements of this process, and tests that run again in a process of their own because others would disturb the measurement.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::Duration;

/// A program of this package, beside the test binary.
pub fn program(name: &str) -> PathBuf {
    if let Some(folder) = marker("PROGRAMS") {
        return PathBuf::from(folder).join(name);
    }
    let this = std::env::current_exe().unwrap();
    this.parent().and_then(std::path::Path::parent).unwrap().join(name)
}

/// The test binary itself, also when another build has replaced the file in the meantime.
pub fn this_program() -> PathBuf {
    PathBuf::from(format!("/proc/{}/exe", std::process::id()))
}

/// What a test told the process that it started.
pub fn marker(name: &str) -> Option<String> {
    std::env::var(format!("ORCH_TESTS_{name}")).ok()
}

/// What `cargo xtask soak`, or somebody who replays a failure, wants otherwise.
pub fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Whether this process runs only the test `name`. In the ordinary test process it runs the test in a process of its own, passes its output
/// on, fails if that fails, and says no.
#[track_caller]
pub fn alone(name: &str) -> bool {
    if marker("ALONE").is_some() {
        return true;
    }
    let mut command = Command::new(this_program());
    command.env("ORCH_TESTS_PROGRAMS", program(""));
    command.args(["--exact", name, "--test-threads=1", "--nocapture"]).env("ORCH_TESTS_ALONE", "1");
    passed(&mut command, 1);
    false
}

/// Runs the tests whose name begins with `prefix` again, in a process that `change` makes different.
#[track_caller]
pub fn rerun_all(prefix: &str, least: usize, program: &str, arguments: &[PathBuf], change: impl FnOnce(&mut Command)) {
    let mut command = Command::new(program);
    command.args(arguments).args([prefix, "--test-threads=2", "--nocapture"]);
    change(&mut command);
    passed(&mut command, least);
}

#[track_caller]
#[expect(clippy::print_stdout, reason = "the test's own output, which its child wrote")]
fn passed(command: &mut Command, least: usize) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{command:?}: {status}\n{stdout}\n{stderr}");
    // A name that fits no test would pass with nothing done.
    let count: usize = stdout
        .lines()
        .find_map(|line| line.strip_prefix("test result: ok. "))
        .and_then(|rest| rest.split(' ').next()?.parse().ok())
        .unwrap_or(0);
    assert!(count >= least, "only {count} tests ran, not {least}:\n{stdout}\n{stderr}");
    // The first line that a test prints stands behind the test's name.
    for line in stdout.lines().chain(stderr.lines()) {
        if let Some((_, measured)) = line.split_once("measured: ") {
            println!("measured: {measured}");
        }
    }
}

/// The CPU time that this process has used.
pub fn process_cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap(), u32::try_from(time.tv_nsec).unwrap())
}

/// The most resident memory that this process has had, in bytes.
pub fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).and_then(|number| number.parse::<u64>().ok()).unwrap() << 10
}

/// How many files this process has open.
pub fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// How many threads this process has.
pub fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}
