//! A workflow's shape.

use super::permissions::{Limits, Permissions};
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
pub(super) struct Duration(String);

/// A whole number and a unit: `512B`, `64KiB`, `10MiB`, `1GiB`.
#[derive(JsonSchema)]
#[schemars(extend("pattern" = "^[0-9]+(B|KiB|MiB|GiB)$"))]
pub(super) struct Size(String);

/// What holds for every task that does not say otherwise.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Defaults {
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
pub(super) struct Secret {
    /// `env:NAME`, `file:PATH`, `exec:PROGRAM` or `store:NAME`.
    #[schemars(extend("pattern" = r"^(env:[A-Za-z_][A-Za-z0-9_]{0,127}|file:.+|exec:.+|store:[A-Za-z][A-Za-z0-9_-]{0,63})$"))]
    from: String,
}

/// Which runs may not run at once.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Concurrency {
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
pub(super) struct Timeouts {
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
pub(super) struct RetryKeys {
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
pub(super) struct Input {
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
pub(super) struct Task {
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
pub(super) struct Strategy {
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
pub(super) struct Approval {
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
pub(super) struct Approvers {
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
pub(super) struct Undo {
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
pub(super) struct Hook {
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

/// A decision over findings.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Gate {
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
pub(super) struct Check {
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
