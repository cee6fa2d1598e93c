//! A store in memory, a runner that does what a test says, and plans from text.

use camino::Utf8Path;
use orch_core::{
    Admission, Attempt, AttemptOutput, AttemptResult, BoxFuture, Clock, Digest, Event, Failure, FailureKind,
    GroupStore, GroupTicket, LiveEvents, Manifest, NoFaults, Person, Policy, Record, RunId, RunOutcome, RunStore,
    RunSummary, Source, StepId, StoreError, TaskRunner, Timestamp, Usage, Wish,
};
use orch_scheduler::{Beginning, Dispatcher, Driven, RunError, RunRequest};
use orch_workflow::{Plan, PlanRequest, Resolved};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use tokio_util::sync::CancellationToken;

#[derive(Default)]
pub(crate) struct MemoryStore {
    pub(crate) runs: Mutex<HashMap<RunId, Vec<Record>>>,
    pub(crate) appends: Mutex<Vec<usize>>,
    /// Appends that succeed before one fails.
    pub(crate) fails_after: Option<usize>,
    pub(crate) wishes: Mutex<Vec<(u64, Wish)>>,
}

impl GroupStore for MemoryStore {
    fn enter(&self, _ticket: &GroupTicket, _now: Timestamp) -> Result<Admission, StoreError> {
        Ok(Admission::Admitted)
    }

    fn leave(&self, _run: &RunId) -> Result<(), StoreError> {
        Ok(())
    }
}

impl RunStore for MemoryStore {
    fn append(&self, run: &RunId, appended: Arc<Vec<Record>>) -> BoxFuture<Result<(), StoreError>> {
        let mut appends = self.appends.lock().unwrap();
        if self.fails_after == Some(appends.len()) {
            return Box::pin(async { Err(StoreError::Full("memory".into())) });
        }
        appends.push(appended.len());
        let mut runs = self.runs.lock().unwrap();
        let records = runs.entry(run.clone()).or_default();
        for record in appended.iter() {
            assert_eq!(
                records.len() as u64 + 1,
                record.seq,
                "only the dispatcher appends, and it knows where the log ends"
            );
            records.push(record.clone());
        }
        // Not at once: what arrives meanwhile must share the next append.
        Box::pin(async {
            tokio::task::yield_now().await;
            Ok(())
        })
    }

    fn read(&self, run: &RunId, after: u64) -> Result<Vec<Record>, StoreError> {
        let runs = self.runs.lock().unwrap();
        let records = runs.get(run).ok_or_else(|| StoreError::UnknownRun(run.to_string()))?;
        Ok(records.iter().filter(|record| record.seq > after).cloned().collect())
    }

    fn list(&self, _workflow: Option<&str>, most: usize) -> Result<Vec<RunSummary>, StoreError> {
        let mut runs: Vec<_> = self
            .runs
            .lock()
            .unwrap()
            .iter()
            .map(|(run, records)| {
                let outcome = records.iter().find_map(|record| match record.event {
                    Event::RunFinished { outcome, .. } => Some(outcome),
                    _ => None,
                });
                RunSummary {
                    run: run.clone(),
                    workflow: "w".into(),
                    created: records[0].at,
                    updated: records[records.len() - 1].at,
                    outcome,
                    suspended: false,
                    events: records.len() as u64,
                }
            })
            .collect();
        runs.sort_by(|a, b| b.run.cmp(&a.run));
        runs.truncate(most);
        Ok(runs)
    }

    fn wishes(&self, _run: &RunId) -> Result<Vec<(u64, Wish)>, StoreError> {
        Ok(self.wishes.lock().unwrap().clone())
    }

    fn granted(&self, _run: &RunId, number: u64) -> BoxFuture<Result<(), StoreError>> {
        self.wishes.lock().unwrap().retain(|(other, _)| *other > number);
        Box::pin(std::future::ready(Ok(())))
    }

    fn result_of(&self, key: &Digest) -> Result<Option<(RunId, StepId)>, StoreError> {
        let runs = self.runs.lock().unwrap();
        let found = runs.iter().find_map(|(run, records)| {
            records.iter().find_map(|record| match &record.event {
                Event::TaskFinished { task, key: Some(of), .. } if of == key => Some((run.clone(), task.clone())),
                _ => None,
            })
        });
        Ok(found)
    }
}

type Script = dyn Fn(Attempt, Arc<dyn LiveEvents>) -> BoxFuture<AttemptResult> + Send + Sync;

/// Runs what a test says.
pub(crate) struct Scripted(Box<Script>);

impl Scripted {
    pub(crate) fn new(
        script: impl Fn(Attempt, Arc<dyn LiveEvents>) -> BoxFuture<AttemptResult> + Send + Sync + 'static,
    ) -> Scripted {
        Scripted(Box::new(script))
    }

    /// Every task ends at once: as its id begins.
    pub(crate) fn by_name() -> Scripted {
        Scripted::new(|attempt, _| Box::pin(async move { by_name(attempt.task.task.as_str()) }))
    }
}

pub(crate) fn by_name(task: &str) -> AttemptResult {
    let failed = |what| Err(Failure::new(what, "as told"));
    let result = match task.split('-').next() {
        Some("fails") => failed(FailureKind::Failed),
        Some("traps") => failed(FailureKind::Trap),
        Some("late") => failed(FailureKind::Timeout),
        Some("rejects") => Ok(AttemptOutput::Rejected(serde_json::json!({ "ok": false }))),
        Some("skips") => Ok(AttemptOutput::Skipped("nothing to do".into())),
        _ => Ok(AttemptOutput::Succeeded(serde_json::json!({ "from": task }))),
    };
    AttemptResult { result, usage: Usage::default() }
}

impl TaskRunner for Scripted {
    fn run(&self, attempt: Attempt, live: Arc<dyn LiveEvents>) -> BoxFuture<AttemptResult> {
        (self.0)(attempt, live)
    }

    fn depends_on(&self, attempt: &Attempt) -> BoxFuture<Result<Digest, Failure>> {
        Box::pin(std::future::ready(Ok(Digest::of(format!("{} {}", attempt.task, attempt.input).as_bytes()))))
    }
}

pub(crate) struct NoTime;

impl Clock for NoTime {
    fn now(&self) -> Timestamp {
        Timestamp(1_790_000_000_000) // 2026-09-21
    }
}

/// A plan of tasks, all of which use the same plugin.
pub(crate) fn plan(tasks: &str) -> Plan {
    plan_of(&format!("schema: orch-wasm/v1\nname: w\ntasks:\n{tasks}"))
}

pub(crate) fn plan_of(text: &str) -> Plan {
    plan_that_asks(text, |_| {})
}

/// As [`plan_of`], with a plugin that asks for something.
pub(crate) fn plan_that_asks(text: &str, asks: impl FnOnce(&mut orch_core::Ask)) -> Plan {
    let source = Source::new("w.yaml", text);
    let (workflow, problems) = orch_workflow::parse(&source);
    let workflow = workflow.unwrap_or_else(|| panic!("{problems:?}"));
    let mut manifest: Manifest = serde_json::from_value(serde_json::json!({
        "schema": Manifest::SCHEMA, "name": "test/any", "version": "1.0.0", "description": "d", "license": "Apache-2.0",
        "tasks": { "any": { "description": "d", "input": true, "output": true } },
    }))
    .unwrap();
    asks(&mut manifest.permissions);
    let resolved = Resolved { manifest: Arc::new(manifest), digest: Digest::of(b"any"), signer: None };
    let plugins: BTreeMap<_, _> =
        workflow.plugin_references().into_iter().map(|used| (("/w".into(), used.uses), resolved.clone())).collect();
    let (plan, problems) = orch_workflow::plan(&PlanRequest {
        workflow: &workflow,
        source: &source,
        folder: Utf8Path::new("/w"),
        dry_run: false,
        inputs: &BTreeMap::new(),
        nested: &orch_workflow::NestedFiles::default(),
        plugins: &plugins,
        policy: &Policy::built_in("/w".into(), Vec::new()),
        waivers: &BTreeMap::new(),
    });
    plan.unwrap_or_else(|| panic!("{problems:?}"))
}

pub(crate) fn run_id(number: u32) -> RunId {
    RunId::try_from(format!("{number:032x}")).unwrap()
}

/// A run and what came of it.
pub(crate) struct Ran {
    pub(crate) outcome: Result<RunOutcome, RunError>,
    pub(crate) records: Vec<Record>,
    /// What the observer saw.
    pub(crate) seen: Vec<Record>,
    pub(crate) store: Arc<MemoryStore>,
}

pub(crate) fn run(plan: Plan, runner: Scripted, jobs: usize) -> Ran {
    run_with(plan, runner, jobs, MemoryStore::default(), CancellationToken::new(), 1)
}

pub(crate) fn run_with(
    plan: Plan,
    runner: Scripted,
    jobs: usize,
    store: MemoryStore,
    cancel: CancellationToken,
    number: u32,
) -> Ran {
    run_in(plan, runner, jobs, Arc::new(store), cancel, number)
}

pub(crate) fn run_in(
    plan: Plan,
    runner: Scripted,
    jobs: usize,
    store: Arc<MemoryStore>,
    cancel: CancellationToken,
    number: u32,
) -> Ran {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let seen: Arc<Mutex<Vec<Record>>> = Arc::default();
    let observed = Arc::clone(&seen);
    let dispatcher = Dispatcher {
        store: store.clone(),
        groups: store.clone(),
        runner: Arc::new(runner),
        clock: Arc::new(NoTime),
        faults: Arc::new(NoFaults),
        jobs,
    };
    let observer = Arc::new(move |record: &Record| observed.lock().unwrap().push(record.clone()));
    let request = RunRequest {
        run: run_id(number),
        plan: Arc::new(plan),
        beginning: Beginning::New(None),
        by: Person { name: "ann".into(), groups: Vec::new() },
        observer,
        cancel,
        pause: CancellationToken::new(),
    };
    let outcome = runtime.block_on(dispatcher.run(request)).map(|driven| match driven {
        Driven::Ended(outcome) => outcome,
        Driven::Suspended(waits) => panic!("the run waits for {waits:?}"),
    });
    let records = store.read(&run_id(number), 0).unwrap_or_default();
    let seen = seen.lock().unwrap().clone();
    Ran { outcome, records, seen, store }
}

impl Ran {
    /// How each task ended.
    pub(crate) fn ends(&self) -> BTreeMap<String, String> {
        let ended = self.records.iter().filter_map(|record| match &record.event {
            Event::TaskFinished { task, outcome, .. } => Some((task.to_string(), outcome.word().to_owned())),
            _ => None,
        });
        ended.collect()
    }

    #[track_caller]
    pub(crate) fn check(&self, outcome: RunOutcome, ends: &[(&str, &str)]) {
        assert_eq!(self.outcome.as_ref().ok(), Some(&outcome), "{:?}", self.outcome);
        let expected: BTreeMap<_, _> = ends.iter().map(|(task, end)| ((*task).to_owned(), (*end).to_owned())).collect();
        assert_eq!(self.ends(), expected);
        assert_eq!(self.records, self.seen, "what is seen is what is on disk");
    }
}
