//! `packages.lock.json` of NuGet: packages for each target framework. Its `contentHash` is of a package without its signature, which is
//! no hash of a file that can be fetched, so it is kept as a property.

use super::package_lock::lines_of_keys;
use super::{check_count, finish, json_error, shorten};
use crate::model::{Ecosystem, Origin, Package, Packages};
use orch_plugin_kit::parse::ParseError;
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::collections::{BTreeMap, HashMap};

#[derive(Deserialize)]
struct File {
    version: u32,
    dependencies: BTreeMap<String, BTreeMap<String, Entry>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    #[serde(rename = "type")]
    kind: String,
    resolved: Option<String>,
    content_hash: Option<String>,
    #[serde(default)]
    dependencies: BTreeMap<String, IgnoredAny>,
}

/// The newest version of the format that is known.
const NEWEST: u32 = 2;

/// Reads a `packages.lock.json`. Other projects it names are first-party.
///
/// # Errors
/// When it is no JSON of this shape, or of a newer version.
pub fn parse(text: &str, _path: &str) -> Result<Packages, ParseError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let file: File = serde_json::from_str(text).map_err(|error| json_error(&error))?;
    if file.version > NEWEST {
        return Err(ParseError::whole(format!(
            "version {} of the format is not known (newest: {NEWEST})",
            file.version
        )));
    }
    let lines = lines_of_keys(text);
    let mut found = Packages::default();
    // A package of several frameworks is one package, whose edges are those of all of them.
    let mut known: HashMap<(String, Option<&str>), usize> = HashMap::new();
    for entries in file.dependencies.values() {
        let mut names: HashMap<String, usize> = HashMap::new();
        for (name, entry) in entries {
            let key = (name.to_lowercase(), entry.resolved.as_deref());
            let index = match known.get(&key) {
                Some(index) => *index,
                None => {
                    check_count(found.packages.len() + 1)?;
                    let mut package = package(name, entry);
                    package.line = lines.get(name.as_str()).copied();
                    known.insert(key, found.packages.len());
                    found.packages.push(package);
                    found.packages.len() - 1
                }
            };
            found.packages[index].direct |= entry.kind == "Direct";
            names.insert(name.to_lowercase(), index);
        }
        for (name, entry) in entries {
            let targets = entry.dependencies.keys().filter_map(|name| names.get(&name.to_lowercase()).copied());
            let from = names[&name.to_lowercase()];
            found.packages[from].dependencies.extend(targets);
        }
    }
    finish(found)
}

fn package(name: &str, entry: &Entry) -> Package {
    let mut package = Package::new(Ecosystem::Nuget, name, entry.resolved.clone());
    if entry.kind == "Project" {
        package.origin = Origin::FirstParty;
        return package;
    }
    package
        .properties
        .extend(entry.content_hash.as_ref().map(|hash| ("checksum", format!("sha512-{}", shorten(hash)))));
    package.lacks_integrity = entry.content_hash.is_none();
    package
}

/// Adds the project that the file belongs to, which it does not name itself.
pub fn add_project(found: &mut Packages, name: &str) {
    let own = |package: &Package| package.origin == Origin::FirstParty;
    let targets: Vec<usize> = (0..found.packages.len())
        .filter(|index| found.packages[*index].direct || own(&found.packages[*index]))
        .collect();
    // Only the project itself is the root of the file.
    found.packages.iter_mut().for_each(|package| package.direct = false);
    let mut project = Package::new(Ecosystem::Nuget, name, None);
    project.origin = Origin::FirstParty;
    project.direct = true;
    project.dependencies = targets;
    found.packages.push(project);
}

/// Whether a project file names packages.
pub fn names_packages(project: &str) -> bool {
    project.contains("<PackageReference")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::purl::purl;

    const LOCK: &str = r#"{
  "version": 1,
  "dependencies": {
    ".NETStandard,Version=v2.0": {
      "Acme.Kit": {
        "type": "Direct", "requested": "[1.2.0, )", "resolved": "1.2.3", "contentHash": "AAAA", "dependencies": { "acme.rope": "2.0.0" }
      },
      "Acme.Rope": {
        "type": "Transitive", "resolved": "2.0.0"
      },
      "lib": {
        "type": "Project", "dependencies": { "Acme.Rope": "2.0.0" }
      }
    },
    "net8.0": {
      "Acme.Kit": { "type": "Direct", "resolved": "1.2.3", "contentHash": "AAAA" }
    }
  }
}"#;

    #[test]
    fn frameworks_are_merged() {
        let mut found = parse(LOCK, "packages.lock.json").unwrap();
        add_project(&mut found, "app");
        let [kit, rope, lib, app] = &found.packages[..] else { panic!("{found:?}") };
        assert_eq!((purl(kit).as_deref(), kit.line), (Some("pkg:nuget/Acme.Kit@1.2.3"), Some(5)));
        assert_eq!((kit.dependencies.clone(), kit.properties[0].1.as_str()), (vec![1], "sha512-AAAA"));
        assert_eq!((rope.lacks_integrity, rope.direct), (true, false));
        assert_eq!((lib.origin.clone(), lib.dependencies.clone()), (Origin::FirstParty, vec![1]));
        assert_eq!((app.dependencies.clone(), app.direct), (vec![0, 2], true));
    }

    #[test]
    fn mistakes_have_a_line() {
        assert_eq!(parse("{\n \"version\": 1,\n \"dependencies\": []}", "").unwrap_err().line, Some(3));
        assert!(parse(r#"{"version": 9, "dependencies": {}}"#, "").unwrap_err().reason.contains("version 9"));
        assert!(parse(&"{\"version\":".repeat(10_000), "").is_err());
    }
}
