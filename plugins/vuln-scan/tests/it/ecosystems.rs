//! Ranges of every ecosystem, by packages as bills of materials name them.

use crate::common::{Place, of_kit, record};
use orch_plugin_vuln_scan::Input;
use serde_json::json;

/// `ecosystem|name|kind|events`, then package URLs that are affected, and some that are not.
#[track_caller]
fn check(record_of: &str, affected: &[&str], others: &[&str]) {
    let parts: Vec<&str> = record_of.split('|').collect();
    let all: Vec<&str> = affected.iter().chain(others).copied().collect();
    let record = record("A-1", parts[0], parts[1], parts[2], parts[3]);
    let scanned = Place::new().with_bill(&all).with_records(&[record]).scan();
    assert!(!scanned.output.incomplete, "{:?}", scanned.findings);
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
        "AlmaLinux:9|kit-libs|ECOSYSTEM|introduced 0 fixed 2.0-3.el9_1",
        &["pkg:rpm/almalinux/kit-libs@2.0-2.el9?distro=almalinux-9.3"],
        &[
            "pkg:rpm/almalinux/kit-libs@2.0-3.el9_1?distro=almalinux-9.4",
            "pkg:rpm/almalinux/kit-libs@1-1.el8?distro=almalinux-8",
        ],
    );
    check(
        "Red Hat:enterprise_linux:9::baseos|kit|ECOSYSTEM|introduced 0 fixed 0:2.0-3.el9_1",
        &["pkg:rpm/redhat/kit@2.0-2.el9?distro=rhel-9.3"],
        &["pkg:rpm/redhat/kit@2.0-3.el9_1?distro=rhel-9.4", "pkg:rpm/redhat/kit@1-1.el8?distro=rhel-8.9"],
    );
    check(
        "SUSE:Linux Enterprise Module for Basesystem 15 SP5|kit|ECOSYSTEM|introduced 0 fixed 2.0-150500.3.1",
        &[
            "pkg:rpm/suse/kit@2.0-150500.1.2?distro=sles-15.5",
            "pkg:rpm/suse/libkit1@1-1?distro=sles-15.5&upstream=kit-1-1.src.rpm",
        ],
        &[
            "pkg:rpm/suse/kit@2.0-150500.3.1?distro=sles-15.5",
            "pkg:rpm/suse/kit@1-1?distro=sles-15.6",
            "pkg:rpm/suse/kit@1-1?distro=sles-12.5",
        ],
    );
    check(
        "openSUSE:Leap 15.6|kit|ECOSYSTEM|introduced 0 fixed 2.0-1",
        &["pkg:rpm/opensuse/kit@2.0~rc1-1?distro=opensuse-leap-15.6"],
        &["pkg:rpm/opensuse/kit@2.0-1?distro=opensuse-leap-15.6", "pkg:rpm/opensuse/kit@1-1?distro=opensuse-leap-15.5"],
    );
    check(
        "openSUSE:Tumbleweed|kit|ECOSYSTEM|introduced 0 fixed 2.0-1",
        &["pkg:rpm/opensuse/kit@1.9-1?distro=opensuse-tumbleweed-20240801"],
        &["pkg:rpm/opensuse/kit@1.9-1?distro=opensuse-leap-15.6"],
    );
    check(
        "Alpine:v3.18|kit|ECOSYSTEM|introduced 0 fixed 1.3-r0",
        &[
            "pkg:apk/alpine/kit@1.3_rc1-r5?distro=3.18.4",
            "pkg:apk/alpine/kit@1.2-r10?distro=alpine-3.18.0",
            "pkg:apk/alpine/kit-doc@1.2.9-r1?distro=alpine-3.18.0&upstream=kit",
        ],
        &[
            "pkg:apk/alpine/kit@1.3-r0?distro=3.18.4",
            "pkg:apk/alpine/kit@1.3_p1-r0?distro=3.18.4",
            "pkg:apk/alpine/kit@1.2-r0?distro=3.19.1",
        ],
    );
    check(
        "Wolfi|kit|ECOSYSTEM|introduced 0 fixed 1.3-r0",
        &["pkg:apk/wolfi/kit@1.2-r9?distro=wolfi-20230201"],
        &["pkg:apk/wolfi/kit@1.3-r0?distro=wolfi-20230201", "pkg:apk/wolfi/kit-more@1.2-r9?distro=wolfi-20230201"],
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
    let listed = json!({ "id": "A-1", "affected": [{ "package": { "ecosystem": "ConanCenter", "name": "kit" },
        "ranges": [{ "type": "ECOSYSTEM", "events": [{ "introduced": "0" }, { "fixed": "1.3" }] }], "versions": ["1.2"] }] });
    let bill = ["pkg:conan/kit@1.2", "pkg:conan/kit@1.2.1"];
    let scanned = Place::new().with_bill(&bill).with_records(&[listed]).scan();
    assert_eq!(scanned.told(), ["A-1 open"]);
    assert!(scanned.output.unknown_ecosystems.contains("ConanCenter"));
    // Nothing is listed: nobody can say, and that is said.
    let open = record("A-1", "ConanCenter", "kit", "ECOSYSTEM", "introduced 0 fixed 1.3");
    let scanned = Place::new().with_bill(&bill).with_records(&[open]).scan();
    assert_eq!(scanned.told(), ["package-unidentified error", "package-unidentified error"]);
}

/// The lock files and databases themselves, rather than a bill: a hit and a miss for each new format.
#[test]
fn packages_of_the_new_lock_files() {
    let records = [
        ("A-1", "RubyGems", "kit", "introduced 0 fixed 1.5"),
        ("A-2", "Packagist", "acme/kit", "introduced 0 fixed 2.0"),
        ("A-3", "Maven", "org.example:kit", "introduced 0 fixed 1.0"),
        ("A-4", "NuGet", "Acme.Kit", "introduced 0 fixed 1.3"),
        ("A-5", "npm", "@acme/kit", "introduced 0 fixed 1.3.0"),
        ("A-6", "Alpine:v3.20", "stone", "introduced 0 fixed 1.2.5-r1"),
        // The next version of each is not affected.
        ("B-1", "RubyGems", "kit", "introduced 1.5"),
        ("B-2", "Packagist", "acme/kit", "introduced 2.0"),
        ("B-3", "Maven", "org.example:kit", "introduced 1.0"),
        ("B-4", "NuGet", "Acme.Kit", "introduced 1.3"),
        ("B-5", "npm", "@acme/kit", "introduced 1.3.0"),
        ("B-6", "Alpine:v3.19", "stone", "introduced 0"),
    ];
    let records = records.map(|(id, ecosystem, name, events)| {
        record(id, ecosystem, name, if ecosystem == "npm" { "SEMVER" } else { "ECOSYSTEM" }, events)
    });
    let place = Place::new()
        .with("source/Gemfile.lock", "GEM\n  remote: https://rubygems.org/\n  specs:\n    kit (1.4.0)\n")
        .with(
            "source/composer.lock",
            r#"{ "packages": [{ "name": "acme/kit", "version": "v1.9.0", "notification-url": "https://packagist.org/downloads/" }] }"#,
        )
        .with("source/gradle.lockfile", "org.example:kit:1.0-rc1=runtimeClasspath\n")
        .with(
            "source/packages.lock.json",
            r#"{ "version": 1, "dependencies": { "net8.0": { "Acme.Kit": { "type": "Direct", "resolved": "1.2.3", "contentHash": "A" } } } }"#,
        )
        .with("source/yarn/yarn.lock", "\"@acme/kit@^1\":\n  version \"1.2.3\"\n")
        .with("source/pnpm/pnpm-lock.yaml", "lockfileVersion: '9.0'\npackages:\n  '@acme/kit@1.2.4': {}\n")
        .with("source/alpine/etc/os-release", "ID=alpine\nVERSION_ID=3.20.3\n")
        .with("source/alpine/lib/apk/db/installed", "P:libstone\nV:1.2.5-r0\no:stone\n")
        .with_records(&records);
    let scanned = place.scan_as(Input::default());
    let hits = ["A-1", "A-2", "A-3", "A-4", "A-5", "A-5", "A-6"].map(|id| format!("{id} open"));
    assert_eq!(scanned.told(), hits);
}

/// The sources of RPM packages come from the database's own field.
#[test]
fn packages_of_an_rpm_database() {
    let records = [
        record("A-1", "Rocky Linux:9", "kit", "ECOSYSTEM", "introduced 0 fixed 2:1.2-4"),
        record("B-1", "Rocky Linux:9", "kit", "ECOSYSTEM", "introduced 0 fixed 2:1.2-3"),
        record("B-2", "Rocky Linux:8", "base", "ECOSYSTEM", "introduced 0"),
    ];
    let place = Place::new()
        .with("source/etc/os-release", "ID=rocky\nVERSION_ID=9.3\n")
        .with("source/var/lib/rpm/rpmdb.sqlite", orch_plugin_lockfiles::testing::rpm_database())
        .with_records(&records);
    assert_eq!(place.scan_as(Input::default()).told(), ["A-1 open"]);
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
