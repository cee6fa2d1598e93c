//! Events and stores that the tests share.

use orch_core::{
    CancelReason, Canonical, Digest, Event, Faults, Record, RunId, RunOutcome, RunStore, StoreError, TaskOutcome,
    Timestamp,
};
use orch_store::{FolderBlobs, SqliteStore, StateFolder};
use std::sync::Arc;

pub(crate) fn created() -> Event {
    created_with(&[])
}

/// The beginning of a run whose tasks run these components.
pub(crate) fn created_with(components: &[Digest]) -> Event {
    let tasks: Vec<_> = components
        .iter()
        .enumerate()
        .map(|(number, digest)| {
            let what =
                serde_json::json!({"kind": "plugin", "plugin": "orch/echo", "version": "1.0.0", "digest": digest});
            serde_json::from_value(serde_json::json!({"id": format!("t{number}"), "needs": [], "what": what})).unwrap()
        })
        .collect();
    Event::RunCreated {
        format: 2,
        workflow: "w".into(),
        file: "w.yaml".into(),
        plan_hash: Digest::of(b""),
        plan: Canonical::of(&serde_json::json!({})),
        tasks,
        inputs: serde_json::json!({}),
        requester: None,
        rerun_of: None,
        again: Vec::new(),
    }
}

pub(crate) fn finished() -> Event {
    Event::RunFinished { outcome: RunOutcome::Succeeded, outputs: serde_json::json!({}) }
}

pub(crate) fn suspended() -> Event {
    Event::RunSuspended { waits: vec!["scan".parse().unwrap()] }
}

pub(crate) fn tell() -> Event {
    Event::CancelRequested { reason: CancelReason::Requested, by: None, undo: false }
}

pub(crate) fn stored(digest: Digest) -> Event {
    let artifact = serde_json::json!({"name": "a.json", "media_type": "text/plain", "digest": digest, "bytes": 1});
    Event::ArtifactStored { task: "scan".parse().unwrap(), artifact: serde_json::from_value(artifact).unwrap() }
}

pub(crate) fn ended(step: &str, outcome: TaskOutcome, key: Option<Digest>) -> Event {
    Event::TaskFinished {
        task: step.parse().unwrap(),
        outcome,
        output: None,
        reason: None,
        failure: None,
        usage: orch_core::Usage::default(),
        tolerated: false,
        key,
    }
}

pub(crate) fn run(number: u32) -> RunId {
    RunId::try_from(format!("{number:032x}")).unwrap()
}

pub(crate) fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

pub(crate) fn append(store: &SqliteStore, run: &RunId, expected: u64, events: Vec<Event>) -> Result<(), StoreError> {
    let at = Timestamp(1_000 + i64::try_from(expected).unwrap());
    wait(store.append(run, records(at, expected, events)))
}

/// Events after the first `expected` ones.
pub(crate) fn records(at: Timestamp, expected: u64, events: Vec<Event>) -> Arc<Vec<Record>> {
    Arc::new((expected + 1..).zip(events).map(|(seq, event)| Record { seq, at, event }).collect())
}

pub(crate) fn state(folder: &tempfile::TempDir) -> StateFolder {
    StateFolder::open(&folder.path().join("state")).unwrap()
}

pub(crate) fn open(folder: &tempfile::TempDir) -> SqliteStore {
    SqliteStore::new(state(folder))
}

pub(crate) fn open_with(folder: &tempfile::TempDir, faults: Arc<dyn Faults>) -> (SqliteStore, FolderBlobs) {
    (SqliteStore::with_faults(state(folder), Arc::clone(&faults)), FolderBlobs::with_faults(state(folder), faults))
}

/// The database itself, for what no program of ours would do to it.
pub(crate) fn database(folder: &tempfile::TempDir) -> rusqlite::Connection {
    rusqlite::Connection::open(folder.path().join("state/state.db")).unwrap()
}
