//! Long runs: 100,000 items, going on with a log of as many events, and listing as many runs.

use crate::Paths;
use crate::chain::resident;
use crate::cold;
use crate::numbers::{Report, Samples, ratio, time};
use crate::setup::{self, Loaded, WallClock};
use anyhow::{Context, Result};
use orch_core::{Canonical, Event, NoFaults, Person, Record, RunId, RunOutcome, RunStore, Timestamp};
use orch_scheduler::{Beginning, Dispatcher, Driven, Observer, RunRequest, stored_plan};
use orch_store::{SqliteStore, StateFolder};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// Runs that are listed.
const RUNS: u64 = 100_000;

pub(crate) fn measure(paths: &Paths, table: &mut Report) -> Result<()> {
    println!("long runs");
    let work = setup::work(paths)?;
    items(&work, if paths.quick { 10_000 } else { 100_000 }, table)?;
    resume(&work, if paths.quick { 10_000 } else { 100_000 }, table)?;
    list(paths, &work, table)
}

/// A workflow whose one task makes a list, and another runs once for each of its items.
fn each(count: usize) -> String {
    format!(
        "schema: orch-wasm/v1\nname: bench\ntasks:\n  list: {{ uses: bench/work/list@1, with: {{ count: {count} }} }}\n  \
         each: {{ uses: bench/work/fibonacci@1, needs: [list], for-each: \"${{{{ tasks.list.outputs.items }}}}\", \
         with: {{ n: \"${{{{ item }}}}\" }} }}\n"
    )
}

/// Whether the last items of a run cost what the first did, and what memory it takes.
fn items(work: &Loaded, count: usize, table: &mut Report) -> Result<()> {
    let plan = Arc::new(setup::plan(work, each(count))?);
    let ends = Arc::new(Mutex::new(Vec::with_capacity(count)));
    let seen = Arc::clone(&ends);
    let observer: Observer = Arc::new(move |record| {
        if let (Event::TaskFinished { task, .. }, Ok(mut seen)) = (&record.event, seen.lock())
            && task.item.is_some()
        {
            seen.push(Instant::now());
        }
    });
    let before = resident();
    let begun = Instant::now();
    let (driven, _, _) = drive(work, plan, None, observer)?;
    let took = begun.elapsed();
    anyhow::ensure!(driven == Driven::Ended(RunOutcome::Succeeded), "{driven:?}");
    let grown = resident().saturating_sub(before) / 1024;
    let ends = ends.lock().map_err(|_| anyhow::anyhow!("a panic"))?;
    let tenth = count / 10;
    let span = |from: usize, to: usize| -> Result<Duration> {
        let (from, to) = (ends.get(from).context("an end")?, ends.get(to).context("an end")?);
        Ok(to.duration_since(*from) / u32::try_from(tenth)?)
    };
    let (first, last) = (span(0, tenth)?, span(count - tenth - 1, count - 1)?);
    let rate = count as f64 / took.as_secs_f64();
    table.row(
        format!("a run of {count} items"),
        format!("{}, {rate:.0}/s, {grown} MiB more resident", time(took)),
        "-".into(),
        None,
        "ends; under 1 GiB",
    );
    table.row(
        "per item in its last tenth",
        time(last),
        format!("{} in its first", time(first)),
        ratio(last, first),
        "ratio ≤ 1.3",
    );
    Ok(())
}

/// Takes up a run whose log has about `events` events and which waits for a person: reading and folding is all there is to do.
fn resume(work: &Loaded, events: usize, table: &mut Report) -> Result<()> {
    let text = each(events / 2) + "  ask: { needs: [each], approval: { prompt: \"go on?\" } }\n";
    let plan = Arc::new(setup::plan(work, text)?);
    let (driven, run, store) = drive(work, plan, None, Arc::new(|_| {}))?;
    anyhow::ensure!(matches!(driven, Driven::Suspended(_)), "{driven:?}");
    let begun = Instant::now();
    let records = store.read(&run, 0)?;
    let count = records.len();
    let plan = Arc::new(stored_plan(&records)?);
    let (driven, _, _) = drive(work, plan, Some((run, records)), Arc::new(|_| {}))?;
    let took = begun.elapsed();
    anyhow::ensure!(matches!(driven, Driven::Suspended(_)), "{driven:?}");
    table.row(format!("resume of a run with {count} events"), time(took), "-".into(), None, "≤ 1 s");
    Ok(())
}

type Left = (RunId, Vec<orch_core::Record>);

fn drive(
    work: &Loaded,
    plan: Arc<orch_workflow::Plan>,
    left: Option<Left>,
    observer: Observer,
) -> Result<(Driven, RunId, Arc<SqliteStore>)> {
    let store = Arc::new(SqliteStore::new(StateFolder::open(&work.folder.path().join("state"))?));
    store.prepare()?;
    let runtime = orch_scheduler::runtime(2)?;
    let (run, beginning) = match left {
        Some((run, records)) => (run, Beginning::Resumed(records)),
        None => {
            let run = RunId::try_from(uuid::Uuid::now_v7().simple().to_string())?;
            (run, Beginning::New(None))
        }
    };
    let dispatcher = Dispatcher {
        store: store.clone(),
        groups: store.clone(),
        runner: Arc::new(work.host.clone()),
        clock: Arc::new(WallClock),
        faults: Arc::new(NoFaults),
        jobs: 2,
    };
    let request = RunRequest {
        run: run.clone(),
        plan,
        beginning,
        by: Person::default(),
        observer,
        cancel: CancellationToken::new(),
        pause: CancellationToken::new(),
    };
    Ok((dispatcher.drive(&runtime, request, std::future::pending())?, run, store))
}

/// `runs list` as a process of its own, in a folder with very many runs.
fn list(paths: &Paths, work: &Loaded, table: &mut Report) -> Result<()> {
    let folder = work.folder.path().join("many");
    let store = SqliteStore::new(StateFolder::open(&folder)?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let count = if paths.quick { RUNS / 10 } else { RUNS };
    runtime.block_on(async {
        let (one, mut waiting) = (Arc::new(one_run()), Vec::new());
        for number in 0..count {
            let run = RunId::try_from(format!("{number:032x}"))?;
            waiting.push(store.append(&run, Arc::clone(&one)));
            // So many share an fsync.
            if waiting.len() == 1_000 {
                for append in waiting.drain(..) {
                    append.await?;
                }
            }
        }
        for append in waiting {
            append.await?;
        }
        anyhow::Ok(())
    })?;
    drop(store);
    let samples = (0..40).map(|_| cold::list(paths, &folder)).collect::<Result<Vec<_>>>()?;
    let samples = Samples::new(samples);
    table.row(
        format!("`runs list` with {count} runs, whole process, p95"),
        time(samples.percentile(0.95)),
        format!("{} median", time(samples.median())),
        None,
        "≤ 50 ms",
    );
    Ok(())
}

/// The shortest log that a run can have.
fn one_run() -> Vec<Record> {
    let created = Event::RunCreated {
        format: 2,
        workflow: "bench".into(),
        file: "bench.yaml".into(),
        plan_hash: orch_core::Digest::of(b"plan"),
        plan: Canonical::of(&()),
        tasks: Vec::new(),
        inputs: serde_json::Value::Null,
        requester: None,
        rerun_of: None,
        again: Vec::new(),
    };
    let finished = Event::RunFinished { outcome: RunOutcome::Succeeded, outputs: serde_json::Value::Null };
    let records = [created, finished].into_iter().zip(1..);
    records.map(|(event, seq)| Record { seq, at: Timestamp(seq.cast_signed()), event }).collect()
}
