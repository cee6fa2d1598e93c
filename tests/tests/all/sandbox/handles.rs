//! Resources that a guest opens and never closes (S5).

use orch_core::Access;
use orch_tests::{Call, Sandbox, alone, hostile, open_files};
use serde_json::{Value, json};

/// A guest that leaks `what` ends with the limit on handles, and everything is closed afterwards.
#[track_caller]
fn check(sandbox: &Sandbox, what: &str, limit: &str, most: u64) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "content").unwrap();
    let before = open_files();
    let mut call = Call::new("leak", json!({ "what": what, "count": 100_000 }))
        .mount("work", folder.path(), Access::Write)
        .limits(|limits| limits.handles = limits.handles.min(most.max(700)));
    for number in 0..750 {
        call = call.artifact(&format!("a{number}"));
    }
    let ended = sandbox.run(&hostile(), call);
    assert_eq!(ended.limit(), (limit, most.to_string().as_str()), "{what}");
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
    for what in ["files", "folders", "streams", "orphans"] {
        check(&sandbox, what, "open files", 256);
    }
    check(&sandbox, "listings", "open listings", 64);
    check(&sandbox, "preopens", "handles", 700);
    check(&sandbox, "artifacts", "handles", 700);
    check(&sandbox, "pollables", "handles", 10_000);
}

#[test]
fn s5_what_is_closed_again_does_not_count() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "content").unwrap();
    let step = |op: &str| json!({ "op": op, "mount": "/work", "path": if op == "read" { "file" } else { "." } });
    let steps: Vec<Value> = (0..1_000).map(|at| step(["read", "open-folder", "list"][at % 3])).collect();
    let call = Call::new("files", json!({ "steps": steps })).mount("work", folder.path(), Access::Read);
    let ended = Sandbox::new().run(&hostile(), call);
    let answers = ended.output().as_array().unwrap();
    assert!(answers.len() == 1_000 && answers.iter().all(|answer| answer.as_str().unwrap().starts_with("ok")));
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
