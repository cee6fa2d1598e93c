//! The index of a plugin: one line of JSON for each publication and each withdrawal, each with the hash of the line before.
//!
//! The chain shows that a line in the middle was changed, moved or removed. It does not show by itself that lines at the end were
//! removed: for that a lock file remembers how far the index was, and a signer may confirm from time to time where it ends. A last line that was cut off while it was appended is no damage; it never counted.

use crate::error::shown;
use crate::statement::{ConfirmStatement, PluginStatement, RotateStatement, YankStatement};
use crate::{Error, PublicKey};
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
/// The version of the line format. A reader refuses lines of a newer version. Version 2 brought the kinds `confirm` and `rotate`;
/// lines of the other kinds are still written as version 1, so that a reader of that one goes on until the first of the new kinds,
/// and then refuses the index and says why. A writer of version 1 reads before it writes, and so does the same.
const FORMAT: u32 = 2;

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
    /// A signer says that the index ends here, and when.
    Confirm,
    /// A signer hands over to another key, and signs nothing more.
    Rotate,
}

impl LineKind {
    /// The version of the format that brought it.
    fn format(self) -> u32 {
        match self {
            LineKind::Publish | LineKind::Yank | LineKind::Endorse => 1,
            LineKind::Confirm | LineKind::Rotate => 2,
        }
    }
}

/// How far an index was when somebody looked: what a lock file remembers of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IndexPosition {
    /// How many lines it had.
    pub lines: u64,
    /// The SHA-256 of the last of them, which stands for all of them.
    pub head: Digest,
}

/// One line. A withdrawal and an endorsement repeat what they are about, a confirmation and a handover the publication before them.
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
    /// The key that a handover is to, as `ed25519:…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) successor: Option<String>,
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
            LineKind::Confirm => ConfirmStatement { name, head: &self.prev, time: self.time }.bytes(),
            LineKind::Rotate => {
                let successor = self.successor.as_deref().unwrap_or_default();
                RotateStatement { name, head: &self.prev, successor }.bytes()
            }
        }
    }

    pub(crate) fn signature(&self) -> Option<[u8; 64]> {
        STANDARD.decode(&self.signature).ok()?.try_into().ok()
    }

    /// The id of the key that a handover is to.
    pub(crate) fn successor(&self) -> Option<SignerId> {
        self.successor.as_ref()?.parse::<PublicKey>().ok().map(|key| key.id())
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
    /// The last publication.
    newest: Option<usize>,
    /// Keys that published a version or were handed over to, each with the line that handed over to it.
    signers: BTreeMap<SignerId, Option<usize>>,
    /// The line by which a key handed over to another one.
    handovers: BTreeMap<SignerId, usize>,
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
            newest: None,
            signers: BTreeMap::new(),
            handovers: BTreeMap::new(),
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
                    index.note(&parsed);
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

    /// Remembers what will be asked of a line that is about to be the last one.
    fn note(&mut self, line: &Line) {
        let place = self.lines.len();
        match line.kind {
            LineKind::Publish => {
                self.publications.entry(plain(&line.version)).or_insert(place);
                self.signers.entry(line.signer.clone()).or_insert(None);
                self.newest = Some(place);
            }
            LineKind::Yank => {
                self.withdrawals.entry(plain(&line.version)).or_insert(place);
            }
            LineKind::Rotate => {
                self.handovers.entry(line.signer.clone()).or_insert(place);
                if let Some(successor) = line.successor() {
                    self.signers.entry(successor).or_insert(Some(place));
                }
            }
            LineKind::Endorse | LineKind::Confirm => {}
        }
    }

    fn check(&self, line: &[u8]) -> Result<Line, String> {
        let parsed: Line =
            serde_json::from_slice(line).map_err(|error| match serde_json::from_slice::<AnyLine>(line) {
                Ok(AnyLine { v }) if v > FORMAT => newer(v),
                _ => format!("it is no line of an index: {}", shown(&error.to_string())),
            })?;
        if parsed.v > FORMAT {
            return Err(newer(parsed.v));
        }
        if parsed.v != parsed.kind.format() {
            return Err(format!("it has format {}, and a line of its kind has {}", parsed.v, parsed.kind.format()));
        }
        if parsed.name != self.name {
            return Err(format!("it is about `{}`", parsed.name));
        }
        if parsed.prev != self.head {
            return Err("it does not follow the line before it: a line was changed, moved or removed".to_owned());
        }
        if parsed.successor.is_some() != (parsed.kind == LineKind::Rotate) {
            return Err(
                "it names a key that somebody hands over to, and is no handover, or the other way about".to_owned()
            );
        }
        let published = self.published(&parsed.version);
        let newest = || self.newest.map(|place| &self.lines[place]);
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
            (LineKind::Confirm | LineKind::Rotate, line) if line.is_none() || line != newest() => {
                Err(format!("it is about `{}`, which is not the publication before it", parsed.version))
            }
            (LineKind::Confirm, _) => Ok(parsed),
            (LineKind::Rotate, _) => self.check_handover(parsed),
            (LineKind::Yank, _) => Err(format!("it withdraws `{}`, which was never published so", parsed.version)),
        }
    }

    /// Whether a handover leads from a key that may sign to one that did not hand over itself.
    fn check_handover(&self, line: Line) -> Result<Line, String> {
        let Some(successor) = line.successor() else { return Err("it hands over to what is no key".to_owned()) };
        let signer = &line.signer;
        if !self.may_sign(signer) {
            return Err(format!("`{signer}` hands over what it never signed"));
        }
        if self.handover(signer).is_some() {
            return Err(format!("`{signer}` hands over a second time"));
        }
        if successor == *signer || self.handover(&successor).is_some() {
            return Err(format!("`{signer}` hands over to `{successor}`, which handed over itself"));
        }
        Ok(line)
    }

    /// Whether a key published a version, or was handed over to.
    pub(crate) fn may_sign(&self, signer: &SignerId) -> bool {
        self.signers.contains_key(signer)
    }

    /// The line by which a key handed over to another one.
    pub(crate) fn handover(&self, signer: &SignerId) -> Option<&Line> {
        self.handovers.get(signer).map(|place| &self.lines[*place])
    }

    /// The line by which another key handed over to this one, which had signed nothing before.
    pub(crate) fn handed_over_to(&self, signer: &SignerId) -> Option<&Line> {
        self.signers.get(signer).copied().flatten().map(|place| &self.lines[place])
    }

    /// The number of a line, from 1. Each names the hash of another one before it.
    pub(crate) fn number(&self, line: &Line) -> usize {
        self.lines.iter().position(|other| other.prev == line.prev).map_or(0, |place| place + 1)
    }

    /// The line by which the key of a line had handed over before it signed it.
    pub(crate) fn retired(&self, line: &Line) -> Option<&Line> {
        self.handover(&line.signer).filter(|handover| self.number(handover) < self.number(line))
    }

    /// The hash that the next line has to name.
    pub(crate) fn head(&self) -> Digest {
        self.head
    }

    /// How far it is.
    pub(crate) fn position(&self) -> IndexPosition {
        IndexPosition { lines: self.lines.len() as u64, head: self.head }
    }

    /// Whether it goes on from where somebody saw it before.
    pub(crate) fn continues(&self, seen: &IndexPosition) -> Result<(), Error> {
        let lines = self.lines.len() as u64;
        if lines < seen.lines {
            return Err(Error::IndexRolledBack { name: self.name.clone(), seen: seen.lines, lines });
        }
        // A line names the hash of the one before it.
        let there = usize::try_from(seen.lines)
            .ok()
            .and_then(|place| self.lines.get(place))
            .map_or(self.head, |next| next.prev);
        match there == seen.head {
            true => Ok(()),
            false => Err(Error::IndexRewritten { name: self.name.clone(), seen: seen.lines }),
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
    pub(crate) fn of(&self, kind: LineKind) -> impl DoubleEndedIterator<Item = &Line> {
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
        let line = Line { v: line.kind.format(), prev: self.head, ..line };
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
