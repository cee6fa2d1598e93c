//! A host with one plugin loaded, and plans over it.

use crate::Paths;
use anyhow::{Context, Result};
use camino::Utf8Path;
use orch_core::{
    Ask, Clock, Digest, FoundPlugin, LimitsRequest, Manifest, NoFaults, Policy, Source, TaskManifest, Timestamp,
};
use orch_host::{CodeCache, CompileLimits, Compiler, Host, HostOptions};
use orch_store::{FolderBlobs, StateFolder};
use orch_workflow::{Plan, PlanRequest, Resolved};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// The plugin of all measurements: returns its input.
pub(crate) struct Echo {
    pub(crate) found: FoundPlugin,
    pub(crate) host: Host,
    pub(crate) folder: tempfile::TempDir,
}

pub(crate) fn echo(paths: &Paths) -> Result<Echo> {
    let bytes: Arc<[u8]> = std::fs::read(&paths.echo)?.into();
    let anything = serde_json::json!(true);
    let task = TaskManifest {
        description: "returns its input".into(),
        idempotent: true,
        input: anything.clone(),
        output: anything,
    };
    let manifest = Manifest {
        schema: Manifest::SCHEMA.into(),
        name: "bench/echo".parse()?,
        version: semver::Version::new(1, 0, 0),
        description: "returns its input".into(),
        license: "Apache-2.0".into(),
        tasks: BTreeMap::from([("echo".parse()?, task)]),
        permissions: Ask::default(),
        limits: LimitsRequest::default(),
    };
    let found = FoundPlugin { manifest: Arc::new(manifest), digest: Digest::of(&bytes), signer: None, bytes };
    // Beside the target folder and not in /tmp, which may be memory: durable must mean this disk.
    let folder = tempfile::tempdir_in(".")?;
    let state = StateFolder::open(&folder.path().join("state"))?;
    let host = Host::new(HostOptions {
        compiler: compiler(&paths.program),
        cache: Some(CodeCache::open(&folder.path().join("code"), 1 << 30)?),
        blobs: Arc::new(FolderBlobs::new(state)),
        env: Arc::new(|_| None),
        faults: Arc::new(NoFaults),
    })?;
    host.load(&found)?;
    Ok(Echo { found, host, folder })
}

pub(crate) fn compiler(program: &Path) -> Compiler {
    Compiler {
        program: program.to_owned(),
        arguments: vec!["__compile-component".into()],
        limits: CompileLimits::default(),
    }
}

/// A plan of `count` tasks, in a chain or without any need.
pub(crate) fn plan(echo: &Echo, count: usize, chained: bool) -> Result<Plan> {
    let mut text = String::from("schema: orch-wasm/v1\nname: bench\ntasks:\n");
    for task in 0..count {
        let needs = if chained && task > 0 { format!(", needs: [t{}]", task - 1) } else { String::new() };
        text.push_str(&format!("  t{task}: {{ uses: bench/echo@1, with: {{ n: {task} }}{needs} }}\n"));
    }
    let source = Source::new("bench.yaml", text);
    let (workflow, problems) = orch_workflow::parse(&source);
    let workflow = workflow.with_context(|| format!("{problems:?}"))?;
    let resolved = Resolved { manifest: Arc::clone(&echo.found.manifest), digest: echo.found.digest, signer: None };
    let plugins = workflow.plugin_references().into_iter().map(|used| (used.uses, resolved.clone())).collect();
    let request = PlanRequest {
        workflow: &workflow,
        source: &source,
        folder: Utf8Path::new("/"),
        inputs: &BTreeMap::new(),
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
