//! What is run and with what: the arguments (X1, X2), the file (X3), the environment (X4) and everything else that a child inherits
//! (X5).

use super::world::{World, spawn};
use orch_core::{Access, Digest, EnvName};
use orch_tests::programs;
use serde_json::{Value, json};
use std::os::unix::fs::{PermissionsExt, symlink};

fn facts(world: &World, args: &[&str], with: Value, slots: &[(&str, &str)]) -> Value {
    serde_json::from_str(&world.prints(world.grant(args, with), slots)).unwrap()
}

#[test]
fn x1_a_value_is_one_argument_and_no_option() {
    let world = World::new();
    let slots = json!({ "slots": { "a": "text", "n": "int", "w": "name", "c": { "choice": ["-l", "b"] } } });
    let args = ["facts", "--first={a}", "{a}", "{n}", "{w}", "{c}"];
    let given = [("a", "x y; $(z) `w` 'q' \"p\" *"), ("n", "42"), ("w", "a.b"), ("c", "-l")];
    let all = facts(&world, &args, slots.clone(), &given);
    let text = given[0].1;
    assert_eq!(all["arguments"], json!(["facts", format!("--first={text}"), text, "42", "a.b", "-l"]));
    // An argument whose slot has no value is left out.
    assert_eq!(facts(&world, &args, slots.clone(), &given[1..])["arguments"], json!(["facts", "42", "a.b", "-l"]));

    let long = "x".repeat(128 << 10);
    for value in ["-", "-x", "--x", "@file", "+x", "a\0b", "a\nb", "a\u{1b}b", "", &long] {
        world.refused(world.grant(&args, slots.clone()), &[("a", value)], "the value of `a`");
    }
    for (slot, value) in [("n", "-1"), ("n", "1e3"), ("w", "../a"), ("w", ".a"), ("c", "-L")] {
        world.refused(world.grant(&args, slots.clone()), &[(slot, value)], &format!("the value of `{slot}`"));
    }
    world.refused(world.grant(&args, slots.clone()), &[("other", "x")], "no such slot");
    world.refused(world.grant(&args, slots), &[("a", "x"), ("a", "y")], "twice");
    world.refused(world.grant(&["facts", "{b}"], json!({})), &[], "may fill `b`");
}

#[test]
fn x1_paths_are_translated_and_lead_nowhere_else() {
    let world = World::new();
    std::fs::create_dir(world.path("work/below")).unwrap();
    symlink("file", world.path("work/inner")).unwrap();
    symlink(world.path("other/canary"), world.path("work/absolute")).unwrap();
    symlink("../other/canary", world.path("work/relative")).unwrap();
    symlink("../other/new", world.path("work/dangling")).unwrap();
    symlink("../other", world.path("work/folder")).unwrap();
    let grant = || world.grant(&["facts", "{path}"], json!({ "slots": { "path": "path" } }));
    let path = |value: &str| -> Value { serde_json::from_str(&world.prints(grant(), &[("path", value)])).unwrap() };
    for (value, expected) in [
        ("/work", "work"),
        ("/work/", "work"),
        ("/work/file", "work/file"),
        ("/work//below/.", "work/below"),
        ("/work/inner", "work/file"),
        ("/work/below/new", "work/below/new"),
    ] {
        assert_eq!(path(value)["arguments"][1], world.text(expected), "{value}");
    }
    let other = world.text("other/canary");
    for value in [
        "/work/absolute",
        "/work/relative",
        "/work/dangling",
        "/work/folder/canary",
        "/work/folder/new",
        "/work/../other/canary",
        "/worker",
        "/other/canary",
        &other,
        "/",
        "work/file",
        "-/work",
        "/work/none/new",
    ] {
        world.refused(grant(), &[("path", value)], "");
    }
    // What does not exist can only be made where the program may write.
    let read = |value: &str| {
        let steps = json!([spawn(&[("path", value)])]);
        let call =
            orch_tests::Call::new("script", steps).program(grant()).mount("work", &world.path("work"), Access::Read);
        world.sandbox.run(&programs(), call).output()[0] == "spawned"
    };
    assert!(read("/work/file") && !read("/work/new"));
}

#[test]
fn x2_what_runs_other_programs_needs_to_be_called_that() {
    let world = World::new();
    let script = world.path("bin/script");
    std::fs::write(&script, "#!/bin/sh\necho \"ran with $1\"\n").unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    let grant = |program: &str, interpreter: bool| {
        world.grant(&["-c", "echo ran"], json!({ "program": program, "interpreter": interpreter }))
    };
    for program in ["/bin/sh", "/usr/bin/env", "/usr/bin/find", "/usr/bin/tar", "/usr/bin/xargs"] {
        world.refused(grant(program, false), &[], "interpreter: true");
    }
    // By another name, and as a script.
    symlink("/bin/sh", world.path("bin/formatter")).unwrap();
    world.refused(grant(&world.text("bin/formatter"), false), &[], "interpreter: true");
    world.refused(grant(&world.text("bin/script"), false), &[], "interpreter: true");
    assert_eq!(world.prints(grant("/bin/sh", true), &[]), "ran\n");
    assert_eq!(world.prints(grant(&world.text("bin/script"), true), &[]), "ran with -c\n");
    // A text without its first line would go to a shell by the C library's own wish.
    std::fs::write(&script, "echo ran\n").unwrap();
    world.refused(grant(&world.text("bin/script"), true), &[], "neither a program");
}

#[test]
fn x3_only_a_checked_file_at_an_absolute_path_runs() {
    let world = World::new();
    let with = |program: &str| world.grant(&["exit", "0"], json!({ "program": program }));
    let mode = |mode: u32| {
        std::fs::set_permissions(world.path("bin/child"), std::fs::Permissions::from_mode(mode)).unwrap();
        world.grant(&["exit", "0"], json!({}))
    };
    for program in ["child", "bin/child", "./child", "true"] {
        world.refused(with(program), &[], "not absolute");
    }
    world.refused(mode(0o775), &[], "others than its owner");
    world.refused(mode(0o757), &[], "others than its owner");
    world.refused(mode(0o644), &[], "not executable");
    world.prints(mode(0o755), &[]);
    world.refused(with(&world.text("bin")), &[], "no regular file");
    world.refused(with(&world.text("bin/none")), &[], "cannot be looked at");
    // A folder in which everybody may write, sticky or not; also when a link in it is all that is used of it.
    let open = tempfile::tempdir_in("/tmp").unwrap();
    std::fs::copy("/bin/true", open.path().join("true")).unwrap();
    world.refused(with(open.path().join("true").to_str().unwrap()), &[], "everybody may write");
    symlink("/bin/true", open.path().join("link")).unwrap();
    world.refused(with(open.path().join("link").to_str().unwrap()), &[], "everybody may write");
    // A folder that the guest may write.
    world.copy("work/child");
    world.refused(with(&world.text("work/child")), &[], "which the task may write");
    symlink(world.path("work/child"), world.path("bin/link")).unwrap();
    world.refused(with(&world.text("bin/link")), &[], "which the task may write");
    // Another owner, where that can be made.
    if rustix::process::getuid().is_root() {
        std::os::unix::fs::chown(world.path("bin/child"), Some(12_345), None).unwrap();
        world.refused(mode(0o755), &[], "belongs to the user 12345");
    }
}

#[test]
fn x3_nothing_that_the_guest_puts_in_its_way_runs() {
    let world = World::new();
    // In the program's own folder, with the program's name.
    let grant = world.grant(&["facts"], json!({ "cwd": "work" }));
    let steps = json!([
        { "do": "put", "path": "/work/child", "text": "#!/bin/sh\necho hijacked\n" },
        { "do": "put", "path": "/work/orch-tests-child", "text": "#!/bin/sh\necho hijacked\n" },
        spawn(&[]),
        { "do": "stdout", "as": "p" },
    ]);
    let ended = world.run(grant, steps);
    let printed = ended.output()[3]["text"].as_str().unwrap();
    assert!(printed.contains("\"folder\"") && !printed.contains("hijacked"), "{printed}");
}

#[test]
fn x3_the_digest_is_that_of_the_bytes_that_run() {
    let world = World::new();
    let digest = Digest::of(&std::fs::read(world.path("bin/child")).unwrap()).to_string();
    let grant = || world.grant(&["both"], json!({ "digest": digest }));
    assert_eq!(world.prints(grant(), &[]), "to stdout\n");
    std::fs::remove_file(world.path("bin/child")).unwrap();
    std::fs::copy("/bin/true", world.path("bin/child")).unwrap();
    world.refused(grant(), &[], "its digest is");
}

#[test]
fn x3_a_file_that_is_swapped_after_the_check_does_not_run() {
    let world = World::new();
    // Another file takes its name over and over, while programs are started: whatever was checked is what runs.
    let digest = Digest::of(&std::fs::read(world.path("bin/child")).unwrap()).to_string();
    std::fs::rename(world.path("bin/child"), world.path("bin/good")).unwrap();
    std::fs::copy("/bin/echo", world.path("bin/evil")).unwrap();
    std::fs::hard_link(world.path("bin/good"), world.path("bin/child")).unwrap();
    let over = std::sync::atomic::AtomicBool::new(false);
    let (mut ran, mut refused) = (0, 0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(std::sync::atomic::Ordering::Relaxed) {
                for file in ["bin/evil", "bin/good"] {
                    let _ = std::fs::hard_link(world.path(file), world.path("bin/next"));
                    let _ = std::fs::rename(world.path("bin/next"), world.path("bin/child"));
                    let _ = std::fs::remove_file(world.path("bin/next"));
                }
            }
        });
        for _ in 0..10 {
            let grant = world.grant(&["both"], json!({ "digest": digest }));
            let ended = world.run(grant, json!([spawn(&[]), { "do": "stdout", "as": "p" }]));
            let output = ended.output().clone();
            if output[0] == "spawned" {
                assert_eq!(output[1]["text"], "to stdout\n", "echo would have printed its argument");
                ran += 1;
            } else {
                refused += 1;
            }
        }
        over.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    println!("measured: X3 swap: {ran} ran, {refused} were refused");
}

#[test]
fn x4_only_named_variables_pass() {
    let world = World::new();
    assert_eq!(facts(&world, &["facts"], json!({}), &[])["environment"], json!({}));
    let with = |names: &[&str]| json!({ "env": names });
    let all = facts(&world, &["facts"], with(&["GRANTED"]), &[]);
    assert_eq!(all["environment"], json!({ "GRANTED": "value" }));
    // One that has no value where the engine was started is not there at all; and what the guest was granted is not the program's.
    let grant = world.grant(&["facts"], with(&["MISSING"]));
    let call = world.call(grant, json!([spawn(&[]), { "do": "stdout", "as": "p" }])).env("GRANTED");
    let ended = world.sandbox.run(&programs(), call);
    let printed: Value = serde_json::from_str(ended.output()[1]["text"].as_str().unwrap()).unwrap();
    assert_eq!(printed["environment"], json!({}));
    // A slot never becomes a variable.
    for name in ["LD_PRELOAD", "BASH_ENV", "IFS", "GIT_SSH_COMMAND"] {
        assert!(EnvName::try_from(name).is_ok());
        world.refused(world.grant(&["facts"], json!({})), &[(name, "x")], "no such slot");
    }
}

#[test]
fn x5_nothing_of_the_engine_reaches_a_program() {
    let world = World::new();
    let all = facts(&world, &["facts"], json!({}), &[]);
    assert_eq!(all["environment"], json!({}));
    assert_eq!(all["files"], json!([]));
    assert_eq!(all["umask"], 0o077);
    assert_eq!(all["name"], world.text("bin/child"));
    assert_eq!(all["no_new_privs"], true);
    assert_eq!(all["leads_its_session"], true);
    assert_eq!(all["capabilities"], 0);
    assert_eq!(all["core"], 0);
    assert_eq!(all["address_space"], 4_u64 << 30);
    assert_eq!(all["open_files"], 256);
    assert_eq!(all["file_size"], 4_u64 << 30);
    assert!(all["cpu"].as_u64().unwrap() <= 61 * std::thread::available_parallelism().unwrap().get() as u64, "{all}");
    assert!(all["processes"].is_u64(), "{all}");
    // A folder of its own, which is gone.
    let folder = all["folder"].as_str().unwrap();
    assert!(folder.contains("orch-wasm-exec-"), "{folder}");
    assert!(!std::path::Path::new(folder).exists(), "{folder}");
    // Or the one that was granted, and no other.
    let all = facts(&world, &["facts"], json!({ "cwd": "work" }), &[]);
    assert_eq!(all["folder"], world.text("work"));
    world.refused(world.grant(&["facts"], json!({ "cwd": "other" })), &[], "its folder `other` is not granted");
}
