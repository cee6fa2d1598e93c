//! What a program reaches once it runs, where the kernel has Landlock. On one that has not, these cases say so and prove nothing.

use super::world::{World, landlock, script, spawn};
use orch_core::Access;
use orch_tests::{Ended, programs};
use serde_json::json;
use std::os::unix::fs::PermissionsExt;

/// Runs `MODE PATH` with `work` granted, and gives what it printed.
#[track_caller]
fn tried(world: &World, access: Access, args: &[&str]) -> String {
    let steps = json!([spawn(&[]), { "do": "stdout", "as": "p" }, { "do": "wait", "as": "p" }]);
    let call = script(steps).program(world.grant(args, json!({}))).mount("work", &world.path("work"), access);
    let ended: Ended = world.sandbox.run(&programs(), call);
    ended.output()[1]["text"].as_str().unwrap_or_else(|| panic!("{}", ended.output())).trim().to_owned()
}

#[test]
fn a_program_reads_and_writes_what_its_task_may() {
    let world = World::new();
    let (file, new) = (world.text("work/file"), world.text("work/new"));
    assert_eq!(tried(&world, Access::Read, &["read", &file]), "ok: content");
    assert_eq!(tried(&world, Access::Write, &["write", &new]), "ok: written");
    assert_eq!(std::fs::metadata(&new).unwrap().permissions().mode() & 0o777, 0o600, "the mask");
}

#[test]
fn a_program_granted_reading_cannot_write_and_reaches_nothing_else() {
    if !landlock() {
        return;
    }
    let world = World::new();
    let (file, new, canary) = (world.text("work/file"), world.text("work/new"), world.text("other/canary"));
    let no = "error: PermissionDenied";
    assert_eq!(tried(&world, Access::Read, &["write", &file]), no);
    assert_eq!(tried(&world, Access::Read, &["write", &new]), no);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "content");
    assert!(!world.path("work/new").exists());
    for access in [Access::Read, Access::Write] {
        assert_eq!(tried(&world, access, &["read", &canary]), no);
        assert_eq!(tried(&world, access, &["write", &canary]), no);
        for file in ["/etc/passwd", "/proc/self/environ", "/proc/1/cmdline"] {
            assert_eq!(tried(&world, access, &["read", file]), no, "{file}");
        }
    }
    assert_eq!(std::fs::read_to_string(&canary).unwrap(), "untouched");
}

#[test]
fn a_program_executes_nothing_from_a_granted_folder() {
    if !landlock() {
        return;
    }
    let world = World::new();
    world.copy("work/tool");
    let tool = world.text("work/tool");
    assert_eq!(tried(&world, Access::Write, &["run", &tool]), "error: PermissionDenied");
    assert_eq!(tried(&world, Access::Write, &["run", "/bin/true"]), "ok: ran");
}

#[test]
fn a_program_cannot_end_its_supervisor() {
    if !landlock() {
        return;
    }
    let world = World::new();
    assert_eq!(tried(&world, Access::Read, &["kill-parent"]), "error: PermissionDenied");
}

/// Root reads what its owner may not read; a program that root's engine runs does not.
#[test]
fn a_program_has_no_rights_of_root() {
    let world = World::new();
    let file = world.path("work/closed");
    std::fs::write(&file, "closed").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o000)).unwrap();
    assert_eq!(tried(&world, Access::Read, &["read", file.to_str().unwrap()]), "error: PermissionDenied");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o400)).unwrap();
    assert_eq!(tried(&world, Access::Read, &["read", file.to_str().unwrap()]), "ok: closed");
}

/// A package manager has to: what was granted as such keeps the rights of the engine's user, and only that.
#[test]
fn a_program_granted_as_unconfined_keeps_the_rights_of_its_user() {
    let world = World::new();
    let (canary, new) = (world.text("other/canary"), world.text("other/new"));
    let run = |args: &[&str], unconfined: bool| {
        let steps = json!([spawn(&[]), { "do": "stdout", "as": "p" }, { "do": "wait", "as": "p" }]);
        let call = script(steps).program(world.grant(args, json!({ "unconfined": unconfined })));
        let ended: Ended = world.sandbox.run(&programs(), call.mount("work", &world.path("work"), Access::Read));
        ended.output()[1]["text"].as_str().unwrap().trim().to_owned()
    };
    assert_eq!(run(&["read", &canary], true), "ok: untouched");
    assert_eq!(run(&["write", &new], true), "ok: written");
    assert_eq!(std::fs::metadata(&new).unwrap().permissions().mode() & 0o777, 0o644, "the mask");
    if landlock() {
        assert_eq!(run(&["read", &canary], false), "error: PermissionDenied");
    }
}

/// Whatever the grant says of it: nothing would keep it from changing what it likes.
#[test]
fn a_dry_run_runs_no_unconfined_program() {
    let world = World::new();
    let new = world.text("other/new");
    let grant = world.grant(&["write", &new], json!({ "unconfined": true, "read_only": true }));
    let call = world.call(grant, json!([spawn(&[])])).dry_run();
    let ended: Ended = world.sandbox.run(&programs(), call);
    assert!(ended.output()[0]["error"].as_str().is_some_and(|told| told.contains("dry run")), "{}", ended.output());
    assert_eq!(ended.refusals("exec").len(), 1);
    assert!(!std::path::Path::new(&new).exists());
}
