//! A workflow file inside of another: its inputs come from the task that runs it, its outputs become that task's.

use super::types::render;
use crate::expr::{ExprError, Template};
use crate::scope::Scope;
use crate::workflow::InputKind;
use orch_core::InputName;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A workflow file inside of another. Its tasks stand in the plan and name the task that runs it as their parent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedWorkflow {
    /// The file, as written.
    pub file: String,
    /// The workflow's name.
    pub name: String,
    /// All its inputs.
    pub inputs: Vec<PlannedInput>,
    /// Its outputs, made when its tasks have ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<(String, Template)>,
}

/// An input of a workflow inside of another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedInput {
    /// Its name.
    pub name: InputName,
    /// What it takes.
    pub kind: InputKind,
    /// Its value: what the caller says, else its default. Filled in where the caller stands.
    pub value: Template,
}

impl PlannedWorkflow {
    /// Its inputs, an object. `scope` is that of the task that runs it.
    ///
    /// # Errors
    /// When an expression cannot be evaluated with the values of the run, or a value does not fit its input.
    pub fn inputs(&self, scope: &Scope<'_>) -> Result<Value, ExprError> {
        let mut inputs = Map::new();
        for input in &self.inputs {
            let value = input.value.render(scope, None)?;
            if !value.is_null() && !input.kind.fits(&value) {
                let shown = crate::read::shown(&value.to_string());
                let message = format!("the input `{}` takes {}, and this is `{shown}`", input.name, input.kind.form());
                return Err(ExprError { message });
            }
            inputs.insert(input.name.to_string(), value);
        }
        Ok(Value::Object(inputs))
    }

    /// Its outputs, an object. `scope` is that of its own tasks.
    ///
    /// # Errors
    /// When an expression cannot be evaluated with the values of the run.
    pub fn outputs(&self, scope: &Scope<'_>) -> Result<Value, ExprError> {
        render(&self.outputs, scope, None)
    }
}
