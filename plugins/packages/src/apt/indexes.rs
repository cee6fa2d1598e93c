//! The indexes in `var/lib/apt/lists`: which there are, of which archive, and the versions they have of the installed packages.

use crate::deb822;
use crate::unpack::{self, Packing};
use orch_plugin_kit::root::{Root, Unseen};
use std::collections::{HashMap, HashSet};
use std::io::Read;

/// Where apt keeps them.
pub const LISTS: &str = "var/lib/apt/lists";
/// Versions of one package; archives have a few.
const MAX_VERSIONS: usize = 500;
/// How much of a release is read: the fields that count stand at its beginning.
const RELEASE_HEAD: u64 = 16 << 10;

/// An archive, as its `Release` or `InRelease` tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Release {
    /// `Origin`
    pub origin: Option<String>,
    /// `Label`
    pub label: Option<String>,
    /// `Suite`, also called the archive.
    pub suite: Option<String>,
    /// `Codename`
    pub codename: Option<String>,
    /// `Version`
    pub version: Option<String>,
    /// `NotAutomatic: yes`
    pub not_automatic: bool,
    /// `ButAutomaticUpgrades: yes`
    pub but_automatic_upgrades: bool,
}

/// One file of packages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Index {
    /// Its name in [`LISTS`].
    pub file: String,
    /// The archive that it is of.
    pub release: Release,
    /// The component, such as `main`, if the name tells.
    pub component: Option<String>,
    /// Whether the archive is one for security.
    pub security: bool,
    /// Packages in it.
    pub packages: u64,
    packing: Packing,
}

impl Index {
    /// `origin/suite`, or the file's name.
    pub fn title(&self) -> String {
        match (&self.release.origin, &self.release.suite) {
            (Some(origin), Some(suite)) => format!("{origin}/{suite}"),
            (None, Some(suite)) => suite.clone(),
            _ => self.file.clone(),
        }
    }

    /// The host that it came from, as the file's name begins with it.
    pub fn host(&self) -> &str {
        self.file.split('_').next().unwrap_or_default()
    }
}

/// A version of a package that is to be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Available {
    /// The version.
    pub version: String,
    /// What it is built for.
    pub architecture: String,
    /// Bytes to download.
    pub size: Option<u64>,
    /// Which of the indexes has it.
    pub index: usize,
}

/// All that the indexes say of the wanted packages.
#[derive(Debug, Default)]
pub struct Indexes {
    /// Those that were read.
    pub all: Vec<Index>,
    /// By the package's name.
    pub available: HashMap<String, Vec<Available>>,
    /// Files that could not be read, and why.
    pub unreadable: Vec<(String, String)>,
}

/// Reads all indexes for the packages of some names.
///
/// # Errors
/// When the folder of the indexes cannot be listed.
pub fn read(root: &Root, wanted: &HashSet<&str>) -> Result<Indexes, Unseen> {
    let names = match root.names(LISTS) {
        Err(Unseen::Missing) => Vec::new(),
        names => names?,
    };
    let mut found = Indexes::default();
    for file in &names {
        let Some((base, packing)) = packages_file(file) else { continue };
        let release = release(root, base, &names);
        let lower = |text: &Option<String>| text.as_deref().unwrap_or_default().to_ascii_lowercase();
        let security = lower(&release.suite).ends_with("-security")
            || lower(&release.codename).ends_with("-security")
            || lower(&release.label).ends_with("-security")
            || base.contains("-security_");
        let component = base.rsplit_once("_binary-").and_then(|(rest, _)| rest.rsplit_once('_'));
        let component = component.map(|(_, component)| component.to_owned());
        let index = Index { file: file.clone(), release, component, security, packages: 0, packing };
        found.add(root, index, wanted);
    }
    Ok(found)
}

impl Indexes {
    fn add(&mut self, root: &Root, mut index: Index, wanted: &HashSet<&str>) {
        let path = format!("{LISTS}/{}", index.file);
        let opened =
            root.open(&path).map_err(|error| error.to_string()).and_then(|file| unpack::open(file, index.packing));
        let (at, mut new, mut packages) = (self.all.len(), Vec::new(), 0);
        let read = opened.and_then(|stream| {
            let fields = ["package", "version", "architecture", "size"];
            deb822::read(stream, &fields, &mut |paragraph| {
                packages += 1;
                let [name, version, architecture, size] = std::array::from_fn(|at| paragraph.get(at));
                let Some(name) = name else {
                    return Err(format!("line {}: a package without a name", paragraph.line));
                };
                if !wanted.contains(name) {
                    return Ok(());
                }
                let (Some(version), Some(architecture)) = (version, architecture) else {
                    return Err(format!("line {}: a package without version or architecture", paragraph.line));
                };
                let (version, architecture) = (version.to_owned(), architecture.to_owned());
                let size = size.and_then(|size| size.parse().ok());
                new.push((name.to_owned(), Available { version, architecture, size, index: at }));
                if new.len() > MAX_VERSIONS.saturating_mul(wanted.len()) {
                    return Err(format!("more than {MAX_VERSIONS} versions of each package"));
                }
                Ok(())
            })
        });
        if let Err(reason) = read {
            self.unreadable.push((path, reason));
            return;
        }
        index.packages = packages;
        self.all.push(index);
        for (name, available) in new {
            self.available.entry(name).or_default().push(available);
        }
    }
}

/// The name before `_Packages` and how the file is packed; none for other files.
fn packages_file(name: &str) -> Option<(&str, Packing)> {
    let (base, rest) = name.rsplit_once("_Packages")?;
    let extension = if rest.is_empty() { "" } else { rest.strip_prefix('.')? };
    Some((base, Packing::of(extension)?))
}

/// The release that belongs to an index: `<base>_InRelease` beside a flat archive's, `<dist>_InRelease` otherwise.
fn release(root: &Root, base: &str, names: &[String]) -> Release {
    let dist = base.rsplit_once("_binary-").and_then(|(rest, _)| rest.rsplit_once('_')).map_or(base, |(dist, _)| dist);
    for end in ["InRelease", "Release"] {
        let file = format!("{dist}_{end}");
        if names.binary_search(&file).is_err() {
            continue;
        }
        let mut head = Vec::new();
        let Ok(opened) = root.open(&format!("{LISTS}/{file}")) else { continue };
        if opened.take(RELEASE_HEAD).read_to_end(&mut head).is_ok() {
            return parse_release(&String::from_utf8_lossy(&head));
        }
    }
    Release::default()
}

/// Reads the beginning of a release, signed or not.
pub fn parse_release(text: &str) -> Release {
    let mut release = Release::default();
    for line in text.lines() {
        let Some((field, value)) = line.split_once(':').filter(|_| !line.starts_with(' ')) else { continue };
        let value = value.trim();
        let some = || (!value.is_empty()).then(|| value.to_owned());
        match field {
            "Origin" => release.origin = some(),
            "Label" => release.label = some(),
            "Suite" => release.suite = some(),
            "Codename" => release.codename = some(),
            "Version" => release.version = some(),
            "NotAutomatic" => release.not_automatic = value == "yes",
            "ButAutomaticUpgrades" => release.but_automatic_upgrades = value == "yes",
            _ => {}
        }
    }
    release
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files() {
        let base = "mirror.example_debian_dists_bookworm_main_binary-amd64";
        assert_eq!(packages_file(&format!("{base}_Packages")), Some((base, Packing::None)));
        assert_eq!(packages_file(&format!("{base}_Packages.lz4")), Some((base, Packing::Lz4)));
        assert_eq!(packages_file(&format!("{base}_Packages.xz")), Some((base, Packing::Unknown("xz"))));
        for other in ["lock", "partial", "x_dep11_Components-amd64.yml.gz", "x_Packages.diff_Index", "x_PackagesX"] {
            assert_eq!(packages_file(other), None, "{other}");
        }
    }

    #[test]
    fn releases() {
        let text = "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\nOrigin: Debian\nSuite: stable-security\nNotAutomatic: yes\nSHA256:\n Origin: no\n";
        let release = parse_release(text);
        assert_eq!((release.origin.as_deref(), release.suite.as_deref()), (Some("Debian"), Some("stable-security")));
        assert!(release.not_automatic && !release.but_automatic_upgrades);
        assert_eq!(parse_release("\u{0}:::\n"), Release::default());
    }
}
