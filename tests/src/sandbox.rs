//! A host with all that it needs around it, in folders that go away.

use crate::{Call, Ended, Guest, Recorder, program};
use orch_core::{
    ArtifactAsk, ArtifactName, Ask, Attempt, AttemptResult, Blobs, BucketName, CancelReason, Digest, ExecAsk, ExecName,
    Faults, FoundPlugin, KvAsk, Manifest, NetRule, NetworkOptions, NoFaults, PluginName, PluginTask, PluginTaskName,
    RunId, Secret, SecretAsk, SecretName, SecretSource, TaskId, TaskManifest, TaskRunner,
};
use orch_host::{
    CodeCache, CompileLimits, Compiler, Host, HostOptions, Launcher, LoadError, Recording, Recordings, Replayed,
};
use orch_store::{FolderBlobs, SqliteStore, StateFolder};
use serde_json::Value;
use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::{JoinError, JoinHandle};

/// The compiling child with limits below the usual ones, where a test gives them: seconds of CPU, mebibytes.
pub fn compiler(limits: &[u64]) -> Compiler {
    Compiler {
        program: program("orch-tests-compile"),
        arguments: limits.iter().map(|limit| OsString::from(limit.to_string())).collect(),
        limits: CompileLimits::default(),
    }
}

/// A compiler that counts how often it is started.
pub struct CountingCompiler {
    folder: tempfile::TempDir,
    /// The compiler.
    pub compiler: Compiler,
}

impl CountingCompiler {
    /// Wraps a compiler.
    pub fn new(inner: &Compiler) -> CountingCompiler {
        let folder = tempfile::tempdir().unwrap();
        let (script, count) = (folder.path().join("compile"), folder.path().join("count"));
        let text = format!("#!/bin/sh\necho started >> {}\nexec {} \"$@\"\n", count.display(), inner.program.display());
        std::fs::write(&script, text).unwrap();
        std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
        CountingCompiler { folder, compiler: Compiler { program: script, ..inner.clone() } }
    }

    /// How often it was started.
    pub fn starts(&self) -> usize {
        std::fs::read_to_string(self.folder.path().join("count")).map_or(0, |text| text.lines().count())
    }
}

/// A host, its blobs, and threads to run guests on.
pub struct Sandbox {
    /// The host.
    pub host: Host,
    blobs: Arc<FolderBlobs>,
    state: PathBuf,
    /// Always there; taken when this is dropped, not to wait for a thread that a guest blocks.
    runtime: Option<tokio::runtime::Runtime>,
    _folder: tempfile::TempDir,
}

/// What happens to an attempt at one of its await points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interruption {
    /// It is asked to stop.
    Cancelled,
    /// Nobody drives it any more.
    Dropped,
}

/// An attempt that is interrupted.
pub struct Interrupted(JoinHandle<Option<AttemptResult>>, tokio::runtime::Handle);

impl Interrupted {
    /// What came of it; none if it was dropped before its end.
    ///
    /// # Errors
    /// When it panicked.
    pub fn end(self) -> Result<Option<AttemptResult>, JoinError> {
        let Interrupted(handle, runtime) = self;
        let ended = runtime.block_on(async { tokio::time::timeout(HANGS, handle).await });
        ended.expect("the attempt hangs: neither its end nor its timeout came")
    }
}

/// Longer than every timeout in these tests.
const HANGS: Duration = Duration::from_secs(150);

/// An attempt that goes on.
pub struct Running {
    /// What it has done so far.
    pub recorder: Arc<Recorder>,
    handle: JoinHandle<AttemptResult>,
    cancel: Option<oneshot::Sender<CancelReason>>,
    runtime: tokio::runtime::Handle,
}

impl Running {
    /// Asks it to stop.
    pub fn cancel(&mut self) {
        let _ = self.cancel.take().unwrap().send(CancelReason::Requested);
    }

    /// Its end.
    #[track_caller]
    pub fn end(self) -> Ended {
        self.try_end().unwrap()
    }

    /// Its end, or that it panicked.
    ///
    /// # Errors
    /// When the attempt panicked.
    pub fn try_end(self) -> Result<Ended, JoinError> {
        // A guest that blocks a thread for good would hang the build instead of failing its test.
        let ended = self.runtime.block_on(async { tokio::time::timeout(HANGS, self.handle).await });
        let AttemptResult { result, usage } =
            ended.expect("the attempt hangs: neither its end nor its timeout came")?;
        Ok(Ended { result, usage, seen: self.recorder.seen() })
    }
}

/// The sources of secrets in these tests: `test:VALUE` is the value itself, `fixed:` has one that stands
/// nowhere else, `slow:` never answers.
struct Values;

impl SecretSource for Values {
    fn find(&self, source: &str) -> Result<Arc<Secret>, String> {
        match source.split_once(':') {
            Some(("test", value)) => Secret::new(value.to_owned()).map(Arc::new),
            Some(("fixed", _)) => Secret::new("hunter2-value-of-it".to_owned()).map(Arc::new),
            Some(("slow", _)) => {
                std::thread::sleep(Duration::from_secs(5));
                Err("nobody came".to_owned())
            }
            _ => Err("it is nowhere".to_owned()),
        }
    }
}

impl Sandbox {
    /// With the code cache that all tests share: compiling the large guest takes longer than most tests.
    pub fn new() -> Sandbox {
        Sandbox::with(shared_cache(), compiler(&[]), Arc::new(NoFaults))
    }

    /// With other name servers or other trusted certificates.
    pub fn with_network(network: NetworkOptions) -> Sandbox {
        Sandbox::made(shared_cache(), compiler(&[]), Arc::new(NoFaults), network)
    }

    /// With other parts.
    pub fn with(cache: Option<CodeCache>, compiler: Compiler, faults: Arc<dyn Faults>) -> Sandbox {
        Sandbox::made(cache, compiler, faults, NetworkOptions::default())
    }

    fn made(cache: Option<CodeCache>, compiler: Compiler, faults: Arc<dyn Faults>, network: NetworkOptions) -> Sandbox {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        let blobs = Arc::new(FolderBlobs::new(StateFolder::open(&state).unwrap()));
        let kv = Arc::new(SqliteStore::new(StateFolder::open(&state).unwrap()));
        // As in a run, whose log is there before its first task.
        kv.prepare().unwrap();
        let env = |name: &str| match name {
            "GRANTED" => Some("value".to_owned()),
            "SECRET" => Some("hidden".to_owned()),
            "TOKEN" => Some("hunter2-value-of-it".to_owned()),
            _ => None,
        };
        let launcher = Launcher { program: program("orch-tests-compile"), arguments: vec!["__exec".into()] };
        let options = HostOptions {
            compiler,
            launcher,
            cache,
            blobs: Arc::clone(&blobs) as Arc<dyn Blobs>,
            kv,
            network,
            env: Arc::new(env),
            secrets: Arc::new(Values),
            faults,
        };
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        Sandbox { host: Host::new(options).unwrap(), blobs, state, runtime: Some(runtime), _folder: folder }
    }

    /// Where runs keep their artifacts.
    pub fn blobs(&self) -> &FolderBlobs {
        &self.blobs
    }

    /// The state folder.
    pub fn state(&self) -> &Path {
        &self.state
    }

    /// Loads a component.
    ///
    /// # Errors
    /// As [`Host::load`].
    pub fn load(&self, guest: &Guest) -> Result<(), LoadError> {
        self.host.load(&found(guest))
    }

    /// The same for a plugin whose manifest asks for nothing.
    ///
    /// # Errors
    /// As [`Host::load`].
    pub fn load_asking_nothing(&self, guest: &Guest) -> Result<(), LoadError> {
        let mut found = found(guest);
        Arc::make_mut(&mut found.manifest).permissions = Ask::default();
        self.host.load(&found)
    }

    /// Loads a component whose tasks state these schemas of input and output.
    ///
    /// # Errors
    /// As [`Host::load`].
    pub fn load_with_schemas(&self, guest: &Guest, input: &Value, output: &Value) -> Result<(), LoadError> {
        let mut found = found(guest);
        for task in Arc::make_mut(&mut found.manifest).tasks.values_mut() {
            (task.input, task.output) = (input.clone(), output.clone());
        }
        self.host.load(&found)
    }

    /// Loads a component and starts an attempt.
    #[track_caller]
    pub fn start(&self, guest: &Guest, call: Call) -> Running {
        self.start_by(&self.host, guest, call)
    }

    /// Runs an attempt to its end and records it below a folder; gives also where, or why it is not recorded.
    #[track_caller]
    pub fn record(&self, guest: &Guest, call: Call, folder: &Path) -> (Ended, Result<PathBuf, String>) {
        let recordings = Recordings::new(self.host.clone(), folder);
        let ended = self.start_by(&recordings, guest, call).end();
        (ended, recordings.all().pop().unwrap().written)
    }

    /// Replays a recording against a guest.
    #[track_caller]
    pub fn replay(&self, guest: &Guest, recording: &Path) -> Replayed {
        let recording = Recording::load(recording).unwrap_or_else(|error| panic!("{error}"));
        let (host, plugin) = (self.host.clone(), found(guest));
        let runtime = self.runtime.as_ref().unwrap();
        let replaying = runtime.spawn(async move { host.replay(&plugin, recording).await });
        let ended = runtime.block_on(async { tokio::time::timeout(HANGS, replaying).await });
        ended.expect("the replay hangs").unwrap().unwrap_or_else(|error| panic!("{error}"))
    }

    /// Starts an attempt that is interrupted as soon as it waits for something, after it has done so `at` times before.
    #[track_caller]
    pub fn interrupt(&self, guest: &Guest, call: Call, at: u32, how: Interruption) -> Interrupted {
        let (attempt, cancel) = self.attempt(guest, call);
        let mut running = self.host.run(attempt, Arc::new(Recorder::default()));
        let (mut cancel, mut waited) = (Some(cancel), 0);
        let stepped = std::future::poll_fn(move |context| {
            let polled = running.as_mut().poll(context);
            if polled.is_pending() && waited == at {
                match how {
                    Interruption::Dropped => return Poll::Ready(None),
                    Interruption::Cancelled => _ = cancel.take().map(|cancel| cancel.send(CancelReason::Requested)),
                }
            }
            waited += 1;
            polled.map(Some)
        });
        let runtime = self.runtime.as_ref().unwrap().handle().clone();
        Interrupted(runtime.spawn(stepped), runtime)
    }

    #[track_caller]
    fn start_by(&self, runner: &dyn TaskRunner, guest: &Guest, call: Call) -> Running {
        let (attempt, cancel) = self.attempt(guest, call);
        let recorder = Arc::new(Recorder::default());
        let runtime = self.runtime.as_ref().unwrap().handle().clone();
        let handle = runtime.spawn(runner.run(attempt, Arc::clone(&recorder) as Arc<dyn orch_core::LiveEvents>));
        Running { recorder, handle, cancel: Some(cancel), runtime }
    }

    /// Loads a component; gives an attempt of it, and how it is asked to stop.
    #[track_caller]
    fn attempt(&self, guest: &Guest, call: Call) -> (Attempt, oneshot::Sender<CancelReason>) {
        self.load(guest).unwrap_or_else(|error| panic!("{error}"));
        let (cancel, cancelled) = oneshot::channel();
        let attempt = Attempt {
            run: RunId::try_from("0123456789abcdef0123456789abcdef").unwrap(),
            task: TaskId::try_from("task").unwrap().into(),
            workflow: "test".into(),
            dry_run: call.dry_run,
            number: 1,
            plugin: Arc::new(PluginTask {
                name: name(),
                version: semver::Version::new(1, 2, 3),
                digest: Digest::of(&guest.bytes),
                task: PluginTaskName::try_from(call.task.as_str()).unwrap(),
            }),
            input: call.input,
            grants: Arc::new(call.grants),
            limits: Arc::new(call.limits),
            timeout: call.timeout,
            upstream: call.upstream,
            findings: call.findings,
            cancel: Box::pin(async move {
                match cancelled.await {
                    Ok(reason) => reason,
                    Err(_) => std::future::pending().await,
                }
            }),
        };
        (attempt, cancel)
    }

    /// Loads a component and runs an attempt to its end.
    #[track_caller]
    pub fn run(&self, guest: &Guest, call: Call) -> Ended {
        self.start(guest, call).end()
    }

    /// Starts an attempt, waits until its guest says `started`, cancels it, and returns its end with the time that took.
    #[track_caller]
    pub fn cancel(&self, guest: &Guest, call: Call) -> (Ended, Duration) {
        let mut running = self.start(guest, call);
        running.recorder.wait_for("started");
        let asked = std::time::Instant::now();
        running.cancel();
        let ended = running.end();
        (ended, asked.elapsed())
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.runtime.take().unwrap().shutdown_background();
    }
}

impl Default for Sandbox {
    fn default() -> Sandbox {
        Sandbox::new()
    }
}

fn name() -> PluginName {
    PluginName::try_from("test/guest").unwrap()
}

fn found(guest: &Guest) -> FoundPlugin {
    let task = TaskManifest { description: String::new(), idempotent: true, input: true.into(), output: true.into() };
    let artifact = ArtifactAsk { name: ArtifactName::try_from("a").unwrap(), reason: String::new(), optional: true };
    let alias = ExecName::try_from("child").unwrap();
    let program = ExecAsk { alias, slots: Vec::new(), reason: String::new(), optional: true };
    let kept = KvAsk {
        bucket: BucketName::try_from("seen").unwrap(),
        quota: orch_core::Size::from_mib(1),
        reason: String::new(),
        optional: true,
    };
    let secret = SecretAsk {
        name: SecretName::try_from("token").unwrap(),
        audience: Vec::<NetRule>::new(),
        header: None,
        reveal: true,
        reason: String::new(),
        optional: true,
    };
    let manifest = Manifest {
        schema: Manifest::SCHEMA.to_owned(),
        name: name(),
        version: semver::Version::new(1, 2, 3),
        description: String::new(),
        license: "Apache-2.0".to_owned(),
        tasks: guest
            .tasks
            .iter()
            .map(|name| (PluginTaskName::try_from(name.as_str()).unwrap(), task.clone()))
            .collect(),
        permissions: Ask {
            artifacts: vec![artifact],
            exec: vec![program],
            kv: vec![kept],
            secrets: vec![secret],
            ..Ask::default()
        },
        limits: orch_core::LimitsRequest::default(),
    };
    FoundPlugin {
        manifest: Arc::new(manifest),
        digest: Digest::of(&guest.bytes),
        signer: None,
        bytes: Arc::clone(&guest.bytes),
    }
}

fn shared_cache() -> Option<CodeCache> {
    let folder = crate::marker("CACHE").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("target/tmp/code-cache-of-tests"),
        PathBuf::from,
    );
    Some(CodeCache::open(&folder, 512 << 20).unwrap())
}
