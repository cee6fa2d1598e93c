//! The same through the program: the policy file says how the network is reached and what is only counted, and a run that goes on
//! later keeps to what it began with.

use super::dns::{Dns, Record};
use super::sinks::Sink;
use crate::cli::packages::{manifest, publish};
use crate::cli::program::{Place, Ran};
use orch_registry::package;
use serde_json::{Value, json};

const SECRET: &str = "hunter2-value-of-it";

/// A place with the guest for networks, which asks for every host and may carry `token` to `api.test`.
fn place(dns: &Dns, policy: &str) -> Place {
    let guest = orch_tests::net();
    // Nothing in it changes from test to test, so it is compiled once.
    let anywhere = json!({ "scheme": "http", "host": "*" });
    let mut manifest = manifest(
        "test/net",
        "1.0.0",
        json!({
            "net": [{ "rule": anywhere, "reason": "to try" }],
            "secrets": [{
                "name": "token", "audience": [{ "scheme": "http", "host": "api.test" }],
                "header": "authorization", "reason": "to try", "optional": true,
            }],
        }),
    );
    let mut task = manifest.tasks.pop_first().unwrap().1;
    (task.input, task.output) = (json!(true), json!(true));
    manifest.tasks = guest.tasks.iter().map(|name| (name.as_str().try_into().unwrap(), task.clone())).collect();
    let place = Place::new().with_shared_cache();
    publish(&place, &package::embed(&guest.bytes, &manifest).unwrap());
    let signer = place.read("policy.yaml").split("signers: [").nth(1).unwrap()[..18].to_owned();
    let text = format!(
        "schema: orch-policy/v1\ntrust: [{{ plugins: \"*\", signers: [{signer}] }}]\n\
         network: {{ name-servers: [\"{}\"] }}\n{policy}",
        dns.address
    );
    place.write("policy.yaml", text);
    place
}

/// A workflow whose task makes one request to `host` with the placeholder of `token`.
fn calling(place: &Place, sink: &Sink, host: &str) {
    let port = sink.address.port();
    let rule = |host: &str| format!("{{ scheme: http, host: {host}, ports: [{port}], addresses: [127.0.0.0/8] }}");
    let (api, other) = (rule("api.test"), rule("other.test"));
    place.write(
        "workflow.yaml",
        format!(
            "schema: orch-wasm/v1\nname: calls\nsecrets: {{ token: {{ from: \"env:TOKEN\" }} }}\ntasks:\n  call:\n    \
             uses: test/net/http@^1\n    permissions:\n      net: [{api}, {other}]\n      \
             secrets: [{{ name: token, from: token }}]\n    with:\n      secret: token\n      requests:\n        \
             - {{ scheme: http, authority: \"{host}:{port}\", path: /, headers: [[authorization, PLACEHOLDER]] }}\n"
        ),
    );
}

fn names() -> Dns {
    Dns::new(|_| vec![Record::Address("127.0.0.1".parse().unwrap())])
}

fn run(place: &Place, arguments: &[&str]) -> Ran {
    let mut command = place.command(arguments);
    command.env("TOKEN", SECRET);
    Ran::of(command)
}

fn event<'a>(log: &'a [Value], kind: &str) -> &'a Value {
    log.iter().map(|line| &line["event"]).find(|event| event["type"] == kind).unwrap_or(&Value::Null)
}

/// Allows every request to loopback, and the secret.
fn block(mode: &str) -> String {
    format!(
        "plugins:\n  - plugins: \"*\"\n    mode: {mode}\n    secrets: {{ allow: [\"env:TOKEN\"] }}\n    \
         net: {{ allow: [{{ scheme: http, host: \"*\", addresses: [127.0.0.0/8] }}] }}\n"
    )
}

#[test]
fn the_policy_s_name_servers_are_asked_and_a_secret_arrives() {
    let (sink, dns) = (Sink::new("127.0.0.1:0"), names());
    let place = place(&dns, &block("enforce"));
    calling(&place, &sink, "api.test");
    let ran = run(&place, &["run", "--format", "json"]);
    let log = ran.exits(0).lines();
    assert_eq!(sink.hits(), 1, "{ran}");
    assert!(sink.seen()[0].contains(&format!("authorization: {SECRET}\r\n")), "{:?}", sink.seen());
    assert!(!dns.asked().is_empty(), "the system's name servers know no such host");
    assert!(!format!("{ran}{log:?}").contains(SECRET));
}

#[test]
fn n11_a_secret_does_not_leave_for_another_host_that_is_allowed() {
    let (sink, dns) = (Sink::new("127.0.0.1:0"), names());
    let place = place(&dns, &block("enforce"));
    calling(&place, &sink, "other.test");
    let ran = run(&place, &["run", "--format", "json"]);
    let refused = event(&ran.lines(), "task-refused").clone();
    assert!(refused["refusal"]["reason"].as_str().is_some_and(|reason| reason.contains("`token` is for")), "{ran}");
    assert_eq!(sink.hits(), 0);
}

#[test]
fn what_a_policy_refuses_is_refused_and_what_it_counts_is_counted() {
    for (mode, hits) in [("enforce", 0), ("count", 1)] {
        let (sink, dns) = (Sink::new("127.0.0.1:0"), names());
        let policy = block(mode).replace("] }] }\n", "] }], deny: [{ host: api.test }] }\n");
        let place = place(&dns, &policy);
        calling(&place, &sink, "api.test");
        let ran = run(&place, &["run", "--format", "json"]);
        assert_eq!(sink.hits(), hits, "{mode}: {ran}");
        if mode == "enforce" {
            ran.fails(2, "OW0301", &["the policy refused", "denies"]);
            continue;
        }
        let log = ran.exits(0).lines();
        let refused = &event(&log, "task-refused")["refusal"];
        assert_eq!((&refused["counted"], &refused["by"]), (&json!(true), &json!("policy")), "{ran}");
    }
}

#[test]
fn d9_a_run_that_goes_on_reaches_the_network_as_it_did() {
    let (sink, dns) = (Sink::new("127.0.0.1:0"), names());
    let place = place(&dns, &block("enforce"));
    calling(&place, &sink, "api.test");
    place.replace("workflow.yaml", "    uses:", "    needs: ask\n    uses:");
    let text = place.read("workflow.yaml") + "  ask: { approval: { prompt: go } }\n";
    place.write("workflow.yaml", text);
    let waiting = run(&place, &["run", "--format", "json"]);
    assert_eq!(sink.hits(), 0, "{waiting}");
    for policy in ["schema: [", "schema: orch-policy/v1\nnetwork: { name-servers: [\"127.0.0.1:1\"] }\n"] {
        place.write("policy.yaml", policy);
        let resumed = run(&place, &["resume"]);
        assert!(!resumed.stderr.contains("policy"), "{resumed}");
    }
    run(&place, &["approve", "latest", "ask"]).exits(0);
    let resumed = run(&place, &["resume"]);
    assert_eq!((resumed.code, sink.hits()), (0, 1), "{resumed}");
}
