//! JSON Schemas (draft 2020-12) of the files that people write, so that editors complete and check.

use crate::syntax;
use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::{Map, Value};

/// The JSON Schema of a workflow.
pub fn json_schema() -> Value {
    schema_of::<syntax::Workflow>("orch-wasm workflow")
}

/// The JSON Schema of a policy file.
pub fn policy_json_schema() -> Value {
    schema_of::<syntax::Policy>("orch-wasm policy")
}

/// The JSON Schema of a `plugin.yaml`.
pub fn manifest_json_schema() -> Value {
    schema_of::<syntax::Manifest>("orch-wasm plugin manifest")
}

/// The JSON Schema of a waivers file.
pub fn waivers_json_schema() -> Value {
    schema_of::<syntax::WaiversFile>("orch-wasm waivers")
}

fn schema_of<T: JsonSchema>(title: &str) -> Value {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let mut schema = generator.into_root_schema_for::<T>().to_value();
    without_null(&mut schema);
    if let Value::Object(map) = &mut schema {
        map.insert("title".to_owned(), title.into());
    }
    schema
}

/// A key that may be left out may not be `null` instead.
fn without_null(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            if let Some(Value::Array(types)) = map.get_mut("type") {
                types.retain(|word| word != "null");
                if types.len() == 1 {
                    let only = types.remove(0);
                    map.insert("type".to_owned(), only);
                }
            }
            let real = match map.get_mut("anyOf") {
                Some(Value::Array(choices)) => {
                    choices.retain(|choice| choice.get("type").is_none_or(|word| word != "null"));
                    if choices.len() == 1 { choices.pop() } else { None }
                }
                _ => None,
            };
            if let Some(Value::Object(real)) = real {
                map.remove("anyOf");
                let mut merged: Map<String, Value> = real;
                merged.append(map);
                *map = merged;
            }
            map.values_mut().for_each(without_null);
        }
        Value::Array(items) => items.iter_mut().for_each(without_null),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::Keys;
    use crate::{manifest, policy, waivers, workflow};
    use std::collections::BTreeSet;

    #[track_caller]
    fn same(schema: &Value, of: &str, keys: &Keys) {
        let at = if of.is_empty() { schema } else { &schema["$defs"][of] };
        assert_eq!(at["additionalProperties"], false, "{of}");
        let found: BTreeSet<_> = at["properties"].as_object().unwrap().keys().map(String::as_str).collect();
        let known: BTreeSet<_> = keys.known.iter().copied().collect();
        assert_eq!(found, known, "{of}");
        for (name, property) in at["properties"].as_object().unwrap() {
            let described = property.get("description").is_some();
            assert!(described, "{of}.{name} has no description");
        }
    }

    #[test]
    fn the_schemas_have_the_keys_that_the_readers_know() {
        let flow = json_schema();
        same(&flow, "", &workflow::keys::WORKFLOW);
        same(&flow, "Defaults", &workflow::keys::DEFAULTS);
        same(&flow, "Input", &workflow::keys::INPUT);
        same(&flow, "Task", &workflow::keys::TASK);
        same(&flow, "Permissions", &workflow::keys::PERMISSIONS);
        same(&flow, "FsGrant", &workflow::keys::FS_GRANT);
        same(&flow, "Limits", &workflow::keys::LIMITS);
        same(&flow, "Gate", &workflow::keys::GATE);
        same(&flow, "Check", &workflow::keys::CHECK);
        let rules = policy_json_schema();
        same(&rules, "", &policy::FILE);
        same(&rules, "Trust", &policy::TRUST);
        same(&rules, "PluginBlock", &policy::BLOCK);
        same(&rules, "FsRules", &policy::FS);
        same(&rules, "EnvRules", &policy::ENV);
        same(&rules, "AllowedFolder", &policy::PATH);
        let plugin = manifest_json_schema();
        same(&plugin, "", &manifest::FILE);
        same(&plugin, "ManifestTask", &manifest::TASK);
        same(&plugin, "Asked", &manifest::PERMISSIONS);
        same(&plugin, "AskedFolder", &manifest::FS);
        same(&plugin, "AskedName", &manifest::NAMED);
        let exceptions = waivers_json_schema();
        same(&exceptions, "", &waivers::FILE);
        same(&exceptions, "Waiver", &waivers::WAIVER);
    }

    #[test]
    fn the_schemas_are_schemas_and_know_right_from_wrong() {
        for schema in [json_schema(), policy_json_schema(), manifest_json_schema(), waivers_json_schema()] {
            assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
            assert!(!schema.to_string().contains("\"null\""));
            crate::plan::validator(&schema).unwrap();
        }
        let schema = crate::plan::validator(&json_schema()).unwrap();
        let case = |task: Value| serde_json::json!({ "schema": "orch-wasm/v1", "name": "x", "tasks": { "a": task } });
        let task = serde_json::json!({ "uses": "o/a@1", "needs": "b", "if": true, "timeout": "10m", "limits": { "log": "1MiB" } });
        assert!(schema.is_valid(&case(task)));
        for wrong in [
            serde_json::json!({}),
            serde_json::json!({ "uses": "o/a@1", "retry": 1 }),
            serde_json::json!({ "uses": "o/a@1", "timeout": "10" }),
            serde_json::json!({ "uses": "o/a@1", "gate": { "checks": [{ "id": "a", "assert": "true" }] } }),
        ] {
            assert!(!schema.is_valid(&case(wrong.clone())), "{wrong}");
        }
    }
}
