//! `explain`: a code's page, or how a task came to its permissions.

use super::Context;
use super::runs;
use crate::args::StateArguments;
use crate::failure::Failure;
use crate::terminal;
use orch_core::{Code, Decision, Exit, RunStore, TaskId, Verdict, visible};
use orch_report::{RunView, Style, TaskRow};

include!(concat!(env!("OUT_DIR"), "/pages.rs"));

pub(crate) fn run(
    context: &Context,
    what: &str,
    task: Option<&TaskId>,
    state: &StateArguments,
) -> anyhow::Result<Exit> {
    if let Some(task) = task {
        return permissions(context, what, task, state);
    }
    match what.parse::<Code>() {
        Ok(code) => {
            let code = code.to_string();
            let page = PAGES.iter().find(|(name, _)| *name == code).map(|(_, page)| *page);
            terminal::print(page.unwrap_or("this code has no page\n"))?;
            Ok(Exit::Succeeded)
        }
        Err(()) => {
            let known: Vec<_> = Code::ALL.iter().map(ToString::to_string).collect();
            Err(Failure::new(Code::Usage, format!("`{what}` is no error code"))
                .help(format!(
                    "codes: {}; for a run, name its task too: `orch-wasm explain latest TASK`",
                    known.join(" ")
                ))
                .into())
        }
    }
}

/// The row of a task, or the tasks that there are.
pub(crate) fn task_of<'a>(view: &'a RunView, task: &TaskId) -> Result<&'a TaskRow, Failure> {
    view.task(task).ok_or_else(|| {
        let known: Vec<_> = view.tasks.iter().map(|task| format!("`{}`", task.id)).collect();
        Failure::new(Code::UnknownTask, format!("the run has no task `{task}` (known: {})", known.join(", ")))
    })
}

fn permissions(context: &Context, run: &str, task: &TaskId, state: &StateArguments) -> anyhow::Result<Exit> {
    let store = runs::open(context, state)?;
    let run = runs::find(&store, run)?;
    let view = RunView::of(&store.read(&run, 0).map_err(Failure::from)?);
    let row = task_of(&view, task)?;
    let style = terminal::style(context.colour, &std::io::stdout());
    let mut text = format!("{} {task} of run {run}\n\n", style.bold("Task"));
    if row.decisions.is_empty() {
        text.push_str("  it asked for nothing and was granted nothing\n");
    }
    for decision in &row.decisions {
        text.push_str(&explain(decision, row.usage.used.contains(&decision.rule), style));
    }
    for refusal in &row.refusals {
        text.push_str(&format!("  {} {}\n", style.yellow("refused while it ran:"), visible(&refusal.to_string())));
        if let Some(fix) = &refusal.fix {
            text.push_str(&format!("    fix: {}\n", visible(fix)));
        }
    }
    terminal::print(&text)?;
    Ok(Exit::Succeeded)
}

/// One rule with what each party said.
pub(crate) fn explain(decision: &Decision, used: bool, style: Style) -> String {
    let (verdict, refusal) = match &decision.verdict {
        Verdict::Allowed if used => (style.green("granted, used"), None),
        Verdict::Allowed => (style.green("granted"), None),
        Verdict::Counted(refusal) => (style.yellow("granted, and only counted"), Some(refusal)),
        Verdict::LeftOut(refusal) => (style.yellow("left out"), Some(refusal)),
        Verdict::Refused(refusal) => (style.red("refused"), Some(refusal)),
    };
    let mut text = format!("  {}  {verdict}\n", style.bold(&decision.rule));
    let mut line = |who: &str, what: &str| text.push_str(&format!("    {:9} {}\n", style.dim(who), visible(what)));
    let why = if decision.reason.is_empty() { String::new() } else { format!(" ({})", decision.reason) };
    line("asked", &format!("{}{why}", decision.asked));
    line("workflow", &decision.granted);
    line("policy", &decision.allowed);
    if let Some(refusal) = refusal {
        line("because", &refusal.reason);
        if let Some(fix) = &refusal.fix {
            line("fix", fix);
        }
    }
    text
}
