//! The run as a pure state machine: what a log says. `apply` takes an event of the log; `commands` says what should happen now.
//! Neither looks at a clock, a disk or another thread, so the same log always gives the same state.

use crate::hooks::Hooks;
use crate::status::{IllegalMove, Move, Status};
use orch_core::{
    Answer, CancelReason, Event, Finding, Hook, Person, RunId, RunOutcome, StepId, StoredArtifact, TaskId, TaskOutcome,
    Timestamp,
};
use orch_workflow::{Plan, PlannedKind, PlannedTask};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

/// A step by its place in the plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StepRef {
    /// Index of the task in the plan.
    pub task: usize,
    /// Which item, if it runs for each of several.
    pub item: Option<u32>,
}

/// A step's own part of the state. There may be very many.
#[derive(Debug, Clone)]
pub(crate) struct StepState {
    pub(crate) status: Status,
    /// Attempts that ended and were followed by another one.
    pub(crate) tries: u32,
    /// Attempts whose process is gone.
    pub(crate) losses: u32,
    /// When the first attempt began.
    pub(crate) began: Option<Timestamp>,
    pub(crate) outputs: Value,
}

impl StepState {
    pub(crate) fn new() -> StepState {
        StepState { status: Status::Waiting, tries: 0, losses: 0, began: None, outputs: Value::Null }
    }
}

/// The items of a task that runs for each of several.
#[derive(Debug)]
pub(crate) struct Items {
    pub(crate) values: Vec<Value>,
    pub(crate) steps: Vec<StepState>,
    /// The first item that has not begun.
    pub(crate) next: usize,
    /// Begun and not over.
    pub(crate) under_way: usize,
    /// Whether one failed and the others shall not go on.
    pub(crate) doomed: bool,
}

#[derive(Debug)]
pub(crate) struct TaskState {
    pub(crate) step: StepState,
    pub(crate) items: Option<Items>,
    /// Needs that are not done yet, and one more while the parent has not been entered.
    pub(crate) open_needs: usize,
    pub(crate) dependants: Vec<usize>,
    pub(crate) parent: Option<usize>,
    /// For a task that holds others: those, and how many are not done.
    pub(crate) children: Vec<usize>,
    pub(crate) open_children: usize,
    /// For a task that holds others: their inputs.
    pub(crate) inputs: Value,
    /// For a task that takes back what another one did: that one.
    pub(crate) undoes: Option<usize>,
    pub(crate) findings: Vec<Finding>,
    pub(crate) artifacts: Vec<(Option<u32>, StoredArtifact)>,
    pub(crate) answers: Vec<(Person, Answer)>,
    pub(crate) expires: Option<Timestamp>,
    /// For a task that holds others: whether it has used up its time.
    pub(crate) late: bool,
}

/// A run, folded from its log.
pub struct RunState {
    pub(crate) run: RunId,
    pub(crate) plan: Arc<Plan>,
    pub(crate) index: HashMap<TaskId, usize>,
    pub(crate) tasks: Vec<TaskState>,
    /// Tasks whose needs are all done and that have not begun, in the order of the plan.
    pub(crate) ready: BTreeSet<usize>,
    /// Tasks with items that may begin.
    pub(crate) open: BTreeSet<usize>,
    /// Steps whose next attempt may begin at once.
    pub(crate) again: BTreeSet<StepRef>,
    /// Steps whose next attempt begins later.
    pub(crate) retries: BTreeSet<(Timestamp, StepRef)>,
    /// Steps, and tasks that hold others, that may not take longer than this.
    pub(crate) deadlines: BTreeSet<(Timestamp, StepRef)>,
    /// Tasks that can be closed, because all that they wait for has happened.
    pub(crate) closing: BTreeSet<usize>,
    /// Steps that are not running and shall end.
    pub(crate) doomed: BTreeMap<StepRef, CancelReason>,
    /// Tasks that wait for people.
    pub(crate) asking: BTreeSet<usize>,
    pub(crate) unknown: BTreeSet<StepRef>,
    /// Steps of which a person said how they ended.
    pub(crate) told: BTreeSet<StepRef>,
    /// Running steps that shall stop; taken by the dispatcher.
    pub(crate) stops: Vec<(StepRef, CancelReason)>,
    pub(crate) under_way: BTreeSet<StepRef>,
    /// The workflow's own tasks that are not done.
    pub(crate) left: usize,
    pub(crate) hooks: Hooks,
    pub(crate) cancel: Option<CancelReason>,
    pub(crate) undo_wanted: bool,
    pub(crate) requester: Option<Person>,
    /// Tasks that no earlier result may stand for.
    pub(crate) fresh: BTreeSet<usize>,
    last_at: Option<Timestamp>,
    active: Duration,
    created: bool,
    pub(crate) admitted: bool,
    finished: Option<RunOutcome>,
}

impl RunState {
    /// A run that has no event yet.
    pub fn new(run: RunId, plan: Arc<Plan>) -> RunState {
        let index: HashMap<TaskId, usize> =
            plan.tasks().iter().enumerate().map(|(index, task)| (task.id.clone(), index)).collect();
        let mut tasks: Vec<TaskState> = plan.tasks().iter().map(|_| TaskState::new()).collect();
        for (number, planned) in plan.tasks().iter().enumerate() {
            if planned.hook.is_none() {
                tasks[number].open_needs = planned.needs.len() + usize::from(planned.parent.is_some());
                for need in planned.needs.iter().filter_map(|need| index.get(need)) {
                    tasks[*need].dependants.push(number);
                }
            }
            if let Some(undo) = planned.undo.as_ref().and_then(|undo| index.get(undo)) {
                tasks[*undo].undoes = Some(number);
            }
            tasks[number].parent = planned.parent.as_ref().and_then(|parent| index.get(parent)).copied();
            if let (Some(parent), None) = (tasks[number].parent, planned.hook) {
                tasks[parent].children.push(number);
                tasks[parent].open_children += 1;
            }
        }
        let own = |number: &usize| plan.tasks()[*number].hook.is_none();
        let ready = (0..tasks.len()).filter(own).filter(|task| tasks[*task].open_needs == 0).collect();
        let left = (0..tasks.len()).filter(own).count();
        let admitted = plan.concurrency().is_none();
        RunState {
            run,
            hooks: Hooks::default(),
            index,
            tasks,
            ready,
            left,
            admitted,
            open: BTreeSet::new(),
            again: BTreeSet::new(),
            retries: BTreeSet::new(),
            deadlines: BTreeSet::new(),
            closing: BTreeSet::new(),
            doomed: BTreeMap::new(),
            asking: BTreeSet::new(),
            unknown: BTreeSet::new(),
            told: BTreeSet::new(),
            stops: Vec::new(),
            under_way: BTreeSet::new(),
            cancel: None,
            undo_wanted: false,
            requester: None,
            fresh: BTreeSet::new(),
            last_at: None,
            active: Duration::ZERO,
            created: false,
            finished: None,
            plan,
        }
    }

    /// How the run ended, if it did.
    pub fn finished(&self) -> Option<RunOutcome> {
        self.finished
    }

    /// Whether the run exists and is not over.
    pub(crate) fn is_live(&self) -> bool {
        self.created && self.finished.is_none()
    }

    /// Whether it has a place in its concurrency group, or needs none.
    pub fn admitted(&self) -> bool {
        self.admitted
    }

    /// What the run was asked to stop for.
    pub fn cancel(&self) -> Option<CancelReason> {
        self.cancel
    }

    /// Whether the workflow's own tasks are over, and what runs is what the workflow does at its end.
    pub fn in_hooks(&self) -> bool {
        self.hooks.begun()
    }

    /// Steps that run now, each with its attempt.
    pub fn running(&self) -> Vec<(StepRef, u32)> {
        let attempt = |step: &StepRef| match self.step(*step).status {
            Status::Running { attempt } => Some((*step, attempt)),
            _ => None,
        };
        self.under_way.iter().filter_map(attempt).collect()
    }

    /// Steps that wait for people.
    pub fn waits(&self) -> Vec<StepId> {
        let asking = self.asking.iter().map(|task| StepRef { task: *task, item: None });
        asking.chain(self.unknown.iter().copied()).map(|step| self.id(step)).collect()
    }

    /// When something becomes possible without an event: the next attempt of a step, or the end of a step's time.
    pub fn next_due(&self, jobs: usize) -> Option<Timestamp> {
        // Without a slot a retry waits for the end of another attempt, not for its time.
        let slot = self.under_way.len() < jobs.max(1);
        let retry = self.retries.first().filter(|_| slot).map(|(due, _)| *due);
        let deadline = self.deadlines.first().map(|(due, _)| *due);
        retry.into_iter().chain(deadline).min()
    }

    /// Whether a process has something to wait for besides people.
    pub(crate) fn has_timers(&self) -> bool {
        !self.retries.is_empty()
    }

    /// The name of a step.
    pub fn id(&self, step: StepRef) -> StepId {
        StepId { task: self.plan.tasks()[step.task].id.clone(), item: step.item }
    }

    /// The step of a name.
    pub fn find(&self, id: &StepId) -> Option<StepRef> {
        let task = *self.index.get(&id.task)?;
        match (id.item, &self.tasks[task].items) {
            (None, _) => Some(StepRef { task, item: None }),
            (Some(item), Some(items)) if (item as usize) < items.steps.len() => {
                Some(StepRef { task, item: Some(item) })
            }
            _ => None,
        }
    }

    pub(crate) fn step(&self, step: StepRef) -> &StepState {
        let task = &self.tasks[step.task];
        match (step.item, &task.items) {
            (Some(item), Some(items)) => items.steps.get(item as usize).unwrap_or(&task.step),
            _ => &task.step,
        }
    }

    fn step_mut(&mut self, step: StepRef) -> &mut StepState {
        let task = &mut self.tasks[step.task];
        match (step.item, &mut task.items) {
            (Some(item), Some(items)) if (item as usize) < items.steps.len() => &mut items.steps[item as usize],
            _ => &mut task.step,
        }
    }

    /// Running steps that shall stop, since the last call.
    pub(crate) fn take_stops(&mut self) -> Vec<(StepRef, CancelReason)> {
        std::mem::take(&mut self.stops)
    }

    /// Takes an event, with the time at which it was appended.
    ///
    /// # Errors
    /// When it cannot follow what is there.
    pub fn apply(&mut self, at: Timestamp, event: &Event) -> Result<(), IllegalMove> {
        if self.finished.is_some() || self.created == matches!(event, Event::RunCreated { .. }) {
            let status = match (self.finished, self.created) {
                (Some(_), _) => "over",
                (None, true) => "under way",
                (None, false) => "not created",
            };
            return Err(illegal("run", status, event));
        }
        self.count_time(at, event);
        match event {
            Event::RunCreated { requester, again, .. } => {
                (self.created, self.requester) = (true, requester.clone());
                self.fresh = again.iter().filter_map(|task| self.index.get(task)).copied().collect();
            }
            Event::RunAdmitted { .. } => self.admitted = true,
            Event::RunQueued { .. }
            | Event::RunSuspended { .. }
            | Event::RunResumed { .. }
            | Event::AnswerRefused { .. } => {}
            Event::TaskExpanded { task, items } => {
                let step = self.moved(task, event, Move::Expand)?;
                self.expand(step.task, items);
            }
            Event::TaskStarted { task, attempt } => {
                if let Some(step) = self.find(task)
                    && let Status::Backoff { due, .. } = self.step(step).status
                {
                    self.retries.remove(&(due, step));
                }
                let step = self.moved(task, event, Move::Start { attempt: *attempt })?;
                self.started(step, at);
            }
            Event::WorkflowEntered { task, inputs } => {
                let step = self.moved(task, event, Move::Tell)?;
                self.entered(step.task, inputs);
            }
            Event::TaskLog { task, .. }
            | Event::TaskProgress { task, .. }
            | Event::TaskRefused { task, .. }
            | Event::GateDecided { task, .. } => {
                self.moved(task, event, Move::Tell)?;
            }
            Event::TaskFindings { task, findings } => {
                let step = self.moved(task, event, Move::Tell)?;
                self.tasks[step.task].findings.extend_from_slice(findings);
            }
            Event::ArtifactStored { task, artifact } => {
                let step = self.moved(task, event, Move::Tell)?;
                self.tasks[step.task].artifacts.push((step.item, artifact.clone()));
            }
            Event::AttemptEnded { task, attempt, delay_ms, .. } => {
                let due = later(at, *delay_ms);
                let step = self.moved(task, event, Move::Retry { attempt: *attempt, due })?;
                self.step_mut(step).tries += 1;
                self.forget_attempt(step);
                self.park(step);
            }
            Event::AttemptLost { task, attempt, unknown } => {
                let step = self.moved(task, event, Move::Lose { attempt: *attempt, unknown: *unknown })?;
                self.step_mut(step).losses += 1;
                self.forget_attempt(step);
                self.park(step);
            }
            Event::TaskReused { task, .. } => {
                let step = self.moved(task, event, Move::Reuse)?;
                self.ready.remove(&step.task);
            }
            Event::ApprovalRequested { task, expires, .. } => {
                let step = self.moved(task, event, Move::Ask)?;
                self.ready.remove(&step.task);
                self.asking.insert(step.task);
                self.tasks[step.task].expires = *expires;
                if let Some(expires) = expires {
                    self.deadlines.insert((*expires, step));
                }
            }
            Event::TaskAnswered { task, answer, by, .. } => {
                let step = self.moved(task, event, Move::Answer(*answer))?;
                self.answered(step, *answer, by);
            }
            Event::TaskFinished { task, outcome, output, tolerated, .. } => {
                let before = self.find(task).map(|step| self.step(step).status);
                let step = self.moved(task, event, Move::Finish { outcome: *outcome, tolerated: *tolerated })?;
                self.step_mut(step).outputs = output.clone().unwrap_or(Value::Null);
                self.ended(step, *outcome, before.unwrap_or(Status::Waiting));
            }
            Event::CancelRequested { reason, undo, .. } => {
                self.undo_wanted |= undo;
                self.cancel = self.cancel.max(Some(*reason));
                self.stop_all(*reason);
            }
            Event::RunFinished { outcome, .. } => {
                if self.left > 0 || !self.hooks.over() {
                    let status = format!("at {} open tasks", self.left);
                    return Err(illegal("run", &status, event));
                }
                self.finished = Some(*outcome);
            }
        }
        Ok(())
    }

    /// Between two events of one process that has a place, the run is at work.
    fn count_time(&mut self, at: Timestamp, event: &Event) {
        let before = self.last_at.replace(at).unwrap_or(at);
        if self.admitted && !matches!(event, Event::RunResumed { .. }) {
            let passed = u64::try_from(at.0.saturating_sub(before.0)).unwrap_or(0);
            self.active += Duration::from_millis(passed);
        }
    }

    /// How long processes have been at work on the run.
    pub(crate) fn active(&self) -> Duration {
        self.active
    }

    fn moved(&mut self, id: &StepId, event: &Event, step: Move) -> Result<StepRef, IllegalMove> {
        let subject = format_args!("task {id}").to_string();
        let found = self.find(id).ok_or_else(|| illegal(&subject, "not in the plan", event))?;
        let status = self.step(found).status;
        let next = status.next(step).ok_or_else(|| illegal(&subject, &status.words(), event))?;
        self.step_mut(found).status = next;
        Ok(found)
    }

    fn expand(&mut self, task: usize, values: &[Value]) {
        self.ready.remove(&task);
        let steps = vec![StepState::new(); values.len()];
        let items = Items { values: values.to_vec(), steps, next: 0, under_way: 0, doomed: false };
        self.tasks[task].items = Some(items);
        self.look_at_items(task);
    }

    /// Puts a task with items where the next command looks for it.
    fn look_at_items(&mut self, task: usize) {
        self.open.remove(&task);
        let stopped = self.stop_reason(StepRef { task, item: None }).is_some();
        let planned = &self.plan.tasks()[task];
        let Some(items) = &self.tasks[task].items else { return };
        let most = planned.strategy.as_ref().and_then(|strategy| strategy.max_parallel).unwrap_or(u32::MAX);
        if stopped || items.doomed || items.next == items.steps.len() {
            if items.under_way == 0 {
                self.closing.insert(task);
            }
        } else if items.under_way < most as usize {
            self.open.insert(task);
        }
    }

    fn started(&mut self, step: StepRef, at: Timestamp) {
        self.ready.remove(&step.task);
        self.again.remove(&step);
        self.under_way.insert(step);
        let first = self.step(step).began.is_none();
        if first {
            self.step_mut(step).began = Some(at);
            if let Some(timeout) = self.plan.tasks()[step.task].task_timeout {
                self.deadlines.insert((later(at, timeout.millis()), step));
            }
            let own = self.plan.tasks()[step.task].hook.is_none();
            if let (Some(item), Some(items), true) = (step.item, &mut self.tasks[step.task].items, own) {
                items.next = items.next.max(item as usize + 1);
                items.under_way += 1;
                self.look_at_items(step.task);
            }
        }
    }

    fn entered(&mut self, task: usize, inputs: &Value) {
        self.tasks[task].inputs = inputs.clone();
        // It waits for others and takes no slot.
        self.under_way.remove(&StepRef { task, item: None });
        for child in self.tasks[task].children.clone() {
            self.one_need_less(child);
        }
        if self.tasks[task].open_children == 0 {
            self.closing.insert(task);
        }
    }

    fn one_need_less(&mut self, task: usize) {
        self.tasks[task].open_needs = self.tasks[task].open_needs.saturating_sub(1);
        if self.tasks[task].open_needs == 0 && self.tasks[task].step.status == Status::Waiting {
            self.ready.insert(task);
        }
    }

    fn forget_attempt(&mut self, step: StepRef) {
        self.under_way.remove(&step);
    }

    /// Puts a step that is between attempts where the next command looks for it.
    fn park(&mut self, step: StepRef) {
        if let Some(reason) = self.stop_reason(step) {
            self.doomed.insert(step, reason);
            return;
        }
        match self.step(step).status {
            Status::Again { .. } => drop(self.again.insert(step)),
            Status::Backoff { due, .. } => drop(self.retries.insert((due, step))),
            Status::Unknown { .. } => drop(self.unknown.insert(step)),
            _ => {}
        }
    }

    fn answered(&mut self, step: StepRef, answer: Answer, by: &Person) {
        self.tasks[step.task].answers.push((by.clone(), answer));
        match self.step(step).status {
            Status::Asking if self.verdict(step.task).is_some() => drop(self.closing.insert(step.task)),
            Status::Answered { .. } => {
                self.unknown.remove(&step);
                self.told.insert(step);
            }
            Status::Again { .. } => {
                self.unknown.remove(&step);
                self.park(step);
            }
            _ => {}
        }
    }

    /// What the answers to an approval come to, once they decide.
    pub(crate) fn verdict(&self, task: usize) -> Option<TaskOutcome> {
        let PlannedKind::Approval(approval) = &self.plan.tasks()[task].kind else { return None };
        let answers = &self.tasks[task].answers;
        if answers.iter().any(|(_, answer)| *answer == Answer::Reject) {
            return Some(TaskOutcome::Rejected);
        }
        (answers.len() >= approval.required as usize).then_some(TaskOutcome::Succeeded)
    }

    /// What follows from the end of a step.
    fn ended(&mut self, step: StepRef, outcome: TaskOutcome, before: Status) {
        self.under_way.remove(&step);
        self.again.remove(&step);
        self.unknown.remove(&step);
        self.told.remove(&step);
        self.doomed.remove(&step);
        if let Status::Backoff { due, .. } = before {
            self.retries.remove(&(due, step));
        }
        self.drop_deadline(step);
        let planned = Arc::clone(&self.plan);
        let planned = &planned.tasks()[step.task];
        if planned.hook.is_some() {
            self.hooks.ended(self.step(step).status);
            return;
        }
        // Only what this run itself did can be taken back by it.
        if planned.undo.is_some()
            && outcome == TaskOutcome::Succeeded
            && matches!(before, Status::Running { .. } | Status::Answered { .. })
        {
            self.hooks.completed(step);
        }
        if step.item.is_some() {
            let fails_fast = planned.strategy.as_ref().is_some_and(|strategy| strategy.fail_fast);
            if let (Some(item), Some(items)) = (step.item, &mut self.tasks[step.task].items) {
                // One whose input could not be made ends without having begun.
                items.under_way -= usize::from(before != Status::Waiting);
                items.next = items.next.max(item as usize + 1);
                if fails_fast && !planned.continue_on_error && !outcome.satisfies_needs() && !items.doomed {
                    items.doomed = true;
                    self.stop_items(step.task);
                }
            }
            self.look_at_items(step.task);
            return;
        }
        self.ready.remove(&step.task);
        self.open.remove(&step.task);
        self.closing.remove(&step.task);
        self.asking.remove(&step.task);
        self.left -= 1;
        if !matches!(before, Status::Running { .. }) {
            self.leave_out(step.task);
        }
        self.tasks[step.task].children = Vec::new();
        for dependant in std::mem::take(&mut self.tasks[step.task].dependants) {
            self.one_need_less(dependant);
        }
        if let Some(parent) = self.tasks[step.task].parent {
            self.tasks[parent].open_children -= 1;
            if self.tasks[parent].open_children == 0 {
                self.closing.insert(parent);
            }
        }
        if self.left == 0 {
            let outcome = self.outcome();
            self.hooks.begin(&self.plan, &mut self.tasks, outcome, self.undo_wanted, self.admitted);
        }
    }

    /// The tasks inside of one that was never entered have no events at all.
    fn leave_out(&mut self, task: usize) {
        for child in std::mem::take(&mut self.tasks[task].children) {
            self.tasks[child].step.status = Status::Done { outcome: TaskOutcome::Unreachable, tolerated: true };
            self.left -= 1;
            self.leave_out(child);
        }
    }

    fn drop_deadline(&mut self, step: StepRef) {
        let timeout = self.plan.tasks()[step.task].task_timeout;
        if let (Some(began), Some(timeout)) = (self.step(step).began, timeout) {
            self.deadlines.remove(&(later(began, timeout.millis()), step));
        }
        if let Some(expires) = self.tasks[step.task].expires {
            self.deadlines.remove(&(expires, step));
        }
    }

    /// Why a step may not go on, if it may not.
    pub(crate) fn stop_reason(&self, step: StepRef) -> Option<CancelReason> {
        let own = self.plan.tasks()[step.task].hook.is_none();
        // What ends a run's own tasks does not end what the workflow does at its end, unless it comes then.
        let asked = if own { self.cancel } else { self.hooks.cancel() };
        let failing = self.tasks[step.task].items.as_ref().is_some_and(|items| items.doomed && step.item.is_some());
        asked
            .or(failing.then_some(CancelReason::FailFast))
            .or_else(|| self.tasks[step.task].parent.and_then(|parent| self.late(parent)))
    }

    /// Whether a task that holds others, or one that holds it, has used up its time.
    fn late(&self, task: usize) -> Option<CancelReason> {
        let task = &self.tasks[task];
        if task.late { Some(CancelReason::TaskTimeout) } else { task.parent.and_then(|parent| self.late(parent)) }
    }

    fn stop_items(&mut self, task: usize) {
        let of_task = |step: &&StepRef| step.task == task;
        let running: Vec<StepRef> = self.under_way.iter().filter(of_task).copied().collect();
        self.stops.extend(running.into_iter().map(|step| (step, CancelReason::FailFast)));
        self.doom(|state, step| (step.task == task).then(|| state.stop_reason(step)).flatten());
    }

    fn stop_all(&mut self, reason: CancelReason) {
        if self.hooks.begun() {
            self.hooks.stop(reason);
        }
        self.stops.extend(self.under_way.iter().map(|step| (*step, reason)));
        self.doom(RunState::stop_reason);
        for task in std::mem::take(&mut self.open) {
            self.look_at_items(task);
        }
    }

    /// The time of a step, or of a task that holds others, is up.
    pub(crate) fn time_is_up(&mut self, step: StepRef) {
        let reason = CancelReason::TaskTimeout;
        match self.step(step).status {
            _ if matches!(self.plan.tasks()[step.task].kind, PlannedKind::Workflow(_)) => {
                // In memory only: the ends that follow are in the log, and the deadline is found again from its beginning.
                self.tasks[step.task].late = true;
                let inside: Vec<StepRef> =
                    self.under_way.iter().filter(|inner| self.stop_reason(**inner).is_some()).copied().collect();
                self.stops.extend(inside.into_iter().map(|inner| (inner, reason)));
                self.doom(RunState::stop_reason);
                for task in std::mem::take(&mut self.open) {
                    self.look_at_items(task);
                }
            }
            Status::Running { .. } => self.stops.push((step, reason)),
            // Answered in time, and not closed yet.
            Status::Asking if self.verdict(step.task).is_some() => {}
            Status::Backoff { .. } | Status::Again { .. } | Status::Asking => drop(self.doomed.insert(step, reason)),
            _ => {}
        }
    }

    /// Marks steps that are neither running nor over and for which there is a reason to stop.
    fn doom(&mut self, reason: impl Fn(&RunState, StepRef) -> Option<CancelReason>) {
        let waiting = self.retries.iter().map(|(_, step)| *step);
        let asking = self.asking.iter().map(|task| StepRef { task: *task, item: None });
        let parked: Vec<StepRef> =
            waiting.chain(self.again.iter().copied()).chain(self.unknown.iter().copied()).chain(asking).collect();
        for step in parked {
            if let Some(reason) = reason(self, step) {
                self.doomed.insert(step, reason);
            }
        }
    }

    /// A mistake on purpose: how often steps were tried is forgotten.
    pub(crate) fn forget_tries(&mut self) {
        for task in &mut self.tasks {
            let items = task.items.iter_mut().flat_map(|items| &mut items.steps);
            items.chain([&mut task.step]).for_each(|step| step.tries = 0);
        }
    }

    /// The worst end of the workflow's own tasks.
    pub(crate) fn outcome(&self) -> RunOutcome {
        // What is inside of a task counts as that task.
        let own = |(task, planned): &(&TaskState, &PlannedTask)| planned.hook.is_none() && task.parent.is_none();
        let ends = self.tasks.iter().zip(self.plan.tasks()).filter(own);
        let worst = worst(ends.map(|(task, _)| task.step.status));
        match self.cancel {
            Some(CancelReason::RunTimeout) => RunOutcome::TimedOut,
            Some(CancelReason::LogLost) => RunOutcome::Errored,
            Some(_) => RunOutcome::Cancelled,
            None => worst,
        }
    }
}

impl TaskState {
    fn new() -> TaskState {
        TaskState {
            step: StepState::new(),
            items: None,
            open_needs: 0,
            dependants: Vec::new(),
            parent: None,
            children: Vec::new(),
            open_children: 0,
            inputs: Value::Null,
            undoes: None,
            findings: Vec::new(),
            artifacts: Vec::new(),
            answers: Vec::new(),
            expires: None,
            late: false,
        }
    }
}

fn illegal(subject: &str, status: &str, event: &Event) -> IllegalMove {
    IllegalMove { subject: subject.to_owned(), status: status.to_owned(), what: event.word().to_owned() }
}

/// A time so many milliseconds later.
pub(crate) fn later(at: Timestamp, millis: u64) -> Timestamp {
    Timestamp(at.0.saturating_add(i64::try_from(millis).unwrap_or(i64::MAX)))
}

/// The worst of several ends, as that of a run. What was cancelled because something else went wrong does not hide that.
pub(crate) fn worst(ends: impl Iterator<Item = Status>) -> RunOutcome {
    let (mut worst, mut cancelled) = (RunOutcome::Succeeded, RunOutcome::Succeeded);
    for status in ends {
        match status {
            Status::Done { outcome: TaskOutcome::Cancelled, tolerated: false } => cancelled = RunOutcome::Cancelled,
            Status::Done { outcome, tolerated: false } => worst = worst.max(counts_as(outcome).unwrap_or(worst)),
            _ => {}
        }
    }
    if worst == RunOutcome::Succeeded { cancelled } else { worst }
}

/// What the end of a task means for what it is part of.
fn counts_as(outcome: TaskOutcome) -> Option<RunOutcome> {
    match outcome {
        // The task that made it unreachable counts already.
        TaskOutcome::Succeeded | TaskOutcome::Skipped | TaskOutcome::Unreachable => None,
        TaskOutcome::Blocked => Some(RunOutcome::Blocked),
        TaskOutcome::Rejected => Some(RunOutcome::Rejected),
        TaskOutcome::Failed => Some(RunOutcome::Failed),
        TaskOutcome::TimedOut => Some(RunOutcome::TimedOut),
        TaskOutcome::Errored => Some(RunOutcome::Errored),
        TaskOutcome::Cancelled => Some(RunOutcome::Cancelled),
    }
}

/// The end of a task whose parts came out so.
pub(crate) fn as_task(outcome: RunOutcome) -> TaskOutcome {
    match outcome {
        RunOutcome::Succeeded => TaskOutcome::Succeeded,
        RunOutcome::Blocked => TaskOutcome::Blocked,
        RunOutcome::Rejected => TaskOutcome::Rejected,
        RunOutcome::Failed => TaskOutcome::Failed,
        RunOutcome::TimedOut => TaskOutcome::TimedOut,
        RunOutcome::Errored => TaskOutcome::Errored,
        RunOutcome::Cancelled => TaskOutcome::Cancelled,
    }
}

/// Whether a hook runs after a run that came out so.
pub(crate) fn wants(hook: Hook, outcome: RunOutcome, undo_wanted: bool) -> bool {
    let wrong = !matches!(outcome, RunOutcome::Succeeded | RunOutcome::Cancelled);
    match hook {
        Hook::Undo => wrong || (outcome == RunOutcome::Cancelled && undo_wanted),
        Hook::OnFailure => wrong,
        Hook::Finally => true,
    }
}
