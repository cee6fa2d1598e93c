//! Language packages that are installed in a system, by the files their installers leave: one folder of them is read as one source.

use crate::model::{Ecosystem, LockKind, Package, Packages};
use crate::parse::poetry_lock::mark_unneeded_as_direct;
use crate::parse::{MAX_CANDIDATES, MAX_PACKAGES, by_name, finish, npm_manifest, python_metadata, shorten};
use orch_plugin_kit::parse::ParseError;
use orch_plugin_kit::tree::{is_plain_file, join, text};
use std::collections::BTreeSet;
use std::path::Path;

/// The largest description of one package, in bytes.
const MAX_DESCRIPTION: u64 = 1024 * 1024;

/// Reads the packages of a folder.
///
/// # Errors
/// When the folder cannot be read. A package whose description cannot be read is one of the problems.
pub fn folder(root: &Path, path: &str, kind: LockKind) -> Result<Packages, ParseError> {
    match kind {
        LockKind::PythonInstalled => python(root, path),
        LockKind::NodeInstalled => node(root, path),
        _ => gems(root, path),
    }
}

fn python(root: &Path, path: &str) -> Result<Packages, ParseError> {
    let (mut found, mut needs) = (Packages::default(), Vec::new());
    for name in names(root, path, Entries::Folders)? {
        let file = match name.rsplit_once('.') {
            Some((_, "dist-info")) => format!("{path}/{name}/METADATA"),
            Some((_, "egg-info")) => format!("{path}/{name}/PKG-INFO"),
            _ => continue,
        };
        if !is_plain_file(root, &file) {
            continue;
        }
        match text(root, &file, MAX_DESCRIPTION).and_then(|text| python_metadata::parse(&text)) {
            Ok((mut package, names)) => {
                package.properties.push(("file", format!("{name}/{}", file.rsplit('/').next().unwrap_or_default())));
                found.packages.push(package);
                needs.push(names);
            }
            Err(error) => found.problems.push(of_file(&name, &error)),
        }
    }
    let names = by_name(&found.packages);
    for (package, needs) in found.packages.iter_mut().zip(needs) {
        let targets = needs.iter().filter_map(|name| names.get(name)).flatten();
        package.dependencies.extend(targets.take(MAX_CANDIDATES * 8));
    }
    let mut found = finish(found)?;
    mark_unneeded_as_direct(&mut found);
    Ok(found)
}

fn node(root: &Path, path: &str) -> Result<Packages, ParseError> {
    let mut found = Packages::default();
    let mut folders = BTreeSet::new();
    for name in names(root, path, Entries::Folders)? {
        if name.starts_with('@') {
            let below = names(root, &format!("{path}/{name}"), Entries::Folders).unwrap_or_default();
            folders.extend(below.into_iter().map(|below| format!("{name}/{below}")));
        } else {
            folders.insert(name);
        }
    }
    for folder in folders.into_iter().take(MAX_PACKAGES) {
        let file = format!("{path}/{folder}/package.json");
        if !is_plain_file(root, &file) {
            continue;
        }
        let read = text(root, &file, MAX_DESCRIPTION).and_then(|text| {
            let value: serde_json::Value =
                serde_json::from_str(&text).map_err(|error| crate::parse::json_error(&error))?;
            let field = |name: &str| value.get(name).and_then(|it| it.as_str()).filter(|it| !it.is_empty());
            let (Some(name), Some(version)) = (field("name"), field("version")) else {
                return Err(ParseError::whole("a package without `name` or `version`"));
            };
            let mut package = npm_manifest::named(name, Some(version.to_owned()));
            package.license = field("license").map(str::to_owned);
            Ok(package)
        });
        match read {
            Ok(package) => found.packages.push(Package { direct: true, ..package }),
            Err(error) => found.problems.push(of_file(&folder, &error)),
        }
    }
    finish(found)
}

/// The files are programs, which are not run; their names have all that is needed.
fn gems(root: &Path, path: &str) -> Result<Packages, ParseError> {
    let mut all = names(root, path, Entries::Files)?;
    // Gems that come with Ruby itself.
    all.extend(names(root, &format!("{path}/default"), Entries::Files).unwrap_or_default());
    let mut found = Packages::default();
    for stem in all.iter().filter_map(|name| name.strip_suffix(".gemspec")) {
        let Some((name, version, platform)) = gem_of_file(stem) else {
            found.problems.push(ParseError::whole(format!("`{}.gemspec` has no version in its name", shorten(stem))));
            continue;
        };
        let mut package = Package::new(Ecosystem::Gem, name, Some(version.to_owned()));
        package.qualifiers.extend(platform.map(|platform| ("platform", platform.to_owned())));
        package.direct = true;
        found.packages.push(package);
    }
    finish(found)
}

/// Splits `name-1.2.3-x86_64-linux`. A name may have a hyphen and a digit as well, but a platform never begins with a digit.
fn gem_of_file(stem: &str) -> Option<(&str, &str, Option<&str>)> {
    let is_version = |text: &str| {
        text.starts_with(|first: char| first.is_ascii_digit())
            && text.split('.').all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric()))
    };
    stem.match_indices('-').find_map(|(at, _)| {
        let (name, rest) = (&stem[..at], &stem[at + 1..]);
        let (version, platform) = rest.split_once('-').map_or((rest, None), |(version, rest)| (version, Some(rest)));
        let is_platform = platform.is_none_or(|text| text.starts_with(|first: char| first.is_ascii_alphabetic()));
        (!name.is_empty() && is_version(version) && is_platform).then_some((name, version, platform))
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Entries {
    Files,
    Folders,
}

/// The names in a folder, without symbolic links, sorted.
fn names(root: &Path, path: &str, wanted: Entries) -> Result<BTreeSet<String>, ParseError> {
    let entries = std::fs::read_dir(join(root, path))
        .map_err(|error| ParseError::whole(format!("cannot be opened ({})", error.kind())))?;
    let fits = |entry: &std::fs::DirEntry| {
        entry.file_type().is_ok_and(|kind| if wanted == Entries::Files { kind.is_file() } else { kind.is_dir() })
    };
    let mut found = BTreeSet::new();
    for entry in entries.flatten().filter(fits) {
        found.extend(entry.file_name().into_string().ok());
        if found.len() > MAX_PACKAGES {
            return Err(ParseError::whole(format!("more than {MAX_PACKAGES} packages")));
        }
    }
    Ok(found)
}

fn of_file(name: &str, error: &ParseError) -> ParseError {
    ParseError::whole(format!("`{}`: {error}", shorten(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gems_by_their_files() {
        assert_eq!(gem_of_file("net-http-0.3.0"), Some(("net-http", "0.3.0", None)));
        assert_eq!(gem_of_file("kit-1.15.4-x86_64-linux"), Some(("kit", "1.15.4", Some("x86_64-linux"))));
        assert_eq!(gem_of_file("kit-2-1.0.rc1"), Some(("kit-2", "1.0.rc1", None)));
        for wrong in ["kit", "-1.0", "kit-", "kit-1..0", "kit-1_0"] {
            assert_eq!(gem_of_file(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn folders_of_packages() {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = join(root.path(), path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("py/kit-1.dist-info/METADATA", "Name: kit\nVersion: 1\nRequires-Dist: rope\n");
        write("py/rope-2.egg-info/PKG-INFO", "Name: Rope\nVersion: 2\n");
        write("py/broken-1.dist-info/METADATA", "Name: broken\n");
        write("py/kit/METADATA", "Name: no\nVersion: 1\n");
        let found = folder(root.path(), "py", LockKind::PythonInstalled).unwrap();
        let names: Vec<_> = found.packages.iter().map(|it| (it.name.as_str(), it.direct)).collect();
        assert_eq!((names, found.packages[0].dependencies.clone()), (vec![("kit", true), ("rope", false)], vec![1]));
        assert!(found.problems[0].reason.contains("`broken-1.dist-info`"));
        write("js/kit/package.json", r#"{"name":"kit","version":"1.0.0","license":"MIT"}"#);
        write("js/@acme/kit/package.json", r#"{"name":"@acme/kit","version":"2.0.0"}"#);
        write("js/broken/package.json", "{");
        write("js/kit/node_modules/inner/package.json", r#"{"name":"inner","version":"1.0.0"}"#);
        let found = folder(root.path(), "js", LockKind::NodeInstalled).unwrap();
        let names: Vec<_> = found.packages.iter().map(Package::display_name).collect();
        assert_eq!((names, found.problems.len()), (vec!["@acme/kit".to_owned(), "kit".to_owned()], 1));
        write("gems/kit-1.0.gemspec", "nonsense");
        write("gems/default/json-2.6.3.gemspec", "");
        write("gems/nonsense.gemspec", "");
        let found = folder(root.path(), "gems", LockKind::GemInstalled).unwrap();
        assert_eq!((found.packages.len(), found.problems.len()), (2, 1));
        assert!(folder(root.path(), "none", LockKind::GemInstalled).is_err());
    }
}
