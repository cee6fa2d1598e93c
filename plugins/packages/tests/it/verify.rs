//! `verify`: versions, states, needs, the journal and the audit.

use crate::system::{System, failed, package, wanted};
use orch_plugin_packages::verify::{Input, Output, verify};
use orch_sdk::{Outcome, Printed, Status, TestHost};

#[track_caller]
fn run(host: &TestHost, packages: Vec<orch_plugin_packages::model::Update>) -> (bool, Output) {
    match verify(Input { packages, manager: None }, host).unwrap() {
        Outcome::Succeeded(output) => (true, output),
        Outcome::Rejected(output) => (false, output),
        Outcome::Skipped(reason) => panic!("{reason}"),
    }
}

fn rules(host: &TestHost) -> Vec<String> {
    host.findings().into_iter().map(|one| one.rule).collect()
}

#[test]
fn wanted_versions() {
    let system = System::new(&[package("one", "1.1"), package("two", "1.0")].concat());
    let host = system.host();
    let asked = || vec![wanted("one", "1.0", "1.1"), wanted("two", "1.0", "1.1"), wanted("three", "1.0", "1.1")];
    let (well, output) = run(&host, asked());
    assert!(!well && output.reached == 1);
    let missing: Vec<_> = output.missing.iter().map(|one| (one.name.as_str(), one.now.as_deref())).collect();
    assert_eq!(missing, [("two", Some("1.0")), ("three", None)]);
    assert_eq!(rules(&host), ["not-updated", "not-updated"]);
    // In a dry run nothing was updated, so nothing is missing.
    let (well, output) = run(&system.host().dry_run(), asked());
    assert!(well && output.dry_run && output.missing.is_empty() && output.reached == 1);
    let (well, output) = run(&system.host(), vec![wanted("one", "1.0", "1.0.5")]);
    assert!(well && output.reached == 1, "a later version is as good");
}

#[test]
fn packages_that_are_not_well() {
    let status = [
        package("one", "1").replace("install ok installed", "install ok half-configured"),
        package("two", "1").replace("Version", "Depends: three (>= 2), one\nVersion"),
    ];
    let system = System::new(&status.concat());
    let host = system.host();
    let (well, output) = run(&host, vec![]);
    assert!(!well);
    assert_eq!(output.not_well, ["one:amd64 1 (half-configured)"]);
    assert_eq!(output.broken, ["two: three (>= 2)"]);
    assert_eq!(rules(&host), ["package-not-well", "broken-dependency"]);
    assert_eq!(host.findings()[0].location.as_ref().unwrap().line, Some(1));
}

#[test]
fn a_journal_and_an_audit() {
    let system = System::new(&package("one", "1"));
    system.write("var/lib/dpkg/updates/.keep", b"");
    let (well, output) = run(&system.host(), vec![]);
    assert!(well && output.audit.is_none());
    let host = system.host().with_program("audit", |_| Ok(Printed::from("\n")));
    assert_eq!(run(&host, vec![]).1.audit, Some(true));
    let found = Printed::from("The following packages are broken\n");
    for (printed, status) in [(found, Status::Open), (failed(2, "cannot\n"), Status::Error)] {
        let host = system.host().with_program("audit", move |_| Ok(printed.clone()));
        let (well, output) = run(&host, vec![]);
        assert!(!well && output.audit == Some(false));
        assert_eq!(host.findings()[0].status, status);
        assert!(host.findings()[0].detail.as_ref().is_some_and(|detail| !detail.is_empty()));
    }
    system.write("var/lib/dpkg/updates/0001", b"Package: one\n");
    let host = system.host();
    assert!(!run(&host, vec![]).0);
    assert_eq!(rules(&host), ["dpkg-interrupted"]);
}
