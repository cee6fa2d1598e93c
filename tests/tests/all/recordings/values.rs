//! Kept values, variables, secrets, time and random numbers.

use super::kit::{NOTHING, Tapes, contents, edit, read};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use orch_host::Replayed;
use orch_tests::{Call, hostile};
use serde_json::{Value, json};

fn kept(steps: Value) -> Call {
    Call::new("kept", json!({ "steps": steps })).bucket("seen", 4_096)
}

fn get(key: &str) -> Value {
    json!({ "op": "get", "bucket": "seen", "key": key })
}

fn set(key: &str, value: &str, expect: Option<u64>) -> Value {
    json!({ "op": "set", "bucket": "seen", "key": key, "value": value, "expect": expect })
}

fn delete(key: &str) -> Value {
    json!({ "op": "delete", "bucket": "seen", "key": key })
}

#[test]
fn kept_values_are_as_they_were_before() {
    let tapes = Tapes::new();
    let before = kept(json!([set("a", "one", None), set("gone", "x", None), delete("gone")]));
    tapes.sandbox.run(&hostile(), before);
    let steps = json!([
        get("a"),
        set("a", "two", Some(1)),
        get("a"),
        set("a", "three", Some(1)),
        set("new", "x", Some(0)),
        set("gone", "y", None),
        get("gone"),
        delete("gone"),
        set("gone", "z", None),
        get("never"),
    ]);
    let (ended, place) = tapes.record(&hostile(), kept(steps));
    assert_eq!(ended.output()[5], json!({ "ok": 3 }), "{}", ended.output());
    tapes.passes(&hostile(), &place);
    let after = tapes.sandbox.run(&hostile(), kept(json!([get("a"), get("gone")])));
    assert_eq!(after.output(), &json!([{ "ok": ["two", 2] }, { "ok": ["z", 5] }]), "a replay keeps nothing");
    edit(&place, |recording| recording["input"]["steps"] = json!([get("other")]));
    tapes.unrecorded(&hostile(), &place, "kv seen: `other`");
}

#[test]
fn variables_are_those_of_the_recording() {
    let tapes = Tapes::new();
    let (ended, place) = tapes.record(&hostile(), Call::new("env", json!({})).env("GRANTED"));
    assert!(ended.output().to_string().contains("value"), "{}", ended.output());
    tapes.passes(&hostile(), &place);
    edit(&place, |recording| recording["env"]["GRANTED"] = json!("changed"));
    let replayed = tapes.sandbox.replay(&hostile(), &place);
    assert!(replayed.differences.len() == 1 && replayed.differences[0].contains("changed"), "{replayed:?}");
}

#[test]
fn a_secret_is_made_up_on_replay_and_never_recorded() {
    let tapes = Tapes::new();
    let value = ["hunter2", "value", "of", "it"].join("-");
    let call = Call::new("secret", json!({ "name": "token", "call": "reveal" })).secret("token", &value).revealed();
    let (ended, place) = tapes.record(&hostile(), call);
    assert_eq!(ended.output()["revealed"], value.len());
    for (file, bytes) in contents(&place) {
        let text = String::from_utf8_lossy(&bytes);
        for form in [value.clone(), STANDARD.encode(&value)] {
            assert!(!text.contains(form.trim_end_matches('=')), "{form} in {}", file.display());
        }
    }
    // The value is another one, and shows nowhere; its length does.
    let expected = format!("output.revealed was `{}`, and is `{}`", value.len(), "made-up-value-of-token".len());
    assert_eq!(tapes.sandbox.replay(&hostile(), &place), Replayed { differences: vec![expected], ..NOTHING });
}

#[test]
fn time_and_random_numbers_are_fixed_on_replay() {
    let tapes = Tapes::new();
    let (_, place) = tapes.record(&hostile(), Call::new("entropy", json!({})).fixed());
    tapes.passes(&hostile(), &place);
    // The component counts for nothing: another build sees the same numbers.
    let whole = read(&place);
    let (_, place) = tapes.record(&hostile(), Call::new("entropy", json!({})));
    let replayed = tapes.sandbox.replay(&hostile(), &place);
    assert!(!replayed.differences.is_empty(), "what depends on the real time differs");
    edit(&place, |recording| *recording = whole);
    tapes.passes(&hostile(), &place);
}
