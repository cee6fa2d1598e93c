//! `Gemfile.lock`: sections of sources with their gems, what the `Gemfile` asks for, and checksums where Bundler was told to write
//! them. Which gems are only for development is in the `Gemfile`, which is a program; so all are required.

use super::{MAX_CANDIDATES, by_name, check_count, finish, without_credentials};
use crate::model::{Ecosystem, FileHash, Origin, Package, Packages};
use orch_plugin_kit::parse::ParseError;
use std::collections::HashMap;

/// A source of gems.
#[derive(Default, Clone)]
struct Source<'a> {
    kind: &'a str,
    remote: Option<&'a str>,
    revision: Option<&'a str>,
}

/// Reads a `Gemfile.lock`.
///
/// # Errors
/// With the line that is not of this form.
pub fn parse(text: &str, _path: &str) -> Result<Packages, ParseError> {
    let mut found = Packages::default();
    let mut needs: Vec<Vec<&str>> = Vec::new();
    let mut direct: Vec<&str> = Vec::new();
    let mut checksums: HashMap<String, Vec<FileHash>> = HashMap::new();
    let mut source = Source::default();
    for (number, line) in text.lines().enumerate() {
        let number = u32::try_from(number + 1).unwrap_or(u32::MAX);
        let content = line.trim();
        if content.is_empty() {
            continue;
        }
        let depth = line.len() - line.trim_start_matches(' ').len();
        match (depth, source.kind) {
            (0, _) => {
                if !content.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b' ') {
                    return Err(ParseError::at(number, "neither a section nor a line of one"));
                }
                source = Source { kind: content, ..Source::default() };
            }
            (2, "GEM" | "GIT" | "PATH" | "PLUGIN SOURCE") => match content.split_once(": ") {
                Some(("remote", remote)) => source.remote = Some(remote),
                Some(("revision", revision)) => source.revision = Some(revision),
                _ => {}
            },
            (4, "GEM" | "GIT" | "PATH" | "PLUGIN SOURCE") => {
                let wrong = || ParseError::at(number, "a gem without a version in brackets");
                let (name, version) = name_and_version(content).ok_or_else(wrong)?;
                check_count(found.packages.len() + 1)?;
                let mut package = package(name, version, &source);
                package.line = Some(number);
                found.packages.push(package);
                needs.push(Vec::new());
            }
            (6.., "GEM" | "GIT" | "PATH" | "PLUGIN SOURCE") => {
                let needs = needs.last_mut().ok_or_else(|| ParseError::at(number, "a need without a gem"))?;
                needs.push(name_of(content));
            }
            (2, "DEPENDENCIES") => direct.push(name_of(content)),
            (2, "CHECKSUMS") => {
                let Some((name, rest)) = content.split_once(" (") else { continue };
                let Some((version, hashes)) = rest.split_once(')') else { continue };
                let hashes = hashes.split([' ', ',']).filter_map(|hash| {
                    let (algorithm, hex) = hash.split_once('=')?;
                    FileHash::new(algorithm, hex, None)
                });
                checksums.insert(format!("{name} {version}"), hashes.collect());
            }
            // Platforms, and the versions of Ruby and Bundler.
            _ => {}
        }
    }
    let names = by_name(&found.packages);
    for (from, needs) in needs.iter().enumerate() {
        // A gem has an entry for each platform it is built for.
        for targets in needs.iter().filter_map(|name| names.get(*name)) {
            found.packages[from].dependencies.extend(targets.iter().take(MAX_CANDIDATES));
        }
    }
    for targets in direct.iter().filter_map(|name| names.get(*name)) {
        targets.iter().take(MAX_CANDIDATES).for_each(|target| found.packages[*target].direct = true);
    }
    for package in &mut found.packages {
        let version = package.version.as_deref().unwrap_or_default();
        let platform = package.qualifiers.get("platform").map(|it| format!("-{it}")).unwrap_or_default();
        let from_registry = matches!(package.origin, Origin::Registry | Origin::OtherRegistry(_));
        if let Some(hashes) = checksums.remove(&format!("{} {version}{platform}", package.name)) {
            package.hashes = hashes;
        }
        package.lacks_integrity = from_registry && package.hashes.is_empty();
    }
    finish(found)
}

/// `name (version)`
fn name_and_version(text: &str) -> Option<(&str, &str)> {
    let (name, rest) = text.split_once(" (")?;
    Some((name, rest.strip_suffix(')')?)).filter(|(name, version)| !name.is_empty() && !version.is_empty())
}

/// The name in `name (>= 1)!`.
fn name_of(text: &str) -> &str {
    text.split([' ', '!']).next().unwrap_or(text)
}

fn package(name: &str, version: &str, source: &Source<'_>) -> Package {
    // Versions of gems have no hyphen, so what comes after one is the platform.
    let (version, platform) =
        version.split_once('-').map_or((version, None), |(version, platform)| (version, Some(platform)));
    let mut package = Package::new(Ecosystem::Gem, name, Some(version.to_owned()));
    package.qualifiers.extend(platform.map(|platform| ("platform", platform.to_owned())));
    let remote = source.remote.unwrap_or_default();
    package.origin = match source.kind {
        "GIT" => Origin::Git { url: without_credentials(remote), commit: source.revision.map(str::to_owned) },
        "PATH" if remote.starts_with('/') || remote.starts_with("..") => Origin::Path(remote.to_owned()),
        "PATH" => {
            package.direct = remote == ".";
            Origin::FirstParty
        }
        _ if remote.is_empty() || remote.trim_end_matches('/') == "https://rubygems.org" => Origin::Registry,
        _ => Origin::OtherRegistry(without_credentials(remote)),
    };
    package
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::purl::purl;

    #[test]
    fn sections() {
        let digest = "ab".repeat(32);
        let text = format!(
            "GIT\n  remote: https://u:p@git.example/tool.git\n  revision: abcdef0\n  branch: main\n  specs:\n    tool (0.1.0)\n      kit\n\n\
             PATH\n  remote: .\n  specs:\n    app (1.0.0)\n      kit (~> 1.2)\n\nPATH\n  remote: ../far\n  specs:\n    far (1.0)\n\n\
             GEM\n  remote: https://rubygems.org/\n  specs:\n    kit (1.2.3)\n      rope (>= 1, < 3)\n    rope (2.0.0-x86_64-linux)\n    rope (2.0.0.pre1)\n\n\
             GEM\n  remote: https://gems.example/\n  specs:\n    own (1)\n\nPLATFORMS\n  ruby\n\nDEPENDENCIES\n  app!\n  kit (~> 1.2)\n  tool!\n\n\
             CHECKSUMS\n  kit (1.2.3) sha256={digest}\n  rope (2.0.0-x86_64-linux) sha256={digest}\n\nBUNDLED WITH\n   2.6.1\n"
        );
        let found = parse(&text, "Gemfile.lock").unwrap();
        let [tool, app, far, kit, linux, pre, own] = &found.packages[..] else { panic!("{found:?}") };
        assert_eq!(
            tool.origin,
            Origin::Git { url: "https://git.example/tool.git".into(), commit: Some("abcdef0".into()) }
        );
        assert_eq!((tool.dependencies.clone(), tool.direct, tool.line), (vec![3], true, Some(6)));
        assert_eq!((app.origin.clone(), app.direct, app.dependencies.clone()), (Origin::FirstParty, true, vec![3]));
        assert_eq!(far.origin, Origin::Path("../far".into()));
        assert_eq!((kit.dependencies.clone(), kit.direct, kit.hashes[0].hex.clone()), (vec![4, 5], true, digest));
        assert_eq!(purl(linux).as_deref(), Some("pkg:gem/rope@2.0.0?platform=x86_64-linux"));
        assert_eq!((linux.lacks_integrity, pre.lacks_integrity, pre.direct), (false, true, false));
        assert_eq!(own.origin, Origin::OtherRegistry("https://gems.example/".into()));
    }

    #[test]
    fn mistakes_have_a_line() {
        for (text, line) in [("nonsense\n", 1), ("GEM\n  specs:\n    kit\n", 3), ("GEM\n  specs:\n      kit\n", 3)] {
            assert_eq!(parse(text, "").unwrap_err().line, Some(line), "{text}");
        }
        assert!(parse("", "").unwrap().packages.is_empty());
    }
}
