//! Every fact about a package, for `plugin verify`. The facts are those of `verify`, which alone decides.

use crate::find::unknown_version;
use crate::index::LineKind;
use crate::verify::{Check, Examined, Facts, Finding, Origin, examine};
use crate::{Error, FolderRegistry, LockedPlugin, Terms};
use orch_core::{Code, Digest, Manifest, PluginName, Policy, SignerId, Timestamp};
use semver::{Version, VersionReq};
use serde::Serialize;
use std::sync::Arc;

/// Everything that is known about a package.
#[derive(Debug, Clone, Serialize)]
pub struct PackageReport {
    /// What the index says it is, else what its manifest says; absent when neither can be read.
    pub name: Option<PluginName>,
    /// As for the name.
    pub version: Option<Version>,
    /// The digest of its bytes.
    pub digest: Digest,
    /// How many bytes it has.
    pub size: u64,
    /// Whom the index names; absent for a file.
    pub signer: Option<SignerId>,
    /// When it was published; absent for a file.
    pub published: Option<Timestamp>,
    /// What is inside, if it can be read.
    pub manifest: Option<Manifest>,
    /// One for each [`Check`], in their order.
    pub facts: Vec<Fact>,
    /// Whether the index ends with a line that was cut off; the next publish repairs it.
    pub torn: bool,
    /// Whether all of the facts hold.
    pub good: bool,
}

/// What was found out about one check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fact {
    /// What was checked.
    pub check: Check,
    /// How it came out.
    pub state: FactState,
}

/// How a check came out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FactState {
    /// It is as it should be.
    Holds {
        /// What was found.
        detail: String,
    },
    /// It is not.
    Fails {
        /// Why, as a code.
        code: Code,
        /// Why.
        message: String,
        /// What to do.
        help: Option<String>,
    },
    /// It cannot be looked at, because another check failed.
    Unknown {
        /// Why not.
        reason: String,
    },
}

impl FolderRegistry {
    /// Looks at every fact about the version that [`FolderRegistry::find`] would take, or at the highest that was withdrawn if
    /// no other fits.
    ///
    /// # Errors
    /// When there is no such version, or its files cannot be read at all.
    pub fn verify_package(
        &self,
        name: &PluginName,
        requirement: &VersionReq,
        terms: &Terms<'_>,
    ) -> Result<PackageReport, Error> {
        let index = self.known_index(name)?;
        let locked = terms
            .lock
            .filter(|lock| requirement.matches(&lock.version))
            .and_then(|lock| index.published(&lock.version));
        let best = || {
            let fitting = index.of(LineKind::Publish).filter(|line| requirement.matches(&line.version));
            fitting.max_by_key(|line| (index.yanked(&line.version).is_none(), line.version.clone()))
        };
        let Some(line) = locked.or_else(best) else {
            index.intact()?;
            return Err(unknown_version(&index, requirement));
        };
        let gathered = self.gather(&index, line)?;
        let mut report = report(&gathered.facts(&index, terms));
        report.torn = index.torn > 0;
        Ok(report)
    }
}

/// Looks at every fact about a component from a file.
pub fn verify_file(bytes: &[u8], policy: &Policy, lock: Option<&LockedPlugin>) -> PackageReport {
    report(&Facts { origin: Origin::File, bytes: &Arc::from(bytes), policy, lock, now: Timestamp(0) })
}

fn report(facts: &Facts<'_>) -> PackageReport {
    let Examined { digest, manifest, findings } = examine(facts);
    let facts_found: Vec<_> =
        findings.into_iter().map(|(check, finding)| Fact { check, state: state(finding) }).collect();
    let line = match &facts.origin {
        Origin::Index { line, .. } => Some(*line),
        Origin::File => None,
    };
    let inside = manifest.as_deref();
    PackageReport {
        name: line.map(|line| &line.name).or(inside.map(|manifest| &manifest.name)).cloned(),
        version: line.map(|line| &line.version).or(inside.map(|manifest| &manifest.version)).cloned(),
        digest,
        size: facts.bytes.len() as u64,
        signer: line.map(|line| line.signer.clone()),
        published: line.map(|line| line.time),
        good: facts_found.iter().all(|fact| matches!(fact.state, FactState::Holds { .. })),
        facts: facts_found,
        torn: false,
        manifest: manifest.map(Arc::unwrap_or_clone),
    }
}

fn state(finding: Finding) -> FactState {
    match finding {
        Finding::Holds(detail) => FactState::Holds { detail },
        Finding::Fails(error) => {
            FactState::Fails { code: error.code(), message: error.to_string(), help: error.help() }
        }
        Finding::Unknown(reason) => FactState::Unknown { reason: reason.to_owned() },
    }
}
