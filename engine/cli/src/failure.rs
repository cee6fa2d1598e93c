//! The one place where a failed command becomes text and an exit code.

use crate::args::Colour;
use crate::terminal;
use orch_core::{Code, Diagnostic, Exit, Sources, StoreError, visible};
use std::process::ExitCode;

/// Problems in files, with the files.
#[derive(Debug)]
pub(crate) struct Problems {
    pub(crate) diagnostics: Vec<Diagnostic>,
    pub(crate) sources: Sources,
}

impl std::fmt::Display for Problems {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&orch_core::plural(self.diagnostics.len(), "problem"))
    }
}

impl std::error::Error for Problems {}

/// A failure with a code, for everything that is no place in a file.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: Code,
    pub(crate) exit: Exit,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
}

impl Failure {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Failure {
        Failure { code, exit: Exit::Invalid, message: message.into(), help: None }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Failure {
        self.help = Some(help.into());
        self
    }

    pub(crate) fn exit(mut self, exit: Exit) -> Failure {
        self.exit = exit;
        self
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Failure {
        let message = error.to_string();
        match error {
            StoreError::UnknownRun(_) | StoreError::Ambiguous { .. } => {
                Failure::new(Code::UnknownRun, message).help("`orch-wasm runs list` shows the runs")
            }
            StoreError::Full(_) => Failure::new(Code::DiskFull, message)
                .exit(Exit::Errored)
                .help("make room, or choose another place with --state"),
            StoreError::Conflict { .. } | StoreError::Broken { .. } => {
                Failure::new(Code::StateUnusable, message).exit(Exit::Errored)
            }
        }
    }
}

impl From<orch_registry::Error> for Failure {
    fn from(error: orch_registry::Error) -> Failure {
        // A full disk is nobody's invalid input.
        let exit = if error.code() == Code::DiskFull { Exit::Errored } else { Exit::Invalid };
        Failure { code: error.code(), exit, message: error.to_string(), help: error.help() }
    }
}

/// Prints a failure and returns its exit code.
pub(crate) fn report(error: &anyhow::Error) -> ExitCode {
    let style = terminal::style(Colour::Auto, &std::io::stderr());
    if let Some(problems) = error.downcast_ref::<Problems>() {
        let text = orch_report::render_diagnostics(&problems.diagnostics, &problems.sources, style.colour);
        terminal::talk(text.trim_end());
        let errors = problems.diagnostics.iter().filter(|one| !one.warning).count();
        terminal::talk(&format!(
            "\n{} in the way; `orch-wasm explain CODE` tells more",
            orch_core::plural(errors, "problem")
        ));
        return ExitCode::from(Exit::Invalid as u8);
    }
    if let Some(failure) = error.downcast_ref::<Failure>() {
        terminal::talk(&format!("{}: {}", style.red(&format!("error[{}]", failure.code)), visible(&failure.message)));
        if let Some(help) = &failure.help {
            terminal::talk(&format!("  {} {}", style.bold("help:"), visible(help)));
        }
        return ExitCode::from(failure.exit as u8);
    }
    // What has no code is the system's: the chain of causes says where.
    terminal::talk(&format!("{} {}", style.red("error:"), visible(&format!("{error:#}"))));
    let bug = error.downcast_ref::<orch_scheduler::IllegalMove>().is_some();
    ExitCode::from(if bug { Exit::Bug } else { Exit::Errored } as u8)
}
