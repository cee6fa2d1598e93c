//! `resume` and `cancel`: runs that another process left.

use super::{Context, runs};
use crate::args::{DriveArguments, StateArguments};
use crate::drive::{Ready, drive, own};
use crate::failure::Failure;
use crate::places::{self, WorkflowPlace};
use crate::secrets::Sources;
use crate::{people, prepare, terminal};
use orch_core::{Code, Exit, Record, RunId, RunStore, Wish};
use orch_scheduler::Beginning;
use orch_store::SqliteStore;
use orch_workflow::Plan;
use std::sync::Arc;

pub(crate) fn run(
    context: &Context,
    run: Option<&str>,
    state: &StateArguments,
    arguments: &DriveArguments,
) -> anyhow::Result<Exit> {
    let store = runs::open(context, state)?;
    let run = match run {
        Some(name) => runs::find(&store, name)?,
        None => newest(&store)?,
    };
    drop(store);
    go_on(context, run, state, arguments)
}

/// The newest run that is not over.
fn newest(store: &SqliteStore) -> Result<RunId, Failure> {
    let runs = store.list(None, usize::MAX)?;
    let open = runs.into_iter().find(|run| run.outcome.is_none() && !store.is_driven(&run.run));
    open.map(|run| run.run).ok_or_else(|| {
        Failure::new(Code::UnknownRun, "there is no run to resume").help("`orch-wasm runs list` shows the runs")
    })
}

pub(crate) fn go_on(
    context: &Context,
    run: RunId,
    state: &StateArguments,
    arguments: &DriveArguments,
) -> anyhow::Result<Exit> {
    let place = WorkflowPlace::of(&state.workflow)?;
    let (folder, store) = prepare::open_state(context, &place, state.state.as_deref())?;
    let owned = own(&store, &run)?;
    let records = store.read(&run, 0).map_err(Failure::from)?;
    let plan = plan_of(&records)?;
    let sources = Arc::new(Sources::new(place.folder.as_std_path()));
    let (host, blobs) = prepare::host(&context.faults, &folder, &store, sources, plan.network().clone())?;
    prepare::load_kept(&host, &blobs, &plan)?;
    let options = places::options(&state.workflow, state.state.as_deref());
    drive(
        context,
        Ready {
            run,
            owned,
            options,
            plan,
            beginning: Beginning::Resumed(records),
            folder,
            store,
            host,
            recordings: None,
        },
        arguments,
    )
}

/// The plan that a run was started with.
pub(crate) fn plan_of(records: &[Record]) -> Result<Plan, Failure> {
    orch_scheduler::stored_plan(records)
        .map_err(|error| Failure::new(Code::StateUnusable, error.to_string()).exit(Exit::Errored))
}

pub(crate) fn cancel(
    context: &Context,
    run: &str,
    undo: bool,
    state: &StateArguments,
    arguments: &DriveArguments,
) -> anyhow::Result<Exit> {
    let store = runs::open(context, state)?;
    let run = runs::find(&store, run)?;
    if runs::outcome(&store, &run)?.is_some() {
        return Err(
            Failure::new(Code::NotWaiting, format!("run `{run}` is over, so there is nothing to cancel")).into()
        );
    }
    store.wish(&run, &Wish::Cancel { by: people::this_person(), undo }).map_err(Failure::from)?;
    if store.is_driven(&run) {
        terminal::talk(&format!("run {run} was asked to stop; the process that drives it does so within a second"));
        return Ok(Exit::Succeeded);
    }
    // Nobody else would end it: what the workflow does at its end is done here.
    drop(store);
    go_on(context, run, state, arguments)
}
