//! What is on the wire, byte by byte: N9, N13, N14 and dry runs.

use super::kit::{failed, first, get, one, plain, refused, rule, run, said};
use super::sinks::{Sink, ended as has_ended, read};
use orch_core::{RefusedBy, Scheme};
use orch_tests::{Sandbox, marker, rerun_all, this_program};
use serde_json::{Value, json};
use std::io::Write as _;
use std::sync::mpsc;

fn posting(sink: &Sink, headers: Value, body: Value) -> orch_tests::Call {
    let request = json!({ "scheme": "http", "method": "POST", "authority": sink.authority(), "path": "/", "headers": headers, "body": body });
    one(request).reach(&rule(Scheme::Http, "127.0.0.1"))
}

#[test]
fn n9_proxies_of_the_environment_are_ignored() {
    let sink = Sink::new("127.0.0.1:0");
    if marker("PROXIED").is_some() {
        assert!(std::env::vars().any(|(name, _)| name == "HTTP_PROXY"));
        let ended = run(&Sandbox::new(), one(get(&sink.authority(), "/")).reach(&rule(Scheme::Http, "127.0.0.1")));
        said(&ended, "ok");
        assert_eq!(sink.hits(), 1);
        return;
    }
    let proxy = Sink::new("127.0.0.1:0");
    let program = this_program();
    rerun_all("network::wire::n9_", 1, program.to_str().unwrap(), &[], |command| {
        for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
            command.env(name, format!("http://{}", proxy.authority()));
        }
        command.env("ORCH_TESTS_PROXIED", "1").env("ORCH_TESTS_PROGRAMS", orch_tests::program(""));
    });
    assert_eq!(proxy.hits(), 0);
}

#[test]
fn n13_framing_fields_are_ours() {
    let (sandbox, sink) = (Sandbox::new(), Sink::new("127.0.0.1:0"));
    for (name, value) in [
        ("Host", "evil.test"),
        ("Connection", "keep-alive"),
        ("Keep-Alive", "5"),
        ("Transfer-Encoding", "chunked"),
        ("Upgrade", "websocket"),
        ("TE", "trailers"),
        ("Trailer", "x"),
        ("Proxy-Authorization", "x"),
        ("Proxy-Connection", "x"),
        ("Expect", "100-continue"),
        ("Content-Length", "+3"),
        ("X", "a\r\nHost: evil.test"),
        ("X", "a\nb"),
        ("X", "a\0b"),
        ("X\r\nHost", "evil.test"),
        ("X Y", "a"),
        ("X:", "a"),
    ] {
        let ended = run(&sandbox, posting(&sink, json!([[name, value]]), json!({ "chunks": ["abc"] })));
        assert!(first(&ended)["error"].is_string(), "{name}: {value:?}: {}", first(&ended));
    }
    let twice = json!([["content-length", "3"], ["content-length", "3"]]);
    assert!(first(&run(&sandbox, posting(&sink, twice, json!({ "chunks": ["abc"] }))))["error"].is_string());
    assert_eq!(sink.hits(), 0);

    let fields = json!([["content-length", "3"], ["x-mine", "yes"]]);
    let ended = run(&sandbox, posting(&sink, fields, json!({ "chunks": ["a", "bc"] })));
    said(&ended, "ok");
    let expected = format!(
        "POST / HTTP/1.1\r\nx-mine: yes\r\nhost: {}\r\nconnection: close\r\ncontent-length: 3\r\n\r\nabc",
        sink.authority()
    );
    assert_eq!(sink.seen(), [expected]);
}

#[test]
fn n13_a_body_of_unknown_length_is_chunked_and_trailers_are_not_sent() {
    let (sandbox, sink) = (Sandbox::new(), Sink::new("127.0.0.1:0"));
    said(&run(&sandbox, posting(&sink, json!([]), json!({ "chunks": ["abc", "de"] }))), "ok");
    assert!(sink.seen()[0].ends_with("\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"), "{:?}", sink.seen());
    let body = json!({ "chunks": ["abc"], "trailers": [["x-late", "secret"]] });
    run(&sandbox, posting(&sink, json!([]), body));
    assert!(!sink.seen().iter().any(|seen| seen.contains("secret")), "{:?}", sink.seen());
    assert!(!sink.seen().iter().skip(1).any(|seen| seen.ends_with("0\r\n\r\n")), "{:?}", sink.seen());
}

/// A server that says what it got and that its connection has ended, without ever answering.
fn silent() -> (Sink, mpsc::Receiver<(String, bool)>) {
    let (tell, told) = mpsc::channel();
    let sink = Sink::with("127.0.0.1:0", move |stream, request| {
        let ended = has_ended(stream);
        drop(tell.send((request.to_owned(), ended)));
    });
    (sink, told)
}

#[test]
fn n14_bodies_are_as_long_as_declared() {
    let sandbox = Sandbox::new();
    for (declared, body) in [
        ("5", json!({ "chunks": ["abc"] })),
        ("5", json!({ "chunks": [] })),
        ("5", json!({ "chunks": ["abcdefgh"] })),
        ("5", json!({ "chunks": ["abcde", "f"] })),
        ("5", json!({ "chunks": ["abcde"], "drop": true })),
    ] {
        let (sink, told) = silent();
        let ended = run(&sandbox, posting(&sink, json!([["content-length", declared]]), body.clone()));
        failed(&ended, "HttpRequestBodySize");
        drop(ended);
        // Nobody may have connected at all; whoever did never got a complete request, and was hung up on.
        if sink.hits() > 0 {
            let (request, ended) = told.recv().unwrap();
            assert!(ended, "{body}: the connection stays open");
            let got = request.split_once("\r\n\r\n").map_or("", |(_, body)| body);
            assert!(got.len() < 5, "{body}: a complete request arrived: {request:?}");
        }
    }
    let (sink, told) = silent();
    let call = posting(&sink, json!([]), json!({ "chunks": ["abc"], "drop": true }));
    failed(&run(&sandbox, call), "HttpRequestBodySize");
    if sink.hits() > 0 {
        let (request, ended) = told.recv().unwrap();
        assert!(ended && !request.ends_with("0\r\n\r\n"), "{request:?}");
    }
    let sink = Sink::new("127.0.0.1:0");
    said(&run(&sandbox, posting(&sink, json!([["content-length", "5"]]), json!({ "chunks": ["ab", "cde"] }))), "ok");
    assert!(sink.seen()[0].ends_with("\r\n\r\nabcde"));
    let ended = run(&sandbox, posting(&sink, json!([["content-length", "5"]]), Value::Null));
    failed(&ended, "HttpRequestBodySize");
    assert_eq!(sink.hits(), 1);
}

#[test]
fn dry_runs_only_look() {
    let (sandbox, sink) = (Sandbox::new(), Sink::new("127.0.0.1:0"));
    let granted = rule(Scheme::Http, "127.0.0.1");
    let call = |method: &str| {
        let request = json!({ "scheme": "http", "method": method, "authority": sink.authority(), "path": "/" });
        one(request).reach(&granted).dry_run()
    };
    for method in ["POST", "PUT", "DELETE", "PATCH"] {
        let ended = run(&sandbox, call(method));
        refused(&ended, "HttpRequestDenied", RefusedBy::Engine);
        assert!(ended.refusals("net")[0].reason.contains("dry run"));
    }
    for method in ["CONNECT", "TRACE", "get"] {
        failed(&run(&sandbox, call(method)), "HttpRequestMethodInvalid");
    }
    assert_eq!(sink.hits(), 0);
    for method in ["GET", "OPTIONS"] {
        said(&run(&sandbox, call(method)), "ok");
    }
    assert_eq!(sink.hits(), 2);
    let steps = json!({ "steps": [{ "do": "tcp", "address": sink.authority() }] });
    let raw = orch_tests::Call::new("raw", steps).reach(&plain(Scheme::Tcp, "127.0.0.1")).dry_run();
    assert!(!sandbox.run(&orch_tests::net(), raw).output()[0].as_str().unwrap().starts_with("ok"));
    assert_eq!(sink.hits(), 2);
}

#[test]
fn answers_come_as_they_are() {
    // Compressed bytes stay compressed, however large they would become.
    let sink = Sink::with("127.0.0.1:0", |stream, _| {
        let head = "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\nx-mine: yes\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n";
        drop(stream.write_all(format!("{head}3\r\nabc\r\n0\r\nx-late: 1\r\n\r\n").as_bytes()));
        let _rest = read(stream);
    });
    let sandbox = Sandbox::new();
    let ended = run(&sandbox, one(get(&sink.authority(), "/")).reach(&rule(Scheme::Http, "127.0.0.1")));
    said(&ended, "abc");
    let fields = &first(&ended)["headers"];
    assert_eq!((&fields["content-encoding"], &fields["x-mine"]), (&json!("gzip"), &json!("yes")));
    assert_eq!((&fields["connection"], &fields["transfer-encoding"]), (&Value::Null, &Value::Null));
}
