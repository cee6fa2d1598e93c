//! Files: what was read is there again, what was not there is not, and everything else is no part of the recording.

use super::kit::{Tapes, contents, edit, names, read};
use orch_core::Access;
use orch_tests::{Call, hostile};
use serde_json::{Value, json};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

fn step(op: &str, path: &str) -> Value {
    json!({ "mount": "/folder", "op": op, "path": path })
}

fn call(folder: &Path, access: Access, steps: &[Value]) -> Call {
    Call::new("files", json!({ "steps": steps })).mount("folder", folder, access)
}

/// A folder with some of everything.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("below/deep")).unwrap();
    for (name, text) in [("a.txt", "content of a"), ("other.txt", "nobody reads this"), ("below/b.txt", "content of b")]
    {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    symlink("below", folder.path().join("way")).unwrap();
    symlink("way/b.txt", folder.path().join("shortcut")).unwrap();
    folder
}

#[test]
fn what_was_touched_is_there_again() {
    let (tapes, folder) = (Tapes::new(), folder());
    let steps = [
        step("read", "a.txt"),
        step("read", "missing"),
        step("stat", "other.txt"),
        step("read", "way/../below/b.txt"),
        step("read", "shortcut"),
        step("readlink", "shortcut"),
        step("open-folder", "below"),
        step("read", "missing/too"),
    ];
    let (ended, place) = tapes.record(&hostile(), call(folder.path(), Access::Read, &steps));
    assert_eq!(ended.output()[4], "ok: content of b", "{}", ended.output());
    drop(folder);
    tapes.passes(&hostile(), &place);
    // Contents of what was read, and of nothing else.
    let files: Vec<_> = contents(&place.join("files")).into_iter().map(|(path, _)| path).collect();
    assert_eq!(files, [place.join("files/folder/a.txt"), place.join("files/folder/below/b.txt")]);
    let mode = std::fs::metadata(&place).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o700);
    let text = std::fs::read_to_string(place.join("recording.json")).unwrap();
    assert!(!text.contains("/tmp/"), "no path of this machine: {text}");
}

#[test]
fn a_file_that_is_not_recorded_fails_and_is_named() {
    let (tapes, folder) = (Tapes::new(), folder());
    let steps = [step("read", "a.txt"), step("stat", "other.txt"), step("open-folder", "below")];
    let (_, place) = tapes.record(&hostile(), call(folder.path(), Access::Read, &steps));
    for (steps, expected) in [
        (step("read", "new.txt"), "fs folder: look at `new.txt`"),
        (step("stat", "new.txt"), "fs folder: look at `new.txt`"),
        (step("read", "other.txt"), "fs folder: read `other.txt`"),
        (step("list", "."), "fs folder: list `.`"),
        (step("read", "below/b.txt"), "fs folder: read `below/b.txt`"),
    ] {
        edit(&place, |recording| recording["input"]["steps"] = json!([steps]));
        tapes.unrecorded(&hostile(), &place, expected);
    }
    // All names of a folder that was listed are known: what is not among them is not there.
    edit(&place, |recording| {
        recording["input"]["steps"] = json!([step("read", "a.txt"), step("stat", "below/new.txt")]);
        recording["outcome"]["output"] = json!(["ok: content of a", "no-entry"]);
    });
    assert_eq!(tapes.sandbox.replay(&hostile(), &place), super::kit::NOTHING);
}

#[test]
fn what_a_task_changes_is_recorded_as_it_was_and_changed_in_a_copy() {
    let (tapes, folder) = (Tapes::new(), folder());
    let steps = [
        step("create", "made.txt"),
        step("read", "made.txt"),
        step("write", "a.txt"),
        step("read", "a.txt"),
        step("truncate", "other.txt"),
        step("read", "other.txt"),
        step("mkdir", "made"),
        step("create", "made/inside.txt"),
        step("read", "made/inside.txt"),
        step("unlink", "below/b.txt"),
        step("read", "below/b.txt"),
        step("list", "."),
    ];
    let (ended, place) = tapes.record(&hostile(), call(folder.path(), Access::Write, &steps));
    assert_eq!(ended.output()[3], "ok: changed by a guest", "{}", ended.output());
    let before = contents(&place);
    assert_eq!(std::fs::read_to_string(place.join("files/folder/a.txt")).unwrap(), "content of a");
    tapes.passes(&hostile(), &place);
    tapes.passes(&hostile(), &place);
    assert_eq!(contents(&place), before, "a replay leaves the recording as it is");
}

#[test]
fn a_secret_in_a_file_is_taken_out_of_the_copy() {
    let (tapes, folder) = (Tapes::new(), folder());
    let value = ["hunter2", "value", "of", "it"].join("-");
    std::fs::write(folder.path().join("a.txt"), format!("key = {value}\n")).unwrap();
    let call = call(folder.path(), Access::Read, &[step("read", "a.txt")]).secret("token", &value);
    let (_, place) = tapes.record(&hostile(), call);
    assert_eq!(std::fs::read_to_string(place.join("files/folder/a.txt")).unwrap(), "key = ***\n");
    assert!(contents(&place).iter().all(|(_, bytes)| !String::from_utf8_lossy(bytes).contains(&value)));
    tapes.passes(&hostile(), &place);
    assert_eq!(read(&place)["grants"]["secrets"][0]["source"], "made-up:token");
}

#[test]
fn what_is_too_large_is_not_recorded() {
    let (tapes, folder) = (Tapes::new(), folder());
    std::fs::File::create(folder.path().join("large")).unwrap().set_len((64 << 20) + 1).unwrap();
    let read = call(folder.path(), Access::Read, &[step("read", "large")]);
    let ended = tapes.refuses(&hostile(), read, "larger than 64MiB");
    assert!(ended.output()[0].as_str().unwrap().starts_with("ok"));
    std::fs::create_dir(folder.path().join("many")).unwrap();
    for number in 0..10_001 {
        std::fs::File::create(folder.path().join("many").join(number.to_string())).unwrap();
    }
    let list = call(folder.path(), Access::Read, &[step("open-folder", "many")]);
    tapes.refuses(&hostile(), list, "more than 10000 files");
}

#[test]
fn a_recording_is_replaced_and_nothing_else_is() {
    let (tapes, folder) = (Tapes::new(), folder());
    let call = || call(folder.path(), Access::Read, &[step("read", "a.txt")]);
    let (_, place) = tapes.record(&hostile(), call());
    std::fs::write(folder.path().join("a.txt"), "newer").unwrap();
    tapes.record(&hostile(), call());
    assert_eq!(std::fs::read_to_string(place.join("files/folder/a.txt")).unwrap(), "newer");
    std::fs::remove_file(place.join("recording.json")).unwrap();
    let (_, written) = tapes.sandbox.record(&hostile(), call(), &tapes.folder());
    assert!(written.unwrap_err().contains("no recording"));
    assert_eq!(names(&tapes.folder()), ["task.attempt-1"]);
    assert_eq!(names(&place), ["files"]);
}

#[test]
fn a_recording_with_paths_that_lead_out_is_refused() {
    let (tapes, folder) = (Tapes::new(), folder());
    let (_, place) = tapes.record(&hostile(), call(folder.path(), Access::Read, &[step("read", "a.txt")]));
    let whole = read(&place);
    for (mount, path) in [("folder", "../../out"), ("folder", "/out"), ("..", "out"), ("a/b", "out")] {
        edit(&place, |recording| {
            *recording = whole.clone();
            recording["mounts"][mount] = json!({ "access": "read", "granted": "read", "entries": {
                path: { "kind": "file", "bytes": 1 },
            } });
        });
        let error = orch_host::Recording::load(&place).unwrap_err().to_string();
        assert!(error.contains("no path below a mount"), "{error}");
    }
    edit(&place, |recording| recording["format"] = json!(2));
    assert!(orch_host::Recording::load(&place).unwrap_err().to_string().contains("its format is 2"));
}
