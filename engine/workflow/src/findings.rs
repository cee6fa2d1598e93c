//! Findings counted for gates: what `findings.of('task')` and `findings.all()` look at.

use orch_core::{Finding, FindingStatus, Severity};
use std::collections::BTreeMap;

/// Counts over a set of findings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    total: usize,
    passed: usize,
    errors: usize,
    not_applicable: usize,
    waived: usize,
    /// Open findings by severity, from `info` to `critical`. A waived one is not open.
    open: [usize; 5],
    /// Those of them that the baseline does not have.
    new: [usize; 5],
}

/// Counts by task.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FindingsTable {
    tasks: BTreeMap<String, Counts>,
    all: Counts,
}

impl Counts {
    pub(crate) fn add(&mut self, finding: &Finding, waived: bool, new: bool) {
        self.total += 1;
        match finding.status {
            FindingStatus::Passed => self.passed += 1,
            FindingStatus::Error => self.errors += 1,
            FindingStatus::NotApplicable => self.not_applicable += 1,
            FindingStatus::Open if waived => self.waived += 1,
            FindingStatus::Open => {
                self.open[finding.severity as usize] += 1;
                if new {
                    self.new[finding.severity as usize] += 1;
                }
            }
        }
    }

    pub(crate) fn open(&self) -> usize {
        self.open.iter().sum()
    }

    pub(crate) fn new_ones(&self) -> usize {
        self.new.iter().sum()
    }

    /// An integer by the name that expressions use; 0 for a name that there is not.
    pub(crate) fn counter(&self, name: &str) -> i64 {
        let count = match name {
            "open" => self.open(),
            "passed" => self.passed,
            "errors" => self.errors,
            "not_applicable" => self.not_applicable,
            "total" => self.total,
            "new" => self.new_ones(),
            "waived" => self.waived,
            severity => Severity::from_word(severity).map_or(0, |severity| self.open[severity as usize]),
        };
        i64::try_from(count).unwrap_or(i64::MAX)
    }

    /// Open findings of at least a severity; only those that the baseline does not have if `new` is set.
    pub(crate) fn at_least(&self, severity: Severity, new: bool) -> i64 {
        let counts = if new { &self.new } else { &self.open };
        i64::try_from(counts[severity as usize..].iter().sum::<usize>()).unwrap_or(i64::MAX)
    }
}

impl FindingsTable {
    /// `task` is the name by which tasks of the same file call it.
    pub(crate) fn insert(&mut self, task: &str, counts: Counts) {
        self.tasks.insert(task.to_owned(), counts);
    }

    pub(crate) fn all_mut(&mut self) -> &mut Counts {
        &mut self.all
    }

    pub(crate) fn of(&self, task: &str) -> Option<&Counts> {
        self.tasks.get(task)
    }

    pub(crate) fn all(&self) -> &Counts {
        &self.all
    }
}
