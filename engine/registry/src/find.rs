//! From a reference to verified bytes: choose a version, read its component once, and have `verify` decide.

use crate::folder::blob_path;
use crate::index::{Index, Line, LineKind};
use crate::storage::Blob;
use crate::verify::{Facts, Origin, valid_yank, verify, yanked};
use crate::{Error, FolderRegistry, LockFile, LockedPlugin, MOST_PACKAGE_BYTES, storage};
use orch_core::{Digest, FoundPlugin, PluginName, PluginSource, Policy};
use semver::{Version, VersionReq};
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
}

impl PluginSource for LockedRegistry<'_> {
    type Error = Error;
    fn find(&self, name: &PluginName, requirement: &VersionReq) -> Result<FoundPlugin, Error> {
        self.registry.find(name, requirement, self.policy, self.lock.locked(name, requirement))
    }
}

/// Endorsements of one version that are looked at.
pub(crate) const MOST_ENDORSEMENTS: usize = 100;
/// Bytes of a bill of materials.
pub(crate) const MOST_SBOM_BYTES: u64 = 16 << 20;

/// What verification needs to have read from a registry.
pub(crate) struct Gathered<'i> {
    pub(crate) line: &'i Line,
    pub(crate) bytes: Arc<[u8]>,
    key: Option<String>,
    yank: Option<(&'i Line, Option<String>)>,
    endorsements: Vec<(&'i Line, Option<String>)>,
    sbom: Option<Digest>,
}

impl<'i> Gathered<'i> {
    pub(crate) fn facts<'a>(&'a self, index: &'i Index, policy: &'a Policy, lock: Option<&'a LockedPlugin>) -> Facts<'a>
    where
        'i: 'a,
    {
        let yank = self.yank.as_ref().map(|(line, key)| (*line, key.as_deref()));
        let endorsements = self.endorsements.iter().map(|(line, key)| (*line, key.as_deref())).collect();
        let (key, sbom) = (self.key.as_deref(), self.sbom);
        Facts {
            origin: Origin::Index { index, line: self.line, key, yank, endorsements, sbom },
            bytes: &self.bytes,
            policy,
            lock,
        }
    }
}

impl FolderRegistry {
    /// The best version of a plugin that fits and is not withdrawn, verified. A locked version is kept while it fits: it has to
    /// have the locked digest, and is refused when it was withdrawn.
    ///
    /// # Errors
    /// When there is none, or anything about it is not as it should be.
    pub fn find(
        &self,
        name: &PluginName,
        requirement: &VersionReq,
        policy: &Policy,
        lock: Option<&LockedPlugin>,
    ) -> Result<FoundPlugin, Error> {
        let index = self.known_index(name)?;
        index.intact()?;
        let line = self.choose(&index, requirement, policy, lock)?;
        // Said before anything is read: these need no more than the index.
        if let Some(lock) = lock.filter(|lock| lock.version == line.version && lock.digest != line.digest) {
            let reason =
                format!("`{}` is {} in the registry, and {} is locked", line.version, line.digest, lock.digest);
            return Err(Error::LockMismatch { name: name.clone(), reason });
        }
        let gathered = self.gather(&index, line)?;
        verify(&gathered.facts(&index, policy, lock))
    }

    fn choose<'i>(
        &self,
        index: &'i Index,
        requirement: &VersionReq,
        policy: &Policy,
        lock: Option<&LockedPlugin>,
    ) -> Result<&'i Line, Error> {
        if let Some(lock) = lock.filter(|lock| requirement.matches(&lock.version)) {
            return index.published(&lock.version).ok_or_else(|| Error::LockMismatch {
                name: index.name.clone(),
                reason: format!("the locked version `{}` is not in the registry", lock.version),
            });
        }
        let mut fitting: Vec<_> =
            index.of(LineKind::Publish).filter(|line| requirement.matches(&line.version)).collect();
        fitting.sort_by(|a, b| b.version.cmp(&a.version));
        for line in &fitting {
            match index.yanked(&line.version) {
                None => return Ok(line),
                // Passing over a version is a downgrade, so the withdrawal must be real.
                Some(yank) => valid_yank(yank, line, self.key_text(&yank.signer)?.as_deref(), policy)?,
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
        let sbom = match &line.sbom {
            None => None,
            Some(digest) => {
                storage::read(&self.dir, &blob_path(digest), MOST_SBOM_BYTES)?.map(|bytes| Digest::of(&bytes))
            }
        };
        Ok(Gathered { line, bytes, key: self.key_text(&line.signer)?, yank, endorsements, sbom })
    }
}

pub(crate) fn unknown_version(index: &Index, requirement: &VersionReq) -> Error {
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
    verify(&Facts { origin: Origin::File, bytes: &Arc::from(bytes), policy, lock })
}
