//! Raw sockets: to granted addresses and ports, and nowhere else (N17).

use super::kit::plain;
use super::sinks::Sink;
use orch_core::{NetRule, RefusedBy, Scheme};
use orch_tests::{Call, Ended, Sandbox, net};
use serde_json::{Value, json};
use std::io::Write as _;
use std::net::UdpSocket;
use std::time::Duration;

fn raw(sandbox: &Sandbox, steps: &Value, rules: &[NetRule]) -> Ended {
    let call = rules.iter().fold(Call::new("raw", json!({ "steps": steps })), Call::reach);
    sandbox.run(&net(), call)
}

fn to(scheme: Scheme, host: &str, port: u16) -> NetRule {
    NetRule { ports: vec![port], ..plain(scheme, host) }
}

#[track_caller]
fn denied(ended: &Ended) {
    for answer in ended.output().as_array().unwrap() {
        let answer = answer.as_str().unwrap();
        assert!(
            ["access-denied", "permission denied"].contains(&answer),
            "{}: {:?}",
            ended.output(),
            ended.seen.refused
        );
    }
    assert!(!ended.refusals("net").is_empty());
}

#[test]
fn n17_tcp_reaches_granted_addresses_only() {
    let echo = || Sink::with("127.0.0.1:0", |stream, _| drop(stream.write_all(b"answer")));
    let (sandbox, sink, other, second) = (Sandbox::new(), echo(), echo(), Sink::new("127.0.0.2:0"));
    let connect = |sink: &Sink| json!([{ "do": "tcp", "address": sink.authority() }]);
    let port = sink.address.port();
    let granted = [to(Scheme::Tcp, "127.0.0.1", port)];
    let ended = raw(&sandbox, &connect(&sink), &granted);
    assert_eq!(ended.output(), &json!(["ok answer"]));
    assert_eq!(ended.usage.used, [format!("net tcp://127.0.0.1:{port}")]);
    denied(&raw(&sandbox, &connect(&other), &granted));
    denied(&raw(&sandbox, &connect(&second), &granted));
    for rules in [
        vec![],
        vec![to(Scheme::Http, "127.0.0.1", port)],
        vec![to(Scheme::Udp, "127.0.0.1", port)],
        vec![to(Scheme::Tcp, "localhost", port)],
        vec![NetRule { addresses: vec!["127.0.0.0/8".try_into().unwrap()], ..to(Scheme::Tcp, "*", port) }],
    ] {
        denied(&raw(&sandbox, &connect(&sink), &rules));
    }
    let call = Call::new("raw", json!({ "steps": connect(&sink) })).reach(&granted[0]);
    let ended = sandbox.run(&net(), call.net(|net| net.allowed.clear()));
    denied(&ended);
    assert!(ended.refusals("net").iter().any(|refusal| refusal.by == RefusedBy::Policy));
    assert_eq!((sink.hits(), other.hits(), second.hits()), (1, 0, 0));
}

#[test]
fn n17_nobody_binds_or_listens() {
    let (sandbox, sink) = (Sandbox::new(), Sink::with("127.0.0.1:0", |_, _| {}));
    let port = sink.address.port();
    let granted = [to(Scheme::Tcp, "127.0.0.1", port), to(Scheme::Udp, "127.0.0.1", port)];
    let steps = json!([
        { "do": "listen", "address": "0.0.0.0:0" },
        { "do": "listen", "address": "127.0.0.1:0" },
        { "do": "listen", "address": "[::]:0" },
        { "do": "listen", "address": "0.0.0.0:8080" },
        { "do": "udp-bind", "address": "0.0.0.0:8080" },
        { "do": "udp-bind", "address": "127.0.0.1:0" },
        { "do": "tcp-bound", "address": sink.authority(), "local": "0.0.0.0:8081" },
        { "do": "tcp-bound", "address": sink.authority(), "local": "127.0.0.1:0" },
    ]);
    let ended = raw(&sandbox, &steps, &granted);
    denied(&ended);
    assert!(ended.refusals("net").iter().all(|refusal| refusal.by == RefusedBy::Engine));
    assert_eq!(sink.hits(), 0);
}

#[test]
fn n17_datagrams_reach_granted_addresses_only() {
    let receiver = |address: &str| {
        let socket = UdpSocket::bind(address).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        let address = socket.local_addr().unwrap();
        (socket, address)
    };
    let got = |socket: &UdpSocket| {
        let mut count = 0;
        while socket.recv(&mut [0; 100]).is_ok() {
            count += 1;
        }
        count
    };
    let ((good, to_good), (bad, to_bad)) = (receiver("127.0.0.1:0"), receiver("127.0.0.2:0"));
    let granted = [to(Scheme::Udp, "127.0.0.1", to_good.port())];
    let bind = json!({ "do": "udp-bind", "address": "0.0.0.0:0" });
    let sandbox = Sandbox::new();
    let steps = json!([bind, { "do": "udp-send", "address": to_good.to_string() }]);
    let ended = raw(&sandbox, &steps, &granted);
    assert_eq!(ended.output(), &json!(["ok", "ok"]), "{:?}", ended.seen.refused);
    let steps = json!([
        bind,
        { "do": "udp-send", "address": to_bad.to_string() },
        { "do": "udp-connect", "address": to_bad.to_string() },
        { "do": "udp-connect", "address": to_good.to_string() },
        { "do": "udp-send", "address": to_bad.to_string() },
        { "do": "udp-stream", "address": to_good.to_string(), "to": to_bad.to_string() },
    ]);
    let ended = raw(&sandbox, &steps, &granted);
    for step in [1, 4, 5] {
        assert!(!ended.output()[step].as_str().unwrap().starts_with("ok"), "{}", ended.output());
    }
    assert_eq!((got(&good), got(&bad)), (1, 0));
    assert!(!ended.refusals("net").is_empty());
}

#[test]
fn connections_and_datagrams_count_as_requests() {
    let (sandbox, sink) = (Sandbox::new(), Sink::with("127.0.0.1:0", |_, _| {}));
    let step = json!({ "do": "tcp", "address": sink.authority() });
    let call = Call::new("raw", json!({ "steps": [step, step, step] })).limits(|limits| limits.requests = 2);
    let ended = sandbox.run(&net(), call.reach(&to(Scheme::Tcp, "127.0.0.1", sink.address.port())));
    assert_eq!(ended.limit(), ("requests", "2"));
    assert_eq!(sink.hits(), 2);
}
