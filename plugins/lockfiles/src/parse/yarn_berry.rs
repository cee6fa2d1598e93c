//! `yarn.lock` of Yarn 2 and newer: YAML with an entry `__metadata`. Its checksums are of the archives that Yarn packs itself, so they
//! are kept as a property and not as hashes of the registry's files.

use super::npm_manifest::{Manifests, first_party, name_and_range, named};
use super::scopes::{Links, OptionalEdges, set_scopes};
use super::yarn_lock::local_path;
use super::{check_count, finish, git_origin, shorten, without_credentials};
use crate::model::{Origin, Package, Packages};
use orch_plugin_kit::parse::ParseError;
use orch_plugin_kit::yaml::node::{self, Kind, Node};
use orch_plugin_kit::yaml::{self, Limits};
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Entry {
    version: Option<String>,
    resolution: Option<String>,
    checksum: Option<String>,
    conditions: Option<String>,
    dependencies: BTreeMap<String, String>,
    dependencies_meta: BTreeMap<String, Meta>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Meta {
    optional: bool,
}

/// The newest version of the format that is known. New ones change checksums and defaults of ranges, not the form.
const NEWEST: u32 = 10;

/// Reads a `yarn.lock` of Yarn 2 and newer. Its workspaces are first-party; what they need only for development is in their manifests.
///
/// # Errors
/// With the line where it is no YAML of this form.
pub fn parse_with(text: &str, _path: &str, manifests: &dyn Manifests) -> Result<Packages, ParseError> {
    let root = yaml::read_within(text, Limits::MADE)?;
    let Kind::Map(nodes) = &root.kind else { return Err(ParseError::at(root.line, "no mapping of packages")) };
    let mut found = Packages::default();
    let mut entries: Vec<Entry> = Vec::new();
    let mut folders: Vec<Option<String>> = Vec::new();
    let mut asked: HashMap<&str, usize> = HashMap::new();
    for (line, key, node) in nodes {
        if key == "__metadata" {
            known_version(node)?;
            continue;
        }
        let index = entries.len();
        check_count(index + 1)?;
        let entry: Entry = node::read(node).map_err(|misfit| ParseError::at(misfit.line, misfit.reason))?;
        let (mut package, folder) = package(*line, &entry, manifests)?;
        package.line = Some(*line);
        found.packages.push(package);
        folders.push(folder);
        entries.push(entry);
        for pattern in key.split(',').map(str::trim).filter(|pattern| !pattern.is_empty()) {
            asked.entry(pattern).or_insert(index);
        }
    }
    let mut pattern = String::new();
    let mut target = |name: &str, range: &str| {
        ["", "npm:", "workspace:"].iter().find_map(|protocol| {
            pattern.clear();
            pattern.extend([name, "@", protocol, range]);
            asked.get(pattern.as_str()).copied()
        })
    };
    let mut links: Vec<Links> = Vec::with_capacity(entries.len());
    for (entry, folder) in entries.iter().zip(&folders) {
        let manifest = folder.as_ref().and_then(|folder| manifests.manifest(folder)).unwrap_or_default();
        let is_dev = |name: &String| {
            manifest.dev_dependencies.contains_key(name)
                && !manifest.dependencies.contains_key(name)
                && !manifest.optional_dependencies.contains_key(name)
        };
        let mut own = Links::default();
        for (name, range) in &entry.dependencies {
            let side = if is_dev(name) {
                &mut own.dev
            } else if entry.dependencies_meta.get(name).is_some_and(|meta| meta.optional) {
                &mut own.optional
            } else {
                &mut own.plain
            };
            side.extend(target(name, range));
        }
        links.push(own);
    }
    for (package, links) in found.packages.iter_mut().zip(&links) {
        package.dependencies = links.all();
    }
    let mut found = finish(found)?;
    set_scopes(&mut found.packages, &links, OptionalEdges::Weak);
    Ok(found)
}

fn known_version(metadata: &Node) -> Result<(), ParseError> {
    #[derive(Deserialize)]
    struct Metadata {
        version: String,
    }
    let found: Metadata = node::read(metadata).map_err(|misfit| ParseError::at(misfit.line, misfit.reason))?;
    match found.version.split('.').next().and_then(|version| version.parse::<u32>().ok()) {
        Some(version) if version <= NEWEST => Ok(()),
        _ => {
            let shown = shorten(&found.version);
            Err(ParseError::at(metadata.line, format!("version {shown} of the format is not known (newest: {NEWEST})")))
        }
    }
}

/// The package, and of a workspace its folder.
fn package(line: u32, entry: &Entry, manifests: &dyn Manifests) -> Result<(Package, Option<String>), ParseError> {
    let resolution =
        entry.resolution.as_deref().ok_or_else(|| ParseError::at(line, "an entry without `resolution`"))?;
    let (name, reference) =
        name_and_range(resolution).ok_or_else(|| ParseError::at(line, "a `resolution` without a reference"))?;
    if let Some(folder) = reference.strip_prefix("workspace:") {
        let folder = if folder == "." { "" } else { folder };
        let mut manifest = manifests.manifest(folder).unwrap_or_default();
        manifest.name = Some(name.to_owned());
        return Ok((first_party(folder, &manifest), Some(folder.to_owned())));
    }
    // `::` begins parameters, among them the address where it is no usual one.
    let (plain, parameters) = reference.split_once("::").unwrap_or((reference, ""));
    let mut package = named(name, entry.version.clone());
    package.origin = if let Some(archive) = parameter(parameters, "__archiveUrl") {
        super::package_lock::origin(&archive)
    } else if reference.starts_with("npm:") {
        Origin::Registry
    } else if reference.starts_with("patch:") {
        package.properties.push(("patched", "true".to_owned()));
        Origin::Registry
    } else if let Some(path) = local_path(plain) {
        Origin::Path(path.split('#').next().unwrap_or(path).to_owned())
    } else if let Some((address, pin)) = plain.split_once('#')
        && let Some(commit) = parameter(pin, "commit")
    {
        let Origin::Git { url, .. } = git_origin(address) else { return Err(ParseError::at(line, "no address")) };
        Origin::Git { url, commit: Some(commit) }
    } else {
        Origin::Url(without_credentials(plain))
    };
    package.properties.extend(entry.checksum.as_ref().map(|checksum| ("checksum", shorten(checksum))));
    let from_network = matches!(package.origin, Origin::Registry | Origin::OtherRegistry(_) | Origin::Url(_));
    // What is for another platform only has no checksum until somebody installs it there.
    package.lacks_integrity = from_network && entry.checksum.is_none() && entry.conditions.is_none();
    Ok((package, None))
}

/// The value of a parameter among `a=1&b=2`, decoded.
fn parameter(text: &str, key: &str) -> Option<String> {
    let value = text.split('&').find_map(|pair| pair.strip_prefix(key)?.strip_prefix('='))?;
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        bytes.push(if byte == b'%' { digit(rest.next()?)? * 16 + digit(rest.next()?)? } else { byte });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::super::npm_manifest::{Manifest, NoManifests};
    use super::*;
    use crate::model::Scope;

    const LOCK: &str = r#"
__metadata:
  version: 8
  cacheKey: 10c0

"@acme/kit@npm:^1.0.0, @acme/kit@npm:^1.2.0":
  version: 1.2.3
  resolution: "@acme/kit@npm:1.2.3"
  dependencies:
    rope: "npm:2"
    fast: "npm:*"
  dependenciesMeta:
    fast:
      optional: true
  checksum: 10c0/abcdef
  languageName: node
  linkType: hard

"app@workspace:.":
  version: 0.0.0-use.local
  resolution: "app@workspace:."
  dependencies:
    "@acme/kit": "npm:^1.2.0"
    check: "git@git.example:check.git"
    lib: "workspace:*"
  languageName: unknown
  linkType: soft

"check@git@git.example:check.git":
  version: 0.1.0
  resolution: "check@git@git.example:check.git#commit=abcdef0123"
  checksum: 10c0/00

"fast@npm:*":
  version: 3.0.0
  resolution: "fast@npm:3.0.0"
  conditions: os=darwin

"lib@workspace:*, lib@workspace:packages/lib":
  version: 0.0.0-use.local
  resolution: "lib@workspace:packages/lib"

"rope@npm:2":
  version: 2.0.0
  resolution: "rope@npm:2.0.0::__archiveUrl=https%3A%2F%2Fnpm.example%2Frope%2F-%2Frope-2.0.0.tgz"
"#;

    struct Given;

    impl Manifests for Given {
        fn manifest(&self, folder: &str) -> Option<Manifest> {
            let text = if folder.is_empty() {
                r#"{"version":"1.0.0","devDependencies":{"check":"git@git.example:check.git"}}"#
            } else {
                r#"{"name":"lib","version":"0.2.0"}"#
            };
            Manifest::parse(text)
        }

        fn folders(&self, _: &str) -> Vec<String> {
            Vec::new()
        }
    }

    #[test]
    fn workspaces_and_scopes() {
        let found = parse_with(LOCK, "yarn.lock", &Given).unwrap();
        let [kit, app, check, fast, lib, rope] = &found.packages[..] else { panic!("{found:?}") };
        assert_eq!((kit.display_name().as_str(), kit.line), ("@acme/kit", Some(6)));
        assert_eq!(
            (kit.properties.clone(), kit.lacks_integrity),
            (vec![("checksum", "10c0/abcdef".to_owned())], false)
        );
        assert_eq!((app.origin.clone(), app.version.as_deref(), app.direct), (Origin::FirstParty, Some("1.0.0"), true));
        assert_eq!(app.dependencies, [0, 2, 4]);
        assert_eq!(
            check.origin,
            Origin::Git { url: "git@git.example:check.git".into(), commit: Some("abcdef0123".into()) }
        );
        assert_eq!((check.scope, fast.scope, rope.scope), (Scope::Dev, Scope::Optional, Scope::Required));
        assert_eq!((lib.version.as_deref(), fast.lacks_integrity, rope.lacks_integrity), (Some("0.2.0"), false, true));
        assert_eq!(rope.origin, Origin::OtherRegistry("https://npm.example".into()));
        // Without manifests, what is for development cannot be told apart.
        let alone = parse_with(LOCK, "yarn.lock", &NoManifests).unwrap();
        assert_eq!((alone.packages[2].scope, alone.packages[1].version.clone()), (Scope::Required, None));
    }

    #[test]
    fn mistakes_have_a_line() {
        let refused = |text: &str| parse_with(text, "", &NoManifests).unwrap_err().to_string();
        assert!(refused("__metadata:\n  version: 99\n").contains("version 99"));
        assert_eq!(
            refused("__metadata:\n  version: 8\na@npm:1:\n  version: 1\n"),
            "line 3: an entry without `resolution`"
        );
        assert!(refused("- a").contains("no mapping"));
        assert!(refused("__metadata:\n  version: 8\na: [").starts_with("line 3"));
    }
}
