//! `approve`, `reject` and `settle`: what people say to a run that waits for them.

use super::{Context, resume, runs};
use crate::args::StateArguments;
use crate::clock::SystemClock;
use crate::failure::Failure;
use crate::{people, places, terminal};
use orch_core::{Answer, Clock, Code, Event, Exit, RunStore, StepId, Wish};
use orch_scheduler::RunState;
use std::sync::Arc;

pub(crate) fn run(
    context: &Context,
    run: &str,
    task: Option<&StepId>,
    answer: Answer,
    comment: Option<&str>,
    state: &StateArguments,
) -> anyhow::Result<Exit> {
    let store = runs::open(context, state)?;
    let run = runs::find(&store, run)?;
    let records = store.read(&run, 0).map_err(Failure::from)?;
    let plan = Arc::new(resume::plan_of(&records)?);
    let mut folded = RunState::new(run.clone(), Arc::clone(&plan));
    for record in &records {
        folded.apply(record.at, &record.event)?;
    }
    let task = match task {
        Some(task) => task.clone(),
        None => only_one(&folded, &run)?,
    };
    let by = people::this_person();
    let (plan_hash, at) = (plan.hash(), SystemClock.now());
    if let Some(reason) = folded.refuses(&task, answer, &by, &plan_hash, at) {
        let waits: Vec<String> = folded.waits().iter().map(|step| format!("`{step}`")).collect();
        let left = !folded.running().is_empty() && !store.is_driven(&run);
        let help = match waits.as_slice() {
            _ if left => format!("its process is gone: `orch-wasm resume {}` first", run.short()),
            [] => "the run waits for nobody".to_owned(),
            waits => format!("the run waits for {}", waits.join(", ")),
        };
        return Err(Failure::new(Code::NotWaiting, format!("`{task}` of run `{run}`: {reason}")).help(help).into());
    }
    let wish =
        Wish::Answer { task: task.clone(), answer, by: by.clone(), plan_hash, comment: comment.map(str::to_owned), at };
    store.wish(&run, &wish).map_err(Failure::from)?;
    terminal::print(&format!("{} `{task}` of run {run} as {}, plan {plan_hash}\n", said(answer), by.name))?;
    if let Some(prompt) = asked(&records, &task) {
        terminal::talk(&format!("  it asked: {}", orch_core::visible(prompt)));
    }
    if !store.is_driven(&run) {
        let options = places::options(&state.workflow, state.state.as_deref());
        terminal::talk(&format!("go on with: orch-wasm resume {}{options}", run.short()));
    }
    Ok(Exit::Succeeded)
}

fn only_one(folded: &RunState, run: &orch_core::RunId) -> Result<StepId, Failure> {
    match folded.waits().as_slice() {
        [one] => Ok(one.clone()),
        [] => Err(Failure::new(Code::NotWaiting, format!("run `{run}` waits for nobody"))),
        several => {
            let names: Vec<String> = several.iter().map(|step| format!("`{step}`")).collect();
            let message = format!("run `{run}` waits for several answers");
            Err(Failure::new(Code::NotWaiting, message).help(format!("name one: {}", names.join(", "))))
        }
    }
}

fn said(answer: Answer) -> &'static str {
    match answer {
        Answer::Approve => "approved",
        Answer::Reject => "rejected",
        Answer::Again => "to be run again:",
        Answer::Succeeded => "settled as succeeded:",
        Answer::Failed => "settled as failed:",
    }
}

fn asked<'a>(records: &'a [orch_core::Record], task: &StepId) -> Option<&'a str> {
    records.iter().rev().find_map(|record| match &record.event {
        Event::ApprovalRequested { task: of, prompt, .. } if of == task => Some(prompt.as_str()),
        _ => None,
    })
}
