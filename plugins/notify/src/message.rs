//! What is said, before anybody's format.

use orch_sdk::{Finding, Severity, Status};
use serde::Serialize;
use std::collections::BTreeMap;

/// A message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Message {
    /// One line.
    pub title: String,
    /// The rest; may be empty.
    pub text: String,
    /// Open findings by severity, from the worst; empty if none was asked for.
    pub findings: Vec<(Severity, usize)>,
}

impl Message {
    /// Adds how much is open.
    pub fn count(&mut self, findings: &[Finding]) {
        let mut counts = BTreeMap::new();
        for finding in findings.iter().filter(|finding| finding.status == Status::Open) {
            *counts.entry(finding.severity).or_insert(0) += 1;
        }
        self.findings = counts.into_iter().rev().collect();
    }

    /// `2 critical, 1 low`, or `nothing open`.
    pub fn summary(&self) -> String {
        if self.findings.is_empty() {
            return "nothing open".to_owned();
        }
        let part = |(severity, count): &(Severity, usize)| format!("{count} {}", word(*severity));
        self.findings.iter().map(part).collect::<Vec<_>>().join(", ")
    }
}

/// The word for a severity.
pub fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "info",
        Severity::Low => "low",
        Severity::Medium => "medium",
        Severity::High => "high",
        Severity::Critical => "critical",
    }
}
