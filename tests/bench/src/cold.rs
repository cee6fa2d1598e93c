//! The whole program, from its start to its end, with compiled code in the cache.

use crate::Paths;
use crate::machine::Floors;
use crate::numbers::{Report, Samples, ratio, time};
use anyhow::{Context, Result, ensure};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

pub(crate) fn measure(paths: &Paths, floors: &Floors, table: &mut Report) -> Result<()> {
    println!("`orch-wasm run` of one cached task, whole process");
    let folder = tempfile::tempdir_in(".")?;
    let home = folder.path().canonicalize()?;
    let program = paths.program.canonicalize()?;
    let start = |arguments: &[&str], here: &Path| {
        let mut command = Command::new(&program);
        command
            .args(arguments)
            .current_dir(here)
            .env_clear()
            .env("HOME", &home)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    };
    ensure!(start(&["init", "work"], &home).status()?.success(), "init failed");
    let work = home.join("work");
    ensure!(start(&["run"], &work).status()?.success(), "the first run failed");
    let mut samples = Vec::new();
    for _ in 0..if paths.quick { 20 } else { 100 } {
        let begun = Instant::now();
        let status = start(&["run"], &work).status()?;
        samples.push(begun.elapsed());
        ensure!(status.success(), "a run failed");
    }
    let samples = Samples::new(samples);
    let peak = peak(&mut start(&["run"], &work))?;
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
