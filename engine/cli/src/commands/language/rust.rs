//! Rust: cargo makes the component.

use crate::failure::Failure;
use crate::terminal;
use orch_core::{Code, Exit};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Whether cargo may look for what it does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fetching {
    Allowed,
    Offline,
}

/// Runs cargo for `wasm32-wasip2` and finds the component in what it says.
pub(super) fn compile(folder: &Path, fetching: Fetching) -> anyhow::Result<Vec<u8>> {
    terminal::talk(&format!("building {} for wasm32-wasip2", folder.display()));
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let ran = Command::new(&cargo)
        .args([
            "build",
            "--release",
            "--lib",
            "--target",
            "wasm32-wasip2",
            "--message-format",
            "json-render-diagnostics",
        ])
        .args((fetching == Fetching::Offline).then_some("--offline"))
        .current_dir(folder)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| {
            Failure::new(Code::MissingTool, format!("cargo could not be started: {error}"))
                .help("install Rust with rustup")
        })?;
    if !ran.status.success() {
        let help = "if the target is missing: rustup target add wasm32-wasip2";
        return Err(Failure::new(Code::BuildFailed, "cargo could not build the plugin")
            .help(help)
            .exit(Exit::Failed)
            .into());
    }
    let messages = String::from_utf8_lossy(&ran.stdout);
    let mut components = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter_map(|message| {
            let is_library = message["target"]["crate_types"].as_array()?.iter().any(|kind| kind == "cdylib");
            let files = message["filenames"].as_array().filter(|_| is_library)?;
            files.iter().filter_map(|file| file.as_str()).find(|file| file.ends_with(".wasm")).map(PathBuf::from)
        });
    let file = components.next_back().ok_or_else(|| {
        Failure::new(Code::BuildFailed, "cargo built no component")
            .help("Cargo.toml needs `[lib] crate-type = [\"cdylib\"]`")
    })?;
    Ok(std::fs::read(file)?)
}
