//! `bench`: builds everything in release and measures it. The figures go to standard output, with the machine's facts.

use crate::chores::{cargo, root, start, target, wasm_target};
use crate::demo;
use anyhow::Result;
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;

pub(crate) fn run(quick: bool) -> Result<()> {
    build()?;
    start(cargo().current_dir(root().join("plugins")).args([
        "build",
        "--release",
        "--package",
        "orch-plugin-secret-scan",
        "--package",
        "orch-plugin-iac-scan",
        "--example",
        "native",
        "--example",
        "iac-native",
    ]))?;
    demo::plugins()?;
    let measured = program(if quick { "quick" } else { "full" }).status()?;
    anyhow::ensure!(measured.success(), "the benchmark failed");
    Ok(())
}

/// Builds the engine, the benchmark and its guests.
pub(crate) fn build() -> Result<()> {
    wasm_target()?;
    start(cargo().args(["build", "--release", "--package", "orch-wasm", "--package", "orch-bench"]))?;
    // `hostile` apart: what it asks of the SDK the others would import as well.
    for packages in [["guest-echo", "net", "programs"].as_slice(), &["hostile"]] {
        let packages = packages.iter().flat_map(|package| ["--package", package]);
        let build = ["build", "--release", "--target", "wasm32-wasip2"];
        start(cargo().current_dir(root().join("tests/guests")).args(build).args(packages))?;
    }
    // With its manifest inside, so that it can be published as well.
    start(
        Command::new(engine())
            .current_dir(root())
            .args(["plugin", "build", "tests/guests/work", "--out"])
            .arg(guests().join("work.wasm")),
    )
}

/// The benchmark; what is to be measured is `quick`, `full` or `shapes`.
pub(crate) fn program(mode: &str) -> Command {
    let mut command = Command::new(target().join("release/orch-bench"));
    command
        .current_dir(target())
        .arg(engine())
        .arg(guests().join("wasm32-wasip2/release/guest_echo.wasm"))
        .arg(guests().join("work.wasm"))
        .arg(guests().join("wasm32-wasip2/release/net.wasm"))
        .arg(guests().join("wasm32-wasip2/release/programs.wasm"))
        .arg(guests().join("wasm32-wasip2/release/hostile.wasm"))
        .arg(guests().join("release/examples/native"))
        .arg(guests().join("release/examples/iac-native"))
        .arg(root())
        .arg(mode);
    command
}

/// Writes a line to standard output, for whoever keeps the figures.
pub(crate) fn print(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

fn engine() -> PathBuf {
    target().join("release/orch-wasm")
}

fn guests() -> PathBuf {
    root().join("target/guests")
}
