//! What is signed: a line that names the purpose, then canonical JSON. A signature for one purpose is none for another.

use orch_core::{Digest, PluginName, Timestamp, canonical_json};
use semver::Version;
use serde::Serialize;

/// `name` in this `version` is the component `digest` and asks for what `capability_hash` stands for. Who endorses a
/// version signs the same.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct PluginStatement<'a> {
    pub(crate) name: &'a PluginName,
    pub(crate) version: &'a Version,
    pub(crate) digest: &'a Digest,
    pub(crate) capability_hash: &'a Digest,
    /// Its bill of materials.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sbom: Option<&'a Digest>,
}

/// `name` in this `version`, which was `digest`, is withdrawn for a reason.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct YankStatement<'a> {
    pub(crate) name: &'a PluginName,
    pub(crate) version: &'a Version,
    pub(crate) digest: &'a Digest,
    pub(crate) reason: &'a str,
}

/// At this `time` the index of `name` ended with the line of which `head` is the hash, and so with everything before it.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct ConfirmStatement<'a> {
    pub(crate) name: &'a PluginName,
    pub(crate) head: &'a Digest,
    pub(crate) time: Timestamp,
}

/// After the line of which `head` is the hash, the key that signs this signs nothing more of `name`, and `successor` does instead.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct RotateStatement<'a> {
    pub(crate) name: &'a PluginName,
    pub(crate) head: &'a Digest,
    pub(crate) successor: &'a str,
}

impl ConfirmStatement<'_> {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        format!("orch-wasm confirm v1\n{}", canonical_json(self)).into_bytes()
    }
}

impl RotateStatement<'_> {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        format!("orch-wasm rotate v1\n{}", canonical_json(self)).into_bytes()
    }
}

impl PluginStatement<'_> {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        format!("orch-wasm plugin v1\n{}", canonical_json(self)).into_bytes()
    }
}

impl YankStatement<'_> {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        format!("orch-wasm yank v1\n{}", canonical_json(self)).into_bytes()
    }
}
