//! What stands at the end: how it came out, why, what was found, what was refused, and what was granted for nothing.

use crate::live::{answered, log_line};
use crate::style::{Style, elapsed, sign};
use crate::table::Table;
use crate::view::{RunView, TaskState, severity_words};
use orch_core::{CancelReason, CheckVerdict, Event, LogLevel, Record, Severity, StepId, plural, shorten, visible};

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
        None if view.suspended => style.yellow("waiting"),
        None => style.yellow("not finished"),
    };
    let by = match (&view.cancelled_by, view.cancel) {
        (Some(why), Some(CancelReason::Conflict)) => format!(": {}", visible(why)),
        (Some(who), _) => format!(" by {}", visible(who)),
        _ => String::new(),
    };
    let workflow = style.bold(&visible(&view.workflow));
    out.push_str(&format!("{workflow} {outcome}{by} in {}\n", elapsed(view.elapsed_ms())));
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

/// The log of a run, of one of its tasks, or of one item of a task: what guests said and what they were refused.
pub fn log_lines(records: &[Record], wanted: Option<&StepId>, level: LogLevel, style: Style) -> String {
    let mut out = String::new();
    for record in records {
        let fits =
            |step: &StepId, wanted: &StepId| step.task == wanted.task && (wanted.item.is_none() || step == wanted);
        if wanted.is_some_and(|wanted| record.event.task().is_none_or(|step| !fits(step, wanted))) {
            continue;
        }
        let at = jiff::Timestamp::from_millisecond(record.at.0)
            .map_or_else(|_| String::new(), |at| at.strftime("%H:%M:%S%.3f").to_string());
        let line = match &record.event {
            Event::TaskLog { task, level: found, message, fields } if *found >= level => {
                log_line(style, task, *found, message, fields)
            }
            Event::TaskRefused { task, refusal } => {
                format!(
                    "  {} {}: {}",
                    style.dim(&task.to_string()),
                    style.yellow("refused"),
                    visible(&refusal.to_string())
                )
            }
            Event::TaskStarted { task, attempt: 1 } => format!("  {} started", style.dim(&task.to_string())),
            Event::TaskStarted { task, attempt } => {
                format!("  {} started, attempt {attempt}", style.dim(&task.to_string()))
            }
            Event::TaskFinished { task, outcome, .. } => {
                format!("  {} {}", style.dim(&task.to_string()), style.task_outcome(*outcome))
            }
            Event::AttemptEnded { task, outcome, failure, .. } => {
                let outcome = style.task_outcome(*outcome);
                format!(
                    "  {} {outcome}, and is tried again: {}",
                    style.dim(&task.to_string()),
                    visible(&failure.message)
                )
            }
            Event::AttemptLost { task, .. } => format!("  {} lost with its process", style.dim(&task.to_string())),
            Event::ApprovalRequested { task, prompt, .. } => {
                format!("  {} asks: {}", style.dim(&task.to_string()), visible(prompt))
            }
            Event::TaskAnswered { task, answer, by, comment } => {
                let comment = comment.as_ref().map_or_else(String::new, |text| format!(": {}", visible(text)));
                let by = visible(&by.name);
                format!("  {} {} by {by}{comment}", style.dim(&task.to_string()), answered(*answer))
            }
            Event::AnswerRefused { task, by, reason } => {
                format!(
                    "  {} answer of {} refused: {}",
                    style.dim(&task.to_string()),
                    visible(&by.name),
                    visible(reason)
                )
            }
            Event::TaskReused { task, from, .. } => {
                format!("  {} reused from run {from}", style.dim(&task.to_string()))
            }
            Event::RunQueued { group, ahead } => format!("  run waits for `{}` behind {ahead}", visible(group)),
            Event::RunSuspended { .. } => format!("  run {}", style.yellow("suspended")),
            Event::RunResumed { by } => format!("  run resumed by {}", visible(&by.name)),
            Event::CancelRequested { .. } => format!("  run {}", style.yellow("asked to stop")),
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
    for task in view.rows() {
        let (mark, outcome) = match &task.state {
            TaskState::Done { outcome } => (sign(*outcome), style.task_outcome(*outcome)),
            TaskState::Running { .. } => ("▶", style.yellow("not finished")),
            TaskState::Retrying { .. } => ("↻", style.yellow("to be tried again")),
            TaskState::Asking { .. } => {
                let agreed = task.agreed().map_or_else(String::new, |agreed| format!(": {}", visible(&agreed)));
                ("?", style.yellow(&format!("waits for people{agreed}")))
            }
            TaskState::Unknown => ("?", style.yellow("unknown: waits for a person")),
            TaskState::Waiting => ("·", style.dim("not begun")),
        };
        let time = if task.usage.wall_ms > 0 { format!(" in {}", elapsed(task.usage.wall_ms)) } else { String::new() };
        let found = match task.severity_words() {
            words if words.is_empty() => String::new(),
            words => format!("  {}", style.yellow(&words)),
        };
        // Of items the number says it, and what the first that broke said.
        let reason = match task.items {
            Some(_) => task.failure.as_ref().map(|failure| failure.message.as_str()),
            None => task.reason.as_deref(),
        };
        let reason = reason.map_or_else(String::new, |reason| format!(": {}", visible(reason)));
        let mut more =
            task.items.map_or_else(String::new, |items| format!("  {} of {} items", items.well, items.total));
        if let Some(retries) = task.retry_words() {
            more.push_str(&format!("  {retries}"));
        }
        if let Some(run) = &task.reused {
            more.push_str(&format!("  from run {}", run.short()));
        }
        if task.usage.tainted {
            more.push_str("  was shown a secret");
        }
        for said in &task.said {
            more.push_str(&format!("  {} by {}", answered(said.answer), visible(&said.by)));
        }
        out.push_str(&format!("  {mark} {} {outcome}{time}{}{found}{reason}\n", task.id, style.dim(&more)));
    }
    out + "\n"
}
