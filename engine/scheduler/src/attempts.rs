//! Attempts under way: how they begin, how they are stopped or given up, and what follows from their ends.

use crate::dispatch::{End, RunError, Running};
use crate::live::TaskSink;
use crate::reuse::{self, EarlierResult};
use crate::state::StepRef;
use crate::status::Status;
use orch_core::{
    Attempt, AttemptOutput, AttemptResult, CancelReason, Digest, Event, Failure, FailureKind, Finding, PlantedBug,
    TaskId, TaskOutcome, UpstreamArtifact, Usage,
};
use orch_workflow::PlannedKind;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::{Id, JoinError};
use tokio::time::Instant;

/// How long after its time an attempt may take to come back before it is given up. The sandbox needs far less.
const GRACE: Duration = Duration::from_secs(5);

/// An attempt that the log has as started.
pub(crate) struct Start {
    pub(crate) step: StepRef,
    pub(crate) attempt: u32,
    pub(crate) input: String,
    pub(crate) upstream: Vec<UpstreamArtifact>,
    pub(crate) findings: Vec<(TaskId, Vec<Finding>)>,
}

/// An attempt under way.
pub(crate) struct Flight {
    step: StepRef,
    attempt: u32,
    /// Taken when it is asked to stop.
    stop: Option<oneshot::Sender<CancelReason>>,
    reason: Option<CancelReason>,
    overdue: Instant,
}

/// What came of an attempt.
pub(crate) enum Ended {
    /// It ran. The key is what its result depends on, if it may be used again.
    Ran(AttemptResult, Option<Digest>),
    /// An earlier result stands for it.
    Reused(Box<EarlierResult>),
}

impl Running<'_> {
    /// Begins an attempt.
    pub(crate) fn begin(&mut self, start: Start) {
        let bug = self.dispatcher.faults.planted(PlantedBug::DoubleDispatch);
        for _ in 0..=usize::from(bug) {
            self.begin_once(&start);
        }
    }

    fn begin_once(&mut self, start: &Start) {
        let planned = &self.plan.tasks()[start.step.task];
        let PlannedKind::Plugin(plugin) = &planned.kind else { return };
        let plugin = self.plan.terms(plugin);
        let (stop, stopped) = oneshot::channel();
        let id = self.state.id(start.step);
        let attempt = Attempt {
            run: self.run.clone(),
            task: id.clone(),
            number: start.attempt,
            workflow: Arc::clone(&self.workflow),
            dry_run: self.plan.dry_run(),
            plugin: Arc::clone(&plugin.plugin),
            input: start.input.clone(),
            grants: Arc::clone(&plugin.grants),
            limits: Arc::clone(&plugin.limits),
            timeout: planned.timeout.duration(),
            upstream: start.upstream.clone(),
            findings: start.findings.clone(),
            cancel: Box::pin(async move {
                match stopped.await {
                    Ok(reason) => reason,
                    // The dispatcher forgot the attempt, so nobody will ask it to stop any more.
                    Err(_) => std::future::pending().await,
                }
            }),
        };
        let sink = Arc::new(TaskSink { id, step: start.step, attempt: start.attempt, said: self.said.clone() });
        let runner = Arc::clone(&self.dispatcher.runner);
        let handle = if planned.cache {
            let store = Arc::clone(&self.dispatcher.store);
            let look = !self.state.fresh.contains(&start.step.task);
            self.attempts.spawn(reuse::run(runner, store, attempt, sink, look))
        } else {
            let attempt = runner.run(attempt, sink);
            self.attempts.spawn(async move { Ended::Ran(attempt.await, None) })
        };
        let overdue = Instant::now() + planned.timeout.duration() + GRACE;
        let flight = Flight { step: start.step, attempt: start.attempt, stop: Some(stop), reason: None, overdue };
        self.overdue.insert((overdue, handle.id()));
        self.flights.insert(handle.id(), flight);
    }

    /// Passes on what the state machine wants to stop.
    pub(crate) fn send_stops(&mut self) {
        for (step, reason) in self.state.take_stops() {
            self.stop(|flight| (flight.step == step).then_some(reason));
        }
    }

    pub(crate) fn stop_everything(&mut self, reason: CancelReason) {
        self.stop(|_| Some(reason));
    }

    fn stop(&mut self, why: impl Fn(&Flight) -> Option<CancelReason>) {
        let soon = Instant::now() + GRACE;
        for (id, flight) in &mut self.flights {
            let Some(reason) = why(flight) else { continue };
            flight.reason = flight.reason.max(Some(reason));
            if let Some(stop) = flight.stop.take() {
                let _ = stop.send(reason);
                self.overdue.remove(&(flight.overdue, *id));
                flight.overdue = flight.overdue.min(soon);
                self.overdue.insert((flight.overdue, *id));
            }
        }
    }

    /// Gives up attempts that should have come back long ago. What they still say or return does not count.
    pub(crate) fn give_up(&mut self) -> Result<(), RunError> {
        while let Some((at, id)) = self.overdue.first().copied().filter(|(at, _)| *at <= Instant::now()) {
            self.overdue.remove(&(at, id));
            let fenced = !self.dispatcher.faults.planted(PlantedBug::NoFencing);
            let found = if fenced { self.flights.remove(&id) } else { self.flights.get(&id).map(Flight::copy) };
            let Some(flight) = found else { continue };
            let message = "it did not come back after its time, and was given up";
            let what = if flight.reason.is_some() { FailureKind::Cancelled } else { FailureKind::Timeout };
            let result = AttemptResult { result: Err(Failure::new(what, message)), usage: Usage::default() };
            self.take_result(&flight, result, None)?;
        }
        Ok(())
    }

    pub(crate) fn ended(&mut self, ended: Result<(Id, Ended), JoinError>) -> Result<(), RunError> {
        let (id, ended) = match ended {
            Ok((id, ended)) => (id, ended),
            Err(error) => {
                // A panic in the engine's own code: that task is lost, and nothing else.
                let failure = Failure::new(FailureKind::Bug, format!("orch-wasm has a bug: {error}"));
                (error.id(), Ended::Ran(AttemptResult { result: Err(failure), usage: Usage::default() }, None))
            }
        };
        // One that was given up is not known any more.
        let Some(flight) = self.flights.remove(&id) else { return Ok(()) };
        self.overdue.remove(&(flight.overdue, id));
        match ended {
            Ended::Ran(result, key) => self.take_result(&flight, result, key),
            Ended::Reused(result) => self.take_reused(&flight, *result),
        }
    }

    fn is_current(&self, flight: &Flight) -> bool {
        match self.state.step(flight.step).status {
            Status::Running { attempt } => {
                attempt == flight.attempt || self.dispatcher.faults.planted(PlantedBug::NoFencing)
            }
            _ => false,
        }
    }

    fn take_result(&mut self, flight: &Flight, result: AttemptResult, key: Option<Digest>) -> Result<(), RunError> {
        if !self.is_current(flight) {
            return Ok(());
        }
        let (step, usage) = (flight.step, result.usage);
        match result.result {
            Ok(AttemptOutput::Succeeded(output)) => self.succeeded(step, &output, usage, key),
            Ok(AttemptOutput::Rejected(output)) => {
                let failure = Failure::new(FailureKind::Rejected, "the plugin ran well, and its answer is no");
                if let Some(delay) = self.retry(flight, &failure) {
                    return self.again(flight, failure, usage, delay);
                }
                let failure = Some(failure);
                self.finished(step, End { output: Some(output), failure, usage, ..End::of(TaskOutcome::Failed) })
            }
            Ok(AttemptOutput::Skipped(reason)) => {
                self.finished(step, End { reason: Some(reason), usage, ..End::of(TaskOutcome::Skipped) })
            }
            Err(failure) => self.failed(flight, failure, usage),
        }
    }

    fn failed(&mut self, flight: &Flight, failure: Failure, usage: Usage) -> Result<(), RunError> {
        let stopped = failure.what == FailureKind::Cancelled;
        if stopped && self.paused_until.is_some() && self.state.stop_reason(flight.step).is_none() {
            // It was stopped so that the run can pause; that is no end of the task.
            let unknown = self.plan.tasks()[flight.step.task].retry.never;
            return self.happened(Event::AttemptLost {
                task: self.state.id(flight.step),
                attempt: flight.attempt,
                unknown,
            });
        }
        if let Some(delay) = self.retry(flight, &failure) {
            return self.again(flight, failure, usage, delay);
        }
        let outcome = match flight.reason {
            Some(CancelReason::TaskTimeout) if stopped => TaskOutcome::TimedOut,
            _ => failure.outcome(),
        };
        self.finished(flight.step, End { failure: Some(failure), usage, ..End::of(outcome) })
    }

    /// How long to wait before another attempt; `None` when there is none.
    fn retry(&self, flight: &Flight, failure: &Failure) -> Option<Duration> {
        let retry = &self.plan.tasks()[flight.step.task].retry;
        let state = self.state.step(flight.step);
        let stopped = flight.reason.is_some() || self.state.stop_reason(flight.step).is_some();
        if stopped || retry.never || state.tries + 1 >= retry.attempts || !retry.applies(failure) {
            return None;
        }
        let delay =
            retry.delay(flight.attempt - state.losses, spread(&self.run, &self.state.id(flight.step), flight.attempt));
        let next = self.now().0.saturating_add(i64::try_from(delay.as_millis()).unwrap_or(i64::MAX));
        let began = state.began.map_or(next, |began| began.0);
        let in_budget = |budget: orch_core::Period| {
            next.saturating_sub(began) <= i64::try_from(budget.millis()).unwrap_or(i64::MAX)
        };
        retry.budget.is_none_or(in_budget).then_some(delay)
    }

    fn again(&mut self, flight: &Flight, failure: Failure, usage: Usage, delay: Duration) -> Result<(), RunError> {
        self.happened(Event::AttemptEnded {
            task: self.state.id(flight.step),
            attempt: flight.attempt,
            outcome: failure.outcome(),
            failure,
            usage,
            delay_ms: u64::try_from(delay.as_millis()).unwrap_or(u64::MAX),
        })
    }

    fn take_reused(&mut self, flight: &Flight, result: EarlierResult) -> Result<(), RunError> {
        if !self.is_current(flight) {
            return Ok(());
        }
        let task = self.state.id(flight.step);
        let EarlierResult { from, of, key, output, findings, artifacts } = result;
        self.happened(Event::TaskReused { task: task.clone(), from, of, key: Some(key) })?;
        if !findings.is_empty() {
            self.happened(Event::TaskFindings { task: task.clone(), findings })?;
        }
        for artifact in artifacts {
            self.happened(Event::ArtifactStored { task: task.clone(), artifact })?;
        }
        self.finished(flight.step, End { output, ..End::of(TaskOutcome::Succeeded) })
    }

    fn succeeded(&mut self, step: StepRef, output: &Value, usage: Usage, key: Option<Digest>) -> Result<(), RunError> {
        let plan = Arc::clone(&self.plan);
        let planned = &plan.tasks()[step.task];
        let outputs = match planned.outputs {
            None => Ok(output.clone()),
            Some(_) => self.state.with_scope(step, |scope| planned.outputs(output, scope)),
        };
        match outputs {
            Ok(outputs) => {
                let output = Some(outputs);
                self.finished(step, End { output, usage, key, ..End::of(TaskOutcome::Succeeded) })
            }
            Err(error) => {
                let failure = Failure::new(FailureKind::Expression, format!("`outputs` cannot be filled in: {error}"));
                self.finished(step, End { failure: Some(failure), usage, ..End::of(TaskOutcome::Errored) })
            }
        }
    }
}

impl Flight {
    fn copy(&self) -> Flight {
        Flight { step: self.step, attempt: self.attempt, stop: None, reason: self.reason, overdue: self.overdue }
    }
}

/// Where the jitter of a wait falls, between 0 and 1: the same for the same attempt, and spread over runs and steps.
fn spread(run: &orch_core::RunId, step: &orch_core::StepId, attempt: u32) -> f64 {
    let digest = Digest::of(format!("{run}/{step}/{attempt}").as_bytes());
    let number = u32::from_str_radix(&digest.hex()[..8], 16).unwrap_or(0);
    f64::from(number) / f64::from(u32::MAX)
}
