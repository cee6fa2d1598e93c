//! The languages that a plugin may be in: which one a folder holds, and how its component is made.

mod c;
mod go;
mod javascript;
mod link;
mod python;
mod rust;
mod tools;
pub(super) mod vendored;

use crate::failure::Failure;
use crate::terminal;
use clap::ValueEnum;
use orch_core::{Code, Exit};
use std::path::Path;

pub(super) use rust::Fetching;

/// What a plugin is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Language {
    Rust,
    Python,
    /// JavaScript
    Js,
    /// TypeScript
    Ts,
    C,
    Go,
}

impl Language {
    /// The folder of the SDK and of the template: both kinds of JavaScript share one SDK.
    pub(super) fn sdk(self) -> &'static str {
        match self {
            Language::Rust => "rust",
            Language::Python => "python",
            Language::Js | Language::Ts => "js",
            Language::C => "c",
            Language::Go => "go",
        }
    }

    /// How people call it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Language::Rust => "Rust",
            Language::Python => "Python",
            Language::Js => "JavaScript",
            Language::Ts => "TypeScript",
            Language::C => "C",
            Language::Go => "Go",
        }
    }

    /// The language of a folder, by what lies in it.
    pub(super) fn of(folder: &Path) -> Result<Language, Failure> {
        let signs = [
            ("Cargo.toml", Language::Rust),
            ("go.mod", Language::Go),
            ("src/app.py", Language::Python),
            ("src/plugin.ts", Language::Ts),
            ("src/plugin.js", Language::Js),
            ("src/plugin.c", Language::C),
        ];
        let found = signs.into_iter().find(|(sign, _)| folder.join(sign).is_file());
        found.map(|(_, language)| language).ok_or_else(|| {
            let known: Vec<_> = signs.iter().map(|(sign, language)| format!("{sign} ({})", language.name())).collect();
            let message = format!("`{}` holds no source of a plugin", folder.display());
            Failure::new(Code::BuildFailed, message).help(format!("it has to have one of {}", known.join(", ")))
        })
    }
}

/// Makes the component of the plugin in a folder. What the tools print goes to standard error.
pub(super) fn compile(folder: &Path, fetching: Fetching) -> anyhow::Result<Vec<u8>> {
    let language = Language::of(folder)?;
    if language == Language::Rust {
        return rust::compile(folder, fetching);
    }
    vendored::complete(language, folder)?;
    // The tools are started in the folder, which a relative path would then name twice.
    let folder = &std::fs::canonicalize(folder)?;
    let scratch = tempfile::tempdir()?;
    terminal::talk(&format!("building {} ({})", folder.display(), language.name()));
    match language {
        Language::Rust => rust::compile(folder, fetching),
        Language::Python => python::compile(folder, scratch.path()),
        Language::Js => javascript::compile(folder, folder, "src/plugin.js", scratch.path()),
        Language::Ts => javascript::compile_typed(folder, scratch.path()),
        Language::C => c::compile(folder, scratch.path()),
        Language::Go => go::compile(folder, scratch.path()),
    }
}

/// The bytes that a tool wrote.
fn written(tool: &str, file: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(file).map_err(|error| {
        Failure::new(Code::BuildFailed, format!("{tool} wrote no component: {error}")).exit(Exit::Failed)
    })
}
