//! Much through one call (S6, S7).

use orch_core::{Access, Size};
use orch_tests::{Call, Guest, Sandbox, alone, hostile, peak_memory, wat_guest};
use serde_json::{Value, json};

const MIB: u64 = 1 << 20;

/// One call that moves `bytes` or `count` items is refused, and costs the host no more than twice what a call may move.
#[track_caller]
fn check(sandbox: &Sandbox, call: &str, bytes: u64, count: u64) {
    let folder = tempfile::tempdir().unwrap();
    let input = json!({ "call": call, "bytes": bytes, "count": count });
    let before = peak_memory();
    let ended = sandbox.run(
        &hostile(),
        Call::new("amplify", input)
            .mount("work", folder.path(), Access::Write)
            .artifact("a")
            .limits(|limits| limits.memory = Size::from_mib(1024)),
    );
    let grown = (peak_memory() - before) / MIB;
    println!("measured: S6: {call}: the process grew by {grown} MiB");
    assert_eq!(ended.limit(), ("host call", "16MiB"), "{call}");
    assert!(ended.seen.logs.is_empty() && ended.seen.findings.is_empty() && ended.seen.progress.is_empty(), "{call}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "{call}");
    // The guest itself is in there, too: it has made what it sends, and its copy for the call.
    assert!(grown < 64 + 3 * (bytes + count * 64) / MIB, "{call}: {grown} MiB");
}

#[test]
fn s6_one_call_moves_no_more_than_its_limit() {
    if !alone("sandbox::amplify::s6_one_call_moves_no_more_than_its_limit") {
        return;
    }
    let sandbox = Sandbox::new();
    sandbox.run(&hostile(), Call::new("info", Value::Null)).output();
    for call in [
        "log",
        "progress",
        "has-capability",
        "artifact-name",
        "artifact-write",
        "stdout",
        "path",
        "symlink",
        "name-lookup",
    ] {
        check(&sandbox, call, 64 * MIB, 1);
    }
    check(&sandbox, "log", 0, 2_000_000);
    check(&sandbox, "findings", 0, 2_000_000);
    check(&sandbox, "many-findings", 0, 500_000);
}

/// A hand-written guest that shows the same bytes many times: what is small in the guest would be large in the host.
fn overlapping(count: u32, bytes: u32) -> Guest {
    let items = format!(
        r#"(import "orch:task/report@0.1.0" "log" (func $log (param i32 i32 i32 i32 i32)))
           (func $fill (local $at i32)
             (drop (memory.grow (i32.const 2000)))
             (local.set $at (i32.const 0))
             (loop $next
               ;; the name: empty; the value: `bytes` from the start of memory
               (i32.store (i32.add (i32.const 1048576) (i32.add (local.get $at) (i32.const 8))) (i32.const 0))
               (i32.store (i32.add (i32.const 1048576) (i32.add (local.get $at) (i32.const 12))) (i32.const {bytes}))
               (local.set $at (i32.add (local.get $at) (i32.const 16)))
               (br_if $next (i32.lt_u (local.get $at) (i32.const {end})))))"#,
        end = count * 16
    );
    let log = format!("(call $log (i32.const 2) (i32.const 0) (i32.const 0) (i32.const 1048576) (i32.const {count}))");
    wat_guest(&items, &format!("(call $fill) {log}"))
}

#[test]
fn s6_lists_of_the_same_bytes_are_counted_as_often_as_they_are_shown() {
    if !alone("sandbox::amplify::s6_lists_of_the_same_bytes_are_counted_as_often_as_they_are_shown") {
        return;
    }
    let sandbox = Sandbox::new();
    let _ = sandbox.run(&overlapping(1, 1), Call::new("run", Value::Null));
    let before = peak_memory();
    // 10,000 times a mebibyte; a million times nothing; one string of a gibibyte.
    for (count, bytes) in [(10_000, MIB as u32), (1_000_000, 0), (1, 1 << 30)] {
        let ended = sandbox.run(&overlapping(count, bytes), Call::new("run", Value::Null));
        if bytes == 1 << 30 {
            assert!(ended.result.is_err(), "a string that ends outside of memory");
        } else {
            assert_eq!(ended.limit(), ("host call", "16MiB"), "{count} times {bytes}");
        }
        assert!(ended.seen.logs.is_empty());
    }
    let grown = (peak_memory() - before) / MIB;
    println!("measured: S6: lists of the same bytes: the process grew by {grown} MiB");
    assert!(grown < 160, "{grown} MiB");
}

/// The host gives `call` no more than `most` of the `length` that is asked for.
#[track_caller]
fn check_ask(sandbox: &Sandbox, call: &str, length: u64, expected: &str) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "content").unwrap();
    let before = peak_memory();
    let input = json!({ "call": call, "length": length });
    let ended = sandbox.run(&hostile(), Call::new("ask", input).mount("work", folder.path(), Access::Write));
    let grown = (peak_memory() - before) / MIB;
    let got = match &ended.result {
        Ok(_) => ended.output().to_string(),
        Err(failure) => failure.message.clone(),
    };
    assert!(got.contains(expected), "{call} {length}: {got}");
    assert!(grown < 64, "{call} {length}: the process grew by {grown} MiB");
    let size = std::fs::metadata(folder.path().join("file")).unwrap().len();
    assert!(size <= 1 << 20, "{call} {length}: the file has {size} bytes");
}

#[test]
fn s7_the_host_gives_no_more_than_there_is() {
    if !alone("sandbox::amplify::s7_the_host_gives_no_more_than_there_is") {
        return;
    }
    let sandbox = Sandbox::new();
    sandbox.run(&hostile(), Call::new("info", Value::Null)).output();
    for length in [u64::MAX, 1 << 63, 1 << 40, 1 << 32, 100 << 20] {
        for call in ["random", "insecure-random"] {
            check_ask(&sandbox, call, length, "the limit `random bytes of one call` of 1MiB is reached");
        }
        for call in ["write-zeroes", "blocking-write-zeroes", "write-zeroes-to-file"] {
            check_ask(&sandbox, call, length, "trapped");
        }
        // Not blocking, it may give nothing yet.
        check_ask(&sandbox, "read-stream", length, "");
        for call in ["read", "blocking-read-stream", "skip", "splice"] {
            check_ask(&sandbox, call, length, "7");
        }
    }
    // What is asked for in reason is given.
    check_ask(&sandbox, "random", 1000, "1000");
    check_ask(&sandbox, "write-zeroes", 1000, "1000");
    check_ask(&sandbox, "output", 5 << 20, "the limit `output` of 4MiB is reached");
}
