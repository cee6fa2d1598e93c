//! What a run proves: an in-toto statement over its log. It holds the whole log with the text that the hash chain is over, and what
//! follows from it, so that whoever checks it needs nothing else and believes nobody.
//!
//! After the in-toto attestation framework, statement v1. What the statement says of the run is made from the log alone by
//! [`summary`], and checking makes it again.

use crate::view::RunView;
use orch_core::{Decision, Digest, Event, Record, RunId, Timestamp, chain_link};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The type of the statement, as in-toto names it.
pub const STATEMENT: &str = "https://in-toto.io/Statement/v1";
/// What the statement says something about.
pub const PREDICATE: &str = "urn:orch-wasm:run-evidence:v1";
/// The type of what is signed, as in-toto names it.
pub const PAYLOAD: &str = "application/vnd.in-toto+json";

/// Why something proves nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoProof(pub String);

impl std::fmt::Display for NoProof {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NoProof {}

/// A log that holds together.
#[derive(Debug)]
pub struct ProvenLog {
    /// The events.
    pub records: Vec<Record>,
    /// The last link of its chain.
    pub head: [u8; 32],
}

/// Reads a log from its texts and computes its chain.
///
/// # Errors
/// When it is no log of this format.
pub fn read_log(texts: &[(Timestamp, String)]) -> Result<ProvenLog, NoProof> {
    let mut head = [0; 32];
    let mut records = Vec::with_capacity(texts.len());
    for (seq, (at, body)) in (1_u64..).zip(texts) {
        head = chain_link(&head, seq, *at, body);
        let event = serde_json::from_str(body).map_err(|error| {
            NoProof(format!("event {seq} cannot be read: {}", orch_core::visible(&error.to_string())))
        })?;
        records.push(Record { seq, at: *at, event });
    }
    match records.first().map(|record| &record.event) {
        Some(Event::RunCreated { plan, plan_hash, .. }) if plan.digest() == *plan_hash => {
            Ok(ProvenLog { records, head })
        }
        Some(Event::RunCreated { .. }) => {
            Err(NoProof("the plan in the log is not the one that its hash names".to_owned()))
        }
        _ => Err(NoProof("the log does not begin with the creation of a run".to_owned())),
    }
}

/// The statement over the log of a run.
///
/// # Errors
/// When the log does not hold together.
pub fn statement(run: &RunId, texts: &[(Timestamp, String)]) -> Result<Value, NoProof> {
    let log = read_log(texts)?;
    let entries: Vec<Value> = texts.iter().map(|(at, body)| json!([at, body])).collect();
    Ok(json!({
        "_type": STATEMENT,
        "subject": subjects(run, &log),
        "predicateType": PREDICATE,
        "predicate": {
            "run": run,
            "summary": summary(&log.records),
            "log": { "events": entries.len(), "head": hex(&log.head), "entries": entries },
        },
    }))
}

/// Checks a statement that is signed by somebody who is trusted: that its log holds together, and that everything it says follows
/// from its log. Gives the run and its events.
///
/// # Errors
/// The first thing that does not hold.
pub fn check(statement: &Value) -> Result<(RunId, ProvenLog), NoProof> {
    let no = |reason: &str| Err(NoProof(reason.to_owned()));
    if statement["_type"] != STATEMENT {
        return no("it is no in-toto statement of version 1");
    }
    if statement["predicateType"] != PREDICATE {
        return no("it is a statement about something else than a run");
    }
    let predicate = &statement["predicate"];
    let run = predicate["run"].as_str().and_then(|run| RunId::try_from(run).ok());
    let Some(run) = run else { return no("it does not say which run it is about") };
    let Some(entries) = predicate["log"]["entries"].as_array() else { return no("it has no log") };
    let mut texts = Vec::with_capacity(entries.len());
    for entry in entries {
        match (entry[0].as_i64(), entry[1].as_str()) {
            (Some(at), Some(body)) => texts.push((Timestamp(at), body.to_owned())),
            _ => return no("an entry of its log is none"),
        }
    }
    let log = read_log(&texts)?;
    // Made again from the log: whatever was added, left out or reworded differs.
    let expected = self::statement(&run, &texts)?;
    for part in ["subject", "predicate"] {
        if orch_core::canonical_json(&expected[part]) != orch_core::canonical_json(&statement[part]) {
            return Err(NoProof(format!("what its `{part}` says does not follow from its log")));
        }
    }
    let known = ["_type", "subject", "predicateType", "predicate"];
    let extra = statement.as_object().and_then(|all| all.keys().find(|key| !known.contains(&key.as_str())));
    match extra {
        Some(extra) => Err(NoProof(format!("it says `{}`, which does not belong there", orch_core::visible(extra)))),
        None => Ok((run, log)),
    }
}

/// What the statement is about: the log, the plan, and the files that the run stored.
fn subjects(run: &RunId, log: &ProvenLog) -> Vec<Value> {
    let subject = |name: String, digest: String| json!({ "name": name, "digest": { "sha256": digest } });
    let mut subjects = vec![subject(format!("run/{run}/log"), hex(&log.head))];
    for record in &log.records {
        match &record.event {
            Event::RunCreated { plan_hash, .. } => {
                subjects.push(subject(format!("run/{run}/plan"), plan_hash.hex()));
            }
            Event::ArtifactStored { task, artifact } => {
                subjects.push(subject(format!("artifacts/{task}/{}", artifact.name), artifact.digest.hex()));
            }
            _ => {}
        }
    }
    subjects
}

/// What a reader wants to know of a run without reading its log.
pub fn summary(records: &[Record]) -> Value {
    let view = RunView::of(records);
    let mut plugins: BTreeMap<String, Value> = BTreeMap::new();
    for terms in planned_plugins(records) {
        let plugin = &terms["plugin"];
        let key = format!(
            "{}@{}",
            plugin["name"].as_str().unwrap_or_default(),
            plugin["version"].as_str().unwrap_or_default()
        );
        plugins.insert(
            key,
            json!({
                "name": plugin["name"], "version": plugin["version"], "digest": plugin["digest"],
                "signer": terms.get("signer").cloned().unwrap_or(Value::Null),
            }),
        );
    }
    let tasks: Vec<Value> = view
        .tasks
        .iter()
        .map(|task| {
            let granted: Vec<&Decision> = task.decisions.iter().filter(|decision| decision.verdict.holds()).collect();
            let (in_use, unused): (Vec<_>, Vec<_>) = granted
                .iter()
                .map(|decision| decision.rule.as_str())
                .partition(|rule| task.usage.used.iter().any(|one| one == rule));
            json!({
                "task": task.id, "what": task.what, "outcome": outcome(records, task.id.as_str()),
                "grants": { "used": in_use, "unused": unused },
                "refusals": task.refusals, "findings": task.findings.len(), "artifacts": task.artifacts,
            })
        })
        .collect();
    let findings: Vec<Value> = view
        .tasks
        .iter()
        .flat_map(|task| task.findings.iter().map(|finding| json!({ "task": task.id, "finding": finding })))
        .collect();
    json!({
        "workflow": view.workflow, "file": view.file, "planHash": view.plan_hash, "outcome": view.outcome,
        "created": view.created, "ended": view.updated, "requester": view.requester,
        "plugins": plugins.into_values().collect::<Vec<_>>(),
        "tasks": tasks, "findings": findings, "approvals": answers(records),
    })
}

fn planned_plugins(records: &[Record]) -> Vec<Value> {
    let Some(Event::RunCreated { plan, .. }) = records.first().map(|record| &record.event) else {
        return Vec::new();
    };
    let plan = plan.parse::<Value>().ok();
    match plan.and_then(|mut plan| plan.get_mut("plugins").map(Value::take)) {
        Some(Value::Array(plugins)) => plugins,
        _ => Vec::new(),
    }
}

fn outcome(records: &[Record], id: &str) -> Value {
    let ended = records.iter().rev().find_map(|record| match &record.event {
        Event::TaskFinished { task, outcome, .. } if task.item.is_none() && task.task.as_str() == id => Some(outcome),
        _ => None,
    });
    ended.map_or(Value::Null, |outcome| json!(outcome))
}

/// What people said, and to which plan.
fn answers(records: &[Record]) -> Vec<Value> {
    let mut plans: BTreeMap<String, Digest> = BTreeMap::new();
    let mut answers = Vec::new();
    for record in records {
        match &record.event {
            Event::ApprovalRequested { task, plan_hash, .. } => {
                plans.insert(task.to_string(), *plan_hash);
            }
            Event::TaskAnswered { task, answer, by, comment } => answers.push(json!({
                "task": task, "answer": answer, "by": by, "at": record.at, "comment": comment,
                "planHash": plans.get(&task.to_string()),
            })),
            _ => {}
        }
    }
    answers
}

fn hex(bytes: &[u8; 32]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
