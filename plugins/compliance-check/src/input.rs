//! What the task takes and what it returns.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What to check.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Input {
    /// Names of built-in profiles (`debian-12`, `ssh`), and paths of files below the mount `profiles` (ending in `.yaml` or `.yml`).
    pub profiles: Vec<String>,
    /// Only controls whose id fits one of these; `*` and `?` stand for parts of an id. Empty: all.
    pub include: Vec<String>,
    /// No controls whose id fits one of these.
    pub exclude: Vec<String>,
    /// Results of other tools below the mount `results`: JSON of InSpec, or SARIF 2.1.0.
    pub import: Vec<String>,
    /// The time to write into `hdf.json`, as RFC 3339. Without it the format's required time is 1970-01-01T00:00:00Z, and the same
    /// system gives the same bytes.
    pub timestamp: Option<String>,
}

impl Default for Input {
    fn default() -> Input {
        let profiles = vec!["debian-12".to_owned(), "ssh".to_owned()];
        Input { profiles, include: Vec::new(), exclude: Vec::new(), import: Vec::new(), timestamp: None }
    }
}

/// How it went.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Output {
    /// Each profile, and each imported one.
    pub profiles: Vec<ProfileCounts>,
    /// Controls that hold.
    pub passed: u64,
    /// Controls that do not hold.
    pub failed: u64,
    /// Controls with nothing to check.
    pub not_applicable: u64,
    /// Controls that could not be checked.
    pub errors: u64,
    /// `passed / (passed + failed)`, from 0 to 1; none if neither was found.
    pub score: Option<f64>,
    /// The failed ones, as `profile/id`, at most 500.
    pub failed_controls: Vec<String>,
}

/// The counts of one profile.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct ProfileCounts {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Of imported results: the tool that made them.
    pub tool: Option<String>,
    /// Controls that hold.
    pub passed: u64,
    /// Controls that do not hold.
    pub failed: u64,
    /// Controls with nothing to check.
    pub not_applicable: u64,
    /// Controls that could not be checked.
    pub errors: u64,
}
