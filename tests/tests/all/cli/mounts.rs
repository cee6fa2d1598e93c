//! Folders that a workflow grants: what cannot be mounted is said before anything runs, with the line and who refused.

use super::packages::{pack, publish, reads};
use super::program::{Place, REFUSAL};
use serde_json::json;
use std::fs;
use std::os::unix::fs::symlink;

/// A place with a plugin that asks to read `source`, and a folder `data`.
fn place() -> Place {
    let place = Place::new();
    publish(&place, &pack("acme/reader", "1.0.0", reads(&["source"])));
    place.write("data/inside/file", "");
    place
}

fn workflow(path: &str, access: &str) -> String {
    format!(
        "schema: orch-wasm/v1
name: mounts
tasks:
  scan:
    uses: acme/reader@^1
    permissions:
      fs: [{{ mount: source, path: \"{path}\", access: {access} }}]
"
    )
}

#[track_caller]
fn refused(place: &Place, path: &str, code: &str, texts: &[&str]) {
    let (runs, lock) = (place.runs(), fs::read(place.path("orch-wasm.lock")).ok());
    place.write("workflow.yaml", workflow(path, "read"));
    place.run(["plan"]).refused(code, texts).says("--> workflow.yaml:").within(REFUSAL);
    place.run(["run"]).refused(code, texts).says("--> workflow.yaml:").within(REFUSAL);
    assert_eq!((place.runs(), fs::read(place.path("orch-wasm.lock")).ok()), (runs, lock));
}

#[test]
fn a_folder_that_is_there_is_mounted() {
    let place = place();
    for path in ["data", "./data/../data", ".", "data/inside"] {
        place.write("workflow.yaml", workflow(path, "read"));
        place.run(["run"]).exits(0).does_not_say("error");
    }
    // A link that stays inside is no way out.
    symlink("data/inside", place.path("link")).unwrap();
    place.write("workflow.yaml", workflow("link", "read"));
    place.run(["run"]).exits(0);
}

#[test]
fn a_mount_that_cannot_be_opened_is_refused() {
    let place = place();
    let (missing, file) = (["`source`", "/nowhere` does not exist"], ["`source`", "is not a folder"]);
    refused(&place, "nowhere", "OW0302", &missing);
    place.run(["run"]).says("--> workflow.yaml:4:3").says("task `scan`");
    refused(&place, "data/inside/file", "OW0302", &file);
    refused(&place, "data/inside/file/deeper", "OW0302", &["`source`"]);
    rustix::fs::mkfifoat(rustix::fs::CWD, place.path("pipe"), rustix::fs::Mode::RWXU).unwrap();
    refused(&place, "pipe", "OW0302", &file);
    symlink("loop", place.path("loop")).unwrap();
    refused(&place, "loop", "OW0302", &["`source`"]);
    place.still_works();
}

#[test]
fn a_mount_that_leaves_through_a_link_is_refused() {
    let place = place();
    fs::create_dir(place.outside("other")).unwrap();
    symlink(place.outside("other"), place.path("absolute")).unwrap();
    symlink("../../other", place.path("data/relative")).unwrap();
    symlink("/", place.path("root")).unwrap();
    let leaves = ["`source`", "leads out of", "through a link"];
    refused(&place, "absolute", "OW0302", &leaves);
    refused(&place, "data/relative", "OW0302", &leaves);
    refused(&place, "root/etc", "OW0302", &leaves);
    place.still_works();
}

#[test]
fn a_mount_that_the_policy_does_not_allow_is_refused() {
    let place = place();
    fs::create_dir(place.outside("other")).unwrap();
    for path in ["..", "../other", "/etc", "/", "data/../../other"] {
        refused(&place, path, "OW0301", &["the task `scan` cannot run", "the policy", "policy.yaml"]);
        place.run(["run"]).says("--> workflow.yaml:7:12");
    }
    // More than the policy allows, and less than the plugin asks for.
    place.write("workflow.yaml", workflow("data", "write"));
    place.run(["run"]).exits(0).does_not_say("error");
    place.replace("policy.yaml", "fs: { allow:", "fs: { deny: [data/inside], allow:");
    refused(&place, "data/inside", "OW0301", &["the policy"]);
    place.replace("policy.yaml", "plugins: \"*\"\n    fs", "plugins: \"nobody/*\"\n    fs");
    refused(&place, "data", "OW0301", &["the policy"]);
    fs::remove_file(place.path("policy.yaml")).unwrap();
    refused(&place, "../other", "OW0301", &["built-in"]);
}

#[test]
fn a_missing_grant_names_the_line_that_would_grant_it() {
    let place = place();
    let text = "schema: orch-wasm/v1\nname: mounts\ntasks:\n  scan:\n    uses: acme/reader@^1\n";
    place.write("workflow.yaml", text);
    let refused = place.run(["run"]);
    refused.refused("OW0301", &["--> workflow.yaml:5:11", "the workflow", "permissions", "mount: source", "to look"]);
    // What the help says is enough.
    let line = refused.stderr.lines().find(|line| line.contains("mount: source") && line.contains("help")).unwrap();
    assert!(line.contains("access: read"), "{refused}");
    place.write("workflow.yaml", workflow("data", "read"));
    place.run(["run"]).exits(0);
}

#[test]
fn a_grant_that_nobody_asked_for_is_warned_of() {
    let place = place();
    publish(&place, &pack("acme/plain", "1.0.0", json!({})));
    let granted = workflow("data", "read").replace("acme/reader", "acme/plain");
    place.write("workflow.yaml", granted);
    for verb in ["plan", "run"] {
        place.run([verb]).exits(0).says("warning[OW0303]").says("--> workflow.yaml:7:12").says("never asks for");
    }
    // One that was asked for and not used is listed at the end.
    place.write("workflow.yaml", workflow("data", "read"));
    place.run(["run"]).exits(0).does_not_say("OW0303").says_out("fs source read");
}

#[test]
fn a_policy_that_is_wrong_stops_everything() {
    let place = place();
    place.write("workflow.yaml", workflow("data", "read"));
    let policy = place.read("policy.yaml");
    for (text, code, said) in [
        ("", "OW0104", "--> policy.yaml:1:1"),
        ("schema: orch-policy/v1\ntrusst: []\n", "OW0103", "`trust`"),
        ("schema: orch-policy/v1\nregistries: []\n", "OW0106", "--> policy.yaml:2:1"),
        ("schema: orch-policy/v9\n", "OW0104", "orch-policy/v1"),
        ("schema: orch-policy/v1\nbanned: [x]\n", "OW0104", "--> policy.yaml:2:10"),
    ] {
        place.write("policy.yaml", text);
        place.run(["run"]).refused(code, &[said]);
    }
    place.run(["run", "--policy", "nowhere.yaml"]).refused("OW0113", &["nowhere.yaml"]);
    assert_eq!(place.runs(), 0);
    place.write("policy.yaml", policy);
    place.run(["run"]).exits(0);
}
