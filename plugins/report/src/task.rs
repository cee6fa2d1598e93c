//! The task `write`: gathers what the tasks before found, compares it with the last run, and stores the page.

use crate::page;
use crate::trend::{Counts, Point, Trend};
use orch_plugin_kit::{report, timestamp, upstream};
use orch_sdk::{Finding, Host, Outcome, Severity, Status, TaskError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

const PAGE: &str = "report.html";

/// Findings in the tables of the page: some megabytes, which a browser still shows at once. All are counted.
const MOST_LISTED: usize = 5_000;

/// What `write` takes.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Input {
    /// The heading of the page.
    #[serde(default = "default_title")]
    pub title: String,
    /// A sentence below the heading, for example what was looked at.
    #[serde(default)]
    pub description: String,
    /// How the run ended, for example `${{ run.outcome }}` in `finally`.
    #[serde(default)]
    pub outcome: Option<String>,
}

fn default_title() -> String {
    "Findings".to_owned()
}

/// What `write` returns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Output {
    /// How many tasks found something.
    pub tasks: usize,
    /// How many findings there are of each status.
    pub by_status: BTreeMap<String, usize>,
    /// How many open ones there are of each severity.
    pub open: BTreeMap<String, usize>,
    /// What changed since the last run; null where `kv` is not granted, or no run was before.
    pub since_last: Option<Since>,
    /// Whether the page was stored.
    pub stored: bool,
    /// How long it is.
    pub bytes: usize,
}

/// What changed since the last run, in open findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Since {
    /// Not there in the last run.
    pub new: usize,
    /// No longer there.
    pub fixed: usize,
    /// In both.
    pub same: usize,
}

/// The findings of one task.
pub(crate) struct Group {
    pub(crate) task: String,
    pub(crate) findings: Vec<Finding>,
}

/// Everything that the page shows.
pub(crate) struct Contents<'a> {
    pub(crate) input: &'a Input,
    pub(crate) at: String,
    pub(crate) groups: &'a [Group],
    /// Of open findings, from info to critical.
    pub(crate) open: Counts,
    pub(crate) by_status: &'a BTreeMap<String, usize>,
    /// The runs before and this one; empty without the bucket.
    pub(crate) points: Vec<Point>,
    pub(crate) since: Option<Since>,
    /// The fingerprints that are new since the last run.
    pub(crate) fresh: BTreeSet<&'a str>,
    pub(crate) most_listed: usize,
}

/// The severities, from the least to the worst.
pub(crate) const SEVERITIES: [(Severity, &str); 5] = [
    (Severity::Info, "info"),
    (Severity::Low, "low"),
    (Severity::Medium, "medium"),
    (Severity::High, "high"),
    (Severity::Critical, "critical"),
];

/// The open findings of some, counted.
pub(crate) fn counts<'a>(findings: impl IntoIterator<Item = &'a Finding>) -> Counts {
    let mut counts = [0; 5];
    for finding in findings.into_iter().filter(|finding| finding.status == Status::Open) {
        counts[finding.severity as usize] += 1;
    }
    counts
}

/// The word for a status.
pub(crate) fn word(status: Status) -> &'static str {
    match status {
        Status::Open => "open",
        Status::Passed => "passed",
        Status::NotApplicable => "not-applicable",
        Status::Error => "error",
    }
}

/// Writes the page.
///
/// # Errors
/// When the findings cannot be read, the page cannot be stored though it is granted, or the host wants the task to stop.
pub fn write(input: Input, host: &dyn Host) -> Result<Outcome<Output>, TaskError> {
    if !host.has_capability("findings") {
        return Err(TaskError::Denied { capability: "findings".to_owned(), target: "needs".to_owned() });
    }
    let mut groups = Vec::new();
    for before in upstream::tasks(host) {
        report::check_cancelled(host)?;
        let findings = before.findings()?;
        if !findings.is_empty() {
            groups.push(Group { task: before.task, findings });
        }
    }
    let all = || groups.iter().flat_map(|group| &group.findings);
    let mut by_status: BTreeMap<String, usize> = BTreeMap::new();
    all().for_each(|finding| *by_status.entry(word(finding.status).to_owned()).or_insert(0) += 1);
    let open = counts(all());
    let fingerprints: BTreeSet<&str> =
        all().filter(|finding| finding.status == Status::Open).map(|finding| finding.fingerprint.as_str()).collect();

    let trend = Trend::read(host)?;
    let last = trend.as_ref().and_then(|trend| trend.open.as_ref());
    let fresh: BTreeSet<&str> = last.map_or_else(BTreeSet::new, |last| {
        fingerprints.iter().copied().filter(|fingerprint| !last.contains(*fingerprint)).collect()
    });
    let since = last.map(|last| Since {
        new: fresh.len(),
        fixed: last.iter().filter(|was| !fingerprints.contains(was.as_str())).count(),
        same: fingerprints.len() - fresh.len(),
    });
    #[expect(clippy::disallowed_methods, reason = "a guest's clock is what the host gives it, `clock: fixed` included")]
    let at = timestamp::minute(std::time::SystemTime::now());
    let point = Point { at: at.clone(), open };
    let mut points = trend.as_ref().map_or_else(Vec::new, |trend| trend.points.clone());
    if trend.is_some() {
        points.push(point.clone());
    }
    let contents = Contents {
        input: &input,
        at,
        groups: &groups,
        open,
        by_status: &by_status,
        points,
        since,
        fresh,
        most_listed: MOST_LISTED,
    };
    let page = page::page(&contents);
    report::check_cancelled(host)?;
    let stored = report::store(PAGE, "text/html", page.as_bytes(), host)?;
    if let Some(trend) = trend {
        trend.keep(point, fingerprints.iter().map(|&fingerprint| fingerprint.to_owned()).collect(), host);
    }
    let open = SEVERITIES.iter().zip(open).map(|((_, name), count)| ((*name).to_owned(), count)).collect();
    Ok(Outcome::Succeeded(Output {
        tasks: groups.len(),
        by_status,
        open,
        since_last: since,
        stored,
        bytes: page.len(),
    }))
}
