//! Whole runs: a chain in which every transition is on disk before the next, and many tasks without needs.

use crate::Paths;
use crate::machine;
use crate::numbers::{Report, Samples, ratio, time};
use crate::setup::{self, Loaded, Order, WallClock};
use anyhow::Result;
use orch_core::{NoFaults, Person, RunId, RunOutcome};
use orch_scheduler::{Beginning, Dispatcher, Driven, RunRequest};
use orch_store::{SqliteStore, StateFolder};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

pub(crate) fn measure(paths: &Paths, table: &mut Report) -> Result<()> {
    println!("whole runs, every transition durable");
    let echo = setup::echo(paths)?;
    let chain = 400;
    // The disk is shared: the floor is measured beside what it is compared with.
    let before = machine::fsync()?;
    let best = (0..3)
        .map(|_| run(&echo, echoes(chain as usize, Order::Chain), 2))
        .collect::<Result<Vec<_>>>()?
        .into_iter()
        .min();
    let fsync = before.min(machine::fsync()?);
    let (took, floor) = (best.unwrap_or_default(), fsync * chain);
    table.row(
        format!("{chain} tasks in a chain"),
        time(took),
        format!("{} for {chain} fsyncs of {}", time(floor), time(fsync)),
        ratio(took, floor),
        "ratio ≤ 1.5",
    );
    per_task(&echo, table)?;
    // What ends while an append is on its way to the disk shares the next one: the more at once, the more share.
    for (count, jobs) in if paths.quick { vec![(1_000, 2)] } else { vec![(1_000, 2), (10_000, 2), (10_000, 16)] } {
        let before = resident();
        let took = run(&echo, echoes(count, Order::Independent), jobs)?;
        let rate = count as f64 / took.as_secs_f64();
        let grown = resident().saturating_sub(before) / 1024;
        table.row(
            format!("{count} independent tasks, {jobs} at once"),
            format!("{rate:.0}/s, {grown} MiB more resident"),
            "-".to_owned(),
            None,
            "≥ 1,500/s, goal 5,000/s; memory flat",
        );
    }
    Ok(())
}

/// What a task of a short chain costs, and of a long one: nothing may grow with the length of a run.
fn per_task(echo: &Loaded, table: &mut Report) -> Result<()> {
    let (short, long) = (50, 5_000);
    let before = machine::fsync()?;
    // As many short runs before as after the long one: the disk is shared.
    let mut shorts = (0..10).map(|_| run(echo, echoes(short, Order::Chain), 2)).collect::<Result<Vec<_>>>()?;
    let of_long = run(echo, echoes(long, Order::Chain), 2)? / long as u32;
    for _ in 0..10 {
        shorts.push(run(echo, echoes(short, Order::Chain), 2)?);
    }
    let fsync = before.min(machine::fsync()?);
    let of_short = Samples::new(shorts).median() / short as u32;
    for (count, of_one) in [(short, of_short), (long, of_long)] {
        table.row(
            format!("per task in a chain of {count}"),
            time(of_one),
            format!("{} for an fsync", time(fsync)),
            ratio(of_one, fsync),
            "ratio ≤ 1.5",
        );
    }
    table.row(
        format!("the chain of {long} beside the chain of {short}"),
        time(of_long),
        format!("{} per task of the short one", time(of_short)),
        ratio(of_long, of_short),
        "the same: ratio 1",
    );
    Ok(())
}

fn echoes(count: usize, order: Order) -> String {
    setup::workflow(count, order, "bench/echo@1", "{ n: 1 }")
}

/// Plans and runs a workflow; what is measured is the run, from its first event to its last.
pub(crate) fn run(loaded: &Loaded, workflow: String, jobs: usize) -> Result<Duration> {
    let plan = Arc::new(setup::plan(loaded, workflow)?);
    let state = StateFolder::open(&loaded.folder.path().join("state"))?;
    let store = Arc::new(SqliteStore::new(state));
    store.prepare()?;
    let runtime = orch_scheduler::runtime(jobs)?;
    let run = RunId::try_from(uuid::Uuid::now_v7().simple().to_string())?;
    let dispatcher = Dispatcher {
        store: store.clone(),
        groups: store,
        runner: Arc::new(loaded.host.clone()),
        clock: Arc::new(WallClock),
        faults: Arc::new(NoFaults),
        jobs,
    };
    let request = RunRequest {
        run,
        plan,
        beginning: Beginning::New(None),
        by: Person::default(),
        observer: Arc::new(|_| {}),
        cancel: CancellationToken::new(),
        pause: CancellationToken::new(),
    };
    let begun = Instant::now();
    let outcome = dispatcher.drive(&runtime, request, std::future::pending())?;
    let took = begun.elapsed();
    anyhow::ensure!(outcome == Driven::Ended(RunOutcome::Succeeded), "{outcome:?}");
    Ok(took)
}

/// Resident memory of this process in KiB.
pub(crate) fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).unwrap_or(0)
}
