//! The schemas of a task: what goes in and comes out is checked against them, in both directions.

use crate::failure;
use orch_core::{Failure, FailureKind, Limits, Masker, TaskManifest, shorten, visible};
use serde_json::Value;
use std::sync::OnceLock;

/// A schema, compiled when it is needed first: a run that never comes to a task does not pay for its schemas.
struct Schema {
    text: Value,
    compiled: OnceLock<Result<jsonschema::Validator, String>>,
}

/// Both schemas of a task.
pub(crate) struct Schemas {
    input: Schema,
    output: Schema,
}

impl Schema {
    fn new(text: &Value) -> Schema {
        Schema { text: text.clone(), compiled: OnceLock::new() }
    }

    fn validator(&self) -> Result<&jsonschema::Validator, Failure> {
        let compiled = self.compiled.get_or_init(|| {
            orch_core::check_schema_cost(&self.text)?;
            jsonschema::options()
                // The draft that manifests are written in, whatever `$schema` says: older ones have other words for the same.
                .with_draft(jsonschema::Draft::Draft202012)
                // A plugin's pattern must not be able to run for ever.
                .with_pattern_options(jsonschema::PatternOptions::regex())
                .build(&self.text)
                .map_err(|error| error.to_string())
        });
        compiled.as_ref().map_err(|reason| {
            Failure::new(FailureKind::InvalidOutput, format!("the plugin's schema cannot be used: {reason}"))
        })
    }

    fn problem(&self, value: &Value, masker: &Masker) -> Result<Option<String>, Failure> {
        Ok(self.validator()?.iter_errors(value).next().map(|error| {
            let place = error.instance_path().to_string();
            let place = if place.is_empty() { "the whole value".to_owned() } else { format!("`{place}`") };
            shorten(&visible(&masker.mask(&format!("{place}: {error}"))), 600).into_owned()
        }))
    }
}

impl Schemas {
    pub(crate) fn of(task: &TaskManifest) -> Schemas {
        Schemas { input: Schema::new(&task.input), output: Schema::new(&task.output) }
    }

    pub(crate) fn check_input(&self, input: &str, masker: &Masker) -> Result<(), Failure> {
        let invalid = |reason: String| {
            Failure::new(FailureKind::InvalidInput, format!("the input does not fit the task: {reason}"))
        };
        let value: Value = serde_json::from_str(input).map_err(|error| invalid(error.to_string()))?;
        self.input.problem(&value, masker)?.map_or(Ok(()), |problem| Err(invalid(problem)))
    }

    /// The output without secrets. What is checked is what others will get.
    pub(crate) fn check_output(&self, text: &str, limits: &Limits, masker: &Masker) -> Result<Value, Failure> {
        if text.len() as u64 > limits.output.bytes() {
            return Err(failure::limit_reached("output", &limits.output.to_string()));
        }
        let invalid = |reason: String| {
            let message = format!("the output is not what the plugin promises: {reason}");
            Failure::new(FailureKind::InvalidOutput, message)
        };
        let mut value: Value =
            serde_json::from_str(text).map_err(|error| invalid(format!("it is no JSON: {error}")))?;
        masker.mask_json(&mut value);
        self.output.problem(&value, masker)?.map_or(Ok(value), |problem| Err(invalid(problem)))
    }
}
