//! Colours, or none: one switch for the whole output.

use orch_core::{RunOutcome, Severity, TaskOutcome};

/// How text is painted. Off for pipes, files and `NO_COLOR`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// Whether SGR sequences are written.
    pub colour: bool,
}

impl Style {
    fn paint(self, code: &str, text: &str) -> String {
        if self.colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    /// For headings.
    pub fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    /// For what matters less.
    pub fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }

    /// For what went well.
    pub fn green(self, text: &str) -> String {
        self.paint("32", text)
    }

    /// For what needs a look.
    pub fn yellow(self, text: &str) -> String {
        self.paint("33", text)
    }

    /// For what went wrong.
    pub fn red(self, text: &str) -> String {
        self.paint("31", text)
    }

    /// A severity, padded to `width` before it is painted.
    pub fn severity(self, severity: Severity, width: usize) -> String {
        let text = format!("{:width$}", severity.word());
        match severity {
            Severity::Critical => self.paint("1;31", &text),
            Severity::High => self.red(&text),
            Severity::Medium => self.yellow(&text),
            Severity::Low => text,
            Severity::Info => self.dim(&text),
        }
    }

    /// The word for how a task ended.
    pub fn task_outcome(self, outcome: TaskOutcome) -> String {
        match outcome {
            TaskOutcome::Succeeded => self.green(outcome.word()),
            TaskOutcome::Skipped | TaskOutcome::Unreachable => self.dim(outcome.word()),
            TaskOutcome::Blocked | TaskOutcome::Rejected | TaskOutcome::Cancelled => self.yellow(outcome.word()),
            TaskOutcome::Failed | TaskOutcome::Errored | TaskOutcome::TimedOut => self.red(outcome.word()),
        }
    }

    /// The word for how a run ended.
    pub fn run_outcome(self, outcome: RunOutcome) -> String {
        match outcome {
            RunOutcome::Succeeded => self.green(outcome.word()),
            RunOutcome::Blocked | RunOutcome::Rejected | RunOutcome::Cancelled => self.yellow(outcome.word()),
            RunOutcome::Failed | RunOutcome::TimedOut | RunOutcome::Errored => self.red(outcome.word()),
        }
    }
}

/// The one-character sign of an outcome.
pub(crate) fn sign(outcome: TaskOutcome) -> &'static str {
    match outcome {
        TaskOutcome::Succeeded => "✔",
        TaskOutcome::Skipped => "–",
        TaskOutcome::Unreachable => "·",
        TaskOutcome::Blocked | TaskOutcome::Rejected => "■",
        TaskOutcome::Failed | TaskOutcome::Errored => "✘",
        TaskOutcome::TimedOut => "⏱",
        TaskOutcome::Cancelled => "○",
    }
}

/// `1.4 s`, `2 m 03 s`, `1 h 02 m`.
pub(crate) fn elapsed(millis: u64) -> String {
    match millis {
        0..1_000 => format!("{millis} ms"),
        1_000..60_000 => format!("{}.{} s", millis / 1_000, millis % 1_000 / 100),
        60_000..3_600_000 => format!("{} m {:02} s", millis / 60_000, millis / 1_000 % 60),
        _ => format!("{} h {:02} m", millis / 3_600_000, millis / 60_000 % 60),
    }
}
