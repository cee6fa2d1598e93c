//! Running a part of an earlier run once more: which of its results still hold.

use orch_core::{Event, Record, RunId, TaskId, TaskOutcome};
use orch_workflow::Plan;
use std::collections::{BTreeMap, BTreeSet};

/// Why a run cannot be repeated from a task.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RerunError {
    /// There is no such task.
    #[error("there is no task `{0}` in the workflow")]
    UnknownTask(TaskId),
    /// The results of these tasks would be used, and they are not what they were.
    #[error("`{}` changed since run {run}, so {} cannot be used", .tasks.join("`, `"), if .tasks.len() == 1 { "its result" } else { "their results" })]
    Changed {
        /// The tasks.
        tasks: Vec<String>,
        /// The earlier run.
        run: RunId,
    },
}

/// What a new run takes from an earlier one.
#[derive(Debug, Clone, PartialEq)]
pub struct Carried {
    /// The earlier run.
    pub from: RunId,
    /// The events that carry its results.
    pub events: Vec<Event>,
    /// The tasks that run again, whatever results there are.
    pub again: Vec<TaskId>,
}

/// The results of an earlier run that a new one uses: those of every task that succeeded or was skipped there, except
/// `from`, and except those that need it when `descendants` says so. An approval is carried only when the plan is the same.
///
/// # Errors
/// When there is no such task, or a task whose result would be carried is planned differently now.
pub fn carried(
    run: &RunId,
    records: &[Record],
    before: &Plan,
    now: &Plan,
    from: &TaskId,
    descendants: bool,
) -> Result<Carried, RerunError> {
    if !now.tasks().iter().any(|task| task.id == *from && task.parent.is_none() && task.hook.is_none()) {
        return Err(RerunError::UnknownTask(from.clone()));
    }
    let mut again = BTreeSet::from([from.clone()]);
    let mut ends: BTreeMap<&TaskId, &Event> = BTreeMap::new();
    for record in records {
        if let Event::TaskFinished { task, outcome: TaskOutcome::Succeeded | TaskOutcome::Skipped, .. } = &record.event
            && task.item.is_none()
        {
            ends.insert(&task.task, &record.event);
        }
    }
    let same_plan = before.hash() == now.hash();
    let mut events = Vec::new();
    let mut changed = Vec::new();
    for task in now.tasks().iter().filter(|task| task.parent.is_none() && task.hook.is_none()) {
        if descendants && task.needs.iter().any(|need| again.contains(need)) {
            again.insert(task.id.clone());
        }
        let asks = matches!(task.kind, orch_workflow::PlannedKind::Approval(_));
        let (Some(end), false, true) = (ends.get(&task.id), again.contains(&task.id), same_plan || !asks) else {
            continue;
        };
        if !same_plan && !alike(before, now, &task.id) {
            changed.push(task.id.to_string());
            continue;
        }
        let step = orch_core::StepId::from(task.id.clone());
        events.push(Event::TaskReused { task: step.clone(), from: run.clone(), of: step.clone(), key: None });
        events.extend(records.iter().filter_map(|record| match &record.event {
            Event::TaskFindings { task: of, findings } if of.task == task.id => {
                Some(Event::TaskFindings { task: step.clone(), findings: findings.clone() })
            }
            Event::ArtifactStored { task: of, artifact } if of.task == task.id => {
                Some(Event::ArtifactStored { task: step.clone(), artifact: artifact.clone() })
            }
            _ => None,
        }));
        events.push((*end).clone());
    }
    if !changed.is_empty() {
        return Err(RerunError::Changed { tasks: changed, run: run.clone() });
    }
    Ok(Carried { from: run.clone(), events, again: again.into_iter().collect() })
}

/// Whether a task and all that it holds is planned the same twice, and looks at no input that differs.
fn alike(before: &Plan, now: &Plan, id: &TaskId) -> bool {
    let names = now.inputs().as_object().into_iter().flatten().map(|(name, _)| name);
    let mut differing = names.filter(|name| before.inputs().get(*name) != now.inputs().get(*name));
    let own = now.tasks().iter().find(|task| task.id == *id);
    if differing.any(|name| own.is_none_or(|task| task.reads_input(name))) {
        return false;
    }
    let inside = format!("{id}/");
    let of = |plan: &'_ Plan| {
        let own = plan.tasks().iter().filter(|task| task.id == *id || task.id.as_str().starts_with(&inside));
        own.cloned().collect::<Vec<_>>()
    };
    of(before) == of(now)
}
