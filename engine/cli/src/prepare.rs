//! From the command line to a plan that can run: read the files, find and verify the plugins, compare with the lock, plan, open
//! the mounts once, load the components.

use crate::args::WorkflowArguments;
use crate::clock::SystemClock;
use crate::commands::{Context, cache};
use crate::failure::{Failure, Problems};
use crate::places::{self, WorkflowPlace};
use camino::{Utf8Path, Utf8PathBuf};
use orch_core::{
    Blobs, Clock, Code, Diagnostic, Digest, Faults, FoundPlugin, KvStore, NamePattern, NetworkOptions, Policy,
    SecretSource, SignerId, Source, Sources, TrustRule,
};
use orch_host::{CompileLimits, Compiler, Host, HostOptions, Launcher};
use orch_registry::{FolderRegistry, LockFile, LockSource, LockState, LockedPlugin, PublicKey, Terms};
use orch_store::{FolderBlobs, SqliteStore, StateFolder};
use orch_workflow::{
    NestedFiles, Plan, PlanRequest, PlannedKind, PluginReference, PluginTerms, Resolved, UsedPlugin, Workflow,
};
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The hidden verb of the compiling child.
pub(crate) const COMPILE_VERB: &str = "__compile-component";

/// The hidden verb with which this program starts itself to run a program of the host.
pub(crate) const EXEC_VERB: &str = "__exec";

/// Bytes of a workflow, policy, waivers or manifest file. The parser's own bound is the same; this one spares reading more.
const MOST_SOURCE: u64 = 1 << 20;

/// Bytes of a component that a workflow names by its path.
const MOST_COMPONENT: u64 = 64 << 20;

/// A workflow whose text is right.
pub(crate) struct LoadedWorkflow {
    pub(crate) source: Source,
    pub(crate) workflow: Workflow,
    pub(crate) warnings: Vec<Diagnostic>,
}

/// Everything that a run needs.
pub(crate) struct Prepared {
    pub(crate) place: WorkflowPlace,
    pub(crate) sources: Sources,
    pub(crate) policy: Policy,
    pub(crate) plan: Plan,
    pub(crate) warnings: Vec<Diagnostic>,
    /// By the folder of the file that uses them and the text of `uses`.
    pub(crate) plugins: BTreeMap<(Utf8PathBuf, String), FoundPlugin>,
    pub(crate) lock: LockFile,
    /// What the lock does not have yet.
    pub(crate) lock_news: Vec<String>,
}

/// What a changed plugin means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LockMode {
    /// The lock decides; what it does not have is added.
    Follow,
    /// The newest fitting versions are taken, as long as they ask for nothing new.
    Update,
    /// The newest fitting versions are taken, whatever changed and whatever they ask for.
    Accept,
}

/// Reads a text file of a user with a bound. Special files are refused, since reading one may never end.
pub(crate) fn read_source(path: &Utf8Path, shown: &str) -> Result<Source, Box<Diagnostic>> {
    read_text(path, shown).map_err(Box::new)
}

#[expect(clippy::result_large_err, reason = "boxed by its one caller")]
fn read_text(path: &Utf8Path, shown: &str) -> Result<Source, Diagnostic> {
    let problem = |code, message: String| Diagnostic::error(code, shown, None, message);
    let unreadable = |error: &std::io::Error| problem(Code::Unreadable, format!("`{shown}` cannot be read: {error}"));
    let open = OpenOptions::new().read(true).custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed()).open(path);
    let file = open.map_err(|error| {
        let help = "`orch-wasm init` writes a workflow to start from";
        let one = unreadable(&error);
        if error.kind() == std::io::ErrorKind::NotFound { one.help(help) } else { one }
    })?;
    let found = file.metadata().map_err(|error| unreadable(&error))?;
    if !found.is_file() {
        return Err(problem(Code::Unreadable, format!("`{shown}` is not a file")));
    }
    let mut bytes = Vec::new();
    file.take(MOST_SOURCE + 1).read_to_end(&mut bytes).map_err(|error| unreadable(&error))?;
    if bytes.len() as u64 > MOST_SOURCE {
        let size = found.len();
        return Err(problem(Code::TooLarge, format!("`{shown}` has {size} bytes, at most {MOST_SOURCE} are read")));
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Source::new(shown, text)),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            Err(problem(Code::Unreadable, format!("`{shown}` is not UTF-8: byte {at} begins no character"))
                .help("save the file as UTF-8"))
        }
    }
}

#[expect(clippy::boxed_local, reason = "it comes boxed")]
fn one_problem(diagnostic: Box<Diagnostic>) -> Problems {
    Problems { diagnostics: vec![*diagnostic], sources: Sources::default() }
}

/// Splits what a parser said: a value, or all problems.
fn accept<T>(source: &Source, parsed: (Option<T>, Vec<Diagnostic>)) -> Result<(T, Vec<Diagnostic>), Problems> {
    match parsed {
        (Some(value), warnings) => Ok((value, warnings)),
        (None, diagnostics) => {
            let mut sources = Sources::default();
            sources.add(source.clone());
            Err(Problems { diagnostics, sources })
        }
    }
}

pub(crate) fn load_workflow(place: &WorkflowPlace) -> Result<LoadedWorkflow, Problems> {
    let source = read_source(&place.file, &place.shown).map_err(one_problem)?;
    let (workflow, warnings) = accept(&source, orch_workflow::parse(&source))?;
    Ok(LoadedWorkflow { source, workflow, warnings })
}

/// The policy that holds: as given, else the installation's, else the one beside the workflow, else the built-in one.
pub(crate) fn load_policy(given: Option<&Path>, folder: &Utf8Path) -> anyhow::Result<Policy> {
    let of_installation = places::config_folder()?.join("policy.yaml");
    let beside = folder.join("policy.yaml").into_std_path_buf();
    let path = match given {
        Some(given) => given.to_owned(),
        None if of_installation.exists() => of_installation,
        None if beside.exists() => beside,
        None => return Ok(Policy::built_in(folder.to_owned(), trusted_signers()?)),
    };
    let place = WorkflowPlace::of(&path)?;
    let source = read_source(&place.file, &place.shown).map_err(one_problem)?;
    let (mut policy, _) = accept(&source, orch_workflow::parse_policy(&source, &place.folder))?;
    if policy.trust.is_empty() {
        // A policy without rules about signers is about something else: who may sign is then this installation's own choice.
        policy.trust.push(TrustRule {
            plugins: NamePattern("*".to_owned()),
            signers: trusted_signers()?,
            at_least: 1,
            fresh_within: None,
        });
    }
    Ok(policy)
}

/// Cases for a policy.
pub(crate) fn load_policy_cases(place: &WorkflowPlace) -> Result<Vec<orch_workflow::PolicyCase>, Problems> {
    let source = read_source(&place.file, &place.shown).map_err(one_problem)?;
    accept(&source, orch_workflow::parse_policy_cases(&source, &place.folder)).map(|(cases, _)| cases)
}

/// Signers that this installation trusts: its own key and those that `keys trust` added.
pub(crate) fn trusted_signers() -> anyhow::Result<Vec<SignerId>> {
    Ok(trusted_keys()?.into_iter().map(|(_, key)| key.id()).collect())
}

/// The keys that this installation trusts, with where each comes from.
pub(crate) fn trusted_keys() -> anyhow::Result<Vec<(PathBuf, PublicKey)>> {
    let mut keys = Vec::new();
    let own = places::signing_key()?.with_extension("pub");
    if own.exists() {
        keys.push((own.clone(), PublicKey::load(&own).map_err(Failure::from)?));
    }
    let folder = places::trusted_keys()?;
    if folder.is_dir() {
        let mut files: Vec<PathBuf> =
            std::fs::read_dir(&folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
        files.sort();
        for file in files.into_iter().filter(|file| file.extension().is_some_and(|ending| ending == "pub")) {
            let key = PublicKey::load(&file).map_err(Failure::from)?;
            keys.push((file, key));
        }
    }
    Ok(keys)
}

/// `name=value` pairs.
fn inputs(pairs: &[String]) -> Result<BTreeMap<String, String>, Failure> {
    let mut inputs = BTreeMap::new();
    for pair in pairs {
        let Some((name, value)) = pair.split_once('=') else {
            return Err(
                Failure::new(Code::Usage, format!("`--input {pair}` has no `=`")).help("write --input name=value")
            );
        };
        if inputs.insert(name.to_owned(), value.to_owned()).is_some() {
            return Err(Failure::new(Code::Usage, format!("the input `{name}` is given twice")));
        }
    }
    Ok(inputs)
}

/// Reads, finds, verifies and plans.
pub(crate) fn prepare(arguments: &WorkflowArguments, mode: LockMode) -> anyhow::Result<Prepared> {
    let place = WorkflowPlace::of(&arguments.file)?;
    let inputs = inputs(&arguments.inputs)?;
    let loaded = load_workflow(&place)?;
    let mut sources = Sources::default();
    sources.add(loaded.source.clone());
    let (nested, warnings) = load_nested(&loaded, &place, &mut sources)?;
    let policy = load_policy(arguments.policy.as_deref(), &place.folder)?;
    let mut files = vec![File { workflow: &loaded.workflow, source: &loaded.source, folder: &place.folder }];
    files.extend(nested.iter().map(|(_, file)| File {
        workflow: &file.workflow,
        source: &file.source,
        folder: file.folder(),
    }));
    let waivers = waivers(&files, &mut sources)?;
    let mut lock = LockFile::read(place.lock()).map_err(Failure::from)?.unwrap_or_default();
    let mut finder = Finder { arguments, place: &place, policy: &policy, registry: None };
    let mut problems = Vec::new();
    let (mut plugins, mut lock_news) = (BTreeMap::new(), Vec::new());
    for file in &files {
        for used in file.workflow.plugin_references() {
            match finder.find(&used, file.folder, &mut lock, mode) {
                Ok((plugin, news)) => {
                    lock_news.extend(news);
                    plugins.insert((file.folder.to_owned(), used.uses.clone()), plugin);
                }
                Err(failure) => problems.push(diagnose(failure, file.source, &used)),
            }
        }
    }
    if !problems.is_empty() {
        return Err(Problems { diagnostics: problems, sources }.into());
    }
    // What this workflow does not refer to stays in the lock: other workflows of the folder share it, and a pin that is dropped
    // is a pin that nobody has to accept again.
    let resolved = plugins.iter().map(|(uses, found)| (uses.clone(), resolved(found))).collect();
    let request = PlanRequest {
        workflow: &loaded.workflow,
        source: &loaded.source,
        folder: &place.folder,
        dry_run: arguments.dry_run,
        inputs: &inputs,
        nested: &nested,
        plugins: &resolved,
        policy: &policy,
        waivers: &waivers,
    };
    let (plan, mut diagnostics) = orch_workflow::plan(&request);
    let mount_problems = plan.as_ref().map(|plan| check_mounts(plan, &loaded.source)).unwrap_or_default();
    diagnostics.extend(mount_problems);
    match plan {
        Some(plan) if diagnostics.iter().all(|one| one.warning) => {
            let warnings = loaded.warnings.iter().cloned().chain(warnings).chain(diagnostics).collect();
            Ok(Prepared { place, sources, policy, plan, warnings, plugins, lock, lock_news })
        }
        _ => Err(Problems { diagnostics, sources }.into()),
    }
}

fn resolved(found: &FoundPlugin) -> Resolved {
    Resolved { manifest: Arc::clone(&found.manifest), digest: found.digest, signer: found.signer.clone() }
}

fn diagnose(failure: Failure, source: &Source, used: &UsedPlugin) -> Diagnostic {
    let one = Diagnostic::error(failure.code, &source.name, used.span.clone(), failure.message);
    match failure.help {
        Some(help) => one.help(help),
        None => one,
    }
}

/// A workflow file and where it stands.
struct File<'a> {
    workflow: &'a Workflow,
    source: &'a Source,
    folder: &'a Utf8Path,
}

/// Reads the workflow files that a workflow runs.
fn load_nested(
    loaded: &LoadedWorkflow,
    place: &WorkflowPlace,
    sources: &mut Sources,
) -> Result<(NestedFiles, Vec<Diagnostic>), Problems> {
    let path = place.folder.join(place.file.file_name().unwrap_or_default());
    let mut read = |path: &Utf8Path| {
        let shown = path.strip_prefix(&place.folder).unwrap_or(path).to_string();
        let source = read_source(path, &shown).map_err(|problem| problem.message)?;
        sources.add(source.clone());
        Ok(source)
    };
    let (nested, found) = orch_workflow::load(&path, &loaded.workflow, &loaded.source, &mut read);
    match found.iter().all(|one| one.warning) {
        true => Ok((nested, found)),
        false => Err(Problems { diagnostics: found, sources: sources.clone() }),
    }
}

type WaiversFiles = BTreeMap<(Utf8PathBuf, String), orch_workflow::Waivers>;

fn waivers(files: &[File<'_>], sources: &mut Sources) -> Result<WaiversFiles, Problems> {
    let mut all = BTreeMap::new();
    for file in files {
        for (path, span) in file.workflow.waivers_files() {
            let source = read_source(&file.folder.join(&path), &path).map_err(|problem| {
                let here = Diagnostic { file: file.source.name.clone(), span: Some(span.clone()), ..*problem };
                Problems { diagnostics: vec![here], sources: sources.clone() }
            })?;
            let (waivers, _) = accept(&source, orch_workflow::parse_waivers(&source))?;
            sources.add(source);
            all.insert((file.folder.to_owned(), path), waivers);
        }
    }
    Ok(all)
}

/// Opens every mount once, so that a wrong one is told with its place before anything runs.
fn check_mounts(plan: &Plan, source: &Source) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    let mut checked: Vec<&PluginTerms> = Vec::new();
    for task in plan.tasks() {
        let PlannedKind::Plugin(plugin) = &task.kind else { continue };
        let terms = plan.terms(plugin);
        if checked.iter().any(|known| std::ptr::eq(*known, terms)) {
            continue;
        }
        checked.push(terms);
        if let Err(found) = orch_host::check_mounts(&terms.grants) {
            problems.extend(found.into_iter().map(|problem| {
                let message = format!("task `{}`: {problem}", task.id);
                Diagnostic::error(Code::InvalidMount, &source.name, place_of(source, task.id.as_str()), message)
            }));
        }
    }
    problems
}

/// Where a task's key stands, by its text: good enough for a caret, and the plan no longer knows the file.
fn place_of(source: &Source, task: &str) -> Option<orch_core::Span> {
    let quoted = [format!("{task}:"), format!("\"{task}\":"), format!("'{task}':")];
    let mut from = 0;
    for line in source.text.split_inclusive('\n') {
        let start = line.trim_start();
        if quoted.iter().any(|key| start.starts_with(key.as_str())) {
            let at = from + line.len() - start.len();
            return Some(at..at + task.len());
        }
        from += line.len();
    }
    None
}

/// Finds plugins, opening the registry when the first one needs it.
struct Finder<'a> {
    arguments: &'a WorkflowArguments,
    place: &'a WorkflowPlace,
    policy: &'a Policy,
    registry: Option<FolderRegistry>,
}

impl Finder<'_> {
    fn find(
        &mut self,
        used: &UsedPlugin,
        folder: &Utf8Path,
        lock: &mut LockFile,
        mode: LockMode,
    ) -> Result<(FoundPlugin, Option<String>), Failure> {
        let follows = mode == LockMode::Follow;
        let (found, requirement, source, index) = match &used.reference {
            PluginReference::Registry { name, requirement, .. } => {
                let locked = lock.locked(name, requirement).filter(|_| follows);
                // An index that does not go on from what was seen is refused also where newer versions are wanted; only a person who
                // accepts whatever changed takes it.
                let seen = lock.seen(name).filter(|_| mode != LockMode::Accept);
                let terms = Terms { lock: locked, seen, ..Terms::new(self.policy, SystemClock.now()) };
                let (found, index) = self.registry()?.find(name, requirement, &terms)?;
                // Not the folder's path: a lock is shared between machines, and what it pins is the content.
                (found, requirement.clone(), LockSource::Registry("folder".to_owned()), Some(index))
            }
            PluginReference::File { path, .. } => {
                let whole = orch_workflow::absolute(folder, path.as_str());
                let bytes = read_component(&whole, path)?;
                // A lock stands beside the workflow, and names files from there.
                let beside = whole
                    .strip_prefix(&self.place.folder)
                    .map_or(whole.clone(), |below| Utf8Path::new(".").join(below));
                let name = if folder == self.place.folder { path.to_string() } else { beside.to_string() };
                let locked = lock.locked_file(&name).filter(|_| follows);
                let found = orch_registry::find_file(&bytes, self.policy, locked).map_err(|error| {
                    let failure = Failure::from(error);
                    Failure { message: format!("`{path}`: {}", failure.message), ..failure }
                })?;
                (found, semver::VersionReq::STAR, LockSource::File(name), None)
            }
        };
        let entry = LockedPlugin::new(&found, requirement, source).seen(index);
        let what = format!("{} {}", entry.name, entry.version);
        let news = match lock.compare(&entry) {
            LockState::Same => None,
            LockState::New => Some(format!("{what} {}", entry.digest)),
            LockState::Changed { before, differences } if allowed(mode, &before, &entry) => {
                Some(format!("{what}: {}", differences.join(", ")))
            }
            LockState::Changed { differences, .. } => {
                let message = format!("`{what}` is not what orch-wasm.lock pins: {}", differences.join(", "));
                return Err(held(Code::LockMismatch, message));
            }
            LockState::AsksForMore { lines, .. } if mode == LockMode::Accept => {
                Some(format!("{what}, which now asks for: {}", lines.join(", ")))
            }
            LockState::AsksForMore { before, lines } => {
                let message = format!("`{what}` asks for more than {} did: {}", before.version, lines.join(", "));
                return Err(held(Code::AsksForMore, message));
            }
        };
        lock.accept(entry);
        Ok((found, news))
    }

    fn registry(&mut self) -> Result<&FolderRegistry, Failure> {
        if self.registry.is_none() {
            let path = places::registry(self.arguments.registry.as_deref(), self.place.folder.as_std_path())?;
            self.registry = Some(FolderRegistry::open(&path)?);
        }
        self.registry.as_ref().ok_or_else(|| Failure::new(Code::UnknownPlugin, "there is no registry folder"))
    }
}

/// Whether a plugin that differs from what is locked, and asks for nothing new, needs nobody's word. Another signer, or other
/// bytes under the same version, always do; that is how a moved tag looks.
fn allowed(mode: LockMode, before: &LockedPlugin, found: &LockedPlugin) -> bool {
    let same_signer = before.signer == found.signer;
    match mode {
        LockMode::Accept => true,
        LockMode::Update => same_signer && (before.version != found.version || before.digest == found.digest),
        LockMode::Follow => same_signer && before.digest == found.digest,
    }
}

fn held(code: Code, message: String) -> Failure {
    Failure::new(code, message).help("look at the difference, then accept it with `orch-wasm lock --accept`")
}

fn read_component(path: &Utf8PathBuf, shown: &Utf8Path) -> Result<Vec<u8>, Failure> {
    let unreadable = |error: std::io::Error| {
        Failure::new(Code::UnknownPlugin, format!("`{shown}` cannot be read: {error}"))
            .help("`orch-wasm plugin build` makes it")
    };
    let open = OpenOptions::new().read(true).custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed()).open(path);
    let mut bytes = Vec::new();
    open.map_err(unreadable)?.take(MOST_COMPONENT + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    Ok(bytes)
}

/// How components are compiled: by this program with its hidden verb.
pub(crate) fn compiler() -> anyhow::Result<Compiler> {
    Ok(Compiler {
        program: std::env::current_exe()?,
        arguments: vec![COMPILE_VERB.into()],
        limits: CompileLimits::default(),
    })
}

/// A sandbox whose artifacts go to a state folder, and the store of those.
pub(crate) fn host(
    faults: &Arc<dyn Faults>,
    state: &StateFolder,
    store: &Arc<SqliteStore>,
    secrets: Arc<dyn SecretSource>,
    network: NetworkOptions,
) -> anyhow::Result<(Host, Arc<FolderBlobs>)> {
    let blobs = Arc::new(FolderBlobs::with_faults(state.clone(), Arc::clone(faults)));
    // A cache that cannot be used costs time; doctor says why.
    let cache = match cache::open() {
        Ok(cache) => Some(cache),
        Err(failure) => {
            crate::terminal::talk(&format!("warning[{}]: {failure}; compiling without it", failure.code));
            None
        }
    };
    let options = HostOptions {
        compiler: compiler()?,
        launcher: Launcher { program: std::env::current_exe()?, arguments: vec![EXEC_VERB.into()] },
        cache,
        blobs: Arc::clone(&blobs) as Arc<dyn Blobs>,
        kv: Arc::clone(store) as Arc<dyn KvStore>,
        #[expect(clippy::disallowed_methods, reason = "the cli is where the environment is read")]
        env: Arc::new(|name| std::env::var(name).ok()),
        network,
        secrets,
        faults: Arc::clone(faults),
    };
    let host = Host::new(options).map_err(|error| Failure::new(Code::CompileFailed, error.to_string()))?;
    Ok((host, blobs))
}

/// A sandbox of its own for looking at a component; nothing it does is kept.
pub(crate) fn scratch_host() -> anyhow::Result<(Host, tempfile::TempDir)> {
    let folder = tempfile::tempdir()?;
    let state = StateFolder::open(&folder.path().join("state")).map_err(Failure::from)?;
    let faults: Arc<dyn Faults> = Arc::new(orch_core::NoFaults);
    let store = Arc::new(SqliteStore::new(state.clone()));
    let (host, _) = host(&faults, &state, &store, Arc::new(orch_core::NoSecrets), NetworkOptions::default())?;
    Ok((host, folder))
}

/// Keeps the components of a run beside its log, so that it can go on whatever happens to the registry.
pub(crate) fn keep(blobs: &FolderBlobs, prepared: &Prepared) -> Result<(), Failure> {
    let mut kept: Vec<Digest> = Vec::new();
    for plugin in prepared.plugins.values() {
        if !kept.contains(&plugin.digest) {
            blobs.put(&plugin.bytes)?;
            kept.push(plugin.digest);
        }
    }
    Ok(())
}

/// Loads the plugins of a stored plan from what was kept of them: by digest, whatever the registry has by now.
pub(crate) fn load_kept(host: &Host, blobs: &FolderBlobs, plan: &Plan) -> Result<(), Failure> {
    let mut loaded: Vec<Digest> = Vec::new();
    for planned in plan.plugins() {
        let digest = planned.plugin.digest;
        if loaded.contains(&digest) {
            continue;
        }
        loaded.push(digest);
        let missing = |error: orch_core::StoreError| {
            let message =
                format!("the component of `{}` ({digest}) is not kept any more: {error}", planned.plugin.name);
            Failure::new(Code::StateUnusable, message).exit(orch_core::Exit::Errored).help("run the workflow anew")
        };
        let bytes = blobs.read(&digest).map_err(missing)?;
        let manifest = Arc::new(orch_registry::package::extract(&bytes)?);
        let signer = planned.signer.clone();
        let found = FoundPlugin { manifest, digest, signer, bytes: bytes.into() };
        host.load(&found).map_err(|error| load_failure(&planned.uses, &error))?;
    }
    Ok(())
}

/// Loads every plugin of a plan, each once. Cached code that was not to be believed is told: somebody wrote there who should not.
pub(crate) fn load(host: &Host, prepared: &Prepared) -> Result<(), Failure> {
    let loaded = load_each(host, prepared);
    let rejected = host.cache_stats().map_or(0, |stats| stats.rejected);
    if rejected > 0 {
        crate::terminal::talk(&format!(
            "warning[{}]: {} of the code cache did not verify: deleted, and compiled anew",
            Code::CacheUnusable,
            if rejected == 1 { "1 entry".to_owned() } else { format!("{rejected} entries") }
        ));
    }
    loaded
}

fn load_each(host: &Host, prepared: &Prepared) -> Result<(), Failure> {
    let mut seen: Vec<Digest> = Vec::new();
    for ((_, uses), plugin) in &prepared.plugins {
        if seen.contains(&plugin.digest) {
            continue;
        }
        seen.push(plugin.digest);
        host.load(plugin).map_err(|error| load_failure(uses, &error))?;
    }
    Ok(())
}

/// Why a plugin cannot be run, as a failure with a code.
pub(crate) fn load_failure(what: &str, error: &orch_host::LoadError) -> Failure {
    use orch_host::LoadError;
    let code = match error {
        LoadError::Precheck(_) | LoadError::NoPlugin(_) | LoadError::UnknownWorld { .. } => Code::InvalidComponent,
        LoadError::MissingImports(_) => Code::MissingImport,
        LoadError::Compile(_) | LoadError::Unusable(_) => Code::CompileFailed,
    };
    Failure::new(code, format!("`{what}` cannot be run: {error}"))
}

/// The state folder and its store, opened for writing.
pub(crate) fn open_state(
    context: &Context,
    place: &WorkflowPlace,
    given: Option<&Path>,
) -> Result<(StateFolder, Arc<SqliteStore>), Failure> {
    let folder = StateFolder::open(&place.state(given))?;
    let store = Arc::new(SqliteStore::with_faults(folder.clone(), Arc::clone(&context.faults)));
    store.prepare()?;
    Ok((folder, store))
}
