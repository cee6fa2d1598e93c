//! Compiled code on disk. Machine code is run as it is, so an entry counts only when this installation's own key signed it for
//! exactly this component, engine and processor; anything else is deleted, counted and compiled anew.

mod entry;
mod load;

pub(crate) use load::load;

use entry::{Kind, Verdict};
use orch_core::Digest;
use sha2::{Digest as _, Sha256};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::hash::{Hash, Hasher};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};
use wasmtime::Engine;

/// How long an entry that is used need not be marked as used again.
const TOUCH_AFTER: Duration = Duration::from_secs(86_400);

/// Why a folder cannot be the cache.
#[derive(Debug, thiserror::Error)]
#[error("`{}` cannot be the code cache: {reason}", place.display())]
pub struct CacheError {
    /// The folder or file.
    pub place: PathBuf,
    /// Why.
    pub reason: String,
}

/// What the cache did so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CacheStats {
    /// Entries that were found and verified.
    pub hits: u64,
    /// Entries that were not there.
    pub misses: u64,
    /// Entries that did not verify and were deleted.
    pub rejected: u64,
}

/// An entry as `cache ls` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeEntry {
    /// The file's name: component, engine and processor, hashed.
    pub name: String,
    /// The component, if the entry verifies.
    pub component: Option<Digest>,
    /// Length of the file.
    pub bytes: u64,
    /// Milliseconds since 1970 when it was last used, to the day.
    pub used: i64,
    /// Whether it remembers a failure instead of code.
    pub failure: bool,
}

/// A folder of compiled code.
#[derive(Debug)]
pub struct CodeCache {
    folder: PathBuf,
    key: [u8; 32],
    most_bytes: u64,
    hits: AtomicU64,
    misses: AtomicU64,
    rejected: AtomicU64,
}

/// What the cache knows of a component.
pub(crate) enum Cached {
    Code(Vec<u8>),
    Failure(String),
    Nothing,
}

impl CodeCache {
    /// Opens a cache, making folder and key if they are not there.
    ///
    /// # Errors
    /// When the folder belongs to somebody else, others may write to it, or it cannot be used at all.
    pub fn open(folder: &Path, most_bytes: u64) -> Result<CodeCache, CacheError> {
        let fail = |reason: String| CacheError { place: folder.to_owned(), reason };
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|error| fail(error.to_string()))?;
        let found = fs::symlink_metadata(folder).map_err(|error| fail(error.to_string()))?;
        let me = rustix::process::geteuid().as_raw();
        if !found.is_dir() {
            return Err(fail("it is not a folder".to_owned()));
        }
        if found.uid() != me {
            return Err(fail(format!("it belongs to user {}, not to you ({me})", found.uid())));
        }
        if found.mode() & 0o022 != 0 {
            return Err(fail(format!("others may write to it (mode {:o}): chmod 700 it", found.mode() & 0o777)));
        }
        let key = key(&folder.join("key"))?;
        let zero = AtomicU64::default;
        Ok(CodeCache { folder: folder.to_owned(), key, most_bytes, hits: zero(), misses: zero(), rejected: zero() })
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What it did so far.
    pub fn stats(&self) -> CacheStats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        CacheStats { hits: read(&self.hits), misses: read(&self.misses), rejected: read(&self.rejected) }
    }

    pub(crate) fn get(&self, engine: &Engine, component: &Digest) -> Cached {
        let name = entry_name(engine, component);
        let path = self.folder.join(&name);
        match self.read(&path, &name) {
            Ok(Some((Kind::Code, digest, payload))) if digest == *component => {
                self.hits.fetch_add(1, Ordering::Relaxed);
                Cached::Code(payload)
            }
            Ok(Some((Kind::Failure, digest, payload))) if digest == *component => {
                self.hits.fetch_add(1, Ordering::Relaxed);
                Cached::Failure(String::from_utf8_lossy(&payload).into_owned())
            }
            Ok(None) => {
                self.misses.fetch_add(1, Ordering::Relaxed);
                Cached::Nothing
            }
            Ok(Some(_)) | Err(_) => {
                self.reject(&path);
                Cached::Nothing
            }
        }
    }

    /// An entry that passed its check and yet could not be loaded.
    pub(crate) fn reject_entry(&self, engine: &Engine, component: &Digest) {
        self.reject(&self.folder.join(entry_name(engine, component)));
    }

    fn reject(&self, path: &Path) {
        self.rejected.fetch_add(1, Ordering::Relaxed);
        tracing::warn!(path = %path.display(), "an entry of the code cache did not verify; it is deleted and compiled anew");
        let _ = fs::remove_file(path);
    }

    /// `None`: not there. An error: there, and not to be believed.
    fn read(&self, path: &Path, name: &str) -> Result<Option<Verdict>, String> {
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        let mut file = match OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.to_string()),
        };
        let found = file.metadata().map_err(|error| error.to_string())?;
        if !found.is_file() || found.uid() != rustix::process::geteuid().as_raw() || found.mode() & 0o022 != 0 {
            return Err("it is not a private file of this user".to_owned());
        }
        // Before memory is set aside: a sparse file can claim any length.
        if found.len() > entry::MOST_BYTES {
            return Err("it is larger than any entry".to_owned());
        }
        let mut bytes = Vec::with_capacity(usize::try_from(found.len()).unwrap_or(0) + 1);
        // Read once; what is verified is what is loaded.
        Read::by_ref(&mut file).take(entry::MOST_BYTES).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
        let verdict = entry::decode(&self.key, name, bytes)?;
        if found.modified().ok().and_then(|at| at.elapsed().ok()).is_some_and(|age| age > TOUCH_AFTER) {
            let _ = file.set_modified(now());
        }
        Ok(Some(verdict))
    }

    pub(crate) fn put_code(&self, engine: &Engine, component: &Digest, code: &[u8]) {
        self.put(engine, component, Kind::Code, code);
    }

    pub(crate) fn put_failure(&self, engine: &Engine, component: &Digest, reason: &str) {
        self.put(engine, component, Kind::Failure, reason.as_bytes());
    }

    fn put(&self, engine: &Engine, component: &Digest, kind: Kind, payload: &[u8]) {
        // A cache that cannot be written costs time and nothing else.
        if let Err(error) = self.write(&entry_name(engine, component), component, kind, payload) {
            tracing::warn!(folder = %self.folder.display(), %error, "compiled code could not be cached");
        }
        let _ = self.collect(self.most_bytes);
    }

    fn write(&self, name: &str, component: &Digest, kind: Kind, payload: &[u8]) -> std::io::Result<()> {
        let aside = self.folder.join(format!(".{name}.{}", unique()));
        let _ = fs::remove_file(&aside);
        let written = (|| {
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&aside)?;
            file.write_all(&entry::header(&self.key, name, component, kind, payload))?;
            file.write_all(payload)?;
            file.sync_all()?;
            fs::rename(&aside, self.folder.join(name))
        })();
        if written.is_err() {
            let _ = fs::remove_file(&aside);
        }
        written
    }

    fn files(&self) -> std::io::Result<Vec<(String, fs::Metadata)>> {
        let mut files = Vec::new();
        for found in fs::read_dir(&self.folder)? {
            let found = found?;
            let name = found.file_name().to_string_lossy().into_owned();
            let is_entry = name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
            if is_entry {
                files.push((name, found.metadata()?));
            }
        }
        Ok(files)
    }

    /// Every entry, largest first.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn entries(&self) -> std::io::Result<Vec<CodeEntry>> {
        let mut entries = Vec::new();
        for (name, found) in self.files()? {
            let verdict = self.read(&self.folder.join(&name), &name).ok().flatten();
            let used = found.modified().ok().and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok());
            entries.push(CodeEntry {
                component: verdict.as_ref().map(|(_, component, _)| *component),
                failure: verdict.as_ref().is_some_and(|(kind, ..)| *kind == Kind::Failure),
                bytes: found.len(),
                used: used.map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX)),
                name,
            });
        }
        entries.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.name.cmp(&b.name)));
        Ok(entries)
    }

    /// Deletes entries that do not verify and returns their names.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn verify(&self) -> std::io::Result<Vec<String>> {
        let broken: Vec<String> =
            self.entries()?.into_iter().filter(|entry| entry.component.is_none()).map(|entry| entry.name).collect();
        for name in &broken {
            self.reject(&self.folder.join(name));
        }
        Ok(broken)
    }

    /// Deletes what was not used for longest until at most `most_bytes` are left; returns how many bytes that freed.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn collect(&self, most_bytes: u64) -> std::io::Result<u64> {
        let mut files = self.files()?;
        files.sort_by_key(|(_, found)| found.modified().unwrap_or(SystemTime::UNIX_EPOCH));
        let mut total: u64 = files.iter().map(|(_, found)| found.len()).sum();
        let mut freed = 0;
        for (name, found) in files {
            if total <= most_bytes {
                break;
            }
            if fs::remove_file(self.folder.join(name)).is_ok() {
                total -= found.len();
                freed += found.len();
            }
        }
        Ok(freed)
    }
}

/// A part of a name that no other thread and no other process uses at the same time.
fn unique() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

#[expect(clippy::disallowed_methods, reason = "an age on disk, for eviction only; nothing is ordered or decided by it")]
fn now() -> SystemTime {
    SystemTime::now()
}

/// The name of an entry: everything that the code depends on, hashed.
fn entry_name(engine: &Engine, component: &Digest) -> String {
    struct Sink(Sha256);
    impl Hasher for Sink {
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }
        fn finish(&self) -> u64 {
            0 // not used: the whole hash is taken below
        }
    }
    let mut sink = Sink(Sha256::new());
    sink.0.update(b"orch-wasm code cache 1\0");
    sink.0.update(component.bytes());
    engine.precompile_compatibility_hash().hash(&mut sink);
    Digest::from_bytes(sink.0.finalize().into()).hex()
}

/// This installation's key, made at first use. One that others can read is no secret any more and is replaced, which makes all
/// entries invalid.
fn key(path: &Path) -> Result<[u8; 32], CacheError> {
    let fail = |reason: String| CacheError { place: path.to_owned(), reason };
    for _ in 0..3 {
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        if let Ok(mut file) = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path) {
            let found = file.metadata().map_err(|error| fail(error.to_string()))?;
            let mut key = [0; 32];
            let private = found.is_file()
                && found.mode() & 0o077 == 0
                && found.uid() == rustix::process::geteuid().as_raw()
                && found.len() == 32;
            if private && file.read_exact(&mut key).is_ok() {
                return Ok(key);
            }
            fs::remove_file(path).map_err(|error| fail(error.to_string()))?;
        }
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(|error| fail(error.to_string()))?;
        let aside = path.with_extension(format!("new-{}", unique()));
        let _ = fs::remove_file(&aside);
        let written =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(&aside).and_then(|mut file: File| {
                file.write_all(&key)?;
                file.sync_all()?;
                // A link and not a rename: of two processes at once the first one's key stays.
                fs::hard_link(&aside, path)
            });
        let _ = fs::remove_file(&aside);
        match written {
            Ok(()) => return Ok(key),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(fail(error.to_string())),
        }
    }
    Err(fail("it changes while it is read".to_owned()))
}
