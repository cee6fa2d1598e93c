//! The published workloads of the field in our engine: each task a sandboxed plugin, each run durable.
//!
//! The shapes are those of `cargo xtask bench --peers`, which runs them in other engines; `print_lines` says ours in the same form as
//! the drivers in `tests/bench/peers`.

use crate::machine::{self, Floors};
use crate::numbers::{Report, Samples, ratio, time};
use crate::setup::{self, Loaded, Order};
use crate::{Paths, chain, cold};
use anyhow::Result;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// A workload.
struct Shape {
    /// As the drivers of other engines know it.
    name: &'static str,
    order: Order,
    tasks: usize,
    uses: &'static str,
    with: &'static str,
    slots: Slots,
}

/// How many tasks may run at once.
enum Slots {
    /// As many as there are processors: what the program does without `--jobs`.
    Processors,
    Given(usize),
}

const FIBONACCI: &str = "bench/work/fibonacci@1";

const CHAIN_OF_40: Shape = Shape {
    name: "fibonacci-chain",
    order: Order::Chain,
    tasks: 40,
    uses: FIBONACCI,
    with: "{ n: 10 }",
    slots: Slots::Processors,
};
const WIDE: Shape =
    Shape { name: "fibonacci-wide", order: Order::Independent, tasks: 10, with: "{ n: 33 }", ..CHAIN_OF_40 };
const LIGHT: Shape = Shape { name: "light", order: Order::Independent, tasks: 400, ..CHAIN_OF_40 };
const WAITS: Shape = Shape {
    name: "waits",
    order: Order::Independent,
    tasks: 10_000,
    uses: "bench/work/wait@1",
    with: "{ ms: 100 }",
    slots: Slots::Given(100),
};
const CHAIN_OF_400: Shape = Shape { name: "chain", tasks: 400, ..CHAIN_OF_40 };

/// How long a task of `WAITS` waits.
const WAIT: Duration = Duration::from_millis(100);

impl Shape {
    fn slots(&self) -> usize {
        match self.slots {
            Slots::Processors => orch_scheduler::processors(),
            Slots::Given(slots) => slots,
        }
    }

    fn workflow(&self) -> String {
        setup::workflow(self.tasks, self.order, self.uses, self.with)
    }

    fn run(&self, work: &Loaded) -> Result<Duration> {
        chain::run(work, self.workflow(), self.slots())
    }

    /// The median of some runs.
    fn median(&self, work: &Loaded, runs: usize) -> Result<Duration> {
        let samples = (0..runs).map(|_| self.run(work)).collect::<Result<Vec<_>>>()?;
        Ok(Samples::new(samples).median())
    }
}

pub(crate) fn measure(paths: &Paths, floors: &Floors, table: &mut Report) -> Result<()> {
    println!("the published workloads of the field, every task sandboxed, every transition durable");
    let work = setup::work(paths)?;
    in_a_chain(paths, &work, floors, table)?;
    computing(&work, table)?;
    syncs(paths, table)?;
    let took = LIGHT.median(&work, 5)?;
    let rate = LIGHT.tasks as f64 / took.as_secs_f64();
    table.row(
        format!("{} light tasks", LIGHT.tasks),
        format!("{}, {rate:.0}/s", time(took)),
        "-".into(),
        None,
        "≥ 1,500/s",
    );
    let tasks = if paths.quick { 1_000 } else { WAITS.tasks };
    let shape = Shape { tasks, ..WAITS };
    // A disk that hesitates once holds up all that run at the time.
    let took = shape.median(&work, if paths.quick { 1 } else { 3 })?;
    let ideal = WAIT * u32::try_from(tasks / shape.slots())?;
    table.row(
        format!("{tasks} tasks that wait 100 ms, {} at once", shape.slots()),
        time(took),
        format!("{} of waiting", time(ideal)),
        ratio(took, ideal),
        "ratio ≤ 1.03",
    );
    Ok(())
}

fn in_a_chain(paths: &Paths, work: &Loaded, floors: &Floors, table: &mut Report) -> Result<()> {
    let shape = CHAIN_OF_40;
    let before = machine::fsync()?;
    let took = shape.median(work, 9)?;
    let whole = cold::whole_process(paths, &shape.workflow())?;
    let fsyncs = before.min(machine::fsync()?) * u32::try_from(shape.tasks)?;
    table.row(
        format!("{} × fibonacci(10), one after the other", shape.tasks),
        time(took),
        format!("{} for {} fsyncs", time(fsyncs), shape.tasks),
        ratio(took, fsyncs),
        "≤ 0.1 s; published 1.2 s, sandboxed 0.16 s",
    );
    let floor = floors.spawn + fsyncs;
    table.row(
        "the same, whole process, compiled code on disk",
        time(whole),
        format!("{} for the fsyncs and a process spawn", time(floor)),
        ratio(whole, floor),
        "≤ 1 s",
    );
    Ok(())
}

/// Group commit in numbers: how often a chain, whose tasks can share nothing with each other, waits for the disk.
fn syncs(paths: &Paths, table: &mut Report) -> Result<()> {
    let shape = CHAIN_OF_400;
    let counted = cold::fsyncs(paths, &shape.workflow())?;
    table.row(
        format!("fsyncs a task in a chain of {}, whole process, counted by strace", shape.tasks),
        counted.map_or("not counted: strace is missing".into(), |count| {
            format!("{:.2} ({count} in all)", count as f64 / shape.tasks as f64)
        }),
        "1: each task begins when the one before is on disk".into(),
        counted.map(|count| count as f64 / shape.tasks as f64),
        "≤ 1.5",
    );
    Ok(())
}

/// The floor is the same function in this process, natively, spread evenly over the processors.
fn computing(work: &Loaded, table: &mut Report) -> Result<()> {
    let shape = WIDE;
    let at_once = u32::try_from(shape.slots().min(orch_scheduler::processors()))?;
    let native = || {
        let begun = Instant::now();
        for _ in 0..shape.tasks {
            black_box(fibonacci(black_box(33)));
        }
        begun.elapsed() / at_once
    };
    let before = native();
    let took = shape.median(work, 3)?;
    let floor = before.min(native());
    table.row(
        format!("{} × fibonacci(33)", shape.tasks),
        time(took),
        format!("{} natively", time(floor)),
        ratio(took, floor),
        "near native",
    );
    Ok(())
}

/// As in the guest.
fn fibonacci(n: u32) -> u64 {
    if n < 2 { u64::from(n) } else { fibonacci(n - 1) + fibonacci(n - 2) }
}

/// One line of JSON for each shape, as the drivers of other engines print it. One task is run before, as there.
pub(crate) fn print_lines(paths: &Paths) -> Result<()> {
    let work = setup::work(paths)?;
    Shape { tasks: 1, ..CHAIN_OF_40 }.run(&work)?;
    for shape in [CHAIN_OF_40, WIDE, LIGHT, WAITS, CHAIN_OF_400] {
        let seconds = shape.run(&work)?.as_secs_f64();
        println!("{}", serde_json::json!({ "shape": shape.name, "tasks": shape.tasks, "seconds": seconds }));
    }
    Ok(())
}
