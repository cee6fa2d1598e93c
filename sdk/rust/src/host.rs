//! What a task may ask of the engine, as a trait so that a task runs natively in tests as well.

use crate::{Finding, Level, TaskError};
use std::io::Read;
use std::path::PathBuf;

/// The engine, seen from a task. Everything here is limited to what the workflow granted.
pub trait Host {
    /// The folder at which a granted mount is found. Use `std::fs` below it.
    fn mount(&self, name: &str) -> PathBuf;

    /// A granted environment variable.
    fn env(&self, name: &str) -> Option<String>;

    /// Whether something was granted: `fs:<mount>`, `env:<NAME>`, `artifacts`, `artifacts:<name>`.
    fn has_capability(&self, name: &str) -> bool;

    /// Writes a log line.
    fn log(&self, level: Level, message: &str);

    /// Says how far the work is; `total` if it is known.
    fn progress(&self, done: u64, total: Option<u64>, note: &str);

    /// Adds findings to the run.
    ///
    /// # Errors
    /// When the task's limit on findings is reached.
    fn emit(&self, findings: &[Finding]) -> Result<(), TaskError>;

    /// Stores a file that outlives the task and returns its `sha256:<hex>` digest.
    ///
    /// # Errors
    /// When the artifact was not granted, a limit is reached, or `content` cannot be read.
    fn write_artifact(&self, name: &str, media_type: &str, content: &mut dyn Read) -> Result<String, TaskError>;

    /// Whether the host wants the task to stop. Long loops ask now and then.
    fn is_cancelled(&self) -> bool;

    /// Logs at `info`.
    fn info(&self, message: &str) {
        self.log(Level::Info, message);
    }

    /// Logs at `warn`.
    fn warn(&self, message: &str) {
        self.log(Level::Warn, message);
    }
}
