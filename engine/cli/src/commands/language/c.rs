//! C: clang, as it comes inside of Zig with a C library for WASI.

use super::tools::{Tool, run};
use std::path::{Path, PathBuf};

const COMPILER: Tool = Tool {
    names: &["zig", "python-zig"],
    does: "compiles C for WebAssembly",
    get: "python3 -m venv .venv && .venv/bin/pip install ziglang==0.17.1",
};

pub(super) fn compile(folder: &Path, scratch: &Path) -> anyhow::Result<Vec<u8>> {
    let out = scratch.join("core.wasm");
    let mut sources = Vec::new();
    for place in ["src", "sdk", "sdk/bindings"] {
        sources.extend(sources_in(&folder.join(place))?);
    }
    let mut command = COMPILER.command(folder)?;
    command.args(["cc", "-target", "wasm32-wasi", "-mexec-model=reactor", "-Oz", "-s", "-Wall", "-Wextra", "-Isdk"]);
    // Zig would reserve 16 MiB.
    command.arg("-Wl,-z,stack-size=1048576").args(sources).arg("-o").arg(&out);
    run(command, "plugin")?;
    super::link::component(&super::written("zig", &out)?, &folder.join("sdk/wit"))
}

fn sources_in(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut all: Vec<PathBuf> =
        std::fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    all.retain(|file| file.extension().is_some_and(|extension| extension == "c"));
    all.sort();
    Ok(all)
}
