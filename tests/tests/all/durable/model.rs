//! The state machine: random graphs with every feature, random interleavings, a crash at every position of the log. What an
//! independent reader finds in the log, and a ledger of what ran, must keep the invariants.

use super::graphs::{Graph, graphs};
use super::world::{World, plan};
use orch_core::{Event, PlantedBug, Record};
use orch_tests::{Expected, check_log, from_environment, outputs};
use orch_workflow::Plan;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Seeds of one test run. `cargo xtask soak` sets more.
const SEEDS: u32 = 500;

/// Positions of a long log at which it is cut; a short one is cut everywhere.
const CUTS: usize = 40;

/// Everything that is wrong with a world in which a run came to its end.
fn breaches(world: &World, expected: &Expected, finished_before: &BTreeSet<String>) -> Vec<String> {
    let log = world.log();
    let mut breaches = check_log(&log, expected);
    let results = outputs(&log);
    let mut seen = BTreeSet::new();
    for call in world.calls.lock().unwrap().iter() {
        if !seen.insert((call.step.clone(), call.attempt)) {
            breaches.push(format!("{} attempt {} was started twice", call.step, call.attempt));
        }
        if finished_before.contains(&call.step) {
            breaches.push(format!("{} ran again although it was over before the crash", call.step));
        }
        // I7: what a task was given is what the log has as the result.
        for (task, value) in call.input["seen"].as_object().into_iter().flatten() {
            if task != "outcome" && results.get(task).is_some_and(|result| result != value) {
                breaches.push(format!("{} saw {value} of {task}, the log has {}", call.step, results[task]));
            }
        }
    }
    breaches
}

fn finished(records: &[Record]) -> BTreeSet<String> {
    let ends = records.iter().filter_map(|record| match &record.event {
        Event::TaskFinished { task, .. } => Some(task.to_string()),
        _ => None,
    });
    ends.collect()
}

/// Whether a process can have died here: some events stand in the log together or not at all.
fn can_end_here(records: &[Record], at: usize) -> bool {
    !matches!(records[at - 1].event, Event::TaskReused { .. })
}

/// One graph: driven to its end, then again from every position at which its log may have ended, some of them with a second crash.
fn check(graph: &Graph, bug: Option<PlantedBug>) -> Result<(), String> {
    let (text, expected) = graph.text();
    let graph = Arc::new(graph.clone());
    let plan: Arc<Plan> = Arc::new(plan(&text));
    let fail = |what: &str, world: &World, breaches: &[String]| {
        let log: Vec<String> =
            world.log().iter().map(|record| format!("{} {}", record["seq"], record["event"])).collect();
        Err(format!("{what}:\n{}\n{text}\n{}", breaches.join("\n"), log[1..].join("\n")))
    };
    let whole = World::after(&[], bug);
    whole.drive(&graph, &plan).map_err(|error| format!("{error:?}\n{text}"))?;
    let found = breaches(&whole, &expected, &BTreeSet::new());
    if !found.is_empty() {
        return fail("without a crash", &whole, &found);
    }
    let records = whole.records();
    let step = records.len().div_ceil(CUTS).max(1);
    for cut in (1..records.len()).step_by(step).filter(|cut| can_end_here(&records, *cut)) {
        let again = World::after(&records[..cut], bug);
        // Every third time the next process dies too, somewhere behind.
        if cut % 3 == 0 {
            let room = cut as u64 + 1 + (cut as u64 * 7) % 11;
            let dying = Arc::new(World { room: Some(room), ..Arc::into_inner(again).unwrap() });
            let _ = dying.drive(&graph, &plan);
            let left = dying.records();
            let second = World::after(&left, bug);
            second.drive(&graph, &plan).map_err(|error| format!("{error:?} after two crashes\n{text}"))?;
            let found = breaches(&second, &expected, &finished(&left));
            if !found.is_empty() {
                return fail(&format!("after crashes at {cut} and {}", left.len()), &second, &found);
            }
            continue;
        }
        again.drive(&graph, &plan).map_err(|error| format!("{error:?} after a crash at {cut}\n{text}"))?;
        let found = breaches(&again, &expected, &finished(&records[..cut]));
        if !found.is_empty() {
            return fail(&format!("after a crash at {cut}"), &again, &found);
        }
    }
    Ok(())
}

/// The graph of a seed.
fn graph(seed: u64) -> Graph {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    graphs().new_tree(&mut runner).unwrap().current()
}

/// Shrinks a failure of a seed to a small one.
fn smallest(seed: u64, bug: Option<PlantedBug>) -> String {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config { cases: 1, failure_persistence: None, max_shrink_iters: 500, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    match runner.run(&graphs(), |graph| check(&graph, bug).map_err(TestCaseError::fail)) {
        Err(TestError::Fail(reason, _)) => reason.to_string(),
        other => format!("{other:?}"),
    }
}

/// Tries seeds on both cores; gives the first that fails.
fn try_seeds(seeds: std::ops::Range<u64>, bug: Option<PlantedBug>) -> Option<(u64, String)> {
    let next = std::sync::atomic::AtomicU64::new(seeds.start);
    let failed = std::sync::Mutex::new(None::<(u64, String)>);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    if seed >= seeds.end || failed.lock().unwrap().is_some() {
                        return;
                    }
                    let graph = graph(seed);
                    let checked = std::panic::catch_unwind(|| check(&graph, bug));
                    let failure = match checked {
                        Ok(Ok(())) => continue,
                        Ok(Err(failure)) => failure,
                        Err(_) => format!("a panic with {graph:?}"),
                    };
                    failed.lock().unwrap().get_or_insert((seed, failure));
                }
            });
        }
    });
    failed.into_inner().unwrap()
}

#[test]
fn every_log_keeps_the_invariants_whatever_dies_when() {
    let from = from_environment("ORCH_TEST_SEED").unwrap_or(0);
    let seeds = from_environment("ORCH_TEST_SEEDS").unwrap_or(u64::from(SEEDS));
    if let Some((seed, _)) = try_seeds(from..from + seeds, None) {
        let replay = "cargo test --package orch-tests every_log_keeps";
        panic!("ORCH_TEST_SEED={seed} ORCH_TEST_SEEDS=1 {replay}\n{}", smallest(seed, None));
    }
    println!("{seeds} random workflows, each cut at up to {CUTS} positions of its log");
}

#[test]
fn planted_bugs_are_found() {
    for bug in
        [PlantedBug::DoubleDispatch, PlantedBug::NoFencing, PlantedBug::RequeueFinished, PlantedBug::LoseRetryCount]
    {
        let found = try_seeds(0..u64::from(SEEDS), Some(bug));
        let (seed, failure) = found.unwrap_or_else(|| panic!("{bug:?} goes unnoticed in {SEEDS} seeds"));
        println!("{bug:?} is found by seed {seed}: {}", failure.lines().nth(1).unwrap_or_default());
    }
}
