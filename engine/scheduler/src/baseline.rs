//! The findings that an earlier run had: what a gate does not count as new.

use orch_core::{Event, FindingStatus, RunId, RunOutcome, RunStore, StoreError};
use orch_workflow::BaselineRef;
use std::collections::BTreeSet;

/// How many runs back `last-succeeded` looks.
const MOST_RUNS: usize = 1_000;

/// A run's id and the fingerprints of its open findings.
pub(crate) type Baseline = (String, BTreeSet<String>);

/// Finds a baseline; `None` when there is no such run yet.
pub(crate) fn find(store: &dyn RunStore, workflow: &str, which: &BaselineRef) -> Result<Option<Baseline>, StoreError> {
    let run = match which {
        BaselineRef::LastSucceeded => store
            .list(Some(workflow), MOST_RUNS)?
            .into_iter()
            .find(|run| run.outcome == Some(RunOutcome::Succeeded))
            .map(|run| run.run),
        BaselineRef::Run(id) => Some(named(store, id)?),
    };
    let Some(run) = run else {
        return Ok(None);
    };
    let mut fingerprints = BTreeSet::new();
    for record in store.read(&run, 0)? {
        if let Event::TaskFindings { findings, .. } = record.event {
            let open = findings.into_iter().filter(|finding| finding.status == FindingStatus::Open);
            fingerprints.extend(open.map(|finding| finding.fingerprint));
        }
    }
    Ok(Some((run.to_string(), fingerprints)))
}

fn named(store: &dyn RunStore, id: &str) -> Result<RunId, StoreError> {
    if let Ok(run) = RunId::try_from(id) {
        return Ok(run);
    }
    let fits = |run: &RunId| run.as_str().starts_with(id) || run.as_str().ends_with(id);
    let fitting: Vec<RunId> =
        store.list(None, MOST_RUNS)?.into_iter().map(|run| run.run).filter(fits).take(3).collect();
    match fitting.as_slice() {
        [] => Err(StoreError::UnknownRun(id.to_owned())),
        [run] => Ok(run.clone()),
        several => {
            let runs: Vec<_> = several.iter().map(RunId::as_str).collect();
            Err(StoreError::Ambiguous { prefix: id.to_owned(), runs: runs.join(", ") })
        }
    }
}
