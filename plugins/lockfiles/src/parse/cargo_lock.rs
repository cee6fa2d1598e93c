//! `Cargo.lock`, versions 1 to 4. The file does not say which packages are for development or optional, so all are required.

use super::{LineIndex, check_count, finish, git_origin, read_toml, without_credentials};
use crate::model::{Ecosystem, FileHash, Origin, Package, Packages};
use orch_plugin_kit::parse::ParseError;
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};
use toml::Spanned;

#[derive(Deserialize)]
struct File {
    version: Option<u32>,
    #[serde(default)]
    package: Vec<Entry>,
    /// Very old files keep the package of the folder itself here.
    root: Option<Entry>,
    /// Version 1 keeps checksums here: `checksum <name> <version> (<source>)`.
    #[serde(default)]
    metadata: BTreeMap<String, toml::Value>,
}

#[derive(Deserialize)]
struct Entry {
    name: Spanned<String>,
    version: String,
    source: Option<String>,
    checksum: Option<String>,
    #[serde(default)]
    dependencies: Vec<String>,
}

/// The newest version of the format this parser knows.
const NEWEST: u32 = 4;

/// Reads a `Cargo.lock`.
///
/// # Errors
/// When it is no TOML, lacks a name or version, or has an unknown version.
pub fn parse(text: &str, _path: &str) -> Result<Packages, ParseError> {
    let lines = LineIndex::new(text);
    let file: File = read_toml(text, &lines)?;
    if let Some(version) = file.version.filter(|version| *version > NEWEST) {
        return Err(ParseError::whole(format!("version {version} of the format is not known (newest: {NEWEST})")));
    }
    check_count(file.package.len())?;
    let entries: Vec<Entry> = file.root.into_iter().chain(file.package).collect();
    let mut found = Packages {
        packages: entries.iter().map(|entry| package(entry, &file.metadata, &lines)).collect(),
        ..Packages::default()
    };

    let mut index: HashMap<&str, Vec<usize>> = HashMap::new();
    for (number, entry) in entries.iter().enumerate() {
        index.entry(entry.name.get_ref()).or_default().push(number);
    }
    for (number, entry) in entries.iter().enumerate() {
        for dependency in &entry.dependencies {
            match resolve(dependency, &entries, &index) {
                Some(target) => found.packages[number].dependencies.push(target),
                None => found.problems.push(ParseError {
                    line: found.packages[number].line,
                    reason: format!(
                        "`{}` needs `{}`, which is not in the file",
                        entry.name.get_ref(),
                        super::shorten(dependency)
                    ),
                }),
            }
        }
    }
    finish(found)
}

fn package(entry: &Entry, metadata: &BTreeMap<String, toml::Value>, lines: &LineIndex) -> Package {
    let mut package = Package::new(Ecosystem::Cargo, entry.name.get_ref().clone(), Some(entry.version.clone()));
    package.line = Some(lines.line(entry.name.span().start));
    package.origin = entry.source.as_deref().map_or(Origin::FirstParty, origin);
    let old_checksum = || {
        let source = entry.source.as_deref()?;
        metadata.get(&format!("checksum {} {} ({source})", entry.name.get_ref(), entry.version))?.as_str()
    };
    let checksum = entry.checksum.as_deref().or_else(old_checksum);
    package.hashes.extend(checksum.and_then(|checksum| FileHash::new("sha256", checksum, None)));
    let from_registry = matches!(package.origin, Origin::Registry | Origin::OtherRegistry(_));
    package.lacks_integrity = from_registry && package.hashes.is_empty();
    package
}

fn origin(source: &str) -> Origin {
    const CRATES_IO: [&str; 2] =
        ["registry+https://github.com/rust-lang/crates.io-index", "sparse+https://index.crates.io/"];
    if CRATES_IO.contains(&source) {
        return Origin::Registry;
    }
    match source.split_once('+') {
        Some(("git", url)) => git_origin(url),
        Some(("path", url)) => Origin::Path(url.to_owned()),
        Some((_, url)) => Origin::OtherRegistry(without_credentials(url)),
        None => Origin::OtherRegistry(without_credentials(source)),
    }
}

/// `name`, `name version` or `name version (source)`: as much as is needed to be unique.
fn resolve(dependency: &str, entries: &[Entry], index: &HashMap<&str, Vec<usize>>) -> Option<usize> {
    let mut words = dependency.splitn(3, ' ');
    let candidates = index.get(words.next()?)?;
    let version = words.next();
    let source = words.next().map(|source| source.trim_start_matches('(').trim_end_matches(')'));
    candidates.iter().copied().find(|candidate| {
        let entry = &entries[*candidate];
        version.is_none_or(|version| version == entry.version)
            && source
                .is_none_or(|source| without_commit(source) == without_commit(entry.source.as_deref().unwrap_or("")))
    })
}

/// Edges name a git source without the commit.
fn without_commit(source: &str) -> &str {
    source.split_once('#').map_or(source, |(source, _)| source)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

    #[test]
    fn version_3_with_two_versions_of_a_crate() {
        let text = format!(
            "version = 3\n\n[[package]]\nname = \"app\"\nversion = \"0.1.0\"\ndependencies = [\n \"kit 2.0.0\",\n \"tool\",\n]\n\n\
             [[package]]\nname = \"kit\"\nversion = \"1.0.0\"\nsource = \"registry+https://github.com/rust-lang/crates.io-index\"\nchecksum = \"{DIGEST}\"\n\n\
             [[package]]\nname = \"kit\"\nversion = \"2.0.0\"\nsource = \"registry+https://github.com/rust-lang/crates.io-index\"\n\n\
             [[package]]\nname = \"tool\"\nversion = \"0.2.0\"\nsource = \"git+https://git.example/tool?tag=v1#abcdef\"\ndependencies = [\"kit 1.0.0\"]\n"
        );
        let found = parse(&text, "Cargo.lock").unwrap();
        let [app, old, new, tool] = &found.packages[..] else { panic!("{found:?}") };
        assert_eq!((app.origin.clone(), app.line, app.dependencies.clone()), (Origin::FirstParty, Some(4), vec![2, 3]));
        assert_eq!((old.hashes[0].hex.as_str(), old.lacks_integrity), (DIGEST, false));
        assert!(new.lacks_integrity);
        assert_eq!(tool.origin, Origin::Git { url: "https://git.example/tool".into(), commit: Some("abcdef".into()) });
        assert_eq!(tool.dependencies, [1]);
    }

    #[test]
    fn version_1_keeps_checksums_apart() {
        let source = "registry+https://github.com/rust-lang/crates.io-index";
        let text = format!(
            "[[package]]\nname = \"kit\"\nversion = \"1.0.0\"\nsource = \"{source}\"\n\n[metadata]\n\"checksum kit 1.0.0 ({source})\" = \"{DIGEST}\"\n"
        );
        let found = parse(&text, "Cargo.lock").unwrap();
        assert_eq!(found.packages[0].hashes[0].hex, DIGEST);
    }

    #[test]
    fn mistakes_have_a_line() {
        assert_eq!(parse("version = 3\n[[package]]\nname = \"a\n", "").unwrap_err().line, Some(3));
        assert!(parse("version = 9\n", "").unwrap_err().reason.contains("version 9"));
        let found = parse("[[package]]\nname = \"a\"\nversion = \"1\"\ndependencies = [\"gone\"]\n", "").unwrap();
        assert_eq!(found.problems[0].to_string(), "line 2: `a` needs `gone`, which is not in the file");
    }
}
