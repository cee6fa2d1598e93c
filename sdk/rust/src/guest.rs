//! The side that exists only inside a component: the generated bindings and the [`Host`] that calls them.

#![allow(missing_docs, reason = "generated from wit/task.wit, which is the documentation")]

use crate::{Finding, Host, HttpRequest, HttpResponse, Level, Outcome, Printed, Severity, Status, Task, TaskError};
use std::io::Read;
use std::path::PathBuf;

#[cfg(feature = "exec")]
mod exec;
#[cfg(feature = "http")]
mod http;

// Only what a plugin calls ends up among its imports, and one that its manifest does not ask for is refused on publish: the
// functions of [`Host`] are always called, so those that need a permission are features of their own.
#[cfg(not(feature = "full"))]
wit_bindgen::generate!({
    path: "../../wit",
    world: "task",
    pub_export_macro: true,
    export_macro_name: "export",
    default_bindings_module: "orch_sdk::guest",
});

#[cfg(feature = "full")]
wit_bindgen::generate!({
    path: "../../wit",
    world: "task-full",
    pub_export_macro: true,
    export_macro_name: "export",
    default_bindings_module: "orch_sdk::guest",
});

use self::exports::orch::task::runner as contract;
#[cfg(feature = "artifacts")]
use self::orch::task::artifacts;
use self::orch::task::task_types::{Denial, Fault};
use self::orch::task::{context, findings, report};

#[cfg(feature = "artifacts")]
/// How much of an artifact goes over in one call: well under the host's limit of 16 MiB a call.
const CHUNK: usize = 256 * 1024;

struct GuestHost;

impl Host for GuestHost {
    fn mount(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("/{name}"))
    }

    fn env(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn has_capability(&self, name: &str) -> bool {
        context::has_capability(name)
    }

    fn log(&self, level: Level, message: &str) {
        let level = match level {
            Level::Trace => report::Level::Trace,
            Level::Debug => report::Level::Debug,
            Level::Info => report::Level::Info,
            Level::Warn => report::Level::Warn,
            Level::Error => report::Level::Error,
        };
        report::log(level, message, &[]);
    }

    fn progress(&self, done: u64, total: Option<u64>, note: &str) {
        report::progress(done, total, Some(note).filter(|note| !note.is_empty()));
    }

    fn emit(&self, items: &[Finding]) -> Result<(), TaskError> {
        let items: Vec<findings::Finding> = items.iter().map(finding).collect();
        findings::emit(&items).map(|_held| ()).map_err(TaskError::Failed)
    }

    #[cfg(not(feature = "artifacts"))]
    fn write_artifact(&self, name: &str, _media_type: &str, _content: &mut dyn Read) -> Result<String, TaskError> {
        Err(TaskError::Denied { capability: "artifacts".into(), target: name.into() })
    }

    #[cfg(feature = "artifacts")]
    fn write_artifact(&self, name: &str, media_type: &str, content: &mut dyn Read) -> Result<String, TaskError> {
        if !context::has_capability(&format!("artifacts:{name}")) {
            return Err(TaskError::Denied { capability: "artifacts".into(), target: name.into() });
        }
        let artifact = artifacts::create(name, media_type).map_err(TaskError::Failed)?;
        let mut chunk = vec![0; CHUNK];
        loop {
            let length = content.read(&mut chunk).map_err(|error| TaskError::Failed(error.to_string()))?;
            if length == 0 {
                return artifact.finish().map_err(TaskError::Failed);
            }
            artifact.write(&chunk[..length]).map_err(TaskError::Failed)?;
        }
    }

    #[cfg(feature = "http")]
    fn http(&self, request: &HttpRequest) -> Result<HttpResponse, TaskError> {
        http::send(request)
    }

    #[cfg(not(feature = "http"))]
    fn http(&self, request: &HttpRequest) -> Result<HttpResponse, TaskError> {
        Err(TaskError::Denied { capability: "net".into(), target: request.url.clone() })
    }

    #[cfg(feature = "secrets")]
    fn secret(&self, name: &str) -> Result<String, TaskError> {
        if !context::has_capability(&format!("secrets:{name}")) {
            return Err(TaskError::Denied { capability: "secrets".into(), target: name.into() });
        }
        Ok(orch::task::secrets::open(name).map_err(TaskError::Failed)?.placeholder())
    }

    #[cfg(not(feature = "secrets"))]
    fn secret(&self, name: &str) -> Result<String, TaskError> {
        Err(TaskError::Denied { capability: "secrets".into(), target: name.into() })
    }

    #[cfg(feature = "exec")]
    fn stream(
        &self,
        alias: &str,
        slots: &[(&str, &str)],
        output: &mut dyn FnMut(&[u8]) -> Result<(), TaskError>,
    ) -> Result<Printed, TaskError> {
        exec::stream(alias, slots, output)
    }

    #[cfg(not(feature = "exec"))]
    fn stream(
        &self,
        alias: &str,
        _slots: &[(&str, &str)],
        _output: &mut dyn FnMut(&[u8]) -> Result<(), TaskError>,
    ) -> Result<Printed, TaskError> {
        Err(TaskError::Denied { capability: "exec".into(), target: alias.into() })
    }

    #[cfg(feature = "kv")]
    fn kept(&self, bucket: &str, key: &str) -> Result<Option<(Vec<u8>, u64)>, TaskError> {
        granted_bucket(bucket)?;
        let entry = orch::task::state::get(bucket, key).map_err(TaskError::Failed)?;
        Ok(entry.map(|entry| (entry.value, entry.version)))
    }

    #[cfg(feature = "kv")]
    fn keep(&self, bucket: &str, key: &str, value: &[u8], expect: u64) -> Result<u64, TaskError> {
        granted_bucket(bucket)?;
        orch::task::state::set(bucket, key, value, Some(expect)).map_err(TaskError::Failed)
    }

    #[cfg(not(feature = "kv"))]
    fn kept(&self, bucket: &str, _key: &str) -> Result<Option<(Vec<u8>, u64)>, TaskError> {
        Err(TaskError::Denied { capability: "kv".into(), target: bucket.into() })
    }

    #[cfg(not(feature = "kv"))]
    fn keep(&self, bucket: &str, _key: &str, _value: &[u8], _expect: u64) -> Result<u64, TaskError> {
        Err(TaskError::Denied { capability: "kv".into(), target: bucket.into() })
    }

    fn is_dry_run(&self) -> bool {
        context::info().dry_run
    }

    fn is_cancelled(&self) -> bool {
        context::is_cancelled()
    }
}

#[cfg(feature = "kv")]
fn granted_bucket(bucket: &str) -> Result<(), TaskError> {
    if context::has_capability(&format!("kv:{bucket}")) {
        return Ok(());
    }
    Err(TaskError::Denied { capability: "kv".into(), target: bucket.into() })
}

fn finding(finding: &Finding) -> findings::Finding {
    findings::Finding {
        rule: finding.rule.clone(),
        severity: match finding.severity {
            Severity::Info => findings::Severity::Info,
            Severity::Low => findings::Severity::Low,
            Severity::Medium => findings::Severity::Medium,
            Severity::High => findings::Severity::High,
            Severity::Critical => findings::Severity::Critical,
        },
        status: match finding.status {
            Status::Open => findings::Status::Open,
            Status::Passed => findings::Status::Passed,
            Status::NotApplicable => findings::Status::NotApplicable,
            Status::Error => findings::Status::Error,
        },
        title: finding.title.clone(),
        detail: finding.detail.clone(),
        fingerprint: finding.fingerprint.clone(),
        location: finding.location.as_ref().map(|location| findings::Location {
            path: location.path.clone(),
            line: location.line,
            column: location.column,
            end_line: location.end_line,
        }),
        remediation: finding.remediation.clone(),
        references: finding.references.clone(),
        data: finding.data.as_ref().map(ToString::to_string),
    }
}

/// Runs one call of the host.
pub fn run(tasks: &[Task], task: &str, input: &str) -> Result<contract::Outcome, contract::TaskError> {
    match crate::dispatch(tasks, task, input, &GuestHost) {
        Ok(Outcome::Succeeded(output)) => Ok(contract::Outcome::Succeeded(output)),
        Ok(Outcome::Rejected(output)) => Ok(contract::Outcome::Rejected(output)),
        Ok(Outcome::Skipped(reason)) => Ok(contract::Outcome::Skipped(reason)),
        Err(error) => Err(match error {
            TaskError::InvalidInput(reason) => contract::TaskError::InvalidInput(reason),
            TaskError::Denied { capability, target } => contract::TaskError::Denied(Denial { capability, target }),
            TaskError::Dependency { target, message, retryable } => {
                contract::TaskError::Dependency(Fault { target, message, retryable })
            }
            TaskError::Failed(reason) => contract::TaskError::Failed(reason),
            TaskError::Cancelled => contract::TaskError::Cancelled,
        }),
    }
}
