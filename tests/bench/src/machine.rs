//! The machine's facts and its floors.

use crate::numbers::Samples;
use anyhow::Result;
use std::fs::File;
use std::io::{Seek, Write};
use std::process::Command;
use std::time::{Duration, Instant};

/// What nothing on this machine is faster than.
pub(crate) struct Floors {
    /// `/bin/true`, median.
    pub(crate) spawn: Duration,
}

pub(crate) fn print() {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo").lines().find(|line| line.starts_with("model name")).unwrap_or("").to_owned();
    let memory = read("/proc/meminfo").lines().next().unwrap_or("").to_owned();
    let processors = orch_scheduler::processors();
    println!("machine: {} processors;{}; {memory}", processors, cpu.split(':').nth(1).unwrap_or(" unknown processor"));
    println!("kernel: {}", read("/proc/sys/kernel/osrelease").trim());
    println!("runtime: {}; on-demand allocator\n", orch_host::engine_version());
}

pub(crate) fn floors() -> Result<Floors> {
    let mut spawns = Vec::new();
    for _ in 0..100 {
        let begun = Instant::now();
        Command::new("/bin/true").status()?;
        spawns.push(begun.elapsed());
    }
    Ok(Floors { spawn: Samples::new(spawns).median() })
}

/// One page written in place and one fsync, median of 400. (In a file that grows the file system's own journal is written too.)
/// What others do to the disk changes it from minute to minute, so a row that stands on it measures it right before and right
/// after itself and takes the smaller.
pub(crate) fn fsync() -> Result<Duration> {
    let folder = tempfile::tempdir_in(".")?;
    let mut file = File::create(folder.path().join("floor"))?;
    let page = [7_u8; 4096];
    for _ in 0..400 {
        file.write_all(&page)?;
    }
    file.rewind()?;
    file.sync_all()?;
    let mut fsyncs = Vec::new();
    for _ in 0..400 {
        let begun = Instant::now();
        file.write_all(&page)?;
        file.sync_data()?;
        fsyncs.push(begun.elapsed());
    }
    Ok(Samples::new(fsyncs).median())
}
