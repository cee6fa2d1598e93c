//! An independent reader of run logs: it knows the words of events as JSON and the rules that every log has to keep, and shares no
//! code with what writes them. Each breach is one line.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What the workflow promises about a task, as its author knows it.
#[derive(Debug, Clone, Default)]
pub struct Expected {
    /// Direct needs.
    pub needs: BTreeMap<String, Vec<String>>,
    /// Attempts in all, where more than one is allowed.
    pub attempts: BTreeMap<String, u32>,
    /// Tasks with `retry: never`.
    pub never: BTreeSet<String>,
    /// Items at once.
    pub max_parallel: BTreeMap<String, usize>,
    /// Attempts at once.
    pub jobs: usize,
    /// Whether the log must reach the end of the run.
    pub over: bool,
}

#[derive(Debug, Default)]
struct Step {
    started: u32,
    running: Option<u32>,
    ended: u32,
    lost: u32,
    again: u32,
    unknown: bool,
    waiting_retry: bool,
    finished: Option<String>,
    reused: bool,
}

/// The task that a step belongs to.
fn task_of(step: &str) -> &str {
    step.split('[').next().unwrap_or(step)
}

/// Every breach of the invariants that a log shows.
pub fn check_log(records: &[Value], expected: &Expected) -> Vec<String> {
    let mut breaches = Vec::new();
    let mut steps: BTreeMap<String, Step> = BTreeMap::new();
    let (mut created, mut over, mut suspended) = (false, false, false);
    // Only plugins take a slot.
    let tasks = records.first().and_then(|record| record["event"]["tasks"].as_array());
    let plugins: BTreeSet<&str> = tasks
        .into_iter()
        .flatten()
        .filter(|task| task["what"]["kind"] == "plugin")
        .filter_map(|task| task["id"].as_str())
        .collect();
    let mut completed: Vec<String> = Vec::new();
    let mut undone: Vec<String> = Vec::new();
    for (index, record) in records.iter().enumerate() {
        let seq = index as u64 + 1;
        let mut breach = |text: String| breaches.push(format!("event {seq}: {text}"));
        if record["seq"] != seq {
            breach(format!("the number {} stands in its place", record["seq"]));
        }
        let event = &record["event"];
        let word = event["type"].as_str().unwrap_or_default();
        if over {
            breach(format!("`{word}` follows the end of the run"));
        }
        if !created && word != "run-created" {
            breach(format!("`{word}` comes before the run"));
        }
        if suspended && word != "run-resumed" {
            breach(format!("`{word}` happens in a suspended run"));
        }
        let name = event["task"].as_str().unwrap_or_default().to_owned();
        match word {
            "run-created" if created => breach("the run is created twice".into()),
            "run-created" => created = true,
            "run-suspended" => {
                suspended = true;
                if let Some((step, _)) = steps.iter().find(|(_, step)| step.running.is_some()) {
                    breach(format!("{step} runs in a suspended run"));
                }
            }
            "run-resumed" => suspended = false,
            "task-started" => {
                let attempt = event["attempt"].as_u64().unwrap_or(0) as u32;
                let task = task_of(&name).to_owned();
                // I3: what it needs is over. Hooks run after everything.
                for need in expected.needs.get(&task).into_iter().flatten() {
                    if steps.get(need).is_none_or(|need| need.finished.is_none()) {
                        breach(format!("{name} begins before {need} is over"));
                    }
                }
                let takes_slot = |step: &str| plugins.contains(task_of(step));
                let running = steps.iter().filter(|(name, step)| takes_slot(name) && step.running.is_some()).count();
                let beside =
                    steps.iter().filter(|(other, step)| task_of(other) == task && step.running.is_some()).count();
                let step = steps.entry(name.clone()).or_default();
                if step.finished.is_some() {
                    breach(format!("{name} begins after its end"));
                }
                if step.running.is_some() {
                    breach(format!("{name} begins while it runs"));
                }
                if step.unknown {
                    breach(format!("{name} begins although nobody said what came of it"));
                }
                if attempt != step.started + 1 {
                    breach(format!("{name} begins attempt {attempt} after {}", step.started));
                }
                // I4: one attempt, the retries, and one for each that was lost or asked for by a person.
                let allowed = expected.attempts.get(&task).copied().unwrap_or(1);
                if step.ended + 1 > allowed {
                    breach(format!("{name} begins attempt {attempt}: {} failed, {allowed} are allowed", step.ended));
                }
                if expected.never.contains(&task) && step.started > step.again {
                    breach(format!("{name} begins again, and it says `retry: never`"));
                }
                step.started = attempt;
                step.waiting_retry = false;
                step.running = Some(attempt);
                // I6
                if takes_slot(&name) && running >= expected.jobs {
                    breach(format!("{name} begins beside {running} others, {} are allowed", expected.jobs));
                }
                if let Some(most) = expected.max_parallel.get(&task)
                    && beside >= *most
                {
                    breach(format!("{name} begins beside {beside} items of its task, {most} are allowed"));
                }
                if let Some(done) = name.strip_prefix("undo/") {
                    undone.push(done.to_owned());
                }
            }
            "attempt-ended" | "attempt-lost" => {
                let attempt = event["attempt"].as_u64().unwrap_or(0) as u32;
                let step = steps.entry(name.clone()).or_default();
                // I9: only the current attempt has a say.
                if step.running != Some(attempt) {
                    breach(format!("{name} loses attempt {attempt} while {:?} runs", step.running));
                }
                step.running = None;
                if word == "attempt-lost" {
                    step.lost += 1;
                    step.unknown = event["unknown"] == true;
                    if expected.never.contains(task_of(&name)) && !step.unknown {
                        breach(format!("{name} says `retry: never`, and its loss is no question for a person"));
                    }
                } else {
                    step.ended += 1;
                    step.waiting_retry = true;
                }
            }
            "task-answered" => {
                let step = steps.entry(name.clone()).or_default();
                if event["answer"] == "again" {
                    step.again += 1;
                    step.unknown = false;
                }
            }
            "task-reused" => steps.entry(name.clone()).or_default().reused = true,
            "task-finished" => {
                let outcome = event["outcome"].as_str().unwrap_or_default().to_owned();
                let step = steps.entry(name.clone()).or_default();
                // I2
                if let Some(before) = &step.finished {
                    breach(format!("{name} ends as {outcome} and has ended as {before}"));
                }
                // I7, D11: the result is that of the attempt that the log has as the last.
                if let Some(attempt) = event["output"]["attempt"].as_u64()
                    && !step.reused
                    && attempt as u32 != step.started
                {
                    breach(format!("{name} ends with the result of attempt {attempt}, the last was {}", step.started));
                }
                let ran = step.running.take().is_some();
                if ran && outcome == "succeeded" && !name.contains('/') {
                    completed.push(name.clone());
                }
                step.finished = Some(outcome);
            }
            "run-finished" => {
                over = true;
                for (step, state) in &steps {
                    if state.running.is_some() || state.waiting_retry && state.finished.is_none() {
                        breach(format!("{step} is not over at the end of the run"));
                    }
                }
                for task in expected.needs.keys() {
                    if steps.get(task).is_none_or(|step| step.finished.is_none()) {
                        breach(format!("{task} has no end"));
                    }
                }
            }
            _ => {}
        }
    }
    // What was done last is taken back first.
    let back: Vec<&String> = completed.iter().rev().filter(|step| undone.contains(step)).collect();
    let mut once = Vec::new();
    undone.iter().for_each(|step| {
        if !once.contains(&step) {
            once.push(step);
        }
    });
    if once != back {
        breaches.push(format!("taken back {once:?}, done {completed:?}"));
    }
    if expected.over && !over {
        breaches.push("the run is not over".into());
    }
    breaches
}

/// The outputs of every step that ended well.
pub fn outputs(records: &[Value]) -> BTreeMap<String, Value> {
    let ends = records.iter().map(|record| &record["event"]).filter(|event| event["type"] == "task-finished");
    ends.filter_map(|event| Some((event["task"].as_str()?.to_owned(), event["output"].clone()))).collect()
}
