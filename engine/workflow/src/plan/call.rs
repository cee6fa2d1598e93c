//! A task that runs another file: its inputs, and the plan of what it runs.

use super::file::{Call, FilePlan, Known, Planner, Readiness};
use super::nested::{PlannedInput, PlannedWorkflow};
use crate::expr::{Template, references};
use crate::load::{DEEPEST, absolute};
use crate::read::{Reader, known, shown};
use crate::workflow::{Given, Input, InputKind, Nested};
use camino::Utf8Path;
use orch_core::{Code, Period, TaskId, visible};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// What the caller needs to know.
pub(super) struct Called {
    pub(super) workflow: PlannedWorkflow,
    /// How long the file says that it may take.
    pub(super) timeout: Option<Period>,
}

/// Plans the file that a task runs.
pub(super) fn nested<'a>(
    planner: &mut Planner<'a>,
    reader: &mut Reader<'_>,
    call: &Call<'a>,
    nested: &Nested,
    id: TaskId,
) -> Option<(Called, FilePlan)> {
    let path = absolute(call.folder, &nested.file);
    let Some(file) = planner.request.nested.get(&path) else {
        let message = format!("the workflow `{}` was not read", shown(&nested.file));
        reader.error(Code::Unreadable, &nested.span, message);
        return None;
    };
    // Files that were loaded together lie less deep, and none runs itself; this holds for any.
    if call.depth >= DEEPEST {
        let message = format!("workflows run each other more than {DEEPEST} deep");
        reader.error(Code::TooMany, &nested.span, message);
        return None;
    }
    let folder = file.folder();
    let declared = &file.workflow.inputs;
    let names: Vec<_> = declared.iter().map(|input| input.name.as_str()).collect();
    for given in nested.with.iter().filter(|given| !names.contains(&given.name.as_str())) {
        let message = format!("`{}` has no input `{}`", shown(&nested.file), given.name);
        reader.error_help(Code::InvalidInput, &given.key, message, known(given.name.as_str(), &names));
    }
    let mut inputs = Vec::with_capacity(declared.len());
    let (mut values, mut late, mut wrong) = (Map::new(), BTreeSet::new(), BTreeSet::new());
    for input in declared {
        let given = nested.with.iter().find(|given| given.name == input.name);
        let value = match (given, &input.default) {
            (Some(given), _) => match value(reader, call, folder, &nested.file, input, given) {
                Ok(value) => value,
                Err(Wrong) => {
                    wrong.insert(input.name.to_string());
                    continue;
                }
            },
            (None, Some(default)) => Some(default.clone()),
            (None, None) if !input.required => Some(Value::Null),
            (None, None) => {
                let message = format!("`{}` needs a value for its input `{}`", shown(&nested.file), input.name);
                let help = format!("add `with: {{ {}: … }}`", input.name);
                reader.error_help(Code::InvalidInput, &nested.span, message, help);
                wrong.insert(input.name.to_string());
                continue;
            }
        };
        let template = match (&value, given) {
            (Some(value), _) => Template::Literal(value.clone()),
            (None, Some(given)) => given.value.clone(),
            (None, None) => Template::Literal(Value::Null),
        };
        inputs.push(PlannedInput { name: input.name.clone(), kind: input.kind.clone(), value: template });
        match value {
            Some(value) => {
                values.insert(input.name.to_string(), value);
            }
            None => {
                late.insert(input.name.to_string());
            }
        }
    }
    if !planner.admit(reader, &file.workflow, &nested.span) {
        return None;
    }
    let inner = Call {
        workflow: &file.workflow,
        folder,
        caller: Some(id),
        depth: call.depth + 1,
        known: Known { values: Value::Object(values), late, wrong },
    };
    let mut inside = Reader::new(&file.source, Vec::new());
    let mut made = planner.file(&mut inside, &inner);
    planner.keep(inside.finish());
    for (input, what) in std::mem::take(&mut made.too_late) {
        let Some(given) = nested.with.iter().find(|given| given.name.as_str() == input) else { continue };
        let message = format!(
            "the input `{input}` is known only in the run, and `{}` needs it before, for {what}",
            shown(&nested.file)
        );
        let help = "give a value without `tasks` and `run`";
        reader.error_help(Code::InvalidInput, &given.span, message, help);
    }
    let workflow = PlannedWorkflow {
        file: nested.file.clone(),
        name: file.workflow.name.clone(),
        inputs,
        outputs: file.workflow.outputs.templates.clone(),
    };
    Some((Called { workflow, timeout: file.workflow.timeout }, made))
}

/// A value that does not fit; an error says so.
struct Wrong;

/// The value of an input; `None` when only the run knows it.
fn value(
    reader: &mut Reader<'_>,
    call: &Call<'_>,
    folder: &Utf8Path,
    file: &str,
    input: &Input,
    given: &Given,
) -> Result<Option<Value>, Wrong> {
    let late = |used| references(used).beyond_inputs;
    match call.known.readiness(&given.used) {
        Readiness::Wrong => return Err(Wrong),
        Readiness::Late(_) => return Ok(None),
        Readiness::Ready if given.used.iter().any(|used| late(&used.expr)) => return Ok(None),
        Readiness::Ready => {}
    }
    let value = match Known::render(&given.value, &call.known.values) {
        Ok(value) => value,
        Err(error) => {
            reader.error(Code::InvalidExpression, &given.span, visible(&error.message).into_owned());
            return Err(Wrong);
        }
    };
    let optional = !input.required && input.default.is_none();
    if value.is_null() && optional {
        return Ok(Some(value));
    }
    if !input.kind.fits(&value) {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let (file, text) = (shown(file), shown(&text));
        match &input.kind {
            InputKind::Choice(options) => {
                let message = format!("`{text}` is no value of the input `{}` of `{file}`", input.name);
                reader.error_help(Code::InvalidInput, &given.span, message, known(&text, options));
            }
            kind => {
                let message =
                    format!("the input `{}` of `{file}` takes {}, and this is `{text}`", input.name, kind.form());
                reader.error(Code::InvalidInput, &given.span, message);
            }
        }
        return Err(Wrong);
    }
    // A path means what it means where it stands; the other file would look for it in its own folder.
    match (&input.kind, value.as_str()) {
        (InputKind::Directory | InputKind::File, Some(path)) if folder != call.folder => {
            Ok(Some(Value::from(absolute(call.folder, path).into_string())))
        }
        _ => Ok(Some(value)),
    }
}
