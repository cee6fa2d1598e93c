//! Finds TODO and FIXME marks in the files that the input names. The tasks in [`contract`] are for the tests of the contract.

mod contract;

use orch_sdk::{Finding, Host, Location, Outcome, Severity, Status, TaskError, plugin};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::io::ErrorKind;

/// What the task takes.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Files below the mount `source`.
    files: Vec<String>,
}

/// What the task returns.
#[derive(Serialize, JsonSchema)]
pub struct Output {
    files: usize,
    marks: usize,
}

/// Reports every line that holds a mark.
pub fn scan(input: Input, host: &dyn Host) -> Result<Outcome<Output>, TaskError> {
    if !host.has_capability("fs:source") {
        return Err(TaskError::Denied { capability: "fs".into(), target: "source".into() });
    }
    let mut marks = 0;
    for (number, name) in input.files.iter().enumerate() {
        if host.is_cancelled() {
            return Err(TaskError::Cancelled);
        }
        if name.is_empty() {
            return Err(TaskError::InvalidInput(format!("files[{number}]: a path is missing")));
        }
        marks += scan_file(name, host)?;
        host.progress(number as u64 + 1, Some(input.files.len() as u64), name);
    }
    host.info("scanned");
    Ok(Outcome::Succeeded(Output { files: input.files.len(), marks }))
}

fn scan_file(name: &str, host: &dyn Host) -> Result<usize, TaskError> {
    let bytes = match std::fs::read(host.mount("source").join(name)) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            return Err(TaskError::Denied { capability: "fs".into(), target: name.into() });
        }
        Err(error) => {
            // What could not be read is said, never passed over.
            let unread = Finding {
                status: Status::Error,
                severity: Severity::Medium,
                fingerprint: format!("unread-file:{name}"),
                ..finding("unread-file", name, &error.to_string(), None)
            };
            host.emit(&[unread])?;
            return Ok(0);
        }
    };
    let text = String::from_utf8_lossy(&bytes);
    let marked = text.lines().zip(1..).filter(|(line, _)| line.contains("TODO") || line.contains("FIXME"));
    let found: Vec<_> = marked.map(|(line, number)| finding("open-mark", name, line.trim(), Some(number))).collect();
    host.emit(&found)?;
    Ok(found.len())
}

fn finding(rule: &str, name: &str, title: &str, line: Option<u32>) -> Finding {
    Finding {
        rule: rule.into(),
        severity: Severity::Low,
        status: Status::Open,
        title: title.into(),
        detail: None,
        fingerprint: format!("{rule}:{name}:{title}"),
        location: Some(Location { path: name.into(), line, column: None, end_line: None }),
        remediation: None,
        references: Vec::new(),
        data: None,
    }
}

plugin! {
    "scan" => scan,
    "echo" => contract::echo,
    "read" => contract::read,
    "end" => contract::end,
    "say" => contract::say,
    "wait" => contract::wait,
    "grow" => contract::grow,
}
