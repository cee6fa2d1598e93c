//! Policies of our own over findings and artifacts of our own.
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

use orch_plugin_policy_gate::{Output, decide};
use orch_sdk::{Finding, Outcome, Severity, TaskError, TestHost};
use serde_json::{Value, json};
use std::path::Path;

const FOUND: &str = r#"[
  { "rule": "leak", "severity": "critical", "status": "open", "title": "a key", "fingerprint": "1", "location": { "path": "a.txt", "line": 3 } },
  { "rule": "style", "severity": "low", "status": "open", "title": "untidy", "fingerprint": "2" }
]"#;

fn write(folder: &Path, path: &str, content: &str) {
    let file = folder.join(path);
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(file, content).unwrap();
}

fn run(policies: &[(&str, &str)], input: Value) -> (Result<Outcome<Output>, TaskError>, Vec<Finding>) {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "artifacts/scan/.findings.json", FOUND);
    write(folder.path(), "artifacts/bill/sbom.cdx.json", r#"{ "components": [{ "name": "left" }] }"#);
    std::fs::create_dir(folder.path().join("policies")).unwrap();
    for (path, text) in policies {
        write(&folder.path().join("policies"), path, text);
    }
    let host = TestHost::new()
        .with_mount("artifacts", folder.path().join("artifacts"))
        .with_mount("policies", folder.path().join("policies"));
    let outcome = decide(serde_json::from_value(input).unwrap(), &host);
    (outcome, host.findings())
}

#[track_caller]
fn rejected(policies: &[(&str, &str)], input: Value) -> (Output, Vec<Finding>) {
    match run(policies, input) {
        (Ok(Outcome::Rejected(output)), findings) => (output, findings),
        (other, _) => panic!("{other:?}"),
    }
}

#[track_caller]
fn wrong(policies: &[(&str, &str)], input: Value) -> String {
    match run(policies, input).0 {
        Err(TaskError::InvalidInput(reason)) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn policies_decide_over_findings() {
    let policy = r#"
package main
deny contains msg if {
    some finding in input.findings
    finding.severity == "critical"
    finding.status == "open"
    msg := sprintf("%s in %s:%d (%s)", [finding.title, finding.location.path, finding.location.line, finding.task])
}
warn contains { "msg": "something is untidy", "rule": "tidy", "severity": "info" } if {
    some finding in input.findings
    finding.rule == "style"
}
"#;
    let (output, findings) = rejected(&[("main.rego", policy)], json!({}));
    assert_eq!((output.denied, output.warned, output.findings, output.allowed), (1, 1, 2, false));
    assert_eq!(output.packages, ["main"]);
    let mut found: Vec<_> = findings.iter().map(|one| (one.rule.as_str(), one.severity, one.title.as_str())).collect();
    found.sort_unstable();
    let expected =
        [("main.deny", Severity::High, "a key in a.txt:3 (scan)"), ("tidy", Severity::Info, "something is untidy")];
    assert_eq!(found, expected);
}

#[test]
fn policies_decide_over_artifacts_parameters_and_data() {
    let policy = r#"
package bom
deny contains msg if {
    some component in input.artifacts.bill["sbom.cdx.json"].components
    component.name in data.forbidden
    msg := sprintf("%s is forbidden in %s", [component.name, input.parameters.stage])
}
"#;
    let files = [("p/bom.rego", policy), ("data.yaml", "forbidden: [left, right]\n")];
    let (_, findings) = rejected(&files, json!({ "parameters": { "stage": "production" } }));
    assert_eq!(findings[0].title, "left is forbidden in production");
    let (outcome, findings) = run(&[("p/bom.rego", policy), ("data.json", r#"{ "forbidden": [] }"#)], json!({}));
    assert!(matches!(outcome, Ok(Outcome::Succeeded(output)) if output.allowed));
    assert!(findings.is_empty());
}

#[test]
fn warnings_alone_do_not_reject() {
    let policy = "package main\nwarn contains \"mind this\" if { true }\n";
    let (outcome, findings) = run(&[("main.rego", policy)], json!({}));
    assert!(matches!(outcome, Ok(Outcome::Succeeded(output)) if output.warned == 1));
    assert_eq!(findings[0].severity, Severity::Low);
}

#[test]
fn rules_may_be_booleans_and_maps() {
    let (_, findings) = rejected(&[("a.rego", "package a\ndeny if { count(input.findings) > 1 }\n")], json!({}));
    assert_eq!(findings[0].title, "`deny` of `a` holds");
    let map = "package a\nviolation[name] := msg if { some name in [\"x\"]; msg := \"no x\" }\n";
    assert_eq!(rejected(&[("a.rego", map)], json!({})).1[0].title, "no x");
}

#[test]
fn the_older_language_is_read_where_it_is_said() {
    let policy = "package main\ndeny[msg] { input.findings[_].rule == \"leak\"; msg := \"a leak\" }\n";
    assert!(wrong(&[("main.rego", policy)], json!({})).contains("policies/main.rego"));
    assert_eq!(rejected(&[("main.rego", policy)], json!({ "rego-v0": true })).1[0].title, "a leak");
}

#[test]
fn only_the_named_packages_count() {
    let files = [("a.rego", "package a\ndeny contains \"a\" if { true }\n"), ("b.rego", "package b\nallow := 1\n")];
    let (outcome, _) = run(&files, json!({ "packages": ["b"] }));
    assert!(matches!(outcome, Ok(Outcome::Succeeded(_))));
    assert!(wrong(&files, json!({ "packages": ["c"] })).contains("known: a, b"));
}

#[test]
fn what_is_no_policy_is_said_with_its_place() {
    assert!(wrong(&[], json!({})).contains("no file that ends with `.rego`"));
    assert!(wrong(&[("a_test.rego", "package a\n")], json!({})).contains("no file"));
    let broken = wrong(&[("a.rego", "package a\ndeny contains if {\n")], json!({}));
    assert!(broken.contains("policies/a.rego") && broken.contains("a.rego:2"), "{broken}");
    let two = [("a.rego", "package a\n"), ("x.json", r#"{"k":1}"#), ("y.json", r#"{"k":2}"#)];
    assert!(wrong(&two, json!({})).contains("policies/y.json"));
    let host = TestHost::new();
    assert!(matches!(decide(Default::default(), &host), Err(TaskError::Denied { .. })));
}

#[test]
fn what_reaches_out_is_not_there() {
    // Undefined, not an error: so a rule that relies on it does not hold, and the request is never made.
    let policy = "package a\ndeny contains \"sent\" if { http.send({ \"method\": \"get\", \"url\": \"http://127.0.0.1\" }).status_code }\n";
    let (outcome, findings) = run(&[("a.rego", policy)], json!({}));
    assert!(!matches!(outcome, Ok(Outcome::Rejected(_))));
    assert!(findings.is_empty());
}

#[test]
fn deep_and_endless_policies_end() {
    let deep = format!("package a\ndeny contains \"x\" if {{ {}1{} == 1 }}\n", "(".repeat(20_000), ")".repeat(20_000));
    assert!(run(&[("a.rego", &deep)], json!({})).0.is_err());
    let recursive = "package a\ndeny contains x if { some x in deny }\n";
    assert!(run(&[("a.rego", recursive)], json!({})).0.is_err());
}
