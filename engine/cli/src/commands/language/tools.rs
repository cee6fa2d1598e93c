//! Finds the tools of a language and starts them: directly, with a list of arguments, never through a shell.

use crate::failure::Failure;
use orch_core::{Code, Exit};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A program that makes components, and how people get it.
pub(super) struct Tool {
    /// The names that it goes by, the preferred one first.
    pub(super) names: &'static [&'static str],
    /// What it is for, as the end of a sentence.
    pub(super) does: &'static str,
    /// One command, run in the plugin's folder, after which it is there.
    pub(super) get: &'static str,
}

impl Tool {
    /// A command of this tool, in the plugin's folder. What belongs to the folder comes before what belongs to the machine.
    pub(super) fn command(&self, folder: &Path) -> Result<Command, Failure> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let places: Vec<PathBuf> = [folder.join(".venv/bin"), folder.join("node_modules/.bin")]
            .into_iter()
            .chain(std::env::split_paths(&path).filter(|place| place.is_absolute()))
            .collect();
        let programs = self.names.iter().flat_map(|name| places.iter().map(move |place| place.join(name)));
        let program = programs.into_iter().find(|program| program.is_file()).ok_or_else(|| {
            let names: Vec<_> = self.names.iter().map(|name| format!("`{name}`")).collect();
            let message = format!(
                "{}, which {}, is neither in `{}` nor on the PATH",
                names.join(" or "),
                self.does,
                folder.display()
            );
            let help = format!("run this in the plugin's folder: {}", self.get);
            Failure::new(Code::MissingTool, message).help(help)
        })?;
        let mut command = Command::new(program);
        command.current_dir(folder).stdin(Stdio::null());
        Ok(command)
    }
}

/// Runs a tool. What it prints is for the person, so it goes to standard error: standard output names the result.
pub(super) fn run(mut command: Command, builds: &str) -> Result<(), Failure> {
    let tool = command.get_program().to_string_lossy().into_owned();
    let status = command.stdout(std::io::stderr()).status().map_err(|error| {
        Failure::new(Code::MissingTool, format!("`{tool}` could not be started: {error}"))
            .help("install it anew; a script among the tools needs its interpreter on the PATH")
    })?;
    if status.success() {
        return Ok(());
    }
    let message = format!("`{tool}` could not build the {builds} ({status})");
    Err(Failure::new(Code::BuildFailed, message).help("its messages stand above").exit(Exit::Failed))
}
