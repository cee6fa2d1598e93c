//! A folder for recordings, and hands that change what was recorded: a plugin that does something else is the same plugin with
//! another input.

use orch_host::Replayed;
use orch_tests::{Call, Ended, Guest, Sandbox};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

pub(super) struct Tapes {
    pub(super) sandbox: Sandbox,
    folder: tempfile::TempDir,
}

impl Tapes {
    pub(super) fn new() -> Tapes {
        Tapes { sandbox: Sandbox::new(), folder: tempfile::tempdir().unwrap() }
    }

    /// Where the recordings of this test lie.
    pub(super) fn folder(&self) -> PathBuf {
        self.folder.path().join("recordings")
    }

    /// Records a call; nothing is left of the writing but the recording.
    #[track_caller]
    pub(super) fn record(&self, guest: &Guest, call: Call) -> (Ended, PathBuf) {
        let (ended, written) = self.sandbox.record(guest, call, &self.folder());
        let place = written.unwrap_or_else(|reason| panic!("{reason}: {ended:?}"));
        assert_eq!(names(&self.folder()), ["task.attempt-1"]);
        (ended, place)
    }

    /// A call that is not recorded, for this reason.
    #[track_caller]
    pub(super) fn refuses(&self, guest: &Guest, call: Call, reason: &str) -> Ended {
        let (ended, written) = self.sandbox.record(guest, call, &self.folder());
        let told = written.unwrap_err();
        assert!(told.contains(reason), "{told}");
        assert!(names(&self.folder()).is_empty(), "nothing is left of it");
        ended
    }

    #[track_caller]
    pub(super) fn passes(&self, guest: &Guest, place: &Path) {
        assert_eq!(self.sandbox.replay(guest, place), NOTHING);
    }

    /// The first call that is not in the recording.
    #[track_caller]
    pub(super) fn unrecorded(&self, guest: &Guest, place: &Path, expected: &str) {
        let replayed = self.sandbox.replay(guest, place);
        let first = replayed.unrecorded.first().unwrap_or_else(|| panic!("{replayed:?}"));
        assert!(first.contains(expected), "{replayed:?}");
    }
}

/// What a replay gives that is as it was recorded.
pub(super) const NOTHING: Replayed = Replayed { unrecorded: Vec::new(), differences: Vec::new(), unused: Vec::new() };

pub(super) fn read(place: &Path) -> Value {
    serde_json::from_slice(&fs::read(place.join("recording.json")).unwrap()).unwrap()
}

pub(super) fn edit(place: &Path, edit: impl FnOnce(&mut Value)) {
    let mut recording = read(place);
    edit(&mut recording);
    fs::write(place.join("recording.json"), recording.to_string()).unwrap();
}

/// The names in a folder, sorted.
pub(super) fn names(folder: &Path) -> Vec<String> {
    let mut all: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    all.sort();
    all
}

/// Every file below a folder, with its content.
pub(super) fn contents(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        match entry.is_dir() {
            true => all.extend(contents(&entry)),
            false => all.push((entry.clone(), fs::read(&entry).unwrap())),
        }
    }
    all.sort();
    all
}
