//! What `scan` takes and returns.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A kind of files that have rules in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// `Dockerfile` and `Containerfile`.
    Dockerfile,
    /// YAML with `apiVersion` and `kind`.
    Kubernetes,
    /// `compose.yaml` and its older names.
    Compose,
    /// `.tf` and `.tofu`.
    Terraform,
    /// Workflows below `.github/workflows` and composite actions.
    Actions,
}

impl Family {
    /// All of them, in the order of the documentation.
    pub const ALL: [Family; 5] =
        [Family::Dockerfile, Family::Kubernetes, Family::Compose, Family::Terraform, Family::Actions];

    /// As users write it, and as rules of the family begin.
    pub fn name(self) -> &'static str {
        match self {
            Family::Dockerfile => "dockerfile",
            Family::Kubernetes => "kubernetes",
            Family::Compose => "compose",
            Family::Terraform => "terraform",
            Family::Actions => "actions",
        }
    }
}

/// What `scan` takes.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Input {
    /// The kinds of files to read; all if left out.
    #[serde(default)]
    pub families: Option<BTreeSet<Family>>,
    /// Rules to leave out, such as `dockerfile/no-healthcheck`.
    #[serde(default)]
    pub skip_rules: BTreeSet<String>,
    /// Patterns of files and folders to leave out: `*` and `?` in a name, `**` for folders; without `/` at any depth.
    #[serde(default)]
    pub exclude: Vec<String>,
}

/// What `scan` returns.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Output {
    /// How many files of each family were read.
    pub files: BTreeMap<Family, usize>,
    /// Their size together, in bytes.
    pub bytes: u64,
    /// How many rules were applied.
    pub rules: usize,
    /// Open findings by severity.
    pub findings: Severities,
    /// Findings that a comment with a reason takes out.
    pub suppressed: usize,
    /// Files that were not read, or not to their end, each also a finding with the status `error`; at most 1,000.
    pub skipped: Vec<Skipped>,
}

/// How many findings of each severity.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Severities {
    /// An attacker takes over without further help.
    pub critical: usize,
    /// A way in, or to more power.
    pub high: usize,
    /// Makes an attack easier or its damage larger.
    pub medium: usize,
    /// A habit worth having.
    pub low: usize,
    /// A remark.
    pub info: usize,
}

/// A file that was not read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Skipped {
    /// Relative to the tree.
    pub path: String,
    /// Why.
    pub reason: String,
}
