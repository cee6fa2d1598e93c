//! Puts what the binary carries into it: the pages that `explain` prints, the plugin that `init` writes, and the SDKs.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let out = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);
    pages(&out)?;
    sdks(&out)?;
    std::fs::write(out.join("echo.wasm"), echo()?)?;
    Ok(())
}

/// The component of `assets/echo.wat`.
fn echo() -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=assets/echo.wat");
    println!("cargo:rerun-if-changed=../../wit/task.wit");
    let mut module = wat::parse_file("assets/echo.wat")?;
    let mut resolve = wit_parser::Resolve::default();
    let (package, _) = resolve.push_path("../../wit")?;
    let world = resolve.select_world(&[package], Some("task"))?;
    wit_component::embed_component_metadata(&mut module, &resolve, world, wit_component::StringEncoding::UTF8, false)?;
    Ok(wit_component::ComponentEncoder::default().validate(true).module(&module)?.encode()?)
}

/// A table of `docs/errors/OW*.md`.
fn pages(out: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/errors").canonicalize()?;
    println!("cargo:rerun-if-changed={}", folder.display());
    let mut pages: Vec<PathBuf> =
        std::fs::read_dir(&folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    pages.sort();
    let mut table = String::from("pub(crate) const PAGES: &[(&str, &str)] = &[\n");
    for page in pages {
        let code = page.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        if code.starts_with("OW") {
            writeln!(table, "    ({code:?}, include_str!({:?})),", page.display().to_string())?;
        }
    }
    table.push_str("];\n");
    std::fs::write(out.join("pages.rs"), table)?;
    Ok(())
}

/// A table of the files of `sdk/*`: the language, the path in its folder, the text.
fn sdks(out: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sdk").canonicalize()?;
    let mut table = String::from("pub(crate) const SDKS: &[(&str, &str, &str)] = &[\n");
    for language in ["c", "go", "js", "python", "rust"] {
        let folder = root.join(language);
        println!("cargo:rerun-if-changed={}", folder.display());
        let mut files = Vec::new();
        collect(&folder, &mut files)?;
        files.sort();
        for file in files {
            let path = file.strip_prefix(&folder)?.to_str().ok_or("a path that is no text")?;
            writeln!(table, "    ({language:?}, {path:?}, include_str!({:?})),", file.display().to_string())?;
        }
    }
    table.push_str("];\n");
    std::fs::write(out.join("sdks.rs"), table)?;
    Ok(())
}

/// The files below a folder, without what building and testing leave there.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Box<dyn std::error::Error>> {
    for entry in std::fs::read_dir(folder)? {
        let (entry, name) = entry.map(|entry| (entry.path(), entry.file_name()))?;
        let name = name.to_string_lossy();
        if name.starts_with('.')
            || ["target", "__pycache__", "tests", "Cargo.lock", "README.md", "CONTRACT"].contains(&name.as_ref())
        {
            continue;
        }
        if entry.is_dir() { collect(&entry, files)? } else { files.push(entry) }
    }
    Ok(())
}
