//! The run log: every fact of a run, in order. Resume, reports and the terminal all read it.

use crate::{
    Answer, CancelReason, Canonical, Decision, Digest, Failure, Finding, GateDecision, Person, PluginName, Refusal,
    RunId, RunOutcome, StepId, StoredArtifact, TaskId, TaskOutcome, Usage,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

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
    /// People decide.
    Approval,
    /// Holds the tasks of another workflow file.
    Workflow {
        /// The file, as written.
        file: String,
    },
}

/// Why a task runs that is not one of the workflow's `tasks`. In the order in which they run, after the tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Hook {
    /// Takes back what a task did.
    Undo,
    /// The run went wrong.
    OnFailure,
    /// The run ends, however.
    Finally,
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
    /// Why it runs, if it is none of the workflow's `tasks`. It stays without events when there is no reason to run it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hook: Option<Hook>,
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
        plan: Canonical,
        /// Its tasks, for reporters.
        tasks: Vec<TaskSummary>,
        /// The resolved inputs.
        inputs: Value,
        /// Who started it; absent in logs of format 1.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        requester: Option<Person>,
        /// The run of which this one repeats a part.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rerun_of: Option<RunId>,
        /// The tasks that shall run again, whatever earlier results there are.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        again: Vec<TaskId>,
    },
    /// The run waits for its turn in its concurrency group.
    RunQueued {
        /// The group.
        group: String,
        /// How many runs are before it.
        ahead: u32,
    },
    /// The run has a place in its concurrency group.
    RunAdmitted {
        /// The group.
        group: String,
    },
    /// No process drives the run any more, in good order: it waits for people, or was asked to pause. Nothing is running.
    RunSuspended {
        /// The tasks that wait for people.
        waits: Vec<StepId>,
    },
    /// A process drives the run again. What was running when the last one ended is told by `AttemptLost`.
    RunResumed {
        /// Who resumed it.
        by: Person,
    },
    /// A task runs once for each of these.
    TaskExpanded {
        /// Which task.
        task: StepId,
        /// For each item its value; for a matrix the combination of its axes.
        items: Vec<Value>,
    },
    /// The tasks of another workflow file begin.
    WorkflowEntered {
        /// The task that holds them.
        task: StepId,
        /// The inputs of that workflow.
        inputs: Value,
    },
    /// An attempt is over, and another one follows.
    AttemptEnded {
        /// Which task.
        task: StepId,
        /// Which attempt.
        attempt: u32,
        /// How it ended.
        outcome: TaskOutcome,
        /// What broke.
        failure: Failure,
        /// What it used.
        #[serde(default)]
        usage: Usage,
        /// How long the task waits before its next attempt.
        delay_ms: u64,
    },
    /// The process that ran an attempt is gone, so nobody knows how far it came.
    AttemptLost {
        /// Which task.
        task: StepId,
        /// Which attempt.
        attempt: u32,
        /// Whether a person has to say what comes of it; else it is tried once more.
        unknown: bool,
    },
    /// A task does not run, because an earlier result of it still holds. What it found and stored follows, then its end.
    TaskReused {
        /// Which task.
        task: StepId,
        /// The run that has the result.
        from: RunId,
        /// The task there.
        of: StepId,
        /// What the result depends on, if the cache found it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<Digest>,
    },
    /// A task waits for people.
    ApprovalRequested {
        /// Which task.
        task: StepId,
        /// What they are asked.
        prompt: String,
        /// What they are asked to agree to.
        plan_hash: Digest,
        /// How many have to agree.
        required: u32,
        /// When it is too late.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expires: Option<Timestamp>,
    },
    /// A person answered a task that waits.
    TaskAnswered {
        /// Which task.
        task: StepId,
        /// What was said.
        answer: Answer,
        /// By whom.
        by: Person,
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        comment: Option<String>,
    },
    /// A person answered, and it does not count.
    AnswerRefused {
        /// Which task.
        task: StepId,
        /// By whom.
        by: Person,
        /// Why it does not count.
        reason: String,
    },
    /// An attempt begins. Appended before the guest's first instruction.
    TaskStarted {
        /// Which task.
        task: StepId,
        /// 1 for the first attempt.
        attempt: u32,
    },
    /// A guest says something.
    TaskLog {
        /// Which task.
        task: StepId,
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
        task: StepId,
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
        task: StepId,
        /// What it found.
        findings: Vec<Finding>,
    },
    /// A guest tried what it may not. The same refusal is recorded once an attempt.
    TaskRefused {
        /// Which task.
        task: StepId,
        /// What, by whom, why.
        refusal: Refusal,
    },
    /// A guest stored a file.
    ArtifactStored {
        /// Which task.
        task: StepId,
        /// The file.
        artifact: StoredArtifact,
    },
    /// A gate has looked at the findings; its `TaskFinished` follows.
    GateDecided {
        /// Which task.
        task: StepId,
        /// What it decided.
        decision: GateDecision,
    },
    /// A task is over. It never changes again.
    TaskFinished {
        /// Which task.
        task: StepId,
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
        /// What the result depends on, if it may be used again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<Digest>,
    },
    /// Somebody or something wants the run to stop.
    CancelRequested {
        /// Who or what.
        reason: CancelReason,
        /// The person, if it was one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Person>,
        /// Whether what was done shall be undone.
        #[serde(default)]
        undo: bool,
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
            Event::RunQueued { .. } => "run-queued",
            Event::RunAdmitted { .. } => "run-admitted",
            Event::RunSuspended { .. } => "run-suspended",
            Event::RunResumed { .. } => "run-resumed",
            Event::TaskExpanded { .. } => "task-expanded",
            Event::WorkflowEntered { .. } => "workflow-entered",
            Event::AttemptEnded { .. } => "attempt-ended",
            Event::AttemptLost { .. } => "attempt-lost",
            Event::TaskReused { .. } => "task-reused",
            Event::ApprovalRequested { .. } => "approval-requested",
            Event::TaskAnswered { .. } => "task-answered",
            Event::AnswerRefused { .. } => "answer-refused",
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

    /// The task, or the item of one, that the event is about.
    pub fn task(&self) -> Option<&StepId> {
        match self {
            Event::TaskExpanded { task, .. }
            | Event::WorkflowEntered { task, .. }
            | Event::AttemptEnded { task, .. }
            | Event::AttemptLost { task, .. }
            | Event::TaskReused { task, .. }
            | Event::ApprovalRequested { task, .. }
            | Event::TaskAnswered { task, .. }
            | Event::AnswerRefused { task, .. }
            | Event::TaskStarted { task, .. }
            | Event::TaskLog { task, .. }
            | Event::TaskProgress { task, .. }
            | Event::TaskFindings { task, .. }
            | Event::TaskRefused { task, .. }
            | Event::ArtifactStored { task, .. }
            | Event::GateDecided { task, .. }
            | Event::TaskFinished { task, .. } => Some(task),
            Event::RunCreated { .. }
            | Event::RunQueued { .. }
            | Event::RunAdmitted { .. }
            | Event::RunSuspended { .. }
            | Event::RunResumed { .. }
            | Event::CancelRequested { .. }
            | Event::RunFinished { .. } => None,
        }
    }
}

/// The next link of the hash chain of a run's log: what makes a changed, moved or removed event show. The first event follows 32
/// zero bytes. `body` is the event as it is stored.
pub fn chain_link(before: &[u8; 32], seq: u64, at: Timestamp, body: &str) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(before);
    hash.update(seq.to_be_bytes());
    hash.update(at.0.to_be_bytes());
    hash.update(body.as_bytes());
    hash.finalize().into()
}
