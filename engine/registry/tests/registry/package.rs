//! The manifest inside a component, and what is compared with what the component does.

use crate::support::{PLAIN, World, component, manifest, pack, reads, refused};
use orch_core::{Code, Manifest};
use orch_registry::package::{embed, extract, validate};
use serde_json::{Value, json};

fn plain_manifest() -> Manifest {
    manifest("orch/tool", "1.0.0", json!({}))
}

/// A component with custom sections of the manifest's name.
fn with_sections(texts: &[&[u8]]) -> Vec<u8> {
    let mut bytes = component(PLAIN);
    for text in texts {
        bytes.push(0);
        let section = wasm_encoder::CustomSection { name: "orch:manifest".into(), data: (*text).into() };
        wasm_encoder::Encode::encode(&section, &mut bytes);
    }
    bytes
}

#[test]
fn a_manifest_comes_back_as_it_went_in() {
    let manifest = manifest("orch/tool", "1.0.0", reads(&["source"]));
    let package = embed(&component(PLAIN), &manifest).unwrap();
    assert_eq!(extract(&package).unwrap(), manifest);
    assert_eq!(validate(&package, &manifest), []);
}

#[test]
fn embedding_again_replaces() {
    let first = embed(&component(PLAIN), &plain_manifest()).unwrap();
    let second = embed(&first, &manifest("orch/tool", "2.0.0", json!({}))).unwrap();
    assert_eq!(extract(&second).unwrap().version.to_string(), "2.0.0");
    assert_eq!(first.len(), second.len());
    assert_eq!(embed(&second, &plain_manifest()).unwrap(), first, "nothing else is changed");
}

#[test]
fn what_is_no_package() {
    let text = orch_core::canonical_json(&plain_manifest());
    let spaced = text.replacen(':', ": ", 1);
    let twice =
        text.replacen("{\"description\":\"Does it.\"", "{\"description\":\"A\",\"description\":\"Does it.\"", 1);
    assert_ne!(twice, text);
    let unknown = text.replacen("{\"description\":\"Does it.\"", "{\"colour\":1,\"description\":\"Does it.\"", 1);
    let large = vec![b' '; (256 << 10) + 1];
    let cases: [(Vec<u8>, Code, &str); 13] = [
        (Vec::new(), Code::InvalidComponent, "no WebAssembly"),
        (b"#!/bin/sh\n".to_vec(), Code::InvalidComponent, "no WebAssembly"),
        (b"\0asm\x01\0\0\0".to_vec(), Code::InvalidComponent, "core module"),
        (b"\0asm\x09\0\x01\0".to_vec(), Code::InvalidComponent, "unknown version"),
        (component(PLAIN), Code::InvalidManifest, "no custom section"),
        (with_sections(&[text.as_bytes(), text.as_bytes()]), Code::InvalidManifest, "2 custom sections"),
        (with_sections(&[b"{"]), Code::InvalidManifest, "no JSON"),
        (with_sections(&[&large]), Code::InvalidManifest, "at most 262144"),
        (with_sections(&[b"{}"]), Code::InvalidManifest, "does not name its schema"),
        (
            with_sections(&[text.replace("plugin/v1", "plugin/v2").as_bytes()]),
            Code::InvalidManifest,
            "`orch-plugin/v2`",
        ),
        (with_sections(&[spaced.as_bytes()]), Code::InvalidManifest, "canonical"),
        (with_sections(&[twice.as_bytes()]), Code::InvalidManifest, "canonical"),
        (with_sections(&[unknown.as_bytes()]), Code::InvalidManifest, "unknown field `colour`"),
    ];
    for (bytes, code, message) in cases {
        refused(extract(&bytes), code, message);
    }
    let package = embed(&component(PLAIN), &plain_manifest()).unwrap();
    refused(extract(&package[..package.len() - 1]), Code::InvalidComponent, "damaged at byte");
}

#[test]
fn a_manifest_of_a_nested_component_does_not_count() {
    let inner = embed(&component("(component)"), &plain_manifest()).unwrap();
    let mut outer = component(PLAIN);
    outer.push(4);
    wasm_encoder::Encode::encode(&inner.as_slice(), &mut outer);
    refused(extract(&outer), Code::InvalidManifest, "no custom section");
}

#[track_caller]
fn imports(import: &str, asks: Value, expected: &str) {
    let text = PLAIN.replacen("(component", &format!("(component {import}"), 1);
    let found = validate(&component(&text), &manifest("orch/tool", "1.0.0", asks));
    let found: Vec<_> = found.iter().map(|problem| format!("{} {}", problem.code, problem.message)).collect();
    let found = found.join("; ");
    assert!(if expected.is_empty() { found.is_empty() } else { found.contains(expected) }, "{import}: {found}");
}

#[test]
fn the_binary_is_the_truth() {
    let artifacts = || json!({ "artifacts": [{ "name": "report.json" }] });
    imports("", json!({}), "");
    imports("", artifacts(), "");
    imports(r#"(import "orch:task/artifacts@0.1.0" (instance))"#, artifacts(), "");
    imports(r#"(import "orch:task/artifacts@0.1.7" (instance))"#, artifacts(), "");
    imports(
        r#"(import "orch:task/artifacts@0.1.0" (instance))"#,
        json!({}),
        "OW0213 it imports `orch:task/artifacts@0.1.0`",
    );
    imports(r#"(import "orch:task/artifacts@0.2.0" (instance))"#, artifacts(), "OW0402");
    imports(r#"(import "orch:task/artifacts" (instance))"#, artifacts(), "OW0402");
    imports(r#"(import "orch:task/context@1.0.0" (instance))"#, json!({}), "supports `0.1.x`");
    for (interface, asks) in [
        ("secrets", json!({ "secrets": [{ "name": "t", "audience": [], "reveal": true }] })),
        ("state", json!({ "kv": [{ "bucket": "b", "quota": "1MiB" }] })),
        ("exec", json!({ "exec": [{ "alias": "a" }] })),
    ] {
        let import = format!(r#"(import "orch:task/{interface}@0.1.0" (instance))"#);
        imports(&import, asks, "");
        imports(&import, json!({}), "OW0213 it imports");
    }
    imports(r#"(import "orch:task/shell@0.1.0" (instance))"#, json!({}), "which this version does not have");
    imports(r#"(import "orch:tasks/context@0.1.0" (instance))"#, json!({}), "which this version does not have");
    // It is linked for all, and reaches nothing without a grant.
    imports(r#"(import "wasi:http/outgoing-handler@0.2.0" (instance))"#, json!({}), "");
    imports(r#"(import "wasi:http/outgoing-handler@0.3.0" (instance))"#, json!({}), "supports `0.2.x`");
    imports(r#"(import "wasi:filesystem/types@0.3.0" (instance))"#, json!({}), "supports `0.2.x`");
    imports(r#"(import "acme:own/thing@0.1.0" (instance))"#, json!({}), "which this version does not have");
    imports(r#"(import "orch:task/report@0.1.0" (func))"#, json!({}), "which is no interface");
}

#[test]
fn the_runner_has_to_be_exported() {
    for (export, expected) in [
        ("", "it exports nothing"),
        (r#"(instance $i) (export "orch:task/runner@0.2.0" (instance $i))"#, "it exports `orch:task/runner@0.2.0`"),
        (r#"(instance $i) (export "wasi:cli/run@0.3.0" (instance $i))"#, "it exports `wasi:cli/run@0.3.0`"),
        (r#"(instance $i) (export "orch:task/runners@0.1.0" (instance $i))"#, "it exports `orch:task/runners@0.1.0`"),
    ] {
        let problems = validate(&component(&format!("(component {export})")), &plain_manifest());
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].code, Code::InvalidComponent);
        assert!(problems[0].message.contains(expected), "{}", problems[0].message);
    }
    // A plain program is run as one.
    let program = r#"(component (instance $i) (export "wasi:cli/run@0.2.6" (instance $i)))"#;
    assert_eq!(validate(&component(program), &plain_manifest()), []);
}

#[track_caller]
fn wrong(change: impl FnOnce(&mut Manifest), expected: &str) {
    let mut manifest = plain_manifest();
    change(&mut manifest);
    let problems = validate(&component(PLAIN), &manifest);
    assert!(
        problems.iter().any(|problem| problem.code == Code::InvalidManifest && problem.message.contains(expected)),
        "{problems:?}"
    );
}

#[test]
fn manifests_that_break_a_rule() {
    let task = |manifest: &mut Manifest, input: Value| manifest.tasks.values_mut().next().unwrap().input = input;
    wrong(|m| m.description = " ".to_owned(), "`description` is empty");
    wrong(|m| m.license = String::new(), "`license` is empty");
    wrong(|m| m.description = "x".repeat(5_000), "`description` has 5000 bytes");
    wrong(|m| m.tasks.clear(), "`tasks` is empty");
    wrong(|m| m.version = "1.0.0+build".parse().unwrap(), "build metadata");
    wrong(|m| m.schema = "orch-plugin/v9".to_owned(), "`schema` is `orch-plugin/v9`");
    wrong(|m| task(m, json!("text")), "`tasks.go.input` is no usable JSON Schema");
    wrong(|m| task(m, json!({ "type": 7 })), "`tasks.go.input` is no usable JSON Schema");
    wrong(|m| task(m, json!({ "$ref": "https://example.com/schema" })), "no reference into the schema");
    wrong(|m| m.permissions = serde_json::from_value(reads(&["a", "a"])).unwrap(), "`permissions.fs: a` stands twice");
}

#[test]
fn a_component_that_is_not_valid_is_not_published() {
    let world = World::new();
    // An alias of an instance that is not there, in a section that nothing here looks into.
    let mut bytes = component(PLAIN);
    bytes.extend([6, 6, 1, 1, 0, 9, 1, b'x']);
    let package = embed(&bytes, &plain_manifest()).unwrap();
    refused(world.publish(&package), Code::InvalidComponent, "not valid at byte");
    refused(world.publish(&component(PLAIN)), Code::InvalidManifest, "no custom section");
    assert!(world.publish(&pack("orch/tool", "1.0.0", "", json!({}))).is_ok());
}
