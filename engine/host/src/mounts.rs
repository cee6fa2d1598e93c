//! Opening granted folders. The policy's folder is opened first and the mount below it through that handle, so that no link,
//! and nobody who moves folders while we look, leads out of it.

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use orch_core::{Access, Effective, EffectiveMount, Finding, TaskId};
use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

/// A mount that cannot be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the mount `{mount}` cannot be used: `{path}` {reason}")]
pub struct MountProblem {
    /// The mount's name.
    pub mount: String,
    /// The folder.
    pub path: String,
    /// Why not.
    pub reason: String,
}

/// An opened mount.
#[derive(Debug, Clone)]
pub(crate) struct OpenMount {
    /// What the guest sees: `/source`.
    pub(crate) guest_path: String,
    pub(crate) name: String,
    pub(crate) access: Access,
    /// What was granted: more than `access` in a dry run.
    pub(crate) granted: Access,
    pub(crate) folder: Arc<File>,
}

/// Opens every mount of a task once, to say before a run what is wrong with which.
///
/// # Errors
/// One problem for each mount that cannot be opened.
pub fn check_mounts(effective: &Effective) -> Result<(), Vec<MountProblem>> {
    let problems: Vec<_> = effective.fs.iter().filter_map(|mount| open(mount).err()).collect();
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

pub(crate) fn open_all(effective: &Effective) -> Result<Vec<OpenMount>, MountProblem> {
    effective.fs.iter().map(open).collect()
}

fn open(mount: &EffectiveMount) -> Result<OpenMount, MountProblem> {
    let problem = |error: &std::io::Error| MountProblem {
        mount: mount.mount.to_string(),
        path: mount.path().to_string(),
        reason: explain(mount, error),
    };
    let root = Dir::open_ambient_dir(&mount.root, ambient_authority()).map_err(|error| problem(&error))?;
    let folder = if mount.below.as_str().is_empty() {
        root
    } else {
        root.open_dir(&mount.below).map_err(|error| problem(&error))?
    };
    Ok(OpenMount {
        guest_path: format!("/{}", mount.mount),
        name: mount.mount.to_string(),
        access: mount.access,
        granted: mount.access,
        folder: Arc::new(folder.into_std_file()),
    })
}

/// What is wrong with a folder, in words that lead on.
fn explain(mount: &EffectiveMount, error: &std::io::Error) -> String {
    match std::fs::metadata(mount.path()) {
        Err(missing) if missing.kind() == std::io::ErrorKind::NotFound => "does not exist".to_owned(),
        Ok(found) if !found.is_dir() => "is not a folder; mount the folder that holds it".to_owned(),
        Ok(_) if error.kind() == std::io::ErrorKind::PermissionDenied && leaves(mount) => {
            format!("leads out of `{}`, which the policy allows, through a link", mount.root)
        }
        _ => format!("cannot be opened: {error}"),
    }
}

fn leaves(mount: &EffectiveMount) -> bool {
    match (mount.path().canonicalize_utf8(), mount.root.canonicalize_utf8()) {
        (Ok(path), Ok(root)) => !path.starts_with(root),
        _ => false,
    }
}
/// Writes what a task found to where the tasks after it look for it.
pub(crate) fn stage_findings(folder: &Path, task: &TaskId, found: &[Finding]) -> std::io::Result<()> {
    let folder = folder.join(task.name());
    std::fs::create_dir_all(&folder)?;
    let mut file = std::io::BufWriter::new(File::create(folder.join(".findings.json"))?);
    serde_json::to_writer(&mut file, found)?;
    file.flush()
}
