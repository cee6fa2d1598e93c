//! Resources that a guest opens and never closes (S5).

use orch_core::Access;
use orch_tests::{Call, Sandbox, alone, hostile, open_files};
use serde_json::{Value, json};

/// A guest that leaks `what` ends with the limit on handles, and everything is closed afterwards.
#[track_caller]
fn check(sandbox: &Sandbox, what: &str, most: u64) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "content").unwrap();
    let before = open_files();
    let mut call = Call::new("leak", json!({ "what": what, "count": 100_000 }))
        .mount("work", folder.path(), Access::Write)
        .limits(|limits| limits.handles = most);
    for number in 0..most + 10 {
        call = call.artifact(&format!("a{number}"));
    }
    let ended = sandbox.run(&hostile(), call);
    assert_eq!(ended.limit(), ("handles", most.to_string().as_str()), "{what}");
    assert_eq!(open_files(), before, "{what}: files stay open");
    let blobs = std::fs::read_dir(sandbox.state().join("work")).map_or(0, Iterator::count);
    assert_eq!(blobs, 0, "{what}: unfinished artifacts stay");
    assert!(ended.seen.stored.is_empty(), "{what}");
}

#[test]
fn s5_leaked_resources_end_at_the_limit_and_are_closed() {
    if !alone("sandbox::handles::s5_leaked_resources_end_at_the_limit_and_are_closed") {
        return;
    }
    let sandbox = Sandbox::new();
    // Starts the threads and opens the files that stay for good.
    let _ = sandbox.run(&hostile(), Call::new("info", Value::Null));
    // Below the limit on open files that a shell gives (1,024), so that it is our limit that is reached.
    for what in ["files", "folders", "listings", "streams", "preopens", "artifacts"] {
        check(&sandbox, what, 400);
    }
    check(&sandbox, "pollables", 10_000);
}

#[test]
fn s5_running_out_of_files_is_an_error_of_the_guest_only() {
    if !alone("sandbox::handles::s5_running_out_of_files_is_an_error_of_the_guest_only") {
        return;
    }
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let most = Rlimit { current: Some(256), ..getrlimit(Resource::Nofile) };
    setrlimit(Resource::Nofile, most).unwrap();
    let sandbox = Sandbox::new();
    let _ = sandbox.run(&hostile(), Call::new("info", Value::Null));
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "content").unwrap();
    let call = Call::new("leak", json!({ "what": "files", "count": 5_000 })).mount("work", folder.path(), Access::Read);
    let before = open_files();
    let ended = sandbox.run(&hostile(), call);
    assert!(ended.result.is_err());
    assert_eq!(open_files(), before);
    assert!(sandbox.run(&hostile(), Call::new("info", Value::Null)).result.is_ok());
}
