//! The run log: every fact of a run, in order. Resume, reports and the terminal all read it.

use crate::{
    CancelReason, Decision, Digest, Failure, Finding, GateDecision, PluginName, Refusal, RunOutcome, StoredArtifact,
    TaskId, TaskOutcome, Usage,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Timestamp(pub i64);

/// An event with its place in the log. The order is that of `seq`, never that of `at`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// 1 for the first event of a run, without gaps.
    pub seq: u64,
    /// When it was appended.
    pub at: Timestamp,
    /// What happened.
    pub event: Event,
}

/// How much a log line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogLevel {
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

/// What kind of task it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum TaskKind {
    /// Runs a plugin.
    Plugin {
        /// `namespace/name`
        plugin: PluginName,
        /// Its version.
        version: semver::Version,
        /// The component.
        digest: Digest,
    },
    /// The engine's own decision over findings.
    Gate,
}

/// A task as reporters need it: they never see the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskSummary {
    /// Its key in the workflow.
    pub id: TaskId,
    /// What it needs.
    pub needs: Vec<TaskId>,
    /// What it is.
    pub what: TaskKind,
    /// Its permissions and how they came about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub decisions: Vec<Decision>,
}

/// One fact of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Event {
    /// The run exists. Always the first event.
    RunCreated {
        /// The version of the log's format.
        format: u32,
        /// The workflow's name.
        workflow: String,
        /// The workflow file, as it was given.
        file: String,
        /// The digest of the plan.
        plan_hash: Digest,
        /// The plan itself: what resume and replay use, whatever the files say by then.
        plan: Value,
        /// Its tasks, for reporters.
        tasks: Vec<TaskSummary>,
        /// The resolved inputs.
        inputs: Value,
    },
    /// An attempt begins. Appended before the guest's first instruction.
    TaskStarted {
        /// Which task.
        task: TaskId,
        /// 1 for the first attempt.
        attempt: u32,
    },
    /// A guest says something.
    TaskLog {
        /// Which task.
        task: TaskId,
        /// How much it matters.
        level: LogLevel,
        /// Text of the guest.
        message: String,
        /// Further text of the guest.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        fields: Vec<(String, String)>,
    },
    /// A guest says how far it is. The host lets a few a second through.
    TaskProgress {
        /// Which task.
        task: TaskId,
        /// In the guest's own unit.
        done: u64,
        /// In the guest's own unit.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        total: Option<u64>,
        /// Text of the guest.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    },
    /// A guest found something.
    TaskFindings {
        /// Which task.
        task: TaskId,
        /// What it found.
        findings: Vec<Finding>,
    },
    /// A guest tried what it may not. The same refusal is recorded once an attempt.
    TaskRefused {
        /// Which task.
        task: TaskId,
        /// What, by whom, why.
        refusal: Refusal,
    },
    /// A guest stored a file.
    ArtifactStored {
        /// Which task.
        task: TaskId,
        /// The file.
        artifact: StoredArtifact,
    },
    /// A gate has looked at the findings; its `TaskFinished` follows.
    GateDecided {
        /// Which task.
        task: TaskId,
        /// What it decided.
        decision: GateDecision,
    },
    /// A task is over. It never changes again.
    TaskFinished {
        /// Which task.
        task: TaskId,
        /// How it ended.
        outcome: TaskOutcome,
        /// Its output.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        output: Option<Value>,
        /// Why it was skipped, is unreachable or broke.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        /// What broke.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        failure: Option<Failure>,
        /// What it used.
        #[serde(default)]
        usage: Usage,
        /// Whether the workflow says to go on whatever the outcome (`continue-on-error`).
        #[serde(default)]
        tolerated: bool,
    },
    /// Somebody or something wants the run to stop.
    CancelRequested {
        /// Who or what.
        reason: CancelReason,
    },
    /// The run is over. Always the last event.
    RunFinished {
        /// How it ended.
        outcome: RunOutcome,
        /// The workflow's outputs.
        outputs: Value,
    },
}

impl Event {
    /// The word that the log uses for this kind of event.
    pub fn word(&self) -> &'static str {
        match self {
            Event::RunCreated { .. } => "run-created",
            Event::TaskStarted { .. } => "task-started",
            Event::TaskLog { .. } => "task-log",
            Event::TaskProgress { .. } => "task-progress",
            Event::TaskFindings { .. } => "task-findings",
            Event::TaskRefused { .. } => "task-refused",
            Event::ArtifactStored { .. } => "artifact-stored",
            Event::GateDecided { .. } => "gate-decided",
            Event::TaskFinished { .. } => "task-finished",
            Event::CancelRequested { .. } => "cancel-requested",
            Event::RunFinished { .. } => "run-finished",
        }
    }

    /// The task that the event is about.
    pub fn task(&self) -> Option<&TaskId> {
        match self {
            Event::TaskStarted { task, .. }
            | Event::TaskLog { task, .. }
            | Event::TaskProgress { task, .. }
            | Event::TaskFindings { task, .. }
            | Event::TaskRefused { task, .. }
            | Event::ArtifactStored { task, .. }
            | Event::GateDecided { task, .. }
            | Event::TaskFinished { task, .. } => Some(task),
            Event::RunCreated { .. } | Event::CancelRequested { .. } | Event::RunFinished { .. } => None,
        }
    }
}
