//! `report`: log lines and progress. Bounded in `log.rs`; progress at most ten times a second.

use crate::bindings::orch::task::report::{Host, Level};
use crate::guest::Guest;
use orch_core::{LogLevel, shorten};
use std::time::{Duration, Instant};

/// Nobody sees more than ten a second, and each one is stored.
const PROGRESS_EVERY: Duration = Duration::from_millis(100);

/// Characters of a progress note: it stands in one line of a terminal.
const NOTE: usize = 200;

impl Host for Guest {
    fn log(&mut self, level: Level, message: String, fields: Vec<(String, String)>) -> wasmtime::Result<()> {
        let level = match level {
            Level::Trace => LogLevel::Trace,
            Level::Debug => LogLevel::Debug,
            Level::Info => LogLevel::Info,
            Level::Warn => LogLevel::Warn,
            Level::Error => LogLevel::Error,
        };
        self.log.lock().unwrap_or_else(std::sync::PoisonError::into_inner).line(level, message, fields);
        Ok(())
    }

    fn progress(&mut self, done: u64, total: Option<u64>, note: Option<String>) -> wasmtime::Result<()> {
        if self.progress_at.is_some_and(|at| at.elapsed() < PROGRESS_EVERY) {
            return Ok(());
        }
        self.progress_at = Some(Instant::now());
        let note = note.map(|note| shorten(&self.secrets.masker().mask(&note), NOTE).into_owned());
        self.audit.live.progress(done, total, note);
        Ok(())
    }
}
