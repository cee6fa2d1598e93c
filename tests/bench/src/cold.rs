//! The whole program, from its start to its end, with compiled code in the cache.

use crate::Paths;
use crate::machine::Floors;
use crate::numbers::{Report, Samples, ratio, time};
use anyhow::{Context, Result, ensure};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

pub(crate) fn measure(paths: &Paths, floors: &Floors, table: &mut Report) -> Result<()> {
    println!("`orch-wasm run` of one cached task, whole process");
    let user = User::new(paths)?;
    user.must("init", &mut user.start(["init", "work"], &user.home))?;
    let work = user.home.join("work");
    let samples = user.runs(&work, if paths.quick { 20 } else { 100 })?;
    let peak = peak(&mut user.start(["run"], &work))?;
    table.row(
        "one cached task, whole process, median",
        time(samples.median()),
        format!("{} process spawn", time(floors.spawn)),
        ratio(samples.median(), floors.spawn),
        "≤ 15 ms, goal 6 ms",
    );
    table.row("the same, p95", time(samples.percentile(0.95)), "-".into(), None, "-");
    table.row("the same, peak memory", format!("{:.1} MiB", peak as f64 / 1024.0), "-".into(), None, "≤ 60 MiB");
    Ok(())
}

/// `orch-wasm run` of a workflow over the plugin with the published workloads, median.
pub(crate) fn whole_process(paths: &Paths, workflow: &str) -> Result<Duration> {
    let (user, folder) = published(paths, workflow)?;
    Ok(user.runs(&folder, if paths.quick { 5 } else { 20 })?.median())
}

/// How often a whole `orch-wasm run` of a workflow waits for the disk, counted in its system calls. `None` without `strace`.
pub(crate) fn fsyncs(paths: &Paths, workflow: &str) -> Result<Option<u64>> {
    if Command::new("strace").arg("--version").output().is_err() {
        return Ok(None);
    }
    let (user, folder) = published(paths, workflow)?;
    // What the first run does once is not counted.
    user.must("run", &mut user.start(["run"], &folder))?;
    let log = folder.join("syscalls");
    let mut command = Command::new("strace");
    command.args(["--follow-forks", "--seccomp-bpf", "--trace=fsync,fdatasync", "--output"]).arg(&log);
    command.arg(&user.program).arg("run").current_dir(&folder).env_clear().env("HOME", &user.home);
    ensure!(command.stdout(Stdio::null()).stderr(Stdio::null()).status()?.success(), "a run under strace failed");
    // A call that is cut in two by another thread's is told as unfinished and then as resumed.
    let begun = |line: &&str| line.contains("sync(") && !line.contains("resumed");
    Ok(Some(std::fs::read_to_string(&log)?.lines().filter(begun).count() as u64))
}

/// A user who has published the plugin with the published workloads, and the folder of a workflow over it.
fn published(paths: &Paths, workflow: &str) -> Result<(User, PathBuf)> {
    let user = User::new(paths)?;
    user.must("init", &mut user.start(["init", "work"], &user.home))?;
    let folder = user.home.join("work");
    let component = paths.work.canonicalize()?;
    let publish = ["plugin".as_ref(), "publish".as_ref(), component.as_os_str()];
    user.must("publish", &mut user.start(publish, &folder))?;
    std::fs::write(folder.join("workflow.yaml"), workflow)?;
    Ok((user, folder))
}

/// `orch-wasm runs list` of a state folder, whole process.
pub(crate) fn list(paths: &Paths, state: &Path) -> Result<Duration> {
    let begun = Instant::now();
    let status = Command::new(&paths.program)
        .args(["runs", "list", "--state"])
        .arg(state)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    let took = begun.elapsed();
    ensure!(status.success(), "`orch-wasm runs list` failed");
    Ok(took)
}

/// A user with a home of its own, so that neither key nor cache nor policy of whoever measures is used.
struct User {
    program: PathBuf,
    home: PathBuf,
    _folder: tempfile::TempDir,
}

impl User {
    fn new(paths: &Paths) -> Result<User> {
        let folder = tempfile::tempdir_in(".")?;
        Ok(User { program: paths.program.canonicalize()?, home: folder.path().canonicalize()?, _folder: folder })
    }

    fn start<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>, here: &Path) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(arguments)
            .current_dir(here)
            .env_clear()
            .env("HOME", &self.home)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }

    fn must(&self, what: &str, command: &mut Command) -> Result<()> {
        ensure!(command.status()?.success(), "`orch-wasm {what}` failed");
        Ok(())
    }

    /// Times of `orch-wasm run`, after one that fills the cache.
    fn runs(&self, folder: &Path, count: usize) -> Result<Samples> {
        self.must("run", &mut self.start(["run"], folder))?;
        let mut samples = Vec::with_capacity(count);
        for _ in 0..count {
            let begun = Instant::now();
            let status = self.start(["run"], folder).status()?;
            samples.push(begun.elapsed());
            ensure!(status.success(), "a run failed");
        }
        Ok(Samples::new(samples))
    }
}

/// Peak resident memory of a process in KiB, read from the kernel while it runs: the largest of many looks.
fn peak(command: &mut Command) -> Result<u64> {
    let mut child = command.spawn()?;
    let status = format!("/proc/{}/status", child.id());
    let mut most = 0;
    while child.try_wait()?.is_none() {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or_default();
        most = most.max(line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).unwrap_or(0));
    }
    ensure!(most > 0, "the process was gone before its memory could be read");
    Some(most).context("no peak")
}
