//! Reads files of the tree, within bounds, and hands them to their parser.

use crate::installed;
use crate::model::{Include, LockKind, Packages};
use crate::parse::os_release::{Distribution, parse_os_release, set_distribution};
use crate::parse::{
    MAX_PACKAGES, apk, cargo_lock, composer_lock, dpkg, gemfile_lock, go_mod, gradle_lock, nuget_lock, package_lock,
    pnpm_lock, poetry_lock, requirements, rpm, sqlite, uv_lock, yarn_lock,
};
use crate::walk::{DOTNET_PROJECTS, RPM_FOLDERS};
use crate::workspaces::OnDisk;
use orch_plugin_kit::glob::Glob;
use orch_plugin_kit::parse::ParseError;
use orch_plugin_kit::report;
use orch_plugin_kit::tree::{self, is_plain_file, join, text};
use orch_sdk::{Host, TaskError};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The largest file that is read. Known lock files stay below 6 MiB; a parsed one takes several times its size in memory.
pub const MAX_FILE: u64 = 16 * 1024 * 1024;

/// TOML is kept in memory with a position for each value, so its bound is lower.
pub const MAX_TOML: u64 = 6 * 1024 * 1024;

/// Requirements files that include each other in a circle are no problem, but a chain must end.
const MAX_INCLUDES: usize = 1_000;

/// A lock file that was read.
#[derive(Debug, Clone)]
pub struct LockFile {
    /// Relative to the tree.
    pub path: String,
    /// Its format.
    pub kind: LockKind,
    /// What it says.
    pub found: Packages,
}

/// A file that could not be read, and why.
pub type Unread = (String, ParseError);

/// Reads the lock files of a tree and what they include, in the order of their paths, and tells of those that could not be read.
///
/// # Errors
/// When the host wants the task to stop.
pub fn all(
    root: &Path,
    locks: &[(String, LockKind)],
    exclude: &[Glob],
    host: &dyn Host,
) -> Result<(Vec<LockFile>, Vec<Unread>), TaskError> {
    let (mut files, mut problems) = (Vec::new(), Vec::new());
    let mut packages = 0;
    let is_allowed = |path: &str| {
        // A pattern may fit the file itself or any folder above it.
        let mut prefixes = path.match_indices('/').map(|(at, _)| &path[..at]).chain([path]);
        !prefixes.any(|prefix| exclude.iter().any(|glob| glob.fits(prefix)))
    };
    for (done, (path, kind)) in locks.iter().enumerate() {
        report::check_cancelled(host)?;
        host.progress(done as u64, Some(locks.len() as u64), path);
        match lock_file_with(root, path, *kind, &is_allowed) {
            // More than this are no list that anybody can read, and would not fit into the memory limit.
            Ok(file) if packages + file.found.packages.len() > MAX_PACKAGES => {
                problems
                    .push((path.clone(), ParseError::whole(format!("more than {MAX_PACKAGES} packages in the tree"))));
            }
            Ok(file) => {
                packages += file.found.packages.len();
                files.push(file);
            }
            Err(error) => problems.push((path.clone(), error)),
        }
    }
    problems.extend(follow_includes(root, &mut files, &is_allowed));
    files.sort_by(|left, right| left.path.cmp(&right.path));
    Ok((files, problems))
}

/// Reads one lock file with whatever belongs to it, except for what it includes.
///
/// # Errors
/// What reading and parsing say.
pub fn lock_file(root: &Path, path: &str, kind: LockKind) -> Result<LockFile, ParseError> {
    lock_file_with(root, path, kind, &|_| true)
}

/// The same, where not every file may be read.
fn lock_file_with(
    root: &Path,
    path: &str,
    kind: LockKind,
    is_allowed: &dyn Fn(&str) -> bool,
) -> Result<LockFile, ParseError> {
    let folder = path.rfind('/').map_or("", |at| &path[..=at]);
    let manifests = OnDisk { root, folder, is_allowed };
    let limit = match kind {
        LockKind::CargoLock | LockKind::PoetryLock | LockKind::UvLock => MAX_TOML,
        _ => MAX_FILE,
    };
    let found = match kind {
        LockKind::CargoLock => cargo_lock::parse(&text(root, path, limit)?, path)?,
        LockKind::PackageLock => package_lock::parse(&text(root, path, limit)?, path)?,
        LockKind::PoetryLock => poetry_lock::parse(&text(root, path, limit)?, path)?,
        LockKind::UvLock => uv_lock::parse(&text(root, path, limit)?, path)?,
        LockKind::Requirements => requirements::parse(&text(root, path, limit)?, path)?,
        LockKind::GoMod => go_module(root, path, limit)?,
        LockKind::DpkgStatus => dpkg_database(root, path, limit)?,
        LockKind::ApkInstalled => apk_database(root, path)?,
        LockKind::RpmSqlite | LockKind::RpmNdb => rpm_database(root, path)?,
        LockKind::YarnLock => yarn_lock::parse_with(&text(root, path, limit)?, path, &manifests)?,
        LockKind::PnpmLock => pnpm_lock::parse_with(&text(root, path, limit)?, path, &manifests)?,
        LockKind::GemfileLock => gemfile_lock::parse(&text(root, path, limit)?, path)?,
        LockKind::ComposerLock => composer_lock::parse(&text(root, path, limit)?, path)?,
        LockKind::GradleLock => gradle_lock::parse(&text(root, path, limit)?, path)?,
        LockKind::NugetLock => dotnet_project(root, path, limit)?,
        LockKind::PythonInstalled | LockKind::NodeInstalled | LockKind::GemInstalled => {
            installed::folder(root, path, kind)?
        }
    };
    Ok(LockFile { path: path.to_owned(), kind, found })
}

fn go_module(root: &Path, path: &str, limit: u64) -> Result<Packages, ParseError> {
    let mut found = go_mod::parse(&text(root, path, limit)?, path)?;
    let sum_path = format!("{}go.sum", path.strip_suffix("go.mod").unwrap_or_default());
    let sums = if is_plain_file(root, &sum_path) {
        text(root, &sum_path, limit).and_then(|text| go_mod::parse_sum(&text))
    } else {
        // Said once for the file, as a missing lock, and not for each module.
        return Ok(found);
    };
    match sums {
        Ok(sums) => go_mod::add_sums(&mut found, &sums),
        Err(error) => found.problems.push(ParseError::whole(format!("the `go.sum` beside it: {error}"))),
    }
    Ok(found)
}

/// The file does not name its own project; the project file beside it does, if there is only one.
fn dotnet_project(root: &Path, path: &str, limit: u64) -> Result<Packages, ParseError> {
    let mut found = nuget_lock::parse(&text(root, path, limit)?, path)?;
    let folder = path.rfind('/').map_or("", |at| &path[..at]);
    let names = files_in(root, folder)?;
    let mut projects = names.iter().filter_map(|name| DOTNET_PROJECTS.iter().find_map(|end| name.strip_suffix(end)));
    if let (Some(name), None) = (projects.next(), projects.next()) {
        nuget_lock::add_project(&mut found, name);
    }
    Ok(found)
}

/// A status file, or the folder of an image without a package manager, where each package has a file of its own.
fn dpkg_database(root: &Path, path: &str, limit: u64) -> Result<Packages, ParseError> {
    let is_folder = path.ends_with("/status.d");
    let mut found = if is_folder {
        let mut whole = String::new();
        for name in files_in(root, path)? {
            whole.push_str(&text(root, &format!("{path}/{name}"), limit)?);
            whole.push_str("\n\n");
            if whole.len() as u64 > limit {
                return Err(ParseError::whole(format!("larger than {} MiB together", limit / 1024 / 1024)));
            }
        }
        let mut found = dpkg::parse(&whole, path)?;
        // Lines of the files put together are lines of no file.
        found.packages.iter_mut().for_each(|package| package.line = None);
        found
    } else {
        dpkg::parse(&text(root, path, limit)?, path)?
    };
    let system = system_of(path, "var/lib/dpkg/");
    set_distribution(&mut found, &distribution(root, system).unwrap_or_default());
    Ok(found)
}

/// The largest database of apk, which lists every installed file.
const MAX_APK: u64 = 64 * 1024 * 1024;

fn apk_database(root: &Path, path: &str) -> Result<Packages, ParseError> {
    let mut found = apk::parse(&text(root, path, MAX_APK)?, path)?;
    let system = system_of(path, if path.ends_with("usr/lib/apk/db/installed") { "usr/lib/apk/" } else { "lib/apk/" });
    let distribution = distribution(root, system).unwrap_or_else(|| Distribution::named("alpine"));
    set_distribution(&mut found, &distribution);
    Ok(found)
}

fn rpm_database(root: &Path, path: &str) -> Result<Packages, ParseError> {
    let (file, _) = tree::open(root, path, sqlite::MAX_DATABASE)?;
    let mut found = rpm::parse(file)?;
    // SQLite keeps the latest changes in a file beside the database until somebody copies them back.
    for end in ["-wal", "-journal"] {
        let beside = format!("{path}{end}");
        if is_plain_file(root, &beside) && tree::open(root, &beside, u64::MAX).is_ok_and(|(_, size)| size > 0) {
            let name = beside.rsplit('/').next().unwrap_or(&beside);
            found
                .problems
                .push(ParseError::whole(format!("`{name}` beside it may hold newer changes, which are not read")));
        }
    }
    let system = RPM_FOLDERS.iter().find(|folder| path.contains(*folder)).map_or("", |folder| system_of(path, folder));
    let distribution = distribution(root, system).unwrap_or_else(|| Distribution::named("rpm"));
    set_distribution(&mut found, &distribution);
    Ok(found)
}

/// The root of the system that a database belongs to, with a slash unless it is the tree's own.
fn system_of<'a>(path: &'a str, database: &str) -> &'a str {
    path.rfind(database).map_or("", |at| &path[..at])
}

/// The distribution of a system; `None` if it does not say.
fn distribution(root: &Path, system: &str) -> Option<Distribution> {
    let places = ["etc/os-release", "usr/lib/os-release"].map(|place| format!("{system}{place}"));
    let mut plain = places.iter().filter(|place| is_plain_file(root, place));
    plain.find_map(|place| text(root, place, 64 * 1024).ok()).map(|text| parse_os_release(&text))
}

fn files_in(root: &Path, path: &str) -> Result<BTreeSet<String>, ParseError> {
    let entries = std::fs::read_dir(join(root, path))
        .map_err(|error| ParseError::whole(format!("cannot be opened ({})", error.kind())))?;
    let plain = entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()));
    let names = plain.filter_map(|entry| entry.file_name().into_string().ok());
    Ok(names.filter(|name| !name.ends_with(".md5sums")).collect())
}

/// Reads the files that requirements files include, and applies constraints. `files` has the ones found by name already.
/// `is_allowed` says whether a file may be read at all. Answers with the includes that could not be followed.
pub fn follow_includes(
    root: &Path,
    files: &mut Vec<LockFile>,
    is_allowed: &dyn Fn(&str) -> bool,
) -> Vec<(String, ParseError)> {
    let mut problems = Vec::new();
    let mut known: BTreeSet<String> = files.iter().map(|file| file.path.clone()).collect();
    let mut pins: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    let mut next = 0;
    let mut followed = 0;
    while next < files.len() {
        let (path, includes) = (files[next].path.clone(), files[next].found.includes.clone());
        next += 1;
        for Include { path: target, constraint, line } in includes {
            if known.contains(&target) && !constraint || pins.contains_key(&target) && constraint {
                continue;
            }
            followed += 1;
            let refused = if followed > MAX_INCLUDES {
                Some("too many included files".to_owned())
            } else if !is_allowed(&target) {
                continue;
            } else {
                (!is_plain_file(root, &target)).then(|| format!("includes `{target}`, which is no file in the tree"))
            };
            let read = match refused {
                Some(reason) => Err((path.clone(), ParseError::at(line, reason))),
                None => lock_file(root, &target, LockKind::Requirements).map_err(|error| (target.clone(), error)),
            };
            match read {
                Ok(file) if constraint => {
                    let versions =
                        file.found.packages.iter().filter_map(|it| Some((it.name.clone(), it.version.clone()?)));
                    pins.insert(target, versions.collect());
                }
                Ok(file) => {
                    known.insert(target);
                    files.push(file);
                }
                Err(problem) => problems.push(problem),
            }
        }
    }
    apply(files, &pins);
    problems
}

/// A constraint counts for the file that names it and for all that this file includes.
fn apply(files: &mut [LockFile], pins: &BTreeMap<String, BTreeMap<String, String>>) {
    if pins.is_empty() {
        return;
    }
    let includes: BTreeMap<String, Vec<Include>> =
        files.iter().map(|file| (file.path.clone(), file.found.includes.clone())).collect();
    for start in includes.keys() {
        let (mut open, mut reached) = (vec![start.as_str()], BTreeSet::new());
        let mut limits: BTreeMap<String, String> = BTreeMap::new();
        while let Some(path) = open.pop() {
            if !reached.insert(path) {
                continue;
            }
            for include in includes.get(path).into_iter().flatten() {
                if !include.constraint {
                    open.push(&include.path);
                } else if let Some(pins) = pins.get(&include.path) {
                    limits.extend(pins.clone());
                }
            }
        }
        if limits.is_empty() {
            continue;
        }
        for file in files.iter_mut().filter(|file| reached.contains(file.path.as_str())) {
            requirements::apply_constraints(&mut file.found, &limits);
        }
    }
}
