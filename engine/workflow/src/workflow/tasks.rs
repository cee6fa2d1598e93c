//! Tasks: their keys, one by one. Whether names fit together is looked at afterwards, in `links`.

use super::gate::{self, Gate};
use super::hooks;
use super::keys::{FS_GRANT, KINDS, KV_GRANT, LIMITS, PERMISSIONS, SECRET_GRANT, TASK, USES_ONLY, WORKFLOW_TOO};
use super::nested::{self, Nested};
use super::people::{self, Approval};
use super::retry::{self, RetryWritten, Timeout};
use super::strategy::{self, EachWritten, Strategy};
use crate::expr::{EachKnown, Place, Template, Used, condition_text, parse_at};
use crate::read::{Fields, Reader};
use crate::reference::PluginReference;
use crate::rules;
use crate::yaml::{Kind, Node};
use orch_core::{
    Access, ArtifactName, Code, Entropy, EnvName, ExecGrant, KvGrant, LimitsRequest, MountName, NetRule, SecretName,
    Span, TaskId, TaskName,
};
use std::collections::HashSet;

/// What one task may need directly.
const MOST_NEEDS: usize = 1_000;
/// Grants of one kind of one task.
const MOST_GRANTS: usize = 1_000;

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
    pub(crate) timeout: Option<Timeout>,
    pub(crate) retry: Option<RetryWritten>,
    pub(crate) cache: Option<(bool, Span)>,
    pub(crate) strategy: Option<Strategy>,
    /// The task that takes back what this one did.
    pub(crate) undo: Option<Box<Task>>,
    pub(crate) work: Work,
}

impl Task {
    /// A task of which nothing is known yet.
    pub(crate) fn new(id: TaskId, span: Span) -> Task {
        Task {
            id,
            span,
            needs: Vec::new(),
            condition: None,
            decides_itself: false,
            continue_on_error: None,
            timeout: None,
            retry: None,
            cache: None,
            strategy: None,
            undo: None,
            work: Work::Unknown,
        }
    }

    /// Every expression of the task but its condition, with the place where it stands.
    pub(crate) fn expressions(&self, visit: &mut dyn FnMut(Place, &Used)) {
        match self.strategy.as_ref().map(|strategy| &strategy.each) {
            Some(EachWritten::Matrix(matrix)) => matrix.used().for_each(|used| visit(Place::Axis, used)),
            Some(EachWritten::Items { used, .. }) => used.iter().for_each(|used| visit(Place::ForEach, used)),
            Some(EachWritten::Unknown) | None => {}
        }
        match &self.work {
            Work::Uses(uses) => {
                uses.with.iter().flat_map(|with| &with.used).for_each(|used| visit(Place::With, used));
                uses.permissions
                    .fs
                    .iter()
                    .flat_map(|entry| &entry.used)
                    .for_each(|used| visit(Place::Permission, used));
                uses.outputs.iter().flat_map(|outputs| &outputs.used).for_each(|used| visit(Place::TaskOutput, used));
            }
            Work::Gate(gate) => gate.checks.iter().for_each(|check| visit(Place::Assert, &check.assert)),
            Work::Approval(approval) => approval.used.iter().for_each(|used| visit(Place::Prompt, used)),
            Work::Workflow(nested) => {
                nested.with.iter().flat_map(|given| &given.used).for_each(|used| visit(Place::With, used));
            }
            Work::Unknown => {}
        }
    }

    /// What its expressions know of the values that it runs for.
    pub(crate) fn each(&self) -> EachKnown<'_> {
        self.strategy.as_ref().map_or(EachKnown::Once, Strategy::known)
    }
}

#[derive(Debug, Clone)]
pub(crate) enum Work {
    Uses(Box<Uses>),
    Gate(Box<Gate>),
    Approval(Box<Approval>),
    Workflow(Box<Nested>),
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
    pub(crate) net: Vec<(NetRule, Span)>,
    pub(crate) env: Vec<(EnvName, Span)>,
    pub(crate) secrets: Vec<SecretEntry>,
    pub(crate) exec: Vec<(ExecGrant, Span)>,
    pub(crate) kv: Vec<(KvGrant, Span)>,
    pub(crate) artifacts: Vec<(ArtifactName, Span)>,
    pub(crate) clock: Entropy,
    pub(crate) random: Entropy,
}

/// A secret that a task grants: under which name the plugin knows it, and which one it is.
#[derive(Debug, Clone)]
pub(crate) struct SecretEntry {
    pub(crate) name: SecretName,
    pub(crate) from: SecretName,
    pub(crate) reveal: bool,
    pub(crate) audience: Vec<NetRule>,
    pub(crate) span: Span,
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

/// Reads one task.
pub(crate) fn read(reader: &mut Reader<'_>, name: &TaskName, span: Span, node: &Node) -> Task {
    let mut task = Task::new(name.clone().into(), span);
    let Some(fields) = reader.fields(node, &TASK) else { return task };
    task.needs = fields.get("needs").map(|node| needs(reader, node)).unwrap_or_default();
    common(reader, &fields, &mut task);
    task.cache = fields.get("cache").and_then(|node| Some((reader.boolean(node, "cache")?, node.span.clone())));
    let kinds: Vec<_> = KINDS.iter().filter_map(|kind| fields.entry(kind)).collect();
    match kinds.as_slice() {
        [] => {
            // A key that is not supported yet may well be what the task is, and has its own error.
            if !TASK.later.iter().any(|key| fields.get(key).is_some()) {
                let message = format!("the task `{}` says nothing to do", task.id);
                let help = "add `uses`, `gate`, `approval` or `workflow`";
                reader.error_help(Code::MissingKey, &task.span, message, help);
            }
        }
        [(kind, node)] => work(reader, &fields, &kind.text, node, name, &mut task),
        [(first, _), others @ ..] => {
            for (key, _) in others {
                let message = format!("the task `{}` has both `{}` and `{}`", task.id, first.text, key.text);
                reader.error_help(Code::Contradiction, &key.span, message, "make two tasks of it");
            }
        }
    }
    task
}

/// The keys that tasks and hooks share.
pub(crate) fn common(reader: &mut Reader<'_>, fields: &Fields<'_>, task: &mut Task) {
    task.condition = fields.get("if").and_then(|node| condition(reader, node, "if"));
    task.continue_on_error = fields.get("continue-on-error").and_then(|node| reader.boolean(node, "continue-on-error"));
    task.timeout = fields.get("timeout").and_then(|node| retry::timeout(reader, node));
    task.retry = fields.get("retry").and_then(|node| retry::read(reader, node));
}

fn work(reader: &mut Reader<'_>, fields: &Fields<'_>, kind: &str, node: &Node, name: &TaskName, task: &mut Task) {
    let (subject, reason, allowed): (_, _, &[&str]) = match kind {
        "gate" => ("a gate runs no plugin, so it", "", &[]),
        "approval" => ("an approval runs no plugin, so it", "", &[]),
        "workflow" => ("a task that runs a workflow", ": the tasks of that file have their own", WORKFLOW_TOO),
        _ => ("", "", USES_ONLY),
    };
    for refused in USES_ONLY.iter().filter(|key| !allowed.contains(key)) {
        if let Some((key, _)) = fields.entry(refused) {
            reader.error(Code::Contradiction, &key.span, format!("{subject} takes no `{refused}`{reason}"));
        }
    }
    match kind {
        "gate" => task.work = Work::Gate(Box::new(gate::read(reader, node))),
        "approval" => task.work = people::read(reader, node).map_or(Work::Unknown, |it| Work::Approval(Box::new(it))),
        "workflow" => {
            task.work =
                nested::read(reader, fields, node, name).map_or(Work::Unknown, |it| Work::Workflow(Box::new(it)));
            nested::check_timeout(reader, task.timeout.as_ref());
        }
        _ => {
            task.work = uses(reader, fields, node);
            task.strategy = strategy::read(reader, fields);
            task.undo = fields.get("undo").and_then(|node| hooks::undo(reader, name, node)).map(Box::new);
        }
    }
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
        let Some(id) = reader.name::<TaskName>(item, "needs").map(TaskId::from) else { continue };
        if seen.insert(id.clone()) {
            needs.push((id, item.span.clone()));
        } else {
            reader.error(Code::Contradiction, &item.span, format!("`{id}` stands twice in `needs`"));
        }
    }
    needs
}

pub(crate) fn condition(reader: &mut Reader<'_>, node: &Node, what: &str) -> Option<Used> {
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

pub(crate) fn uses(reader: &mut Reader<'_>, fields: &Fields<'_>, node: &Node) -> Work {
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

pub(crate) fn permissions(reader: &mut Reader<'_>, span: Span, node: &Node) -> Permissions {
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
    if let Some(node) = fields.get("net") {
        for item in grants(reader, node, "net") {
            let Some(fields) = reader.fields(item, &rules::NET) else { continue };
            let rule = rules::net_rule(reader, &fields, rules::Says::Workflow);
            permissions.net.extend(rule.map(|rule| (rule, item.span.clone())));
        }
    }
    if let Some(node) = fields.get("secrets") {
        for item in grants(reader, node, "secrets") {
            let entry = secret_entry(reader, item);
            once(
                reader,
                &mut permissions.secrets,
                entry,
                |one, other| one.name == other.name,
                |entry| (format!("the secret `{}`", entry.name), entry.span.clone()),
            );
        }
    }
    if let Some(node) = fields.get("exec") {
        for item in grants(reader, node, "exec") {
            let entry = rules::exec_grant(reader, item).map(|grant| (grant, item.span.clone()));
            once(
                reader,
                &mut permissions.exec,
                entry,
                |one, other| one.0.alias == other.0.alias,
                |entry| (format!("the program `{}`", entry.0.alias), entry.1.clone()),
            );
        }
    }
    if let Some(node) = fields.get("kv") {
        for item in grants(reader, node, "kv") {
            let entry = kv_entry(reader, item).map(|grant| (grant, item.span.clone()));
            once(
                reader,
                &mut permissions.kv,
                entry,
                |one, other| one.0.bucket == other.0.bucket,
                |entry| (format!("the bucket `{}`", entry.0.bucket), entry.1.clone()),
            );
        }
    }
    let mut entropy = |key: &str| fields.get(key).and_then(|node| reader.choice(node, key, rules::ENTROPIES));
    permissions.clock = entropy("clock").unwrap_or_default();
    permissions.random = entropy("random").unwrap_or_default();
    permissions
}

/// Keeps a grant, unless there is one for the same.
fn once<T>(
    reader: &mut Reader<'_>,
    all: &mut Vec<T>,
    entry: Option<T>,
    same: impl Fn(&T, &T) -> bool,
    named: impl Fn(&T) -> (String, Span),
) {
    let Some(entry) = entry else { return };
    if all.iter().any(|other| same(other, &entry)) {
        let (what, span) = named(&entry);
        reader.error(Code::Contradiction, &span, format!("{what} is granted twice"));
    } else {
        all.push(entry);
    }
}

fn secret_entry(reader: &mut Reader<'_>, node: &Node) -> Option<SecretEntry> {
    let fields = reader.fields(node, &SECRET_GRANT)?;
    let name: SecretName =
        reader.require(&fields, "name", SECRET_GRANT.of).and_then(|node| reader.name(node, "name"))?;
    let from = match fields.get("from") {
        Some(node) => reader.name(node, "from")?,
        None => name.clone(),
    };
    let reveal = fields.get("reveal").and_then(|node| reader.boolean(node, "reveal")).unwrap_or(false);
    let mut audience = Vec::new();
    if let Some(node) = fields.get("audience") {
        for item in grants(reader, node, "audience") {
            let Some(fields) = reader.fields(item, &rules::NET) else { continue };
            audience.push(rules::net_rule(reader, &fields, rules::Says::Workflow)?);
        }
        if audience.is_empty() {
            let message = "the secret would be for nobody";
            reader.error_help(
                Code::Contradiction,
                &node.span,
                message,
                "name the hosts that it is for, or leave `audience` out",
            );
            return None;
        }
    }
    Some(SecretEntry { name, from, reveal, audience, span: node.span.clone() })
}

fn kv_entry(reader: &mut Reader<'_>, node: &Node) -> Option<KvGrant> {
    let fields = reader.fields(node, &KV_GRANT)?;
    let bucket = reader.require(&fields, "bucket", KV_GRANT.of).and_then(|node| reader.name(node, "bucket"));
    let quota = fields.get("quota").and_then(|node| reader.quantity(node, "quota"));
    Some(KvGrant { bucket: bucket?, quota })
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
        limits.traffic = size("traffic");
        limits.exec_output = size("exec-output");
        let mut count = |name: &str| fields.get(name).and_then(|node| reader.count(node, name));
        limits.findings = count("findings");
        limits.requests = count("requests");
    }
    limits
}
