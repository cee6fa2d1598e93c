//! Gives back what was recorded, and notes what was asked for and is not in the recording.

use super::files::{Unrecorded, lay_out};
use super::recording::Recording;
use crate::held_secrets::HeldSecrets;
use crate::mounts::OpenMount;
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use orch_core::Masker;
use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// Unrecorded calls that are named; what comes after the first is often only its consequence.
const MOST_NAMED: usize = 20;

/// Replays one recording once.
pub(crate) struct Player {
    pub(super) recording: Recording,
    /// Where files are laid out. What the task writes stays there, and goes with it.
    folder: tempfile::TempDir,
    secrets: OnceLock<Arc<HeldSecrets>>,
    state: Mutex<State>,
}

#[derive(Default)]
pub(super) struct State {
    unrecorded: Vec<String>,
    /// Requests and programs that were asked for, by their place in the recording.
    pub(super) http: BTreeSet<usize>,
    pub(super) exec: BTreeSet<usize>,
    /// Keys that were looked at.
    pub(super) kv: BTreeSet<(String, String)>,
    pub(super) opened: BTreeSet<(String, String)>,
    /// Files whose content is not that of the beginning any more, by mount and path.
    pub(super) changed: BTreeSet<(String, String)>,
}

impl Player {
    pub(super) fn new(recording: Recording) -> std::io::Result<Player> {
        let closed = std::fs::Permissions::from_mode(0o700);
        let folder = tempfile::Builder::new().prefix("orch-replay-").permissions(closed).tempdir()?;
        Ok(Player { recording, folder, secrets: OnceLock::new(), state: Mutex::default() })
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn hold(&self, secrets: &Arc<HeldSecrets>) {
        let _once = self.secrets.set(Arc::clone(secrets));
    }

    pub(super) fn masker(&self) -> Arc<Masker> {
        self.secrets.get().map_or_else(|| Arc::new(Masker::empty()), |secrets| Arc::clone(secrets.masker()))
    }

    /// Notes a call that is not in the recording, each once.
    pub(crate) fn unrecorded(&self, call: String) -> Unrecorded {
        let all = &mut self.state().unrecorded;
        if all.len() < MOST_NAMED && !all.contains(&call) {
            all.push(call);
        }
        Unrecorded
    }

    pub(super) fn all_unrecorded(&self) -> Vec<String> {
        self.state().unrecorded.clone()
    }

    /// Lays out the files of every mount.
    pub(super) fn mounts(&self) -> Result<Vec<OpenMount>, String> {
        let recorded = Dir::open_ambient_dir(&self.recording.folder, ambient_authority());
        let recorded = recorded.map_err(|error| format!("the recording cannot be opened: {error}"))?;
        let mut mounts = Vec::with_capacity(self.recording.mounts.len());
        for (name, mount) in &self.recording.mounts {
            let failed = |error: std::io::Error| format!("the mount `{name}` cannot be laid out: {error}");
            let path = self.folder.path().join(name);
            std::fs::create_dir(&path).map_err(failed)?;
            let to = Dir::open_ambient_dir(&path, ambient_authority()).map_err(failed)?;
            lay_out(&to, recorded.open_dir(format!("files/{name}")).ok().as_ref(), &mount.entries)?;
            mounts.push(OpenMount {
                guest_path: format!("/{name}"),
                name: name.clone(),
                access: mount.access,
                granted: mount.granted,
                folder: Arc::new(to.into_std_file()),
            });
        }
        // As the task saw them: in the order of its grants, and `/artifacts` last.
        let fs = &self.recording.grants.fs;
        mounts.sort_by_key(|mount| {
            fs.iter().position(|granted| granted.mount.as_str() == mount.name).unwrap_or(fs.len())
        });
        Ok(mounts)
    }

    /// What was recorded and is not asked for any more.
    pub(super) fn unused(&self) -> Vec<String> {
        let state = self.state();
        let recording = &self.recording;
        let http = recording.http.iter().enumerate().filter(|(number, _)| !state.http.contains(number));
        let exec = recording.exec.iter().enumerate().filter(|(number, _)| !state.exec.contains(number));
        let kv = recording.kv.iter().filter(|one| !state.kv.contains(&(one.bucket.clone(), one.key.clone())));
        let mut all: Vec<_> = http.map(|(_, one)| format!("http {} {}", one.method, one.url)).collect();
        all.extend(exec.map(|(_, one)| super::programs::named(&one.alias, &one.slots)));
        all.extend(kv.map(|one| super::values::named(&one.bucket, &one.key)));
        drop(state);
        all.extend(self.unopened());
        all
    }
}
