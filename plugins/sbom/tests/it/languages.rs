//! The tree of the case `languages`: a project of each lock format that is not in the older fixtures.

use crate::common::{Run, case, component, depends_on, properties, run};
use orch_plugin_sbom::Input;
use serde_json::json;
use std::collections::BTreeMap;

fn bill() -> Run {
    run(&case("languages"), Input { name: Some("gull".into()), ..Input::default() })
}

#[test]
fn components_and_their_scopes() {
    let Run { bill, output, .. } = bill();
    let found: BTreeMap<&str, &str> = bill["components"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (it["bom-ref"].as_str().unwrap(), it["scope"].as_str().unwrap()))
        .collect();
    let expected = [
        ("first-party:npm/@gull/ui@0.2.0", "required"),
        ("first-party:npm/gull-web@1.2.0", "required"),
        ("first-party:npm/heron@3.0.0", "required"),
        ("first-party:npm/nest@0.1.0", "required"),
        ("first-party:npm/osprey@0.9.0", "required"),
        ("first-party:nuget/Gull.App", "required"),
        ("pkg:composer/gull/cart@v2.3.1", "required"),
        ("pkg:composer/gull/coin@1.0.0", "required"),
        (
            "pkg:composer/gull/scale@3.0.0?vcs_url=git%2Bhttps://git.example/gull/scale.git%4045c93a12ef1aa3f40a3bf0c0d0b2d6d8ed5a6b4f",
            "excluded",
        ),
        ("pkg:gem/amber@1.4.0", "required"),
        ("pkg:gem/flint@2.0.1", "required"),
        ("pkg:gem/flint@2.0.1?platform=x86_64-linux", "required"),
        ("pkg:maven/org.gull.example/builder@1.0", "excluded"),
        ("pkg:maven/org.gull.example/feather@2.0", "required"),
        ("pkg:maven/org.gull.example/perch@0.7", "excluded"),
        ("pkg:maven/org.gull.example/wing@4.1", "required"),
        ("pkg:npm/%40lumen/grid@3.1.4", "required"),
        ("pkg:npm/%40lumen/grid@3.2.0", "required"),
        ("pkg:npm/pebble@1.0.7", "required"),
        ("pkg:npm/probe-kit@2.1.0", "excluded"),
        ("pkg:npm/sift@0.3.9", "required"),
        ("pkg:npm/sift@0.4.2", "required"),
        ("pkg:npm/swiftfs@2.2.2?repository_url=https://npm.example/mirror", "optional"),
        ("pkg:npm/twig@0.0.4?vcs_url=git%2Bhttps://git.example/twig.git%40", "excluded"),
        ("pkg:nuget/Gull.Core@5.0.2", "required"),
        ("pkg:nuget/Gull.Text@1.1.0", "required"),
    ];
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for ((found, found_scope), (reference, scope)) in found.iter().zip(expected) {
        // Commits are made-up digests.
        let reference = reference.split("%40").next().filter(|_| reference.contains("vcs_url")).unwrap_or(reference);
        assert!(found.starts_with(reference), "{found} is not {reference}");
        assert_eq!(*found_scope, scope, "{reference}");
    }
    assert!(!output.incomplete);
}

#[test]
fn edges_and_evidence() {
    let Run { bill, .. } = bill();
    assert_eq!(
        depends_on(&bill, "pkg:npm/%40lumen/grid@3.1.4"),
        ["pkg:npm/sift@0.3.9", "pkg:npm/swiftfs@2.2.2?repository_url=https://npm.example/mirror"]
    );
    assert_eq!(depends_on(&bill, "first-party:npm/@gull/ui@0.2.0"), ["pkg:npm/%40lumen/grid@3.1.4"]);
    assert_eq!(depends_on(&bill, "first-party:npm/heron@3.0.0"), ["pkg:npm/pebble@1.0.7", "pkg:npm/probe-kit@2.1.0"]);
    assert_eq!(depends_on(&bill, "pkg:composer/gull/cart@v2.3.1"), ["pkg:composer/gull/coin@1.0.0"]);
    assert_eq!(depends_on(&bill, "first-party:nuget/Gull.App"), ["pkg:nuget/Gull.Core@5.0.2"]);
    assert_eq!(depends_on(&bill, "pkg:nuget/Gull.Core@5.0.2"), ["pkg:nuget/Gull.Text@1.1.0"]);
    assert_eq!(depends_on(&bill, "pkg:gem/amber@1.4.0").len(), 2);
    let grid = component(&bill, "pkg:npm/%40lumen/grid@3.1.4");
    assert_eq!((&grid["group"], &grid["hashes"][0]["alg"]), (&json!("@lumen"), &json!("SHA-512")));
    let coin = component(&bill, "pkg:composer/gull/coin@1.0.0");
    assert_eq!(
        (&coin["group"], &coin["licenses"][0]["expression"]),
        (&json!("gull"), &json!("BSD-3-Clause OR GPL-2.0-only"))
    );
    assert_eq!(component(&bill, "pkg:maven/org.gull.example/wing@4.1")["group"], "org.gull.example");
    assert!(properties(component(&bill, "pkg:npm/pebble@1.0.7"), "checksum")[0].starts_with("10c0/"));
    let sift = component(&bill, "pkg:npm/sift@0.4.2");
    assert_eq!(sift["evidence"]["occurrences"].as_array().unwrap().len(), 2);
}

#[test]
fn projects_without_a_lock_file() {
    let findings = bill().host.findings();
    let told: Vec<String> =
        findings.iter().map(|it| format!("{} {}", it.rule, it.location.as_ref().unwrap().path)).collect();
    let expected = [
        "lockfile-missing bare/Bare.csproj",
        "lockfile-missing bare/Gemfile",
        "lockfile-missing bare/build.gradle.kts",
        "lockfile-missing bare/composer.json",
        "git-dependency php/composer.lock",
        "git-dependency pnpm/pnpm-lock.yaml",
        "non-registry-source yarn/yarn.lock",
    ];
    assert_eq!(told, expected);
}

#[test]
fn without_development() {
    let output = run(&case("languages"), Input { include_dev: false, ..Input::default() }).output;
    let all = bill().output;
    assert_eq!(all.components - output.components, 5);
}
