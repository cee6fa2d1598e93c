//! How much may be sent and received, and how fast it ends (N15, S11).

use super::kit::{first, get, one, rule, run, said};
use super::sinks::{Sink, ended as has_ended};
use orch_core::{FailureKind, Scheme, Size};
use orch_tests::{Call, Sandbox, net};
use serde_json::json;
use std::io::Write as _;
use std::sync::mpsc;
use std::time::Duration;

#[test]
fn requests_are_counted() {
    let (sandbox, sink) = (Sandbox::new(), Sink::new("127.0.0.1:0"));
    let mut request = get(&sink.authority(), "/");
    request["times"] = json!(10);
    let call = |most| {
        let call = Call::new("http", json!({ "requests": [request.clone()] })).reach(&rule(Scheme::Http, "127.0.0.1"));
        call.limits(|limits| limits.requests = most)
    };
    run(&sandbox, call(10)).output();
    assert_eq!(sink.hits(), 10);
    let ended = run(&sandbox, call(9));
    assert_eq!(ended.limit(), ("requests", "9"));
    assert!(ended.failure().fix.as_deref().unwrap().contains("requests"));
    assert_eq!(sink.hits(), 19);
}

#[test]
fn bytes_are_counted_both_ways() {
    let sandbox = Sandbox::new();
    let traffic = |call: Call, bytes| call.limits(|limits| limits.traffic = Size::from_bytes(bytes));
    let body = "x".repeat(100_000);
    let large = Sink::saying("127.0.0.1:0", &format!("HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n{body}"));
    let download = || one(get(&large.authority(), "/")).reach(&rule(Scheme::Http, "127.0.0.1"));
    assert_eq!(first(&run(&sandbox, traffic(download(), 101_000)))["bytes"], 100_000);
    let ended = run(&sandbox, traffic(download(), 100_000));
    assert_eq!(ended.limit().0, "traffic");

    let sink = Sink::new("127.0.0.1:0");
    let upload = |bytes: u64| {
        let headers = json!([["content-length", bytes.to_string()]]);
        let request = json!({ "scheme": "http", "method": "POST", "authority": sink.authority(), "path": "/", "headers": headers, "body": { "bytes": bytes } });
        one(request).reach(&rule(Scheme::Http, "127.0.0.1"))
    };
    said(&run(&sandbox, traffic(upload(40_960), 50_000)), "ok");
    let ended = run(&sandbox, traffic(upload(409_600), 50_000));
    assert_eq!(ended.limit().0, "traffic");
    let arrived = sink.seen().last().unwrap().len();
    assert!(arrived <= 50_000, "{arrived}");
}

#[test]
fn n15_too_many_or_too_large_fields() {
    let (sandbox, sink) = (Sandbox::new(), Sink::new("127.0.0.1:0"));
    let call = |fields: u64, size: usize| {
        let mut request = get(&sink.authority(), "/");
        request["fields"] = json!(fields);
        request["headers"] = json!([["x-large", "x".repeat(size)]]);
        one(request).reach(&rule(Scheme::Http, "127.0.0.1"))
    };
    said(&run(&sandbox, call(100, 10_000)), "ok");
    assert_eq!(sink.hits(), 1);
    for (fields, size) in [(100_000, 1), (1, 1 << 20), (1, 64 << 10)] {
        let ended = run(&sandbox, call(fields, size));
        assert!(ended.trap().contains("total size of fields exceeds limit"), "{}", ended.trap());
    }
    assert_eq!(sink.hits(), 1);
}

#[test]
fn n15_answers_with_too_many_or_too_large_fields() {
    let sandbox = Sandbox::new();
    let check = |head: String, expected: &str| {
        let sink = Sink::with("127.0.0.1:0", move |stream, _| drop(stream.write_all(head.as_bytes())));
        let mut request = get(&sink.authority(), "/");
        request["trailers"] = json!(true);
        let ended = run(&sandbox, one(request).reach(&rule(Scheme::Http, "127.0.0.1")));
        assert!(first(&ended).to_string().contains(expected), "{expected}: {}", first(&ended));
    };
    let fields = |count: usize, size: usize| {
        let value = "x".repeat(size);
        (0..count).map(|number| format!("x-{number}: {value}\r\n")).collect::<String>()
    };
    let answer = |fields: String| format!("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n{fields}\r\nok");
    check(answer(fields(500, 10)), "\"status\":200");
    check(answer(fields(100_000, 1)), "HttpResponseHeaderSectionSize");
    check(answer(fields(1, 1 << 20)), "HttpResponseHeaderSectionSize");
    let trailers =
        |fields: String| format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n{fields}\r\n");
    check(trailers(fields(10, 10)), "\"end\":\"closed;");
    check(trailers(fields(100_000, 1)), "connection terminated");
}

/// A server that answers with the beginning of a body and then says nothing; it tells when its guest has gone.
fn stalling(begin: &'static str) -> (Sink, mpsc::Receiver<bool>) {
    let (tell, told) = mpsc::channel();
    let sink = Sink::with("127.0.0.1:0", move |stream, _| {
        drop(stream.write_all(begin.as_bytes()));
        let _nobody_may_ask = tell.send(has_ended(stream));
    });
    (sink, told)
}

const HALF: &str = "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nhalf";

#[test]
fn s11_a_stalled_body_ends_with_its_attempt() {
    let sandbox = Sandbox::new();
    let (sink, told) = stalling(HALF);
    let mut request = get(&sink.authority(), "/");
    request["say"] = json!(true);
    let call = one(request).reach(&rule(Scheme::Http, "127.0.0.1"));
    let (ended, took) = sandbox.cancel(&net(), call);
    assert_eq!(ended.failure().what, FailureKind::Cancelled);
    assert!(took < Duration::from_secs(1), "{took:?}");
    println!("measured: S11 stalled body: {} ms from cancel to end", took.as_millis());
    assert!(told.recv().unwrap(), "the connection stays open");
}

#[test]
fn s11_timeouts_end_what_a_server_draws_out() {
    let sandbox = Sandbox::new();
    for begin in [HALF, "HTTP/1.1 200 OK\r\n", ""] {
        let (sink, told) = stalling(begin);
        let call = one(get(&sink.authority(), "/")).reach(&rule(Scheme::Http, "127.0.0.1"));
        let ended = run(&sandbox, call.timeout(Duration::from_millis(300)));
        assert_eq!(ended.failure().what, FailureKind::Timeout);
        assert!(ended.usage.wall_ms < 1_300, "{}", ended.usage.wall_ms);
        assert!(told.recv().unwrap(), "the connection stays open");
    }
    // A guest may be less patient than its attempt.
    for (begin, field, error) in
        [(HALF, "between-bytes-ms", "connection read timeout"), ("", "first-byte-ms", "HttpResponseTimeout")]
    {
        let (sink, told) = stalling(begin);
        let mut request = get(&sink.authority(), "/");
        request[field] = json!(100);
        let ended = run(&sandbox, one(request).reach(&rule(Scheme::Http, "127.0.0.1")));
        assert!(first(&ended).to_string().contains(error), "{}", first(&ended));
        assert!(told.recv().unwrap(), "the connection stays open");
    }
}

#[test]
fn an_attempt_has_not_too_many_connections() {
    let (sink, _told) = stalling(HALF);
    let mut request = get(&sink.authority(), "/");
    request["times"] = json!(70);
    let input = json!({ "requests": [request], "hold": true });
    let ended = run(&Sandbox::new(), Call::new("http", input).reach(&rule(Scheme::Http, "127.0.0.1")));
    let answers = ended.output().as_array().unwrap();
    let held = answers.iter().filter(|answer| **answer == json!("held")).count();
    assert_eq!((held, sink.hits()), (64, 64));
    assert!(answers[69]["error"].as_str().unwrap().contains("ConnectionLimitReached"));
}
