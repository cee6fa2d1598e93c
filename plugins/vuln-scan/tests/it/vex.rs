//! Statements on exploitability, of both formats.

use crate::common::{Place, Scanned, and, of_bill, of_kit};
use orch_plugin_vuln_scan::Input;
use serde_json::{Value, json};

fn open(vulnerability: Value, product: &str, status: &str, more: Value) -> Value {
    let product = json!({ "@id": product });
    let statement = json!({ "vulnerability": vulnerability, "products": [product], "status": status });
    json!({ "@context": "https://openvex.dev/ns/v0.2.0", "statements": [and(statement, more)] })
}

fn cyclonedx(id: &str, reference: &str, analysis: Value) -> Value {
    json!({ "bomFormat": "CycloneDX", "vulnerabilities": [
        { "id": id, "analysis": analysis, "affects": [{ "ref": reference }] }] })
}

fn scan(files: &[Value]) -> Scanned {
    let record = and(of_kit("GHSA-1"), json!({ "aliases": ["CVE-2000-1"] }));
    let mut place = Place::new().with_records(&[record]);
    let bill =
        json!({ "bomFormat": "CycloneDX", "components": [{ "bom-ref": "the-kit", "purl": "pkg:npm/kit@1.0.0" }] });
    place = place.with_json("source/bill.json", &bill);
    let mut input: Input = of_bill();
    for (number, file) in files.iter().enumerate() {
        place = place.with_json(&format!("source/vex/{number}.json"), file);
        input.vex.push(format!("vex/{number}.json"));
    }
    place.scan_as(input)
}

/// What is told of the vulnerability.
#[track_caller]
fn check(files: &[Value], expected: &[&str]) {
    let scanned = scan(files);
    assert_eq!(scanned.told(), expected, "{files:?}");
    let suppressed = usize::from(expected[0].ends_with("not applicable"));
    assert_eq!((scanned.output.suppressed, scanned.output.vulnerable), (suppressed, 1 - suppressed));
}

const OPEN: &[&str] = &["CVE-2000-1 open"];
const SUPPRESSED: &[&str] = &["CVE-2000-1 not applicable"];
const UNUSABLE: &[&str] = &["CVE-2000-1 open", "vex-unreadable error"];

#[test]
fn openvex() {
    let cve = || json!({ "name": "CVE-2000-1" });
    let none = || json!({});
    let because = json!({ "justification": "component_not_present", "impact_statement": "Left out of the build." });
    let suppressed = scan(&[open(cve(), "pkg:npm/kit", "not_affected", because)]);
    let detail = suppressed.finding("CVE-2000-1").detail.clone().unwrap();
    assert!(
        detail.starts_with("Said of it: not affected (component_not_present: Left out of the build.)."),
        "{detail}"
    );

    check(&[open(cve(), "pkg:npm/kit@1.0.0", "not_affected", none())], SUPPRESSED);
    check(&[open(cve(), "pkg:npm/kit@1.0.0", "fixed", none())], SUPPRESSED);
    // By another name of it, as text or as an alias.
    check(&[open(json!("GHSA-1"), "pkg:npm/kit", "not_affected", none())], SUPPRESSED);
    check(&[open(json!({ "name": "X-1", "aliases": ["GHSA-1"] }), "pkg:npm/kit", "fixed", none())], SUPPRESSED);
    let identified = json!({ "products": [{ "@id": "urn:x", "identifiers": { "purl": "pkg:npm/kit@1.0.0" } }] });
    check(&[open(cve(), "", "not_affected", identified)], SUPPRESSED);
    // Of a part of a product it is the part that counts.
    let part = json!({ "products": [{ "@id": "pkg:npm/shop@1", "subcomponents": [{ "@id": "pkg:npm/kit" }] }] });
    check(&[open(cve(), "", "not_affected", part)], SUPPRESSED);
    let other_part = json!({ "products": [{ "@id": "pkg:npm/kit", "subcomponents": [{ "@id": "pkg:npm/part" }] }] });
    check(&[open(cve(), "", "not_affected", other_part)], OPEN);

    check(&[open(cve(), "pkg:npm/kit", "affected", none())], OPEN);
    check(&[open(cve(), "pkg:npm/kit", "under_investigation", none())], OPEN);
    check(&[open(cve(), "pkg:npm/kit@1.0.1", "not_affected", none())], OPEN);
    check(&[open(cve(), "pkg:npm/%40acme/kit", "not_affected", none())], OPEN);
    check(&[open(cve(), "pkg:npm/kit?arch=x", "not_affected", none())], OPEN);
    check(&[open(json!("CVE-2000-2"), "pkg:npm/kit", "not_affected", none())], OPEN);
}

#[test]
fn cyclonedx_analysis() {
    for (state, expected) in [
        ("not_affected", SUPPRESSED),
        ("false_positive", SUPPRESSED),
        ("resolved", SUPPRESSED),
        ("resolved_with_pedigree", SUPPRESSED),
        ("in_triage", OPEN),
        ("exploitable", OPEN),
        ("nonsense", UNUSABLE),
    ] {
        check(&[cyclonedx("CVE-2000-1", "pkg:npm/kit@1.0.0", json!({ "state": state }))], expected);
    }
    // By the bill's own name of the package, and by a link into the bill.
    let not = || json!({ "state": "not_affected" });
    check(&[cyclonedx("GHSA-1", "the-kit", not())], SUPPRESSED);
    check(&[cyclonedx("GHSA-1", "urn:cdx:1234/1#the-kit", not())], SUPPRESSED);
    check(&[cyclonedx("CVE-2000-1", "nobody", not())], UNUSABLE);
    let mut versions = cyclonedx("CVE-2000-1", "pkg:npm/kit", not());
    versions["vulnerabilities"][0]["affects"][0]["versions"] =
        json!([{ "version": "0.9.0" }, { "range": "vers:npm/1" }]);
    check(&[versions], OPEN);
}

#[test]
fn the_latest_word_counts() {
    let at = |time: &str, status: &str| open(json!("CVE-2000-1"), "pkg:npm/kit", status, json!({ "timestamp": time }));
    check(&[at("2000-01-02T00:00:00Z", "not_affected"), at("2000-01-01T00:00:00Z", "affected")], SUPPRESSED);
    check(&[at("2000-01-02T00:00:00Z", "affected"), at("2000-01-01T00:00:00Z", "not_affected")], OPEN);
    // Of equal times, the file that is named last.
    check(&[at("2000-01-01T00:00:00Z", "not_affected"), at("2000-01-01T00:00:00Z", "affected")], OPEN);
}

#[test]
fn what_says_nothing_is_told() {
    let none = || json!({});
    check(&[open(json!("CVE-2000-1"), "https://shop.example", "not_affected", none())], UNUSABLE);
    check(&[open(json!("CVE-2000-1"), "pkg:npm/kit", "perhaps", none())], UNUSABLE);
    check(&[open(json!(7), "pkg:npm/kit", "not_affected", none())], UNUSABLE);
    check(&[json!({ "statements": [] })], UNUSABLE);
    check(&[json!([])], UNUSABLE);
    let mut input = of_bill();
    input.vex.push("missing.json".to_owned());
    let place = Place::new().with_bill(&["pkg:npm/kit@1"]).with_records(&[of_kit("A-1")]);
    assert_eq!(place.scan_as(input).told(), ["A-1 open", "vex-unreadable error"]);
}
