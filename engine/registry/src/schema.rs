//! The JSON Schemas of tasks (draft 2020-12): complete in themselves, nothing is ever fetched.

use crate::error::shown;
use orch_core::canonical_json;
use serde_json::Value;

/// Bytes of one schema, as canonical JSON.
const MOST_BYTES: usize = 64 << 10;

const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";

/// What is wrong with a schema.
pub(crate) fn problems(schema: &Value) -> Vec<String> {
    if !(schema.is_object() || schema.is_boolean()) {
        return vec!["it is neither an object nor a boolean".to_owned()];
    }
    let bytes = canonical_json(schema).len();
    if bytes > MOST_BYTES {
        return vec![format!("it has {bytes} bytes, at most {MOST_BYTES} are allowed")];
    }
    if let Some(draft) = schema.get("$schema").and_then(Value::as_str)
        && draft.trim_end_matches('#') != DRAFT
    {
        return vec![format!("it is in `{}`, and only draft 2020-12 is read", shown(draft))];
    }
    let mut problems: Vec<String> = orch_core::check_schema_cost(schema).err().into_iter().collect();
    if problems.is_empty() {
        let built = jsonschema::options()
            .with_draft(jsonschema::Draft::Draft202012)
            // A pattern must not be able to run for ever; the host compiles with the same engine.
            .with_pattern_options(jsonschema::PatternOptions::regex())
            .offline()
            .build(schema);
        if let Err(error) = built {
            let place = error.instance_path().to_string();
            let place = if place.is_empty() { String::new() } else { format!("at `{}`: ", shown(&place)) };
            problems.push(format!("{place}{}", shown(&error.to_string())));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(schema: &Value, expected: &str) {
        let found = problems(schema).join("; ");
        assert!(if expected.is_empty() { found.is_empty() } else { found.contains(expected) }, "{found}");
    }

    #[test]
    fn schemas() {
        check(&json!(true), "");
        check(&json!({}), "");
        check(&json!({ "$schema": DRAFT, "type": "object", "properties": { "$ref": { "type": "string" } } }), "");
        check(&json!({ "$ref": "#/$defs/a", "$defs": { "a": { "type": "integer" } } }), "");
        check(&json!({ "const": { "$ref": "http://data.example/" } }), "");
        check(&json!(null), "neither an object nor a boolean");
        check(&json!("string"), "neither an object nor a boolean");
        check(&json!({ "type": "strin" }), "/type");
        check(&json!({ "pattern": "(" }), "/pattern");
        check(&json!({ "pattern": "(?=look)ahead" }), "/pattern");
        check(&json!({ "items": { "$ref": "http://127.0.0.1/x" } }), "no reference into the schema");
        check(&json!({ "$ref": "file:///etc/passwd" }), "no reference into the schema");
        check(&json!({ "$ref": "#/$defs/missing" }), "refers to nothing");
        check(&json!({ "$schema": "http://json-schema.org/draft-07/schema#" }), "draft 2020-12");
        check(&json!({ "description": "x".repeat(MOST_BYTES) }), "at most 65536");
    }
}
