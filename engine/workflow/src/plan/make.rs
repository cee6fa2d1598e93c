//! From a checked workflow to a plan: the whole. What stands in one file is planned in `file`.

use super::file::{Call, FilePlan, Known, Planner, Readiness};
use super::types::{DEFAULT_PRIORITY, Format, Plan, PlannedConcurrency, PlannedSecret};
use crate::load::NestedFiles;
use crate::read::{Reader, known};
use crate::waivers::Waivers;
use crate::workflow::{Workflow, wrong_group};
use camino::{Utf8Path, Utf8PathBuf};
use orch_core::{Code, Diagnostic, Digest, Manifest, Policy, SignerId, Source, visible};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

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
    /// The workflow's folder, absolute, without `.` and `..`: what relative paths are relative to.
    pub folder: &'a Utf8Path,
    /// Whether nothing outside may change.
    pub dry_run: bool,
    /// Inputs from the command line, as text.
    pub inputs: &'a BTreeMap<String, String>,
    /// The files that it runs, from [`crate::load`].
    pub nested: &'a NestedFiles,
    /// Plugins by the folder of the file that uses them (that of the workflow, or of one of `nested`) and the text of `uses`.
    pub plugins: &'a BTreeMap<(Utf8PathBuf, String), Resolved>,
    /// The host's policy.
    pub policy: &'a Policy,
    /// Waivers files by the folder of the file that names them and the path as written.
    pub waivers: &'a BTreeMap<(Utf8PathBuf, String), Waivers>,
}

/// Makes a plan. It is there only without errors; warnings may come with it. Problems in a file that the workflow runs carry the
/// name of that file's [`Source`].
pub fn plan(request: &PlanRequest<'_>) -> (Option<Plan>, Vec<Diagnostic>) {
    let mut reader = Reader::new(request.source, Vec::new());
    let workflow = request.workflow;
    let known = inputs(&mut reader, request);
    let inputs = known.values.clone();
    let concurrency = concurrency(&mut reader, workflow, &known);
    let mut planner = Planner::new(request);
    let call = Call { workflow, folder: request.folder, caller: None, depth: 0, known };
    let FilePlan { mut tasks, undos, hooks, .. } = planner.file(&mut reader, &call);
    let mut found = reader.finish();
    let (plugins, within) = planner.finish();
    found.extend(within);
    if found.iter().any(|problem| !problem.warning) {
        return (None, found);
    }
    tasks.extend(undos);
    tasks.extend(hooks);
    let secrets = workflow.secrets.iter();
    let plan = Plan {
        format: Format,
        workflow: workflow.name.clone(),
        file: request.source.name.clone(),
        timeout: workflow.timeout,
        dry_run: request.dry_run,
        network: request.policy.network.clone(),
        priority: workflow.priority.unwrap_or(DEFAULT_PRIORITY),
        concurrency,
        inputs,
        secrets: secrets.map(|(name, from)| PlannedSecret { name: name.clone(), from: from.clone() }).collect(),
        plugins,
        tasks,
        outputs: workflow.outputs.templates.clone(),
    };
    (Some(plan), found)
}

fn inputs(reader: &mut Reader<'_>, request: &PlanRequest<'_>) -> Known {
    let declared = &request.workflow.inputs;
    let names: Vec<_> = declared.iter().map(|input| input.name.as_str()).collect();
    let file = &request.source.name;
    for name in request.inputs.keys().filter(|name| !names.contains(&name.as_str())) {
        let message = format!("the workflow has no input `{}`", crate::read::shown(name));
        reader.push(Diagnostic::error(Code::InvalidInput, file, None, message).help(known(name, &names)));
    }
    let mut values = Map::new();
    let mut wrong = BTreeSet::new();
    for input in declared {
        let value = match (request.inputs.get(input.name.as_str()), &input.default) {
            (Some(text), _) => match input.convert(text) {
                Ok(value) => value,
                Err(unfit) => {
                    reader.push(Diagnostic::error(Code::InvalidInput, file, None, unfit.message).help(unfit.help));
                    wrong.insert(input.name.to_string());
                    continue;
                }
            },
            (None, Some(default)) => default.clone(),
            (None, None) if !input.required => Value::Null,
            (None, None) => {
                let message = format!("the input `{}` needs a value", input.name);
                let help = format!("add `--input {}=…`", input.name);
                reader.push(Diagnostic::error(Code::InvalidInput, file, None, message).help(help));
                wrong.insert(input.name.to_string());
                continue;
            }
        };
        values.insert(input.name.to_string(), value);
    }
    Known { values: Value::Object(values), late: BTreeSet::new(), wrong }
}

fn concurrency(reader: &mut Reader<'_>, workflow: &Workflow, known: &Known) -> Option<PlannedConcurrency> {
    let written = workflow.concurrency.as_ref()?;
    if known.readiness(&written.used) != Readiness::Ready {
        return None;
    }
    let problem = match Known::render(&written.group, &known.values) {
        Ok(Value::String(group)) => match wrong_group(&group) {
            None => {
                let (limit, queue, on_conflict) = (written.limit, written.queue, written.on_conflict);
                return Some(PlannedConcurrency { group, limit, queue, on_conflict });
            }
            Some(reason) => (Code::InvalidName, reason),
        },
        Ok(other) => {
            let shown = crate::read::shown(&other.to_string());
            (Code::WrongType, format!("the name of a concurrency group is text, and this is `{shown}`"))
        }
        Err(error) => (Code::InvalidExpression, visible(&error.message).into_owned()),
    };
    reader.error(problem.0, &written.span, problem.1);
    None
}
