use crate::fakes::{MemoryStore, Scripted, plan_of, run_in};
use orch_core::{
    AttemptOutput, AttemptResult, CheckVerdict, Event, Finding, FindingStatus, GateDecision, RunOutcome, Severity,
    Usage,
};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

fn finding(fingerprint: &str) -> Finding {
    Finding {
        rule: "r".into(),
        severity: Severity::High,
        status: FindingStatus::Open,
        title: "t".into(),
        detail: None,
        fingerprint: fingerprint.into(),
        location: None,
        remediation: None,
        references: Vec::new(),
        data: None,
    }
}

fn finds(fingerprints: &'static [&'static str]) -> Scripted {
    Scripted::new(move |_, live| {
        Box::pin(async move {
            live.findings(fingerprints.iter().map(|fingerprint| finding(fingerprint)).collect());
            AttemptResult { result: Ok(AttemptOutput::Succeeded(serde_json::json!({}))), usage: Usage::default() }
        })
    })
}

fn decision(
    store: &Arc<MemoryStore>,
    number: u32,
    check: &str,
    found: &'static [&'static str],
) -> (RunOutcome, GateDecision) {
    let text = format!(
        "schema: orch-wasm/v1\nname: w\ntasks:\n  scan: {{ uses: test/any@1 }}\n  gate:\n    needs: [scan]\n    gate:\n      baseline: last-succeeded\n      checks: [{{ id: c, assert: \"{check}\" }}]\n"
    );
    let ran = run_in(plan_of(&text), finds(found), 1, Arc::clone(store), CancellationToken::new(), number);
    let decided = ran.records.into_iter().find_map(|record| match record.event {
        Event::GateDecided { decision, .. } => Some(decision),
        _ => None,
    });
    (ran.outcome.unwrap(), decided.unwrap())
}

#[test]
fn a_gate_counts_what_was_found_and_what_is_new_since_the_last_good_run() {
    let store = Arc::new(MemoryStore::default());
    let (outcome, first) = decision(&store, 1, "findings.of('scan').open <= 1", &["old"]);
    assert_eq!((outcome, first.open, first.new, first.baseline), (RunOutcome::Succeeded, 1, 1, None));

    let (outcome, second) = decision(&store, 2, "findings.of('scan').new == 0", &["old", "fresh"]);
    assert_eq!((outcome, second.open, second.new), (RunOutcome::Blocked, 2, 1));
    assert_eq!(second.checks[0].verdict, CheckVerdict::Failed);

    // The blocked run is no baseline: what it found is still new.
    let (outcome, third) = decision(&store, 3, "findings.all().new_at_least('high') == 0", &["old", "fresh"]);
    assert_eq!((outcome, third.new, third.baseline), (RunOutcome::Blocked, 1, first_run()));
}

fn first_run() -> Option<String> {
    Some(format!("{:032x}", 1))
}

/// What the last task was handed of what the others found, two each.
fn handed(text: &str, may_see: bool) -> Vec<(String, usize)> {
    let plan = match may_see {
        true => crate::fakes::plan_that_asks(text, |ask| {
            ask.findings = Some(orch_core::FindingsAsk { reason: "to count".to_owned(), optional: false });
        }),
        false => plan_of(text),
    };
    let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
    let runner = {
        let seen = Arc::clone(&seen);
        let last = if text.contains("finally:") { "finally/1" } else { "last" };
        Scripted::new(move |attempt, live| {
            if attempt.task.to_string() == last {
                let handed = attempt.findings.iter().map(|(task, found)| (task.to_string(), found.len()));
                seen.lock().unwrap().extend(handed);
            } else {
                live.findings(vec![finding("1"), finding("2")]);
            }
            Box::pin(async {
                AttemptResult { result: Ok(AttemptOutput::Succeeded(serde_json::json!({}))), usage: Usage::default() }
            })
        })
    };
    let ran = run_in(plan, runner, 1, Arc::new(MemoryStore::default()), CancellationToken::new(), 1);
    assert_eq!(ran.outcome.unwrap(), RunOutcome::Succeeded);
    seen.lock().unwrap().clone()
}

#[test]
fn findings_go_to_those_who_ask_and_need_the_task() {
    let text = "schema: orch-wasm/v1\nname: w\ntasks:\n  scan: { uses: test/any@1 }\n  other: { uses: test/any@1 }\n  last: { needs: [scan], uses: test/any@1 }\n";
    assert_eq!(handed(text, true), [("scan".to_owned(), 2)]);
    assert_eq!(handed(text, false), []);
}

#[test]
fn what_runs_at_the_end_is_handed_the_findings_of_all() {
    let text = "schema: orch-wasm/v1\nname: w\ntasks:\n  scan: { uses: test/any@1 }\n  other: { uses: test/any@1 }\nfinally:\n  - { uses: test/any@1 }\n";
    assert_eq!(handed(text, true), [("scan".to_owned(), 2), ("other".to_owned(), 2)]);
    assert_eq!(handed(text, false), []);
}
