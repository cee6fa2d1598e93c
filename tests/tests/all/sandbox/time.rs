//! Loops, sleeps and clocks (S8, S10, S12, S23), and being asked to stop.

use orch_core::{Access, FailureKind, Size};
use orch_tests::{Call, Guest, Sandbox, alone, hostile, process_cpu, wat_guest};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// What an attempt may take to end once it is asked to. One second is required; a loaded machine gets another.
const MOST: Duration = Duration::from_secs(2);

/// A guest that says that it has started and then runs `body`.
fn started_then(items: &str, body: &str) -> Guest {
    let items = format!(
        r#"(import "orch:task/report@0.1.0" "log" (func $log (param i32 i32 i32 i32 i32)))
           {items} (data (i32.const 48) "started")"#
    );
    let say = "(call $log (i32.const 2) (i32.const 48) (i32.const 7) (i32.const 0) (i32.const 0))";
    wat_guest(&items, &format!("{say} {body}"))
}

/// Cancelling ends it in time, and so does a timeout.
#[track_caller]
fn check(name: &str, guest: &Guest, task: &str, input: &Value) {
    let sandbox = Sandbox::new();
    let memory = |call: Call| call.limits(|limits| limits.memory = Size::from_mib(300));
    let (ended, took) = sandbox.cancel(guest, memory(Call::new(task, input.clone())));
    println!("measured: {name}: {} ms from cancel to end", took.as_millis());
    assert_eq!(ended.failure().what, FailureKind::Cancelled, "{name}");
    assert!(took <= MOST, "{name}: {took:?}");

    let timeout = Duration::from_millis(300);
    let begun = Instant::now();
    let ended = sandbox.run(guest, memory(Call::new(task, input.clone()).timeout(timeout)));
    let over = begun.elapsed().saturating_sub(timeout);
    println!("measured: {name}: {} ms past its timeout", over.as_millis());
    assert_eq!(ended.failure().what, FailureKind::Timeout, "{name}");
    assert!(ended.failure().message.contains("300ms"), "{}", ended.failure().message);
    assert!(over <= MOST, "{name}: {over:?}");
}

#[test]
fn s8_a_tight_loop_ends() {
    check("S8 loop", &started_then("", "(loop $l (br $l))"), "run", &Value::Null);
    check("S8 loop in Rust", &hostile(), "spin", &Value::Null);
}

#[test]
fn s8_loops_of_host_calls_end() {
    let ask = r#"(import "orch:task/context@0.1.0" "is-cancelled" (func $ask (result i32)))"#;
    check("S8 host calls", &started_then(ask, "(loop $l (drop (call $ask)) (br $l))"), "run", &Value::Null);
}

#[test]
fn s12_copies_of_all_memory_in_a_loop_end() {
    let body = "(drop (memory.grow (i32.const 4000)))
        (loop $l (memory.copy (i32.const 131072) (i32.const 65536) (i32.const 262000000)) (br $l))";
    check("S12 memory.copy", &started_then("", body), "run", &Value::Null);
    let body = "(drop (memory.grow (i32.const 4000)))
        (loop $l (memory.fill (i32.const 131072) (i32.const 1) (i32.const 262000000)) (br $l))";
    check("S12 memory.fill", &started_then("", body), "run", &Value::Null);
}

#[test]
fn a_guest_that_listens_ends_by_itself_and_one_that_does_not_is_ended() {
    let sandbox = Sandbox::new();
    let (ended, took) = sandbox.cancel(&hostile(), Call::new("wait", Value::Null));
    assert_eq!(ended.failure().message, "it was asked to stop, and did");
    println!("measured: a guest that listens: {} ms from cancel to end", took.as_millis());
    let (ended, took) = sandbox.cancel(&hostile(), Call::new("wait", json!({ "ignore": true })));
    assert!(ended.failure().message.contains("it was ended"), "{}", ended.failure().message);
    assert!(took <= MOST, "{took:?}");
}

#[test]
fn s10_sleeping_for_a_year_ends() {
    let year = 365_u64 * 86_400 * 1_000_000_000;
    check("S10 sleep", &hostile(), "sleep", &json!({ "nanoseconds": year }));
    check("S10 sleep for ever", &hostile(), "sleep", &json!({ "nanoseconds": u64::MAX }));
    check("S10 poll", &hostile(), "poll", &json!({ "count": 1 }));
    check("S10 poll of many", &hostile(), "poll", &json!({ "count": 4_000 }));
    check("S10 poll of the same 4,000 times", &hostile(), "poll", &json!({ "count": 1, "same": 4_000 }));
}

#[test]
fn s10_polls_of_nothing_or_too_much_trap() {
    let sandbox = Sandbox::new();
    assert!(sandbox.run(&hostile(), Call::new("poll", json!({ "count": 0 }))).trap().contains("empty"));
    let ended = sandbox.run(&hostile(), Call::new("poll", json!({ "count": 100_000 })));
    assert_eq!(ended.limit(), ("handles", "10000"));
    assert!(!ended.seen.said("started"));
    // A handle that is lent counts as often as it is lent.
    let ended = sandbox.run(&hostile(), Call::new("poll", json!({ "count": 1, "same": 100_000 })));
    assert_eq!(ended.limit(), ("handles", "10000"));
}

#[test]
fn s10_a_sleeping_guest_uses_no_cpu() {
    if !alone("sandbox::time::s10_a_sleeping_guest_uses_no_cpu") {
        return;
    }
    let sandbox = Sandbox::new();
    sandbox.run(&hostile(), Call::new("info", Value::Null)).output();
    let before = process_cpu();
    // The guest's own clock is the measure: it sleeps for two seconds.
    let ended = sandbox.run(&hostile(), Call::new("sleep", json!({ "nanoseconds": 2_000_000_000_u64 })));
    let used = process_cpu() - before;
    assert_eq!(ended.output(), "woke");
    assert!(ended.usage.wall_ms >= 2_000);
    println!("measured: S10: {} ms of CPU while a guest sleeps for 2 s", used.as_millis());
    assert!(used < Duration::from_millis(200), "{used:?}");
}

/// `call` with a time at the end of its range gives one of `expected`.
#[track_caller]
fn check_times(sandbox: &Sandbox, call: &str, value: u64, nanoseconds: u32, expected: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "content").unwrap();
    let input = json!({ "call": call, "value": value, "nanoseconds": nanoseconds });
    let ended = sandbox.run(&hostile(), Call::new("times", input).mount("work", folder.path(), Access::Write));
    let got = match &ended.result {
        Ok(_) => ended.output().to_string(),
        Err(failure) => format!("{:?}", failure.what),
    };
    assert!(expected.contains(&got.as_str()), "{call} {value} {nanoseconds}: {got}");
}

#[test]
fn s23_times_at_the_ends_of_their_range() {
    let sandbox = Sandbox::new();
    for value in [u64::MAX, i64::MAX as u64 + 1, i64::MAX as u64] {
        check_times(&sandbox, "subscribe-duration", value, 0, &["false"]);
        check_times(&sandbox, "subscribe-instant", value, 0, &["false"]);
        check_times(&sandbox, "poll-duration", value, 0, &["[1]"]);
        for nanoseconds in [0, 999_999_999, 1_000_000_000, u32::MAX] {
            for call in ["set-times", "set-times-at"] {
                // What the file system can hold it may keep; all else is an error and no panic.
                let fine = ["\"ok\"", "\"invalid\"", "\"overflow\"", "\"io\"", "\"not-permitted\""];
                check_times(&sandbox, call, value, nanoseconds, &fine);
            }
        }
    }
    check_times(&sandbox, "block-instant", 0, 0, &["true"]);
    check_times(&sandbox, "poll-duration", 0, 0, &["[0,1]"]);
}

#[test]
fn s23_timeouts_at_the_ends_of_their_range() {
    let sandbox = Sandbox::new();
    let ended = sandbox.run(&hostile(), Call::new("spin", Value::Null).timeout(Duration::ZERO));
    assert_eq!(ended.failure().what, FailureKind::Timeout);
    let year = orch_core::Period::from_millis(366 * 86_400_000).duration();
    sandbox.run(&hostile(), Call::new("info", Value::Null).timeout(year)).output();
}
