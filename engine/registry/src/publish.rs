//! Publishing and withdrawing. One writer at a time; a component is on disk before the line that names it.

use crate::error::shown;
use crate::find::unknown_version;
use crate::folder::{blob_path, key_path};
use crate::index::{Index, Line, LineKind};
use crate::keys::MOST_KEY_BYTES;
use crate::similar::skeleton;
use crate::storage::Blob;
use crate::{Error, FolderRegistry, PublicKey, SigningKey, package, storage};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cap_std::fs::File;
use orch_core::{Digest, Manifest, PluginName, SignerId, Timestamp, digest_of};
use semver::Version;
use serde::Serialize;

const LOCK: &str = "index/.lock";

/// Bytes of the reason for a withdrawal.
const LONGEST_REASON: usize = 1_000;

/// Whether a key may go on with a plugin that other keys have signed so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum NewSigner {
    /// It may not: whoever trusts only the old key would be cut off.
    #[default]
    Refuse,
    /// It may: the publisher has a new key.
    Accept,
}

/// How to publish.
#[derive(Debug, Clone, Default)]
pub struct PublishOptions {
    /// Whether a key may go on with a plugin that other keys have signed so far.
    pub new_signer: NewSigner,
    /// A bill of materials: a JSON document, as CycloneDX and SPDX have it.
    pub sbom: Option<Vec<u8>>,
}

/// What was published or withdrawn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Published {
    /// `namespace/name`
    pub name: PluginName,
    /// Its version.
    pub version: Version,
    /// The component.
    pub digest: Digest,
    /// See `Manifest::capability_hash`.
    pub capability_hash: Digest,
    /// Who signed.
    pub signer: SignerId,
    /// Whether there was nothing left to do.
    pub already_there: bool,
    /// Bytes of a cut-off line that were removed from the index.
    pub repaired: u64,
}

impl FolderRegistry {
    /// Publishes a component that has its manifest embedded. Publishing the same again does nothing.
    ///
    /// # Errors
    /// When the package breaks a rule, the version is taken, or the folder cannot be written.
    pub fn publish(
        &self,
        component: &[u8],
        key: &SigningKey,
        time: Timestamp,
        options: &PublishOptions,
    ) -> Result<Published, Error> {
        let manifest = package::extract(component)?;
        let problems = package::validate(component, &manifest);
        if !problems.is_empty() {
            return Err(Error::Invalid { what: format!("{}@{}", manifest.name, manifest.version), problems });
        }
        check_sbom(&manifest, options.sbom.as_deref())?;
        let _lock = self.lock()?;
        let index = self.index(&manifest.name)?;
        index.intact()?;
        let public = key.public();
        let mut line = Line {
            v: 0, // with `prev`, filled in by the index
            kind: LineKind::Publish,
            name: manifest.name.clone(),
            version: manifest.version.clone(),
            digest: Digest::of(component),
            size: component.len() as u64,
            capability_hash: manifest.capability_hash(),
            asks: manifest.permissions.without_reasons(),
            sbom: options.sbom.as_deref().map(Digest::of),
            signer: public.id(),
            signature: String::new(),
            time,
            prev: Digest::from_bytes([0; 32]),
            reason: None,
            successor: None,
        };
        let already_there = self.may_publish(&index, &manifest, &line, options)?;
        self.write_key(&public)?;
        self.write_blob(&line.digest, component)?;
        if let (Some(digest), Some(sbom)) = (&line.sbom, &options.sbom) {
            self.write_blob(digest, sbom)?;
        }
        line.signature = STANDARD.encode(key.sign(&line.statement()));
        self.finish(&index, line, already_there)
    }

    /// Withdraws a version: a new line, nothing is deleted. Withdrawing it again does nothing.
    ///
    /// # Errors
    /// When there is no such version, the key never signed this plugin, or the folder cannot be written.
    pub fn yank(
        &self,
        name: &PluginName,
        version: &Version,
        reason: &str,
        key: &SigningKey,
        time: Timestamp,
    ) -> Result<Published, Error> {
        if reason.trim().is_empty() || reason.len() > LONGEST_REASON {
            let problem = package::Problem {
                code: orch_core::Code::Usage,
                message: format!("a reason is needed, of at most {LONGEST_REASON} bytes"),
                help: Some("say what is wrong with the version, for those who are refused it".to_owned()),
            };
            return Err(Error::Invalid {
                what: format!("the withdrawal of {name}@{version}"),
                problems: vec![problem],
            });
        }
        // Asked first without the lock: a folder without the plugin is not written to.
        self.known_index(name)?;
        let _lock = self.lock()?;
        let index = self.index(name)?;
        index.intact()?;
        let published = index.published(version).ok_or_else(|| unknown_version(&index, version))?;
        let signer = key.public().id();
        still_signs(&index, &signer, &published.what())?;
        if !index.may_sign(&signer) {
            return Err(Error::Untrusted {
                what: published.what(),
                reason: format!("`{signer}` never signed a version of it and cannot withdraw one"),
                help: Some(format!("use the key of `{}`", published.signer)),
            });
        }
        let mut line = Line {
            kind: LineKind::Yank,
            signer,
            signature: String::new(),
            time,
            reason: Some(reason.to_owned()),
            ..published.clone()
        };
        let already_there = index.yanked(version).is_some();
        self.write_key(&key.public())?;
        line.signature = STANDARD.encode(key.sign(&line.statement()));
        self.finish(&index, line, already_there)
    }

    /// Signs a version that somebody else has published, for policies that want more than one signer. Doing it again does nothing.
    ///
    /// # Errors
    /// When there is no such version, it was withdrawn, the registry's bytes are not those that were published, or the folder cannot
    /// be written.
    pub fn endorse(
        &self,
        name: &PluginName,
        version: &Version,
        key: &SigningKey,
        time: Timestamp,
    ) -> Result<Published, Error> {
        self.known_index(name)?;
        let _lock = self.lock()?;
        let index = self.index(name)?;
        index.intact()?;
        let published = index.published(version).ok_or_else(|| unknown_version(&index, version))?;
        if let Some(yank) = index.yanked(version) {
            return Err(crate::verify::yanked(&index, published, yank));
        }
        // Nobody signs what they cannot have looked at.
        let gathered = self.gather(&index, published)?;
        let found = Digest::of(&gathered.bytes);
        if found != published.digest {
            return Err(Error::DigestMismatch {
                what: published.what(),
                expected: published.digest.to_string(),
                found: found.to_string(),
            });
        }
        let signer = key.public().id();
        still_signs(&index, &signer, &published.what())?;
        let mut line = Line {
            kind: LineKind::Endorse,
            signer: signer.clone(),
            signature: String::new(),
            time,
            ..published.clone()
        };
        let already_there = published.signer == signer || index.endorsed(version).any(|line| line.signer == signer);
        self.write_key(&key.public())?;
        line.signature = STANDARD.encode(key.sign(&line.statement()));
        self.finish(&index, line, already_there)
    }

    pub(crate) fn lock(&self) -> Result<File, Error> {
        storage::make_folder(&self.dir, "index")?;
        storage::lock(&self.dir, LOCK)
    }

    /// Whether a version is already there as it should be.
    fn may_publish(
        &self,
        index: &Index,
        manifest: &Manifest,
        line: &Line,
        options: &PublishOptions,
    ) -> Result<bool, Error> {
        if let Some(there) = index.published(&line.version) {
            if let Some(yank) = index.yanked(&line.version) {
                return Err(crate::verify::yanked(index, there, yank));
            }
            let taken = |how: String| {
                Err(Error::AlreadyPublished { name: line.name.clone(), version: line.version.clone(), how })
            };
            if there.digest == line.digest && line.sbom.is_some() && there.sbom != line.sbom {
                return taken("with another bill of materials, or none".to_owned());
            }
            return match (there.digest == line.digest, there.signer == line.signer) {
                (true, true) => Ok(true),
                (true, false) => taken(format!("by `{}`", there.signer)),
                (false, _) => taken(format!("with other content ({})", there.digest)),
            };
        }
        self.check_signer(index, line, options)?;
        self.check_confusion(&line.name, &line.signer)?;
        check_patch(index, manifest)?;
        Ok(false)
    }

    fn check_signer(&self, index: &Index, line: &Line, options: &PublishOptions) -> Result<(), Error> {
        let Some(last) = index.of(LineKind::Publish).last() else { return Ok(()) };
        still_signs(index, &line.signer, &line.what())?;
        match index.may_sign(&line.signer) || options.new_signer == NewSigner::Accept {
            true => Ok(()),
            false => Err(Error::Untrusted {
                what: line.what(),
                reason: format!("`{}` has signed this plugin so far, not `{}`", last.signer, line.signer),
                help: Some("use the publisher's key; whoever trusts only that one would be cut off".to_owned()),
            }),
        }
    }

    /// Refuses a new name that a reader takes for another publisher's.
    fn check_confusion(&self, name: &PluginName, signer: &SignerId) -> Result<(), Error> {
        let new = skeleton(name);
        for other in self.names()?.into_iter().filter(|other| other != name && skeleton(other) == new) {
            let index = self.index(&other)?;
            index.intact()?;
            let mut signers = index.of(LineKind::Publish).map(|line| &line.signer);
            if let Some(first) =
                signers.next().filter(|first| *first != signer && !signers.any(|other| other == signer))
            {
                return Err(Error::ConfusingName { name: name.clone(), signer: first.clone(), other });
            }
        }
        Ok(())
    }

    pub(crate) fn write_key(&self, key: &PublicKey) -> Result<(), Error> {
        let path = key_path(&key.id());
        match storage::read(&self.dir, &path, MOST_KEY_BYTES)? {
            None => storage::write_whole(&self.dir, &path, key.file_text().as_bytes(), &*self.faults),
            Some(there) => match PublicKey::from_file_text(&String::from_utf8_lossy(&there)) {
                Ok(there) if there == *key => Ok(()),
                Ok(there) => Err(Error::damaged(path, format!("it has the key of `{}`", there.id()))),
                Err(_) => Err(Error::damaged(path, "it is no key file")),
            },
        }
    }

    fn write_blob(&self, digest: &Digest, component: &[u8]) -> Result<(), Error> {
        let path = blob_path(digest);
        let there = storage::read_blob(&self.dir, &path, component.len() as u64)?;
        match there {
            Some(Blob::Whole(bytes)) if Digest::of(&bytes) == *digest => Ok(()),
            // Missing or damaged; the digest says that these are the right bytes.
            _ => storage::write_whole(&self.dir, &path, component, &*self.faults),
        }
    }

    pub(crate) fn finish(&self, index: &Index, line: Line, already_there: bool) -> Result<Published, Error> {
        let Line { name, version, digest, capability_hash, signer, .. } = line.clone();
        if !already_there {
            let bytes = index.next(line);
            if index.whole + bytes.len() as u64 > crate::index::MOST_BYTES
                || index.lines.len() >= crate::index::MOST_LINES
            {
                return Err(Error::damaged(Index::path(&name), "it is full: no line fits any more"));
            }
            storage::append(&self.dir, &Index::path(&name), index.whole, &bytes, &*self.faults)?;
        }
        let repaired = if already_there { 0 } else { index.torn };
        Ok(Published { name, version, digest, capability_hash, signer, already_there, repaired })
    }
}

/// Refuses a key that handed over to another one.
pub(crate) fn still_signs(index: &Index, signer: &SignerId, what: &str) -> Result<(), Error> {
    let Some(handover) = index.handover(signer) else { return Ok(()) };
    let to = handover.successor().map_or_else(String::new, |to| to.to_string());
    Err(Error::Untrusted {
        what: what.to_owned(),
        reason: format!("`{signer}` handed over to `{to}` in line {} of its index", index.number(handover)),
        help: Some(format!("use the key of `{to}`; nobody believes what the old one signs from there on")),
    })
}

fn check_sbom(manifest: &Manifest, sbom: Option<&[u8]>) -> Result<(), Error> {
    let Some(sbom) = sbom else { return Ok(()) };
    let wrong = if sbom.len() as u64 > crate::find::MOST_SBOM_BYTES {
        Some(format!("it has {} bytes, at most {} are allowed", sbom.len(), crate::find::MOST_SBOM_BYTES))
    } else {
        serde_json::from_slice::<serde::de::IgnoredAny>(sbom).err().map(|error| format!("it is no JSON: {error}"))
    };
    match wrong {
        None => Ok(()),
        Some(reason) => Err(Error::Invalid {
            what: format!("the bill of materials of {}@{}", manifest.name, manifest.version),
            problems: vec![package::Problem {
                code: orch_core::Code::Usage,
                message: reason,
                help: Some("give a CycloneDX or SPDX document in JSON".to_owned()),
            }],
        }),
    }
}

/// Nobody expects a fix to want more: `^1.2.0` takes it unasked.
fn check_patch(index: &Index, manifest: &Manifest) -> Result<(), Error> {
    let new = &manifest.version;
    let before = index
        .of(LineKind::Publish)
        .filter(|line| (line.version.major, line.version.minor) == (new.major, new.minor))
        .filter(|line| line.version < *new && line.version.pre.is_empty())
        .max_by(|a, b| a.version.cmp(&b.version));
    let Some(before) = before else { return Ok(()) };
    if digest_of(&before.asks.without_reasons()) != before.capability_hash {
        return Err(Error::damaged(
            Index::path(&index.name),
            format!("`{}` does not ask for what was signed", shown(&before.what())),
        ));
    }
    let lines = manifest.permissions.more_than(&before.asks);
    match lines.is_empty() {
        true => Ok(()),
        false => Err(Error::PatchAsksForMore {
            name: manifest.name.clone(),
            version: new.clone(),
            before: Box::new(before.version.clone()),
            lines,
        }),
    }
}
