//! Whether a package keeps the rules. The binary is the truth: what it imports is compared with what its manifest asks for.

use crate::component::{Extern, Shape};
use crate::error::shown;
use crate::schema;
use orch_core::{Ask, Capability, Code, Manifest};
use serde::Serialize;
use std::collections::BTreeSet;

/// What is wrong with a package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Which rule.
    pub code: Code,
    /// One sentence in lower case, with the culprit in backticks.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
}

impl Problem {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Problem {
        Problem { code, message: message.into(), help: None }
    }

    fn help(mut self, help: impl Into<String>) -> Problem {
        self.help = Some(help.into());
        self
    }
}

const RUNNER: &str = "orch:task/runner";
/// What a program exports that knows nothing of this engine.
const PROGRAM: &str = "wasi:cli/run";
/// Interfaces of the contract with authority: linked when the manifest asks for this, as the line says.
const ASKED: [(&str, Capability, &str); 4] = [
    ("orch:task/artifacts", Capability::Artifacts, "artifacts: [{ name: …, reason: … }]"),
    (
        "orch:task/secrets",
        Capability::Secrets,
        "secrets: [{ name: …, audience: [{ host: … }], inject: { header: … }, reason: … }]",
    ),
    ("orch:task/state", Capability::Kv, "kv: [{ bucket: …, quota: …, reason: … }]"),
    ("orch:task/exec", Capability::Exec, "exec: [{ alias: …, reason: … }]"),
];
/// The contract's versions that this engine speaks begin so.
const CONTRACT: &str = "0.1.";
/// The versions of WASI that it links begin so.
const WASI: &str = "0.2.";

/// Interfaces of the contract without authority: linked for every plugin.
const PLAIN: [&str; 4] = ["orch:task/context", "orch:task/report", "orch:task/findings", "orch:task/task-types"];
/// WASI packages that are linked for every plugin and can do nothing without a grant.
const POWERLESS: [&str; 7] =
    ["wasi:io/", "wasi:clocks/", "wasi:random/", "wasi:cli/", "wasi:filesystem/", "wasi:sockets/", "wasi:http/"];

/// A list of plugin tasks that a person can still read.
const MOST_TASKS: usize = 100;
const LONGEST_DESCRIPTION: usize = 4_000;
const LONGEST_LICENSE: usize = 400;
const MOST_ASKS: usize = 200;

/// Everything that is wrong with a package; empty when it can be published.
pub fn validate(component: &[u8], manifest: &Manifest) -> Vec<Problem> {
    let shape = match Shape::read(component) {
        Ok(shape) => shape,
        Err(error) => return vec![Problem { code: error.code(), help: error.help(), message: error.to_string() }],
    };
    let mut problems = Vec::new();
    if let Err(error) = wasmparser::Validator::new().validate_all(component) {
        let message = format!("the component is not valid at byte {}: {}", error.offset(), shown(error.message()));
        problems.push(Problem::new(Code::InvalidComponent, message));
    }
    problems.extend(check_imports(&shape, manifest));
    problems.extend(check_manifest(manifest));
    problems
}

/// Compares what a component imports and exports with its manifest. Cheap: it is done at every start.
pub(crate) fn check_imports(shape: &Shape, manifest: &Manifest) -> Vec<Problem> {
    let mut problems: Vec<_> = shape.imports.iter().filter_map(|import| check_import(import, manifest)).collect();
    let runner = |export: &&Extern| export.name.strip_prefix(RUNNER).is_some_and(|rest| rest.starts_with('@'));
    let found: Vec<_> = shape.exports.iter().filter(runner).collect();
    // A plain program is run as such: its arguments are its input.
    let program = |export: &Extern| {
        let version = export.name.strip_prefix(PROGRAM).and_then(|rest| rest.strip_prefix('@'));
        export.instance && version.is_some_and(|version| version.starts_with(WASI))
    };
    if found.is_empty() && shape.exports.iter().any(program) {
        return problems;
    }
    if !found.iter().any(|export| export.instance && version_of(&export.name).starts_with(CONTRACT)) {
        let have = found.first().map_or_else(
            || names(shape.exports.iter().map(|export| export.name.as_str())),
            |export| format!("`{}`", shown(&export.name)),
        );
        problems.push(
            Problem::new(
                Code::InvalidComponent,
                format!("it does not export `{RUNNER}@{CONTRACT}x` (it exports {have})"),
            )
            .help("implement the interface `runner` of the world `orch:task/task`, or be a program (`wasi:cli/run`)"),
        );
    }
    problems
}

fn names<'a>(items: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<_> = items.take(5).map(|name| format!("`{}`", shown(name))).collect();
    if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
}

fn version_of(name: &str) -> &str {
    name.split_once('@').map_or("", |(_, version)| version)
}

fn check_import(import: &Extern, manifest: &Manifest) -> Option<Problem> {
    let name = import.name.as_str();
    let (interface, version) = name.split_once('@').unwrap_or((name, ""));
    let shown = shown(name);
    let missing = |reason: &str| Some(Problem::new(Code::MissingImport, format!("it imports `{shown}`, {reason}")));
    if !import.instance {
        return missing("which is no interface");
    }
    let asked = ASKED.iter().find(|(known, ..)| *known == interface);
    if let Some((_, kind, line)) = asked.filter(|_| version.starts_with(CONTRACT)) {
        return (!manifest.permissions.kinds().contains(kind)).then(|| {
            let message = format!("it imports `{shown}`, and its manifest asks for no `{}`", kind.word());
            Problem::new(Code::ManifestLies, message).help(format!("add to plugin.yaml: permissions: {{ {line} }}"))
        });
    }
    if asked.is_some() || PLAIN.contains(&interface) {
        return match version.starts_with(CONTRACT) {
            true => None,
            false => missing(&format!("and this version supports `{CONTRACT}x` of it")),
        };
    }
    if POWERLESS.iter().any(|package| interface.starts_with(package)) {
        return match version.starts_with(WASI) {
            true => None,
            false => missing(&format!("and this version supports `{WASI}x` of it")),
        };
    }
    missing("which this version does not have")
}

fn check_manifest(manifest: &Manifest) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut wrong = |message: String| problems.push(Problem::new(Code::InvalidManifest, message));
    if manifest.schema != Manifest::SCHEMA {
        wrong(format!("`schema` is `{}`, and this version knows `{}`", shown(&manifest.schema), Manifest::SCHEMA));
    }
    if !manifest.version.build.is_empty() {
        wrong(format!("the version `{}` has build metadata, which does not tell versions apart", manifest.version));
    }
    for (key, text, longest) in
        [("description", &manifest.description, LONGEST_DESCRIPTION), ("license", &manifest.license, LONGEST_LICENSE)]
    {
        if text.trim().is_empty() {
            wrong(format!("`{key}` is empty"));
        } else if text.len() > longest {
            wrong(format!("`{key}` has {} bytes, at most {longest} are allowed", text.len()));
        }
    }
    if manifest.tasks.is_empty() {
        wrong("`tasks` is empty: a plugin has at least one task".to_owned());
    }
    if manifest.tasks.len() > MOST_TASKS {
        wrong(format!("`tasks` has {} entries, at most {MOST_TASKS} are allowed", manifest.tasks.len()));
    }
    for (name, task) in &manifest.tasks {
        if task.description.len() > LONGEST_DESCRIPTION {
            wrong(format!(
                "`tasks.{name}.description` has {} bytes, at most {LONGEST_DESCRIPTION} are allowed",
                task.description.len()
            ));
        }
        for (key, value) in [("input", &task.input), ("output", &task.output)] {
            for reason in schema::problems(value) {
                wrong(format!("`tasks.{name}.{key}` is no usable JSON Schema: {reason}"));
            }
        }
    }
    for reason in repeated(&manifest.permissions) {
        wrong(reason);
    }
    problems
}

/// Items that are asked for twice: which of the two would count?
fn repeated(ask: &Ask) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let fs = ask.fs.iter().map(|item| format!("permissions.fs: {}", item.mount));
    let net = ask.net.iter().map(|item| format!("permissions.net: {}", item.rule));
    let env = ask.env.iter().map(|item| format!("permissions.env: {}", item.name));
    let secrets = ask.secrets.iter().map(|item| format!("permissions.secrets: {}", item.name));
    let exec = ask.exec.iter().map(|item| format!("permissions.exec: {}", item.alias));
    let kv = ask.kv.iter().map(|item| format!("permissions.kv: {}", item.bucket));
    let artifacts = ask.artifacts.iter().map(|item| format!("permissions.artifacts: {}", item.name));
    let mut problems: Vec<_> = fs
        .chain(net)
        .chain(env)
        .chain(secrets)
        .chain(exec)
        .chain(kv)
        .chain(artifacts)
        .filter(|item| !seen.insert(item.clone()))
        .map(|item| format!("`{item}` stands twice"))
        .collect();
    if seen.len() > MOST_ASKS {
        problems.push(format!("`permissions` has {} items, at most {MOST_ASKS} are allowed", seen.len()));
    }
    problems
}
