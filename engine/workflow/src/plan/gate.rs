//! Gates: the engine's own decision over findings. Data in, data out.

use super::types::boolean;
use crate::expr::{Expr, ExprError, evaluate};
use crate::findings::{Counts, FindingsTable};
use crate::scope::Scope;
use crate::waivers::{Covers, Waiver};
use crate::workflow::OnFail;
use orch_core::{CheckResult, CheckVerdict, Finding, FindingStatus, GateDecision, TaskId, plural, shorten, visible};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// Findings that the detail of a failed check names.
const NAMED: usize = 3;

/// With which run a gate compares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BaselineRef {
    /// The last run of the same workflow that succeeded.
    LastSucceeded,
    /// This one: its id, or a prefix that fits one run.
    Run(String),
}

/// A gate of a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedGate {
    pub(super) needs: Vec<TaskId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) baseline: Option<BaselineRef>,
    /// Copied from the file, so that the plan's hash covers them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) waivers: Vec<Waiver>,
    pub(super) checks: Vec<PlannedCheck>,
}

/// A check of a gate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedCheck {
    /// Its name.
    pub id: String,
    /// What must hold.
    pub assert: Expr,
    /// What happens otherwise.
    pub on_fail: OnFail,
}

/// Waivers by what they cover, so that many findings and many waivers do not multiply.
struct Index<'g> {
    fingerprints: HashSet<&'g str>,
    rules: HashMap<&'g str, Vec<&'g Waiver>>,
}

impl Index<'_> {
    fn covers(&self, finding: &Finding) -> bool {
        self.fingerprints.contains(finding.fingerprint.as_str())
            || self.rules.get(finding.rule.as_str()).is_some_and(|all| all.iter().any(|waiver| waiver.covers(finding)))
    }
}

impl PlannedGate {
    /// With which run it compares; the caller finds that run's open findings.
    pub fn baseline(&self) -> Option<&BaselineRef> {
        self.baseline.as_ref()
    }

    /// Its checks, in the order of the workflow.
    pub fn checks(&self) -> &[PlannedCheck] {
        &self.checks
    }

    /// Decides. `findings` are those of the gate's direct needs, and of the tasks below one that runs another file, which count
    /// as that one's; others are ignored. `baseline` is the run that was compared
    /// with and the fingerprints of its open findings; without one every open finding is new. `today` is `YYYY-MM-DD`.
    pub fn decide(
        &self,
        findings: &BTreeMap<TaskId, Vec<Finding>>,
        baseline: Option<(&str, &BTreeSet<String>)>,
        scope: &Scope<'_>,
        today: &str,
    ) -> GateDecision {
        let (valid, expired): (Vec<_>, Vec<_>) = self.waivers.iter().partition(|waiver| !waiver.is_expired(today));
        let index = index(&valid);
        let mut table = FindingsTable::default();
        let mut waived_fingerprints = BTreeSet::new();
        let mut open = Vec::new();
        for task in &self.needs {
            let mut counts = Counts::default();
            for finding in found_by(findings, task) {
                let is_open = finding.status == FindingStatus::Open;
                let waived = is_open && index.covers(finding);
                let new = baseline.is_none_or(|(_, known)| !known.contains(&finding.fingerprint));
                counts.add(finding, waived, new);
                table.all_mut().add(finding, waived, new);
                if waived {
                    waived_fingerprints.insert(finding.fingerprint.clone());
                } else if is_open {
                    open.push((finding, new));
                }
            }
            table.insert(task.name(), counts);
        }
        // The worst first, then the new, then by name: the few that are shown are those that matter.
        open.sort_by(|(a, a_new), (b, b_new)| {
            b.severity.cmp(&a.severity).then(b_new.cmp(a_new)).then_with(|| a.rule.cmp(&b.rule))
        });
        let scope = Scope { findings: Some(&table), needs: &self.needs, ..*scope };
        let checks = self.checks.iter().map(|check| check.result(&scope, &table, &open)).collect();
        GateDecision {
            checks,
            baseline: baseline.map(|(run, _)| run.to_owned()),
            new: table.all().new_ones(),
            open: table.all().open(),
            waived: waived_fingerprints.into_iter().collect(),
            expired_waivers: expired
                .into_iter()
                .map(|waiver| {
                    format!("{} ({}, until {})", waiver.subject(), shorten(&visible(&waiver.owner), 40), waiver.expires)
                })
                .collect(),
        }
    }
}

/// What a task found, or the tasks of the file that it runs.
pub fn found_by<'f>(
    findings: &'f BTreeMap<TaskId, Vec<Finding>>,
    task: &'f TaskId,
) -> impl Iterator<Item = &'f Finding> {
    let start = task.join("");
    let below = findings.range(start.clone()..).take_while(move |(id, _)| id.as_str().starts_with(start.as_str()));
    findings.get(task).into_iter().chain(below.map(|(_, all)| all)).flatten()
}

fn index<'g>(waivers: &[&'g Waiver]) -> Index<'g> {
    let mut index = Index { fingerprints: HashSet::new(), rules: HashMap::new() };
    for waiver in waivers {
        match &waiver.covers {
            Covers::Fingerprint(fingerprint) => {
                index.fingerprints.insert(fingerprint);
            }
            Covers::Rule { rule, .. } => index.rules.entry(rule).or_default().push(waiver),
        }
    }
    index
}

impl PlannedCheck {
    fn result(&self, scope: &Scope<'_>, table: &FindingsTable, open: &[(&Finding, bool)]) -> CheckResult {
        let held: Result<bool, ExprError> = evaluate(&self.assert, scope, None).and_then(boolean);
        let (verdict, detail) = match held {
            Ok(true) => (CheckVerdict::Passed, None),
            Ok(false) => {
                let verdict = if self.on_fail == OnFail::Warn { CheckVerdict::Warned } else { CheckVerdict::Failed };
                (verdict, Some(detail(table.all(), open)))
            }
            Err(error) => (CheckVerdict::Errored, Some(visible(&error.message).into_owned())),
        };
        CheckResult { id: self.id.clone(), assert: self.assert.text().to_owned(), verdict, detail }
    }
}

/// `3 open findings, 1 new, 2 waived: high RULE at path:4, …`. The text of findings comes from guests.
fn detail(all: &Counts, open: &[(&Finding, bool)]) -> String {
    let mut text = plural(all.open(), "open finding");
    for (name, count) in
        [("new", all.counter("new")), ("waived", all.counter("waived")), ("not checked", all.counter("errors"))]
    {
        if count > 0 {
            text.push_str(&format!(", {count} {name}"));
        }
    }
    let named: Vec<_> = open
        .iter()
        .take(NAMED)
        .map(|(finding, _)| {
            let place = finding.location.as_ref().map(|location| {
                let line = location.line.map(|line| format!(":{line}")).unwrap_or_default();
                format!(" at {}{line}", shorten(&visible(&location.path), 80))
            });
            format!("{} {}{}", finding.severity, shorten(&visible(&finding.rule), 60), place.unwrap_or_default())
        })
        .collect();
    if !named.is_empty() {
        text.push_str(": ");
        text.push_str(&named.join(", "));
    }
    if open.len() > NAMED {
        text.push_str(&format!(" and {} more", open.len() - NAMED));
    }
    text
}
