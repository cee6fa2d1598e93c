//! What a plugin says of itself. It travels inside the component, as canonical JSON in a custom section.

use crate::{Ask, Digest, LimitsRequest, PluginName, PluginTaskName, digest_of};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A plugin's manifest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The version of this format.
    pub schema: String,
    /// `namespace/name`
    pub name: PluginName,
    /// Semantic version.
    pub version: semver::Version,
    /// One or two sentences.
    pub description: String,
    /// An SPDX expression.
    pub license: String,
    /// What it can do.
    pub tasks: BTreeMap<PluginTaskName, TaskManifest>,
    /// The most it will ever ask for.
    #[serde(default)]
    pub permissions: Ask,
    /// Limits it would like to have.
    #[serde(default)]
    pub limits: LimitsRequest,
}

/// One task of a plugin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskManifest {
    /// One or two sentences.
    pub description: String,
    /// Whether running it twice does no more than running it once.
    #[serde(default)]
    pub idempotent: bool,
    /// JSON Schema (draft 2020-12) of what it takes.
    pub input: serde_json::Value,
    /// JSON Schema (draft 2020-12) of what it returns.
    pub output: serde_json::Value,
}

impl Manifest {
    /// The version of this format.
    pub const SCHEMA: &'static str = "orch-plugin/v1";

    /// The digest of what the plugin asks for; a lock file pins it, so that an update that asks for more is noticed. The
    /// reasons do not count: rewording one is no new permission.
    pub fn capability_hash(&self) -> Digest {
        digest_of(&self.permissions.without_reasons())
    }
}
