//! `poetry.lock`, from the first format (files below `[metadata.files]`) to 2.1 (files and groups with each package).

use super::{LineIndex, MAX_CANDIDATES, by_name, check_count, finish, read_toml, without_credentials};
use crate::model::{Ecosystem, FileHash, Origin, Package, Packages, Scope};
use crate::purl::pypi_name;
use orch_plugin_kit::parse::ParseError;
use serde::Deserialize;
use std::collections::BTreeMap;
use toml::Spanned;

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    package: Vec<Entry>,
    #[serde(default)]
    metadata: Metadata,
}

#[derive(Deserialize, Default)]
struct Metadata {
    #[serde(default)]
    files: BTreeMap<String, Vec<DistributionFile>>,
}

#[derive(Deserialize)]
struct Entry {
    name: Spanned<String>,
    version: String,
    #[serde(default)]
    optional: bool,
    category: Option<String>,
    groups: Option<Vec<String>>,
    #[serde(default)]
    files: Vec<DistributionFile>,
    #[serde(default)]
    dependencies: BTreeMap<String, toml::Value>,
    source: Option<Source>,
}

#[derive(Deserialize, Clone)]
struct DistributionFile {
    file: String,
    hash: Option<String>,
}

#[derive(Deserialize)]
struct Source {
    #[serde(rename = "type")]
    kind: Option<String>,
    url: String,
    reference: Option<String>,
    resolved_reference: Option<String>,
}

/// Reads a `poetry.lock`. Packages that no other package needs count as asked for by the tree, because the file does not say.
///
/// # Errors
/// When it is no TOML of this shape.
pub fn parse(text: &str, _path: &str) -> Result<Packages, ParseError> {
    let lines = LineIndex::new(text);
    let file: File = read_toml(text, &lines)?;
    check_count(file.package.len())?;
    let old_files: BTreeMap<String, &Vec<DistributionFile>> =
        file.metadata.files.iter().map(|(name, files)| (pypi_name(name), files)).collect();
    let packages: Vec<Package> = file
        .package
        .iter()
        .map(|entry| {
            let mut package =
                Package::new(Ecosystem::Pypi, pypi_name(entry.name.get_ref()), Some(entry.version.clone()));
            package.line = Some(lines.line(entry.name.span().start));
            package.scope = scope(entry);
            package.origin = entry.source.as_ref().map_or(Origin::Registry, origin);
            let old = old_files.get(&package.name).copied();
            let files = if entry.files.is_empty() { old.map_or(&[][..], Vec::as_slice) } else { &entry.files };
            package.hashes =
                files.iter().filter_map(|file| FileHash::from_colon(file.hash.as_deref()?, Some(&file.file))).collect();
            package.lacks_integrity =
                matches!(package.origin, Origin::Registry | Origin::OtherRegistry(_)) && package.hashes.is_empty();
            package
        })
        .collect();

    let names = by_name(&packages);
    let mut found = Packages { packages, ..Packages::default() };
    for (from, entry) in file.package.iter().enumerate() {
        for name in entry.dependencies.keys() {
            // Several versions of a name differ by marker; each of them may be the one installed. A name that is missing
            // belongs to an extra nobody asked for.
            let targets = names.get(&pypi_name(name)).map_or(&[][..], Vec::as_slice);
            found.packages[from].dependencies.extend(targets.iter().take(MAX_CANDIDATES));
        }
    }
    let mut found = finish(found)?;
    mark_unneeded_as_direct(&mut found);
    Ok(found)
}

/// Marks the packages to which no edge leads.
pub(crate) fn mark_unneeded_as_direct(found: &mut Packages) {
    let mut needed = vec![false; found.packages.len()];
    for target in found.packages.iter().flat_map(|package| &package.dependencies) {
        needed[*target] = true;
    }
    for (package, needed) in found.packages.iter_mut().zip(needed) {
        package.direct = !needed;
    }
}

fn scope(entry: &Entry) -> Scope {
    let for_development = match (&entry.groups, &entry.category) {
        (Some(groups), _) => !groups.is_empty() && !groups.iter().any(|group| group == "main"),
        (None, Some(category)) => category == "dev",
        (None, None) => false,
    };
    match (for_development, entry.optional) {
        (true, _) => Scope::Dev,
        (false, true) => Scope::Optional,
        (false, false) => Scope::Required,
    }
}

fn origin(source: &Source) -> Origin {
    let url = without_credentials(&source.url);
    match source.kind.as_deref() {
        Some("git") => {
            Origin::Git { url, commit: source.resolved_reference.clone().or_else(|| source.reference.clone()) }
        }
        Some("url") => Origin::Url(url),
        Some("directory" | "file") => Origin::Path(source.url.clone()),
        _ if url.trim_end_matches('/') == "https://pypi.org/simple" => Origin::Registry,
        _ => Origin::OtherRegistry(url),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_generations() {
        let digest = "ab".repeat(32);
        let text = format!(
            "[[package]]\nname = \"Web_Kit\"\nversion = \"2.0\"\noptional = false\ngroups = [\"main\", \"dev\"]\n\
             files = [{{file = \"web_kit-2.0.tar.gz\", hash = \"sha256:{digest}\"}}]\n\n[package.dependencies]\nrope = {{version = \">=1\", optional = true}}\n\n\
             [[package]]\nname = \"rope\"\nversion = \"1.1\"\noptional = true\n\n\
             [[package]]\nname = \"pin\"\nversion = \"0.1\"\ncategory = \"dev\"\n[package.source]\ntype = \"git\"\nurl = \"https://git.example/pin\"\nresolved_reference = \"abc\"\n\n\
             [metadata.files]\nrope = [{{file = \"rope.whl\", hash = \"sha256:{digest}\"}}]\n"
        );
        let found = parse(&text, "poetry.lock").unwrap();
        let [web, rope, pin] = &found.packages[..] else { panic!("{found:?}") };
        assert_eq!((web.name.as_str(), web.scope, web.direct, web.line), ("web-kit", Scope::Required, true, Some(2)));
        assert_eq!(web.dependencies, [1]);
        assert_eq!((rope.scope, rope.direct, rope.hashes.len()), (Scope::Optional, false, 1));
        assert_eq!((pin.scope, pin.lacks_integrity), (Scope::Dev, false));
        assert_eq!(pin.origin, Origin::Git { url: "https://git.example/pin".into(), commit: Some("abc".into()) });
    }
}
