//! What the host's owner allows: who may sign, what may be granted, how much may be used.

use crate::{Access, Digest, EnvName, LimitsRequest, PluginName, SignerId};
use serde::{Deserialize, Serialize};

/// The host's policy. Made from a policy file or, without one, by [`Policy::built_in`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// Where it comes from, for messages: a path, or `the built-in policy`.
    pub origin: String,
    /// Who may sign which plugins. A plugin that no rule names is not trusted.
    pub trust: Vec<TrustRule>,
    /// Whether `uses: ./file.wasm` may run without a signature.
    pub unsigned_files: bool,
    /// Components that never run.
    pub banned: Vec<Digest>,
    /// Ceilings.
    pub limits: LimitsRequest,
    /// What may be granted; the first block whose pattern matches the plugin applies. Without a match nothing may.
    pub plugins: Vec<PluginRules>,
}

const BUILT_IN: &str = "the built-in policy";

/// `*`, `prefix*` or a whole name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamePattern(pub String);

impl NamePattern {
    /// Whether a name fits. The star stands for any rest, also an empty one.
    pub fn matches(&self, name: &str) -> bool {
        match self.0.strip_suffix('*') {
            Some(prefix) => name.starts_with(prefix),
            None => self.0 == name,
        }
    }
}

/// Who may sign plugins whose name fits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrustRule {
    /// Over `namespace/name`.
    pub plugins: NamePattern,
    /// Any one of them suffices.
    pub signers: Vec<SignerId>,
}

/// What plugins whose name fits may be granted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginRules {
    /// Over `namespace/name`.
    pub plugins: NamePattern,
    /// Folders.
    pub fs: FsRule,
    /// Environment variables that may be granted.
    pub env: Vec<NamePattern>,
    /// Environment variables that may not, whatever `env` says.
    pub env_deny: Vec<NamePattern>,
    /// Whether artifacts may be granted.
    pub artifacts: bool,
}

/// Which folders may be mounted. Deny beats allow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FsRule {
    /// Folders at or below which a mount may lie, absolute and normalised.
    pub allow: Vec<PathRule>,
    /// Folders at, below or above which no mount may lie.
    pub deny: Vec<camino::Utf8PathBuf>,
}

/// One allowed folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathRule {
    /// Absolute and normalised.
    pub path: camino::Utf8PathBuf,
    /// The most that may be granted.
    pub access: Access,
}

impl Policy {
    /// The policy that holds without a file: folders below the workflow's own, the environment variables the workflow names,
    /// artifacts, and plugins signed by a key that this installation trusts.
    pub fn built_in(workflow_folder: camino::Utf8PathBuf, trusted: Vec<SignerId>) -> Policy {
        Policy {
            origin: BUILT_IN.to_owned(),
            trust: vec![TrustRule { plugins: NamePattern("*".to_owned()), signers: trusted }],
            unsigned_files: false,
            banned: Vec::new(),
            limits: LimitsRequest::default(),
            plugins: vec![PluginRules {
                plugins: NamePattern("*".to_owned()),
                fs: FsRule { allow: vec![PathRule { path: workflow_folder, access: Access::Write }], deny: Vec::new() },
                env: vec![NamePattern("*".to_owned())],
                env_deny: Vec::new(),
                artifacts: true,
            }],
        }
    }

    /// Whether no policy file was found.
    pub fn is_built_in(&self) -> bool {
        self.origin == BUILT_IN
    }

    /// Whether a signer may sign a plugin.
    pub fn trusts(&self, plugin: &PluginName, signer: &SignerId) -> bool {
        self.trust.iter().any(|rule| rule.plugins.matches(plugin.as_str()) && rule.signers.contains(signer))
    }

    /// The block that applies to a plugin.
    pub fn rules_for(&self, plugin: &PluginName) -> Option<&PluginRules> {
        self.plugins.iter().find(|rules| rules.plugins.matches(plugin.as_str()))
    }
}

impl PluginRules {
    /// Whether an environment variable may be granted.
    pub fn allows_env(&self, name: &EnvName) -> bool {
        let any = |patterns: &[NamePattern]| patterns.iter().any(|pattern| pattern.matches(name.as_str()));
        any(&self.env) && !any(&self.env_deny)
    }
}
