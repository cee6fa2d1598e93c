//! How a plugin tells its findings and stores its artifacts.

use crate::digest::fingerprint;
use orch_sdk::{Finding, Host, Location, Severity, Status, TaskError};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// Findings beyond this are counted and left out; the host's own limit is 50,000.
pub const MAX_FINDINGS: usize = 10_000;

/// Findings in one call of the host.
const AT_ONCE: usize = 500;

/// A problem with its place; the other fields of a finding follow from it.
#[derive(Debug)]
pub struct Problem<'a> {
    /// Which rule found it.
    pub rule: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// Whether it is open, or could not be looked at.
    pub status: Status,
    /// One line for a person.
    pub title: String,
    /// The file, relative to its mount.
    pub path: &'a str,
    /// 1-based.
    pub line: Option<u32>,
    /// What makes it the same problem in the next run, besides rule and path.
    pub identity: &'a [&'a str],
    /// What to do.
    pub remediation: &'static str,
}

impl Problem<'_> {
    /// The finding; its fingerprint is made of rule, path and identity.
    pub fn finding(self) -> Finding {
        let mut parts = vec![self.rule, self.path];
        parts.extend(self.identity);
        Finding {
            rule: self.rule.to_owned(),
            severity: self.severity,
            status: self.status,
            title: self.title,
            detail: None,
            fingerprint: fingerprint(&parts),
            location: Some(Location { path: self.path.to_owned(), line: self.line, column: None, end_line: None }),
            remediation: Some(self.remediation.to_owned()),
            references: Vec::new(),
            data: None,
        }
    }
}

/// Emits findings by place, each problem once, and warns of those that are too many.
///
/// # Errors
/// What the host says.
pub fn emit(mut findings: Vec<Finding>, host: &dyn Host) -> Result<(), TaskError> {
    let place = |finding: &Finding| finding.location.as_ref().map(|it| (it.path.clone(), it.line));
    findings
        .sort_by(|left, right| (place(left), &left.rule, &left.title).cmp(&(place(right), &right.rule, &right.title)));
    let mut seen = BTreeSet::new();
    findings.retain(|finding| seen.insert(finding.fingerprint.clone()));
    if findings.len() > MAX_FINDINGS {
        host.warn(&format!("{} findings; only the first {MAX_FINDINGS} are reported", findings.len()));
        findings.truncate(MAX_FINDINGS);
    }
    findings.chunks(AT_ONCE).try_for_each(|some| host.emit(some))
}

/// Stores an artifact; `false` with a warning if it is not granted, which is no reason to fail.
///
/// # Errors
/// What the host says of an artifact that is granted.
pub fn store(name: &str, media_type: &str, bytes: &[u8], host: &dyn Host) -> Result<bool, TaskError> {
    let refused = || {
        host.warn(&format!(
            "`artifacts` is not granted, so `{name}` is not stored and only its digest is returned; grant it with \
             `permissions: {{ artifacts: [{{ name: {name} }}] }}`"
        ));
        Ok(false)
    };
    if !host.has_capability("artifacts") || !host.has_capability(&format!("artifacts:{name}")) {
        return refused();
    }
    match host.write_artifact(name, media_type, &mut &bytes[..]) {
        Ok(_) => Ok(true),
        Err(TaskError::Denied { .. }) => refused(),
        Err(error) => Err(error),
    }
}

/// The folder of a mount that the task cannot do without.
///
/// # Errors
/// [`TaskError::Denied`] if it is not granted.
pub fn granted_mount(name: &str, host: &dyn Host) -> Result<PathBuf, TaskError> {
    let root = host.mount(name);
    if host.has_capability(&format!("fs:{name}")) && root.is_dir() {
        return Ok(root);
    }
    Err(TaskError::Denied { capability: "fs".to_owned(), target: name.to_owned() })
}

/// Ends a task that the host wants to stop.
///
/// # Errors
/// [`TaskError::Cancelled`], then.
pub fn check_cancelled(host: &dyn Host) -> Result<(), TaskError> {
    if host.is_cancelled() { Err(TaskError::Cancelled) } else { Ok(()) }
}
