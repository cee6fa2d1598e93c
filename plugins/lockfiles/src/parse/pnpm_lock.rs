//! `pnpm-lock.yaml`, lockfileVersion 6 and 9: importers, which are the first-party packages, and what they need. Version 9 keeps facts
//! (`packages`) and edges (`snapshots`, one for each set of peers) apart; version 6 has both together.

use super::npm_manifest::{Manifests, NoManifests, first_party, name_and_range, named};
use super::package_lock::{integrity, origin};
use super::scopes::{Links, OptionalEdges, set_scopes};
use super::{check_count, finish, shorten, without_credentials};
use crate::model::{Origin, Package, Packages};
use orch_plugin_kit::parse::ParseError;
use orch_plugin_kit::yaml::node::{self, Kind, Node};
use orch_plugin_kit::yaml::{self, Limits};
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    lockfile_version: String,
    importers: Option<BTreeMap<String, Importer>>,
    /// Version 6 has no list of importers if there is only one.
    #[serde(default)]
    dependencies: BTreeMap<String, Wanted>,
    #[serde(default)]
    dev_dependencies: BTreeMap<String, Wanted>,
    #[serde(default)]
    optional_dependencies: BTreeMap<String, Wanted>,
    #[serde(default)]
    packages: BTreeMap<String, Entry>,
    #[serde(default)]
    snapshots: BTreeMap<String, Edges>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Importer {
    dependencies: BTreeMap<String, Wanted>,
    dev_dependencies: BTreeMap<String, Wanted>,
    optional_dependencies: BTreeMap<String, Wanted>,
}

#[derive(Deserialize)]
struct Wanted {
    version: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Entry {
    name: Option<String>,
    version: Option<String>,
    resolution: Resolution,
    dependencies: BTreeMap<String, String>,
    optional_dependencies: BTreeMap<String, String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Resolution {
    integrity: Option<String>,
    tarball: Option<String>,
    repo: Option<String>,
    commit: Option<String>,
    directory: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Edges {
    dependencies: BTreeMap<String, String>,
    optional_dependencies: BTreeMap<String, String>,
}

/// Reads a `pnpm-lock.yaml` alone; importers are named by their folders.
///
/// # Errors
/// As [`parse_with`].
pub fn parse(text: &str, path: &str) -> Result<Packages, ParseError> {
    parse_with(text, path, &NoManifests)
}

/// Reads a `pnpm-lock.yaml`, with the manifests that name its importers.
///
/// # Errors
/// With the line where it is no YAML of this form, or of another version.
pub fn parse_with(text: &str, _path: &str, manifests: &dyn Manifests) -> Result<Packages, ParseError> {
    let root = yaml::read_within(text, Limits::MADE)?;
    let file: File = node::read(&root).map_err(|misfit| ParseError::at(misfit.line, misfit.reason))?;
    let version = shorten(&file.lockfile_version);
    if !matches!(version.split('.').next(), Some("6" | "9")) {
        return Err(ParseError::whole(format!(
            "lockfileVersion {version} is not known (known: 6, 9); pnpm 8 and newer write these"
        )));
    }
    let lines = lines_of_packages(&root);
    let mut found = Packages::default();
    let mut places: HashMap<&str, usize> = HashMap::new();
    for (key, entry) in &file.packages {
        check_count(found.packages.len() + 1)?;
        // Variants of one package differ by their peers, in brackets.
        let base = without_peers(key);
        let index = *places.entry(base).or_insert_with(|| {
            let mut package = package(base, entry);
            package.line = lines.get(key.as_str()).copied();
            found.packages.push(package);
            found.packages.len() - 1
        });
        places.insert(key, index);
    }
    for key in file.snapshots.keys() {
        if let Some(index) = places.get(without_peers(key)).copied() {
            places.insert(key, index);
        }
    }
    let single = Importer {
        dependencies: file.dependencies,
        dev_dependencies: file.dev_dependencies,
        optional_dependencies: file.optional_dependencies,
    };
    let importers = file.importers.unwrap_or_else(|| BTreeMap::from([(".".to_owned(), single)]));
    let mut folders: HashMap<String, usize> = HashMap::new();
    for place in importers.keys() {
        check_count(found.packages.len() + 1)?;
        let folder = resolved("", place);
        let manifest = manifests.manifest(&folder).unwrap_or_default();
        folders.insert(folder.clone(), found.packages.len());
        found.packages.push(first_party(&folder, &manifest));
    }

    let mut links: Vec<Links> = vec![Links::default(); found.packages.len()];
    let edges = file.packages.iter().map(|(key, entry)| (key, &entry.dependencies, &entry.optional_dependencies));
    let snapshots = file.snapshots.iter().map(|(key, entry)| (key, &entry.dependencies, &entry.optional_dependencies));
    for (key, plain, optional) in edges.chain(snapshots) {
        let Some(from) = places.get(key.as_str()) else { continue };
        links[*from].plain.extend(plain.iter().filter_map(|(name, version)| target(&places, name, version)));
        links[*from].optional.extend(optional.iter().filter_map(|(name, version)| target(&places, name, version)));
    }
    for (place, importer) in &importers {
        let folder = resolved("", place);
        let own = &mut links[folders[&folder]];
        let wanted = |list: &BTreeMap<String, Wanted>| -> Vec<usize> {
            let one = |(name, wanted): (&String, &Wanted)| match wanted.version.strip_prefix("link:") {
                Some(path) => folders.get(&resolved(&folder, path)).copied(),
                None => target(&places, name, &wanted.version),
            };
            list.iter().filter_map(one).collect()
        };
        own.plain = wanted(&importer.dependencies);
        own.optional = wanted(&importer.optional_dependencies);
        own.dev = wanted(&importer.dev_dependencies);
    }
    for (package, links) in found.packages.iter_mut().zip(&links) {
        package.dependencies = links.all();
    }
    let mut found = finish(found)?;
    set_scopes(&mut found.packages, &links, OptionalEdges::Weak);
    Ok(found)
}

/// `1.0.0(peer@2)` is the version of the package of that name; a text that is a place itself stands for another name.
fn target(places: &HashMap<&str, usize>, name: &str, version: &str) -> Option<usize> {
    let of = |key: &str| places.get(key).copied();
    of(&format!("{name}@{version}")).or_else(|| of(&format!("/{name}@{version}"))).or_else(|| of(version))
}

fn without_peers(key: &str) -> &str {
    key.find('(').map_or(key, |at| &key[..at])
}

fn package(key: &str, entry: &Entry) -> Package {
    let key = key.strip_prefix('/').unwrap_or(key);
    let (name, version) = name_and_range(key).unwrap_or((key, ""));
    // A place that is an address has the name in the entry.
    let name = entry.name.as_deref().unwrap_or(if version.is_empty() { last_part(key) } else { name });
    let is_version = version.starts_with(|first: char| first.is_ascii_digit());
    let version = entry.version.clone().or_else(|| is_version.then(|| version.to_owned()));
    let mut package = named(name, version);
    let resolution = &entry.resolution;
    package.origin = match (&resolution.tarball, &resolution.repo, &resolution.directory) {
        (_, Some(repo), _) => Origin::Git {
            url: without_credentials(repo.strip_prefix("git+").unwrap_or(repo)),
            commit: resolution.commit.clone(),
        },
        (_, _, Some(directory)) => Origin::Path(directory.clone()),
        (Some(tarball), ..) => archive_of_commit(tarball).unwrap_or_else(|| origin(tarball)),
        _ => Origin::Registry,
    };
    package.hashes = resolution.integrity.as_deref().map(integrity).unwrap_or_default();
    let from_network = matches!(package.origin, Origin::Registry | Origin::OtherRegistry(_) | Origin::Url(_));
    package.lacks_integrity = from_network && package.hashes.is_empty();
    package
}

fn last_part(text: &str) -> &str {
    text.rsplit('/').next().unwrap_or(text)
}

/// A repository of GitHub is fetched as an archive of one commit, whose address names both.
fn archive_of_commit(tarball: &str) -> Option<Origin> {
    let (repository, commit) = tarball.strip_prefix("https://codeload.github.com/")?.split_once("/tar.gz/")?;
    let is_commit = commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
    let url = format!("https://github.com/{repository}");
    is_commit.then(|| Origin::Git { url, commit: Some(commit.to_owned()) })
}

/// A path in a folder of the tree; parts that lead out of the tree are left off.
fn resolved(folder: &str, path: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

fn lines_of_packages(root: &Node) -> HashMap<&str, u32> {
    let entries = |node: &'_ Node| if let Kind::Map(entries) = &node.kind { Some(entries.len()) } else { None };
    let Kind::Map(fields) = &root.kind else { return HashMap::new() };
    let packages = fields.iter().find(|(_, key, node)| key == "packages" && entries(node).is_some());
    match packages.map(|(_, _, node)| &node.kind) {
        Some(Kind::Map(entries)) => entries.iter().map(|(line, key, _)| (key.as_str(), *line)).collect(),
        _ => HashMap::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::npm_manifest::Manifest;
    use super::*;
    use crate::model::Scope;

    struct Given;

    impl Manifests for Given {
        fn manifest(&self, folder: &str) -> Option<Manifest> {
            let text =
                if folder.is_empty() { r#"{"name":"@acme/app","version":"1.0.0"}"# } else { r#"{"name":"lib"}"# };
            Manifest::parse(text)
        }

        fn folders(&self, _: &str) -> Vec<String> {
            Vec::new()
        }
    }

    #[track_caller]
    fn check(text: &str) {
        let found = parse_with(text, "pnpm-lock.yaml", &Given).unwrap();
        let find = |name: &str| {
            let index = found.packages.iter().position(|it| it.display_name() == name).expect(name);
            (index, &found.packages[index])
        };
        let names = |package: &Package| -> Vec<String> {
            package.dependencies.iter().map(|index| found.packages[*index].display_name()).collect()
        };
        let (_, app) = find("@acme/app");
        assert_eq!((app.origin.clone(), app.version.as_deref(), app.direct), (Origin::FirstParty, Some("1.0.0"), true));
        let mut needs = names(app);
        needs.sort();
        assert_eq!(needs, ["@acme/kit", "check", "lib", "long"]);
        let (_, kit) = find("@acme/kit");
        assert_eq!((names(kit), kit.version.as_deref()), (vec!["fast".to_owned(), "rope".to_owned()], Some("1.2.3")));
        assert_eq!(kit.hashes[0].algorithm, "SHA-1");
        let scopes = ["lib", "rope", "fast", "check", "long", "tool"].map(|name| find(name).1.scope);
        assert_eq!(
            scopes,
            [Scope::Required, Scope::Required, Scope::Optional, Scope::Dev, Scope::Required, Scope::Dev]
        );
        let commit = "0123456789".repeat(4);
        let git = Origin::Git { url: "https://github.com/acme/check".into(), commit: Some(commit) };
        assert_eq!((find("check").1.origin.clone(), find("check").1.version.as_deref()), (git, Some("0.1.0")));
        assert_eq!(
            find("tool").1.origin,
            Origin::Git { url: "https://git.example/tool".into(), commit: Some("ab12".into()) }
        );
        assert_eq!((find("lib").1.origin.clone(), find("long").1.lacks_integrity), (Origin::FirstParty, true));
        assert!(kit.line.is_some());
    }

    #[test]
    fn version_9() {
        let commit = "0123456789".repeat(4);
        check(&format!(
            r#"
lockfileVersion: '9.0'
settings:
  autoInstallPeers: true
importers:
  .:
    dependencies:
      '@acme/kit': {{ specifier: ^1, version: 1.2.3(rope@2.0.0) }}
      short: {{ specifier: 'npm:long@1', version: 'long@1.0.0' }}
      lib: {{ specifier: 'workspace:*', version: 'link:packages/lib' }}
    devDependencies:
      check: {{ specifier: github:acme/check, version: 'https://codeload.github.com/acme/check/tar.gz/{commit}' }}
  packages/lib: {{}}
packages:
  '@acme/kit@1.2.3':
    resolution: {{ integrity: sha1-AAAAAAAAAAAAAAAAAAAAAAAAAAA= }}
    engines: {{ node: '>=10' }}
    peerDependencies: {{ rope: '*' }}
  rope@2.0.0: {{ resolution: {{ integrity: sha1-AAAAAAAAAAAAAAAAAAAAAAAAAAA= }} }}
  fast@3.0.0: {{ resolution: {{ integrity: sha1-AAAAAAAAAAAAAAAAAAAAAAAAAAA= }}, os: [darwin] }}
  long@1.0.0: {{ resolution: {{ tarball: 'https://npm.example/long/-/long-1.0.0.tgz' }} }}
  check@https://codeload.github.com/acme/check/tar.gz/{commit}:
    resolution: {{ tarball: 'https://codeload.github.com/acme/check/tar.gz/{commit}' }}
    version: 0.1.0
  tool@git+https://git.example/tool#ab12:
    resolution: {{ type: git, repo: 'https://git.example/tool', commit: ab12 }}
    version: 0.2.0
snapshots:
  '@acme/kit@1.2.3(rope@2.0.0)':
    dependencies: {{ rope: 2.0.0 }}
    optionalDependencies: {{ fast: 3.0.0 }}
  check@https://codeload.github.com/acme/check/tar.gz/{commit}:
    dependencies: {{ tool: 'git+https://git.example/tool#ab12' }}
  rope@2.0.0: {{}}
"#
        ));
    }

    #[test]
    fn version_6() {
        let commit = "0123456789".repeat(4);
        check(&format!(
            r#"
lockfileVersion: '6.0'
importers:
  .:
    dependencies:
      '@acme/kit': {{ specifier: ^1, version: 1.2.3(rope@2.0.0) }}
      short: {{ specifier: 'npm:long@1', version: /long@1.0.0 }}
      lib: {{ specifier: 'workspace:*', version: 'link:packages/lib' }}
    devDependencies:
      check: {{ specifier: github:acme/check, version: github.com/acme/check/{commit} }}
  packages/lib: {{}}
packages:
  /@acme/kit@1.2.3(rope@2.0.0):
    resolution: {{ integrity: sha1-AAAAAAAAAAAAAAAAAAAAAAAAAAA= }}
    dependencies: {{ rope: 2.0.0 }}
    optionalDependencies: {{ fast: 3.0.0 }}
    dev: false
  /rope@2.0.0: {{ resolution: {{ integrity: sha1-AAAAAAAAAAAAAAAAAAAAAAAAAAA= }} }}
  /fast@3.0.0: {{ resolution: {{ integrity: sha1-AAAAAAAAAAAAAAAAAAAAAAAAAAA= }}, optional: true }}
  /long@1.0.0: {{ resolution: {{ tarball: 'https://npm.example/long/-/long-1.0.0.tgz' }} }}
  github.com/acme/check/{commit}:
    resolution: {{ tarball: 'https://codeload.github.com/acme/check/tar.gz/{commit}' }}
    name: check
    version: 0.1.0
    dependencies: {{ tool: git.example/tool/ab12 }}
  git.example/tool/ab12:
    resolution: {{ type: git, repo: 'https://git.example/tool', commit: ab12 }}
    name: tool
    version: 0.2.0
"#
        ));
    }

    #[test]
    fn one_importer_and_mistakes() {
        let text = "lockfileVersion: '6.0'\ndevDependencies:\n  a: { specifier: '1', version: 1.0.0 }\npackages:\n  /a@1.0.0:\n    resolution: { integrity: x }\n";
        let found = parse(text, "").unwrap();
        let [a, root] = &found.packages[..] else { panic!("{found:?}") };
        assert_eq!(
            (a.scope, a.line, root.name.as_str(), root.dependencies.clone()),
            (Scope::Dev, Some(5), "root", vec![0])
        );
        let refused = |text: &str| parse(text, "").unwrap_err().to_string();
        assert!(refused("lockfileVersion: 5.4\n").contains("5.4"));
        assert!(refused("lockfileVersion: '9.0'\npackages:\n  a: [1]\n").starts_with("line 3"));
        assert!(refused("packages: {}\n").contains("lockfileVersion"));
        assert_eq!(resolved("packages/a", "../../../b/./c"), "b/c");
    }
}
