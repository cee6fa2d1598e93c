//! Keeps what a guest says, and lets a test wait for a word of it instead of sleeping.

use orch_core::{Finding, LiveEvents, LogLevel, Refusal, StoredArtifact};
use std::sync::{Condvar, Mutex};
use std::time::Duration;

/// A log line: level, message, fields.
pub type Line = (LogLevel, String, Vec<(String, String)>);

/// Everything a guest did that can be seen from outside.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// Its log.
    pub logs: Vec<Line>,
    /// Its progress: done, total, note.
    pub progress: Vec<(u64, Option<u64>, Option<String>)>,
    /// Its findings.
    pub findings: Vec<Finding>,
    /// What it tried and may not.
    pub refused: Vec<Refusal>,
    /// What it stored.
    pub stored: Vec<StoredArtifact>,
}

impl Seen {
    /// Whether a line of the log holds a text.
    pub fn said(&self, text: &str) -> bool {
        self.logs.iter().any(|(_, message, _)| message.contains(text))
    }
}

/// A [`LiveEvents`] that keeps everything.
#[derive(Debug, Default)]
pub struct Recorder {
    seen: Mutex<Seen>,
    changed: Condvar,
}

impl Recorder {
    fn add(&self, add: impl FnOnce(&mut Seen)) {
        add(&mut self.seen.lock().unwrap());
        self.changed.notify_all();
    }

    /// What there is so far.
    pub fn seen(&self) -> Seen {
        self.seen.lock().unwrap().clone()
    }

    /// Waits until a line of the log holds a text.
    #[track_caller]
    pub fn wait_for(&self, text: &str) {
        let seen = self.seen.lock().unwrap();
        let (_seen, waited) =
            self.changed.wait_timeout_while(seen, Duration::from_secs(60), |seen| !seen.said(text)).unwrap();
        assert!(!waited.timed_out(), "nobody said `{text}`");
    }
}

impl LiveEvents for Recorder {
    fn log(&self, level: LogLevel, message: String, fields: Vec<(String, String)>) {
        self.add(|seen| seen.logs.push((level, message, fields)));
    }

    fn progress(&self, done: u64, total: Option<u64>, note: Option<String>) {
        self.add(|seen| seen.progress.push((done, total, note)));
    }

    fn findings(&self, findings: Vec<Finding>) {
        self.add(|seen| seen.findings.extend(findings));
    }

    fn refused(&self, refusal: Refusal) {
        self.add(|seen| seen.refused.push(refusal));
    }

    fn stored(&self, artifact: StoredArtifact) {
        self.add(|seen| seen.stored.push(artifact));
    }
}
