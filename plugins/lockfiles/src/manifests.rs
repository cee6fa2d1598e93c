//! Finds projects that name their dependencies and lock none of them, and lock files of formats that are not read.

use crate::model::{LockKind, Origin};
use crate::parse::{composer_lock, gradle_lock, nuget_lock};
use crate::read::LockFile;
use crate::walk::{ManifestKind, Tree};
use orch_plugin_kit::report::Problem;
use orch_sdk::{Finding, Severity, Status};
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::collections::BTreeMap;

/// What a manifest says about its need of a lock file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// The project's name.
    pub name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct PackageJson {
    name: Option<String>,
    dependencies: BTreeMap<String, IgnoredAny>,
    dev_dependencies: BTreeMap<String, IgnoredAny>,
    optional_dependencies: BTreeMap<String, IgnoredAny>,
}

/// Reads a manifest; `None` if it needs no lock file, or cannot be read, which is its own tool's business to say.
pub fn read(kind: ManifestKind, text: &str) -> Option<Need> {
    match kind {
        ManifestKind::Npm => {
            let manifest: PackageJson = serde_json::from_str(text).ok()?;
            let lists = [&manifest.dependencies, &manifest.dev_dependencies, &manifest.optional_dependencies];
            lists.iter().any(|list| !list.is_empty()).then_some(Need { name: manifest.name })
        }
        ManifestKind::Cargo => {
            let manifest: toml::Table = toml::from_str(text).ok()?;
            let name = manifest.get("package")?.get("name")?.as_str()?;
            Some(Need { name: Some(name.to_owned()) })
        }
        ManifestKind::Python => {
            let manifest: toml::Table = toml::from_str(text).ok()?;
            let project = manifest.get("project");
            let poetry = manifest.get("tool").and_then(|tool| tool.get("poetry"));
            let listed = project
                .and_then(|it| it.get("dependencies"))
                .and_then(|it| it.as_array())
                .is_some_and(|it| !it.is_empty());
            let in_poetry = poetry.and_then(|it| it.get("dependencies")).and_then(|it| it.as_table());
            // Poetry lists the interpreter itself among the dependencies.
            let in_poetry = in_poetry.is_some_and(|it| it.keys().any(|name| name != "python"));
            let name = project.or(poetry).and_then(|it| it.get("name")).and_then(|name| name.as_str());
            let name = name.map(crate::purl::pypi_name);
            (listed || in_poetry).then_some(Need { name })
        }
        ManifestKind::Ruby => text.lines().any(|line| line.trim().starts_with("gem ")).then_some(Need { name: None }),
        ManifestKind::Composer => composer_lock::manifest(text).map(|name| Need { name }),
        ManifestKind::Gradle => gradle_lock::names_dependencies(text).then_some(Need { name: None }),
        ManifestKind::Dotnet => nuget_lock::names_packages(text).then_some(Need { name: None }),
    }
}

/// Says which manifests have no lock file. `read` gives the text of a file of the tree.
pub fn missing_locks(tree: &Tree, files: &[LockFile], read_file: &dyn Fn(&str) -> Option<String>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, kind) in &tree.manifests {
        let Some(need) = read_file(path).and_then(|text| read(*kind, &text)) else { continue };
        if is_locked(path, *kind, &need, tree, files) {
            continue;
        }
        let wanted = match kind {
            ManifestKind::Cargo => "Cargo.lock",
            ManifestKind::Npm => "package-lock.json, yarn.lock or pnpm-lock.yaml",
            ManifestKind::Python => "uv.lock, poetry.lock or requirements.txt",
            ManifestKind::Ruby => "Gemfile.lock",
            ManifestKind::Composer => "composer.lock",
            ManifestKind::Gradle => "gradle.lockfile",
            ManifestKind::Dotnet => "packages.lock.json",
        };
        let problem = Problem {
            rule: "lockfile-missing",
            severity: Severity::Low,
            status: Status::Open,
            title: format!("`{path}` names dependencies, but there is no {wanted}"),
            path,
            line: None,
            identity: &[],
            remediation: "Commit the lock file: without it nobody knows which versions are built.",
        };
        findings.push(problem.finding());
    }
    findings
}

/// A lock file beside the manifest counts, even a broken one or one of a format that is not read; one further up counts if it
/// names the project as its own.
fn is_locked(path: &str, kind: ManifestKind, need: &Need, tree: &Tree, files: &[LockFile]) -> bool {
    let folder = folder_of(path);
    let ecosystem = kind.ecosystem();
    let beside = |lock: &str, lock_kind: LockKind| {
        let lock_folder = folder_of(lock);
        // A folder `requirements` belongs to the project around it.
        let around = (lock_kind == LockKind::Requirements)
            .then(|| lock_folder.strip_suffix("requirements"))
            .flatten()
            .filter(|above| above.is_empty() || above.ends_with('/'))
            .map(|above| above.trim_end_matches('/'));
        // Gradle's older locks lie below the project; those of Yarn and pnpm count for all workspaces below them.
        let below = lock_folder.strip_suffix("gradle/dependency-locks").map(|above| above.trim_end_matches('/'));
        let shared = matches!(lock_kind, LockKind::YarnLock | LockKind::PnpmLock);
        lock_kind.ecosystem() == ecosystem
            && (lock_folder == folder
                || around == Some(folder)
                || below == Some(folder)
                || shared && is_at_or_above(lock_folder, folder))
    };
    let is_unread_kind = |name: &str| match kind {
        ManifestKind::Npm => name.starts_with("bun."),
        ManifestKind::Python => matches!(name, "Pipfile.lock" | "pdm.lock" | "pylock.toml"),
        _ => false,
    };
    let own = |file: &LockFile| {
        file.kind.ecosystem() == ecosystem
            && is_at_or_above(folder_of(&file.path), folder)
            && file
                .found
                .packages
                .iter()
                .any(|package| package.origin == Origin::FirstParty && Some(package.display_name()) == need.name)
    };
    tree.locks.iter().any(|(lock, lock_kind)| beside(lock, *lock_kind))
        || tree.unsupported.iter().any(|lock| {
            is_unread_kind(lock.rsplit('/').next().unwrap_or(lock)) && is_at_or_above(folder_of(lock), folder)
        })
        || files.iter().any(own)
}

fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

fn is_at_or_above(upper: &str, lower: &str) -> bool {
    upper.is_empty() || lower == upper || lower.strip_prefix(upper).is_some_and(|rest| rest.starts_with('/'))
}

/// Says which lock files are not read.
pub fn unsupported_locks(tree: &Tree) -> Vec<Finding> {
    let finding = |path: &String| {
        let remediation = match path.rsplit('/').next() {
            // The only one of these names is rpm's.
            Some("Packages") => {
                "Convert it with `rpmdb --rebuilddb` of rpm 4.16 or newer, which writes `rpmdb.sqlite` where its macro `_db_backend` \
                 is `sqlite`."
            }
            _ => "Make a bill of materials for it with another tool.",
        };
        Problem {
            rule: "lockfile-unsupported",
            severity: Severity::Info,
            status: Status::Error,
            title: format!("`{path}` has a format that is not read; its packages are missing"),
            path,
            line: None,
            identity: &[],
            remediation,
        }
        .finding()
    };
    tree.unsupported.iter().map(finding).collect()
}

/// Says why the tree was not read to its end.
pub fn incomplete_tree(tree: &Tree) -> Vec<Finding> {
    let finding = |reason: &String| {
        Problem {
            rule: "tree-incomplete",
            severity: Severity::Medium,
            status: Status::Error,
            title: format!("the tree was not read to its end: {reason}"),
            path: ".",
            line: None,
            identity: &[reason],
            remediation: "Mount a smaller folder, or leave out folders with the input `exclude`.",
        }
        .finding()
    };
    tree.incomplete.iter().map(finding).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn needs_of_other_languages() {
        let need = |kind, text| read(kind, text).is_some();
        assert!(need(ManifestKind::Ruby, "source 'x'\n  gem 'kit'\n") && !need(ManifestKind::Ruby, "gemspec\n"));
        assert!(need(ManifestKind::Composer, r#"{"require":{"a/b":"1"}}"#));
        assert!(!need(ManifestKind::Composer, r#"{"require":{"php":"8"}}"#));
        assert!(need(ManifestKind::Gradle, "dependencies {\n api(\"a:b:1\")\n}") && !need(ManifestKind::Gradle, ""));
        assert!(
            need(ManifestKind::Dotnet, "<PackageReference Include=\"A\" />") && !need(ManifestKind::Dotnet, "<P/>")
        );
    }

    #[test]
    fn needs() {
        let need = |kind, text| read(kind, text).map(|need| need.name.unwrap_or_default());
        assert_eq!(need(ManifestKind::Npm, r#"{"name":"a","devDependencies":{"b":"1"}}"#).as_deref(), Some("a"));
        assert_eq!(need(ManifestKind::Npm, r#"{"name":"a"}"#), None);
        assert_eq!(need(ManifestKind::Cargo, "[package]\nname = \"a\"").as_deref(), Some("a"));
        assert_eq!(need(ManifestKind::Cargo, "[workspace]\n"), None);
        assert_eq!(
            need(ManifestKind::Python, "[project]\nname = \"A_b\"\ndependencies = [\"c\"]").as_deref(),
            Some("a-b")
        );
        assert_eq!(
            need(ManifestKind::Python, "[tool.poetry]\nname = \"a\"\n[tool.poetry.dependencies]\npython = \"3\""),
            None
        );
    }
}
