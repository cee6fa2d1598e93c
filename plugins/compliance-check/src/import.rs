//! Results of other tools: the JSON of InSpec (and what writes the same shape), and SARIF 2.1.0.

use crate::outcome::{ControlResult, ProfileResults};
use crate::verdict::shown;
use orch_plugin_kit::digest::sha256;
use orch_plugin_kit::report;
use orch_plugin_kit::tree;
use orch_sdk::{Host, Location, Severity, Status, TaskError};
use serde_json::Value;

/// A file of results; InSpec writes the source of each control too.
const MAX_FILE: u64 = 32 << 20;
/// Results taken of all files; more than that is told to nobody anyway.
const MAX_RESULTS: usize = report::MAX_FINDINGS;

/// Reads the files.
///
/// # Errors
/// When one cannot be read or is of no known format: a gate must not pass because of that.
pub fn all(paths: &[String], host: &dyn Host) -> Result<Vec<ProfileResults>, TaskError> {
    let mut found = Vec::new();
    if paths.is_empty() {
        return Ok(found);
    }
    let folder = report::granted_mount("results", host)?;
    for path in paths {
        report::check_cancelled(host)?;
        let wrong = |reason: String| TaskError::InvalidInput(format!("`import`: `{}`: {reason}", shown(path, 200)));
        if path.split('/').any(|part| part == "..") {
            return Err(wrong("leaves the mount `results`".to_owned()));
        }
        let text = tree::text(&folder, path, MAX_FILE).map_err(|error| wrong(error.to_string()))?;
        found.extend(read(&text, path).map_err(wrong)?);
        let results: usize = found.iter().map(|one| one.controls.len()).sum();
        if results > MAX_RESULTS {
            return Err(wrong(format!("more than {MAX_RESULTS} results in all files")));
        }
    }
    Ok(found)
}

/// Reads one file; its format is known by what is in it.
///
/// # Errors
/// A reason, with the known formats.
pub fn read(text: &str, path: &str) -> Result<Vec<ProfileResults>, String> {
    let text = text.trim_start_matches('\u{feff}');
    let document: Value = serde_json::from_str(text).map_err(|error| format!("no JSON: {error}"))?;
    let digest = sha256(text.as_bytes());
    if let Some(profiles) = document["profiles"].as_array() {
        return profiles.iter().map(|profile| inspec(profile, path, &digest)).collect();
    }
    if let Some(runs) = document["runs"].as_array() {
        let version = string(&document["version"]);
        if version != "2.1.0" {
            return Err(format!("SARIF of the version `{version}` (known: `2.1.0`)"));
        }
        return runs.iter().map(|run| sarif(run, path, &digest)).collect();
    }
    Err("neither `profiles` nor `runs` (known: the JSON reporter of InSpec, SARIF 2.1.0)".to_owned())
}

fn string(value: &Value) -> String {
    shown(value.as_str().unwrap_or_default(), 1_000)
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn inspec(profile: &Value, path: &str, digest: &str) -> Result<ProfileResults, String> {
    let name = string(&profile["name"]);
    let Some(controls) = profile["controls"].as_array() else {
        return Err(format!("the profile `{name}` has no `controls`"));
    };
    let read = |control: &Value| {
        let id = string(&control["id"]);
        if id.is_empty() {
            return Err(format!("a control of the profile `{name}` has no `id`"));
        }
        let (status, reason) = inspec_status(control);
        let references = list(&control["refs"]).iter().filter_map(|one| one["url"].as_str().or(one["ref"].as_str()));
        let source = &control["source_location"];
        let line = source["line"].as_u64().and_then(|line| u32::try_from(line).ok()).filter(|line| *line > 0);
        let fix = list(&control["descriptions"]).iter().find(|one| one["label"] == "fix");
        Ok(ControlResult {
            title: Some(string(&control["title"])).filter(|title| !title.is_empty()).unwrap_or_else(|| id.clone()),
            id,
            description: string(&control["desc"]),
            severity: severity(control["impact"].as_f64().unwrap_or(0.5) * 10.0),
            status,
            reason,
            remediation: fix
                .map(|fix| string(&fix["data"]))
                .or_else(|| Some(string(&control["tags"]["fix"])))
                .unwrap_or_default(),
            references: references.map(|one| shown(one, 1_000)).take(50).collect(),
            location: source["ref"].as_str().filter(|path| !path.is_empty()).map(|path| place(path, line)),
            identity: vec!["inspec".to_owned()],
        })
    };
    Ok(ProfileResults {
        title: string(&profile["title"]),
        version: string(&profile["version"]),
        sha256: profile["sha256"].as_str().map_or_else(|| digest.to_owned(), |text| shown(text, 64)),
        imported: Some(("inspec".to_owned(), path.to_owned())),
        controls: controls.iter().map(read).collect::<Result<_, _>>()?,
        name: name.clone(),
    })
}

/// One failure fails a control; without it one error counts. A control that asked nothing does not apply, nor does one without impact.
fn inspec_status(control: &Value) -> (Status, String) {
    let results = list(&control["results"]);
    let has = |status: &str| results.iter().filter(|one| one["status"] == status).collect::<Vec<_>>();
    let say = |results: &[&Value]| {
        let one = |result: &&Value| {
            let parts = ["code_desc", "message", "skip_message"].map(|key| string(&result[key]));
            parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(": ")
        };
        shown(&results.iter().take(5).map(one).collect::<Vec<_>>().join("; "), 1_000)
    };
    if control["impact"].as_f64() == Some(0.0) {
        return (Status::NotApplicable, "its impact is 0".to_owned());
    }
    let order = [
        ("failed", Status::Open),
        ("error", Status::Error),
        ("passed", Status::Passed),
        ("skipped", Status::NotApplicable),
    ];
    for (word, status) in order {
        let found = has(word);
        // A word that nobody knows is no pass.
        if !found.is_empty() && (matches!(status, Status::Open | Status::Error) || !unknown(results)) {
            return (status, say(&found));
        }
    }
    match results.is_empty() {
        true => (Status::NotApplicable, "it has no results".to_owned()),
        false => (Status::Error, "it has results with an unknown status".to_owned()),
    }
}

fn unknown(results: &[Value]) -> bool {
    results.iter().any(|one| !matches!(one["status"].as_str(), Some("passed" | "failed" | "skipped" | "error")))
}

/// From 0 to 10, as CVSS counts.
fn severity(score: f64) -> Severity {
    match score {
        _ if score >= 9.0 => Severity::Critical,
        _ if score >= 7.0 => Severity::High,
        _ if score >= 4.0 => Severity::Medium,
        _ if score > 0.0 => Severity::Low,
        _ => Severity::Info,
    }
}

fn place(path: &str, line: Option<u32>) -> Location {
    let path = path.strip_prefix("file://").unwrap_or(path);
    Location { path: shown(path, 1_000), line, column: None, end_line: None }
}

fn sarif(run: &Value, path: &str, digest: &str) -> Result<ProfileResults, String> {
    let driver = &run["tool"]["driver"];
    let tool = string(&driver["name"]);
    if tool.is_empty() {
        return Err("a run without `tool.driver.name`".to_owned());
    }
    let Some(results) = run["results"].as_array() else {
        // SARIF 3.14.23: without results the tool did not get so far as to look.
        return Err(format!("the run of `{tool}` has no `results`, so it was not finished"));
    };
    let rules = list(&driver["rules"]);
    let read = |result: &Value| {
        let index = result["ruleIndex"].as_u64().or(result["rule"]["index"].as_u64());
        let by_index = index.and_then(|index| rules.get(usize::try_from(index).ok()?));
        let id = result["ruleId"]
            .as_str()
            .or(result["rule"]["id"].as_str())
            .or(by_index.and_then(|rule| rule["id"].as_str()));
        let Some(id) = id.filter(|id| !id.is_empty()) else {
            return Err(format!("a result of `{tool}` names no rule"));
        };
        let rule = by_index.or_else(|| rules.iter().find(|rule| rule["id"] == id)).unwrap_or(&Value::Null);
        let (status, said) = sarif_status(result);
        let message = string(&result["message"]["text"]);
        let physical = &list(&result["locations"]).first().unwrap_or(&Value::Null)["physicalLocation"];
        let uri = physical["artifactLocation"]["uri"].as_str().filter(|uri| !uri.is_empty());
        let line = physical["region"]["startLine"].as_u64().and_then(|line| u32::try_from(line).ok());
        let level = result["level"].as_str().or(rule["defaultConfiguration"]["level"].as_str());
        let score = &rule["properties"]["security-severity"];
        let score = score.as_f64().or_else(|| score.as_str()?.parse().ok());
        // What the tool itself holds for the same result from run to run; else what it says, and where.
        let mut identity: Vec<String> = ["fingerprints", "partialFingerprints"]
            .iter()
            .flat_map(|key| result[*key].as_object().into_iter().flatten())
            .map(|(key, value)| format!("{key}={}", string(value)))
            .collect();
        if identity.is_empty() {
            identity.push(message.clone());
        }
        identity.extend([tool.clone(), uri.unwrap_or_default().to_owned()]);
        let title = string(&rule["shortDescription"]["text"]);
        Ok(ControlResult {
            id: shown(id, 200),
            title: if title.is_empty() { shown(&message, 200) } else { title },
            description: string(&rule["fullDescription"]["text"]),
            severity: score.map_or_else(|| of_level(level), severity),
            status,
            reason: if said.is_empty() { message } else { format!("{said}: {message}") },
            remediation: string(&rule["help"]["text"]),
            references: rule["helpUri"].as_str().map(|uri| shown(uri, 1_000)).into_iter().collect(),
            location: uri.map(|uri| place(uri, line)),
            identity,
        })
    };
    Ok(ProfileResults {
        name: tool.clone(),
        title: tool.clone(),
        version: string(driver.get("semanticVersion").unwrap_or(&driver["version"])),
        sha256: digest.to_owned(),
        imported: Some((tool.clone(), path.to_owned())),
        controls: results.iter().map(read).collect::<Result<_, _>>()?,
    })
}

fn of_level(level: Option<&str>) -> Severity {
    match level {
        Some("error") => Severity::High,
        Some("note") => Severity::Low,
        Some("none") => Severity::Info,
        // SARIF 3.27.10: what says nothing is a warning.
        _ => Severity::Medium,
    }
}

fn sarif_status(result: &Value) -> (Status, &'static str) {
    let accepted = |one: &Value| matches!(one["status"].as_str(), None | Some("accepted"));
    match result["kind"].as_str() {
        Some("pass") => (Status::Passed, ""),
        Some("notApplicable" | "informational") => (Status::NotApplicable, ""),
        None | Some("fail") if list(&result["suppressions"]).iter().any(accepted) => {
            (Status::NotApplicable, "suppressed")
        }
        None | Some("fail") => (Status::Open, ""),
        // `review` and `open`: the tool could not decide.
        Some(_) => (Status::Error, "not decided"),
    }
}
