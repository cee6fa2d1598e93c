//! The plan itself. It is stored with its run: resume and replay use it, whatever the files say by then.
//!
//! Format 2 (1 kept the plugins' schemas in every task, and had no retries, items, hooks and people). A reader refuses every other
//! number, and keys that it does not know: it would run something else than what was planned. A key may be added when its absence
//! means what it meant before; everything else needs the next number.

use super::approval::PlannedApproval;
use super::gate::PlannedGate;
use super::nested::PlannedWorkflow;
use super::retry::Retry;
use crate::expr::{Expr, ExprError, Template, evaluate};
use crate::scope::Scope;
use orch_core::{
    Decision, Digest, Effective, Hook, Limits, NetworkOptions, OnConflict, Period, PluginTask, SecretName, SignerId,
    TaskId, TaskKind, TaskSummary, digest_of,
};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};
use std::sync::Arc;

/// What will run. Only [`crate::plan`] and reading a stored one make it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
// `remote` keeps the derived functions apart from the traits, which are written below: reading also checks.
#[serde(deny_unknown_fields, remote = "Self")]
pub struct Plan {
    pub(super) format: Format,
    pub(super) workflow: String,
    pub(super) file: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) timeout: Option<Period>,
    pub(super) priority: u8,
    /// Nothing outside may change.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) dry_run: bool,
    /// How the network is reached: a run that goes on later reaches it in the same way.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) network: NetworkOptions,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) concurrency: Option<PlannedConcurrency>,
    pub(super) inputs: Value,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) secrets: Vec<PlannedSecret>,
    /// What tasks of the same plugin usually have in common: thousands of tasks refer to it by its place here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) plugins: Vec<PluginTerms>,
    pub(super) tasks: Vec<PlannedTask>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) outputs: Vec<(String, Template)>,
}

/// The version of the stored form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub(super) struct Format;

const FORMAT: u32 = 2;

impl TryFrom<u32> for Format {
    type Error = String;
    fn try_from(format: u32) -> Result<Format, String> {
        match format {
            FORMAT => Ok(Format),
            other => Err(format!("this version reads plans of format {FORMAT}, not {other}")),
        }
    }
}

impl From<Format> for u32 {
    fn from(_: Format) -> u32 {
        FORMAT
    }
}

/// The priority of a workflow that says nothing.
pub(super) const DEFAULT_PRIORITY: u8 = 50;

/// Which runs may not run at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedConcurrency {
    /// The group's name, rendered.
    pub group: String,
    /// Runs of the group at once.
    pub limit: u32,
    /// Runs that may wait.
    pub queue: u32,
    /// What to do when there is no place.
    pub on_conflict: OnConflict,
}

/// A secret that the workflow declares. Its value is not part of the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedSecret {
    /// Its name.
    pub name: SecretName,
    /// Where its value comes from: `env:NAME`, `file:PATH`, `exec:PROGRAM` or `store:NAME`.
    pub from: String,
}

/// One run of a task for each of several values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Strategy {
    /// What it runs for.
    pub each: Each,
    /// Items at once, at most; absent: as many as the run has slots.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_parallel: Option<u32>,
    /// Whether the other items are cancelled when one fails.
    pub fail_fast: bool,
}

/// The values of a task that runs for each of several.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Each {
    /// Known before the run: the combinations of a matrix, each a mapping. Seen as `matrix`.
    Matrix(Vec<Value>),
    /// A list that the run makes. Each item is seen as `item`, its place as `index`.
    Items(Template),
}

/// A task of a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedTask {
    /// Its name in the run.
    pub id: TaskId,
    /// The task with [`PlannedKind::Workflow`] that it is part of. It begins after that one has been entered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<TaskId>,
    /// Why it runs, if it is none of the workflow's `tasks`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hook: Option<Hook>,
    /// What it needs directly: tasks of the same file.
    pub needs: Vec<TaskId>,
    /// Its condition; absent for `success()`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<Expr>,
    pub(super) ignores_failed_needs: bool,
    /// Whether the run goes on whatever its outcome.
    pub continue_on_error: bool,
    /// How long an attempt may take.
    pub timeout: Period,
    /// How long all attempts and the waits between them may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_timeout: Option<Period>,
    /// What happens when an attempt fails.
    #[serde(default, skip_serializing_if = "Retry::is_default")]
    pub retry: Retry,
    /// What it runs for each of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategy: Option<Strategy>,
    /// Whether an earlier result of the same may stand for a run of it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub cache: bool,
    /// The task of the plan that takes back what this one did; its hook is [`Hook::Undo`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<TaskId>,
    /// What it does.
    pub kind: PlannedKind,
    /// How its outputs are made of what the plugin returns; absent: they are what the plugin returns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outputs: Option<Vec<(String, Template)>>,
}

/// What a task does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PlannedKind {
    /// Runs a plugin.
    Plugin(Box<PlannedPlugin>),
    /// Decides over findings.
    Gate(Box<PlannedGate>),
    /// People decide.
    Approval(Box<PlannedApproval>),
    /// Runs the tasks of another workflow file, which name it as their parent.
    Workflow(Box<PlannedWorkflow>),
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// The plugin of a task and its input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedPlugin {
    /// Its place among the plan's plugins, see [`Plan::terms`].
    pub(super) terms: usize,
    /// Its input.
    pub with: Template,
}

/// Which plugin, and what it may do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PluginTerms {
    /// Which plugin and task, by digest.
    #[serde(with = "shared")]
    pub plugin: Arc<PluginTask>,
    /// Who signed it; absent for an unsigned file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signer: Option<SignerId>,
    /// As written in the workflow.
    pub uses: String,
    /// What it may reach.
    #[serde(with = "shared")]
    pub grants: Arc<Effective>,
    /// What it may use up.
    #[serde(with = "shared")]
    pub limits: Arc<Limits>,
    /// How its permissions came about.
    pub decisions: Vec<Decision>,
    /// Whether running it twice does no more than running it once.
    pub idempotent: bool,
}

/// Serde does not look through `Arc` without a feature that everybody else would get too.
mod shared {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use std::sync::Arc;

    pub(super) fn serialize<T: Serialize, S: Serializer>(value: &Arc<T>, serializer: S) -> Result<S::Ok, S::Error> {
        value.as_ref().serialize(serializer)
    }

    pub(super) fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(from: D) -> Result<Arc<T>, D::Error> {
        T::deserialize(from).map(Arc::new)
    }
}

impl Serialize for Plan {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        Plan::serialize(self, to)
    }
}

impl<'de> Deserialize<'de> for Plan {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Plan, D::Error> {
        let plan = Plan::deserialize(from)?;
        let known = |task: &PlannedTask| match &task.kind {
            PlannedKind::Plugin(plugin) => plugin.terms < plan.plugins.len(),
            PlannedKind::Gate(_) | PlannedKind::Approval(_) | PlannedKind::Workflow(_) => true,
        };
        match plan.tasks.iter().find(|task| !known(task)) {
            Some(task) => Err(D::Error::custom(format!("the plugin of the task `{}` is not in the plan", task.id))),
            None => Ok(plan),
        }
    }
}

impl Plan {
    /// Every plugin that its tasks run, with what it may do: once for each way in which it is used.
    pub fn plugins(&self) -> &[PluginTerms] {
        &self.plugins
    }

    /// Which plugin a task of this plan runs, and what it may do.
    pub fn terms(&self, plugin: &PlannedPlugin) -> &PluginTerms {
        &self.plugins[plugin.terms]
    }

    /// Names exactly what will run: the digest of the plan's canonical JSON.
    pub fn hash(&self) -> Digest {
        digest_of(self)
    }

    /// The workflow's name.
    pub fn workflow(&self) -> &str {
        &self.workflow
    }

    /// The workflow's file, as it was given.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// How long a run may take.
    pub fn timeout(&self) -> Option<Period> {
        self.timeout
    }

    /// Whether nothing outside may change, whatever was granted.
    pub fn dry_run(&self) -> bool {
        self.dry_run
    }

    /// How the network is reached.
    pub fn network(&self) -> &NetworkOptions {
        &self.network
    }

    /// 0 to 100; matters while the run waits for its concurrency group.
    pub fn priority(&self) -> u8 {
        self.priority
    }

    /// Which runs may not run beside this one.
    pub fn concurrency(&self) -> Option<&PlannedConcurrency> {
        self.concurrency.as_ref()
    }

    /// The secrets that the workflow declares.
    pub fn secrets(&self) -> &[PlannedSecret] {
        &self.secrets
    }

    /// The resolved inputs, an object.
    pub fn inputs(&self) -> &Value {
        &self.inputs
    }

    /// The tasks, each after what it needs and after its parent; then the hooks, in the order in which they run (those that undo
    /// run in the reverse order of what they undo).
    pub fn tasks(&self) -> &[PlannedTask] {
        &self.tasks
    }

    /// The tasks as reporters see them.
    pub fn summaries(&self) -> Vec<TaskSummary> {
        let summary = |task: &PlannedTask| {
            let (what, decisions) = match &task.kind {
                PlannedKind::Plugin(plugin) => {
                    let plugin = self.terms(plugin);
                    let PluginTask { name, version, digest, .. } = plugin.plugin.as_ref();
                    let what = TaskKind::Plugin { plugin: name.clone(), version: version.clone(), digest: *digest };
                    (what, plugin.decisions.clone())
                }
                PlannedKind::Gate(_) => (TaskKind::Gate, Vec::new()),
                PlannedKind::Approval(_) => (TaskKind::Approval, Vec::new()),
                PlannedKind::Workflow(nested) => (TaskKind::Workflow { file: nested.file.clone() }, Vec::new()),
            };
            TaskSummary { id: task.id.clone(), needs: task.needs.clone(), what, decisions, hook: task.hook }
        };
        self.tasks.iter().map(summary).collect()
    }

    /// The workflow's outputs when every task has ended, an object.
    ///
    /// # Errors
    /// When an expression cannot be evaluated with the values of the run.
    pub fn render_outputs(&self, scope: &Scope<'_>) -> Result<Value, ExprError> {
        render(&self.outputs, scope, None)
    }
}

impl PlannedTask {
    /// Whether the condition decides about failed needs itself, because it calls `success()`, `failure()` or `always()`. A
    /// task that does not is unreachable when [`Scope::needs_succeeded`] is false, and its condition is not evaluated.
    pub fn ignores_failed_needs(&self) -> bool {
        self.ignores_failed_needs
    }

    /// Whether the task runs. Without a condition that is [`Scope::needs_succeeded`].
    ///
    /// # Errors
    /// When the condition cannot be evaluated or yields no boolean.
    pub fn condition_holds(&self, scope: &Scope<'_>) -> Result<bool, ExprError> {
        match &self.condition {
            None => Ok(scope.needs_succeeded()),
            Some(condition) => boolean(evaluate(condition, scope, None)?),
        }
    }

    /// The input of the plugin: `with`, rendered. `null` for a task that runs no plugin.
    ///
    /// # Errors
    /// When an expression cannot be evaluated with the values of the run.
    pub fn input(&self, scope: &Scope<'_>) -> Result<Value, ExprError> {
        match &self.kind {
            PlannedKind::Plugin(plugin) => plugin.with.render(scope, None),
            PlannedKind::Gate(_) | PlannedKind::Approval(_) | PlannedKind::Workflow(_) => Ok(Value::Null),
        }
    }

    /// The outputs of the task, made of what the plugin returned.
    ///
    /// # Errors
    /// When an expression cannot be evaluated with the values of the run.
    pub fn outputs(&self, plugin_output: &Value, scope: &Scope<'_>) -> Result<Value, ExprError> {
        match &self.outputs {
            None => Ok(plugin_output.clone()),
            Some(outputs) => render(outputs, scope, Some(plugin_output)),
        }
    }
}

pub(super) fn boolean(value: Value) -> Result<bool, ExprError> {
    match value {
        Value::Bool(value) => Ok(value),
        other => {
            let other = crate::read::shown(&other.to_string());
            Err(ExprError { message: format!("a condition is a boolean, and this is `{other}`") })
        }
    }
}

pub(super) fn render(
    outputs: &[(String, Template)],
    scope: &Scope<'_>,
    output: Option<&Value>,
) -> Result<Value, ExprError> {
    let rendered = outputs.iter().map(|(name, template)| Ok((name.clone(), template.render(scope, output)?)));
    rendered.collect::<Result<Map<_, _>, ExprError>>().map(Value::Object)
}
