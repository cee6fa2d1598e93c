//! The index of a plugin: one line of JSON for each publication and each withdrawal, each with the hash of the line before.
//!
//! The chain shows that a line in the middle was changed, moved or removed. It does not show that lines at the end were
//! removed: that is what a lock file is for. A last line that was cut off while it was appended is no damage; it never counted.

use crate::Error;
use crate::error::shown;
use crate::statement::{PluginStatement, YankStatement};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use orch_core::{Ask, Digest, PluginName, SignerId, Timestamp, canonical_json};
use semver::Version;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Bytes of an index file.
pub(crate) const MOST_BYTES: u64 = 16 << 20;
/// Lines of an index file.
pub(crate) const MOST_LINES: usize = 100_000;
/// The version of the line format. A reader refuses lines of a newer version; a writer only appends lines of its own.
const FORMAT: u32 = 1;

/// What a line says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LineKind {
    /// This version is there.
    Publish,
    /// This version is withdrawn.
    Yank,
    /// Somebody else signs it too.
    Endorse,
}

/// One line. A withdrawal and an endorsement repeat what they are about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Line {
    pub(crate) v: u32,
    pub(crate) kind: LineKind,
    pub(crate) name: PluginName,
    pub(crate) version: Version,
    pub(crate) digest: Digest,
    /// Bytes of the component.
    pub(crate) size: u64,
    pub(crate) capability_hash: Digest,
    pub(crate) asks: Ask,
    /// A bill of materials that was published with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sbom: Option<Digest>,
    pub(crate) signer: SignerId,
    /// Base64 of 64 bytes; empty when there is none.
    #[serde(default)]
    pub(crate) signature: String,
    pub(crate) time: Timestamp,
    /// The SHA-256 of the line before, without its line feed; of a fixed text with the name for the first one.
    pub(crate) prev: Digest,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
}

/// Any line, to see of which version it is.
#[derive(Deserialize)]
struct AnyLine {
    v: u32,
}

impl Line {
    /// The bytes that its signature is over.
    pub(crate) fn statement(&self) -> Vec<u8> {
        let Line { name, version, digest, capability_hash, .. } = self;
        match self.kind {
            LineKind::Publish | LineKind::Endorse => {
                PluginStatement { name, version, digest, capability_hash, sbom: self.sbom.as_ref() }.bytes()
            }
            LineKind::Yank => {
                let reason = self.reason.as_deref().unwrap_or_default();
                YankStatement { name, version, digest, reason }.bytes()
            }
        }
    }

    pub(crate) fn signature(&self) -> Option<[u8; 64]> {
        STANDARD.decode(&self.signature).ok()?.try_into().ok()
    }

    /// `namespace/name@version`
    pub(crate) fn what(&self) -> String {
        format!("{}@{}", self.name, self.version)
    }

    fn bytes(&self) -> Vec<u8> {
        canonical_json(self).into_bytes()
    }
}

/// A line that does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Damage {
    /// From 1.
    pub(crate) line: Option<usize>,
    pub(crate) reason: String,
}

/// What an index file says.
#[derive(Debug)]
pub(crate) struct Index {
    pub(crate) name: PluginName,
    /// Up to the first that does not fit.
    pub(crate) lines: Vec<Line>,
    /// Nothing of a damaged index is used.
    pub(crate) damage: Option<Damage>,
    /// Bytes of a last line that was cut off.
    pub(crate) torn: u64,
    /// Bytes before that line.
    pub(crate) whole: u64,
    /// Whether the last whole line lacks its line feed.
    unterminated: bool,
    /// The hash that the next line has to name.
    head: Digest,
    /// Which line published a version.
    publications: BTreeMap<Version, usize>,
    /// Which line withdrew it.
    withdrawals: BTreeMap<Version, usize>,
}

impl Index {
    /// Where it is inside the registry.
    pub(crate) fn path(name: &PluginName) -> String {
        format!("index/{}/{}.jsonl", name.namespace(), name.name())
    }

    /// Reads an index; never fails, because a report wants to know what was wrong.
    pub(crate) fn parse(name: &PluginName, bytes: &[u8]) -> Index {
        let mut index = Index {
            name: name.clone(),
            lines: Vec::new(),
            damage: None,
            torn: 0,
            whole: bytes.len() as u64,
            unterminated: false,
            head: Digest::of(format!("orch-wasm index v1\n{name}").as_bytes()),
            publications: BTreeMap::new(),
            withdrawals: BTreeMap::new(),
        };
        let mut rest = bytes;
        while !rest.is_empty() {
            let number = index.lines.len() + 1;
            let (line, after) = match rest.iter().position(|byte| *byte == b'\n') {
                Some(end) => (&rest[..end], Some(&rest[end + 1..])),
                None => (rest, None),
            };
            if number > MOST_LINES {
                index.damage =
                    Some(Damage { line: Some(number), reason: format!("it has more than {MOST_LINES} lines") });
                return index;
            }
            match index.check(line) {
                Ok(parsed) => {
                    let versions = match parsed.kind {
                        LineKind::Publish => Some(&mut index.publications),
                        LineKind::Yank => Some(&mut index.withdrawals),
                        LineKind::Endorse => None,
                    };
                    if let Some(versions) = versions {
                        versions.entry(plain(&parsed.version)).or_insert(index.lines.len());
                    }
                    index.lines.push(parsed);
                    index.head = Digest::of(line);
                    index.unterminated = after.is_none();
                }
                // Only an append that was cut off leaves the beginning of a line, and it was never acknowledged.
                Err(_) if after.is_none() && serde_json::from_slice::<IgnoredAny>(line).is_err() => {
                    index.torn = line.len() as u64;
                    index.whole = (bytes.len() - line.len()) as u64;
                }
                Err(reason) => {
                    index.damage = Some(Damage { line: Some(number), reason });
                    return index;
                }
            }
            rest = after.unwrap_or_default();
        }
        index
    }

    fn check(&self, line: &[u8]) -> Result<Line, String> {
        let parsed: Line =
            serde_json::from_slice(line).map_err(|error| match serde_json::from_slice::<AnyLine>(line) {
                Ok(AnyLine { v }) if v > FORMAT => newer(v),
                _ => format!("it is no line of an index: {}", shown(&error.to_string())),
            })?;
        if parsed.v != FORMAT {
            return Err(newer(parsed.v));
        }
        if parsed.name != self.name {
            return Err(format!("it is about `{}`", parsed.name));
        }
        if parsed.prev != self.head {
            return Err("it does not follow the line before it: a line was changed, moved or removed".to_owned());
        }
        let published = self.published(&parsed.version);
        match (parsed.kind, published) {
            (LineKind::Publish, None) => Ok(parsed),
            (LineKind::Publish, Some(_)) => Err(format!("version `{}` is published twice", parsed.version)),
            (LineKind::Yank, Some(line)) if line.digest == parsed.digest => Ok(parsed),
            (LineKind::Endorse, Some(line)) => {
                let same = (line.digest, line.capability_hash, line.sbom);
                match same == (parsed.digest, parsed.capability_hash, parsed.sbom) {
                    true => Ok(parsed),
                    false => Err(format!("it endorses `{}`, which was never published so", parsed.version)),
                }
            }
            (LineKind::Endorse, None) => Err(format!("it endorses `{}`, which is not there", parsed.version)),
            (LineKind::Yank, _) => Err(format!("it withdraws `{}`, which was never published so", parsed.version)),
        }
    }

    /// The line that published a version. Build metadata does not tell versions apart.
    pub(crate) fn published(&self, version: &Version) -> Option<&Line> {
        self.publications.get(&plain(version)).map(|line| &self.lines[*line])
    }

    /// The line that withdrew a version.
    pub(crate) fn yanked(&self, version: &Version) -> Option<&Line> {
        self.withdrawals.get(&plain(version)).map(|line| &self.lines[*line])
    }

    /// The lines by which others signed a version too.
    pub(crate) fn endorsed(&self, version: &Version) -> impl Iterator<Item = &Line> {
        self.of(LineKind::Endorse).filter(move |line| plain(&line.version) == plain(version))
    }

    /// The lines of a kind, in their order.
    pub(crate) fn of(&self, kind: LineKind) -> impl Iterator<Item = &Line> {
        self.lines.iter().filter(move |line| line.kind == kind)
    }

    /// The index as an error, if it is damaged.
    pub(crate) fn intact(&self) -> Result<(), Error> {
        match &self.damage {
            None => Ok(()),
            Some(Damage { line, reason }) => {
                Err(Error::RegistryDamaged { place: Index::path(&self.name), line: *line, reason: reason.clone() })
            }
        }
    }

    /// A line made to follow the last one, as bytes to append after cutting the file to [`Index::whole`] bytes.
    pub(crate) fn next(&self, line: Line) -> Vec<u8> {
        let line = Line { v: FORMAT, prev: self.head, ..line };
        let mut bytes = if self.unterminated { vec![b'\n'] } else { Vec::new() };
        bytes.extend(line.bytes());
        bytes.push(b'\n');
        bytes
    }
}

fn plain(version: &Version) -> Version {
    Version { build: semver::BuildMetadata::EMPTY, ..version.clone() }
}

fn newer(v: u32) -> String {
    format!("it has format {v}, and this version of orch-wasm reads format {FORMAT}")
}
