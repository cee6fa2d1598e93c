//! Each function of the interface: allowed, and not.

use super::world::{World, landlock, script, spawn};
use orch_core::RefusedBy;
use orch_tests::{Call, programs, wat_guest};
use serde_json::{Value, json};

type Check = fn();

/// Each function of the interface: a check with its grant, and one without it or at its bound. They are tests of their own here.
pub(crate) const FUNCTIONS: [(&str, Check, Check); 7] = [
    ("exec.spawn", spawn_and_wait_tell_how_it_ended, what_is_not_granted_is_refused_with_the_line_that_grants_it),
    (
        "exec.[method]process.write-stdin",
        stdin_is_written_and_closed,
        a_program_that_does_not_read_holds_the_writer_and_not_the_host,
    ),
    ("exec.[method]process.close-stdin", stdin_is_written_and_closed, handles_that_do_not_exist_trap),
    ("exec.[method]process.read-stdout", stdout_and_stderr_are_two, handles_that_do_not_exist_trap),
    ("exec.[method]process.read-stderr", stdout_and_stderr_are_two, handles_that_do_not_exist_trap),
    ("exec.[method]process.wait", spawn_and_wait_tell_how_it_ended, handles_that_do_not_exist_trap),
    ("exec.[method]process.kill", kill_ends_it, handles_that_do_not_exist_trap),
];

/// The answers of a script with one program, `MODE ARGUMENTS…`.
#[track_caller]
fn check(args: &[&str], steps: Value, expected: Value) {
    let world = World::new();
    let ended = world.run(world.grant(args, json!({})), steps);
    assert_eq!(*ended.output(), expected);
    assert_eq!(ended.refusals("exec").len(), 0);
    assert!(ended.usage.used.contains(&"exec child".to_owned()), "{:?}", ended.usage.used);
}

fn end(code: i32) -> Value {
    json!({ "code": code, "signal": null, "truncated": false })
}

#[test]
fn spawn_and_wait_tell_how_it_ended() {
    let steps = json!([spawn(&[]), { "do": "wait", "as": "p" }]);
    check(&["exit", "0"], steps.clone(), json!(["spawned", end(0)]));
    check(&["exit", "7"], steps.clone(), json!(["spawned", end(7)]));
    check(&["abort"], steps, json!(["spawned", { "code": null, "signal": 6, "truncated": false }]));
}

#[test]
fn stdin_is_written_and_closed() {
    let read = json!({ "do": "stdout", "as": "p" });
    let write = |text: &str| json!({ "do": "write", "as": "p", "text": text });
    let (close, wait) = (json!({ "do": "close", "as": "p" }), json!({ "do": "wait", "as": "p" }));
    check(
        &["cat"],
        json!([spawn(&[]), write("one "), write("two"), close, read, wait, write("three")]),
        json!([
            "spawned", "written", "written", "closed", { "bytes": 7, "text": "one two" }, end(0),
            { "error": "its standard input is closed" },
        ]),
    );
    // `wait` closes it too, or a program that reads to the end would never be over.
    check(
        &["cat"],
        json!([spawn(&[]), write("one"), wait, read]),
        json!(["spawned", "written", end(0), { "bytes": 3, "text": "one" }]),
    );
}

#[test]
fn a_program_that_does_not_read_holds_the_writer_and_not_the_host() {
    let world = World::new();
    let call = world.call(
        world.grant(&["stay"], json!({})),
        json!([spawn(&[]), { "do": "say", "text": "started" }, { "do": "write", "as": "p", "bytes": 8 << 20 }]),
    );
    let (ended, took) = world.sandbox.cancel(&programs(), call);
    assert!(ended.result.is_err());
    assert!(took < std::time::Duration::from_secs(2), "{took:?}");
}

#[test]
fn stdout_and_stderr_are_two() {
    check(
        &["both"],
        json!([spawn(&[]), { "do": "stderr", "as": "p" }, { "do": "stdout", "as": "p" }, { "do": "stdout", "as": "p" }]),
        json!(["spawned", { "bytes": 10, "text": "to stderr\n" }, { "bytes": 10, "text": "to stdout\n" }, { "bytes": 0, "text": "" }]),
    );
    check(
        &["both"],
        json!([spawn(&[]), { "do": "wait", "as": "p" }, { "do": "stdout", "as": "p", "most": 2, "once": true },
            { "do": "stdout", "as": "p", "most": 0 }]),
        json!(["spawned", end(0), { "bytes": 2, "text": "to" }, { "error": "nothing is to be read" }]),
    );
}

#[test]
fn kill_ends_it() {
    check(
        &["stay"],
        json!([spawn(&[]), { "do": "kill", "as": "p" }, { "do": "wait", "as": "p" }, { "do": "write", "as": "p", "text": "x" }]),
        json!(["spawned", "killed", { "code": null, "signal": 9, "truncated": false }, { "error": "its standard input is closed" }]),
    );
}

#[test]
fn what_is_not_granted_is_refused_with_the_line_that_grants_it() {
    let world = World::new();
    let ended = world.sandbox.run(&programs(), script(json!([spawn(&[])])));
    assert!(ended.output()[0]["error"].is_string(), "{}", ended.output());
    let refusals = ended.refusals("exec");
    assert_eq!((refusals.len(), refusals[0].target.as_str(), refusals[0].by), (1, "child", RefusedBy::Workflow));
    assert!(refusals[0].fix.as_ref().unwrap().contains("permissions: { exec: [{ alias: child"), "{refusals:?}");
    assert!(!ended.usage.used.iter().any(|rule| rule.starts_with("exec")));
}

#[test]
fn a_plugin_that_does_not_ask_cannot_even_be_loaded() {
    let world = World::new();
    let error = world.sandbox.load_asking_nothing(&programs()).unwrap_err().to_string();
    assert!(error.contains("orch:task/exec@0.1.0") && error.contains("exec: [{ alias: "), "{error}");
}

/// Handles that were never given, for each function.
#[test]
fn handles_that_do_not_exist_trap() {
    let world = World::new();
    let with = |name: &str, parameters: &str, arguments: &str| {
        let items =
            format!(r#"(import "orch:task/exec@0.1.0" "[method]process.{name}" (func $f (param {parameters})))"#);
        let ended =
            world.sandbox.run(&wat_guest(&items, &format!("(call $f {arguments})")), Call::new("run", Value::Null));
        assert!(ended.trap().contains("handle"), "{name}: {}", ended.trap());
    };
    let number = "(i32.const 0)";
    with("close-stdin", "i32", "(i32.const 7)");
    with("kill", "i32", "(i32.const 7)");
    with("wait", "i32 i32", &format!("(i32.const 7) {number}"));
    with("read-stdout", "i32 i32 i32", &format!("(i32.const 7) {number} {number}"));
    with("read-stderr", "i32 i32 i32", &format!("(i32.const 7) {number} {number}"));
    with("write-stdin", "i32 i32 i32 i32", &format!("(i32.const 7) {number} {number} {number}"));
}

#[test]
fn only_so_many_run_at_once() {
    let world = World::new();
    let many = |count: usize, last: Value| {
        let one = |at: usize| json!({ "do": "spawn", "alias": "child", "as": format!("p{at}") });
        Value::Array((0..count).map(one).chain([last]).collect())
    };
    let ended = world.run(world.grant(&["stay"], json!({})), many(17, json!({ "do": "say", "text": "x" })));
    let spawned = ended.output().as_array().unwrap().iter().filter(|answer| **answer == "spawned").count();
    assert_eq!(spawned, 16);
    assert_eq!(ended.refusals("exec").len(), 1);
}

#[test]
fn a_dry_run_runs_what_is_granted_as_read_only_and_lets_it_change_nothing() {
    let world = World::new();
    let slots = json!({ "slots": { "path": "path" } });
    let write = |read_only: bool, mode: &str| {
        let mut with = slots.clone();
        with["read_only"] = read_only.into();
        let steps = json!([spawn(&[("path", "/work/file")]), { "do": "stdout", "as": "p" }]);
        world.call(world.grant(&[mode, "{path}"], with), steps)
    };
    let ended = world.sandbox.run(&programs(), write(false, "write").dry_run());
    assert!(ended.refusals("exec")[0].reason.contains("dry run"), "{:?}", ended.refusals("exec"));
    let ended = world.sandbox.run(&programs(), write(true, "write").dry_run());
    assert_eq!(std::fs::read_to_string(world.path("work/file")).unwrap(), "content");
    if landlock() {
        assert_eq!(ended.output()[1]["text"], "error: PermissionDenied\n", "{}", ended.output());
        let ended = world.sandbox.run(&programs(), write(true, "read").dry_run());
        assert_eq!(ended.output()[1]["text"], "ok: content\n");
    } else {
        assert_eq!(ended.refusals("exec").len(), 1, "what cannot be kept from writing is not run");
    }
    // And in a run that is none, the same program may.
    world.sandbox.run(&programs(), write(true, "write")).output();
    assert_eq!(std::fs::read_to_string(world.path("work/file")).unwrap(), "written");
}

#[test]
fn a_plugin_can_ask_what_it_may() {
    let world = World::new();
    for (name, expected) in [("exec", true), ("exec:child", true), ("exec:other", false)] {
        let ended = world.run(world.grant(&["exit"], json!({})), json!([{ "do": "has", "name": name }]));
        assert_eq!(*ended.output(), expected, "{name}");
    }
}
