//! `yarn.lock` of Yarn 1, which has a syntax of its own; that of Yarn 2 and newer is handed to `yarn_berry`. The file knows no
//! first-party packages: they and what is only for development are in the manifests beside it.

use super::npm_manifest::{MAX_WORKSPACES, Manifest, Manifests, NoManifests, first_party, name_and_range, named};
use super::package_lock::{integrity, origin};
use super::poetry_lock::mark_unneeded_as_direct;
use super::scopes::{Links, OptionalEdges, set_scopes};
use super::{check_count, finish, yarn_berry};
use crate::model::{FileHash, Origin, Package, Packages};
use orch_plugin_kit::parse::ParseError;
use std::borrow::Cow;
use std::collections::{BTreeSet, HashMap};

/// One package as the file has it.
#[derive(Default)]
struct Entry<'a> {
    line: u32,
    /// `name@range`, each way in which the package is asked for.
    patterns: Vec<Cow<'a, str>>,
    version: Option<Cow<'a, str>>,
    resolved: Option<Cow<'a, str>>,
    integrity: Option<Cow<'a, str>>,
    needs: Vec<Need<'a>>,
}

struct Need<'a> {
    name: Cow<'a, str>,
    range: Cow<'a, str>,
    is_optional: bool,
}

/// Reads a `yarn.lock` of any generation alone.
///
/// # Errors
/// As [`parse_with`].
pub fn parse(text: &str, path: &str) -> Result<Packages, ParseError> {
    parse_with(text, path, &NoManifests)
}

/// Reads a `yarn.lock` of any generation with the manifests around it. Without any, packages that no other package needs count as
/// asked for by the tree, and all as required.
///
/// # Errors
/// With the line where it is none.
pub fn parse_with(text: &str, path: &str, manifests: &dyn Manifests) -> Result<Packages, ParseError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.lines().any(|line| line.starts_with("__metadata:")) {
        return yarn_berry::parse_with(text, path, manifests);
    }
    let entries = entries(text)?;
    let mut found = Packages::default();
    let mut asked: HashMap<&str, usize> = HashMap::new();
    for (index, entry) in entries.iter().enumerate() {
        check_count(index + 1)?;
        found.packages.push(package(entry)?);
        for pattern in &entry.patterns {
            asked.entry(pattern).or_insert(index);
        }
    }
    let mut names: HashMap<String, Vec<usize>> = HashMap::new();
    for (index, package) in found.packages.iter().enumerate() {
        names.entry(package.display_name()).or_default().push(index);
    }
    let workspaces = workspaces(manifests);
    let first = found.packages.len();
    for (folder, manifest) in &workspaces {
        let package = first_party(folder, manifest);
        names.entry(package.display_name()).or_default().push(found.packages.len());
        found.packages.push(package);
    }
    let mut pattern = String::new();
    let mut target = |name: &str, range: &str| {
        pattern.clear();
        pattern.extend([name, "@", range]);
        // The manifest's `resolutions` replace ranges; what is left then is the name.
        let only = || names.get(name).filter(|all| all.len() == 1).map(|all| all[0]);
        asked.get(pattern.as_str()).copied().or_else(only)
    };
    let mut links: Vec<Links> = Vec::with_capacity(found.packages.len());
    for entry in &entries {
        let mut own = Links::default();
        for need in &entry.needs {
            let side = if need.is_optional { &mut own.optional } else { &mut own.plain };
            side.extend(target(&need.name, &need.range));
        }
        links.push(own);
    }
    for (_, manifest) in &workspaces {
        let mut targets = |list: &std::collections::BTreeMap<String, String>| {
            list.iter().filter_map(|(name, range)| target(name, range)).collect::<Vec<_>>()
        };
        links.push(Links {
            plain: targets(&manifest.dependencies),
            optional: targets(&manifest.optional_dependencies),
            dev: targets(&manifest.dev_dependencies),
        });
    }
    for (package, links) in found.packages.iter_mut().zip(&links) {
        package.dependencies = links.all();
    }
    let mut found = finish(found)?;
    if first == found.packages.len() {
        mark_unneeded_as_direct(&mut found);
    } else {
        set_scopes(&mut found.packages, &links, OptionalEdges::Weak);
    }
    Ok(found)
}

/// The manifest beside the lock file and those of its workspaces.
fn workspaces(manifests: &dyn Manifests) -> Vec<(String, Manifest)> {
    let Some(root) = manifests.manifest("") else { return Vec::new() };
    let folders: BTreeSet<String> = root.workspaces().iter().flat_map(|pattern| manifests.folders(pattern)).collect();
    let mut all = vec![(String::new(), root)];
    for folder in folders.into_iter().take(MAX_WORKSPACES) {
        all.extend(manifests.manifest(&folder).map(|manifest| (folder, manifest)));
    }
    all
}

fn package(entry: &Entry<'_>) -> Result<Package, ParseError> {
    let broken = |reason: &str| ParseError::at(entry.line, reason);
    let first = entry.patterns.first().ok_or_else(|| broken("an entry without a name"))?;
    let (asked_name, range) = name_and_range(first).ok_or_else(|| broken("an entry without a range after its name"))?;
    let version = entry.version.as_deref().ok_or_else(|| broken("an entry without a version"))?;
    // `short@npm:long@1` asks for `long` under another name.
    let real = range.strip_prefix("npm:").and_then(name_and_range).map(|(name, _)| name);
    let mut package = named(real.unwrap_or(asked_name), Some(version.to_owned()));
    package.line = Some(entry.line);
    if real.is_some_and(|real| real != asked_name) {
        package.properties.push(("alias", asked_name.to_owned()));
    }
    let resolved = entry.resolved.as_deref();
    let (address, fragment) = resolved.map_or(("", None), |text| match text.split_once('#') {
        Some((address, fragment)) => (address, Some(fragment)),
        None => (text, None),
    });
    let is_git = address.starts_with("git") || address.ends_with(".git");
    package.origin = match resolved {
        Some(whole) if is_git => super::git_origin(whole),
        Some(_) => origin(address),
        None => local_path(range).map_or(Origin::Registry, |path| Origin::Path(path.to_owned())),
    };
    package.hashes = entry.integrity.as_deref().map(integrity).unwrap_or_default();
    if package.hashes.is_empty() && !is_git {
        package.hashes.extend(fragment.and_then(|hash| FileHash::new("sha1", hash, None)));
    }
    let from_network = matches!(package.origin, Origin::Registry | Origin::OtherRegistry(_) | Origin::Url(_));
    package.lacks_integrity = from_network && package.hashes.is_empty();
    Ok(package)
}

/// A folder or file on the disk that a range names.
pub(crate) fn local_path(range: &str) -> Option<&str> {
    ["file:", "link:", "portal:"].iter().find_map(|scheme| range.strip_prefix(scheme))
}

/// Reads the syntax: entries begin at the line's start, their fields after two blanks, lists of what they need after four.
fn entries(text: &str) -> Result<Vec<Entry<'_>>, ParseError> {
    let mut all: Vec<Entry> = Vec::new();
    let mut list: Option<bool> = None;
    for (number, line) in text.lines().enumerate() {
        let number = u32::try_from(number + 1).unwrap_or(u32::MAX);
        let content = line.trim();
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        let wrong = |reason: &str| ParseError::at(number, reason);
        let depth = line.len() - line.trim_start_matches(' ').len();
        match (depth, content.strip_suffix(':')) {
            (0, Some(patterns)) => {
                let mut entry = Entry { line: number, ..Entry::default() };
                let mut rest = patterns;
                while !rest.is_empty() {
                    let (pattern, after) = word(rest, ',').ok_or_else(|| wrong("a text without its closing quote"))?;
                    entry.patterns.push(pattern);
                    rest = after.trim_start_matches([',', ' ']);
                }
                all.push(entry);
                list = None;
            }
            (0, None) => return Err(wrong("neither an entry nor a field of one")),
            (2, Some(name)) => {
                list = match name {
                    "dependencies" => Some(false),
                    "optionalDependencies" => Some(true),
                    _ => None,
                };
            }
            _ => {
                let entry = all.last_mut().ok_or_else(|| wrong("a field without an entry"))?;
                let (key, rest) = word(content, ' ').ok_or_else(|| wrong("a text without its closing quote"))?;
                let (value, _) = word(rest.trim(), '\n').ok_or_else(|| wrong("a text without its closing quote"))?;
                match (depth, key.as_ref()) {
                    (2, "version") => entry.version = Some(value),
                    (2, "resolved") => entry.resolved = Some(value),
                    (2, "integrity") => entry.integrity = Some(value),
                    (4, _) => {
                        entry.needs.extend(list.map(|is_optional| Need { name: key, range: value, is_optional }));
                    }
                    _ => {}
                }
            }
        }
    }
    Ok(all)
}

/// The text up to `end` or, in quotes, up to the closing one; and what comes after. `None` without a closing quote.
fn word(text: &str, end: char) -> Option<(Cow<'_, str>, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let at = text.find(end).unwrap_or(text.len());
        return Some((Cow::Borrowed(&text[..at]), &text[at..]));
    };
    let mut escaped = false;
    let close = quoted.char_indices().find(|(_, character)| {
        let is_close = *character == '"' && !escaped;
        escaped = *character == '\\' && !escaped;
        is_close
    });
    let (at, _) = close?;
    let inside = &quoted[..at];
    // The quoted form is that of JSON.
    let value = if inside.contains('\\') {
        Cow::Owned(serde_json::from_str(&text[..at + 2]).ok()?)
    } else {
        Cow::Borrowed(inside)
    };
    Some((value, &quoted[at + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Scope;

    /// Manifests by their folders; patterns fit all folders below them.
    pub(crate) struct Given<'a>(pub(crate) &'a [(&'a str, &'a str)]);

    impl Manifests for Given<'_> {
        fn manifest(&self, folder: &str) -> Option<Manifest> {
            self.0.iter().find(|(path, _)| *path == folder).and_then(|(_, text)| Manifest::parse(text))
        }

        fn folders(&self, pattern: &str) -> Vec<String> {
            let start = pattern.trim_end_matches('*');
            self.0.iter().map(|(path, _)| (*path).to_owned()).filter(|path| path.starts_with(start)).collect()
        }
    }

    const LOCK: &str = r##"# yarn lockfile v1

"@acme/kit@^1.0.0", "@acme/kit@^1.2.0":
  version "1.2.3"
  resolved "https://registry.yarnpkg.com/@acme/kit/-/kit-1.2.3.tgz#0123456789012345678901234567890123456789"
  dependencies:
    rope "2"
  optionalDependencies:
    fast "*"

rope@2:
  version "2.0.0"
  resolved "https://npm.example/rope/-/rope-2.0.0.tgz"
  integrity sha1-AAAAAAAAAAAAAAAAAAAAAAAAAAA=

fast@*:
  version "3.0.0"

"short@npm:@long/name@1":
  version "1.0.0"
  resolved "https://registry.npmjs.org/@long/name/-/name-1.0.0.tgz"

"check@git+https://u:p@git.example/check.git":
  version "0.1.0"
  resolved "git+https://u:p@git.example/check.git#abcdef0123"

"here@file:./here":
  version "0.0.0"
"##;

    #[test]
    fn alone() {
        let found = parse(LOCK, "yarn.lock").unwrap();
        let [kit, rope, fast, long, check, here] = &found.packages[..] else { panic!("{found:?}") };
        assert_eq!((kit.display_name().as_str(), kit.line, kit.direct), ("@acme/kit", Some(3), true));
        assert_eq!(kit.dependencies, [1, 2]);
        assert_eq!(kit.hashes[0].hex, "0123456789".repeat(4));
        assert_eq!(rope.origin, Origin::OtherRegistry("https://npm.example".into()));
        assert_eq!(rope.hashes[0].algorithm, "SHA-1");
        assert_eq!((fast.origin.clone(), fast.lacks_integrity, fast.direct), (Origin::Registry, true, false));
        assert_eq!((long.display_name(), long.properties[0].1.as_str()), ("@long/name".to_owned(), "short"));
        let git = Origin::Git { url: "https://git.example/check.git".into(), commit: Some("abcdef0123".into()) };
        assert_eq!((check.origin.clone(), check.lacks_integrity), (git, false));
        assert_eq!(here.origin, Origin::Path("./here".into()));
    }

    #[test]
    fn manifests_tell_scopes() {
        let given = Given(&[
            (
                "",
                r#"{"name":"app","version":"1.0.0","workspaces":["packages/*"],"dependencies":{"@acme/kit":"^1.2.0","lib":"*"},
                "devDependencies":{"check":"git+https://u:p@git.example/check.git"}}"#,
            ),
            ("packages/lib", r#"{"name":"lib","optionalDependencies":{"short":"npm:@long/name@1"}}"#),
        ]);
        let found = parse_with(LOCK, "yarn.lock", &given).unwrap();
        let scopes: Vec<_> = found.packages.iter().map(|it| (it.name.as_str(), it.scope)).collect();
        let expected = [
            ("kit", Scope::Required),
            ("rope", Scope::Required),
            ("fast", Scope::Optional),
            ("name", Scope::Optional),
            ("check", Scope::Dev),
            ("here", Scope::Optional),
            ("app", Scope::Required),
            ("lib", Scope::Required),
        ];
        assert_eq!(scopes, expected);
        assert_eq!(found.packages[6].dependencies, [0, 4, 7]);
        assert_eq!(found.packages[7].origin, Origin::FirstParty);
    }

    #[test]
    fn mistakes_have_a_line() {
        for (text, line) in [
            ("a@1:\n  version \"1\"\nnonsense\n", 3),
            ("\"a@1:\n", 1),
            ("  version \"1\"\n", 1),
            ("a:\n  version \"1\"\n", 1),
            ("\na@1:\n  resolved \"x\"\n", 2),
            ("a@1:\n  version \"1\n", 2),
        ] {
            assert_eq!(parse(text, "").unwrap_err().line, Some(line), "{text}");
        }
        assert!(parse("", "").unwrap().packages.is_empty());
    }
}
