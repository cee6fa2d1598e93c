//! Values come out nowhere, whatever a guest does with them that a program would do (K1 to K3, K5). The guest is given each form as its
//! input: what it could have made of a value that it has seen.

use super::{PLAIN, VALUE, encodings, nowhere};
use orch_core::{AttemptOutput, FailureKind};
use orch_tests::{Call, Ended, Sandbox, hostile};
use serde_json::{Value, json};

fn print(input: Value) -> Call {
    Call::new("print", input).secret("token", PLAIN)
}

/// The lines of the log.
fn lines(ended: &Ended) -> Vec<&str> {
    ended.seen.logs.iter().map(|(_, message, _)| message.as_str()).collect()
}

#[test]
fn k1_raw() {
    let sandbox = Sandbox::new();
    for to in ["stdout", "stderr"] {
        let ended = sandbox.run(&hostile(), print(json!({ "to": to, "text": PLAIN, "size": 1000, "rounds": 2 })));
        assert_eq!(lines(&ended), ["*** round 0", "*** round 1"]);
        nowhere(&ended, to, "hunter2");
    }
    let ended = sandbox.run(&hostile(), print(json!({ "to": "log", "text": PLAIN })));
    assert_eq!(lines(&ended), ["***"]);
    assert_eq!(ended.seen.logs[0].2, [("***".to_owned(), "***".to_owned())]);
}

#[test]
fn k1_split_over_writes() {
    let sandbox = Sandbox::new();
    for size in [1, 2, 7, 18] {
        let ended = sandbox.run(&hostile(), print(json!({ "to": "stdout", "text": PLAIN, "size": size, "before": 3 })));
        assert_eq!(lines(&ended), ["xxx*** round 0"], "{size}");
    }
    // Half of one at the very end is no secret, and is not lost.
    let ended = sandbox.run(&hostile(), print(json!({ "to": "both", "text": "hunter2-val", "size": 4 })));
    assert_eq!(lines(&ended), ["hunter2-val", "hunter2-val"]);
}

#[test]
fn k1_over_the_boundary_of_64_kib() {
    let sandbox = Sandbox::new();
    for before in [65_536 - 1, 65_536 - 10, 65_536 - 19, 65_536] {
        for to in ["stdout", "log"] {
            let input = json!({ "to": to, "text": PLAIN, "size": 5, "before": before });
            let ended = sandbox.run(&hostile(), print(input));
            let line = lines(&ended)[0];
            assert!(line.len() > 65_000, "{before}: {}", line.len());
            // Also where the line is cut no part of it stays.
            nowhere(&ended, to, "hunter2");
            assert!(!line.trim_start_matches('x').starts_with('h'), "{before} {to}: {}", &line[65_500..]);
        }
    }
}

#[test]
fn k1_interleaved() {
    let sandbox = Sandbox::new();
    // The two streams of one task take turns.
    let ended =
        sandbox.run(&hostile(), print(json!({ "to": "both", "text": format!("{PLAIN}\n"), "size": 3, "rounds": 5 })));
    assert_eq!(lines(&ended).len(), 10);
    assert!(lines(&ended).iter().all(|line| *line == "***"), "{ended:?}");
    // Two tasks, each with a secret of its own.
    let other = "another-value-entirely";
    let start = |value: &str| {
        let input = json!({ "to": "stdout", "text": value, "size": 3, "rounds": 200 });
        sandbox.start(&hostile(), Call::new("print", input).secret("token", value))
    };
    let running = [start(PLAIN), start(other)];
    for one in running {
        let ended = one.end();
        assert_eq!(lines(&ended).len(), 200);
        nowhere(&ended, "two tasks", "hunter2");
        nowhere(&ended, "two tasks", "another");
    }
}

#[test]
fn k2_every_encoding_in_every_place() {
    let sandbox = Sandbox::new();
    for (what, form) in encodings(VALUE) {
        let ended = sandbox.run(&hostile(), Call::new("say", json!({ "text": form })).secret("token", VALUE));
        nowhere(&ended, what, &form);
        assert!(ended.output().to_string().contains("***"), "{what}: {ended:?}");
        for line in lines(&ended) {
            assert!(line.contains("***"), "{what}: {line}");
        }
        assert_eq!(ended.seen.findings.len(), 1, "{what}");
    }
}

#[test]
fn k3_error_texts() {
    let sandbox = Sandbox::new();
    for (what, form) in encodings(VALUE) {
        // Around the places where texts are cut as well.
        for before in [0, 990, 3_990] {
            for how in ["invalid", "denied", "dependency", "skipped", "rejected", "panic", "failed"] {
                let text = format!("{}{form}", "x".repeat(before));
                let call = Call::new("fail", json!({ "how": how, "text": text })).secret("token", VALUE);
                let ended = sandbox.run(&hostile(), call);
                assert!(!matches!(ended.result, Ok(AttemptOutput::Succeeded(_))));
                nowhere(&ended, what, &form);
                let shown = format!("{:?}", ended.result);
                let beginning: String = form.chars().take(7).collect();
                assert!(!shown.contains(&beginning), "{what} {how} {before}: a part of it is in {shown}");
            }
        }
    }
}

#[test]
fn k3_traps() {
    let input = json!({ "to": "stderr", "text": PLAIN, "size": 4, "trap": true });
    let ended = Sandbox::new().run(&hostile(), print(input));
    assert!(ended.trap().ends_with("it last said: *** round 0"), "{}", ended.trap());
    nowhere(&ended, "trap", "hunter2");
}

#[test]
fn k3_what_schemas_say() {
    let sandbox = Sandbox::new();
    let number = json!({ "type": "object", "additionalProperties": { "type": "number" } });
    sandbox.load_with_schemas(&hostile(), &json!(true), &number).unwrap();
    let ended = sandbox.run(&hostile(), Call::new("say", json!({ "text": PLAIN })).secret("token", PLAIN));
    assert_eq!(ended.failure().what, FailureKind::InvalidOutput);
    nowhere(&ended, "output", "hunter2");
    let sandbox = Sandbox::new();
    sandbox.load_with_schemas(&hostile(), &number, &json!(true)).unwrap();
    let ended = sandbox.run(&hostile(), Call::new("say", json!({ "text": PLAIN })).secret("token", PLAIN));
    assert_eq!(ended.failure().what, FailureKind::InvalidInput);
    nowhere(&ended, "input", "hunter2");
}

#[test]
fn k5_hard_values() {
    let sandbox = Sandbox::new();
    for value in ["a.*b|c+$", "пароль-тайна", "******", "ab***cd", "first line\nsecond line", "  padded value  "]
    {
        let call = Call::new("say", json!({ "text": format!("before {value} after") })).secret("token", value);
        let ended = sandbox.run(&hostile(), call);
        nowhere(&ended, value, value.trim());
        // What stands around it stays readable.
        assert!(lines(&ended).iter().any(|line| line.contains("before ")), "{value}: {ended:?}");
        assert!(lines(&ended).iter().any(|line| line.contains(" after")), "{value}: {ended:?}");
    }
    for value in ["", "abc", "  abc  "] {
        let ended = sandbox.run(&hostile(), Call::new("info", Value::Null).secret("token", value));
        assert!(ended.failure().message.contains("it has fewer than 6 characters"), "{ended:?}");
    }
}

#[test]
fn refusals_quote_no_value() {
    let call = Call::new("secret", json!({ "name": PLAIN, "call": "open" })).secret("token", PLAIN);
    let ended = Sandbox::new().run(&hostile(), call);
    assert_eq!(ended.refusals("secrets")[0].target, "***");
    nowhere(&ended, "refusal", "hunter2");
}

#[test]
fn a_granted_variable_with_the_same_value_is_masked_too() {
    let ended = Sandbox::new().run(&hostile(), Call::new("env", Value::Null).env("TOKEN").secret("token", PLAIN));
    assert_eq!(ended.output()["variables"], json!([["TOKEN", "***"]]));
}

#[test]
fn what_is_no_secret_is_let_be() {
    let ended = Sandbox::new()
        .run(&hostile(), Call::new("say", json!({ "text": "hunter3-value-of-it" })).secret("token", PLAIN));
    assert_eq!(ended.output(), &json!({ "hunter3-value-of-it": "hunter3-value-of-it" }));
}
