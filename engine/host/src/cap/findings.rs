//! `findings`: append-only. Bounded in number, in bytes of one and in bytes of all.

use crate::bindings::orch::task::findings::{Finding as Wire, Host, Severity as WireSeverity, Status as WireStatus};
use crate::guest::Guest;
use orch_core::{Finding, FindingStatus, Location, Severity, Size};

/// Bytes of one finding.
const MOST_ONE: usize = 256 << 10;
/// Bytes of all findings of an attempt: they are kept in memory until the run is over.
const MOST_ALL: u64 = 128 << 20;
/// What a finding takes in memory beside its texts.
const FINDING: usize = 256;
/// What a text in a list takes beside its bytes, also an empty one.
const TEXT: usize = 32;
/// What a value in `data` takes, and a map with its first key: as text they are two and eight bytes.
const VALUE: u64 = 32;
const MAP: u64 = 640;

impl Host for Guest {
    fn emit(&mut self, items: Vec<Wire>) -> wasmtime::Result<Result<u32, String>> {
        let mut findings = Vec::with_capacity(items.len());
        for item in items {
            let bytes = size(&item);
            if bytes > MOST_ONE {
                return Ok(Err(format!("a finding of {bytes} bytes is larger than {MOST_ONE}")));
            }
            let finding = match convert(item) {
                Ok(finding) => finding,
                Err(reason) => return Ok(Err(reason)),
            };
            let bytes = self.findings.bytes + bytes as u64 + finding.data.as_ref().map_or(0, weight);
            let most = self.facts.limits.findings;
            if self.findings.count >= most || bytes > MOST_ALL {
                let most = if bytes > MOST_ALL { Size::from_bytes(MOST_ALL).to_string() } else { most.to_string() };
                let answer = format!("the limit `findings` of {most} is reached");
                self.findings.reached = Some(most);
                self.audit.live.findings(findings);
                return Ok(Err(answer));
            }
            findings.push(finding);
            self.findings.count += 1;
            self.findings.bytes = bytes;
        }
        if !findings.is_empty() {
            self.audit.live.findings(findings);
        }
        Ok(Ok(u32::try_from(self.findings.count).unwrap_or(u32::MAX)))
    }
}

fn size(item: &Wire) -> usize {
    let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    FINDING
        + item.rule.len()
        + item.title.len()
        + item.fingerprint.len()
        + text(&item.detail)
        + text(&item.remediation)
        + text(&item.data)
        + item.location.as_ref().map_or(0, |location| location.path.len())
        + item.references.iter().map(|reference| TEXT + reference.len()).sum::<usize>()
}

/// What parsed JSON takes in memory beyond its text. It is as deep as the parser allows, 128 levels.
fn weight(value: &serde_json::Value) -> u64 {
    match value {
        serde_json::Value::Object(map) => MAP + map.values().map(|value| VALUE + weight(value)).sum::<u64>(),
        serde_json::Value::Array(items) => items.iter().map(|value| VALUE + weight(value)).sum(),
        _ => 0,
    }
}

fn convert(item: Wire) -> Result<Finding, String> {
    let data = item
        .data
        .map(|text| serde_json::from_str(&text))
        .transpose()
        .map_err(|error| format!("`data` of finding `{}` is no JSON: {error}", orch_core::visible(&item.rule)))?;
    Ok(Finding {
        rule: item.rule,
        severity: match item.severity {
            WireSeverity::Info => Severity::Info,
            WireSeverity::Low => Severity::Low,
            WireSeverity::Medium => Severity::Medium,
            WireSeverity::High => Severity::High,
            WireSeverity::Critical => Severity::Critical,
        },
        status: match item.status {
            WireStatus::Open => FindingStatus::Open,
            WireStatus::Passed => FindingStatus::Passed,
            WireStatus::NotApplicable => FindingStatus::NotApplicable,
            WireStatus::Error => FindingStatus::Error,
        },
        title: item.title,
        detail: item.detail,
        fingerprint: item.fingerprint,
        location: item.location.map(|location| Location {
            path: location.path,
            line: location.line,
            column: location.column,
            end_line: location.end_line,
        }),
        remediation: item.remediation,
        references: item.references,
        data,
    })
}
