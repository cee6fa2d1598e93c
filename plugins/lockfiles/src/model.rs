//! What a parser finds in one lock file: packages and the edges between them. How they are named and written is left to
//! `purl` and `cyclonedx`.

use orch_plugin_kit::parse::ParseError;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Where packages of a kind come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Ecosystem {
    /// Rust crates, from `Cargo.lock`.
    Cargo,
    /// JavaScript packages, from `package-lock.json`.
    Npm,
    /// Python distributions, from `requirements.txt`, `poetry.lock` and `uv.lock`.
    Pypi,
    /// Go modules, from `go.mod` and `go.sum`.
    Go,
    /// Debian packages, from the dpkg database.
    Deb,
    /// Alpine packages, from apk's database.
    Apk,
    /// RPM packages, from rpm's database.
    Rpm,
    /// Ruby gems, from `Gemfile.lock`.
    Gem,
    /// PHP packages, from `composer.lock`.
    Composer,
    /// Java libraries, from `gradle.lockfile`.
    Maven,
    /// .NET packages, from `packages.lock.json`.
    Nuget,
}

impl Ecosystem {
    /// Every ecosystem this plugin reads.
    pub const ALL: [Ecosystem; 11] = [
        Ecosystem::Cargo,
        Ecosystem::Npm,
        Ecosystem::Pypi,
        Ecosystem::Go,
        Ecosystem::Deb,
        Ecosystem::Apk,
        Ecosystem::Rpm,
        Ecosystem::Gem,
        Ecosystem::Composer,
        Ecosystem::Maven,
        Ecosystem::Nuget,
    ];

    /// The name users write.
    pub fn name(self) -> &'static str {
        match self {
            Ecosystem::Cargo => "cargo",
            Ecosystem::Npm => "npm",
            Ecosystem::Pypi => "pypi",
            Ecosystem::Go => "go",
            Ecosystem::Deb => "deb",
            Ecosystem::Apk => "apk",
            Ecosystem::Rpm => "rpm",
            Ecosystem::Gem => "gem",
            Ecosystem::Composer => "composer",
            Ecosystem::Maven => "maven",
            Ecosystem::Nuget => "nuget",
        }
    }

    /// The package URL type.
    pub fn purl_type(self) -> &'static str {
        match self {
            Ecosystem::Go => "golang",
            other => other.name(),
        }
    }
}

/// The format of a lock file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LockKind {
    /// `Cargo.lock`
    CargoLock,
    /// `package-lock.json` or `npm-shrinkwrap.json`
    PackageLock,
    /// `requirements.txt` and files it includes
    Requirements,
    /// `poetry.lock`
    PoetryLock,
    /// `uv.lock`
    UvLock,
    /// `go.mod`, with `go.sum` if there is one
    GoMod,
    /// `var/lib/dpkg/status` or a file of `var/lib/dpkg/status.d`
    DpkgStatus,
    /// `lib/apk/db/installed`
    ApkInstalled,
    /// `rpmdb.sqlite`
    RpmSqlite,
    /// `Packages.db`, the other database of rpm
    RpmNdb,
    /// `yarn.lock` of any generation
    YarnLock,
    /// `pnpm-lock.yaml`
    PnpmLock,
    /// `Gemfile.lock`
    GemfileLock,
    /// `composer.lock`
    ComposerLock,
    /// `gradle.lockfile`, `buildscript-gradle.lockfile` and the files of `gradle/dependency-locks`
    GradleLock,
    /// `packages.lock.json`
    NugetLock,
    /// A folder `site-packages` or `dist-packages`
    PythonInstalled,
    /// A folder `node_modules` of a system
    NodeInstalled,
    /// A folder `specifications` of a Ruby installation
    GemInstalled,
}

impl LockKind {
    /// The ecosystem of its packages.
    pub fn ecosystem(self) -> Ecosystem {
        match self {
            LockKind::CargoLock => Ecosystem::Cargo,
            LockKind::PackageLock | LockKind::YarnLock | LockKind::PnpmLock | LockKind::NodeInstalled => Ecosystem::Npm,
            LockKind::Requirements | LockKind::PoetryLock | LockKind::UvLock | LockKind::PythonInstalled => {
                Ecosystem::Pypi
            }
            LockKind::GoMod => Ecosystem::Go,
            LockKind::DpkgStatus => Ecosystem::Deb,
            LockKind::ApkInstalled => Ecosystem::Apk,
            LockKind::RpmSqlite | LockKind::RpmNdb => Ecosystem::Rpm,
            LockKind::GemfileLock | LockKind::GemInstalled => Ecosystem::Gem,
            LockKind::ComposerLock => Ecosystem::Composer,
            LockKind::GradleLock => Ecosystem::Maven,
            LockKind::NugetLock => Ecosystem::Nuget,
        }
    }
}

/// Where the code of a package is fetched from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// Part of the tree itself.
    FirstParty,
    /// The ecosystem's own registry.
    Registry,
    /// Another registry, by its address.
    OtherRegistry(String),
    /// A version control repository: its address without a `git+` prefix, and the commit if it is pinned.
    Git {
        /// The repository.
        url: String,
        /// The commit.
        commit: Option<String>,
    },
    /// A single file at an address.
    Url(String),
    /// A folder or file on the machine that made the lock file.
    Path(String),
}

/// How much the first-party code needs a package. The order is from weak to strong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// For development only.
    Dev,
    /// May be left out.
    Optional,
    /// Always there.
    Required,
}

impl Scope {
    /// CycloneDX's word for it.
    pub fn cyclonedx(self) -> &'static str {
        match self {
            Scope::Dev => "excluded",
            Scope::Optional => "optional",
            Scope::Required => "required",
        }
    }
}

/// A hash of a distributed file, as the lock file has it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileHash {
    /// CycloneDX's name of the algorithm, such as `SHA-256`.
    pub algorithm: &'static str,
    /// Lower-case hexadecimal digits.
    pub hex: String,
    /// The file it belongs to, where the lock file says.
    pub file: Option<String>,
}

impl FileHash {
    /// A hash whose algorithm is known and whose length fits it; anything else is `None`.
    pub fn new(algorithm: &str, hex: &str, file: Option<&str>) -> Option<FileHash> {
        let (algorithm, length) = match algorithm.to_ascii_lowercase().as_str() {
            "md5" => ("MD5", 32),
            "sha1" => ("SHA-1", 40),
            "sha256" => ("SHA-256", 64),
            "sha384" => ("SHA-384", 96),
            "sha512" => ("SHA-512", 128),
            _ => return None,
        };
        let fits = hex.len() == length && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
        fits.then(|| FileHash { algorithm, hex: hex.to_ascii_lowercase(), file: file.map(str::to_owned) })
    }

    /// From `algorithm:hex`, the form of Python's lock files.
    pub fn from_colon(text: &str, file: Option<&str>) -> Option<FileHash> {
        let (algorithm, hex) = text.split_once(':')?;
        FileHash::new(algorithm, hex, file)
    }
}

/// One package of one lock file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// Its ecosystem.
    pub ecosystem: Ecosystem,
    /// The npm scope with its `@`, the vendor of a PHP package, the group of a Java library, or the distribution of a system's package.
    pub group: Option<String>,
    /// Its name, normalised where the ecosystem has a rule for it.
    pub name: String,
    /// The locked version; `None` if the file does not pin one.
    pub version: Option<String>,
    /// Where its code comes from.
    pub origin: Origin,
    /// How much it is needed.
    pub scope: Scope,
    /// Hashes of its files.
    pub hashes: Vec<FileHash>,
    /// Whether this kind of lock file should have had a hash for it.
    pub lacks_integrity: bool,
    /// The licence as written.
    pub license: Option<String>,
    /// Further package URL qualifiers.
    pub qualifiers: BTreeMap<&'static str, String>,
    /// Further facts, by the last part of the property's name.
    pub properties: Vec<(&'static str, String)>,
    /// The 1-based line it begins at.
    pub line: Option<u32>,
    /// Indices of the packages it depends on.
    pub dependencies: Vec<usize>,
    /// Of a first-party package: whether it is the root of its file. Of another: whether the tree itself asks for it, where
    /// the file has no first-party package to say so.
    pub direct: bool,
}

impl Package {
    /// A required registry package without any further facts.
    pub fn new(ecosystem: Ecosystem, name: impl Into<String>, version: Option<String>) -> Package {
        Package {
            ecosystem,
            group: None,
            name: name.into(),
            version,
            origin: Origin::Registry,
            scope: Scope::Required,
            hashes: Vec::new(),
            lacks_integrity: false,
            license: None,
            qualifiers: BTreeMap::new(),
            properties: Vec::new(),
            line: None,
            dependencies: Vec::new(),
            direct: false,
        }
    }

    /// The name as its ecosystem's users write it.
    pub fn display_name(&self) -> String {
        match &self.group {
            Some(group) if matches!(self.ecosystem, Ecosystem::Npm | Ecosystem::Composer) => {
                format!("{group}/{}", self.name)
            }
            Some(group) if self.ecosystem == Ecosystem::Maven => format!("{group}:{}", self.name),
            _ => self.name.clone(),
        }
    }
}

/// Everything one lock file says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Packages {
    /// In the order of the file.
    pub packages: Vec<Package>,
    /// Files it includes that are to be read as well, relative to the tree.
    pub includes: Vec<Include>,
    /// Entries that could not be understood; the others are still good.
    pub problems: Vec<ParseError>,
}

/// A file that a requirements file names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Include {
    /// Relative to the tree, with `/` between its parts.
    pub path: String,
    /// Whether it only limits versions (`-c`).
    pub constraint: bool,
    /// The line that names it.
    pub line: u32,
}
