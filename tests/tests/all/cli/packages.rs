//! Packages to publish, and hands to tamper with a registry folder.

use super::program::Place;
use base64::Engine as _;
use orch_core::{Digest, Manifest, canonical_json};
use orch_registry::{SigningKey, package};
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;

/// The component of the plugin that `init` publishes, with its manifest.
pub(crate) fn echo() -> Vec<u8> {
    static ECHO: OnceLock<Vec<u8>> = OnceLock::new();
    ECHO.get_or_init(|| {
        let place = Place::new();
        fs::read(blob(&place, &lines(&place, "orch/echo")[0])).unwrap()
    })
    .clone()
}

/// A manifest with one task, `echo`, that takes and returns any object.
pub(crate) fn manifest(name: &str, version: &str, asks: Value) -> Manifest {
    serde_json::from_value(json!({
        "schema": "orch-plugin/v1", "name": name, "version": version, "description": "Says it.", "license": "Apache-2.0",
        "tasks": { "echo": { "description": "Says it.", "input": { "type": "object" }, "output": { "type": "object" } } },
        "permissions": asks,
    }))
    .unwrap()
}

/// The asks for folders to read.
pub(crate) fn reads(mounts: &[&str]) -> Value {
    let fs: Vec<_> =
        mounts.iter().map(|mount| json!({ "mount": mount, "access": "read", "reason": "to look" })).collect();
    json!({ "fs": fs })
}

/// The echo component as another plugin. What it is called makes its digest differ.
pub(crate) fn pack(name: &str, version: &str, asks: Value) -> Vec<u8> {
    package::embed(&echo(), &manifest(name, version, asks)).unwrap()
}

/// The guest that means harm as `test/hostile` 1.0.0.
pub(crate) fn hostile() -> Vec<u8> {
    static HOSTILE: OnceLock<Vec<u8>> = OnceLock::new();
    HOSTILE
        .get_or_init(|| {
            let guest = orch_tests::hostile();
            let mut manifest = manifest(
                "test/hostile",
                "1.0.0",
                json!({
                    "fs": [{ "mount": "folder", "access": "write", "reason": "to try", "optional": true }],
                    "artifacts": [{ "name": "stored", "reason": "to try", "optional": true }],
                    "secrets": [{ "name": "token", "audience": [], "reveal": true, "reason": "to try", "optional": true }],
                    "kv": [{ "bucket": "seen", "quota": "1MiB", "reason": "to try", "optional": true }],
                }),
            );
            let mut task = manifest.tasks.pop_first().unwrap().1;
            (task.input, task.output) = (json!(true), json!(true));
            manifest.tasks = guest.tasks.iter().map(|name| (name.as_str().try_into().unwrap(), task.clone())).collect();
            package::embed(&guest.bytes, &manifest).unwrap()
        })
        .clone()
}

/// A place whose registry also has the guest that means harm.
pub(crate) fn hostile_place() -> Place {
    let place = Place::new().with_shared_cache();
    publish(&place, &hostile());
    place
}

/// Publishes a package into the place's registry with the place's key.
#[track_caller]
pub(crate) fn publish(place: &Place, package: &[u8]) {
    let file = place.write("package.wasm", package);
    place.run(["plugin", "publish", "package.wasm"]).exits(0);
    fs::remove_file(file).unwrap();
}

/// A workflow with one task that uses a plugin.
pub(crate) fn workflow(uses: &str) -> String {
    format!("schema: orch-wasm/v1\nname: one-task\ntasks:\n  only:\n    uses: {uses}\n    with: {{ message: said }}\n")
}

fn index(place: &Place, plugin: &str) -> PathBuf {
    place.path(format!("registry/index/{plugin}.jsonl"))
}

/// The lines of a plugin's index.
pub(crate) fn lines(place: &Place, plugin: &str) -> Vec<Value> {
    let text = fs::read_to_string(index(place, plugin)).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The file of the component that a line names.
pub(crate) fn blob(place: &Place, line: &Value) -> PathBuf {
    let hex = line["digest"].as_str().unwrap().strip_prefix("sha256:").unwrap();
    place.path(format!("registry/blobs/sha256/{}/{hex}", &hex[..2]))
}

/// Writes an index with a chain that holds and, with a key, lines that it signed: what somebody can do who has the folder.
pub(crate) fn forge(place: &Place, plugin: &str, lines: &[Value], key: Option<&SigningKey>) {
    let mut prev = Digest::of(format!("orch-wasm index v1\n{plugin}").as_bytes());
    let mut text = String::new();
    for line in lines {
        let mut line = line.clone();
        if let Some(key) = key {
            line["signer"] = json!(key.public().id());
            line["signature"] = json!(signature(key, &line));
        }
        line["prev"] = json!(prev.to_string());
        let line = canonical_json(&line);
        prev = Digest::of(line.as_bytes());
        text.push_str(&line);
        text.push('\n');
    }
    fs::write(index(place, plugin), text).unwrap();
}

fn signature(key: &SigningKey, line: &Value) -> String {
    let statement = json!({
        "name": line["name"], "version": line["version"], "digest": line["digest"],
        "capability_hash": line["capability_hash"],
    });
    let message = format!("orch-wasm plugin v1\n{}", canonical_json(&statement));
    base64::engine::general_purpose::STANDARD.encode(key.sign(message.as_bytes()))
}

/// The signing key of this place's installation.
pub(crate) fn key(place: &Place) -> SigningKey {
    SigningKey::load(place.outside("home/.config/orch-wasm/signing.key")).unwrap()
}

/// Puts a component among the blobs and points a line to it.
pub(crate) fn point(place: &Place, line: &mut Value, package: &[u8]) {
    line["digest"] = json!(Digest::of(package).to_string());
    line["size"] = json!(package.len());
    let file = blob(place, line);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, package).unwrap();
}
