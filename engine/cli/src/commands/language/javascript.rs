//! JavaScript and TypeScript: componentize-qjs puts the modules and QuickJS into a component.

use super::tools::{Tool, run};
use std::path::Path;

const COMPONENTIZE: Tool = Tool {
    names: &["componentize-qjs"],
    does: "makes components of JavaScript",
    get: "npm install --save-dev --save-exact componentize-qjs@0.4.5",
};

const TYPES: Tool = Tool {
    names: &["tsc"],
    does: "checks and translates TypeScript",
    get: "npm install --save-dev --save-exact typescript@7.0.2",
};

/// `root` is where the modules lie: the folder itself, or what was made of it.
pub(super) fn compile(folder: &Path, root: &Path, main: &str, scratch: &Path) -> anyhow::Result<Vec<u8>> {
    let out = scratch.join("plugin.wasm");
    let mut command = COMPONENTIZE.command(folder)?;
    command.arg("--wit").arg(folder.join("sdk/wit")).arg("--js").arg(root.join(main)).arg("--module-root").arg(root);
    // Without --sync the component needs a part of the component model that is not there yet.
    command.args(["-n", "plugin", "--sync", "-o"]).arg(&out);
    run(command, "plugin")?;
    Ok(super::written("componentize-qjs", &out)?)
}

pub(super) fn compile_typed(folder: &Path, scratch: &Path) -> anyhow::Result<Vec<u8>> {
    let root = scratch.join("translated");
    let mut command = TYPES.command(folder)?;
    command.args(["src/plugin.ts", "--ignoreConfig", "--strict", "--target", "es2022", "--module", "esnext"]);
    command.args(["--moduleResolution", "bundler", "--rootDir", ".", "--outDir"]).arg(&root);
    run(command, "types")?;
    // tsc reads the SDK's types and leaves its modules where they are.
    std::fs::create_dir_all(root.join("sdk"))?;
    for entry in std::fs::read_dir(folder.join("sdk"))? {
        let module = entry?.path();
        if module.extension().is_some_and(|extension| extension == "js") {
            std::fs::copy(&module, root.join("sdk").join(module.file_name().unwrap_or_default()))?;
        }
    }
    compile(folder, &root, "src/plugin.js", scratch)
}
