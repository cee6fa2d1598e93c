//! The examples that need first-party plugins, from beginning to end.

use super::{copy, published};
use crate::cli::kit::of;
use crate::cli::program::{Ran, repository};
use serde_json::{Value, json};

/// The page that `orch/report` wrote at the end of a run.
fn page(folder: &std::path::Path, run: &str) -> String {
    let mut command = published().command(["runs", "artifact", run, "finally/1", "report.html"]);
    command.current_dir(folder);
    Ran::of(command).exits(0).stdout.clone()
}

#[test]
fn the_release_gate_blocks_and_after_the_repair_a_person_releases() {
    let place = published();
    let folder = place.path("examples/release-gate");
    copy(&repository().join("examples/release-gate"), &folder);
    let run = |arguments: &[&str]| {
        let mut command = place.command(arguments);
        command.current_dir(&folder);
        Ran::of(command)
    };
    let end = |log: &[Value], task: &str| {
        of(log, "task-finished").into_iter().find(|end| end["task"] == task).unwrap_or_else(|| panic!("{task}"))["outcome"]
            .clone()
    };

    let blocked = run(&["run", "--format", "json"]);
    assert_eq!(blocked.code, 3, "{blocked}");
    let log = blocked.lines();
    for (task, outcome) in [("vulnerabilities", "succeeded"), ("licenses", "succeeded"), ("decide", "blocked")] {
        assert_eq!(end(&log, task), outcome);
    }
    let rules: Vec<String> = of(&log, "task-findings")
        .iter()
        .flat_map(|event| event["findings"].as_array().unwrap())
        .map(|finding| finding["rule"].as_str().unwrap().to_owned())
        .collect();
    assert!(rules.contains(&"private-key".to_owned()), "{rules:?}");
    let first = page(&folder, "latest");
    assert!(first.contains("The run <strong>blocked</strong>") && first.contains("DESK-2026-0001"));
    assert!(!first.contains("DESK-2026-0002"));

    // An artifact that is not there names those that are.
    run(&["runs", "artifact", "latest", "sbom", "other"]).exits(2).says("known: `sbom.cdx.json`");
    let bill: Value =
        serde_json::from_str(&run(&["runs", "artifact", "latest", "sbom", "sbom.cdx.json"]).exits(0).stdout).unwrap();
    assert_eq!(bill["bomFormat"], json!("CycloneDX"));

    run(&["run", "--input", "source=./clean"]).exits(4);
    run(&["approve", "latest", "release"]).exits(0);
    run(&["resume", "latest"]).exits(0);
    let second = page(&folder, "latest");
    assert!(second.contains("The run <strong>succeeded</strong>. 0 open"), "{second}");
    assert!(second.contains("<figcaption>Trend</figcaption>") && second.contains("<strong>0 new</strong>"), "{second}");
}

/// This machine itself, whatever it is like: everything that is said of it is said in all forms, and nothing of it is changed.
#[test]
fn the_compliance_audit_looks_at_this_machine_and_changes_nothing() {
    let place = published();
    let folder = place.path("examples/compliance-audit");
    copy(&repository().join("examples/compliance-audit"), &folder);
    let state = || {
        let files = ["/etc/passwd", "/etc/group", "/etc/os-release", "/var/lib/dpkg/status"];
        files.map(|file| std::fs::metadata(file).and_then(|found| Ok((found.len(), found.modified()?))).ok())
    };
    let before = state();
    let run = |arguments: &[&str]| {
        let mut command = place.command(arguments);
        command.current_dir(&folder);
        Ran::of(command)
    };
    let log = run(&["run", "--format", "json"]).exits(0).lines();
    assert_eq!(state(), before);

    let controls: Vec<Value> = of(&log, "task-findings")
        .iter()
        .filter(|event| event["task"] == "audit")
        .flat_map(|event| event["findings"].as_array().unwrap().clone())
        .collect();
    assert!(controls.len() >= 80, "{} controls", controls.len());
    let end = of(&log, "task-finished").into_iter().find(|end| end["task"] == "audit").unwrap().clone();
    let output = &end["output"];
    let counted: u64 =
        ["passed", "failed", "not-applicable", "errors"].iter().map(|key| output[key].as_u64().unwrap()).sum();
    assert_eq!(counted, controls.len() as u64, "{output}");
    let with = |status: &str| controls.iter().filter(|control| control["status"] == status).count() as u64;
    assert_eq!(
        (with("passed"), with("open")),
        (output["passed"].as_u64().unwrap(), output["failed"].as_u64().unwrap())
    );

    let artifact = |task: &str, name: &str| run(&["runs", "artifact", "latest", task, name]).exits(0).stdout.clone();
    let hdf: Value = serde_json::from_str(&artifact("audit", "hdf.json")).unwrap();
    let in_hdf: usize =
        hdf["profiles"].as_array().unwrap().iter().map(|profile| profile["controls"].as_array().unwrap().len()).sum();
    assert_eq!(in_hdf, controls.len());
    assert_eq!(artifact("audit", "junit.xml").matches("<testcase").count(), controls.len());
    let page = artifact("finally/1", "report.html");
    assert!(page.contains("<title>Compliance audit</title>") && page.contains("The run <strong>succeeded</strong>"));
}
