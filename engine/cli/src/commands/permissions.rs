//! `permissions`: the smallest grant that a run needed.

use super::Context;
use super::runs;
use crate::args::{PermissionsVerb, StateArguments};
use crate::failure::Failure;
use crate::terminal;
use orch_core::{Access, Effective, ExecGrant, Exit, NetRule, RunStore, TaskId, Usage, visible};
use orch_report::RunView;
use orch_workflow::PlannedKind;

pub(crate) fn run(context: &Context, verb: &PermissionsVerb) -> anyhow::Result<Exit> {
    let PermissionsVerb::Suggest { run, state } = verb;
    suggest(context, run, state)
}

fn suggest(context: &Context, run: &str, state: &StateArguments) -> anyhow::Result<Exit> {
    let store = runs::open(context, state)?;
    let run = runs::find(&store, run)?;
    let records = store.read(&run, 0).map_err(Failure::from)?;
    let plan = super::resume::plan_of(&records)?;
    let view = RunView::of(&records);
    let folder = crate::places::WorkflowPlace::of(&state.workflow)?.folder;
    let mut text = format!("# what run {run} used of what it was granted\n");
    for task in plan.tasks() {
        let PlannedKind::Plugin(plugin) = &task.kind else { continue };
        let row = view.tasks.iter().find(|row| row.id == task.id);
        let Some(used) = row.map(|row| &row.usage).filter(|usage| **usage != Usage::default()) else {
            text.push_str(&format!("{}:  # did not run, or the run does not say what it used\n", task.id));
            continue;
        };
        text.push_str(&of_task(&task.id, &plan.terms(plugin).grants, &used.used, folder.as_str()));
    }
    terminal::print(&text)?;
    Ok(Exit::Succeeded)
}

/// `permissions` as they are written below a task; what was never used is left out and named.
fn of_task(task: &TaskId, grants: &Effective, used: &[String], folder: &str) -> String {
    let mut kinds: Vec<(&str, Vec<String>)> = Vec::new();
    let mut unused = Vec::new();
    let mut kind = |name: &'static str, items: Vec<(String, Option<String>)>| {
        let mut kept = Vec::new();
        for (rule, item) in items {
            match item {
                Some(item) => kept.push(item),
                None => unused.push(rule),
            }
        }
        if !kept.is_empty() {
            kinds.push((name, kept));
        }
    };
    kind(
        "fs",
        grants
            .fs
            .iter()
            .map(|mount| {
                let was = |access: Access| used.contains(&format!("fs {} {access}", mount.mount));
                let access =
                    if was(Access::Write) { Some(Access::Write) } else { was(Access::Read).then_some(Access::Read) };
                let path = mount.path();
                let path = path.strip_prefix(folder).map_or_else(|_| path.to_string(), |below| format!("./{below}"));
                let item = access
                    .map(|access| format!("{{ mount: {}, path: {}, access: {access} }}", mount.mount, quoted(&path)));
                if access == Some(Access::Read) && mount.access == Access::Write {
                    return (
                        String::new(),
                        item.map(|item| format!("{item}  # was granted for writing, and only read")),
                    );
                }
                (format!("fs {} {}", mount.mount, mount.access), item)
            })
            .collect(),
    );
    kind(
        "net",
        grants
            .net
            .granted
            .iter()
            .map(|rule| {
                let line = format!("net {rule}");
                let item = used.contains(&line).then(|| net(rule));
                (line, item)
            })
            .collect(),
    );
    kind(
        "env",
        grants
            .env
            .iter()
            .map(|name| {
                let line = format!("env {name}");
                let item = used.contains(&line).then(|| name.to_string());
                (line, item)
            })
            .collect(),
    );
    kind(
        "secrets",
        grants
            .secrets
            .iter()
            .map(|secret| {
                let line = format!("secrets {}", secret.name);
                let reveal = if secret.reveal { ", reveal: true" } else { "" };
                let rules: Vec<_> = secret.within.iter().map(net).collect();
                let audience =
                    if rules.is_empty() { String::new() } else { format!(", audience: [{}]", rules.join(", ")) };
                let item = used
                    .contains(&line)
                    .then(|| format!("{{ name: {}, from: {}{audience}{reveal} }}", secret.name, secret.from));
                (line, item)
            })
            .collect(),
    );
    kind(
        "exec",
        grants
            .exec
            .iter()
            .map(|grant| {
                let line = format!("exec {}", grant.alias);
                let item = used.contains(&line).then(|| exec(grant));
                (line, item)
            })
            .collect(),
    );
    kind(
        "kv",
        grants
            .kv
            .iter()
            .map(|bucket| {
                let line = format!("kv {}", bucket.bucket);
                let item =
                    used.contains(&line).then(|| format!("{{ bucket: {}, quota: {} }}", bucket.bucket, bucket.quota));
                (line, item)
            })
            .collect(),
    );
    kind(
        "artifacts",
        grants
            .artifacts
            .iter()
            .map(|name| {
                let line = format!("artifacts {name}");
                let item = used.contains(&line).then(|| quoted(name.as_str()));
                (line, item)
            })
            .collect(),
    );
    let mut text = format!("{task}:\n");
    match kinds.is_empty() {
        true => text.push_str("  permissions: {}\n"),
        false => text.push_str("  permissions:\n"),
    }
    for (name, items) in kinds {
        text.push_str(&format!("    {name}:\n"));
        for item in items {
            text.push_str(&format!("      - {item}\n"));
        }
    }
    for rule in unused {
        text.push_str(&format!("    # never used: {}\n", visible(&rule)));
    }
    text
}

fn net(rule: &NetRule) -> String {
    serde_json::to_value(rule).map_or_else(|_| rule.to_string(), |value| flow(&value))
}

fn exec(grant: &ExecGrant) -> String {
    serde_json::to_value(grant).map_or_else(|_| grant.alias.to_string(), |value| flow(&value))
}

/// JSON is YAML.
fn flow(value: &serde_json::Value) -> String {
    // The vocabulary's own keys have underscores where files have hyphens.
    value.to_string().replace("\"read_only\"", "\"read-only\"")
}

/// A text as YAML takes it for text.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    let safe = text.chars().all(plain) && text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '.' || c == '/');
    if safe { text.to_owned() } else { serde_json::Value::from(text).to_string() }
}
