//! The tree of the case `systems` with a third root: three systems, each with its package manager's database.

use crate::common::{Run, component, depends_on, properties, run, systems};
use orch_plugin_lockfiles::testing::rpm_database;
use orch_plugin_sbom::{Format, Input};
use orch_sdk::Status;
use std::collections::BTreeSet;

#[test]
fn databases_of_three_package_managers() {
    let tree = systems();
    let Run { bill, output, host, .. } = run(tree.path(), Input::default());
    let references: Vec<_> =
        bill["components"].as_array().unwrap().iter().map(|it| it["bom-ref"].as_str().unwrap()).collect();
    let expected = [
        "pkg:apk/alpine/libstone@1.2.5-r0?arch=x86_64&distro=alpine-3.20.3",
        "pkg:apk/alpine/shale@1.36.1-r2?arch=x86_64&distro=alpine-3.20.3",
        "pkg:deb/debian/libkeel2@2.1-1%2Bb1?arch=amd64&distro=debian-12",
        "pkg:rpm/rocky/base@2.0-1?arch=noarch&distro=rocky-9.3",
        "pkg:rpm/rocky/kit@1.2-3?arch=noarch&distro=rocky-9.3&epoch=2",
    ];
    assert_eq!(references, expected);
    assert_eq!(depends_on(&bill, expected[1]), [expected[0]]);
    assert_eq!(depends_on(&bill, expected[4]), [expected[3]]);
    assert_eq!(component(&bill, expected[4])["licenses"][0]["expression"], "MIT AND ISC");
    assert_eq!(properties(component(&bill, expected[4]), "source-package"), ["kit-1.2-3.src.rpm"]);
    assert_eq!(properties(component(&bill, expected[4]), "vendor"), ["Acme"]);
    assert_eq!(properties(component(&bill, expected[0]), "source-package"), ["stone"]);
    assert!(output.incomplete, "the old database is not read");
    let findings = host.findings();
    let [old] = &findings[..] else { panic!("{findings:?}") };
    assert_eq!((old.rule.as_str(), old.status), ("lockfile-unsupported", Status::Error));
    assert!(old.remediation.as_ref().unwrap().contains("rpmdb --rebuilddb"));
}

#[test]
fn installed_packages_are_read_where_they_are_wanted() {
    let input = Input { installed: true, ..Input::default() };
    let tree = systems();
    let Run { bill, output, .. } = run(tree.path(), input);
    for (reference, folder) in [
        ("pkg:pypi/lantern@2.5.0", "debian/usr/lib/python3/dist-packages"),
        ("pkg:gem/amber@1.4.0", "debian/usr/lib/ruby/gems/3.1.0/specifications"),
    ] {
        assert_eq!(properties(component(&bill, reference), "lockfile"), [folder]);
    }
    assert_eq!((output.components, output.lockfiles.len(), output.edges), (7, 5, 7));
}

/// Not part of the case's tree, because folders of this name are kept out of repositories.
#[test]
fn packages_of_node_are_read_in_their_two_places_only() {
    let root = tempfile::tempdir().unwrap();
    for (folder, name) in [("usr/lib", "one"), ("usr/local/lib", "two"), ("srv/app", "three")] {
        let folder = root.path().join(folder).join("node_modules").join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let text = format!(r#"{{ "name": "{name}", "version": "1.0.0", "license": "ISC" }}"#);
        std::fs::write(folder.join("package.json"), text).unwrap();
    }
    let Run { bill, output, .. } = run(root.path(), Input { installed: true, ..Input::default() });
    assert_eq!(output.components, 2);
    assert_eq!(component(&bill, "pkg:npm/two@1.0.0")["licenses"][0]["license"]["id"], "ISC");
    assert_eq!(run(root.path(), Input::default()).output.components, 0);
}

#[test]
fn a_log_beside_the_database_is_said() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("var/lib/rpm");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("rpmdb.sqlite"), rpm_database()).unwrap();
    std::fs::write(folder.join("rpmdb.sqlite-wal"), "").unwrap();
    let clean = run(root.path(), Input::default());
    assert_eq!((clean.output.components, clean.output.incomplete), (2, false));
    assert!(clean.bill["components"][0]["purl"].as_str().unwrap().contains("pkg:rpm/rpm/base"));
    std::fs::write(folder.join("rpmdb.sqlite-wal"), "frames").unwrap();
    let newer = run(root.path(), Input { format: BTreeSet::from([Format::Spdx]), ..Input::default() });
    assert!(newer.output.incomplete && newer.host.findings()[0].title.contains("`rpmdb.sqlite-wal`"));
    assert!(newer.bill["comment"].as_str().unwrap().starts_with("Incomplete"));
    // Cut off in the middle: a finding, and nothing else of the tree is lost.
    let bytes = std::fs::read(folder.join("rpmdb.sqlite")).unwrap();
    std::fs::write(folder.join("rpmdb.sqlite"), &bytes[..3_000]).unwrap();
    let cut = run(root.path(), Input::default());
    assert_eq!(cut.output.components, 0);
    assert!(cut.host.findings()[0].title.contains("damaged SQLite database"), "{:?}", cut.host.findings());
}
