//! From a reference to verified bytes: choose a version, read its component once, and have `verify` decide.

use crate::folder::blob_path;
use crate::index::{Index, IndexPosition, Line, LineKind};
use crate::storage::Blob;
use crate::verify::{Facts, Origin, valid_yank, verify, yanked};
use crate::{Error, FolderRegistry, LockFile, LockedPlugin, MOST_PACKAGE_BYTES, storage};
use orch_core::{Digest, FoundPlugin, PluginName, PluginSource, Policy, Timestamp};
use semver::{Version, VersionReq};
use std::fmt::Display;
use std::sync::Arc;

/// A registry as a workflow with a policy and a lock file sees it.
#[derive(Debug, Clone, Copy)]
pub struct LockedRegistry<'a> {
    /// Where to look.
    pub registry: &'a FolderRegistry,
    /// Whom to trust.
    pub policy: &'a Policy,
    /// What was accepted before.
    pub lock: &'a LockFile,
    /// What time it is.
    pub now: Timestamp,
}

/// What a package has to be like besides being what was asked for.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    /// Whom to trust.
    pub policy: &'a Policy,
    /// What was accepted before, if it is to be kept.
    pub lock: Option<&'a LockedPlugin>,
    /// How far the index was before, if it is to go on from there.
    pub seen: Option<&'a IndexPosition>,
    /// What time it is.
    pub now: Timestamp,
}

impl<'a> Terms<'a> {
    /// Nothing was accepted or seen before.
    pub fn new(policy: &'a Policy, now: Timestamp) -> Terms<'a> {
        Terms { policy, lock: None, seen: None, now }
    }

    /// With what was accepted before, and how far the index was then.
    #[must_use]
    pub fn locked(self, lock: Option<&'a LockedPlugin>) -> Terms<'a> {
        Terms { lock, seen: lock.and_then(|lock| lock.index.as_ref()), ..self }
    }
}

impl PluginSource for LockedRegistry<'_> {
    type Error = Error;
    fn find(&self, name: &PluginName, requirement: &VersionReq) -> Result<FoundPlugin, Error> {
        let lock = self.lock.locked(name, requirement);
        let seen = self.lock.seen(name);
        let terms = Terms { lock, seen, ..Terms::new(self.policy, self.now) };
        self.registry.find(name, requirement, &terms).map(|(found, _)| found)
    }
}

/// Endorsements of one version that are looked at.
pub(crate) const MOST_ENDORSEMENTS: usize = 100;
/// Confirmations that are looked at, the newest first.
const MOST_CONFIRMATIONS: usize = 20;
/// Bytes of a bill of materials.
pub(crate) const MOST_SBOM_BYTES: u64 = 16 << 20;

/// What verification needs to have read from a registry.
pub(crate) struct Gathered<'i> {
    pub(crate) line: &'i Line,
    pub(crate) bytes: Arc<[u8]>,
    key: Option<String>,
    yank: Option<(&'i Line, Option<String>)>,
    endorsements: Vec<(&'i Line, Option<String>)>,
    confirmations: Vec<(&'i Line, Option<String>)>,
    handover: Option<(&'i Line, Option<String>)>,
    sbom: Option<Digest>,
}

impl<'i> Gathered<'i> {
    pub(crate) fn facts<'a>(&'a self, index: &'i Index, terms: &Terms<'a>) -> Facts<'a>
    where
        'i: 'a,
    {
        fn each<'a>((line, key): &'a (&Line, Option<String>)) -> (&'a Line, Option<&'a str>) {
            (line, key.as_deref())
        }
        Facts {
            origin: Origin::Index {
                index,
                line: self.line,
                key: self.key.as_deref(),
                yank: self.yank.as_ref().map(each),
                endorsements: self.endorsements.iter().map(each).collect(),
                confirmations: self.confirmations.iter().map(each).collect(),
                handover: self.handover.as_ref().map(each),
                sbom: self.sbom,
            },
            bytes: &self.bytes,
            policy: terms.policy,
            lock: terms.lock,
            now: terms.now,
        }
    }
}

impl FolderRegistry {
    /// The best version of a plugin that fits and is not withdrawn, verified. A locked version is kept while it fits: it has to
    /// have the locked digest, and is refused when it was withdrawn. Gives also how far the index was.
    ///
    /// # Errors
    /// When there is none, or anything about it is not as it should be.
    pub fn find(
        &self,
        name: &PluginName,
        requirement: &VersionReq,
        terms: &Terms<'_>,
    ) -> Result<(FoundPlugin, IndexPosition), Error> {
        let index = self.known_index(name)?;
        index.intact()?;
        // Said before anything is read: these need no more than the index. What became of the locked version is said before what
        // became of the whole index.
        let locked = match terms.lock.filter(|lock| requirement.matches(&lock.version)) {
            Some(lock) => Some(locked_line(&index, lock)?),
            None => None,
        };
        if let Some(seen) = terms.seen {
            index.continues(seen)?;
        }
        let line = match locked {
            Some(line) => line,
            None => self.choose(&index, requirement, terms.policy)?,
        };
        let gathered = self.gather(&index, line)?;
        Ok((verify(&gathered.facts(&index, terms))?, index.position()))
    }

    fn choose<'i>(&self, index: &'i Index, requirement: &VersionReq, policy: &Policy) -> Result<&'i Line, Error> {
        let mut fitting: Vec<_> =
            index.of(LineKind::Publish).filter(|line| requirement.matches(&line.version)).collect();
        fitting.sort_by(|a, b| b.version.cmp(&a.version));
        for line in &fitting {
            match index.yanked(&line.version) {
                None => return Ok(line),
                // Passing over a version is a downgrade, so the withdrawal must be real.
                Some(yank) => valid_yank(index, yank, line, self.key_text(&yank.signer)?.as_deref(), policy)?,
            }
        }
        match fitting.first().and_then(|line| index.yanked(&line.version).map(|yank| yanked(index, line, yank))) {
            Some(withdrawn) => Err(withdrawn),
            None => Err(unknown_version(index, requirement)),
        }
    }

    /// Reads what verification needs.
    pub(crate) fn gather<'i>(&self, index: &'i Index, line: &'i Line) -> Result<Gathered<'i>, Error> {
        if line.size > MOST_PACKAGE_BYTES {
            return Err(Error::damaged(
                Index::path(&index.name),
                format!("`{}` has {} bytes, at most {MOST_PACKAGE_BYTES} are allowed", line.what(), line.size),
            ));
        }
        let path = blob_path(&line.digest);
        let bytes = match storage::read_blob(&self.dir, &path, line.size)? {
            Some(Blob::Whole(bytes)) => bytes,
            Some(Blob::Length(length)) => {
                return Err(Error::DigestMismatch {
                    what: line.what(),
                    expected: format!("{} bytes", line.size),
                    found: format!("{length} bytes"),
                });
            }
            None => return Err(Error::damaged(path, format!("the component of `{}` is missing", line.what()))),
        };
        let yank = match index.yanked(&line.version) {
            Some(yank) => Some((yank, self.key_text(&yank.signer)?)),
            None => None,
        };
        let mut endorsements = Vec::new();
        for line in index.endorsed(&line.version).take(MOST_ENDORSEMENTS) {
            endorsements.push((line, self.key_text(&line.signer)?));
        }
        let mut confirmations = Vec::new();
        for line in index.of(LineKind::Confirm).rev().take(MOST_CONFIRMATIONS) {
            confirmations.push((line, self.key_text(&line.signer)?));
        }
        let handover = match index.handed_over_to(&line.signer) {
            Some(handover) => Some((handover, self.key_text(&handover.signer)?)),
            None => None,
        };
        let sbom = match &line.sbom {
            None => None,
            Some(digest) => {
                storage::read(&self.dir, &blob_path(digest), MOST_SBOM_BYTES)?.map(|bytes| Digest::of(&bytes))
            }
        };
        let key = self.key_text(&line.signer)?;
        Ok(Gathered { line, bytes, key, yank, endorsements, confirmations, handover, sbom })
    }
}

/// The line of the version that is locked, with the digest that is locked.
fn locked_line<'i>(index: &'i Index, lock: &LockedPlugin) -> Result<&'i Line, Error> {
    let mismatch = |reason| Err(Error::LockMismatch { name: index.name.clone(), reason });
    match index.published(&lock.version) {
        None => mismatch(format!("the locked version `{}` is not in the registry", lock.version)),
        Some(line) if line.digest != lock.digest => {
            mismatch(format!("`{}` is {} in the registry, and {} is locked", line.version, line.digest, lock.digest))
        }
        Some(line) => Ok(line),
    }
}

pub(crate) fn unknown_version(index: &Index, requirement: &impl Display) -> Error {
    let mut known: Vec<Version> = index
        .of(LineKind::Publish)
        .map(|line| line.version.clone())
        .filter(|version| index.yanked(version).is_none())
        .collect();
    known.sort_by(|a, b| b.cmp(a));
    Error::UnknownVersion { name: index.name.clone(), requirement: requirement.to_string(), known }
}

/// A component from a file that a workflow names (`uses: ./file.wasm`). Nobody signed it, so the policy has to admit such files.
///
/// # Errors
/// When the policy admits no unsigned files, or anything about it is not as it should be.
pub fn find_file(bytes: &[u8], policy: &Policy, lock: Option<&LockedPlugin>) -> Result<FoundPlugin, Error> {
    // Nothing about a file depends on the time.
    verify(&Facts { origin: Origin::File, bytes: &Arc::from(bytes), policy, lock, now: Timestamp(0) })
}
