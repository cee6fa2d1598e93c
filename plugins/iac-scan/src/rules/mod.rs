//! The tables of rules, one file for each family, and the rules that concern files as such.

use crate::input::Family;
use crate::rule::About;
use orch_sdk::Severity;

pub mod actions;
pub mod compose;
pub mod dockerfile;
pub mod kubernetes;
pub mod terraform;

/// A file that cannot be read.
pub static UNREADABLE: About = About {
    id: "iac-scan/unreadable",
    severity: Severity::Medium,
    title: "the file cannot be read",
    why: "Nobody looked at what is in it.",
    remediation: "Correct the file, or leave it out with `exclude`.",
    references: &[],
};

/// A template of manifests.
pub static TEMPLATE: About = About {
    id: "iac-scan/template",
    severity: Severity::Info,
    title: "a template that is no YAML before it is rendered",
    why: "What it becomes depends on values that are not in it.",
    remediation: "Render it and scan the result, or leave it out with `exclude`.",
    references: &[],
};

/// A bound that was reached.
pub static INCOMPLETE: About = About {
    id: "iac-scan/incomplete",
    severity: Severity::Medium,
    title: "the scan is not complete",
    why: "A bound was reached, or a folder could not be read.",
    remediation: "Scan a part of the tree, or leave something out with `exclude`.",
    references: &[],
};

/// A suppression that does not hold.
pub static SUPPRESSION: About = About {
    id: "iac-scan/suppression",
    severity: Severity::Low,
    title: "a suppression that has no effect",
    why: "Whoever reads it later cannot tell whether it was right.",
    remediation: "Write `orch:ignore RULE reason` with a rule's full name and a reason.",
    references: &[],
};

/// All rules of the families, in the order of their tables.
pub fn all() -> impl Iterator<Item = (Family, &'static About)> {
    fn of<T>(family: Family, rules: &'static [crate::rule::Rule<T>]) -> impl Iterator<Item = (Family, &'static About)> {
        rules.iter().map(move |rule| (family, &rule.about))
    }
    of(Family::Dockerfile, dockerfile::RULES)
        .chain(of(Family::Kubernetes, kubernetes::RULES))
        .chain(of(Family::Compose, compose::RULES))
        .chain(of(Family::Terraform, terraform::RULES))
        .chain(of(Family::Actions, actions::RULES))
}

/// The address of an entry of the Common Weakness Enumeration.
macro_rules! cwe {
    ($number:literal) => {
        concat!("https://cwe.mitre.org/data/definitions/", $number, ".html")
    };
}
pub(crate) use cwe;
