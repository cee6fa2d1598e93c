//! What checking a value against a JSON Schema can cost. Schemas come with plugins and are evaluated outside of the sandbox.
//!
//! A validator follows every reference again and again. Two alternatives that refer to two alternatives, thirty levels deep,
//! are a billion steps in a page of text, so a schema is measured with every reference written out before it is used. A schema
//! that refers to itself has no such measure and is refused; `true` takes its place where data is really recursive.

use crate::{shorten, visible};
use serde_json::Value;
use std::collections::HashMap;

/// Parts of a schema with every reference written out. The largest honest ones have a few thousand.
const MOST_PARTS: u64 = 20_000;
/// References inside references.
const DEEPEST: usize = 64;

/// Refuses a schema that could take more than time linear in the value, or that refers to anything outside of itself.
///
/// # Errors
/// Why.
pub fn check_schema_cost(schema: &Value) -> Result<(), String> {
    let mut measure = Measure { root: schema, known: HashMap::new(), open: vec!["#".to_owned()] };
    measure.schema(schema, true).map(|_parts| ())
}

fn shown(text: &str) -> String {
    shorten(&visible(text), 200).into_owned()
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(schema: &Value, expected: &str) {
        match check_schema_cost(schema) {
            Ok(()) => assert_eq!(expected, ""),
            Err(reason) => assert!(!expected.is_empty() && reason.contains(expected), "{reason}"),
        }
    }

    fn doubling(levels: usize) -> Value {
        let next = |at: usize| json!({ "$ref": format!("#/$defs/l{}", at + 1) });
        let mut all: serde_json::Map<String, Value> =
            (0..levels).map(|at| (format!("l{at}"), json!({ "allOf": [next(at), next(at)] }))).collect();
        all.insert(format!("l{levels}"), json!(true));
        json!({ "$ref": "#/$defs/l0", "$defs": all })
    }

    #[test]
    fn what_tools_generate_is_fine() {
        check(&json!(true), "");
        check(
            &json!({ "$id": "https://example.com/x", "$ref": "#/$defs/a", "$defs": { "a": { "type": "object" } } }),
            "",
        );
        check(
            &json!({ "properties": { "$ref": { "type": "string" } }, "const": { "$ref": "http://data.example/" } }),
            "",
        );
        check(&doubling(8), "");
    }

    #[test]
    fn what_costs_too_much_or_cannot_be_followed_is_refused() {
        check(&doubling(40), "more than 20000 parts");
        check(&doubling(63), "more than 20000 parts");
        check(&json!({ "properties": { "left": { "$ref": "#" } } }), "refers to itself");
        check(&json!({ "$ref": "#anchor" }), "no reference into the schema");
        check(&json!({ "$ref": "https://example.com/schema" }), "no reference into the schema");
        check(&json!({ "$ref": "#/%24defs/a", "$defs": { "a": true } }), "no reference into the schema");
        check(&json!({ "$ref": "#/$defs/missing" }), "refers to nothing");
        check(&json!({ "allOf": [{ "$id": "x", "$ref": "#/$defs/a" }] }), "`$id` is not supported");
        check(&json!({ "$dynamicRef": "#x" }), "`$dynamicRef` is not supported");
    }
}
