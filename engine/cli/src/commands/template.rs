//! `plugin new`: a plugin to start from, with a test that runs natively.

use crate::failure::Failure;
use crate::terminal;
use orch_core::{Code, Exit, PluginName};
use std::path::{Path, PathBuf};

/// Where `plugin new` finds the SDK without being told: in the checkout that this program was built from.
const SDK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../sdk/rust");

const FILES: [(&str, &str); 5] = [
    ("Cargo.toml", include_str!("../../assets/plugin/Cargo.toml.in")),
    ("plugin.yaml", include_str!("../../assets/plugin/plugin.yaml.in")),
    ("src/lib.rs", include_str!("../../assets/plugin/lib.rs.in")),
    ("workflow.yaml", include_str!("../../assets/plugin/workflow.yaml.in")),
    (".gitignore", "/target\n*.wasm\n.orch-wasm/\n"),
];

pub(crate) fn run(name: &PluginName, folder: Option<&Path>, sdk: Option<&Path>) -> anyhow::Result<Exit> {
    let folder = folder.map_or_else(|| PathBuf::from(name.name()), Path::to_owned);
    let sdk = sdk.map_or_else(|| PathBuf::from(SDK), Path::to_owned);
    let sdk = std::fs::canonicalize(&sdk).ok().filter(|sdk| sdk.join("Cargo.toml").is_file()).ok_or_else(|| {
        Failure::new(Code::MissingTool, format!("there is no Rust SDK in `{}`", sdk.display()))
            .help("name the folder `sdk/rust` of a checkout with --sdk")
    })?;
    for (file, _) in FILES {
        if folder.join(file).exists() {
            let message = format!("`{}` is there already; nothing was written", folder.join(file).display());
            return Err(Failure::new(Code::Usage, message).help("name another folder").into());
        }
    }
    for (file, text) in FILES {
        let place = folder.join(file);
        if let Some(parent) = place.parent() {
            std::fs::create_dir_all(parent)?;
        }
        let crate_name = format!("{}-{}", name.namespace(), name.name());
        let text = text.replace("{{plugin}}", name.as_str()).replace("{{crate}}", &crate_name);
        std::fs::write(&place, text.replace("{{sdk}}", &sdk.display().to_string()))?;
        terminal::print(&format!("{}\n", place.display()))?;
    }
    terminal::talk(&format!(
        "next:\n  cd {}\n  cargo test                    # its logic, natively\n  orch-wasm plugin publish .    # build, sign, add to ./registry\n  orch-wasm run                 # the example workflow",
        folder.display()
    ));
    Ok(Exit::Succeeded)
}
