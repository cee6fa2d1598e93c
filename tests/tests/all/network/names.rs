//! Names: what they resolve to, who is asked, and how often (N4, N5, N7, N18).

use super::dns::{Dns, Record};
use super::kit::{asking, failed, first, get, one, plain, refused, rule, run, said};
use super::sinks::Sink;
use orch_core::{NetRule, RefusedBy, Scheme};
use orch_tests::{Call, Sandbox, net};
use serde_json::json;

/// `name.test` may have `127.0.0.2` and nothing else that is special.
fn second_only() -> NetRule {
    NetRule { addresses: vec!["127.0.0.2".try_into().unwrap()], ..plain(Scheme::Http, "name.test") }
}

/// Two sinks with the same port: one that may be reached, one that may not.
fn sinks() -> (Sink, Sink) {
    loop {
        let allowed = Sink::new("127.0.0.2:0");
        let forbidden = format!("127.0.0.1:{}", allowed.address.port());
        if std::net::TcpListener::bind(&forbidden).is_ok() {
            return (allowed, Sink::new(&forbidden));
        }
    }
}

#[test]
fn n4_metadata_addresses_and_names() {
    let metadata = ["169.254.169.254", "100.100.100.200", "169.254.170.2", "fd00:ec2::254"];
    let dns = Dns::fixed(&[
        ("name.test", &["169.254.169.254"]),
        ("six.test", &["fd00:ec2::254"]),
        ("near.test", &["127.0.0.1"]),
    ]);
    let sandbox = asking(&dns);
    let every = rule(Scheme::Http, "*");
    for host in ["name.test", "six.test", "169.254.169.254", "100.100.100.200", "169.254.170.2", "[fd00:ec2::254]"] {
        let ended = run(&sandbox, one(get(host, "/latest/meta-data/")).reach(&every));
        refused(&ended, "HttpRequestDenied", RefusedBy::Workflow);
        let refusal = &ended.refusals("net")[0];
        assert!(refusal.reason.contains("instance metadata"), "{}", refusal.reason);
        assert!(metadata.iter().any(|address| refusal.reason.contains(address)), "{}", refusal.reason);
        assert!(ended.usage.used.is_empty(), "refused before it is used");
    }
    // The workflow alone cannot grant them, and neither can a policy that only counts.
    let address = "169.254.169.254/32".try_into().unwrap();
    let granted = NetRule { addresses: vec![address], ..every.clone() };
    let call = one(get("name.test", "/")).reach(&every).net(|net| (net.granted, net.counts) = (vec![granted], true));
    refused(&run(&sandbox, call), "HttpRequestDenied", RefusedBy::Policy);
    let sink = Sink::new("127.0.0.1:0");
    said(&run(&sandbox, one(get(&sink.named("near.test"), "/")).reach(&every)), "ok");
}

#[test]
fn n5_rebinding_first_good_then_loopback() {
    let (allowed, forbidden) = sinks();
    let dns = Dns::new(|question| match (question.v6, question.before) {
        (true, _) => vec![],
        (false, 0) => vec![Record::Address([127, 0, 0, 2].into())],
        (false, _) => vec![Record::Address([127, 0, 0, 1].into())],
    });
    let sandbox = asking(&dns);
    let request = get(&allowed.named("name.test"), "/");
    let call = Call::new("http", json!({ "requests": [request.clone(), request] })).reach(&second_only());
    let ended = run(&sandbox, call);
    said(&ended, "ok");
    assert!(ended.output()[1]["error"].as_str().unwrap().contains("HttpRequestDenied"), "{}", ended.output());
    assert_eq!((allowed.hits(), forbidden.hits()), (1, 0));
    // Each connection asks once for each kind of address, and keeps nothing.
    let mut asked = dns.asked();
    asked.sort();
    let question = |v6| ("name.test".to_owned(), v6);
    assert_eq!(asked, [question(false), question(false), question(true), question(true)]);
}

#[test]
fn n5_one_bad_address_spoils_the_answer() {
    let (allowed, forbidden) = sinks();
    for addresses in
        [["127.0.0.2", "127.0.0.1"], ["127.0.0.1", "127.0.0.2"], ["127.0.0.2", "10.0.0.1"], ["127.0.0.2", "::1"]]
    {
        let sandbox = asking(&Dns::fixed(&[("name.test", &addresses)]));
        let ended = run(&sandbox, one(get(&allowed.named("name.test"), "/")).reach(&second_only()));
        refused(&ended, "HttpRequestDenied", RefusedBy::Workflow);
    }
    let sandbox = asking(&Dns::fixed(&[("name.test", &["::1"])]));
    let six = Sink::new("[::1]:0");
    let ended = run(&sandbox, one(get(&six.named("name.test"), "/")).reach(&second_only()));
    refused(&ended, "HttpRequestDenied", RefusedBy::Workflow);
    assert_eq!((allowed.hits(), forbidden.hits(), six.hits()), (0, 0, 0));
}

#[test]
fn n5_aliases_are_judged_by_where_they_end() {
    let (allowed, forbidden) = sinks();
    let chain = |last: [u8; 4]| {
        Dns::new(move |question| {
            if question.v6 {
                return vec![];
            }
            vec![Record::Alias("one.test"), Record::Alias("two.test"), Record::Address(last.into())]
        })
    };
    let call = || one(get(&allowed.named("name.test"), "/")).reach(&second_only());
    refused(&run(&asking(&chain([127, 0, 0, 1])), call()), "HttpRequestDenied", RefusedBy::Workflow);
    said(&run(&asking(&chain([127, 0, 0, 2])), call()), "ok");
    assert_eq!((allowed.hits(), forbidden.hits()), (1, 0));
    assert!(allowed.seen()[0].contains(&format!("host: {}\r\n", allowed.named("name.test"))), "{:?}", allowed.seen());
}

#[test]
fn n5_localhost_is_a_name_like_others() {
    let sink = Sink::new("127.0.0.1:0");
    let dns = Dns::fixed(&[]);
    let sandbox = asking(&dns);
    for host in ["localhost", "a.localhost", "LOCALHOST."] {
        let ended = run(&sandbox, one(get(&sink.named(host), "/")).reach(&plain(Scheme::Http, "*")));
        assert!(first(&ended)["error"].is_string(), "{}", first(&ended));
    }
    assert_eq!(sink.hits(), 0);
    said(&run(&sandbox, one(get(&sink.named("localhost"), "/")).reach(&rule(Scheme::Http, "localhost"))), "ok");
}

#[test]
fn n7_other_words_for_a_name() {
    let sink = Sink::new("127.0.0.1:0");
    let dns = Dns::new(|question| if question.v6 { vec![] } else { vec![Record::Address([127, 0, 0, 1].into())] });
    let sandbox = asking(&dns);
    let rules =
        [rule(Scheme::Http, "allowed.test"), rule(Scheme::Http, "*.below.test"), rule(Scheme::Http, "bücher.test")];
    let call = |host: &str| rules.iter().fold(one(get(&sink.named(host), "/")), orch_tests::Call::reach);
    let good = ["allowed.test", "ALLOWED.test", "allowed.test.", "a.below.test", "xn--bcher-kva.test"];
    for host in good {
        said(&run(&sandbox, call(host)), "ok");
    }
    assert_eq!(sink.hits(), good.len());
    // The port never changes how a name is compared, and the server hears the name without its last dot.
    assert!(sink.seen()[2].contains(&format!("host: {}\r\n", sink.named("allowed.test"))));
    let before = dns.asked().len();
    for host in
        ["below.test", "a.b.below.test", "xbelow.test", "allowed.test.evil.test", "xn--llowed-2of.test", "allowed"]
    {
        refused(&run(&sandbox, call(host)), "HttpRequestDenied", RefusedBy::Plugin);
    }
    assert_eq!((sink.hits(), dns.asked().len()), (good.len(), before), "nobody is even asked for their address");
}

#[test]
fn n18_no_look_up_for_what_is_not_granted() {
    let dns = Dns::fixed(&[("name.test", &["127.0.0.1"])]);
    let (sandbox, sink) = (asking(&dns), Sink::new("127.0.0.1:0"));
    let granted = rule(Scheme::Http, "name.test");
    let steps = [
        json!({ "do": "lookup", "address": "data.tunnel.test" }),
        json!({ "do": "lookup", "address": "name.test" }),
        json!({ "do": "std-lookup", "address": "data.tunnel.test" }),
    ];
    let ended = sandbox.run(&net(), Call::new("raw", json!({ "steps": steps })).reach(&granted));
    assert_eq!(ended.output()[0], "access-denied");
    assert_eq!(ended.output()[1], "access-denied");
    let targets: Vec<_> = ended.refusals("net").iter().map(|refusal| refusal.target.clone()).collect();
    assert!(targets.contains(&"look-up of data.tunnel.test".to_owned()), "{targets:?}");
    refused(&run(&sandbox, one(get("data.tunnel.test", "/")).reach(&granted)), "HttpRequestDenied", RefusedBy::Plugin);
    assert_eq!(dns.asked(), []);
    said(&run(&sandbox, one(get(&sink.named("name.test"), "/")).reach(&granted)), "ok");
    assert_eq!(dns.asked().len(), 2);
    failed(&run(&sandbox, one(get("gone.test", "/")).reach(&rule(Scheme::Http, "gone.test"))), "DnsError");
}

#[test]
fn the_system_s_search_domains_are_not_asked() {
    let dns = Dns::fixed(&[]);
    failed(&run(&asking(&dns), one(get("short", "/")).reach(&rule(Scheme::Http, "short"))), "DnsError");
    assert!(dns.asked().iter().all(|(name, _)| name == "short"), "{:?}", dns.asked());
    let _nothing_else: Sandbox = asking(&dns);
}
