//! `package-lock.json` and `npm-shrinkwrap.json`, lockfileVersion 2 and 3: the `packages` map from place to package. The older
//! `dependencies` tree of version 2 says the same again and is not read.

use super::{check_count, finish, git_origin, json_error, without_credentials};
use crate::model::{Ecosystem, FileHash, Origin, Package, Packages, Scope};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use orch_plugin_kit::parse::ParseError;
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::collections::{BTreeMap, HashMap};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    name: Option<String>,
    version: Option<String>,
    lockfile_version: Option<u64>,
    packages: Option<BTreeMap<String, Entry>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Entry {
    name: Option<String>,
    version: Option<String>,
    resolved: Option<serde_json::Value>,
    integrity: Option<String>,
    dev: bool,
    optional: bool,
    dev_optional: bool,
    peer: bool,
    link: bool,
    in_bundle: bool,
    extraneous: bool,
    license: Option<serde_json::Value>,
    dependencies: BTreeMap<String, IgnoredAny>,
    dev_dependencies: BTreeMap<String, IgnoredAny>,
    optional_dependencies: BTreeMap<String, IgnoredAny>,
    peer_dependencies: BTreeMap<String, IgnoredAny>,
}

const FOLDER: &str = "node_modules/";

/// Looking a name up walks the place folder by folder; no file system has places this long.
const LONGEST_PLACE: usize = 4096;

/// Reads a `package-lock.json`.
///
/// # Errors
/// When it is no JSON of this shape, or of lockfileVersion 1.
pub fn parse(text: &str, _path: &str) -> Result<Packages, ParseError> {
    // An editor on Windows may have put a byte order mark in front; npm reads over it.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let file: File = serde_json::from_str(text).map_err(|error| json_error(&error))?;
    let Some(mut entries) = file.packages else {
        let version = file.lockfile_version.unwrap_or(1);
        return Err(ParseError::whole(format!(
            "lockfileVersion {version} has no `packages`; npm 7 or newer writes one that has"
        )));
    };
    check_count(entries.len())?;
    if let Some(root) = entries.get_mut("") {
        root.name = root.name.take().or(file.name);
        root.version = root.version.take().or(file.version);
    }
    if entries.keys().any(|place| place.len() > LONGEST_PLACE) {
        return Err(ParseError::whole(format!("a place of more than {LONGEST_PLACE} bytes")));
    }
    let lines = lines_of_keys(text);
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut found = Packages::default();
    for (place, entry) in &entries {
        // A link only says where the package is; an extraneous package is on the disk but nothing asks for it.
        if entry.link || entry.extraneous {
            continue;
        }
        let mut package = package(place, entry);
        // The other first-party packages are workspaces of this one.
        package.direct = place.is_empty();
        package.line = lines.get(place.as_str()).copied();
        places.insert(place, found.packages.len());
        found.packages.push(package);
    }
    for (place, entry) in &entries {
        let Some(&from) = places.get(place.as_str()) else { continue };
        let names =
            entry.dependencies.keys().chain(entry.optional_dependencies.keys()).chain(entry.peer_dependencies.keys());
        for name in names.chain(entry.dev_dependencies.keys()) {
            // Optional and peer dependencies may rightly be absent, and npm itself refuses a file that lacks another.
            let target = resolve(place, name, &entries).and_then(|target| places.get(target));
            found.packages[from].dependencies.extend(target);
        }
    }
    finish(found)
}

fn package(place: &str, entry: &Entry) -> Package {
    let placed_name = place.rfind(FOLDER).map(|at| &place[at + FOLDER.len()..]);
    // `name` is there when it differs from the folder's: an alias (`npm:other@1`) or a workspace.
    let folder = place.rsplit('/').next().filter(|folder| !folder.is_empty()).unwrap_or("root");
    let full_name = entry.name.as_deref().or(placed_name).unwrap_or(folder);
    let (group, name) = match full_name.split_once('/') {
        Some((scope, name)) if scope.starts_with('@') => (Some(scope.to_owned()), name),
        _ => (None, full_name),
    };
    let mut package = Package::new(Ecosystem::Npm, name, entry.version.clone());
    package.group = group;
    if let Some(alias) = placed_name.filter(|alias| *alias != full_name) {
        package.properties.push(("alias", alias.to_owned()));
    }
    if entry.peer {
        package.properties.push(("peer", "true".to_owned()));
    }
    if entry.in_bundle {
        package.properties.push(("bundled", "true".to_owned()));
    }
    package.origin = match (placed_name, entry.resolved.as_ref().and_then(|resolved| resolved.as_str())) {
        (None, _) => Origin::FirstParty,
        (Some(_), resolved) => resolved.map_or(Origin::Registry, origin),
    };
    package.scope = match (entry.dev, entry.optional || entry.dev_optional) {
        (true, _) => Scope::Dev,
        (false, true) => Scope::Optional,
        (false, false) => Scope::Required,
    };
    package.license = entry.license.as_ref().and_then(license);
    package.hashes = entry.integrity.as_deref().map(integrity).unwrap_or_default();
    // A bundled package is covered by the hash of the package around it.
    let from_network = matches!(package.origin, Origin::Registry | Origin::OtherRegistry(_) | Origin::Url(_));
    package.lacks_integrity = from_network && !entry.in_bundle && package.hashes.is_empty();
    package
}

/// Where an address of a tarball, a repository or a file leads.
pub(crate) fn origin(resolved: &str) -> Origin {
    // The second is a name of the first that Yarn writes.
    const REGISTRIES: [&str; 2] = ["https://registry.npmjs.org/", "https://registry.yarnpkg.com/"];
    if resolved.starts_with("git") {
        return git_origin(resolved);
    }
    if let Some(path) = resolved.strip_prefix("file:") {
        return Origin::Path(path.to_owned());
    }
    if REGISTRIES.iter().any(|registry| resolved.starts_with(registry)) || !resolved.contains("://") {
        return Origin::Registry;
    }
    // Registries, whoever runs them, serve a package's files below `<name>/-/`.
    let address = without_credentials(resolved);
    match address.find("/-/").and_then(|end| registry_of(&address[..end])) {
        Some(registry) => Origin::OtherRegistry(registry),
        None => Origin::Url(address),
    }
}

/// Takes the package's name, with its scope if it has one, off the end of an address.
fn registry_of(address: &str) -> Option<String> {
    let (mut rest, _) = address.rsplit_once('/')?;
    if let Some((before, last)) = rest.rsplit_once('/')
        && last.starts_with('@')
    {
        rest = before;
    }
    (rest.len() > rest.find("://")? + 3).then(|| rest.to_owned())
}

/// Reads Subresource Integrity text: `sha512-<base64>`, several of them between blanks, options after `?`.
pub(crate) fn integrity(text: &str) -> Vec<FileHash> {
    let decode = |part: &str| {
        let (algorithm, encoded) = part.split_once('-')?;
        let bytes = STANDARD.decode(encoded.split('?').next()?).ok()?;
        FileHash::new(algorithm, &orch_plugin_kit::digest::hex(&bytes), None)
    };
    let mut hashes: Vec<FileHash> = text.split_ascii_whitespace().filter_map(decode).collect();
    hashes.sort();
    hashes.dedup();
    hashes
}

/// An SPDX expression, or the `{ type, url }` of very old packages.
fn license(value: &serde_json::Value) -> Option<String> {
    let text = value.as_str().or_else(|| value.get("type")?.as_str())?.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// Looks for a package as Node does: in the `node_modules` of the folder, then of each folder above it.
fn resolve<'a>(place: &str, name: &str, entries: &'a BTreeMap<String, Entry>) -> Option<&'a str> {
    let mut folder = Some(place);
    while let Some(current) = folder {
        folder = if current.is_empty() { None } else { Some(current.rsplit_once('/').map_or("", |(above, _)| above)) };
        if current == "node_modules" || current.ends_with("/node_modules") {
            continue;
        }
        let candidate =
            if current.is_empty() { format!("{FOLDER}{name}") } else { format!("{current}/{FOLDER}{name}") };
        let Some((key, entry)) = entries.get_key_value(&candidate) else { continue };
        if !entry.link {
            return Some(key);
        }
        let target = entry.resolved.as_ref()?.as_str()?;
        return entries.get_key_value(target).map(|(key, _)| key.as_str());
    }
    None
}

/// JSON has no positions after reading, so the lines are found by the keys as npm writes them: one on a line, indented.
pub(crate) fn lines_of_keys(text: &str) -> HashMap<&str, u32> {
    let mut lines = HashMap::new();
    for (number, line) in text.lines().enumerate().skip(1) {
        let trimmed = line.trim();
        if let Some(key) = trimmed.strip_prefix('"').and_then(|rest| rest.strip_suffix("\": {")) {
            lines.entry(key).or_insert(u32::try_from(number + 1).unwrap_or(u32::MAX));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find<'a>(found: &'a Packages, name: &str, version: &str) -> (usize, &'a Package) {
        let wanted = |package: &&Package| package.display_name() == name && package.version.as_deref() == Some(version);
        let index = found.packages.iter().position(|package| wanted(&package)).expect(name);
        (index, &found.packages[index])
    }

    #[test]
    fn edges_follow_node() {
        let text = r#"{ "name": "app", "version": "1.0.0", "lockfileVersion": 3, "packages": {
            "": { "dependencies": { "a": "^1", "@s/b": "1" }, "workspaces": ["packages/*"] },
            "packages/w": { "version": "0.1.0", "dependencies": { "a": "2" } },
            "packages/w/node_modules/a": { "version": "2.0.0" },
            "node_modules/w": { "resolved": "packages/w", "link": true },
            "node_modules/a": { "version": "1.0.0", "dependencies": { "@s/b": "1", "w": "*" } },
            "node_modules/@s/b": { "version": "1.0.0", "dependencies": { "a": "3" } },
            "node_modules/@s/b/node_modules/a": { "version": "3.0.0", "optionalDependencies": { "gone": "1" } }
        } }"#;
        let found = parse(text, "").unwrap();
        let of = |name: &str, version: &str| find(&found, name, version).0;
        let edges = |name: &str, version: &str| find(&found, name, version).1.dependencies.clone();
        assert_eq!(edges("w", "0.1.0"), [of("a", "2.0.0")]);
        assert_eq!(edges("@s/b", "1.0.0"), [of("a", "3.0.0")]);
        let mut expected = vec![of("@s/b", "1.0.0"), of("w", "0.1.0")];
        expected.sort_unstable();
        assert_eq!(edges("a", "1.0.0"), expected);
        assert_eq!(edges("app", "1.0.0").len(), 2);
        assert_eq!(find(&found, "w", "0.1.0").1.origin, Origin::FirstParty);
    }

    #[test]
    fn flags_aliases_and_origins() {
        let text = r#"{ "lockfileVersion": 2, "packages": {
            "node_modules/short": { "name": "@long/name", "version": "1.0.0", "dev": true, "license": { "type": "MIT" },
              "resolved": "https://npm.example/reg/@long/name/-/name-1.0.0.tgz", "integrity": "sha1-AAAAAAAAAAAAAAAAAAAAAAAAAAA= sha999-x" },
            "node_modules/g": { "version": "1.0.0", "resolved": "git+ssh://git@git.example/g.git#abc", "devOptional": true },
            "node_modules/t": { "version": "1.0.0", "resolved": "https://u:p@files.example/t.tgz", "peer": true, "extra": [1] }
        } }"#;
        let found = parse(text, "").unwrap();
        let (_, short) = find(&found, "@long/name", "1.0.0");
        assert_eq!((short.scope, short.license.as_deref()), (Scope::Dev, Some("MIT")));
        assert_eq!(short.properties, [("alias", "short".to_owned())]);
        assert_eq!(short.origin, Origin::OtherRegistry("https://npm.example/reg".into()));
        assert_eq!(short.hashes, [FileHash::new("sha1", &"0".repeat(40), None).unwrap()]);
        let (_, git) = find(&found, "g", "1.0.0");
        assert_eq!(git.origin, Origin::Git { url: "ssh://git@git.example/g.git".into(), commit: Some("abc".into()) });
        assert_eq!((git.scope, git.lacks_integrity), (Scope::Optional, false));
        let (_, tarball) = find(&found, "t", "1.0.0");
        assert_eq!(
            (tarball.origin.clone(), tarball.lacks_integrity),
            (Origin::Url("https://files.example/t.tgz".into()), true)
        );
    }

    #[test]
    fn old_and_broken_files() {
        assert!(
            parse(r#"{ "lockfileVersion": 1, "dependencies": {} }"#, "")
                .unwrap_err()
                .reason
                .contains("lockfileVersion 1")
        );
        assert_eq!(parse("{\n \"packages\": [\n}", "").unwrap_err().line, Some(2));
        assert!(parse(&"[".repeat(100_000), "").is_err());
    }
}
