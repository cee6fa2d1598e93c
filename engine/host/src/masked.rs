//! Everything that leaves an attempt, without its secrets. What is cut to a length is masked before as well, where it is cut: half
//! a secret is not found any more.

use orch_core::{Failure, FailureKind, Finding, LiveEvents, LogLevel, Masker, Refusal, StoredArtifact};
use std::sync::Arc;

/// Masks what an attempt says while it runs.
struct MaskedEvents {
    inner: Arc<dyn LiveEvents>,
    masker: Arc<Masker>,
}

/// The same events without secrets.
pub(crate) fn masked(live: Arc<dyn LiveEvents>, masker: &Arc<Masker>) -> Arc<dyn LiveEvents> {
    match masker.is_empty() {
        true => live,
        false => Arc::new(MaskedEvents { inner: live, masker: Arc::clone(masker) }),
    }
}

impl MaskedEvents {
    fn text(&self, text: String) -> String {
        self.masker.mask_owned(text)
    }
}

impl LiveEvents for MaskedEvents {
    fn log(&self, level: LogLevel, message: String, fields: Vec<(String, String)>) {
        let fields = fields.into_iter().map(|(name, value)| (self.text(name), self.text(value))).collect();
        self.inner.log(level, self.text(message), fields);
    }

    fn progress(&self, done: u64, total: Option<u64>, note: Option<String>) {
        self.inner.progress(done, total, note.map(|note| self.text(note)));
    }

    fn findings(&self, findings: Vec<Finding>) {
        let masked = findings.into_iter().map(|finding| {
            // Each field by name: one that is added later does not compile until somebody thought of it.
            let Finding {
                rule,
                severity,
                status,
                title,
                detail,
                fingerprint,
                mut location,
                remediation,
                references,
                mut data,
            } = finding;
            if let Some(location) = &mut location {
                location.path = self.text(std::mem::take(&mut location.path));
            }
            if let Some(data) = &mut data {
                self.masker.mask_json(data);
            }
            Finding {
                rule: self.text(rule),
                severity,
                status,
                title: self.text(title),
                detail: detail.map(|text| self.text(text)),
                fingerprint: self.text(fingerprint),
                location,
                remediation: remediation.map(|text| self.text(text)),
                references: references.into_iter().map(|text| self.text(text)).collect(),
                data,
            }
        });
        self.inner.findings(masked.collect());
    }

    fn refused(&self, refusal: Refusal) {
        let Refusal { capability, target, by, reason, fix, counted } = refusal;
        self.inner.refused(Refusal {
            capability: self.text(capability),
            target: self.text(target),
            by,
            reason: self.text(reason),
            fix: fix.map(|fix| self.text(fix)),
            counted,
        });
    }

    fn stored(&self, artifact: StoredArtifact) {
        let StoredArtifact { name, media_type, digest, bytes } = artifact;
        // Its name was granted, and one that holds a secret was refused.
        self.inner.stored(StoredArtifact { name, media_type: self.text(media_type), digest, bytes });
    }
}

/// A failure without secrets, in all that it quotes.
pub(crate) fn masked_failure(failure: Failure, masker: &Masker) -> Failure {
    let text = |text: String| masker.mask_owned(text);
    let Failure { what, message, fix } = failure;
    let what = match what {
        FailureKind::Denied { capability, target } => {
            FailureKind::Denied { capability: text(capability), target: text(target) }
        }
        FailureKind::Dependency { target, retryable } => FailureKind::Dependency { target: text(target), retryable },
        FailureKind::Limit { limit, value } => FailureKind::Limit { limit: text(limit), value: text(value) },
        what @ (FailureKind::InvalidInput
        | FailureKind::Failed
        | FailureKind::Rejected
        | FailureKind::Trap
        | FailureKind::Timeout
        | FailureKind::InvalidOutput
        | FailureKind::Unloadable { .. }
        | FailureKind::Expression
        | FailureKind::Cancelled
        | FailureKind::Bug) => what,
    };
    Failure { what, message: text(message), fix: fix.map(text) }
}
