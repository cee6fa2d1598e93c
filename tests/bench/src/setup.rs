//! A host with one plugin loaded, and workflows and plans over it.

use crate::Paths;
use anyhow::{Context, Result};
use camino::Utf8Path;
use orch_core::{
    Ask, Clock, Digest, ExecAsk, FoundPlugin, LimitsRequest, Manifest, NetworkOptions, NoFaults, Policy, SecretAsk,
    Source, TaskManifest, Timestamp,
};
use orch_host::{CodeCache, CompileLimits, Compiler, Host, HostOptions, Launcher};
use orch_store::{FolderBlobs, SqliteStore, StateFolder};
use orch_workflow::{Plan, PlanRequest, Resolved};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// A plugin and a host that has it loaded.
pub(crate) struct Loaded {
    pub(crate) found: FoundPlugin,
    pub(crate) host: Host,
    pub(crate) folder: tempfile::TempDir,
}

/// The plugin that returns its input.
pub(crate) fn echo(paths: &Paths) -> Result<Loaded> {
    load(paths, "bench/echo", &paths.echo, Ask::default())
}

/// The plugin with the published workloads.
pub(crate) fn work(paths: &Paths) -> Result<Loaded> {
    load(paths, "bench/work", &paths.work, Ask::default())
}

/// The plugin that reaches for a network.
pub(crate) fn net(paths: &Paths) -> Result<Loaded> {
    // It can be told to use one; here it never is.
    let secret = SecretAsk {
        name: "token".try_into()?,
        audience: Vec::new(),
        header: None,
        reveal: false,
        reason: String::new(),
        optional: true,
    };
    load(paths, "bench/net", &paths.net, Ask { secrets: vec![secret], ..Ask::default() })
}

/// The plugin that runs programs, one of which it calls `child`.
pub(crate) fn programs(paths: &Paths) -> Result<Loaded> {
    let child = ExecAsk { alias: "child".try_into()?, slots: Vec::new(), reason: String::new(), optional: true };
    load(paths, "bench/programs", &paths.programs, Ask { exec: vec![child], ..Ask::default() })
}

/// Where the guest of the tests keeps values.
pub(crate) const BUCKET: &str = "seen";

/// The plugin of the tests that tries what it may not.
pub(crate) fn hostile(paths: &Paths) -> Result<Loaded> {
    let asks = serde_json::json!({
        "secrets": [{ "name": "token", "audience": [] }],
        "kv": [{ "bucket": BUCKET, "quota": "1MiB" }],
        "artifacts": [{ "name": "a" }],
    });
    load(paths, "bench/hostile", &paths.hostile, serde_json::from_value(asks)?)
}

fn load(paths: &Paths, name: &str, component: &Path, permissions: Ask) -> Result<Loaded> {
    let bytes: Arc<[u8]> = std::fs::read(component)?.into();
    // Beside the target folder and not in /tmp, which may be memory: durable must mean this disk.
    let folder = tempfile::tempdir_in(".")?;
    let state = StateFolder::open(&folder.path().join("state"))?;
    let host = Host::new(HostOptions {
        compiler: compiler(&paths.program),
        launcher: Launcher { program: paths.program.clone(), arguments: vec!["__exec".into()] },
        cache: Some(CodeCache::open(&folder.path().join("code"), 1 << 30)?),
        kv: Arc::new(SqliteStore::new(state.clone())),
        blobs: Arc::new(FolderBlobs::new(state)),
        env: Arc::new(|_| None),
        network: NetworkOptions::default(),
        secrets: Arc::new(orch_core::NoSecrets),
        faults: Arc::new(NoFaults),
    })?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let described = runtime.block_on(host.describe(&bytes)).map_err(anyhow::Error::msg)?;
    let tasks = described.into_iter().map(|(task, schemas)| {
        let description = "a task of the benchmark".into();
        (task, TaskManifest { description, idempotent: true, input: schemas.input, output: schemas.output })
    });
    let manifest = Manifest {
        schema: Manifest::SCHEMA.into(),
        name: name.parse()?,
        version: semver::Version::new(1, 0, 0),
        description: "a plugin of the benchmark".into(),
        license: "Apache-2.0".into(),
        tasks: tasks.collect(),
        permissions,
        limits: LimitsRequest::default(),
    };
    let found = FoundPlugin { manifest: Arc::new(manifest), digest: Digest::of(&bytes), signer: None, bytes };
    host.load(&found)?;
    Ok(Loaded { found, host, folder })
}

pub(crate) fn compiler(program: &Path) -> Compiler {
    Compiler {
        program: program.to_owned(),
        arguments: vec!["__compile-component".into()],
        limits: CompileLimits::default(),
    }
}

/// How the tasks of a workflow depend on each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// Each needs the one before.
    Chain,
    /// None needs another.
    Independent,
}

/// A workflow of `count` tasks that all do the same.
pub(crate) fn workflow(count: usize, order: Order, uses: &str, with: &str) -> String {
    let mut text = String::from("schema: orch-wasm/v1\nname: bench\ntasks:\n");
    for task in 0..count {
        let needs = match order {
            Order::Chain if task > 0 => format!(", needs: [t{}]", task - 1),
            Order::Chain | Order::Independent => String::new(),
        };
        text.push_str(&format!("  t{task}: {{ uses: {uses}, with: {with}{needs} }}\n"));
    }
    text
}

/// The plan of a workflow that uses one plugin.
pub(crate) fn plan(loaded: &Loaded, text: String) -> Result<Plan> {
    let source = Source::new("bench.yaml", text);
    let (workflow, problems) = orch_workflow::parse(&source);
    let workflow = workflow.with_context(|| format!("{problems:?}"))?;
    let resolved = Resolved { manifest: Arc::clone(&loaded.found.manifest), digest: loaded.found.digest, signer: None };
    let plugins =
        workflow.plugin_references().into_iter().map(|used| (("/".into(), used.uses), resolved.clone())).collect();
    let request = PlanRequest {
        workflow: &workflow,
        source: &source,
        folder: Utf8Path::new("/"),
        dry_run: false,
        inputs: &BTreeMap::new(),
        nested: &orch_workflow::NestedFiles::default(),
        plugins: &plugins,
        policy: &Policy::built_in("/".into(), Vec::new()),
        waivers: &BTreeMap::new(),
    };
    let (plan, problems) = orch_workflow::plan(&request);
    plan.with_context(|| format!("{problems:?}"))
}

pub(crate) struct WallClock;

impl Clock for WallClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::SystemTime::UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}
