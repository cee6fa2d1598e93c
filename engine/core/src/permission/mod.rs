//! The evaluator: what the plugin asks ∩ what the workflow grants ∩ what the policy allows. Data in, data out; `plan`, `run` and
//! `explain` all call it. Where two patterns have no exact intersection all of them are kept, and each request is tested against
//! each.

mod ask;
mod evaluate;
mod fs;
mod named;
mod net;

pub use ask::{ArtifactAsk, Ask, EnvAsk, ExecAsk, FindingsAsk, FsAsk, KvAsk, NetAsk, SecretAsk};
pub use evaluate::evaluate;
pub use net::{EffectiveNet, NetPass, NetRefused};

use crate::names::BucketName;
use crate::{ArtifactName, EnvName, ExecGrant, HeaderName, MountName, NetRule, SecretName, Size, Wanted};
use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};
use std::fmt;

/// How a folder may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Access {
    /// Look and read.
    Read,
    /// Read, and change anything inside.
    Write,
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Access::Read => "read",
            Access::Write => "write",
        })
    }
}

/// Where time and random numbers come from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Entropy {
    /// The same in every run, so that a task with the same input does the same.
    Fixed,
    /// The machine's.
    #[default]
    Real,
}

impl Entropy {
    fn is_real(&self) -> bool {
        *self == Entropy::Real
    }
}

impl fmt::Display for Entropy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Entropy::Fixed => "fixed",
            Entropy::Real => "real",
        })
    }
}

/// What a task of a workflow grants. Paths are already absolute and normalised, without looking at the disk.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grants {
    /// Folders.
    pub fs: Vec<FsGrant>,
    /// Connections.
    pub net: Vec<NetRule>,
    /// Environment variables.
    pub env: Vec<EnvName>,
    /// Secrets.
    pub secrets: Vec<SecretGrant>,
    /// Programs of the host.
    pub exec: Vec<ExecGrant>,
    /// Values that outlive the run.
    pub kv: Vec<KvGrant>,
    /// Files that outlive the task.
    pub artifacts: Vec<ArtifactName>,
    /// Whether time is real.
    pub clock: Entropy,
    /// Whether random numbers are.
    pub random: Entropy,
}

/// A granted folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FsGrant {
    /// Where the guest sees it.
    pub mount: MountName,
    /// Which folder of the host.
    pub path: Utf8PathBuf,
    /// How it may be used.
    pub access: Access,
}

/// A granted secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretGrant {
    /// What the plugin calls it.
    pub name: SecretName,
    /// What the workflow calls it.
    pub from: SecretName,
    /// Where its value comes from, as declared: `env:NAME`, `file:PATH`, `exec:PROGRAM`, `store:NAME`.
    pub source: String,
    /// Whether the plugin may see its value.
    pub reveal: bool,
    /// Requests that it may travel with; empty for all that the plugin asks for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub audience: Vec<NetRule>,
}

/// A granted place for values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KvGrant {
    /// What the plugin calls it.
    pub bucket: BucketName,
    /// Bytes of all keys and values; absent for what the plugin asks.
    pub quota: Option<Size>,
}

/// What is left after all three were asked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Effective {
    /// Folders.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fs: Vec<EffectiveMount>,
    /// Connections.
    #[serde(default, skip_serializing_if = "EffectiveNet::is_nothing")]
    pub net: EffectiveNet,
    /// Environment variables.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<EnvName>,
    /// Secrets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<EffectiveSecret>,
    /// Programs of the host.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exec: Vec<ExecGrant>,
    /// Values that outlive the run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kv: Vec<EffectiveBucket>,
    /// Artifacts that may be stored.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub artifacts: Vec<ArtifactName>,
    /// Whether it sees what the tasks before it found.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub findings: bool,
    /// Whether time is real.
    #[serde(default, skip_serializing_if = "Entropy::is_real")]
    pub clock: Entropy,
    /// Whether random numbers are.
    #[serde(default, skip_serializing_if = "Entropy::is_real")]
    pub random: Entropy,
}

/// The kinds of permission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Capability {
    /// Folders.
    Fs,
    /// Connections.
    Net,
    /// Environment variables.
    Env,
    /// Secrets.
    Secrets,
    /// Programs of the host.
    Exec,
    /// Values that outlive the run.
    Kv,
    /// Files that outlive the task.
    Artifacts,
    /// What the tasks before found.
    Findings,
}

impl Capability {
    /// All of them.
    pub const ALL: [Capability; 8] = [
        Capability::Fs,
        Capability::Net,
        Capability::Env,
        Capability::Secrets,
        Capability::Exec,
        Capability::Kv,
        Capability::Artifacts,
        Capability::Findings,
    ];

    /// What users write and errors cite.
    pub fn word(self) -> &'static str {
        match self {
            Capability::Fs => "fs",
            Capability::Net => "net",
            Capability::Env => "env",
            Capability::Secrets => "secrets",
            Capability::Exec => "exec",
            Capability::Kv => "kv",
            Capability::Artifacts => "artifacts",
            Capability::Findings => "findings",
        }
    }
}

/// A folder that a task reaches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EffectiveMount {
    /// Where the guest sees it.
    pub mount: MountName,
    /// The allowed folder of the policy; opened first, and nothing is followed out of it.
    pub root: Utf8PathBuf,
    /// The mount below `root`; empty for `root` itself.
    pub below: Utf8PathBuf,
    /// How it may be used.
    pub access: Access,
}

impl EffectiveMount {
    /// The mount's path on the host, for people.
    pub fn path(&self) -> Utf8PathBuf {
        if self.below.as_str().is_empty() { self.root.clone() } else { self.root.join(&self.below) }
    }
}

/// A secret that a task reaches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EffectiveSecret {
    /// What the plugin calls it.
    pub name: SecretName,
    /// What the workflow calls it.
    pub from: SecretName,
    /// Where its value comes from.
    pub source: String,
    /// Requests that it may travel with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub audience: Vec<NetRule>,
    /// Those of them that the workflow means; empty for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub within: Vec<NetRule>,
    /// The header in which it travels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<HeaderName>,
    /// Whether the plugin may see its value.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reveal: bool,
}

/// A place for values that a task reaches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EffectiveBucket {
    /// What the plugin calls it.
    pub bucket: BucketName,
    /// Bytes of all keys and values.
    pub quota: Size,
}

impl EffectiveSecret {
    /// Whether it may travel with a request: the plugin asked for that, and the workflow means it.
    pub fn is_for(&self, wanted: &Wanted<'_>) -> bool {
        let any = |rules: &[NetRule]| rules.iter().any(|rule| rule.matches(wanted));
        any(&self.audience) && (self.within.is_empty() || any(&self.within))
    }
}

impl Effective {
    /// The program that the plugin calls by a name.
    pub fn program(&self, alias: &str) -> Option<&ExecGrant> {
        self.exec.iter().find(|grant| grant.alias.as_str() == alias)
    }

    /// The secret that the plugin calls by a name.
    pub fn secret(&self, name: &str) -> Option<&EffectiveSecret> {
        self.secrets.iter().find(|secret| secret.name.as_str() == name)
    }

    /// The place for values that the plugin calls by a name.
    pub fn bucket(&self, name: &str) -> Option<&EffectiveBucket> {
        self.kv.iter().find(|bucket| bucket.bucket.as_str() == name)
    }
}

/// Which of the three said no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RefusedBy {
    /// The plugin's manifest does not ask for it.
    Plugin,
    /// The workflow does not grant it.
    Workflow,
    /// The host's policy does not allow it.
    Policy,
    /// The engine allows it to nobody.
    Engine,
}

impl fmt::Display for RefusedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RefusedBy::Plugin => "the plugin's manifest",
            RefusedBy::Workflow => "the workflow",
            RefusedBy::Policy => "the policy",
            RefusedBy::Engine => "the engine",
        })
    }
}

/// A no, with its reason and the line that would turn it into a yes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// `fs`, `env`, `artifacts`, `net`, …
    pub capability: String,
    /// What was wanted.
    pub target: String,
    /// Who said no.
    pub by: RefusedBy,
    /// Why.
    pub reason: String,
    /// The YAML that would grant it and where to put it; absent where nothing can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
    /// It happened all the same, since the policy only counts.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub counted: bool,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let refused = if self.counted { "would refuse" } else { "refused" };
        write!(f, "{} {refused} `{} {}`: {}", self.by, self.capability, self.target, self.reason)
    }
}

/// Whether one rule holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// All three said yes.
    Allowed,
    /// The policy says no, and only counts: it holds.
    Counted(Refusal),
    /// Somebody said no, and the plugin works without it.
    LeftOut(Refusal),
    /// Somebody said no, and the plugin needs it, or somebody granted what cannot be.
    Refused(Refusal),
}

impl Verdict {
    /// Whether the task gets it.
    pub fn holds(&self) -> bool {
        matches!(self, Verdict::Allowed | Verdict::Counted(_))
    }
}

/// The answer for one rule, with what each party said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// For example `fs source read`.
    pub rule: String,
    /// The plugin's reason for asking.
    pub reason: String,
    /// What the manifest says.
    pub asked: String,
    /// What the workflow says.
    pub granted: String,
    /// What the policy says.
    pub allowed: String,
    /// The answer.
    pub verdict: Verdict,
}

/// The evaluator's answer for one task.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evaluation {
    /// What the task may do.
    pub effective: Effective,
    /// How that came about, a decision for each rule that anybody named.
    pub decisions: Vec<Decision>,
}

impl Evaluation {
    /// The refusals that make the plan impossible.
    pub fn refusals(&self) -> impl Iterator<Item = &Refusal> {
        self.decisions.iter().filter_map(|decision| match &decision.verdict {
            Verdict::Refused(refusal) => Some(refusal),
            Verdict::Allowed | Verdict::Counted(_) | Verdict::LeftOut(_) => None,
        })
    }
}
