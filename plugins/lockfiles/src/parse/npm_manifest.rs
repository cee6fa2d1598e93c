//! `package.json`: what Yarn's and pnpm's lock files leave to it, which is who the first-party packages are and what they need only
//! for development.

use crate::model::{Ecosystem, Origin, Package};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Workspaces of one tree that are looked at.
pub const MAX_WORKSPACES: usize = 2_000;

/// What is read of a `package.json`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Manifest {
    /// The package's name.
    pub name: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// Names and ranges of what it always needs.
    pub dependencies: BTreeMap<String, String>,
    /// Of what it needs for development.
    pub dev_dependencies: BTreeMap<String, String>,
    /// Of what it can do without.
    pub optional_dependencies: BTreeMap<String, String>,
    workspaces: serde_json::Value,
}

impl Manifest {
    /// Reads one; `None` if it is none. Its own tool refuses such a file, so nothing was locked by it.
    pub fn parse(text: &str) -> Option<Manifest> {
        serde_json::from_str(text.strip_prefix('\u{feff}').unwrap_or(text)).ok()
    }

    /// The patterns of folders that hold workspaces.
    pub fn workspaces(&self) -> Vec<String> {
        // A list, or a mapping with the list among other things.
        let list = self.workspaces.get("packages").unwrap_or(&self.workspaces);
        let texts = list.as_array().into_iter().flatten().filter_map(|pattern| pattern.as_str());
        texts.map(str::to_owned).collect()
    }
}

/// Gives the manifests around a lock file. Folders are relative to the lock file's, with `/`, and empty for that one itself.
pub trait Manifests {
    /// The manifest in a folder.
    fn manifest(&self, folder: &str) -> Option<Manifest>;
    /// The folders that a pattern such as `packages/*` fits, sorted.
    fn folders(&self, pattern: &str) -> Vec<String>;
}

/// No manifests: the lock file alone.
pub struct NoManifests;

impl Manifests for NoManifests {
    fn manifest(&self, _: &str) -> Option<Manifest> {
        None
    }

    fn folders(&self, _: &str) -> Vec<String> {
        Vec::new()
    }
}

/// A first-party package of a folder.
pub(crate) fn first_party(folder: &str, manifest: &Manifest) -> Package {
    let of_folder = folder.rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or("root");
    let (group, name) = split_scope(manifest.name.as_deref().filter(|name| !name.is_empty()).unwrap_or(of_folder));
    let mut package = Package::new(Ecosystem::Npm, name, manifest.version.clone());
    package.group = group;
    package.origin = Origin::FirstParty;
    package.direct = folder.is_empty();
    package
}

/// A package of its full name, with the scope apart.
pub(crate) fn named(full_name: &str, version: Option<String>) -> Package {
    let (group, name) = split_scope(full_name);
    let mut package = Package::new(Ecosystem::Npm, name, version);
    package.group = group;
    package
}

fn split_scope(full_name: &str) -> (Option<String>, &str) {
    match full_name.split_once('/') {
        Some((scope, name)) if scope.starts_with('@') => (Some(scope.to_owned()), name),
        _ => (None, full_name),
    }
}

/// Splits `@scope/name@range` at the `@` that ends the name.
pub(crate) fn name_and_range(text: &str) -> Option<(&str, &str)> {
    let skipped = text.chars().next()?.len_utf8();
    let at = text[skipped..].find('@')? + skipped;
    Some((&text[..at], &text[at + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workspaces_have_two_forms() {
        let of = |text: &str| Manifest::parse(text).unwrap().workspaces();
        assert_eq!(of(r#"{"workspaces":["a","b/*"]}"#), ["a", "b/*"]);
        assert_eq!(of(r#"{"workspaces":{"packages":["a"],"nohoist":["x"]}}"#), ["a"]);
        assert!(of("{}").is_empty());
        assert!(Manifest::parse("[").is_none());
    }

    #[test]
    fn names_end_at_the_second_at() {
        assert_eq!(name_and_range("@s/a@npm:b@1"), Some(("@s/a", "npm:b@1")));
        assert_eq!(name_and_range("a@^1"), Some(("a", "^1")));
        assert_eq!(name_and_range("é@1"), Some(("é", "1")));
        assert_eq!(name_and_range("a"), None);
        assert_eq!(name_and_range(""), None);
    }
}
