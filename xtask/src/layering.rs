//! Who may depend on whom. Anything not listed is refused: `cargo xtask check` runs this, and so does the test below.

use crate::chores::cargo;
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::collections::BTreeMap;

/// A crate and the crates of this workspace that it may use. See ARCHITECTURE.md.
const MAY_USE: [(&str, &[&str]); 11] = [
    ("orch-core", &[]),
    ("orch-workflow", &["orch-core"]),
    ("orch-scheduler", &["orch-core", "orch-workflow"]),
    ("orch-host", &["orch-core"]),
    ("orch-store", &["orch-core"]),
    ("orch-registry", &["orch-core"]),
    ("orch-report", &["orch-core"]),
    (
        "orch-wasm",
        &["orch-core", "orch-workflow", "orch-scheduler", "orch-host", "orch-store", "orch-registry", "orch-report"],
    ),
    (
        "orch-tests",
        &[
            "orch-core",
            "orch-workflow",
            "orch-scheduler",
            "orch-host",
            "orch-store",
            "orch-registry",
            "orch-report",
            "orch-wasm",
        ],
    ),
    ("orch-bench", &["orch-core", "orch-workflow", "orch-scheduler", "orch-host", "orch-store"]),
    ("xtask", &[]),
];

/// A package that only some crates may name.
const ONLY: [(&str, &[&str]); 7] = [
    ("wasmtime", &["orch-host", "orch-bench"]),
    ("wasmtime-wasi", &["orch-host", "orch-bench"]),
    // The tests change bytes behind the store's back, and the benchmark holds its lock as another process would.
    ("rusqlite", &["orch-store", "orch-tests", "orch-bench"]),
    ("serde-saphyr", &["orch-workflow"]),
    ("cel", &["orch-workflow"]),
    ("clap", &["orch-wasm"]),
    ("ed25519-dalek", &["orch-registry"]),
];

/// What the pure crates may not know: they do no I/O and own no clock, so they need none of these.
const PURE: [&str; 3] = ["orch-core", "orch-workflow", "orch-report"];
const IMPURE: [&str; 6] = ["tokio", "tokio-util", "cap-std", "rustix", "rusqlite", "wasmtime"];

/// Every breach, as a line each.
pub(crate) fn breaches(metadata: &Value) -> Result<Vec<String>> {
    let mut breaches = Vec::new();
    let allowed: BTreeMap<&str, &[&str]> = MAY_USE.into_iter().collect();
    for package in metadata["packages"].as_array().context("no packages")? {
        let name = package["name"].as_str().context("a package without a name")?;
        let Some(allowed) = allowed.get(name) else {
            breaches.push(format!("`{name}` is in the workspace and not in the table of layers"));
            continue;
        };
        for dependency in package["dependencies"].as_array().context("no dependencies")? {
            let used = dependency["name"].as_str().context("a dependency without a name")?;
            // What only tests use crosses no layer of the program.
            let in_tests = dependency["kind"] == "dev";
            let is_ours = MAY_USE.iter().any(|(ours, _)| *ours == used);
            if is_ours && !in_tests && !allowed.contains(&used) {
                breaches.push(format!("`{name}` may not use `{used}`"));
            }
            if let Some((_, users)) = ONLY.iter().find(|(only, _)| *only == used)
                && !in_tests
                && !users.contains(&name)
            {
                breaches.push(format!("`{name}` names `{used}`, which only {} may", users.join(", ")));
            }
            if PURE.contains(&name) && IMPURE.contains(&used) && !in_tests {
                breaches.push(format!("`{name}` is pure and may not use `{used}`"));
            }
            if dependency["source"].as_str().is_some_and(|source| source.starts_with("git+")) {
                breaches.push(format!("`{name}` takes `{used}` from git"));
            }
        }
    }
    Ok(breaches)
}

/// What cargo knows of the workspace.
pub(crate) fn metadata() -> Result<Value> {
    let printed = cargo().args(["metadata", "--format-version", "1", "--no-deps", "--offline"]).output()?;
    ensure!(printed.status.success(), "{}", String::from_utf8_lossy(&printed.stderr));
    Ok(serde_json::from_slice(&printed.stdout)?)
}

pub(crate) fn check() -> Result<()> {
    let breaches = breaches(&metadata()?)?;
    ensure!(breaches.is_empty(), "layers are broken:\n  {}", breaches.join("\n  "));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_keeps_its_layers() {
        assert_eq!(breaches(&metadata().unwrap()).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn a_breach_is_seen() {
        let mut metadata = metadata().unwrap();
        let packages = metadata["packages"].as_array_mut().unwrap();
        let store = packages.iter_mut().find(|package| package["name"] == "orch-store").unwrap();
        let dependencies = store["dependencies"].as_array_mut().unwrap();
        dependencies.push(serde_json::json!({ "name": "orch-host", "kind": null, "source": null }));
        dependencies.push(serde_json::json!({ "name": "wasmtime", "kind": null, "source": "git+x" }));
        let found = breaches(&metadata).unwrap();
        assert_eq!(found.len(), 3, "{found:?}");
    }
}
