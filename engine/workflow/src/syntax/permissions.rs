//! What tasks are granted, and what they may use up: words that workflows, policies and manifests share.

use super::workflow::Size;
use schemars::JsonSchema;
use serde_json::Value;
use std::collections::BTreeMap;

/// What a plugin may reach.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Permissions {
    /// Folders.
    fs: Option<Vec<FsGrant>>,
    /// Connections.
    net: Option<Vec<Connection>>,
    /// Environment variables.
    env: Option<Vec<String>>,
    /// Secrets that the workflow declares.
    secrets: Option<Vec<SecretGrant>>,
    /// Programs of the host.
    exec: Option<Vec<ProgramGrant>>,
    /// Values that outlive the run.
    kv: Option<Vec<BucketGrant>>,
    /// Files that outlive the task.
    artifacts: Option<Vec<String>>,
    /// `fixed`: time is the same in every run.
    clock: Option<Entropy>,
    /// `fixed`: random numbers are the same in every run.
    random: Option<Entropy>,
}

/// Where time and random numbers come from.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
pub(super) enum Entropy {
    Real,
    Fixed,
}

/// Whom a task may connect to. In a policy what is left out stands for everything.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Connection {
    /// `https` where nothing is said.
    scheme: Option<Scheme>,
    /// A name, an address, or `*.example.com` for every name with one more part; `*` in manifests and policies.
    host: String,
    /// Where nothing is said, the one of the scheme.
    #[schemars(length(min = 1, max = 100), inner(range(min = 1, max = 65535)))]
    ports: Option<Vec<u16>>,
    /// In capital letters. Where nothing is said, any.
    #[schemars(length(min = 1, max = 100), inner(regex(pattern = r"^[A-Z-]{1,20}$")))]
    methods: Option<Vec<String>>,
    /// `/exactly/this` or `/everything/below/*`. Where nothing is said, any.
    #[schemars(length(min = 1, max = 100), inner(regex(pattern = r"^/")))]
    paths: Option<Vec<String>>,
    /// Special addresses (private, loopback, …) that the host may have: `10.0.0.0/8`.
    #[schemars(length(min = 1, max = 100))]
    addresses: Option<Vec<String>>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
pub(super) enum Scheme {
    Https,
    Http,
    Tcp,
    Udp,
}

/// A granted secret.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct SecretGrant {
    /// What the plugin calls it.
    name: String,
    /// What the workflow calls it; the same name where nothing is said.
    from: Option<String>,
    /// Whether the plugin may see its value.
    reveal: Option<bool>,
    /// Requests that it may travel with, of those that the plugin asks for. Needed where the plugin asks for any host.
    #[schemars(length(min = 1, max = 1000))]
    audience: Option<Vec<Connection>>,
}

/// A granted program.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct ProgramGrant {
    /// What the plugin calls it.
    alias: String,
    /// Absolute; nothing is looked up.
    #[schemars(regex(pattern = r"^/"))]
    program: String,
    /// The arguments, with slots that the plugin fills: `--since={since}`.
    #[schemars(length(max = 200))]
    args: Option<Vec<String>>,
    /// What may fill each slot: `text`, `int`, `name`, `path`, or a list of choices.
    slots: Option<BTreeMap<String, Value>>,
    /// The granted folder in which it runs; an empty one of its own where nothing is said.
    cwd: Option<String>,
    /// Variables that it sees. It sees no other.
    env: Option<Vec<String>>,
    /// What its bytes have to be: `sha256:…`.
    #[schemars(regex(pattern = r"^sha256:[0-9a-f]{64}$"))]
    digest: Option<String>,
    /// Whether it changes nothing, so that a dry run may run it.
    read_only: Option<bool>,
    /// Whether it may be one that runs other programs or text.
    interpreter: Option<bool>,
    /// Whether it keeps the rights of the user who runs the engine and reaches every file that this user reaches.
    unconfined: Option<bool>,
}

/// A granted place for values.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct BucketGrant {
    /// What the plugin calls it.
    bucket: String,
    /// Bytes of all keys and values; what the plugin asks where nothing is said.
    quota: Option<Size>,
}

/// A granted folder.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct FsGrant {
    /// The name under which the plugin sees it: `source` is `/source`.
    mount: String,
    /// The folder, relative to the workflow file. May hold `${{ inputs… }}`.
    path: String,
    /// How it may be used.
    access: Access,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
pub(super) enum Access {
    Read,
    Write,
}

/// What a plugin may use up.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Limits {
    /// Linear memory.
    memory: Option<Size>,
    /// Bytes of log.
    log: Option<Size>,
    /// Bytes of output.
    output: Option<Size>,
    /// Number of findings.
    findings: Option<u64>,
    /// Bytes of all artifacts.
    artifacts: Option<Size>,
    /// Number of requests and connections.
    requests: Option<u64>,
    /// Bytes of requests and answers together.
    traffic: Option<Size>,
    /// Bytes that one program of the host prints.
    exec_output: Option<Size>,
}
