//! `composer.lock`: PHP packages, those for development in a list of their own.

use super::poetry_lock::mark_unneeded_as_direct;
use super::{MAX_CANDIDATES, check_count, finish, json_error, without_credentials};
use crate::model::{Ecosystem, FileHash, Origin, Package, Packages, Scope};
use orch_plugin_kit::parse::ParseError;
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::collections::{BTreeMap, HashMap};

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct File {
    packages: Vec<Entry>,
    #[serde(default)]
    packages_dev: Option<Vec<Entry>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Entry {
    name: String,
    version: String,
    source: Option<Source>,
    dist: Option<Source>,
    notification_url: Option<String>,
    /// PHP writes an empty mapping as an empty list.
    #[serde(default)]
    require: serde_json::Value,
    #[serde(default)]
    provide: serde_json::Value,
    #[serde(default)]
    replace: serde_json::Value,
    #[serde(default)]
    license: serde_json::Value,
    #[serde(default)]
    abandoned: serde_json::Value,
}

#[derive(Deserialize, Default)]
struct Source {
    #[serde(rename = "type")]
    kind: Option<String>,
    url: Option<String>,
    reference: Option<String>,
    shasum: Option<String>,
}

/// Reads a `composer.lock`. Packages that no other package needs count as asked for by the tree, because the file does not say.
///
/// # Errors
/// When it is no JSON of this shape.
pub fn parse(text: &str, _path: &str) -> Result<Packages, ParseError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let file: File = serde_json::from_str(text).map_err(|error| json_error(&error))?;
    let dev = file.packages_dev.unwrap_or_default();
    let entries: Vec<(&Entry, Scope)> = file
        .packages
        .iter()
        .map(|entry| (entry, Scope::Required))
        .chain(dev.iter().map(|entry| (entry, Scope::Dev)))
        .collect();
    check_count(entries.len())?;
    let lines = lines_of_names(text);
    let mut found = Packages::default();
    let mut provided: HashMap<String, Vec<usize>> = HashMap::new();
    for (index, (entry, scope)) in entries.iter().enumerate() {
        let mut package = package(entry);
        package.scope = *scope;
        package.line = lines.get(entry.name.as_str()).copied();
        found.packages.push(package);
        for name in std::iter::once(&entry.name).chain(keys(&entry.provide)).chain(keys(&entry.replace)) {
            provided.entry(name.to_lowercase()).or_default().push(index);
        }
    }
    for (index, (entry, _)) in entries.iter().enumerate() {
        for name in keys(&entry.require) {
            // The names without a vendor are PHP itself and its extensions.
            let targets = provided.get(&name.to_lowercase()).map_or(&[][..], Vec::as_slice);
            found.packages[index].dependencies.extend(targets.iter().take(MAX_CANDIDATES));
        }
    }
    let mut found = finish(found)?;
    mark_unneeded_as_direct(&mut found);
    Ok(found)
}

fn keys(value: &serde_json::Value) -> impl Iterator<Item = &String> {
    value.as_object().into_iter().flat_map(|map| map.keys())
}

fn package(entry: &Entry) -> Package {
    let (vendor, name) = entry.name.rsplit_once('/').unwrap_or(("", &entry.name));
    let mut package = Package::new(Ecosystem::Composer, name, Some(entry.version.clone()));
    package.group = Some(vendor.to_owned()).filter(|vendor| !vendor.is_empty());
    package.origin = origin(entry);
    package.license = license(&entry.license);
    let shasum = entry.dist.as_ref().and_then(|dist| dist.shasum.as_deref());
    package.hashes.extend(shasum.and_then(|hash| FileHash::new("sha1", hash, None)));
    let references = [&entry.dist, &entry.source].into_iter().flatten().filter_map(|it| it.reference.as_deref());
    let commit = references.into_iter().find(|it| it.len() == 40 && it.bytes().all(|byte| byte.is_ascii_hexdigit()));
    package.properties.extend(commit.map(|commit| ("commit", commit.to_owned())));
    if entry.abandoned.as_bool().unwrap_or(entry.abandoned.is_string()) {
        package.properties.push(("abandoned", "true".to_owned()));
    }
    let from_network = matches!(package.origin, Origin::Registry | Origin::OtherRegistry(_) | Origin::Url(_));
    // The registry has names and addresses; the code comes from repositories, and a commit's hash is of its content.
    package.lacks_integrity = from_network && package.hashes.is_empty() && commit.is_none();
    package
}

fn origin(entry: &Entry) -> Origin {
    let address = |source: &Option<Source>| source.as_ref().and_then(|source| source.url.clone());
    if let Some(dist) = entry.dist.as_ref().filter(|dist| dist.kind.as_deref() == Some("path")) {
        let path = dist.url.clone().unwrap_or_default();
        let is_inside = !path.starts_with('/') && !path.starts_with("..");
        return if is_inside { Origin::FirstParty } else { Origin::Path(path) };
    }
    match &entry.notification_url {
        Some(url) if url.starts_with("https://packagist.org/") => Origin::Registry,
        Some(url) => Origin::OtherRegistry(without_credentials(url)),
        None => match (&entry.source, address(&entry.source), address(&entry.dist)) {
            (Some(source), Some(url), _) if source.kind.as_deref() == Some("git") => {
                Origin::Git { url: without_credentials(&url), commit: source.reference.clone() }
            }
            (_, Some(url), _) | (_, None, Some(url)) => Origin::Url(without_credentials(&url)),
            (_, None, None) => Origin::Registry,
        },
    }
}

/// A list means that any of them may be chosen.
fn license(value: &serde_json::Value) -> Option<String> {
    let mut all: Vec<&str> = match value {
        serde_json::Value::String(text) => vec![text],
        serde_json::Value::Array(list) => list.iter().filter_map(|text| text.as_str()).collect(),
        _ => Vec::new(),
    };
    all.retain(|text| !text.trim().is_empty());
    match &all[..] {
        [] => None,
        [one] => Some((*one).to_owned()),
        several => Some(
            several
                .iter()
                .map(|it| if it.contains(' ') { format!("({it})") } else { (*it).to_owned() })
                .collect::<Vec<_>>()
                .join(" OR "),
        ),
    }
}

/// JSON has no positions after reading, so names are found as Composer writes them: one on a line.
fn lines_of_names(text: &str) -> BTreeMap<&str, u32> {
    let mut lines = BTreeMap::new();
    for (number, line) in text.lines().enumerate() {
        let name =
            line.trim().strip_prefix("\"name\": \"").and_then(|rest| rest.trim_end_matches(',').strip_suffix('"'));
        if let Some(name) = name.filter(|name| name.contains('/')) {
            lines.entry(name).or_insert(u32::try_from(number + 1).unwrap_or(u32::MAX));
        }
    }
    lines
}

/// What a manifest asks for; `None` if it is none or asks for PHP and its extensions only.
pub fn manifest(text: &str) -> Option<Option<String>> {
    #[derive(Deserialize)]
    #[serde(rename_all = "kebab-case")]
    struct Manifest {
        name: Option<String>,
        #[serde(default)]
        require: BTreeMap<String, IgnoredAny>,
        #[serde(default)]
        require_dev: BTreeMap<String, IgnoredAny>,
    }
    let manifest: Manifest = serde_json::from_str(text).ok()?;
    let needs = manifest.require.keys().chain(manifest.require_dev.keys()).any(|name| name.contains('/'));
    needs.then_some(manifest.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::purl::purl;

    #[test]
    fn both_lists() {
        let commit = "0123456789".repeat(4);
        let text = r#"{ "packages": [
            {
                "name": "Acme/kit",
                "version": "v1.2.3", "require": { "php": ">=8", "ext-json": "*", "psr/log-implementation": "1" },
                "source": { "type": "git", "url": "https://git.example/kit", "reference": "COMMIT" },
                "dist": { "type": "zip", "url": "https://files.example/kit.zip", "reference": "COMMIT", "shasum": "" },
                "license": ["MIT", "GPL-2.0-or-later"], "notification-url": "https://packagist.org/downloads/", "abandoned": "other/kit"
            },
            { "name": "acme/log", "version": "1.0", "require": [], "provide": { "psr/log-implementation": "1.0" },
              "dist": { "type": "zip", "url": "https://u:p@files.example/log.zip", "shasum": "COMMIT" }, "license": "MIT" },
            { "name": "acme/local", "version": "dev-main", "dist": { "type": "path", "url": "packages/local" } }
        ], "packages-dev": [
            { "name": "acme/check", "version": "2.0", "source": { "type": "git", "url": "https://git.example/check", "reference": "main" } },
            { "name": "acme/plain", "version": "2.0", "notification-url": "https://php.example/d" }
        ] }"#
            .replace("COMMIT", &commit);
        let found = parse(&text, "composer.lock").unwrap();
        let [kit, log, local, check, plain] = &found.packages[..] else { panic!("{found:?}") };
        assert_eq!((kit.dependencies.clone(), kit.direct, kit.line), (vec![1], true, Some(3)));
        assert_eq!((kit.license.as_deref(), kit.lacks_integrity), (Some("MIT OR GPL-2.0-or-later"), false));
        assert_eq!(kit.properties, [("commit", commit.clone()), ("abandoned", "true".to_owned())]);
        assert_eq!(purl(kit).as_deref(), Some("pkg:composer/acme/kit@v1.2.3"));
        assert_eq!(log.origin, Origin::Url("https://files.example/log.zip".into()));
        assert_eq!((log.hashes[0].hex.clone(), log.direct), (commit, false));
        assert_eq!(local.origin, Origin::FirstParty);
        assert_eq!(
            (check.scope, check.origin.clone()),
            (Scope::Dev, Origin::Git { url: "https://git.example/check".into(), commit: Some("main".into()) })
        );
        assert_eq!(
            (plain.origin.clone(), plain.lacks_integrity),
            (Origin::OtherRegistry("https://php.example/d".into()), true)
        );
    }

    #[test]
    fn mistakes_have_a_line() {
        assert_eq!(parse("{\n \"packages\": {}\n}", "").unwrap_err().line, Some(2));
        assert!(parse("{}", "").is_err());
        assert!(parse(&"[".repeat(100_000), "").is_err());
        assert_eq!(manifest(r#"{"name":"a/b","require":{"php":"8"}}"#), None);
        assert_eq!(manifest(r#"{"name":"a/b","require":{"c/d":"8"}}"#), Some(Some("a/b".to_owned())));
    }
}
