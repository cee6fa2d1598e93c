//! The files beside a workflow: policy, waivers, plugin manifest.

use orch_core::{Access, Digest, NamePattern, Size, Source};
use orch_workflow::{Covers, parse_manifest, parse_policy, parse_waivers};
use serde_json::json;
use std::collections::BTreeMap;

#[track_caller]
fn policy(text: &str, expected: &[&str]) {
    let source = Source::new("policy.yaml", format!("schema: orch-policy/v1\n{text}"));
    let (policy, found) = parse_policy(&source, "/etc/orch".into());
    let brief: Vec<_> = found.iter().map(|problem| problem.brief(&source)).collect();
    assert_eq!(brief, expected, "\n{text}");
    assert_eq!(policy.is_some(), found.is_empty());
}

#[test]
fn a_whole_policy() {
    let digest = Digest::of(b"x");
    let source = Source::new(
        "policy.yaml",
        format!(
            "schema: orch-policy/v1\ntrust: [{{ plugins: \"orch/*\", signers: [0123456789abcdef], fresh-within: 30d }}]\n\
             unsigned-files: true\nrevoked-keys: [fedcba9876543210]\n\
             banned: [\"{digest}\"]\nlimits: {{ memory: 1GiB, findings: 10 }}\nplugins:\n  - plugins: orch/*\n    \
             fs: {{ allow: [{{ path: ./data/../x, access: read }}, {{ path: /srv, access: write }}], deny: [/srv/secret] }}\n    \
             env: {{ allow: [\"CI_*\"], deny: [CI_TOKEN] }}\n    artifacts: true\n  - plugins: \"*\"\n"
        ),
    );
    let (policy, found) = parse_policy(&source, "/etc/orch".into());
    assert_eq!(found, []);
    let policy = policy.unwrap();
    assert_eq!(policy.origin, "policy.yaml");
    assert_eq!(policy.trust[0].signers[0].as_str(), "0123456789abcdef");
    assert_eq!(policy.trust[0].fresh_within, Some("30d".parse().unwrap()));
    assert_eq!(policy.revoked_keys, ["fedcba9876543210".parse().unwrap()]);
    assert!(policy.unsigned_files);
    assert_eq!(policy.banned, [digest]);
    assert_eq!((policy.limits.memory, policy.limits.findings), (Some(Size::from_mib(1024)), Some(10)));
    let block = &policy.plugins[0];
    let allowed: Vec<_> = block.fs.allow.iter().map(|rule| (rule.path.as_str(), rule.access)).collect();
    assert_eq!(allowed, [("/etc/orch/x", Access::Read), ("/srv", Access::Write)]);
    assert_eq!(block.fs.deny, ["/srv/secret"]);
    assert_eq!(block.env, [NamePattern("CI_*".into())]);
    assert!(block.artifacts && !policy.plugins[1].artifacts);
    // Where each kind stands, for those who ask where something comes from.
    let lines: Vec<_> = block.lines.iter().map(|(kind, line)| (kind.word(), *line)).collect();
    assert_eq!(lines, [("fs", 9), ("env", 10), ("artifacts", 11)]);
    assert!(policy.plugins[1].lines.is_empty());
}

#[test]
fn a_policy_without_a_word_allows_nothing() {
    let (policy, _) = parse_policy(&Source::new("p", "schema: orch-policy/v1"), "/".into());
    let policy = policy.unwrap();
    assert!(policy.trust.is_empty() && policy.plugins.is_empty() && !policy.unsigned_files);
}

#[test]
fn policies_that_are_wrong() {
    policy(
        "trust: [{ plugins: 'orch/*/x', signers: [abc, 0123456789ABCDEF] }]",
        &[
            "2:20 OW0104 `orch/*/x` is no pattern of `plugins` (write a whole name, or a beginning with `*` at its end)",
            "2:42 OW0109 the signer id `abc` has 3 digits, it needs 16 (`orch-wasm keys list` shows the ids of keys)",
            "2:47 OW0109 `0123456789ABCDEF` is not a valid signer id: `A` at byte 10 is not allowed (hexadecimal digits in lower case)",
        ],
    );
    policy(
        "trust: [{ signers: [] }, { plugins: '*' }]",
        &["2:11 OW0105 a trust rule needs the key `plugins`", "2:28 OW0105 a trust rule needs the key `signers`"],
    );
    policy(
        "banned: [sha256:12]\nunsigned-files: no",
        &[
            "2:10 OW0104 a digest has the form `sha256:` and 64 lower-case hexadecimal digits",
            "3:17 OW0104 `unsigned-files` is a boolean, not text (known: `true`, `false`)",
        ],
    );
    policy(
        "plugins: [{ plugins: x, fs: { allow: [{ path: '*', access: read }, { path: a }], dney: [] }, net: [] }]",
        &[
            "2:47 OW0104 `*` is no path of a folder (a folder stands for everything below it; patterns are not supported)",
            "2:70 OW0105 an allowed folder needs the key `access`",
            "2:82 OW0103 `fs` has no key `dney` (did you mean `deny`? known: `allow`, `deny`)",
            "2:99 OW0104 `net` is a mapping, not a list (known: `allow`, `deny`)",
        ],
    );
    policy("mode: watch", &["2:7 OW0104 `watch` is not a value of `mode` (known: `enforce`, `count`)"]);
    policy(
        "trust: [{ plugins: x, signers: [0123456789abcdef, 0123456789abcdef], at-least: 2 }]",
        &["2:80 OW0112 2 of 1 signers can never have signed"],
    );
    policy(
        "revoked-keys: [0123]",
        &["2:16 OW0109 the signer id `0123` has 4 digits, it needs 16 (`orch-wasm keys list` shows the ids of keys)"],
    );
    policy(
        "network: { name-servers: [dns.example], roots: ['*'] }",
        &[
            "2:27 OW0104 `dns.example` is no address of a name server (write it as `10.0.0.53` or `10.0.0.53:5353`)",
            "2:49 OW0104 `*` is no path of a folder (a folder stands for everything below it; patterns are not supported)",
        ],
    );
    policy(
        "plugins: [{ plugins: x, exec: { allow: [{ program: git }] }, kv: {}, clock: never }]",
        &[
            "2:52 OW0104 `git` is no absolute path of a program (write it whole, without `.` and `..`: nothing is looked up in PATH)",
            "2:66 OW0105 `kv` needs the key `quota`",
            "2:77 OW0104 `never` is not a value of `clock` (known: `real`, `fixed`)",
        ],
    );
}

#[track_caller]
fn waiver(text: &str, expected: &[&str]) {
    let source = Source::new("waivers.yaml", format!("schema: orch-waivers/v1\nwaivers: [{{ {text} }}]"));
    let (waivers, found) = parse_waivers(&source);
    let brief: Vec<_> = found.iter().map(|problem| problem.brief(&source)).collect();
    assert_eq!(brief, expected, "\n{text}");
    assert_eq!(waivers.is_some(), found.is_empty());
}

#[test]
fn waivers() {
    let rest = "owner: me, reason: known, expires: 2026-12-31";
    waiver(&format!("fingerprint: abc, {rest}"), &[]);
    waiver(&format!("rule: R1, path: src, {rest}"), &[]);
    waiver(rest, &["2:13 OW0116 a waiver says what it covers: `fingerprint`, or `rule` and perhaps `path`"]);
    waiver(
        &format!("path: src, {rest}"),
        &["2:13 OW0116 a waiver says what it covers: `fingerprint`, or `rule` and perhaps `path`"],
    );
    waiver(
        "rule: R",
        &[
            "2:13 OW0116 a waiver needs the key `owner`",
            "2:13 OW0116 a waiver needs the key `reason`",
            "2:13 OW0116 a waiver needs the key `expires`",
        ],
    );
    waiver(
        "rule: R, owner: ' ', reason: '', expires: soon",
        &[
            "2:29 OW0116 `owner` is empty",
            "2:42 OW0116 `reason` is empty",
            "2:55 OW0116 `soon` is no day (write `YYYY-MM-DD`)",
        ],
    );
    waiver(
        &format!("rule: R, fingerprint: f, {rest}"),
        &["2:13 OW0112 `fingerprint` already names one problem; `rule` and `path` have nothing to add"],
    );
    waiver(
        &format!("rule: R, path: 'src/**', {rest}"),
        &["2:28 OW0116 `src/**` is no path prefix (patterns are not supported; name a file or a folder)"],
    );
    let source = Source::new(
        "w",
        "schema: orch-waivers/v1\nwaivers: [{ rule: 1.10, owner: a, reason: b, expires: 2026-01-01 }]",
    );
    let waivers = parse_waivers(&source).0.unwrap();
    assert_eq!(waivers.waivers[0].covers, Covers::Rule { rule: "1.10".into(), path: None });
}

const MANIFEST: &str = "schema: orch-plugin/v1
name: orch/scan
version: 1.2.0
description: Looks for things.
license: Apache-2.0
tasks:
  scan:
    description: Scans.
    idempotent: true
    input: { type: object, additionalProperties: false }
  list: { description: Lists. }
permissions:
  fs: [{ mount: source, access: read, reason: to look }]
  env: [{ name: LEVEL, reason: to be told, optional: true }]
  artifacts: [{ name: report.json, reason: to tell }]
limits: { memory: 512MiB }
";

#[track_caller]
fn manifest(text: &str, expected: &[&str]) {
    let source = Source::new("plugin.yaml", text);
    let (manifest, found) = parse_manifest(&source);
    let brief: Vec<_> = found.iter().map(|problem| problem.brief(&source)).collect();
    assert_eq!(brief, expected, "\n{text}");
    assert_eq!(manifest.is_some(), found.is_empty());
}

#[test]
fn manifests() {
    manifest(MANIFEST, &[]);
    manifest(
        "schema: orch-plugin/v1",
        &[
            "1:1 OW0105 a plugin manifest needs the key `name`",
            "1:1 OW0105 a plugin manifest needs the key `version`",
            "1:1 OW0105 a plugin manifest needs the key `description`",
            "1:1 OW0105 a plugin manifest needs the key `license`",
            "1:1 OW0105 a plugin manifest needs the key `tasks`",
        ],
    );
    manifest(
        &MANIFEST.replace("1.2.0", "1.20"),
        &[
            "3:10 OW0104 `1.20` is no version: unexpected end of input while parsing minor version number (write three numbers, as in \
         `1.0.0`)",
        ],
    );
    manifest(&MANIFEST.replace(", reason: to look", ""), &["13:10 OW0105 an asked folder needs the key `reason`"]);
    manifest(&MANIFEST.replace("to tell", "' '"), &["15:44 OW0104 `reason` is empty"]);
    manifest(
        &MANIFEST.replace("type: object", "type: thing"),
        &[
            "10:12 OW0104 `input` is no valid JSON Schema: \"thing\" is not valid under any of the schemas listed in the 'anyOf' keyword",
        ],
    );
    manifest(&MANIFEST.replace("env:", "clock:"), &["14:3 OW0106 `clock` is not supported yet"]);
    let asking = |more: &str| MANIFEST.replace("permissions:", &format!("permissions:\n  {more}"));
    manifest(&asking("net: [{ host: '*', methods: [GET], reason: to look }]"), &[]);
    manifest(
        &asking("net: [{ host: a.example, addresses: [10.0.0.0/8], reason: x }]"),
        &[
            "13:28 OW0103 an asked connection has no key `addresses` (known: `scheme`, `host`, `ports`, `methods`, `paths`, `reason`, \
         `optional`)",
            "13:28 OW0112 which addresses a host has is nothing that a plugin knows (remove `addresses`: who runs the plugin grants \
         them)",
        ],
    );
    let secret = |more: &str| asking(&format!("secrets: [{{ name: t, reason: x, {more} }}]"));
    manifest(&secret("audience: [{ host: a.example }], inject: { header: Authorization }"), &[]);
    manifest(&secret("reveal: true"), &[]);
    let one_needs_the_other =
        "13:13 OW0112 `inject` says in which header a secret travels, and `audience` to whom: one needs the other";
    manifest(&secret("audience: [{ host: a.example }]"), &[one_needs_the_other]);
    manifest(&secret("inject: { header: Authorization }"), &[one_needs_the_other]);
    // For whom it is says the task then.
    manifest(&secret("audience: [{ host: '*' }], inject: { header: Authorization }"), &[]);
    manifest(&asking("exec: [{ alias: git, slots: [a, a], reason: x }]"), &["13:35 OW0112 `a` is there twice"]);
    manifest(&asking("kv: [{ bucket: seen, reason: x }]"), &["13:10 OW0105 an asked bucket needs the key `quota`"]);
    manifest(
        &MANIFEST.replace("tasks:", "task:").replace("  list", "  List"),
        &[
            "1:1 OW0105 a plugin manifest needs the key `tasks`",
            "6:1 OW0103 a plugin manifest has no key `task` (did you mean `tasks`? known: `schema`, `name`, `version`, `description`, \
         `license`, `component`, `tasks`, `permissions`, `limits`)",
        ],
    );
}

#[test]
fn a_manifest_is_completed_by_what_the_component_says() {
    let source = parse_manifest(&Source::new("plugin.yaml", MANIFEST)).0.unwrap();
    let schema = json!({ "type": "object" });
    let both = (schema.clone(), schema.clone());
    let described = BTreeMap::from([("scan".to_owned(), both.clone()), ("list".to_owned(), both.clone())]);
    let manifest = source.clone().complete(&described).unwrap();
    let tasks: Vec<_> = manifest.tasks.values().map(|task| &task.input).collect();
    assert_eq!(tasks, [&schema, &json!({ "type": "object", "additionalProperties": false })]);
    let error = |described: &[(&str, _)]| {
        let described =
            described.iter().map(|(name, both): &(&str, (_, _))| ((*name).to_owned(), both.clone())).collect();
        source.clone().complete(&described).unwrap_err()
    };
    assert_eq!(error(&[]), "the task `list` has no input schema, neither in plugin.yaml nor in the component");
    assert_eq!(error(&[("lost", both.clone())]), "the component has the task `lost`, which plugin.yaml does not name");
    let wrong = error(&[("list", (json!(3), schema.clone())), ("scan", both)]);
    assert!(wrong.starts_with("the input schema of the task `list` is not valid: "), "{wrong}");
}
