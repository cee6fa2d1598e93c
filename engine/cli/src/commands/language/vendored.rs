//! The SDKs, as they are inside of this program: nothing has to be published anywhere for a plugin to be built.

use super::Language;
use crate::terminal;
use std::path::Path;

include!(concat!(env!("OUT_DIR"), "/sdks.rs"));

const CONTRACT: &str = include_str!("../../../../../wit/task.wit");

/// Writes the SDK of a language to `sdk` in a plugin's folder.
pub(crate) fn write(language: Language, folder: &Path) -> anyhow::Result<()> {
    let sdk = folder.join("sdk");
    for (file, text) in SDKS.iter().filter(|(of, ..)| *of == language.sdk()).map(|(_, file, text)| (file, text)) {
        // In a checkout the contract lies beside the SDKs; here it lies in the SDK.
        let text =
            if language == Language::Rust { text.replace("\"../../wit\"", "\"wit\"") } else { (*text).to_owned() };
        put(&sdk.join(file), &text)?;
    }
    // In JavaScript the world is one of our own, and the contract something that it depends on.
    put(&sdk.join(if language.sdk() == "js" { "wit/deps/task.wit" } else { "wit/task.wit" }), CONTRACT)
}

/// Writes it where there is none: a clone without it, or a folder from which it was removed to have it anew.
pub(super) fn complete(language: Language, folder: &Path) -> anyhow::Result<()> {
    if folder.join("sdk").exists() {
        return Ok(());
    }
    terminal::talk(&format!("there is no SDK in `{}`: it is written to `sdk`", folder.display()));
    write(language, folder)
}

pub(crate) fn put(file: &Path, text: &str) -> anyhow::Result<()> {
    if let Some(parent) = file.parent() {
        std::fs::create_dir_all(parent)?;
    }
    Ok(std::fs::write(file, text)?)
}
