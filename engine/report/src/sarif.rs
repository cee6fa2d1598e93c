//! SARIF 2.1.0 (OASIS standard, 2020-03-27): one run for each task that has findings.

use crate::view::{RunView, TaskRow};
use orch_core::{Finding, FindingStatus, Severity, TaskKind, visible_multiline};
use serde::Serialize;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// The findings of a run as the text of a SARIF log.
pub fn sarif(view: &RunView) -> String {
    let waived = view.waived();
    let with_findings = view.tasks.iter().filter(|task| !task.findings.is_empty());
    let log = Log {
        schema: "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        version: "2.1.0",
        runs: with_findings.map(|task| run(view, task, &waived)).collect(),
    };
    let text = serde_json::to_string_pretty(&log).unwrap_or_default() + "\n";
    match orch_core::inert_json(&text) {
        Cow::Owned(inert) => inert,
        Cow::Borrowed(_) => text,
    }
}

/// The parts of the format that we write. As types and not as JSON values: a scan may have ten thousand findings.
#[derive(Serialize)]
struct Log<'a> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: Vec<Run<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Run<'a> {
    tool: Tool<'a>,
    automation_details: AutomationDetails,
    column_kind: &'static str,
    results: Vec<ResultOf<'a>>,
}

#[derive(Serialize)]
struct Tool<'a> {
    driver: Driver<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Driver<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    semantic_version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    properties: Option<DriverProperties>,
    rules: Vec<Rule<'a>>,
}

#[derive(Serialize)]
struct DriverProperties {
    digest: String,
}

#[derive(Serialize)]
struct AutomationDetails {
    id: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Rule<'a> {
    id: Cow<'a, str>,
    short_description: Text<'a>,
    default_configuration: Configuration,
    properties: RuleProperties,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    help_uri: Option<String>,
}

#[derive(Serialize)]
struct Configuration {
    level: &'static str,
}

/// The scale of CVSS, in the middle of each band: code-scanning pages sort by it.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct RuleProperties {
    security_severity: &'static str,
}

#[derive(Serialize)]
struct Text<'a> {
    text: Cow<'a, str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResultOf<'a> {
    rule_id: Cow<'a, str>,
    rule_index: usize,
    kind: &'static str,
    level: &'static str,
    message: Text<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    locations: Option<[Location; 1]>,
    partial_fingerprints: Fingerprints<'a>,
    properties: ResultProperties,
    #[serde(skip_serializing_if = "Option::is_none")]
    suppressions: Option<Vec<Suppression>>,
}

#[derive(Serialize)]
struct Fingerprints<'a> {
    #[serde(rename = "orchFingerprint/v1")]
    ours: Cow<'a, str>,
}

#[derive(Serialize)]
struct ResultProperties {
    severity: &'static str,
}

#[derive(Serialize)]
struct Suppression {
    kind: &'static str,
    status: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Location {
    physical_location: PhysicalLocation,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PhysicalLocation {
    artifact_location: ArtifactLocation,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<Region>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ArtifactLocation {
    uri: String,
    uri_base_id: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    start_line: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_column: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_line: Option<u32>,
}

fn run<'a>(view: &RunView, task: &'a TaskRow, waived: &BTreeSet<&str>) -> Run<'a> {
    // The worst severity that a rule was reported with stands for the rule.
    let mut rules: BTreeMap<&str, &Finding> = BTreeMap::new();
    for finding in &task.findings {
        let known = rules.entry(&finding.rule).or_insert(finding);
        if finding.severity > known.severity {
            *known = finding;
        }
    }
    let order: BTreeMap<&str, usize> = rules.keys().enumerate().map(|(at, id)| (*id, at)).collect();
    let (name, semantic_version, properties) = match &task.what {
        TaskKind::Plugin { plugin, version, digest } => {
            let properties = DriverProperties { digest: digest.to_string() };
            (plugin.as_str(), Some(version.to_string()), Some(properties))
        }
        TaskKind::Gate | TaskKind::Approval | TaskKind::Workflow { .. } => (task.id.as_str(), None, None),
    };
    let rules = rules.values().map(|finding| rule(finding)).collect();
    let results = task.findings.iter().map(|finding| result(finding, order[finding.rule.as_str()], waived));
    Run {
        tool: Tool { driver: Driver { name, semantic_version, properties, rules } },
        automation_details: AutomationDetails { id: format!("{}/{}/", view.workflow, task.id) },
        column_kind: "unicodeCodePoints",
        results: results.collect(),
    }
}

fn text(text: &str) -> Text<'_> {
    Text { text: visible_multiline(text) }
}

fn rule(finding: &Finding) -> Rule<'_> {
    let page = finding.references.iter().find(|reference| reference.starts_with("https://"));
    Rule {
        id: visible_multiline(&finding.rule),
        short_description: text(&finding.title),
        default_configuration: Configuration { level: level(finding.severity) },
        properties: RuleProperties { security_severity: score(finding.severity) },
        help: finding.remediation.as_deref().map(text),
        help_uri: page.map(|reference| uri(reference)),
    }
}

fn result<'a>(finding: &'a Finding, rule_index: usize, waived: &BTreeSet<&str>) -> ResultOf<'a> {
    let message = match &finding.detail {
        Some(detail) => Text { text: visible_multiline(&format!("{}\n{detail}", finding.title)).into_owned().into() },
        None => text(&finding.title),
    };
    let (kind, level) = match finding.status {
        FindingStatus::Open => ("fail", level(finding.severity)),
        FindingStatus::Passed => ("pass", "none"),
        FindingStatus::NotApplicable => ("notApplicable", "none"),
        FindingStatus::Error => ("review", "none"),
    };
    let is_open = finding.status == FindingStatus::Open;
    let waiver = Suppression { kind: "external", status: "accepted" };
    let is_waived = waived.contains(finding.fingerprint.as_str());
    ResultOf {
        rule_id: visible_multiline(&finding.rule),
        rule_index,
        kind,
        level,
        message,
        locations: finding.location.as_ref().map(|location| [Location { physical_location: place(location) }]),
        partial_fingerprints: Fingerprints { ours: visible_multiline(&finding.fingerprint) },
        properties: ResultProperties { severity: finding.severity.word() },
        suppressions: is_open.then(|| is_waived.then_some(waiver).into_iter().collect()),
    }
}

fn place(location: &orch_core::Location) -> PhysicalLocation {
    let region = location.line.filter(|line| *line > 0).map(|line| Region {
        start_line: line,
        start_column: location.column.filter(|column| *column > 0),
        end_line: location.end_line.filter(|end| *end >= line),
    });
    let artifact_location = ArtifactLocation { uri: uri(&location.path), uri_base_id: "%SRCROOT%" };
    PhysicalLocation { artifact_location, region }
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low | Severity::Info => "note",
    }
}

fn score(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "9.5",
        Severity::High => "8.0",
        Severity::Medium => "5.5",
        Severity::Low => "2.0",
        Severity::Info => "0.0",
    }
}

/// A path as a URI reference (RFC 3986): everything but unreserved characters, `/` and a leading scheme is percent-encoded.
fn uri(path: &str) -> String {
    let keep = |byte: u8| {
        byte.is_ascii_alphanumeric()
            || b"-._~/".contains(&byte)
            || (path.starts_with("https://") && b":?#&=%@+,".contains(&byte))
    };
    path.bytes().fold(String::with_capacity(path.len()), |mut out, byte| {
        if keep(byte) {
            out.push(char::from(byte))
        } else {
            out.push_str(&format!("%{byte:02X}"))
        }
        out
    })
}
