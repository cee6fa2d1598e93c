//! `demo`: from a clone to a blocked release in one command.

use crate::chores::{code, engine, root, say, start, wasm_target};
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

pub(crate) fn run_example(program: &Path, workflow: &str, expected: i32) -> Result<()> {
    let found = code(Command::new(program).current_dir(root()).args(["run", workflow]))?;
    if found != expected {
        bail!("`{workflow}` ended with exit code {found}, not {expected}");
    }
    say(&format!("\n{workflow}: exit code {found}, as it should be\n"));
    Ok(())
}

pub(crate) fn run() -> Result<()> {
    let program = plugins()?;
    say("\nA release with planted problems: the gate has to block it.\n");
    run_example(&program, "examples/release-gate/workflow.yaml", 3)?;
    say("This repository: it has to pass.\n");
    run_example(&program, "examples/self-check/workflow.yaml", 0)?;
    say("Next: `orch-wasm` is target/debug/orch-wasm; the README's third step makes a plugin of your own.");
    Ok(())
}

/// Builds and publishes the first-party plugins; returns the engine's program.
pub(crate) fn plugins() -> Result<PathBuf> {
    wasm_target()?;
    let program = engine()?;
    key(&program)?;
    if publish(&program).is_err() {
        // The development registry holds nothing that cannot be made again. A plugin that changed without a new version, or a new
        // key, is refused as it should be; here that means to begin anew.
        say("a plugin or the key has changed since it was published here: the development registry is made anew");
        std::fs::remove_dir_all(registry()).context("registry/ could not be removed")?;
        for example in ["release-gate", "self-check"] {
            let _ = std::fs::remove_file(root().join("examples").join(example).join("orch-wasm.lock"));
        }
        publish(&program)?;
    }
    Ok(program)
}

fn registry() -> PathBuf {
    root().join("registry")
}

fn publish(program: &Path) -> Result<()> {
    let mut plugins: Vec<PathBuf> =
        std::fs::read_dir(root().join("plugins"))?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    plugins.retain(|folder| folder.join("plugin.yaml").is_file());
    plugins.sort();
    for plugin in plugins {
        let mut publish = Command::new(program);
        publish.current_dir(root()).args(["plugin", "publish"]).arg(plugin).arg("--registry").arg(registry());
        start(&mut publish)?;
    }
    Ok(())
}

/// A development key, if this user has none.
fn key(program: &Path) -> Result<()> {
    let shown = Command::new(program).args(["keys", "show"]).output()?;
    if shown.status.success() { Ok(()) } else { start(Command::new(program).args(["keys", "new"])) }
}
