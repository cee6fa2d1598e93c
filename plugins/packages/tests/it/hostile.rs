//! Databases and indexes that want to do harm end in a clear error or a finding, and nothing is filled or followed.

use crate::system::{System, entry, package, wanted};
use orch_plugin_packages::{list, outdated, update, verify};
use orch_sdk::{TaskError, TestHost};

/// What each task says to a database.
#[track_caller]
fn refused(system: &System, says: &str) {
    let host = || system.host().dry_run();
    let errors = [
        list::list(list::Input::default(), &host()).unwrap_err(),
        outdated::outdated(outdated::Input::default(), &host()).unwrap_err(),
        update::update(update::Input { packages: vec![wanted("a", "1", "2")], manager: None }, &host()).unwrap_err(),
        verify::verify(verify::Input::default(), &host()).unwrap_err(),
    ];
    for error in errors {
        let TaskError::Failed(reason) = &error else { panic!("{error:?}") };
        assert!(reason.contains(says) && !reason.chars().any(char::is_control), "{reason}");
    }
}

#[test]
fn databases() {
    for (text, says) in [
        ("Package: a\nStatus: install ok installed\n\n", "line 1: a package without `Version`"),
        ("\u{1b}[31mnonsense\n", "line 1"),
        ("Package: a\nStatus: install ok installed\nVersion: 1\nmore", "line 4"),
        (" Package: a\n", "line 1"),
    ] {
        refused(&System::new(text), says);
    }
    refused(&System::new(&format!("Package: {}\n", "a".repeat(300 << 10))), "more than");
    let many: String = (0..100_001).map(|_| "Package: a\nStatus: install ok installed\nVersion: 1\n\n").collect();
    refused(&System::new(&many), "more than 100000 packages");
    let system = System::empty();
    system.write("lib/apk/db/installed", b"P:a\nV");
    refused(&system, "line 2");
    let system = System::empty();
    system.write("var/lib/rpm/rpmdb.sqlite", b"SQLite format 3\0 and nothing more");
    refused(&system, "var/lib/rpm/rpmdb.sqlite");
    let system = System::empty();
    std::fs::create_dir_all(system.path("var/lib/dpkg/status")).unwrap();
    refused(&system, "no plain file");
}

#[test]
fn links_lead_nowhere_outside() {
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("status"), package("secret", "1")).unwrap();
    let system = System::empty();
    std::fs::create_dir_all(system.path("var/lib/dpkg")).unwrap();
    let link = |target: &std::path::Path| {
        let _ = std::fs::remove_file(system.path("var/lib/dpkg/status"));
        std::os::unix::fs::symlink(target, system.path("var/lib/dpkg/status")).unwrap();
    };
    link(&outside.path().join("status"));
    refused(&system, "no database of packages");
    link(std::path::Path::new("status"));
    refused(&system, "no database of packages");
}

#[test]
fn indexes() {
    let run = |entries: &str| {
        let system = System::new(&package("a", "1"));
        system.index("m_dists_d", "Suite: stable\n", entries);
        system.index("m_dists_e", "", &entry("a", "1.5", "amd64", 1));
        let host = system.host();
        let output = outdated::outdated(outdated::Input::default(), &host).unwrap().succeeded().unwrap();
        (output, host)
    };
    let unreadable = |host: &TestHost| host.findings().iter().any(|one| one.rule == "package-index-unreadable");
    for text in [
        "Version: 1\n\n",
        "Package: a\nArchitecture: amd64\n\n",
        "nonsense",
        &format!("Package: a\nVersion: {}\n", "1".repeat(300 << 10)),
        &entry("a", "9", "amd64", 1).repeat(600),
    ] {
        let (output, host) = run(text);
        assert!(output.incomplete && unreadable(&host), "{}", text.chars().take(60).collect::<String>());
        // The other index still counts, and nothing of the broken one.
        assert_eq!(output.packages[0].to, "1.5");
    }
    // What is no version comes before all that are, and what is no size is none.
    let (output, host) = run("Package: a\nVersion: no version\nArchitecture: amd64\nSize: -1\n\n");
    assert!(!unreadable(&host) && output.packages[0].to == "1.5");
    let (output, _) = run(&format!("Package: a\nVersion: 2\nArchitecture: amd64\nSize: {}\n\n", u64::MAX));
    assert_eq!(output.download, u64::MAX);
    // A name that could be an option stays text; `update` refuses it.
    let (output, _) = run("Package: a\nVersion: 2 --root=/\nArchitecture: amd64\n\n");
    assert_eq!(output.packages[0].to, "1.5");
}
