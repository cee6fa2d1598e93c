//! What a plugin asks for, as people are shown it: the difference when it asks for more, and where each rule of a task comes from.

use super::packages::{pack, publish};
use super::program::{Place, Ran};
use serde_json::{Value, json};

/// One of each kind, with the line that stands for it.
fn every_kind() -> [(&'static str, Value, &'static str); 7] {
    let rule = json!({ "scheme": "https", "host": "api.example.com", "ports": [], "methods": ["GET"], "paths": [], "addresses": [] });
    [
        ("fs", json!({ "mount": "source", "access": "read", "reason": "reason of fs" }), "fs source read"),
        ("net", json!({ "rule": rule, "reason": "reason of net" }), "net GET https://api.example.com"),
        ("env", json!({ "name": "BUILD_ID", "reason": "reason of env" }), "env BUILD_ID"),
        (
            "secrets",
            json!({ "name": "token", "audience": [rule], "header": "authorization", "reason": "reason of secrets" }),
            "secrets token to GET https://api.example.com in `authorization`",
        ),
        ("exec", json!({ "alias": "true", "slots": ["file"], "reason": "reason of exec" }), "exec true (file)"),
        ("kv", json!({ "bucket": "seen", "quota": "1MiB", "reason": "reason of kv" }), "kv seen 1MiB"),
        ("artifacts", json!({ "name": "report.json", "reason": "reason of artifacts" }), "artifacts report.json"),
    ]
}

fn all() -> Value {
    every_kind()
        .into_iter()
        .map(|(kind, ask, _)| (kind.to_owned(), json!([ask])))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

const WORKFLOW: &str = "schema: orch-wasm/v1
name: one-task
secrets: { chat: { from: env:CHAT } }
tasks:
  only:
    uses: acme/tool@^1
    permissions:
      fs: [{ mount: source, path: ./data, access: read }]
      net: [{ host: api.example.com, methods: [GET] }]
      env: [BUILD_ID]
      secrets: [{ name: token, from: chat }]
      exec: [{ alias: \"true\", program: /usr/bin/true, args: [\"-x\", \"{file}\"], slots: { file: text } }]
      kv: [{ bucket: seen }]
      artifacts: [report.json]
";

const POLICY: &str = "schema: orch-policy/v1
plugins:
  - plugins: \"acme/*\"
    fs: { allow: [{ path: ., access: write }] }
    net: { allow: [{ host: \"*.example.com\" }] }
    env: { allow: [\"BUILD_*\"] }
    secrets: { allow: [\"env:CHAT\"] }
    exec: { allow: [{ program: /usr/bin/true }] }
    kv: { quota: 2MiB }
    artifacts: true
";

fn place() -> Place {
    let place = Place::new();
    place.write("data/file", "");
    place.write("workflow.yaml", WORKFLOW);
    place.write("policy.yaml", POLICY);
    place
}

#[track_caller]
fn run(place: &Place, arguments: &[&str]) -> Ran {
    let mut command = place.command(arguments);
    command.env("CHAT", "chat-canary-9a7e").env("BUILD_ID", "17");
    Ran::of(command)
}

#[test]
fn an_update_names_what_it_asks_for_in_addition() {
    for (kind, ask, line) in every_kind() {
        let place = place();
        publish(&place, &pack("acme/tool", "1.0.0", json!({})));
        run(&place, &["lock"]).exits(0);
        let locked = place.read("orch-wasm.lock");
        publish(&place, &pack("acme/tool", "1.1.0", json!({ kind: [ask] })));
        let message = format!("`acme/tool 1.1.0` asks for more than 1.0.0 did: {line}\n");
        run(&place, &["lock", "--update"]).refused("OW0210", &[&message, "orch-wasm lock --accept"]);
        assert_eq!(place.read("orch-wasm.lock"), locked, "{kind}");
        // The reasons, where the help of that error sends people.
        let inspected = run(&place, &["plugin", "inspect", "acme/tool@=1.1.0"]);
        inspected.exits(0).says_out(&format!("\nAsks for\n  {line}: reason of {kind}\n\n"));
        run(&place, &["lock", "--accept"]).exits(0).says(&format!("which now asks for: {line}\n"));
        assert_ne!(place.read("orch-wasm.lock"), locked, "{kind}");
    }
}

/// Each rule with what the three said, and where the policy says it.
const ORIGINS: [[&str; 4]; 7] = [
    ["fs source read", "read (reason of fs)", "PLACE/data read", "PLACE write by policy.yaml:4"],
    [
        "net GET https://api.example.com",
        "GET https://api.example.com (reason of net)",
        "GET https://api.example.com",
        "*.example.com by policy.yaml:5",
    ],
    ["env BUILD_ID", "read (reason of env)", "granted", "yes by policy.yaml:6"],
    [
        "secrets token",
        "to GET https://api.example.com in `authorization` (reason of secrets)",
        "chat (env:CHAT)",
        "yes by policy.yaml:7",
    ],
    ["exec true", "run with file (reason of exec)", "/usr/bin/true -x {file}", "/usr/bin/true by policy.yaml:8"],
    ["kv seen", "1MiB (reason of kv)", "1MiB", "2MiB by policy.yaml:9"],
    ["artifacts report.json", "store (reason of artifacts)", "granted", "yes by policy.yaml:10"],
];

#[test]
fn plan_and_explain_say_where_each_rule_comes_from() {
    let place = place();
    publish(&place, &pack("acme/tool", "1.0.0", all()));
    let work = place.work();
    let explained = |ran: &Ran| {
        for [rule, asked, granted, allowed] in ORIGINS {
            let block =
                format!("  {rule}  granted\n    asked     {asked}\n    workflow  {granted}\n    policy    {allowed}\n");
            ran.exits(0).says_out(&block.replace("PLACE", work.to_str().unwrap()));
        }
    };
    explained(&run(&place, &["plan"]));
    run(&place, &["run"]).exits(0);
    explained(&run(&place, &["explain", "latest", "only"]));
    // Without a policy file it is the built-in one, which has no lines; programs are not among what it allows.
    std::fs::remove_file(place.path("policy.yaml")).unwrap();
    run(&place, &["plan"]).refused("OW0301", &["the built-in policy does not allow `/usr/bin/true` to be run"]);
}
