//! Plugins that are broken, forged, withdrawn, banned or greedy: each is refused with one clear error at the line that uses it,
//! before anything runs, and the next run in the same folder works.

use super::packages::{blob, echo, forge, hostile, key, lines, manifest, pack, point, publish, reads, workflow};
use super::program::{Place, REFUSAL};
use orch_registry::{SigningKey, package};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;

/// A place whose registry also has `acme/tool` 1.0.0, and a workflow that uses it.
fn with_tool() -> Place {
    let place = Place::new();
    publish(&place, &pack("acme/tool", "1.0.0", json!({})));
    place.write("workflow.yaml", workflow("acme/tool@^1.0"));
    place
}

/// Running the workflow is refused at the line that uses the plugin, and nothing else happened.
#[track_caller]
fn refused(place: &Place, code: &str, texts: &[&str]) {
    let before = place.runs();
    let lock = fs::read(place.path("orch-wasm.lock")).ok();
    for verb in ["plan", "run"] {
        place.run([verb]).refused(code, texts).says("--> workflow.yaml:5:11").within(REFUSAL);
    }
    assert_eq!(place.runs(), before, "a refused run was recorded");
    assert_eq!(fs::read(place.path("orch-wasm.lock")).ok(), lock, "a refused run changed the lock file");
    place.still_works();
}

/// Running a file is refused, where the policy admits files.
#[track_caller]
fn file_refused(bytes: &[u8], code: &str, texts: &[&str]) {
    let place = Place::new();
    place.write("plugin.wasm", bytes);
    place.write("workflow.yaml", workflow("./plugin.wasm"));
    place.replace("policy.yaml", "orch-policy/v1\n", "orch-policy/v1\nunsigned-files: true\n");
    refused(&place, code, texts);
    // Nor can it be published: what a registry has is what can be run.
    place.run(["plugin", "publish", "plugin.wasm"]).refused(code, &[]).within(REFUSAL);
    place.run(["plugin", "check", "plugin.wasm"]).exits(2).says(&format!("error[{code}]"));
}

fn component(wat: &str) -> Vec<u8> {
    package::embed(&wat::parse_str(wat).unwrap(), &manifest("acme/tool", "1.0.0", json!({}))).unwrap()
}

#[test]
fn what_is_no_plugin_is_refused() {
    let whole = pack("acme/tool", "1.0.0", json!({}));
    file_refused(b"", "OW0203", &["component"]);
    file_refused(b"#!/bin/sh\necho no wasm\n", "OW0203", &["component"]);
    for length in [4, 8, whole.len() / 2, whole.len() - 1] {
        file_refused(&whole[..length], if length == 8 { "OW0204" } else { "OW0203" }, &["component"]);
    }
    let core = wat::parse_str("(module (func (export \"run\")))").unwrap();
    file_refused(&core, "OW0203", &["core module", "component"]);
    // A whole component that was never made a package.
    let bare = wat::parse_str("(component)").unwrap();
    file_refused(&bare, "OW0204", &["orch:manifest"]);
}

#[test]
fn a_component_of_another_world_is_refused() {
    file_refused(
        &component("(component)"),
        "OW0203",
        &["does not export `orch:task/runner@0.1.x`", "it exports nothing"],
    );
    let newer = "(component (instance $runner) (export \"orch:task/runner@9.0.0\" (instance $runner)))";
    file_refused(&component(newer), "OW0203", &["it exports `orch:task/runner@9.0.0`", "0.1.x"]);
    let import = "(component (import \"acme:secret/door@1.0.0\" (instance)) (instance $runner)
        (export \"orch:task/runner@0.1.0\" (instance $runner)))";
    file_refused(&component(import), "OW0402", &["acme:secret/door@1.0.0"]);
}

#[test]
fn a_component_that_lies_in_its_shape_is_refused() {
    // Right names, wrong insides: what the index checks pass, the sandbox still refuses before a run is recorded.
    let place = Place::new();
    let hollow = "(component (instance $runner) (export \"orch:task/runner@0.1.0\" (instance $runner)))";
    publish(&place, &component(hollow));
    place.write("workflow.yaml", workflow("acme/tool@^1"));
    place.run(["run"]).refused("OW0401", &["acme/tool@^1", "does not have export `run`"]).within(REFUSAL);
    assert_eq!(place.runs(), 0);
    place.still_works();
}

#[test]
fn a_file_runs_only_where_the_policy_admits_files() {
    let place = Place::new();
    place.write("plugin.wasm", pack("acme/tool", "1.0.0", json!({})));
    place.write("workflow.yaml", workflow("./plugin.wasm"));
    refused(&place, "OW0205", &["is not signed", "unsigned-files: true"]);
    place.replace("policy.yaml", "orch-policy/v1\n", "orch-policy/v1\nunsigned-files: true\n");
    place.run(["run"]).exits(0).says("locked acme/tool 1.0.0");
    // Admitted once is not admitted for ever: the lock pins the bytes.
    place.write("plugin.wasm", pack("acme/tool", "1.0.1", json!({})));
    refused(&place, "OW0209", &["orch-wasm lock --accept"]);
    place.run(["lock", "--accept"]).exits(0);
    place.run(["run"]).exits(0);
    fs::remove_file(place.path("plugin.wasm")).unwrap();
    refused(&place, "OW0202", &["plugin.wasm"]);
}

#[test]
fn a_stranger_is_not_trusted() {
    let place = Place::new();
    place.run(["keys", "new", "--out", "stranger.key"]).exits(0);
    let id = SigningKey::load(place.path("stranger.key")).unwrap().public().id();
    place.write("tool.wasm", pack("acme/tool", "1.0.0", json!({})));
    place.run(["plugin", "publish", "tool.wasm", "--key", "stranger.key"]).exits(0);
    place.write("workflow.yaml", workflow("acme/tool@^1"));
    refused(&place, "OW0206", &["policy.yaml does not trust", id.as_str(), "trust: [{ plugins: acme/tool"]);
    place.run(["plugin", "verify", "acme/tool"]).exits(1).says_out("OW0206");
    // The help leads out: with that line in the policy it runs.
    place.replace("policy.yaml", "trust:\n", &format!("trust:\n  - {{ plugins: acme/tool, signers: [\"{id}\"] }}\n"));
    place.run(["run"]).exits(0);
    // What was trusted once is not trusted for ever, also where it is locked.
    place.replace("policy.yaml", &format!("  - {{ plugins: acme/tool, signers: [\"{id}\"] }}\n"), "");
    refused(&place, "OW0206", &["policy.yaml does not trust"]);
    // Without a policy file it is this installation's trusted keys that count.
    fs::remove_file(place.path("policy.yaml")).unwrap();
    refused(&place, "OW0206", &["orch-wasm keys trust"]);
    place.run(["keys", "trust", &format!("registry/keys/{id}.pub")]).exits(0);
    place.run(["run"]).exits(0);
}

#[test]
fn a_stranger_cannot_go_on_with_a_plugin_nor_withdraw_it() {
    let place = with_tool();
    place.run(["keys", "new", "--out", "stranger.key"]).exits(0);
    place.write("tool.wasm", pack("acme/tool", "1.0.1", json!({})));
    place.run(["plugin", "publish", "tool.wasm", "--key", "stranger.key"]).refused("OW0206", &["acme/tool@1.0.1"]);
    place
        .run(["plugin", "yank", "acme/tool", "1.0.0", "--reason", "mine", "--key", "stranger.key"])
        .refused("OW0206", &["never signed a version"]);
    place.run(["run"]).exits(0).says("acme/tool 1.0.0");
    place.still_works();
}

/// Changes the component of `acme/tool` on disk; a run is refused and nothing of it was parsed.
#[track_caller]
fn changed(change: impl FnOnce(&mut Vec<u8>)) {
    let place = with_tool();
    let file = blob(&place, &lines(&place, "acme/tool")[0]);
    let before = fs::read(&file).unwrap();
    let mut bytes = before.clone();
    change(&mut bytes);
    fs::write(&file, bytes).unwrap();
    refused(&place, "OW0207", &["acme/tool@1.0.0", "not those that were published"]);
    let verified = place.run(["plugin", "verify", "acme/tool"]);
    assert!(verified.code != 0 && (verified.stdout.clone() + &verified.stderr).contains("OW0207"), "{verified}");
    // What is restored is trusted again: nothing remembers the wrong bytes.
    fs::write(&file, before).unwrap();
    place.run(["run"]).exits(0);
}

#[test]
fn bytes_that_changed_after_signing_are_refused() {
    changed(|bytes| *bytes.last_mut().unwrap() ^= 1);
    changed(|bytes| bytes[100] ^= 0x80);
    changed(|bytes| bytes.extend(b"\0\x05\x04evil"));
    changed(|bytes| bytes.truncate(bytes.len() - 1));
    changed(Vec::clear);
    changed(|bytes| *bytes = echo());
}

#[test]
fn a_forged_signature_is_refused() {
    let place = with_tool();
    publish(&place, &pack("acme/tool", "1.1.0", json!({})));
    let honest = lines(&place, "acme/tool");
    let mut unsigned = honest.clone();
    unsigned[1]["signature"] = json!("");
    forge(&place, "acme/tool", &unsigned, None);
    refused(&place, "OW0205", &["acme/tool@1.1.0", "is not signed"]);
    // The signature of another component.
    let mut moved = honest.clone();
    moved[1]["signature"] = honest[0]["signature"].clone();
    forge(&place, "acme/tool", &moved, None);
    refused(&place, "OW0206", &["its signature is not by"]);
    // A key that says it is another's.
    let stranger = SigningKey::generate().unwrap();
    let mut claimed = honest.clone();
    forge(&place, "acme/tool", &claimed, Some(&stranger));
    claimed = lines(&place, "acme/tool");
    claimed.iter_mut().for_each(|line| line["signer"] = honest[0]["signer"].clone());
    forge(&place, "acme/tool", &claimed, None);
    refused(&place, "OW0206", &["its signature is not by"]);
    // A stranger's own, with and without the key.
    forge(&place, "acme/tool", &honest, Some(&stranger));
    refused(&place, "OW0206", &["whose key the registry does not have"]);
    stranger.public().save(place.path(format!("registry/keys/{}.pub", stranger.public().id()))).unwrap();
    refused(&place, "OW0206", &["does not trust"]);
    forge(&place, "acme/tool", &honest, None);
    place.run(["run"]).exits(0).says("acme/tool 1.1.0");
}

#[test]
fn a_withdrawn_version_is_not_run() {
    let place = with_tool();
    place.run(["run"]).exits(0);
    publish(&place, &pack("acme/tool", "1.1.0", json!({})));
    place.run(["plugin", "yank", "acme/tool", "1.0.0", "--reason", "leaks the file names"]).exits(0);
    // The lock says 1.0.0: it is not silently replaced either.
    refused(&place, "OW0208", &["leaks the file names", "orch-wasm lock --update", "1.1.0"]);
    place.run(["lock", "--update"]).exits(0).says("locked acme/tool 1.1.0");
    place.run(["run"]).exits(0).says("acme/tool 1.1.0");
    place.run(["plugin", "yank", "acme/tool", "1.1.0", "--reason", "worse"]).exits(0);
    refused(&place, "OW0208", &["worse"]);
}

#[test]
fn a_forged_withdrawal_does_not_force_an_older_version() {
    let place = with_tool();
    publish(&place, &pack("acme/tool", "1.1.0", json!({})));
    let mut lines = lines(&place, "acme/tool");
    let mut yank = lines[1].clone();
    (yank["kind"], yank["reason"]) = (json!("yank"), json!("downgrade, please"));
    lines.push(yank);
    forge(&place, "acme/tool", &lines, None);
    refused(&place, "OW0206", &["withdrawn without a valid signature"]);
}

#[test]
fn a_banned_component_is_not_run() {
    let place = with_tool();
    place.run(["run"]).exits(0);
    let digest = lines(&place, "acme/tool")[0]["digest"].as_str().unwrap().to_owned();
    let policy = place.read("policy.yaml");
    place.replace("policy.yaml", "orch-policy/v1\n", &format!("orch-policy/v1\nbanned: [\"{digest}\"]\n"));
    refused(&place, "OW0218", &["policy.yaml", &digest]);
    // A ban outlasts the lock, and every other name for the same bytes.
    place.write("plugin.wasm", fs::read(blob(&place, &lines(&place, "acme/tool")[0])).unwrap());
    place.write("workflow.yaml", workflow("./plugin.wasm"));
    place.replace("policy.yaml", "banned:", "unsigned-files: true\nbanned:");
    refused(&place, "OW0218", &[&digest]);
    place.write("policy.yaml", policy);
    place.write("workflow.yaml", workflow("acme/tool@^1.0"));
    place.run(["run"]).exits(0);
}

#[test]
fn an_update_that_asks_for_more_waits_for_a_person() {
    let place = Place::new();
    let asking = |mounts: &[&str]| workflow("acme/tool@^1.0") + mounts.join("").as_str();
    let grant = "    permissions: { fs: [{ mount: source, path: ./data, access: read }] }\n";
    place.write("data/file", "");
    publish(&place, &pack("acme/tool", "1.0.0", json!({})));
    place.write("workflow.yaml", asking(&[grant]));
    // The grant that nobody asks for is warned of, and does not hold the run up.
    place.run(["run"]).exits(0).says("warning[OW0303]").says("workflow.yaml:7:25").says("locked acme/tool 1.0.0");
    // Without how far the index was, which a lock renews.
    let pinned = || {
        place.read("orch-wasm.lock").lines().filter(|line| !line.starts_with("index")).collect::<Vec<_>>().join("\n")
    };
    let locked = pinned();
    publish(&place, &pack("acme/tool", "1.1.0", reads(&["source"])));
    place.run(["run"]).exits(0).says("acme/tool 1.0.0");
    for arguments in [["lock"].as_slice(), &["lock", "--update"]] {
        let ran = place.run(arguments);
        assert_eq!(pinned(), locked);
        if arguments.len() == 2 {
            ran.refused("OW0210", &["acme/tool 1.1.0", "fs source read", "orch-wasm lock --accept"]);
        } else {
            ran.exits(0);
        }
    }
    place.run(["run"]).exits(0).says("acme/tool 1.0.0");
    place.run(["lock", "--accept"]).exits(0).says("acme/tool 1.1.0").says("fs source read");
    place.run(["run"]).exits(0).says("acme/tool 1.1.0").does_not_say("OW0303");
    // Accepting what a plugin asks for is no grant: without the workflow's own word it still does not run.
    place.write("workflow.yaml", asking(&[]));
    place.run(["run"]).refused("OW0301", &["workflow.yaml:5:11", "source"]);
    place.still_works();
}

#[test]
fn a_patch_release_does_not_ask_for_more() {
    let place = with_tool();
    place.write("package.wasm", pack("acme/tool", "1.0.1", reads(&["source"])));
    place.run(["plugin", "publish", "package.wasm"]).refused("OW0214", &["fs source read"]);
    assert_eq!(lines(&place, "acme/tool").len(), 1);
    // Nor does a version that is there change.
    place.write("package.wasm", pack("acme/tool", "1.0.0", reads(&["source"])));
    place.run(["plugin", "publish", "package.wasm"]).refused("OW0211", &["with other content"]);
    place.run(["run"]).exits(0);
}

/// R1: the registry is made anew, by the right key, with another component for the same version.
#[test]
fn the_lock_wins_over_a_registry_that_was_rebuilt() {
    let place = with_tool();
    place.run(["run"]).exits(0);
    let mut lines = lines(&place, "acme/tool");
    let honest = lines.clone();
    point(&place, &mut lines[0], &package::embed(&hostile(), &manifest("acme/tool", "1.0.0", json!({}))).unwrap());
    forge(&place, "acme/tool", &lines, Some(&key(&place)));
    refused(&place, "OW0209", &["acme/tool", "is locked", "orch-wasm lock --accept"]);
    // The version is gone altogether.
    let mut other = honest[0].clone();
    (other["version"], other["kind"]) = (json!("1.0.1"), json!("publish"));
    forge(&place, "acme/tool", &[other], Some(&key(&place)));
    refused(&place, "OW0209", &["the locked version `1.0.0` is not in the registry"]);
    fs::remove_file(place.path("registry/index/acme/tool.jsonl")).unwrap();
    refused(&place, "OW0202", &["acme/tool"]);
    forge(&place, "acme/tool", &honest, None);
    place.run(["run"]).exits(0);
}

/// One lock serves every workflow of a folder: running one does not drop what the other pins.
#[test]
fn workflows_in_one_folder_keep_each_others_pins() {
    let place = with_tool();
    place.run(["run"]).exits(0);
    let pinned = place.read("orch-wasm.lock");
    publish(&place, &pack("acme/tool", "1.1.0", json!({})));
    publish(&place, &pack("acme/other", "1.0.0", json!({})));
    place.write("other.yaml", workflow("acme/other@^1"));
    for arguments in [["run", "other.yaml"].as_slice(), &["lock", "other.yaml"], &["lock", "other.yaml", "--update"]] {
        place.run(arguments).exits(0);
        let entry = &pinned[pinned.find("[[plugin]]").unwrap()..];
        assert!(place.read("orch-wasm.lock").contains(entry), "{arguments:?}: {}", place.read("orch-wasm.lock"));
    }
    place.run(["run"]).exits(0).says("acme/tool 1.0.0");
}

#[test]
fn a_damaged_registry_or_lock_is_refused() {
    let place = with_tool();
    place.run(["run"]).exits(0);
    publish(&place, &pack("acme/tool", "1.1.0", json!({})));
    let index = "registry/index/acme/tool.jsonl";
    let honest = place.read(index);
    place.replace(index, "\"version\":\"1.0.0\"", "\"version\":\"1.0.7\"");
    refused(&place, "OW0212", &["registry is damaged", "acme/tool.jsonl"]);
    place.write(index, format!("not json\n{honest}"));
    refused(&place, "OW0212", &["line 1"]);
    place.write(index, &honest);
    // A last line that was cut off while it was written never counted.
    place.write(index, format!("{honest}{{\"v\":1,\"ki"));
    place.run(["run"]).exits(0);
    place.write(index, &honest);
    let lock = place.read("orch-wasm.lock");
    place.write("orch-wasm.lock", "version = 99\n");
    place.run(["run"]).refused("OW0216", &["orch-wasm.lock"]);
    place.write("orch-wasm.lock", &lock[..lock.len() / 2]);
    place.run(["run"]).refused("OW0216", &["orch-wasm.lock"]);
    place.write("orch-wasm.lock", lock);
    place.run(["run"]).exits(0);
}

/// R7: names that look like another's, and names that were meant.
#[test]
fn look_alikes_are_refused() {
    let place = Place::new();
    place.run(["keys", "new", "--out", "stranger.key"]).exits(0);
    for name in ["orch/ech0", "o-rch/echo", "orch/e-cho"] {
        place.write("package.wasm", pack(name, "1.0.0", json!({})));
        place
            .run(["plugin", "publish", "package.wasm", "--key", "stranger.key"])
            .refused("OW0217", &[name, "orch/echo"]);
        assert!(!place.path(format!("registry/index/{name}.jsonl")).exists());
    }
    place.write("workflow.yaml", workflow("orch/ehco@^1"));
    refused(&place, "OW0202", &["did you mean `orch/echo`?"]);
    // Letters of another script are no letters of a name.
    for name in ["orch/еcho", "ORCH/echo", "orch/echo\u{200b}"] {
        place.write("workflow.yaml", workflow(&format!("\"{name}@^1\"")));
        refused(&place, "OW0201", &["not allowed"]);
    }
    // Nothing is looked for elsewhere.
    place.write("workflow.yaml", workflow("oci://registry.example/orch/echo@1"));
    refused(&place, "OW0106", &["oci://"]);
}

/// R10: the index says one thing and the component another; the binary is the truth.
#[test]
fn an_index_that_lies_about_a_component_is_refused() {
    let place = with_tool();
    let honest = lines(&place, "acme/tool");
    let key = key(&place);
    let lie = |change: fn(&mut Value)| {
        let mut line = honest[0].clone();
        change(&mut line);
        line
    };
    forge(&place, "acme/tool", &[lie(|line| line["version"] = json!("1.9.0"))], Some(&key));
    refused(&place, "OW0213", &["acme/tool@1.9.0", "inside it says `acme/tool@1.0.0`"]);
    let asks = lie(|line| line["asks"] = json!({ "env": [{ "name": "HOME", "optional": false, "reason": "" }] }));
    forge(&place, "acme/tool", &[asks], Some(&key));
    refused(&place, "OW0213", &["other permissions"]);
    forge(&place, "acme/tool", &honest, None);
    fs::create_dir_all(place.path("registry/index/corp")).unwrap();
    forge(&place, "corp/safe", &[lie(|line| line["name"] = json!("corp/safe"))], Some(&key));
    place.write("workflow.yaml", workflow("corp/safe@^1"));
    refused(&place, "OW0213", &["corp/safe@1.0.0", "inside it says `acme/tool@1.0.0`"]);
}

#[test]
fn a_manifest_that_lies_about_imports_is_refused() {
    let place = with_tool();
    let lying = package::embed(&hostile(), &manifest("acme/liar", "1.0.0", json!({}))).unwrap();
    place.write("package.wasm", &lying);
    place.run(["plugin", "publish", "package.wasm"]).refused("OW0213", &["orch:task/artifacts@0.1.0"]);
    // And where somebody wrote it into the registry by hand.
    let mut line = lines(&place, "acme/tool")[0].clone();
    line["name"] = json!("acme/liar");
    point(&place, &mut line, &lying);
    forge(&place, "acme/liar", &[line], Some(&key(&place)));
    place.write("workflow.yaml", workflow("acme/liar@^1"));
    refused(&place, "OW0213", &["orch:task/artifacts@0.1.0", "asks for no `artifacts`"]);
}

/// The files of the code cache that are entries.
fn entries(place: &Place) -> Vec<std::path::PathBuf> {
    let found = fs::read_dir(place.code_cache()).unwrap().map(|entry| entry.unwrap().path());
    found.filter(|path| path.file_name().unwrap().len() == 64).collect()
}

/// R9: compiled code that somebody else wrote, moved or changed is never run.
#[test]
fn poisoned_code_is_compiled_anew() {
    let place = with_tool();
    place.run(["run"]).exits(0).does_not_say("warning");
    let [entry] = entries(&place).try_into().unwrap();
    let honest = fs::read(&entry).unwrap();
    let poisoned = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = honest.clone();
        change(&mut bytes);
        fs::write(&entry, bytes).unwrap();
        let ran = place.run(["run", "--format", "json"]);
        ran.exits(0).says("warning").says("code cache");
        assert_eq!(ran.lines().last().unwrap()["event"]["outcome"], "succeeded");
        assert_ne!(fs::read(&entry).unwrap().len(), 0, "it was not compiled anew");
        place.run(["run"]).exits(0).does_not_say("warning");
    };
    let end = honest.len() - 1;
    for at in [0, 8, 20, 45, 60, 200, end / 2, end] {
        poisoned(&|bytes: &mut Vec<u8>| bytes[at] ^= 1);
    }
    poisoned(&|bytes| bytes.truncate(end));
    poisoned(&Vec::clear);
    poisoned(&|bytes| bytes.push(0));
}

#[test]
fn code_of_another_key_or_another_component_is_compiled_anew() {
    let place = with_tool();
    place.run(["run"]).exits(0);
    let [mine] = entries(&place).try_into().unwrap();
    place.still_works();
    // Another component's code under this one's name.
    let other = entries(&place).into_iter().find(|path| *path != mine).unwrap();
    fs::copy(&other, &mine).unwrap();
    place.run(["run"]).exits(0).says("warning").says("code cache");
    // Another installation's key.
    fs::write(place.code_cache().join("key"), [7; 32]).unwrap();
    place.run(["run"]).exits(0).says("warning");
    place.run(["run"]).exits(0).does_not_say("warning");
    // A key that others can read is no secret: it is replaced.
    let key = place.code_cache().join("key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    place.run(["run"]).exits(0).says("warning");
    assert_ne!(fs::read(&key).unwrap(), [7; 32]);
    // A file that others can write.
    fs::set_permissions(&mine, fs::Permissions::from_mode(0o666)).unwrap();
    place.run(["run"]).exits(0).says("warning");
    // A folder that others can write is not used at all.
    fs::set_permissions(place.code_cache(), fs::Permissions::from_mode(0o777)).unwrap();
    place.run(["run"]).exits(0).says("warning[OW0403]").says("chmod 700");
    place.run(["cache", "ls"]).refused("OW0403", &["others may write to it"]);
}
