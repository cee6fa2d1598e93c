//! The top level of a workflow, and the whole way from text to [`Workflow`].

use crate::read::{Reader, shown};
use crate::reference::PluginReference;
use crate::workflow::admission::{self, Concurrency};
use crate::workflow::hooks;
use crate::workflow::inputs::{self, Input};
use crate::workflow::keys::{DEFAULTS, WORKFLOW};
use crate::workflow::links;
use crate::workflow::retry::{self, RetryWritten, Timeout};
use crate::workflow::tasks::{self, OutputsOf, Task, Work};
use crate::yaml::{self, Kind, Node};
use orch_core::{Code, Diagnostic, InputName, LimitsRequest, Period, SecretName, Source, Span, TaskId, TaskName};
use std::collections::{BTreeMap, BTreeSet};

/// The version of the language.
pub(crate) const SCHEMA: &str = "orch-wasm/v1";
pub(crate) const MOST_TASKS: usize = 10_000;
const MOST_INPUTS: usize = 1_000;
const LONGEST_NAME: usize = 100;

/// Keys that belong to the workflow that is run, not to those that it runs.
const OUTERMOST: [&str; 5] = ["priority", "secrets", "concurrency", "on-failure", "finally"];

/// A workflow without errors in itself.
#[derive(Debug, Clone)]
pub struct Workflow {
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) priority: Option<u8>,
    pub(crate) timeout: Option<Period>,
    pub(crate) inputs: Vec<Input>,
    pub(crate) secrets: Vec<(SecretName, String)>,
    pub(crate) concurrency: Option<Concurrency>,
    pub(crate) defaults: Defaults,
    pub(crate) tasks: Vec<Task>,
    pub(crate) on_failure: Vec<Task>,
    pub(crate) finally: Vec<Task>,
    /// Keys that a file has only if no other runs it, and where they stand.
    pub(crate) outermost: Vec<(&'static str, Span)>,
    /// Indices into `tasks`, every task after what it needs.
    pub(crate) order: Vec<usize>,
    pub(crate) outputs: OutputsOf,
}

/// What holds for every task of a file that does not say otherwise.
#[derive(Debug, Clone, Default)]
pub(crate) struct Defaults {
    pub(crate) timeout: Option<Timeout>,
    pub(crate) retry: Option<RetryWritten>,
    pub(crate) limits: LimitsRequest,
    pub(crate) cache: bool,
    pub(crate) continue_on_error: bool,
}

/// A file that a workflow names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedFile {
    /// As written, relative to the workflow's folder.
    pub path: String,
    /// Where it stands first.
    pub span: Span,
}

/// A plugin that a workflow uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsedPlugin {
    /// As written: with the workflow's folder the key of [`crate::PlanRequest::plugins`].
    pub uses: String,
    /// What it means.
    pub reference: PluginReference,
    /// Where it stands first.
    pub span: Span,
}

impl Workflow {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it is for.
    pub fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// Its labels.
    pub fn labels(&self) -> &BTreeMap<String, String> {
        &self.labels
    }

    /// How long a run may take.
    pub fn timeout(&self) -> Option<Period> {
        self.timeout
    }

    /// Its inputs, in the order of the file.
    pub fn inputs(&self) -> &[Input] {
        &self.inputs
    }

    /// The distinct plugins, in the order of the file.
    pub fn plugin_references(&self) -> Vec<UsedPlugin> {
        let mut seen = BTreeSet::new();
        let uses = self.every().filter_map(|task| match &task.work {
            Work::Uses(uses) => Some(uses),
            _ => None,
        });
        uses.filter(|uses| seen.insert(&uses.text))
            .filter_map(|uses| {
                let reference = uses.reference.clone()?;
                Some(UsedPlugin { uses: uses.text.clone(), reference, span: uses.span.clone() })
            })
            .collect()
    }

    /// The distinct waivers files as written, relative to the workflow's folder, and where each stands first.
    pub fn waivers_files(&self) -> Vec<(String, Span)> {
        let mut seen = BTreeSet::new();
        let files = self.tasks.iter().filter_map(|task| match &task.work {
            Work::Gate(gate) => gate.waivers.as_ref(),
            _ => None,
        });
        files.filter(|(path, _)| seen.insert(path)).cloned().collect()
    }

    /// The distinct workflow files that its tasks run. [`crate::load`] reads them, and those that they run.
    pub fn nested_files(&self) -> Vec<NamedFile> {
        let mut seen = BTreeSet::new();
        let nested = self.tasks.iter().filter_map(|task| match &task.work {
            Work::Workflow(nested) => Some(nested),
            _ => None,
        });
        let distinct = nested.filter(|nested| seen.insert(&nested.file));
        distinct.map(|nested| NamedFile { path: nested.file.clone(), span: nested.span.clone() }).collect()
    }

    /// The tasks, what takes them back, and what runs at the end.
    pub(crate) fn every(&self) -> impl Iterator<Item = &Task> {
        let tasks = self.tasks.iter().flat_map(|task| [Some(task), task.undo.as_deref()].into_iter().flatten());
        tasks.chain(&self.on_failure).chain(&self.finally)
    }

    /// Every task with its needs, each after what it needs.
    pub fn graph(&self) -> Vec<(&TaskId, Vec<&TaskId>)> {
        let tasks = self.order.iter().map(|index| &self.tasks[*index]);
        tasks.map(|task| (&task.id, task.needs.iter().map(|(need, _)| need).collect())).collect()
    }
}

/// Reads a workflow. It is there only without errors; warnings may come with it.
pub fn parse(source: &Source) -> (Option<Workflow>, Vec<Diagnostic>) {
    let (tree, found) = yaml::read(source);
    let mut reader = Reader::new(source, found);
    let workflow = tree.and_then(|tree| workflow(&mut reader, &tree));
    let usable = !reader.failed();
    (workflow.filter(|_| usable), reader.finish())
}

fn workflow(reader: &mut Reader<'_>, tree: &Node) -> Option<Workflow> {
    let fields = reader.fields(tree, &WORKFLOW)?;
    reader.schema(&fields, "a workflow", SCHEMA);
    let name = reader.require(&fields, "name", "a workflow").and_then(|node| name(reader, node));
    let description = fields.get("description").and_then(|node| reader.text(node, "description"));
    let labels = fields.get("labels").map(|node| {
        let mut labels = BTreeMap::new();
        for (key, value) in reader.entries(node, "labels") {
            if let Some(value) = reader.text(value, "labels") {
                labels.insert(key.text.clone(), value);
            }
        }
        labels
    });
    let priority = fields.get("priority").and_then(|node| reader.within(node, "priority", 0..=100));
    let timeout = fields.get("timeout").and_then(|node| retry::whole_timeout(reader, node));
    let secrets = fields.get("secrets").map(|node| admission::secrets(reader, node)).unwrap_or_default();
    let concurrency = fields.get("concurrency").and_then(|node| admission::concurrency(reader, node));
    let defaults = fields.get("defaults").map(|node| defaults(reader, node)).unwrap_or_default();
    let mut hooks = |what| fields.get(what).map(|node| hooks::list(reader, what, node)).unwrap_or_default();
    let (on_failure, finally) = (hooks("on-failure"), hooks("finally"));
    let outermost = OUTERMOST.iter().filter_map(|name| Some((*name, fields.entry(name)?.0.span.clone()))).collect();
    let inputs = fields.get("inputs").map(|node| read_inputs(reader, node)).unwrap_or_default();
    let outputs = fields.get("outputs").map(|node| tasks::outputs(reader, node)).unwrap_or_default();
    let tasks = match reader.require(&fields, "tasks", "a workflow") {
        Some(node) => read_tasks(reader, node)?,
        None => return None,
    };
    let mut workflow = Workflow {
        name: name.unwrap_or_default(),
        description,
        labels: labels.unwrap_or_default(),
        priority: priority.and_then(|priority| u8::try_from(priority).ok()),
        timeout,
        inputs,
        secrets,
        concurrency,
        defaults,
        tasks,
        on_failure,
        finally,
        outermost,
        order: Vec::new(),
        outputs,
    };
    merges(reader, &workflow);
    links::check(reader, &mut workflow);
    Some(workflow)
}

fn name(reader: &mut Reader<'_>, node: &Node) -> Option<String> {
    let name = reader.text(node, "name")?;
    let reason = match &name {
        name if name.trim().is_empty() => "it is empty".to_owned(),
        name if name.chars().count() > LONGEST_NAME => format!("it has more than {LONGEST_NAME} characters"),
        name if orch_core::visible(name) != name.as_str() => "it holds characters that cannot be seen".to_owned(),
        _ => return Some(name),
    };
    reader.error(Code::InvalidName, &node.span, format!("`{}` is no name of a workflow: {reason}", shown(&name)));
    None
}

fn defaults(reader: &mut Reader<'_>, node: &Node) -> Defaults {
    let Some(fields) = reader.fields(node, &DEFAULTS) else { return Defaults::default() };
    let mut flag = |name: &str| fields.get(name).and_then(|node| reader.boolean(node, name)).unwrap_or(false);
    let (cache, continue_on_error) = (flag("cache"), flag("continue-on-error"));
    Defaults {
        timeout: fields.get("timeout").and_then(|node| retry::timeout(reader, node)),
        retry: fields.get("retry").and_then(|node| retry::read(reader, node)),
        limits: fields.get("limits").map(|node| tasks::limits(reader, node)).unwrap_or_default(),
        cache,
        continue_on_error,
    }
}

/// Whether what tasks say fits what `defaults` says.
fn merges(reader: &mut Reader<'_>, workflow: &Workflow) {
    let Defaults { timeout, retry, .. } = &workflow.defaults;
    let mut problem = |code, span: &Span, message: String| reader.error(code, span, message);
    retry::merged(None, retry.as_ref(), &mut problem);
    retry::merged_timeout(None, timeout.as_ref(), &mut problem);
    for task in workflow.every().filter(|task| matches!(task.work, Work::Uses(_))) {
        if task.retry.is_some() {
            retry::merged(task.retry.as_ref(), retry.as_ref(), &mut problem);
        }
        if task.timeout.is_some() {
            retry::merged_timeout(task.timeout.as_ref(), timeout.as_ref(), &mut problem);
        }
    }
}

fn read_inputs(reader: &mut Reader<'_>, node: &Node) -> Vec<Input> {
    let entries = reader.entries(node, "inputs");
    if entries.len() > MOST_INPUTS {
        let message = format!("there are {} inputs, at most {MOST_INPUTS} are allowed", entries.len());
        reader.error(Code::TooMany, &node.span, message);
        return Vec::new();
    }
    let mut inputs = Vec::with_capacity(entries.len());
    for (key, value) in entries {
        if let Some(name) = reader.checked_name::<InputName>(&key.text, &key.span) {
            inputs.extend(inputs::read(reader, name, value));
        }
    }
    inputs
}

fn read_tasks(reader: &mut Reader<'_>, node: &Node) -> Option<Vec<Task>> {
    let entries = reader.entries(node, "tasks");
    if !matches!(node.kind, Kind::Map(_)) {
        return None;
    }
    if entries.is_empty() {
        reader.error(Code::MissingKey, &node.span, "a workflow needs a task");
    }
    if entries.len() > MOST_TASKS {
        let message = format!("there are {} tasks, at most {MOST_TASKS} are allowed", entries.len());
        reader.error(Code::TooMany, &(node.span.start..node.span.start), message);
        return None;
    }
    let mut tasks = Vec::with_capacity(entries.len());
    for (key, value) in entries {
        if let Some(name) = reader.checked_name::<TaskName>(&key.text, &key.span) {
            tasks.push(tasks::read(reader, &name, key.span.clone(), value));
        }
    }
    Some(tasks)
}
