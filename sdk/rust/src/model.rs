//! The plain types of the contract: outcomes, errors and findings. They mirror `wit/task.wit`.

use serde::{Deserialize, Serialize};

/// How a task ended when nothing broke.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome<T> {
    /// The task did its work.
    Succeeded(T),
    /// The task ran well, and its answer is no.
    Rejected(T),
    /// There was nothing to do; the text says why.
    Skipped(String),
}

impl<T> Outcome<T> {
    /// The output, if the task succeeded.
    pub fn succeeded(self) -> Option<T> {
        match self {
            Outcome::Succeeded(output) => Some(output),
            Outcome::Rejected(_) | Outcome::Skipped(_) => None,
        }
    }

    /// Changes the output and keeps the kind of the outcome.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Outcome<U> {
        match self {
            Outcome::Succeeded(output) => Outcome::Succeeded(change(output)),
            Outcome::Rejected(output) => Outcome::Rejected(change(output)),
            Outcome::Skipped(reason) => Outcome::Skipped(reason),
        }
    }
}

/// Why a task could not do its work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TaskError {
    /// The input does not fit; the text says where and why.
    InvalidInput(String),
    /// Something that was not granted was needed.
    Denied {
        /// The kind of permission, for example `fs`.
        capability: String,
        /// What was asked for, for example the name of a mount.
        target: String,
    },
    /// Something outside the plugin broke.
    Dependency {
        /// What broke.
        target: String,
        /// What it said.
        message: String,
        /// Whether the same call may succeed later.
        retryable: bool,
    },
    /// Anything else.
    Failed(String),
    /// The host asked the task to stop, and it did.
    Cancelled,
}

impl std::fmt::Display for TaskError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            TaskError::InvalidInput(reason) => write!(f, "invalid input: {reason}"),
            TaskError::Denied { capability, target } => write!(f, "`{capability}` was not granted for `{target}`"),
            TaskError::Dependency { target, message, .. } => write!(f, "`{target}`: {message}"),
            TaskError::Failed(reason) => f.write_str(reason),
            TaskError::Cancelled => f.write_str("cancelled"),
        }
    }
}

impl std::error::Error for TaskError {}

/// How much a log line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Every step.
    Trace,
    /// For the plugin's author.
    Debug,
    /// For the person who runs it.
    Info,
    /// Something was left out or is doubtful.
    Warn,
    /// Something went wrong.
    Error,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Little harm.
    Low,
    /// Harm under circumstances.
    Medium,
    /// Serious harm.
    High,
    /// Drop everything.
    Critical,
}

/// What a finding says about its rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// The rule found a problem.
    Open,
    /// The rule was checked and holds.
    Passed,
    /// The rule does not apply here.
    NotApplicable,
    /// The rule could not be checked.
    Error,
}

/// Where a finding is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Location {
    /// Relative to the mount that was scanned, with `/` between its parts.
    pub path: String,
    /// 1-based line.
    pub line: Option<u32>,
    /// 1-based column, in characters.
    pub column: Option<u32>,
    /// 1-based last line.
    pub end_line: Option<u32>,
}

/// One result of one rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Finding {
    /// The rule's id.
    pub rule: String,
    /// How bad it is.
    pub severity: Severity,
    /// What it says about the rule.
    pub status: Status,
    /// One line for a table.
    pub title: String,
    /// More, for a report.
    pub detail: Option<String>,
    /// Names the same problem from run to run; must not depend on line numbers alone.
    pub fingerprint: String,
    /// Where it is.
    pub location: Option<Location>,
    /// What to do about it.
    pub remediation: Option<String>,
    /// Addresses to read on.
    #[serde(default)]
    pub references: Vec<String>,
    /// Anything else, for machines.
    pub data: Option<serde_json::Value>,
}
