//! Redirects are answers: where they lead is decided anew when the guest goes there (N6, N11).

use super::kit::{rule, run};
use super::sinks::Sink;
use orch_core::Scheme;
use orch_tests::{Call, Sandbox};
use serde_json::{Value, json};

fn follow(sink: &Sink, hops: u64) -> Call {
    let headers = json!([["authorization", "Bearer secret"], ["cookie", "a=b"]]);
    let request = json!({ "scheme": "http", "authority": sink.authority(), "path": "/", "headers": headers });
    Call::new("http", json!({ "requests": [request], "follow": hops })).reach(&rule(Scheme::Http, "127.0.0.1"))
}

fn redirecting(status: u16, to: &str) -> Sink {
    Sink::saying("127.0.0.1:0", &format!("HTTP/1.1 {status} Moved\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n"))
}

#[test]
fn n6_redirects_are_not_followed() {
    let sandbox = Sandbox::new();
    for status in [301, 302, 303, 307, 308] {
        let target = Sink::new("127.0.0.1:0");
        let first = redirecting(status, &format!("http://{}/", target.authority()));
        let ended = run(&sandbox, follow(&first, 0));
        assert_eq!(ended.output()[0]["status"], status);
        assert_eq!((first.hits(), target.hits()), (1, 0));
        // A guest that goes there by itself may: the same grant is about both.
        let ended = run(&sandbox, follow(&first, 1));
        assert_eq!(ended.output()[1]["body"], "ok");
        assert_eq!((first.hits(), target.hits()), (2, 1));
    }
}

#[test]
fn n6_hops_are_decided_anew() {
    let sandbox = Sandbox::new();
    let forbidden = Sink::new("127.0.0.2:0");
    for to in [
        format!("http://{}/", forbidden.authority()),
        format!("https://127.0.0.1:{}/", forbidden.address.port()),
        format!("http://127.0.0.1@{}/", forbidden.authority()),
        "http://169.254.169.254/latest".to_owned(),
        "file:///etc/passwd".to_owned(),
        "gopher://127.0.0.1/".to_owned(),
    ] {
        let first = redirecting(302, &to);
        let ended = run(&sandbox, follow(&first, 3));
        let error = &ended.output()[1]["error"];
        assert!(error.is_string(), "{to}: {}", ended.output());
        assert_eq!((first.hits(), forbidden.hits()), (1, 0), "{to}");
    }
}

#[test]
fn n6_loops_end_with_the_guest_or_its_limit() {
    let sandbox = Sandbox::new();
    let again = redirecting(302, "/");
    let ended = run(&sandbox, follow(&again, 50));
    assert_eq!((ended.output().as_array().map(Vec::len), again.hits()), (Some(51), 51));
    let ended = run(&sandbox, follow(&again, 50).limits(|limits| limits.requests = 5));
    assert_eq!(ended.limit(), ("requests", "5"));
    assert_eq!(again.hits(), 56);
}

#[test]
fn n11_what_a_guest_carries_leaves_only_for_granted_hosts() {
    let sandbox = Sandbox::new();
    let stranger = Sink::new("127.0.0.2:0");
    let home = redirecting(307, &format!("http://{}/steal", stranger.authority()));
    let ended = run(&sandbox, follow(&home, 1));
    assert_eq!((home.hits(), stranger.hits()), (1, 0));
    assert!(home.seen()[0].contains("authorization: Bearer secret"), "{:?}", home.seen());
    let refusal = &ended.refusals("net")[0];
    assert_eq!(refusal.target, format!("GET http://{}/steal", stranger.authority()));
    assert_ne!(ended.output()[1]["error"], Value::Null);
}
