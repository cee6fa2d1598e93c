//! What is noted of an attempt while it runs, and how it becomes a folder at its end.

use super::recording::{
    Content, Entry, FILE, FORMAT, LONGEST_TEXT, MOST_BYTES, MOST_FILES, RecordedMount, RecordedOutcome,
    RecordedProgram, RecordedRequest, RecordedValue, Recording,
};
use crate::held_secrets::HeldSecrets;
use crate::mounts::OpenMount;
use crate::sandbox::Environment;
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use orch_core::{
    AttemptOutput, Digest, Effective, Entropy, Failure, FailureKind, Finding, Limits, Masker, PluginTask, RunId, Size,
    StepId, StoredArtifact,
};
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// Notes one attempt. What is large goes to disk at once, without secrets, into a folder that becomes the recording.
pub(crate) struct Recorder {
    spool: tempfile::TempDir,
    files: Dir,
    bodies: Dir,
    secrets: OnceLock<Arc<HeldSecrets>>,
    state: Mutex<State>,
}

/// What is known so far.
#[derive(Default)]
pub(super) struct State {
    /// Why there will be no recording.
    spoiled: Option<String>,
    /// Whether the plugin was started.
    began: bool,
    pub(super) bytes: u64,
    /// Names of files, and files.
    pub(super) names: usize,
    pub(super) mounts: BTreeMap<String, RecordedMount>,
    /// Files whose content is not that of the beginning any more, by mount and path.
    pub(super) changed: BTreeSet<(String, String)>,
    pub(super) http: Vec<RecordedRequest>,
    pub(super) exec: Vec<RecordedProgram>,
    pub(super) kv: Vec<RecordedValue>,
    env: BTreeMap<String, String>,
}

/// What an attempt was, besides what happened in it.
pub(super) struct About {
    pub(super) plugin: Arc<PluginTask>,
    pub(super) run: RunId,
    pub(super) step: StepId,
    pub(super) attempt: u32,
    pub(super) workflow: Arc<str>,
    pub(super) dry_run: bool,
    pub(super) timeout_ms: u64,
    pub(super) input: String,
    pub(super) grants: Arc<Effective>,
    pub(super) limits: Arc<Limits>,
}

/// Whether so much may be recorded.
pub(super) fn fits(bytes: u64, names: usize) -> Result<(), String> {
    if bytes > MOST_BYTES {
        return Err(format!("it would be larger than {}", Size::from_bytes(MOST_BYTES)));
    }
    if names > MOST_FILES {
        return Err(format!("it would name more than {MOST_FILES} files"));
    }
    Ok(())
}

impl Recorder {
    /// Begins a recording in a folder that lies beside where it will be.
    pub(super) fn new(beside: &Path) -> std::io::Result<Recorder> {
        // Closed to others from its first moment.
        let closed = std::fs::Permissions::from_mode(0o700);
        let spool = tempfile::Builder::new().prefix(".recording-").permissions(closed).tempdir_in(beside)?;
        let open = |name: &str| {
            std::fs::create_dir(spool.path().join(name))?;
            Dir::open_ambient_dir(spool.path().join(name), ambient_authority())
        };
        let (files, bodies) = (open("files")?, open("bodies")?);
        Ok(Recorder { spool, files, bodies, secrets: OnceLock::new(), state: Mutex::default() })
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn files(&self) -> &Dir {
        &self.files
    }

    pub(super) fn hold(&self, secrets: &Arc<HeldSecrets>) {
        let _once = self.secrets.set(Arc::clone(secrets));
    }

    pub(super) fn masker(&self) -> Arc<Masker> {
        self.secrets.get().map_or_else(|| Arc::new(Masker::empty()), |secrets| Arc::clone(secrets.masker()))
    }

    /// A text of the guest without values, and with the names of secrets where their placeholders stand.
    pub(super) fn told(&self, text: &str) -> String {
        let Some(secrets) = self.secrets.get() else { return text.to_owned() };
        let mut text = secrets.masker().mask(text).into_owned();
        for held in secrets.all() {
            text = text.replace(&held.placeholder, &format!("{{secret {}}}", held.grant.name));
        }
        text
    }

    pub(super) fn begin(&self, mounts: &[OpenMount]) {
        let mut state = self.state();
        state.began = true;
        for mount in mounts {
            let entries = BTreeMap::from([(String::new(), Entry::Folder { listed: false })]);
            let recorded = RecordedMount { access: mount.access, granted: mount.granted, entries };
            state.mounts.insert(mount.name.clone(), recorded);
        }
    }

    pub(super) fn environment(self: &Arc<Self>, real: &Environment) -> Environment {
        let (recorder, real) = (Arc::clone(self), Arc::clone(real));
        Arc::new(move |name| {
            let value = real(name)?;
            recorder.state().env.insert(name.to_owned(), value.clone());
            Some(value)
        })
    }

    /// There will be no recording. The first reason counts.
    pub(crate) fn spoil(&self, reason: &str) {
        let mut state = self.state();
        state.spoiled.get_or_insert_with(|| reason.to_owned());
        // What was kept in memory is of no use any more.
        (state.http, state.exec, state.kv) = (Vec::new(), Vec::new(), Vec::new());
    }

    pub(super) fn is_spoiled(&self) -> bool {
        self.state().spoiled.is_some()
    }

    /// Counts bytes that will be in the recording.
    pub(super) fn count(&self, bytes: usize) -> bool {
        let mut state = self.state();
        state.bytes += bytes as u64;
        let fits = fits(state.bytes, 0);
        drop(state);
        fits.map_err(|reason| self.spoil(&reason)).is_ok()
    }

    /// Keeps bytes that hold no secret any more.
    fn keep(&self, bytes: Vec<u8>) -> Result<Content, String> {
        let bytes = match String::from_utf8(bytes) {
            Ok(text) if text.len() <= LONGEST_TEXT => return Ok(Content::Text(text)),
            Ok(text) => text.into_bytes(),
            Err(error) => error.into_bytes(),
        };
        let digest = Digest::of(&bytes);
        self.bodies.write(digest.hex(), bytes).map_err(|error| format!("it cannot be written: {error}"))?;
        Ok(Content::File(digest))
    }

    /// As [`Self::keep`], for what a closure puts where it belongs.
    pub(super) fn keep_in(&self, bytes: Vec<u8>, put: impl FnOnce(&mut State, Content)) {
        if self.is_spoiled() {
            return;
        }
        match self.keep(bytes) {
            Ok(content) => put(&mut self.state(), content),
            Err(reason) => self.spoil(&reason),
        }
    }

    /// Makes the recording complete and puts it in its place, where an earlier one may lie.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) fn finish(
        &self,
        about: &About,
        result: &Result<AttemptOutput, Failure>,
        findings: Vec<Finding>,
        artifacts: Vec<StoredArtifact>,
        place: &Path,
    ) -> Result<(), String> {
        match result {
            Err(Failure { what: FailureKind::Cancelled, .. }) => return Err("it was asked to stop".to_owned()),
            Err(Failure { what: FailureKind::Timeout, .. }) => return Err("its time was up".to_owned()),
            _ => {}
        }
        let over = State { spoiled: Some("it is over".to_owned()), ..State::default() };
        let state = std::mem::replace(&mut *self.state(), over);
        if let Some(reason) = state.spoiled {
            return Err(reason);
        }
        if !state.began {
            return Err("the plugin did not run".to_owned());
        }
        let masker = self.masker();
        let recording = Recording {
            format: FORMAT,
            plugin: about.plugin.name.clone(),
            version: about.plugin.version.clone(),
            digest: about.plugin.digest,
            task: about.plugin.task.clone(),
            run: about.run.clone(),
            step: about.step.clone(),
            attempt: about.attempt,
            workflow: about.workflow.to_string(),
            dry_run: about.dry_run,
            timeout_ms: about.timeout_ms,
            input: serde_json::from_str(&about.input).map_err(|error| format!("its input is no JSON: {error}"))?,
            grants: portable(&about.grants),
            limits: (*about.limits).clone(),
            env: state.env,
            mounts: state.mounts,
            http: state.http,
            exec: state.exec,
            kv: state.kv,
            outcome: RecordedOutcome::of(result),
            findings,
            artifacts,
            folder: PathBuf::new(),
        };
        let text = masked(&recording, &masker)?;
        fits(state.bytes + text.len() as u64, state.names)?;
        self.publish(&text, place).map_err(|error| format!("it cannot be written: {error}"))
    }

    fn publish(&self, text: &str, place: &Path) -> std::io::Result<()> {
        std::fs::write(self.spool.path().join(FILE), text)?;
        for name in ["files", "bodies"] {
            // Only an empty one goes.
            let _ = std::fs::remove_dir(self.spool.path().join(name));
        }
        if std::fs::symlink_metadata(place).is_err() {
            return std::fs::rename(self.spool.path(), place);
        }
        if !place.join(FILE).is_file() {
            return Err(std::io::Error::other(format!("`{}` is there, and no recording", place.display())));
        }
        let beside = place.parent().unwrap_or(Path::new("."));
        let old = tempfile::Builder::new().prefix(".recording-").tempdir_in(beside)?;
        std::fs::rename(place, old.path().join("old"))?;
        std::fs::rename(self.spool.path(), place).inspect_err(|_| {
            // What was there is better than nothing.
            let _ = std::fs::rename(old.path().join("old"), place);
        })
    }
}

/// The JSON of a recording without secrets.
fn masked(recording: &Recording, masker: &Masker) -> Result<String, String> {
    let mut value = serde_json::to_value(recording).map_err(|error| error.to_string())?;
    masker.mask_json(&mut value);
    let text = serde_json::to_string_pretty(&value).map_err(|error| error.to_string())? + "\n";
    if masker.contains(text.as_bytes()) {
        return Err("it would hold a secret".to_owned());
    }
    // A value that is a part of a name or a number cannot be taken out and leave a recording.
    serde_json::from_value::<Recording>(value)
        .map(|_| text)
        .map_err(|_| "a secret stands where it cannot be taken out".to_owned())
}

/// The grants without what only this machine has: no path of the host, and no place of a secret.
fn portable(grants: &Effective) -> Effective {
    let mut grants = grants.clone();
    for mount in &mut grants.fs {
        mount.root = format!("/{}", mount.mount).into();
        mount.below = camino::Utf8PathBuf::new();
    }
    for secret in &mut grants.secrets {
        secret.source = super::values::source_of(&secret.name);
    }
    grants
}

impl Recording {
    /// The grants of a replay: time and random numbers are the same in each.
    pub(super) fn replayed_grants(&self) -> Effective {
        Effective { clock: Entropy::Fixed, random: Entropy::Fixed, ..self.grants.clone() }
    }
}
