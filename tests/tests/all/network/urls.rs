//! Which URLs are asked for at all: cases N1, N2, N3, N7, N8 and N12 from inside of a guest. The larger tables stand beside the code.

use super::kit::{first, get, one, plain, refused, rule, run, said};
use super::sinks::Sink;
use orch_core::{RefusedBy, Scheme};
use orch_tests::{Sandbox, net};
use serde_json::json;

/// Requests to `authority` and `path`, where only `127.0.0.1` is granted: nobody is called. Some do not even leave the guest.
#[track_caller]
fn reaches_nobody(sandbox: &Sandbox, sink: &Sink, authority: &str, path: &str) {
    let before = sink.hits();
    let call =
        one(get(authority, path)).reach(&rule(Scheme::Http, "127.0.0.1")).reach(&plain(Scheme::Http, "allowed.test"));
    let ended = run(sandbox, call);
    assert!(first(&ended)["error"].is_string(), "{authority}{path}: {}", first(&ended));
    assert_eq!(sink.hits(), before, "{authority}{path}");
}

#[track_caller]
fn reaches(sandbox: &Sandbox, sink: &Sink, host: &str, path: &str) {
    let before = sink.hits();
    let ended = run(sandbox, one(get(&sink.named(host), path)).reach(&rule(Scheme::Http, "127.0.0.1")));
    said(&ended, "ok");
    assert_eq!(sink.hits(), before + 1);
    assert_eq!(ended.usage.used, ["net http://127.0.0.1 at 127.0.0.0/8,::1"]);
}

#[test]
fn n1_tricks_with_hosts_reach_nobody() {
    let (sandbox, sink) = (Sandbox::new(), Sink::new("127.0.0.1:0"));
    reaches(&sandbox, &sink, "127.0.0.1", "/");
    let port = sink.address.port();
    for authority in [
        format!("allowed.test@127.0.0.1:{port}"),
        format!("user:password@127.0.0.1:{port}"),
        format!("127.0.0.1:{port}#allowed.test"),
        format!("127.0.0.1:{port}?x=allowed.test"),
        format!("127.0.0.1:{port}/allowed.test"),
        format!("127.0.0.1:{port}\\allowed.test"),
        format!("127.0.0.1:{port}\t"),
        format!("127.0.0.1:{port}\r\nHost: allowed.test"),
        format!("127%2e0.0.1:{port}"),
        format!("127\u{ff0e}0.0.1:{port}"),
        format!("localhost:{port}"),
    ] {
        reaches_nobody(&sandbox, &sink, &authority, "/");
    }
}

#[test]
fn n2_spellings_of_ipv4_reach_nobody() {
    let (sandbox, sink) = (Sandbox::new(), Sink::new("127.0.0.1:0"));
    reaches(&sandbox, &sink, "127.0.0.1", "/");
    for host in ["2130706433", "0x7f000001", "0x7f.1", "127.1", "0177.0.0.1", "127.0.0.01", "017700000001"] {
        reaches_nobody(&sandbox, &sink, &sink.named(host), "/");
    }
}

#[test]
fn n3_spellings_of_ipv6_reach_nobody() {
    let (sandbox, sink, six) = (Sandbox::new(), Sink::new("127.0.0.1:0"), Sink::new("[::1]:0"));
    let ended = run(&sandbox, one(get(&six.authority(), "/")).reach(&rule(Scheme::Http, "[::1]")));
    said(&ended, "ok");
    assert_eq!(six.hits(), 1);
    let every = rule(Scheme::Http, "*");
    for (sink, host) in [
        (&sink, "[::ffff:127.0.0.1]"),
        (&sink, "[::ffff:7f00:1]"),
        (&sink, "[::127.0.0.1]"),
        (&sink, "[64:ff9b::7f00:1]"),
        (&sink, "[2002:7f00:1::]"),
        (&sink, "[::]"),
        (&six, "[::]"),
        (&six, "[::1%25lo]"),
        (&six, "[::1%lo]"),
    ] {
        let before = sink.hits();
        // Even where every host may be had, and all of loopback besides.
        let ended = run(&sandbox, one(get(&sink.named(host), "/")).reach(&every));
        assert!(first(&ended)["error"].is_string(), "{host}: {}", first(&ended));
        assert_eq!(sink.hits(), before, "{host}");
    }
    // Without its address named, one that is special is not had by whatever host.
    let before = (sink.hits(), six.hits());
    for authority in [sink.authority(), six.authority()] {
        let ended = run(&sandbox, one(get(&authority, "/")).reach(&plain(Scheme::Http, "*")));
        refused(&ended, "HttpRequestDenied", RefusedBy::Workflow);
    }
    assert_eq!((sink.hits(), six.hits()), before);
}

#[test]
fn n8_other_ports_schemes_methods_and_paths_reach_nobody() {
    let (sandbox, sink, other) = (Sandbox::new(), Sink::new("127.0.0.1:0"), Sink::new("127.0.0.1:0"));
    let narrow = orch_core::NetRule {
        ports: vec![sink.address.port()],
        methods: vec!["GET".try_into().unwrap()],
        paths: vec!["/v1/*".try_into().unwrap()],
        ..rule(Scheme::Http, "127.0.0.1")
    };
    said(&run(&sandbox, one(get(&sink.authority(), "/v1/x")).reach(&narrow)), "ok");
    assert_eq!(sink.hits(), 1);
    for request in [
        get(&other.authority(), "/v1/x"),
        get(&sink.authority(), "/v2"),
        get(&sink.authority(), "/v1/../v2"),
        get(&sink.authority(), "/v10"),
        json!({ "scheme": "https", "authority": sink.authority(), "path": "/v1/x" }),
        json!({ "scheme": "http", "authority": sink.authority(), "path": "/v1/x", "method": "DELETE" }),
        json!({ "scheme": "http", "authority": sink.authority(), "path": "/v1/x", "method": "get" }),
    ] {
        let ended = run(&sandbox, one(request.clone()).reach(&narrow));
        assert!(first(&ended)["error"].is_string(), "{request}");
        assert!(!ended.refusals("net").is_empty(), "{request}");
    }
    assert_eq!((sink.hits(), other.hits()), (1, 0));
}

#[test]
fn n12_request_targets_have_one_form() {
    let (sandbox, sink) = (Sandbox::new(), Sink::new("127.0.0.1:0"));
    reaches(&sandbox, &sink, "127.0.0.1", "/a/../b?c=d");
    let seen = &sink.seen()[0];
    assert!(seen.starts_with("GET /b?c=d HTTP/1.1\r\n"), "{seen}");
    let host = format!("host: {}\r\n", sink.authority());
    assert_eq!(seen.to_lowercase().matches("host:").count(), 1, "{seen}");
    assert!(seen.contains(&host), "{seen}");
    for path in ["http://evil.test/", "evil", "*", "/a%2fb", "/%2e%2e/b", "/a%5cb", "/a b", "/a\r\nb", "/a%0d%0ab"] {
        reaches_nobody(&sandbox, &sink, &sink.authority(), path);
    }
}

#[test]
fn nobody_reaches_anything_without_all_three() {
    let (sandbox, sink) = (Sandbox::new(), Sink::new("127.0.0.1:0"));
    let granted = rule(Scheme::Http, "127.0.0.1");
    let call = || one(get(&sink.authority(), "/"));
    refused(&run(&sandbox, call()), "HttpRequestDenied", RefusedBy::Plugin);
    let ended = run(&sandbox, call().net(|net| net.asked.push(granted.clone())));
    refused(&ended, "HttpRequestDenied", RefusedBy::Workflow);
    let fix = ended.refusals("net")[0].fix.clone().unwrap();
    assert!(fix.contains("permissions: { net: [{ scheme: http, host: 127.0.0.1, ports: ["), "{fix}");
    let ended = run(&sandbox, call().reach(&granted).net(|net| net.allowed.clear()));
    refused(&ended, "HttpRequestDenied", RefusedBy::Policy);
    assert!(ended.refusals("net")[0].fix.as_deref().unwrap().contains("net: { allow: ["));
    refused(
        &run(&sandbox, call().reach(&granted).net(|net| net.denied.push(granted.clone()))),
        "HttpRequestDenied",
        RefusedBy::Policy,
    );
    assert_eq!(sink.hits(), 0);
    // A policy that only counts lets it through and says so.
    let ended = run(
        &sandbox,
        call().reach(&granted).net(|net| {
            (net.denied, net.counts) = (vec![granted.clone()], true);
        }),
    );
    said(&ended, "ok");
    assert!(ended.refusals("net")[0].counted);
    assert_eq!(sink.hits(), 1);
    // wasi:http is there for everybody, and powerless: of what it imports only the secrets have to be asked for.
    let error = Sandbox::new().load_asking_nothing(&net()).unwrap_err().to_string();
    assert!(error.contains("orch:task/secrets@") && !error.contains("wasi:"), "{error}");
}
