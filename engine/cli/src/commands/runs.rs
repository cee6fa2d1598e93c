//! `runs`: what the log remembers, through the same reporters as a live run.

use super::Context;
use crate::args::{Format, RunFormat, RunsVerb, StateArguments};
use crate::clock::SystemClock;
use crate::failure::Failure;
use crate::places::WorkflowPlace;
use crate::terminal;
use orch_core::{
    Blobs, Clock, Code, Event, Exit, LogLevel, RunId, RunOutcome, RunStore, RunSummary, StepId, Timestamp,
};
use orch_report::{RunView, Table};
use orch_store::{FolderBlobs, PruneRequest, SqliteStore, StateFolder};
use std::io::IsTerminal;
use std::sync::Arc;

pub(crate) fn run(context: &Context, verb: &RunsVerb) -> anyhow::Result<Exit> {
    match verb {
        RunsVerb::List { state, most, format } => list(context, state, *most, *format),
        RunsVerb::Show { run, state, format } => show(context, run, state, *format),
        RunsVerb::Logs { run, task, state } => logs(context, run, task.as_ref(), state),
        RunsVerb::Artifact { run, task, name, state } => artifact(context, run, task, name, state),
        RunsVerb::Verify { run, state } => verify(context, run, state),
        RunsVerb::Prune { older_than, keep, most, dry_run, state } => {
            let now = SystemClock.now();
            let before = |age: &orch_core::Period| Timestamp(now.0.saturating_sub_unsigned(age.millis()));
            let request = PruneRequest {
                now,
                older_than: older_than.as_ref().map(before),
                keep: *keep,
                most_bytes: most.map(orch_core::Size::bytes),
                dry_run: *dry_run,
            };
            prune(context, &request, state)
        }
    }
}

/// The store of a workflow that has run before.
pub(crate) fn open(context: &Context, state: &StateArguments) -> Result<SqliteStore, Failure> {
    let place = WorkflowPlace::of(&state.workflow)?;
    let folder = place.state(state.state.as_deref());
    let folder = StateFolder::existing(&folder).map_err(|_| {
        Failure::new(Code::UnknownRun, format!("there are no runs in `{}` yet", folder.display()))
            .help("`orch-wasm run` makes one; --workflow or --state name another place")
    })?;
    Ok(SqliteStore::with_faults(folder, Arc::clone(&context.faults)))
}

/// A run by id, unique part of it, or `latest`.
pub(crate) fn find(store: &SqliteStore, name: &str) -> Result<RunId, Failure> {
    Ok(store.resolve(name)?)
}

fn list(context: &Context, state: &StateArguments, most: usize, format: Format) -> anyhow::Result<Exit> {
    let (runs, running) = match open(context, state) {
        Ok(store) => {
            let runs = store.list(None, most).map_err(Failure::from)?;
            let open = runs.iter().filter(|run| run.outcome.is_none()).map(|run| run.run.clone());
            let running: Vec<RunId> = open.filter(|run| store.is_driven(run)).collect();
            (runs, running)
        }
        Err(none) => {
            // No run yet is an empty list, not a failure.
            terminal::talk(&none.message);
            (Vec::new(), Vec::new())
        }
    };
    if format == Format::Json {
        let mut lines = String::new();
        for run in &runs {
            let mut line = serde_json::to_value(run)?;
            line["state"] = state_word(run, &running).into();
            lines.push_str(&format!("{line}\n"));
        }
        terminal::print(&lines)?;
        return Ok(Exit::Succeeded);
    }
    let mut table = Table::new(["run", "started", "took", "outcome", "workflow"]);
    for run in runs {
        let outcome = state_word(&run, &running);
        let took = format!("{:.1} s", (run.updated.0 - run.created.0) as f64 / 1_000.0);
        table.row([run.run.as_str(), &time(run.created), &took, outcome, &run.workflow]);
    }
    terminal::print(&table.render(terminal::width(), ""))?;
    Ok(Exit::Succeeded)
}

/// Its outcome, or how it stands.
fn state_word(run: &RunSummary, running: &[RunId]) -> &'static str {
    match run.outcome {
        Some(outcome) => outcome.word(),
        None if running.contains(&run.run) => "running",
        None if run.suspended => "waiting",
        None => "interrupted",
    }
}

/// How a run ended, if it did.
pub(crate) fn outcome(store: &SqliteStore, run: &RunId) -> Result<Option<RunOutcome>, Failure> {
    Ok(store.read(run, 0)?.iter().rev().find_map(|record| match record.event {
        Event::RunFinished { outcome, .. } => Some(outcome),
        _ => None,
    }))
}

pub(crate) fn time(at: orch_core::Timestamp) -> String {
    let zoned = jiff::Timestamp::from_millisecond(at.0).map(|at| at.to_zoned(jiff::tz::TimeZone::system()));
    zoned.map_or_else(|_| "?".to_owned(), |at| at.strftime("%Y-%m-%d %H:%M:%S").to_string())
}

fn show(context: &Context, run: &str, state: &StateArguments, format: RunFormat) -> anyhow::Result<Exit> {
    let store = open(context, state)?;
    let run = find(&store, run)?;
    let records = store.read(&run, 0).map_err(Failure::from)?;
    let view = RunView::of(&records);
    let text = match format {
        RunFormat::Json => records.iter().map(|record| orch_report::json_line(&run, record) + "\n").collect(),
        RunFormat::Sarif => orch_report::sarif(&view),
        RunFormat::Junit => orch_report::junit(&view),
        RunFormat::Markdown => orch_report::markdown(run.as_str(), &view),
        RunFormat::Text => {
            let style = terminal::style(context.colour, &std::io::stdout());
            let of = view.rerun_of.as_ref().map_or_else(String::new, |of| format!("  repeats a part of run {of}"));
            let head = format!("{} {}  {}{of}\n", style.bold("run"), run, time(view.created));
            head + &orch_report::task_table(&view, style) + &orch_report::summary(&view, style, terminal::width())
        }
    };
    terminal::print(&text)?;
    Ok(Exit::Succeeded)
}

fn logs(context: &Context, run: &str, task: Option<&StepId>, state: &StateArguments) -> anyhow::Result<Exit> {
    let store = open(context, state)?;
    let run = find(&store, run)?;
    let records = store.read(&run, 0).map_err(Failure::from)?;
    if let Some(task) = task {
        super::explain::task_of(&RunView::of(&records), &task.task)?;
    }
    let style = terminal::style(context.colour, &std::io::stdout());
    terminal::print(&orch_report::log_lines(&records, task, LogLevel::Trace, style))?;
    Ok(Exit::Succeeded)
}

fn artifact(context: &Context, run: &str, task: &StepId, name: &str, state: &StateArguments) -> anyhow::Result<Exit> {
    let store = open(context, state)?;
    let run = find(&store, run)?;
    let records = store.read(&run, 0).map_err(Failure::from)?;
    super::explain::task_of(&RunView::of(&records), &task.task)?;
    let stored = || {
        records.iter().filter_map(|record| match &record.event {
            Event::ArtifactStored { task: of, artifact, .. } if of == task => Some(artifact),
            _ => None,
        })
    };
    // A later attempt's counts.
    let Some(found) = stored().rfind(|artifact| artifact.name.as_str() == name) else {
        let known: std::collections::BTreeSet<_> = stored().map(|artifact| format!("`{}`", artifact.name)).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.into_iter().collect::<Vec<_>>().join(", ") };
        let name = orch_core::visible(name);
        let failure = Failure::new(Code::Usage, format!("`{task}` of the run {run} stored no artifact `{name}`"));
        return Err(failure
            .help(format!("known: {known}; `orch-wasm runs show {run}` lists those of all tasks"))
            .into());
    };
    if std::io::stdout().is_terminal() {
        let failure =
            Failure::new(Code::Usage, "an artifact may hold what changes a terminal, so it is not printed to one");
        return Err(failure.help(format!("write it to a file: … > {}", found.name)).into());
    }
    let blobs = FolderBlobs::with_faults(store.folder().clone(), Arc::clone(&context.faults));
    let content = blobs.read(&found.digest).map_err(Failure::from)?;
    terminal::print_bytes(&content)?;
    Ok(Exit::Succeeded)
}

fn prune(context: &Context, request: &PruneRequest, state: &StateArguments) -> anyhow::Result<Exit> {
    if request.older_than.is_none() && request.keep.is_none() && request.most_bytes.is_none() {
        let failure = Failure::new(Code::Usage, "no rule says which runs may go");
        return Err(failure.help("give --older-than, --keep or --most; --dry-run shows what would go").into());
    }
    let store = open(context, state)?;
    let blobs = FolderBlobs::with_faults(store.folder().clone(), Arc::clone(&context.faults));
    let pruned = store.prune(&blobs, request).map_err(Failure::from)?;
    for run in &pruned.runs {
        terminal::print(&format!("{run}\n"))?;
    }
    let what = if request.dry_run { "would go" } else { "are gone" };
    let runs = orch_core::plural(pruned.runs.len(), "run");
    let blobs = orch_core::plural(usize::try_from(pruned.blobs).unwrap_or(usize::MAX), "artifact");
    terminal::talk(&format!("{runs} and {blobs} {what}, {}", orch_core::Size::from_bytes(pruned.bytes)));
    if pruned.unfinished {
        terminal::talk("there is more than one call removes: start it again");
    }
    Ok(Exit::Succeeded)
}

fn verify(context: &Context, run: &str, state: &StateArguments) -> anyhow::Result<Exit> {
    let store = open(context, state)?;
    let run = find(&store, run)?;
    let found = store.verify(&run).map_err(Failure::from)?;
    match found.broken_at {
        None => {
            terminal::print(&format!(
                "run {run}: {} are as they were written\n",
                orch_core::plural(found.events as usize, "event")
            ))?;
            Ok(Exit::Succeeded)
        }
        Some(seq) => {
            terminal::print(&format!("run {run}: event {seq} is not as it was written\n"))?;
            Ok(Exit::Failed)
        }
    }
}
