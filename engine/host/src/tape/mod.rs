//! Recordings: what an attempt got from outside, kept so that the same can be given again where there is no outside.
//!
//! What is kept are effects and not calls: a file with its content, a request with its answer, a program with its output. A plugin that
//! was built anew may make other calls in another order and still find all of it.
//!
//! [`Recorder`] (`recorder`) notes, [`Player`] (`player`) gives back; `files`, `http`, `programs` and `values` have both sides of
//! one kind each, `recording` the format, `compare` what differs, `runner` both ways from outside. An attempt that is neither
//! recorded nor replayed pays for one look at [`Tape`].

mod compare;
mod files;
mod http;
mod player;
mod programs;
mod recorder;
mod recording;
mod runner;
mod values;

pub(crate) use files::{Links, Touch, Unrecorded};
pub(crate) use programs::Program;
pub use recording::{Recording, RecordingError};
pub use runner::{RecordedAttempt, Recordings, Replayed};

use crate::held_secrets::HeldSecrets;
use crate::mounts::OpenMount;
use crate::sandbox::Environment;
use orch_core::{Digest, Failure, FailureKind, KvStore, SecretSource};
use player::Player;
use recorder::Recorder;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

/// Whether an attempt is recorded, replayed, or neither.
#[derive(Clone, Default)]
pub(crate) enum Tape {
    /// The world is the world.
    #[default]
    Off,
    /// The world is the world, and what it gives is noted.
    Record(Arc<Recorder>),
    /// There is no world.
    Replay(Arc<Player>),
}

impl Tape {
    pub(crate) fn is_off(&self) -> bool {
        matches!(self, Tape::Off)
    }

    pub(crate) fn is_replay(&self) -> bool {
        matches!(self, Tape::Replay(_))
    }

    /// Where values of secrets come from: on replay they are made up.
    pub(crate) fn secrets(&self, real: &Arc<dyn SecretSource>) -> Arc<dyn SecretSource> {
        match self {
            Tape::Replay(_) => Arc::new(values::MadeUp),
            Tape::Off | Tape::Record(_) => Arc::clone(real),
        }
    }

    /// The attempt's secrets, which must not be in a recording.
    pub(crate) fn hold(&self, secrets: &Arc<HeldSecrets>) {
        match self {
            Tape::Off => {}
            Tape::Record(recorder) => recorder.hold(secrets),
            Tape::Replay(player) => player.hold(secrets),
        }
    }

    /// The folders of a replay; `None` for those of the world.
    pub(crate) fn mounts(&self) -> Result<Option<Vec<OpenMount>>, Failure> {
        let Tape::Replay(player) = self else { return Ok(None) };
        let what = FailureKind::Dependency { target: "recording".to_owned(), retryable: false };
        player.mounts().map(Some).map_err(|reason| Failure::new(what, reason))
    }

    /// The plugin is about to run with these folders.
    pub(crate) fn begin(&self, mounts: &[OpenMount]) {
        if let Tape::Record(recorder) = self {
            recorder.begin(mounts);
        }
    }

    /// What random numbers of a fixed kind are made from: on replay from the component that was recorded, or every build would see
    /// others.
    pub(crate) fn seed(&self) -> Option<Digest> {
        match self {
            Tape::Replay(player) => Some(player.recording.digest),
            Tape::Off | Tape::Record(_) => None,
        }
    }

    /// Where values of environment variables come from.
    pub(crate) fn environment(&self, real: &Environment) -> Environment {
        match self {
            Tape::Off => Arc::clone(real),
            Tape::Record(recorder) => recorder.environment(real),
            Tape::Replay(player) => {
                let player = Arc::clone(player);
                Arc::new(move |name| player.recording.env.get(name).cloned())
            }
        }
    }

    /// Where values are kept.
    pub(crate) fn kv(&self, real: &Arc<dyn KvStore>) -> Arc<dyn KvStore> {
        match self {
            Tape::Off => Arc::clone(real),
            Tape::Record(recorder) => values::recorded(recorder, real),
            Tape::Replay(player) => values::played(player),
        }
    }

    /// A guest touches a path of a mount, from a folder that it has open. On replay only what was touched before may be.
    pub(crate) fn touch(&self, mount: &OpenMount, folder: &File, path: &Path, touch: Touch) -> Result<(), Unrecorded> {
        match self {
            Tape::Off => Ok(()),
            Tape::Record(recorder) => {
                recorder.touch(mount, folder, path, touch);
                Ok(())
            }
            Tape::Replay(player) => player.touch(mount, folder, path, touch),
        }
    }

    /// A guest gets a raw socket. Nobody knows what belongs together in its bytes, so there is nothing to record.
    pub(crate) fn raw_socket(&self, what: &str) -> Result<(), Unrecorded> {
        match self {
            Tape::Off => Ok(()),
            Tape::Record(recorder) => {
                recorder.spoil("raw sockets cannot be recorded");
                Ok(())
            }
            Tape::Replay(player) => Err(player.unrecorded(format!("net {what}: raw sockets cannot be recorded"))),
        }
    }
}
