//! Records in the OSV format (<https://ossf.github.io/osv-schema>): only the fields that are read.

use orch_plugin_lockfiles::parse::shorten;
use serde::Deserialize;
use std::borrow::Cow;

/// The largest record that is read. The largest real ones have a few megabytes of versions.
pub const MAX_RECORD: u64 = 16 * 1024 * 1024;

/// As much of a record as it takes to see whether it concerns a package: nothing is copied.
#[derive(Debug, Deserialize)]
pub struct Glance<'a> {
    /// Its name.
    #[serde(borrow)]
    pub id: Cow<'a, str>,
    #[serde(borrow, default)]
    affected: Option<Vec<GlanceAffected<'a>>>,
}

#[derive(Debug, Deserialize)]
struct GlanceAffected<'a> {
    #[serde(borrow, default)]
    package: Option<GlancePackage<'a>>,
}

#[derive(Debug, Deserialize)]
struct GlancePackage<'a> {
    #[serde(borrow)]
    ecosystem: Cow<'a, str>,
    #[serde(borrow)]
    name: Cow<'a, str>,
}

impl Glance<'_> {
    /// The ecosystems and names it speaks of.
    pub fn packages(&self) -> impl Iterator<Item = (&str, &str)> {
        let packages = self.affected.iter().flatten().filter_map(|affected| affected.package.as_ref());
        packages.map(|package| (&*package.ecosystem, &*package.name))
    }
}

/// A record that concerns a package.
#[derive(Debug, Clone, Deserialize)]
pub struct Record {
    /// Its name.
    pub id: String,
    /// When it was taken back.
    #[serde(default)]
    pub withdrawn: Option<String>,
    #[serde(default)]
    aliases: Option<Vec<String>>,
    #[serde(default)]
    upstream: Option<Vec<String>>,
    /// One line; where there is none, the first one of the details.
    #[serde(default)]
    pub summary: Option<String>,
    #[serde(default)]
    details: Option<String>,
    #[serde(default)]
    severity: Option<Vec<Rating>>,
    /// Which versions of which packages.
    #[serde(default)]
    affected: Option<Vec<Affected>>,
    #[serde(default)]
    references: Option<Vec<Reference>>,
    #[serde(default)]
    database_specific: Option<Specific>,
}

/// One package with its versions.
#[derive(Debug, Clone, Deserialize)]
pub struct Affected {
    /// The package.
    #[serde(default)]
    pub package: Option<PackageName>,
    #[serde(default)]
    ranges: Option<Vec<Range>>,
    #[serde(default)]
    versions: Option<Vec<String>>,
    #[serde(default)]
    severity: Option<Vec<Rating>>,
}

/// A package's name.
#[derive(Debug, Clone, Deserialize)]
pub struct PackageName {
    /// With a release after a colon where the ecosystem has such.
    pub ecosystem: String,
    /// The name.
    pub name: String,
}

/// Versions by where their trouble begins and ends.
#[derive(Debug, Clone, Deserialize)]
pub struct Range {
    /// `SEMVER`, `ECOSYSTEM` or `GIT`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What happens at which version.
    pub events: Vec<Event>,
}

/// One of its fields is there.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Event {
    /// From here on.
    #[serde(default)]
    pub introduced: Option<String>,
    /// No longer from here on.
    #[serde(default)]
    pub fixed: Option<String>,
    /// No longer after this one.
    #[serde(default)]
    pub last_affected: Option<String>,
    /// Nothing is said from here on.
    #[serde(default)]
    pub limit: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
struct Rating {
    score: String,
}

#[derive(Debug, Clone, Deserialize)]
struct Reference {
    url: String,
}

#[derive(Debug, Clone, Deserialize)]
struct Specific {
    #[serde(default)]
    severity: Option<serde_json::Value>,
}

impl Record {
    /// Other names of the same vulnerability. A record of a distribution names what it is about as `upstream`; only where that is one
    /// thing it is the same.
    pub fn same_as(&self) -> impl Iterator<Item = &str> {
        let upstream = self.upstream.iter().filter(|upstream| upstream.len() == 1).flatten();
        self.aliases.iter().flatten().chain(upstream).map(String::as_str)
    }

    /// The packages.
    pub fn affected(&self) -> &[Affected] {
        self.affected.as_deref().unwrap_or_default()
    }

    /// Keeps the packages that a test fits, and what is reported of the texts: a record may list thousands, and there may be many records.
    pub fn keep(&mut self, fits: impl FnMut(&Affected) -> bool) {
        if let Some(affected) = &mut self.affected {
            affected.retain(fits);
        }
        let first_line = |text: String| text.lines().find(|line| !line.trim().is_empty()).map(shorten);
        self.summary = self.summary.take().and_then(first_line).or(self.details.take().and_then(first_line));
    }

    /// All texts that may be vectors.
    pub fn vectors(&self) -> impl Iterator<Item = &str> {
        let of_packages = self.affected().iter().flat_map(|affected| affected.severity.iter().flatten());
        self.severity.iter().flatten().chain(of_packages).map(|rating| rating.score.as_str())
    }

    /// The word for how bad it is that the database adds of its own.
    pub fn severity_word(&self) -> Option<&str> {
        self.database_specific.as_ref()?.severity.as_ref()?.as_str()
    }

    /// Addresses to read on.
    pub fn references(&self) -> impl Iterator<Item = &str> {
        self.references.iter().flatten().map(|reference| reference.url.as_str())
    }
}

impl Affected {
    /// The ranges.
    pub fn ranges(&self) -> &[Range] {
        self.ranges.as_deref().unwrap_or_default()
    }

    /// The versions that are listed.
    pub fn versions(&self) -> &[String] {
        self.versions.as_deref().unwrap_or_default()
    }
}

/// Whether a text can be the name of a vulnerability. It becomes a rule's name and part of an address.
pub fn is_id(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
    (1..=128).contains(&text.len()) && text.bytes().all(fits) && text.bytes().any(|byte| byte.is_ascii_alphanumeric())
}
