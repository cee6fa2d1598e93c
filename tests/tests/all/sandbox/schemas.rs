//! Schemas come from the plugin, too: they are as hostile as its code, and they are evaluated outside of the sandbox.

use orch_core::FailureKind;
use orch_tests::{Call, Sandbox, alone, hostile};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// A task with this schema for its input and then for its output ends in one of the stated ways, soon.
#[track_caller]
fn check(name: &str, schema: &Value, input: &Value) {
    for output in [false, true] {
        let sandbox = Sandbox::new();
        let (one, other) = (json!(true), schema.clone());
        let (takes, gives) = if output { (one, other) } else { (other, one) };
        sandbox.load_with_schemas(&hostile(), &takes, &gives).unwrap();
        let begun = Instant::now();
        let ended = sandbox.run(&hostile(), Call::new("say", input.clone()));
        println!("measured: schema {name}: {} ms, {:?}", begun.elapsed().as_millis(), ended.result.is_ok());
        assert!(begun.elapsed() < Duration::from_secs(5), "{name}: {:?}", begun.elapsed());
        if let Err(failure) = &ended.result {
            assert!(
                matches!(failure.what, FailureKind::InvalidInput | FailureKind::InvalidOutput),
                "{name}: {failure:?}"
            );
            assert!(failure.message.len() < 4_000, "{name}: {} bytes", failure.message.len());
        }
    }
}

#[test]
fn schemas_that_lead_to_themselves() {
    if !alone("sandbox::schemas::schemas_that_lead_to_themselves") {
        return;
    }
    let input = json!({ "text": "x" });
    check("$ref to itself", &json!({ "$ref": "#" }), &input);
    check("allOf itself", &json!({ "allOf": [{ "$ref": "#" }] }), &input);
    check("not itself", &json!({ "not": { "$ref": "#" } }), &input);
    check(
        "two in a circle",
        &json!({ "$ref": "#/$defs/a", "$defs": { "a": { "$ref": "#/$defs/b" }, "b": { "$ref": "#/$defs/a" } } }),
        &input,
    );
    check("dynamic", &json!({ "$dynamicAnchor": "x", "$dynamicRef": "#x" }), &input);
}

#[test]
fn schemas_that_cost_much() {
    if !alone("sandbox::schemas::schemas_that_cost_much") {
        return;
    }
    let input = json!({ "text": format!("{}!", "a".repeat(10_000)) });
    check(
        "a pattern that backtracks",
        &json!({ "additionalProperties": { "type": "string", "pattern": "^(a+)+$" } }),
        &input,
    );
    check("a pattern that is large", &json!({ "additionalProperties": { "pattern": "(a{1000}){1000}" } }), &input);
    // Each level asks the one below twice.
    let levels: serde_json::Map<String, Value> = (0..40)
        .map(|at| (format!("l{at}"), json!({ "allOf": [{ "$ref": format!("#/$defs/l{}", at + 1) }, { "$ref": format!("#/$defs/l{}", at + 1) }] })))
        .chain([("l40".to_owned(), json!(true))])
        .collect();
    check("that doubles forty times", &json!({ "$ref": "#/$defs/l0", "$defs": levels }), &input);
}

#[test]
fn schemas_reach_nothing_outside() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("schema.json");
    std::fs::write(&file, "{}").unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    for reference in [format!("file://{}", file.display()), format!("http://127.0.0.1:{port}/schema.json")] {
        let sandbox = Sandbox::new();
        sandbox.load_with_schemas(&hostile(), &json!({ "$ref": reference }), &json!(true)).unwrap();
        let ended = sandbox.run(&hostile(), Call::new("say", json!({ "text": "x" })));
        assert!(ended.failure().message.contains("schema cannot be used"), "{}", ended.failure().message);
    }
    assert_eq!(listener.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock, "somebody called");
}
