//! Addresses that exist on no machine of ours (N3, N4): in a network of the test's own somebody listens on every one of them, and counts.
//!
//! The test starts itself once more in a new network namespace, whose loopback has those addresses. That needs `unshare` and `ip`, and
//! root or a kernel that lets anybody make a namespace.

use super::dns::Dns;
use super::kit::{asking, get, one, plain, refused, run, said};
use super::sinks::Sink;
use orch_core::{RefusedBy, Scheme};
use orch_tests::{Call, net};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::process::Command;

/// Set in the process that is inside.
const INSIDE: &str = "ORCH_TESTS_INSIDE_A_NAMESPACE";

/// An address that anybody may have: what the rules allow is reached.
const PUBLIC: &str = "9.9.9.9";

/// Where clouds tell machines about themselves.
const METADATA: [&str; 4] = ["169.254.169.254", "100.100.100.200", "169.254.170.2", "fd00:ec2::254"];

/// Private, shared, link-local and translated ones.
const SPECIAL: [&str; 9] = [
    "10.1.2.3",
    "172.16.0.9",
    "192.168.0.1",
    "100.64.0.1",
    "169.254.7.7",
    "fd12:3456::1",
    "fe80::7",
    "64:ff9b::a9fe:a9fe",
    "2002:a9fe:a9fe::1",
];

/// Names that lead to special addresses, one each.
const NAMES: [&str; 9] = ["a.test", "b.test", "c.test", "d.test", "e.test", "f.test", "g.test", "h.test", "i.test"];

/// Runs one test of this binary in a network of its own.
fn in_a_network_of_its_own(test: &str) {
    // Built before: inside there is nobody to fetch anything from.
    net();
    let addresses = [PUBLIC].iter().chain(&METADATA).chain(&SPECIAL);
    let add: String =
        addresses.map(|address| format!("ip address add {address} dev lo {}; ", suffix(address))).collect();
    let script = format!("set -e; ip link set lo up; {add}exec \"$0\" \"$@\"");
    let mut command = Command::new("unshare");
    if !rustix::process::geteuid().is_root() {
        command.arg("--map-root-user");
    }
    command.args(["--net", "sh", "-c", &script]).arg(std::env::current_exe().unwrap());
    let output = command.args(["--exact", test, "--nocapture"]).env(INSIDE, "1").output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

/// No time is lost with asking whether somebody else has an address.
fn suffix(address: &str) -> &'static str {
    if address.contains(':') { "nodad" } else { "" }
}

fn is_inside() -> bool {
    std::env::var_os(INSIDE).is_some()
}

/// As part of an address in a URL.
fn host(address: &str) -> String {
    if address.contains(':') { format!("[{address}]") } else { address.to_owned() }
}

/// A sink on every address, which whoever is not held back does reach.
fn sink(addresses: &[&str]) -> Sink {
    let sink = Sink::new("[::]:0");
    for address in addresses {
        let to: IpAddr = address.parse().unwrap();
        // A link-local address needs its link.
        let scope = if address.starts_with("fe80") { 1 } else { 0 };
        let to = match to {
            IpAddr::V4(to) => SocketAddr::from((to, sink.address.port())),
            IpAddr::V6(to) => std::net::SocketAddrV6::new(to, sink.address.port(), 0, scope).into(),
        };
        drop(TcpStream::connect(to).unwrap_or_else(|error| panic!("{address}: {error}")));
    }
    while sink.hits() < addresses.len() {
        std::thread::yield_now();
    }
    sink
}

/// Every request is refused and nobody is called; one to a public address arrives.
#[track_caller]
fn nobody_is_called(addresses: &'static [&'static str], spelled: &[&str]) {
    let sink = sink(addresses);
    let before = sink.hits();
    let mut records: Vec<_> = NAMES.into_iter().zip(addresses.iter().map(std::slice::from_ref)).collect();
    assert_eq!(records.len(), addresses.len());
    records.push(("public.test", &[PUBLIC]));
    let dns = Dns::fixed(&records);
    let sandbox = asking(&dns);
    let every = plain(Scheme::Http, "*");
    let hosts = addresses.iter().map(|address| host(address)).chain(spelled.iter().map(|&host| host.to_owned()));
    for host in hosts.chain(NAMES[..addresses.len()].iter().map(|&name| name.to_owned())) {
        let ended = run(&sandbox, one(get(&sink.named(&host), "/latest/meta-data/")).reach(&every));
        assert!(ended.output()[0]["error"].is_string(), "{host}: {}", ended.output());
        assert!(!ended.refusals("net").is_empty(), "{host}");
    }
    assert_eq!(sink.hits(), before, "somebody was called");
    for (at, host) in [PUBLIC, "public.test"].into_iter().enumerate() {
        said(&run(&sandbox, one(get(&sink.named(host), "/")).reach(&every)), "ok");
        assert_eq!(sink.hits(), before + at + 1);
    }
}

#[test]
fn n4_who_listens_at_the_addresses_of_metadata_is_not_called() {
    if !is_inside() {
        return in_a_network_of_its_own(
            "network::namespace::n4_who_listens_at_the_addresses_of_metadata_is_not_called",
        );
    }
    nobody_is_called(&METADATA, &["2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "[::ffff:a9fe:a9fe]"]);
    // Somebody who answers a name with a good and a bad address.
    let sink = sink(&[]);
    let dns = Dns::fixed(&[("both.test", &[PUBLIC, "169.254.169.254"])]);
    let call: Call = one(get(&sink.named("both.test"), "/")).reach(&plain(Scheme::Http, "*"));
    refused(&run(&asking(&dns), call), "HttpRequestDenied", RefusedBy::Workflow);
    assert_eq!(sink.hits(), 0);
}

#[test]
fn n3_who_listens_at_private_and_translated_addresses_is_not_called() {
    if !is_inside() {
        return in_a_network_of_its_own(
            "network::namespace::n3_who_listens_at_private_and_translated_addresses_is_not_called",
        );
    }
    nobody_is_called(&SPECIAL, &["[::ffff:10.1.2.3]", "[::ffff:c0a8:1]", "[fe80::7%25lo]", "0", "[::]"]);
}
