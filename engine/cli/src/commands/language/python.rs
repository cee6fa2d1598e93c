//! Python: componentize-py runs the module once and keeps its memory, with the interpreter around it.

use super::tools::{Tool, run};
use std::path::Path;

const COMPONENTIZE: Tool = Tool {
    names: &["componentize-py"],
    does: "makes components of Python",
    get: "python3 -m venv .venv && .venv/bin/pip install componentize-py==0.25.1",
};

pub(super) fn compile(folder: &Path, scratch: &Path) -> anyhow::Result<Vec<u8>> {
    let out = scratch.join("plugin.wasm");
    let mut command = COMPONENTIZE.command(folder)?;
    // All that lies on the path goes into the component: so only these two folders do.
    command
        .args(["-d", "sdk/wit", "-w", "task", "componentize", "orch_main", "-p", "src", "-p", "sdk", "-o"])
        .arg(&out);
    run(command, "plugin")?;
    Ok(super::written("componentize-py", &out)?)
}
