//! The host: loads components once and runs attempts, each in a store of its own.

use crate::bindings::TaskFullPre;
use crate::bindings::exports::orch::task::runner::{Outcome, TaskError};
use crate::cap::clock::FixedCounter;
use crate::cap::exec::Programs;
use crate::cap::http::HttpHooks;
use crate::cap::log::LogBudget;
use crate::cap::{self, GuestOutput};
use crate::code_cache::{self, CacheStats, Cached, CodeCache};
use crate::command::{self, Command};
use crate::compile::{CompileError, Compiler};
use crate::egress::{Egress, MOST_FIELD_BYTES, Meter, Network};
use crate::exec::Launcher;
use crate::guest::{ArtifactsBudget, Audit, Facts, FindingsBudget, Guest, Stop};
use crate::held_secrets::HeldSecrets;
use crate::limiter::Limiter;
use crate::masked::{masked, masked_failure};
use crate::mounts::{self, OpenMount};
use crate::precheck::{Imports, PrecheckError, precheck};
use crate::schemas::Schemas;
use crate::tape::Tape;
use crate::{depends, engine, failure};
use orch_core::{
    Access, Attempt, AttemptOutput, AttemptResult, Blobs, BoxFuture, CancelReason, Capability, Digest, Effective,
    Failure, FailureKind, Faults, FoundPlugin, KvStore, LiveEvents, LogLevel, Masker, NetworkOptions, PluginTask,
    PluginTaskName, RefusedBy, SecretSource, StagedFolder, TaskRunner, Usage, shorten, visible,
};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};
use wasmtime::component::{Linker, ResourceTable};
use wasmtime::{Engine, Store, UpdateDeadline};
use wasmtime_wasi::p2::bindings::CommandPre;
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder};
use wasmtime_wasi_http::WasiHttpCtx;

/// How long a guest that was asked to stop may take to return by itself.
const GRACE: Duration = Duration::from_millis(250);

/// What a guest may take at once from `wasi:random`.
pub(crate) const MOST_RANDOM: u64 = 1 << 20;

/// The interface that makes a component a plugin, without its version.
const RUNNER: &str = "orch:task/runner@";
/// The version of it that this host speaks.
const RUNNER_VERSION: &str = "0.1.";

/// Finds the value of an environment variable.
pub type Environment = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// What a host is made of.
pub struct HostOptions {
    /// How components are compiled.
    pub compiler: Compiler,
    /// How programs of the host are started.
    pub launcher: Launcher,
    /// Where compiled code is kept; `None` compiles every time.
    pub cache: Option<CodeCache>,
    /// Where artifacts go.
    pub blobs: Arc<dyn Blobs>,
    /// Where tasks keep values from run to run.
    pub kv: Arc<dyn KvStore>,
    /// The values of environment variables; only granted names are asked for.
    pub env: Environment,
    /// How requests of guests reach a network.
    pub network: NetworkOptions,
    /// The values of secrets; only granted ones are asked for.
    pub secrets: Arc<dyn SecretSource>,
    /// What tests make fail.
    pub faults: Arc<dyn Faults>,
}

/// Why a component cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// It is refused before it is compiled.
    #[error(transparent)]
    Precheck(#[from] PrecheckError),
    /// It does not implement the contract.
    #[error(
        "it is a component, but no plugin: it exports neither `{RUNNER}{RUNNER_VERSION}0` nor `wasi:cli/run` (it exports {0})"
    )]
    NoPlugin(String),
    /// It implements another version of the contract.
    #[error("it was built for the contract `{found}`; this version supports `{RUNNER}{RUNNER_VERSION}x`")]
    UnknownWorld {
        /// What it exports.
        found: String,
    },
    /// It imports what nobody links.
    #[error("it imports what this version does not have or its manifest does not ask for: {}", .0.join(", "))]
    MissingImports(Vec<String>),
    /// It cannot be compiled.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// The runtime says no.
    #[error("it cannot be linked: {0}")]
    Unusable(String),
}

/// The schemas of a task, as a plugin's answer to `orch:describe`.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskDescription {
    /// What it takes.
    pub input: Value,
    /// What it returns.
    pub output: Value,
}

/// The sandbox. Cheap to clone.
#[derive(Clone)]
pub struct Host {
    inner: Arc<Inner>,
}

struct Inner {
    engine: Engine,
    /// What every component may import; what it asks for is added for each.
    linker: Linker<Guest>,
    options: HostOptions,
    network: Arc<Network>,
    loaded: RwLock<HashMap<Digest, Arc<Loaded>>>,
}

/// What a component lets itself be called by, linked.
enum Entry {
    /// The contract.
    Task(TaskFullPre<Guest>),
    /// A program like any other.
    Command(CommandPre<Guest>),
}

/// How a guest that came to its end did so.
enum Ended {
    Answered(Result<Outcome, TaskError>),
    Exited(i32),
}

struct Loaded {
    entry: Entry,
    tasks: BTreeMap<PluginTaskName, Schemas>,
}

/// A folder that lives as long as the attempt, if there is one.
type Staged = Option<Box<dyn StagedFolder>>;

/// One call of one component.
struct Call<'a> {
    facts: Facts,
    plugin: &'a PluginTask,
    task: &'a String,
    input: &'a String,
    mounts: Vec<OpenMount>,
    timeout: Duration,
    cancel: BoxFuture<CancelReason>,
    secrets: Arc<HeldSecrets>,
    live: Arc<dyn LiveEvents>,
}

/// What an attempt has of WASI before its grants are looked at.
struct World {
    wasi: WasiCtxBuilder,
    counter: FixedCounter,
    arguments: Vec<String>,
    /// Where its standard streams go.
    log: Arc<Mutex<LogBudget>>,
}

impl Host {
    /// A host with no component loaded.
    ///
    /// # Errors
    /// When the runtime cannot be set up on this machine.
    pub fn new(options: HostOptions) -> Result<Host, LoadError> {
        let unusable = |error: wasmtime::Error| LoadError::Unusable(format!("{error:#}"));
        let engine = engine::new().map_err(unusable)?;
        engine::tick(&engine).map_err(|error| LoadError::Unusable(error.to_string()))?;
        let mut linker = Linker::new(&engine);
        cap::link(&mut linker).map_err(unusable)?;
        let loaded = RwLock::default();
        let network = Arc::new(Network::new(options.network.clone()));
        Ok(Host { inner: Arc::new(Inner { engine, linker, options, network, loaded }) })
    }

    /// Checks, compiles (or takes from the cache) and links a component, so that attempts only instantiate it.
    ///
    /// # Errors
    /// When it cannot be run.
    pub fn load(&self, plugin: &FoundPlugin) -> Result<(), LoadError> {
        if self.inner.get(&plugin.digest).is_some() {
            return Ok(());
        }
        let manifest = &plugin.manifest;
        let entry = self.inner.link(&plugin.bytes, &plugin.digest, &manifest.permissions.kinds())?;
        let tasks = manifest.tasks.iter().map(|(name, task)| (name.clone(), Schemas::of(task))).collect();
        let loaded = Arc::new(Loaded { entry, tasks });
        self.inner.loaded.write().unwrap_or_else(PoisonError::into_inner).insert(plugin.digest, loaded);
        Ok(())
    }

    /// The schemas of each task of a plain program: it says nothing of itself, and its input is its arguments.
    pub fn describe_program() -> TaskDescription {
        command::description()
    }

    /// What a component that has no manifest yet says of its tasks. It runs with no grant at all.
    ///
    /// # Errors
    /// When it cannot be run or its answer is not what the contract says.
    pub async fn describe(&self, component: &[u8]) -> Result<BTreeMap<PluginTaskName, TaskDescription>, String> {
        let digest = Digest::of(component);
        let entry = self.inner.link(component, &digest, &Capability::ALL).map_err(|error| error.to_string())?;
        let nobody = |_| "the name of a plugin that is being described".to_owned();
        let plugin = PluginTask {
            name: orch_core::PluginName::try_from("local/plugin").map_err(nobody)?,
            version: semver_zero(),
            digest,
            task: PluginTaskName::try_from("describe").map_err(nobody)?,
        };
        let live = Arc::new(Silent);
        let call = Call {
            facts: Facts {
                run: String::new(),
                task: "describe".to_owned(),
                attempt: 1,
                workflow: "describe".into(),
                dry_run: true,
                plugin: plugin.name.to_string(),
                plugin_name: plugin.name.clone(),
                digest,
                timeout_ms: DESCRIBE_TIMEOUT.as_millis() as u64,
                grants: Arc::default(),
                limits: Arc::default(),
                faults: Arc::clone(&self.inner.options.faults),
                tape: Tape::Off,
            },
            plugin: &plugin,
            task: &"orch:describe".to_owned(),
            input: &"null".to_owned(),
            mounts: Vec::new(),
            timeout: DESCRIBE_TIMEOUT,
            cancel: Box::pin(std::future::pending()),
            secrets: Arc::new(HeldSecrets::none()),
            live,
        };
        let (result, _) = self.inner.call(&entry, call).await;
        match result {
            Ok(Outcome::Succeeded(text)) => serde_json::from_str(&text)
                .map_err(|error| format!("its answer to `orch:describe` is not a map of schemas: {error}")),
            Ok(_) => Err("it does not answer `orch:describe`: give the schemas in plugin.yaml".to_owned()),
            Err(failure) => Err(format!(
                "it does not answer `orch:describe` ({}): give the schemas in plugin.yaml",
                failure.message
            )),
        }
    }

    /// Runs an attempt that is recorded or replayed.
    pub(crate) async fn attempt(&self, attempt: Attempt, live: Arc<dyn LiveEvents>, tape: Tape) -> AttemptResult {
        self.inner.attempt(attempt, live, tape).await
    }

    /// What the code cache did so far.
    pub fn cache_stats(&self) -> Option<CacheStats> {
        self.inner.options.cache.as_ref().map(CodeCache::stats)
    }
}

/// Describing computes a few schemas; whatever takes longer is not describing.
const DESCRIBE_TIMEOUT: Duration = Duration::from_secs(10);

fn semver_zero() -> semver::Version {
    semver::Version::new(0, 0, 0)
}

impl TaskRunner for Host {
    fn run(&self, attempt: Attempt, live: Arc<dyn LiveEvents>) -> BoxFuture<AttemptResult> {
        let inner = Arc::clone(&self.inner);
        Box::pin(async move { inner.attempt(attempt, live, Tape::Off).await })
    }

    fn depends_on(&self, attempt: &Attempt) -> BoxFuture<Result<Digest, Failure>> {
        let broken = |target: &str, message: String| {
            Failure::new(FailureKind::Dependency { target: target.to_owned(), retryable: false }, message)
        };
        if !attempt.grants.secrets.is_empty() {
            // What a secret opens may answer differently each time, and what a value was is nothing to keep a digest of.
            let message = "the result of a task with secrets is not used again";
            return Box::pin(std::future::ready(Err(broken("secrets", message.to_owned()))));
        }
        let mounts = match mounts::open_all(&attempt.grants) {
            Ok(mounts) => mounts,
            Err(problem) => return Box::pin(std::future::ready(Err(broken("mounts", problem.to_string())))),
        };
        let facts = depends::Facts::of(attempt, &*self.inner.options.env);
        Box::pin(async move {
            // Reading whole folders would keep a thread of the runtime from everything else.
            let hashed = tokio::task::spawn_blocking(move || depends::digest(&facts, &mounts)).await;
            let digest = hashed.map_err(|error| Failure::new(FailureKind::Bug, error.to_string()))?;
            digest.map_err(|error| broken("mounts", error.to_string()))
        })
    }
}

impl Inner {
    fn get(&self, digest: &Digest) -> Option<Arc<Loaded>> {
        self.loaded.read().unwrap_or_else(PoisonError::into_inner).get(digest).map(Arc::clone)
    }

    fn link(&self, bytes: &[u8], digest: &Digest, asked: &[Capability]) -> Result<Entry, LoadError> {
        let found = precheck(bytes)?;
        let is_command = check_world(&found)?;
        let mut linker = self.linker.clone();
        cap::link_asked(&mut linker, asked).map_err(|error| LoadError::Unusable(format!("{error:#}")))?;
        let component = self.component(bytes, digest)?;
        let missing = missing_imports(&linker, &component);
        if !missing.is_empty() {
            return Err(LoadError::MissingImports(missing));
        }
        let pre = linker.instantiate_pre(&component).map_err(|error| LoadError::Unusable(format!("{error:#}")))?;
        let entry =
            if is_command { CommandPre::new(pre).map(Entry::Command) } else { TaskFullPre::new(pre).map(Entry::Task) };
        entry.map_err(|error| LoadError::Unusable(format!("{error:#}")))
    }

    fn component(&self, bytes: &[u8], digest: &Digest) -> Result<wasmtime::component::Component, LoadError> {
        let unusable = |error: wasmtime::Error| LoadError::Unusable(format!("{error:#}"));
        let Some(cache) = &self.options.cache else {
            let code = self.options.compiler.compile(bytes, digest)?;
            return code_cache::load(&self.engine, &code).map_err(unusable);
        };
        match cache.get(&self.engine, digest) {
            Cached::Code(code) => match code_cache::load(&self.engine, &code) {
                Ok(component) => return Ok(component),
                Err(_) => cache.reject_entry(&self.engine, digest),
            },
            Cached::Failure(reason) => return Err(CompileError::Remembered(reason).into()),
            Cached::Nothing => {}
        }
        match self.options.compiler.compile(bytes, digest) {
            Ok(code) => {
                cache.put_code(&self.engine, digest, &code);
                code_cache::load(&self.engine, &code).map_err(unusable)
            }
            Err(error) => {
                if error.is_permanent() {
                    cache.put_failure(&self.engine, digest, &error.to_string());
                }
                Err(error.into())
            }
        }
    }

    async fn attempt(&self, mut attempt: Attempt, live: Arc<dyn LiveEvents>, tape: Tape) -> AttemptResult {
        let started = Instant::now();
        let mut usage = Usage::default();
        let result = match self.secrets(&mut attempt, &tape).await {
            Err(failure) => Err(failure),
            Ok(secrets) => {
                let secrets = Arc::new(secrets);
                tape.hold(&secrets);
                let live = masked(live, secrets.masker());
                let result = self.prepared(attempt, live, &secrets, tape, &mut usage).await;
                usage.tainted = secrets.is_tainted();
                result.map_err(|failure| masked_failure(failure, secrets.masker()))
            }
        };
        usage.wall_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        AttemptResult { result, usage }
    }

    /// The values of the granted secrets, before anything else happens.
    async fn secrets(&self, attempt: &mut Attempt, tape: &Tape) -> Result<HeldSecrets, Failure> {
        if attempt.grants.secrets.is_empty() {
            return Ok(HeldSecrets::none());
        }
        let (source, grants) = (tape.secrets(&self.options.secrets), Arc::clone(&attempt.grants));
        // A source may read a file or wait for a program.
        let fetching = tokio::task::spawn_blocking(move || HeldSecrets::fetch(&grants.secrets, &*source));
        tokio::select! {
            fetched = fetching => fetched.map_err(|error| Failure::new(FailureKind::Bug, error.to_string()))?,
            () = tokio::time::sleep(attempt.timeout) => {
                Err(timed_out(&orch_core::Period::from_millis(millis(attempt.timeout)).to_string()))
            }
            _reason = &mut attempt.cancel => Err(Failure::new(FailureKind::Cancelled, "it was asked to stop before it began")),
        }
    }

    async fn prepared(
        &self,
        attempt: Attempt,
        live: Arc<dyn LiveEvents>,
        secrets: &Arc<HeldSecrets>,
        tape: Tape,
        usage: &mut Usage,
    ) -> Result<AttemptOutput, Failure> {
        let plugin = Arc::clone(&attempt.plugin);
        let bug = |message: String| Failure::new(FailureKind::Bug, message);
        let loaded = self.get(&plugin.digest).ok_or_else(|| bug(format!("`{}` was not loaded", plugin.name)))?;
        let schemas = loaded
            .tasks
            .get(&plugin.task)
            .ok_or_else(|| bug(format!("`{}` has no task `{}`", plugin.name, plugin.task)))?;
        schemas.check_input(&attempt.input, secrets.masker())?;
        let (mounts, staged) = match tape.mounts()? {
            Some(mounts) => (mounts, None),
            None => self.mounts(&attempt)?,
        };
        tape.begin(&mounts);
        let call = Call {
            facts: Facts {
                run: attempt.run.to_string(),
                task: attempt.task.to_string(),
                attempt: attempt.number,
                workflow: attempt.workflow,
                dry_run: attempt.dry_run,
                plugin_name: plugin.name.clone(),
                plugin: format!("{}@{}", plugin.name, plugin.version),
                digest: plugin.digest,
                timeout_ms: millis(attempt.timeout),
                grants: Arc::clone(&attempt.grants),
                limits: Arc::clone(&attempt.limits),
                faults: Arc::clone(&self.options.faults),
                tape,
            },
            plugin: &plugin,
            task: &plugin.task.as_str().to_owned(),
            input: &attempt.input,
            mounts,
            timeout: attempt.timeout,
            cancel: attempt.cancel,
            secrets: Arc::clone(secrets),
            live,
        };
        let (result, used) = self.call(&loaded.entry, call).await;
        *usage = used;
        drop(staged);
        let masker = secrets.masker();
        let output = |text: String| schemas.check_output(&text, &attempt.limits, masker);
        match result? {
            Outcome::Succeeded(text) => output(text).map(AttemptOutput::Succeeded),
            Outcome::Rejected(text) => output(text).map(AttemptOutput::Rejected),
            Outcome::Skipped(reason) => Ok(AttemptOutput::Skipped(shorten(&masker.mask(&reason), 1_000).into_owned())),
        }
    }

    /// The granted folders, and a folder with what upstream tasks stored.
    fn mounts(&self, attempt: &Attempt) -> Result<(Vec<OpenMount>, Staged), Failure> {
        let broken = |target: String, message: String| {
            Failure::new(FailureKind::Dependency { target, retryable: false }, message)
        };
        let mut mounts = mounts::open_all(&attempt.grants)
            .map_err(|problem| broken(format!("mount {}", problem.mount), problem.to_string()))?;
        if attempt.dry_run {
            mounts.iter_mut().for_each(|mount| mount.access = Access::Read);
        }
        if attempt.upstream.is_empty() && attempt.findings.is_empty() {
            return Ok((mounts, None));
        }
        let staged = self
            .options
            .blobs
            .stage(&attempt.upstream)
            .map_err(|error| broken("artifacts".to_owned(), error.to_string()))?;
        for (task, found) in &attempt.findings {
            mounts::stage_findings(staged.path(), task, found)
                .map_err(|error| broken(format!("findings of {task}"), error.to_string()))?;
        }
        let folder =
            std::fs::File::open(staged.path()).map_err(|error| broken("artifacts".to_owned(), error.to_string()))?;
        mounts.push(OpenMount {
            guest_path: "/artifacts".to_owned(),
            name: "artifacts".to_owned(),
            access: Access::Read,
            granted: Access::Read,
            folder: Arc::new(folder),
        });
        Ok((mounts, Some(staged)))
    }

    async fn call(&self, entry: &Entry, call: Call<'_>) -> (Result<Outcome, Failure>, Usage) {
        let stop = Arc::new(Stop { asked: AtomicBool::new(false), deadline: Instant::now() + call.timeout });
        let masker = Arc::clone(call.secrets.masker());
        let budget = LogBudget::new(&call.facts.limits, Arc::clone(&call.live), Arc::clone(&masker));
        let log = Arc::new(Mutex::new(budget));
        let outputs = [GuestOutput::stdout(Arc::clone(&log), &masker), GuestOutput::stderr(Arc::clone(&log), &masker)];
        let timeout_text = orch_core::Period::from_millis(call.facts.timeout_ms).to_string();
        let mut wasi = WasiCtx::builder();
        let (clock, random) = (call.facts.grants.clock, call.facts.grants.random);
        let seed = call.facts.tape.seed().unwrap_or(call.plugin.digest);
        let counter = cap::clock::build(&mut wasi, clock, random, (&seed, &call.plugin.task), call.input);
        wasi.stdout(outputs[0].clone()).stderr(outputs[1].clone());
        let (command, arguments) = match entry {
            Entry::Task(_) => (None, Vec::new()),
            Entry::Command(_) => match Command::prepare(&mut wasi, call.plugin, call.input, &call.facts.limits) {
                Ok((command, arguments)) => (Some(command), arguments),
                Err(failure) => return (Err(failure), Usage::default()),
            },
        };
        let world = World { wasi, counter, arguments, log: outputs[0].log() };
        let mut store = self.store(call.facts, call.mounts, call.live, call.secrets, Arc::clone(&stop), world);
        let mut cancel = call.cancel;
        let mut cancelled = false;
        let result = {
            let running = async {
                match entry {
                    Entry::Task(pre) => {
                        let plugin = pre.instantiate_async(&mut store).await?;
                        let runner = plugin.orch_task_runner();
                        runner.call_run(&mut store, call.task, call.input).await.map(Ended::Answered)
                    }
                    Entry::Command(pre) => command::run(pre, &mut store).await.map(Ended::Exited),
                }
            };
            tokio::pin!(running);
            tokio::select! {
                ended = &mut running => Some(ended),
                () = tokio::time::sleep(call.timeout) => None,
                _reason = &mut cancel => {
                    cancelled = true;
                    stop.asked.store(true, Ordering::Relaxed);
                    tokio::time::timeout(GRACE, &mut running).await.ok()
                }
            }
        };
        // Before anybody is told of the attempt's end: what a program still changes would be seen by whoever comes next.
        store.data_mut().programs.end_all().await;
        outputs.iter().for_each(GuestOutput::finish);
        let guest = store.data();
        guest.meter.close();
        let result = match result {
            None if cancelled => {
                Err(Failure::new(FailureKind::Cancelled, "it was asked to stop and did not; it was ended"))
            }
            None => Err(timed_out(&timeout_text)),
            Some(Err(_)) if Instant::now() >= stop.deadline => Err(timed_out(&timeout_text)),
            Some(Err(error)) => Err(failure::of_trap(&error, guest, call.plugin)),
            Some(Ok(Ended::Answered(answer))) => answer.map_err(|error| of_task_error(error, &masker)),
            Some(Ok(Ended::Exited(code))) => match &command {
                Some(command) => command.output(code, guest, call.plugin).map(Outcome::Succeeded),
                None => Err(Failure::new(FailureKind::Bug, "a plugin ended as programs do")),
            },
        };
        (self.beyond_limits(guest).map_or(result, Err), usage(guest, &log))
    }

    /// Limits that a guest is told of and may have overheard: what it returns then is incomplete.
    fn beyond_limits(&self, guest: &Guest) -> Option<Failure> {
        let limits = &guest.facts.limits;
        if let Some(most) = &guest.findings.reached {
            return Some(failure::limit_reached("findings", most));
        }
        if let Some(reason) = &guest.artifacts.broken {
            // The same may work later, when there is room again.
            let what = FailureKind::Dependency { target: "artifacts".to_owned(), retryable: true };
            return Some(Failure::new(what, format!("an artifact could not be stored: {reason}")));
        }
        match guest.meter.reached() {
            Some("requests") => return Some(failure::limit_reached("requests", &limits.requests.to_string())),
            Some(other) => return Some(failure::limit_reached(other, &limits.traffic.to_string())),
            None => {}
        }
        guest.artifacts.reached.then(|| failure::limit_reached("artifacts", &limits.artifacts.to_string()))
    }

    fn store(
        &self,
        facts: Facts,
        mounts: Vec<OpenMount>,
        live: Arc<dyn LiveEvents>,
        secrets: Arc<HeldSecrets>,
        stop: Arc<Stop>,
        world: World,
    ) -> Store<Guest> {
        let World { mut wasi, counter, arguments, log } = world;
        let limits = Arc::clone(&facts.limits);
        let audit = Audit::new(live, Arc::clone(secrets.masker()));
        let env = environment(&facts.grants, &audit, &facts.tape.environment(&self.options.env));
        let meter = Arc::new(Meter::new(&limits));
        let egress = Egress::new(
            Arc::clone(&self.network),
            Arc::clone(&facts.grants),
            facts.dry_run,
            audit.clone(),
            Arc::clone(&meter),
            cap::secrets_swap::on_the_way_out(&secrets, &audit),
            facts.tape.clone(),
        );
        let kv = facts.tape.kv(&self.options.kv);
        wasi.allow_blocking_current_thread(true).max_random_size(MOST_RANDOM);
        cap::net::allow(&mut wasi, &facts, &audit, &meter);
        let wasi = wasi.build();
        let mut http = WasiHttpCtx::new();
        http.set_field_size_limit(MOST_FIELD_BYTES);
        let handles = usize::try_from(limits.handles).unwrap_or(usize::MAX);
        let mut table = ResourceTable::new();
        table.set_max_capacity(handles);
        let guest = Guest {
            table,
            wasi,
            limiter: Limiter::new(&limits),
            facts,
            audit,
            log,
            env,
            arguments,
            mounts,
            opened: HashMap::new(),
            files: Vec::new(),
            listings: 0,
            findings: FindingsBudget { count: 0, bytes: 0, reached: None },
            artifacts: ArtifactsBudget {
                blobs: Arc::clone(&self.options.blobs),
                bytes: 0,
                names: BTreeSet::new(),
                reached: false,
                broken: None,
            },
            programs: Programs::new(self.options.launcher.clone(), Arc::clone(&self.options.env)),
            http,
            http_hooks: HttpHooks::new(egress),
            meter,
            secrets,
            progress_at: None,
            counter,
            kv,
            stop,
        };
        let mut store = Store::new(&self.engine, guest);
        store.limiter(|guest| &mut guest.limiter);
        store.set_max_component_handles(handles);
        store.set_hostcall_fuel(usize::try_from(limits.host_call.bytes()).unwrap_or(usize::MAX));
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|context| {
            // Yielding lets the future that watches clock and cancel run. The check here holds even if it cannot.
            if Instant::now() >= context.data().stop.deadline {
                wasmtime::bail!("the time is up");
            }
            Ok(UpdateDeadline::Yield(1))
        });
        store
    }
}

/// The granted variables that are set.
fn environment(grants: &Effective, audit: &Audit, of: &Environment) -> Vec<(String, String)> {
    let mut values = Vec::with_capacity(grants.env.len());
    for name in &grants.env {
        match of(name.as_str()) {
            Some(value) => values.push((name.to_string(), value)),
            None => {
                let reason = "it is granted, but not set where orch-wasm was started";
                audit.refuse("env", name.as_str(), RefusedBy::Engine, reason, Some(format!("export {name}=…")));
            }
        }
    }
    values
}

fn timed_out(timeout: &str) -> Failure {
    Failure::new(FailureKind::Timeout, format!("it took longer than its timeout of {timeout}"))
        .with_fix("raise `timeout` of the task, or give it less work")
}

fn usage(guest: &Guest, log: &Mutex<LogBudget>) -> Usage {
    let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
    log.end_window();
    Usage { memory: guest.limiter.peak(), used: guest.audit.uses(), log_cut: log.cut, ..Usage::default() }
}

pub(crate) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn of_task_error(error: TaskError, masker: &Masker) -> Failure {
    // Masked before it is cut: half a secret would not be found any more.
    let text = |text: String| shorten(&masker.mask(&text), 4_000).into_owned();
    match error {
        TaskError::InvalidInput(reason) => Failure::new(FailureKind::InvalidInput, text(reason)),
        TaskError::Denied(denial) => {
            let message = format!("it needs `{}` for `{}`, which was not granted", denial.capability, denial.target);
            let what = FailureKind::Denied { capability: denial.capability, target: denial.target };
            Failure::new(what, text(message))
        }
        TaskError::Dependency(fault) => {
            let message = format!("{}: {}", fault.target, fault.message);
            Failure::new(FailureKind::Dependency { target: fault.target, retryable: fault.retryable }, text(message))
        }
        TaskError::Failed(reason) => Failure::new(FailureKind::Failed, text(reason)),
        TaskError::Cancelled => Failure::new(FailureKind::Cancelled, "it was asked to stop, and did"),
    }
}

/// Whether it is a plain program, if it is anything that can be run.
fn check_world(found: &Imports) -> Result<bool, LoadError> {
    let runner = found.exports.iter().find(|name| name.starts_with(RUNNER));
    match runner {
        Some(name) if name[RUNNER.len()..].starts_with(RUNNER_VERSION) => Ok(false),
        Some(name) => Err(LoadError::UnknownWorld { found: visible(name).into_owned() }),
        None if found.is_program() => Ok(true),
        None => {
            let all: Vec<_> = found.exports.iter().take(5).map(|name| format!("`{}`", visible(name))).collect();
            Err(LoadError::NoPlugin(if all.is_empty() { "nothing".to_owned() } else { all.join(", ") }))
        }
    }
}

/// Imports that the linker does not have, each with what to do about it.
fn missing_imports(linker: &Linker<Guest>, component: &wasmtime::component::Component) -> Vec<String> {
    let Err(error) = linker.instantiate_pre(component) else {
        return Vec::new();
    };
    let engine = component.engine();
    let known = |name: &str| {
        // The linker links a newer or older patch of the same minor version of an interface as well.
        KNOWN_IMPORTS.iter().any(|known| name.starts_with(known))
    };
    let ty = component.component_type();
    let mut missing: Vec<_> = ty.imports(engine).map(|(name, _)| name.to_owned()).filter(|name| !known(name)).collect();
    if missing.is_empty() {
        missing.push(shorten(&visible(&format!("{error:#}")), 600).into_owned());
    } else {
        missing = missing.into_iter().map(|name| format!("`{}`{}", visible(&name), hint(&name))).collect();
    }
    missing
}

const KNOWN_IMPORTS: [&str; 14] = [
    "orch:task/context@0.1",
    "orch:task/report@0.1",
    "orch:task/findings@0.1",
    "orch:task/task-types@0.1",
    "wasi:io/",
    "wasi:clocks/",
    "wasi:random/",
    "wasi:cli/",
    "wasi:filesystem/",
    "wasi:sockets/",
    "wasi:http/types@",
    "wasi:http/outgoing-handler@",
    "wasi:config/",
    "wasi:logging/",
];

fn hint(name: &str) -> &'static str {
    if name.starts_with("orch:task/secrets@") {
        " (ask for it in plugin.yaml: permissions: { secrets: [{ name: …, audience: […], reason: … }] })"
    } else if name.starts_with("orch:task/artifacts@") {
        " (ask for it in plugin.yaml: permissions: { artifacts: [{ name: …, reason: … }] })"
    } else if name.starts_with("orch:task/state@") {
        " (ask for it in plugin.yaml: permissions: { kv: [{ bucket: …, quota: …, reason: … }] })"
    } else if name.starts_with("orch:task/exec@") {
        " (ask for it in plugin.yaml: permissions: { exec: [{ alias: …, reason: … }] })"
    } else if name.starts_with("orch:task/") {
        " (not supported yet)"
    } else {
        ""
    }
}

/// For a guest that nobody listens to.
struct Silent;

impl LiveEvents for Silent {
    fn log(&self, _: LogLevel, _: String, _: Vec<(String, String)>) {}
    fn progress(&self, _: u64, _: Option<u64>, _: Option<String>) {}
    fn findings(&self, _: Vec<orch_core::Finding>) {}
    fn refused(&self, _: orch_core::Refusal) {}
    fn stored(&self, _: orch_core::StoredArtifact) {}
}
