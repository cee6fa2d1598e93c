//! One attempt of one task: what goes to a [`TaskRunner`](crate::TaskRunner) and what comes back.

use crate::{
    ArtifactName, Digest, Effective, Failure, Finding, Limits, PluginName, PluginTaskName, RunId, Size, StepId, TaskId,
};
use serde::{Deserialize, Serialize};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// A future on the heap that may move between threads.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Why something is asked to stop. Later ones are stronger; a reason only rises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CancelReason {
    /// Another item of the same task failed, and the workflow says `fail-fast`.
    FailFast,
    /// The task's own time, over all attempts, is up.
    TaskTimeout,
    /// Another run of the same concurrency group takes its place.
    Conflict,
    /// The run's own `timeout` is over.
    RunTimeout,
    /// A person or a signal asked.
    Requested,
    /// The run log cannot be written any more, so nothing may go on.
    LogLost,
}

/// Which task of which plugin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginTask {
    /// `namespace/name`
    pub name: PluginName,
    /// Its version.
    pub version: semver::Version,
    /// The component: the unit of trust.
    pub digest: Digest,
    /// The task inside the plugin.
    pub task: PluginTaskName,
}

/// One attempt of one task.
pub struct Attempt {
    /// The run.
    pub run: RunId,
    /// The task, or the item of it.
    pub task: StepId,
    /// 1 for the first.
    pub number: u32,
    /// The workflow's name.
    pub workflow: Arc<str>,
    /// Whether nothing outside may change.
    pub dry_run: bool,
    /// What runs.
    pub plugin: Arc<PluginTask>,
    /// JSON text.
    pub input: String,
    /// What it may do.
    pub grants: Arc<Effective>,
    /// What it may use up.
    pub limits: Arc<Limits>,
    /// How long it may take.
    pub timeout: Duration,
    /// Artifacts of the tasks that it needs, seen below `/artifacts/<task>/`.
    pub upstream: Vec<UpstreamArtifact>,
    /// What the tasks that it needs found, if it may see that: at `/artifacts/<task>/.findings.json`, a name that no artifact has.
    pub findings: Vec<(TaskId, Vec<Finding>)>,
    /// Resolves when the attempt shall stop.
    pub cancel: BoxFuture<CancelReason>,
}

impl Attempt {
    /// The same for every attempt of the same task of the same run.
    pub fn idempotency_key(&self) -> String {
        format!("{}/{}", self.run, self.task)
    }
}

/// An artifact that a task may read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamArtifact {
    /// The task that stored it. Seen below its name, and its item's number if it has one.
    pub task: StepId,
    /// Its name.
    pub name: ArtifactName,
    /// Its content.
    pub digest: Digest,
}

/// An artifact that a task stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredArtifact {
    /// Its name.
    pub name: ArtifactName,
    /// What the task says it is.
    pub media_type: String,
    /// Its content.
    pub digest: Digest,
    /// Its length.
    pub bytes: u64,
}

/// What an attempt used.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// From its start to its end.
    #[serde(default)]
    pub wall_ms: u64,
    /// The most linear memory it had.
    #[serde(default)]
    pub memory: Size,
    /// Grants that were used, as in `fs source read`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub used: Vec<String>,
    /// Bytes of log that were cut away.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub log_cut: u64,
    /// The plugin was shown the value of a secret: what it gave back may be made of it, and is never used again by another run.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tainted: bool,
}

impl Usage {
    /// With what another attempt of the same task used.
    pub fn add(&mut self, other: &Usage) {
        let Usage { wall_ms, memory, used, log_cut, tainted } = other;
        self.wall_ms += wall_ms;
        self.memory = self.memory.max(*memory);
        self.log_cut += log_cut;
        self.tainted |= tainted;
        let new: Vec<_> = used.iter().filter(|rule| !self.used.contains(rule)).cloned().collect();
        self.used.extend(new);
    }
}

fn is_zero(value: &u64) -> bool {
    *value == 0
}

/// What came of an attempt.
#[derive(Debug, Clone, PartialEq)]
pub struct AttemptResult {
    /// The output, why there was nothing to do, or what broke.
    pub result: Result<AttemptOutput, Failure>,
    /// What it used.
    pub usage: Usage,
}

/// What an attempt gave when nothing broke.
#[derive(Debug, Clone, PartialEq)]
pub enum AttemptOutput {
    /// It did its work.
    Succeeded(serde_json::Value),
    /// It ran well, and its answer is no.
    Rejected(serde_json::Value),
    /// There was nothing to do.
    Skipped(String),
}
