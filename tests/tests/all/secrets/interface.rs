//! Each function of the interface, granted and not.

use super::{PLAIN, nowhere};
use orch_core::{FailureKind, RefusedBy};
use orch_tests::{Call, Ended, Sandbox, hostile};
use serde_json::{Value, json};
use std::time::Duration;

fn run(sandbox: &Sandbox, call: &str, change: impl FnOnce(Call) -> Call) -> Ended {
    let input = json!({ "name": "token", "call": call, "message": "what to sign" });
    sandbox.run(&hostile(), change(Call::new("secret", input)))
}

#[test]
pub(crate) fn open_gives_a_handle_of_a_granted_secret() {
    let ended = run(&Sandbox::new(), "open", |call| call.secret("token", PLAIN));
    assert_eq!(ended.output(), &json!({ "open": "ok" }));
    assert_eq!(ended.usage.used, ["secrets token"]);
    assert!(ended.seen.refused.is_empty() && !ended.usage.tainted);
}

#[test]
pub(crate) fn open_refuses_what_was_not_granted() {
    // Another one is granted.
    let ended = run(&Sandbox::new(), "open", |call| call.secret("other", PLAIN));
    let fix = "add to the task: permissions: { secrets: [{ name: token, from: token }] }";
    let answer = ended.output()["open"].as_str().unwrap();
    assert!(answer.contains("`token` was not granted") && answer.contains(fix), "{answer}");
    let refusals = ended.refusals("secrets");
    assert_eq!((refusals.len(), refusals[0].target.as_str()), (1, "token"));
    assert!(refusals[0].fix.as_deref().unwrap().starts_with(fix));
    assert!(ended.usage.used.is_empty());
}

#[test]
pub(crate) fn a_name_that_is_none_is_refused() {
    let call = Call::new("secret", json!({ "name": "../x\n", "call": "open" })).secret("token", PLAIN);
    let ended = Sandbox::new().run(&hostile(), call);
    assert!(ended.output()["open"].as_str().is_some_and(|answer| answer != "ok"), "{ended:?}");
}

#[test]
pub(crate) fn a_plugin_that_never_asks_has_no_such_interface() {
    let error = Sandbox::new().load_asking_nothing(&hostile()).unwrap_err().to_string();
    assert!(error.contains("orch:task/secrets@") && error.contains("ask for it in plugin.yaml"), "{error}");
}

#[test]
pub(crate) fn a_placeholder_is_of_one_attempt_and_says_nothing() {
    let sandbox = Sandbox::new();
    let placeholder = || {
        let ended = run(&sandbox, "placeholder", |call| call.secret("token", PLAIN));
        let both = ended.output()["placeholder"].as_array().unwrap().clone();
        assert_eq!(both[0], both[1]);
        both[0].as_str().unwrap().to_owned()
    };
    let (one, other) = (placeholder(), placeholder());
    assert_ne!(one, other);
    let digits = one.strip_prefix("orch-secret-").unwrap();
    assert!(digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()), "{one}");
}

#[test]
pub(crate) fn hmac_is_that_of_rfc_2104() {
    let ended = run(&Sandbox::new(), "hmac", |call| call.secret("token", PLAIN));
    // By Python's hmac module.
    assert_eq!(ended.output()["hmac"], "d3b8f29cd5b1ed6a8854c451945aace335a31f35e2513deee3ddd26d6e4c6c03");
    assert!(!ended.usage.tainted);
    nowhere(&ended, "hmac", PLAIN);
}

#[test]
pub(crate) fn without_a_grant_there_is_no_handle_to_sign_or_to_stand_for_a_value() {
    for call in ["placeholder", "hmac", "reveal"] {
        let ended = run(&Sandbox::new(), call, |call| call);
        assert!(ended.output()["open"].as_str().unwrap().contains("was not granted"), "{ended:?}");
        assert_eq!(ended.refusals("secrets").len(), 1);
        assert!(!ended.usage.tainted);
    }
}

#[test]
pub(crate) fn reveal_shows_the_value_where_it_was_granted_and_taints() {
    let ended = run(&Sandbox::new(), "reveal", |call| call.secret("token", PLAIN).revealed());
    // The guest saw all of it; what it gives back is masked.
    assert_eq!(ended.output(), &json!({ "revealed": PLAIN.len(), "value": "***" }));
    assert!(ended.usage.tainted);
    assert_eq!(ended.usage.used, ["secrets token", "secrets token revealed"]);
}

#[test]
pub(crate) fn reveal_shows_nothing_where_it_was_not_granted() {
    let ended = run(&Sandbox::new(), "reveal", |call| call.secret("token", PLAIN));
    assert_eq!(ended.output(), &json!({ "revealed": null }));
    assert!(!ended.usage.tainted);
    let refusals = ended.refusals("secrets");
    assert_eq!((refusals[0].target.as_str(), refusals[0].by), ("token revealed", RefusedBy::Plugin));
    assert!(refusals[0].fix.as_deref().unwrap().contains("reveal: true"));
}

#[test]
pub(crate) fn a_guest_can_ask_what_it_was_granted() {
    let names = json!({ "names": ["secrets", "secrets:token", "secrets:other"] });
    let ended = Sandbox::new().run(&hostile(), Call::new("has", names.clone()).secret("token", PLAIN));
    assert_eq!(ended.output(), &json!(["secrets", "secrets:token"]));
    let ended = Sandbox::new().run(&hostile(), Call::new("has", names));
    assert_eq!(ended.output(), &json!([]));
}

#[test]
pub(crate) fn a_secret_that_cannot_be_had_fails_the_attempt_before_it_begins() {
    // The second one is not there; the first is not shown for it.
    for source in ["nowhere:x", "test:abc", "test:     x"] {
        let call = Call::new("info", Value::Null).secret("first", PLAIN).secret_from("token", source);
        let ended = Sandbox::new().run(&hostile(), call);
        let target = "secret token".to_owned();
        assert_eq!(ended.failure().what, FailureKind::Dependency { target, retryable: false });
        assert!(ended.failure().message.starts_with("the secret `token` cannot be had: it "), "{ended:?}");
        assert!(ended.seen.logs.is_empty() && ended.usage.used.is_empty());
        nowhere(&ended, "a failure", PLAIN);
    }
}

#[test]
pub(crate) fn a_source_that_does_not_answer_counts_as_the_time_of_the_task() {
    let call = Call::new("info", Value::Null).secret_from("token", "slow:").timeout(Duration::from_millis(200));
    let ended = Sandbox::new().run(&hostile(), call);
    assert_eq!(ended.failure().what, FailureKind::Timeout);
    assert!(ended.usage.wall_ms < 4_000, "{ended:?}");
}
