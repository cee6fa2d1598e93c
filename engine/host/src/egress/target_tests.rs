//! The URL table: cases N1, N2, N3, N6, N7, N8 and N12.

use super::*;
use orch_core::{EffectiveNet, NetRule, Wanted};

/// Grants and rules of the tests: one name, one level below another, one path, one public address.
fn net() -> EffectiveNet {
    let rule = |host: &str| NetRule {
        scheme: Some(Scheme::Https),
        host: host.try_into().unwrap(),
        ports: vec![443],
        methods: Vec::new(),
        paths: Vec::new(),
        addresses: Vec::new(),
    };
    let narrow = NetRule { paths: vec!["/v1/*".try_into().unwrap()], ..rule("paths.com") };
    let rules = vec![rule("allowed.com"), rule("*.below.com"), narrow, rule("93.184.216.34"), rule("bücher.com")];
    let denied = vec![NetRule { paths: vec!["/admin".try_into().unwrap()], ..rule("allowed.com") }];
    EffectiveNet { asked: rules.clone(), granted: rules.clone(), allowed: rules, denied, counts: false }
}

/// `Ok` is what is sent: authority and path; `Err` is `invalid` or who refuses.
#[track_caller]
fn check(scheme: Scheme, authority: &str, path: &str, expected: Result<&str, &str>) {
    let net = net();
    let got = match Target::read(scheme, authority, path) {
        Err(_) => Err("invalid".to_owned()),
        Ok(target) => {
            let Target { scheme, ref host, port, ref path, .. } = target;
            match net.decide(Wanted { scheme, host, port, method: Some("GET"), path: Some(path) }) {
                Ok(_) => Ok(format!("{} {}", target.authority(), target.sent)),
                Err(refused) => Err(format!("{:?}", refused.by).to_lowercase()),
            }
        }
    };
    assert_eq!(got.as_deref().map_err(String::as_str), expected, "{scheme}://{authority}{path}");
}

fn good(authority: &str, path: &str, sent: &str) {
    check(Scheme::Https, authority, path, Ok(sent));
}

fn bad(authority: &str, path: &str, expected: &str) {
    check(Scheme::Https, authority, path, Err(expected));
}

#[test]
fn n1_tricks_with_hosts() {
    good("allowed.com", "/", "allowed.com /");
    good("allowed.com:443", "/a?b=c", "allowed.com /a?b=c");
    bad("allowed.com.evil.com", "/", "plugin");
    bad("evil.com", "/?x=allowed.com", "plugin");
    for authority in [
        "allowed.com@evil.com",
        "user:password@allowed.com",
        "@allowed.com",
        "evil.com#allowed.com",
        "evil.com?allowed.com",
        "evil.com/allowed.com",
        "evil.com\\allowed.com",
        "evil.com\t.allowed.com",
        "allowed.com\r\nHost: evil.com",
        "allowed.com\0",
        "allowed.com ",
        " allowed.com",
        "allowed%2ecom",
        "allowed.com%00.evil.com",
        "",
        ":443",
        "allowed.com:443:80",
        "allowed.com:https",
        "allowed.com:99999",
        "allowed.com:-1",
        "allowed.com:0",
        "allowed..com",
        ".allowed.com",
        "allowed.com..",
    ] {
        bad(authority, "/", "invalid");
    }
    // Full-width letters and dots are other ways to write the same name (UTS 46): they mean the same to us and to the resolver.
    good("allowed\u{ff0e}com", "/", "allowed.com /");
    good("allowed\u{3002}com", "/", "allowed.com /");
    bad("evil\u{ff0e}com", "/", "plugin");
    bad("evil.com\u{ff0f}allowed.com", "/", "invalid");
}

#[test]
fn n2_spellings_of_ipv4() {
    good("93.184.216.34", "/", "93.184.216.34 /");
    for host in [
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "127.1",
        "127.0.1",
        "0177.0.0.1",
        "127.0.0.01",
        "0x7f.0.0.1",
        "017700000001",
        "93.184.55330",
        "1572395042",
        "0135.0270.0330.042",
        "093.184.216.34",
        "127.0.0.1.1",
        "256.1.1.1",
        "\u{ff11}27.0.0.1",
        "127。0。0。1",
    ] {
        bad(host, "/", "invalid");
    }
    bad("127.0.0.1", "/", "plugin");
}

#[test]
fn n3_spellings_of_ipv6() {
    for host in
        ["[::ffff:169.254.169.254]", "[::ffff:a9fe:a9fe]", "[::1]", "[::]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]"]
    {
        bad(host, "/", "plugin");
    }
    for host in ["[fe80::1%25eth0]", "[fe80::1%eth0]", "::1", "[::1", "::1]", "[::1]x", "[v1.x]", "[]"] {
        bad(host, "/", "invalid");
    }
    // What is special about an address is the same however it is reached: a rule for all hosts admits none of these.
    let every = NetRule { host: "*".try_into().unwrap(), scheme: None, ..net().granted[0].clone() };
    let every = vec![every];
    let net = EffectiveNet { asked: every.clone(), granted: every.clone(), allowed: every, ..EffectiveNet::default() };
    for host in [
        "[::ffff:169.254.169.254]",
        "[::ffff:a9fe:a9fe]",
        "[::7f00:1]",
        "[::1]",
        "[::]",
        "[64:ff9b::a9fe:a9fe]",
        "[2002:7f00:1::]",
        "[2001:0:53aa:64c::1]",
        "[fd00::1]",
        "[fe80::1]",
        "[ff02::1]",
    ] {
        let target = Target::read(Scheme::Https, host, "/").unwrap();
        let Host::Address(address) = target.host else { panic!("{host}") };
        let wanted = Wanted { scheme: target.scheme, host: &target.host, port: 443, method: None, path: None };
        assert!(net.decide(wanted).unwrap().admit(address).is_err(), "{host}");
    }
}

#[test]
fn n6_where_redirects_lead_is_decided_anew() {
    // A guest that follows `Location` makes a new request; these are the hops of the case.
    good("allowed.com", "/next", "allowed.com /next");
    bad("evil.com", "/next", "plugin");
    check(Scheme::Http, "allowed.com", "/next", Err("plugin"));
    bad("allowed.com:8443", "/next", "plugin");
}

#[test]
fn n7_the_same_name_in_other_words() {
    good("ALLOWED.com", "/", "allowed.com /");
    good("allowed.com.", "/", "allowed.com /");
    good("bücher.com", "/", "xn--bcher-kva.com /");
    good("xn--bcher-kva.com", "/", "xn--bcher-kva.com /");
    good("a.below.com", "/", "a.below.com /");
    good("a.below.com.", "/", "a.below.com /");
    bad("below.com", "/", "plugin");
    bad("a.b.below.com", "/", "plugin");
    bad("xbelow.com", "/", "plugin");
    // The first letter is a Cyrillic one.
    bad("\u{430}llowed.com", "/", "plugin");
    bad("xn--llowed-2of.com", "/", "plugin");
}

#[test]
fn n8_other_port_or_scheme() {
    bad("allowed.com:22", "/", "plugin");
    bad("allowed.com:80", "/", "plugin");
    check(Scheme::Http, "allowed.com", "/", Err("plugin"));
    check(Scheme::Http, "allowed.com:443", "/", Err("plugin"));
}

#[test]
fn n12_paths() {
    good("allowed.com", "", "allowed.com /");
    good("allowed.com", "?x=1", "allowed.com /?x=1");
    good("allowed.com", "/a%20b?x=%2e%2f", "allowed.com /a%20b?x=%2e%2f");
    for path in ["http://evil.com/", "evil.com/", "*", "x", "/a#b", "/a b", "/a\\b", "/a\r\nb", "/a\tb", "/\0"] {
        bad("allowed.com", path, "invalid");
    }
    for path in ["/a%2fb", "/a%2Fb", "/%2e%2e/x", "/.%2E/x", "/a%5cb", "/a%00", "/a%0a", "/a%ff"] {
        bad("allowed.com", path, "invalid");
    }
    good("paths.com", "/v1/x", "paths.com /v1/x");
    good("paths.com", "/v2/../v1/x", "paths.com /v1/x");
    bad("paths.com", "/v1/../v2", "plugin");
    bad("paths.com", "/v10/x", "plugin");
    bad("paths.com", "//v1/x", "plugin");
    bad("allowed.com", "/admin", "policy");
    bad("allowed.com", "/%61dmin", "policy");
    bad("allowed.com", "/x/../admin", "policy");
    good("allowed.com", "/administrators", "allowed.com /administrators");
}
