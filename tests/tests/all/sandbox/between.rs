//! What one task hands to the next (S24): a value that was checked against a schema and nothing else, whatever the text was that it
//! came as.

use orch_core::{FailureKind, TaskId, TaskOutcome};
use orch_tests::{Call, Guest, Sandbox, hostile, wat_guest};
use orch_workflow::{EachView, Expr, RunView, Scope, TaskView, Template};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A guest whose output is this text, whether it is JSON or not.
fn returning(text: &str) -> Guest {
    let escaped: String = text.bytes().map(|byte| format!("\\{byte:02x}")).collect();
    let length = text.len();
    assert!(length <= 131_072, "it does not fit into the guest's memory, above what the host puts there");
    let items = format!("(data (i32.const 131072) \"{escaped}\")");
    wat_guest(
        &items,
        &format!("(i32.store (i32.const 8) (i32.const 131072)) (i32.store (i32.const 12) (i32.const {length}))"),
    )
}

/// What task B gets as `${{ tasks.a.outputs }}` when task A returns `text`, by the schema of A: as the run would make it.
fn handed_on(text: &str, schema: &Value) -> Result<Value, FailureKind> {
    let guest = returning(text);
    let sandbox = Sandbox::new();
    sandbox.load_with_schemas(&guest, &json!(true), schema).unwrap();
    let ended = sandbox.run(&guest, Call::new("run", Value::Null));
    let outputs = match &ended.result {
        Ok(_) => ended.output().clone(),
        Err(failure) => return Err(failure.what.clone()),
    };
    let name = TaskId::try_from("a").unwrap();
    let tasks = BTreeMap::from([(
        name.clone(),
        TaskView { outcome: TaskOutcome::Succeeded, tolerated: false, outputs: &outputs },
    )]);
    let nothing = json!({});
    let run = RunView { id: "r", workflow: "w", outcome: None };
    let needs = [name];
    let scope = Scope { inputs: &nothing, tasks: &tasks, run, needs: &needs, each: EachView::Once, findings: None };
    let expression: Expr = serde_json::from_value(json!("tasks.a.outputs")).unwrap();
    Ok(Template::Expression(expression).render(&scope, None).unwrap())
}

fn schema() -> Value {
    json!({
        "type": "object",
        "properties": { "name": { "type": "string", "maxLength": 200 }, "count": { "type": "integer" } },
        "required": ["name"],
        "additionalProperties": false,
    })
}

#[test]
fn s24_what_is_no_value_of_the_schema_goes_nowhere() {
    let deep = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
    let refused = [
        ("nothing", String::new()),
        ("no JSON", "name: x".to_owned()),
        ("cut off", r#"{"name":"x""#.to_owned()),
        ("two values", r#"{"name":"x"}{"name":"y"}"#.to_owned()),
        ("something behind it", "{\"name\":\"x\"}\n::set-output::y".to_owned()),
        ("a comment", r#"{"name":"x"/*y*/}"#.to_owned()),
        ("a comma too many", r#"{"name":"x",}"#.to_owned()),
        ("a byte order mark", "\u{feff}{\"name\":\"x\"}".to_owned()),
        ("NaN", r#"{"name":"x","count":NaN}"#.to_owned()),
        ("half a character", r#"{"name":"\ud83d"}"#.to_owned()),
        ("a raw line break", "{\"name\":\"x\ny\"}".to_owned()),
        ("another type", r#"{"name":["x"]}"#.to_owned()),
        ("a number that is none", r#"{"name":"x","count":1e400}"#.to_owned()),
        ("a fraction", r#"{"name":"x","count":1.5}"#.to_owned()),
        ("more than was promised", r#"{"name":"x","__proto__":{"admin":true}}"#.to_owned()),
        ("less", "{}".to_owned()),
        ("too long", format!(r#"{{"name":"{}"}}"#, "x".repeat(201))),
        ("deep", format!(r#"{{"name":{}}}"#, deep(120))),
        ("very deep", deep(60_000)),
        ("a key twice, the last of another type", r#"{"name":"x","name":1}"#.to_owned()),
    ];
    for (what, text) in refused {
        assert_eq!(handed_on(&text, &schema()), Err(FailureKind::InvalidOutput), "{what}");
    }
}

#[test]
fn s24_text_stays_text() {
    for text in [
        "${{ inputs.secret }}",
        "${{ tasks.a.outputs }} $${{ x }}",
        "'; rm -rf / #",
        "$(touch /tmp/x) `id` %PATH%",
        "*anchor &x !!python/object <<: {}",
        "{\"name\":\"another\"}",
        "a\nb: c\n- d",
        "\u{202e}\u{0}\u{1b}[2J",
    ] {
        let handed = handed_on(&json!({ "name": text }).to_string(), &schema()).unwrap();
        assert_eq!(handed, json!({ "name": text }));
        // And the next task gets just that, as data.
        let sandbox = Sandbox::new();
        let ended = sandbox.run(&hostile(), Call::new("say", json!({ "text": handed["name"] })));
        assert_eq!(ended.output(), &json!({ text: text }));
    }
}

#[test]
fn s24_one_text_has_one_meaning() {
    // A key twice is one key, the last one, and what was checked is what is handed on: nobody sees the first.
    let twice = handed_on(r#"{"name":1,"name":"y"}"#, &schema()).unwrap();
    assert_eq!(twice, json!({ "name": "y" }));
    assert_eq!(twice.to_string(), r#"{"name":"y"}"#);
    // A key in another spelling is the same key.
    assert_eq!(handed_on(r#"{"n\u0061me":"x"}"#, &schema()).unwrap(), json!({ "name": "x" }));
    // What B says that it takes holds, whatever A promised.
    let handed = handed_on(r#"{"text":{"deep":[1]}}"#, &json!(true)).unwrap();
    let sandbox = Sandbox::new();
    let takes = json!({ "type": "object", "properties": { "text": { "type": "string" } } });
    sandbox.load_with_schemas(&hostile(), &takes, &json!(true)).unwrap();
    let ended = sandbox.run(&hostile(), Call::new("say", handed));
    assert_eq!(ended.failure().what, FailureKind::InvalidInput);
    assert!(ended.seen.logs.is_empty(), "it ran");
}
