//! Host functions that fail or panic (S15): one attempt ends, and everything else goes on.

use orch_core::{Access, FailureKind, Faults, NoFaults};
use orch_tests::{Call, Sandbox, alone, compiler, hostile, open_files};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// At `context.info`: the first call panics, the second fails, the others are fine.
#[derive(Default)]
struct FirstTwo(AtomicUsize);

impl Faults for FirstTwo {
    fn at(&self, point: &'static str) -> std::io::Result<()> {
        if point != "host.context.info" {
            return Ok(());
        }
        match self.0.fetch_add(1, Ordering::SeqCst) {
            0 => panic!("on purpose"),
            1 => Err(std::io::Error::other("a broken host")),
            _ => Ok(()),
        }
    }
}

#[test]
fn s15_a_host_function_that_panics_ends_one_attempt() {
    if !alone("sandbox::faults::s15_a_host_function_that_panics_ends_one_attempt") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    // Compiled and waited before, so that nothing is opened for the first time in between: timers have three files in a process.
    Sandbox::new().run(&hostile(), Call::new("sleep", json!({ "nanoseconds": 1_000_000 })));
    let sandbox = Sandbox::with(None, compiler(&[]), Arc::new(FirstTwo::default()));
    let granted = |call: Call| call.mount("work", folder.path(), Access::Write);
    let mut neighbour = sandbox.start(&hostile(), granted(Call::new("wait", Value::Null)));
    neighbour.recorder.wait_for("started");
    let before = open_files();

    let panicked = sandbox.start(&hostile(), granted(Call::new("info", Value::Null))).try_end().unwrap_err();
    assert!(panicked.is_panic(), "{panicked}");
    assert_eq!(open_files(), before, "the attempt's folders are closed");

    let failed = sandbox.run(&hostile(), granted(Call::new("info", Value::Null)));
    assert_eq!(failed.failure().what, FailureKind::Trap);
    assert!(failed.failure().message.contains("a broken host"), "{}", failed.failure().message);

    assert_eq!(sandbox.run(&hostile(), granted(Call::new("info", Value::Null))).output()["task"], "task");
    // The one beside it never noticed.
    neighbour.cancel();
    assert_eq!(neighbour.end().failure().message, "it was asked to stop, and did");
}

/// However a guest ends, it is one of the stated ways, and the next guest runs.
#[track_caller]
fn check_end(how: &str, expected: &FailureKind, text: &str) {
    let sandbox = Sandbox::with(None, compiler(&[]), Arc::new(NoFaults));
    let ended = sandbox.run(&hostile(), Call::new("fail", json!({ "how": how, "text": "the guest's words" })));
    assert_eq!(&ended.failure().what, expected);
    assert!(ended.failure().message.contains(text), "{}", ended.failure().message);
    sandbox.run(&hostile(), Call::new("info", Value::Null)).output();
}

#[test]
fn a_guest_that_fails_says_why() {
    let words = "the guest's words";
    check_end("invalid", &FailureKind::InvalidInput, words);
    check_end("failed", &FailureKind::Failed, words);
    check_end("panic", &FailureKind::Trap, words);
    let denied = FailureKind::Denied { capability: words.to_owned(), target: words.to_owned() };
    check_end("denied", &denied, "which was not granted");
    check_end("dependency", &FailureKind::Dependency { target: words.to_owned(), retryable: true }, words);
}

#[test]
fn a_guest_that_ends_its_process_has_not_succeeded() {
    for code in [0, 1, 7] {
        let ended = Sandbox::new().run(&hostile(), Call::new("exit", json!({ "code": code })));
        assert!(ended.trap().contains("instead of returning a result"), "{}", ended.trap());
    }
}
