//! What a task may ask of the engine, as a trait so that a task runs natively in tests as well.

use crate::{Finding, HttpRequest, HttpResponse, Level, Printed, TaskError};
use std::io::Read;
use std::path::PathBuf;

/// The engine, seen from a task. Everything here is limited to what the workflow granted.
pub trait Host {
    /// The folder at which a granted mount is found. Use `std::fs` below it.
    fn mount(&self, name: &str) -> PathBuf;

    /// A granted environment variable.
    fn env(&self, name: &str) -> Option<String>;

    /// Whether something was granted: `fs:<mount>`, `env:<NAME>`, `artifacts`, `artifacts:<name>`, `net`, `exec:<alias>`,
    /// `secrets:<name>`, `kv:<bucket>`.
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

    /// Makes an HTTP request and reads the answer to its end. Needs the feature `http` in a component.
    ///
    /// # Errors
    /// [`TaskError::Denied`] where the request was not granted, [`TaskError::Dependency`] when the other side cannot be reached
    /// or its answer is no HTTP or longer than [`MAX_BODY`](crate::MAX_BODY).
    fn http(&self, request: &HttpRequest) -> Result<HttpResponse, TaskError>;

    /// Text that stands for a secret. The host puts the value in its place in the header, and towards the audience, that was
    /// granted; the task never sees it. Needs the feature `secrets` in a component.
    ///
    /// # Errors
    /// [`TaskError::Denied`] where the secret was not granted.
    fn secret(&self, name: &str) -> Result<String, TaskError>;

    /// Runs a granted program and hands its standard output over as it comes. A slot without a value is left out. Needs the
    /// feature `exec` in a component.
    ///
    /// # Errors
    /// [`TaskError::Denied`] where the alias was not granted or a slot's value does not fit, and whatever `output` returns, which
    /// ends the program.
    fn stream(
        &self,
        alias: &str,
        slots: &[(&str, &str)],
        output: &mut dyn FnMut(&[u8]) -> Result<(), TaskError>,
    ) -> Result<Printed, TaskError>;

    /// A kept value and which change of its key made it, from 1. Values outlive the run and are seen by the same plugin in the same
    /// workflow. Needs the feature `kv` in a component.
    ///
    /// # Errors
    /// [`TaskError::Denied`] where the bucket was not granted.
    fn kept(&self, bucket: &str, key: &str) -> Result<Option<(Vec<u8>, u64)>, TaskError>;

    /// Keeps a value if its key still has the version that is expected (0: no value), and returns the new version. Needs the
    /// feature `kv` in a component.
    ///
    /// # Errors
    /// [`TaskError::Denied`] where the bucket was not granted, [`TaskError::Failed`] when somebody else was faster, in a dry run, and
    /// when the bucket's quota is reached.
    fn keep(&self, bucket: &str, key: &str, value: &[u8], expect: u64) -> Result<u64, TaskError>;

    /// Whether this is a dry run: nothing outside may change. The host holds to it in any case.
    fn is_dry_run(&self) -> bool;

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

    /// Runs a granted program and returns what it printed.
    ///
    /// # Errors
    /// As [`Host::stream`].
    fn run_program(&self, alias: &str, slots: &[(&str, &str)]) -> Result<Printed, TaskError> {
        let mut stdout = Vec::new();
        let printed = self.stream(alias, slots, &mut |bytes| {
            stdout.extend_from_slice(bytes);
            Ok(())
        })?;
        Ok(Printed { stdout, ..printed })
    }
}
