//! Makes findings: of a secret, of a secret that only the history has, of something that could not be looked at.

use crate::detect::Found;
use crate::rule::Rule;
use crate::secret;
use orch_sdk::{Finding, Location, Severity, Status};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

/// What may be said of a find once its file is gone.
#[derive(Debug, Clone)]
pub struct Told {
    /// The file.
    pub path: String,
    /// Index of the rule.
    pub rule: usize,
    /// The start of the secret; nothing where the file itself is the find.
    pub masked: Option<String>,
    /// Line, column and last line, where there are some.
    pub lines: Option<(u32, u32, u32)>,
    /// The line where the match begins.
    pub match_line: u32,
    /// Of the secret.
    pub entropy: f64,
}

impl Told {
    /// Of a find in `content`.
    pub fn new(path: &str, content: &[u8], found: &Found) -> Told {
        // The name of the file alone is no line of it.
        let in_file = found.line > 0;
        Told {
            path: path.to_owned(),
            rule: found.rule,
            masked: in_file.then(|| secret::mask(&content[found.secret.clone()])),
            lines: in_file.then_some((found.line, found.column, found.end_line)),
            match_line: found.match_line,
            entropy: found.entropy,
        }
    }

    /// The finding; `more` goes into its data.
    pub fn finding(&self, rule: &Rule, fingerprint: String, more: Map<String, Value>) -> Finding {
        let mut data = more;
        if let Some(masked) = &self.masked {
            data.insert("masked".into(), json!(masked));
            data.insert("entropy".into(), json!((self.entropy * 100.0).round() / 100.0));
            data.insert("tags".into(), json!(rule.tags));
        }
        Finding {
            rule: rule.id.clone(),
            severity: rule.severity,
            status: Status::Open,
            title: rule.description.clone(),
            detail: self.masked.as_ref().map(|masked| format!("{masked}, entropy {:.1}", self.entropy)),
            fingerprint,
            location: Some(Location {
                path: self.path.clone(),
                line: self.lines.map(|(line, _, _)| line),
                column: self.lines.map(|(_, column, _)| column),
                end_line: self.lines.map(|(_, _, end)| end),
            }),
            remediation: Some(rule.remediation.clone()),
            references: rule.reference.iter().cloned().collect(),
            data: (!data.is_empty()).then_some(Value::Object(data)),
        }
    }
}

/// What could not be looked at: `rule` is `archive-incomplete` or `history-incomplete`.
pub fn incomplete(rule: &str, path: &str, reason: &str, remediation: &str) -> Finding {
    // Counts change from run to run, and the problem is the same.
    let stable: String = reason.chars().filter(|c| !c.is_ascii_digit()).collect();
    let fingerprint = secret::fingerprint(rule, path, &Sha256::digest(stable.as_bytes()), 0);
    Finding {
        rule: rule.to_owned(),
        severity: Severity::Medium,
        status: Status::Error,
        title: format!("Not all was searched: {reason}"),
        detail: None,
        fingerprint,
        location: Some(Location { path: path.to_owned(), line: None, column: None, end_line: None }),
        remediation: Some(remediation.to_owned()),
        references: Vec::new(),
        data: None,
    }
}
