//! From a checked workflow to a plan.

use super::gate::{PlannedCheck, PlannedGate};
use super::types::{Format, Plan, PlannedKind, PlannedPlugin, PlannedTask};
use super::{grants, with};
use crate::expr::{Place, Standing, Surroundings, Template, Used, check as check_expression};
use crate::read::{Reader, known, list};
use crate::waivers::Waivers;
use crate::workflow::{Gate, Task, Uses, Work, Workflow};
use camino::Utf8Path;
use orch_core::{
    Code, Diagnostic, Digest, Limits, Manifest, Period, PluginTask, PluginTaskName, Policy, SignerId, Source, TaskId,
    TaskManifest,
};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// What a task may take when nobody says anything.
const DEFAULT_TIMEOUT: Period = Period::from_millis(10 * 60 * 1000);

/// A plugin that was found and verified.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// What it says of itself.
    pub manifest: Arc<Manifest>,
    /// The component.
    pub digest: Digest,
    /// Who signed it; absent for an unsigned file.
    pub signer: Option<SignerId>,
}

/// Everything that a plan is made of.
#[derive(Debug, Clone, Copy)]
pub struct PlanRequest<'a> {
    /// The workflow.
    pub workflow: &'a Workflow,
    /// The text that it was read from.
    pub source: &'a Source,
    /// The workflow's folder, absolute: what relative paths are relative to.
    pub folder: &'a Utf8Path,
    /// Inputs from the command line, as text.
    pub inputs: &'a BTreeMap<String, String>,
    /// Plugins by the text of `uses`.
    pub plugins: &'a BTreeMap<String, Resolved>,
    /// The host's policy.
    pub policy: &'a Policy,
    /// Waivers files by the path as written.
    pub waivers: &'a BTreeMap<String, Waivers>,
}

/// Makes a plan. It is there only without errors; warnings may come with it.
pub fn plan(request: &PlanRequest<'_>) -> (Option<Plan>, Vec<Diagnostic>) {
    let mut reader = Reader::new(request.source, Vec::new());
    let inputs = inputs(&mut reader, request);
    let chosen = choose(&mut reader, request);
    let mut tasks = Vec::with_capacity(request.workflow.order.len());
    let mut validators = with::Validators::default();
    for index in &request.workflow.order {
        let task = &request.workflow.tasks[*index];
        references(&mut reader, request, &chosen, task);
        let kind = match &task.work {
            Work::Uses(uses) => plugin(&mut reader, request, &chosen, task, uses, &inputs, &mut validators),
            Work::Gate(gate) => planned_gate(&mut reader, request, task, gate),
            Work::Unknown => None,
        };
        if let Some(kind) = kind {
            tasks.push(planned_task(request.workflow, task, kind));
        }
    }
    for used in &request.workflow.outputs.used {
        fields(&mut reader, &chosen, Place::WorkflowOutput, used);
    }
    if reader.failed() {
        return (None, reader.finish());
    }
    let plan = Plan {
        format: Format,
        workflow: request.workflow.name.clone(),
        file: request.source.name.clone(),
        timeout: request.workflow.timeout,
        inputs,
        tasks,
        outputs: request.workflow.outputs.templates.clone(),
    };
    (Some(plan), reader.finish())
}

fn inputs(reader: &mut Reader<'_>, request: &PlanRequest<'_>) -> Value {
    let declared = &request.workflow.inputs;
    let names: Vec<_> = declared.iter().map(|input| input.name.as_str()).collect();
    let file = &request.source.name;
    for name in request.inputs.keys().filter(|name| !names.contains(&name.as_str())) {
        let message = format!("the workflow has no input `{}`", crate::read::shown(name));
        reader.push(Diagnostic::error(Code::InvalidInput, file, None, message).help(known(name, &names)));
    }
    let mut values = Map::new();
    for input in declared {
        let value = match (request.inputs.get(input.name.as_str()), &input.default) {
            (Some(text), _) => match input.convert(text) {
                Ok(value) => value,
                Err(unfit) => {
                    reader.push(Diagnostic::error(Code::InvalidInput, file, None, unfit.message).help(unfit.help));
                    continue;
                }
            },
            (None, Some(default)) => default.clone(),
            (None, None) if !input.required => Value::Null,
            (None, None) => {
                let message = format!("the input `{}` needs a value", input.name);
                let help = format!("add `--input {}=…`", input.name);
                reader.push(Diagnostic::error(Code::InvalidInput, file, None, message).help(help));
                continue;
            }
        };
        values.insert(input.name.to_string(), value);
    }
    Value::Object(values)
}

/// The plugin's task behind each task of the workflow.
struct Chosen<'a> {
    resolved: &'a Resolved,
    name: &'a PluginTaskName,
    task: &'a TaskManifest,
    reshaped: bool,
}

fn choose<'a>(reader: &mut Reader<'_>, request: &PlanRequest<'a>) -> HashMap<&'a TaskId, Chosen<'a>> {
    let mut chosen = HashMap::new();
    for task in &request.workflow.tasks {
        let Work::Uses(uses) = &task.work else { continue };
        let Some(reference) = &uses.reference else { continue };
        let Some(resolved) = request.plugins.get(&uses.text) else {
            reader.error(Code::UnknownPlugin, &uses.span, format!("the plugin `{reference}` was not found"));
            continue;
        };
        let tasks = &resolved.manifest.tasks;
        let names: Vec<_> = tasks.keys().map(PluginTaskName::as_str).collect();
        let found = match reference.task() {
            Some(name) => tasks.get_key_value(name),
            None if tasks.len() == 1 => tasks.first_key_value(),
            None => None,
        };
        match (found, reference.task()) {
            (Some((name, manifest)), _) => {
                chosen.insert(&task.id, Chosen { resolved, name, task: manifest, reshaped: uses.outputs.is_some() });
            }
            (None, Some(name)) => {
                let message = format!("the plugin `{}` has no task `{name}`", resolved.manifest.name);
                reader.error_help(Code::UnknownPlugin, &uses.span, message, known(name.as_str(), &names));
            }
            (None, None) => {
                let message =
                    format!("the plugin `{}` has {} tasks, and none is named", resolved.manifest.name, names.len());
                let example = names.first().copied().unwrap_or("task");
                let help = format!("known: {}; write `{}/{example}@…`", list(&names), resolved.manifest.name);
                reader.error_help(Code::UnknownPlugin, &uses.span, message, help);
            }
        }
    }
    chosen
}

fn references(reader: &mut Reader<'_>, _request: &PlanRequest<'_>, chosen: &HashMap<&TaskId, Chosen<'_>>, task: &Task) {
    if let Some(condition) = &task.condition {
        fields(reader, chosen, Place::Condition, condition);
    }
    match &task.work {
        Work::Uses(uses) => {
            uses.with.iter().flat_map(|with| &with.used).for_each(|used| fields(reader, chosen, Place::With, used));
            uses.outputs.iter().flat_map(|outputs| &outputs.used).for_each(|used| {
                fields(reader, chosen, Place::TaskOutput, used);
            });
        }
        Work::Gate(gate) => gate.checks.iter().for_each(|check| fields(reader, chosen, Place::Assert, &check.assert)),
        Work::Unknown => {}
    }
}

/// Output fields that the plugin's schema certainly does not have. Names of tasks were checked with the workflow.
fn fields(reader: &mut Reader<'_>, chosen: &HashMap<&TaskId, Chosen<'_>>, place: Place, used: &Used) {
    if reader.is_full() {
        return;
    }
    let around = Surroundings { place, inputs: &[], standing: &|_| Standing::Direct, tasks: &Vec::new };
    let (references, _) = check_expression(&used.expr, &around);
    for reference in references.tasks {
        let other = TaskId::try_from(reference.task.as_str()).ok().and_then(|id| chosen.get(&id));
        let Some(other) = other.filter(|other| !other.reshaped) else { continue };
        if let Some((name, names)) = with::missing(&other.task.output, &reference.path) {
            let message = format!("the task `{}` has no output `{}`", reference.task, crate::read::shown(name));
            reader.error_help(Code::UnknownReference, &used.locator.place(&reference.at), message, known(name, &names));
        }
    }
}

fn plugin(
    reader: &mut Reader<'_>,
    request: &PlanRequest<'_>,
    chosen: &HashMap<&TaskId, Chosen<'_>>,
    task: &Task,
    uses: &Uses,
    inputs: &Value,
    validators: &mut with::Validators,
) -> Option<PlannedKind> {
    let Chosen { resolved, name, task: taken, .. } = chosen.get(&task.id)?;
    let manifest = &resolved.manifest;
    let shown = if manifest.tasks.len() == 1 { manifest.name.to_string() } else { format!("{}/{name}", manifest.name) };
    if !reader.is_full() {
        with::check(reader, validators, resolved.digest, &shown, &taken.input, uses);
    }
    let grants = grants::grants(reader, uses, request.folder, inputs)?;
    let evaluation = grants::decide(reader, task, uses, manifest, &grants, request.policy);
    let limits = Limits::resolve(&manifest.limits, &uses.limits, &request.policy.limits);
    Some(PlannedKind::Plugin(Box::new(PlannedPlugin {
        plugin: Arc::new(PluginTask {
            name: manifest.name.clone(),
            version: manifest.version.clone(),
            digest: resolved.digest,
            task: (*name).clone(),
        }),
        signer: resolved.signer.clone(),
        uses: uses.text.clone(),
        with: uses
            .with
            .as_ref()
            .map_or_else(|| Template::Literal(Value::Object(Map::new())), |with| with.template.clone()),
        grants: Arc::new(evaluation.effective),
        limits: Arc::new(limits),
        decisions: evaluation.decisions,
        input_schema: taken.input.clone(),
        output_schema: taken.output.clone(),
        idempotent: taken.idempotent,
    })))
}

fn planned_gate(reader: &mut Reader<'_>, request: &PlanRequest<'_>, task: &Task, gate: &Gate) -> Option<PlannedKind> {
    let waivers = match &gate.waivers {
        None => Vec::new(),
        Some((path, span)) => match request.waivers.get(path) {
            Some(file) => file.waivers.clone(),
            None => {
                let message = format!("the waivers file `{}` was not read", crate::read::shown(path));
                reader.error(Code::Unreadable, span, message);
                return None;
            }
        },
    };
    let checks = gate.checks.iter().map(|check| PlannedCheck {
        id: check.id.clone(),
        assert: check.expr().clone(),
        on_fail: check.on_fail,
    });
    Some(PlannedKind::Gate(Box::new(PlannedGate {
        needs: task.needs.iter().map(|(need, _)| need.clone()).collect(),
        baseline: gate.baseline.clone(),
        waivers,
        checks: checks.collect(),
    })))
}

fn planned_task(workflow: &Workflow, task: &Task, kind: PlannedKind) -> PlannedTask {
    let outputs = match &task.work {
        Work::Uses(uses) => uses.outputs.as_ref().map(|outputs| outputs.templates.clone()),
        Work::Gate(_) | Work::Unknown => None,
    };
    // What a gate says is never to be ignored by a default that was meant for plugins.
    let by_default = workflow.default_continue && matches!(kind, PlannedKind::Plugin(_));
    PlannedTask {
        id: task.id.clone(),
        needs: task.needs.iter().map(|(need, _)| need.clone()).collect(),
        condition: task.condition.as_ref().map(|condition| condition.expr.clone()),
        ignores_failed_needs: task.decides_itself,
        continue_on_error: task.continue_on_error.unwrap_or(by_default),
        timeout: task.timeout.or(workflow.default_timeout).unwrap_or(DEFAULT_TIMEOUT),
        kind,
        outputs,
    }
}
