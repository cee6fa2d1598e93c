//! `plan`: what would run, and what each task could reach.

use super::Context;
use super::explain::explain;
use crate::args::{Format, WorkflowArguments};
use crate::prepare::{self, LockMode, Prepared};
use crate::terminal;
use orch_core::Exit;
use orch_workflow::{Each, Plan, PlannedKind, PlannedTask};

pub(crate) fn run(context: &Context, arguments: &WorkflowArguments, format: Format) -> anyhow::Result<Exit> {
    let prepared = prepare::prepare(arguments, LockMode::Follow)?;
    if format == Format::Json {
        let whole = serde_json::json!({ "hash": prepared.plan.hash(), "policy": prepared.policy.origin, "plan": prepared.plan });
        terminal::print(&format!("{whole}\n"))?;
        return Ok(Exit::Succeeded);
    }
    terminal::print(&text(context, &prepared))?;
    if !prepared.warnings.is_empty() {
        let style = terminal::style(context.colour, &std::io::stderr());
        terminal::talk(orch_report::render_diagnostics(&prepared.warnings, &prepared.sources, style.colour).trim_end());
    }
    for news in &prepared.lock_news {
        terminal::talk(&format!("not locked yet: {news}"));
    }
    Ok(Exit::Succeeded)
}

fn text(context: &Context, prepared: &Prepared) -> String {
    let style = terminal::style(context.colour, &std::io::stdout());
    let plan = &prepared.plan;
    let mut out = format!("{} {}\n{}\n", style.bold("Plan"), plan.workflow(), style.dim(&format!("{}", plan.hash())));
    out.push_str(&format!("policy: {}\n", prepared.policy.origin));
    if plan.inputs().as_object().is_some_and(|inputs| !inputs.is_empty()) {
        out.push_str(&format!("inputs: {}\n", orch_core::visible(&plan.inputs().to_string())));
    }
    if let Some(timeout) = plan.timeout() {
        out.push_str(&format!("timeout: {timeout}\n"));
    }
    if let Some(group) = plan.concurrency() {
        let name = orch_core::visible(&group.group);
        out.push_str(&format!("concurrency: {} at once of `{name}`, priority {}\n", group.limit, plan.priority()));
    }
    for task in plan.tasks() {
        out.push('\n');
        out.push_str(&head(plan, task, |text| style.bold(text)));
        if let Some(condition) = &task.condition {
            out.push_str(&format!("  if {}\n", orch_core::visible(condition.text())));
        }
        match &task.kind {
            PlannedKind::Gate(gate) => {
                for check in gate.checks() {
                    out.push_str(&format!("  check {}: {}\n", check.id, orch_core::visible(check.assert.text())));
                }
            }
            PlannedKind::Approval(approval) => {
                let named =
                    |kind: &str, names: &[String]| (!names.is_empty()).then(|| format!("{kind} {}", names.join(", ")));
                let who = [named("users", &approval.users), named("groups", &approval.groups)];
                let who: Vec<String> = who.into_iter().flatten().collect();
                let who = if who.is_empty() { "anybody".to_owned() } else { who.join(" or ") };
                let expires = approval.expires.map_or_else(String::new, |period| format!(", within {period}"));
                out.push_str(&format!("  {} of {}{expires}\n", approval.required, orch_core::visible(&who)));
            }
            PlannedKind::Workflow(_) => {}
            PlannedKind::Plugin(plugin) => {
                let plugin = plan.terms(plugin);
                let signer = plugin.signer.as_ref().map_or("nobody (an unsigned file)".to_owned(), ToString::to_string);
                out.push_str(&format!("  {}\n", style.dim(&format!("{} signed by {signer}", plugin.plugin.digest))));
                out.push_str(&format!("  timeout {}, memory {}{}\n", task.timeout, plugin.limits.memory, more(task)));
                for decision in &plugin.decisions {
                    out.push_str(&explain(decision, false, style));
                }
            }
        }
    }
    out
}

/// What a task does besides running once.
fn more(task: &PlannedTask) -> String {
    let mut more = task.task_timeout.map_or_else(String::new, |timeout| format!(", {timeout} in all"));
    if task.retry.never {
        more.push_str(", never tried again");
    } else if task.retry.attempts > 1 {
        more.push_str(&format!(", at most {} attempts", task.retry.attempts));
    }
    if let Some(strategy) = &task.strategy {
        let items = match &strategy.each {
            Each::Matrix(items) => orch_core::plural(items.len(), "item"),
            Each::Items(_) => "items that the run makes".to_owned(),
        };
        let most = strategy.max_parallel.map_or_else(String::new, |most| format!(", {most} at once"));
        more.push_str(&format!(", {items}{most}"));
    }
    if task.cache {
        more.push_str(", cached");
    }
    more
}

fn head(plan: &Plan, task: &PlannedTask, bold: impl Fn(&str) -> String) -> String {
    let what = match &task.kind {
        PlannedKind::Gate(_) => "gate".to_owned(),
        PlannedKind::Approval(_) => "approval".to_owned(),
        PlannedKind::Workflow(nested) => format!("workflow {}", orch_core::visible(&nested.file)),
        PlannedKind::Plugin(plugin) => {
            let plugin = plan.terms(plugin);
            format!("{} {} task {}", plugin.plugin.name, plugin.plugin.version, plugin.plugin.task)
        }
    };
    let needs: Vec<_> = task.needs.iter().map(|need| need.as_str()).collect();
    let needs = if needs.is_empty() { String::new() } else { format!("  after {}", needs.join(", ")) };
    format!("{}  {what}{needs}\n", bold(task.id.as_str()))
}
