//! Rules, requests and what comes of them.

use super::dns::Dns;
use orch_core::{NetRule, NetworkOptions, RefusedBy, Scheme};
use orch_tests::{Call, Ended, Sandbox, net};
use serde_json::{Value, json};

/// A rule for a host with all of loopback as addresses that it may have.
pub(super) fn rule(scheme: Scheme, host: &str) -> NetRule {
    NetRule { addresses: vec!["127.0.0.0/8".try_into().unwrap(), "::1".try_into().unwrap()], ..plain(scheme, host) }
}

/// A rule without special addresses.
pub(super) fn plain(scheme: Scheme, host: &str) -> NetRule {
    NetRule {
        scheme: Some(scheme),
        host: host.try_into().unwrap(),
        ports: Vec::new(),
        methods: Vec::new(),
        paths: Vec::new(),
        addresses: Vec::new(),
    }
}

/// A sandbox whose names come from a server of the test.
pub(super) fn asking(dns: &Dns) -> Sandbox {
    Sandbox::with_network(NetworkOptions { name_servers: vec![dns.address], ..NetworkOptions::default() })
}

/// A `GET` of a path over plain HTTP.
pub(super) fn get(authority: &str, path: &str) -> Value {
    json!({ "scheme": "http", "authority": authority, "path": path })
}

/// A call that makes one request.
pub(super) fn one(request: Value) -> Call {
    Call::new("http", json!({ "requests": [request] }))
}

/// Runs a call of the guest for networks.
#[track_caller]
pub(super) fn run(sandbox: &Sandbox, call: Call) -> Ended {
    sandbox.run(&net(), call)
}

/// The first answer.
#[track_caller]
pub(super) fn first(ended: &Ended) -> &Value {
    &ended.output()[0]
}

/// The guest got an answer with this body.
#[track_caller]
pub(super) fn said(ended: &Ended, body: &str) {
    let answer = first(ended);
    assert_eq!(
        (&answer["status"], &answer["body"], &answer["end"]),
        (&json!(200), &json!(body), &json!("closed")),
        "{answer}; {:?}",
        ended.seen.refused
    );
}

/// The guest got an error, and the refusal names who refuses.
#[track_caller]
pub(super) fn refused(ended: &Ended, error: &str, by: RefusedBy) {
    failed(ended, error);
    let refusals = ended.refusals("net");
    assert!(refusals.iter().any(|refusal| refusal.by == by && !refusal.counted), "{refusals:?}");
}

/// The guest got an error.
#[track_caller]
pub(super) fn failed(ended: &Ended, error: &str) {
    let answer = first(ended);
    assert!(answer["error"].as_str().is_some_and(|text| text.contains(error)), "{error}: {answer}");
}
