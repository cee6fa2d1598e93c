//! The task on bills of our own.
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

use orch_plugin_license_check::{Input, Output, check};
use orch_sdk::{Finding, Status, TaskError, TestHost};
use serde_json::{Value, json};
use std::path::Path;

fn input(value: Value) -> Input {
    serde_json::from_value(value).unwrap()
}

fn write(folder: &Path, path: &str, content: &str) {
    let file = folder.join(path);
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(file, content).unwrap();
}

fn bill(packages: &[(&str, Option<&str>)]) -> String {
    let component = |(purl, license): &(&str, Option<&str>)| {
        let licenses: Vec<Value> = license.iter().map(|text| json!({ "expression": text })).collect();
        json!({ "type": "library", "name": purl, "purl": purl, "licenses": licenses })
    };
    json!({ "bomFormat": "CycloneDX", "components": packages.iter().map(component).collect::<Vec<_>>() }).to_string()
}

fn run(bills: &[(&str, String)], given: Value) -> (Result<Output, TaskError>, Vec<Finding>) {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in bills {
        write(folder.path(), path, text);
    }
    let host = TestHost::new().with_mount("artifacts", folder.path());
    let output = check(input(given), &host).map(|outcome| outcome.succeeded().unwrap());
    (output, host.findings())
}

const LISTS: &str = r#"{ "allow": ["MIT"], "deny": ["AGPL-3.0-only"] }"#;

fn lists() -> Value {
    serde_json::from_str(LISTS).unwrap()
}

#[test]
fn each_rule_has_a_package_that_breaks_it_and_one_that_does_not() {
    let packages = [
        ("pkg:npm/good@1", Some("MIT")),
        ("pkg:npm/denied@1", Some("AGPL-3.0-only")),
        ("pkg:npm/other@1", Some("BSD-3-Clause")),
        ("pkg:npm/odd@1", Some("see the file")),
        ("pkg:npm/silent@1", None),
    ];
    let (output, findings) = run(&[("bill/sbom.cdx.json", bill(&packages))], lists());
    let output = output.unwrap();
    assert_eq!((output.packages, output.denied, output.not_allowed, output.unknown), (5, 1, 1, 2));
    let mut found: Vec<_> =
        findings.iter().map(|one| (one.rule.as_str(), one.title.split(' ').next().unwrap())).collect();
    found.sort_unstable();
    let expected = [
        ("license-denied", "pkg:npm/denied@1"),
        ("license-missing", "pkg:npm/silent@1"),
        ("license-not-allowed", "pkg:npm/other@1"),
        ("license-unreadable", "pkg:npm/odd@1"),
    ];
    assert_eq!(found, expected);
    assert!(findings.iter().all(|one| one.status == Status::Open));
    assert_eq!(findings[0].location.as_ref().unwrap().path, "bill/sbom.cdx.json");
}

#[test]
fn an_exception_has_its_reason_and_is_counted() {
    let mut given = lists();
    given["exceptions"] = json!([{ "package": "pkg:npm/denied@*", "reason": "only in tests" }]);
    let packages = [("pkg:npm/denied@1", Some("AGPL-3.0-only")), ("pkg:npm/denied-too@1", Some("AGPL-3.0-only"))];
    let (output, findings) = run(&[("bill/sbom.cdx.json", bill(&packages))], given);
    assert_eq!(output.unwrap().excepted, 1);
    let excepted: Vec<_> = findings.iter().filter(|one| one.status == Status::NotApplicable).collect();
    assert_eq!(excepted.len(), 1);
    assert_eq!(excepted[0].detail.as_deref(), Some("excepted: only in tests"));
    assert!(excepted[0].title.starts_with("pkg:npm/denied@1 "));
}

#[test]
fn bills_of_several_tasks_are_one_and_other_json_is_passed_over() {
    let same = bill(&[("pkg:npm/a@1", Some("MIT"))]);
    let bills = [("a/sbom.cdx.json", same.clone()), ("b/sbom.cdx.json", same), ("b/other.json", "[1]".to_owned())];
    let (output, findings) = run(&bills, lists());
    let output = output.unwrap();
    assert_eq!((output.bills, output.packages, findings.len()), (2, 1, 0));
}

/// The two formats of `orch/sbom` say the same of every package.
#[test]
fn both_formats_of_one_bill_are_one() {
    use orch_plugin_sbom::{Format, Input as BillInput, generate};
    let tree = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sbom/cases/languages/tree");
    let bills = |formats: &[Format]| {
        let host = TestHost::new().with_mount("source", &tree);
        let input = BillInput { format: formats.iter().copied().collect(), installed: true, ..BillInput::default() };
        generate(input, &host).unwrap().succeeded().unwrap();
        let text = |content: &[u8]| String::from_utf8(content.to_vec()).unwrap();
        host.artifacts().iter().map(|it| (format!("bill/{}", it.name), text(&it.content))).collect::<Vec<_>>()
    };
    let check_all = |formats: &[Format]| {
        let bills = bills(formats);
        let bills: Vec<(&str, String)> = bills.iter().map(|(name, text)| (name.as_str(), text.clone())).collect();
        let (output, findings) = run(&bills, json!({ "allow": ["MIT"], "deny": ["GPL-2.0-only"] }));
        let mut found: Vec<_> = findings.into_iter().map(|one| (one.rule, one.title)).collect();
        found.sort();
        (output.unwrap(), found)
    };
    let (cyclonedx, told) = check_all(&[Format::Cyclonedx]);
    let (spdx, told_of_spdx) = check_all(&[Format::Spdx]);
    assert!(cyclonedx.packages > 15 && !told.is_empty());
    assert_eq!((spdx.packages, told_of_spdx), (cyclonedx.packages, told.clone()));
    let (both, told_of_both) = check_all(&[Format::Cyclonedx, Format::Spdx]);
    assert_eq!((both.bills, both.packages, told_of_both), (2, cyclonedx.packages, told));
}

#[test]
fn a_broken_bill_is_a_finding_and_not_a_pass() {
    let (output, findings) = run(&[("a/sbom.cdx.json", r#"{ "bomFormat": "CycloneDX", "#.to_owned())], lists());
    assert_eq!(output.unwrap().bills, 0);
    assert_eq!((findings[0].rule.as_str(), findings[0].status), ("bill-unread", Status::Error));
}

#[test]
fn what_is_wrong_is_said() {
    let wrong = |bills: &[(&str, String)], given: Value| match run(bills, given).0 {
        Err(TaskError::InvalidInput(reason)) => reason,
        other => panic!("{other:?}"),
    };
    assert!(wrong(&[], lists()).contains("no task in `needs` stored a bill"));
    assert!(wrong(&[], json!({})).contains("both empty"));
    assert!(wrong(&[], json!({ "allow": ["Mit License"] })).contains("`allow[0]`"));
    let empty = json!({ "deny": ["MIT"], "exceptions": [{ "package": "a", "reason": " " }] });
    assert!(wrong(&[], empty).contains("`exceptions[0]`"));
    let missing = json!({ "deny": ["MIT"], "bills": ["a.json"] });
    let host = TestHost::new();
    assert!(matches!(check(input(missing), &host), Err(TaskError::Denied { .. })));
}
