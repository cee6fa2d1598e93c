//! `advisories PATH`: compares every lock file of this repository with a local copy of the RustSec advisory database, and fails on a
//! hit. Nothing is downloaded: whoever runs it says how old the copy may be by bringing a newer one.

use crate::chores::{root, say};
use anyhow::{Context, Result, bail, ensure};
use rustsec::advisory::Informational;
use rustsec::{Database, Lockfile};
use std::path::Path;

/// Everything that ends in a program or a component of ours.
const LOCKS: [&str; 5] = [
    "Cargo.lock",
    "plugins/Cargo.lock",
    "sdk/rust/Cargo.lock",
    "tests/guests/Cargo.lock",
    "examples/supply-chain/plugin/Cargo.lock",
];

pub(crate) fn run(path: &str) -> Result<()> {
    let database = Database::open(Path::new(path)).with_context(|| format!("`{path}` is no advisory database"))?;
    let known = database.iter().count();
    ensure!(known > 0, "`{path}` holds no advisory: it is a checkout of the database, with a folder `crates`");
    let mut hits = 0;
    for lock in LOCKS {
        let file = root().join(lock);
        if !file.exists() {
            continue;
        }
        let packages = Lockfile::load(&file).with_context(|| format!("`{lock}` cannot be read"))?;
        for found in database.vulnerabilities(&packages) {
            let advisory = &found.advisory;
            // Unmaintained is a reason to look for something else, not to stop a release; unsound is.
            let only_told = matches!(advisory.informational, Some(Informational::Unmaintained | Informational::Notice));
            let patched: Vec<_> = found.versions.patched().iter().map(ToString::to_string).collect();
            let patched = if patched.is_empty() {
                "no version is patched".to_owned()
            } else {
                format!("patched: {}", patched.join(", "))
            };
            let word = if only_told { "note" } else { "HIT" };
            say(&format!(
                "{word} {lock}: {} {} {} ({patched})",
                found.package.name, found.package.version, advisory.id
            ));
            say(&format!("    {}", advisory.title));
            hits += usize::from(!only_told);
        }
    }
    say(&format!("{known} advisories, {} lock files, {hits} hits", LOCKS.len()));
    if hits > 0 {
        bail!(
            "dependencies with known vulnerabilities: take a patched version, `cargo update --package NAME --precise VERSION`"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::run;

    /// A database with one advisory, about every version of a package below one.
    fn database(package: &str, patched: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        let crates = folder.path().join("crates").join(package);
        std::fs::create_dir_all(&crates).expect("a folder");
        let text = format!(
            "```toml\n[advisory]\nid = \"RUSTSEC-2026-0001\"\npackage = \"{package}\"\ndate = \"2026-01-01\"\n\
             [versions]\npatched = [\">= {patched}\"]\n```\n\n# A test\n\nNothing is wrong with it.\n"
        );
        std::fs::write(crates.join("RUSTSEC-2026-0001.md"), text).expect("a file");
        folder
    }

    #[test]
    fn a_hit_fails_and_what_is_patched_does_not() {
        let path = |folder: &tempfile::TempDir| folder.path().to_str().expect("a path").to_owned();
        let hit = database("wasmtime", "999.0.0");
        let error = run(&path(&hit)).expect_err("it is in the lock file");
        assert!(error.to_string().contains("known vulnerabilities"), "{error}");
        let patched = database("wasmtime", "1.0.0");
        run(&path(&patched)).expect("48 is patched");
        let empty = tempfile::tempdir().expect("a folder");
        assert!(run(&path(&empty)).is_err(), "an empty folder proves nothing");
    }
}
