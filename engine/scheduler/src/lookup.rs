//! What the expressions of a step see: the inputs of its file, the tasks beside it, what it runs for.

use crate::state::{RunState, StepRef};
use crate::status::Status;
use orch_core::{Finding, TaskId};
use orch_workflow::{Each, EachView, RunView, Scope, Strategy, TaskLookup, TaskView};
use serde_json::Value;
use std::collections::BTreeMap;

/// The tasks of one file.
struct Beside<'a> {
    state: &'a RunState,
    /// The task that holds the file; `None` for the workflow itself.
    parent: Option<&'a TaskId>,
    /// The item that is taken back: it stands for its whole task.
    own: Option<(usize, u32)>,
}

impl TaskLookup for Beside<'_> {
    fn task(&self, name: &str) -> Option<TaskView<'_>> {
        let task = match self.parent {
            None => *self.state.index.get(name)?,
            Some(parent) => *self.state.index.get(parent.join(name).as_str())?,
        };
        match self.own {
            Some((own, item)) if own == task => self.state.view(StepRef { task, item: Some(item) }),
            _ => self.state.view(StepRef { task, item: None }),
        }
    }
}

pub(crate) fn each_view<'a>(
    strategy: Option<&'a Strategy>,
    values: Option<&'a [Value]>,
    item: Option<u32>,
) -> EachView<'a> {
    let value = item.and_then(|item| Some((item, values?.get(item as usize)?)));
    match (strategy.map(|strategy| &strategy.each), value) {
        (Some(Each::Matrix(_)), Some((_, value))) => EachView::Matrix(value),
        (Some(Each::Items(_)), Some((index, value))) => EachView::Item { value, index },
        _ => EachView::Once,
    }
}

impl RunState {
    /// Calls `with` with what the expressions of a step see.
    pub(crate) fn with_scope<T>(&self, step: StepRef, with: impl FnOnce(&Scope<'_>) -> T) -> T {
        let planned = &self.plan.tasks()[step.task];
        let state = &self.tasks[step.task];
        let own = state.undoes.zip(step.item);
        let tasks = Beside { state: self, parent: planned.parent.as_ref(), own };
        let outcome = planned.hook.and_then(|_| self.hooks.outcome());
        let run = RunView { id: self.run.as_str(), workflow: self.plan.workflow(), outcome };
        let each = self.each(step);
        with(&Scope {
            inputs: self.inputs(state.parent),
            tasks: &tasks,
            run,
            needs: &planned.needs,
            each,
            findings: None,
        })
    }

    /// As [`Self::with_scope`], for what belongs to the file that a task holds.
    pub(crate) fn inside<T>(&self, task: usize, with: impl FnOnce(&Scope<'_>) -> T) -> T {
        let tasks = Beside { state: self, parent: Some(&self.plan.tasks()[task].id), own: None };
        let run = RunView { id: self.run.as_str(), workflow: self.plan.workflow(), outcome: None };
        let inputs = self.inputs(Some(task));
        with(&Scope { inputs, tasks: &tasks, run, needs: &[], each: EachView::Once, findings: None })
    }

    /// As [`Self::with_scope`], for the workflow's own outputs.
    pub(crate) fn at_end<T>(&self, with: impl FnOnce(&Scope<'_>) -> T) -> T {
        let tasks = Beside { state: self, parent: None, own: None };
        let run = RunView { id: self.run.as_str(), workflow: self.plan.workflow(), outcome: self.hooks.outcome() };
        with(&Scope {
            inputs: self.plan.inputs(),
            tasks: &tasks,
            run,
            needs: &[],
            each: EachView::Once,
            findings: None,
        })
    }

    fn inputs(&self, parent: Option<usize>) -> &Value {
        parent.map_or(self.plan.inputs(), |parent| &self.tasks[parent].inputs)
    }

    fn view(&self, step: StepRef) -> Option<TaskView<'_>> {
        let step = self.step(step);
        match step.status {
            Status::Done { outcome, tolerated } => Some(TaskView { outcome, tolerated, outputs: &step.outputs }),
            _ => None,
        }
    }

    /// Findings of some tasks, and of those inside of them.
    pub(crate) fn findings(&self, needs: &[TaskId]) -> BTreeMap<TaskId, Vec<Finding>> {
        let mut found: BTreeMap<TaskId, Vec<Finding>> = BTreeMap::new();
        for (planned, state) in self.plan.tasks().iter().zip(&self.tasks) {
            let within = |need: &TaskId| planned.id == *need || planned.id.as_str().starts_with(need.join("").as_str());
            if planned.hook.is_none() && needs.iter().any(within) {
                found.insert(planned.id.clone(), state.findings.clone());
            }
        }
        found
    }
}
