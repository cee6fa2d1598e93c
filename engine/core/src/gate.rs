//! What a gate decided, as it stands in the log.

use serde::{Deserialize, Serialize};

/// How one check of a gate came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CheckVerdict {
    /// The assertion holds.
    Passed,
    /// It does not, and that blocks.
    Failed,
    /// It does not, and the workflow says to warn only.
    Warned,
    /// It could not be evaluated, which blocks whatever the workflow says.
    Errored,
}

/// One check of a gate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckResult {
    /// The check's id.
    pub id: String,
    /// The assertion as written.
    pub assert: String,
    /// How it came out.
    pub verdict: CheckVerdict,
    /// Why, when it did not pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// What a gate decided and on what ground.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GateDecision {
    /// Every check, in the order of the workflow.
    pub checks: Vec<CheckResult>,
    /// The run whose findings were the baseline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<String>,
    /// Open findings that are not in the baseline and not waived.
    pub new: usize,
    /// Open findings that are not waived.
    pub open: usize,
    /// Fingerprints that a waiver covered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waived: Vec<String>,
    /// Waivers that have expired and so covered nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expired_waivers: Vec<String>,
}

impl GateDecision {
    /// Whether the gate blocks the run.
    pub fn blocks(&self) -> bool {
        self.checks.iter().any(|check| matches!(check.verdict, CheckVerdict::Failed | CheckVerdict::Errored))
    }
}
