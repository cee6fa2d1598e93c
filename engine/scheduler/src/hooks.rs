//! What a workflow does when its own tasks are over: takes back what was done, then `on-failure`, then `finally`; one at a time.

use crate::state::{Items, StepRef, StepState, TaskState, wants, worst};
use crate::status::Status;
use orch_core::{CancelReason, Hook, RunOutcome};
use orch_workflow::Plan;
use std::collections::VecDeque;

/// The steps that run after the workflow's own tasks.
#[derive(Debug, Default)]
pub(crate) struct Hooks {
    /// Steps that succeeded and can be taken back, in the order of their ends.
    completed: Vec<StepRef>,
    /// How the workflow's own tasks came out; `None` while they run.
    outcome: Option<RunOutcome>,
    queue: VecDeque<StepRef>,
    ends: Vec<Status>,
    cancel: Option<CancelReason>,
}

impl Hooks {
    pub(crate) fn completed(&mut self, step: StepRef) {
        self.completed.push(step);
    }

    /// The workflow's own tasks are over. What runs now follows from the log up to here and from nothing that comes later.
    pub(crate) fn begin(
        &mut self,
        plan: &Plan,
        tasks: &mut [TaskState],
        outcome: RunOutcome,
        undo_wanted: bool,
        admitted: bool,
    ) {
        self.outcome = Some(outcome);
        if !admitted {
            // A run that never had a place in its concurrency group has done nothing, and may not begin now.
            return;
        }
        if wants(Hook::Undo, outcome, undo_wanted) {
            for done in std::mem::take(&mut self.completed).into_iter().rev() {
                let Some(undo) = tasks.iter().position(|task| task.undoes == Some(done.task)) else { continue };
                if let (Some(items), None) = (&tasks[done.task].items, &tasks[undo].items) {
                    let values = items.values.clone();
                    let steps = vec![StepState::new(); values.len()];
                    tasks[undo].items = Some(Items { values, steps, next: 0, under_way: 0, doomed: false });
                }
                self.queue.push_back(StepRef { task: undo, item: done.item });
            }
        }
        for hook in [Hook::OnFailure, Hook::Finally] {
            let of_kind = plan.tasks().iter().enumerate().filter(|(_, task)| task.hook == Some(hook));
            if wants(hook, outcome, undo_wanted) {
                self.queue.extend(of_kind.map(|(task, _)| StepRef { task, item: None }));
            }
        }
    }

    /// Whether the workflow's own tasks are over.
    pub(crate) fn begun(&self) -> bool {
        self.outcome.is_some()
    }

    /// Whether everything is over.
    pub(crate) fn over(&self) -> bool {
        self.begun() && self.queue.is_empty()
    }

    /// How the workflow's own tasks came out.
    pub(crate) fn outcome(&self) -> Option<RunOutcome> {
        self.outcome
    }

    /// The step whose turn it is.
    pub(crate) fn front(&self) -> Option<StepRef> {
        self.queue.front().copied()
    }

    pub(crate) fn ended(&mut self, status: Status) {
        self.queue.pop_front();
        self.ends.push(status);
    }

    pub(crate) fn stop(&mut self, reason: CancelReason) {
        self.cancel = self.cancel.max(Some(reason));
    }

    pub(crate) fn cancel(&self) -> Option<CancelReason> {
        self.cancel
    }

    /// How the whole run came out.
    pub(crate) fn run_outcome(&self) -> RunOutcome {
        let own = self.outcome.unwrap_or(RunOutcome::Succeeded);
        let cancelled = self.cancel.map(|_| RunOutcome::Cancelled);
        own.max(worst(self.ends.iter().copied())).max(cancelled.unwrap_or(RunOutcome::Succeeded))
    }
}
