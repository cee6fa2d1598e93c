//! The task `check`: bills in, findings out.

use crate::bill::{Package, read};
use crate::rules::{Rules, Verdict};
use orch_plugin_kit::glob::Glob;
use orch_plugin_kit::{report, tree, upstream};
use orch_sdk::{Finding, Host, Outcome, Severity, Status, TaskError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

const MOUNT: &str = "source";

/// What `check` takes.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Input {
    /// SPDX licences that may be used, with or without an exception (`WITH`). Empty: all that are not denied.
    #[serde(default)]
    pub allow: Vec<String>,
    /// SPDX licences that may not. What is denied counts more than what is allowed.
    #[serde(default)]
    pub deny: Vec<String>,
    /// Packages for which somebody decided otherwise.
    #[serde(default)]
    pub exceptions: Vec<Exception>,
    /// Bills below the mount `source`. Without it every `*.json` that the tasks in `needs` stored and that is a bill.
    #[serde(default)]
    pub bills: Vec<String>,
}

/// A package for which somebody decided otherwise.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Exception {
    /// Its package URL as the bill has it, or a pattern: `pkg:npm/left-pad@*`. `*` stands for anything but `/`, `**` for anything.
    pub package: String,
    /// Why it may be used, for whoever reads the report.
    pub reason: String,
}

/// What `check` returns.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Output {
    /// Bills that were read.
    pub bills: usize,
    /// Different packages in them.
    pub packages: usize,
    /// How often each licence expression is there.
    pub by_license: BTreeMap<String, usize>,
    /// Packages that have a denied licence.
    pub denied: usize,
    /// Packages with a licence that is not on the list.
    pub not_allowed: usize,
    /// Packages of which the bill does not say a licence, or says it in no form that is known.
    pub unknown: usize,
    /// Packages that an exception covers.
    pub excepted: usize,
}

/// Compares the licences of bills with the lists.
///
/// # Errors
/// When the input is wrong, there is no bill, or the host wants the task to stop. A bill that cannot be read is a finding.
pub fn check(input: Input, host: &dyn Host) -> Result<Outcome<Output>, TaskError> {
    if input.allow.is_empty() && input.deny.is_empty() {
        let reason = "`allow` and `deny` are both empty: name the licences that may be used, or those that may not";
        return Err(TaskError::InvalidInput(reason.to_owned()));
    }
    let rules = Rules::new(&input.allow, &input.deny).map_err(TaskError::InvalidInput)?;
    let exceptions = exceptions(&input.exceptions)?;
    let mut output = Output::default();
    let mut findings = Vec::new();
    let mut packages = BTreeSet::new();
    for (place, bill) in bills(&input, host)? {
        report::check_cancelled(host)?;
        match bill.and_then(|text| read(&text)) {
            Ok(read) => {
                output.bills += 1;
                packages.extend(read.into_iter().map(|package| (package, place.clone())));
            }
            Err(reason) => findings.push(unread(&place, &reason)),
        }
    }
    // The same package with the same licence in two bills is one, whatever each calls it beside its package URL.
    let mut seen = BTreeSet::new();
    let total = packages.len() as u64;
    for (done, (package, place)) in packages.iter().enumerate() {
        if done % 1_000 == 0 {
            report::check_cancelled(host)?;
            host.progress(done as u64, Some(total), &package.name);
        }
        if !seen.insert((&package.id, &package.license)) {
            continue;
        }
        output.packages += 1;
        let license = package.license.clone().unwrap_or_else(|| "none".to_owned());
        *output.by_license.entry(license).or_insert(0) += 1;
        let Some(mut finding) = judge(package, place, &rules, &mut output) else { continue };
        if let Some((_, exception)) = exceptions.iter().find(|(glob, _)| glob.fits(&package.id)) {
            output.excepted += 1;
            finding.status = Status::NotApplicable;
            finding.detail = Some(format!("excepted: {}", exception.reason));
        }
        findings.push(finding);
    }
    report::emit(findings, host)?;
    host.info(&format!("{} packages of {} bills", output.packages, output.bills));
    Ok(Outcome::Succeeded(output))
}

fn exceptions(all: &[Exception]) -> Result<Vec<(Glob, &Exception)>, TaskError> {
    let read = |(number, exception): (usize, &'_ Exception)| {
        let wrong = |reason: String| TaskError::InvalidInput(format!("`exceptions[{number}]`: {reason}"));
        if exception.reason.trim().is_empty() {
            return Err(wrong("the reason is empty".to_owned()));
        }
        Glob::new(&exception.package).map_err(wrong)
    };
    all.iter().enumerate().map(|one| Ok((read(one)?, one.1))).collect()
}

type Bill = (String, Result<String, String>);

/// The texts of the bills with their places.
fn bills(input: &Input, host: &dyn Host) -> Result<Vec<Bill>, TaskError> {
    if !input.bills.is_empty() {
        let root = report::granted_mount(MOUNT, host)?;
        let read = |path: &String| {
            let text = tree::text(&root, path, upstream::MAX_ARTIFACT).map_err(|error| error.to_string());
            (path.clone(), text)
        };
        return Ok(input.bills.iter().map(read).collect());
    }
    let mut bills = Vec::new();
    for before in upstream::tasks(host) {
        for name in before.artifacts.iter().filter(|name| name.ends_with(".json")) {
            let text = before.artifact(name);
            // Another task's JSON that is no bill is nobody's mistake.
            let is_bill =
                text.as_ref().is_ok_and(|text| text.contains("\"bomFormat\"") || text.contains("\"spdxVersion\""));
            if is_bill {
                bills.push((format!("{}/{name}", before.task), text));
            }
        }
    }
    if bills.is_empty() {
        let reason = "no task in `needs` stored a bill of materials: let this task need one that does (orch/sbom with its artifact \
                      granted), or name files below the mount `source` in `bills`";
        return Err(TaskError::InvalidInput(reason.to_owned()));
    }
    Ok(bills)
}

fn unread(place: &str, reason: &str) -> Finding {
    report::Problem {
        rule: "bill-unread",
        severity: Severity::Medium,
        status: Status::Error,
        title: format!("the bill of materials {reason}"),
        path: place,
        line: None,
        identity: &[],
        remediation: "Give a CycloneDX or SPDX 2 document as JSON.",
    }
    .finding()
}

fn judge(package: &Package, place: &str, rules: &Rules, output: &mut Output) -> Option<Finding> {
    let verdict = package.license.as_deref().map(|license| (license, rules.decide(license)));
    let (rule, severity, what, remediation) = match verdict {
        Some((_, Verdict::Allowed)) => return None,
        Some((license, Verdict::Denied(names))) => {
            output.denied += 1;
            let what = format!("is under {license}; denied: {}", names.join(", "));
            ("license-denied", Severity::High, what, "Take another package, or add an exception with its reason.")
        }
        Some((license, Verdict::NotAllowed(names))) => {
            output.not_allowed += 1;
            let what = format!("is under {license}; not allowed: {}", names.join(", "));
            (
                "license-not-allowed",
                Severity::Medium,
                what,
                "Add the licence to `allow`, or the package to `exceptions`.",
            )
        }
        Some((license, Verdict::Unreadable(reason))) => {
            output.unknown += 1;
            let what = format!("has a licence that is no SPDX expression: `{license}` ({reason})");
            (
                "license-unreadable",
                Severity::Low,
                what,
                "Find out what its licence is, and add the package to `exceptions`.",
            )
        }
        None => {
            output.unknown += 1;
            let what = "has no licence in the bill".to_owned();
            (
                "license-missing",
                Severity::Low,
                what,
                "Find out what its licence is, and add the package to `exceptions`.",
            )
        }
    };
    let problem = report::Problem {
        rule,
        severity,
        status: Status::Open,
        title: format!("{} {what}", package.id),
        path: place,
        line: None,
        identity: &[&package.id, package.license.as_deref().unwrap_or_default()],
        remediation,
    };
    Some(problem.finding())
}
