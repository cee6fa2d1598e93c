//! Driving a run from the command line: the runtime, what is seen, signals, reports and the exit code. Shared by every verb that
//! makes a run go on.

use crate::args::{DriveArguments, Format};
use crate::clock::SystemClock;
use crate::commands::Context;
use crate::failure::Failure;
use crate::{people, terminal};
use orch_core::{Code, Exit, LogLevel, Record, RunId, StepId};
use orch_host::{Host, Recordings};
use orch_report::{Live, LiveOptions, RunView};
use orch_scheduler::{Beginning, Dispatcher, Driven, Observer, RunError, RunRequest};
use orch_store::{Owned, SqliteStore, StateFolder};
use orch_workflow::Plan;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tokio_util::sync::CancellationToken;

/// A run that is ready to go.
pub(crate) struct Ready {
    pub(crate) run: RunId,
    /// The right to drive it. Taken before its log is read, so that nobody else writes to it meanwhile.
    pub(crate) owned: Owned,
    /// Options that name the workflow and its state in commands that are printed.
    pub(crate) options: String,
    pub(crate) plan: Plan,
    pub(crate) beginning: Beginning,
    pub(crate) folder: StateFolder,
    pub(crate) store: Arc<SqliteStore>,
    pub(crate) host: Host,
    /// What records each attempt, if that was asked for.
    pub(crate) recordings: Option<Recordings>,
}

/// Drives a run until it is over or waits for people.
pub(crate) fn drive(context: &Context, ready: Ready, arguments: &DriveArguments) -> anyhow::Result<Exit> {
    let Ready { run, owned, options, plan, beginning, folder, store, host, recordings } = ready;
    raise_open_files();
    let jobs = arguments.jobs.map_or_else(orch_scheduler::processors, usize::from);
    let runtime = orch_scheduler::runtime(jobs)?;
    let mut shown = Shown::new(context, arguments, &run);
    if let Beginning::Resumed(records) = &beginning {
        shown.catch_up(records);
    }
    let shown = Arc::new(Mutex::new(shown));
    let dispatcher = Dispatcher {
        store: store.clone(),
        groups: store,
        runner: match &recordings {
            Some(recordings) => Arc::new(recordings.clone()),
            None => Arc::new(host),
        },
        clock: Arc::new(SystemClock),
        faults: Arc::clone(&context.faults),
        jobs,
    };
    let observed = Arc::clone(&shown);
    let observer: Observer =
        Arc::new(move |record| observed.lock().unwrap_or_else(PoisonError::into_inner).take(record));
    let (cancel, pause) = (CancellationToken::new(), CancellationToken::new());
    let request = RunRequest {
        run: run.clone(),
        plan: Arc::new(plan),
        beginning,
        by: people::this_person(),
        observer,
        cancel: cancel.clone(),
        pause: pause.clone(),
    };
    let ended = dispatcher.drive(&runtime, request, listen(cancel, pause));
    runtime.shutdown_background();
    drop(owned);
    let mut shown = shown.lock().unwrap_or_else(PoisonError::into_inner);
    shown.clear();
    recordings.iter().for_each(told);
    match ended.map_err(failure)? {
        Driven::Suspended(waits) => {
            suspended(&run, &waits, shown.view(), &options);
            Ok(Exit::Waiting)
        }
        Driven::Ended(outcome) => {
            finish(context, arguments, &folder, &run, shown.view())?;
            Ok(outcome.exit())
        }
    }
}

/// What was recorded, and what was not and why.
fn told(recordings: &Recordings) {
    for one in recordings.all() {
        match &one.written {
            Ok(path) => {
                terminal::talk(&format!("recorded {}: {}", one.step, orch_core::visible(&path.display().to_string())))
            }
            Err(reason) => terminal::talk(&format!(
                "warning: attempt {} of {} is not recorded: {}",
                one.attempt,
                one.step,
                orch_core::visible(reason)
            )),
        }
    }
}

/// Takes the right to drive a run.
pub(crate) fn own(store: &SqliteStore, run: &RunId) -> Result<Owned, Failure> {
    store.own(run)?.ok_or_else(|| driven_elsewhere(run))
}

fn driven_elsewhere(run: &RunId) -> Failure {
    Failure::new(Code::RunDriven, format!("another process drives run `{run}`"))
        .help("let it end, or ask it to stop with `orch-wasm cancel`")
}

/// What a run waits for, and what to do about it.
fn suspended(run: &RunId, waits: &[StepId], view: &RunView, options: &str) {
    if waits.is_empty() {
        terminal::talk(&format!("run {run} was paused; `orch-wasm resume {}{options}` goes on", run.short()));
        return;
    }
    terminal::talk(&format!("run {run} waits for people:"));
    for step in waits {
        let row = view.task(&step.task);
        let short = run.short();
        match row.map(|task| &task.state) {
            Some(orch_report::TaskState::Asking { prompt, .. }) => {
                let agreed = row.and_then(orch_report::TaskRow::agreed);
                let agreed = agreed.map_or_else(String::new, |agreed| format!("; {}", orch_core::visible(&agreed)));
                terminal::talk(&format!("  {step}: {}{agreed}", orch_core::visible(prompt)));
                terminal::talk(&format!("    orch-wasm approve {short} {step}{options}      (or: reject)"));
            }
            _ => {
                terminal::talk(&format!("  {step}: nobody knows whether it did its work before its process died"));
                let command = format!("orch-wasm settle {short} {step} --as succeeded{options}");
                terminal::talk(&format!("    {command}      (or: failed, again)"));
            }
        }
    }
    terminal::talk(&format!("then: orch-wasm resume {}{options}", run.short()));
}

fn finish(
    context: &Context,
    arguments: &DriveArguments,
    folder: &StateFolder,
    run: &RunId,
    view: &RunView,
) -> anyhow::Result<()> {
    let reports = arguments.reports.clone().unwrap_or_else(|| folder.path().join("reports").join(run.as_str()));
    let written = write_reports(&reports, run, view);
    if arguments.format == Format::Text {
        let style = terminal::style(context.colour, &std::io::stdout());
        terminal::print(&format!("\n{}", orch_report::summary(view, style, terminal::width())))?;
    }
    match written {
        Ok(()) => {
            terminal::talk(&format!("run {run}; reports in {}", orch_core::visible(&reports.display().to_string())));
            Ok(())
        }
        Err(error) => {
            let message = format!("`{}`: the reports cannot be written: {error}", reports.display());
            let help = "the run itself is recorded: `orch-wasm runs show` prints each report";
            let full = matches!(error.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded);
            Err(Failure::new(if full { Code::DiskFull } else { Code::StateUnusable }, message)
                .help(help)
                .exit(Exit::Errored)
                .into())
        }
    }
}

/// Each task may have some hundred files open; the usual soft limit of 1,024 is for programs that call `select`.
fn raise_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // Refused or not: what a task cannot open is told then.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}

fn failure(error: RunError) -> anyhow::Error {
    match error {
        RunError::Store(error) => Failure::from(error).into(),
        RunError::Plan(message) => Failure::new(Code::StateUnusable, message).exit(Exit::Errored).into(),
        RunError::Illegal(_) | RunError::Stuck(_) => {
            anyhow::Error::new(error).context("the log is damaged (`orch-wasm runs verify` tells), or this is a bug")
        }
    }
}

/// An interrupt asks the run to stop; a termination asks it to pause, so that `resume` can go on. A second signal of either kind
/// ends the process at once.
async fn listen(cancel: CancellationToken, pause: CancellationToken) -> std::convert::Infallible {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate) = match (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) {
        (Ok(interrupt), Ok(terminate)) => (interrupt, terminate),
        // Without signals the run still goes on; only stopping it in order is not possible.
        _ => std::future::pending().await,
    };
    loop {
        let first = !cancel.is_cancelled() && !pause.is_cancelled();
        let token = tokio::select! {
            _ = interrupt.recv() => &cancel,
            _ = terminate.recv() => &pause,
        };
        if !first {
            terminal::talk("ended at once; what was not finished is in the log as begun");
            #[expect(clippy::exit, reason = "the second signal asks for exactly this")]
            std::process::exit(i32::from(Exit::Cancelled as u8));
        }
        if token.is_cancelled() {
            continue;
        }
        token.cancel();
        if pause.is_cancelled() {
            terminal::talk("pausing: what runs may end, nothing more begins (once more ends it at once)");
        }
    }
}

/// Where records go while the run is on.
enum Shown {
    Live(Box<Live>),
    Lines { run: RunId, view: Box<RunView> },
}

impl Shown {
    fn new(context: &Context, arguments: &DriveArguments, run: &RunId) -> Shown {
        match arguments.format {
            Format::Json => Shown::Lines { run: run.clone(), view: Box::default() },
            Format::Text => Shown::Live(Box::new(Live::new(LiveOptions {
                terminal: std::io::stderr().is_terminal(),
                style: terminal::style(context.colour, &std::io::stderr()),
                width: terminal::width(),
                level: if arguments.verbose { LogLevel::Trace } else { LogLevel::Warn },
            }))),
        }
    }

    /// Takes what was there before without saying it again.
    fn catch_up(&mut self, records: &[Record]) {
        match self {
            Shown::Live(live) => live.catch_up(records),
            Shown::Lines { view, .. } => records.iter().for_each(|record| view.take(record)),
        }
    }

    fn take(&mut self, record: &Record) {
        match self {
            Shown::Live(live) => live.take(record),
            Shown::Lines { run, view } => {
                view.take(record);
                // A reader that went away does not stop the run; its log is on disk.
                let _ = terminal::print(&(orch_report::json_line(run, record) + "\n"));
            }
        }
    }

    fn clear(&mut self) {
        if let Shown::Live(live) = self {
            live.clear();
        }
    }

    fn view(&self) -> &RunView {
        match self {
            Shown::Live(live) => live.view(),
            Shown::Lines { view, .. } => view,
        }
    }
}

/// SARIF, JUnit and Markdown in a folder.
fn write_reports(folder: &Path, run: &RunId, view: &RunView) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let files: [(&str, String); 3] = [
        ("findings.sarif", orch_report::sarif(view)),
        ("junit.xml", orch_report::junit(view)),
        ("report.md", orch_report::markdown(run.as_str(), view)),
    ];
    for (name, content) in files {
        let place: PathBuf = folder.join(name);
        std::fs::write(place, content)?;
    }
    Ok(())
}
