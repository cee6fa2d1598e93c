//! What is kept under keys, and secrets: values before the attempt, and values that are made up.

use super::player::Player;
use super::recorder::Recorder;
use super::recording::RecordedValue;
use orch_core::{KvEntry, KvError, KvPlace, KvStore, Secret, SecretName, SecretSource, Size, StoreError, visible};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

/// What a source of a recording begins with.
const MADE_UP: &str = "made-up:";

/// The source of a secret in a recording.
pub(super) fn source_of(name: &SecretName) -> String {
    format!("{MADE_UP}{name}")
}

/// Gives values that nobody has to keep to themselves.
pub(super) struct MadeUp;

impl SecretSource for MadeUp {
    fn find(&self, source: &str) -> Result<Arc<Secret>, String> {
        let name = source.strip_prefix(MADE_UP).ok_or("a replay has only values that are made up")?;
        Secret::new(format!("made-up-value-of-{name}")).map(Arc::new)
    }
}

pub(super) fn named(bucket: &str, key: &str) -> String {
    format!("kv {bucket}: `{}`", visible(key))
}

/// The real store, with a note of what each key had when it was touched first.
pub(super) fn recorded(recorder: &Arc<Recorder>, real: &Arc<dyn KvStore>) -> Arc<dyn KvStore> {
    Arc::new(Noted { recorder: Arc::clone(recorder), real: Arc::clone(real), changed: Mutex::default() })
}

/// A store in memory with what was recorded.
pub(super) fn played(player: &Arc<Player>) -> Arc<dyn KvStore> {
    let content = |one: &RecordedValue| {
        let value = one.value.as_ref().map(|value| player.recording.content(value)).transpose();
        // What cannot be read is not there: the guest's look at it is then told as unrecorded.
        Some(((one.bucket.clone(), one.key.clone()), (value.ok()?, one.version)))
    };
    let kept = player.recording.kv.iter().filter_map(content).collect();
    Arc::new(Played { player: Arc::clone(player), kept: Mutex::new(kept) })
}

struct Noted {
    recorder: Arc<Recorder>,
    real: Arc<dyn KvStore>,
    /// Keys that this attempt has changed.
    changed: Mutex<BTreeSet<(String, String)>>,
}

impl Noted {
    fn note(&self, place: &KvPlace, key: &str, found: Option<&KvEntry>) {
        let bucket = place.bucket.to_string();
        let known = |one: &RecordedValue| one.bucket == bucket && one.key == key;
        if self.recorder.is_spoiled() || self.recorder.state().kv.iter().any(known) {
            return;
        }
        let bytes = found.map_or_else(Vec::new, |entry| entry.value.clone());
        if self.recorder.masker().contains(&bytes) {
            return self.recorder.spoil("a kept value holds a secret");
        }
        if !self.recorder.count(bytes.len() + key.len()) {
            return;
        }
        let (key, version, there) = (key.to_owned(), found.map_or(0, |entry| entry.version), found.is_some());
        self.recorder.keep_in(bytes, |state, content| {
            state.kv.push(RecordedValue { bucket, key, value: there.then_some(content), version });
        });
    }
}

impl KvStore for Noted {
    fn get(&self, place: &KvPlace, key: &str) -> Result<Option<KvEntry>, StoreError> {
        let found = self.real.get(place, key)?;
        self.note(place, key, found.as_ref());
        Ok(found)
    }

    fn set(
        &self,
        place: &KvPlace,
        key: &str,
        value: Option<&[u8]>,
        expected: Option<u64>,
        quota: Size,
    ) -> Result<u64, KvError> {
        let before = self.real.get(place, key)?;
        self.note(place, key, before.as_ref());
        let version = self.real.set(place, key, value, expected, quota).inspect_err(|error| {
            if let KvError::Quota { .. } = error {
                // Whether it is reached depends on keys that this task never named.
                self.recorder.spoil("a bucket reached its quota, which cannot be recorded");
            }
        })?;
        let bucket = place.bucket.as_str();
        let mut changed = self.changed.lock().unwrap_or_else(PoisonError::into_inner);
        if changed.insert((bucket.to_owned(), key.to_owned())) {
            // The version that a deleted key had shows only in that of the next value.
            let mut state = self.recorder.state();
            let known = state.kv.iter_mut().find(|one| one.bucket == bucket && one.key == key);
            if let Some(one) = known.filter(|one| one.value.is_none()) {
                one.version = version.saturating_sub(1);
            }
        }
        Ok(version)
    }
}

type Kept = BTreeMap<(String, String), (Option<Vec<u8>>, u64)>;

struct Played {
    player: Arc<Player>,
    kept: Mutex<Kept>,
}

impl Played {
    fn with<T>(
        &self,
        place: &KvPlace,
        key: &str,
        with: impl FnOnce(&mut (Option<Vec<u8>>, u64)) -> T,
    ) -> Result<T, StoreError> {
        let place = (place.bucket.to_string(), key.to_owned());
        self.player.state().kv.insert(place.clone());
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = kept.get_mut(&place) {
            return Ok(with(found));
        }
        let call = named(&place.0, &place.1);
        self.player.unrecorded(call.clone());
        Err(StoreError::Broken { place: "the recording".to_owned(), reason: format!("it has no {call}") })
    }
}

impl KvStore for Played {
    fn get(&self, place: &KvPlace, key: &str) -> Result<Option<KvEntry>, StoreError> {
        self.with(place, key, |(value, version)| value.clone().map(|value| KvEntry { value, version: *version }))
    }

    fn set(
        &self,
        place: &KvPlace,
        key: &str,
        value: Option<&[u8]>,
        expected: Option<u64>,
        _: Size,
    ) -> Result<u64, KvError> {
        self.with(place, key, |(kept, version)| {
            let found = if kept.is_some() { *version } else { 0 };
            if let Some(expected) = expected.filter(|expected| *expected != found) {
                return Err(KvError::Conflict { expected, found });
            }
            *kept = value.map(<[u8]>::to_vec);
            *version += 1;
            Ok(*version)
        })?
    }
}
