//! Programs that know nothing of this engine, as tasks: a module for WASI preview 1 is made a component, its arguments and standard
//! input are the task's input, and it reaches no more than any other plugin.

use super::kit::{end, of};
use super::program::{Place, Ran};
use serde_json::{Value, json};
use std::fs;

/// A program by hand. With `open` as its first argument it opens `/etc/passwd` by way of each descriptor up to ten; with `spill` it
/// writes without end; else it writes its arguments and what it reads, a line to standard error, and exits with the number of its
/// arguments.
const PROGRAM: &str = r#"(module
  (import "wasi_snapshot_preview1" "args_sizes_get" (func $sizes (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_get" (func $args (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 2)
  (data (i32.const 16) "etc/passwd")
  (data (i32.const 32) "warned\n")
  (data (i32.const 48) "opened\n")
  (func $say (param $to i32) (param $at i32) (param $length i32)
    (i32.store (i32.const 0) (local.get $at)) (i32.store (i32.const 4) (local.get $length))
    (drop (call $write (local.get $to) (i32.const 0) (i32.const 1) (i32.const 8))))
  (func (export "_start") (local $fd i32)
    (drop (call $sizes (i32.const 64) (i32.const 68)))
    (drop (call $args (i32.const 128) (i32.const 1024)))
    (if (i32.eq (i32.load8_u (i32.load (i32.const 132))) (i32.const 0x6f)) (then
      (loop $next
        (if (i32.eqz (call $open (local.get $fd) (i32.const 1) (i32.const 16) (i32.const 10) (i32.const 0)
                      (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 72)))
          (then (call $say (i32.const 1) (i32.const 48) (i32.const 7))))
        (local.set $fd (i32.add (local.get $fd) (i32.const 1)))
        (br_if $next (i32.lt_u (local.get $fd) (i32.const 10))))
      (return)))
    (if (i32.eq (i32.load8_u (i32.load (i32.const 132))) (i32.const 0x73)) (then
      (loop $on (call $say (i32.const 1) (i32.const 4096) (i32.const 60000)) (br $on))))
    (call $say (i32.const 1) (i32.const 1024) (i32.load (i32.const 68)))
    (i32.store (i32.const 0) (i32.const 8192)) (i32.store (i32.const 4) (i32.const 4096))
    (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
    (call $say (i32.const 1) (i32.const 8192) (i32.load (i32.const 8)))
    (call $say (i32.const 2) (i32.const 32) (i32.const 7))
    (call $exit (i32.sub (i32.load (i32.const 64)) (i32.const 1)))))"#;

const MANIFEST: &str = "schema: orch-plugin/v1
name: others/tool
version: 1.0.0
description: Somebody's program.
license: MIT
component: tool.wasm
tasks: { run: { description: Runs it. } }
";

fn place(module: &[u8]) -> Place {
    let place = Place::new();
    place.write("tool/plugin.yaml", MANIFEST);
    place.write("tool/tool.wasm", module);
    place
}

/// Runs the tool with an input; gives the run and how its task ended.
#[track_caller]
fn run(place: &Place, input: &Value) -> (Ran, Value, Vec<Value>) {
    let text = format!(
        "schema: orch-wasm/v1\nname: foreign\ntasks:\n  tool:\n    uses: others/tool@^1\n    limits: {{ output: 1MiB }}\n    with: {input}\n"
    );
    place.write("workflow.yaml", text);
    let ran = place.run(["run", "--format", "json"]);
    let log = ran.lines();
    let end = end(&log, "tool").clone();
    (ran, end, log)
}

#[test]
fn a_preview_1_program_is_a_task() {
    let place = place(&wat::parse_str(PROGRAM).unwrap());
    place.run(["plugin", "publish", "tool"]).exits(0);
    let (ran, end, log) = run(&place, &json!({ "args": ["é"], "stdin": "read me", "exit-codes": [0, 1] }));
    ran.exits(0);
    assert_eq!(end["output"], json!({ "exit-code": 1, "stdout": "tool\0é\0read me" }));
    let logged = of(&log, "task-log").iter().any(|event| event.to_string().contains("warned"));
    assert!(logged, "{ran}");
    // The same code, and nobody said that it is none of a failure.
    let (ran, end, _) = run(&place, &json!({ "args": ["é"] }));
    ran.exits(1);
    let told = end["failure"]["message"].as_str().unwrap();
    assert!(told.contains("exit code 1") && told.contains("warned"), "{end}");
    let (_, end, _) = run(&place, &json!({}));
    assert_eq!(end["output"]["exit-code"], 0);
    assert_eq!(end["output"]["stdout"], "tool\0");
}

#[test]
fn a_program_reaches_nothing_that_was_not_granted_and_its_output_is_bounded() {
    let place = place(&wat::parse_str(PROGRAM).unwrap());
    place.run(["plugin", "publish", "tool"]).exits(0);
    let (ran, end, _) = run(&place, &json!({ "args": ["open"] }));
    ran.exits(0);
    assert_eq!(end["output"]["stdout"], "", "it opened a file of the host");
    let (_, end, _) = run(&place, &json!({ "args": ["spill"] }));
    assert_eq!(end["failure"]["what"]["limit"], "output", "{end}");
    // What is no input of a program is refused before it starts.
    for wrong in [json!({ "args": "one" }), json!({ "arguments": [] }), json!({ "args": ["a\0b"] })] {
        place.write(
            "workflow.yaml",
            format!(
                "schema: orch-wasm/v1\nname: foreign\ntasks:\n  tool:\n    uses: others/tool@^1\n    with: {wrong}\n"
            ),
        );
        let ran = place.run(["run"]);
        assert!(ran.code != 0 && !ran.stdout.contains("exit-code"), "{wrong}: {ran}");
    }
}

#[test]
fn what_cannot_be_a_program_says_so() {
    let check = |module: &str, texts: &[&str]| {
        let place = place(&wat::parse_str(module).unwrap());
        place.run(["plugin", "publish", "tool"]).refused("OW0203", texts);
        assert!(fs::read_dir(place.path("registry/index")).map_or(true, |mut index| {
            index.all(|entry| !entry.unwrap().path().to_string_lossy().contains("others"))
        }));
    };
    check("(module (import \"env\" \"host\" (func)) (func (export \"_start\")))", &["tool.wasm", "env"]);
    check("(module (func (export \"run\")))", &["tool.wasm"]);
    let place = place(b"");
    place.replace("tool/plugin.yaml", "component: tool.wasm", "component: ../tool.wasm");
    place.run(["plugin", "publish", "tool"]).refused("OW0204", &["../tool.wasm", "without `..`"]);
}
