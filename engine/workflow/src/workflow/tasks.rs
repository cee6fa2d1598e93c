//! Tasks: their keys, one by one. Whether names fit together is looked at afterwards, in `links`.

use crate::expr::{Expr, Template, Used, condition_text, parse_at};
use crate::plan::BaselineRef;
use crate::read::{Fields, Reader, shown};
use crate::reference::PluginReference;
use crate::workflow::keys::{CHECK, FS_GRANT, GATE, LIMITS, PERMISSIONS, TASK, USES_ONLY};
use crate::yaml::{Kind, Node};
use orch_core::{Access, ArtifactName, Code, EnvName, LimitsRequest, MountName, Period, Span, TaskId};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// More would not be read by anybody, and each is evaluated over all findings.
const MOST_CHECKS: usize = 1_000;
/// What one task may need directly.
const MOST_NEEDS: usize = 1_000;
/// Grants of one kind of one task.
const MOST_GRANTS: usize = 1_000;

/// What a failed check does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnFail {
    /// Blocks the run.
    #[default]
    Block,
    /// Is shown.
    Warn,
}

/// A task as written.
#[derive(Debug, Clone)]
pub(crate) struct Task {
    pub(crate) id: TaskId,
    /// Of the key.
    pub(crate) span: Span,
    pub(crate) needs: Vec<(TaskId, Span)>,
    pub(crate) condition: Option<Used>,
    /// Whether the condition calls `success()`, `failure()` or `always()`; set by `links`.
    pub(crate) decides_itself: bool,
    pub(crate) continue_on_error: Option<bool>,
    pub(crate) timeout: Option<Period>,
    pub(crate) work: Work,
}

#[derive(Debug, Clone)]
pub(crate) enum Work {
    Uses(Box<Uses>),
    Gate(Box<Gate>),
    /// What it is could not be read; an error says so.
    Unknown,
}

#[derive(Debug, Clone)]
pub(crate) struct Uses {
    pub(crate) text: String,
    pub(crate) span: Span,
    pub(crate) reference: Option<PluginReference>,
    pub(crate) with: Option<With>,
    pub(crate) permissions: Permissions,
    pub(crate) limits: LimitsRequest,
    pub(crate) outputs: Option<OutputsOf>,
}

#[derive(Debug, Clone)]
pub(crate) struct With {
    pub(crate) node: Node,
    pub(crate) template: Template,
    pub(crate) used: Vec<Used>,
}

/// `outputs` of a task or a workflow.
#[derive(Debug, Clone, Default)]
pub(crate) struct OutputsOf {
    pub(crate) templates: Vec<(String, Template)>,
    pub(crate) used: Vec<Used>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Permissions {
    /// Of the key.
    pub(crate) span: Option<Span>,
    pub(crate) fs: Vec<FsEntry>,
    pub(crate) env: Vec<(EnvName, Span)>,
    pub(crate) artifacts: Vec<(ArtifactName, Span)>,
}

#[derive(Debug, Clone)]
pub(crate) struct FsEntry {
    pub(crate) mount: MountName,
    pub(crate) path: Template,
    pub(crate) path_span: Span,
    pub(crate) used: Vec<Used>,
    pub(crate) access: Access,
    pub(crate) span: Span,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Gate {
    pub(crate) baseline: Option<BaselineRef>,
    pub(crate) waivers: Option<(String, Span)>,
    pub(crate) checks: Vec<Check>,
}

#[derive(Debug, Clone)]
pub(crate) struct Check {
    pub(crate) id: String,
    pub(crate) assert: Used,
    pub(crate) on_fail: OnFail,
}

/// Reads one task.
pub(crate) fn read(reader: &mut Reader<'_>, id: TaskId, span: Span, node: &Node) -> Task {
    let mut task = Task {
        id,
        span,
        needs: Vec::new(),
        condition: None,
        decides_itself: false,
        continue_on_error: None,
        timeout: None,
        work: Work::Unknown,
    };
    let Some(fields) = reader.fields(node, &TASK) else { return task };
    task.needs = fields.get("needs").map(|node| needs(reader, node)).unwrap_or_default();
    task.condition = fields.get("if").and_then(|node| condition(reader, node, "if"));
    task.continue_on_error = fields.get("continue-on-error").and_then(|node| reader.boolean(node, "continue-on-error"));
    task.timeout = fields.get("timeout").and_then(|node| timeout(reader, node));
    task.work = match (fields.entry("uses"), fields.entry("gate")) {
        (Some(_), Some((key, _))) => {
            let message = format!("the task `{}` has both `uses` and `gate`", task.id);
            reader.error_help(Code::Contradiction, &key.span, message, "make two tasks of it");
            Work::Unknown
        }
        (None, None) => {
            // A key that is not supported yet may well be what the task is, and has its own error.
            if !TASK.later.iter().any(|key| fields.get(key).is_some()) {
                let message = format!("the task `{}` says nothing to do", task.id);
                reader.error_help(Code::MissingKey, &task.span, message, "add `uses` or `gate`");
            }
            Work::Unknown
        }
        (Some((_, node)), None) => uses(reader, &fields, node),
        (None, Some((_, node))) => {
            for name in USES_ONLY {
                if let Some((key, _)) = fields.entry(name) {
                    let message = format!("a gate runs no plugin, so it takes no `{name}`");
                    reader.error(Code::Contradiction, &key.span, message);
                }
            }
            Work::Gate(Box::new(gate(reader, node)))
        }
    };
    task
}

/// A duration that is not zero.
pub(crate) fn timeout(reader: &mut Reader<'_>, node: &Node) -> Option<Period> {
    let period: Period = reader.quantity(node, "timeout")?;
    if period.millis() == 0 {
        reader.error(Code::WrongType, &node.span, "a timeout of nothing would end every task at once");
        return None;
    }
    Some(period)
}

fn needs(reader: &mut Reader<'_>, node: &Node) -> Vec<(TaskId, Span)> {
    // One task without a list, as users know it.
    let single = std::slice::from_ref(node);
    let items = if matches!(node.kind, Kind::Text(_)) { single } else { reader.items(node, "needs") };
    if items.len() > MOST_NEEDS {
        let message = format!("the task needs {} others, at most {MOST_NEEDS} are allowed", items.len());
        reader.error(Code::TooMany, &node.span, message);
        return Vec::new();
    }
    let mut seen = HashSet::new();
    let mut needs = Vec::with_capacity(items.len());
    for item in items {
        let Some(id) = reader.name::<TaskId>(item, "needs") else { continue };
        if seen.insert(id.clone()) {
            needs.push((id, item.span.clone()));
        } else {
            reader.error(Code::Contradiction, &item.span, format!("`{id}` stands twice in `needs`"));
        }
    }
    needs
}

fn condition(reader: &mut Reader<'_>, node: &Node, what: &str) -> Option<Used> {
    let text = match &node.kind {
        // `if: true` needs no quotes.
        Kind::Bool(value) => value.to_string(),
        Kind::Text(text) => text.clone(),
        other => {
            reader.error(Code::WrongType, &node.span, format!("`{what}` is an expression, not {}", other.word()));
            return None;
        }
    };
    match condition_text(&text) {
        Ok(at) => parse_at(reader, &node.span, &text, &at),
        Err(flaw) => {
            reader.error(flaw.code, &node.span, flaw.message);
            None
        }
    }
}

fn uses(reader: &mut Reader<'_>, fields: &Fields<'_>, node: &Node) -> Work {
    let Some(text) = reader.text(node, "uses") else { return Work::Unknown };
    let reference = match PluginReference::parse(&text) {
        Ok(reference) => Some(reference),
        Err(problem) => {
            match problem.help {
                Some(help) => reader.error_help(problem.code, &node.span, problem.message, help),
                None => reader.error(problem.code, &node.span, problem.message),
            }
            None
        }
    };
    let with = fields.get("with").and_then(|node| {
        reader.entries(node, "with");
        if !matches!(node.kind, Kind::Map(_)) {
            return None;
        }
        let mut used = Vec::new();
        let template = Template::read(reader, node, &mut used);
        Some(With { node: node.clone(), template, used })
    });
    let permissions = fields.entry("permissions").map(|(key, node)| permissions(reader, key.span.clone(), node));
    let limits = fields.get("limits").map(|node| limits(reader, node)).unwrap_or_default();
    let outputs = fields.get("outputs").map(|node| outputs(reader, node));
    let span = node.span.clone();
    Work::Uses(Box::new(Uses {
        text,
        span,
        reference,
        with,
        permissions: permissions.unwrap_or_default(),
        limits,
        outputs,
    }))
}

/// `outputs: { name: value }`
pub(crate) fn outputs(reader: &mut Reader<'_>, node: &Node) -> OutputsOf {
    let mut outputs = OutputsOf::default();
    for (key, value) in reader.entries(node, "outputs") {
        // The same rule as for inputs, so that `tasks.a.outputs.name` can always be written.
        if reader.checked_name::<orch_core::InputName>(&key.text, &key.span).is_some() {
            let template = Template::read(reader, value, &mut outputs.used);
            outputs.templates.push((key.text.clone(), template));
        }
    }
    outputs
}

fn permissions(reader: &mut Reader<'_>, span: Span, node: &Node) -> Permissions {
    let mut permissions = Permissions { span: Some(span), ..Permissions::default() };
    let Some(fields) = reader.fields(node, &PERMISSIONS) else { return permissions };
    if let Some(node) = fields.get("fs") {
        for item in grants(reader, node, "fs") {
            let Some(entry) = fs_entry(reader, item) else { continue };
            if permissions.fs.iter().any(|other| other.mount == entry.mount) {
                let message = format!("the mount `{}` is granted twice", entry.mount);
                reader.error(Code::Contradiction, &entry.span, message);
            } else {
                permissions.fs.push(entry);
            }
        }
    }
    if let Some(node) = fields.get("env") {
        permissions.env = names(reader, node, "env");
    }
    if let Some(node) = fields.get("artifacts") {
        permissions.artifacts = names(reader, node, "artifacts");
    }
    permissions
}

fn grants<'n>(reader: &mut Reader<'_>, node: &'n Node, what: &str) -> &'n [Node] {
    let items = reader.items(node, what);
    if items.len() > MOST_GRANTS {
        let message = format!("the task grants {} of `{what}`, at most {MOST_GRANTS} are allowed", items.len());
        reader.error(Code::TooMany, &node.span, message);
        return &[];
    }
    items
}

fn names<T>(reader: &mut Reader<'_>, node: &Node, what: &str) -> Vec<(T, Span)>
where
    T: for<'a> TryFrom<&'a str, Error = orch_core::InvalidName> + PartialEq + std::fmt::Display,
{
    let mut names: Vec<(T, Span)> = Vec::new();
    for item in grants(reader, node, what) {
        let Some(name) = reader.name::<T>(item, what) else { continue };
        if names.iter().any(|(other, _)| *other == name) {
            reader.error(Code::Contradiction, &item.span, format!("`{name}` is granted twice"));
        } else {
            names.push((name, item.span.clone()));
        }
    }
    names
}

pub(crate) const ACCESSES: &[(&str, Access)] = &[("read", Access::Read), ("write", Access::Write)];

fn fs_entry(reader: &mut Reader<'_>, node: &Node) -> Option<FsEntry> {
    let fields = reader.fields(node, &FS_GRANT)?;
    let mount = reader.require(&fields, "mount", "a granted folder").and_then(|node| reader.name(node, "mount"));
    let access =
        reader.require(&fields, "access", "a granted folder").and_then(|node| reader.choice(node, "access", ACCESSES));
    let path_node = reader.require(&fields, "path", "a granted folder")?;
    reader.text(path_node, "path")?;
    let mut used = Vec::new();
    let path = match &path_node.kind {
        Kind::Text(_) => Template::read(reader, path_node, &mut used),
        Kind::Int { raw, .. } | Kind::Float { raw, .. } => Template::Literal(raw.as_str().into()),
        _ => return None,
    };
    Some(FsEntry {
        mount: mount?,
        path,
        path_span: path_node.span.clone(),
        used,
        access: access?,
        span: node.span.clone(),
    })
}

/// `limits` of a task, a manifest or a policy.
pub(crate) fn limits(reader: &mut Reader<'_>, node: &Node) -> LimitsRequest {
    let mut limits = LimitsRequest::default();
    if let Some(fields) = reader.fields(node, &LIMITS) {
        let mut size = |name: &str| fields.get(name).and_then(|node| reader.quantity(node, name));
        limits.memory = size("memory");
        limits.log = size("log");
        limits.output = size("output");
        limits.artifacts = size("artifacts");
        limits.findings = fields.get("findings").and_then(|node| reader.count(node, "findings"));
    }
    limits
}

fn gate(reader: &mut Reader<'_>, node: &Node) -> Gate {
    let mut gate = Gate::default();
    let Some(fields) = reader.fields(node, &GATE) else { return gate };
    gate.baseline = fields.get("baseline").and_then(|node| {
        let text = reader.text(node, "baseline")?;
        let is_run =
            (4..=32).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        match text.as_str() {
            "last-succeeded" => Some(BaselineRef::LastSucceeded),
            _ if is_run => Some(BaselineRef::Run(text)),
            _ => {
                let message = format!("`{}` is no baseline", shown(&text));
                let help = "write `last-succeeded` or the id of a run, at least 4 of its hexadecimal digits";
                reader.error_help(Code::WrongType, &node.span, message, help);
                None
            }
        }
    });
    gate.waivers = fields.get("waivers").and_then(|node| {
        let path = reader.text(node, "waivers")?;
        if path.is_empty() {
            reader.error(Code::WrongType, &node.span, "`waivers` is empty");
            return None;
        }
        Some((path, node.span.clone()))
    });
    let Some(list) = reader.require(&fields, "checks", "a gate") else { return gate };
    let items = reader.items(list, "checks");
    if items.is_empty() && matches!(list.kind, Kind::Seq(_)) {
        reader.error(Code::WrongType, &list.span, "a gate without checks lets everything through");
    }
    if items.len() > MOST_CHECKS {
        let message = format!("the gate has {} checks, at most {MOST_CHECKS} are allowed", items.len());
        reader.error(Code::TooMany, &list.span, message);
        return gate;
    }
    for item in items {
        let Some(fields) = reader.fields(item, &CHECK) else { continue };
        let id = reader.require(&fields, "id", "a check").and_then(|node| {
            let id = reader.name::<TaskId>(node, "id")?.to_string();
            if gate.checks.iter().any(|check| check.id == id) {
                reader.error(Code::Contradiction, &node.span, format!("the check `{id}` stands twice"));
            }
            Some(id)
        });
        let assert = reader.require(&fields, "assert", "a check").and_then(|node| condition(reader, node, "assert"));
        let on_fail = fields
            .get("on-fail")
            .and_then(|node| reader.choice(node, "on-fail", &[("block", OnFail::Block), ("warn", OnFail::Warn)]));
        if let (Some(id), Some(assert)) = (id, assert) {
            gate.checks.push(Check { id, assert, on_fail: on_fail.unwrap_or_default() });
        }
    }
    gate
}

impl Check {
    pub(crate) fn expr(&self) -> &Expr {
        &self.assert.expr
    }
}
