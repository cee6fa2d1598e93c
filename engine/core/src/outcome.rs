//! How tasks and runs end, and with which exit code.

use crate::{Digest, PluginName};
use serde::{Deserialize, Serialize};
use std::fmt;

/// How a task ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TaskOutcome {
    /// It did its work.
    Succeeded,
    /// Its condition was false, or the plugin found nothing to do. Dependants run.
    Skipped,
    /// A task that it needs did not succeed, so it never started.
    Unreachable,
    /// It said no, or could not do its work.
    Failed,
    /// A gate said no.
    Blocked,
    /// A person said no, or nobody answered in time.
    Rejected,
    /// The platform or the plugin broke: a trap, a limit, a host call that failed.
    Errored,
    /// It took longer than its `timeout`.
    TimedOut,
    /// It was asked to stop.
    Cancelled,
}

impl TaskOutcome {
    /// The word that files and reports use.
    pub fn word(self) -> &'static str {
        match self {
            TaskOutcome::Succeeded => "succeeded",
            TaskOutcome::Skipped => "skipped",
            TaskOutcome::Unreachable => "unreachable",
            TaskOutcome::Failed => "failed",
            TaskOutcome::Blocked => "blocked",
            TaskOutcome::Rejected => "rejected",
            TaskOutcome::Errored => "errored",
            TaskOutcome::TimedOut => "timed-out",
            TaskOutcome::Cancelled => "cancelled",
        }
    }

    /// Whether tasks that need it may run.
    pub fn satisfies_needs(self) -> bool {
        matches!(self, TaskOutcome::Succeeded | TaskOutcome::Skipped)
    }
}

impl fmt::Display for TaskOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// How a run ended: the worst of its tasks that count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunOutcome {
    /// Every task that counts succeeded or was skipped.
    Succeeded,
    /// A gate blocked it, and nothing worse happened.
    Blocked,
    /// A person rejected it.
    Rejected,
    /// A task failed.
    Failed,
    /// A task timed out, or the run did.
    TimedOut,
    /// A task errored.
    Errored,
    /// Somebody stopped it.
    Cancelled,
}

impl RunOutcome {
    /// The word that files and reports use.
    pub fn word(self) -> &'static str {
        match self {
            RunOutcome::Succeeded => "succeeded",
            RunOutcome::Blocked => "blocked",
            RunOutcome::Rejected => "rejected",
            RunOutcome::Failed => "failed",
            RunOutcome::TimedOut => "timed-out",
            RunOutcome::Errored => "errored",
            RunOutcome::Cancelled => "cancelled",
        }
    }

    /// The exit code of `orch-wasm run`.
    pub fn exit(self) -> Exit {
        match self {
            RunOutcome::Succeeded => Exit::Succeeded,
            RunOutcome::Blocked => Exit::Blocked,
            RunOutcome::Rejected => Exit::Rejected,
            RunOutcome::Failed => Exit::Failed,
            RunOutcome::TimedOut | RunOutcome::Errored => Exit::Errored,
            RunOutcome::Cancelled => Exit::Cancelled,
        }
    }
}

impl fmt::Display for RunOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// The exit codes of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// All is well.
    Succeeded = 0,
    /// A task said no, or a check found problems.
    Failed = 1,
    /// The input is invalid: arguments, workflow, plugin, policy.
    Invalid = 2,
    /// A gate blocked the run.
    Blocked = 3,
    /// The run waits for a person.
    Waiting = 4,
    /// A person said no.
    Rejected = 5,
    /// Somebody stopped the run.
    Cancelled = 6,
    /// The platform or a plugin broke.
    Errored = 7,
    /// A bug in orch-wasm.
    Bug = 70,
}

/// What broke.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum FailureKind {
    /// The input does not fit the task.
    InvalidInput,
    /// The task needed something that was not granted.
    Denied {
        /// The kind of permission.
        capability: String,
        /// What was asked for.
        target: String,
    },
    /// Something outside the plugin broke.
    Dependency {
        /// What broke.
        target: String,
        /// Whether the same call may succeed later.
        retryable: bool,
    },
    /// The plugin says that it failed.
    Failed,
    /// The plugin ran well and said no.
    Rejected,
    /// The component trapped: a panic, a failed allocation, an illegal instruction.
    Trap,
    /// A limit was reached.
    Limit {
        /// Its name.
        limit: String,
        /// Its value, in its own unit.
        value: String,
    },
    /// The time was up.
    Timeout,
    /// The output is not what the plugin's schema promises.
    InvalidOutput,
    /// Compiled, linked or instantiated it could not be.
    Unloadable {
        /// Which plugin.
        plugin: PluginName,
        /// Which component.
        digest: Digest,
    },
    /// An expression of the workflow could not be evaluated with the values of this run.
    Expression,
    /// Asked to stop.
    Cancelled,
    /// A bug in orch-wasm.
    Bug,
}

/// What broke, with the text for a person. The text may quote the guest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What broke.
    pub what: FailureKind,
    /// One sentence.
    pub message: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

impl Failure {
    /// A failure without advice.
    pub fn new(what: FailureKind, message: impl Into<String>) -> Failure {
        Failure { what, message: message.into(), fix: None }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn with_fix(mut self, fix: impl Into<String>) -> Failure {
        self.fix = Some(fix.into());
        self
    }

    /// How a task ends that broke in this way.
    pub fn outcome(&self) -> TaskOutcome {
        match self.what {
            FailureKind::InvalidInput
            | FailureKind::Denied { .. }
            | FailureKind::Dependency { .. }
            | FailureKind::Failed
            | FailureKind::Rejected => TaskOutcome::Failed,
            FailureKind::Timeout => TaskOutcome::TimedOut,
            FailureKind::Cancelled => TaskOutcome::Cancelled,
            FailureKind::Trap
            | FailureKind::Limit { .. }
            | FailureKind::InvalidOutput
            | FailureKind::Unloadable { .. }
            | FailureKind::Expression
            | FailureKind::Bug => TaskOutcome::Errored,
        }
    }
}
