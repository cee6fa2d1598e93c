//! The shape of the files that people write, for editors only: JSON Schemas are generated from these types, with the comments
//! as descriptions. Reading is done elsewhere, because it collects every problem with its place; a test compares the keys.
#![expect(dead_code, reason = "these types are never made; only their shape is used")]

use crate::workflow::keys::{KINDS, USES_ONLY, WORKFLOW_TOO};
use schemars::JsonSchema;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// A workflow of orch-wasm.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Workflow {
    /// The version of the language.
    schema: WorkflowVersion,
    /// The workflow's name; runs are found by it.
    #[schemars(length(min = 1, max = 100))]
    name: String,
    /// What the workflow is for.
    description: Option<String>,
    /// Free text by which runs are found.
    labels: Option<BTreeMap<String, String>>,
    /// How much it matters while runs wait for their turn: 0 to 100, 50 if nobody says anything. A waiting run ages upward.
    #[schemars(range(max = 100))]
    priority: Option<u8>,
    /// How long a run may take.
    timeout: Option<Duration>,
    /// Values from whoever starts a run.
    inputs: Option<BTreeMap<String, Input>>,
    /// Where secret values come from, by name.
    #[schemars(length(max = 1000))]
    secrets: Option<BTreeMap<String, Secret>>,
    /// Which runs may not run at once.
    concurrency: Option<Concurrency>,
    /// What holds for every task that does not say otherwise.
    defaults: Option<Defaults>,
    /// What is done, by name.
    #[schemars(length(min = 1, max = 10000))]
    tasks: BTreeMap<String, Task>,
    /// What runs after the tasks when the run went wrong, one after the other.
    #[schemars(length(max = 100))]
    on_failure: Option<Vec<Hook>>,
    /// What runs last, however the run went, one after the other.
    #[schemars(length(max = 100))]
    finally: Option<Vec<Hook>>,
    /// What a run gives, by name. Values may hold `${{ inputs… }}`, `${{ tasks.a.outputs… }}` and `${{ run.id }}`.
    outputs: Option<BTreeMap<String, Value>>,
}

#[derive(JsonSchema)]
enum WorkflowVersion {
    #[schemars(rename = "orch-wasm/v1")]
    V1,
}

/// A whole number and a unit: `250ms`, `90s`, `10m`, `2h`, `1d`.
#[derive(JsonSchema)]
#[schemars(extend("pattern" = "^[0-9]+(ms|s|m|h|d)$"))]
struct Duration(String);

/// A whole number and a unit: `512B`, `64KiB`, `10MiB`, `1GiB`.
#[derive(JsonSchema)]
#[schemars(extend("pattern" = "^[0-9]+(B|KiB|MiB|GiB)$"))]
struct Size(String);

/// What holds for every task that does not say otherwise.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Defaults {
    /// How long an attempt of a task may take; 10m if nobody says anything. Or both: `{ attempt: 1m, task: 10m }`.
    timeout: Option<Timeout>,
    /// What happens when an attempt fails; a task's own keys come first.
    retry: Option<Retry>,
    /// What plugins may use up; a task's own keys come first.
    limits: Option<Limits>,
    /// Whether an earlier result of the same task with the same input may stand for a run of it, where that can be.
    cache: Option<bool>,
    /// Whether the run goes on whatever the outcome of a task that runs a plugin.
    continue_on_error: Option<bool>,
}

/// Where a secret value comes from.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Secret {
    /// `env:NAME`, `file:PATH`, `exec:PROGRAM` or `store:NAME`.
    #[schemars(extend("pattern" = r"^(env:[A-Za-z_][A-Za-z0-9_]{0,127}|file:.+|exec:.+|store:[A-Za-z][A-Za-z0-9_-]{0,63})$"))]
    from: String,
}

/// Which runs may not run at once.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Concurrency {
    /// The name of the group; runs of the same group wait for each other. May hold `${{ inputs… }}`.
    #[schemars(length(min = 1))]
    group: String,
    /// Runs of the group at once; 1 if nobody says anything.
    #[schemars(range(min = 1, max = 1000))]
    limit: Option<u32>,
    /// Runs that may wait; 100 if nobody says anything.
    #[schemars(range(max = 1000))]
    queue: Option<u32>,
    /// What a run does that finds no place: it waits (`queue`), ends (`cancel`), or ends those that run (`cancel-running`).
    on_conflict: Option<OnConflict>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
enum OnConflict {
    Queue,
    Cancel,
    CancelRunning,
}

/// How long something may take: an attempt, or an attempt and all of them.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum Timeout {
    Attempt(Duration),
    Both(Timeouts),
}

/// How long an attempt may take, and all attempts with the waits between them.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields, extend("minProperties" = 1))]
pub(crate) struct Timeouts {
    /// One attempt.
    attempt: Option<Duration>,
    /// All attempts and the waits between them.
    task: Option<Duration>,
}

/// What happens when an attempt fails.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum Retry {
    Never(Never),
    Keys(RetryKeys),
}

#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
enum Never {
    Never,
}

/// How often a task is tried again, and how long it waits before.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct RetryKeys {
    /// Attempts in all, the first one included.
    #[schemars(range(min = 1, max = 100))]
    attempts: Option<u32>,
    /// How the waits grow.
    backoff: Option<Backoff>,
    /// The wait before the second attempt.
    initial: Option<Duration>,
    /// The longest wait.
    max: Option<Duration>,
    /// How the waits are spread: `full` is anywhere between nothing and the whole wait.
    jitter: Option<Jitter>,
    /// The outcomes after which it is tried again; `errored` and `timed-out` if nobody says anything.
    #[schemars(length(min = 1), extend("uniqueItems" = true))]
    retry_on: Option<Vec<RetryOn>>,
    /// No attempt begins later than this after the first one began.
    budget: Option<Duration>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
enum Backoff {
    Fixed,
    Linear,
    Exponential,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
enum Jitter {
    None,
    Full,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
enum RetryOn {
    Failed,
    Errored,
    TimedOut,
}

/// A value from whoever starts a run.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Input {
    /// What it takes. A directory or a file is relative to the workflow's folder.
    r#type: InputType,
    /// What it is for.
    description: Option<String>,
    /// Its value when none is given.
    default: Option<Value>,
    /// Whether a value must be given; by default that is so when there is no `default`.
    required: Option<bool>,
    /// What a `choice` chooses from.
    #[schemars(length(min = 1))]
    options: Option<Vec<String>>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
enum InputType {
    String,
    Integer,
    Number,
    Boolean,
    Choice,
    Directory,
    File,
}

/// A task: a plugin that runs, a gate that decides, people who decide, or another workflow.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(extend("oneOf" = one_of(KINDS), "dependentSchemas" = kinds()))]
pub(crate) struct Task {
    /// The plugin: `namespace/name@^1.2`, `namespace/name/task@^1.2`, `./file.wasm` or `./file.wasm#task`.
    uses: Option<String>,
    /// A decision over the findings of the needed tasks.
    gate: Option<Gate>,
    /// A decision of people.
    approval: Option<Approval>,
    /// Another workflow file, whose tasks run here: `./build.yaml`.
    #[schemars(extend("pattern" = r"^(\.\.?)?/.*\.(yaml|yml|json)$"))]
    workflow: Option<String>,
    /// The plugin's input, or the inputs of the other workflow. Values may hold `${{ }}`.
    with: Option<BTreeMap<String, Value>>,
    /// Tasks that have to end before this one starts.
    needs: Option<Needs>,
    /// Whether the task runs: an expression, with `success()`, `failure()` and `always()`.
    r#if: Option<Condition>,
    /// What the plugin may reach. Nothing is granted that is not written.
    permissions: Option<Permissions>,
    /// What the plugin may use up; a task can only lower it.
    limits: Option<Limits>,
    /// How long an attempt may take, or `{ attempt: 1m, task: 10m }`.
    timeout: Option<Timeout>,
    /// What happens when an attempt fails.
    retry: Option<Retry>,
    /// Runs the task once for each combination of a matrix. Expressions see it as `matrix`.
    strategy: Option<Strategy>,
    /// Runs the task once for each item of a list. Expressions see `item` and `index`.
    for_each: Option<ForEach>,
    /// Beside `for-each`: items at once, at most.
    #[schemars(range(min = 1, max = 10000))]
    max_parallel: Option<u32>,
    /// Beside `for-each`: whether the other items are cancelled when one fails; `true` if nobody says anything.
    fail_fast: Option<bool>,
    /// Whether the run goes on whatever the outcome.
    continue_on_error: Option<bool>,
    /// Whether an earlier result of the same task with the same input may stand for a run of it.
    cache: Option<bool>,
    /// What takes back what the task did, when the run is undone.
    undo: Option<Undo>,
    /// The task's outputs, made of what the plugin returned: `{ name: "${{ output.a.b }}" }`.
    outputs: Option<BTreeMap<String, Value>>,
}

fn one_of(keys: &[&str]) -> Value {
    keys.iter().map(|key| json!({ "required": [key] })).collect()
}

/// Which keys go with which kind of task.
fn kinds() -> Value {
    let without = |allowed: &[&str]| {
        let refused = USES_ONLY.iter().filter(|key| !allowed.contains(key));
        let refused: Map<_, _> = refused.map(|key| ((*key).to_owned(), Value::Bool(false))).collect();
        json!({ "properties": refused })
    };
    let mut workflow = without(WORKFLOW_TOO);
    workflow["properties"]["timeout"] = json!({ "type": "object", "properties": { "attempt": false } });
    workflow["properties"]["with"] = json!({ "additionalProperties": { "not": { "type": ["object", "array"] } } });
    json!({
        "gate": without(&[]),
        "approval": without(&[]),
        "workflow": workflow,
        "strategy": { "properties": { "for-each": false, "max-parallel": false, "fail-fast": false } },
        "max-parallel": { "required": ["for-each"] },
        "fail-fast": { "required": ["for-each"] },
    })
}

/// Runs a task once for each combination of a matrix.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Strategy {
    /// Axes by name, each with its values, and `include` and `exclude`.
    matrix: Matrix,
    /// Combinations at once, at most.
    #[schemars(range(min = 1, max = 10000))]
    max_parallel: Option<u32>,
    /// Whether the other combinations are cancelled when one fails; `true` if nobody says anything.
    fail_fast: Option<bool>,
}

/// Axes by name. `exclude` takes away combinations that agree with an entry; `include` adds an entry's keys to the combinations
/// whose axes agree with it, or makes one of its own.
#[derive(JsonSchema)]
#[schemars(extend("minProperties" = 1, "not" = { "required": ["exclude"], "maxProperties": 1 }))]
struct Matrix {
    /// What is added.
    #[schemars(length(max = 1000))]
    include: Option<Vec<Combination>>,
    /// What is taken away.
    #[schemars(length(max = 1000))]
    exclude: Option<Vec<Combination>>,
    #[schemars(flatten)]
    axes: BTreeMap<String, Axis>,
}

/// Values by the names of axes.
#[derive(JsonSchema)]
#[schemars(extend("minProperties" = 1))]
struct Combination(BTreeMap<String, Value>);

/// The values of an axis: a list, or one `${{ }}` over inputs that yields one.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum Axis {
    Values(#[schemars(length(min = 1))] Vec<Value>),
    Expression(Whole),
}

/// A list, or one `${{ }}` that yields one in the run.
#[derive(JsonSchema)]
#[schemars(untagged)]
enum ForEach {
    Items(#[schemars(length(max = 10000))] Vec<Value>),
    Expression(Whole),
}

/// One `${{ }}` and nothing else.
#[derive(JsonSchema)]
#[schemars(extend("pattern" = r"^\$\{\{[\s\S]*\}\}$"))]
struct Whole(String);

/// A decision of people.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Approval {
    /// What people are asked. May hold `${{ }}`.
    #[schemars(length(min = 1))]
    prompt: String,
    /// Who may answer; without it everybody may who can reach the state folder.
    approvers: Option<Approvers>,
    /// How many different people have to agree; 1 if nobody says anything.
    #[schemars(range(min = 1, max = 100))]
    required: Option<u32>,
    /// Whether the person who started the run may not answer.
    exclude_requester: Option<bool>,
    /// How long it may wait; then it is rejected.
    expires: Option<Duration>,
}

/// Who may answer: any of the users, and everybody in any of the groups.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields, extend("minProperties" = 1))]
pub(crate) struct Approvers {
    /// Names of accounts.
    #[schemars(length(min = 1, max = 1000))]
    users: Option<Vec<String>>,
    /// Names of groups.
    #[schemars(length(min = 1, max = 1000))]
    groups: Option<Vec<String>>,
}

/// What takes back what a task did.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Undo {
    /// The plugin.
    uses: String,
    /// The plugin's input. Values may hold `${{ }}`, which sees what the task sees, and the task's outputs.
    with: Option<BTreeMap<String, Value>>,
    /// What the plugin may reach.
    permissions: Option<Permissions>,
    /// What the plugin may use up.
    limits: Option<Limits>,
    /// How long an attempt may take, or `{ attempt: 1m, task: 10m }`.
    timeout: Option<Timeout>,
    /// What happens when an attempt fails.
    retry: Option<Retry>,
}

/// What runs after the tasks.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Hook {
    /// The plugin.
    uses: String,
    /// The plugin's input. Values may hold `${{ }}`, which sees every task, and `run.outcome`.
    with: Option<BTreeMap<String, Value>>,
    /// What the plugin may reach.
    permissions: Option<Permissions>,
    /// What the plugin may use up.
    limits: Option<Limits>,
    /// How long an attempt may take, or `{ attempt: 1m, task: 10m }`.
    timeout: Option<Timeout>,
    /// What happens when an attempt fails.
    retry: Option<Retry>,
    /// Whether it runs: an expression, for example `run.outcome == 'blocked'`.
    r#if: Option<Condition>,
    /// Whether the run's outcome stays what it is whatever the outcome of this.
    continue_on_error: Option<bool>,
}

#[derive(JsonSchema)]
#[schemars(untagged)]
enum Needs {
    One(String),
    Many(Vec<String>),
}

#[derive(JsonSchema)]
#[schemars(untagged)]
enum Condition {
    Expression(String),
    Constant(bool),
}

/// What a plugin may reach.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Permissions {
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
enum Entropy {
    Real,
    Fixed,
}

/// Whom a task may connect to. In a policy what is left out stands for everything.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Connection {
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
enum Scheme {
    Https,
    Http,
    Tcp,
    Udp,
}

/// A granted secret.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct SecretGrant {
    /// What the plugin calls it.
    name: String,
    /// What the workflow calls it; the same name where nothing is said.
    from: Option<String>,
    /// Whether the plugin may see its value.
    reveal: Option<bool>,
}

/// A granted program.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct ProgramGrant {
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
}

/// A granted place for values.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct BucketGrant {
    /// What the plugin calls it.
    bucket: String,
    /// Bytes of all keys and values; what the plugin asks where nothing is said.
    quota: Option<Size>,
}

/// A granted folder.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct FsGrant {
    /// The name under which the plugin sees it: `source` is `/source`.
    mount: String,
    /// The folder, relative to the workflow file. May hold `${{ inputs… }}`.
    path: String,
    /// How it may be used.
    access: Access,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
enum Access {
    Read,
    Write,
}

/// What a plugin may use up.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Limits {
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

/// A decision over findings.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Gate {
    /// The run to compare with: `last-succeeded`, or a run's id. What it had found is not new.
    baseline: Option<String>,
    /// The file with the waivers, relative to the workflow file.
    waivers: Option<String>,
    /// What must hold.
    #[schemars(length(min = 1, max = 1000))]
    checks: Vec<Check>,
}

/// Something that must hold.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Check {
    /// Its name.
    id: String,
    /// An expression over `findings.of('task')`, `findings.all()`, `tasks`, `inputs` and `run`.
    assert: Condition,
    /// What happens when it does not hold.
    on_fail: Option<OnFail>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
enum OnFail {
    Block,
    Warn,
}

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
pub(crate) struct Network {
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
pub(crate) struct Trust {
    /// A whole name, or a beginning with `*` at its end.
    plugins: String,
    /// Ids of keys.
    #[schemars(inner(regex(pattern = r"^[0-9a-f]{16}$")))]
    signers: Vec<String>,
    /// How many of them have to have signed; one where nothing is said.
    #[schemars(range(min = 1, max = 100))]
    at_least: Option<u32>,
}

/// What plugins whose name fits may be granted.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct PluginBlock {
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
pub(crate) struct NetRules {
    /// What may be granted.
    allow: Option<Vec<Connection>>,
    /// What may not.
    deny: Option<Vec<Connection>>,
}

/// Which secrets may be granted, by where they come from. Deny beats allow.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct SecretRules {
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
pub(crate) struct ExecRules {
    /// Each by its path.
    allow: Option<Vec<AllowedProgram>>,
}

/// A program that may be granted.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct AllowedProgram {
    /// Absolute.
    #[schemars(regex(pattern = r"^/"))]
    program: String,
    /// What its bytes have to be: `sha256:…`.
    #[schemars(regex(pattern = r"^sha256:[0-9a-f]{64}$"))]
    digest: Option<String>,
    /// Whether it may be one that runs other programs or text.
    interpreter: Option<bool>,
}

/// What may be kept from run to run.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct KvRules {
    /// Bytes of all keys and values of one bucket, at most.
    quota: Size,
}

/// Which folders may be granted. Deny beats allow.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct FsRules {
    /// Folders at or below which a grant may lie.
    allow: Option<Vec<AllowedFolder>>,
    /// Folders at, below or above which no grant may lie.
    deny: Option<Vec<String>>,
}

/// A folder at or below which a grant may lie.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct AllowedFolder {
    /// Relative to the policy file.
    path: String,
    /// The most that may be granted.
    access: Access,
}

/// Which environment variables may be granted. Deny beats allow.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct EnvRules {
    /// Whole names, or beginnings with `*` at their end.
    allow: Option<Vec<String>>,
    /// Whole names, or beginnings with `*` at their end.
    deny: Option<Vec<String>>,
}

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
pub(crate) struct ManifestTask {
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
pub(crate) struct Asked {
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
}

/// An asked connection.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct AskedConnection {
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
pub(crate) struct AskedSecret {
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
pub(crate) struct Inject {
    /// In this header.
    header: String,
}

/// An asked program.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct AskedProgram {
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
pub(crate) struct AskedBucket {
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
pub(crate) struct AskedFolder {
    /// The name under which the plugin sees it.
    mount: String,
    /// The most it does with it.
    access: Access,
    /// Why, for the person who grants it.
    reason: String,
    /// Whether the plugin works without it.
    optional: Option<bool>,
}

/// An asked variable or artifact.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct AskedName {
    /// Its name.
    name: String,
    /// Why, for the person who grants it.
    reason: String,
    /// Whether the plugin works without it.
    optional: Option<bool>,
}

/// Findings that somebody answers for, until a day.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct WaiversFile {
    /// The version of this format.
    schema: WaiversVersion,
    /// One for each exception.
    #[schemars(length(max = 10000))]
    waivers: Vec<Waiver>,
}

#[derive(JsonSchema)]
enum WaiversVersion {
    #[schemars(rename = "orch-waivers/v1")]
    V1,
}

/// An exception.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(extend("oneOf" = [{ "required": ["fingerprint"] }, { "required": ["rule"] }]))]
pub(crate) struct Waiver {
    /// Covers the one problem with this fingerprint.
    fingerprint: Option<String>,
    /// Covers every problem of this rule.
    rule: Option<String>,
    /// Of that rule only what is at or below this path.
    path: Option<String>,
    /// Who answers for it.
    owner: String,
    /// Why.
    reason: String,
    /// The last day on which it holds, `YYYY-MM-DD`.
    #[schemars(regex(pattern = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"))]
    expires: String,
}
