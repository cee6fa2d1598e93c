//! Input that means harm, or is broken: a finding each, never a panic, and the rest is still compared.

use crate::common::{Place, and, of_bill, of_kit, zipped};
use orch_plugin_vuln_scan::Input;
use orch_plugin_vuln_scan::inventory::Inventory;
use orch_plugin_vuln_scan::matching::Matcher;
use orch_plugin_vuln_scan::purl::Purl;
use orch_plugin_vuln_scan::skipped::Skips;
use orch_plugin_vuln_scan::{bill, cvss, grouping, vex};
use proptest::prelude::*;
use serde_json::json;
use std::collections::BTreeMap;

const BILL: &[&str] = &["pkg:npm/kit@1.0.0"];

/// A file among the records, beside one that is good.
#[track_caller]
fn check(path: &str, content: &[u8], expected: &[&str], says: &str) {
    let place =
        Place::new().with_bill(BILL).with_records(&[of_kit("A-1")]).with(&format!("advisories/{path}"), content);
    let scanned = place.scan();
    assert_eq!(scanned.told(), expected, "{path}");
    let said: Vec<&str> = scanned.findings.iter().map(|finding| finding.title.as_str()).collect();
    assert!(said.iter().any(|title| title.contains(says)), "{said:?}");
}

const UNREADABLE: &[&str] = &["A-1 open", "advisory-unreadable error"];
const INCOMPLETE: &[&str] = &["A-1 open", "advisories-incomplete error"];

#[test]
fn records() {
    check("b.json", b"", UNREADABLE, "b.json");
    check("b.json", b"nonsense", UNREADABLE, "expected");
    check("b.json", b"\xff\xfe", UNREADABLE, "b.json");
    check("b.json", b"[1, 2]", UNREADABLE, "b.json");
    check("b.json", br#"{ "id": 7 }"#, UNREADABLE, "b.json");
    check("b.json", br#"{ "id": "../../x" }"#, UNREADABLE, "no name of a vulnerability");
    check("b.json", br#"{ "id": "A\u001b[31m" }"#, UNREADABLE, "no name of a vulnerability");
    check("b.json", "[".repeat(1_000_000).as_bytes(), UNREADABLE, "b.json");
    check("b.json", &vec![b' '; 17 << 20], UNREADABLE, "larger than 16 MiB");
    let deep = and(of_kit("A-2"), json!({}));
    let deep = deep.to_string().replacen('{', &format!("{{\"x\":{}{},", "[".repeat(500), "]".repeat(500)), 1);
    // What nobody reads may be as deep as it likes.
    check("b.json", deep.as_bytes(), &["A-1 open", "A-2 open"], "kit");
    let deep = deep.replace("\"x\"", "\"database_specific\"");
    check("b.json", deep.as_bytes(), UNREADABLE, "b.json");
    let mut events = of_kit("A-2");
    events["affected"][0]["ranges"][0]["events"] = json!(vec![json!({ "introduced": "0" }); 20_001]);
    check("b.json", events.to_string().as_bytes(), UNREADABLE, "events");
    let long = and(of_kit("A-2"), json!({ "summary": "x\u{1b}[31m".repeat(10_000) }));
    check("b.json", long.to_string().as_bytes(), &["A-1 open", "A-2 open"], "kit 1.0.0: x[31m");
    // A version that nobody can order.
    let mut odd = of_kit("A-2");
    odd["affected"][0]["ranges"][0]["events"] = json!([{ "introduced": "one" }]);
    check("b.json", odd.to_string().as_bytes(), &["A-1 open", "package-unidentified error"], "`one`");
}

#[test]
fn zips() {
    check("b.zip", b"PK", INCOMPLETE, "b.zip");
    check("b.zip", b"", INCOMPLETE, "b.zip");
    let good = zipped(&[("a.json", of_kit("A-2").to_string().as_bytes())]);
    check("b.zip", &good, &["A-1 open", "A-2 open"], "kit");
    check("b.zip", &good[..good.len() - 10], INCOMPLETE, "b.zip");
    // 200 MiB of blanks in some hundred KiB: reading stops at the bound of a record.
    let bomb = zipped(&[("bomb.json", &vec![b' '; 200 << 20])]);
    assert!(bomb.len() < 1 << 20);
    check("b.zip", &bomb, UNREADABLE, "larger than 16 MiB");
    // A name is never a path.
    let named = zipped(&[("../../../x.json", of_kit("A-2").to_string().as_bytes())]);
    check("b.zip", &named, &["A-1 open", "A-2 open"], "kit");
    let mut flipped = good.clone();
    flipped[45] ^= 0xff;
    check("b.zip", &flipped, UNREADABLE, "b.zip");
}

#[test]
fn links_are_not_followed() {
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("secret.json"), of_kit("A-2").to_string()).unwrap();
    let place = Place::new().with_bill(BILL).with_records(&[of_kit("A-1")]);
    let mount = |name| orch_sdk::Host::mount(&place.host(), name);
    std::os::unix::fs::symlink(outside.path(), mount("advisories").join("folder")).unwrap();
    std::os::unix::fs::symlink(outside.path().join("secret.json"), mount("advisories").join("b.json")).unwrap();
    std::os::unix::fs::symlink(outside.path().join("secret.json"), mount("source").join("vex.json")).unwrap();
    let scanned = place.scan_as(Input { vex: vec!["vex.json".to_owned()], ..of_bill() });
    assert_eq!(scanned.told(), ["A-1 open", "vex-unreadable error"]);
    assert_eq!(scanned.skipped("symbolic link"), 2);
}

#[test]
fn bills() {
    let check = |content: Option<&[u8]>| {
        let place = Place::new().with_records(&[of_kit("A-1")]);
        let place = if let Some(content) = content { place.with("source/bill.json", content) } else { place };
        let scanned = place.scan();
        assert_eq!(scanned.told(), ["sbom-unreadable error"]);
        assert_eq!(scanned.output.packages, 0);
    };
    check(None);
    check(Some(b"nonsense"));
    check(Some(b"{}"));
    check(Some("[".repeat(1_000_000).as_bytes()));
    check(Some(&vec![b' '; 65 << 20]));
}

#[test]
fn many_problems_are_counted_but_not_all_told() {
    let bad: Vec<(String, Vec<u8>)> = (0..300).map(|number| (format!("{number}.json"), b"x".to_vec())).collect();
    let files: Vec<(&str, &[u8])> = bad.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    let scanned =
        Place::new().with_bill(BILL).with_records(&[of_kit("A-1")]).with("advisories/b.zip", zipped(&files)).scan();
    assert_eq!((scanned.findings.len(), scanned.skipped("advisory-unreadable")), (101, 300));
}

/// A good text with a piece taken out and another put in.
fn changed(text: &'static str) -> impl Strategy<Value = String> {
    let piece =
        prop_oneof!["[\\[\\]{}\":,0-9a-z]{0,6}", "\\PC{0,6}", Just("null".to_owned()), Just("\"0\"".to_owned())];
    (any::<prop::sample::Index>(), 0..20_usize, piece).prop_map(move |(at, length, piece)| {
        let characters: Vec<char> = text.chars().collect();
        let from = at.index(characters.len());
        let to = (from + length).min(characters.len());
        characters[..from].iter().copied().chain(piece.chars()).chain(characters[to..].iter().copied()).collect()
    })
}

const RECORD: &str = r#"{"id":"A-1","aliases":["CVE-2000-1"],"severity":[{"type":"CVSS_V3","score":"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H"}],"affected":[{"package":{"ecosystem":"npm","name":"kit"},"ranges":[{"type":"SEMVER","events":[{"introduced":"0"},{"fixed":"1.2.0"},{"limit":"*"}]}],"versions":["1.0.0"]}],"database_specific":{"severity":"HIGH"}}"#;
const VEX: &str = r#"{"@context":"https://openvex.dev/ns/v0.2.0","timestamp":"2000-01-01T00:00:00Z","statements":[{"vulnerability":{"name":"A-1"},"products":[{"@id":"pkg:npm/kit@1.0.0"}],"status":"fixed"}]}"#;

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_is_a_panic(record in changed(RECORD), statements in changed(VEX), text in "\\PC{0,60}") {
        let place = Place::new().with_bill(BILL);
        let mut skips = Skips::default();
        let inventory = Inventory::of_bill(&orch_sdk::Host::mount(&place.host(), "source"), "bill.json", &mut skips);
        let mut matcher = Matcher::new(&inventory);
        matcher.read(record.as_bytes(), "x", &mut skips);
        prop_assert!(grouping::groups(&matcher.matches, matcher.packages()).len() <= 1);
        let _ = vex::parse(&statements, &BTreeMap::new());
        let _ = (bill::parse(&text), cvss::base_score(&text), cvss::base_score(&format!("CVSS:4.0/{text}")));
        let _ = (Purl::parse(&text), Purl::parse(&format!("pkg:npm/{text}")));
    }
}
