//! Finds the value that a workflow's `secrets` names.

use super::{SecretStore, bounded, program};
use orch_core::{Secret, SecretName, SecretSource, shorten, visible};
use std::fs::OpenOptions;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::PathBuf;
use std::sync::Arc;
use zeroize::Zeroizing;

/// The environment, files, programs and the store, for one run.
pub(crate) struct Sources {
    /// What paths are relative to: the workflow's folder.
    folder: PathBuf,
}

impl Sources {
    /// For a workflow in this folder.
    pub(crate) fn new(folder: impl Into<PathBuf>) -> Sources {
        Sources { folder: folder.into() }
    }

    fn file(&self, path: &str) -> Result<Secret, String> {
        let path = self.folder.join(path);
        let shown = visible(&path.display().to_string()).into_owned();
        let unreadable = |error: std::io::Error| format!("the file `{shown}` cannot be read: {error}");
        // Without O_NONBLOCK a named pipe would block here for ever.
        let nonblocking = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
        let file = OpenOptions::new().read(true).custom_flags(nonblocking).open(&path).map_err(unreadable)?;
        let found = file.metadata().map_err(unreadable)?;
        if !found.is_file() {
            return Err(format!("`{shown}` is no file: name one that holds the value and nothing else"));
        }
        let mode = found.permissions().mode() & 0o7777;
        if mode & 0o077 != 0 {
            tracing::warn!(file = %shown, mode = format!("{mode:04o}"), "others than its owner can use the file of a secret");
        }
        bounded::value_of(file).map_err(|reason| format!("the value in `{shown}` cannot be used: {reason}"))
    }
}

fn env(name: &str) -> Result<Secret, String> {
    let value = std::env::var_os(name).ok_or_else(|| {
        format!("the environment variable `{name}` is not set where orch-wasm was started: export it before")
    })?;
    bounded::secret(Zeroizing::new(value.into_vec()))
        .map_err(|reason| format!("the value of the environment variable `{name}` cannot be used: {reason}"))
}

fn store(name: &str) -> Result<Secret, String> {
    let name = SecretName::try_from(name).map_err(|error| error.to_string())?;
    let found = SecretStore::of_installation().and_then(|store| store.find(&name));
    match found {
        Ok(Some(secret)) => Ok(secret),
        Ok(None) => {
            Err(format!("there is no secret `{name}` in the store: `orch-wasm secrets set {name}` puts it there"))
        }
        Err(failure) => Err(match failure.help {
            Some(help) => format!("{}; {help}", failure.message),
            None => failure.message,
        }),
    }
}

impl SecretSource for Sources {
    fn find(&self, source: &str) -> Result<Arc<Secret>, String> {
        let found = match source.split_once(':') {
            Some(("env", name)) => env(name),
            Some(("file", path)) => self.file(path),
            Some(("exec", path)) => program::run(path),
            Some(("store", name)) => store(name),
            _ => Err(format!("nobody knows the source `{}`", shorten(&visible(source), 200))),
        };
        found.map(Arc::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn fails(sources: &Sources, source: &str, reason: &str) {
        let Err(error) = sources.find(source) else { panic!("`{source}` is found") };
        assert!(error.contains(reason) && !error.contains("hunter2"), "{source}: {error}");
    }

    #[test]
    fn files_are_found_beside_the_workflow() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, content: &[u8]| std::fs::write(folder.path().join(name), content).unwrap();
        write("token", b"hunter2-value\n");
        write("short", b"abc");
        write("binary", b"hunter2-\xff\xfe");
        write("large", &vec![b'x'; orch_core::LONGEST_SECRET + 2]);
        let sources = Sources::new(folder.path());
        assert_eq!(sources.find("file:token").unwrap().expose(), "hunter2-value");
        let absolute = folder.path().join("token").display().to_string();
        assert_eq!(sources.find(&format!("file:{absolute}")).unwrap().expose(), "hunter2-value");
        fails(&sources, "file:missing", "cannot be read");
        fails(&sources, "file:.", "is no file");
        fails(&sources, "file:short", "it has fewer than 6 characters");
        fails(&sources, "file:binary", "it is not UTF-8");
        fails(&sources, "file:large", "it has more than 65536 bytes");
        let pipe = folder.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0).unwrap();
        fails(&sources, "file:pipe", "is no file");
    }

    #[test]
    fn variables_are_those_of_this_process() {
        let sources = Sources::new("/");
        #[expect(clippy::disallowed_methods, reason = "what the code under test reads")]
        let path = std::env::var("PATH").unwrap();
        assert_eq!(sources.find("env:PATH").unwrap().expose(), path);
        fails(&sources, "env:ORCH_WASM_NO_SUCH_VARIABLE", "is not set where orch-wasm was started: export it");
    }

    #[test]
    fn nobody_knows_other_sources() {
        let sources = Sources::new("/");
        fails(&sources, "vault:x", "nobody knows the source `vault:x`");
        fails(&sources, "x", "nobody knows the source `x`");
        fails(&sources, "store:no such name", "secret name");
        fails(&sources, "exec:program", "no absolute path");
    }
}
