//! Results that are used again: looked up by the digest of all that a result may depend on.

use crate::attempts::Ended;
use orch_core::{
    Attempt, Digest, Event, Finding, LiveEvents, RunId, RunStore, StepId, StoreError, StoredArtifact, TaskOutcome,
    TaskRunner,
};
use serde_json::Value;
use std::sync::Arc;

/// A result of an earlier run.
pub(crate) struct EarlierResult {
    pub(crate) from: RunId,
    pub(crate) of: StepId,
    pub(crate) key: Digest,
    pub(crate) output: Option<Value>,
    pub(crate) findings: Vec<Finding>,
    pub(crate) artifacts: Vec<StoredArtifact>,
}

/// Runs an attempt, unless a result of the same is there and may be looked for.
pub(crate) async fn run(
    runner: Arc<dyn TaskRunner>,
    store: Arc<dyn RunStore>,
    attempt: Attempt,
    live: Arc<dyn LiveEvents>,
    look: bool,
) -> Ended {
    // What cannot be read to its digest is not cached; the attempt itself will say what is wrong.
    let Ok(key) = runner.depends_on(&attempt).await else {
        return Ended::Ran(runner.run(attempt, live).await, None);
    };
    // A log that cannot be read is noticed by the next append; for the cache it is a miss.
    let found = if look { find(&*store, key) } else { Ok(None) };
    match found {
        Ok(Some(found)) => Ended::Reused(Box::new(found)),
        Ok(None) | Err(_) => {
            let result = runner.run(attempt, live).await;
            // What was made with the value of a secret in sight is for this run alone.
            let key = (!result.usage.tainted).then_some(key);
            Ended::Ran(result, key)
        }
    }
}

fn find(store: &dyn RunStore, key: Digest) -> Result<Option<EarlierResult>, StoreError> {
    let Some((from, of)) = store.result_of(&key)? else { return Ok(None) };
    let mut found = EarlierResult { from, of, key, output: None, findings: Vec::new(), artifacts: Vec::new() };
    let mut succeeded = false;
    for record in store.read(&found.from, 0)? {
        match record.event {
            // What an attempt said that was followed by another one does not belong to the result.
            Event::TaskStarted { task, .. } if task == found.of => {
                found.findings.clear();
                found.artifacts.clear();
            }
            Event::TaskFindings { task, findings } if task == found.of => found.findings.extend(findings),
            Event::ArtifactStored { task, artifact } if task == found.of => found.artifacts.push(artifact),
            Event::TaskFinished { task, outcome, output, key: of_key, .. } if task == found.of => {
                succeeded = outcome == TaskOutcome::Succeeded && of_key == Some(key);
                found.output = output;
            }
            _ => {}
        }
    }
    Ok(succeeded.then_some(found))
}
