//! What a scan left out, and why: counted for the output, and told as findings where something could not be read.

use orch_plugin_kit::report::Problem;
use orch_plugin_lockfiles::parse::shorten;
use orch_sdk::{Finding, Severity, Status};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// Findings for each rule; more of the same say nothing new, and the count is complete.
const MAX_EACH: usize = 100;

/// Examples for each reason in the output.
const MAX_EXAMPLES: usize = 3;

/// One reason with its count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Skipped {
    /// Why something was left out.
    pub reason: String,
    /// How many.
    pub count: usize,
    /// The first few, by name.
    pub examples: Vec<String>,
}

/// Collects what is left out.
#[derive(Debug, Default)]
pub struct Skips {
    counts: BTreeMap<&'static str, (usize, Vec<String>)>,
    findings: Vec<Finding>,
    told: BTreeMap<&'static str, usize>,
}

/// A rule of what could not be read: its name and what to do.
#[derive(Debug, Clone, Copy)]
pub struct Unreadable {
    /// The rule.
    pub rule: &'static str,
    remediation: &'static str,
}

/// A bill of materials.
pub const BILL: Unreadable =
    Unreadable { rule: "sbom-unreadable", remediation: "Give a CycloneDX 1.x or SPDX 2.3 file in JSON." };
/// A package that cannot be looked up.
pub const PACKAGE: Unreadable = Unreadable {
    rule: "package-unidentified",
    remediation: "Look the package up by hand, or name it by a complete package URL; it was not compared.",
};
/// A record.
pub const RECORD: Unreadable = Unreadable {
    rule: "advisory-unreadable",
    remediation: "Fetch the record again; what it says was not compared with the packages.",
};
/// The records as a whole.
pub const RECORDS: Unreadable = Unreadable {
    rule: "advisories-incomplete",
    remediation: "Mount a folder with the records of the ecosystems in use, as JSON files or zip files of them.",
};
/// A statement on exploitability.
pub const VEX: Unreadable = Unreadable {
    rule: "vex-unreadable",
    remediation: "Give a CycloneDX or OpenVEX file in JSON; what it says was not taken into account.",
};

impl Skips {
    /// Counts one.
    pub fn count(&mut self, reason: &'static str, what: &str) {
        let (count, examples) = self.counts.entry(reason).or_default();
        *count += 1;
        if examples.len() < MAX_EXAMPLES {
            examples.push(shorten(what));
        }
    }

    /// Counts one that could not be read, and reports it.
    pub fn unreadable(&mut self, rule: Unreadable, path: &str, what: &str, reason: &str) {
        self.count(rule.rule, what);
        let told = self.told.entry(rule.rule).or_default();
        *told += 1;
        if *told > MAX_EACH {
            return;
        }
        let problem = Problem {
            rule: rule.rule,
            severity: Severity::Medium,
            status: Status::Error,
            title: shorten(&format!("{what}: {reason}")),
            path,
            line: None,
            identity: &[what, reason],
            remediation: rule.remediation,
        };
        self.findings.push(problem.finding());
    }

    /// The reasons for the output, and the findings.
    pub fn finish(self) -> (Vec<Skipped>, Vec<Finding>) {
        let counts = self.counts.into_iter();
        let skipped =
            counts.map(|(reason, (count, examples))| Skipped { reason: reason.to_owned(), count, examples }).collect();
        (skipped, self.findings)
    }
}
