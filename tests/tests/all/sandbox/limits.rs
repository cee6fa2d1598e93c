//! Memory, tables, instances and stack (S1 to S4).

use orch_core::Size;
use orch_tests::{Call, Ended, Guest, Sandbox, alone, bombs, hostile, peak_memory, wat_guest};
use serde_json::{Value, json};

/// Runs a hand-written guest with 256 MiB of memory.
#[track_caller]
fn run(guest: &Guest) -> Ended {
    Sandbox::new().run(guest, Call::new("run", Value::Null))
}

/// The guest ends with the limit `name` of `value`.
#[track_caller]
fn check(guest: &Guest, name: &str, value: &str) -> Ended {
    let ended = run(guest);
    assert_eq!(ended.limit(), (name, value));
    assert!(ended.failure().message.contains(value), "{}", ended.failure().message);
    assert!(ended.failure().fix.is_some());
    ended
}

const UNREACHABLE_IF_REFUSED: &str = "(i32.const -1) (i32.eq) (if (then (unreachable)))";

#[test]
fn s1_memory_stops_at_the_limit() {
    // 65,532 pages beside the 4 that there are: all that 32 bits can address.
    let body = format!("(memory.grow (i32.const 65532)) {UNREACHABLE_IF_REFUSED}");
    let ended = check(&wat_guest("", &body), "memory", "256MiB");
    assert!(ended.usage.memory <= Size::from_mib(256), "{}", ended.usage.memory);
}

#[test]
fn s1_memory_is_summed_over_all_memories() {
    // 3,000 and 2,000 pages: each alone is below 256 MiB.
    let second = "(memory $second 0)";
    let one = format!("(memory.grow $second (i32.const 3000)) {UNREACHABLE_IF_REFUSED}");
    let ended = run(&wat_guest(second, &one));
    assert!(ended.result.is_ok(), "{:?}", ended.result);
    assert!(ended.usage.memory >= Size::from_mib(187), "{}", ended.usage.memory);
    let both = format!("{one} (memory.grow $main (i32.const 2000)) {UNREACHABLE_IF_REFUSED}");
    let ended = check(&wat_guest(second, &both), "memory", "256MiB");
    assert!(ended.usage.memory <= Size::from_mib(256), "{}", ended.usage.memory);
}

#[test]
fn s1_growing_that_fails_for_another_reason_is_not_counted() {
    // The first memory may have 8 pages, so it cannot grow by 3,000, however often that is tried.
    let small = "(memory $small 1 8)";
    let tries = "(drop (memory.grow $small (i32.const 3000)))".repeat(3);
    let then = format!("{tries} (memory.grow $main (i32.const 3000)) {UNREACHABLE_IF_REFUSED}");
    let ended = run(&wat_guest(small, &then));
    assert!(ended.result.is_ok(), "{:?}", ended.result);
    assert!(ended.usage.memory < Size::from_mib(200), "{}", ended.usage.memory);
}

#[test]
fn s1_a_declared_memory_beyond_the_limit_does_not_start() {
    check(&wat_guest("(memory $second 5000)", ""), "memory", "256MiB");
}

#[test]
fn s1_touched_memory_is_given_back() {
    if !alone("sandbox::limits::s1_touched_memory_is_given_back") {
        return;
    }
    let sandbox = Sandbox::new();
    let guest = hostile();
    assert_eq!(sandbox.run(&guest, Call::new("grow", json!({ "mebibytes": 1 }))).output(), 1 << 20);
    let before = peak_memory();
    for _ in 0..8 {
        let call = Call::new("grow", json!({ "mebibytes": 1000 })).limits(|limits| limits.memory = Size::from_mib(64));
        let ended = sandbox.run(&guest, call);
        assert_eq!(ended.limit(), ("memory", "64MiB"));
    }
    let grown = (peak_memory() - before) >> 20;
    println!("measured: S1: 8 guests that take all of 64 MiB cost {grown} MiB at most");
    assert!(grown < 128, "{grown} MiB: memory of ended guests is kept");
}

#[test]
fn s2_tables_stop_at_the_limit() {
    let table = "(table $t 1 funcref)";
    let body = format!("(table.grow $t (ref.null func) (i32.const 1000000000)) {UNREACHABLE_IF_REFUSED}");
    check(&wat_guest(table, &body), "table elements", "100000");
    // Summed over all tables, too.
    let tables = "(table $t 1 funcref) (table $u 1 funcref)";
    let body = format!(
        "(table.grow $t (ref.null func) (i32.const 60000)) {UNREACHABLE_IF_REFUSED}
         (table.grow $u (ref.null func) (i32.const 60000)) {UNREACHABLE_IF_REFUSED}"
    );
    check(&wat_guest(tables, &body), "table elements", "100000");
}

#[test]
fn s2_many_tables_and_memories_do_not_start() {
    check(&wat_guest(&"(table 1 funcref)".repeat(90), ""), "tables", "16");
    check(&wat_guest(&"(memory 1)".repeat(9), ""), "memories", "4");
}

/// Loading fails with a message that holds `expected`.
#[track_caller]
fn check_load(guest: &Guest, expected: &str) {
    let error = Sandbox::new().load(guest).unwrap_err().to_string();
    assert!(error.contains(expected), "{error}");
}

#[test]
fn s2_what_32_bits_cannot_address_does_not_load() {
    check_load(&wat_guest("(memory $wide i64 1)", ""), "memory64");
    check_load(&wat_guest("(table $wide i64 1 funcref)", ""), "memory64");
    check_load(&wat_guest(&"(table 1 funcref)".repeat(1_000), ""), "tables");
    check_load(&wat_guest("(table 2000000 funcref)", ""), "elements in a table");
}

#[test]
fn s3_many_instances_and_modules_do_not_load() {
    let plugin = |parts: String| {
        let text = format!(r#"(component {parts} (instance $e) (export "orch:task/runner@0.1.0" (instance $e)))"#);
        Guest::new(wat::parse_str(text).unwrap())
    };
    let instances = "(core instance (instantiate $m))".repeat(4_096);
    check_load(&plugin(format!("(core module $m) {instances}")), "4096 instances, at most 1000");
    check_load(&plugin("(core module)".repeat(1_000)), "65 core modules, at most 64");
    check_load(&plugin("(component)".repeat(1_000)), "65 core modules and components, at most 64");
    let nested = format!("{}{}", "(component ".repeat(50), ")".repeat(50));
    check_load(&plugin(nested), "levels of components, at most 8");
    // Below the pre-check's bound and above an attempt's: it loads, and does not start.
    let module = bombs::module(&[]);
    assert!(Sandbox::new().load(&Guest::new(bombs::plugin_of(&[module]))).is_err(), "it exports no function");
}

#[test]
fn s4_endless_recursion_traps_and_the_host_goes_on() {
    let sandbox = Sandbox::new();
    for _ in 0..3 {
        let ended = sandbox.run(&hostile(), Call::new("recurse", Value::Null));
        assert!(ended.trap().contains("its stack overflowed"), "{}", ended.trap());
    }
    // The same below every frame of a host call: the host has its own share of the stack.
    let recursing = r#"(import "orch:task/context@0.1.0" "is-cancelled" (func $ask (result i32)))
        (func $deeper (param i32) (drop (call $ask)) (call $deeper (local.get 0)) (drop (local.get 0)))"#;
    let guest = wat_guest(recursing, "(call $deeper (i32.const 1))");
    assert!(sandbox.run(&guest, Call::new("run", Value::Null)).trap().contains("its stack overflowed"));
    assert_eq!(sandbox.run(&hostile(), Call::new("grow", json!({ "mebibytes": 1 }))).output(), 1 << 20);
}
