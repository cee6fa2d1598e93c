//! A test file that no test binary reaches proves nothing and looks as if it did: it fails here.

use super::program::repository;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Adds the modules that a file names, and theirs. `folder` is where its modules lie.
fn reach(file: &Path, folder: &Path, reached: &mut BTreeSet<PathBuf>) {
    let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    reached.insert(file.to_owned());
    let declared = text.lines().filter_map(|line| {
        let line = line.strip_prefix("pub(crate) ").or_else(|| line.strip_prefix("pub ")).unwrap_or(line);
        line.strip_prefix("mod ")?.strip_suffix(';')
    });
    for name in declared {
        let flat = folder.join(format!("{name}.rs"));
        let deep = folder.join(name).join("mod.rs");
        reach(if flat.exists() { &flat } else { &deep }, &folder.join(name), reached);
    }
}

fn sources(folder: &Path, found: &mut BTreeSet<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.insert(path);
        }
    }
}

/// The root files of the test binaries of a package: `[[test]]` with its path, and what cargo finds by itself.
fn roots(package: &Path) -> Vec<PathBuf> {
    let manifest = fs::read_to_string(package.join("Cargo.toml")).unwrap();
    let mut roots = Vec::new();
    let mut of_test = false;
    for line in manifest.lines() {
        if line.starts_with('[') {
            of_test = line == "[[test]]";
        }
        if let Some(path) = line.strip_prefix("path = ").filter(|_| of_test) {
            roots.push(package.join(path.trim_matches('"')));
        }
    }
    if !manifest.contains("autotests = false") {
        for entry in fs::read_dir(package.join("tests")).into_iter().flatten() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => roots.push(path.join("main.rs")),
                false => roots.push(path),
            }
        }
    }
    roots.retain(|root| root.is_file() && root.extension().is_some_and(|ending| ending == "rs"));
    roots
}

#[test]
fn every_test_file_belongs_to_a_test_binary() {
    let repository = repository();
    let below = |folder: &str| fs::read_dir(repository.join(folder)).unwrap().map(|entry| entry.unwrap().path());
    let packages = below("engine").chain(below("plugins")).chain(below("sdk"));
    let packages: Vec<_> = packages.chain([repository.join("tests"), repository.join("xtask")]).collect();
    let (mut all, mut reached) = (BTreeSet::new(), BTreeSet::new());
    for package in packages.iter().filter(|package| package.join("Cargo.toml").is_file()) {
        let folder = package.join("tests");
        sources(&folder, &mut all);
        roots(package).iter().for_each(|root| reach(root, root.parent().unwrap(), &mut reached));
    }
    assert!(all.contains(&repository.join("tests/tests/all/cli/listed.rs")));
    let lost: Vec<_> = all.difference(&reached).map(|path| path.display().to_string()).collect();
    assert!(lost.is_empty(), "no test binary has:\n{}", lost.join("\n"));
}
