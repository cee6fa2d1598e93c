//! `plan`: what would run, and what each task could reach.

use super::Context;
use super::explain::explain;
use crate::args::{Format, WorkflowArguments};
use crate::prepare::{self, LockMode, Prepared};
use crate::terminal;
use orch_core::Exit;
use orch_workflow::{PlannedKind, PlannedTask};

pub(crate) fn run(context: Context, arguments: &WorkflowArguments, format: Format) -> anyhow::Result<Exit> {
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

fn text(context: Context, prepared: &Prepared) -> String {
    let style = terminal::style(context.colour, &std::io::stdout());
    let plan = &prepared.plan;
    let mut out = format!("{} {}\n{}\n", style.bold("Plan"), plan.workflow(), style.dim(&format!("{}", plan.hash())));
    out.push_str(&format!("policy: {}\n", prepared.policy.origin));
    if plan.inputs().as_object().is_some_and(|inputs| !inputs.is_empty()) {
        out.push_str(&format!("inputs: {}\n", orch_core::visible(&plan.inputs().to_string())));
    }
    for task in plan.tasks() {
        out.push('\n');
        out.push_str(&head(task, |text| style.bold(text)));
        match &task.kind {
            PlannedKind::Gate(gate) => {
                for check in gate.checks() {
                    out.push_str(&format!("  check {}: {}\n", check.id, orch_core::visible(check.assert.text())));
                }
            }
            PlannedKind::Plugin(plugin) => {
                let signer = plugin.signer.as_ref().map_or("nobody (an unsigned file)".to_owned(), ToString::to_string);
                out.push_str(&format!("  {}\n", style.dim(&format!("{} signed by {signer}", plugin.plugin.digest))));
                out.push_str(&format!("  timeout {}, memory {}\n", task.timeout, plugin.limits.memory));
                for decision in &plugin.decisions {
                    out.push_str(&explain(decision, false, style));
                }
            }
        }
    }
    out
}

fn head(task: &PlannedTask, bold: impl Fn(&str) -> String) -> String {
    let what = match &task.kind {
        PlannedKind::Gate(_) => "gate".to_owned(),
        PlannedKind::Plugin(plugin) => {
            format!("{} {} task {}", plugin.plugin.name, plugin.plugin.version, plugin.plugin.task)
        }
    };
    let needs: Vec<_> = task.needs.iter().map(|need| need.as_str()).collect();
    let needs = if needs.is_empty() { String::new() } else { format!("  after {}", needs.join(", ")) };
    format!("{}  {what}{needs}\n", bold(task.id.as_str()))
}
