//! When a task is tried again, and how long it waits before.

use orch_core::{Failure, FailureKind, Period, TaskOutcome};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What happens when an attempt fails.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retry {
    /// `retry: never`: one attempt, and when nobody knows how it ended, a person says what comes of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub never: bool,
    /// Attempts in all, the first one included.
    pub attempts: u32,
    /// How the waits grow.
    pub backoff: Backoff,
    /// The wait before the second attempt.
    pub initial: Period,
    /// The longest wait.
    pub max: Period,
    /// How waits are spread.
    pub jitter: Jitter,
    /// The outcomes after which it is tried again.
    pub on: Vec<TaskOutcome>,
    /// No attempt begins later than this after the first one began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Period>,
}

/// How waits grow from attempt to attempt.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Backoff {
    /// Always the same.
    Fixed,
    /// By the initial wait each time.
    Linear,
    /// Twice as long each time.
    #[default]
    Exponential,
}

/// How waits are spread, so that many tasks that fail together do not come back together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Jitter {
    /// Not at all.
    None,
    /// Anywhere between nothing and the whole wait.
    #[default]
    Full,
}

impl Default for Retry {
    fn default() -> Retry {
        Retry {
            never: false,
            attempts: 1,
            backoff: Backoff::default(),
            initial: Period::from_millis(1_000),
            max: Period::from_millis(60_000),
            jitter: Jitter::default(),
            on: vec![TaskOutcome::Errored, TaskOutcome::TimedOut],
            budget: None,
        }
    }
}

impl Retry {
    /// Whether a workflow that says nothing would have the same.
    pub fn is_default(&self) -> bool {
        *self == Retry::default()
    }

    /// Whether an attempt that ended so is followed by another one, if there are attempts left. A fault that says of itself that
    /// the same call may succeed later counts as `errored`; what would fail in the same way again is not tried again.
    pub fn applies(&self, failure: &Failure) -> bool {
        match &failure.what {
            FailureKind::Dependency { retryable: true, .. } => {
                self.on.contains(&TaskOutcome::Errored) || self.on.contains(&TaskOutcome::Failed)
            }
            FailureKind::InvalidInput
            | FailureKind::Denied { .. }
            | FailureKind::Expression
            | FailureKind::Unloadable { .. }
            | FailureKind::Cancelled => false,
            _ => self.on.contains(&failure.outcome()),
        }
    }

    /// The wait after `attempt` (1 for the first). `spread` lies in `0..1` and decides where the jitter falls.
    pub fn delay(&self, attempt: u32, spread: f64) -> Duration {
        let initial = self.initial.duration();
        let grown = match self.backoff {
            Backoff::Fixed => initial,
            Backoff::Linear => initial.saturating_mul(attempt),
            Backoff::Exponential => initial.saturating_mul(2_u32.saturating_pow(attempt.saturating_sub(1))),
        };
        let capped = grown.min(self.max.duration());
        match self.jitter {
            Jitter::None => capped,
            Jitter::Full => capped.mul_f64(spread.clamp(0.0, 1.0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(backoff: Backoff) -> Vec<u128> {
        let retry = Retry { backoff, jitter: Jitter::None, max: Period::from_millis(5_000), ..Retry::default() };
        (1..=5).map(|attempt| retry.delay(attempt, 0.3).as_millis()).collect()
    }

    #[test]
    fn waits_grow_as_said_up_to_the_longest() {
        assert_eq!(waits(Backoff::Fixed), [1_000, 1_000, 1_000, 1_000, 1_000]);
        assert_eq!(waits(Backoff::Linear), [1_000, 2_000, 3_000, 4_000, 5_000]);
        assert_eq!(waits(Backoff::Exponential), [1_000, 2_000, 4_000, 5_000, 5_000]);
        assert_eq!(Retry::default().delay(1, 0.25).as_millis(), 250);
        assert!(Retry::default().delay(u32::MAX, 1.0) <= Duration::from_secs(60), "no overflow");
    }

    #[test]
    fn what_would_fail_again_is_not_tried_again() {
        let failed = |what| Retry::default().applies(&Failure::new(what, "x"));
        assert!(failed(FailureKind::Trap) && failed(FailureKind::Timeout));
        assert!(failed(FailureKind::Dependency { target: "x".into(), retryable: true }));
        assert!(!failed(FailureKind::Dependency { target: "x".into(), retryable: false }));
        assert!(!failed(FailureKind::Failed) && !failed(FailureKind::InvalidInput) && !failed(FailureKind::Cancelled));
    }
}
