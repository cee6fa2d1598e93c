//! From JSON text to a typed task and back, and the answer to the host's question what the tasks look like.

use crate::{Host, Outcome, TaskError};
use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde::{Serialize, de::DeserializeOwned};
use std::collections::BTreeMap;

/// The reserved task name by which the host asks for the schemas of all tasks. Its output is a map of task name to
/// [`TaskDescription`].
pub const DESCRIBE_TASK: &str = "orch:describe";

/// The JSON Schemas (draft 2020-12) of one task.
#[derive(Debug, Clone, Serialize, serde::Deserialize)]
pub struct TaskDescription {
    /// What the task takes.
    pub input: serde_json::Value,
    /// What it returns.
    pub output: serde_json::Value,
}

type Run = Box<dyn Fn(&str, &dyn Host) -> Result<Outcome<String>, TaskError>>;

/// A named task with its types erased.
pub struct Task {
    name: &'static str,
    run: Run,
    describe: fn() -> TaskDescription,
}

impl Task {
    /// Wraps a typed function.
    pub fn new<I, O>(name: &'static str, function: fn(I, &dyn Host) -> Result<Outcome<O>, TaskError>) -> Task
    where
        I: DeserializeOwned + JsonSchema + 'static,
        O: Serialize + JsonSchema + 'static,
    {
        let run = move |input: &str, host: &dyn Host| {
            let input = serde_json::from_str(input).map_err(|error| TaskError::InvalidInput(error.to_string()))?;
            let outcome = function(input, host)?;
            encode(outcome)
        };
        Task { name, run: Box::new(run), describe: description::<I, O> }
    }
}

fn encode<O: Serialize>(outcome: Outcome<O>) -> Result<Outcome<String>, TaskError> {
    let text = |output: O| {
        serde_json::to_string(&output).map_err(|error| TaskError::Failed(format!("the output is no JSON: {error}")))
    };
    Ok(match outcome {
        Outcome::Succeeded(output) => Outcome::Succeeded(text(output)?),
        Outcome::Rejected(output) => Outcome::Rejected(text(output)?),
        Outcome::Skipped(reason) => Outcome::Skipped(reason),
    })
}

fn description<I: JsonSchema, O: JsonSchema>() -> TaskDescription {
    // An output's schema describes what is written, so fields that are always written are required in it.
    let settings = SchemaSettings::draft2020_12();
    TaskDescription {
        input: SchemaGenerator::new(settings.clone()).into_root_schema_for::<I>().to_value(),
        output: SchemaGenerator::new(settings.for_serialize()).into_root_schema_for::<O>().to_value(),
    }
}

/// Runs one of `tasks` by name, or answers [`DESCRIBE_TASK`].
///
/// # Errors
/// What the task returns, and [`TaskError::InvalidInput`] for an unknown name or an input that does not fit the task's type.
pub fn dispatch(tasks: &[Task], name: &str, input: &str, host: &dyn Host) -> Result<Outcome<String>, TaskError> {
    if name == DESCRIBE_TASK {
        let all: BTreeMap<&str, TaskDescription> = tasks.iter().map(|task| (task.name, (task.describe)())).collect();
        return encode(Outcome::Succeeded(all));
    }
    match tasks.iter().find(|task| task.name == name) {
        Some(task) => (task.run)(input, host),
        None => {
            let known: Vec<_> = tasks.iter().map(|task| format!("`{}`", task.name)).collect();
            Err(TaskError::InvalidInput(format!("no task `{name}` in this plugin (known: {})", known.join(", "))))
        }
    }
}
