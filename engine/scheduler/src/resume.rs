//! Taking up a run that another process left: its log is folded, what was running is told as lost, and it goes on from there.

use crate::dispatch::{LOG_FORMAT, RunError, Running};
use crate::state::RunState;
use orch_core::{Event, Person, PlantedBug, Record, RunOutcome};
use orch_workflow::Plan;

/// A step that took its process down so often is left to a person.
const MOST_LOSSES: u32 = 10;

/// The plan that a run was started with.
///
/// # Errors
/// When the log does not begin with one, or in a format that this program does not know.
pub fn stored_plan(records: &[Record]) -> Result<Plan, RunError> {
    let Some(Event::RunCreated { format, plan, plan_hash, .. }) = records.first().map(|record| &record.event) else {
        return Err(RunError::Plan("the log does not begin with it".to_owned()));
    };
    if *format > LOG_FORMAT {
        return Err(RunError::Plan(format!("the log's format is {format}, this program knows {LOG_FORMAT}")));
    }
    let plan: Plan = plan.parse().map_err(|error| RunError::Plan(error.to_string()))?;
    if plan.hash() != *plan_hash {
        return Err(RunError::Plan("it is not the one that its hash names".to_owned()));
    }
    Ok(plan)
}

/// Folds a log; gives the run's outcome if it is over.
pub(crate) fn take_up(
    running: &mut Running<'_>,
    records: &[Record],
    by: Person,
) -> Result<Option<RunOutcome>, RunError> {
    fold(running, records)?;
    running.seq = records.last().map_or(0, |record| record.seq);
    if let Some(last) = records.last() {
        running.not_before(last.at);
    }
    if let Some(outcome) = running.state.finished() {
        return Ok(Some(outcome));
    }
    // Those were for the process that is gone.
    running.state.take_stops();
    running.happened(Event::RunResumed { by })?;
    for (step, attempt) in running.state.running() {
        let never = running.plan.tasks()[step.task].retry.never;
        let unknown = never || running.state.step(step).losses + 1 >= MOST_LOSSES;
        running.happened(Event::AttemptLost { task: running.state.id(step), attempt, unknown })?;
    }
    Ok(None)
}

fn fold(running: &mut Running<'_>, records: &[Record]) -> Result<(), RunError> {
    let planted = |bug| running.dispatcher.faults.planted(bug);
    let (requeue, forget) = (planted(PlantedBug::RequeueFinished), planted(PlantedBug::LoseRetryCount));
    let is_end = |record: &&Record| matches!(record.event, Event::TaskFinished { .. });
    let skipped = records.last().filter(is_end).filter(|_| requeue).map(|record| record.seq);
    for record in records.iter().filter(|record| Some(record.seq) != skipped) {
        running.state.apply(record.at, &record.event)?;
    }
    if forget {
        RunState::forget_tries(&mut running.state);
    }
    Ok(())
}
