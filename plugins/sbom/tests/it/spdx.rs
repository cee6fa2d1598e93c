//! The SPDX form of the bills: valid by the official JSON schema of SPDX 2.3, which the crate `serde-spdx` ships, and by the rules of the
//! specification that a schema cannot say.

use crate::common::{case, fixture, run, systems};
use crate::schema::{check_valid, shipped_schema};
use orch_plugin_sbom::{Format, Input, Output};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

fn of(folder: &Path, input: Input) -> Value {
    run(folder, Input { format: BTreeSet::from([Format::Spdx]), ..input }).bill
}

fn validator() -> jsonschema::Validator {
    let schema = shipped_schema("serde-spdx", "schemas/spdx_2_3.json");
    assert_eq!(schema["$id"], "http://spdx.org/rdf/terms/2.3", "this is the official schema");
    jsonschema::options().should_validate_formats(true).build(&schema).unwrap()
}

fn texts<'a>(list: &'a Value, key: &str) -> Vec<&'a str> {
    list.as_array().unwrap().iter().map(|one| one[key].as_str().unwrap()).collect()
}

fn package<'a>(bill: &'a Value, id: &str) -> &'a Value {
    let packages = bill["packages"].as_array().unwrap();
    packages.iter().find(|it| it["SPDXID"] == id).unwrap_or_else(|| panic!("{:#?}", texts(&bill["packages"], "SPDXID")))
}

/// What sections 6 to 11 of the specification ask for beyond the schema.
#[track_caller]
fn check_rules(bill: &Value) {
    assert_eq!((&bill["spdxVersion"], &bill["dataLicense"]), (&json!("SPDX-2.3"), &json!("CC0-1.0")));
    assert_eq!(bill["SPDXID"], "SPDXRef-DOCUMENT");
    let namespace = bill["documentNamespace"].as_str().unwrap();
    assert!(namespace.starts_with("https://") && !namespace.contains('#') && namespace.is_ascii());
    let created = bill["creationInfo"]["created"].as_str().unwrap();
    assert!(created.len() == 20 && created.ends_with('Z') && created.as_bytes()[10] == b'T', "{created}");
    assert!(bill["creationInfo"]["creators"][0].as_str().unwrap().starts_with("Tool: "));
    let ids = texts(&bill["packages"], "SPDXID");
    let known: BTreeSet<&str> = ids.iter().copied().chain(["SPDXRef-DOCUMENT"]).collect();
    assert_eq!(known.len(), ids.len() + 1, "identifiers are unique");
    let is_plain = |id: &str| id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte));
    assert!(ids.iter().all(|id| id.strip_prefix("SPDXRef-").is_some_and(|rest| !rest.is_empty() && is_plain(rest))));
    let none = json!([]);
    let extracted =
        if bill["hasExtractedLicensingInfos"].is_null() { &none } else { &bill["hasExtractedLicensingInfos"] };
    let extracted: BTreeSet<&str> = texts(extracted, "licenseId").into_iter().collect();
    let mut used = BTreeSet::new();
    for package in bill["packages"].as_array().unwrap() {
        assert!(!package["name"].as_str().unwrap().is_empty());
        assert_eq!(package["filesAnalyzed"], false);
        let location = package["downloadLocation"].as_str().unwrap();
        assert!(location == "NOASSERTION" || location.contains("://"), "{location}");
        for key in ["licenseConcluded", "licenseDeclared", "copyrightText"] {
            assert!(package[key].is_string(), "{key}");
        }
        let declared = package["licenseDeclared"].as_str().unwrap();
        used.extend(declared.split([' ', '(', ')']).filter(|word| word.starts_with("LicenseRef-")));
        let words = declared.split([' ', '(', ')']).filter(|word| !word.is_empty());
        for word in words.filter(|word| !matches!(*word, "AND" | "OR" | "NOASSERTION")) {
            let is_known = spdx::license_id(word).is_some_and(|id| id.name == word) || extracted.contains(word);
            assert!(is_known && is_plain(word), "{word}");
        }
        let algorithms: Vec<&str> =
            package["checksums"].as_array().into_iter().flatten().map(|it| it["algorithm"].as_str().unwrap()).collect();
        assert_eq!(algorithms.iter().collect::<BTreeSet<_>>().len(), algorithms.len());
        for reference in package["externalRefs"].as_array().into_iter().flatten() {
            let purl = reference["referenceLocator"].as_str().unwrap();
            assert!(purl.starts_with("pkg:") && !purl.contains(' '));
        }
    }
    assert_eq!(used, extracted, "every reference to a licence is explained, and none in vain");
    let mut described = 0;
    for relationship in bill["relationships"].as_array().unwrap() {
        for key in ["spdxElementId", "relatedSpdxElement"] {
            assert!(known.contains(relationship[key].as_str().unwrap()), "{relationship}");
        }
        described += usize::from(relationship["relationshipType"] == "DESCRIBES");
    }
    assert_eq!(described, 1);
}

#[test]
fn every_bill_is_valid() {
    let validator = validator();
    let systems = systems();
    for folder in [fixture("shop"), fixture("image"), case("shop"), case("languages"), systems.path().to_owned()] {
        for include_dev in [true, false] {
            let timestamp = include_dev.then(|| "2026-01-31T12:00:00.5+01:00".to_owned());
            let bill = of(&folder, Input { include_dev, timestamp, installed: true, ..Input::default() });
            check_valid(&validator, &bill);
            check_rules(&bill);
            let created = if include_dev { "2026-01-31T11:00:00Z" } else { "1970-01-01T00:00:00Z" };
            assert_eq!(bill["creationInfo"]["created"], created);
            let _: serde_spdx::spdx::v_2_3::Spdx = serde_json::from_value(bill).unwrap();
        }
    }
    let empty = tempfile::tempdir().unwrap();
    let bill = of(empty.path(), Input { name: Some("é \"x\"".into()), ..Input::default() });
    check_valid(&validator, &bill);
    check_rules(&bill);
}

#[test]
fn the_schema_notices_mistakes() {
    let validator = validator();
    let good = of(&case("languages"), Input::default());
    let mistakes: [(&str, Value); 5] = [
        ("/creationInfo/creators", json!([])),
        ("/packages/1/checksums", json!([{ "algorithm": "SHA-1", "checksumValue": "00" }])),
        ("/packages/0/primaryPackagePurpose", json!("CRATE")),
        ("/relationships/0/relationshipType", json!("NEEDS")),
        ("/packages/0/name", json!(1)),
    ];
    for (pointer, value) in mistakes {
        let mut bill = good.clone();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        bill.pointer_mut(parent).unwrap()[key] = value;
        assert!(!validator.is_valid(&bill), "{pointer}");
    }
}

#[test]
fn what_a_bill_says() {
    let bill =
        of(&case("languages"), Input { name: Some("gull".into()), version: Some("1.0.0".into()), ..Input::default() });
    let root = package(&bill, "SPDXRef-root-gull");
    assert_eq!((&root["name"], &root["versionInfo"]), (&json!("gull"), &json!("1.0.0")));
    let grid = package(&bill, "SPDXRef-pkg-npm-40lumen-grid-3.1.4");
    assert_eq!((&grid["name"], &grid["sourceInfo"]), (&json!("@lumen/grid"), &json!("named in: yarn/yarn.lock")));
    assert_eq!(grid["checksums"][0]["algorithm"], "SHA512");
    assert_eq!(grid["externalRefs"][0]["referenceLocator"], "pkg:npm/%40lumen/grid@3.1.4");
    assert_eq!((&grid["licenseDeclared"], &grid["licenseConcluded"]), (&json!("NOASSERTION"), &json!("NOASSERTION")));
    let coin = package(&bill, "SPDXRef-pkg-composer-gull-coin-1.0.0");
    assert!(coin["licenseDeclared"].as_str().unwrap().contains("BSD-3-Clause"));
    assert_eq!(package(&bill, "SPDXRef-pkg-maven-org.gull.example-wing-4.1")["name"], "org.gull.example:wing");
    let twig = bill["packages"].as_array().unwrap().iter().find(|it| it["name"] == "twig").unwrap();
    assert!(twig["downloadLocation"].as_str().unwrap().starts_with("git+https://git.example/twig.git@"));
    let relationships: BTreeSet<(&str, &str, &str)> = bill["relationships"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| {
            let text = |key: &str| it[key].as_str().unwrap();
            (text("spdxElementId"), text("relationshipType"), text("relatedSpdxElement"))
        })
        .collect();
    for expected in [
        ("SPDXRef-DOCUMENT", "DESCRIBES", "SPDXRef-root-gull"),
        ("SPDXRef-root-gull", "DEPENDS_ON", "SPDXRef-first-party-npm-heron-3.0.0"),
        ("SPDXRef-pkg-npm-probe-kit-2.1.0", "DEV_DEPENDENCY_OF", "SPDXRef-first-party-npm-heron-3.0.0"),
        ("SPDXRef-pkg-npm-probe-kit-2.1.0", "DEPENDS_ON", "SPDXRef-pkg-npm-pebble-1.0.7"),
        ("SPDXRef-pkg-npm-40lumen-grid-3.1.4", "DEPENDS_ON", "SPDXRef-pkg-npm-sift-0.3.9"),
    ] {
        assert!(relationships.contains(&expected), "{expected:?} {relationships:#?}");
    }
    let optional = relationships.iter().filter(|it| it.1 == "OPTIONAL_DEPENDENCY_OF");
    assert_eq!(optional.map(|it| it.2).collect::<Vec<_>>(), ["SPDXRef-pkg-npm-40lumen-grid-3.1.4"]);
}

#[test]
fn sources_of_system_packages_are_kept() {
    let bill = of(&case("systems"), Input::default());
    let stone = package(&bill, "SPDXRef-pkg-apk-alpine-libstone-1.2.5-r0-arch-x86-64-distro-alpine-3.20.3");
    assert_eq!(stone["sourceInfo"], "built from: stone; named in: alpine/lib/apk/db/installed");
    assert_eq!((&stone["licenseDeclared"], &stone["downloadLocation"]), (&json!("MIT"), &json!("NOASSERTION")));
}

#[test]
fn both_formats_of_one_run() {
    let both = BTreeSet::from([Format::Cyclonedx, Format::Spdx]);
    let one = run(&case("languages"), Input { format: both.clone(), ..Input::default() });
    let two = run(&case("languages"), Input { format: both, ..Input::default() });
    let names = |output: &Output| output.artifacts.iter().map(|it| it.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&one.output), ["sbom.cdx.json", "sbom.spdx.json"]);
    assert_eq!(one.output.artifact, one.output.artifacts[0]);
    assert_eq!(one.output, two.output, "the same tree gives the same bytes");
    let stored: BTreeMap<String, Vec<u8>> =
        one.host.artifacts().iter().map(|it| (it.name.clone(), it.content.clone())).collect();
    assert_eq!(stored.len(), 2);
    let spdx: Value = serde_json::from_slice(&stored["sbom.spdx.json"]).unwrap();
    assert_eq!(spdx["packages"].as_array().unwrap().len(), one.output.components + 1);
    let other = of(&case("languages"), Input { name: Some("other".into()), ..Input::default() });
    assert_ne!(spdx["documentNamespace"], other["documentNamespace"]);
}
