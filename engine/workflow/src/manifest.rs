//! `plugin.yaml`: what a plugin says of itself, as its author writes it. The schemas of its tasks may be left out there, when
//! the component describes itself.

use crate::read::{Fields, Keys, Reader};
use crate::rules;
use crate::workflow::{ACCESSES, limits};
use crate::yaml::{self, Kind, Node};
use orch_core::{
    ArtifactAsk, Ask, BucketName, Code, Diagnostic, EnvAsk, ExecAsk, ExecName, FindingsAsk, FsAsk, HeaderName,
    InvalidName, KvAsk, LimitsRequest, Manifest, NetAsk, PluginName, PluginTaskName, SecretAsk, Source, TaskManifest,
};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

const MOST_TASKS: usize = 1_000;
const LONGEST_TEXT: usize = 2_000;
/// Things of one kind that a plugin asks for: somebody has to read and grant them.
const MOST_ASKED: usize = 1_000;

pub(crate) const FILE: Keys = Keys {
    of: "a plugin manifest",
    known: &["schema", "name", "version", "description", "license", "component", "tasks", "permissions", "limits"],
    later: &["world", "language", "build", "homepage", "repository", "authors", "secrets"],
};
pub(crate) const TASK: Keys = Keys {
    of: "a plugin's task",
    known: &["description", "idempotent", "input", "output"],
    later: &["permissions", "limits"],
};
pub(crate) const PERMISSIONS: Keys = Keys {
    of: "`permissions`",
    known: &["fs", "net", "env", "secrets", "exec", "kv", "artifacts", "findings"],
    // Real time and numbers are had without asking; a workflow or a policy can fix them.
    later: &["clock", "random"],
};
pub(crate) const FS: Keys =
    Keys { of: "an asked folder", known: &["mount", "access", "reason", "optional"], later: &[] };
pub(crate) const NET: Keys = Keys {
    of: "an asked connection",
    known: &["scheme", "host", "ports", "methods", "paths", "reason", "optional"],
    later: &[],
};
pub(crate) const SECRET: Keys =
    Keys { of: "an asked secret", known: &["name", "audience", "inject", "reveal", "reason", "optional"], later: &[] };
pub(crate) const INJECT: Keys = Keys { of: "`inject`", known: &["header"], later: &["query", "body"] };
pub(crate) const EXEC: Keys =
    Keys { of: "an asked program", known: &["alias", "slots", "reason", "optional"], later: &["program", "args"] };
pub(crate) const KV: Keys =
    Keys { of: "an asked bucket", known: &["bucket", "quota", "reason", "optional"], later: &[] };
pub(crate) const FINDINGS: Keys = Keys { of: "asked findings", known: &["reason", "optional"], later: &[] };
pub(crate) const NAMED: Keys = Keys { of: "an asked name", known: &["name", "reason", "optional"], later: &["quota"] };

/// A manifest as written.
#[derive(Debug, Clone, PartialEq)]
pub struct ManifestSource {
    /// `namespace/name`
    pub name: PluginName,
    /// Semantic version.
    pub version: semver::Version,
    /// One or two sentences.
    pub description: String,
    /// An SPDX expression.
    pub license: String,
    /// The file that is the plugin, where there is nothing to build: a component, or a WASI preview 1 module.
    pub component: Option<String>,
    /// What it can do.
    pub tasks: BTreeMap<PluginTaskName, TaskSource>,
    /// The most it will ever ask for.
    pub permissions: Ask,
    /// Limits it would like to have.
    pub limits: LimitsRequest,
}

/// One task as written.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskSource {
    /// One or two sentences.
    pub description: String,
    /// Whether running it twice does no more than running it once.
    pub idempotent: bool,
    /// JSON Schema of what it takes.
    pub input: Option<Value>,
    /// JSON Schema of what it returns.
    pub output: Option<Value>,
}

impl ManifestSource {
    /// The whole manifest; schemas that the file leaves out come from what the component says of itself, by task.
    ///
    /// # Errors
    /// When a schema is in neither, is no JSON Schema, or the component describes a task that the file does not have.
    pub fn complete(self, described: &BTreeMap<String, (Value, Value)>) -> Result<Manifest, String> {
        if let Some(extra) = described.keys().find(|name| !self.tasks.contains_key(name.as_str())) {
            let extra = crate::read::shown(extra);
            return Err(format!("the component has the task `{extra}`, which plugin.yaml does not name"));
        }
        let mut tasks = BTreeMap::new();
        for (name, task) in self.tasks {
            let found = described.get(name.as_str());
            let missing = |what: &str| {
                format!("the task `{name}` has no {what} schema, neither in plugin.yaml nor in the component")
            };
            let input = task.input.or_else(|| found.map(|(input, _)| input.clone())).ok_or_else(|| missing("input"))?;
            let output =
                task.output.or_else(|| found.map(|(_, output)| output.clone())).ok_or_else(|| missing("output"))?;
            for (what, schema) in [("input", &input), ("output", &output)] {
                crate::plan::validator(schema)
                    .map_err(|error| format!("the {what} schema of the task `{name}` is not valid: {error}"))?;
            }
            tasks.insert(
                name,
                TaskManifest { description: task.description, idempotent: task.idempotent, input, output },
            );
        }
        Ok(Manifest {
            schema: Manifest::SCHEMA.to_owned(),
            name: self.name,
            version: self.version,
            description: self.description,
            license: self.license,
            tasks,
            permissions: self.permissions,
            limits: self.limits,
        })
    }
}

/// Reads a `plugin.yaml`.
pub fn parse_manifest(source: &Source) -> (Option<ManifestSource>, Vec<Diagnostic>) {
    let (tree, found) = yaml::read(source);
    let mut reader = Reader::new(source, found);
    let manifest = tree.and_then(|tree| read(&mut reader, &tree));
    let usable = !reader.failed();
    (manifest.filter(|_| usable), reader.finish())
}

fn read(reader: &mut Reader<'_>, tree: &Node) -> Option<ManifestSource> {
    let of = "a plugin manifest";
    let fields = reader.fields(tree, &FILE)?;
    reader.schema(&fields, of, Manifest::SCHEMA);
    let name = reader.require(&fields, "name", of).and_then(|node| reader.name(node, "name"));
    let version = reader.require(&fields, "version", of).and_then(|node| {
        let text = reader.text(node, "version")?;
        match semver::Version::parse(&text) {
            Ok(version) => Some(version),
            Err(error) => {
                let message = format!("`{}` is no version: {error}", crate::read::shown(&text));
                reader.error_help(Code::WrongType, &node.span, message, "write three numbers, as in `1.0.0`");
                None
            }
        }
    });
    let description = said(reader, &fields, "description", of);
    let license = said(reader, &fields, "license", of);
    let component = fields.get("component").and_then(|node| reader.text(node, "component"));
    let permissions = fields.get("permissions").map(|node| permissions(reader, node)).unwrap_or_default();
    let limits = fields.get("limits").map(|node| limits(reader, node)).unwrap_or_default();
    let tasks = reader.require(&fields, "tasks", of).map(|node| tasks(reader, node))?;
    Some(ManifestSource {
        name: name?,
        version: version?,
        description: description?,
        license: license?,
        component,
        tasks,
        permissions,
        limits,
    })
}

/// Text that must be there, is not empty, and is not a book.
fn said(reader: &mut Reader<'_>, fields: &Fields<'_>, name: &str, of: &str) -> Option<String> {
    let node = reader.require(fields, name, of)?;
    let text = reader.text(node, name)?;
    if text.trim().is_empty() {
        reader.error(Code::WrongType, &node.span, format!("`{name}` is empty"));
        return None;
    }
    if text.len() > LONGEST_TEXT {
        let message = format!("`{name}` has {} bytes, at most {LONGEST_TEXT} are allowed", text.len());
        reader.error(Code::WrongType, &node.span, message);
        return None;
    }
    Some(text)
}

fn tasks(reader: &mut Reader<'_>, node: &Node) -> BTreeMap<PluginTaskName, TaskSource> {
    let entries = reader.entries(node, "tasks");
    if entries.is_empty() && matches!(node.kind, Kind::Map(_)) {
        reader.error(Code::MissingKey, &node.span, "a plugin needs a task");
    }
    if entries.len() > MOST_TASKS {
        let message = format!("there are {} tasks, at most {MOST_TASKS} are allowed", entries.len());
        reader.error(Code::TooMany, &(node.span.start..node.span.start), message);
        return BTreeMap::new();
    }
    let mut tasks = BTreeMap::new();
    for (key, value) in entries {
        let name = reader.checked_name::<PluginTaskName>(&key.text, &key.span);
        let Some(fields) = reader.fields(value, &TASK) else { continue };
        let description = said(reader, &fields, "description", "a plugin's task").unwrap_or_default();
        let idempotent = fields.get("idempotent").and_then(|node| reader.boolean(node, "idempotent")).unwrap_or(false);
        let mut schema = |name: &str| {
            let node = fields.get(name)?;
            if !matches!(node.kind, Kind::Map(_) | Kind::Bool(_)) {
                let message = format!("`{name}` is a JSON Schema, not {}", node.kind.word());
                reader.error(Code::WrongType, &node.span, message);
                return None;
            }
            let schema = json(node);
            if let Err(error) = crate::plan::validator(&schema) {
                reader.error(Code::WrongType, &node.span, format!("`{name}` is no valid JSON Schema: {error}"));
            }
            Some(schema)
        };
        let (input, output) = (schema("input"), schema("output"));
        if let Some(name) = name {
            tasks.insert(name, TaskSource { description, idempotent, input, output });
        }
    }
    tasks
}

/// A node as JSON, without expressions.
fn json(node: &Node) -> Value {
    match &node.kind {
        Kind::Null => Value::Null,
        Kind::Bool(value) => Value::from(*value),
        Kind::Int { value, .. } => Value::from(*value),
        Kind::Float { value, .. } => Value::from(*value),
        Kind::Text(text) => Value::from(text.as_str()),
        Kind::Seq(items) => items.iter().map(json).collect(),
        Kind::Map(entries) => {
            Value::Object(entries.iter().map(|(key, value)| (key.text.clone(), json(value))).collect::<Map<_, _>>())
        }
    }
}

fn permissions(reader: &mut Reader<'_>, node: &Node) -> Ask {
    let mut ask = Ask::default();
    let Some(fields) = reader.fields(node, &PERMISSIONS) else { return ask };
    for item in asked(reader, &fields, "fs") {
        let of = "an asked folder";
        let Some(fields) = reader.fields(item, &FS) else { continue };
        let mount = reader.require(&fields, "mount", of).and_then(|node| reader.name(node, "mount"));
        let access = reader.require(&fields, "access", of).and_then(|node| reader.choice(node, "access", ACCESSES));
        let reason = said(reader, &fields, "reason", of);
        let optional = fields.get("optional").and_then(|node| reader.boolean(node, "optional")).unwrap_or(false);
        if let (Some(mount), Some(access), Some(reason)) = (mount, access, reason) {
            let item_span = &item.span;
            match ask.fs.iter().any(|other| other.mount == mount) {
                true => reader.error(Code::Contradiction, item_span, format!("the mount `{mount}` is asked for twice")),
                false => ask.fs.push(FsAsk { mount, access, reason, optional }),
            }
        }
    }
    for (name, reason, optional) in named(reader, &fields, "env") {
        ask.env.push(EnvAsk { name, reason, optional });
    }
    for (name, reason, optional) in named(reader, &fields, "artifacts") {
        ask.artifacts.push(ArtifactAsk { name, reason, optional });
    }
    if let Some(fields) = fields.get("findings").and_then(|node| reader.fields(node, &FINDINGS)) {
        let (reason, optional) = why(reader, &fields, FINDINGS.of);
        ask.findings = reason.map(|reason| FindingsAsk { reason, optional });
    }
    for item in asked(reader, &fields, "net") {
        let Some(fields) = reader.fields(item, &NET) else { continue };
        let rule = rules::net_rule(reader, &fields, rules::Says::Manifest);
        let (reason, optional) = why(reader, &fields, NET.of);
        if let (Some(rule), Some(reason)) = (rule, reason) {
            let ask_of = |one: &NetAsk| one.rule == rule;
            match ask.net.iter().any(ask_of) {
                true => twice(reader, item, &format!("`{rule}`")),
                false => ask.net.push(NetAsk { rule, reason, optional }),
            }
        }
    }
    for item in asked(reader, &fields, "secrets") {
        let Some(secret) = secret(reader, item) else { continue };
        match ask.secrets.iter().any(|other| other.name == secret.name) {
            true => twice(reader, item, &format!("the secret `{}`", secret.name)),
            false => ask.secrets.push(secret),
        }
    }
    for item in asked(reader, &fields, "exec") {
        let Some(fields) = reader.fields(item, &EXEC) else { continue };
        let alias: Option<ExecName> =
            reader.require(&fields, "alias", EXEC.of).and_then(|node| reader.name(node, "alias"));
        let slots = match fields.get("slots") {
            None => Vec::new(),
            Some(node) => {
                let items = reader.items(node, "slots");
                rules::distinct(reader, items, "slots")
            }
        };
        let (reason, optional) = why(reader, &fields, EXEC.of);
        if let (Some(alias), Some(reason)) = (alias, reason) {
            match ask.exec.iter().any(|other| other.alias == alias) {
                true => twice(reader, item, &format!("the program `{alias}`")),
                false => ask.exec.push(ExecAsk { alias, slots, reason, optional }),
            }
        }
    }
    for item in asked(reader, &fields, "kv") {
        let Some(fields) = reader.fields(item, &KV) else { continue };
        let bucket: Option<BucketName> =
            reader.require(&fields, "bucket", KV.of).and_then(|node| reader.name(node, "bucket"));
        let quota = reader.require(&fields, "quota", KV.of).and_then(|node| reader.quantity(node, "quota"));
        let (reason, optional) = why(reader, &fields, KV.of);
        if let (Some(bucket), Some(quota), Some(reason)) = (bucket, quota, reason) {
            match ask.kv.iter().any(|other| other.bucket == bucket) {
                true => twice(reader, item, &format!("the bucket `{bucket}`")),
                false => ask.kv.push(KvAsk { bucket, quota, reason, optional }),
            }
        }
    }
    ask
}

fn why(reader: &mut Reader<'_>, fields: &Fields<'_>, of: &str) -> (Option<String>, bool) {
    let reason = said(reader, fields, "reason", of);
    (reason, fields.get("optional").and_then(|node| reader.boolean(node, "optional")).unwrap_or(false))
}

fn twice(reader: &mut Reader<'_>, item: &Node, what: &str) {
    reader.error(Code::Contradiction, &item.span, format!("{what} is asked for twice"));
}

fn secret(reader: &mut Reader<'_>, item: &Node) -> Option<SecretAsk> {
    let fields = reader.fields(item, &SECRET)?;
    let name = reader.require(&fields, "name", SECRET.of).and_then(|node| reader.name(node, "name"));
    let mut audience = Vec::new();
    if let Some(node) = fields.get("audience") {
        for item in reader.items(node, "audience") {
            let Some(fields) = reader.fields(item, &rules::NET) else { continue };
            audience.extend(rules::net_rule(reader, &fields, rules::Says::Manifest));
        }
    }
    let header = fields.get("inject").and_then(|node| {
        let fields = reader.fields(node, &INJECT)?;
        let node = reader.require(&fields, "header", INJECT.of)?;
        let text = reader.text(node, "header")?;
        rules::checked::<HeaderName>(reader, &text, &node.span)
    });
    let reveal = fields.get("reveal").and_then(|node| reader.boolean(node, "reveal")).unwrap_or(false);
    let (reason, optional) = why(reader, &fields, SECRET.of);
    if header.is_some() == audience.is_empty() {
        let message = "`inject` says in which header a secret travels, and `audience` to whom: one needs the other";
        reader.error(Code::Contradiction, &item.span, message);
        return None;
    }
    Some(SecretAsk { name: name?, audience, header, reveal, reason: reason?, optional })
}

fn asked<'n>(reader: &mut Reader<'_>, fields: &Fields<'n>, kind: &str) -> &'n [Node] {
    let Some(node) = fields.get(kind) else { return &[] };
    let items = reader.items(node, kind);
    if items.len() > MOST_ASKED {
        let message = format!("the plugin asks for {} of `{kind}`, at most {MOST_ASKED} are allowed", items.len());
        reader.error(Code::TooMany, &node.span, message);
        return &[];
    }
    items
}

fn named<T>(reader: &mut Reader<'_>, fields: &Fields<'_>, kind: &str) -> Vec<(T, String, bool)>
where
    T: for<'a> TryFrom<&'a str, Error = InvalidName> + PartialEq + std::fmt::Display,
{
    let mut all: Vec<(T, String, bool)> = Vec::new();
    for item in asked(reader, fields, kind) {
        let Some(fields) = reader.fields(item, &NAMED) else { continue };
        let name = reader.require(&fields, "name", NAMED.of).and_then(|node| reader.name::<T>(node, "name"));
        let reason = said(reader, &fields, "reason", NAMED.of);
        let optional = fields.get("optional").and_then(|node| reader.boolean(node, "optional")).unwrap_or(false);
        if let (Some(name), Some(reason)) = (name, reason) {
            match all.iter().any(|(other, ..)| *other == name) {
                true => reader.error(Code::Contradiction, &item.span, format!("`{name}` is asked for twice")),
                false => all.push((name, reason, optional)),
            }
        }
    }
    all
}
