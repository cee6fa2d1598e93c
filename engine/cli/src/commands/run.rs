//! `run` and `rerun`: new runs.

use super::{Context, resume, runs};
use crate::args::{RerunArguments, RunArguments, StateArguments};
use crate::clock::new_run;
use crate::drive::{Ready, drive, own};
use crate::failure::Failure;
use crate::places::{self, WorkflowPlace};
use crate::prepare::{self, LockMode, Prepared};
use crate::secrets::Sources;
use crate::terminal;
use orch_core::{Code, Digest, Exit, RunId, RunStore};
use orch_host::Recordings;
use orch_scheduler::{Beginning, RerunError};
use orch_store::{Owned, SqliteStore, StateFolder};
use serde_json::Value;
use std::sync::Arc;

/// Bytes of an idempotency key.
const LONGEST_KEY: usize = 256;

pub(crate) fn run(context: &Context, arguments: &RunArguments) -> anyhow::Result<Exit> {
    let state = arguments.workflow.state.as_deref();
    if let Some(key) = &arguments.idempotency_key
        && let Some(exit) = asked_before(context, arguments, key)?
    {
        return Ok(exit);
    }
    let prepared = prepare::prepare(&arguments.workflow, LockMode::Follow)?;
    let run = match &arguments.idempotency_key {
        Some(key) => run_of_key(prepared.plan.workflow(), key),
        None => new_run(),
    };
    let (folder, store) = prepare::open_state(context, &prepared.place, state)?;
    let owned = own(&store, &run)?;
    if arguments.idempotency_key.is_some() && store.read(&run, 0).is_ok() {
        // Another process that was asked for the same was quicker, and is done.
        drop((owned, store));
        return run_again(context, arguments, &run);
    }
    let beginning = Beginning::New(None);
    let options = places::options(&arguments.workflow.file, state);
    let mut ready = ready(context, prepared, (run, owned, options), (folder, store), beginning)?;
    ready.recordings = arguments.record.as_deref().map(|folder| Recordings::new(ready.host.clone(), folder));
    drive(context, ready, &arguments.drive)
}

/// What came of a run that was asked for before with the same key; `None` when there is none.
fn asked_before(context: &Context, arguments: &RunArguments, key: &str) -> anyhow::Result<Option<Exit>> {
    if key.is_empty() || key.len() > LONGEST_KEY {
        let message = format!("an idempotency key has 1 to {LONGEST_KEY} bytes, this one has {}", key.len());
        return Err(Failure::new(Code::Usage, message).into());
    }
    let place = WorkflowPlace::of(&arguments.workflow.file)?;
    let workflow = prepare::load_workflow(&place)?;
    let run = run_of_key(workflow.workflow.name(), key);
    match runs::open(context, &state_of(arguments)) {
        Ok(store) if store.read(&run, 0).is_ok() => run_again(context, arguments, &run).map(Some),
        _ => Ok(None),
    }
}

/// A run that was asked for once more: its end if it is over, else it goes on.
fn run_again(context: &Context, arguments: &RunArguments, run: &RunId) -> anyhow::Result<Exit> {
    let state = state_of(arguments);
    let store = runs::open(context, &state)?;
    if let Some(outcome) = runs::outcome(&store, run)? {
        terminal::talk(&format!("run {run} has this idempotency key, and {outcome} before"));
        return Ok(outcome.exit());
    }
    terminal::talk(&format!("run {run} has this idempotency key, and is not over"));
    drop(store);
    resume::go_on(context, run.clone(), &state, &arguments.drive)
}

fn state_of(arguments: &RunArguments) -> StateArguments {
    StateArguments { workflow: arguments.workflow.file.clone(), state: arguments.workflow.state.clone() }
}

/// The id of the one run of a workflow that has a key.
fn run_of_key(workflow: &str, key: &str) -> RunId {
    let digest = Digest::of(format!("orch-wasm idempotency key v1\n{}\n{workflow}\n{key}", workflow.len()).as_bytes());
    RunId::try_from(&digest.hex()[..32])
        .unwrap_or_else(|error| unreachable!("a digest has hexadecimal digits: {error}"))
}

/// Loads what a plan needs and keeps it, so that the run can be resumed whatever happens to the registry.
fn ready(
    context: &Context,
    prepared: Prepared,
    (run, owned, options): (RunId, Owned, String),
    (folder, store): (StateFolder, Arc<SqliteStore>),
    beginning: Beginning,
) -> anyhow::Result<Ready> {
    let sources = Arc::new(Sources::new(prepared.place.folder.as_std_path()));
    let (host, blobs) = prepare::host(&context.faults, &folder, &store, sources, prepared.plan.network().clone())?;
    prepare::load(&host, &prepared)?;
    prepare::keep(&blobs, &prepared)?;
    tell(&prepared)?;
    Ok(Ready { run, owned, options, plan: prepared.plan, beginning, folder, store, host, recordings: None })
}

pub(crate) fn rerun(context: &Context, arguments: &RerunArguments) -> anyhow::Result<Exit> {
    let store = runs::open(context, &arguments.state)?;
    let before = runs::find(&store, &arguments.run)?;
    let records = store.read(&before, 0).map_err(Failure::from)?;
    let plan = resume::plan_of(&records)?;
    let workflow = arguments.as_workflow(inputs(plan.inputs(), &arguments.inputs), plan.dry_run());
    let prepared = prepare::prepare(&workflow, LockMode::Follow)?;
    if plan.workflow() != prepared.plan.workflow() {
        let shown = orch_core::visible(plan.workflow()).into_owned();
        let message = format!("run {before} is one of `{shown}`, not of `{}`", prepared.plan.workflow());
        let help = format!("name its file with --workflow (it was started as `{}`)", orch_core::visible(plan.file()));
        return Err(Failure::new(Code::CannotRerun, message).help(help).into());
    }
    let descendants = arguments.with_descendants;
    let carried = orch_scheduler::carried(&before, &records, &plan, &prepared.plan, &arguments.from, descendants)
        .map_err(|error| cannot_rerun(&error))?;
    let beginning = Beginning::New(Some(carried));
    let (folder, store) = prepare::open_state(context, &prepared.place, arguments.state.state.as_deref())?;
    let run = new_run();
    let owned = own(&store, &run)?;
    let options = places::options(&arguments.state.workflow, arguments.state.state.as_deref());
    let ready = ready(context, prepared, (run, owned, options), (folder, store), beginning)?;
    drive(context, ready, &arguments.drive)
}

/// The inputs of the earlier run, with what is given now on top.
fn inputs(before: &Value, given: &[String]) -> Vec<String> {
    let name_of = |pair: &String| pair.split_once('=').map(|(name, _)| name.to_owned());
    let now: Vec<String> = given.iter().filter_map(name_of).collect();
    let mut all: Vec<String> = before
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(name, value)| !value.is_null() && !now.contains(name))
        .map(|(name, value)| match value {
            Value::String(text) => format!("{name}={text}"),
            other => format!("{name}={other}"),
        })
        .collect();
    all.extend(given.iter().cloned());
    all
}

fn cannot_rerun(error: &RerunError) -> Failure {
    let help = match error {
        RerunError::UnknownTask(_) => {
            "`orch-wasm graph` shows the tasks; one inside of another file goes by the task that holds it"
        }
        RerunError::Changed { .. } => "begin at the first of them, with --with-descendants",
    };
    Failure::new(Code::CannotRerun, error.to_string()).help(help)
}

/// Warnings and what the lock learned, before anything runs.
fn tell(prepared: &Prepared) -> anyhow::Result<()> {
    if !prepared.warnings.is_empty() {
        let style = terminal::style(crate::args::Colour::Auto, &std::io::stderr());
        let text = orch_report::render_diagnostics(&prepared.warnings, &prepared.sources, style.colour);
        terminal::talk(text.trim_end());
    }
    if !prepared.lock_news.is_empty() {
        prepared.lock.write(prepared.place.lock()).map_err(Failure::from)?;
        for news in &prepared.lock_news {
            terminal::talk(&format!("locked {news}"));
        }
    }
    Ok(())
}
