//! A guest's placeholder on its way to a listener: the value arrives where it was granted, and nowhere else does anything arrive (N11).

use super::kit::{first, get, plain, refused, rule, run, said};
use super::sinks::Sink;
use orch_core::{NetRule, RefusedBy, Scheme};
use orch_tests::{Call, Ended, Sandbox};
use serde_json::{Value, json};

const SECRET: &str = "hunter2-value-of-it";

/// Whom the secret is for: only this sink, though the guest may talk to all of loopback.
fn audience(home: &Sink) -> NetRule {
    NetRule {
        ports: vec![home.address.port()],
        methods: vec!["POST".try_into().unwrap()],
        paths: vec!["/v1/*".try_into().unwrap()],
        ..plain(Scheme::Http, "127.0.0.1")
    }
}

fn to(sink: &Sink, headers: &[(&str, &str)]) -> Value {
    json!({ "scheme": "http", "authority": sink.authority(), "path": "/v1/issues", "method": "POST", "headers": headers })
}

fn call(home: &Sink, request: &Value) -> Call {
    Call::new("http", json!({ "secret": "token", "requests": [request] }))
        .reach(&rule(Scheme::Http, "127.0.0.1"))
        .reach(&rule(Scheme::Http, "127.0.0.2"))
        .secret("token", SECRET)
        .in_header("authorization", audience(home))
}

/// What the guest gets to know holds no value.
#[track_caller]
fn unseen(ended: &Ended) {
    assert!(!format!("{ended:?}").contains(SECRET), "{ended:?}");
}

#[test]
fn n11_a_placeholder_becomes_its_value_on_the_way_to_its_audience() {
    let sandbox = Sandbox::new();
    let home = Sink::new("127.0.0.1:0");
    let ended = run(&sandbox, call(&home, &to(&home, &[("authorization", "Bearer PLACEHOLDER"), ("x-a", "b")])));
    said(&ended, "ok");
    let seen = home.seen().remove(0);
    assert!(seen.contains(&format!("authorization: Bearer {SECRET}\r\n")), "{seen}");
    assert!(seen.contains("x-a: b") && !seen.contains("orch-secret-"), "{seen}");
    let used = format!("net {}", rule(Scheme::Http, "127.0.0.1"));
    assert!(ended.usage.used.contains(&"secrets token".to_owned()) && ended.usage.used.contains(&used), "{ended:?}");
    assert!(!ended.usage.tainted);
    unseen(&ended);
}

#[test]
fn n11_a_server_that_sends_the_value_back_does_not_show_it() {
    let sandbox = Sandbox::new();
    let home = Sink::with("127.0.0.1:0", |stream, request| {
        let length = request.len();
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{request}");
        drop(std::io::Write::write_all(stream, answer.as_bytes()));
    });
    let ended = run(&sandbox, call(&home, &to(&home, &[("authorization", "Bearer PLACEHOLDER")])));
    assert!(first(&ended)["body"].as_str().unwrap().contains("authorization: Bearer ***"), "{ended:?}");
    unseen(&ended);
}

#[test]
fn n11_a_placeholder_counts_nowhere_else() {
    let sandbox = Sandbox::new();
    let home = Sink::new("127.0.0.1:0");
    let stranger = Sink::new("127.0.0.2:0");
    let granted = [("authorization", "Bearer PLACEHOLDER")];
    let with = |change: Value| {
        let mut request = to(&home, &[]);
        request.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        request
    };
    for (what, request) in [
        ("another host", to(&stranger, &granted)),
        ("another method", with(json!({ "method": "PUT", "headers": granted }))),
        ("another path", with(json!({ "path": "/v2/issues", "headers": granted }))),
        ("another header", to(&home, &[("x-token", "PLACEHOLDER")])),
        ("the name of a header", to(&home, &[("PLACEHOLDER", "x")])),
        ("the path", with(json!({ "path": "/v1/PLACEHOLDER" }))),
        ("the query", with(json!({ "path": "/v1/x?token=PLACEHOLDER" }))),
        ("the body", with(json!({ "body": { "chunks": ["PLACEHOLDER"] } }))),
        ("a body in pieces", with(json!({ "body": { "chunks": ["say PLACEHOLDER"], "piece": 7 } }))),
    ] {
        let ended = run(&sandbox, call(&home, &request));
        refused(&ended, "", RefusedBy::Plugin);
        for sink in [&home, &stranger] {
            let seen = sink.seen().concat();
            assert!(!seen.contains(SECRET) && !seen.contains("orch-secret-"), "{what}: {seen}");
        }
        unseen(&ended);
    }
    assert_eq!(stranger.hits(), 0);
    let fix = |request: &Value| run(&sandbox, call(&home, request)).refusals("net")[0].fix.clone();
    let line = fix(&to(&stranger, &granted)).unwrap();
    let rule = format!("audience: [{{ scheme: http, host: 127.0.0.2, ports: [{}]", stranger.address.port());
    assert!(
        line.starts_with("in plugin.yaml: permissions: { secrets: [{ name: token, ") && line.contains(&rule),
        "{line}"
    );
    let line = fix(&to(&home, &[("x-token", "PLACEHOLDER")])).unwrap();
    assert!(line.contains("name: token, inject: { header: x-token }"), "{line}");
    // Only what was found to be wrong while a body was on its way can have begun.
    assert!(home.seen().iter().all(|seen| !seen.contains("0\r\n\r\n")), "{:?}", home.seen());
}

#[test]
fn n11_a_value_that_was_seen_goes_to_its_audience_only() {
    let sandbox = Sandbox::new();
    let home = Sink::new("127.0.0.1:0");
    let stranger = Sink::new("127.0.0.2:0");
    let body = |sink: &Sink, piece: u64| {
        let mut request = to(sink, &[]);
        request["body"] = json!({ "chunks": ["token=REVEALED"], "piece": piece });
        request
    };
    let ended = run(&sandbox, call(&home, &body(&home, 5)).revealed());
    said(&ended, "ok");
    // In chunks, as the guest wrote it.
    let sent: String =
        home.seen()[0].split("\r\n\r\n").skip(1).flat_map(|body| body.split("\r\n").skip(1).step_by(2)).collect();
    assert_eq!((sent.as_str(), ended.usage.tainted), (&*format!("token={SECRET}"), true), "{:?}", home.seen());
    for piece in [5, 4096] {
        let ended = run(&sandbox, call(&home, &body(&stranger, piece)).revealed());
        refused(&ended, "", RefusedBy::Engine);
        assert!(stranger.seen().iter().all(|seen| !seen.contains("hunter2")), "{:?}", stranger.seen());
    }
    let ended = run(&sandbox, call(&home, &to(&stranger, &[("x-token", "REVEALED")])).revealed());
    refused(&ended, "", RefusedBy::Engine);
    // Not granted to be seen, the guest has nothing that it could put.
    let ended = run(&sandbox, call(&home, &body(&home, 4096)));
    assert_eq!(ended.refusals("secrets")[0].target, "token revealed");
    assert!(home.seen().iter().skip(1).all(|seen| !seen.contains("hunter2")), "{:?}", home.seen());
}

#[test]
fn n11_without_a_placeholder_nothing_is_added() {
    let sandbox = Sandbox::new();
    let home = Sink::new("127.0.0.1:0");
    let ended = run(&sandbox, call(&home, &get(&home.authority(), "/v1/x")));
    said(&ended, "ok");
    assert!(!home.seen()[0].contains("authorization"), "{:?}", home.seen());
}
