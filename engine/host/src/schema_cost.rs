//! What checking a value against a plugin's schema can cost. Schemas come with the plugin, and they are evaluated outside of its
//! sandbox: forty references, each to the next one twice, are a trillion checks.
//!
//! References are followed on paper and counted. What cannot be followed that way (anchors, other documents, dynamic references) is
//! refused; what tools generate are references to `#/$defs/…`.

use serde_json::Value;
use std::collections::HashMap;

/// Parts of a schema with every reference replaced by what it stands for. The largest honest ones have a few thousand.
const MOST_PARTS: u64 = 50_000;

/// References that lead from one to the next.
const MOST_DEEP: usize = 64;

struct Walk<'a> {
    root: &'a Value,
    /// References that are being followed. One that leads back ends there: the validator goes on only if the value does.
    path: Vec<&'a str>,
    counted: HashMap<&'a str, u64>,
}

/// Refuses a schema that costs too much.
///
/// # Errors
/// Why.
pub(crate) fn check_cost(schema: &Value) -> Result<(), String> {
    let parts = Walk { root: schema, path: Vec::new(), counted: HashMap::new() }.count(schema, true)?;
    if parts > MOST_PARTS {
        return Err(format!("with its references it has {parts} parts, at most {MOST_PARTS} are allowed"));
    }
    Ok(())
}

impl<'a> Walk<'a> {
    fn count(&mut self, part: &'a Value, is_root: bool) -> Result<u64, String> {
        let mut total = 1_u64;
        match part {
            Value::Object(map) => {
                for (key, value) in map {
                    let more = match (key.as_str(), value) {
                        ("$ref", Value::String(to)) => self.follow(to)?,
                        ("$dynamicRef" | "$recursiveRef" | "$anchor" | "$dynamicAnchor", Value::String(_)) => {
                            return Err(format!("`{key}` is not supported: refer to `#/$defs/…`"));
                        }
                        // It would change what the references below it mean.
                        ("$id", Value::String(_)) if !is_root => {
                            return Err(format!("`{key}` inside of a schema is not supported"));
                        }
                        _ => self.count(value, false)?,
                    };
                    total = total.saturating_add(more);
                }
            }
            Value::Array(items) => {
                for item in items {
                    total = total.saturating_add(self.count(item, false)?);
                }
            }
            _ => {}
        }
        Ok(total)
    }

    fn follow(&mut self, to: &'a str) -> Result<u64, String> {
        if self.path.contains(&to) {
            return Ok(1);
        }
        if let Some(parts) = self.counted.get(to) {
            return Ok(*parts);
        }
        if self.path.len() >= MOST_DEEP {
            return Err(format!("more than {MOST_DEEP} references lead from one to the next"));
        }
        let unknown =
            || format!("the reference `{}` leads nowhere in it", orch_core::shorten(&orch_core::visible(to), 200));
        let target = to.strip_prefix('#').and_then(|pointer| self.root.pointer(pointer)).ok_or_else(unknown)?;
        self.path.push(to);
        let parts = self.count(target, false);
        self.path.pop();
        let parts = parts?;
        self.counted.insert(to, parts);
        Ok(parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(schema: &Value, expected: &str) {
        match check_cost(schema) {
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
            &json!({ "properties": { "left": { "$ref": "#" }, "right": { "$ref": "#" }, "$ref": { "type": "string" } } }),
            "",
        );
        check(&doubling(8), "");
    }

    #[test]
    fn what_costs_too_much_or_cannot_be_followed_is_refused() {
        check(&doubling(40), "parts, at most 50000");
        check(&doubling(63), "parts, at most 50000");
        check(&doubling(100), "more than 64 references");
        check(&json!({ "$ref": "#anchor" }), "leads nowhere");
        check(&json!({ "$ref": "https://example.com/schema" }), "leads nowhere");
        check(&json!({ "$ref": "#/%24defs/a", "$defs": { "a": true } }), "leads nowhere");
        check(&json!({ "allOf": [{ "$id": "x", "$ref": "#/$defs/a" }] }), "`$id` inside");
        check(&json!({ "$dynamicRef": "#x" }), "`$dynamicRef` is not supported");
    }
}
