//! The Heimdall Data Format: the shape of InSpec's JSON reporter, which viewers and gates of others read.

use crate::outcome::{ControlResult, ProfileResults};
use orch_sdk::{Severity, Status};
use serde_json::{Value, json};

/// The format demands a time for each result; this one says that there is none.
pub const NO_TIME: &str = "1970-01-01T00:00:00Z";

/// Writes all results.
pub fn write(results: &[ProfileResults], time: &str) -> Vec<u8> {
    let count = |status| results.iter().map(|profile| profile.count(status)).sum::<u64>();
    let document = json!({
        "platform": { "name": "orch/compliance-check", "release": env!("CARGO_PKG_VERSION") },
        "version": env!("CARGO_PKG_VERSION"),
        "statistics": { "controls": {
            "total": results.iter().map(|profile| profile.controls.len()).sum::<usize>(),
            "passed": { "total": count(Status::Passed) },
            "failed": { "total": count(Status::Open) },
            "skipped": { "total": count(Status::NotApplicable) },
            "error": { "total": count(Status::Error) },
        } },
        "profiles": results.iter().map(|results| profile(results, time)).collect::<Vec<_>>(),
    });
    document.to_string().into_bytes()
}

fn profile(results: &ProfileResults, time: &str) -> Value {
    json!({
        "name": results.name,
        "version": results.version,
        "sha256": results.sha256,
        "title": results.title,
        "supports": [],
        "attributes": [],
        "groups": [],
        "status": "loaded",
        "controls": results.controls.iter().map(|one| control(one, results, time)).collect::<Vec<_>>(),
    })
}

/// How bad a control is, as a number.
fn impact(severity: Severity) -> f64 {
    match severity {
        Severity::Critical => 0.9,
        Severity::High => 0.7,
        Severity::Medium => 0.5,
        Severity::Low => 0.3,
        Severity::Info => 0.1,
    }
}

fn control(control: &ControlResult, results: &ProfileResults, time: &str) -> Value {
    let status = match control.status {
        Status::Passed => "passed",
        Status::Open => "failed",
        Status::NotApplicable => "skipped",
        Status::Error => "error",
    };
    let mut result = json!({
        "status": status,
        "code_desc": control.title,
        "run_time": 0.0,
        "start_time": time,
    });
    let key = if control.status == Status::NotApplicable { "skip_message" } else { "message" };
    result[key] = json!(control.reason);
    let place = control.location.as_ref();
    json!({
        "id": control.id,
        "title": control.title,
        "desc": control.description,
        "descriptions": [{ "label": "fix", "data": control.remediation }],
        "impact": impact(control.severity),
        "refs": control.references.iter().map(|reference| json!({ "ref": reference })).collect::<Vec<_>>(),
        "tags": { "severity": control.severity, "tool": results.imported.as_ref().map(|(tool, _)| tool) },
        "code": null,
        "source_location": place.map_or(json!({}), |place| json!({ "ref": place.path, "line": place.line.unwrap_or(0) })),
        "results": [result],
    })
}
