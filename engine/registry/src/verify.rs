//! The only place that says yes to a package. It has every fact, looks at each of them, and says yes when all of them hold;
//! a fact that could not be looked at counts as one that does not hold.

use crate::component::Shape;
use crate::error::shown;
use crate::index::{Index, Line};
use crate::package::manifest_of;
use crate::validate::check_imports;
use crate::{Error, LockedPlugin, PublicKey};
use orch_core::{Digest, FoundPlugin, Manifest, Period, Policy, SignerId, Timestamp, digest_of};
use serde::Serialize;
use std::sync::Arc;

/// What has to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Check {
    /// No line of the index was changed, moved or removed.
    Chain,
    /// It is what the lock file pins.
    Lock,
    /// The version was not withdrawn.
    NotYanked,
    /// The policy does not ban it.
    NotBanned,
    /// The bytes are those that the index names.
    Digest,
    /// The signature is by the key of the signer that the index names.
    Signature,
    /// The policy trusts those who signed with this plugin.
    Trust,
    /// Somebody whom the policy trusts confirmed lately that the index is the newest, if the policy wants that.
    Fresh,
    /// It has a bill of materials, if the policy wants one.
    Sbom,
    /// Name, version and permissions in the component are those of the index.
    Manifest,
    /// The component imports what its manifest asks for and nothing that this version lacks.
    Imports,
}

impl Check {
    /// Every check, in the order in which a refusal is reported.
    pub const ALL: [Check; 11] = [
        Check::Chain,
        Check::Lock,
        Check::NotYanked,
        Check::NotBanned,
        Check::Digest,
        Check::Signature,
        Check::Trust,
        Check::Fresh,
        Check::Sbom,
        Check::Manifest,
        Check::Imports,
    ];

    /// What it is about, for people.
    pub fn words(self) -> &'static str {
        match self {
            Check::Chain => "index intact",
            Check::Lock => "lock file",
            Check::NotYanked => "not withdrawn",
            Check::NotBanned => "not banned",
            Check::Digest => "digest",
            Check::Signature => "signature",
            Check::Trust => "trusted signer",
            Check::Fresh => "index confirmed",
            Check::Sbom => "bill of materials",
            Check::Manifest => "manifest",
            Check::Imports => "imports",
        }
    }
}

/// What was found out about one check.
#[derive(Debug)]
pub(crate) enum Finding {
    Holds(String),
    Fails(Error),
    /// It cannot be looked at, because another check failed.
    Unknown(&'static str),
}

/// Where a package comes from.
pub(crate) enum Origin<'a> {
    /// A registry.
    Index {
        index: &'a Index,
        line: &'a Line,
        /// The key file of the signer that the line names.
        key: Option<&'a str>,
        /// The line that withdrew it, and the key file of who signed that.
        yank: Option<(&'a Line, Option<&'a str>)>,
        /// Who else signed it, each with its key file.
        endorsements: Vec<(&'a Line, Option<&'a str>)>,
        /// The newest confirmations that the index ends where it does, each with the key file of who signed it.
        confirmations: Vec<(&'a Line, Option<&'a str>)>,
        /// The line by which another key handed over to the signer, and the key file of that one.
        handover: Option<(&'a Line, Option<&'a str>)>,
        /// The digest of the bill of materials that the registry has for the one that the line names.
        sbom: Option<Digest>,
    },
    /// A file that a workflow names, with its path if known.
    File,
}

/// Everything that is known about a package. The digest of the bytes is computed once, here.
pub(crate) struct Facts<'a> {
    pub(crate) origin: Origin<'a>,
    pub(crate) bytes: &'a Arc<[u8]>,
    pub(crate) policy: &'a Policy,
    pub(crate) lock: Option<&'a LockedPlugin>,
    /// What time it is.
    pub(crate) now: Timestamp,
}

pub(crate) struct Examined {
    pub(crate) digest: Digest,
    pub(crate) manifest: Option<Arc<Manifest>>,
    /// One for each of [`Check::ALL`].
    pub(crate) findings: Vec<(Check, Finding)>,
}

/// Says yes or why not.
pub(crate) fn verify(facts: &Facts<'_>) -> Result<FoundPlugin, Error> {
    let Examined { digest, manifest, mut findings } = examine(facts);
    for check in Check::ALL {
        let place = findings.iter().position(|(done, _)| *done == check);
        match place.map(|place| findings.swap_remove(place).1) {
            Some(Finding::Holds(_)) => {}
            Some(Finding::Fails(error)) => return Err(error),
            Some(Finding::Unknown(_)) | None => {
                return Err(untrusted(facts.what(), format!("`{}` was not checked", check.words())));
            }
        }
    }
    let manifest = manifest.ok_or_else(|| untrusted(facts.what(), "its manifest was not read"))?;
    let signer = match &facts.origin {
        Origin::Index { line, .. } => Some(line.signer.clone()),
        Origin::File => None,
    };
    Ok(FoundPlugin { manifest, digest, signer, bytes: facts.bytes.clone() })
}

/// Looks at every fact.
pub(crate) fn examine(facts: &Facts<'_>) -> Examined {
    let digest = Digest::of(facts.bytes);
    let right_bytes = facts.digest(&digest);
    // Bytes that are not those that were published are not even parsed.
    let package = right_bytes.is_ok().then(|| {
        let shape = Shape::read(facts.bytes)?;
        let manifest = manifest_of(facts.bytes, &shape)?;
        Ok((shape, Arc::new(manifest)))
    });
    let manifest = package
        .as_ref()
        .and_then(|package: &Result<_, Error>| package.as_ref().ok())
        .map(|(_, manifest)| manifest.clone());
    let lock = facts.lock(&digest, manifest.as_deref());
    let (manifest_holds, imports) = match package {
        None => (
            Finding::Unknown("the bytes are not those that were published"),
            Finding::Unknown("the bytes are not those that were published"),
        ),
        Some(Err(error)) => (Finding::Fails(error), Finding::Unknown("it has no usable manifest")),
        Some(Ok((shape, manifest))) => (finding(facts.manifest(&manifest)), finding(facts.imports(&shape, &manifest))),
    };
    let findings = vec![
        (Check::Chain, finding(facts.chain())),
        (Check::Lock, finding(lock)),
        (Check::NotYanked, finding(facts.not_yanked())),
        (Check::NotBanned, finding(facts.not_banned(&digest))),
        (Check::Digest, finding(right_bytes)),
        (Check::Signature, finding(facts.signature())),
        (Check::Trust, finding(facts.trust())),
        (Check::Fresh, finding(facts.fresh())),
        (Check::Sbom, finding(facts.sbom())),
        (Check::Manifest, manifest_holds),
        (Check::Imports, imports),
    ];
    Examined { digest, manifest, findings }
}

fn finding(result: Result<String, Error>) -> Finding {
    result.map_or_else(Finding::Fails, Finding::Holds)
}

fn untrusted(what: String, reason: impl Into<String>) -> Error {
    Error::Untrusted { what, reason: reason.into(), help: None }
}

/// How far the clock of who confirms may be ahead.
const SKEW_MILLIS: i64 = 10 * 60 * 1000;

const A_FILE: &str = "it is a file, not from a registry";

impl Facts<'_> {
    fn what(&self) -> String {
        match &self.origin {
            Origin::Index { line, .. } => line.what(),
            Origin::File => "the component".to_owned(),
        }
    }

    fn chain(&self) -> Result<String, Error> {
        match &self.origin {
            Origin::File => Ok(A_FILE.to_owned()),
            Origin::Index { index, line, .. } => {
                index.intact()?;
                if index.published(&line.version) != Some(*line) {
                    return Err(Error::damaged(
                        Index::path(&index.name),
                        format!("it does not have `{}`", line.what()),
                    ));
                }
                Ok(orch_core::plural(index.lines.len(), "line"))
            }
        }
    }

    fn lock(&self, digest: &Digest, manifest: Option<&Manifest>) -> Result<String, Error> {
        let Some(lock) = self.lock else { return Ok("not locked".to_owned()) };
        let (name, version, ask, signer) = match (&self.origin, manifest) {
            (Origin::Index { line, .. }, _) => (&line.name, &line.version, &line.asks, Some(&line.signer)),
            (Origin::File, Some(manifest)) => (&manifest.name, &manifest.version, &manifest.permissions, None),
            (Origin::File, None) => return Err(mismatch(lock, "its manifest cannot be read")),
        };
        if *name != lock.name {
            return Err(mismatch(lock, format!("it is `{name}`")));
        }
        let digest = match &self.origin {
            Origin::Index { line, .. } => &line.digest,
            Origin::File => digest,
        };
        let more = ask.more_than(&lock.ask);
        if *version == lock.version && *digest == lock.digest {
            return match more.is_empty() && digest_of(&ask.without_reasons()) == lock.capability_hash {
                false => Err(mismatch(lock, "the same component is said to ask for something else")),
                true if signer != lock.signer.as_ref() => Err(mismatch(
                    lock,
                    format!("it is signed by {}, and {} is locked", by(signer), by(lock.signer.as_ref())),
                )),
                true => Ok(format!("{} {}", lock.version, lock.digest)),
            };
        }
        if !more.is_empty() {
            return Err(Error::AsksForMore {
                name: name.clone(),
                accepted: Box::new(lock.version.clone()),
                version: version.clone(),
                lines: more,
            });
        }
        match (&self.origin, *version == lock.version) {
            // The requirement has moved on from what was locked, and the new version asks for nothing new.
            (Origin::Index { .. }, false) => Ok(format!("{version} in place of {}", lock.version)),
            _ => Err(mismatch(lock, format!("`{version}` is {digest}, and {} is locked", lock.digest))),
        }
    }

    fn not_yanked(&self) -> Result<String, Error> {
        let Origin::Index { line, yank: Some((yank, key)), index, .. } = &self.origin else {
            return Ok("no".to_owned());
        };
        valid_yank(index, yank, line, *key, self.policy)?;
        Err(yanked(index, line, yank))
    }

    fn not_banned(&self, digest: &Digest) -> Result<String, Error> {
        let named = match &self.origin {
            Origin::Index { line, .. } => Some(&line.digest),
            Origin::File => None,
        };
        match self.policy.banned.iter().find(|banned| *banned == digest || Some(*banned) == named) {
            Some(banned) => {
                Err(Error::Banned { what: self.what(), digest: *banned, origin: self.policy.origin.clone() })
            }
            None => Ok("no".to_owned()),
        }
    }

    fn digest(&self, digest: &Digest) -> Result<String, Error> {
        match &self.origin {
            Origin::Index { line, .. } if line.digest != *digest || line.size != self.bytes.len() as u64 => {
                Err(Error::DigestMismatch {
                    what: line.what(),
                    expected: format!("{} ({} bytes)", line.digest, line.size),
                    found: format!("{digest} ({} bytes)", self.bytes.len()),
                })
            }
            _ => Ok(digest.to_string()),
        }
    }

    fn signature(&self) -> Result<String, Error> {
        match &self.origin {
            Origin::Index { index, line, key, .. } => {
                if line.signature.is_empty() {
                    let help = "have the publisher publish it again with a key".to_owned();
                    return Err(Error::Unsigned { what: line.what(), help });
                }
                signed(line, *key)?;
                not_retired(index, line, *key)?;
                Ok(format!("by {}", line.signer))
            }
            Origin::File if self.policy.unsigned_files => Ok(format!("none, which {} allows", self.policy.origin)),
            Origin::File => Err(Error::Unsigned {
                what: self.what(),
                help: "publish it to a registry, or put `unsigned-files: true` in policy.yaml to run files as they are"
                    .to_owned(),
            }),
        }
    }

    fn trust(&self) -> Result<String, Error> {
        let Origin::Index { line, handover, .. } = &self.origin else { return Ok(A_FILE.to_owned()) };
        let signers = self.signers();
        if self.policy.revoked_keys.contains(&line.signer) {
            return Err(Error::Untrusted {
                what: line.what(),
                reason: format!("{} revokes the key of `{}`, which signed it", shown(&self.policy.origin), line.signer),
                help: Some("have the publisher publish a new version with another key".to_owned()),
            });
        }
        let who = signers.iter().map(|signer| signer.as_str()).collect::<Vec<_>>().join(", ");
        if self.policy.trusts(&line.name, &signers) {
            return Ok(format!("{who} by {}", self.policy.origin));
        }
        let origin = shown(&self.policy.origin);
        let wanted = self.policy.trust.iter().filter(|rule| rule.plugins.matches(line.name.as_str()));
        if let Some(rule) = wanted.into_iter().find(|rule| rule.at_least > 1) {
            let known: Vec<_> = rule.signers.iter().map(|signer| signer.as_str()).collect();
            return Err(Error::Untrusted {
                what: line.what(),
                reason: format!(
                    "{origin} wants {} of {} to have signed it, and {who} did",
                    rule.at_least,
                    known.join(", ")
                ),
                help: Some(format!("have another of them run `orch-wasm plugin endorse {}`", line.what())),
            });
        }
        Err(Error::Untrusted {
            what: line.what(),
            reason: format!(
                "{origin} does not trust `{}` with `{}`{}",
                line.signer,
                line.name,
                self.handed_over(handover)
            ),
            help: Some(match self.policy.is_built_in() {
                true => format!(
                    "if you know that key: `orch-wasm keys trust FILE`, the file is `keys/{}.pub` in the registry",
                    line.signer
                ),
                false => format!(
                    "if you know that key, add to policy.yaml: trust: [{{ plugins: {}, signers: [\"{}\"] }}]",
                    line.name, line.signer
                ),
            }),
        })
    }

    /// Everybody who signed it, each once. A publication that is not valid is found out elsewhere.
    fn signers(&self) -> Vec<SignerId> {
        let Origin::Index { index, line, endorsements, .. } = &self.origin else { return Vec::new() };
        let mut signers = vec![line.signer.clone()];
        // An endorsement that is not valid is no reason to refuse what others signed; it just does not count.
        for (line, _) in endorsements.iter().filter(|(line, key)| counts(index, line, *key)) {
            if !signers.contains(&line.signer) {
                signers.push(line.signer.clone());
            }
        }
        signers
    }

    /// That a key which the policy trusts handed over to the signer, if one did: for whoever has to decide over the new one.
    fn handed_over(&self, handover: &Option<(&Line, Option<&str>)>) -> String {
        match handover {
            Some((line, key)) if signed(line, *key).is_ok() => format!(", to which `{}` handed over", line.signer),
            _ => String::new(),
        }
    }

    fn fresh(&self) -> Result<String, Error> {
        let Origin::Index { index, line, confirmations, .. } = &self.origin else { return Ok(A_FILE.to_owned()) };
        let signers = self.signers();
        let mut wanted = None;
        for rule in self.policy.content(&line.name, &signers) {
            let Some(within) = rule.fresh_within else { return Ok("not wanted".to_owned()) };
            let ours = |signer| rule.signers.contains(signer) && !self.policy.revoked_keys.contains(signer);
            let newest = confirmations
                .iter()
                .filter(|(line, key)| ours(&line.signer) && counts(index, line, *key))
                // One from the future would hold for ever.
                .filter(|(line, _)| line.time.0 <= self.now.0.saturating_add(SKEW_MILLIS))
                .map(|(line, _)| line.time)
                .max();
            let age = newest.map(|time| Period::from_millis(self.now.0.saturating_sub(time.0).max(0).unsigned_abs()));
            match age {
                Some(age) if age <= within => return Ok(format!("within {within}")),
                _ => wanted = Some((within, age)),
            }
        }
        match wanted {
            None => Ok("not wanted".to_owned()),
            Some((within, age)) => {
                let (name, origin) = (line.name.clone(), self.policy.origin.clone());
                Err(Error::IndexStale { name, within, age, origin })
            }
        }
    }

    fn sbom(&self) -> Result<String, Error> {
        let (found, name) = match &self.origin {
            Origin::File => (None, None),
            Origin::Index { line, sbom, .. } => (line.sbom.as_ref().map(|wanted| (wanted, sbom)), Some(&line.name)),
        };
        let required = name.is_some_and(|name| self.policy.requires_sbom(name));
        match found {
            Some((wanted, Some(found))) if wanted == found => Ok(wanted.to_string()),
            Some((wanted, _)) => Err(untrusted(
                self.what(),
                format!("the registry does not have its bill of materials {wanted}, or has another in its place"),
            )),
            None if required => Err(Error::Untrusted {
                what: self.what(),
                reason: format!("{} wants a bill of materials, and it has none", shown(&self.policy.origin)),
                help: Some("have the publisher publish the next version with `--sbom FILE`".to_owned()),
            }),
            None => Ok("none".to_owned()),
        }
    }

    fn manifest(&self, manifest: &Manifest) -> Result<String, Error> {
        let truth = format!("{}@{}", manifest.name, manifest.version);
        let Origin::Index { line, .. } = &self.origin else { return Ok(truth) };
        let lie = |reason: String| Err(Error::ManifestLies { what: line.what(), reason });
        if manifest.name != line.name || manifest.version != line.version {
            return lie(format!("inside it says `{truth}`"));
        }
        if manifest.capability_hash() != line.capability_hash
            || digest_of(&line.asks.without_reasons()) != line.capability_hash
        {
            return lie("inside it asks for other permissions than the index says".to_owned());
        }
        Ok(truth)
    }

    fn imports(&self, shape: &Shape, manifest: &Manifest) -> Result<String, Error> {
        let problems = check_imports(shape, manifest);
        if let Some(lie) = problems.iter().find(|problem| problem.code == orch_core::Code::ManifestLies) {
            return Err(Error::ManifestLies { what: self.what(), reason: lie.message.clone() });
        }
        match problems.is_empty() {
            true => Ok(orch_core::plural(shape.imports.len(), "interface")),
            false => Err(Error::Invalid { what: self.what(), problems }),
        }
    }
}

fn mismatch(lock: &LockedPlugin, reason: impl Into<String>) -> Error {
    Error::LockMismatch { name: lock.name.clone(), reason: reason.into() }
}

fn by(signer: Option<&SignerId>) -> String {
    signer.map_or("nobody".to_owned(), |signer| format!("`{signer}`"))
}

/// Whether the signature of a line is by the key of the signer it names.
fn signed(line: &Line, key: Option<&str>) -> Result<(), Error> {
    let refuse = |reason: String| Err(untrusted(line.what(), reason));
    let Some(key) = key else {
        return refuse(format!("it is signed by `{}`, whose key the registry does not have", line.signer));
    };
    let Ok(key) = PublicKey::from_file_text(key) else {
        return refuse(format!("the registry's key file of `{}` cannot be understood", line.signer));
    };
    if key.id() != line.signer {
        return refuse(format!("the registry's key file of `{}` has the key of `{}`", line.signer, key.id()));
    }
    match line.signature() {
        Some(signature) if key.verifies(&line.statement(), &signature) => Ok(()),
        _ => refuse(format!("its signature is not by `{}`, or not of this component", line.signer)),
    }
}

/// Whether a line besides the publication says something: its signature holds, and its key had not handed over before.
fn counts(index: &Index, line: &Line, key: Option<&str>) -> bool {
    signed(line, key).is_ok() && not_retired(index, line, key).is_ok()
}

/// Whether the key of a line still signed when it signed it. A handover whose signature does not fit, which is over everything before
/// it, says that somebody moved something: then nothing of that key is believed.
fn not_retired(index: &Index, line: &Line, key: Option<&str>) -> Result<(), Error> {
    let Some(handover) = index.handover(&line.signer) else { return Ok(()) };
    let (number, signer) = (index.number(handover), &line.signer);
    if signed(handover, key).is_err() {
        let reason = format!("line {number} of its index says without a valid signature that `{signer}` handed over");
        return Err(untrusted(line.what(), reason));
    }
    match (index.retired(line), handover.successor()) {
        (None, _) => Ok(()),
        (Some(_), to) => Err(Error::Untrusted {
            what: line.what(),
            reason: format!(
                "`{signer}` signed it after it had handed over to `{}` (line {number} of its index)",
                to.map_or_else(String::new, |to| to.to_string())
            ),
            help: Some("have the publisher publish it with the new key; the old one may be in other hands".to_owned()),
        }),
    }
}

/// Whether a withdrawal is by somebody who may withdraw. One that is not is no reason to run the version, nor to take another.
pub(crate) fn valid_yank(
    index: &Index,
    yank: &Line,
    line: &Line,
    key: Option<&str>,
    policy: &Policy,
) -> Result<(), Error> {
    if policy.revoked_keys.contains(&yank.signer) || not_retired(index, yank, key).is_err() {
        let reason = format!("it was withdrawn by `{}`, whose key does not count any more", yank.signer);
        return Err(untrusted(line.what(), reason));
    }
    if yank.signer != line.signer && !policy.trusts(&line.name, std::slice::from_ref(&yank.signer)) {
        let reason = format!("it was withdrawn by `{}`, who has nothing to say about it", yank.signer);
        return Err(untrusted(line.what(), reason));
    }
    signed(yank, key).map_err(|_| untrusted(line.what(), "it was withdrawn without a valid signature"))
}

/// The refusal of a withdrawn version.
pub(crate) fn yanked(index: &Index, line: &Line, yank: &Line) -> Error {
    let mut others: Vec<_> = index
        .of(crate::index::LineKind::Publish)
        .map(|line| line.version.clone())
        .filter(|version| index.yanked(version).is_none() && version.pre.is_empty())
        .collect();
    others.sort_by(|a, b| b.cmp(a));
    Error::Yanked {
        name: line.name.clone(),
        version: line.version.clone(),
        reason: yank.reason.clone().unwrap_or_default(),
        others,
    }
}
