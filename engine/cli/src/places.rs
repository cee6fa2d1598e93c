//! Where things are: the workflow, its state, the registry, the policy, keys and caches.

use crate::failure::Failure;
use camino::{Utf8Path, Utf8PathBuf};
use orch_core::Code;
use std::path::{Path, PathBuf};

/// A workflow file and its folder.
#[derive(Debug, Clone)]
pub(crate) struct WorkflowPlace {
    /// As the user gave it, for messages.
    pub(crate) shown: String,
    pub(crate) file: Utf8PathBuf,
    /// Absolute.
    pub(crate) folder: Utf8PathBuf,
}

fn utf8(path: PathBuf) -> Result<Utf8PathBuf, Failure> {
    Utf8PathBuf::from_path_buf(path)
        .map_err(|path| Failure::new(Code::Unreadable, format!("the path `{}` is not UTF-8", path.display())))
}

impl WorkflowPlace {
    pub(crate) fn of(file: &Path) -> Result<WorkflowPlace, Failure> {
        let absolute = std::path::absolute(file).map_err(|error| {
            Failure::new(Code::Unreadable, format!("`{}` cannot be found: {error}", file.display()))
        })?;
        let file = utf8(absolute)?;
        let folder = file.parent().unwrap_or(Utf8Path::new("/"));
        // The folder's own path, without links, so that "below the workflow's folder" means one thing.
        let folder = folder.canonicalize_utf8().unwrap_or_else(|_| folder.to_owned());
        Ok(WorkflowPlace { shown: file_shown(&file), file, folder })
    }

    /// The state folder.
    pub(crate) fn state(&self, given: Option<&Path>) -> PathBuf {
        given.map_or_else(|| self.folder.join(".orch-wasm").into_std_path_buf(), Path::to_owned)
    }

    pub(crate) fn lock(&self) -> PathBuf {
        self.folder.join("orch-wasm.lock").into_std_path_buf()
    }
}

/// The options that name a workflow and its state again in a command that is printed; empty where the defaults do.
pub(crate) fn options(workflow: &Path, state: Option<&Path>) -> String {
    let mut options = String::new();
    if workflow != Path::new("workflow.yaml") {
        options.push_str(&format!(" --workflow {}", quoted(workflow)));
    }
    if let Some(state) = state {
        options.push_str(&format!(" --state {}", quoted(state)));
    }
    options
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+,:@%".contains(c);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

/// Relative to where we are, if it is below.
fn file_shown(file: &Utf8Path) -> String {
    let here = std::env::current_dir().ok().and_then(|here| Utf8PathBuf::from_path_buf(here).ok());
    here.and_then(|here| file.strip_prefix(here).ok().map(Utf8Path::to_string)).unwrap_or_else(|| file.to_string())
}

/// The registry folder: as given, else the first `registry/` with an index in `from` or a folder above, not above the repository.
pub(crate) fn registry(given: Option<&Path>, from: &Path) -> Result<PathBuf, Failure> {
    if let Some(given) = given {
        return Ok(given.to_owned());
    }
    for folder in from.ancestors() {
        let candidate = folder.join("registry");
        if candidate.join("index").is_dir() {
            return Ok(candidate);
        }
        if folder.join(".git").exists() {
            break;
        }
    }
    Err(Failure::new(Code::UnknownPlugin, "there is no registry folder here or above")
        .help("name one with --registry DIR, or make one: `orch-wasm plugin publish` does"))
}

fn home(variable: &str, below_home: &str) -> Result<PathBuf, Failure> {
    let set = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = set(variable).or_else(|| set("HOME").map(|home| home.join(below_home)));
    base.map(|base| base.join("orch-wasm")).ok_or_else(|| {
        Failure::new(Code::StateUnusable, format!("neither {variable} nor HOME names a folder")).help("set HOME")
    })
}

/// Keys and the installation's own policy.
pub(crate) fn config_folder() -> Result<PathBuf, Failure> {
    home("XDG_CONFIG_HOME", ".config")
}

/// Compiled code.
pub(crate) fn code_cache() -> Result<PathBuf, Failure> {
    Ok(home("XDG_CACHE_HOME", ".cache")?.join("code"))
}

/// This installation's signing key.
pub(crate) fn signing_key() -> Result<PathBuf, Failure> {
    Ok(config_folder()?.join("signing.key"))
}

/// Public keys that this installation trusts.
pub(crate) fn trusted_keys() -> Result<PathBuf, Failure> {
    Ok(config_folder()?.join("trusted"))
}
