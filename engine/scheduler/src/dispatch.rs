//! The dispatcher: the one writer of a run's log. One loop; what arrives while an append is on its way to the disk shares the next
//! one, so that the end of a task and the start of those it freed cost one fsync together.

use crate::baseline;
use crate::live::TaskSink;
use crate::state::{Command, RunState};
use crate::status::IllegalMove;
use orch_core::{
    Attempt, AttemptOutput, AttemptResult, CancelReason, Clock, Event, Failure, FailureKind, Record, RunId, RunOutcome,
    RunStore, StoreError, TaskOutcome, TaskRunner, Usage,
};
use orch_workflow::{Plan, PlannedGate, PlannedKind};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

/// The version of the log's format.
const LOG_FORMAT: u32 = 1;

/// How long live events (log lines, progress) may wait for something that must be written, so as to share its fsync.
const LAZY: Duration = Duration::from_millis(100);

/// How many messages are taken up before the next append.
const MOST_TAKEN: usize = 10_000;

/// Called with every record after it is on disk.
pub type Observer = Arc<dyn Fn(&Record) + Send + Sync>;

/// What drives runs.
pub struct Dispatcher {
    /// Where the log goes.
    pub store: Arc<dyn RunStore>,
    /// What runs tasks.
    pub runner: Arc<dyn TaskRunner>,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// Tasks at once, at most.
    pub jobs: usize,
}

/// One run.
pub struct RunRequest {
    /// Its id, made by the caller.
    pub run: RunId,
    /// What to do.
    pub plan: Arc<Plan>,
    /// Who wants to see it.
    pub observer: Observer,
    /// Cancelled when the run shall stop.
    pub cancel: CancellationToken,
}

/// Why a run could not be driven to its end.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The log cannot be written, so nothing may go on.
    #[error("the run log cannot be written")]
    Store(#[from] StoreError),
    /// A bug: the state machine and the dispatcher disagree.
    #[error("the run came into a state that cannot be")]
    Illegal(#[from] IllegalMove),
}

/// A run under way.
struct Running<'a> {
    dispatcher: &'a Dispatcher,
    request: RunRequest,
    state: RunState,
    seq: u64,
    batch: Vec<Event>,
    /// Whether something in `batch` must be written before anything else happens.
    urgent: bool,
    /// When `batch` has to be written even if nothing in it is urgent.
    lazy_until: Option<tokio::time::Instant>,
    to_start: Vec<Start>,
    attempts: JoinSet<AttemptResult>,
    names: HashMap<Id, usize>,
    live: UnboundedSender<Event>,
    stop: CancellationToken,
}

struct Start {
    task: usize,
    input: String,
    upstream: Vec<orch_core::UpstreamArtifact>,
}

impl Dispatcher {
    /// Drives a new run to its end.
    ///
    /// # Errors
    /// When the log cannot be written; running tasks are stopped then.
    pub async fn run(&self, request: RunRequest) -> Result<RunOutcome, RunError> {
        let (live, mut inbox) = unbounded_channel();
        let plan = Arc::clone(&request.plan);
        let created = Event::RunCreated {
            format: LOG_FORMAT,
            workflow: plan.workflow().to_owned(),
            file: plan.file().to_owned(),
            plan_hash: plan.hash(),
            plan: serde_json::to_value(&*plan).unwrap_or_default(),
            tasks: plan.summaries(),
            inputs: plan.inputs().clone(),
        };
        let mut running = Running {
            dispatcher: self,
            state: RunState::new(request.run.clone(), plan),
            request,
            seq: 0,
            batch: Vec::new(),
            urgent: false,
            lazy_until: None,
            to_start: Vec::new(),
            attempts: JoinSet::new(),
            names: HashMap::new(),
            live,
            stop: CancellationToken::new(),
        };
        running.happened(created)?;
        let driven = running.drive(&mut inbox).await;
        if driven.is_err() {
            // The log is lost: whatever runs must end, and nothing it does would be known.
            running.stop.cancel();
            running.attempts.shutdown().await;
        }
        driven
    }
}

impl Running<'_> {
    async fn drive(&mut self, inbox: &mut UnboundedReceiver<Event>) -> Result<RunOutcome, RunError> {
        let deadline = self.request.plan.timeout().map(|timeout| tokio::time::Instant::now() + timeout.duration());
        loop {
            self.advance()?;
            if self.urgent {
                self.flush().await?;
                self.start();
                if let Some(outcome) = self.state.finished() {
                    return Ok(outcome);
                }
                continue;
            }
            let cancel = self.request.cancel.clone();
            tokio::select! {
                biased;
                () = cancel.cancelled(), if self.state.cancel() < Some(CancelReason::Requested) => {
                    self.cancel(CancelReason::Requested)?;
                }
                () = at(deadline), if self.state.cancel().is_none() => self.cancel(CancelReason::RunTimeout)?,
                Some(ended) = self.attempts.join_next_with_id(), if !self.attempts.is_empty() => {
                    self.take_live(inbox)?;
                    self.ended(ended)?;
                    // Others may have ended meanwhile; they share the append.
                    while let Some(ended) = self.attempts.try_join_next_with_id() {
                        self.take_live(inbox)?;
                        self.ended(ended)?;
                    }
                }
                Some(event) = inbox.recv() => {
                    self.told(event)?;
                    self.take_live(inbox)?;
                }
                () = at(self.lazy_until) => self.flush().await?,
            }
        }
    }

    /// Takes an event into the state and the next append.
    fn happened(&mut self, event: Event) -> Result<(), RunError> {
        self.state.apply(&event)?;
        self.batch.push(event);
        self.urgent = true;
        Ok(())
    }

    /// As [`Self::happened`], for what may wait a moment.
    fn told(&mut self, event: Event) -> Result<(), RunError> {
        self.state.apply(&event)?;
        self.batch.push(event);
        self.lazy_until.get_or_insert_with(|| tokio::time::Instant::now() + LAZY);
        Ok(())
    }

    fn take_live(&mut self, inbox: &mut UnboundedReceiver<Event>) -> Result<(), RunError> {
        for _ in 0..MOST_TAKEN {
            match inbox.try_recv() {
                Ok(event) => self.told(event)?,
                Err(_) => break,
            }
        }
        Ok(())
    }

    /// Asks the state machine what to do until it has to wait.
    fn advance(&mut self) -> Result<(), RunError> {
        while let Some(command) = self.state.command(self.dispatcher.jobs) {
            let plan = Arc::clone(&self.request.plan);
            match command {
                Command::Run { task, input, upstream } => {
                    self.happened(Event::TaskStarted { task: plan.tasks()[task].id.clone(), attempt: 1 })?;
                    self.to_start.push(Start { task, input, upstream });
                }
                Command::Decide { task } => {
                    self.happened(Event::TaskStarted { task: plan.tasks()[task].id.clone(), attempt: 1 })?;
                    if let PlannedKind::Gate(gate) = &plan.tasks()[task].kind {
                        self.decide(task, gate)?;
                    }
                }
                Command::Settle { task, outcome, reason, failure } => {
                    self.finished(task, outcome, None, Some(reason), failure, Usage::default())?;
                }
                Command::Finish { outcome, outputs } => {
                    self.happened(Event::RunFinished { outcome, outputs })?;
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn decide(&mut self, task: usize, gate: &PlannedGate) -> Result<(), RunError> {
        let plan = Arc::clone(&self.request.plan);
        let planned = &plan.tasks()[task];
        let baseline = match gate.baseline() {
            None => Ok(None),
            Some(which) => baseline::find(&*self.dispatcher.store, plan.workflow(), which),
        };
        let baseline = match baseline {
            Ok(baseline) => baseline,
            Err(error) => {
                let message = format!("the baseline cannot be had: {error}");
                let failure =
                    Failure::new(FailureKind::Dependency { target: "baseline".into(), retryable: false }, message);
                return self.finished(task, TaskOutcome::Errored, None, None, Some(failure), Usage::default());
            }
        };
        let findings = self.state.findings(task);
        let today = date(self.dispatcher.clock.now());
        let against = baseline.as_ref().map(|(run, fingerprints)| (run.as_str(), fingerprints));
        let decision = self.state.with_scope(planned, |scope| gate.decide(&findings, against, scope, &today));
        let blocks = decision.blocks();
        self.happened(Event::GateDecided { task: planned.id.clone(), decision })?;
        let outcome = if blocks { TaskOutcome::Blocked } else { TaskOutcome::Succeeded };
        self.finished(task, outcome, None, None, None, Usage::default())
    }

    fn finished(
        &mut self,
        task: usize,
        outcome: TaskOutcome,
        output: Option<serde_json::Value>,
        reason: Option<String>,
        failure: Option<Failure>,
        usage: Usage,
    ) -> Result<(), RunError> {
        let planned = &self.request.plan.tasks()[task];
        let tolerated = planned.continue_on_error
            && !matches!(outcome, TaskOutcome::Succeeded | TaskOutcome::Skipped | TaskOutcome::Cancelled);
        let task = planned.id.clone();
        self.happened(Event::TaskFinished { task, outcome, output, reason, failure, usage, tolerated })
    }

    /// Writes the batch, waits until it is on disk, then shows it.
    async fn flush(&mut self) -> Result<(), RunError> {
        let at = self.dispatcher.clock.now();
        let events: Vec<_> = std::mem::take(&mut self.batch).into_iter().map(|event| (at, event)).collect();
        (self.urgent, self.lazy_until) = (false, None);
        self.dispatcher.store.append(&self.request.run, self.seq, events.clone()).await?;
        for (at, event) in events {
            self.seq += 1;
            (self.request.observer)(&Record { seq: self.seq, at, event });
        }
        Ok(())
    }

    /// Starts what was written as started.
    fn start(&mut self) {
        for start in std::mem::take(&mut self.to_start) {
            let planned = &self.request.plan.tasks()[start.task];
            let PlannedKind::Plugin(plugin) = &planned.kind else { continue };
            let stop = self.stop.clone();
            let reason = CancelReason::Requested;
            let attempt = Attempt {
                run: self.request.run.clone(),
                task: planned.id.clone(),
                number: 1,
                plugin: Arc::clone(&plugin.plugin),
                input: start.input,
                grants: Arc::clone(&plugin.grants),
                limits: Arc::clone(&plugin.limits),
                timeout: planned.timeout.duration(),
                upstream: start.upstream,
                cancel: Box::pin(async move {
                    stop.cancelled().await;
                    reason
                }),
            };
            let sink = Arc::new(TaskSink { task: planned.id.clone(), events: self.live.clone() });
            let handle = self.attempts.spawn(self.dispatcher.runner.run(attempt, sink));
            self.names.insert(handle.id(), start.task);
        }
    }

    fn ended(&mut self, ended: Result<(Id, AttemptResult), JoinError>) -> Result<(), RunError> {
        let (id, result) = match ended {
            Ok((id, result)) => (id, result),
            Err(error) => {
                // A panic in the engine's own code: that task is lost, and nothing else.
                let message = format!("orch-wasm has a bug: {error}");
                let failure = Failure::new(FailureKind::Bug, message);
                (error.id(), AttemptResult { result: Err(failure), usage: Usage::default() })
            }
        };
        let Some(task) = self.names.remove(&id) else {
            return Ok(());
        };
        let usage = result.usage;
        match result.result {
            Ok(AttemptOutput::Succeeded(output)) => self.succeeded(task, &output, usage),
            Ok(AttemptOutput::Rejected(output)) => {
                let failure = Failure::new(FailureKind::Rejected, "the plugin ran well, and its answer is no");
                self.finished(task, TaskOutcome::Failed, Some(output), None, Some(failure), usage)
            }
            Ok(AttemptOutput::Skipped(reason)) => {
                self.finished(task, TaskOutcome::Skipped, None, Some(reason), None, usage)
            }
            Err(failure) => self.finished(task, failure.outcome(), None, None, Some(failure), usage),
        }
    }

    fn succeeded(&mut self, task: usize, output: &serde_json::Value, usage: Usage) -> Result<(), RunError> {
        let plan = Arc::clone(&self.request.plan);
        let planned = &plan.tasks()[task];
        let outputs = match planned.outputs {
            None => Ok(output.clone()),
            Some(_) => self.state.with_scope(planned, |scope| planned.outputs(output, scope)),
        };
        match outputs {
            Ok(outputs) => self.finished(task, TaskOutcome::Succeeded, Some(outputs), None, None, usage),
            Err(error) => {
                let failure = Failure::new(FailureKind::Expression, format!("`outputs` cannot be filled in: {error}"));
                self.finished(task, TaskOutcome::Errored, None, None, Some(failure), usage)
            }
        }
    }

    fn cancel(&mut self, reason: CancelReason) -> Result<(), RunError> {
        self.happened(Event::CancelRequested { reason })?;
        self.stop.cancel();
        Ok(())
    }
}

async fn at(deadline: Option<tokio::time::Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

fn date(at: orch_core::Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.0).map_or_else(|_| String::new(), |at| at.strftime("%Y-%m-%d").to_string())
}
