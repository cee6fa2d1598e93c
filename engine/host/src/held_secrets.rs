//! The secrets of one attempt: fetched before the guest starts, so that masking covers them from the first line on, and dropped
//! with the attempt.

use orch_core::{EffectiveSecret, Failure, FailureKind, Masker, Secret, SecretName, SecretSource};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What every placeholder begins with.
pub(crate) const PLACEHOLDER: &str = "orch-secret-";

/// A granted secret with its value.
pub(crate) struct HeldSecret {
    pub(crate) grant: EffectiveSecret,
    pub(crate) value: Arc<Secret>,
    /// Stands for the value in this attempt and in no other: one that leaked is worth nothing.
    pub(crate) placeholder: String,
}

/// All secrets of an attempt.
pub(crate) struct HeldSecrets {
    all: Vec<HeldSecret>,
    masker: Arc<Masker>,
    tainted: AtomicBool,
}

impl HeldSecrets {
    /// Of an attempt that was granted none.
    pub(crate) fn none() -> HeldSecrets {
        HeldSecrets { all: Vec::new(), masker: Arc::new(Masker::empty()), tainted: AtomicBool::new(false) }
    }

    /// Fetches all that were granted. May block for as long as a source takes.
    ///
    /// # Errors
    /// When one cannot be had: a task must not run without what it was promised.
    pub(crate) fn fetch(grants: &[EffectiveSecret], source: &dyn SecretSource) -> Result<HeldSecrets, Failure> {
        let mut all = Vec::with_capacity(grants.len());
        for grant in grants {
            let value = source.find(&grant.source).map_err(|reason| missing(&grant.name, &reason))?;
            let placeholder = placeholder().map_err(|reason| missing(&grant.name, &reason))?;
            all.push(HeldSecret { grant: grant.clone(), value, placeholder });
        }
        let named: Vec<_> = all.iter().map(|one| (&one.grant.name, &*one.value)).collect();
        let masker = Masker::new(&named).map_err(|reason| {
            let what = FailureKind::Dependency { target: "secrets".to_owned(), retryable: false };
            Failure::new(what, format!("the values of the task's secrets cannot be masked: {reason}"))
        })?;
        Ok(HeldSecrets { masker: Arc::new(masker), all, tainted: AtomicBool::new(false) })
    }

    pub(crate) fn all(&self) -> &[HeldSecret] {
        &self.all
    }

    pub(crate) fn masker(&self) -> &Arc<Masker> {
        &self.masker
    }

    /// The guest has seen a value.
    pub(crate) fn taint(&self) {
        self.tainted.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_tainted(&self) -> bool {
        self.tainted.load(Ordering::Relaxed)
    }
}

fn missing(name: &SecretName, reason: &str) -> Failure {
    // The same source would say the same again: somebody has to do something about it.
    let what = FailureKind::Dependency { target: format!("secret {name}"), retryable: false };
    Failure::new(what, format!("the secret `{name}` cannot be had: {reason}"))
}

fn placeholder() -> Result<String, String> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(|error| format!("the system gives no random bytes: {error}"))?;
    Ok(random.iter().fold(PLACEHOLDER.to_owned(), |text, byte| text + &format!("{byte:02x}")))
}
