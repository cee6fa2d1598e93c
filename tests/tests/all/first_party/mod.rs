//! The first-party plugins through the whole program: each folder `plugins/*/cases/*` is a workflow with what has to come out of it.
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed")]

mod examples;
mod history;
mod patch;

use crate::cli::kit::of;
use crate::cli::newcomer::with_rust;
use crate::cli::program::{Place, Ran, repository};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// What a case expects.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Expected {
    #[serde(default)]
    exit: i32,
    /// Tasks' outputs; what is left out is not compared.
    #[serde(default)]
    outputs: Map<String, Value>,
    /// All findings, by place and rule; fields that are left out are not compared.
    #[serde(default)]
    findings: Vec<Map<String, Value>>,
    /// Arguments of `run`, such as `--dry-run`.
    #[serde(default)]
    arguments: Vec<String>,
    /// Symbolic links that the case's folder gets, and where each leads. Not every copy of a checkout keeps links.
    #[serde(default)]
    links: BTreeMap<PathBuf, PathBuf>,
}

/// The folders with a `plugin.yaml`, sorted.
fn plugins() -> Vec<PathBuf> {
    folders(&repository().join("plugins")).into_iter().filter(|folder| folder.join("plugin.yaml").is_file()).collect()
}

fn folders(of: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(of) else { return Vec::new() };
    let mut folders: Vec<_> = entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

/// A place with a registry that has all first-party plugins, built from what the checkout has now.
pub(crate) fn published() -> &'static Place {
    static PUBLISHED: OnceLock<Place> = OnceLock::new();
    PUBLISHED.get_or_init(|| {
        let place = Place::empty().with_shared_cache();
        place.run(["keys", "new"]).exits(0);
        fs::create_dir(place.path("registry")).unwrap();
        for plugin in plugins() {
            let mut command = place.command(["plugin".as_ref(), "publish".as_ref(), plugin.as_os_str()]);
            with_rust(&mut command);
            Ran::of(command).exits(0);
        }
        place
    })
}

/// Copies a folder of files and folders.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (kind, target) = (entry.file_type().unwrap(), to.join(entry.file_name()));
        if kind.is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Whether `found` has all that `expected` says.
fn fits(expected: &Value, found: &Value) -> bool {
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => {
            expected.iter().all(|(key, value)| found.get(key).is_some_and(|found| fits(value, found)))
        }
        (Value::Array(expected), Value::Array(found)) => {
            expected.len() == found.len() && expected.iter().zip(found).all(|(expected, found)| fits(expected, found))
        }
        (Value::Number(expected), Value::Number(found)) => expected.as_f64() == found.as_f64(),
        _ => expected == found,
    }
}

/// A finding with its place beside the other fields, as cases write it.
fn flat(finding: &Value) -> Value {
    let mut flat = finding.clone();
    for part in ["path", "line"] {
        flat[part] = finding["location"][part].clone();
    }
    flat
}

/// What is wrong with a case.
fn check(case: &Path) -> Result<(), String> {
    let place = published();
    let text = fs::read_to_string(case.join("expected.json")).map_err(|error| format!("expected.json: {error}"))?;
    let expected: Expected = serde_json::from_str(&text).map_err(|error| format!("expected.json: {error}"))?;
    let plugin = case.parent().and_then(Path::parent).and_then(Path::file_name).unwrap();
    let folder = place.path("cases").join(plugin).join(case.file_name().unwrap());
    copy(case, &folder);
    for (link, target) in &expected.links {
        let link = folder.join(link);
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(target, link).unwrap();
    }
    let mut command = place.command(["run", "--format", "json"]);
    command.args(&expected.arguments).current_dir(&folder);
    let ran = Ran::of(command);
    if ran.code != expected.exit {
        return Err(format!("exit code {}, not {}\n{ran}", ran.code, expected.exit));
    }
    let log = ran.lines();
    for (task, expected) in &expected.outputs {
        let end = of(&log, "task-finished").into_iter().find(|end| end["task"] == task.as_str());
        let output = end.map_or(&Value::Null, |end| &end["output"]);
        if !fits(expected, output) {
            return Err(format!("`{task}` returned\n{output:#}\nnot\n{expected:#}"));
        }
    }
    let mut findings: Vec<Value> = of(&log, "task-findings")
        .iter()
        .flat_map(|event| event["findings"].as_array().into_iter().flatten())
        .map(flat)
        .collect();
    let key = |one: &Value| {
        (
            one["path"].as_str().unwrap_or("").to_owned(),
            one["line"].as_u64(),
            one["rule"].as_str().unwrap_or("").to_owned(),
        )
    };
    findings.sort_by_key(key);
    let same = findings.len() == expected.findings.len()
        && expected.findings.iter().zip(&findings).all(|(expected, found)| fits(&expected.clone().into(), found));
    if !same {
        let short = |one: &Value| {
            serde_json::json!({ "rule": one["rule"], "severity": one["severity"], "status": one["status"], "path": one["path"], "line": one["line"], "title": one["title"] }).to_string()
        };
        return Err(format!("found\n{}", findings.iter().map(short).collect::<Vec<_>>().join(",\n")));
    }
    Ok(())
}

#[test]
fn every_case_of_every_plugin() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for plugin in plugins() {
        let cases = folders(&plugin.join("cases"));
        assert!(!cases.is_empty(), "{} has no folder below `cases`", plugin.display());
        for case in cases {
            count += 1;
            if let Err(reason) = check(&case) {
                wrong.push(format!("{}: {reason}", case.display()));
            }
        }
    }
    println!("{count} cases");
    assert!(wrong.is_empty(), "{} of {count} cases:\n{}", wrong.len(), wrong.join("\n\n"));
}
