//! What people see of permissions, and what they can prove: statements of runs, cases for policies, the smallest grants.

use super::kit::{place_with, run_of};
use super::program::{Place, Ran};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use orch_registry::SigningKey;
use serde_json::{Value, json};
use std::fs;

/// A run with a task that writes, one that is skipped, and its statement in `evidence.json`.
fn exported() -> (Place, String) {
    let place = place_with("tasks:\n  a: { EFFECT, with: { seen: x } }\n  b: { EFFECT, needs: a, if: 'false' }\n");
    let log = place.run(["run", "--format", "json"]).exits(0).lines();
    place.run(["evidence", "export", "latest", "--out", "evidence.json"]).exits(0);
    (place, run_of(&log))
}

/// Changes a statement.
type Lie = fn(&mut Value);

fn envelope(place: &Place) -> Value {
    serde_json::from_str(&place.read("evidence.json")).unwrap()
}

fn payload(envelope: &Value) -> Value {
    serde_json::from_slice(&STANDARD.decode(envelope["payload"].as_str().unwrap()).unwrap()).unwrap()
}

#[track_caller]
fn verify(place: &Place, name: &str) -> Ran {
    place.run(["evidence", "verify", name])
}

/// Signs a statement as the place's own key would.
fn signed(place: &Place, statement: &Value) -> Value {
    let key = SigningKey::load(place.outside("home/.config/orch-wasm/signing.key")).unwrap();
    let bytes = orch_core::canonical_json(statement).into_bytes();
    let kind = "application/vnd.in-toto+json";
    let mut message = format!("DSSEv1 {} {kind} {} ", kind.len(), bytes.len()).into_bytes();
    message.extend(&bytes);
    let signature = json!({ "keyid": key.public().id(), "sig": STANDARD.encode(key.sign(&message)) });
    json!({ "payloadType": kind, "payload": STANDARD.encode(bytes), "signatures": [signature] })
}

#[test]
fn a_statement_is_checked_elsewhere_with_the_key_alone() {
    let (place, run) = exported();
    let statement = payload(&envelope(&place));
    assert_eq!(statement["_type"], "https://in-toto.io/Statement/v1");
    let summary = &statement["predicate"]["summary"];
    assert_eq!(summary["outcome"], "succeeded");
    assert_eq!(summary["plugins"][0]["name"], "test/hostile");
    assert!(summary["plugins"][0]["digest"].as_str().unwrap().starts_with("sha256:"));
    assert_eq!(summary["plugins"][0]["signer"].as_str().unwrap().len(), 16);
    assert_eq!(summary["tasks"][0]["grants"]["used"], json!(["fs folder write"]));

    // Another machine: another home, no state, no registry.
    let elsewhere = Place::empty();
    elsewhere.write("evidence.json", place.read("evidence.json"));
    verify(&elsewhere, "evidence.json").exits(1).says("not signed by a key that is trusted here");
    let public = fs::read(place.outside("home/.config/orch-wasm/signing.pub")).unwrap();
    elsewhere.write("their.pub", public);
    elsewhere
        .run(["evidence", "verify", "evidence.json", "--key", "their.pub"])
        .exits(0)
        .says_out(&format!("run {run}"));
    let proven = elsewhere.run(["evidence", "verify", "evidence.json", "--key", "their.pub", "--format", "json"]);
    assert_eq!(proven.exits(0).lines()[0]["run"], run.as_str());
}

#[test]
fn whatever_is_changed_in_a_statement_is_noticed() {
    let (place, _) = exported();
    verify(&place, "evidence.json").exits(0);
    let whole = envelope(&place);
    let statement = payload(&whole);

    // Without the key: any byte of the payload, another type, no signature, another's signature.
    let mut bytes = STANDARD.decode(whole["payload"].as_str().unwrap()).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let mut changed = whole.clone();
    changed["payload"] = json!(STANDARD.encode(bytes));
    let mut typed = whole.clone();
    typed["payloadType"] = json!("application/json");
    let mut bare = whole.clone();
    bare["signatures"] = json!([]);
    let mut many = whole.clone();
    many["signatures"] = json!(vec![whole["signatures"][0].clone(); 100_000]);
    let mut forged = whole.clone();
    forged["signatures"][0]["sig"] = json!(STANDARD.encode([7; 64]));
    for (name, wrong) in [("payload", changed), ("type", typed), ("none", bare), ("many", many), ("forged", forged)] {
        place.write("wrong.json", wrong.to_string());
        let refused = verify(&place, "wrong.json");
        assert_eq!(refused.code, 1, "{name}: {}", refused.stderr);
        assert!(refused.stderr.contains("OW0507"), "{name}: {}", refused.stderr);
    }
    for text in ["", "{}", "[]", "null", &"[".repeat(100_000)] {
        place.write("wrong.json", text);
        verify(&place, "wrong.json").exits(1).says("OW0507");
    }

    // With the key: whoever signs can say what they want, and it has to follow from the log all the same.
    let lies: [(&str, Lie); 8] = [
        ("outcome", |it| it["predicate"]["summary"]["outcome"] = json!("failed")),
        ("grants", |it| it["predicate"]["summary"]["tasks"][0]["grants"]["used"] = json!([])),
        ("plugins", |it| it["predicate"]["summary"]["plugins"][0]["signer"] = json!("0123456789abcdef")),
        ("subject", |it| it["subject"][0]["digest"]["sha256"] = json!("0".repeat(64))),
        ("more", |it| it["predicate"]["more"] = json!(1)),
        ("beside", |it| it["more"] = json!(1)),
        ("cut", |it| drop(it["predicate"]["log"]["entries"].as_array_mut().unwrap().pop())),
        ("plan", |it| {
            let entry =
                it["predicate"]["log"]["entries"][0][1].as_str().unwrap().replace("\"priority\":50", "\"priority\":51");
            it["predicate"]["log"]["entries"][0][1] = json!(entry);
        }),
    ];
    place.write("right.json", signed(&place, &statement).to_string());
    verify(&place, "right.json").exits(0);
    for (name, lie) in lies {
        let mut statement = statement.clone();
        lie(&mut statement);
        place.write("wrong.json", signed(&place, &statement).to_string());
        let refused = verify(&place, "wrong.json");
        assert_eq!(refused.code, 1, "{name}: {}", refused.stderr);
    }
}

#[test]
fn a_damaged_log_is_no_evidence() {
    let (place, run) = exported();
    let database = rusqlite::Connection::open(place.path(".orch-wasm/state.db")).unwrap();
    database.execute("UPDATE events SET body = replace(body, 'succeeded', 'failed') WHERE seq > 3", []).unwrap();
    fs::remove_file(place.path("evidence.json")).unwrap();
    let refused = place.run(["evidence", "export", &run, "--out", "evidence.json"]);
    assert_eq!(refused.code, 7, "{}", refused.stderr);
    assert!(!place.path("evidence.json").exists());
}

#[test]
fn a_policy_is_asked_cases() {
    let place = Place::new();
    place.write(
        "policy.yaml",
        "schema: orch-policy/v1
trust: [{ plugins: 'orch/*', signers: [0123456789abcdef, fedcba9876543210], at-least: 2 }]
plugins:
  - plugins: orch/scan
    fs: { allow: [{ path: ., access: read }] }
    net: { allow: [{ host: '*.example.com', methods: [GET] }], deny: [{ host: evil.example.com }] }
    secrets: { allow: ['env:CI_*'] }
    exec: { allow: [{ program: /usr/bin/wc }] }
    kv: { quota: 1MiB }
  - plugins: '*'
    mode: count
",
    );
    place.write(
        "cases.yaml",
        "schema: orch-policy-cases/v1
secrets: { ci: { from: env:CI_TOKEN }, aws: { from: env:AWS_SECRET } }
cases:
  - { name: reads, plugin: orch/scan, permissions: { fs: [{ mount: s, path: ./src, access: read }] }, expect: allowed }
  - { name: elsewhere, plugin: orch/scan, permissions: { fs: [{ mount: s, path: /etc, access: read }] }, expect: refused, because: outside }
  - { name: asks, plugin: orch/scan, permissions: { net: [{ host: api.example.com }] }, expect: allowed }
  - { name: evil, plugin: orch/scan, permissions: { net: [{ host: evil.example.com }] }, expect: refused, because: denies }
  - { name: loopback, plugin: orch/scan, permissions: { net: [{ host: a.example.com, addresses: [127.0.0.1] }] }, expect: refused, because: special }
  - { name: token, plugin: orch/scan, permissions: { secrets: [{ name: t, from: ci }] }, expect: allowed }
  - { name: shown, plugin: orch/scan, permissions: { secrets: [{ name: t, from: ci, reveal: true }] }, expect: refused, because: travel }
  - { name: aws, plugin: orch/scan, permissions: { secrets: [{ name: t, from: aws }] }, expect: refused }
  - { name: wc, plugin: orch/scan, permissions: { exec: [{ alias: wc, program: /usr/bin/wc }] }, expect: allowed }
  - { name: sort, plugin: orch/scan, permissions: { exec: [{ alias: sort, program: /usr/bin/sort }] }, expect: refused }
  - { name: keeps, plugin: orch/scan, permissions: { kv: [{ bucket: b }] }, expect: allowed }
  - { name: others, plugin: acme/x, permissions: { env: [HOME] }, expect: counted }
  - { name: one signer, plugin: orch/scan, signers: [0123456789abcdef], expect: refused }
  - { name: two signers, plugin: orch/scan, signers: [0123456789abcdef, fedcba9876543210], expect: allowed }
",
    );
    let asked = place.run(["policy", "test", "cases.yaml", "--policy", "policy.yaml"]);
    assert_eq!(asked.code, 0, "{}{}", asked.stdout, asked.stderr);
    assert!(asked.stdout.contains("14 of 14 cases hold for policy.yaml"), "{}", asked.stdout);
    // A case that does not hold says what the policy says, and the exit code tells.
    place.replace("cases.yaml", "name: wc, plugin: orch/scan", "name: wc, plugin: acme/x");
    let asked = place.run(["policy", "test", "cases.yaml", "--policy", "policy.yaml", "--format", "json"]);
    assert_eq!(asked.exits(1).lines()[0]["failed"], 1);
    let wrong = "✘ wc\n    expected: allowed\n    the policy: the policy would refuse `exec wc`";
    place.run(["policy", "test", "cases.yaml", "--policy", "policy.yaml"]).exits(1).says_out(wrong);
    place.write("cases.yaml", "schema: orch-policy-cases/v1\ncases: [{ name: a, plugin: o/a, expect: maybe }]");
    place.run(["policy", "test", "cases.yaml"]).refused("OW0104", &["`maybe` is not a value of `expect`"]);
}

#[test]
fn the_smallest_grants_are_suggested() {
    let place = place_with(
        "tasks:\n  a: { uses: test/hostile/effect@^1, permissions: { fs: [{ mount: folder, path: ledger, access: write }], artifacts: [stored] } }\n",
    );
    place.run(["run"]).exits(0);
    let suggested = place.run(["permissions", "suggest", "latest"]).exits(0).stdout.clone();
    assert!(suggested.contains("- { mount: folder, path: ./ledger, access: write }"), "{suggested}");
    assert!(suggested.contains("# never used: artifacts stored"), "{suggested}");
    // What it prints can be put in the place of what was there.
    let lines = suggested.lines().filter(|line| line.starts_with("  ")).map(|line| format!("  {line}\n"));
    let permissions: String = lines.collect();
    place.write(
        "workflow.yaml",
        format!("schema: orch-wasm/v1\nname: cases\ntasks:\n  a:\n    uses: test/hostile/effect@^1\n{permissions}"),
    );
    place.run(["run"]).exits(0);
}
