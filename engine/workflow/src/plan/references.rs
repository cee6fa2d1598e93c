//! The plugin's task behind each task of a file, and whether expressions refer to outputs that it certainly does not have.

use super::file::Call;
use super::make::{PlanRequest, Resolved};
use super::with;
use crate::expr::{Used, references};
use crate::load::{NestedFiles, absolute};
use crate::read::{Reader, known, list, shown};
use crate::workflow::{Task, Work};
use orch_core::{Code, PluginTaskName, TaskId, TaskManifest};
use std::collections::HashMap;

/// The plugin's task behind a task of the workflow.
pub(super) struct Pick<'a> {
    pub(super) resolved: &'a Resolved,
    pub(super) name: &'a PluginTaskName,
    pub(super) task: &'a TaskManifest,
}

/// Those of a file, by the ids that the file gives.
pub(super) type Chosen<'a> = HashMap<&'a TaskId, Pick<'a>>;

/// Finds the plugin's task behind each task.
pub(super) fn choose<'a>(reader: &mut Reader<'_>, request: &PlanRequest<'a>, call: &Call<'a>) -> Chosen<'a> {
    let mut chosen = HashMap::new();
    let workflow = call.workflow;
    for task in workflow.every() {
        let Work::Uses(uses) = &task.work else { continue };
        let Some(reference) = &uses.reference else { continue };
        let Some(resolved) = request.plugins.get(&(call.folder.to_owned(), uses.text.clone())) else {
            reader.error(Code::UnknownPlugin, &uses.span, format!("the plugin `{reference}` was not found"));
            continue;
        };
        let tasks = &resolved.manifest.tasks;
        let names: Vec<_> = tasks.keys().map(PluginTaskName::as_str).collect();
        let found = match reference.task() {
            Some(name) => tasks.get_key_value(name),
            None if tasks.len() == 1 => tasks.first_key_value(),
            None => None,
        };
        match (found, reference.task()) {
            (Some((name, manifest)), _) => {
                chosen.insert(&task.id, Pick { resolved, name, task: manifest });
            }
            (None, Some(name)) => {
                let message = format!("the plugin `{}` has no task `{name}`", resolved.manifest.name);
                reader.error_help(Code::UnknownPlugin, &uses.span, message, known(name.as_str(), &names));
            }
            (None, None) => {
                let message =
                    format!("the plugin `{}` has {} tasks, and none is named", resolved.manifest.name, names.len());
                let example = names.first().copied().unwrap_or("task");
                let help = format!("known: {}; write `{}/{example}@…`", list(&names), resolved.manifest.name);
                reader.error_help(Code::UnknownPlugin, &uses.span, message, help);
            }
        }
    }
    chosen
}

/// What references of a file can be compared with.
pub(super) struct References<'r, 'a> {
    pub(super) tasks: HashMap<&'a str, &'a Task>,
    pub(super) chosen: &'r Chosen<'a>,
    pub(super) call: &'r Call<'a>,
    pub(super) nested: &'a NestedFiles,
}

impl<'r, 'a> References<'r, 'a> {
    pub(super) fn new(chosen: &'r Chosen<'a>, call: &'r Call<'a>, nested: &'a NestedFiles) -> References<'r, 'a> {
        let workflow = call.workflow;
        let tasks = workflow.tasks.iter().map(|task| (task.id.as_str(), task)).collect();
        References { tasks, chosen, call, nested }
    }

    /// Checks every expression of a task. `undone` is the task that it takes back.
    pub(super) fn check(&self, reader: &mut Reader<'_>, task: &Task, undone: Option<&TaskId>) {
        if let Some(condition) = &task.condition {
            self.fields(reader, condition, undone);
        }
        task.expressions(&mut |_, used| self.fields(reader, used, undone));
    }

    /// Outputs that are certainly not there. Names of tasks, and outputs that the file itself names, were checked before.
    pub(super) fn fields(&self, reader: &mut Reader<'_>, used: &Used, undone: Option<&TaskId>) {
        if reader.is_full() {
            return;
        }
        for reference in references(&used.expr).tasks {
            let Some(other) = self.tasks.get(reference.task.as_str()) else { continue };
            let path = reference.certain();
            let is_list = other.strategy.is_some() && undone != Some(&other.id);
            let path = path.get(usize::from(is_list)..).unwrap_or_default();
            let missing = match &other.work {
                Work::Uses(uses) if uses.outputs.is_none() => {
                    self.chosen.get(&other.id).and_then(|pick| with::missing(&pick.task.output, path))
                }
                Work::Workflow(nested) => {
                    let file = self.nested.get(&absolute(self.call.folder, &nested.file));
                    match (file, path.first()) {
                        (Some(file), Some(crate::expr::Part::Name(name))) => {
                            let outputs = &file.workflow.outputs.templates;
                            let names: Vec<_> = outputs.iter().map(|(name, _)| name.clone()).collect();
                            (!names.contains(name)).then_some((name.as_str(), names))
                        }
                        _ => None,
                    }
                }
                _ => None,
            };
            if let Some((name, names)) = missing {
                let message = format!("the task `{}` has no output `{}`", reference.task, shown(name));
                let help = if names.is_empty() { format!("known: {}", list(&names)) } else { known(name, &names) };
                reader.error_help(Code::UnknownReference, &used.locator.place(&reference.at), message, help);
            }
        }
    }
}
