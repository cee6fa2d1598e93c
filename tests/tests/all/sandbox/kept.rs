//! Values that outlive runs, also while somebody else writes (S11); fixed time and random numbers; what a dry run keeps.

use orch_core::{FailureKind, RefusedBy};
use orch_tests::{Call, Ended, Sandbox, alone, hostile, threads};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

fn run(sandbox: &Sandbox, call: Call) -> Ended {
    sandbox.run(&hostile(), call)
}

fn steps(sandbox: &Sandbox, steps: Value) -> Value {
    let call = Call::new("kept", json!({ "steps": steps })).bucket("seen", 4_096);
    run(sandbox, call).output().clone()
}

fn get(key: &str) -> Value {
    json!({ "op": "get", "bucket": "seen", "key": key })
}

fn set(key: &str, value: &str, expect: Option<u64>) -> Value {
    json!({ "op": "set", "bucket": "seen", "key": key, "value": value, "expect": expect })
}

fn delete(key: &str, expect: Option<u64>) -> Value {
    json!({ "op": "delete", "bucket": "seen", "key": key, "expect": expect })
}

pub(crate) fn get_gives_what_an_earlier_attempt_kept() {
    let sandbox = Sandbox::new();
    assert_eq!(steps(&sandbox, json!([get("a"), set("a", "one", None)])), json!([{ "ok": null }, { "ok": 1 }]));
    assert_eq!(steps(&sandbox, json!([get("a"), get("b")])), json!([{ "ok": ["one", 1] }, { "ok": null }]));
}

pub(crate) fn without_a_grant_nothing_is_read() {
    let sandbox = Sandbox::new();
    steps(&sandbox, json!([set("a", "one", None)]));
    let ended = run(&sandbox, Call::new("kept", json!({ "steps": [get("a")] })));
    assert!(ended.output()[0]["error"].as_str().unwrap().contains("was not granted"), "{}", ended.output());
    let refusal = &ended.refusals("kv")[0];
    assert_eq!((refusal.target.as_str(), refusal.by), ("seen", RefusedBy::Workflow));
    assert!(refusal.fix.as_deref().unwrap().contains("kv: [{ bucket"), "{refusal:?}");
}

pub(crate) fn set_changes_what_is_as_expected() {
    let sandbox = Sandbox::new();
    let asked = json!([set("a", "1", Some(0)), set("a", "2", Some(0)), set("a", "2", Some(1)), get("a")]);
    assert_eq!(
        steps(&sandbox, asked),
        json!([{ "ok": 1 }, { "error": "the key has version 1, not 0" }, { "ok": 2 }, { "ok": ["2", 2] }])
    );
}

pub(crate) fn without_a_grant_and_in_a_dry_run_nothing_is_kept() {
    let sandbox = Sandbox::new();
    let ended = run(&sandbox, Call::new("kept", json!({ "steps": [set("a", "one", None)] })));
    assert!(ended.output()[0]["error"].is_string());
    let dry = Call::new("kept", json!({ "steps": [set("a", "one", None), delete("a", None)] })).bucket("seen", 4_096);
    let ended = run(&sandbox, dry.dry_run());
    assert!(ended.output()[0]["error"].as_str().unwrap().contains("dry run"), "{}", ended.output());
    assert_eq!(ended.refusals("kv")[0].by, RefusedBy::Engine);
    assert_eq!(steps(&sandbox, json!([get("a")])), json!([{ "ok": null }]), "the store is as it was");
}

pub(crate) fn delete_takes_the_value_and_keeps_the_version() {
    let sandbox = Sandbox::new();
    let asked = json!([set("a", "1", None), delete("a", Some(1)), get("a"), set("a", "2", Some(0)), get("a")]);
    assert_eq!(
        steps(&sandbox, asked),
        json!([{ "ok": 1 }, { "ok": 2 }, { "ok": null }, { "ok": 3 }, { "ok": ["2", 3] }])
    );
}

pub(crate) fn delete_takes_nothing_that_is_not_as_expected() {
    let sandbox = Sandbox::new();
    let asked = json!([set("a", "1", None), delete("a", Some(7)), get("a")]);
    assert_eq!(
        steps(&sandbox, asked),
        json!([{ "ok": 1 }, { "error": "the key has version 1, not 7" }, { "ok": ["1", 1] }])
    );
    let ended = run(&sandbox, Call::new("kept", json!({ "steps": [delete("a", None)] })));
    assert!(ended.output()[0]["error"].is_string());
    assert_eq!(steps(&sandbox, json!([get("a")])), json!([{ "ok": ["1", 1] }]));
}

#[test]
fn s9_a_bucket_holds_no_more_than_its_quota() {
    let sandbox = Sandbox::new();
    let big = json!({ "op": "set", "bucket": "seen", "key": "big", "size": 5_000 });
    let refused = steps(&sandbox, json!([big]));
    assert_eq!(refused[0]["error"], "the bucket would hold 5067 bytes, its quota is 4KiB");
    // Very many small keys reach it too, and so do deleted ones.
    let many: Vec<Value> = (0..200).map(|number| set(&format!("k{number}"), "", None)).collect();
    let said = steps(&sandbox, Value::from(many));
    let kept = said.as_array().unwrap().iter().filter(|one| one["ok"].is_number()).count();
    assert!((30..=64).contains(&kept), "{kept} were kept");
    assert_eq!(steps(&sandbox, json!([delete("k0", None), get("k0")])), json!([{ "ok": 2 }, { "ok": null }]));
    assert_eq!(steps(&sandbox, json!([get("k1")])), json!([{ "ok": ["", 1] }]));
}

#[test]
fn keys_that_are_none_are_told() {
    let sandbox = Sandbox::new();
    let long = "x".repeat(513);
    let said = steps(&sandbox, json!([set("", "", None), set("a\u{0}b", "", None), set(&long, "", None), get("../a")]));
    for wrong in &said.as_array().unwrap()[..3] {
        assert_eq!(wrong["error"], "a key has 1 to 512 bytes and no control characters");
    }
    assert_eq!(said[3], json!({ "ok": null }));
}

#[test]
fn i12_a_secret_is_not_kept() {
    let sandbox = Sandbox::new();
    let call = Call::new("kept", json!({ "steps": [set("a", "xhunter2-hunter2x", None), get("a")] }));
    let ended = run(&sandbox, call.bucket("seen", 4_096).secret("token", "hunter2-hunter2"));
    // The value came in with the input, which the host cannot know: the guest knows it all the same.
    assert!(ended.output()[0]["error"].as_str().unwrap().contains("holds a secret"), "{}", ended.output());
    assert_eq!(ended.output()[1], json!({ "ok": null }));
}

#[test]
fn fixed_time_and_numbers_are_the_same_every_time() {
    let sandbox = Sandbox::new();
    let fixed = || run(&sandbox, Call::new("entropy", json!({ "a": 1 })).fixed()).output().clone();
    let (one, other) = (fixed(), fixed());
    assert_eq!(one, other);
    assert_eq!(one["wall"], 1_577_836_800_000_u64);
    assert_eq!(one["look"], 1_000);
    assert!(one["slept"].as_u64().unwrap() >= 20_000_000, "{one}");
    let another = run(&sandbox, Call::new("entropy", json!({ "a": 2 })).fixed()).output().clone();
    assert_ne!(another["random"], one["random"], "the input is part of it");

    let real = || run(&sandbox, Call::new("entropy", json!({ "a": 1 }))).output().clone();
    let (one, other) = (real(), real());
    assert_ne!(one["random"], other["random"]);
    assert!(one["wall"].as_u64().unwrap() > 1_700_000_000_000);
}

#[test]
fn s11_a_call_that_waits_for_another_writer_ends_with_its_task() {
    if !alone("sandbox::kept::s11_a_call_that_waits_for_another_writer_ends_with_its_task") {
        return;
    }
    let sandbox = Sandbox::new();
    steps(&sandbox, json!([set("a", "before", None)]));
    let before = threads();
    let other = rusqlite::Connection::open(sandbox.state().join("state.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let call = || {
        let input = json!({ "say": true, "steps": [set("a", "after", None)] });
        Call::new("kept", input).bucket("seen", 4_096)
    };
    let (ended, took) = sandbox.cancel(&hostile(), call());
    println!("measured: S11 kv: {} ms from cancel to end", took.as_millis());
    assert_eq!(ended.failure().what, FailureKind::Cancelled);
    assert!(took <= Duration::from_secs(2), "{took:?}");
    let begun = Instant::now();
    let ended = run(&sandbox, call().timeout(Duration::from_millis(300)));
    assert_eq!(ended.failure().what, FailureKind::Timeout);
    assert!(begun.elapsed() <= Duration::from_secs(3), "{:?}", begun.elapsed());
    assert!(threads() <= before, "{} threads, {before} before", threads());
    // Nobody comes back to it later, and the next one gets its turn.
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(
        steps(&sandbox, json!([get("a"), set("a", "next", None)])),
        json!([{ "ok": ["before", 1] }, { "ok": 2 }])
    );
}

#[test]
fn s11_there_is_no_input_to_wait_for() {
    // Standard input of a guest is empty and over, whatever the engine's own is.
    let ended = run(&Sandbox::new(), Call::new("input", Value::Null).timeout(Duration::from_secs(20)));
    assert_eq!(ended.output(), &json!([0, true]));
}
