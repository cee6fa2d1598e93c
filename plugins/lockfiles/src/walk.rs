//! Finds the lock files and manifests of a tree. Symbolic links are never followed, and a tree too deep or too large is read up
//! to the limit and said to be incomplete.

use crate::model::{Ecosystem, LockKind};
use orch_plugin_kit::glob::Glob;
use orch_plugin_kit::tree;
use std::collections::BTreeSet;
use std::path::Path;

/// A file that says what a project needs, without locking it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ManifestKind {
    /// `Cargo.toml`
    Cargo,
    /// `package.json`
    Npm,
    /// `pyproject.toml`
    Python,
}

/// What a tree holds. All paths are relative to it, sorted, with `/` between their parts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree {
    /// Files (and the folder `status.d`) to read packages from.
    pub locks: Vec<(String, LockKind)>,
    /// Files that should have a lock file near them.
    pub manifests: Vec<(String, ManifestKind)>,
    /// Lock files of formats this plugin does not read.
    pub unsupported: Vec<String>,
    /// Why the tree was not read to its end.
    pub incomplete: BTreeSet<String>,
    /// Symbolic links with the name of a lock file.
    pub links: Vec<String>,
}

/// Reads the folders below `root`, without those that a pattern of `exclude` fits. `go_on` is asked for each folder.
pub fn walk(root: &Path, exclude: &[Glob], ecosystems: &BTreeSet<Ecosystem>, go_on: &dyn Fn() -> bool) -> Tree {
    let mut tree = Tree::default();
    let incomplete = tree::walk(root, exclude, &mut |folder| {
        if !go_on() {
            return Err(());
        }
        tree.links.extend(folder.links.iter().map(|name| folder.join(name)).filter(|path| lock_kind(path).is_some()));
        for name in folder.files {
            note_file(&mut tree, folder.join(name), name, ecosystems);
        }
        let databases = folder.folders.iter().map(|name| folder.join(name)).filter(|path| is_dpkg_folder(path));
        if ecosystems.contains(&Ecosystem::Deb) {
            tree.locks.extend(databases.map(|path| (path, LockKind::DpkgStatus)));
        }
        let is_read =
            |name: &String| !is_dpkg_folder(&folder.join(name)) && !is_skipped(name, folder.path, folder.files);
        let read = folder.folders.iter().filter(|name| is_read(name)).cloned().collect();
        *folder.folders = read;
        Ok(())
    });
    // Whoever stops the walk asks again itself.
    tree.incomplete = incomplete.unwrap_or_default();
    tree.locks.sort();
    tree.manifests.sort();
    tree.unsupported.sort();
    tree.links.sort();
    tree
}

fn is_dpkg_folder(path: &str) -> bool {
    path.strip_suffix(DPKG_FOLDER).is_some_and(|before| before.is_empty() || before.ends_with('/'))
}

const DPKG_FOLDER: &str = "var/lib/dpkg/status.d";

/// Folders of installed or built things. Their lock files tell about the packages' own development.
fn is_skipped(name: &str, folder: &str, beside: &BTreeSet<String>) -> bool {
    let has = |files: &[&str]| files.iter().any(|file| beside.contains(*file));
    match name {
        ".git" | ".hg" | ".svn" | ".jj" | "node_modules" | ".venv" | ".tox" | ".nox" | "__pycache__"
        | "site-packages" => true,
        // Both are ordinary words; they are special only beside the file that makes them so.
        "target" => has(&["Cargo.toml"]),
        "vendor" => has(&["go.mod", "Cargo.toml", "composer.json", "Gemfile"]),
        "venv" | "env" => has(&["pyproject.toml", "requirements.txt", "setup.py"]),
        // In a root file system these are not files on a disk.
        "proc" | "sys" | "dev" => {
            folder.is_empty() && !has(&["Cargo.toml", "package.json", "go.mod", "pyproject.toml"])
        }
        _ => false,
    }
}

fn note_file(tree: &mut Tree, path: String, name: &str, ecosystems: &BTreeSet<Ecosystem>) {
    if let Some(kind) = lock_kind(&path) {
        if ecosystems.contains(&kind.ecosystem()) {
            tree.locks.push((path, kind));
        }
        return;
    }
    let manifest = match name {
        "Cargo.toml" => Some((ManifestKind::Cargo, Ecosystem::Cargo)),
        "package.json" => Some((ManifestKind::Npm, Ecosystem::Npm)),
        "pyproject.toml" => Some((ManifestKind::Python, Ecosystem::Pypi)),
        _ => None,
    };
    if let Some((kind, _)) = manifest.filter(|(_, ecosystem)| ecosystems.contains(ecosystem)) {
        tree.manifests.push((path, kind));
    } else if unsupported_ecosystem(name).is_some_and(|ecosystem| ecosystem.is_none_or(|it| ecosystems.contains(&it))) {
        tree.unsupported.push(path);
    }
}

/// The format a file has by its name.
pub fn lock_kind(path: &str) -> Option<LockKind> {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    match name {
        "Cargo.lock" => Some(LockKind::CargoLock),
        "package-lock.json" | "npm-shrinkwrap.json" => Some(LockKind::PackageLock),
        "poetry.lock" => Some(LockKind::PoetryLock),
        "uv.lock" => Some(LockKind::UvLock),
        "go.mod" => Some(LockKind::GoMod),
        "status" if folder == "var/lib/dpkg" || folder.ends_with("/var/lib/dpkg") => Some(LockKind::DpkgStatus),
        _ => {
            let stem = name.strip_suffix(".txt")?;
            let in_folder = folder == "requirements" || folder.ends_with("/requirements");
            let named = stem == "requirements"
                || ["requirements-", "requirements_", "requirements."].iter().any(|start| stem.starts_with(start))
                || ["-requirements", "_requirements", ".requirements"].iter().any(|end| stem.ends_with(end));
            (in_folder || named).then_some(LockKind::Requirements)
        }
    }
}

/// Known lock files that are not read; the inner `None` stands for an ecosystem this plugin knows nothing of.
fn unsupported_ecosystem(name: &str) -> Option<Option<Ecosystem>> {
    match name {
        "yarn.lock" | "pnpm-lock.yaml" | "bun.lock" | "bun.lockb" => Some(Some(Ecosystem::Npm)),
        "Pipfile.lock" | "pdm.lock" | "pylock.toml" => Some(Some(Ecosystem::Pypi)),
        "Gemfile.lock" | "composer.lock" | "gradle.lockfile" | "packages.lock.json" | "mix.lock" | "pubspec.lock"
        | "Package.resolved" => Some(None),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use orch_plugin_kit::tree::join;

    #[test]
    fn names_tell_the_format() {
        let requirements = Some(LockKind::Requirements);
        for path in ["requirements.txt", "a/requirements-dev.txt", "requirements/base.txt", "dev-requirements.txt"] {
            assert_eq!(lock_kind(path), requirements, "{path}");
        }
        for path in ["notes.txt", "status", "lib/dpkg/status", "Cargo.lock.bak", "requirements.in"] {
            assert_eq!(lock_kind(path), None, "{path}");
        }
        assert_eq!(lock_kind("image/var/lib/dpkg/status"), Some(LockKind::DpkgStatus));
    }

    #[test]
    fn skipped_folders_and_links() {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str| {
            let path = join(root.path(), path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        };
        for path in [
            "Cargo.toml",
            "Cargo.lock",
            "target/Cargo.lock",
            "vendor/a/Cargo.lock",
            "lib/target/go.mod",
            "web/yarn.lock",
            "web/node_modules/a/package-lock.json",
            ".git/Cargo.lock",
            "skip/uv.lock",
            "var/lib/dpkg/status.d/base",
        ] {
            write(path);
        }
        #[cfg(unix)]
        std::os::unix::fs::symlink("../Cargo.lock", join(root.path(), "lib/Cargo.lock")).unwrap();
        let everything = BTreeSet::from(Ecosystem::ALL);
        let tree = walk(root.path(), &[Glob::new("skip").unwrap()], &everything, &|| true);
        let locks: Vec<_> = tree.locks.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(locks, ["Cargo.lock", "lib/target/go.mod", "var/lib/dpkg/status.d"]);
        assert_eq!(tree.manifests, [("Cargo.toml".to_owned(), ManifestKind::Cargo)]);
        assert_eq!(tree.unsupported, ["web/yarn.lock"]);
        #[cfg(unix)]
        assert_eq!(tree.links, ["lib/Cargo.lock"]);
        assert!(tree.incomplete.is_empty());
    }
}
