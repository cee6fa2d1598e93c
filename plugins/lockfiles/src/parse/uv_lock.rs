//! `uv.lock`. The file names its own roots (editable and virtual packages), so what is optional or for development is found by
//! walking from them.

use super::scopes::{Links, OptionalEdges, set_scopes};
use super::{LineIndex, MAX_CANDIDATES, by_name, check_count, finish, git_origin, read_toml, without_credentials};
use crate::model::{Ecosystem, FileHash, Origin, Package, Packages};
use crate::purl::pypi_name;
use orch_plugin_kit::parse::ParseError;
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};
use toml::Spanned;

#[derive(Deserialize)]
struct File {
    version: Option<u32>,
    #[serde(default, alias = "distribution")]
    package: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Entry {
    name: Spanned<String>,
    version: Option<String>,
    source: Option<Source>,
    #[serde(default)]
    dependencies: Vec<Dependency>,
    #[serde(default)]
    optional_dependencies: BTreeMap<String, Vec<Dependency>>,
    #[serde(default)]
    dev_dependencies: BTreeMap<String, Vec<Dependency>>,
    sdist: Option<DistributionFile>,
    #[serde(default)]
    wheels: Vec<DistributionFile>,
}

#[derive(Deserialize, Default)]
struct Source {
    registry: Option<String>,
    git: Option<String>,
    url: Option<String>,
    path: Option<String>,
    directory: Option<String>,
    editable: Option<String>,
    #[serde(rename = "virtual")]
    virtual_folder: Option<String>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    version: Option<String>,
}

#[derive(Deserialize)]
struct DistributionFile {
    url: Option<String>,
    path: Option<String>,
    filename: Option<String>,
    hash: Option<String>,
}

/// The version of the format this parser knows. Its revisions only add.
const KNOWN: u32 = 1;

/// Reads a `uv.lock`.
///
/// # Errors
/// When it is no TOML of this shape, or of another version.
pub fn parse(text: &str, _path: &str) -> Result<Packages, ParseError> {
    let lines = LineIndex::new(text);
    let file: File = read_toml(text, &lines)?;
    if let Some(version) = file.version.filter(|version| *version != KNOWN) {
        return Err(ParseError::whole(format!("version {version} of the format is not known (known: {KNOWN})")));
    }
    check_count(file.package.len())?;
    let packages: Vec<Package> = file.package.iter().map(|entry| package(entry, &lines)).collect();
    let names = by_name(&packages);
    let mut found = Packages { packages, ..Packages::default() };
    let mut links = Vec::with_capacity(file.package.len());
    for (from, entry) in file.package.iter().enumerate() {
        let plain = targets(&entry.dependencies, &names, &found.packages);
        let optional = targets(entry.optional_dependencies.values().flatten(), &names, &found.packages);
        let dev = targets(entry.dev_dependencies.values().flatten(), &names, &found.packages);
        found.packages[from].dependencies = [&plain[..], &optional[..], &dev[..]].concat();
        links.push(Links { plain, optional, dev });
    }
    // Extras of other packages are in the file only if somebody asked for them, so their edges are plain.
    set_scopes(&mut found.packages, &links, OptionalEdges::AskedFor);
    finish(found)
}

fn package(entry: &Entry, lines: &LineIndex) -> Package {
    let mut package = Package::new(Ecosystem::Pypi, pypi_name(entry.name.get_ref()), entry.version.clone());
    package.line = Some(lines.line(entry.name.span().start));
    package.origin = entry.source.as_ref().map_or(Origin::Registry, origin);
    let place = entry.source.as_ref().and_then(|source| source.editable.as_ref().or(source.virtual_folder.as_ref()));
    package.direct = place.is_some_and(|place| place == ".");
    let hash = |file: &DistributionFile| {
        let place = file.filename.as_deref().or(file.url.as_deref()).or(file.path.as_deref());
        let name = place.and_then(|place| place.rsplit('/').next());
        FileHash::from_colon(file.hash.as_deref()?, name)
    };
    package.hashes = entry.sdist.iter().chain(&entry.wheels).filter_map(hash).collect();
    let from_network = matches!(package.origin, Origin::Registry | Origin::OtherRegistry(_) | Origin::Url(_));
    package.lacks_integrity = from_network && package.hashes.is_empty();
    package
}

fn origin(source: &Source) -> Origin {
    if source.editable.is_some() || source.virtual_folder.is_some() {
        return Origin::FirstParty;
    }
    if let Some(git) = &source.git {
        return git_origin(git);
    }
    if let Some(url) = &source.url {
        return Origin::Url(without_credentials(url));
    }
    if let Some(path) = source.path.as_ref().or(source.directory.as_ref()) {
        return Origin::Path(path.clone());
    }
    match &source.registry {
        Some(url) if url.trim_end_matches('/') != "https://pypi.org/simple" => {
            Origin::OtherRegistry(without_credentials(url))
        }
        _ => Origin::Registry,
    }
}

fn targets<'a>(
    dependencies: impl IntoIterator<Item = &'a Dependency>,
    names: &HashMap<String, Vec<usize>>,
    packages: &[Package],
) -> Vec<usize> {
    let mut found = Vec::new();
    for dependency in dependencies {
        let Some(candidates) = names.get(&pypi_name(&dependency.name)) else { continue };
        let fits = |index: &&usize| dependency.version.is_none() || packages[**index].version == dependency.version;
        found.extend(candidates.iter().filter(fits).take(MAX_CANDIDATES));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Scope;

    #[test]
    fn scopes_come_from_the_roots() {
        let text = r#"
version = 1
revision = 3
requires-python = ">=3.12"

[[package]]
name = "app"
version = "0.1.0"
source = { editable = "." }
dependencies = [{ name = "web", extra = ["fast"] }]

[package.optional-dependencies]
plots = [{ name = "draw", marker = "sys_platform == 'linux'" }]

[package.dev-dependencies]
dev = [{ name = "check" }, { name = "web" }]

[[package]]
name = "web"
version = "3.0"
source = { registry = "https://pypi.org/simple" }
sdist = { url = "https://files.example/web-3.0.tar.gz", hash = "sha256:HASH", size = 1 }
wheels = [{ url = "https://files.example/web-3.0-py3-none-any.whl", hash = "sha256:HASH" }]

[package.optional-dependencies]
fast = [{ name = "quick" }]

[[package]]
name = "quick"
version = "1"
source = { git = "https://git.example/quick?rev=main#abc" }

[[package]]
name = "draw"
version = "1"
source = { url = "https://files.example/draw.whl" }

[[package]]
name = "check"
version = "9"
source = { registry = "https://py.example/simple" }
dependencies = [{ name = "quick", version = "1" }, { name = "quick", version = "2" }]
"#
        .replace("HASH", &"0c".repeat(32));
        let found = parse(&text, "uv.lock").unwrap();
        let scopes: Vec<_> = found.packages.iter().map(|package| (package.name.as_str(), package.scope)).collect();
        let expected = [
            ("app", Scope::Required),
            ("web", Scope::Required),
            ("quick", Scope::Required),
            ("draw", Scope::Optional),
            ("check", Scope::Dev),
        ];
        assert_eq!(scopes, expected);
        assert_eq!(found.packages[0].origin, Origin::FirstParty);
        assert_eq!(found.packages[1].hashes[1].file.as_deref(), Some("web-3.0-py3-none-any.whl"));
        assert!(found.packages[3].lacks_integrity);
        assert_eq!(found.packages[4].origin, Origin::OtherRegistry("https://py.example/simple".into()));
        assert_eq!(found.packages[4].dependencies, [2]);
        assert_eq!(found.packages[1].line, Some(19));
    }

    #[test]
    fn another_version_is_refused() {
        assert!(parse("version = 2", "").unwrap_err().reason.contains("version 2"));
    }
}
