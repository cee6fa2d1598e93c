//! The task `scan`: packages, records, statements, findings.

use crate::grouping::{self, Group, Origin};
use crate::inventory::{Inventory, Package, is_below};
use crate::matching::Matcher;
use crate::skipped::{self, Skipped, Skips};
use crate::vex::{self, Statement};
use crate::{advisories, online};
use orch_plugin_kit::digest::fingerprint;
use orch_plugin_kit::glob::Glob;
use orch_plugin_kit::{report, tree};
use orch_plugin_lockfiles::parse::shorten;
use orch_sdk::{Finding, Host, Location, Outcome, Severity, Status, TaskError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The mount with the lock files or the bill of materials.
const SOURCE: &str = "source";

/// The mount with the records.
const ADVISORIES: &str = "advisories";

/// Addresses in one finding, and places in its data.
const MAX_LISTED: usize = 20;

/// Files of statements.
const MAX_VEX_FILES: usize = 100;

/// What `scan` takes.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Input {
    /// A bill of materials below the mount `source`: CycloneDX 1.x or SPDX 2.3, as JSON. Without it the lock files of the tree are read.
    #[serde(default)]
    pub sbom: Option<String>,
    /// Files below the mount `source` that say which vulnerabilities do not apply: CycloneDX or OpenVEX, as JSON.
    #[serde(default)]
    pub vex: Vec<String>,
    /// Patterns of files and folders to leave out: `*` and `?` in a name, `**` for folders; without `/` at any depth.
    #[serde(default)]
    pub exclude: Vec<String>,
    /// Whether packages that lock files name only for development are looked up.
    #[serde(default = "yes")]
    pub include_dev: bool,
    /// A server to ask, in place of the mount `advisories`.
    #[serde(default)]
    pub online: Option<Online>,
}

/// A server that speaks the OSV interface.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Online {
    /// Its address, such as `https://osv.example`.
    pub url: String,
}

fn yes() -> bool {
    true
}

impl Default for Input {
    fn default() -> Input {
        Input { sbom: None, vex: Vec::new(), exclude: Vec::new(), include_dev: true, online: None }
    }
}

/// What `scan` returns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Output {
    /// How many packages were compared.
    pub packages: usize,
    /// How many of them have a vulnerability that is not suppressed.
    pub vulnerable: usize,
    /// How many vulnerabilities of packages there are, for each severity; without those that are suppressed.
    pub by_severity: BTreeMap<Severity, usize>,
    /// How many a statement suppresses.
    pub suppressed: usize,
    /// How many records were read.
    pub records_read: usize,
    /// What was left out, and why.
    pub skipped: Vec<Skipped>,
    /// Ecosystems whose packages could not be compared.
    pub unknown_ecosystems: BTreeSet<String>,
    /// Whether something could not be read or compared: a finding with the status `error` says what.
    pub incomplete: bool,
}

/// Looks up the packages of the mount `source`.
///
/// # Errors
/// When the input is wrong, a mount or the connection is not granted, the server fails, or the host wants the task to stop. A file
/// that cannot be read is a finding, not an error.
pub fn scan(input: Input, host: &dyn Host) -> Result<Outcome<Output>, TaskError> {
    let exclude = checked(&input)?;
    let root = report::granted_mount(SOURCE, host)?;
    let records = match &input.online {
        Some(_) => None,
        None => Some(report::granted_mount(ADVISORIES, host)?),
    };
    let mut skips = Skips::default();
    let mut inventory = match &input.sbom {
        Some(path) => Inventory::of_bill(&root, path, &mut skips),
        None => Inventory::of_tree(&root, &exclude, input.include_dev, &mut skips, host)?,
    };
    report::check_cancelled(host)?;
    let statements = statements(&root, &input.vex, &inventory, &mut skips);
    let mut findings = std::mem::take(&mut inventory.findings);

    let mut matcher = Matcher::new(&inventory);
    match (&input.online, records) {
        (Some(online), _) => online::fetch(&online.url, &mut matcher, &mut skips, host)?,
        (None, Some(folder)) => advisories::read_folder(&folder, &mut matcher, &mut skips, host)?,
        (None, None) => {}
    }
    let (mut vulnerable, mut by_severity, mut suppressed) = (BTreeSet::new(), BTreeMap::new(), 0);
    for group in grouping::groups(&matcher.matches, matcher.packages()) {
        let package = matcher.packages()[group.package];
        let statement = vex::decide(&statements, &group.ids, package);
        if statement.is_some_and(|it| it.state.suppresses()) {
            suppressed += 1;
        } else {
            vulnerable.insert(group.package);
            *by_severity.entry(group.rating.severity).or_insert(0) += 1;
        }
        findings.push(finding(&group, package, statement));
    }
    if inventory.packages.is_empty() {
        host.warn("no package was found that could be compared");
    }
    let (packages, records_read) = (inventory.packages.len(), matcher.read);
    let mut unknown_ecosystems = std::mem::take(&mut matcher.unknown);
    unknown_ecosystems.extend(inventory.unknown.iter().cloned());
    let (skipped, problems) = skips.finish();
    findings.extend(problems);
    let incomplete = findings.iter().any(|finding| finding.status == Status::Error);
    report::emit(findings, host)?;
    Ok(Outcome::Succeeded(Output {
        packages,
        vulnerable: vulnerable.len(),
        by_severity,
        suppressed,
        records_read,
        skipped,
        unknown_ecosystems,
        incomplete,
    }))
}

fn checked(input: &Input) -> Result<Vec<Glob>, TaskError> {
    let wrong = |field: &str, reason: &str| TaskError::InvalidInput(format!("`{field}` {reason}"));
    if input.sbom.as_deref().is_some_and(|path| !is_below(path)) {
        return Err(wrong("sbom", "is no path below the mount `source`, such as `build/sbom.cdx.json`"));
    }
    if input.vex.iter().any(|path| !is_below(path)) {
        return Err(wrong(
            "vex",
            "has a path that does not lie below the mount `source`; write it like `security/vex.json`",
        ));
    }
    if input.vex.len() > MAX_VEX_FILES {
        return Err(wrong("vex", &format!("names more than {MAX_VEX_FILES} files")));
    }
    if let Some(online) = &input.online {
        let address = online.url.strip_prefix("https://").unwrap_or_default();
        let server = address.strip_suffix('/').unwrap_or(address);
        // The manifest asks for nothing else, so anything else would be refused, with a message that says less.
        if server.is_empty() || server.contains(['/', '?', '#', '@', '\\']) || server.contains(char::is_whitespace) {
            return Err(wrong(
                "online.url",
                "is no `https` address of a server without a path, such as `https://osv.example`",
            ));
        }
    }
    let globs = input.exclude.iter().map(|pattern| Glob::new(pattern));
    globs.collect::<Result<_, _>>().map_err(|reason| wrong("exclude", &reason))
}

fn statements(root: &Path, paths: &[String], inventory: &Inventory, skips: &mut Skips) -> Vec<Statement> {
    let mut all = Vec::new();
    for path in paths {
        let text = if tree::is_plain_file(root, path) {
            tree::text(root, path, vex::MAX_VEX).map_err(|error| error.to_string())
        } else {
            Err("is no file below the mount `source`".to_owned())
        };
        match text.and_then(|text| vex::parse(&text, &inventory.references)) {
            Ok((statements, unusable)) => {
                all.extend(statements);
                for reason in unusable {
                    skips.unreadable(skipped::VEX, path, path, &reason);
                }
            }
            Err(reason) => skips.unreadable(skipped::VEX, path, path, &reason),
        }
    }
    all
}

fn finding(group: &Group, package: &Package, statement: Option<&Statement>) -> Finding {
    let summary = group.records.iter().find_map(|record| record.summary.as_deref());
    let shown = package.purl.version.as_deref().unwrap_or(&package.version);
    let title = format!("{} {shown}: {}", display_name(package), summary.unwrap_or("known vulnerability"));
    let suppressing = statement.filter(|it| it.state.suppresses());
    let mut detail = Vec::new();
    if let Some(statement) = statement {
        let why = statement.justification.as_deref().unwrap_or("no reason is given");
        detail.push(format!("Said of it: {} ({}).", statement.state.word(), shorten(why)));
    }
    detail.push(match (&group.rating.score, group.rating.origin) {
        (Some((score, vector)), _) => format!("Base score {score} ({}).", shorten(vector)),
        (None, Origin::Word) => "No CVSS vector; the severity is the database's own word.".to_owned(),
        (None, _) => "No CVSS vector and no severity in the records: `medium` is assumed.".to_owned(),
    });
    let addresses = group.records.iter().flat_map(|record| record.references());
    let is_address = |url: &&str| {
        (url.starts_with("https://") || url.starts_with("http://"))
            && url.len() <= 500
            && !url.contains(char::is_control)
    };
    let addresses: BTreeSet<&str> = addresses.filter(is_address).collect();
    let places = package.places.iter().take(MAX_LISTED);
    let places: Vec<String> =
        places.map(|(path, line)| line.map_or(path.clone(), |line| format!("{path}:{line}"))).collect();
    let location = package.places.first();
    Finding {
        rule: group.id.clone(),
        severity: group.rating.severity,
        status: if suppressing.is_some() { Status::NotApplicable } else { Status::Open },
        title: shorten(&title),
        detail: Some(detail.join(" ")),
        fingerprint: fingerprint(&[&group.id, &package.purl.text]),
        location: location.map(|(path, line)| Location {
            path: path.clone(),
            line: *line,
            column: None,
            end_line: None,
        }),
        remediation: Some(match &group.fixed {
            Some(fixed) => format!("update to {}", shorten(fixed)),
            None => {
                "no fixed version is known; replace the package, or say in a VEX file why it does not apply".to_owned()
            }
        }),
        references: addresses.into_iter().take(MAX_LISTED).map(str::to_owned).collect(),
        data: Some(serde_json::json!({
            "purl": package.purl.text,
            "aliases": group.ids.iter().take(100).collect::<Vec<_>>(),
            "cvss": group.rating.score.as_ref().map(|(score, vector)| serde_json::json!({ "score": score.value(), "vector": vector })),
            "fixed": group.fixed,
            "places": places,
            "vex": statement.map(|it| it.state.word()),
        })),
    }
}

/// As people of the ecosystem write it.
fn display_name(package: &Package) -> String {
    let purl = &package.purl;
    match (purl.kind.as_str(), purl.namespace.as_str()) {
        ("deb" | "rpm" | "apk", _) | (_, "") => purl.name.clone(),
        ("maven", namespace) => format!("{namespace}:{}", purl.name),
        (_, namespace) => format!("{namespace}/{}", purl.name),
    }
}

#[cfg(test)]
mod tests {
    use orch_sdk::{DESCRIBE_TASK, Outcome, TestHost, dispatch};

    #[test]
    fn describes_its_input_and_output() {
        let described = dispatch(&crate::tasks(), DESCRIBE_TASK, "{}", &TestHost::new()).map(Outcome::succeeded);
        let described = described.unwrap().unwrap();
        for key in ["include-dev", "by-severity", "unknown-ecosystems", "additionalProperties"] {
            assert!(described.contains(key), "{key}: {described}");
        }
    }
}
