//! One table of cases, run against each language through the engine.

use super::kit::built;
use orch_core::{Access, AttemptOutput, FailureKind, FindingStatus, LogLevel, Severity};
use orch_tests::{Call, Ended, Guest, Sandbox};
use serde_json::{Value, json};
use std::fs;
use std::time::Duration;

macro_rules! in_each_language {
    ($($case:ident),* $(,)?) => {
        in_each_language!(@ c, [$($case)*]);
        in_each_language!(@ go, [$($case)*]);
        in_each_language!(@ js, [$($case)*]);
        in_each_language!(@ python, [$($case)*]);
        in_each_language!(@ rust, [$($case)*]);
        in_each_language!(@ ts, [$($case)*]);
    };
    (@ $language:ident, [$($case:ident)*]) => {
        mod $language {
            $(#[test]
            fn $case() {
                super::$case(&super::built(stringify!($language)));
            })*
        }
    };
}

in_each_language! {
    values_come_back_as_they_went,
    a_mebibyte_comes_back,
    a_scan_finds_and_tells,
    bad_input_names_its_place,
    what_was_not_granted_is_denied,
    a_folder_cannot_be_left,
    each_end_is_the_one_that_was_meant,
    a_bug_is_a_trap_with_its_words,
    each_level_of_the_log_arrives,
    memory_ends_at_its_limit,
    a_loop_that_asks_is_cancelled,
    an_unknown_task_is_invalid,
    the_schemas_are_told,
}

fn run(guest: &Guest, call: Call) -> Ended {
    Sandbox::new().run(guest, call)
}

#[track_caller]
fn check_echo(guest: &Guest, value: &Value) {
    assert_eq!(run(guest, Call::new("echo", value.clone())).output(), value);
}

fn values_come_back_as_they_went(guest: &Guest) {
    let texts = json!({ "ä": "€ 😀 \u{0}\u{1f} \"\\/ \u{2028} <&>", "한": ["", "\u{10ffff}", "\u{feff}"] });
    let numbers = json!([0, -1, 1.5, 1e-7, 9_007_199_254_740_991_i64, true, false, null, [], {}]);
    for value in [texts, numbers, Value::Null, json!([[[[[[]]]]]])] {
        check_echo(guest, &value);
    }
}

fn a_mebibyte_comes_back(guest: &Guest) {
    check_echo(guest, &json!({ "rows": vec!["0123456789 äöü€"; 1 << 16] }));
}

fn a_scan_finds_and_tells(guest: &Guest) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.txt"), "first\n  // TODO \"ü\" second\n").unwrap();
    fs::create_dir(folder.path().join("sub")).unwrap();
    fs::write(folder.path().join("sub/b.txt"), "# FIXME now\nno mark\n# TODO later").unwrap();
    let input = json!({ "files": ["a.txt", "gone.txt", "sub/b.txt"] });
    let ended = run(guest, Call::new("scan", input).mount("source", folder.path(), Access::Read));
    assert_eq!(ended.output(), &json!({ "files": 3, "marks": 3 }));
    let found = ended.seen.findings.iter().map(|finding| {
        let place = finding.location.as_ref().unwrap();
        (finding.rule.as_str(), finding.severity, finding.status, place.path.as_str(), place.line)
    });
    let found: Vec<_> = found.collect();
    let expected = [
        ("open-mark", Severity::Low, FindingStatus::Open, "a.txt", Some(2)),
        ("unread-file", Severity::Medium, FindingStatus::Error, "gone.txt", None),
        ("open-mark", Severity::Low, FindingStatus::Open, "sub/b.txt", Some(1)),
        ("open-mark", Severity::Low, FindingStatus::Open, "sub/b.txt", Some(3)),
    ];
    assert_eq!(found, expected);
    assert_eq!(ended.seen.findings[0].title, "// TODO \"ü\" second");
    assert_eq!(ended.seen.findings[0].fingerprint, "open-mark:a.txt:// TODO \"ü\" second");
    assert_eq!(ended.seen.progress.first(), Some(&(1, Some(3), Some("a.txt".to_owned()))));
    assert!(ended.seen.said("scanned"));
}

fn bad_input_names_its_place(guest: &Guest) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.txt"), "").unwrap();
    for (input, place) in
        [(json!({ "files": ["a.txt", ""] }), "files[1]"), (json!({ "files": 7 }), ""), (json!({}), "files")]
    {
        let ended = run(guest, Call::new("scan", input).mount("source", folder.path(), Access::Read));
        let failure = ended.failure();
        assert_eq!(failure.what, FailureKind::InvalidInput, "{}", failure.message);
        assert!(failure.message.contains(place), "{}", failure.message);
    }
}

#[track_caller]
fn check_denied(ended: &Ended, target: &str) {
    let denied = FailureKind::Denied { capability: "fs".to_owned(), target: target.to_owned() };
    assert_eq!(ended.failure().what, denied, "{}", ended.failure().message);
}

fn what_was_not_granted_is_denied(guest: &Guest) {
    check_denied(&run(guest, Call::new("scan", json!({ "files": ["a.txt"] }))), "source");
    let folder = tempfile::tempdir().unwrap();
    let canary = folder.path().join("canary.txt");
    fs::write(&canary, "the canary sings").unwrap();
    let ended = run(guest, Call::new("read", json!({ "path": canary })));
    check_denied(&ended, canary.to_str().unwrap());
    assert!(!format!("{ended:?}").contains("sings"));
}

fn a_folder_cannot_be_left(guest: &Guest) {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("in")).unwrap();
    fs::write(folder.path().join("canary.txt"), "the canary sings").unwrap();
    fs::write(folder.path().join("in/a.txt"), "ä granted").unwrap();
    std::os::unix::fs::symlink("../canary.txt", folder.path().join("in/link")).unwrap();
    let read = |path: &str| {
        let call = Call::new("read", json!({ "path": path }));
        run(guest, call.mount("source", &folder.path().join("in"), Access::Read))
    };
    assert_eq!(read("/source/a.txt").output(), &json!({ "text": "ä granted" }));
    for path in ["/source/../canary.txt", "/source/link"] {
        let ended = read(path);
        check_denied(&ended, path);
        assert!(!format!("{ended:?}").contains("sings"));
    }
}

fn each_end_is_the_one_that_was_meant(guest: &Guest) {
    let end = |how: &str| run(guest, Call::new("end", json!({ "how": how }))).result;
    assert!(matches!(end("rejected"), Ok(AttemptOutput::Rejected(output)) if output == json!({ "no": true })));
    assert!(matches!(end("skipped"), Ok(AttemptOutput::Skipped(reason)) if reason == "nothing to do"));
    let dependency = FailureKind::Dependency { target: "service".to_owned(), retryable: true };
    for (how, what, message) in [
        ("invalid-input", FailureKind::InvalidInput, "how: é is no way"),
        ("dependency", dependency, "it is away"),
        ("failed", FailureKind::Failed, "it broke"),
    ] {
        let failure = end(how).unwrap_err();
        assert_eq!(failure.what, what);
        assert!(failure.message.contains(message), "{}", failure.message);
    }
}

fn a_bug_is_a_trap_with_its_words(guest: &Guest) {
    let ended = run(guest, Call::new("end", json!({ "how": "trap" })));
    assert!(ended.trap().contains("a bug") || ended.seen.said("a bug"), "{ended:?}");
}

fn each_level_of_the_log_arrives(guest: &Guest) {
    let ended = run(guest, Call::new("say", json!({ "text": "grüße 😀" })));
    let levels: Vec<_> =
        ended.seen.logs.iter().filter(|(_, text, _)| text == "grüße 😀").map(|(level, ..)| *level).collect();
    assert_eq!(levels, [LogLevel::Trace, LogLevel::Debug, LogLevel::Info, LogLevel::Warn, LogLevel::Error]);
    assert!(ended.seen.said("printed"), "what is printed goes to the log");
}

fn memory_ends_at_its_limit(guest: &Guest) {
    let ended = run(guest, Call::new("grow", Value::Null));
    assert_eq!(ended.limit(), ("memory", "256MiB"));
    assert!(ended.usage.memory <= orch_core::Size::from_mib(256));
}

fn a_loop_that_asks_is_cancelled(guest: &Guest) {
    let (ended, took) = Sandbox::new().cancel(guest, Call::new("wait", Value::Null));
    assert_eq!(ended.failure().what, FailureKind::Cancelled, "{}", ended.failure().message);
    assert!(took < Duration::from_secs(5), "{took:?}");
}

fn an_unknown_task_is_invalid(guest: &Guest) {
    let ended = run(guest, Call::new("nowhere", Value::Null));
    assert_eq!(ended.failure().what, FailureKind::InvalidInput);
    assert!(ended.failure().message.contains("`nowhere`"), "{}", ended.failure().message);
}

/// `plugin build` asked the component for them.
fn the_schemas_are_told(guest: &Guest) {
    let manifest = orch_registry::package::extract(&guest.bytes).unwrap();
    assert_eq!(manifest.tasks.len(), 7);
    let scan = manifest.tasks.iter().find(|(name, _)| name.as_str() == "scan").unwrap().1;
    assert_eq!(scan.input["properties"]["files"]["items"]["type"], "string");
    assert_eq!(scan.input["additionalProperties"], false);
    assert_eq!(scan.output["required"], json!(["files", "marks"]));
}
