//! Handles that were never given, are gone, or stand for something else (S22). Hand-written, because bindings would not compile it.
//!
//! A host never lends a handle to a guest in this contract, so there is none that could be kept beyond its call.

use orch_tests::{Call, Ended, Guest, Sandbox, hostile, wat_guest_in};
use serde_json::{Value, json};

const WORLD: &str = r#"
package test:guest;
world guest { include orch:task/task-full@0.1.0; import wasi:clocks/monotonic-clock@0.2.0; }
package wasi:io@0.2.0 { interface poll { resource pollable { block: func(); } } }
package wasi:clocks@0.2.0 {
  interface monotonic-clock { use wasi:io/poll@0.2.0.{pollable}; subscribe-duration: func(when: u64) -> pollable; }
}
"#;

const IMPORTS: &str = r#"
(import "orch:task/artifacts@0.1.0" "create" (func $create (param i32 i32 i32 i32 i32)))
(import "orch:task/artifacts@0.1.0" "[method]artifact.write" (func $write (param i32 i32 i32 i32)))
(import "orch:task/artifacts@0.1.0" "[method]artifact.finish" (func $finish (param i32 i32)))
(import "orch:task/artifacts@0.1.0" "[resource-drop]artifact" (func $drop_artifact (param i32)))
(import "wasi:clocks/monotonic-clock@0.2.0" "subscribe-duration" (func $subscribe (param i64) (result i32)))
(import "wasi:io/poll@0.2.0" "[resource-drop]pollable" (func $drop_pollable (param i32)))
(data (i32.const 48) "atext/plain")
(func $made (result i32)
  (call $create (i32.const 48) (i32.const 1) (i32.const 49) (i32.const 10) (i32.const 128))
  (if (i32.load8_u (i32.const 128)) (then (unreachable)))
  (i32.load (i32.const 132)))
(func $write_to (param i32) (call $write (local.get 0) (i32.const 48) (i32.const 4) (i32.const 160)))
"#;

fn run(sandbox: &Sandbox, body: &str) -> Ended {
    let guest: Guest = wat_guest_in(WORLD, IMPORTS, &format!("(local $h i32) {body}"));
    sandbox.run(&guest, Call::new("run", Value::Null).artifact("a"))
}

/// The guest traps with `expected`, nothing is stored, and a neighbour on the same host keeps its own artifact.
#[track_caller]
fn check(body: &str, expected: &str) {
    let sandbox = Sandbox::new();
    // In the middle of its work: it holds an open artifact of the same name in the same host.
    let mut neighbour = sandbox.start(&hostile(), Call::new("wait", Value::Null).artifact("a"));
    neighbour.recorder.wait_for("started");
    let ended = run(&sandbox, body);
    assert!(ended.trap().contains(expected), "{}", ended.trap());
    assert!(ended.seen.stored.is_empty());
    neighbour.cancel();
    assert_eq!(neighbour.end().failure().message, "it was asked to stop, and did");
    let steps = json!({ "name": "a", "media-type": "text/plain", "steps": [{ "op": "write", "bytes": 3 }, { "op": "finish" }] });
    let ended = sandbox.run(&hostile(), Call::new("artifact", steps).artifact("a"));
    assert_eq!(ended.seen.stored.len(), 1, "{:?}", ended.result);
}

#[test]
fn s22_the_same_guest_with_a_real_handle_works() {
    let sandbox = Sandbox::new();
    let ended = run(
        &sandbox,
        "(local.set $h (call $made)) (call $write_to (local.get $h)) (call $finish (local.get $h) (i32.const 160))",
    );
    assert_eq!(ended.output(), &Value::Null);
    assert_eq!(ended.seen.stored[0].bytes, 4);
}

#[test]
fn s22_forged_handles_trap() {
    for forged in ["0", "1", "7", "-1", "2147483647"] {
        check(&format!("(call $write_to (i32.const {forged}))"), "handle");
        check(&format!("(call $drop_artifact (i32.const {forged}))"), "handle");
    }
    // One beside a real one.
    check("(local.set $h (call $made)) (call $write_to (i32.add (local.get $h) (i32.const 1)))", "handle");
}

#[test]
fn s22_handles_that_are_gone_trap() {
    let made = "(local.set $h (call $made)) (call $drop_artifact (local.get $h))";
    check(&format!("{made} (call $write_to (local.get $h))"), "handle");
    check(&format!("{made} (call $finish (local.get $h) (i32.const 160))"), "handle");
    check(&format!("{made} (call $drop_artifact (local.get $h))"), "handle");
    // The number is given out again, for something else.
    check(&format!("{made} (drop (call $subscribe (i64.const 1))) (call $write_to (local.get $h))"), "handle");
}

#[test]
fn s22_handles_of_another_type_trap() {
    check("(call $write_to (call $subscribe (i64.const 1)))", "handle");
    check("(call $drop_artifact (call $subscribe (i64.const 1)))", "handle");
    check("(call $drop_pollable (call $made))", "handle");
}

#[test]
fn s22_pointers_that_lead_out_of_memory_trap() {
    check("(call $write (call $made) (i32.const -16) (i32.const 64) (i32.const 160))", "out of bounds");
    check("(call $write (call $made) (i32.const 48) (i32.const -1) (i32.const 160))", "out of bounds");
    check("(call $write (call $made) (i32.const 48) (i32.const 4) (i32.const -8))", "out of bounds");
    check("(call $write (call $made) (i32.const 48) (i32.const 4) (i32.const 161))", "align");
}
