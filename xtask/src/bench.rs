//! `bench`: builds everything in release and measures it. The figures go to standard output, with the machine's facts.

use crate::chores::{cargo, root, start, target, wasm_target};
use crate::demo;
use anyhow::Result;
use std::process::Command;

pub(crate) fn run(quick: bool) -> Result<()> {
    wasm_target()?;
    start(cargo().args(["build", "--release", "--package", "orch-wasm", "--package", "orch-bench"]))?;
    start(cargo().current_dir(root().join("tests/guests")).args([
        "build",
        "--release",
        "--package",
        "guest-echo",
        "--target",
        "wasm32-wasip2",
    ]))?;
    start(cargo().current_dir(root().join("plugins")).args([
        "build",
        "--release",
        "--package",
        "orch-plugin-secret-scan",
        "--example",
        "native",
    ]))?;
    demo::plugins()?;
    let guests = root().join("target/guests");
    let measured = Command::new(target().join("release/orch-bench"))
        .current_dir(target())
        .arg(target().join("release/orch-wasm"))
        .arg(guests.join("wasm32-wasip2/release/guest_echo.wasm"))
        .arg(guests.join("release/examples/native"))
        .arg(root())
        .arg(if quick { "quick" } else { "full" })
        .status()?;
    anyhow::ensure!(measured.success(), "the benchmark failed");
    Ok(())
}
