//! A guest's path as one of the host. The program gets it without links: what was in the mount when it was looked at.

use crate::mounts::OpenMount;
use cap_std::fs::Dir;
use orch_core::Access;
use std::io::ErrorKind;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

/// Where a mount lies now: it is a folder that was opened, and may have been moved since.
///
/// # Errors
/// When it has no path any more.
pub(crate) fn of_mount(mount: &OpenMount) -> Result<PathBuf, String> {
    let failed = |error: std::io::Error| format!("the mount `{}` has no path: {error}", mount.name);
    let path = std::fs::read_link(format!("/proc/self/fd/{}", mount.folder.as_raw_fd())).map_err(failed)?;
    let (named, opened) = (std::fs::metadata(&path).map_err(failed)?, mount.folder.metadata().map_err(failed)?);
    if (named.dev(), named.ino()) != (opened.dev(), opened.ino()) {
        return Err(format!("the mount `{}` was moved or removed", mount.name));
    }
    Ok(path)
}

/// The host's path of what a guest names `/mount/…`. The last part may be missing where the program may make it.
///
/// # Errors
/// The reason, for the guest.
pub(crate) fn of_host(mounts: &[OpenMount], path: &str, may_change: bool) -> Result<String, String> {
    let inside = |mount: &OpenMount| match path.strip_prefix(mount.guest_path.as_str()) {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => Some(rest.trim_start_matches('/').to_owned()),
        _ => None,
    };
    let Some((mount, below)) = mounts.iter().find_map(|mount| Some((mount, inside(mount)?))) else {
        return Err(format!("`{path}` is in no folder that the task was granted"));
    };
    if Path::new(&below).components().any(|part| !matches!(part, Component::Normal(_) | Component::CurDir)) {
        return Err(format!("`{path}` has `..`"));
    }
    let folder = mount.folder.try_clone().map_err(|error| error.to_string())?;
    let found = inside_of(&Dir::from_std_file(folder), Path::new(&below), may_change && mount.access == Access::Write);
    let found = found.map_err(|reason| format!("`{path}`: {reason}"))?;
    let all = of_mount(mount)?.join(found);
    // A path that ends in a separator would say that it is a folder.
    let all: PathBuf = all.components().collect();
    all.into_os_string().into_string().map_err(|_| format!("`{path}` leads to a name that is no text"))
}

/// The path without links; none leads out, since the system or cap-std follows them within the folder only.
fn inside_of(folder: &Dir, below: &Path, may_make: bool) -> Result<PathBuf, String> {
    if below.components().all(|part| part == Component::CurDir) {
        return Ok(PathBuf::new());
    }
    let missing = match folder.canonicalize(below) {
        Ok(path) => return Ok(path),
        Err(error) => error,
    };
    if missing.kind() != ErrorKind::NotFound {
        return Err(missing.to_string());
    }
    // A link that leads nowhere is there: it may lead somewhere else once the program runs.
    if !may_make || folder.symlink_metadata(below).is_ok() {
        return Err("there is no such file".to_owned());
    }
    let (Some(parent), Some(name)) = (below.parent(), below.file_name()) else {
        return Err("there is no such file".to_owned());
    };
    if parent.as_os_str().is_empty() {
        return Ok(PathBuf::from(name));
    }
    let parent = folder.canonicalize(parent).map_err(|error| format!("its folder: {error}"))?;
    match folder.metadata(&parent) {
        Ok(found) if found.is_dir() => Ok(parent.join(name)),
        _ => Err("its folder is none".to_owned()),
    }
}
