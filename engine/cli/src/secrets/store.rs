//! This installation's own secrets: one file, encrypted by age to a key beside it. It protects backups and copies of the file, not
//! against somebody who has this account.

use crate::failure::Failure;
use crate::places;
use age::secrecy::ExposeSecret;
use orch_core::{Code, Exit, Secret, SecretName};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// The version of what is inside the encrypted file. Readers refuse other numbers and unknown keys.
const VERSION: u32 = 1;

/// Bytes of the encrypted file: some hundred secrets of the longest kind.
const MOST_FILE: u64 = 16 << 20;

/// Bytes of the key file; it has 75 and comments.
const MOST_KEY: u64 = 4 << 10;

/// The store in a folder.
pub(crate) struct SecretStore {
    folder: PathBuf,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    version: u32,
    secrets: BTreeMap<SecretName, Value>,
}

/// A value that is wiped when it is dropped. Deliberately without `Debug`.
struct Value(Zeroizing<String>);

impl Serialize for Value {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
        String::deserialize(deserializer).map(|value| Value(Zeroizing::new(value)))
    }
}

fn unusable(path: &Path, reason: impl std::fmt::Display) -> Failure {
    Failure::new(Code::SecretsUnusable, format!("`{}` cannot be used: {reason}", path.display())).exit(Exit::Errored)
}

impl SecretStore {
    /// The store of this installation.
    pub(crate) fn of_installation() -> Result<SecretStore, Failure> {
        Ok(SecretStore { folder: places::config_folder()? })
    }

    fn file(&self) -> PathBuf {
        self.folder.join("secrets.age")
    }

    fn key_file(&self) -> PathBuf {
        self.folder.join("secrets.key")
    }

    /// The names of all secrets.
    pub(crate) fn names(&self) -> Result<Vec<SecretName>, Failure> {
        Ok(self.read()?.secrets.into_keys().collect())
    }

    /// The value of a secret, if it is there.
    pub(crate) fn find(&self, name: &SecretName) -> Result<Option<Secret>, Failure> {
        let Some(Value(mut value)) = self.read()?.secrets.remove(name) else { return Ok(None) };
        let secret = Secret::new(std::mem::take(&mut *value)).map_err(|reason| unusable(&self.file(), reason))?;
        Ok(Some(secret))
    }

    /// Puts a secret there; whether it was there before, with another value or the same.
    pub(crate) fn set(&self, name: &SecretName, secret: &Secret) -> Result<bool, Failure> {
        let _lock = self.lock()?;
        let mut content = self.read()?;
        let value = Value(Zeroizing::new(secret.expose().to_owned()));
        let before = content.secrets.insert(name.clone(), value);
        self.write(&content)?;
        Ok(before.is_some())
    }

    /// Takes a secret away; whether it was there.
    pub(crate) fn remove(&self, name: &SecretName) -> Result<bool, Failure> {
        let _lock = self.lock()?;
        let mut content = self.read()?;
        let was_there = content.secrets.remove(name).is_some();
        if was_there {
            self.write(&content)?;
        }
        Ok(was_there)
    }

    /// Held while the file is changed, so that of two changes at once none is lost.
    fn lock(&self) -> Result<File, Failure> {
        let path = self.folder.join("secrets.lock");
        let folder = |error| unusable(&self.folder, error);
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder).map_err(folder)?;
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600);
        let file = options.open(&path).map_err(|error| unusable(&path, error))?;
        file.lock().map_err(|error| unusable(&path, error))?;
        Ok(file)
    }

    fn read(&self) -> Result<Content, Failure> {
        let path = self.file();
        let Some(encrypted) = read(&path, MOST_FILE)? else {
            return Ok(Content { version: VERSION, secrets: BTreeMap::new() });
        };
        let Some(key) = self.key()? else {
            let key = self.key_file();
            let help = format!(
                "put `{}` back from a backup, or move `{}` away and set the secrets anew",
                key.display(),
                path.display()
            );
            return Err(unusable(&path, format!("its key `{}` is not there", key.display())).help(help));
        };
        let help =
            "it was changed or is of another key: put it back from a backup, or move it away and set the secrets anew";
        let plain = age::decrypt(&key, &encrypted).map_err(|error| unusable(&path, error).help(help))?;
        let plain = Zeroizing::new(plain);
        // The parser's message could quote what it reads.
        let content: Content =
            serde_json::from_slice(&plain).map_err(|_| unusable(&path, "its content is not understood").help(help))?;
        if content.version != VERSION {
            let reason = format!("it has version {}, and this program knows version {VERSION}", content.version);
            return Err(unusable(&path, reason).help("use the version of orch-wasm that wrote it, or a newer one"));
        }
        Ok(content)
    }

    fn write(&self, content: &Content) -> Result<(), Failure> {
        let path = self.file();
        let key = match self.key()? {
            Some(key) => key,
            None => self.make_key()?,
        };
        // Reserved at once: growing would leave copies of the values behind. JSON makes a byte six at most.
        let most =
            content.secrets.iter().map(|(name, value)| name.as_str().len() + 6 * value.0.len() + 16).sum::<usize>();
        let mut plain = Zeroizing::new(Vec::with_capacity(most + 64));
        serde_json::to_writer(&mut *plain, content).map_err(|error| unusable(&path, error))?;
        let encrypted = age::encrypt(&key.to_public(), &plain).map_err(|error| unusable(&path, error))?;
        if encrypted.len() as u64 > MOST_FILE {
            return Err(unusable(&path, format!("it would have more than {MOST_FILE} bytes"))
                .help("remove secrets that nobody needs"));
        }
        let broken = |error: std::io::Error| unusable(&path, error);
        // Made for its owner alone.
        let mut aside = tempfile::NamedTempFile::new_in(&self.folder).map_err(broken)?;
        aside.write_all(&encrypted).and_then(|()| aside.as_file().sync_all()).map_err(broken)?;
        aside.persist(&path).map_err(|error| unusable(&path, error.error))?;
        self.sync_folder()
    }

    fn key(&self) -> Result<Option<age::x25519::Identity>, Failure> {
        let path = self.key_file();
        let Some(bytes) = read(&path, MOST_KEY)? else { return Ok(None) };
        let mode = std::fs::metadata(&path).map_err(|error| unusable(&path, error))?.permissions().mode() & 0o7777;
        if mode & 0o077 != 0 {
            let reason = format!("others than its owner can use it (its mode is {mode:04o})");
            return Err(unusable(&path, reason).help(format!("close it with `chmod 600 {}`", path.display())));
        }
        let help = "put it back from a backup";
        let text = std::str::from_utf8(&bytes).map_err(|error| unusable(&path, error).help(help))?;
        let line = text.lines().find(|line| !line.starts_with('#') && !line.trim().is_empty()).unwrap_or_default();
        line.trim().parse().map(Some).map_err(|reason: &str| unusable(&path, reason).help(help))
    }

    fn make_key(&self) -> Result<age::x25519::Identity, Failure> {
        let path = self.key_file();
        let key = age::x25519::Identity::generate();
        let text = key.to_string();
        let broken = |error: std::io::Error| unusable(&path, error);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).map_err(broken)?;
        let comment = b"# the key of secrets.age: whoever has both has the secrets\n";
        let written = file
            .write_all(comment)
            .and_then(|()| file.write_all(text.expose_secret().as_bytes()))
            .and_then(|()| file.write_all(b"\n"))
            .and_then(|()| file.sync_all());
        written.map_err(broken)?;
        self.sync_folder()?;
        Ok(key)
    }

    fn sync_folder(&self) -> Result<(), Failure> {
        let synced = File::open(&self.folder).and_then(|folder| folder.sync_all());
        synced.map_err(|error| unusable(&self.folder, error))
    }
}

/// The bytes of a file, or nothing when there is no such file.
fn read(path: &Path, most: u64) -> Result<Option<Zeroizing<Vec<u8>>>, Failure> {
    // Without O_NONBLOCK a named pipe would block here for ever.
    let nonblocking = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let file = match OpenOptions::new().read(true).custom_flags(nonblocking).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unusable(path, error)),
    };
    let found = file.metadata().map_err(|error| unusable(path, error))?;
    if !found.is_file() {
        return Err(unusable(path, "it is no file"));
    }
    if found.len() > most {
        return Err(unusable(path, format!("it has {} bytes, and at most {most} are read", found.len())));
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(found.len()).unwrap_or(0) + 1));
    file.take(most).read_to_end(&mut bytes).map_err(|error| unusable(path, error))?;
    Ok(Some(bytes))
}
