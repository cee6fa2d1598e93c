//! One result of one control, whoever found it: what findings and artifacts are made of.

use orch_plugin_kit::digest::fingerprint;
use orch_sdk::{Finding, Location, Severity, Status};
use serde_json::{Value, json};

/// The result of a control.
#[derive(Debug, Clone)]
pub struct ControlResult {
    /// The control's id.
    pub id: String,
    /// What it asks for.
    pub title: String,
    /// Why.
    pub description: String,
    /// How bad it is otherwise.
    pub severity: Severity,
    /// How it ended.
    pub status: Status,
    /// What was found and what was expected.
    pub reason: String,
    /// What to do.
    pub remediation: String,
    /// Where others ask for it.
    pub references: Vec<String>,
    /// Where.
    pub location: Option<Location>,
    /// What tells it from others with its id; not a line number.
    pub identity: Vec<String>,
}

/// The results of a profile, or of another tool.
#[derive(Debug, Clone)]
pub struct ProfileResults {
    /// Its name.
    pub name: String,
    /// Its title.
    pub title: String,
    /// Its version.
    pub version: String,
    /// The SHA-256 of its text.
    pub sha256: String,
    /// Of imported results: the tool and the file they are from.
    pub imported: Option<(String, String)>,
    /// One for each control.
    pub controls: Vec<ControlResult>,
}

impl ProfileResults {
    /// The findings.
    pub fn findings(&self) -> impl Iterator<Item = Finding> {
        self.controls.iter().map(|control| {
            let mut parts = vec![self.name.as_str(), control.id.as_str()];
            parts.extend(control.identity.iter().map(String::as_str));
            let full = |text: &String| (!text.is_empty()).then(|| text.clone());
            let data: Value = match &self.imported {
                Some((tool, file)) => json!({ "profile": self.name, "tool": tool, "imported-from": file }),
                None => json!({ "profile": self.name, "profile-version": self.version }),
            };
            Finding {
                rule: control.id.clone(),
                severity: control.severity,
                status: control.status,
                title: control.title.clone(),
                detail: full(&control.reason),
                fingerprint: fingerprint(&parts),
                location: control.location.clone(),
                remediation: full(&control.remediation),
                references: control.references.clone(),
                data: Some(data),
            }
        })
    }

    /// How many controls have a status.
    pub fn count(&self, status: Status) -> u64 {
        self.controls.iter().filter(|control| control.status == status).count() as u64
    }
}
