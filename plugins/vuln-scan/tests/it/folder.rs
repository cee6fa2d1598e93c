//! Scans with records of a folder.

use crate::common::{Place, Scanned, and, of_bill, of_kit, record, zipped};
use orch_plugin_vuln_scan::Input;
use orch_sdk::{Severity, TaskError, TestHost};
use serde_json::json;
use std::collections::BTreeMap;

const LOCK: &str = r#"version = 4

[[package]]
name = "kit"
version = "1.1.0"
source = "registry+https://crates.example/index"

[[package]]
name = "kit"
version = "2.0.0"
source = "registry+https://crates.example/index"

[[package]]
name = "own"
version = "1.0.0"
dependencies = ["kit 1.1.0", "kit 2.0.0"]
"#;

#[test]
fn lock_files_of_a_tree() {
    let high = json!({ "severity": [{ "type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H" }],
        "references": [{ "type": "WEB", "url": "https://b.example" }, { "type": "WEB", "url": "https://a.example" },
            { "type": "WEB", "url": "javascript:x" }, { "type": "WEB", "url": "httpx://a" }] });
    let place = Place::new().with("source/a/Cargo.lock", LOCK).with("source/b/Cargo.lock", LOCK).with_records(&[
        and(record("CRATE-1", "crates.io", "kit", "SEMVER", "introduced 1.0.0 fixed 1.2.0 introduced 3.0.0"), high),
        record("CRATE-2", "crates.io", "other", "SEMVER", "introduced 0"),
        record("NPM-1", "npm", "kit", "SEMVER", "introduced 0"),
    ]);
    let scanned = place.scan_as(Input::default());
    assert_eq!(scanned.told(), ["CRATE-1 open"]);
    let finding = scanned.finding("CRATE-1");
    assert_eq!(finding.title, "kit 1.1.0: About kit");
    assert_eq!(finding.severity, Severity::High);
    assert_eq!(finding.remediation.as_deref(), Some("update to 1.2.0"));
    assert_eq!(finding.references, ["https://a.example", "https://b.example"]);
    let location = finding.location.as_ref().unwrap();
    assert_eq!((&*location.path, location.line), ("a/Cargo.lock", Some(4)));
    let data = finding.data.as_ref().unwrap();
    assert_eq!(data["places"], json!(["a/Cargo.lock:4", "b/Cargo.lock:4"]));
    assert_eq!(data["cvss"]["score"], json!(7.5));
    let output = &scanned.output;
    assert_eq!((output.packages, output.vulnerable, output.records_read), (2, 1, 3));
    assert_eq!(output.by_severity, BTreeMap::from([(Severity::High, 1)]));
    assert_eq!(scanned.skipped("part of the tree, or from a path"), 2);

    let excluded = place.scan_as(Input { exclude: vec!["a".to_owned()], ..Input::default() });
    assert_eq!(excluded.finding("CRATE-1").location.as_ref().unwrap().path, "b/Cargo.lock");
    // A version that is another place's makes it no other problem.
    assert_eq!(excluded.finding("CRATE-1").fingerprint, finding.fingerprint);
}

#[test]
fn packages_only_for_development() {
    let lock = json!({ "lockfileVersion": 3, "packages": { "": { "name": "own" },
        "node_modules/kit": { "version": "1.0.0", "dev": true } } });
    let place = Place::new().with_json("source/package-lock.json", &lock).with_records(&[of_kit("A-1")]);
    assert_eq!(place.scan_as(Input::default()).told(), ["A-1 open"]);
    let without = place.scan_as(Input { include_dev: false, ..Input::default() });
    assert!(without.findings.is_empty());
    assert_eq!(without.skipped("only for development"), 1);
}

#[test]
fn a_folder_and_a_zip_say_the_same() {
    let records = [
        and(of_kit("ZZ-1"), json!({ "aliases": ["CVE-2000-1"] })),
        and(of_kit("GHSA-1"), json!({ "aliases": ["CVE-2000-1"] })),
        and(of_kit("ZZ-2"), json!({ "withdrawn": "2000-01-01T00:00:00Z" })),
    ];
    let bytes: Vec<(String, Vec<u8>)> = records
        .iter()
        .map(|it| (format!("x/{}.json", it["id"].as_str().unwrap()), it.to_string().into_bytes()))
        .collect();
    let mut files: Vec<(&str, &[u8])> = bytes.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    files.push(("README", b"x"));
    let bill = ["pkg:npm/kit@1.0.0"];
    let apart = Place::new().with_bill(&bill).with_records(&records).with("advisories/README", "x").scan();
    let together = Place::new().with_bill(&bill).with("advisories/deep/all.zip", zipped(&files)).scan();
    assert_eq!(apart.told(), ["CVE-2000-1 open"]);
    assert_eq!(apart.findings, together.findings);
    for scanned in [&apart, &together] {
        assert_eq!((scanned.output.records_read, scanned.skipped("withdrawn")), (3, 1));
        assert_eq!(scanned.skipped("neither JSON nor zip"), 1);
    }
    // Both at once: nothing is reported twice, and of two states of a record both count.
    let both = Place::new().with_bill(&bill).with_records(&records).with("advisories/all.zip", zipped(&files)).scan();
    assert_eq!((both.findings, both.output.records_read), (apart.findings, 6));
    let older = record("ZZ-3", "npm", "kit", "SEMVER", "introduced 0 fixed 1.5.0");
    let newer = record("ZZ-3", "npm", "kit", "SEMVER", "introduced 0 fixed 2.1.0");
    let place =
        Place::new().with_bill(&["pkg:npm/kit@1.0.0", "pkg:npm/kit@2.0.0"]).with_json("advisories/1.json", &older);
    let scanned = place.with_json("advisories/2.json", &newer).scan();
    assert_eq!(scanned.told(), ["ZZ-3 open"; 2]);
    assert!(scanned.findings.iter().all(|finding| finding.remediation.as_deref() == Some("update to 2.1.0")));
}

#[test]
fn both_formats_of_bills() {
    let spdx = json!({ "spdxVersion": "SPDX-2.3", "packages": [{ "SPDXID": "SPDXRef-1", "externalRefs": [
        { "referenceType": "purl", "referenceLocator": "pkg:npm/kit@1.0.0" }] }, { "SPDXID": "SPDXRef-2" }] });
    let place = Place::new().with_json("source/bill.json", &spdx).with_records(&[of_kit("A-1")]);
    let scanned = place.scan();
    assert_eq!(scanned.told(), ["A-1 open"]);
    assert_eq!(scanned.finding("A-1").location.as_ref().unwrap().path, "bill.json");
    assert_eq!(scanned.skipped("no package URL"), 1);
}

#[test]
fn severities() {
    let check = |more, expected: Severity, said: &str| {
        let place = Place::new().with_bill(&["pkg:npm/kit@1.0.0"]).with_records(&[and(of_kit("A-1"), more)]);
        let scanned = place.scan();
        let finding = scanned.finding("A-1");
        assert_eq!(finding.severity, expected);
        assert!(finding.detail.as_ref().unwrap().contains(said), "{:?}", finding.detail);
    };
    let vectors = |vectors: &[&str]| {
        let all: Vec<_> = vectors.iter().map(|vector| json!({ "type": "CVSS", "score": vector })).collect();
        json!({ "severity": all })
    };
    let low = "CVSS:3.0/AV:N/AC:H/PR:N/UI:R/S:U/C:L/I:N/A:N";
    let worst = "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:H/SI:H/SA:H";
    check(vectors(&[low]), Severity::Low, "Base score 3.1");
    check(vectors(&[low, worst, "nonsense"]), Severity::Critical, "Base score 10.0");
    check(json!({ "database_specific": { "severity": "HIGH" } }), Severity::High, "own word");
    check(json!({ "database_specific": { "severity": ["HIGH"] } }), Severity::Medium, "assumed");
    check(json!({}), Severity::Medium, "assumed");
}

#[test]
fn an_ecosystem_without_records_is_told() {
    let place = Place::new().with_bill(&["pkg:npm/kit@1", "pkg:pypi/kit@1"]).with_records(&[of_kit("A-1")]);
    let scanned = place.scan();
    assert_eq!(scanned.told(), ["A-1 open", "advisories-incomplete error"]);
    assert!(scanned.finding("advisories-incomplete").title.contains("PyPI"));
    // Without packages there is nothing to compare.
    let nothing = Place::new().scan_as(Input::default());
    assert!(nothing.findings.is_empty() && nothing.output.packages == 0);
}

#[test]
fn what_the_input_may_say() {
    let place = Place::new().with_bill(&["pkg:npm/kit@1"]).with_records(&[of_kit("A-1")]);
    let check = |input: serde_json::Value, says: &str| {
        let wrong = serde_json::from_value::<Input>(input).unwrap();
        match Scanned::by(wrong, place.host()) {
            Err(TaskError::InvalidInput(message)) => assert!(message.contains(says), "{message}"),
            other => panic!("{other:?}"),
        }
    };
    check(json!({ "sbom": "../bill.json" }), "`sbom`");
    check(json!({ "sbom": "/bill.json" }), "`sbom`");
    check(json!({ "vex": ["a/../../b"] }), "`vex`");
    check(json!({ "exclude": ["../a"] }), "`exclude`");
    for url in [
        "osv.example",
        "http://osv.example",
        "https://user@osv.example",
        "https://osv.example/?a",
        "https://osv.example/api",
    ] {
        check(json!({ "online": { "url": url } }), "`online.url`");
    }
    assert!(serde_json::from_value::<Input>(json!({ "fail-on": "high" })).is_err());
}

#[test]
fn grants() {
    let place = Place::new().with_bill(&["pkg:npm/kit@1"]);
    let check = |host: TestHost, mount: &str| {
        assert!(matches!(Scanned::by(of_bill(), host), Err(TaskError::Denied { target, .. }) if target == mount));
    };
    check(TestHost::new(), "source");
    check(TestHost::new().with_mount("source", orch_sdk::Host::mount(&place.host(), "source")), "advisories");
    let host = place.host();
    host.cancel();
    assert!(matches!(Scanned::by(of_bill(), host), Err(TaskError::Cancelled)));
}
