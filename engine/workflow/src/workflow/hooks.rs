//! What runs besides the tasks: `undo` of a task, `on-failure` and `finally` of a workflow. Each is read as a task that needs
//! nothing and has an id of its own.

use super::keys::{HOOK, UNDO};
use super::tasks::{Task, common, uses};
use crate::read::Reader;
use crate::yaml::Node;
use orch_core::{Code, TaskId, TaskName};

/// Entries of `on-failure`, and of `finally`.
const MOST_HOOKS: usize = 100;

/// The id of what takes back a task; `None` when the task stands too deep.
pub(crate) fn undo_of(task: &TaskId) -> Option<TaskId> {
    TaskId::try_from(format!("undo/{task}")).ok()
}

/// Reads `undo`.
pub(crate) fn undo(reader: &mut Reader<'_>, name: &TaskName, node: &Node) -> Option<Task> {
    let fields = reader.fields(node, &UNDO)?;
    let mut task = Task::new(undo_of(&name.clone().into())?, fields.start());
    common(reader, &fields, &mut task);
    if let Some(node) = reader.require(&fields, "uses", "`undo`") {
        task.work = uses(reader, &fields, node);
    }
    Some(task)
}

/// Reads `on-failure` or `finally`.
pub(crate) fn list(reader: &mut Reader<'_>, what: &str, node: &Node) -> Vec<Task> {
    let items = reader.items(node, what);
    if items.len() > MOST_HOOKS {
        let message = format!("`{what}` has {} entries, at most {MOST_HOOKS} are allowed", items.len());
        reader.error(Code::TooMany, &node.span, message);
        return Vec::new();
    }
    let mut hooks = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        let Some(fields) = reader.fields(item, &HOOK) else { continue };
        let Ok(id) = TaskId::try_from(format!("{what}/{}", index + 1)) else { continue };
        let mut task = Task::new(id, fields.start());
        common(reader, &fields, &mut task);
        if let Some(node) = reader.require(&fields, "uses", "a task that runs at the end") {
            task.work = uses(reader, &fields, node);
        }
        hooks.push(task);
    }
    hooks
}
