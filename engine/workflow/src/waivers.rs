//! The waivers file: findings that somebody answers for, until a day.
//!
//! Owner, reason and expiry are mandatory: a waiver without them is a rule switched off in silence.

use crate::read::{Fields, Keys, Reader, shown};
use crate::yaml::{self, Node};
use orch_core::{Code, Diagnostic, Finding, Source};
use serde::{Deserialize, Serialize};

/// The version of this format.
pub(crate) const SCHEMA: &str = "orch-waivers/v1";
/// More than a gate can sensibly ignore.
const MOST: usize = 10_000;

pub(crate) const FILE: Keys = Keys { of: "the waivers file", known: &["schema", "waivers"], later: &[] };
pub(crate) const WAIVER: Keys =
    Keys { of: "a waiver", known: &["fingerprint", "rule", "path", "owner", "reason", "expires"], later: &[] };

/// A waivers file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waivers {
    /// In the order of the file.
    pub waivers: Vec<Waiver>,
}

/// One waiver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiver {
    /// Which findings.
    pub covers: Covers,
    /// Who answers for it.
    pub owner: String,
    /// Why.
    pub reason: String,
    /// The last day on which it covers anything, `YYYY-MM-DD`.
    pub expires: String,
}

/// Which findings a waiver covers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Covers {
    /// The one problem with this fingerprint.
    Fingerprint(String),
    /// Every problem of a rule.
    Rule {
        /// The rule's id.
        rule: String,
        /// Only at or below this path.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        path: Option<String>,
    },
}

impl Waiver {
    /// Whether it covers nothing any more. Days are compared as text, which their form allows.
    pub fn is_expired(&self, today: &str) -> bool {
        self.expires.as_str() < today
    }

    /// Whether it is about a finding.
    pub fn covers(&self, finding: &Finding) -> bool {
        match &self.covers {
            Covers::Fingerprint(fingerprint) => *fingerprint == finding.fingerprint,
            Covers::Rule { rule, path: None } => *rule == finding.rule,
            Covers::Rule { rule, path: Some(path) } => {
                let at = finding.location.as_ref().map(|location| location.path.as_str());
                *rule == finding.rule && at.is_some_and(|at| is_below(at, path))
            }
        }
    }

    /// What it covers, in a few words.
    pub fn subject(&self) -> String {
        match &self.covers {
            Covers::Fingerprint(fingerprint) => shown(fingerprint),
            Covers::Rule { rule, path: None } => format!("rule {}", shown(rule)),
            Covers::Rule { rule, path: Some(path) } => format!("rule {} at {}", shown(rule), shown(path)),
        }
    }
}

/// By whole path parts: `src` holds `src/a` and not `src2`.
fn is_below(path: &str, folder: &str) -> bool {
    let folder = folder.strip_suffix('/').unwrap_or(folder);
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Reads a waivers file.
pub fn parse_waivers(source: &Source) -> (Option<Waivers>, Vec<Diagnostic>) {
    let (tree, found) = yaml::read(source);
    let mut reader = Reader::new(source, found);
    let mut waivers = Waivers::default();
    if let Some(tree) = tree
        && let Some(fields) = reader.fields(&tree, &FILE)
    {
        reader.schema(&fields, "the waivers file", SCHEMA);
        if let Some(list) = reader.require(&fields, "waivers", "the waivers file") {
            let items = reader.items(list, "waivers");
            if items.len() > MOST {
                let message = format!("there are {} waivers, at most {MOST} are allowed", items.len());
                reader.error(Code::TooMany, &list.span, message);
            } else {
                waivers.waivers = items.iter().filter_map(|item| waiver(&mut reader, item)).collect();
            }
        }
    }
    let usable = !reader.failed();
    (usable.then_some(waivers), reader.finish())
}

fn waiver(reader: &mut Reader<'_>, node: &Node) -> Option<Waiver> {
    let fields = reader.fields(node, &WAIVER)?;
    let owner = mandatory(reader, &fields, "owner");
    let reason = mandatory(reader, &fields, "reason");
    let expires = mandatory(reader, &fields, "expires").filter(|date| {
        let valid = is_date(date);
        if let (false, Some(node)) = (valid, fields.get("expires")) {
            let message = format!("`{}` is no day", shown(date));
            reader.error_help(Code::InvalidWaiver, &node.span, message, "write `YYYY-MM-DD`");
        }
        valid
    });
    let mut text = |name: &str| fields.get(name).and_then(|node| reader.text(node, name));
    let (fingerprint, rule, path) = (text("fingerprint"), text("rule"), text("path"));
    let covers = match (fingerprint, rule, path) {
        (Some(fingerprint), None, None) => Some(Covers::Fingerprint(fingerprint)),
        (None, Some(rule), path) => {
            if let (Some(path), Some(node)) = (&path, fields.get("path"))
                && (path.is_empty() || path.contains(['*', '?']))
            {
                let message = format!("`{}` is no path prefix", shown(path));
                reader.error_help(
                    Code::InvalidWaiver,
                    &node.span,
                    message,
                    "patterns are not supported; name a file or a folder",
                );
            }
            Some(Covers::Rule { rule, path })
        }
        (Some(_), ..) => {
            let message = "`fingerprint` already names one problem; `rule` and `path` have nothing to add";
            reader.error(Code::Contradiction, &fields.start(), message);
            None
        }
        (None, None, _) => {
            if fields.get("fingerprint").is_none() && fields.get("rule").is_none() {
                let message = "a waiver says what it covers: `fingerprint`, or `rule` and perhaps `path`";
                reader.error(Code::InvalidWaiver, &fields.start(), message);
            }
            None
        }
    };
    Some(Waiver { covers: covers?, owner: owner?, reason: reason?, expires: expires? })
}

fn mandatory(reader: &mut Reader<'_>, fields: &Fields<'_>, name: &str) -> Option<String> {
    let Some(node) = fields.get(name) else {
        reader.error(Code::InvalidWaiver, &fields.start(), format!("a waiver needs the key `{name}`"));
        return None;
    };
    let text = reader.text(node, name)?;
    if text.trim().is_empty() {
        reader.error(Code::InvalidWaiver, &node.span, format!("`{name}` is empty"));
        return None;
    }
    Some(text)
}

/// A day of the Gregorian calendar as `YYYY-MM-DD`.
pub(crate) fn is_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    let digits = |range: std::ops::Range<usize>| -> Option<u32> {
        let part = text.get(range)?;
        part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse().ok()).flatten()
    };
    if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return false;
    }
    let (Some(year), Some(month), Some(day)) = (digits(0..4), digits(5..7), digits(8..10)) else { return false };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return false,
    };
    (1..=days).contains(&day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days() {
        for text in ["2026-01-31", "2024-02-29", "2000-02-29", "9999-12-31"] {
            assert!(is_date(text), "{text}");
        }
        for text in [
            "2025-02-29",
            "1900-02-29",
            "2026-13-01",
            "2026-00-01",
            "2026-01-00",
            "2026-1-1",
            "+026-01-01",
            "20260101",
            "é026-01-1",
        ] {
            assert!(!is_date(text), "{text}");
        }
    }

    #[test]
    fn paths_are_compared_by_parts() {
        assert!(is_below("src/a.rs", "src") && is_below("src/a.rs", "src/") && is_below("src", "src"));
        assert!(!is_below("src2/a.rs", "src") && !is_below("a/src", "src"));
    }
}
