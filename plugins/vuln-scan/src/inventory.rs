//! The packages that are looked up: from lock files or a bill of materials, each package URL once, with every place that names it.

use crate::bill::{self, MAX_BILL};
use crate::purl::Purl;
use crate::skipped::{self, Skips};
use orch_plugin_kit::glob::Glob;
use orch_plugin_kit::tree;
use orch_plugin_lockfiles::model::{Ecosystem, Origin, Scope};
use orch_plugin_lockfiles::{manifests, purl as lock_purl, read, review, walk};
use orch_sdk::{Finding, Host, TaskError};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// One package in one version.
#[derive(Debug, Clone)]
pub struct Package {
    /// Its package URL.
    pub purl: Purl,
    /// The ecosystem as records name it.
    pub ecosystem: &'static str,
    /// The release of a distribution: `12`, `Leap 15.6`.
    pub release: Option<String>,
    /// The name that records know it by: of a Debian package, its source's.
    pub name: String,
    /// Another name that records may know it by: of an RPM package, its source's, because distributions differ in which they use.
    pub source_name: Option<String>,
    /// The version that is compared.
    pub version: String,
    /// The files and lines that name it.
    pub places: BTreeSet<(String, Option<u32>)>,
}

/// What is looked up.
#[derive(Debug, Default)]
pub struct Inventory {
    /// By package URL.
    pub packages: BTreeMap<String, Package>,
    /// What a bill of materials calls each package URL.
    pub references: BTreeMap<String, String>,
    /// Package URL types that no records are known for.
    pub unknown: BTreeSet<String>,
    /// What reading the lock files found wrong.
    pub findings: Vec<Finding>,
}

impl Inventory {
    /// Reads all lock files of a tree.
    ///
    /// # Errors
    /// When the host wants the task to stop.
    pub fn of_tree(
        root: &Path,
        exclude: &[Glob],
        with_dev: bool,
        skips: &mut Skips,
        host: &dyn Host,
    ) -> Result<Inventory, TaskError> {
        let everything = BTreeSet::from(Ecosystem::ALL);
        let tree = walk::walk(root, exclude, &everything, &|| !host.is_cancelled());
        let (files, problems) = read::all(root, &tree.locks, exclude, host)?;
        let mut inventory = Inventory::default();
        inventory.findings.extend(problems.iter().map(|(path, error)| review::parse_error(path, error)));
        inventory.findings.extend(manifests::unsupported_locks(&tree));
        inventory.findings.extend(manifests::incomplete_tree(&tree));
        for file in files {
            inventory.findings.extend(file.found.problems.iter().map(|error| review::parse_error(&file.path, error)));
            for package in &file.found.packages {
                if package.scope == Scope::Dev && !with_dev {
                    skips.count("only for development", &package.display_name());
                    continue;
                }
                let Some(purl) = lock_purl::purl(package) else {
                    skips.count("part of the tree, or from a path", &package.display_name());
                    continue;
                };
                // A repository, an address or another registry can hold something else of that name, but as a rule it does not.
                if package.version.is_none() && !matches!(package.origin, Origin::Registry | Origin::OtherRegistry(_)) {
                    skips.count("no version", &purl);
                    continue;
                }
                let source = package.properties.iter().find(|(name, _)| *name == "source-package");
                inventory.add(&purl, source.map(|(_, value)| value.as_str()), &file.path, package.line, skips);
            }
        }
        Ok(inventory)
    }

    /// Reads a bill of materials. One that cannot be read is a finding, and gives nothing.
    pub fn of_bill(root: &Path, path: &str, skips: &mut Skips) -> Inventory {
        let mut inventory = Inventory::default();
        let text = if is_below(path) && tree::is_plain_file(root, path) {
            tree::text(root, path, MAX_BILL).map_err(|error| error.to_string())
        } else {
            Err("is no file below the mount `source`".to_owned())
        };
        match text.and_then(|text| bill::parse(&text)) {
            Ok(entries) => {
                for entry in entries {
                    let Some(purl) = entry.purl else {
                        skips.count("no package URL", &entry.reference);
                        continue;
                    };
                    inventory.add(&purl, entry.source.as_deref(), path, None, skips);
                    inventory.references.insert(entry.reference, purl);
                }
            }
            Err(reason) => skips.unreadable(skipped::BILL, path, path, &reason),
        }
        inventory
    }

    fn add(&mut self, purl: &str, source: Option<&str>, path: &str, line: Option<u32>, skips: &mut Skips) {
        if let Some(package) = self.packages.get_mut(purl) {
            package.places.insert((path.to_owned(), line));
            return;
        }
        let Some(parsed) = Purl::parse(purl) else {
            skips.unreadable(skipped::PACKAGE, path, purl, "no package URL that can be read");
            return;
        };
        let Some(ecosystem) = parsed.ecosystem() else {
            let kind = match (parsed.kind.as_str(), parsed.namespace.as_str()) {
                ("deb" | "rpm" | "apk", distribution) => format!("{}/{distribution}", parsed.kind),
                (kind, _) => kind.to_owned(),
            };
            self.unknown.insert(kind);
            skips.count("unknown ecosystem", purl);
            return;
        };
        let Some(version) = parsed.version.clone() else {
            skips.unreadable(skipped::PACKAGE, path, purl, "has no version to compare");
            return;
        };
        let (name, version) = source_package(&parsed, source, parsed.record_name(ecosystem), version);
        let release = release(&parsed);
        // The same version can be repaired in one release and not in another.
        let is_rolling = matches!(ecosystem, "Wolfi" | "Chainguard");
        if matches!(parsed.kind.as_str(), "deb" | "rpm" | "apk") && release.is_none() && !is_rolling {
            skips.unreadable(skipped::PACKAGE, path, purl, "does not say which release it is of (`distro`)");
            return;
        }
        let places = BTreeSet::from([(path.to_owned(), line)]);
        let written = source.or(parsed.qualifiers.get("upstream").map(String::as_str));
        let source_name = written.filter(|_| parsed.kind == "rpm").and_then(name_of_source_rpm);
        let source_name = source_name.filter(|source| *source != name).map(str::to_owned);
        let package = Package { purl: parsed, ecosystem, release, name, source_name, version, places };
        self.packages.insert(purl.to_owned(), package);
    }
}

/// Whether a path stays below its mount.
pub fn is_below(path: &str) -> bool {
    !path.is_empty()
        && !path.contains('\\')
        && path.split('/').all(|part| !part.is_empty() && part != ".." && part != ".")
}

/// Records of Debian, Ubuntu and Alpine speak of source packages, whose version may be another one too.
fn source_package(purl: &Purl, source: Option<&str>, name: String, version: String) -> (String, String) {
    let epoch = |version: String| match purl.qualifiers.get("epoch") {
        Some(epoch) if purl.kind == "rpm" && !version.contains(':') => format!("{epoch}:{version}"),
        _ => version,
    };
    if !matches!(purl.kind.as_str(), "deb" | "apk") {
        return (name, epoch(version));
    }
    let qualifier = purl.qualifiers.get("upstream").or_else(|| purl.qualifiers.get("source"));
    // `kit (1.0-1)` as dpkg has it, `kit@1.0-1` in a qualifier.
    let written = source.or(qualifier.map(String::as_str)).unwrap_or_default();
    let (of, at) = written.split_once([' ', '@']).unwrap_or((written, ""));
    let at = at.trim().trim_start_matches('(').trim_end_matches(')');
    let name = if of.is_empty() { name } else { of.to_owned() };
    (name, if at.is_empty() { version } else { at.to_owned() })
}

/// The name in `name-version-release.src.rpm`.
fn name_of_source_rpm(file: &str) -> Option<&str> {
    let stem = file.strip_suffix(".src.rpm").or_else(|| file.strip_suffix(".nosrc.rpm"))?;
    let (before, _release) = stem.rsplit_once('-')?;
    before.rsplit_once('-').map(|(name, _version)| name).filter(|name| !name.is_empty())
}

/// The release of the distribution as records name it: the number, also where a code name is written.
fn release(purl: &Purl) -> Option<String> {
    let distro = purl.qualifiers.get("distro")?.to_ascii_lowercase();
    match purl.ecosystem() {
        // These are rolling, and have no releases.
        Some("Wolfi" | "Chainguard") => return None,
        Some("openSUSE") => return opensuse_release(&distro),
        Some("SUSE") => return suse_release(&distro),
        _ => {}
    }
    let release = distro.split_once('-').map_or(distro.as_str(), |(_, release)| release);
    let named = match release {
        "buster" => "10",
        "bullseye" => "11",
        "bookworm" => "12",
        "trixie" => "13",
        "forky" => "14",
        "focal" => "20.04",
        "jammy" => "22.04",
        "noble" => "24.04",
        other => other,
    };
    let number = match (purl.kind.as_str(), purl.namespace.as_str()) {
        // Point releases are no releases of their own.
        ("deb", "debian") | ("rpm", "redhat" | "rhel" | "almalinux" | "rocky" | "rocky-linux" | "rockylinux") => {
            named.split('.').next().unwrap_or(named).to_owned()
        }
        ("apk", _) => format!("v{}", named.trim_start_matches('v').split('.').take(2).collect::<Vec<_>>().join(".")),
        _ => named.to_owned(),
    };
    number.contains(|it: char| it.is_ascii_digit()).then_some(number)
}

/// `opensuse-leap-15.6` is `Leap 15.6`.
fn opensuse_release(distro: &str) -> Option<String> {
    if distro.contains("tumbleweed") {
        return Some("Tumbleweed".to_owned());
    }
    let (name, number) = distro.rsplit_once('-').unwrap_or(("", distro));
    let edition = if name.ends_with("leap-micro") { "Leap Micro" } else { "Leap" };
    number.starts_with(|it: char| it.is_ascii_digit()).then(|| format!("{edition} {number}"))
}

/// `sles-15.5` is `15 SP5`; from version 16 on there are no service packs.
fn suse_release(distro: &str) -> Option<String> {
    let number = distro.rsplit_once('-').map_or(distro, |(_, number)| number);
    let (major, minor) = number.split_once('.').unwrap_or((number, ""));
    match (major.parse::<u32>().ok()?, minor) {
        (..=15, "" | "0") => Some(major.to_owned()),
        (..=15, pack) => Some(format!("{major} SP{pack}")),
        _ => Some(number.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(purl: &str, source: Option<&str>, expected: (&str, &str, Option<&str>)) {
        let (mut inventory, mut skips) = (Inventory::default(), Skips::default());
        inventory.add(purl, source, "a", None, &mut skips);
        let package = &inventory.packages[purl];
        assert_eq!((&*package.name, &*package.version, package.release.as_deref()), expected);
    }

    #[test]
    fn distributions() {
        check("pkg:deb/debian/libkit@1.4-2%2Bb1?distro=debian-12", Some("kit (1.4-2)"), ("kit", "1.4-2", Some("12")));
        check("pkg:deb/debian/kit@1-1?distro=bookworm", None, ("kit", "1-1", Some("12")));
        check("pkg:deb/debian/libkit@2?distro=debian-12.5&upstream=kit%401", None, ("kit", "1", Some("12")));
        check("pkg:deb/ubuntu/libkit@2?distro=ubuntu-22.04", Some("kit"), ("kit", "2", Some("22.04")));
        check("pkg:rpm/almalinux/kit@1-2.el9?distro=almalinux-9.3&epoch=2", None, ("kit", "2:1-2.el9", Some("9")));
        check("pkg:apk/alpine/kit@1-r0?distro=3.18.4", None, ("kit", "1-r0", Some("v3.18")));
        check("pkg:apk/alpine/kit-doc@1-r0?distro=alpine-3.18.4&upstream=kit", None, ("kit", "1-r0", Some("v3.18")));
        check("pkg:npm/kit@1", None, ("kit", "1", None));
        check("pkg:apk/wolfi/kit@1-r0?distro=wolfi-20230201", None, ("kit", "1-r0", None));
        for (distro, release) in [
            ("opensuse-leap-15.6", "Leap 15.6"),
            ("opensuse-tumbleweed-20240801", "Tumbleweed"),
            ("opensuse-leap-micro-5.5", "Leap Micro 5.5"),
            ("opensuse-15.6", "Leap 15.6"),
        ] {
            check(&format!("pkg:rpm/opensuse/kit@1-1?distro={distro}"), None, ("kit", "1-1", Some(release)));
        }
        for (distro, release) in [("sles-15.5", "15 SP5"), ("sles-15", "15"), ("sles-16.0", "16.0")] {
            check(&format!("pkg:rpm/suse/kit@1-1?distro={distro}"), None, ("kit", "1-1", Some(release)));
        }
        assert_eq!(name_of_source_rpm("kit-all-1.2-3.el9.src.rpm"), Some("kit-all"));
        assert_eq!((name_of_source_rpm("kit-1.src.rpm"), name_of_source_rpm("kit")), (None, None));
    }

    #[test]
    fn what_is_left_out() {
        let (mut inventory, mut skips) = (Inventory::default(), Skips::default());
        for purl in ["pkg:deb/debian/kit@1", "pkg:npm/kit", "pkg:generic/kit@1", "nonsense"] {
            inventory.add(purl, None, "a", None, &mut skips);
        }
        assert!(inventory.packages.is_empty());
        assert_eq!(inventory.unknown, BTreeSet::from(["generic".to_owned()]));
        let (skipped, findings) = skips.finish();
        assert_eq!(skipped.iter().map(|it| it.count).sum::<usize>(), 4);
        assert_eq!(findings.len(), 3);
        assert!(is_below("a/b.json") && !is_below("../a") && !is_below("/a") && !is_below("a//b"));
    }
}
