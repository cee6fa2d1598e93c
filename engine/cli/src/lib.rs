//! The command line, and the only place where the parts are wired together. A library, so that tests can run the same program
//! with faults in it.

mod args;
mod clock;
mod commands;
mod drive;
mod failure;
mod people;
mod places;
mod prepare;
mod secrets;
mod terminal;

use clap::Parser;
use orch_core::{Exit, Faults};
use std::process::ExitCode;
use std::sync::Arc;

/// Runs the program with the arguments of this process.
pub fn main(faults: Arc<dyn Faults>) -> ExitCode {
    // The hidden verbs of children come before everything else: they must not read any configuration.
    let verb = std::env::args_os().nth(1);
    if verb.as_ref().is_some_and(|verb| verb == prepare::COMPILE_VERB) {
        return ExitCode::from(orch_host::compile_in_this_process(orch_host::CompileLimits::default()));
    }
    if verb.is_some_and(|verb| verb == prepare::EXEC_VERB) {
        return ExitCode::from(orch_host::exec_in_this_process());
    }
    terminal::die_quietly_on_broken_pipe();
    let arguments = args::Arguments::parse();
    // A panic is a bug and has an exit code of its own; the hook has said what happened.
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| commands::run(arguments, faults))) {
        Ok(Ok(exit)) => ExitCode::from(exit as u8),
        Ok(Err(error)) => failure::report(&error),
        Err(_) => ExitCode::from(Exit::Bug as u8),
    }
}
