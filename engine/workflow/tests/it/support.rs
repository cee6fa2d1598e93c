//! What the tests share: one way into each part of the API.

use camino::Utf8Path;
use orch_core::{
    Access, ArtifactAsk, Ask, Digest, EnvAsk, FsAsk, Manifest, PluginName, PluginTaskName, Policy, Source, Sources,
    TaskManifest,
};
use orch_workflow::{Plan, PlanRequest, Resolved, Waivers, Workflow, absolute, load, parse, plan};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The beginning that every workflow has. Two lines, so that the first line of a test's text is line 3.
pub(crate) const HEAD: &str = "schema: orch-wasm/v1\nname: test\n";

/// Parses a workflow whose head is added, and compares the diagnostics.
#[track_caller]
pub(crate) fn check(yaml: &str, expected: &[&str]) {
    check_whole(&format!("{HEAD}{yaml}"), expected);
}

/// As [`check`], for a whole file.
#[track_caller]
pub(crate) fn check_whole(yaml: &str, expected: &[&str]) {
    let source = Source::new("workflow.yaml", yaml);
    let (workflow, found) = parse(&source);
    let brief: Vec<_> = found.iter().map(|problem| problem.brief(&source)).collect();
    assert_eq!(brief, expected, "\n{yaml}");
    assert_eq!(workflow.is_some(), found.iter().all(|problem| problem.warning));
}

/// A workflow that is right.
#[track_caller]
pub(crate) fn workflow(yaml: &str) -> (Source, Workflow) {
    let source = Source::new("workflow.yaml", format!("{HEAD}{yaml}"));
    let (workflow, found) = parse(&source);
    let brief: Vec<_> = found.iter().map(|problem| problem.brief(&source)).collect();
    assert_eq!(brief, Vec::<String>::new(), "\n{yaml}");
    (source, workflow.unwrap())
}

/// A plugin with one task that takes and returns anything and asks for nothing.
pub(crate) fn manifest(name: &str) -> Manifest {
    let task = TaskManifest { description: "does it".into(), idempotent: true, input: json!({}), output: json!({}) };
    Manifest {
        schema: Manifest::SCHEMA.into(),
        name: PluginName::try_from(name).unwrap(),
        version: semver::Version::new(1, 2, 3),
        description: "a plugin".into(),
        license: "Apache-2.0".into(),
        tasks: BTreeMap::from([(PluginTaskName::try_from("run").unwrap(), task)]),
        permissions: Ask::default(),
        limits: Default::default(),
    }
}

/// A plugin that takes `{ lockfile: text, level: low|high, depth: integer }`, returns `{ items, report: { ratio } }` and asks
/// for a folder, a variable and an artifact.
pub(crate) fn scanner() -> Manifest {
    let mut manifest = manifest("orch/scan");
    let task = manifest.tasks.values_mut().next().unwrap();
    task.input = json!({
        "type": "object",
        "properties": {
            "lockfile": { "type": "string" },
            "level": { "enum": ["low", "high"] },
            "depth": { "type": "integer", "minimum": 1 },
            "deep": { "type": "object", "properties": { "a": { "type": "boolean" } }, "additionalProperties": false },
        },
        "additionalProperties": false,
    });
    task.output = json!({
        "type": "object",
        "properties": {
            "items": { "type": "array" },
            "report": { "type": "object", "properties": { "ratio": { "type": "number" } }, "additionalProperties": false },
            "open": { "type": "object" },
        },
        "additionalProperties": false,
    });
    manifest.permissions = Ask {
        fs: vec![FsAsk {
            mount: "source".parse().unwrap(),
            access: Access::Read,
            reason: "to look for things".into(),
            optional: false,
        }],
        env: vec![EnvAsk { name: "LEVEL".parse().unwrap(), reason: "to be told".into(), optional: true }],
        artifacts: vec![ArtifactAsk { name: "report.json".parse().unwrap(), reason: "to tell".into(), optional: true }],
        ..Ask::default()
    };
    manifest
}

/// What a plan is made of, with what tests seldom change.
pub(crate) struct World {
    pub(crate) plugins: BTreeMap<String, Resolved>,
    pub(crate) inputs: BTreeMap<String, String>,
    pub(crate) waivers: BTreeMap<String, Waivers>,
    pub(crate) policy: Policy,
    /// Other workflow files by their absolute paths, with their whole text.
    pub(crate) files: BTreeMap<String, String>,
}

pub(crate) const FOLDER: &str = "/home/me/project";

impl World {
    pub(crate) fn new() -> World {
        let mut world = World {
            plugins: BTreeMap::new(),
            inputs: BTreeMap::new(),
            waivers: BTreeMap::new(),
            policy: Policy::built_in(FOLDER.into(), Vec::new()),
            files: BTreeMap::new(),
        };
        world.add("orch/any@^1", manifest("orch/any"));
        world.add("orch/scan@^1", scanner());
        let mut many = manifest("orch/many");
        let task = many.tasks.values().next().unwrap().clone();
        many.tasks.insert("list".parse().unwrap(), task);
        world.add("orch/many@^1", many.clone());
        world.add("orch/many/list@^1", many.clone());
        world.add("orch/many/lost@^1", many);
        world
    }

    pub(crate) fn add(&mut self, uses: &str, manifest: Manifest) {
        let digest = Digest::of(manifest.name.as_str().as_bytes());
        self.plugins.insert(uses.into(), Resolved { manifest: Arc::new(manifest), digest, signer: None });
    }

    pub(crate) fn input(mut self, name: &str, value: &str) -> World {
        self.inputs.insert(name.into(), value.into());
        self
    }

    /// Another workflow file beside the one of the test; its head is added.
    pub(crate) fn file(mut self, path: &str, yaml: &str) -> World {
        self.files.insert(absolute(Utf8Path::new(FOLDER), path).into_string(), format!("{HEAD}{yaml}"));
        self
    }

    /// The plan and the diagnostics of a workflow that is right in itself. Those of other files begin with their names.
    #[track_caller]
    pub(crate) fn plan(&self, yaml: &str) -> (Option<Plan>, Vec<String>) {
        let (source, workflow) = workflow(yaml);
        self.plan_of(&source, &workflow)
    }

    pub(crate) fn plan_of(&self, source: &Source, workflow: &Workflow) -> (Option<Plan>, Vec<String>) {
        let mut sources = Sources::default();
        sources.add(source.clone());
        let path = Utf8Path::new(FOLDER).join("workflow.yaml");
        let (nested, mut found) = load(&path, workflow, source, &mut |path| {
            let text = self.files.get(path.as_str()).ok_or("there is none")?;
            let name = path.strip_prefix(FOLDER).map_or_else(|_| path.to_string(), ToString::to_string);
            sources.add(Source::new(name.clone(), text.clone()));
            Ok(Source::new(name, text.clone()))
        });
        let folders: BTreeSet<_> = nested.iter().map(|(_, file)| file.folder()).chain([FOLDER.into()]).collect();
        let everywhere = |name: &String| folders.iter().map(|it| (it.to_path_buf(), name.clone())).collect::<Vec<_>>();
        let plugins =
            self.plugins.iter().flat_map(|(uses, it)| everywhere(uses).into_iter().map(|key| (key, it.clone())));
        let waivers =
            self.waivers.iter().flat_map(|(path, it)| everywhere(path).into_iter().map(|key| (key, it.clone())));
        let request = PlanRequest {
            workflow,
            source,
            folder: Utf8Path::new(FOLDER),
            dry_run: false,
            inputs: &self.inputs,
            nested: &nested,
            plugins: &plugins.collect(),
            policy: &self.policy,
            waivers: &waivers.collect(),
        };
        let made = match found.iter().all(|problem| problem.warning) {
            true => {
                let (made, more) = plan(&request);
                assert_eq!(made.is_some(), more.iter().all(|problem| problem.warning));
                found.extend(more);
                made
            }
            false => None,
        };
        let brief = |problem: &orch_core::Diagnostic| {
            let brief = problem.brief(sources.get(&problem.file).unwrap());
            if problem.file == source.name { brief } else { format!("{}:{brief}", problem.file) }
        };
        (made, found.iter().map(brief).collect())
    }

    #[track_caller]
    pub(crate) fn check(&self, yaml: &str, expected: &[&str]) {
        assert_eq!(self.plan(yaml).1, expected, "\n{yaml}");
    }

    /// The plan of a workflow without any problem.
    #[track_caller]
    pub(crate) fn planned(&self, yaml: &str) -> Plan {
        let (plan, found) = self.plan(yaml);
        assert_eq!(found, Vec::<String>::new(), "\n{yaml}");
        plan.unwrap()
    }
}
