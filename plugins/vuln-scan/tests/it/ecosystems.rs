//! Ranges of every ecosystem, by packages as bills of materials name them.

use crate::common::{Place, of_kit, record};
use serde_json::json;

/// `ecosystem|name|kind|events`, then package URLs that are affected, and some that are not.
#[track_caller]
fn check(record_of: &str, affected: &[&str], others: &[&str]) {
    let parts: Vec<&str> = record_of.split('|').collect();
    let all: Vec<&str> = affected.iter().chain(others).copied().collect();
    let record = record("A-1", parts[0], parts[1], parts[2], parts[3]);
    let scanned = Place::new().with_bill(&all).with_records(&[record]).scan();
    let mut found: Vec<&str> =
        scanned.findings.iter().map(|finding| finding.data.as_ref().unwrap()["purl"].as_str().unwrap()).collect();
    found.sort_unstable();
    let mut expected = affected.to_vec();
    expected.sort_unstable();
    assert_eq!(found, expected, "{record_of}");
    assert_eq!(scanned.output.vulnerable, affected.len());
}

#[test]
fn ranges() {
    check(
        "crates.io|kit|SEMVER|introduced 0.0.0-0 fixed 1.2.0-rc.2",
        &["pkg:cargo/kit@1.1.9", "pkg:cargo/kit@1.2.0-rc.1", "pkg:cargo/kit@1.2.0-beta.10"],
        &["pkg:cargo/kit@1.2.0-rc.2", "pkg:cargo/kit@1.2.0", "pkg:cargo/Kit@1.0.0", "pkg:cargo/kit-more@1.0.0"],
    );
    check(
        "npm|@acme/kit|SEMVER|introduced 1.0.0 last_affected 1.9.0",
        &["pkg:npm/%40acme/kit@1.0.0", "pkg:npm/%40Acme/kit@1.9.0"],
        &["pkg:npm/%40acme/kit@1.9.1", "pkg:npm/kit@1.0.0", "pkg:npm/%40acme/kit@1.0.0-rc.1"],
    );
    check(
        "PyPI|My_Kit|ECOSYSTEM|introduced 0 fixed 1.0",
        &["pkg:pypi/my-kit@1.0rc1", "pkg:pypi/My.Kit@1.0.dev3", "pkg:pypi/my-kit@0.9.post1"],
        &["pkg:pypi/my-kit@1", "pkg:pypi/my-kit@1.0.0", "pkg:pypi/my-kit@1!0.1"],
    );
    check(
        "Go|git.example/Acme/kit|SEMVER|introduced 0 fixed 1.2.3",
        &[
            "pkg:golang/git.example/acme/kit@v1.2.2",
            "pkg:golang/git.example/acme/kit@v1.2.3-0.20200101000000-abcdefabcdef",
        ],
        &["pkg:golang/git.example/acme/kit@v1.2.3", "pkg:golang/git.example/acme/kit/v2@v2.0.0+incompatible"],
    );
    check(
        "Maven|org.example:kit|ECOSYSTEM|introduced 1.0-alpha fixed 1.0",
        &["pkg:maven/org.example/kit@1.0-SNAPSHOT?type=jar", "pkg:maven/org.example/kit@1.0-rc1"],
        &["pkg:maven/org.example/kit@1.0.Final", "pkg:maven/org.example/kit@1.0-sp", "pkg:maven/org.other/kit@1.0-rc1"],
    );
    check(
        "RubyGems|kit|ECOSYSTEM|introduced 1.0 fixed 1.2",
        &["pkg:gem/kit@1.0.0", "pkg:gem/kit@1.2.pre1"],
        &["pkg:gem/kit@1.2.0", "pkg:gem/kit@1.0.a"],
    );
    check(
        "NuGet|Acme.Kit|ECOSYSTEM|introduced 1.0.0 fixed 1.0.0.5",
        &["pkg:nuget/acme.kit@1.0.0.4", "pkg:nuget/Acme.Kit@1.0"],
        &["pkg:nuget/Acme.Kit@1.0.0.5", "pkg:nuget/Acme.Kit@1.0.1-beta"],
    );
    check(
        "Packagist|acme/kit|ECOSYSTEM|introduced 1.0 fixed 2.0",
        &["pkg:composer/acme/kit@v1.5.0", "pkg:composer/Acme/Kit@2.0-RC1"],
        &["pkg:composer/acme/kit@2.0.0", "pkg:composer/acme/kit@2.0-p1"],
    );
    check(
        "Rocky Linux:9|kit|ECOSYSTEM|introduced 0 fixed 1:2.0-3.el9_1",
        &["pkg:rpm/rocky/kit@2.0-2.el9?distro=rocky-9.3&epoch=1", "pkg:rpm/rocky/kit@9-1.el9?distro=rocky-9"],
        &["pkg:rpm/rocky/kit@2.0-3.el9_1?distro=rocky-9&epoch=1", "pkg:rpm/rocky/kit@1-1.el8?distro=rocky-8"],
    );
    check(
        "Ubuntu:22.04:LTS|kit|ECOSYSTEM|introduced 0 fixed 1.0-1ubuntu2",
        &[
            "pkg:deb/ubuntu/kit@1.0-1ubuntu1?distro=ubuntu-22.04",
            "pkg:deb/ubuntu/libkit@1.0~rc?distro=jammy&upstream=kit",
        ],
        &["pkg:deb/ubuntu/kit@1.0-1ubuntu1?distro=ubuntu-24.04", "pkg:deb/ubuntu/kit@1.0-1ubuntu2?distro=ubuntu-22.04"],
    );
}

#[test]
fn debian_speaks_of_source_packages_of_a_release() {
    check(
        "Debian:12|kit|ECOSYSTEM|introduced 0 fixed 2.0-1+deb12u1",
        &[
            "pkg:deb/debian/libkit1@2.0-1?distro=debian-12&upstream=kit",
            "pkg:deb/debian/kit@2.0~rc1?distro=bookworm",
            // Built again without a new source.
            "pkg:deb/debian/kit-tools@3.0-1%2Bb2?distro=debian-12.5&upstream=kit%402.0-1",
        ],
        &[
            "pkg:deb/debian/kit@2.0-1?distro=debian-11",
            "pkg:deb/debian/kit@2.0-1%2Bdeb12u1?distro=debian-12",
            "pkg:deb/debian/libother@1?distro=debian-12&upstream=other",
        ],
    );
}

#[test]
fn without_an_order_only_lists_count() {
    let listed = json!({ "id": "A-1", "affected": [{ "package": { "ecosystem": "Alpine:v3.18", "name": "kit" },
        "ranges": [{ "type": "ECOSYSTEM", "events": [{ "introduced": "0" }, { "fixed": "1.3-r0" }] }], "versions": ["1.2-r0"] }] });
    let bill = ["pkg:apk/alpine/kit@1.2-r0?distro=3.18.4", "pkg:apk/alpine/kit@1.2-r1?distro=3.18.4"];
    let scanned = Place::new().with_bill(&bill).with_records(&[listed]).scan();
    assert_eq!(scanned.told(), ["A-1 open"]);
    assert!(scanned.output.unknown_ecosystems.contains("Alpine:v3.18"));
    // Nothing is listed: nobody can say, and that is said.
    let open = record("A-1", "Alpine:v3.18", "kit", "ECOSYSTEM", "introduced 0 fixed 1.3-r0");
    let scanned = Place::new().with_bill(&bill).with_records(&[open]).scan();
    assert_eq!(scanned.told(), ["package-unidentified error", "package-unidentified error"]);
}

#[test]
fn what_cannot_be_looked_up() {
    let bill = [
        "pkg:generic/kit@1",
        "pkg:deb/debian/kit@1",
        "pkg:rpm/rocky/kit@1",
        "pkg:npm/kit",
        "nonsense",
        "pkg:npm/kit@main",
    ];
    let scanned = Place::new().with_bill(&bill).with_records(&[of_kit("A-1")]).scan();
    assert_eq!(scanned.told(), ["package-unidentified error"; 5]);
    assert_eq!(scanned.output.unknown_ecosystems.iter().collect::<Vec<_>>(), ["generic"]);
    assert_eq!((scanned.skipped("unknown ecosystem"), scanned.skipped("package-unidentified")), (1, 5));
}

#[test]
fn commits_and_other_releases_are_no_ranges() {
    let mut git = record("A-1", "npm", "kit", "GIT", "introduced 0");
    git["affected"][0]["ranges"][0]["repo"] = json!("https://git.example/kit");
    let scanned = Place::new().with_bill(&["pkg:npm/kit@1.0.0"]).with_records(&[git]).scan();
    assert!(scanned.findings.is_empty());
}
