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
    /// `Gemfile`
    Ruby,
    /// `composer.json`
    Composer,
    /// `build.gradle` or `build.gradle.kts`
    Gradle,
    /// `*.csproj`, `*.fsproj` or `*.vbproj`
    Dotnet,
}

impl ManifestKind {
    /// The ecosystem of what it asks for.
    pub fn ecosystem(self) -> Ecosystem {
        match self {
            ManifestKind::Cargo => Ecosystem::Cargo,
            ManifestKind::Npm => Ecosystem::Npm,
            ManifestKind::Python => Ecosystem::Pypi,
            ManifestKind::Ruby => Ecosystem::Gem,
            ManifestKind::Composer => Ecosystem::Composer,
            ManifestKind::Gradle => Ecosystem::Maven,
            ManifestKind::Dotnet => Ecosystem::Nuget,
        }
    }
}

/// Whether language packages that are installed in a system are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Installed {
    /// Only lock files and databases are.
    LeftOut,
    /// Folders of installed packages as well.
    Read,
}

/// The ends of the names of .NET projects.
pub const DOTNET_PROJECTS: [&str; 3] = [".csproj", ".fsproj", ".vbproj"];

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
    walk_with(root, exclude, ecosystems, Installed::LeftOut, go_on)
}

/// The same, with folders of installed packages if they are wanted.
pub fn walk_with(
    root: &Path,
    exclude: &[Glob],
    ecosystems: &BTreeSet<Ecosystem>,
    installed: Installed,
    go_on: &dyn Fn() -> bool,
) -> Tree {
    let mut tree = Tree::default();
    let incomplete = tree::walk(root, exclude, &mut |folder| {
        if !go_on() {
            return Err(());
        }
        tree.links.extend(folder.links.iter().map(|name| folder.join(name)).filter(|path| lock_kind(path).is_some()));
        for name in folder.files {
            note_file(&mut tree, folder.join(name), name, ecosystems);
        }
        if ecosystems.contains(&Ecosystem::Rpm) && is_rpm_folder(folder.path) && has_berkeley_database(folder.files) {
            tree.unsupported.push(folder.join("Packages"));
        }
        let source = |path: &str| match installed {
            _ if is_dpkg_folder(path) => Some(LockKind::DpkgStatus),
            Installed::Read => installed_kind(path),
            Installed::LeftOut => None,
        };
        let mut entered = BTreeSet::new();
        for name in folder.folders.iter() {
            let path = folder.join(name);
            match source(&path) {
                Some(kind) if ecosystems.contains(&kind.ecosystem()) => tree.locks.push((path, kind)),
                Some(_) => {}
                None if is_skipped(name, folder.path, folder.files) => {}
                None => drop(entered.insert(name.clone())),
            }
        }
        *folder.folders = entered;
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
        | "site-packages" | ".yarn" | ".pnpm-store" | ".bundle" | ".gradle" => true,
        // Both are ordinary words; they are special only beside the file that makes them so.
        "target" => has(&["Cargo.toml"]),
        "vendor" => has(&["go.mod", "Cargo.toml", "composer.json", "Gemfile"]),
        "build" => has(&["build.gradle", "build.gradle.kts"]),
        "bin" | "obj" => beside.iter().any(|file| is_dotnet_project(file)),
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
        "Cargo.toml" => Some(ManifestKind::Cargo),
        "package.json" => Some(ManifestKind::Npm),
        "pyproject.toml" => Some(ManifestKind::Python),
        "Gemfile" => Some(ManifestKind::Ruby),
        "composer.json" => Some(ManifestKind::Composer),
        "build.gradle" | "build.gradle.kts" => Some(ManifestKind::Gradle),
        name if is_dotnet_project(name) => Some(ManifestKind::Dotnet),
        _ => None,
    };
    if let Some(kind) = manifest.filter(|kind| ecosystems.contains(&kind.ecosystem())) {
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
        "yarn.lock" => Some(LockKind::YarnLock),
        "pnpm-lock.yaml" => Some(LockKind::PnpmLock),
        "Gemfile.lock" | "gems.locked" => Some(LockKind::GemfileLock),
        "composer.lock" => Some(LockKind::ComposerLock),
        "gradle.lockfile" | "buildscript-gradle.lockfile" => Some(LockKind::GradleLock),
        "packages.lock.json" => Some(LockKind::NugetLock),
        "installed" if ends_with(folder, "lib/apk/db") => Some(LockKind::ApkInstalled),
        "rpmdb.sqlite" if is_rpm_folder(folder) => Some(LockKind::RpmSqlite),
        "Packages.db" if is_rpm_folder(folder) => Some(LockKind::RpmNdb),
        "status" if folder == "var/lib/dpkg" || folder.ends_with("/var/lib/dpkg") => Some(LockKind::DpkgStatus),
        _ if name.ends_with(".lockfile") && ends_with(folder, "gradle/dependency-locks") => Some(LockKind::GradleLock),
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

/// The folders of rpm's database, with a slash at the end.
pub const RPM_FOLDERS: [&str; 2] = ["var/lib/rpm/", "usr/lib/sysimage/rpm/"];

fn is_rpm_folder(folder: &str) -> bool {
    RPM_FOLDERS.iter().any(|known| ends_with(folder, known.trim_end_matches('/')))
}

/// rpm's database before version 4.16, where no newer one lies beside it.
fn has_berkeley_database(files: &BTreeSet<String>) -> bool {
    files.contains("Packages") && !files.contains("rpmdb.sqlite") && !files.contains("Packages.db")
}

fn is_dotnet_project(name: &str) -> bool {
    DOTNET_PROJECTS.iter().any(|end| name.ends_with(end))
}

/// What is installed in a folder, by its place.
fn installed_kind(path: &str) -> Option<LockKind> {
    let (parent, name) = path.rsplit_once('/')?;
    let (above, last) = parent.rsplit_once('/').unwrap_or(("", parent));
    match name {
        "site-packages" | "dist-packages" if last.starts_with("python") => Some(LockKind::PythonInstalled),
        "node_modules" if ends_with(parent, "usr/lib") || ends_with(parent, "usr/local/lib") => {
            Some(LockKind::NodeInstalled)
        }
        // `ruby/gems/3.1.0/specifications`, and Debian's own place.
        "specifications" if ends_with(above, "gems") || ends_with(above, "rubygems-integration") => {
            Some(LockKind::GemInstalled)
        }
        _ => None,
    }
}

/// Whether a path ends with another, part by part.
fn ends_with(path: &str, end: &str) -> bool {
    path.strip_suffix(end).is_some_and(|before| before.is_empty() || before.ends_with('/'))
}

/// Known lock files that are not read; the inner `None` stands for an ecosystem this plugin knows nothing of.
fn unsupported_ecosystem(name: &str) -> Option<Option<Ecosystem>> {
    match name {
        "bun.lock" | "bun.lockb" => Some(Some(Ecosystem::Npm)),
        "Pipfile.lock" | "pdm.lock" | "pylock.toml" => Some(Some(Ecosystem::Pypi)),
        "mix.lock" | "pubspec.lock" | "Package.resolved" => Some(None),
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
        for path in [
            "notes.txt",
            "status",
            "lib/dpkg/status",
            "Cargo.lock.bak",
            "requirements.in",
            "rpmdb.sqlite",
            "installed",
            "a.lockfile",
            "xlib/apk/db/installed",
        ] {
            assert_eq!(lock_kind(path), None, "{path}");
        }
        assert_eq!(lock_kind("image/var/lib/dpkg/status"), Some(LockKind::DpkgStatus));
        assert_eq!(lock_kind("usr/lib/apk/db/installed"), Some(LockKind::ApkInstalled));
        assert_eq!(lock_kind("image/var/lib/rpm/rpmdb.sqlite"), Some(LockKind::RpmSqlite));
        assert_eq!(lock_kind("usr/lib/sysimage/rpm/Packages.db"), Some(LockKind::RpmNdb));
        assert_eq!(lock_kind("app/gradle/dependency-locks/x.lockfile"), Some(LockKind::GradleLock));
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
            "web/bun.lock",
            "net/app.csproj",
            "net/obj/packages.lock.json",
            "var/lib/rpm/Packages",
            "usr/lib/sysimage/rpm/Packages",
            "usr/lib/sysimage/rpm/rpmdb.sqlite",
            "lib/apk/db/installed",
            "usr/lib/python3.12/site-packages/a.txt",
            "usr/lib/node_modules/a.txt",
            "usr/lib/ruby/gems/3.2.0/specifications/a.txt",
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
        let plain = [
            "Cargo.lock",
            "lib/apk/db/installed",
            "lib/target/go.mod",
            "usr/lib/sysimage/rpm/rpmdb.sqlite",
            "var/lib/dpkg/status.d",
            "web/yarn.lock",
        ];
        assert_eq!(locks, plain);
        let expected = [("Cargo.toml", ManifestKind::Cargo), ("net/app.csproj", ManifestKind::Dotnet)];
        assert_eq!(tree.manifests, expected.map(|(path, kind)| (path.to_owned(), kind)));
        assert_eq!(tree.unsupported, ["var/lib/rpm/Packages", "web/bun.lock"]);
        let more = walk_with(root.path(), &[Glob::new("skip").unwrap()], &everything, Installed::Read, &|| true);
        let more: Vec<_> = more.locks.iter().map(|(path, _)| path.as_str()).filter(|it| !plain.contains(it)).collect();
        let expected =
            ["usr/lib/node_modules", "usr/lib/python3.12/site-packages", "usr/lib/ruby/gems/3.2.0/specifications"];
        assert_eq!(more, expected);
        #[cfg(unix)]
        assert_eq!(tree.links, ["lib/Cargo.lock"]);
        assert!(tree.incomplete.is_empty());
    }
}
