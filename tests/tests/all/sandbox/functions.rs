//! Every function of the contract once with its grant and once without; and WASI, which is there and powerless.

use super::kept;
use crate::secrets::interface as secrets;
use orch_core::{Access, RefusedBy, Size};
use orch_tests::{Call, Ended, Sandbox, hostile};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::net::TcpListener;

fn run(call: Call) -> Ended {
    Sandbox::new().run(&hostile(), call)
}

fn context_info_tells_facts() {
    let ended = run(Call::new("info", Value::Null));
    let info = ended.output();
    assert_eq!(info["run"], "0123456789abcdef0123456789abcdef");
    assert_eq!(info["key"], "0123456789abcdef0123456789abcdef/task");
    assert_eq!((&info["plugin"], &info["attempt"]), (&json!("test/guest@1.2.3"), &json!(1)));
}

fn context_info_tells_nothing_of_the_host() {
    let folder = tempfile::tempdir().unwrap();
    let ended = run(Call::new("info", Value::Null).mount("work", folder.path(), Access::Write).env("GRANTED"));
    let text = ended.output().to_string();
    for secret in [folder.path().to_str().unwrap(), "/tmp", "value", "/work"] {
        assert!(!text.contains(secret), "{text}");
    }
}

fn has_capability_knows_grants() {
    let folder = tempfile::tempdir().unwrap();
    let names = ["fs", "fs:work", "env", "env:GRANTED", "artifacts", "artifacts:a"];
    let call = Call::new("has", json!({ "names": names })).mount("work", folder.path(), Access::Read);
    assert_eq!(run(call.env("GRANTED").artifact("a")).output(), &json!(names));
}

fn has_capability_knows_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let names = [
        "net",
        "fs:other",
        "fs:",
        "env:SECRET",
        "env:",
        "artifacts:b",
        "",
        ":",
        "exec",
        "secrets",
        "fs:work:write",
        "FS",
    ];
    let call = Call::new("has", json!({ "names": names })).mount("work", folder.path(), Access::Read);
    assert_eq!(run(call.env("GRANTED").artifact("a")).output(), &json!([]));
    assert_eq!(run(Call::new("has", json!({ "names": ["fs", "env", "artifacts"] }))).output(), &json!([]));
}

fn is_cancelled_tells_of_a_cancel() {
    let (ended, _) = Sandbox::new().cancel(&hostile(), Call::new("wait", Value::Null));
    assert_eq!(ended.failure().message, "it was asked to stop, and did");
}

fn is_cancelled_says_no_without_one() {
    // It never hears of a cancel, so it waits until its time is over.
    let ended = run(Call::new("wait", Value::Null).timeout(std::time::Duration::from_millis(200)));
    assert_eq!(ended.failure().what, orch_core::FailureKind::Timeout);
}

fn log_reaches_the_log() {
    let ended = run(Call::new("flood", json!({ "to": "log", "bytes": 3, "count": 2 })));
    assert_eq!(ended.seen.logs.len(), 2);
}

fn log_ends_at_its_limit() {
    let call = Call::new("flood", json!({ "to": "log", "bytes": 1_000, "count": 100 }));
    let ended = run(call.limits(|limits| limits.log = Size::from_bytes(10_000)));
    assert!(ended.seen.logs.len() <= 11 && ended.seen.said("[log cut:"), "{}", ended.seen.logs.len());
}

fn progress_is_told() {
    let ended = run(Call::new("flood", json!({ "to": "progress", "bytes": 3, "count": 1 })));
    assert_eq!(ended.seen.progress, [(1, None, Some("xxx".to_owned()))]);
}

fn progress_is_rare() {
    let ended = run(Call::new("flood", json!({ "to": "progress", "bytes": 3, "count": 1_000 })));
    assert!(ended.seen.progress.len() < 100, "{}", ended.seen.progress.len());
}

fn findings_are_kept() {
    let ended = run(Call::new("flood", json!({ "to": "findings", "bytes": 3, "count": 2 })));
    assert_eq!((ended.output(), ended.seen.findings.len()), (&json!(0), 2));
}

fn findings_end_at_their_limit() {
    let call =
        Call::new("flood", json!({ "to": "findings", "bytes": 3, "count": 9 })).limits(|limits| limits.findings = 5);
    let ended = run(call);
    assert_eq!((ended.limit(), ended.seen.findings.len()), (("findings", "5"), 5));
}

fn artifact(name: &str, media_type: &str) -> Call {
    let steps = json!([{ "op": "write", "bytes": 3 }, { "op": "write", "bytes": 4 }, { "op": "finish" }]);
    Call::new("artifact", json!({ "name": name, "media-type": media_type, "steps": steps }))
}

fn granted_artifact_is_stored() {
    use orch_core::Blobs;
    let sandbox = Sandbox::new();
    let ended = sandbox.run(&hostile(), artifact("a", "text/plain").artifact("a"));
    let stored = &ended.seen.stored[0];
    assert_eq!((stored.name.as_str(), stored.bytes), ("a", 7));
    assert_eq!(sandbox.blobs().read(&stored.digest).unwrap(), b"xxxxxxx");
    assert_eq!(ended.usage.used, ["artifacts a"]);
}

fn artifact_without_a_grant_is_refused() {
    for name in ["b", "a2", "A"] {
        let ended = run(artifact(name, "text/plain").artifact("a"));
        assert!(ended.output()[0].as_str().unwrap().contains("was not granted"), "{}", ended.output());
        let refusal = &ended.refusals("artifacts")[0];
        assert_eq!((refusal.target.as_str(), refusal.by), (name, RefusedBy::Workflow));
        assert!(refusal.fix.is_some() && ended.seen.stored.is_empty() && ended.usage.used.is_empty());
    }
    for name in ["", "..", "../a", "a/b", ".hidden", "a\0", "a\n", "C:", "\u{430}"] {
        let sandbox = Sandbox::new();
        let ended = sandbox.run(&hostile(), artifact(name, "text/plain").artifact("a"));
        assert!(ended.output()[0].as_str().unwrap().contains("not a valid artifact name"), "{}", ended.output());
        assert!(ended.seen.stored.is_empty());
    }
}

fn write_counts_bytes() {
    let ended = run(artifact("a", "text/plain").artifact("a"));
    assert_eq!((&ended.output()[1], &ended.output()[2]), (&json!("write: ok 3"), &json!("write: ok 7")));
}

fn write_ends_at_the_limit() {
    let sandbox = Sandbox::new();
    let call = artifact("a", "text/plain").artifact("a").limits(|limits| limits.artifacts = Size::from_bytes(5));
    let ended = sandbox.run(&hostile(), call);
    assert_eq!(ended.limit(), ("artifacts", "5B"));
    assert!(std::fs::read_dir(sandbox.state().join("work")).unwrap().next().is_none());
}

fn finish_gives_the_digest() {
    let ended = run(artifact("a", "text/plain").artifact("a"));
    assert_eq!(ended.output()[3], format!("finish: ok {}", orch_core::Digest::of(b"xxxxxxx")));
}

fn finish_works_once() {
    let steps = json!([{ "op": "finish" }, { "op": "finish" }, { "op": "write", "bytes": 1 }]);
    let input = json!({ "name": "a", "media-type": "x\n\u{1b}[2J".repeat(100), "steps": steps });
    let ended = run(Call::new("artifact", input).artifact("a"));
    assert!(ended.output()[2].as_str().unwrap().contains("is finished"), "{}", ended.output());
    assert!(ended.output()[3].as_str().unwrap().contains("is finished"), "{}", ended.output());
    assert_eq!(ended.seen.stored.len(), 1);
    let media_type = &ended.seen.stored[0].media_type;
    assert!(media_type.chars().count() <= 255 && !media_type.chars().any(char::is_control), "{media_type:?}");
}

type Check = fn();

/// Each function of the contract: a check with its grant, a check without it or at its bound.
const FUNCTIONS: [(&str, Check, Check); 16] = [
    ("context.info", context_info_tells_facts, context_info_tells_nothing_of_the_host),
    ("context.has-capability", has_capability_knows_grants, has_capability_knows_nothing_else),
    ("context.is-cancelled", is_cancelled_tells_of_a_cancel, is_cancelled_says_no_without_one),
    ("report.log", log_reaches_the_log, log_ends_at_its_limit),
    ("report.progress", progress_is_told, progress_is_rare),
    ("findings.emit", findings_are_kept, findings_end_at_their_limit),
    ("artifacts.create", granted_artifact_is_stored, artifact_without_a_grant_is_refused),
    ("artifacts.[method]artifact.write", write_counts_bytes, write_ends_at_the_limit),
    ("artifacts.[method]artifact.finish", finish_gives_the_digest, finish_works_once),
    ("state.get", kept::get_gives_what_an_earlier_attempt_kept, kept::without_a_grant_nothing_is_read),
    ("state.set", kept::set_changes_what_is_as_expected, kept::without_a_grant_and_in_a_dry_run_nothing_is_kept),
    (
        "state.delete",
        kept::delete_takes_the_value_and_keeps_the_version,
        kept::delete_takes_nothing_that_is_not_as_expected,
    ),
    ("secrets.open", secrets::open_gives_a_handle_of_a_granted_secret, secrets::open_refuses_what_was_not_granted),
    (
        "secrets.[method]secret.placeholder",
        secrets::a_placeholder_is_of_one_attempt_and_says_nothing,
        secrets::without_a_grant_there_is_no_handle_to_sign_or_to_stand_for_a_value,
    ),
    (
        "secrets.[method]secret.hmac-sha256",
        secrets::hmac_is_that_of_rfc_2104,
        secrets::without_a_grant_there_is_no_handle_to_sign_or_to_stand_for_a_value,
    ),
    (
        "secrets.[method]secret.reveal",
        secrets::reveal_shows_the_value_where_it_was_granted_and_taints,
        secrets::reveal_shows_nothing_where_it_was_not_granted,
    ),
];

#[test]
fn every_function_does_its_work_with_a_grant_and_none_without() {
    for (name, allow, deny) in FUNCTIONS {
        println!("{name}: allow");
        allow();
        println!("{name}: deny");
        deny();
    }
}

#[test]
fn no_function_of_the_contract_is_without_a_check() {
    let mut resolve = wit_parser::Resolve::default();
    let wit = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit");
    let (package, _) = resolve.push_path(wit).unwrap();
    let world = resolve.select_world(&[package], Some("task-full")).unwrap();
    let mut functions = BTreeSet::new();
    for item in resolve.worlds[world].imports.values() {
        let wit_parser::WorldItem::Interface { id, .. } = item else { panic!("{item:?}") };
        let interface = &resolve.interfaces[*id];
        let name = interface.name.as_deref().unwrap();
        functions.extend(interface.functions.keys().map(|function| format!("{name}.{function}")));
    }
    let all = FUNCTIONS.iter().chain(&crate::programs::FUNCTIONS);
    let checked: BTreeSet<_> = all.map(|(name, ..)| (*name).to_owned()).collect();
    assert_eq!(functions, checked);
}

#[test]
fn the_environment_holds_what_was_granted() {
    let ended = run(Call::new("env", Value::Null).env("GRANTED").env("NOT_SET"));
    assert_eq!(ended.output()["variables"], json!([["GRANTED", "value"]]));
    assert_eq!(ended.usage.used, ["env GRANTED"]);
    let refusal = &ended.refusals("env")[0];
    assert_eq!((refusal.target.as_str(), refusal.by), ("NOT_SET", RefusedBy::Engine));

    let ended = run(Call::new("env", Value::Null));
    assert_eq!(ended.output(), &json!({ "variables": [], "arguments": [], "folder": null }));
}

#[test]
fn no_packet_leaves() {
    // The oracle: somebody who listens and is never called.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let ended = run(Call::new("net", json!({ "address": address })));
    let answers: Vec<String> = serde_json::from_value(ended.output().clone()).unwrap();
    assert!(answers.iter().all(|answer| answer != "ok"), "{answers:?}");
    assert_eq!(&answers[..3], ["access-denied"; 3]);
    assert_eq!(listener.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock, "somebody called");
    let targets: Vec<_> = ended.refusals("net").iter().map(|refusal| refusal.target.as_str()).collect();
    for expected in ["a TCP socket", "a UDP socket", "look-up of localhost"] {
        assert!(targets.contains(&expected), "{targets:?}");
    }
}
