//! Puts the packages of all lock files together: one component for each package, whatever number of files name it, with all the
//! evidence, and the edges between components.

use crate::license::License;
use orch_plugin_lockfiles::model::{Ecosystem, FileHash, Origin, Package, Packages, Scope};
use orch_plugin_lockfiles::purl::purl;
use orch_plugin_lockfiles::read::LockFile;
use std::collections::{BTreeMap, BTreeSet};

/// One entry of the bill of materials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Component {
    /// Unique in the bill: the package URL where there is one.
    pub bom_ref: String,
    /// The package URL.
    pub purl: Option<String>,
    /// `None` for a root that no lock file names.
    pub ecosystem: Option<Ecosystem>,
    /// The npm scope, the vendor of a PHP package or the group of a Java library.
    pub group: Option<String>,
    /// The name.
    pub name: String,
    /// The version.
    pub version: Option<String>,
    /// Whether it is part of the tree itself.
    pub first_party: bool,
    /// The strongest of the lock files' scopes.
    pub scope: Scope,
    /// All hashes of all lock files.
    pub hashes: BTreeSet<FileHash>,
    /// All licences.
    pub licenses: BTreeSet<License>,
    /// Where its code is fetched from, where that is a repository or an address of its own.
    pub download: Option<String>,
    /// Further facts, by the last part of the property's name.
    pub properties: BTreeSet<(String, String)>,
    /// Where it is named: lock file and line.
    pub occurrences: BTreeSet<(String, Option<u32>)>,
}

/// Everything a bill of materials says, before it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bill {
    /// What the bill is about.
    pub root: Component,
    /// Sorted by reference; without the root.
    pub components: Vec<Component>,
    /// For each reference, root included, what it depends on.
    pub edges: BTreeMap<String, BTreeSet<String>>,
}

/// The name of a root that neither the input nor the tree names.
const UNNAMED_ROOT: &str = "source";

/// Drops packages that are only for development, and the edges to them.
pub fn without_dev(found: &mut Packages) {
    let mut kept = Vec::new();
    let mut count = 0;
    for package in &found.packages {
        kept.push((package.scope != Scope::Dev).then_some(count));
        count += usize::from(package.scope != Scope::Dev);
    }
    found.packages.retain(|package| package.scope != Scope::Dev);
    for package in &mut found.packages {
        package.dependencies = package.dependencies.iter().filter_map(|dependency| kept[*dependency]).collect();
    }
}

/// Merges lock files. `name` and `version` are the root's, where the user gave them.
pub fn merge(files: &[LockFile], name: Option<&str>, version: Option<&str>) -> Bill {
    let keys: Vec<Vec<Key>> = files.iter().map(|file| file.found.packages.iter().map(Key::new).collect()).collect();
    let mut merged: BTreeMap<&Key, Component> = BTreeMap::new();
    for (file, keys) in files.iter().zip(&keys) {
        for (package, key) in file.found.packages.iter().zip(keys) {
            let component = merged.entry(key).or_insert_with(|| Component::new(package, key));
            component.add(package, &file.path);
        }
    }
    // Names that differ only in case can share a package URL; a reference must still be unique.
    let mut used: BTreeMap<String, usize> = BTreeMap::new();
    for component in merged.values_mut() {
        let count = used.entry(component.bom_ref.clone()).or_default();
        *count += 1;
        if *count > 1 {
            component.bom_ref = format!("{}#{count}", component.bom_ref);
        }
    }
    let references: BTreeMap<&Key, String> = merged.iter().map(|(key, it)| (*key, it.bom_ref.clone())).collect();
    let mut edges: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (file, keys) in files.iter().zip(&keys) {
        for (package, key) in file.found.packages.iter().zip(keys) {
            let reference = &references[key];
            let targets = package.dependencies.iter().map(|index| references[&keys[*index]].clone());
            edges.entry(reference.clone()).or_default().extend(targets.filter(|target| target != reference));
        }
    }
    let root_key = root_key(files, &keys, name);
    let mut components: Vec<Component> = Vec::with_capacity(merged.len());
    let mut root = None;
    for (key, component) in merged {
        if Some(key) == root_key { root = Some(component) } else { components.push(component) }
    }
    components.sort_by(|left, right| left.bom_ref.cmp(&right.bom_ref));
    let mut root = root.unwrap_or_else(|| Component::unnamed_root(name.unwrap_or(UNNAMED_ROOT)));
    if let Some(version) = version {
        root.version = Some(version.to_owned());
    }
    let from_root = edges.entry(root.bom_ref.clone()).or_default();
    from_root.extend(components.iter().filter(|component| component.first_party).map(|it| it.bom_ref.clone()));
    for (file, keys) in files.iter().zip(&keys) {
        let packages = &file.found.packages;
        if packages.iter().all(|package| package.origin != Origin::FirstParty) {
            let direct = packages.iter().zip(keys).filter(|(package, _)| package.direct);
            from_root.extend(direct.map(|(_, key)| references[key].clone()).filter(|it| *it != root.bom_ref));
        }
    }
    Bill { root, components, edges }
}

/// The first-party package that is what the tree is about: the one of the given name, or else the only one (or the only one that
/// its file calls the root) of the lock files nearest to the tree's top.
fn root_key<'a>(files: &[LockFile], keys: &'a [Vec<Key>], name: Option<&str>) -> Option<&'a Key> {
    let own: Vec<(&LockFile, &Package, &Key)> = files
        .iter()
        .zip(keys)
        .flat_map(|(file, keys)| file.found.packages.iter().zip(keys).map(move |(package, key)| (file, package, key)))
        .filter(|(_, package, _)| package.origin == Origin::FirstParty)
        .collect();
    let only = |keys: BTreeSet<&'a Key>| if keys.len() == 1 { keys.first().copied() } else { None };
    if let Some(name) = name {
        return only(own.iter().filter(|(_, package, _)| package.display_name() == name).map(|it| it.2).collect());
    }
    let depth = |file: &LockFile| file.path.matches('/').count();
    let top = own.iter().map(|(file, _, _)| depth(file)).min()?;
    let nearest = || own.iter().filter(|(file, _, _)| depth(file) == top);
    only(nearest().map(|it| it.2).collect())
        .or_else(|| only(nearest().filter(|(_, package, _)| package.direct).map(|it| it.2).collect()))
}

/// What makes two packages the same.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    reference: String,
    name: String,
}

impl Key {
    fn new(package: &Package) -> Key {
        let reference = purl(package).unwrap_or_else(|| {
            // No package URL, so that nobody takes it for the registry's package of that name.
            let kind = if package.origin == Origin::FirstParty { "first-party" } else { "path" };
            let version = package.version.as_ref().map(|version| format!("@{version}")).unwrap_or_default();
            format!("{kind}:{}/{}{version}", package.ecosystem.name(), package.display_name())
        });
        Key { reference, name: package.display_name() }
    }
}

/// Whether names of an ecosystem have a first part that stands for their owner. The one of a system's package is its distribution.
fn has_groups(ecosystem: Ecosystem) -> bool {
    matches!(ecosystem, Ecosystem::Npm | Ecosystem::Composer | Ecosystem::Maven)
}

fn download(origin: &Origin) -> Option<String> {
    match origin {
        Origin::Git { url, commit } => {
            let commit = commit.as_ref().map(|commit| format!("@{commit}")).unwrap_or_default();
            Some(format!("git+{url}{commit}"))
        }
        Origin::Url(url) => Some(url.clone()),
        _ => None,
    }
}

impl Component {
    fn new(package: &Package, key: &Key) -> Component {
        Component {
            bom_ref: key.reference.clone(),
            purl: purl(package),
            ecosystem: Some(package.ecosystem),
            group: package.group.clone().filter(|_| has_groups(package.ecosystem)),
            name: package.name.clone(),
            version: package.version.clone(),
            first_party: package.origin == Origin::FirstParty,
            scope: package.scope,
            hashes: BTreeSet::new(),
            licenses: BTreeSet::new(),
            download: download(&package.origin),
            properties: BTreeSet::new(),
            occurrences: BTreeSet::new(),
        }
    }

    fn unnamed_root(name: &str) -> Component {
        Component {
            bom_ref: format!("root:{name}"),
            purl: None,
            ecosystem: None,
            group: None,
            name: name.to_owned(),
            version: None,
            first_party: true,
            scope: Scope::Required,
            hashes: BTreeSet::new(),
            licenses: BTreeSet::new(),
            download: None,
            properties: BTreeSet::new(),
            occurrences: BTreeSet::new(),
        }
    }

    fn add(&mut self, package: &Package, path: &str) {
        self.scope = self.scope.max(package.scope);
        self.hashes.extend(package.hashes.iter().cloned());
        self.licenses.extend(package.license.as_deref().map(License::new));
        self.properties.extend(package.properties.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        self.properties.insert(("lockfile".to_owned(), path.to_owned()));
        if let Origin::Path(path) = &package.origin {
            self.properties.insert(("path".to_owned(), path.clone()));
        }
        self.occurrences.insert((path.to_owned(), package.line));
    }
}
