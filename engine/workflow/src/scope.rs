//! What expressions see when a run evaluates them.

use crate::findings::FindingsTable;
use orch_core::{RunOutcome, TaskId, TaskOutcome};
use serde_json::Value;
use std::collections::BTreeMap;

/// A task that has ended.
#[derive(Debug, Clone, Copy)]
pub struct TaskView<'a> {
    /// How it ended.
    pub outcome: TaskOutcome,
    /// Whether the workflow says to go on whatever the outcome (`continue-on-error`).
    pub tolerated: bool,
    /// What it gave; `null` when it gave nothing.
    pub outputs: &'a Value,
}

impl TaskView<'_> {
    /// Whether tasks that need this one may run.
    pub fn satisfies_needs(&self) -> bool {
        self.outcome.satisfies_needs() || self.tolerated
    }
}

/// The run.
#[derive(Debug, Clone, Copy, Default)]
pub struct RunView<'a> {
    /// Its id.
    pub id: &'a str,
    /// The workflow's name.
    pub workflow: &'a str,
    /// How its tasks came out: known to what runs after them.
    pub outcome: Option<RunOutcome>,
}

/// Finds tasks that have ended by the names that expressions use: those of the same file. Which names an expression may use at
/// all was checked before the run, so a lookup need not know who asks.
pub trait TaskLookup {
    /// The task, if it has ended.
    fn task(&self, name: &str) -> Option<TaskView<'_>>;
}

impl TaskLookup for BTreeMap<TaskId, TaskView<'_>> {
    fn task(&self, name: &str) -> Option<TaskView<'_>> {
        self.get(name).copied()
    }
}

/// What a task that runs for each of several sees of the one that it runs for.
#[derive(Debug, Clone, Copy, Default)]
pub enum EachView<'a> {
    /// It runs once.
    #[default]
    Once,
    /// A combination of its matrix, an object.
    Matrix(&'a Value),
    /// An item of its list.
    Item {
        /// The item.
        value: &'a Value,
        /// Its place, from 0.
        index: u32,
    },
}

/// Everything that an expression may look at.
#[derive(Clone, Copy)]
pub struct Scope<'a> {
    /// The workflow's resolved inputs, an object.
    pub inputs: &'a Value,
    /// Tasks that have ended; at least all that the evaluated one needs, directly or through others.
    pub tasks: &'a dyn TaskLookup,
    /// The run.
    pub run: RunView<'a>,
    /// The direct needs of the evaluated task.
    pub needs: &'a [TaskId],
    /// What it runs for.
    pub each: EachView<'a>,
    /// Counted findings; [`crate::PlannedGate::decide`] fills this in itself.
    pub findings: Option<&'a FindingsTable>,
}

impl Scope<'_> {
    /// `success()`: every direct need succeeded, was skipped by its condition, or may fail.
    pub fn needs_succeeded(&self) -> bool {
        self.needs.iter().all(|need| self.tasks.task(need.name()).is_some_and(|task| task.satisfies_needs()))
    }

    /// `failure()`: a direct need failed, broke, was blocked, timed out or could not start because of such a task. A cancelled
    /// need is neither a success nor a failure, and one with `continue-on-error` is no failure.
    pub fn a_need_failed(&self) -> bool {
        let failed = |outcome| {
            use TaskOutcome::{Blocked, Errored, Failed, Rejected, TimedOut, Unreachable};
            matches!(outcome, Failed | Blocked | Rejected | Errored | TimedOut | Unreachable)
        };
        let mut needs = self.needs.iter().filter_map(|need| self.tasks.task(need.name()));
        needs.any(|task| failed(task.outcome) && !task.tolerated)
    }
}
