//! What should happen now: the second half of the state machine.

use crate::lookup::each_view;
use crate::state::{RunState, StepRef, as_task, worst};
use crate::status::Status;
use orch_core::{
    CancelReason, Failure, FailureKind, Finding, RunOutcome, StepId, TaskId, TaskOutcome, Timestamp, UpstreamArtifact,
};
use orch_workflow::{Each, EachView, ExprError, PlannedKind, PlannedTask};
use serde_json::{Value, json};

/// More items would fill the memory with what nobody can look at.
const MOST_ITEMS: usize = 100_000;

/// Something that should happen now. Its event has to be applied before the next one is asked for.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Start an attempt of a plugin's task.
    Run {
        /// Which step.
        step: StepRef,
        /// 1 for the first.
        attempt: u32,
        /// Its rendered input, as JSON text.
        input: String,
        /// Artifacts of the tasks that it needs.
        upstream: Vec<UpstreamArtifact>,
        findings: Vec<(TaskId, Vec<Finding>)>,
    },
    /// The items of a task are known.
    Expand {
        /// Index of the task in the plan.
        task: usize,
        /// The items.
        items: Vec<Value>,
    },
    /// Let a gate decide.
    Decide {
        /// Index of the task in the plan.
        task: usize,
        /// 1, unless a process died in the midst of it.
        attempt: u32,
    },
    /// Ask people.
    Ask {
        /// Index of the task in the plan.
        task: usize,
        /// What they are asked.
        prompt: String,
    },
    /// Begin the tasks of another file.
    Enter {
        /// Index of the task in the plan.
        task: usize,
        /// 1, unless a process died in the midst of it.
        attempt: u32,
        /// The inputs of that file.
        inputs: Value,
    },
    /// End a step without running anything.
    Settle {
        /// Which step.
        step: StepRef,
        /// How it ends.
        outcome: TaskOutcome,
        /// Its outputs.
        output: Option<Value>,
        /// Why.
        reason: Option<String>,
        /// What broke, for `errored`.
        failure: Option<Failure>,
    },
    /// End the run.
    Finish {
        /// How it ends.
        outcome: RunOutcome,
        /// The workflow's outputs.
        outputs: Value,
    },
}

impl RunState {
    /// The next thing to do at a time, with at most `jobs` attempts at once; `None` when something must happen first.
    pub fn command(&mut self, now: Timestamp, jobs: usize) -> Option<Command> {
        if !self.is_live() || (!self.admitted && self.cancel.is_none()) {
            return None;
        }
        while let Some((_, step)) = self.deadlines.first().copied().filter(|(due, _)| *due <= now) {
            self.deadlines.pop_first();
            self.time_is_up(step);
        }
        if let Some((step, reason)) = self.doomed.first_key_value() {
            return Some(self.stopped(*step, *reason));
        }
        if let Some(step) = self.told.first().copied()
            && let Status::Answered { outcome } = self.step(step).status
        {
            let reason = Some("a person said so".to_owned());
            return Some(Command::Settle { step, outcome, output: None, reason, failure: None });
        }
        if let Some(task) = self.closing.first() {
            return Some(self.close(*task));
        }
        if self.hooks.over() {
            return Some(self.finish());
        }
        let slot = self.under_way.len() < jobs.max(1);
        if slot {
            let due = self.retries.first().filter(|(due, _)| *due <= now).map(|(_, step)| *step);
            if let Some(step) = self.again.first().copied().or(due) {
                return Some(self.start(step));
            }
        }
        match self.hooks.front() {
            Some(step) => self.begin(step, slot),
            None => {
                let (ready, open) = (self.ready.first().copied(), self.open.first().copied());
                match (ready, open) {
                    (Some(task), open) if open.is_none_or(|open| task < open) => {
                        self.begin(StepRef { task, item: None }, slot)
                    }
                    (_, Some(task)) if slot => {
                        let next = self.tasks[task].items.as_ref().map_or(0, |items| items.next);
                        Some(self.start(StepRef { task, item: u32::try_from(next).ok() }))
                    }
                    _ => None,
                }
            }
        }
    }

    /// A step that has not begun and whose turn it is.
    fn begin(&self, step: StepRef, slot: bool) -> Option<Command> {
        if self.step(step).status != Status::Waiting {
            return None;
        }
        if let Some(reason) = self.stop_reason(step) {
            return Some(self.stopped(step, reason));
        }
        let planned = &self.plan.tasks()[step.task];
        if let Some(settled) = self.settled(step, planned) {
            return Some(settled);
        }
        match &planned.kind {
            PlannedKind::Plugin(_) if planned.strategy.is_some() && step.item.is_none() => Some(self.items(step)),
            PlannedKind::Plugin(_) => slot.then(|| self.start(step)),
            PlannedKind::Gate(_) => Some(Command::Decide { task: step.task, attempt: 1 }),
            PlannedKind::Approval(approval) => Some(match self.with_scope(step, |scope| approval.prompt(scope)) {
                Ok(prompt) => Command::Ask { task: step.task, prompt },
                Err(error) => broken(step, format!("`prompt` cannot be filled in: {error}")),
            }),
            PlannedKind::Workflow(_) => Some(self.start(step)),
        }
    }

    /// The next attempt of a step.
    fn start(&self, step: StepRef) -> Command {
        let planned = &self.plan.tasks()[step.task];
        let attempt = match self.step(step).status {
            Status::Backoff { next, .. } | Status::Again { next } => next,
            _ => 1,
        };
        let unfilled = |error: ExprError| broken(step, format!("`with` cannot be filled in: {error}"));
        if let PlannedKind::Workflow(nested) = &planned.kind {
            let inputs = self.with_scope(step, |scope| nested.inputs(scope));
            return inputs.map_or_else(unfilled, |inputs| Command::Enter { task: step.task, attempt, inputs });
        }
        if matches!(planned.kind, PlannedKind::Gate(_)) {
            return Command::Decide { task: step.task, attempt };
        }
        match self.input(step, planned) {
            Ok(input) => Command::Run {
                step,
                attempt,
                input: input.to_string(),
                upstream: self.upstream(planned),
                findings: self.found_before(planned),
            },
            Err(error) => unfilled(error),
        }
    }

    /// Whether a step ends without beginning.
    fn settled(&self, step: StepRef, planned: &PlannedTask) -> Option<Command> {
        let settle = |outcome, reason| {
            Some(Command::Settle { step, outcome, output: None, reason: Some(reason), failure: None })
        };
        if planned.hook.is_none() && !planned.ignores_failed_needs() {
            let status = |need: &orch_core::TaskId| self.index.get(need).map(|need| self.tasks[*need].step.status);
            let unsatisfied = planned.needs.iter().find_map(|need| match status(need) {
                Some(Status::Done { outcome, tolerated }) if outcome.satisfies_needs() || tolerated => None,
                Some(Status::Done { outcome, .. }) => Some((need, outcome.word())),
                _ => Some((need, "not done")),
            });
            if let Some((need, outcome)) = unsatisfied {
                return settle(TaskOutcome::Unreachable, format!("`{need}`, which it needs, is {outcome}"));
            }
        }
        planned.condition.as_ref()?;
        match self.with_scope(step, |scope| planned.condition_holds(scope)) {
            Ok(true) => None,
            Ok(false) => settle(TaskOutcome::Skipped, "its condition is false".to_owned()),
            Err(error) => Some(broken(step, format!("`if` cannot be decided: {error}"))),
        }
    }

    fn items(&self, step: StepRef) -> Command {
        let strategy = self.plan.tasks()[step.task].strategy.as_ref();
        let items = match strategy.map(|strategy| &strategy.each) {
            None => Vec::new(),
            Some(Each::Matrix(combinations)) => combinations.clone(),
            Some(Each::Items(template)) => match self.with_scope(step, |scope| template.render(scope, None)) {
                Ok(Value::Array(items)) => items,
                Ok(other) => {
                    let other = orch_core::visible(&other.to_string()).into_owned();
                    let other = orch_core::shorten(&other, 80);
                    return broken(step, format!("`for-each` runs over a list, and this is `{other}`"));
                }
                Err(error) => return broken(step, format!("`for-each` cannot be filled in: {error}")),
            },
        };
        if items.len() > MOST_ITEMS {
            return broken(step, format!("`for-each` has {} items, at most {MOST_ITEMS} are allowed", items.len()));
        }
        Command::Expand { task: step.task, items }
    }

    /// A step that is asked to stop and is not running.
    fn stopped(&self, step: StepRef, reason: CancelReason) -> Command {
        let asked = self.step(step).status == Status::Asking;
        let (outcome, words) = match reason {
            CancelReason::TaskTimeout if asked => (TaskOutcome::Rejected, "nobody answered in time"),
            CancelReason::TaskTimeout if self.step(step).began.is_some() => (TaskOutcome::TimedOut, "its time is up"),
            CancelReason::TaskTimeout => {
                (TaskOutcome::Cancelled, "the time of the task that holds it was up before it began")
            }
            CancelReason::Conflict => (TaskOutcome::Cancelled, "there was no place in the concurrency group"),
            CancelReason::FailFast => (TaskOutcome::Cancelled, "another item failed"),
            _ if self.step(step).began.is_some() => (TaskOutcome::Cancelled, "the run was asked to stop"),
            _ => (TaskOutcome::Cancelled, "the run was asked to stop before it began"),
        };
        Command::Settle { step, outcome, output: None, reason: Some(words.to_owned()), failure: None }
    }

    /// The end of a task whose parts are over, or whose answers decide.
    fn close(&self, task: usize) -> Command {
        let step = StepRef { task, item: None };
        let planned = &self.plan.tasks()[task];
        let state = &self.tasks[task];
        let settle =
            |outcome, output, reason: Option<String>| Command::Settle { step, outcome, output, reason, failure: None };
        if let Some(outcome) = self.verdict(task) {
            let by: Vec<Value> = state.answers.iter().map(|(by, _)| by.name.as_str().into()).collect();
            return settle(outcome, Some(json!({ "by": by })), None);
        }
        if let Some(items) = &state.items {
            let outcome = match worst(items.steps.iter().map(|item| item.status)) {
                // Items that never began because the run stopped have no ends of their own.
                RunOutcome::Succeeded if items.next < items.steps.len() => TaskOutcome::Cancelled,
                outcome => as_task(outcome),
            };
            let outputs = items.steps.iter().map(|item| item.outputs.clone()).collect();
            let good = items
                .steps
                .iter()
                .filter(|item| matches!(item.status, Status::Done { outcome, .. } if outcome.satisfies_needs()));
            let reason = format!("{} of {} items are well", good.count(), items.steps.len());
            return settle(outcome, Some(Value::Array(outputs)), (outcome != TaskOutcome::Succeeded).then_some(reason));
        }
        let outcome = as_task(worst(state.children.iter().map(|child| self.tasks[*child].step.status)));
        let outcome = if state.late && outcome != TaskOutcome::Succeeded { TaskOutcome::TimedOut } else { outcome };
        let PlannedKind::Workflow(nested) = &planned.kind else { return settle(outcome, None, None) };
        match self.inside(task, |scope| nested.outputs(scope)) {
            Ok(outputs) => settle(outcome, Some(outputs), None),
            Err(error) if outcome == TaskOutcome::Succeeded => {
                broken(step, format!("`outputs` cannot be filled in: {error}"))
            }
            // Outputs of what went wrong are often not to be had.
            Err(_) => settle(outcome, None, None),
        }
    }

    fn input(&self, step: StepRef, planned: &PlannedTask) -> Result<Value, ExprError> {
        match &planned.kind {
            // Most inputs hold no expression.
            PlannedKind::Plugin(plugin) if plugin.with.as_literal().is_some() => {
                Ok(plugin.with.as_literal().cloned().unwrap_or_default())
            }
            _ => self.with_scope(step, |scope| planned.input(scope)),
        }
    }

    fn upstream(&self, planned: &PlannedTask) -> Vec<UpstreamArtifact> {
        let needs =
            planned.needs.iter().filter_map(|need| self.index.get(need).map(|index| (need, &self.tasks[*index])));
        needs
            .flat_map(|(need, task)| {
                task.artifacts.iter().map(|(item, artifact)| UpstreamArtifact {
                    task: StepId { task: need.clone(), item: *item },
                    name: artifact.name.clone(),
                    digest: artifact.digest,
                })
            })
            .collect()
    }

    /// What the tasks that it needs found, for a plugin that may see it. What runs at the end of a run needs all of it.
    fn found_before(&self, planned: &PlannedTask) -> Vec<(TaskId, Vec<Finding>)> {
        let PlannedKind::Plugin(plugin) = &planned.kind else { return Vec::new() };
        if !self.plan.terms(plugin).grants.findings {
            return Vec::new();
        }
        let needs: Vec<TaskId> = match planned.hook {
            None => planned.needs.clone(),
            Some(_) => {
                let all = self.plan.tasks().iter().filter(|task| task.hook.is_none() && task.parent.is_none());
                all.map(|task| task.id.clone()).collect()
            }
        };
        let found = self.findings(&needs);
        let of = |need: &TaskId| (need.clone(), orch_workflow::found_by(&found, need).cloned().collect());
        needs.iter().map(of).collect()
    }

    fn finish(&self) -> Command {
        let mut outcome = self.hooks.run_outcome();
        let outputs = match self.at_end(|scope| self.plan.render_outputs(scope)) {
            Ok(outputs) => outputs,
            Err(error) => {
                // Outputs of a run that went wrong are often not to be had; of one that went well they are its result.
                if outcome == RunOutcome::Succeeded {
                    outcome = RunOutcome::Errored;
                }
                json!({ "error": format!("the outputs cannot be filled in: {error}") })
            }
        };
        Command::Finish { outcome, outputs }
    }

    /// What a step runs for.
    pub(crate) fn each(&self, step: StepRef) -> EachView<'_> {
        let owner = self.tasks[step.task].undoes.unwrap_or(step.task);
        let strategy = self.plan.tasks()[owner].strategy.as_ref();
        let values = self.tasks[owner].items.as_ref().map(|items| items.values.as_slice());
        each_view(strategy, values, step.item)
    }
}

fn broken(step: StepRef, message: String) -> Command {
    let failure = Failure::new(FailureKind::Expression, message.clone());
    Command::Settle { step, outcome: TaskOutcome::Errored, output: None, reason: Some(message), failure: Some(failure) }
}
