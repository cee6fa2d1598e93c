//! `run`: the main job.

use super::Context;
use crate::args::{Format, RunArguments};
use crate::clock::{SystemClock, new_run};
use crate::failure::Failure;
use crate::prepare::{self, LockMode, Prepared};
use crate::terminal;
use orch_core::{Code, Exit, LogLevel, Record, RunId};
use orch_report::{Live, LiveOptions, RunView};
use orch_scheduler::{Dispatcher, Observer, RunError, RunRequest};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tokio_util::sync::CancellationToken;

/// How often the timer wheel is looked at while guests keep every thread busy: they yield each 10 ms.
const TIMER_EVERY_POLLS: u32 = 7;

pub(crate) fn run(context: Context, arguments: &RunArguments) -> anyhow::Result<Exit> {
    let prepared = prepare::prepare(&arguments.workflow, LockMode::Follow)?;
    let (folder, store) = prepare::open_state(&prepared.place, arguments.workflow.state.as_deref())?;
    let host = prepare::host(&folder)?;
    prepare::load(&host, &prepared)?;
    tell(&prepared)?;
    raise_open_files();
    let jobs = arguments.jobs.map_or_else(processors, usize::from);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        // One more than there are guests to keep busy: the dispatcher runs beside them, so that the end of a task and the start of
        // the next need no other thread to wake up.
        .worker_threads(jobs.min(processors() * 4) + 1)
        .event_interval(TIMER_EVERY_POLLS)
        .enable_all()
        .build()?;
    let run = new_run();
    let shown = Arc::new(Mutex::new(shown(context, arguments, &run)));
    let dispatcher = Dispatcher { store, runner: Arc::new(host.clone()), clock: Arc::new(SystemClock), jobs };
    let observed = Arc::clone(&shown);
    let observer: Observer =
        Arc::new(move |record| observed.lock().unwrap_or_else(PoisonError::into_inner).take(record));
    let cancel = CancellationToken::new();
    let request = RunRequest { run: run.clone(), plan: Arc::new(prepared.plan), observer, cancel: cancel.clone() };
    let driven = runtime.spawn(async move { dispatcher.run(request).await });
    let ended = runtime.block_on(async {
        tokio::select! {
            ended = driven => ended,
            never = listen(cancel) => match never {},
        }
    })?;
    runtime.shutdown_background();
    let mut shown = shown.lock().unwrap_or_else(PoisonError::into_inner);
    shown.clear();
    let outcome = ended.map_err(failure)?;
    let view = shown.view();
    let reports = arguments.reports.clone().unwrap_or_else(|| folder.path().join("reports").join(run.as_str()));
    let written = write_reports(&reports, &run, view);
    if arguments.format == Format::Text {
        let style = terminal::style(context.colour, &std::io::stdout());
        terminal::print(&format!("\n{}", orch_report::summary(view, style, terminal::width())))?;
    }
    match written {
        Ok(()) => {
            terminal::talk(&format!("run {run}; reports in {}", orch_core::visible(&reports.display().to_string())))
        }
        Err(error) => {
            let failure = Failure::new(
                Code::StateUnusable,
                format!("`{}`: the reports cannot be written: {error}", reports.display()),
            );
            return Err(failure
                .help("the run itself is recorded: `orch-wasm runs show` prints each report")
                .exit(Exit::Errored)
                .into());
        }
    }
    Ok(outcome.exit())
}

/// Each task may have some hundred files open; the usual soft limit of 1,024 is for programs that call `select`.
fn raise_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // Refused or not: what a task cannot open is told then.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn failure(error: RunError) -> anyhow::Error {
    match error {
        RunError::Store(error) => Failure::from(error).into(),
        RunError::Illegal(error) => anyhow::Error::new(error).context("this is a bug in orch-wasm: please report it"),
    }
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

/// First signal: stop in order. Second: end at once.
async fn listen(cancel: CancellationToken) -> std::convert::Infallible {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate) = match (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) {
        (Ok(interrupt), Ok(terminate)) => (interrupt, terminate),
        // Without signals the run still goes on; only stopping it in order is not possible.
        _ => std::future::pending().await,
    };
    loop {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        if cancel.is_cancelled() {
            terminal::talk("ended at once; what was not finished is in the log as begun");
            #[expect(clippy::exit, reason = "the second signal asks for exactly this")]
            std::process::exit(i32::from(Exit::Cancelled as u8));
        }
        cancel.cancel();
    }
}

/// Where records go while the run is on.
enum Shown {
    Live(Box<Live>),
    Lines { run: RunId, view: Box<RunView> },
}

fn shown(context: Context, arguments: &RunArguments, run: &RunId) -> Shown {
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

impl Shown {
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
