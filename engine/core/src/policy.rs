//! What the host's owner allows: who may sign, what may be granted, how much may be used.

use crate::{
    Access, Capability, Digest, Entropy, HostPattern, LimitsRequest, NetRule, Period, PluginName, SignerId, Size,
};
use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// The host's policy. Made from a policy file or, without one, by [`Policy::built_in`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// Where it comes from, for messages: a path, or `the built-in policy`.
    pub origin: String,
    /// Whether what it refuses is refused.
    pub mode: Mode,
    /// Who may sign which plugins. A plugin that no rule names is not trusted.
    pub trust: Vec<TrustRule>,
    /// Plugins that must have a bill of materials.
    pub sbom_required: Vec<NamePattern>,
    /// How the network is reached.
    pub network: NetworkOptions,
    /// Whether `uses: ./file.wasm` may run without a signature.
    pub unsigned_files: bool,
    /// Components that never run.
    pub banned: Vec<Digest>,
    /// Keys that somebody else has got hold of: nothing that they signed runs, whatever `trust` says.
    pub revoked_keys: Vec<SignerId>,
    /// Ceilings.
    pub limits: LimitsRequest,
    /// What may be granted; the first block whose pattern matches the plugin applies. Without a match nothing may.
    pub plugins: Vec<PluginRules>,
}

/// Whether a policy refuses, or only counts what it would refuse.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// What is not allowed does not happen.
    #[default]
    Enforce,
    /// It happens and is recorded. Trust, bans, ceilings and special addresses are never only counted.
    Count,
}

impl Mode {
    /// Whether it only counts.
    pub fn is_count(self) -> bool {
        self == Mode::Count
    }
}

/// How a host reaches a network. Nothing else is looked at: no variable of the environment, no proxy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkOptions {
    /// Name servers, each an address with a port; empty for those of the system.
    pub name_servers: Vec<SocketAddr>,
    /// Files with certificates (PEM) of authorities that are trusted besides those of the platform.
    pub root_files: Vec<Utf8PathBuf>,
    /// Whether the authorities of the platform are trusted.
    pub platform_roots: bool,
}

impl Default for NetworkOptions {
    fn default() -> NetworkOptions {
        NetworkOptions { name_servers: Vec::new(), root_files: Vec::new(), platform_roots: true }
    }
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
    /// Who.
    pub signers: Vec<SignerId>,
    /// How many of them have to have signed.
    pub at_least: u32,
    /// How old the last confirmation by one of them may be that the plugin's index is the newest; absent for any.
    pub fresh_within: Option<Period>,
}

/// What plugins whose name fits may be granted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginRules {
    /// Over `namespace/name`.
    pub plugins: NamePattern,
    /// Whether this block only counts; absent for the policy's own mode.
    pub mode: Option<Mode>,
    /// Folders.
    pub fs: FsRule,
    /// Connections.
    pub net: NetRules,
    /// Environment variables that may be granted.
    pub env: Vec<NamePattern>,
    /// Environment variables that may not, whatever `env` says.
    pub env_deny: Vec<NamePattern>,
    /// Secrets.
    pub secrets: SecretRules,
    /// Programs that may be granted.
    pub exec: Vec<ProgramRule>,
    /// The most that a place for values may hold; absent where none may be granted.
    pub kv: Option<Size>,
    /// Whether artifacts may be granted.
    pub artifacts: bool,
    /// `fixed` where real time may not be had.
    pub clock: Option<Entropy>,
    /// `fixed` where real random numbers may not be had.
    pub random: Option<Entropy>,
    /// Ceilings below those of the whole policy.
    pub limits: LimitsRequest,
    /// The line of the policy file on which each kind of permission stands, for those who ask where something comes from.
    pub lines: BTreeMap<Capability, usize>,
}

/// Which connections may be granted. Deny beats allow.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetRules {
    /// What may be granted.
    pub allow: Vec<NetRule>,
    /// What may not.
    pub deny: Vec<NetRule>,
}

/// Which secrets may be granted, by where they come from: `env:DEPLOY_*`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretRules {
    /// Sources that may be used.
    pub allow: Vec<NamePattern>,
    /// Sources that may not, whatever `allow` says.
    pub deny: Vec<NamePattern>,
    /// Whether a plugin may see a value.
    pub reveal: bool,
}

/// A program that may be granted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgramRule {
    /// Absolute.
    pub program: Utf8PathBuf,
    /// What its bytes have to be.
    pub digest: Option<Digest>,
    /// Whether it may be one that runs other programs.
    pub interpreter: bool,
    /// Whether it may keep the rights of the user who runs the engine.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unconfined: bool,
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
    /// The policy that holds without a file: folders below the workflow's own, the environment variables and secrets the workflow
    /// names, connections it names but never to special addresses, values and artifacts, and plugins signed by a key that this
    /// installation trusts. No program, and no secret is shown to a plugin.
    pub fn built_in(workflow_folder: Utf8PathBuf, trusted: Vec<SignerId>) -> Policy {
        let any = || NamePattern("*".to_owned());
        let everywhere = NetRule {
            scheme: None,
            host: HostPattern::Any,
            ports: Vec::new(),
            methods: Vec::new(),
            paths: Vec::new(),
            addresses: Vec::new(),
        };
        let sources = ["env:*", "file:*", "store:*"].map(|source| NamePattern(source.to_owned()));
        Policy {
            origin: BUILT_IN.to_owned(),
            mode: Mode::Enforce,
            trust: vec![TrustRule { plugins: any(), signers: trusted, at_least: 1, fresh_within: None }],
            sbom_required: Vec::new(),
            network: NetworkOptions::default(),
            unsigned_files: false,
            banned: Vec::new(),
            revoked_keys: Vec::new(),
            limits: LimitsRequest::default(),
            plugins: vec![PluginRules {
                fs: FsRule { allow: vec![PathRule { path: workflow_folder, access: Access::Write }], deny: Vec::new() },
                net: NetRules { allow: vec![everywhere], deny: Vec::new() },
                env: vec![any()],
                secrets: SecretRules { allow: sources.to_vec(), deny: Vec::new(), reveal: false },
                kv: Some(Size::from_mib(100)),
                artifacts: true,
                ..PluginRules::nothing(any())
            }],
        }
    }

    /// Whether no policy file was found.
    pub fn is_built_in(&self) -> bool {
        self.origin == BUILT_IN
    }

    /// Whether one of its rules is content with who signed a plugin.
    pub fn trusts(&self, plugin: &PluginName, signers: &[SignerId]) -> bool {
        self.content(plugin, signers).next().is_some()
    }

    /// The rules that are content with who signed a plugin.
    pub fn content<'a>(
        &'a self,
        plugin: &'a PluginName,
        signers: &'a [SignerId],
    ) -> impl Iterator<Item = &'a TrustRule> + 'a {
        self.trust.iter().filter(move |rule| rule.plugins.matches(plugin.as_str())).filter(move |rule| {
            let counts = |signer: &SignerId| signers.contains(signer) && !self.revoked_keys.contains(signer);
            let known = rule.signers.iter().filter(|signer| counts(signer));
            // The same key twice is one signer.
            let different: std::collections::BTreeSet<_> = known.collect();
            different.len() >= rule.at_least.max(1) as usize
        })
    }

    /// Whether a plugin must have a bill of materials.
    pub fn requires_sbom(&self, plugin: &PluginName) -> bool {
        self.sbom_required.iter().any(|pattern| pattern.matches(plugin.as_str()))
    }

    /// The ceilings for a plugin: the lower of the policy's and of its block's.
    pub fn ceilings(&self, plugin: &PluginName) -> LimitsRequest {
        self.rules_for(plugin).map_or_else(|| self.limits.clone(), |rules| self.limits.lower(&rules.limits))
    }

    /// The block that applies to a plugin.
    pub fn rules_for(&self, plugin: &PluginName) -> Option<&PluginRules> {
        self.plugins.iter().find(|rules| rules.plugins.matches(plugin.as_str()))
    }
}

impl PluginRules {
    /// A block that allows nothing.
    pub fn nothing(plugins: NamePattern) -> PluginRules {
        PluginRules {
            plugins,
            mode: None,
            fs: FsRule { allow: Vec::new(), deny: Vec::new() },
            net: NetRules::default(),
            env: Vec::new(),
            env_deny: Vec::new(),
            secrets: SecretRules::default(),
            exec: Vec::new(),
            kv: None,
            artifacts: false,
            clock: None,
            random: None,
            limits: LimitsRequest::default(),
            lines: BTreeMap::new(),
        }
    }
}
