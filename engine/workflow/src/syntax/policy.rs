//! A policy's shape.

use super::permissions::{Access, Connection, Entropy, Limits};
use super::workflow::{Duration, Size};
use schemars::JsonSchema;

/// What the owner of a host allows.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Policy {
    /// The version of this format.
    schema: PolicyVersion,
    /// `count`: what is not allowed happens and is recorded.
    mode: Option<Mode>,
    /// Who may sign which plugins. A plugin that no rule names is not trusted.
    trust: Option<Vec<Trust>>,
    /// Whether `uses: ./file.wasm` may run without a signature.
    unsigned_files: Option<bool>,
    /// Components that never run: `sha256:…`.
    #[schemars(inner(regex(pattern = r"^sha256:[0-9a-f]{64}$")))]
    banned: Option<Vec<String>>,
    /// Keys that somebody else has got hold of: nothing that they signed runs.
    #[schemars(inner(regex(pattern = r"^[0-9a-f]{16}$")))]
    revoked_keys: Option<Vec<String>>,
    /// Plugins that need a bill of materials: whole names, or beginnings with `*` at their end.
    sbom_required: Option<Vec<String>>,
    /// How the network is reached.
    network: Option<Network>,
    /// Ceilings for every task.
    limits: Option<Limits>,
    /// What may be granted; the first block whose pattern matches the plugin applies.
    plugins: Option<Vec<PluginBlock>>,
}

#[derive(JsonSchema)]
enum PolicyVersion {
    #[schemars(rename = "orch-policy/v1")]
    V1,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
enum Mode {
    Enforce,
    Count,
}

/// How the network is reached.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Network {
    /// Name servers to ask instead of the system's: `10.0.0.53` or `10.0.0.53:5353`.
    name_servers: Option<Vec<String>>,
    /// Files with further certificates to trust, in PEM.
    roots: Option<Vec<String>>,
    /// Whether the platform's certificates are trusted; `true` where nothing is said.
    platform_roots: Option<bool>,
}

/// Who may sign plugins whose name fits.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Trust {
    /// A whole name, or a beginning with `*` at its end.
    plugins: String,
    /// Ids of keys.
    #[schemars(inner(regex(pattern = r"^[0-9a-f]{16}$")))]
    signers: Vec<String>,
    /// How many of them have to have signed; one where nothing is said.
    #[schemars(range(min = 1, max = 100))]
    at_least: Option<u32>,
    /// How old the last confirmation may be that the plugin's index is the newest: `30d`.
    fresh_within: Option<Duration>,
}

/// What plugins whose name fits may be granted.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct PluginBlock {
    /// A whole name, or a beginning with `*` at its end.
    plugins: String,
    /// `count`: what this block does not allow happens and is recorded.
    mode: Option<Mode>,
    /// Folders.
    fs: Option<FsRules>,
    /// Connections.
    net: Option<NetRules>,
    /// Environment variables.
    env: Option<EnvRules>,
    /// Secrets.
    secrets: Option<SecretRules>,
    /// Programs of the host.
    exec: Option<ExecRules>,
    /// Values that outlive the run. Without it none may be kept.
    kv: Option<KvRules>,
    /// Whether artifacts may be granted.
    artifacts: Option<bool>,
    /// `fixed`: no task has real time.
    clock: Option<Entropy>,
    /// `fixed`: no task has real random numbers.
    random: Option<Entropy>,
    /// Ceilings below those of the policy.
    limits: Option<Limits>,
}

/// Which connections may be granted. Deny beats allow.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct NetRules {
    /// What may be granted.
    allow: Option<Vec<Connection>>,
    /// What may not.
    deny: Option<Vec<Connection>>,
}

/// Which secrets may be granted, by where they come from. Deny beats allow.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct SecretRules {
    /// Sources, whole or beginnings with `*` at their end: `env:DEPLOY_*`.
    allow: Option<Vec<String>>,
    /// Sources, whole or beginnings with `*` at their end.
    deny: Option<Vec<String>>,
    /// Whether a plugin may see a value.
    reveal: Option<bool>,
}

/// Which programs may be granted.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct ExecRules {
    /// Each by its path.
    allow: Option<Vec<AllowedProgram>>,
}

/// A program that may be granted.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct AllowedProgram {
    /// Absolute.
    #[schemars(regex(pattern = r"^/"))]
    program: String,
    /// What its bytes have to be: `sha256:…`.
    #[schemars(regex(pattern = r"^sha256:[0-9a-f]{64}$"))]
    digest: Option<String>,
    /// Whether it may be one that runs other programs or text.
    interpreter: Option<bool>,
    /// Whether it may keep the rights of the user who runs the engine and reach every file that this user reaches.
    unconfined: Option<bool>,
}

/// What may be kept from run to run.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct KvRules {
    /// Bytes of all keys and values of one bucket, at most.
    quota: Size,
}

/// Which folders may be granted. Deny beats allow.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct FsRules {
    /// Folders at or below which a grant may lie.
    allow: Option<Vec<AllowedFolder>>,
    /// Folders at, below or above which no grant may lie.
    deny: Option<Vec<String>>,
}

/// A folder at or below which a grant may lie.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct AllowedFolder {
    /// Relative to the policy file.
    path: String,
    /// The most that may be granted.
    access: Access,
}

/// Which environment variables may be granted. Deny beats allow.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct EnvRules {
    /// Whole names, or beginnings with `*` at their end.
    allow: Option<Vec<String>>,
    /// Whole names, or beginnings with `*` at their end.
    deny: Option<Vec<String>>,
}
