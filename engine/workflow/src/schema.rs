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
        same(&flow, "Connection", &crate::rules::NET);
        same(&flow, "SecretGrant", &workflow::keys::SECRET_GRANT);
        same(&flow, "ProgramGrant", &crate::rules::EXEC);
        same(&flow, "BucketGrant", &workflow::keys::KV_GRANT);
        same(&flow, "Limits", &workflow::keys::LIMITS);
        same(&flow, "Gate", &workflow::keys::GATE);
        same(&flow, "Check", &workflow::keys::CHECK);
        same(&flow, "Secret", &workflow::keys::SECRET);
        same(&flow, "Concurrency", &workflow::keys::CONCURRENCY);
        same(&flow, "Timeouts", &workflow::keys::TIMEOUT);
        same(&flow, "RetryKeys", &workflow::keys::RETRY);
        same(&flow, "Strategy", &workflow::keys::STRATEGY);
        same(&flow, "Approval", &workflow::keys::APPROVAL);
        same(&flow, "Approvers", &workflow::keys::APPROVERS);
        same(&flow, "Undo", &workflow::keys::UNDO);
        same(&flow, "Hook", &workflow::keys::HOOK);
        let rules = policy_json_schema();
        same(&rules, "", &policy::FILE);
        same(&rules, "Trust", &policy::TRUST);
        same(&rules, "PluginBlock", &policy::BLOCK);
        same(&rules, "FsRules", &policy::FS);
        same(&rules, "EnvRules", &policy::ENV);
        same(&rules, "AllowedFolder", &policy::PATH);
        same(&rules, "Network", &policy::NETWORK);
        same(&rules, "NetRules", &policy::NET);
        same(&rules, "Connection", &crate::rules::NET);
        same(&rules, "SecretRules", &policy::SECRETS);
        same(&rules, "ExecRules", &policy::EXEC);
        same(&rules, "AllowedProgram", &policy::PROGRAM);
        same(&rules, "KvRules", &policy::KV);
        let plugin = manifest_json_schema();
        same(&plugin, "", &manifest::FILE);
        same(&plugin, "ManifestTask", &manifest::TASK);
        same(&plugin, "Asked", &manifest::PERMISSIONS);
        same(&plugin, "AskedFolder", &manifest::FS);
        same(&plugin, "AskedName", &manifest::NAMED);
        same(&plugin, "AskedConnection", &manifest::NET);
        same(&plugin, "AskedSecret", &manifest::SECRET);
        same(&plugin, "Inject", &manifest::INJECT);
        same(&plugin, "AskedProgram", &manifest::EXEC);
        same(&plugin, "AskedBucket", &manifest::KV);
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
            serde_json::json!({ "uses": "o/a@1", "rollout": {} }),
            serde_json::json!({ "uses": "o/a@1", "timeout": "10" }),
            serde_json::json!({ "uses": "o/a@1", "gate": { "checks": [{ "id": "a", "assert": "true" }] } }),
        ] {
            assert!(!schema.is_valid(&case(wrong.clone())), "{wrong}");
        }
    }

    /// Forms that the reader takes, and so does the schema.
    const RIGHT: &[&str] = &[
        r#""tasks": { "a": { "uses": "o/a@1" } }"#,
        r#""priority": 0, "tasks": { "a": { "uses": "o/a@1", "retry": "never" } }"#,
        r#""tasks": { "a": { "uses": "o/a@1", "timeout": { "task": "10m" }, "cache": true } }"#,
        r#""defaults": { "retry": { "attempts": 3 }, "timeout": { "attempt": "1m", "task": "10m" }, "limits": { "log": "1MiB" }, "cache": true },
           "tasks": { "a": { "uses": "o/a@1" } }"#,
        r#""tasks": { "a": { "uses": "o/a@1", "retry": { "attempts": 100, "backoff": "linear", "initial": "1s", "max": "2s",
           "jitter": "none", "retry-on": ["failed", "timed-out"], "budget": "1h" } } }"#,
        r#""tasks": { "a": { "uses": "o/a@1", "strategy": { "matrix": { "x": [1, "a", {}], "include": [{ "y": 1 }], "exclude": [{ "x": 1 }] },
           "max-parallel": 2, "fail-fast": false } } }"#,
        r#""inputs": { "l": { "type": "string" } }, "tasks": { "a": { "uses": "o/a@1", "strategy": { "matrix": { "x": "${{ inputs.l.split(',') }}" } } } }"#,
        r#""tasks": { "a": { "uses": "o/a@1", "strategy": { "matrix": { "include": [{ "y": 1 }] } } } }"#,
        r#""tasks": { "a": { "uses": "o/a@1", "for-each": [], "max-parallel": 1, "fail-fast": true } }"#,
        r#""tasks": { "a": { "uses": "o/a@1", "for-each": "${{ [1, 2] }}" } }"#,
        r#""tasks": { "a": { "approval": { "prompt": "Ship it?" }, "needs": [], "if": true, "continue-on-error": false } }"#,
        r#""tasks": { "a": { "approval": { "prompt": "x", "approvers": { "users": ["a"], "groups": ["b"] }, "required": 2,
           "exclude-requester": true, "expires": "24h" } } }"#,
        r#""tasks": { "a": { "uses": "o/a@1", "undo": { "uses": "o/b@1", "with": {}, "timeout": "1m", "retry": "never" } } }"#,
        r#""on-failure": [{ "uses": "o/a@1", "if": true, "continue-on-error": true }], "finally": [], "tasks": { "a": { "uses": "o/a@1" } }"#,
        r#""concurrency": { "group": "a", "limit": 2, "queue": 0, "on-conflict": "cancel-running" }, "tasks": { "a": { "uses": "o/a@1" } }"#,
        r#""secrets": { "a": { "from": "env:A" }, "b": { "from": "file:b" }, "c": { "from": "exec:./c d" }, "d": { "from": "store:d" } },
           "tasks": { "a": { "uses": "o/a@1" } }"#,
        r#""tasks": { "a": { "workflow": "./a.yaml", "with": { "x": 1, "y": null }, "timeout": { "task": "1h" } } }"#,
        r#""tasks": { "a": { "workflow": "../a.json" }, "b": { "workflow": "/a/b.yml" } }"#,
        r#""tasks": { "a": { "uses": "o/a@1", "permissions": { "net": [{ "host": "*.example.com", "ports": [1, 65535], "methods": ["GET"],
           "paths": ["/a/*"], "addresses": ["10.0.0.0/8", "fd00::1"] }, { "scheme": "tcp", "host": "10.0.0.1", "ports": [22] }] } } }"#,
        r#""secrets": { "t": { "from": "env:T" } }, "tasks": { "a": { "uses": "o/a@1", "permissions": { "secrets": [{ "name": "t" },
           { "name": "u", "from": "t", "reveal": true }] } } }"#,
        r#""tasks": { "a": { "uses": "o/a@1", "permissions": { "exec": [{ "alias": "wc", "program": "/usr/bin/wc", "args": ["-l", "{file}"],
           "slots": { "file": "path" }, "env": ["LANG"], "read-only": true }], "kv": [{ "bucket": "b", "quota": "1MiB" }],
           "clock": "fixed", "random": "real" } } }"#,
    ];

    /// Forms that neither takes.
    const WRONG: &[&str] = &[
        r#""priority": 101, "tasks": { "a": { "uses": "o/a@1" } }"#,
        r#""priority": -1, "tasks": { "a": { "uses": "o/a@1" } }"#,
        r#""tasks": { "a": { "uses": "o/a@1", "timeout": {} } }"#,
        r#""tasks": { "a": { "uses": "o/a@1", "timeout": { "whole": "1m" } } }"#,
        r#""tasks": { "a": { "uses": "o/a@1", "retry": "always" } }"#,
        r#""tasks": { "a": { "uses": "o/a@1", "retry": true } }"#,
        r#""tasks": { "a": { "uses": "o/a@1", "retry": { "attempts": 0 } } }"#,
        r#""tasks": { "a": { "uses": "o/a@1", "retry": { "attempts": 101 } } }"#,
        r#""tasks": { "a": { "uses": "o/a@1", "retry": { "attempts": 2, "backoff": "quick" } } }"#,
        r#""tasks": { "a": { "uses": "o/a@1", "retry": { "attempts": 2, "retry-on": [] } } }"#,
        r#""tasks": { "a": { "uses": "o/a@1", "retry": { "attempts": 2, "retry-on": ["blocked"] } } }"#,
        r#""tasks": { "a": { "uses": "o/a@1", "retry": { "attempts": 2, "retry-on": ["failed", "failed"] } } }"#,
        r#""tasks": { "a": { "gate": { "checks": [{ "id": "a", "assert": "true" }] }, "retry": "never" } }"#,
        r#""tasks": { "a": { "gate": { "checks": [{ "id": "a", "assert": "true" }] }, "timeout": "1m" } }"#,
        r#""tasks": { "a": { "uses": "o/a@1", "strategy": {} } }"#,
        r#""tasks": { "a": { "uses": "o/a@1", "strategy": { "matrix": {} } } }"#,
        r#""tasks": { "a": { "uses": "o/a@1", "strategy": { "matrix": { "exclude": [] } } } }"#,
        r#""tasks": { "a": { "uses": "o/a@1", "strategy": { "matrix": { "x": [] } } } }"#,
        r#""tasks": { "a": { "uses": "o/a@1", "strategy": { "matrix": { "x": "a" } } } }"#,
        r#""tasks": { "a": { "uses": "o/a@1", "strategy": { "matrix": { "x": 1 } } } }"#,
        r#""tasks": { "a": { "uses": "o/a@1", "strategy": { "matrix": { "x": [1], "include": [{}] } } } }"#,
        r#""tasks": { "a": { "uses": "o/a@1", "strategy": { "matrix": { "x": [1] }, "max-parallel": 0 } } }"#,
        r#""tasks": { "a": { "uses": "o/a@1", "strategy": { "matrix": { "x": [1] } }, "max-parallel": 1 } }"#,
        r#""tasks": { "a": { "uses": "o/a@1", "strategy": { "matrix": { "x": [1] } }, "for-each": [1] } }"#,
        r#""tasks": { "a": { "uses": "o/a@1", "max-parallel": 1 } }"#,
        r#""tasks": { "a": { "uses": "o/a@1", "for-each": "x" } }"#,
        r#""tasks": { "a": { "uses": "o/a@1", "for-each": 3 } }"#,
        r#""tasks": { "a": { "approval": {} } }"#,
        r#""tasks": { "a": { "approval": { "prompt": "" } } }"#,
        r#""tasks": { "a": { "approval": { "prompt": "x", "approvers": {} } } }"#,
        r#""tasks": { "a": { "approval": { "prompt": "x", "approvers": { "users": [] } } } }"#,
        r#""tasks": { "a": { "approval": { "prompt": "x", "required": 0 } } }"#,
        r#""tasks": { "a": { "approval": { "prompt": "x" }, "with": {} } }"#,
        r#""tasks": { "a": { "approval": { "prompt": "x" }, "uses": "o/a@1" } }"#,
        r#""tasks": { "a": { "uses": "o/a@1", "undo": {} } }"#,
        r#""tasks": { "a": { "uses": "o/a@1", "undo": { "uses": "o/a@1", "if": true } } }"#,
        r#""tasks": { "a": { "uses": "o/a@1", "cache": "yes" } }"#,
        r#""finally": [{ "uses": "o/a@1", "needs": [] }], "tasks": { "a": { "uses": "o/a@1" } }"#,
        r#""on-failure": [{ "gate": {} }], "tasks": { "a": { "uses": "o/a@1" } }"#,
        r#""concurrency": {}, "tasks": { "a": { "uses": "o/a@1" } }"#,
        r#""concurrency": "a", "tasks": { "a": { "uses": "o/a@1" } }"#,
        r#""concurrency": { "group": "" }, "tasks": { "a": { "uses": "o/a@1" } }"#,
        r#""concurrency": { "group": "a", "limit": 0 }, "tasks": { "a": { "uses": "o/a@1" } }"#,
        r#""concurrency": { "group": "a", "queue": 1001 }, "tasks": { "a": { "uses": "o/a@1" } }"#,
        r#""concurrency": { "group": "a", "on-conflict": "wait" }, "tasks": { "a": { "uses": "o/a@1" } }"#,
        r#""secrets": { "a": { "from": "vault:x" } }, "tasks": { "a": { "uses": "o/a@1" } }"#,
        r#""secrets": { "a": { "from": "env:A B" } }, "tasks": { "a": { "uses": "o/a@1" } }"#,
        r#""secrets": { "a": {} }, "tasks": { "a": { "uses": "o/a@1" } }"#,
        r#""tasks": { "a": { "workflow": "build" } }"#,
        r#""tasks": { "a": { "workflow": "./a.wasm" } }"#,
        r#""tasks": { "a": { "workflow": "./a.yaml", "timeout": "1h" } }"#,
        r#""tasks": { "a": { "workflow": "./a.yaml", "with": { "x": [] } } }"#,
        r#""tasks": { "a": { "workflow": "./a.yaml", "permissions": {} } }"#,
        r#""tasks": { "a": { "workflow": "./a.yaml", "for-each": [1] } }"#,
        r#""tasks": { "a": { "uses": "o/a@1", "permissions": { "net": [{ "scheme": "ftp", "host": "a.example" }] } } }"#,
        r#""tasks": { "a": { "uses": "o/a@1", "permissions": { "net": [{ "host": "a.example", "ports": [] }] } } }"#,
        r#""tasks": { "a": { "uses": "o/a@1", "permissions": { "net": [{ "host": "a.example", "ports": [0] }] } } }"#,
        r#""tasks": { "a": { "uses": "o/a@1", "permissions": { "net": [{ "host": "a.example", "methods": ["get"] }] } } }"#,
        r#""tasks": { "a": { "uses": "o/a@1", "permissions": { "net": [{ "host": "a.example", "paths": ["a"] }] } } }"#,
        r#""tasks": { "a": { "uses": "o/a@1", "permissions": { "exec": [{ "alias": "wc", "program": "wc" }] } } }"#,
        r#""tasks": { "a": { "uses": "o/a@1", "permissions": { "kv": [{ "bucket": "b", "quota": "much" }] } } }"#,
        r#""tasks": { "a": { "uses": "o/a@1", "permissions": { "clock": "wrong" } } }"#,
    ];

    #[test]
    fn the_schema_takes_the_forms_that_the_reader_takes() {
        let schema = crate::plan::validator(&json_schema()).unwrap();
        for (text, right) in RIGHT.iter().map(|text| (text, true)).chain(WRONG.iter().map(|text| (text, false))) {
            let text = format!("{{ \"schema\": \"orch-wasm/v1\", \"name\": \"x\", {text} }}");
            let (workflow, found) = workflow::parse(&orch_core::Source::new("w", text.clone()));
            assert_eq!(workflow.is_some(), right, "the reader: {text}\n{found:?}");
            let value: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(schema.is_valid(&value), right, "the schema: {text}");
        }
    }
}
