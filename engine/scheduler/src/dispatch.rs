//! The dispatcher: the one writer of a run's log. One loop; what arrives while an append is on its way to the disk shares the next
//! one, so that the end of a task and the start of those it freed cost one fsync together.

use crate::attempts::{Ended, Flight, Start};
use crate::baseline;
use crate::commands::Command;
use crate::live::Said;
use crate::rerun::Carried;
use crate::resume;
use crate::state::{RunState, StepRef};
use crate::status::{IllegalMove, Status};
use orch_core::{
    CancelReason, Canonical, Clock, Event, Failure, FailureKind, Faults, GroupStore, Person, Record, RunId, RunOutcome,
    RunStore, StepId, StoreError, TaskOutcome, TaskRunner, Timestamp, Usage,
};
use orch_workflow::{Plan, PlannedGate, PlannedKind};
use serde_json::Value;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::{Id, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The version of the log's format. 2: steps may be items, attempts may be followed by others, people answer. Format 1 is read as
/// it is; programs that know only format 1 refuse what they do not know.
pub(crate) const LOG_FORMAT: u32 = 2;

/// How long live events (log lines, progress) may wait for something that must be written, so as to share its fsync.
const LAZY: Duration = Duration::from_millis(100);

/// How many messages are taken up before the next append.
const MOST_TAKEN: usize = 10_000;

/// How often it is looked whether people want something of the run.
const WISHES_EVERY: Duration = Duration::from_millis(500);

/// How long a run that was asked to pause waits for what runs.
const DRAIN: Duration = Duration::from_secs(10);

/// Points at which tests make the dispatcher fail or die.
pub const FAULT_POINTS: &[&str] =
    &["dispatch.before-append", "dispatch.after-append", "dispatch.before-attempts", "dispatch.after-attempts"];

/// Called with every record after it is on disk.
pub type Observer = Arc<dyn Fn(&Record) + Send + Sync>;

/// What drives runs.
pub struct Dispatcher {
    /// Where the log goes.
    pub store: Arc<dyn RunStore>,
    /// Which runs may not run at once.
    pub groups: Arc<dyn GroupStore>,
    /// What runs tasks.
    pub runner: Arc<dyn TaskRunner>,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// What tests make fail.
    pub faults: Arc<dyn Faults>,
    /// Tasks at once, at most.
    pub jobs: usize,
}

/// Where a run begins.
pub enum Beginning {
    /// A new run, with what it takes from an earlier one.
    New(Option<Carried>),
    /// The log of a run that another process left.
    Resumed(Vec<Record>),
}

/// One run.
pub struct RunRequest {
    /// Its id, made by the caller.
    pub run: RunId,
    /// What to do. For a resumed run the plan of its log, see [`crate::stored_plan`].
    pub plan: Arc<Plan>,
    /// New or resumed.
    pub beginning: Beginning,
    /// Who starts or resumes it.
    pub by: Person,
    /// Who wants to see it.
    pub observer: Observer,
    /// Cancelled when the run shall stop.
    pub cancel: CancellationToken,
    /// Cancelled when the run shall pause: what runs may end, nothing more begins.
    pub pause: CancellationToken,
}

/// How driving a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Driven {
    /// The run is over.
    Ended(RunOutcome),
    /// It can be resumed: these tasks wait for people. None: it was asked to pause.
    Suspended(Vec<StepId>),
}

/// Why a run could not be driven to its end.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The log cannot be read or written, so nothing may go on.
    #[error("the run log cannot be used")]
    Store(#[from] StoreError),
    /// The log does not say what a log says: it is damaged, or there is a bug.
    #[error("the run came into a state that cannot be")]
    Illegal(#[from] IllegalMove),
    /// The stored plan cannot be read.
    #[error("the plan of the run cannot be read: {0}")]
    Plan(String),
    /// A bug: nothing can happen any more, and the run is not over.
    #[error("the run cannot go on: {0}")]
    Stuck(String),
}

/// A run under way.
pub(crate) struct Running<'a> {
    pub(crate) dispatcher: &'a Dispatcher,
    pub(crate) run: RunId,
    pub(crate) plan: Arc<Plan>,
    pub(crate) workflow: Arc<str>,
    observer: Observer,
    cancel: CancellationToken,
    pause: CancellationToken,
    pub(crate) state: RunState,
    /// Of the last event, whether it is on disk or in the batch.
    pub(crate) seq: u64,
    batch: Vec<Record>,
    /// Whether something in `batch` must be written before anything else happens.
    urgent: bool,
    /// When `batch` has to be written even if nothing in it is urgent.
    lazy_until: Option<Instant>,
    to_start: Vec<Start>,
    pub(crate) attempts: JoinSet<Ended>,
    pub(crate) flights: HashMap<Id, Flight>,
    /// When an attempt is given up that does not come back.
    pub(crate) overdue: BTreeSet<(Instant, Id)>,
    pub(crate) said: UnboundedSender<Said>,
    asked: bool,
    pub(crate) paused_until: Option<Instant>,
    /// Wishes that are in the batch, to be forgotten when it is on disk.
    pub(crate) wished: Option<u64>,
    /// Wall time and the moment at which it was taken: from then on time only goes forward.
    anchor: (Timestamp, Instant),
}

impl Dispatcher {
    /// Drives a run until it is over or waits for people.
    ///
    /// # Errors
    /// When the log cannot be written; running tasks are stopped then.
    pub async fn run(&self, request: RunRequest) -> Result<Driven, RunError> {
        let (said, mut inbox) = unbounded_channel();
        let RunRequest { run, plan, beginning, by, observer, cancel, pause } = request;
        let mut running = Running {
            dispatcher: self,
            state: RunState::new(run.clone(), Arc::clone(&plan)),
            run,
            workflow: plan.workflow().into(),
            plan,
            observer,
            cancel,
            pause,
            seq: 0,
            batch: Vec::new(),
            urgent: false,
            lazy_until: None,
            to_start: Vec::new(),
            attempts: JoinSet::new(),
            flights: HashMap::new(),
            overdue: BTreeSet::new(),
            said,
            asked: false,
            paused_until: None,
            wished: None,
            anchor: (self.clock.now(), Instant::now()),
        };
        match beginning {
            Beginning::New(carried) => running.create(by, carried)?,
            Beginning::Resumed(records) => {
                if let Some(outcome) = resume::take_up(&mut running, &records, by)? {
                    return Ok(Driven::Ended(outcome));
                }
                // Before anything begins: an answer or a wish to stop may have waited longest.
                running.take_wishes()?;
            }
        }
        let driven = running.drive(&mut inbox).await;
        if driven.is_err() {
            // The log is lost: whatever runs must end, and nothing it does would be known.
            running.stop_everything(CancelReason::LogLost);
            running.attempts.shutdown().await;
        }
        driven
    }
}

impl Running<'_> {
    fn create(&mut self, by: Person, carried: Option<Carried>) -> Result<(), RunError> {
        let plan = Arc::clone(&self.plan);
        let text = Canonical::of(&*plan);
        let (rerun_of, events, again) = match carried {
            Some(carried) => (Some(carried.from), carried.events, carried.again),
            None => (None, Vec::new(), Vec::new()),
        };
        self.happened(Event::RunCreated {
            format: LOG_FORMAT,
            workflow: plan.workflow().to_owned(),
            file: plan.file().to_owned(),
            plan_hash: text.digest(),
            plan: text,
            tasks: plan.summaries(),
            inputs: plan.inputs().clone(),
            requester: Some(by),
            rerun_of,
            again,
        })?;
        events.into_iter().try_for_each(|event| self.happened(event))
    }

    async fn drive(&mut self, inbox: &mut UnboundedReceiver<Said>) -> Result<Driven, RunError> {
        self.admit().await?;
        // Time during which nobody drove the run, or it waited for a place, does not count.
        let left = |timeout: orch_core::Period| timeout.duration().saturating_sub(self.state.active());
        let deadline = self.plan.timeout().map(|timeout| Instant::now() + left(timeout));
        let mut wishes = Instant::now();
        // Made once: to register and forget them in every round costs more than the rest of it.
        let (cancelled, paused) = (self.cancel.clone().cancelled_owned(), self.pause.clone().cancelled_owned());
        let alarm = tokio::time::sleep_until(wishes);
        tokio::pin!(cancelled, paused, alarm);
        loop {
            self.advance()?;
            self.send_stops();
            if self.urgent {
                self.flush().await?;
                self.start()?;
                if let Some(outcome) = self.state.finished() {
                    self.dispatcher.groups.leave(&self.run)?;
                    return Ok(Driven::Ended(outcome));
                }
                continue;
            }
            if self.flights.is_empty() && (self.paused_until.is_some() || !self.state.has_timers()) {
                return self.suspend().await;
            }
            let deadline = deadline.filter(|_| self.state.cancel().is_none() && !self.state.in_hooks());
            let next = self.next_alarm(deadline, wishes);
            if alarm.deadline() != next {
                alarm.as_mut().reset(next);
            }
            tokio::select! {
                biased;
                () = &mut cancelled, if !self.asked => {
                    self.asked = true;
                    self.cancel(CancelReason::Requested, None, false)?;
                }
                () = &mut paused, if self.paused_until.is_none() => {
                    self.paused_until = Some(Instant::now() + DRAIN);
                }
                () = &mut alarm => {
                    let now = Instant::now();
                    let reached = |at: Option<Instant>| at.is_some_and(|at| at <= now);
                    if reached(deadline) {
                        self.cancel(CancelReason::RunTimeout, None, false)?;
                    }
                    self.give_up()?;
                    if reached(self.paused_until) && !self.flights.is_empty() {
                        self.stop_everything(CancelReason::Requested);
                        self.paused_until = Some(now + DRAIN);
                    }
                    if reached(Some(wishes)) {
                        self.take_wishes()?;
                        wishes = now + WISHES_EVERY;
                    }
                    if reached(self.lazy_until) {
                        self.flush().await?;
                    }
                }
                Some(ended) = self.attempts.join_next_with_id(), if !self.attempts.is_empty() => {
                    self.take_said(inbox)?;
                    self.ended(ended)?;
                    // Others may have ended meanwhile; they share the append.
                    while let Some(ended) = self.attempts.try_join_next_with_id() {
                        self.take_said(inbox)?;
                        self.ended(ended)?;
                    }
                }
                Some(said) = inbox.recv() => {
                    self.told(said)?;
                    self.take_said(inbox)?;
                }
            }
        }
    }

    /// When something is to be done even if nothing happens.
    fn next_alarm(&self, deadline: Option<Instant>, wishes: Instant) -> Instant {
        // While it pauses nothing that is due begins.
        let due = self.state.next_due(self.dispatcher.jobs).filter(|_| self.paused_until.is_none());
        let due = due.map(|due| self.instant(due));
        let overdue = self.overdue.first().map(|(at, _)| *at);
        let paused = self.paused_until.filter(|_| !self.flights.is_empty());
        [deadline, due, overdue, paused, self.lazy_until].into_iter().flatten().fold(wishes, Instant::min)
    }

    /// Waits for a place in the concurrency group, if the workflow names one.
    async fn admit(&mut self) -> Result<(), RunError> {
        let plan = Arc::clone(&self.plan);
        let Some(group) = plan.concurrency() else { return Ok(()) };
        // The group knows runs that are in the log.
        self.flush().await?;
        let ticket = orch_core::GroupTicket {
            run: self.run.clone(),
            group: group.group.clone(),
            limit: group.limit,
            queue: group.queue,
            on_conflict: group.on_conflict,
            priority: plan.priority(),
            since: self.now(),
        };
        let mut told = None;
        loop {
            self.take_wishes()?;
            if self.cancel.is_cancelled() && !self.asked {
                self.asked = true;
                self.cancel(CancelReason::Requested, None, false)?;
            }
            if self.pause.is_cancelled() {
                self.paused_until = Some(Instant::now());
            }
            if self.state.cancel().is_some() || self.paused_until.is_some() {
                return self.flush().await;
            }
            match self.dispatcher.groups.enter(&ticket, self.now())? {
                orch_core::Admission::Admitted => {
                    if !self.state.admitted() {
                        self.happened(Event::RunAdmitted { group: group.group.clone() })?;
                    }
                    return self.flush().await;
                }
                orch_core::Admission::Waiting { ahead } => {
                    if told != Some(ahead) {
                        told = Some(ahead);
                        self.happened(Event::RunQueued { group: group.group.clone(), ahead })?;
                        self.flush().await?;
                    }
                }
                orch_core::Admission::TurnedAway { reason } => {
                    let by = Person { name: reason, groups: Vec::new() };
                    self.cancel(CancelReason::Conflict, Some(by), false)?;
                    return self.flush().await;
                }
            }
            tokio::select! {
                () = self.cancel.cancelled(), if !self.asked => {}
                () = self.pause.cancelled() => {}
                () = tokio::time::sleep(WISHES_EVERY / 2) => {}
            }
        }
    }

    async fn suspend(&mut self) -> Result<Driven, RunError> {
        let waits = self.state.waits();
        if waits.is_empty() && self.paused_until.is_none() {
            return Err(RunError::Stuck("nothing runs, and nothing can begin".to_owned()));
        }
        self.happened(Event::RunSuspended { waits: waits.clone() })?;
        self.flush().await?;
        Ok(Driven::Suspended(waits))
    }

    /// Takes an event into the state and the next append.
    pub(crate) fn happened(&mut self, event: Event) -> Result<(), RunError> {
        self.take(event)?;
        self.urgent = true;
        Ok(())
    }

    fn take(&mut self, event: Event) -> Result<(), RunError> {
        let at = self.now();
        self.state.apply(at, &event)?;
        self.seq += 1;
        self.batch.push(Record { seq: self.seq, at, event });
        Ok(())
    }

    /// As [`Self::happened`], for what may wait a moment. What an attempt says that is not the current one is dropped.
    fn told(&mut self, said: Said) -> Result<(), RunError> {
        if self.state.step(said.step).status != (Status::Running { attempt: said.attempt }) {
            return Ok(());
        }
        self.take(said.event)?;
        self.lazy_until.get_or_insert_with(|| Instant::now() + LAZY);
        Ok(())
    }

    fn take_said(&mut self, inbox: &mut UnboundedReceiver<Said>) -> Result<(), RunError> {
        for _ in 0..MOST_TAKEN {
            match inbox.try_recv() {
                Ok(said) => self.told(said)?,
                Err(_) => break,
            }
        }
        Ok(())
    }

    /// Asks the state machine what to do until it has to wait.
    fn advance(&mut self) -> Result<(), RunError> {
        if self.paused_until.is_some() {
            return Ok(());
        }
        while let Some(command) = self.state.command(self.now(), self.dispatcher.jobs) {
            let plan = Arc::clone(&self.plan);
            match command {
                Command::Run { step, attempt, input, upstream, findings } => {
                    self.happened(Event::TaskStarted { task: self.state.id(step), attempt })?;
                    self.to_start.push(Start { step, attempt, input, upstream, findings });
                }
                Command::Expand { task, items } => {
                    self.happened(Event::TaskExpanded { task: plan.tasks()[task].id.clone().into(), items })?;
                }
                Command::Decide { task, attempt } => {
                    self.happened(Event::TaskStarted { task: plan.tasks()[task].id.clone().into(), attempt })?;
                    if let PlannedKind::Gate(gate) = &plan.tasks()[task].kind {
                        self.decide(task, gate)?;
                    }
                }
                Command::Ask { task, prompt } => self.ask(task, prompt)?,
                Command::Enter { task, attempt, inputs } => {
                    let id: StepId = plan.tasks()[task].id.clone().into();
                    self.happened(Event::TaskStarted { task: id.clone(), attempt })?;
                    self.happened(Event::WorkflowEntered { task: id, inputs })?;
                }
                Command::Settle { step, outcome, output, reason, failure } => {
                    self.finished(step, End { output, reason, failure, ..End::of(outcome) })?;
                }
                Command::Finish { outcome, outputs } => {
                    self.happened(Event::RunFinished { outcome, outputs })?;
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn ask(&mut self, task: usize, prompt: String) -> Result<(), RunError> {
        let plan = Arc::clone(&self.plan);
        let PlannedKind::Approval(approval) = &plan.tasks()[task].kind else { return Ok(()) };
        let expires = approval.expires.map(|expires| crate::state::later(self.now(), expires.millis()));
        self.happened(Event::ApprovalRequested {
            task: plan.tasks()[task].id.clone().into(),
            prompt,
            plan_hash: plan.hash(),
            required: approval.required,
            expires,
        })
    }

    fn decide(&mut self, task: usize, gate: &PlannedGate) -> Result<(), RunError> {
        let plan = Arc::clone(&self.plan);
        let step = StepRef { task, item: None };
        let baseline = match gate.baseline() {
            None => Ok(None),
            Some(which) => baseline::find(&*self.dispatcher.store, plan.workflow(), which),
        };
        let baseline = match baseline {
            Ok(baseline) => baseline,
            Err(error) => {
                let message = format!("the baseline cannot be had: {error}");
                let what = FailureKind::Dependency { target: "baseline".into(), retryable: false };
                let failure = Some(Failure::new(what, message));
                return self.finished(step, End { failure, ..End::of(TaskOutcome::Errored) });
            }
        };
        let findings = self.state.findings(&plan.tasks()[task].needs);
        let today = date(self.dispatcher.clock.now());
        let against = baseline.as_ref().map(|(run, fingerprints)| (run.as_str(), fingerprints));
        let decision = self.state.with_scope(step, |scope| gate.decide(&findings, against, scope, &today));
        let blocks = decision.blocks();
        self.happened(Event::GateDecided { task: plan.tasks()[task].id.clone().into(), decision })?;
        self.finished(step, End::of(if blocks { TaskOutcome::Blocked } else { TaskOutcome::Succeeded }))
    }

    pub(crate) fn finished(&mut self, step: StepRef, end: End) -> Result<(), RunError> {
        let planned = &self.plan.tasks()[step.task];
        let tolerated = planned.continue_on_error
            && !matches!(end.outcome, TaskOutcome::Succeeded | TaskOutcome::Skipped | TaskOutcome::Cancelled);
        let End { outcome, output, reason, failure, usage, key } = end;
        let task = self.state.id(step);
        self.happened(Event::TaskFinished { task, outcome, output, reason, failure, usage, tolerated, key })
    }

    pub(crate) fn cancel(&mut self, reason: CancelReason, by: Option<Person>, undo: bool) -> Result<(), RunError> {
        self.happened(Event::CancelRequested { reason, by, undo })
    }

    /// Writes the batch, waits until it is on disk, then shows it.
    async fn flush(&mut self) -> Result<(), RunError> {
        let records = Arc::new(std::mem::take(&mut self.batch));
        (self.urgent, self.lazy_until) = (false, None);
        if records.is_empty() {
            return Ok(());
        }
        self.fault("dispatch.before-append")?;
        self.dispatcher.store.append(&self.run, Arc::clone(&records)).await?;
        records.iter().for_each(|record| (self.observer)(record));
        if let Some(number) = self.wished.take() {
            self.dispatcher.store.granted(&self.run, number).await?;
        }
        self.fault("dispatch.after-append")
    }

    pub(crate) fn fault(&self, point: &'static str) -> Result<(), RunError> {
        let broken = |error: std::io::Error| StoreError::Broken { place: point.to_owned(), reason: error.to_string() };
        Ok(self.dispatcher.faults.at(point).map_err(broken)?)
    }

    /// Starts what was written as started.
    fn start(&mut self) -> Result<(), RunError> {
        if self.to_start.is_empty() {
            return Ok(());
        }
        self.fault("dispatch.before-attempts")?;
        for start in std::mem::take(&mut self.to_start) {
            self.begin(start);
        }
        self.fault("dispatch.after-attempts")
    }

    /// The wall time at which this process took the run up, and since then what a clock that never jumps has counted.
    pub(crate) fn now(&self) -> Timestamp {
        let passed = i64::try_from(self.anchor.1.elapsed().as_millis()).unwrap_or(i64::MAX);
        Timestamp(self.anchor.0.0.saturating_add(passed))
    }

    /// Time does not go back behind the log's last event, whatever the wall clock says.
    pub(crate) fn not_before(&mut self, at: Timestamp) {
        self.anchor.0 = self.anchor.0.max(at);
    }

    /// The moment from which on [`Self::now`] is at least this.
    fn instant(&self, at: Timestamp) -> Instant {
        self.anchor.1 + Duration::from_millis(u64::try_from(at.0.saturating_sub(self.anchor.0.0)).unwrap_or(0))
    }
}

/// How a step ends.
pub(crate) struct End {
    pub(crate) outcome: TaskOutcome,
    pub(crate) output: Option<Value>,
    pub(crate) reason: Option<String>,
    pub(crate) failure: Option<Failure>,
    pub(crate) usage: Usage,
    pub(crate) key: Option<orch_core::Digest>,
}

impl End {
    pub(crate) fn of(outcome: TaskOutcome) -> End {
        End { outcome, output: None, reason: None, failure: None, usage: Usage::default(), key: None }
    }
}

fn date(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.0).map_or_else(|_| String::new(), |at| at.strftime("%Y-%m-%d").to_string())
}
