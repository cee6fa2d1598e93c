//! A report for a pull request or a wiki page.

use crate::live::answered;
use crate::style::elapsed;
use crate::view::{RunView, TaskState, severity_words};
use orch_core::{CheckVerdict, plural, shorten, visible};

/// Findings in the table; the rest is counted.
const MOST_FINDINGS: usize = 200;

/// A run as Markdown (CommonMark with tables).
pub fn markdown(run: &str, view: &RunView) -> String {
    let outcome = view.outcome.map_or("not finished", |outcome| outcome.word());
    let mut out = format!("# {}: {outcome}\n\n", cell(&view.workflow, 200));
    out.push_str(&format!("Run `{run}`, {}.", elapsed(view.elapsed_ms())));
    if let Some(hash) = view.plan_hash {
        out.push_str(&format!(" Plan `{hash}`."));
    }
    out.push_str("\n\n## Tasks\n\n| task | outcome | time | findings | why |\n|---|---|--:|---|---|\n");
    for task in view.rows() {
        let outcome = match &task.state {
            TaskState::Done { outcome } => outcome.word(),
            TaskState::Running { .. } => "running",
            TaskState::Retrying { .. } => "to be tried again",
            TaskState::Asking { .. } => "waits for people",
            TaskState::Unknown => "unknown",
            TaskState::Waiting => "waiting",
        };
        let why =
            task.failure.as_ref().map(|failure| failure.message.as_str()).or(task.reason.as_deref()).unwrap_or("");
        let mut outcome = outcome.to_owned();
        if let Some(items) = task.items {
            outcome.push_str(&format!(" ({} of {} items)", items.well, items.total));
        }
        if let Some(run) = &task.reused {
            outcome.push_str(&format!(" (from run `{run}`)"));
        }
        if let Some(retries) = task.retry_words() {
            outcome.push_str(&format!(", {retries}"));
        }
        if task.usage.tainted {
            outcome.push_str(", was shown a secret");
        }
        out.push_str(&format!(
            "| {} | {outcome} | {} | {} | {} |\n",
            cell(task.id.as_str(), 64),
            elapsed(task.usage.wall_ms),
            task.severity_words(),
            cell(why, 300),
        ));
    }
    people(view, &mut out);
    gates(view, &mut out);
    findings(view, &mut out);
    permissions(view, &mut out);
    out
}

fn people(view: &RunView, out: &mut String) {
    let mut said = view.tasks.iter().flat_map(|task| task.said.iter().map(move |said| (task, said))).peekable();
    if said.peek().is_none() {
        return;
    }
    out.push_str("\n## Answers of people\n\n| task | answer | by | why |\n|---|---|---|---|\n");
    for (task, said) in said {
        let (id, by) = (cell(task.id.as_str(), 64), cell(&said.by, 64));
        let why = cell(said.comment.as_deref().unwrap_or(""), 300);
        out.push_str(&format!("| {id} | {} | {by} | {why} |\n", answered(said.answer)));
    }
}

fn gates(view: &RunView, out: &mut String) {
    for task in &view.tasks {
        let Some(decision) = &task.decision else { continue };
        out.push_str(&format!(
            "\n## Gate {}\n\n| check | verdict | assertion | detail |\n|---|---|---|---|\n",
            cell(task.id.as_str(), 64)
        ));
        for check in &decision.checks {
            let verdict = match check.verdict {
                CheckVerdict::Passed => "passed",
                CheckVerdict::Failed => "**failed**",
                CheckVerdict::Warned => "warned",
                CheckVerdict::Errored => "**errored**",
            };
            let detail = check.detail.as_deref().unwrap_or("");
            out.push_str(&format!(
                "| {} | {verdict} | {} | {} |\n",
                cell(&check.id, 64),
                cell(&check.assert, 200),
                cell(detail, 300)
            ));
        }
        if !decision.waived.is_empty() {
            out.push_str(&format!("\n{} waived.\n", plural(decision.waived.len(), "finding")));
        }
        for waiver in &decision.expired_waivers {
            out.push_str(&format!("\nThe waiver {} has expired.\n", cell(waiver, 200)));
        }
    }
}

fn findings(view: &RunView, out: &mut String) {
    let open = view.open_findings();
    if open.is_empty() {
        out.push_str("\n## Findings\n\nNothing is open.\n");
        return;
    }
    out.push_str(&format!("\n## Findings\n\n{} open: {}.\n\n", open.len(), severity_words(view.severities())));
    out.push_str("| severity | rule | where | what | task |\n|---|---|---|---|---|\n");
    for (task, finding) in open.iter().take(MOST_FINDINGS) {
        let place = finding.location.as_ref().map_or_else(String::new, |at| match at.line {
            Some(line) => format!("{}:{line}", at.path),
            None => at.path.clone(),
        });
        out.push_str(&format!(
            "| {} | {} | {} | {} | {} |\n",
            finding.severity,
            cell(&finding.rule, 80),
            cell(&place, 200),
            cell(&finding.title, 200),
            cell(task.id.as_str(), 64),
        ));
    }
    if open.len() > MOST_FINDINGS {
        out.push_str(&format!("\nand {} more.\n", open.len() - MOST_FINDINGS));
    }
}

fn permissions(view: &RunView, out: &mut String) {
    let refusals: Vec<_> =
        view.tasks.iter().flat_map(|task| task.refusals.iter().map(move |refusal| (task, refusal))).collect();
    if !refusals.is_empty() {
        out.push_str("\n## Refused\n\n| task | what | by | why |\n|---|---|---|---|\n");
        for (task, refusal) in refusals {
            let what = format!("{} {}", refusal.capability, refusal.target);
            out.push_str(&format!(
                "| {} | {} | {} | {} |\n",
                cell(task.id.as_str(), 64),
                cell(&what, 200),
                refusal.by,
                cell(&refusal.reason, 200)
            ));
        }
    }
    let unused = view.unused_grants();
    if !unused.is_empty() {
        out.push_str("\n## Granted and never used\n\n");
        for grant in unused {
            out.push_str(&format!("- {}: `{}`\n", cell(grant.task.as_str(), 64), grant.rule));
        }
    }
}

/// Text of a guest in a cell: nothing in it is markup, and it stays one line.
fn cell(text: &str, longest: usize) -> String {
    let text = visible(text);
    shorten(&text, longest).chars().fold(String::new(), |mut out, c| {
        if "\\`*_{}[]()#+!|<>&~@".contains(c) {
            // Named entities and not backslashes: some renderers keep a backslash inside a table.
            out.push_str(&format!("&#{};", u32::from(c)));
        } else {
            out.push(c);
        }
        out
    })
}
