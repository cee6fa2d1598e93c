//! SARIF 2.1.0 (OASIS standard, 2020-03-27): one run for each task that has findings.

use crate::view::{RunView, TaskRow};
use orch_core::{Finding, FindingStatus, Severity, TaskKind, visible_multiline};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The findings of a run as the text of a SARIF log.
pub fn sarif(view: &RunView) -> String {
    let text = serde_json::to_string_pretty(&log(view)).unwrap_or_default() + "\n";
    orch_core::inert_json(&text).into_owned()
}

fn log(view: &RunView) -> Value {
    let waived = view.waived();
    let runs: Vec<Value> =
        view.tasks.iter().filter(|task| !task.findings.is_empty()).map(|task| run(view, task, &waived)).collect();
    json!({
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": runs,
    })
}

fn run(view: &RunView, task: &TaskRow, waived: &BTreeSet<&str>) -> Value {
    let mut driver = json!({ "name": task.id.as_str(), "rules": [] });
    if let TaskKind::Plugin { plugin, version, digest } = &task.what {
        driver["name"] = plugin.as_str().into();
        driver["semanticVersion"] = version.to_string().into();
        driver["properties"] = json!({ "digest": digest.to_string() });
    }
    // The worst severity that a rule was reported with stands for the rule.
    let mut rules: BTreeMap<&str, &Finding> = BTreeMap::new();
    for finding in &task.findings {
        let known = rules.entry(&finding.rule).or_insert(finding);
        if finding.severity > known.severity {
            *known = finding;
        }
    }
    let order: BTreeMap<&str, usize> = rules.keys().enumerate().map(|(at, id)| (*id, at)).collect();
    driver["rules"] = rules.values().map(|finding| rule(finding)).collect();
    let results: Vec<Value> =
        task.findings.iter().map(|finding| result(finding, order[finding.rule.as_str()], waived)).collect();
    json!({
        "tool": { "driver": driver },
        "automationDetails": { "id": format!("{}/{}/", view.workflow, task.id) },
        "columnKind": "unicodeCodePoints",
        "results": results,
    })
}

fn text(text: &str) -> Value {
    json!({ "text": visible_multiline(text) })
}

fn rule(finding: &Finding) -> Value {
    let mut rule = json!({
        "id": visible_multiline(&finding.rule),
        "shortDescription": text(&finding.title),
        "defaultConfiguration": { "level": level(finding.severity) },
        // The scale of CVSS, in the middle of each band: code-scanning pages sort by it.
        "properties": { "security-severity": score(finding.severity) },
    });
    if let Some(remediation) = &finding.remediation {
        rule["help"] = text(remediation);
    }
    if let Some(reference) = finding.references.iter().find(|reference| reference.starts_with("https://")) {
        rule["helpUri"] = uri(reference).into();
    }
    rule
}

fn result(finding: &Finding, rule: usize, waived: &BTreeSet<&str>) -> Value {
    let message = match &finding.detail {
        Some(detail) => format!("{}\n{detail}", finding.title),
        None => finding.title.clone(),
    };
    let (kind, level) = match finding.status {
        FindingStatus::Open => ("fail", level(finding.severity)),
        FindingStatus::Passed => ("pass", "none"),
        FindingStatus::NotApplicable => ("notApplicable", "none"),
        FindingStatus::Error => ("review", "none"),
    };
    let mut result = json!({
        "ruleId": visible_multiline(&finding.rule),
        "ruleIndex": rule,
        "kind": kind,
        "level": level,
        "message": text(&message),
        "partialFingerprints": { "orchFingerprint/v1": visible_multiline(&finding.fingerprint) },
        "properties": { "severity": finding.severity.word() },
    });
    if let Some(location) = &finding.location {
        let mut place = json!({ "artifactLocation": { "uri": uri(&location.path), "uriBaseId": "%SRCROOT%" } });
        if let Some(line) = location.line.filter(|line| *line > 0) {
            place["region"] = json!({ "startLine": line });
            if let Some(column) = location.column.filter(|column| *column > 0) {
                place["region"]["startColumn"] = column.into();
            }
            if let Some(end) = location.end_line.filter(|end| *end >= line) {
                place["region"]["endLine"] = end.into();
            }
        }
        result["locations"] = json!([{ "physicalLocation": place }]);
    }
    if finding.status == FindingStatus::Open {
        let suppressed = waived.contains(finding.fingerprint.as_str());
        result["suppressions"] =
            if suppressed { json!([{ "kind": "external", "status": "accepted" }]) } else { json!([]) };
    }
    result
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low | Severity::Info => "note",
    }
}

fn score(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "9.5",
        Severity::High => "8.0",
        Severity::Medium => "5.5",
        Severity::Low => "2.0",
        Severity::Info => "0.0",
    }
}

/// A path as a URI reference (RFC 3986): everything but unreserved characters, `/` and a leading scheme is percent-encoded.
fn uri(path: &str) -> String {
    let keep = |byte: u8| {
        byte.is_ascii_alphanumeric()
            || b"-._~/".contains(&byte)
            || (path.starts_with("https://") && b":?#&=%@+,".contains(&byte))
    };
    path.bytes().fold(String::with_capacity(path.len()), |mut out, byte| {
        if keep(byte) {
            out.push(char::from(byte))
        } else {
            out.push_str(&format!("%{byte:02X}"))
        }
        out
    })
}
