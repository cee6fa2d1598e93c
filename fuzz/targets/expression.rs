//! An expression, in the form that a plan stores: it is printed as it was read, has one value, and that value is bounded.
#![no_main]

use libfuzzer_sys::fuzz_target;
use orch_core::TaskOutcome;
use orch_fuzz::text;
use orch_workflow::{EachView, Expr, RunView, Scope, TaskView, Template};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What a value may have at most: the bound is on bytes of text and not on those of its printed form, so there is room.
const LARGEST: usize = 64 << 20;

fuzz_target!(|input: &[u8]| {
    let Some(text) = text(input) else { return };
    let Ok(expr) = serde_json::from_value::<Expr>(Value::from(text)) else { return };
    assert_eq!(expr.text(), text);
    assert_eq!(serde_json::to_value(&expr).expect("it can be printed"), text);
    let inputs = json!({ "n": 3, "text": "a b", "list": [1, "a", { "x": null }], "f": 0.5, "yes": true });
    let outputs = json!({ "items": [{ "id": 1 }, { "id": 2 }], "name": "n" });
    let ended = TaskView { outcome: TaskOutcome::Succeeded, tolerated: false, outputs: &outputs };
    let tasks = BTreeMap::from([("a".parse().expect("it is a name"), ended)]);
    let needs = ["a".parse().expect("it is a name")];
    let scope = Scope {
        inputs: &inputs,
        tasks: &tasks,
        run: RunView { id: "r", workflow: "w", outcome: None },
        needs: &needs,
        each: EachView::Item { value: &outputs, index: 1 },
        findings: None,
    };
    let template = Template::Expression(expr);
    let value = template.render(&scope, Some(&outputs));
    assert_eq!(value, template.render(&scope, Some(&outputs)), "another value the second time");
    if let Ok(value) = value {
        assert!(value.to_string().len() < LARGEST);
    }
});
