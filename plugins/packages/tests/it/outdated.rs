//! `list` and `outdated`: what is installed, and which version apt, apk and dnf would take.

use crate::system::{System, entry, failed, package};
use orch_plugin_packages::list::{self, list};
use orch_plugin_packages::outdated::{From, Input, Output, outdated};
use orch_sdk::{Finding, Printed, Severity, Status, TaskError, TestHost};
use std::io::Write;

const STABLE: &str = "Origin: Own\nLabel: Own\nSuite: stable\nCodename: trusty\nVersion: 1\n";
const SECURITY: &str = "Origin: Own\nLabel: Own-Security\nSuite: stable-security\nCodename: trusty-security\n";
const EXPERIMENTAL: &str = "Origin: Own\nSuite: experimental\nNotAutomatic: yes\n";
const BACKPORTS: &str = "Origin: Own\nSuite: stable-backports\nNotAutomatic: yes\nButAutomaticUpgrades: yes\n";

fn run(host: &TestHost, input: Input) -> Output {
    outdated(input, host).unwrap().succeeded().unwrap()
}

/// The updates as `name from to`, sorted by name.
fn updates(output: &Output) -> Vec<String> {
    output.packages.iter().map(|one| format!("{} {} {}", one.name, one.from, one.to)).collect()
}

fn rules(findings: &[Finding]) -> Vec<(&str, Severity, Status)> {
    findings.iter().map(|one| (one.rule.as_str(), one.severity, one.status)).collect()
}

/// What apt would do with `one`, which is installed as 2.0.
#[track_caller]
fn check(indexes: &[(&str, &str)], files: &[(&str, &str)], expected: Option<&str>) {
    let system = System::new(&package("one", "2.0"));
    for (at, (release, versions)) in indexes.iter().enumerate() {
        let entries: String = versions.split(' ').map(|version| entry("one", version, "amd64", 10)).collect();
        system.index(&format!("mirror{at}.example_dists_d{at}"), release, &entries);
    }
    for (path, text) in files {
        system.write(path, text.as_bytes());
    }
    let output = run(&system.host(), Input::default());
    let found = output.packages.first().map(|one| one.to.as_str());
    assert_eq!(found, expected, "{indexes:?} {files:?}");
}

#[test]
fn the_version_that_apt_would_take() {
    check(&[(STABLE, "1.0 2.0")], &[], None);
    check(&[(STABLE, "2.1 2.0")], &[], Some("2.1"));
    check(&[(STABLE, "2.1~rc1 2.0")], &[], Some("2.1~rc1"));
    check(&[(STABLE, "2.0"), (SECURITY, "2.1")], &[], Some("2.1"));
    check(&[(STABLE, "2.0"), (EXPERIMENTAL, "3.0")], &[], None);
    check(&[(STABLE, "2.0"), (BACKPORTS, "3.0")], &[], None);
    // Where the installed version is in no archive, backports are as good as it.
    check(&[(STABLE, "1.0"), (BACKPORTS, "3.0")], &[], Some("3.0"));
}

#[test]
fn preferences() {
    let both = &[(STABLE, "2.0 2.1"), (EXPERIMENTAL, "3.0")];
    let pinned = |text: &'static str| [("etc/apt/preferences.d/own", text)];
    check(both, &pinned("Package: *\nPin: release a=experimental\nPin-Priority: 600\n"), Some("3.0"));
    check(both, &pinned("Package: one\nPin: version 2.0*\nPin-Priority: 900\n"), None);
    check(both, &pinned("Package: o*\nPin: release o=Own, n=trusty\nPin-Priority: -1\n"), None);
    check(both, &pinned("Package: other\nPin: version 2.0*\nPin-Priority: 900\n"), Some("2.1"));
    check(both, &pinned("Package: *\nPin: origin mirror0.example\nPin-Priority: 50\n"), None);
    // Only from 1000 on apt goes back.
    check(&[(STABLE, "1.0")], &pinned("Package: one\nPin: version 1.0\nPin-Priority: 999\n"), None);
    check(&[(STABLE, "1.0")], &pinned("Package: one\nPin: version 1.0\nPin-Priority: 1000\n"), Some("1.0"));
    // An entry by name comes before one for all; the first of several counts.
    check(
        both,
        &pinned(
            "Package: *\nPin: release a=stable\nPin-Priority: -1\n\nPackage: one\nPin: release a=stable\nPin-Priority: 500\n\n\
             Package: one\nPin: release *\nPin-Priority: -1\n",
        ),
        Some("2.1"),
    );
    check(both, &[("etc/apt/preferences.d/own.bak", "Package: *\nPin: release *\nPin-Priority: -1\n")], Some("2.1"));
    check(
        both,
        &[("etc/apt/apt.conf.d/10-own", "// a comment\nAPT::Default-Release \"experimental\";\n")],
        Some("3.0"),
    );
}

#[test]
fn what_is_not_evaluated_is_told() {
    let system = System::new(&package("one", "2.0"));
    system.index("m_dists_d", STABLE, &entry("one", "2.1", "amd64", 1));
    for (file, text) in [
        ("a", "Package: /^one/\nPin: version 1\nPin-Priority: 1\n"),
        ("b", "Package: one\nPin: release stable\nPin-Priority: 1\n"),
        ("c", "Package: one\nPin: version 1\nPin-Priority: much\n"),
        ("d", "Package: one\n\nnonsense\n"),
    ] {
        system.write(&format!("etc/apt/preferences.d/{file}"), text.as_bytes());
    }
    let host = system.host();
    let output = run(&host, Input::default());
    assert!(output.incomplete);
    let findings = host.findings();
    let told: Vec<_> = findings.iter().filter(|one| one.rule == "pin-not-evaluated").collect();
    // Two in the last file: an entry that lacks fields, and a line that is none.
    assert_eq!(told.len(), 5, "{told:?}");
    assert!(told.iter().all(|one| one.status == Status::Error));
}

#[test]
fn security_holds_architectures_and_sizes() {
    let status = [
        package("held", "1").replace("install ok", "hold ok"),
        package("lib", "1").replace("amd64", "i386"),
        package("lib", "1"),
        package("plain", "1"),
        package("script", "1").replace("amd64", "all"),
        package("urgent", "1"),
        package("dpkg", "1"),
    ];
    let system = System::new(&status.concat());
    system.index(
        "m_dists_d",
        STABLE,
        &[
            entry("held", "2", "amd64", 5),
            entry("lib", "2", "amd64", 20),
            entry("plain", "2", "amd64", 100),
            entry("script", "2", "all", 3),
            entry("urgent", "3", "amd64", 1000),
            entry("unknown", "3", "amd64", 1000),
        ]
        .concat(),
    );
    system.index(
        "m_dists_d-security",
        SECURITY,
        &[entry("urgent", "2", "amd64", 7), entry("held", "1.5", "amd64", 7)].concat(),
    );
    let host = system.host();
    let output = run(&host, Input::default());
    assert_eq!(updates(&output), ["lib 1 2", "plain 1 2", "script 1 2", "urgent 1 3"]);
    assert_eq!((output.installed, output.security, output.download), (7, 1, 20 + 100 + 3 + 1000));
    assert_eq!(output.packages[0].architecture.as_deref(), Some("amd64"));
    assert_eq!(output.packages[3].security, Some(true));
    assert_eq!(output.packages[3].source.as_deref(), Some("Own/stable"));
    assert_eq!(output.held.len(), 1);
    let findings = host.findings();
    assert_eq!(
        rules(&findings),
        [
            ("held-package", Severity::Medium, Status::Open),
            ("outdated-package", Severity::Low, Status::Open),
            ("outdated-package", Severity::Low, Status::Open),
            ("outdated-package", Severity::Low, Status::Open),
            ("outdated-package", Severity::High, Status::Open),
        ]
    );
    assert_eq!(findings[4].location.as_ref().unwrap().line, Some(26));

    let only = Input { only: vec![" *l*".into()], exclude: vec!["lib".into()], ..Input::default() };
    assert_eq!(updates(&run(&system.host(), only)), ["plain 1 2"]);
    let wrong = Input { only: vec!["../a".into()], ..Input::default() };
    assert!(matches!(outdated(wrong, &system.host()), Err(TaskError::InvalidInput(_))));

    let all = list(list::Input::default(), &system.host()).unwrap().succeeded().unwrap();
    assert_eq!((all.installed, all.held, all.not_well, all.truncated), (7, 1, 0, false));
    let names: Vec<_> = all.packages.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["dpkg", "held", "lib", "lib", "plain", "script", "urgent"]);
}

#[test]
fn indexes_that_are_old_packed_or_not_there() {
    let system = System::new(&package("one", "1"));
    let error = outdated(Input::default(), &system.host()).unwrap_err().to_string();
    assert!(error.contains("has no index of packages: run `apt-get update`"), "{error}");

    system.write("var/lib/apt/lists/m_dists_d_main_binary-amd64_Packages.xz", b"packed");
    let error = outdated(Input::default(), &system.host()).unwrap_err().to_string();
    assert!(error.contains("packed as xz") && error.contains("Acquire::GzipIndexes"), "{error}");

    let mut lz4 = lz4_flex_frame(entry("one", "2", "amd64", 1).as_bytes());
    system.write("var/lib/apt/lists/m_dists_e_main_binary-amd64_Packages.lz4", &lz4);
    let host = system.host();
    let output = run(&host, Input { now: Some("2000-01-01T00:00:00Z".into()), ..Input::default() });
    assert_eq!(updates(&output), ["one 1 2"]);
    assert!(output.incomplete && output.updated.is_some());
    assert_eq!(rules(&host.findings())[0], ("package-index-unreadable", Severity::Medium, Status::Error));
    assert!(!host.findings().iter().any(|one| one.rule == "old-package-index"));

    assert!(!output.stale);
    let host = system.host();
    let stale = run(&host, Input { now: Some("2999-01-01T00:00:00Z".into()), ..Input::default() }).stale;
    assert!(stale);
    let old = host.findings().into_iter().find(|one| one.rule == "old-package-index").unwrap();
    assert!(old.title.contains("more than 168 hours ago"), "{}", old.title);

    lz4.truncate(lz4.len() / 2);
    system.write("var/lib/apt/lists/m_dists_e_main_binary-amd64_Packages.lz4", &lz4);
    assert!(outdated(Input::default(), &system.host()).is_err());
    let wrong = Input { now: Some("yesterday".into()), ..Input::default() };
    assert!(matches!(outdated(wrong, &system.host()), Err(TaskError::InvalidInput(_))));
}

fn lz4_flex_frame(bytes: &[u8]) -> Vec<u8> {
    let mut packed = lz4_flex::frame::FrameEncoder::new(Vec::new());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

#[test]
fn what_a_program_says() {
    let system = System::new(&[package("one", "1"), package("two", "1")].concat());
    let says = "Inst one [1] (2 Own-Security:1/stable-security [amd64])\nInst new (1 Own:1/stable [amd64])\nInst two [1] (0.9 Own:1/stable [amd64])\nRemv two [1]\n";
    let input = || Input { from: From::Program, ..Input::default() };
    let host = system.host().with_program("upgradable", move |_| Ok(Printed::from(says)));
    let output = run(&host, input());
    assert_eq!(updates(&output), ["one 1 2"]);
    assert_eq!((output.security, output.from), (1, From::Program));
    assert_eq!(
        host.started(),
        [format!("upgradable root={}", system.path("").display()).trim_end_matches('/').to_owned()]
    );

    let error = outdated(input(), &system.host()).unwrap_err();
    assert_eq!(error, TaskError::Denied { capability: "exec".into(), target: "upgradable".into() });
    let host = system.host().with_program("upgradable", |_| Ok(failed(100, "E: no\u{1b}[1m lock\n")));
    let error = outdated(input(), &host).unwrap_err().to_string();
    assert!(error.contains("code 100") && error.contains("E: no [1m lock"), "{error}");
}

#[test]
fn alpine() {
    let system = System::empty();
    system.write(
        "lib/apk/db/installed",
        b"P:musl\nV:1.2.4-r1\nA:x86_64\n\nP:busybox\nV:1.36.1-r5\nA:x86_64\n\nP:kept\nV:1\n\n",
    );
    system.write("etc/apk/world", b"busybox\nkept=1\n");
    let text =
        "P:musl\nV:1.2.4-r2\nS:10\n\nP:musl\nV:1.2.4-r10\nS:11\n\nP:busybox\nV:1.36.1-r5\n\nP:kept\nV:2\nS:1\n\n";
    let mut header = vec![0_u8; 512];
    header[..8].copy_from_slice(b"APKINDEX");
    header[124..135].copy_from_slice(format!("{:011o}", text.len()).as_bytes());
    header[156] = b'0';
    header.extend(text.bytes());
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&header).unwrap();
    system.write("var/cache/apk/APKINDEX.0123abcd.tar.gz", &gzip.finish().unwrap());
    let output = run(&system.host(), Input::default());
    assert_eq!(updates(&output), ["musl 1.2.4-r1 1.2.4-r10"]);
    assert_eq!((output.held.len(), output.download, output.packages[0].security), (1, 11, None));
    system.write("var/cache/apk/APKINDEX.0123abcd.tar.gz", b"no gzip");
    let error = outdated(Input::default(), &system.host()).unwrap_err().to_string();
    assert!(error.contains("APKINDEX.0123abcd"), "{error}");
}

#[test]
fn no_root_and_no_database() {
    let error = outdated(Input::default(), &TestHost::new()).unwrap_err();
    assert_eq!(error, TaskError::Denied { capability: "fs".into(), target: "root".into() });
    let error = outdated(Input::default(), &System::empty().host()).unwrap_err().to_string();
    assert!(error.contains("no database of packages") && error.contains("var/lib/dpkg/status"), "{error}");
}
