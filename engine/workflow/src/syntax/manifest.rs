//! A plugin's manifest's shape.

use super::permissions::{Access, Connection, Limits, Scheme};
use super::workflow::Size;
use schemars::JsonSchema;
use serde_json::Value;
use std::collections::BTreeMap;

/// What a plugin says of itself.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Manifest {
    /// The version of this format.
    schema: ManifestVersion,
    /// `namespace/name`
    name: String,
    /// Semantic version.
    version: String,
    /// One or two sentences.
    description: String,
    /// An SPDX expression.
    license: String,
    /// The file that is the plugin, below the folder of this one, where there is nothing to build: a component, or a module for
    /// WASI preview 1.
    component: Option<String>,
    /// What the plugin can do, by name.
    #[schemars(length(min = 1, max = 1000))]
    tasks: BTreeMap<String, ManifestTask>,
    /// The most that the plugin will ever ask for.
    permissions: Option<Asked>,
    /// Limits that the plugin would like to have.
    limits: Option<Limits>,
}

#[derive(JsonSchema)]
enum ManifestVersion {
    #[schemars(rename = "orch-plugin/v1")]
    V1,
}

/// One task of a plugin.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct ManifestTask {
    /// One or two sentences.
    description: String,
    /// Whether running it twice does no more than running it once.
    idempotent: Option<bool>,
    /// JSON Schema (draft 2020-12) of what it takes; may be left out when the component describes itself.
    input: Option<Value>,
    /// JSON Schema (draft 2020-12) of what it returns; may be left out when the component describes itself.
    output: Option<Value>,
}

/// What a plugin asks for.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Asked {
    /// Folders.
    fs: Option<Vec<AskedFolder>>,
    /// Connections.
    net: Option<Vec<AskedConnection>>,
    /// Environment variables.
    env: Option<Vec<AskedName>>,
    /// Secrets.
    secrets: Option<Vec<AskedSecret>>,
    /// Programs of the host.
    exec: Option<Vec<AskedProgram>>,
    /// Values that outlive the run.
    kv: Option<Vec<AskedBucket>>,
    /// Files that outlive the task.
    artifacts: Option<Vec<AskedName>>,
    /// What the tasks in `needs` found, as JSON at `/artifacts/<task>/.findings.json`.
    findings: Option<AskedFindings>,
}

/// An asked connection.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct AskedConnection {
    /// `https` where nothing is said.
    scheme: Option<Scheme>,
    /// A name, an address, `*.example.com` for every name with one more part, or `*`.
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
    /// Why, for the person who grants it.
    reason: String,
    /// Whether the plugin works without it.
    optional: Option<bool>,
}

/// An asked secret.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct AskedSecret {
    /// What the plugin calls it.
    name: String,
    /// Requests that it may travel with.
    audience: Option<Vec<Connection>>,
    /// How it travels.
    inject: Option<Inject>,
    /// Whether the plugin has to see its value.
    reveal: Option<bool>,
    /// Why, for the person who grants it.
    reason: String,
    /// Whether the plugin works without it.
    optional: Option<bool>,
}

/// How a secret travels.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Inject {
    /// In this header.
    header: String,
}

/// An asked program.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct AskedProgram {
    /// What the plugin calls it.
    alias: String,
    /// What it fills in.
    slots: Option<Vec<String>>,
    /// Why, for the person who grants it.
    reason: String,
    /// Whether the plugin works without it.
    optional: Option<bool>,
}

/// An asked place for values.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct AskedBucket {
    /// What the plugin calls it.
    bucket: String,
    /// Bytes of all keys and values.
    quota: Size,
    /// Why, for the person who grants it.
    reason: String,
    /// Whether the plugin works without it.
    optional: Option<bool>,
}

/// An asked folder.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct AskedFolder {
    /// The name under which the plugin sees it.
    mount: String,
    /// The most it does with it.
    access: Access,
    /// Why, for the person who grants it.
    reason: String,
    /// Whether the plugin works without it.
    optional: Option<bool>,
}

/// Asked findings.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct AskedFindings {
    /// Why, for the person who writes the workflow.
    reason: String,
    /// Whether the plugin works without it.
    optional: Option<bool>,
}

/// An asked variable or artifact.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct AskedName {
    /// Its name.
    name: String,
    /// Why, for the person who grants it.
    reason: String,
    /// Whether the plugin works without it.
    optional: Option<bool>,
}
