//! The page, from findings of our own.
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

use orch_plugin_report::{Input, Output, Since, write};
use orch_sdk::{TaskError, TestHost};
use serde_json::{Value, json};
use std::path::Path;

fn input(value: Value) -> Input {
    serde_json::from_value(value).unwrap()
}

fn finding(severity: &str, status: &str, fingerprint: &str) -> Value {
    json!({ "rule": "a-rule", "severity": severity, "status": status, "title": format!("title of {fingerprint}"),
            "fingerprint": fingerprint, "location": { "path": "a/b.txt", "line": 7 } })
}

fn leave(root: &Path, task: &str, findings: &[Value]) {
    std::fs::create_dir_all(root.join(task)).unwrap();
    std::fs::write(root.join(task).join(".findings.json"), serde_json::to_vec(findings).unwrap()).unwrap();
}

fn host(root: &Path) -> TestHost {
    TestHost::new().with_mount("artifacts", root).with_findings()
}

fn run(host: &TestHost, given: Value) -> (Output, String) {
    let output = write(input(given), host).unwrap().succeeded().unwrap();
    let page = host.artifacts().last().map(|artifact| String::from_utf8(artifact.content.clone()).unwrap());
    (output, page.unwrap_or_default())
}

#[test]
fn findings_are_counted_listed_and_drawn() {
    let folder = tempfile::tempdir().unwrap();
    leave(folder.path(), "scan", &[finding("low", "open", "1"), finding("critical", "open", "2")]);
    leave(folder.path(), "audit", &[finding("high", "passed", "3"), finding("medium", "error", "4")]);
    let (output, page) = run(&host(folder.path()), json!({ "title": "Shop", "outcome": "blocked" }));
    assert_eq!((output.tasks, output.stored, output.bytes, output.since_last), (2, true, page.len(), None));
    assert_eq!(json!(output.by_status), json!({ "open": 2, "passed": 1, "error": 1 }));
    assert_eq!(json!(output.open), json!({ "info": 0, "low": 1, "medium": 0, "high": 0, "critical": 1 }));
    assert!(page.contains("The run <strong>blocked</strong>. 2 open, 1 error, 1 passed."), "{page}");
    assert!(page.contains("<title>critical: 1</title>") && !page.contains("<title>high:"));
    assert_eq!(page.matches("<svg").count(), 2);
    let place = |text: &str| page.find(text).unwrap();
    assert!(place("title of 2") < place("title of 1"));
    assert!(place("title of 1") < place("title of 4"));
    assert!(place("title of 4") < place("title of 3"));
    assert!(page.contains("a/b.txt:7"));
}

#[test]
fn what_guests_write_stays_text() {
    let folder = tempfile::tempdir().unwrap();
    let evil = "<script>alert(1)</script>\u{202e}\"onload=\"x";
    let mut bad = finding("high", "open", evil);
    for field in ["rule", "title", "detail", "remediation"] {
        bad[field] = json!(evil);
    }
    bad["location"] = json!({ "path": evil });
    bad["references"] = json!(["javascript:alert(1)", "https://a.example/?\"><script>", "data:text/html,x"]);
    leave(folder.path(), "scan", &[bad]);
    let given = json!({ "title": evil, "description": evil, "outcome": evil });
    let (_, page) = run(&host(folder.path()), given);
    assert!(!page.contains("<script") && !page.contains('\u{202e}') && !page.contains("\"onload"));
    assert!(!page.contains("href=\"javascript") && !page.contains("href=\"data"));
    assert_eq!(page.matches("href=").count(), 1);
    assert!(page.contains("default-src 'none'"));
}

#[test]
fn the_trend_says_what_is_new_and_what_is_fixed() {
    let folder = tempfile::tempdir().unwrap();
    let host = host(folder.path()).with_bucket("trend");
    leave(folder.path(), "scan", &[finding("low", "open", "1"), finding("low", "open", "2")]);
    let (first, page) = run(&host, json!({}));
    assert_eq!(first.since_last, None);
    assert!(!page.contains("Trend"));
    leave(
        folder.path(),
        "scan",
        &[finding("low", "open", "2"), finding("high", "open", "3"), finding("high", "passed", "1")],
    );
    let (second, page) = run(&host, json!({}));
    assert_eq!(second.since_last, Some(Since { new: 1, fixed: 1, same: 1 }));
    assert!(page.contains("<strong>1 new</strong>, 1 fixed, 1 as before"));
    assert_eq!(page.matches("tag new").count(), 1);
    assert!(page.contains("<figcaption>Trend</figcaption>"));
    for _ in 0..40 {
        run(&host, json!({}));
    }
    let (kept, version) = orch_sdk::Host::kept(&host, "trend", "runs").unwrap().unwrap();
    let kept: Value = serde_json::from_slice(&kept).unwrap();
    assert_eq!((kept["points"].as_array().unwrap().len(), version), (30, 42));
}

#[test]
fn a_dry_run_keeps_nothing_and_a_broken_trend_begins_anew() {
    let folder = tempfile::tempdir().unwrap();
    leave(folder.path(), "scan", &[finding("low", "open", "1")]);
    let dry = host(folder.path()).with_bucket("trend").dry_run();
    run(&dry, json!({}));
    assert_eq!(orch_sdk::Host::kept(&dry, "trend", "runs").unwrap(), None);
    for broken in ["no JSON", r#"{ "format": 9, "points": [], "open": null }"#] {
        let host = host(folder.path()).with_bucket("trend");
        orch_sdk::Host::keep(&host, "trend", "runs", broken.as_bytes(), 0).unwrap();
        assert_eq!(run(&host, json!({})).0.since_last, None);
        assert!(host.logs().iter().any(|(_, line)| line.contains("begins anew")));
        assert!(run(&host, json!({})).0.since_last.is_some());
    }
}

#[test]
fn many_findings_are_counted_and_the_first_are_listed() {
    let folder = tempfile::tempdir().unwrap();
    let many: Vec<Value> = (0..6_000).map(|number| finding("info", "open", &number.to_string())).collect();
    leave(folder.path(), "scan", &many);
    let (output, page) = run(&host(folder.path()), json!({}));
    assert_eq!(output.by_status["open"], 6_000);
    assert_eq!(page.matches("<tr><td>").count(), 5_000);
    assert!(page.contains("1000 more are counted and not listed"));
}

#[test]
fn nothing_found_is_said_and_nothing_stored_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let (output, page) = run(&host(folder.path()), json!({}));
    assert_eq!(output.tasks, 0);
    assert!(page.contains("Nothing was found."));
    let (output, _) = run(&host(folder.path()).without_artifacts(), json!({}));
    assert!(!output.stored);
    let blind = TestHost::new().with_mount("artifacts", folder.path());
    assert!(
        matches!(write(input(json!({})), &blind), Err(TaskError::Denied { capability, .. }) if capability == "findings")
    );
}
