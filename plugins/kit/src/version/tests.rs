//! The rules of the orders as tables, and what must hold for any text.

use super::Order;
use proptest::prelude::*;
use std::cmp::Ordering;

/// Groups in ascending order, divided by `<`; versions within a group, divided by `=`, are equal.
#[track_caller]
fn ascending(order: Order, chain: &str) {
    let groups: Vec<Vec<&str>> = chain
        .split_whitespace()
        .collect::<Vec<_>>()
        .split(|it| *it == "<")
        .map(|group| group.iter().copied().filter(|it| *it != "=").collect())
        .collect();
    for (left_place, left_group) in groups.iter().enumerate() {
        for (right_place, right_group) in groups.iter().enumerate() {
            for (left, right) in left_group.iter().flat_map(|left| right_group.iter().map(move |right| (left, right))) {
                assert!(order.is_version(left), "{order:?} `{left}`");
                assert_eq!(order.compare(left, right), left_place.cmp(&right_place), "{order:?} `{left}` `{right}`");
            }
        }
    }
}

#[track_caller]
fn no_versions(order: Order, texts: &[&str]) {
    for text in texts {
        assert!(!order.is_version(text), "{order:?} `{text}`");
        assert_eq!(order.compare(text, "1"), Ordering::Less);
    }
}

#[test]
fn semver() {
    ascending(
        Order::SemVer,
        "0 = 0.0.0 < 0.0.1-0 < 0.0.1 < 0.9.0 < 0.10.0 < 1.0.0-2 < 1.0.0-11 < 1.0.0-a < 1.0.0-a.1 < 1.0.0-a.b < 1.0.0-b < 1.0.0-b.2 < 1.0.0-b.11 < 1.0.0-rc-1 < 1 = 1.0.0 = 1.0.0+x.y < 99999999999999999999.0.0 < 100000000000000000000.0.0",
    );
    no_versions(
        Order::SemVer,
        &["", "v1.0.0", "1.0.0.0", "1.0.0-", "1..0", "1.0.0-a..b", "latest", "1.0.0+", "1.0.0-é"],
    );
}

#[test]
fn npm() {
    ascending(
        Order::Npm,
        "1.2.3-alpha < 1.2.3-beta.2 < 1.2.3beta3 < 1.2.3 = v1.2.3 = =1.2.3 = 1.2.3+x < 1.10.0-0 < 1.10.0",
    );
    ascending(Order::Npm, "1.2.3beta = 1.2.3-beta < 1.2.3");
    no_versions(Order::Npm, &["", "next", "git+https://a", "1.2.3.4"]);
}

#[test]
fn go() {
    ascending(
        Order::Go,
        "v0.0.0-20200102030405-abcdefabcdef < v0.0.0-20210102030405-000000000000 < v1.2.2 < v1.2.3-0.20210102030405-abcdefabcdef < v1.2.3-pre < v1.2.3-pre.0.20210102030405-abcdefabcdef < v1.2.3 = 1.2.3 < v2.0.0 = v2.0.0+incompatible < go2.1",
    );
    no_versions(Order::Go, &["", "(devel)", "master"]);
}

#[test]
fn pep440() {
    ascending(
        Order::Pep440,
        "1.0.dev1 < 1.0a1.dev2 < 1.0a1 = 1.0alpha1 = 1.0-A.1 < 1.0a2 < 1.0b1.dev1 < 1.0b1 < 1.0b1.post1 < 1.0rc1 = 1.0c1 = 1.0-preview_1 < 1.0 = 1 = v1.0.0 < 1.0+abc < 1.0+abc.5 < 1.0+abd < 1.0+5 < 1.0+5.0 < 1.0.post1.dev1 < 1.0.post1 = 1.0-1 = 1.0rev1 = 1.0.r1 < 1.0.1 < 1.1.dev0 < 1.1a = 1.1a0 < 1.1 < 1.10 < 1!0.1",
    );
    no_versions(Order::Pep440, &["", "x", "1.0.x", "1.0+", "1.0+a..b", "1!", "2004d", "1.0--1"]);
}

#[test]
fn maven() {
    ascending(
        Order::Maven,
        "1-alpha = 1-a0 = 1.alpha = 1.0.0-alpha < 1-alpha-1 = 1-a1 = 1.0-alpha-1 < 1-beta < 1-milestone < 1-m3 < 1-rc = 1-cr = 1.0.RC < 1-snapshot < 1 = 1.0 = 1.ga = 1-ga = 1.final = 1-0 = 1. = 1- < 1-ga.1 < 1-sp < 1-foo = 1.foo < 1-foo-2 = 1-foo2 < 1-foo10 < 1-1 < 1-2 < 1.0.1 < 1.1 < 1.2 < 1.10 < 2",
    );
    ascending(Order::Maven, "1-sp-1 < 1-ga-1 = 1-1 < 1.1");
    no_versions(Order::Maven, &["", "LATEST", "1 2"]);
}

#[test]
fn apk() {
    ascending(
        Order::Apk,
        "0.1 < 1_alpha < 1_alpha1 < 1_alpha2 < 1_alpha10 < 1_beta < 1_pre1 < 1_rc < 1_rc1 < 1_rc1-r1 < 1 < 1-r0 < 1-r1 < 1-r10 < 1~ab12 < 1_git20200101 < 1_p1 < 1_p1-r1 < 1_p2 < 1a < 1b < 1b.1 < 1.0 < 1.01 < 1.01.1 < 1.1 < 1.1.0 < 1.2_alpha < 1.2 < 1.10 < 2",
    );
    ascending(Order::Apk, "1_alpha_rc1 < 1_alpha < 1_alpha1 < 1_alpha_p1 < 1");
    no_versions(Order::Apk, &["", "v1", "1.", "1ab", "1-1", "1-r", "1_", "1_foo", "1~", "1-r1_p1", "1 2", "1~xyz"]);
}

#[test]
fn debian() {
    ascending(
        Order::Debian,
        "0 < 1.0~~ < 1.0~~a < 1.0~ < 1.0~rc1-1 < 1.0 = 1.0-0 = 1. < 1.0-1~bpo1 < 1.0-1 < 1.0-1+b1 < 1.0-1.1 < 1.0a < 1.0+dfsg-1 < 1.0. < 1.0.1 < 1.2 < 1.10 < 1:0.1",
    );
    ascending(Order::Debian, "2.4a-1 = 02.4a-01 < 2.4-1-1 < 2.4-2-1");
    no_versions(Order::Debian, &["", ":1", "a:1", "1-", "1 2"]);
}

#[test]
fn rpm() {
    ascending(
        Order::Rpm,
        "1.0~rc1 < 1.0~rc2 < 1.0 < 1.0-1.el9 < 1.0-1.el9_2 = 1.0-1.el9.2 < 1.0-10.el9 < 1.0^git1~pre < 1.0^git1 < 1.0^git2 < 1.0.a < 1.0.1 < 1.2 < 1.10 < 1:0.5 < 10:0",
    );
    ascending(Order::Rpm, "1.0a < 1.0.1 = 1.00.1 = 1_0_01");
    no_versions(Order::Rpm, &["", ":1", "a:1", "-1"]);
}

#[test]
fn rubygems() {
    ascending(
        Order::RubyGems,
        "1.0.a.1 < 1.0.a2 = 1.a.2 = 1.0.0.a.2 < 1.0.b1 < 1.0-1 = 1.0.pre.1 < 1.0.rc1 < 1.0 = 1 = 1.0.0 < 1.0.1.pre < 1.0.1 < 1.2 < 1.10",
    );
    no_versions(Order::RubyGems, &["", "a", "1..2", "1.é", "junk"]);
}

#[test]
fn nuget() {
    ascending(
        Order::NuGet,
        "1.0.0-alpha < 1.0.0-BETA = 1.0-beta < 1.0.0-rc.2 < 1.0.0-rc.10 < 1.0 = 1.0.0.0+x < 1.0.0.1 < 1.0.1",
    );
    no_versions(Order::NuGet, &["", "1.0.0.0.0", "1.x", "1.0-"]);
}

#[test]
fn packagist() {
    ascending(
        Order::Packagist,
        "1.0-dev < 1.0-alpha1 = 1.0.0a1 < 1.0-beta < 1.0-beta2 < 1.0-RC1 < 1.0 = v1.0.0.0 = 1.0-stable < 1.0-p1 = 1.0pl1 < 1.0.1 < 1.10",
    );
    no_versions(Order::Packagist, &["", "dev-main", "1.x-dev", "1.0-foo", "1.2.3.4.5"]);
}

#[test]
fn ecosystems() {
    for (name, order) in [
        ("crates.io", Some(Order::SemVer)),
        ("Debian:12", Some(Order::Debian)),
        ("Ubuntu:22.04:LTS", Some(Order::Debian)),
        ("Rocky Linux:9", Some(Order::Rpm)),
        ("Go", Some(Order::Go)),
        ("Packagist", Some(Order::Packagist)),
        ("Alpine:v3.18", Some(Order::Apk)),
        ("Bitnami", None),
        ("npm2", None),
        ("", None),
    ] {
        assert_eq!(Order::for_ecosystem(name), order, "{name}");
    }
}

fn version_like() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => "[0-2]{1,2}([.:~^+_-]?([0-2]{1,2}|a|b|m|rc|alpha|dev|post|pre|sp|ga|final|snapshot|x|p)){0,5}",
        1 => "[!-~]{0,8}",
        1 => "\\PC{0,8}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_order_is_total(texts in prop::array::uniform3(version_like())) {
        let [a, b, c] = &texts;
        for order in Order::ALL {
            prop_assert_eq!(order.compare(a, a), Ordering::Equal);
            prop_assert_eq!(order.compare(a, b), order.compare(b, a).reverse());
            let mut sorted = [a, b, c];
            sorted.sort_by(|left, right| order.compare(left, right));
            let [first, middle, last] = sorted;
            prop_assert!(order.compare(first, middle).is_le() && order.compare(middle, last).is_le());
            let both_equal = order.compare(first, middle).is_eq() && order.compare(middle, last).is_eq();
            let found = order.compare(first, last);
            prop_assert!(if both_equal { found.is_eq() } else { found.is_lt() }, "{order:?} {first} {middle} {last}: {found:?}");
        }
    }
}
