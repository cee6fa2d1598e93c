//! `runs`: what the log remembers, through the same reporters as a live run.

use super::Context;
use crate::args::{Format, RunFormat, RunsVerb, StateArguments};
use crate::failure::Failure;
use crate::places::WorkflowPlace;
use crate::terminal;
use orch_core::{Code, Exit, LogLevel, RunId, RunStore, TaskId};
use orch_report::{RunView, Table};
use orch_store::{SqliteStore, StateFolder};

pub(crate) fn run(context: Context, verb: &RunsVerb) -> anyhow::Result<Exit> {
    match verb {
        RunsVerb::List { state, most, format } => list(state, *most, *format),
        RunsVerb::Show { run, state, format } => show(context, run, state, *format),
        RunsVerb::Logs { run, task, state } => logs(context, run, task.as_ref(), state),
        RunsVerb::Verify { run, state } => verify(run, state),
    }
}

/// The store of a workflow that has run before.
pub(crate) fn open(state: &StateArguments) -> Result<SqliteStore, Failure> {
    let place = WorkflowPlace::of(&state.workflow)?;
    let folder = place.state(state.state.as_deref());
    let folder = StateFolder::existing(&folder).map_err(|_| {
        Failure::new(Code::UnknownRun, format!("there are no runs in `{}` yet", folder.display()))
            .help("`orch-wasm run` makes one; --workflow or --state name another place")
    })?;
    Ok(SqliteStore::new(folder))
}

/// A run by id, unique part of it, or `latest`.
pub(crate) fn find(store: &SqliteStore, name: &str) -> Result<RunId, Failure> {
    Ok(store.resolve(name)?)
}

fn list(state: &StateArguments, most: usize, format: Format) -> anyhow::Result<Exit> {
    let runs = match open(state) {
        Ok(store) => store.list(None, most).map_err(Failure::from)?,
        Err(none) => {
            // No run yet is an empty list, not a failure.
            terminal::talk(&none.message);
            Vec::new()
        }
    };
    if format == Format::Json {
        let lines: Result<String, _> =
            runs.iter().map(|run| serde_json::to_string(run).map(|line| line + "\n")).collect();
        terminal::print(&lines?)?;
        return Ok(Exit::Succeeded);
    }
    let mut table = Table::new(["run", "started", "took", "outcome", "workflow"]);
    for run in runs {
        let outcome = run.outcome.map_or("not finished", |outcome| outcome.word());
        let took = format!("{:.1} s", (run.updated.0 - run.created.0) as f64 / 1_000.0);
        table.row([run.run.as_str(), &time(run.created), &took, outcome, &run.workflow]);
    }
    terminal::print(&table.render(terminal::width(), ""))?;
    Ok(Exit::Succeeded)
}

pub(crate) fn time(at: orch_core::Timestamp) -> String {
    let zoned = jiff::Timestamp::from_millisecond(at.0).map(|at| at.to_zoned(jiff::tz::TimeZone::system()));
    zoned.map_or_else(|_| "?".to_owned(), |at| at.strftime("%Y-%m-%d %H:%M:%S").to_string())
}

fn show(context: Context, run: &str, state: &StateArguments, format: RunFormat) -> anyhow::Result<Exit> {
    let store = open(state)?;
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
            let head = format!("{} {}  {}\n", style.bold("run"), run, time(view.created));
            head + &orch_report::task_table(&view, style) + &orch_report::summary(&view, style, terminal::width())
        }
    };
    terminal::print(&text)?;
    Ok(Exit::Succeeded)
}

fn logs(context: Context, run: &str, task: Option<&TaskId>, state: &StateArguments) -> anyhow::Result<Exit> {
    let store = open(state)?;
    let run = find(&store, run)?;
    let records = store.read(&run, 0).map_err(Failure::from)?;
    if let Some(task) = task {
        super::explain::task_of(&RunView::of(&records), task)?;
    }
    let style = terminal::style(context.colour, &std::io::stdout());
    terminal::print(&orch_report::log_lines(&records, task, LogLevel::Trace, style))?;
    Ok(Exit::Succeeded)
}

fn verify(run: &str, state: &StateArguments) -> anyhow::Result<Exit> {
    let store = open(state)?;
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
