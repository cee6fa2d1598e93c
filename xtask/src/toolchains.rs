//! `toolchains`: what plugins in other languages than Rust are made with, and programs of others that tests run as tasks, pinned, below
//! `target/tools`. No root is needed.

use crate::chores::{root, say, start};
use anyhow::{Context, Result};
use std::path::Path;
use std::process::Command;

/// What is pinned; where it changes, everything is installed anew.
const PINS: [&str; 3] = ["requirements.txt", "package.json", "package-lock.json"];

pub(crate) fn install() -> Result<()> {
    let (pins, tools) = (root().join("xtask/toolchains"), root().join("target/tools"));
    let wanted = PINS.map(|pin| std::fs::read_to_string(pins.join(pin)).with_context(|| pin.to_owned()));
    let wanted = wanted.into_iter().collect::<Result<String>>()?;
    let stamp = tools.join("toolchains");
    if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        say("the toolchains are there");
        return Ok(());
    }
    let (python, js) = (tools.join("python"), tools.join("js"));
    empty(&python)?;
    start(Command::new("python3").args(["-m", "venv"]).arg(&python))
        .context("python3 with its module venv is needed")?;
    start(
        Command::new(python.join("bin/pip"))
            // All is pinned here: the programs would otherwise bring what runs them outside of this engine.
            .args(["install", "--quiet", "--disable-pip-version-check", "--no-deps", "--requirement"])
            .arg(pins.join("requirements.txt")),
    )?;
    empty(&js)?;
    for pin in &PINS[1..] {
        std::fs::copy(pins.join(pin), js.join(pin))?;
    }
    // Not `npm ci`: it wants every optional platform of the lock file, and three of them were never published.
    // Versions and digests come from the lock file all the same.
    let npm = start(Command::new("npm").current_dir(&js).args(["install", "--no-save", "--no-audit", "--no-fund"]));
    npm.context("npm, which comes with Node.js, is needed")?;
    Ok(std::fs::write(stamp, wanted)?)
}

/// A folder with nothing in it.
fn empty(folder: &Path) -> Result<()> {
    if folder.exists() {
        std::fs::remove_dir_all(folder)?;
    }
    Ok(std::fs::create_dir_all(folder)?)
}
