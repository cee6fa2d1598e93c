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
    let mut problems = Vec::new();
    foreign(schema, &mut problems);
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

/// References to anything outside of the schema, and other drafts.
fn foreign(value: &Value, problems: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                match (key.as_str(), value) {
                    // Plain data, in which every key is allowed.
                    ("const" | "enum" | "default" | "examples", _) => {}
                    ("$ref" | "$dynamicRef", Value::String(target)) if !target.starts_with('#') => {
                        problems
                            .push(format!("`{key}: {}` leads out of it, and nothing is ever fetched", shown(target)));
                    }
                    ("$schema", Value::String(draft)) if draft.trim_end_matches('#') != DRAFT => {
                        problems.push(format!("it is in `{}`, and only draft 2020-12 is read", shown(draft)));
                    }
                    (_, value) => foreign(value, problems),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| foreign(item, problems)),
        _ => {}
    }
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
        check(&json!({ "items": { "$ref": "http://127.0.0.1/x" } }), "leads out of it");
        check(&json!({ "$ref": "file:///etc/passwd" }), "leads out of it");
        check(&json!({ "$ref": "#/$defs/missing" }), "missing");
        check(&json!({ "$schema": "http://json-schema.org/draft-07/schema#" }), "draft 2020-12");
        check(&json!({ "description": "x".repeat(MOST_BYTES) }), "at most 65536");
    }
}
