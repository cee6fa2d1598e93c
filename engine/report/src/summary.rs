//! What stands at the end: how it came out, why, what was found, what was refused, and what was granted for nothing.

use crate::live::log_line;
use crate::style::{Style, elapsed, sign};
use crate::table::Table;
use crate::view::{RunView, TaskState, severity_words};
use orch_core::{CheckVerdict, Event, LogLevel, Record, Severity, TaskId, plural, shorten, visible};

/// Findings in the table; reports have all.
const MOST_FINDINGS: usize = 25;
/// Refusals in the list.
const MOST_REFUSALS: usize = 20;

/// The end of a run, for a terminal of `width` columns.
pub fn summary(view: &RunView, style: Style, width: usize) -> String {
    let mut out = String::new();
    tasks(view, style, &mut out);
    findings(view, style, width, &mut out);
    gates(view, style, width, &mut out);
    refusals(view, style, &mut out);
    unused(view, style, &mut out);
    artifacts(view, style, &mut out);
    if view.outputs.as_object().is_some_and(|outputs| !outputs.is_empty()) {
        let outputs = serde_json::to_string_pretty(&view.outputs).unwrap_or_default();
        out.push_str(&format!("{}\n{}\n\n", style.bold("Outputs"), orch_core::visible_multiline(&outputs)));
    }
    let outcome = match view.outcome {
        Some(outcome) => style.run_outcome(outcome),
        None => style.yellow("not finished"),
    };
    out.push_str(&format!("{} {outcome} in {}\n", style.bold(&visible(&view.workflow)), elapsed(view.elapsed_ms())));
    out
}

fn tasks(view: &RunView, style: Style, out: &mut String) {
    let mut done = [0; 2];
    for task in &view.tasks {
        if let TaskState::Done { outcome } = task.state {
            done[usize::from(!outcome.satisfies_needs())] += 1;
        }
        let Some(failure) = &task.failure else { continue };
        if let TaskState::Done { outcome } = task.state {
            out.push_str(&format!(
                "{} {} {}: {}\n",
                sign(outcome),
                style.bold(task.id.as_str()),
                style.task_outcome(outcome),
                visible(&failure.message)
            ));
        }
        if let Some(fix) = &failure.fix {
            out.push_str(&format!("  {} {}\n", style.dim("fix:"), visible(fix)));
        }
    }
    if !out.is_empty() {
        out.push('\n');
    }
}

fn findings(view: &RunView, style: Style, width: usize, out: &mut String) {
    let open = view.open_findings();
    if open.is_empty() {
        return;
    }
    let waived = view.waived();
    out.push_str(&format!("{}: {}\n", style.bold("Findings"), severity_words(view.severities())));
    let mut table = Table::new(["severity", "rule", "where", "what"]);
    for (_, finding) in open.iter().take(MOST_FINDINGS) {
        let place = finding.location.as_ref().map_or_else(String::new, |at| {
            let line = at.line.map_or_else(String::new, |line| format!(":{line}"));
            format!("{}{line}", tail(&at.path, 44))
        });
        let title = if waived.contains(finding.fingerprint.as_str()) {
            format!("(waived) {}", finding.title)
        } else {
            finding.title.clone()
        };
        table.row([finding.severity.word(), &shorten(&finding.rule, 36), &place, &title]);
    }
    out.push_str(&colour_severities(&table.render(width, "  "), style));
    if open.len() > MOST_FINDINGS {
        out.push_str(&format!("  and {} more: see the reports\n", open.len() - MOST_FINDINGS));
    }
    out.push('\n');
}

/// The severity is the first word of a row.
fn colour_severities(table: &str, style: Style) -> String {
    table.lines().fold(String::new(), |mut out, line| {
        let word = line.split_whitespace().next().unwrap_or("");
        match Severity::from_word(word) {
            Some(severity) => out.push_str(&line.replacen(word, &style.severity(severity, 0), 1)),
            None => out.push_str(&style.dim(line)),
        }
        out.push('\n');
        out
    })
}

/// The end of a path: the file's name is what a person looks for.
fn tail(path: &str, longest: usize) -> String {
    let count = path.chars().count();
    if count <= longest {
        path.to_owned()
    } else {
        format!("…{}", path.chars().skip(count - longest + 1).collect::<String>())
    }
}

fn gates(view: &RunView, style: Style, width: usize, out: &mut String) {
    for task in &view.tasks {
        let Some(decision) = &task.decision else { continue };
        let against = decision
            .baseline
            .as_ref()
            .map_or_else(String::new, |run| format!(", {} new since run {}", decision.new, shorten(run, 12)));
        let waived =
            if decision.waived.is_empty() { String::new() } else { format!(", {} waived", decision.waived.len()) };
        out.push_str(&format!("{} {}: {} open{against}{waived}\n", style.bold("Gate"), task.id, decision.open));
        for check in &decision.checks {
            let verdict = match check.verdict {
                CheckVerdict::Passed => style.green("✔ passed "),
                CheckVerdict::Failed => style.red("✘ failed "),
                CheckVerdict::Warned => style.yellow("! warned "),
                CheckVerdict::Errored => style.red("✘ errored"),
            };
            out.push_str(&format!("  {verdict} {}  {}\n", check.id, style.dim(&visible(&check.assert))));
            if let Some(detail) = &check.detail {
                out.push_str(&format!("            {}\n", shorten(&visible(detail), width.saturating_sub(12).max(60))));
            }
        }
        for waiver in &decision.expired_waivers {
            out.push_str(&format!(
                "  {} the waiver {} has expired and covers nothing\n",
                style.yellow("!"),
                visible(waiver)
            ));
        }
        out.push('\n');
    }
}

fn refusals(view: &RunView, style: Style, out: &mut String) {
    let all: Vec<_> =
        view.tasks.iter().flat_map(|task| task.refusals.iter().map(move |refusal| (task, refusal))).collect();
    if all.is_empty() {
        return;
    }
    out.push_str(&format!("{}: {}\n", style.bold("Refused"), plural(all.len(), "attempt")));
    for (task, refusal) in all.iter().take(MOST_REFUSALS) {
        out.push_str(&format!("  {} {}\n", style.yellow(task.id.as_str()), visible(&refusal.to_string())));
        if let Some(fix) = &refusal.fix {
            out.push_str(&format!("    {} {}\n", style.dim("fix:"), visible(fix)));
        }
    }
    if all.len() > MOST_REFUSALS {
        out.push_str(&format!("  and {} more\n", all.len() - MOST_REFUSALS));
    }
    out.push('\n');
}

fn unused(view: &RunView, style: Style, out: &mut String) {
    let unused = view.unused_grants();
    if unused.is_empty() {
        return;
    }
    out.push_str(&format!("{}\n", style.bold("Granted and never used")));
    for grant in unused {
        out.push_str(&format!("  {}: {}\n", grant.task, grant.rule));
    }
    out.push('\n');
}

fn artifacts(view: &RunView, style: Style, out: &mut String) {
    let mut table = Table::new(["task", "artifact", "bytes", "digest"]);
    for (task, artifact) in
        view.tasks.iter().flat_map(|task| task.artifacts.iter().map(move |artifact| (task, artifact)))
    {
        table.row([task.id.as_str(), artifact.name.as_str(), &artifact.bytes.to_string(), &artifact.digest.short()]);
    }
    if !table.is_empty() {
        out.push_str(&format!("{}\n{}\n", style.bold("Artifacts"), table.render(usize::MAX, "  ")));
    }
}

/// The log of a run, or of one of its tasks: what guests said and what they were refused.
pub fn log_lines(records: &[Record], task: Option<&TaskId>, level: LogLevel, style: Style) -> String {
    let mut out = String::new();
    for record in records {
        if task.is_some() && record.event.task() != task {
            continue;
        }
        let at = jiff::Timestamp::from_millisecond(record.at.0)
            .map_or_else(|_| String::new(), |at| at.strftime("%H:%M:%S%.3f").to_string());
        let line = match &record.event {
            Event::TaskLog { task, level: found, message, fields } if *found >= level => {
                log_line(style, task, *found, message, fields)
            }
            Event::TaskRefused { task, refusal } => {
                format!("  {} {}: {}", style.dim(task.as_str()), style.yellow("refused"), visible(&refusal.to_string()))
            }
            Event::TaskStarted { task, .. } => format!("  {} started", style.dim(task.as_str())),
            Event::TaskFinished { task, outcome, .. } => {
                format!("  {} {}", style.dim(task.as_str()), style.task_outcome(*outcome))
            }
            Event::RunFinished { outcome, .. } => format!("  run {}", style.run_outcome(*outcome)),
            _ => continue,
        };
        out.push_str(&format!("{}{line}\n", style.dim(&at)));
    }
    out
}

/// Every task with how it ended, for a run that is over.
pub fn task_table(view: &RunView, style: Style) -> String {
    let mut out = String::new();
    for task in &view.tasks {
        let (mark, outcome) = match &task.state {
            TaskState::Done { outcome } => (sign(*outcome), style.task_outcome(*outcome)),
            TaskState::Running { .. } => ("▶", style.yellow("not finished")),
            TaskState::Waiting => ("·", style.dim("not begun")),
        };
        let time = if task.usage.wall_ms > 0 { format!(" in {}", elapsed(task.usage.wall_ms)) } else { String::new() };
        let found = match task.severity_words() {
            words if words.is_empty() => String::new(),
            words => format!("  {}", style.yellow(&words)),
        };
        let reason = task.reason.as_ref().map_or_else(String::new, |reason| format!(": {}", visible(reason)));
        out.push_str(&format!("  {mark} {} {outcome}{time}{found}{reason}\n", task.id));
    }
    out + "\n"
}
