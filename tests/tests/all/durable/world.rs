//! A world in memory for the state machine: a log that can end anywhere, a runner that keeps a ledger, people who answer.

use super::graphs::{Behaviour, Graph};
use camino::Utf8Path;
use orch_core::{
    Admission, Answer, Attempt, AttemptOutput, AttemptResult, BoxFuture, Clock, Digest, Event, Failure, FailureKind,
    Faults, GroupStore, GroupTicket, LiveEvents, Manifest, Person, PlantedBug, Policy, Record, RunId, RunStore,
    RunSummary, Source, StepId, StoreError, TaskRunner, Timestamp, Usage, Wish,
};
use orch_scheduler::{Beginning, Dispatcher, Driven, RunError, RunRequest};
use orch_workflow::{Plan, PlanRequest, Resolved};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Something that the runner was asked to do.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) step: String,
    pub(crate) attempt: u32,
    pub(crate) input: Value,
}

#[derive(Default)]
pub(crate) struct World {
    pub(crate) records: Mutex<Vec<Record>>,
    /// The log takes no more than this.
    pub(crate) room: Option<u64>,
    pub(crate) wishes: Mutex<Vec<(u64, Wish)>>,
    pub(crate) calls: Mutex<Vec<Call>>,
    pub(crate) bug: Option<PlantedBug>,
}

struct Bugs(Option<PlantedBug>);

impl Faults for Bugs {
    fn at(&self, _point: &'static str) -> std::io::Result<()> {
        Ok(())
    }

    fn planted(&self, bug: PlantedBug) -> bool {
        self.0 == Some(bug)
    }
}

impl RunStore for World {
    fn append(&self, _run: &RunId, appended: Arc<Vec<Record>>) -> BoxFuture<Result<(), StoreError>> {
        let mut records = self.records.lock().unwrap();
        if self.room.is_some_and(|room| (records.len() + appended.len()) as u64 > room) {
            return Box::pin(std::future::ready(Err(StoreError::Full("memory".into()))));
        }
        for record in appended.iter() {
            assert_eq!(records.len() as u64 + 1, record.seq, "the dispatcher knows where the log ends");
            records.push(record.clone());
        }
        // Not at once: what arrives meanwhile shares the next append.
        Box::pin(async {
            tokio::task::yield_now().await;
            Ok(())
        })
    }

    fn read(&self, _run: &RunId, after: u64) -> Result<Vec<Record>, StoreError> {
        Ok(self.records.lock().unwrap().iter().filter(|record| record.seq > after).cloned().collect())
    }

    fn list(&self, _workflow: Option<&str>, _most: usize) -> Result<Vec<RunSummary>, StoreError> {
        Ok(Vec::new())
    }

    fn wishes(&self, _run: &RunId) -> Result<Vec<(u64, Wish)>, StoreError> {
        Ok(self.wishes.lock().unwrap().clone())
    }

    fn granted(&self, _run: &RunId, number: u64) -> BoxFuture<Result<(), StoreError>> {
        self.wishes.lock().unwrap().retain(|(other, _)| *other > number);
        Box::pin(std::future::ready(Ok(())))
    }

    fn result_of(&self, _key: &Digest) -> Result<Option<(RunId, StepId)>, StoreError> {
        Ok(None)
    }
}

impl GroupStore for World {
    fn enter(&self, _ticket: &GroupTicket, _now: Timestamp) -> Result<Admission, StoreError> {
        Ok(Admission::Admitted)
    }

    fn leave(&self, _run: &RunId) -> Result<(), StoreError> {
        Ok(())
    }
}

struct NoTime;

impl Clock for NoTime {
    fn now(&self) -> Timestamp {
        Timestamp(1_790_000_000_000) // 2026-09-21
    }
}

struct Runner {
    world: Arc<World>,
    graph: Arc<Graph>,
}

impl TaskRunner for Runner {
    fn run(&self, attempt: Attempt, _live: Arc<dyn LiveEvents>) -> BoxFuture<AttemptResult> {
        let input = serde_json::from_str(&attempt.input).unwrap_or_default();
        let (step, number) = (attempt.task.to_string(), attempt.number);
        self.world.calls.lock().unwrap().push(Call { step: step.clone(), attempt: number, input });
        let behaviour = self.graph.behaviour(attempt.task.task.as_str());
        Box::pin(async move {
            let output = json!({ "step": step, "attempt": number });
            let broken = |what| Err(Failure::new(what, "as told"));
            // Spread over virtual time, the same for the same attempt: interleavings differ from graph to graph.
            let spread = u64::from(Digest::of(format!("{step} {number}").as_bytes()).hex().as_bytes()[0]);
            let mut wait = Duration::from_millis(spread);
            if behaviour == Behaviour::Stuck && number == 1 {
                // Far behind its timeout, and deaf: it comes back while the next attempt is at work.
                wait = Duration::from_secs(80);
            } else if behaviour == Behaviour::Stuck {
                wait = Duration::from_secs(40);
            }
            let result = {
                let mut attempt = attempt;
                let deaf = behaviour == Behaviour::Stuck;
                tokio::select! {
                    () = tokio::time::sleep(wait) => None,
                    _ = &mut attempt.cancel, if !deaf => Some(broken(FailureKind::Cancelled)),
                }
            };
            let result = result.unwrap_or_else(|| match behaviour {
                Behaviour::Fails => broken(FailureKind::Failed),
                Behaviour::Traps => broken(FailureKind::Trap),
                Behaviour::Rejects => Ok(AttemptOutput::Rejected(output)),
                Behaviour::Skips => Ok(AttemptOutput::Skipped("nothing to do".into())),
                Behaviour::Flaky(times) if number <= times => broken(FailureKind::Trap),
                Behaviour::Fine | Behaviour::Flaky(_) | Behaviour::Stuck => Ok(AttemptOutput::Succeeded(output)),
            });
            AttemptResult { result, usage: Usage::default() }
        })
    }

    fn depends_on(&self, _attempt: &Attempt) -> BoxFuture<Result<Digest, Failure>> {
        Box::pin(std::future::ready(Err(Failure::new(FailureKind::Bug, "nothing is cached here"))))
    }
}

pub(crate) fn run_id() -> RunId {
    RunId::try_from(format!("{:032x}", 7)).unwrap()
}

/// A plan of tasks that all use the same plugin.
pub(crate) fn plan(text: &str) -> Plan {
    let source = Source::new("w.yaml", text);
    let (workflow, problems) = orch_workflow::parse(&source);
    let workflow = workflow.unwrap_or_else(|| panic!("{problems:?}\n{text}"));
    let manifest: Manifest = serde_json::from_value(json!({
        "schema": Manifest::SCHEMA, "name": "test/any", "version": "1.0.0", "description": "d", "license": "Apache-2.0",
        "tasks": { "any": { "description": "d", "input": true, "output": true } },
    }))
    .unwrap();
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
    plan.unwrap_or_else(|| panic!("{problems:?}\n{text}"))
}

impl World {
    /// A world that begins where an earlier one ended: its log up to a position, and nothing else.
    pub(crate) fn after(records: &[Record], bug: Option<PlantedBug>) -> Arc<World> {
        Arc::new(World { records: Mutex::new(records.to_vec()), bug, ..World::default() })
    }

    pub(crate) fn records(&self) -> Vec<Record> {
        self.records.lock().unwrap().clone()
    }

    /// The log as an outsider reads it.
    pub(crate) fn log(&self) -> Vec<Value> {
        self.records().iter().map(|record| serde_json::to_value(record).unwrap()).collect()
    }

    /// Drives the run until it is over, answering whatever it asks. `Err` when the log has no room.
    pub(crate) fn drive(self: &Arc<World>, graph: &Arc<Graph>, plan: &Arc<Plan>) -> Result<(), RunError> {
        loop {
            let before = self.records();
            let beginning = match before.is_empty() {
                true => Beginning::New(None),
                false => Beginning::Resumed(before),
            };
            match self.once(graph, plan, beginning)? {
                Driven::Ended(_) => return Ok(()),
                Driven::Suspended(waits) => self.answer(&waits, plan),
            }
        }
    }

    fn once(self: &Arc<World>, graph: &Arc<Graph>, plan: &Arc<Plan>, beginning: Beginning) -> Result<Driven, RunError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let dispatcher = Dispatcher {
            store: Arc::clone(self) as Arc<dyn RunStore>,
            groups: Arc::clone(self) as Arc<dyn GroupStore>,
            runner: Arc::new(Runner { world: Arc::clone(self), graph: Arc::clone(graph) }),
            clock: Arc::new(NoTime),
            faults: Arc::new(Bugs(self.bug)),
            jobs: graph.jobs,
        };
        let request = RunRequest {
            run: run_id(),
            plan: Arc::clone(plan),
            beginning,
            by: Person { name: "ann".into(), groups: Vec::new() },
            observer: Arc::new(|_| {}),
            cancel: CancellationToken::new(),
            pause: CancellationToken::new(),
        };
        runtime.block_on(dispatcher.run(request))
    }

    /// People: every approval is given, every task whose end is unknown runs again or is settled, by its name.
    fn answer(&self, waits: &[StepId], plan: &Plan) {
        assert!(!waits.is_empty(), "nobody asked the run to pause");
        let records = self.records();
        let asked: BTreeSet<&StepId> = records
            .iter()
            .filter_map(|record| match &record.event {
                Event::ApprovalRequested { task, .. } => Some(task),
                _ => None,
            })
            .collect();
        let mut wishes = self.wishes.lock().unwrap();
        for (number, task) in waits.iter().enumerate() {
            let even = Digest::of(task.to_string().as_bytes()).hex().as_bytes()[0].is_multiple_of(2);
            let answer = match (asked.contains(task), even) {
                (true, _) => Answer::Approve,
                (false, true) => Answer::Again,
                (false, false) => Answer::Failed,
            };
            let by = Person { name: "bob".into(), groups: Vec::new() };
            let (plan_hash, at) = (plan.hash(), Timestamp(0));
            wishes.push((
                number as u64 + 1,
                Wish::Answer { task: task.clone(), answer, by, plan_hash, comment: None, at },
            ));
        }
    }
}
