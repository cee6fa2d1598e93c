//! Scanners on large trees: the component in the sandbox beside the same code built natively.

use crate::Paths;
use crate::numbers::Report;
use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

pub(crate) fn measure(paths: &Paths, table: &mut Report) -> Result<()> {
    println!("scanners on trees");
    let folder = tempfile::tempdir_in(".")?;
    let source = folder.path().join("source/tree");
    let bytes = grow(&paths.repository, &source, if paths.quick { 40 } else { 200 } << 20)?;
    beside(paths, "secret-scan", "few findings", &paths.scan_native, &source, bytes, table)?;
    let infrastructure = folder.path().join("infrastructure/tree");
    let bytes = cases(&paths.repository, &infrastructure, if paths.quick { 100 } else { 400 })?;
    // The most findings that a task may report, each stored and in three reports, which the native program does not do.
    beside(paths, "iac-scan", "findings in every file", &paths.iac_native, &infrastructure, bytes, table)
}

/// Both on the same tree.
fn beside(
    paths: &Paths,
    plugin: &str,
    what: &str,
    program: &Path,
    tree: &Path,
    bytes: u64,
    table: &mut Report,
) -> Result<()> {
    let folder = tree.parent().context("a folder above the tree")?;
    let workflow = format!(
        "schema: orch-wasm/v1\nname: scan\ntasks:\n  scan:\n    uses: orch/{plugin}@^0.1\n    timeout: 10m\n    \
         permissions: {{ fs: [{{ mount: source, path: ./tree, access: read }}] }}\n"
    );
    std::fs::write(folder.join("workflow.yaml"), workflow)?;
    let megabytes = bytes as f64 / 1e6;
    // Each once to warm the page cache and the code cache, then the better of two.
    let native = best(|| native(program, tree))?;
    let sandboxed = best(|| sandboxed(paths, folder))?;
    table.row(
        format!("{plugin}, {megabytes:.0} MB, {what}"),
        format!("{sandboxed:.2} s, {:.0} MB/s", megabytes / sandboxed),
        format!("{native:.2} s, {:.0} MB/s native", megabytes / native),
        Some(sandboxed / native),
        "ratio ≤ 1.6",
    );
    Ok(())
}

/// Many copies of the files of infrastructure that the scanner's own cases have.
fn cases(repository: &Path, tree: &Path, copies: usize) -> Result<u64> {
    let mut files = Vec::new();
    for case in std::fs::read_dir(repository.join("plugins/iac-scan/cases"))? {
        collect_all(&case?.path().join("tree"), Path::new(""), &mut files)?;
    }
    let mut written = 0;
    for copy in 0..copies {
        for (from, below) in &files {
            let to = tree.join(copy.to_string()).join(below);
            std::fs::create_dir_all(to.parent().unwrap_or(tree))?;
            written += std::fs::copy(from, to)?;
        }
    }
    Ok(written)
}

fn collect_all(folder: &Path, below: &Path, files: &mut Vec<(PathBuf, PathBuf)>) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let below = below.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            collect_all(&entry.path(), &below, files)?;
        } else {
            files.push((entry.path(), below));
        }
    }
    Ok(())
}

fn best(mut measure: impl FnMut() -> Result<f64>) -> Result<f64> {
    measure()?;
    Ok(measure()?.min(measure()?))
}

fn native(program: &Path, tree: &Path) -> Result<f64> {
    let begun = Instant::now();
    let status = Command::new(program).arg(tree).arg("1").stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    ensure!(status.success(), "the native scanner failed");
    Ok(begun.elapsed().as_secs_f64())
}

fn sandboxed(paths: &Paths, folder: &Path) -> Result<f64> {
    let begun = Instant::now();
    let output = Command::new(paths.program.canonicalize()?)
        .args(["run", "--registry"])
        .arg(paths.repository.join("registry"))
        .current_dir(folder)
        .output()?;
    let took = begun.elapsed().as_secs_f64();
    let said = String::from_utf8_lossy(&output.stderr);
    // Among other things too many findings would end it early.
    ensure!(output.status.success(), "{said}");
    Ok(took)
}

/// Copies the text files of this repository and of cargo's own sources until `bytes` are there: real source text of many kinds.
fn grow(repository: &Path, tree: &Path, bytes: u64) -> Result<u64> {
    let mut sources = Vec::new();
    collect(repository, &mut sources)?;
    ensure!(!sources.is_empty(), "there is nothing to copy");
    let mut written = 0;
    for copy in 0.. {
        for (index, source) in sources.iter().enumerate() {
            let ending = source.extension().and_then(|ending| ending.to_str()).unwrap_or("txt");
            let folder = tree.join(format!("{copy}/{}", index / 100));
            std::fs::create_dir_all(&folder)?;
            written += std::fs::copy(source, folder.join(format!("{index}.{ending}")))?;
            if written >= bytes {
                return Ok(written);
            }
        }
    }
    Ok(written)
}

fn collect(folder: &Path, files: &mut Vec<std::path::PathBuf>) -> Result<()> {
    const LEFT_OUT: [&str; 4] = [".git", "target", "registry", "app"];
    const KINDS: [&str; 8] = ["rs", "toml", "md", "yaml", "json", "py", "wit", "lock"];
    let mut entries: Vec<_> = std::fs::read_dir(folder)?.collect::<Result<_, _>>()?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_str().context("a file name is not UTF-8")?;
        if path.is_dir() && !path.is_symlink() && !LEFT_OUT.contains(&name) {
            collect(&path, files)?;
        } else if path.is_file()
            && path.extension().and_then(|ending| ending.to_str()).is_some_and(|ending| KINDS.contains(&ending))
        {
            files.push(path);
        }
    }
    Ok(())
}
