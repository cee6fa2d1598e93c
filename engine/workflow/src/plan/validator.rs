//! JSON Schemas of plugins: draft 2020-12, nothing fetched, and bounded, because whoever wrote one may mean harm.
//!
//! A validator follows every reference again and again. Two alternatives that refer to two alternatives, thirty levels deep,
//! are a billion steps in a page of text, so a schema is measured with every reference written out before it is used. A schema
//! that refers to itself has no such measure and is refused; `true` takes its place where data is really recursive.

use crate::read::shown;
use jsonschema::{Draft, PatternOptions, Validator};
use serde_json::Value;
use std::collections::HashMap;

/// Parts of a schema with every reference written out.
const MOST_PARTS: u64 = 20_000;
/// Compiled size of one pattern.
const LARGEST_PATTERN: usize = 1 << 20;
/// References inside references.
const DEEPEST: usize = 64;

/// A validator that takes time linear in the value.
pub(crate) fn validator(schema: &Value) -> Result<Validator, String> {
    let mut measure = Measure { root: schema, known: HashMap::new(), open: vec!["#".to_owned()] };
    measure.schema(schema, true)?;
    let patterns = PatternOptions::regex().size_limit(LARGEST_PATTERN).dfa_size_limit(LARGEST_PATTERN);
    let options = jsonschema::options().with_draft(Draft::Draft202012).with_pattern_options(patterns);
    options.build(schema).map_err(|error| shown(&error.to_string()))
}

struct Measure<'s> {
    root: &'s Value,
    known: HashMap<&'s str, u64>,
    /// The references that are being followed.
    open: Vec<String>,
}

impl<'s> Measure<'s> {
    /// The parts of a schema. Recursion is bounded by the depth of JSON text and by [`DEEPEST`].
    fn schema(&mut self, schema: &'s Value, top: bool) -> Result<u64, String> {
        let Some(object) = schema.as_object() else { return Ok(1) };
        let mut parts = 1_u64;
        for (key, value) in object {
            let more = match (key.as_str(), value) {
                ("$ref", Value::String(target)) => self.reference(target)?,
                ("$dynamicRef" | "$recursiveRef", _) => return Err(format!("`{key}` is not supported")),
                ("$id", Value::String(_)) if !top => return Err("`$id` is not supported below the top".to_owned()),
                ("const" | "enum" | "default" | "examples", _) => 0,
                ("properties" | "patternProperties" | "dependentSchemas", Value::Object(named)) => {
                    self.all(named.values())?
                }
                // Measured where they are referred to.
                ("$defs" | "definitions", _) => 0,
                (_, Value::Object(_)) => self.schema(value, false)?,
                (_, Value::Array(items)) => self.all(items.iter())?,
                _ => 0,
            };
            parts = parts.saturating_add(more);
            if parts > MOST_PARTS {
                return Err(format!("with every reference written out it has more than {MOST_PARTS} parts"));
            }
        }
        Ok(parts)
    }

    fn all(&mut self, schemas: impl Iterator<Item = &'s Value>) -> Result<u64, String> {
        let mut parts = 0_u64;
        for schema in schemas {
            parts = parts.saturating_add(self.schema(schema, false)?);
        }
        Ok(parts)
    }

    fn reference(&mut self, target: &'s str) -> Result<u64, String> {
        if let Some(parts) = self.known.get(target) {
            return Ok(*parts);
        }
        if self.open.iter().any(|open| open == target) || self.open.len() > DEEPEST {
            return Err(format!("it refers to itself (`{}`)", shown(target)));
        }
        let pointer = target.strip_prefix('#').filter(|pointer| pointer.is_empty() || pointer.starts_with('/'));
        let Some(pointer) = pointer.filter(|pointer| !pointer.contains('%')) else {
            return Err(format!("`{}` is no reference into the schema itself", shown(target)));
        };
        let Some(schema) = self.root.pointer(pointer) else {
            return Err(format!("`{}` refers to nothing", shown(target)));
        };
        self.open.push(target.to_owned());
        let parts = self.schema(schema, false)?;
        self.open.pop();
        self.known.insert(target, parts);
        Ok(parts)
    }
}
