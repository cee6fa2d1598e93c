//! Links that are no links (F9), and what can be learned without opening anything (F12).

use super::{Folders, check_refused, operations};
use orch_core::Access;
use orch_tests::{Call, Sandbox, Snapshot, hostile};
use serde_json::{Value, json};
use std::os::fd::AsRawFd;
use std::os::unix::fs::symlink;
use std::path::Path;

#[test]
fn f9_links_into_proc_are_refused() {
    for mount in ["work", "read"] {
        let folders = Folders::new();
        let canary = std::fs::File::open(folders.at("outside/canary")).unwrap();
        let open = format!("/proc/self/fd/{}", canary.as_raw_fd());
        let outside = std::fs::File::open(folders.at("outside")).unwrap();
        let folder = format!("/proc/self/fd/{}", outside.as_raw_fd());
        for (name, to) in [
            ("fds", "/proc/self/fd"),
            ("dev-fd", "/dev/fd"),
            ("root", "/proc/self/root"),
            ("cwd", "/proc/self/cwd"),
            ("exe", "/proc/self/exe"),
            ("stdin", "/dev/stdin"),
            ("open", &open),
            ("folder", &folder),
        ] {
            symlink(to, folders.at(mount).join(name)).unwrap();
        }
        let folders = Folders { read_before: Snapshot::of(&folders.at("read")), ..folders };
        let number = canary.as_raw_fd();
        for path in [
            &format!("fds/{number}"),
            &format!("dev-fd/{number}"),
            "root/etc/passwd",
            "cwd/Cargo.toml",
            "folder/canary",
            "folder/inner/deep",
        ] {
            check_refused(&folders, &format!("/{mount}"), path);
        }
        // The link itself is the guest's; what it leads to is not.
        for name in ["open", "exe", "stdin", "folder"] {
            let through = ["read", "append", "truncate", "set-size", "stat", "hash", "set-times", "open-folder"];
            let steps = through.map(|op| json!({ "op": op, "mount": format!("/{mount}"), "path": name })).to_vec();
            for (step, answer) in folders.check(steps) {
                assert!(!answer.starts_with("ok"), "{step}: {answer}");
            }
        }
    }
}

#[test]
fn f9_a_folder_of_magic_links_gives_nothing_through_them() {
    let folders = Folders::new();
    let canary = std::fs::File::open(folders.at("outside/canary")).unwrap();
    let number = canary.as_raw_fd();
    let step = |op: &str, path: String| json!({ "op": op, "mount": "/self", "path": path });
    let mut steps = Vec::new();
    for path in [format!("fd/{number}"), "root/etc/passwd".into(), "cwd/Cargo.toml".into(), "exe".into(), "root".into()]
    {
        for op in ["read", "open-folder", "stat", "hash", "readlink"] {
            steps.push(step(op, path.clone()));
        }
    }
    let call = Call::new("files", json!({ "steps": steps }));
    let ended = Sandbox::new().run(&hostile(), call.mount("self", Path::new("/proc/self"), Access::Read));
    let answers: Vec<String> = serde_json::from_value(ended.output().clone()).unwrap();
    for (step, answer) in steps.iter().zip(&answers) {
        assert!(!answer.starts_with("ok"), "{step}: {answer}");
    }
}

/// What only looks, and what changes no content.
fn probes(path: &str) -> Vec<Value> {
    let probing = ["stat", "facts", "hash", "readlink", "set-times", "set-times-of-open-file"];
    let step = |op: &str, nofollow: bool| json!({ "op": op, "mount": "/work", "path": path, "nofollow": nofollow });
    probing.iter().flat_map(|op| [step(op, false), step(op, true)]).collect()
}

#[test]
fn f12_nothing_is_learned_of_what_lies_outside() {
    let folders = Folders::new();
    symlink("../outside/inner/deep", folders.at("work/there")).unwrap();
    symlink("../outside/inner/lost", folders.at("work/lost")).unwrap();
    symlink("../outside", folders.at("work/folder")).unwrap();
    let answers =
        |path: &str| -> Vec<String> { folders.check(probes(path)).into_iter().map(|(_, answer)| answer).collect() };
    // Whether it is there cannot be told apart: the answers are the same.
    for (there, lost) in [
        ("../outside/canary", "../outside/nothing"),
        ("folder/canary", "folder/nothing"),
        ("folder/inner/deep", "folder/lost/deep"),
        ("../outside", "../nothing"),
    ] {
        assert_eq!(answers(there), answers(lost), "{there} and {lost}");
        assert!(answers(there).iter().all(|answer| !answer.starts_with("ok")), "{there}");
    }
    // What a link in the folder says may be read, as the file that it is. What it names is never looked at.
    let follows = |path: &str| -> Vec<String> {
        let told = folders.check(probes(path)).into_iter();
        told.filter(|(step, _)| step["op"] != "readlink" && step["nofollow"] == false)
            .map(|(_, answer)| answer)
            .collect()
    };
    assert_eq!(follows("there"), follows("lost"));
    assert!(follows("there").iter().all(|answer| !answer.starts_with("ok")), "{:?}", follows("there"));
    assert_eq!(folders.before, Snapshot::of(&folders.at("outside")));
    assert_eq!(
        folders.run(operations("/work", "../outside/canary")).output(),
        folders.run(operations("/work", "../outside/nothing")).output()
    );
}

#[test]
fn f12_what_is_told_of_a_file_has_no_numbers_of_the_host() {
    use std::os::unix::fs::MetadataExt;
    let folders = Folders::new();
    std::fs::hard_link(folders.at("work/file"), folders.at("work/second")).unwrap();
    let found = std::fs::metadata(folders.at("work/file")).unwrap();
    let step = |op: &str| json!({ "op": op, "mount": "/work", "path": "file" });
    let answers = folders.check(vec![step("facts"), step("hash-value")]);
    // The links are counted, as documented: a second name that somebody made is seen, where it is is not.
    assert!(answers[0].1.contains("links 2"), "{answers:?}");
    for secret in [found.ino(), found.dev(), u64::from(found.uid()).max(60_000)] {
        for (step, answer) in &answers {
            let told = answer.split(|c: char| !c.is_ascii_digit()).any(|number| number == secret.to_string());
            assert!(!told, "{step}: {answer} tells {secret}");
        }
    }
}
