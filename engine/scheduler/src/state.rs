//! The run as a pure state machine. `apply` takes an event of the log, `commands` says what should happen now. Neither looks at a
//! clock, a disk or another thread, so the same log always gives the same state.

use crate::status::{IllegalMove, Move, Status};
use orch_core::{
    CancelReason, Event, Failure, FailureKind, Finding, RunId, RunOutcome, StoredArtifact, TaskId, TaskOutcome,
    UpstreamArtifact,
};
use orch_workflow::{ExprError, Plan, PlannedKind, PlannedPlugin, PlannedTask, RunView, Scope, TaskView};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// Something that should happen now.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Start an attempt of a plugin's task.
    Run {
        /// Index of the task in the plan.
        task: usize,
        /// Its rendered input, as JSON text.
        input: String,
        /// Artifacts of the tasks that it needs.
        upstream: Vec<UpstreamArtifact>,
    },
    /// Let a gate decide.
    Decide {
        /// Index of the task in the plan.
        task: usize,
    },
    /// End a task that never begins.
    Settle {
        /// Index of the task in the plan.
        task: usize,
        /// How it ends.
        outcome: TaskOutcome,
        /// Why.
        reason: String,
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

struct TaskState {
    status: Status,
    /// Needs that are not done yet.
    open_needs: usize,
    dependants: Vec<usize>,
    outputs: Value,
    findings: Vec<Finding>,
    artifacts: Vec<StoredArtifact>,
}

/// A run, folded from its log.
pub struct RunState {
    run: RunId,
    plan: Arc<Plan>,
    index: HashMap<TaskId, usize>,
    tasks: Vec<TaskState>,
    /// Tasks whose needs are all done and that have not begun, in the order of the plan.
    ready: BTreeSet<usize>,
    running: usize,
    done: usize,
    cancel: Option<CancelReason>,
    created: bool,
    finished: Option<RunOutcome>,
}

impl RunState {
    /// A run that has no event yet.
    pub fn new(run: RunId, plan: Arc<Plan>) -> RunState {
        let index: HashMap<TaskId, usize> =
            plan.tasks().iter().enumerate().map(|(index, task)| (task.id.clone(), index)).collect();
        let mut tasks: Vec<TaskState> = plan
            .tasks()
            .iter()
            .map(|task| TaskState {
                status: Status::Waiting,
                open_needs: task.needs.len(),
                dependants: Vec::new(),
                outputs: Value::Null,
                findings: Vec::new(),
                artifacts: Vec::new(),
            })
            .collect();
        for (dependant, task) in plan.tasks().iter().enumerate() {
            for need in task.needs.iter().filter_map(|need| index.get(need)) {
                tasks[*need].dependants.push(dependant);
            }
        }
        let ready = (0..tasks.len()).filter(|task| tasks[*task].open_needs == 0).collect();
        let (running, done, cancel, created, finished) = (0, 0, None, false, None);
        RunState { run, plan, index, tasks, ready, running, done, cancel, created, finished }
    }

    /// How the run ended, if it did.
    pub fn finished(&self) -> Option<RunOutcome> {
        self.finished
    }

    /// Where a task stands.
    pub fn status(&self, task: usize) -> Status {
        self.tasks[task].status
    }

    /// What the run was asked to stop for.
    pub fn cancel(&self) -> Option<CancelReason> {
        self.cancel
    }

    /// Tasks that run now.
    pub fn running(&self) -> usize {
        self.running
    }

    /// Findings of the tasks that a gate needs.
    pub fn findings(&self, gate: usize) -> BTreeMap<TaskId, Vec<Finding>> {
        let needs = self.plan.tasks()[gate].needs.iter();
        needs.filter_map(|need| Some((need.clone(), self.tasks[*self.index.get(need)?].findings.clone()))).collect()
    }

    /// Takes an event.
    ///
    /// # Errors
    /// When it cannot follow what is there.
    pub fn apply(&mut self, event: &Event) -> Result<(), IllegalMove> {
        if self.finished.is_some() || self.created == matches!(event, Event::RunCreated { .. }) {
            let status = if self.finished.is_some() {
                "over"
            } else if self.created {
                "under way"
            } else {
                "not created"
            };
            return Err(IllegalMove { subject: "run".into(), status: status.into(), what: event.word().into() });
        }
        match event {
            Event::RunCreated { .. } => self.created = true,
            Event::TaskStarted { task, attempt } => {
                let task = self.step(task, event, Move::Start { attempt: *attempt })?;
                self.ready.remove(&task);
                self.running += 1;
            }
            Event::TaskLog { task, .. }
            | Event::TaskProgress { task, .. }
            | Event::TaskRefused { task, .. }
            | Event::GateDecided { task, .. } => {
                self.step(task, event, Move::Tell)?;
            }
            Event::TaskFindings { task, findings } => {
                let task = self.step(task, event, Move::Tell)?;
                self.tasks[task].findings.extend_from_slice(findings);
            }
            Event::ArtifactStored { task, artifact } => {
                let task = self.step(task, event, Move::Tell)?;
                self.tasks[task].artifacts.push(artifact.clone());
            }
            Event::TaskFinished { task, outcome, output, tolerated, .. } => {
                let was = self.find(task, event).map(|task| self.tasks[task].status)?;
                let task = self.step(task, event, Move::Finish { outcome: *outcome, tolerated: *tolerated })?;
                self.running -= usize::from(was != Status::Waiting);
                self.done += 1;
                self.ready.remove(&task);
                self.tasks[task].outputs = output.clone().unwrap_or(Value::Null);
                for dependant in std::mem::take(&mut self.tasks[task].dependants) {
                    self.tasks[dependant].open_needs -= 1;
                    if self.tasks[dependant].open_needs == 0 && self.tasks[dependant].status == Status::Waiting {
                        self.ready.insert(dependant);
                    }
                }
            }
            Event::CancelRequested { reason } => self.cancel = self.cancel.max(Some(*reason)),
            Event::RunFinished { outcome, .. } => {
                if self.done < self.tasks.len() {
                    let status = format!("at {} of {} tasks", self.done, self.tasks.len());
                    return Err(IllegalMove { subject: "run".into(), status, what: event.word().into() });
                }
                self.finished = Some(*outcome);
            }
        }
        Ok(())
    }

    fn find(&self, task: &TaskId, event: &Event) -> Result<usize, IllegalMove> {
        self.index.get(task).copied().ok_or_else(|| IllegalMove {
            subject: format!("task {task}"),
            status: "not in the plan".into(),
            what: event.word().into(),
        })
    }

    fn step(&mut self, task: &TaskId, event: &Event, step: Move) -> Result<usize, IllegalMove> {
        let index = self.find(task, event)?;
        let status = self.tasks[index].status;
        self.tasks[index].status = status.next(step).ok_or_else(|| IllegalMove {
            subject: format!("task {task}"),
            status: status.words(),
            what: event.word().into(),
        })?;
        Ok(index)
    }

    /// The next thing to do with at most `jobs` tasks at once; `None` when something must happen first. Its event has to be
    /// applied before the next call.
    pub fn command(&self, jobs: usize) -> Option<Command> {
        if !self.created || self.finished.is_some() {
            return None;
        }
        if self.done == self.tasks.len() {
            return Some(self.finish());
        }
        let task = *self.ready.first()?;
        if self.cancel.is_some() {
            let reason = "the run was asked to stop before it began".to_owned();
            return Some(Command::Settle { task, outcome: TaskOutcome::Cancelled, reason, failure: None });
        }
        let planned = &self.plan.tasks()[task];
        if let Some(settled) = self.settled(task, planned) {
            return Some(settled);
        }
        if self.running >= jobs.max(1) {
            return None;
        }
        Some(match &planned.kind {
            PlannedKind::Gate(_) => Command::Decide { task },
            PlannedKind::Plugin(plugin) => match self.input(planned, plugin) {
                Ok(input) => Command::Run { task, input: input.to_string(), upstream: self.upstream(planned) },
                Err(error) => broken(task, format!("`with` cannot be filled in: {error}")),
            },
        })
    }

    /// Whether a ready task ends without beginning.
    fn settled(&self, task: usize, planned: &PlannedTask) -> Option<Command> {
        if !planned.ignores_failed_needs() {
            let satisfied = |need: &&TaskId| {
                self.index.get(*need).is_some_and(|need| match self.tasks[*need].status {
                    Status::Done { outcome, tolerated } => outcome.satisfies_needs() || tolerated,
                    Status::Waiting | Status::Running { .. } => false,
                })
            };
            if let Some(need) = planned.needs.iter().find(|need| !satisfied(need)) {
                let outcome = match self.index.get(need).map(|need| self.tasks[*need].status) {
                    Some(Status::Done { outcome, .. }) => outcome.word(),
                    _ => "not done",
                };
                let reason = format!("`{need}`, which it needs, is {outcome}");
                return Some(Command::Settle { task, outcome: TaskOutcome::Unreachable, reason, failure: None });
            }
        }
        planned.condition.as_ref()?;
        match self.with_scope(planned, |scope| planned.condition_holds(scope)) {
            Ok(true) => None,
            Ok(false) => {
                let reason = "its condition is false".to_owned();
                Some(Command::Settle { task, outcome: TaskOutcome::Skipped, reason, failure: None })
            }
            Err(error) => Some(broken(task, format!("`if` cannot be decided: {error}"))),
        }
    }

    /// Calls `with` with what a task's expressions see.
    pub(crate) fn with_scope<T>(&self, planned: &PlannedTask, with: impl FnOnce(&Scope<'_>) -> T) -> T {
        let mut tasks = BTreeMap::new();
        let mut open: Vec<&TaskId> = planned.needs.iter().collect();
        while let Some(task) = open.pop() {
            if let Some(view) = self.view(task)
                && tasks.insert(task.clone(), view).is_none()
            {
                open.extend(self.plan.tasks()[self.index[task]].needs.iter());
            }
        }
        self.scope(&tasks, &planned.needs, with)
    }

    fn scope<'a, T>(
        &'a self,
        tasks: &'a BTreeMap<TaskId, TaskView<'a>>,
        needs: &'a [TaskId],
        with: impl FnOnce(&Scope<'_>) -> T,
    ) -> T {
        let run = RunView { id: self.run.as_str(), workflow: self.plan.workflow() };
        with(&Scope { inputs: self.plan.inputs(), tasks, run, needs, findings: None })
    }

    fn input(&self, planned: &PlannedTask, plugin: &PlannedPlugin) -> Result<Value, ExprError> {
        match plugin.with.as_literal() {
            // Most inputs hold no expression, and collecting what one could see costs the whole way up the graph.
            Some(literal) => Ok(literal.clone()),
            None => self.with_scope(planned, |scope| planned.input(scope)),
        }
    }

    fn view(&self, task: &TaskId) -> Option<TaskView<'_>> {
        let task = &self.tasks[*self.index.get(task)?];
        match task.status {
            Status::Done { outcome, tolerated } => Some(TaskView { outcome, tolerated, outputs: &task.outputs }),
            Status::Waiting | Status::Running { .. } => None,
        }
    }

    fn upstream(&self, planned: &PlannedTask) -> Vec<UpstreamArtifact> {
        let needs =
            planned.needs.iter().filter_map(|need| self.index.get(need).map(|index| (need, &self.tasks[*index])));
        needs
            .flat_map(|(need, task)| {
                task.artifacts.iter().map(|artifact| UpstreamArtifact {
                    task: need.clone(),
                    name: artifact.name.clone(),
                    digest: artifact.digest,
                })
            })
            .collect()
    }

    fn finish(&self) -> Command {
        let mut outcome = self.outcome();
        let tasks = self.plan.tasks().iter().filter_map(|task| Some((task.id.clone(), self.view(&task.id)?))).collect();
        let outputs = match self.scope(&tasks, &[], |scope| self.plan.render_outputs(scope)) {
            Ok(outputs) => outputs,
            Err(error) => {
                // Outputs of a run that went wrong are often not to be had; of one that went well they are its result.
                if outcome == RunOutcome::Succeeded {
                    outcome = RunOutcome::Errored;
                }
                serde_json::json!({ "error": format!("the outputs cannot be filled in: {error}") })
            }
        };
        Command::Finish { outcome, outputs }
    }

    fn outcome(&self) -> RunOutcome {
        let worst = self.tasks.iter().filter_map(|task| match task.status {
            Status::Done { tolerated: true, .. } | Status::Waiting | Status::Running { .. } => None,
            Status::Done { outcome, .. } => match outcome {
                // The task that made it unreachable counts already.
                TaskOutcome::Succeeded | TaskOutcome::Skipped | TaskOutcome::Unreachable => None,
                TaskOutcome::Blocked => Some(RunOutcome::Blocked),
                TaskOutcome::Failed => Some(RunOutcome::Failed),
                TaskOutcome::TimedOut => Some(RunOutcome::TimedOut),
                TaskOutcome::Errored => Some(RunOutcome::Errored),
                TaskOutcome::Cancelled => Some(RunOutcome::Cancelled),
            },
        });
        match self.cancel {
            Some(CancelReason::RunTimeout) => RunOutcome::TimedOut,
            Some(CancelReason::Requested) => RunOutcome::Cancelled,
            Some(CancelReason::LogLost) => RunOutcome::Errored,
            None => worst.max().unwrap_or(RunOutcome::Succeeded),
        }
    }
}

fn broken(task: usize, message: String) -> Command {
    let failure = Failure::new(FailureKind::Expression, message.clone());
    Command::Settle { task, outcome: TaskOutcome::Errored, reason: message, failure: Some(failure) }
}
