//! What the chores share: starting programs and saying what goes on.

use anyhow::{Context, Result, bail};
use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Writes to standard error; standard output belongs to what a chore prints as its result.
pub(crate) fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// The repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_owned).unwrap_or_default()
}

/// cargo, the one that runs us.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    // Set for this program by the cargo that runs it; a plugin's workspace must not inherit them.
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if name.starts_with("CARGO_PKG_") || name == "CARGO_MANIFEST_DIR" || name == "CARGO_MANIFEST_PATH" {
            command.env_remove(name);
        }
    }
    command
}

/// Runs a program, shows what it runs, and fails if it does.
pub(crate) fn start(command: &mut Command) -> Result<()> {
    let code = code(command)?;
    if code != 0 {
        bail!("`{}` ended with code {code}", shown(command));
    }
    Ok(())
}

/// Runs a program and returns its exit code.
pub(crate) fn code(command: &mut Command) -> Result<i32> {
    say(&format!("$ {}", shown(command)));
    let status = command.status().with_context(|| format!("`{}` could not be started", shown(command)))?;
    status.code().with_context(|| format!("`{}` was ended by a signal", shown(command)))
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(OsStr::to_string_lossy).map(|word| short(&word)).collect::<Vec<_>>().join(" ")
}

/// Paths in the repository without the repository's own path.
fn short(word: &str) -> String {
    word.replace(&format!("{}/", root().display()), "")
}

/// Adds the target that plugins are built for. Does nothing where it is there.
pub(crate) fn wasm_target() -> Result<()> {
    let added = start(Command::new("rustup").current_dir(root()).args(["target", "add", "wasm32-wasip2"]));
    added.context("plugins are built for wasm32-wasip2, and rustup could not add it: see https://rustup.rs")
}

/// Builds the engine and returns the program.
pub(crate) fn engine() -> Result<PathBuf> {
    start(cargo().args(["build", "--package", "orch-wasm"]))?;
    Ok(target().join("debug/orch-wasm"))
}

/// The target folder of the engine's workspace.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// Format, lock files, lints, layering (a test of its own), and what cargo-deny says of dependencies.
pub(crate) fn check() -> Result<()> {
    for workspace in ["", "plugins", "tests/guests", "sdk/rust", "examples/supply-chain/plugin", "fuzz"] {
        let folder = root().join(workspace);
        start(cargo().current_dir(&folder).args(["fmt", "--all", "--check"]))?;
        // Builds would write a lock file that does not fit anew, without a word.
        start(cargo().current_dir(&folder).args(["update", "--workspace", "--locked", "--quiet"]))?;
    }
    crate::layering::check()?;
    start(cargo().args(["deny", "--log-level", "error", "check", "bans", "licenses", "sources"]))?;
    start(cargo().args(["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"]))?;
    start(cargo().current_dir(root().join("plugins")).args([
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "--deny",
        "warnings",
    ]))?;
    start(cargo().current_dir(root().join("sdk/rust")).args(["clippy", "--all-targets", "--", "--deny", "warnings"]))
}
