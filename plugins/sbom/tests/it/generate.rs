//! The whole task on trees of fixtures.

use crate::common::{Run, component, depends_on, fixture, properties, run};
use orch_plugin_lockfiles::model::Ecosystem;
use orch_plugin_sbom::{Input, generate};
use orch_sdk::{Level, Status, TaskError, TestHost};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;

#[test]
fn components_of_every_ecosystem() {
    let Run { bill, output, .. } = run(&fixture("shop"), Input { name: Some("shop".into()), ..Input::default() });
    let references: Vec<_> =
        bill["components"].as_array().unwrap().iter().map(|it| it["bom-ref"].as_str().unwrap()).collect();
    let expected = [
        "first-party:cargo/shop-core@0.3.0",
        "first-party:go/go.example/shop/edge",
        "first-party:npm/shop-web@1.2.0",
        "first-party:npm/ui@0.2.0",
        "first-party:pypi/shop-worker@0.7.0",
        "pkg:cargo/brindle@1.4.0",
        "pkg:cargo/quill@0.9.1",
        "pkg:cargo/quill@2.0.0%2Bspec-3",
        "pkg:cargo/tidepool@0.1.0?vcs_url=git%2Bhttps://git.example/sea/tidepool%400123456789abcdef0123456789abcdef01234567",
        "pkg:golang/go.example/forks/plover@v0.5.2",
        "pkg:golang/go.example/tern/v2@v2.3.0",
        "pkg:golang/go.example/wren@v1.0.0%2Bincompatible",
        "pkg:npm/%40lumen/grid@3.1.4",
        "pkg:npm/river-stone@1.0.7",
        "pkg:npm/sift@0.3.9",
        "pkg:npm/sift@0.4.2",
        "pkg:npm/swiftfs@2.2.2?repository_url=https://npm.example/mirror",
        "pkg:pypi/drift",
        "pkg:pypi/ember@1.9.3",
        "pkg:pypi/lantern-kit@2.5.0",
        "pkg:pypi/mossy@0.8.1",
        "pkg:pypi/probe-lite@0.0.3",
        "pkg:pypi/probe?vcs_url=git%2Bhttps://git.example/qa/probe.git%40main",
        "pkg:pypi/verdant@4.0",
    ];
    assert_eq!(references, expected);
    assert_eq!(output.components, expected.len());
    assert_eq!(output.by_ecosystem[&Ecosystem::Npm], 7);
    let lockfiles: Vec<_> = output.lockfiles.iter().map(|it| (it.path.as_str(), it.packages)).collect();
    assert_eq!(
        lockfiles,
        [
            ("go/go.mod", 4),
            ("poet/poetry.lock", 2),
            ("py/base.txt", 1),
            ("py/requirements-dev.txt", 1),
            ("py/requirements.txt", 3),
            ("rust/Cargo.lock", 5),
            ("web/package-lock.json", 7),
            ("worker/uv.lock", 4),
        ]
    );
}

#[test]
fn what_a_component_says() {
    let bill = run(&fixture("shop"), Input::default()).bill;
    let grid = component(&bill, "pkg:npm/%40lumen/grid@3.1.4");
    assert_eq!((&grid["group"], &grid["name"], &grid["scope"]), (&json!("@lumen"), &json!("grid"), &json!("required")));
    assert_eq!(grid["hashes"][0]["alg"], "SHA-512");
    assert_eq!(grid["hashes"][0]["content"].as_str().unwrap().len(), 128);
    assert_eq!(grid["licenses"], json!([{ "license": { "id": "MIT" } }]));
    assert_eq!(grid["evidence"]["occurrences"], json!([{ "location": "web/package-lock.json", "line": 16 }]));
    assert_eq!(component(&bill, "pkg:npm/sift@0.3.9")["licenses"], json!([{ "expression": "(MIT OR Apache-2.0)" }]));
    assert_eq!(component(&bill, "pkg:npm/sift@0.4.2")["scope"], "excluded");
    let stone = component(&bill, "pkg:npm/river-stone@1.0.7");
    assert_eq!(stone["licenses"], json!([{ "license": { "name": "SEE LICENSE IN STONE.md" } }]));
    assert_eq!(properties(stone, "alias"), ["pebble"]);

    let mossy = component(&bill, "pkg:pypi/mossy@0.8.1");
    assert_eq!(properties(mossy, "lockfile"), ["poet/poetry.lock", "py/base.txt", "worker/uv.lock"]);
    assert_eq!(mossy["hashes"].as_array().unwrap().len(), 1, "one file, one hash");
    let lantern = component(&bill, "pkg:pypi/lantern-kit@2.5.0");
    assert_eq!(lantern["hashes"], Value::Null);
    assert_eq!(properties(lantern, "hash").len(), 4, "two files, by name in one lock file and without in the other");
    assert_eq!(properties(lantern, "extras"), ["color"]);
    let tern = component(&bill, "pkg:golang/go.example/tern/v2@v2.3.0");
    assert_eq!((&tern["name"], &tern["hashes"]), (&json!("go.example/Tern/v2"), &Value::Null));
    assert!(properties(tern, "go.sum")[0].starts_with("h1:"));
    assert_eq!(component(&bill, "first-party:cargo/shop-core@0.3.0")["purl"], Value::Null);
}

#[test]
fn edges_are_whole() {
    let Run { bill, output, .. } = run(&fixture("shop"), Input::default());
    let root = bill["metadata"]["component"]["bom-ref"].as_str().unwrap();
    let mut known: BTreeSet<&str> =
        bill["components"].as_array().unwrap().iter().map(|it| it["bom-ref"].as_str().unwrap()).collect();
    assert_eq!(known.len(), output.components, "references are unique");
    assert!(known.insert(root));
    let entries: Vec<&str> =
        bill["dependencies"].as_array().unwrap().iter().map(|it| it["ref"].as_str().unwrap()).collect();
    assert_eq!(entries, known.iter().copied().collect::<Vec<_>>(), "an entry for each, sorted");
    let mut count = 0;
    for entry in &entries {
        for target in depends_on(&bill, entry) {
            assert!(known.contains(target.as_str()), "{target} dangles");
            count += 1;
        }
    }
    assert_eq!(count, output.edges);
    assert_eq!(depends_on(&bill, "pkg:npm/%40lumen/grid@3.1.4"), ["pkg:npm/sift@0.3.9"], "the nested one");
    assert_eq!(depends_on(&bill, "pkg:cargo/brindle@1.4.0"), ["pkg:cargo/quill@0.9.1"]);
    assert_eq!(depends_on(&bill, "pkg:pypi/verdant@4.0"), ["pkg:pypi/mossy@0.8.1"]);
    assert_eq!(depends_on(&bill, "first-party:npm/ui@0.2.0"), ["pkg:npm/%40lumen/grid@3.1.4"]);
    let go = ["pkg:golang/go.example/forks/plover@v0.5.2", "pkg:golang/go.example/tern/v2@v2.3.0"];
    assert_eq!(depends_on(&bill, "first-party:go/go.example/shop/edge"), go);
    let from_root = depends_on(&bill, root);
    for reference in ["first-party:cargo/shop-core@0.3.0", "pkg:pypi/drift", "pkg:pypi/verdant@4.0"] {
        assert!(from_root.contains(&reference.to_owned()), "{reference}: {from_root:?}");
    }
}

#[test]
fn debian_packages() {
    let Run { bill, host, .. } = run(&fixture("image"), Input::default());
    let harbor = "pkg:deb/debian/harbor@1:4.2-3%2Bdeb12u1?arch=amd64&distro=debian-12";
    let needs = [
        "pkg:deb/debian/libkeel2@2.1~rc1-1%2Bb2?arch=amd64&distro=debian-12",
        "pkg:deb/debian/pigeon@0.3-1?arch=all&distro=debian-12",
    ];
    assert_eq!(depends_on(&bill, harbor), needs);
    assert_eq!(properties(component(&bill, needs[0]), "source-package"), ["keel (2.1~rc1-1)"]);
    assert_eq!(bill["components"].as_array().unwrap().len(), 3, "ballast is not installed");
    assert_eq!(depends_on(&bill, "root:source"), [harbor]);
    assert!(host.findings().is_empty());
}

#[test]
fn packages_of_images_without_a_package_manager() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("var/lib/dpkg/status.d");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("a"), "Package: a\nVersion: 1\nArchitecture: all\nDepends: b").unwrap();
    std::fs::write(folder.join("b"), "Package: b\nVersion: 2\nArchitecture: all\n").unwrap();
    std::fs::write(folder.join("b.md5sums"), "00  file\n").unwrap();
    let bill = run(root.path(), Input::default()).bill;
    let b = "pkg:deb/debian/b@2?arch=all&distro=debian";
    assert_eq!(depends_on(&bill, "pkg:deb/debian/a@1?arch=all&distro=debian"), [b]);
    assert_eq!(component(&bill, b)["evidence"]["occurrences"], json!([{ "location": "var/lib/dpkg/status.d" }]));
}

#[test]
fn findings() {
    let host = run(&fixture("shop"), Input::default()).host;
    let found: Vec<String> = host
        .findings()
        .iter()
        .map(|it| {
            let place = it.location.as_ref().unwrap();
            let line = place.line.map(|line| format!(":{line}")).unwrap_or_default();
            format!("{} {}{line} {:?} {:?}", it.rule, place.path, it.severity, it.status)
        })
        .collect();
    assert_eq!(
        found,
        [
            "missing-integrity go/go.mod:8 Low Open",
            "lockfile-missing legacy/Cargo.toml Low Open",
            "lockfile-unsupported legacy/mix.lock Info Error",
            "lockfile-missing legacy/package.json Low Open",
            "git-dependency py/requirements-dev.txt:1 Medium Open",
            "missing-integrity py/requirements.txt:7 Low Open",
            "unpinned-dependency py/requirements.txt:8 Low Open",
            "git-dependency rust/Cargo.lock:35 Low Open",
            "missing-integrity web/package-lock.json:29 Low Open",
            "non-registry-source web/package-lock.json:42 Low Open",
        ]
    );
    let prints: BTreeSet<_> = host.findings().into_iter().map(|finding| finding.fingerprint).collect();
    assert_eq!(prints.len(), found.len(), "fingerprints are unique");
}

fn copy(from: &Path, to: &Path, reverse: bool) {
    std::fs::create_dir_all(to).unwrap();
    let mut entries: Vec<_> = std::fs::read_dir(from).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    if reverse {
        entries.reverse();
    }
    for entry in entries {
        let target = to.join(entry.file_name().unwrap());
        if entry.is_dir() {
            copy(&entry, &target, reverse);
        } else {
            std::fs::copy(&entry, &target).unwrap();
        }
    }
}

#[test]
fn the_same_tree_gives_the_same_bytes() {
    let one = run(&fixture("shop"), Input::default());
    let elsewhere = tempfile::tempdir().unwrap();
    for (name, reverse) in [("forward", false), ("backward", true)] {
        let folder = elsewhere.path().join(name);
        copy(&fixture("shop"), &folder, reverse);
        let other = run(&folder, Input::default());
        assert!(one.bytes == other.bytes, "{name}");
        assert_eq!(one.host.findings(), other.host.findings(), "no absolute paths: {name}");
    }
    let other = run(&fixture("shop"), Input { name: Some("other".into()), ..Input::default() });
    assert_ne!(one.bill["serialNumber"], other.bill["serialNumber"]);
    assert!(one.bill["metadata"]["timestamp"].is_null());
}

#[test]
fn the_root_is_named_by_the_input_or_the_tree() {
    let web = fixture("shop/web");
    let root = |input: Input| run(&web, input).bill["metadata"]["component"].clone();
    let from_tree = root(Input::default());
    assert_eq!((&from_tree["name"], &from_tree["version"]), (&json!("shop-web"), &json!("1.2.0")));
    let versioned = root(Input { version: Some("9".into()), ..Input::default() });
    assert_eq!((&versioned["name"], &versioned["version"]), (&json!("shop-web"), &json!("9")));
    let named = root(Input { name: Some("product".into()), version: Some("2".into()), ..Input::default() });
    assert_eq!((&named["bom-ref"], &named["version"]), (&json!("root:product"), &json!("2")));
    assert_eq!(run(&fixture("shop"), Input::default()).bill["metadata"]["component"]["name"], "source");
}

#[test]
fn inputs_narrow_the_bill() {
    let shop = fixture("shop");
    let references = |input: Input| -> Vec<String> {
        let bill = run(&shop, input).bill;
        bill["components"].as_array().unwrap().iter().map(|it| it["bom-ref"].as_str().unwrap().to_owned()).collect()
    };
    let without_dev = references(Input { include_dev: false, ..Input::default() });
    for gone in ["pkg:npm/sift@0.4.2", "pkg:pypi/probe-lite@0.0.3", "pkg:pypi/verdant@4.0"] {
        assert!(!without_dev.contains(&gone.to_owned()), "{gone}");
    }
    assert!(without_dev.contains(&"pkg:npm/sift@0.3.9".to_owned()));
    let cargo = references(Input { ecosystems: Some([Ecosystem::Cargo].into()), ..Input::default() });
    assert!(cargo.len() == 4 && cargo.iter().all(|it| it.contains("cargo")), "{cargo:?}");
    let exclude = ["web", "worker", "poet", "py/base.txt"].map(str::to_owned).to_vec();
    let rest = references(Input { exclude, ..Input::default() });
    assert!(!rest.iter().any(|it| it.contains("npm") || it.contains("mossy")), "{rest:?}");
}

#[test]
fn a_host_without_artifacts_gets_the_digest() {
    let host = TestHost::new().with_mount("source", fixture("shop")).without_artifacts();
    let output = generate(Input::default(), &host).unwrap().succeeded().unwrap();
    assert!(!output.artifact.written);
    assert_eq!(output.artifact.digest, run(&fixture("shop"), Input::default()).output.artifact.digest);
    let warned =
        host.logs().iter().any(|(level, text)| *level == Level::Warn && text.contains("`artifacts` is not granted"));
    assert!(warned && host.artifacts().is_empty() && !host.findings().is_empty());
}

#[test]
fn what_cannot_be_done_is_said() {
    let denied = generate(Input::default(), &TestHost::new()).unwrap_err();
    assert_eq!(denied, TaskError::Denied { capability: "fs".into(), target: "source".into() });
    let host = TestHost::new().with_mount("source", fixture("shop"));
    let wrong = [
        Input { timestamp: Some("yesterday".into()), ..Input::default() },
        Input { exclude: vec!["../x".into()], ..Input::default() },
        Input { name: Some(" ".into()), ..Input::default() },
    ];
    for input in wrong {
        assert!(matches!(generate(input, &host), Err(TaskError::InvalidInput(_))));
    }
    host.cancel();
    assert_eq!(generate(Input::default(), &host).unwrap_err(), TaskError::Cancelled);
    assert!(serde_json::from_value::<Input>(json!({ "include-dve": true })).is_err());
    assert!(serde_json::from_value::<Input>(json!({})).unwrap().include_dev);
}

#[test]
fn a_broken_lock_file_makes_the_bill_incomplete() {
    let root = tempfile::tempdir().unwrap();
    std::fs::write(root.path().join("Cargo.lock"), "version = 3\n[[package]]\nname = 1\n").unwrap();
    std::fs::write(root.path().join("requirements.txt"), "-r /etc/passwd\n-r gone.txt\nkit==1\n").unwrap();
    std::fs::write(root.path().join("uv.lock"), b"version = 1\n\xff").unwrap();
    let Run { bill, host, output, .. } = run(root.path(), Input::default());
    assert!(output.incomplete && output.components == 1);
    assert_eq!(bill["compositions"], json!([{ "aggregate": "incomplete", "assemblies": ["root:source"] }]));
    let errors: Vec<_> = host.findings().into_iter().filter(|it| it.status == Status::Error).collect();
    let places: Vec<_> =
        errors.iter().map(|it| it.location.as_ref().map(|it| (it.path.as_str(), it.line)).unwrap()).collect();
    let expected =
        [("Cargo.lock", Some(3)), ("requirements.txt", Some(1)), ("requirements.txt", Some(2)), ("uv.lock", Some(2))];
    assert_eq!(places, expected);
    assert!(errors.iter().all(|it| it.rule == "lockfile-parse-error"));
}

#[cfg(unix)]
#[test]
fn includes_do_not_follow_links_out_of_the_tree() {
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("secret.txt"), "hidden==1\n").unwrap();
    let root = tempfile::tempdir().unwrap();
    std::fs::write(root.path().join("requirements.txt"), "-r link/secret.txt\n-c direct.txt\nkit\n").unwrap();
    std::os::unix::fs::symlink(outside.path(), root.path().join("link")).unwrap();
    std::os::unix::fs::symlink(outside.path().join("secret.txt"), root.path().join("direct.txt")).unwrap();
    let Run { output, host, .. } = run(root.path(), Input::default());
    assert_eq!(output.components, 1);
    let errors = host.findings().into_iter().filter(|it| it.title.contains("which is no file in the tree")).count();
    assert_eq!(errors, 2);
}

#[test]
fn a_project_locked_from_above_needs_no_lock_of_its_own() {
    let root = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = root.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("Cargo.lock", "version = 4\n[[package]]\nname = \"inside\"\nversion = \"1.0.0\"\n");
    write("inside/Cargo.toml", "[package]\nname = \"inside\"\n");
    write("outside/Cargo.toml", "[package]\nname = \"outside\"\n");
    write("py/pyproject.toml", "[project]\nname = \"a\"\ndependencies = [\"b\"]\n");
    write("py/requirements/base.txt", "b==1\n");
    write("other-requirements/requirements.txt", "b==1\n");
    write("other-requirements/pyproject.toml", "[project]\nname = \"c\"\ndependencies = [\"b\"]\n");
    let findings = run(root.path(), Input::default()).host.findings();
    let missing = findings.iter().filter(|it| it.rule == "lockfile-missing");
    let paths: Vec<_> = missing.map(|it| it.location.as_ref().unwrap().path.as_str()).collect();
    assert_eq!(paths, ["outside/Cargo.toml"]);
}
