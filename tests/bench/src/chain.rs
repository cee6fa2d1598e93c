//! Whole runs: a chain in which every transition is on disk before the next, and many tasks without needs.

use crate::Paths;
use crate::machine::Floors;
use crate::numbers::{Report, ratio, time};
use crate::setup::{self, Echo, WallClock};
use anyhow::Result;
use orch_core::{RunId, RunOutcome};
use orch_scheduler::{Dispatcher, RunRequest};
use orch_store::{SqliteStore, StateFolder};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

pub(crate) fn measure(paths: &Paths, floors: &Floors, table: &mut Report) -> Result<()> {
    println!("whole runs, every transition durable");
    let echo = setup::echo(paths)?;
    let chain = 400;
    let floor = floors.fsync * chain;
    // The best of three: the disk is shared, and the floor was measured at another moment.
    let best = (0..3).map(|_| run(&echo, chain as usize, true, 2)).collect::<Result<Vec<_>>>()?.into_iter().min();
    let took = best.unwrap_or_default();
    table.row(
        format!("{chain} tasks in a chain"),
        time(took),
        format!("{} for {chain} fsyncs of {}", time(floor), time(floors.fsync)),
        ratio(took, floor),
        "ratio ≤ 1.5",
    );
    for count in if paths.quick { vec![1_000] } else { vec![1_000, 10_000] } {
        let before = resident();
        let took = run(&echo, count, false, 2)?;
        let rate = count as f64 / took.as_secs_f64();
        let grown = resident().saturating_sub(before) / 1024;
        table.row(
            format!("{count} independent tasks"),
            format!("{rate:.0}/s, {grown} MiB more resident"),
            "-".to_owned(),
            None,
            "≥ 1,500/s, memory flat",
        );
    }
    Ok(())
}

fn run(echo: &Echo, count: usize, chained: bool, jobs: usize) -> Result<Duration> {
    let plan = Arc::new(setup::plan(echo, count, chained)?);
    let state = StateFolder::open(&echo.folder.path().join("state"))?;
    let store = Arc::new(SqliteStore::new(state));
    store.prepare()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(3).enable_all().build()?;
    let run = RunId::try_from(uuid::Uuid::now_v7().simple().to_string())?;
    let dispatcher = Dispatcher { store, runner: Arc::new(echo.host.clone()), clock: Arc::new(WallClock), jobs };
    let request = RunRequest { run, plan, observer: Arc::new(|_| {}), cancel: CancellationToken::new() };
    let begun = Instant::now();
    let driven = runtime.spawn(async move { dispatcher.run(request).await });
    let outcome = runtime.block_on(driven)??;
    let took = begun.elapsed();
    anyhow::ensure!(outcome == RunOutcome::Succeeded, "{outcome}");
    Ok(took)
}

/// Resident memory of this process in KiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).unwrap_or(0)
}
