//! `orch/secret-scan` on a large tree: the component in the sandbox beside the same code built natively.

use crate::Paths;
use crate::numbers::Report;
use anyhow::{Context, Result, ensure};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

const WORKFLOW: &str = "schema: orch-wasm/v1
name: scan
tasks:
  scan:
    uses: orch/secret-scan@^0.1
    timeout: 10m
    permissions: { fs: [{ mount: source, path: ./tree, access: read }] }
";

pub(crate) fn measure(paths: &Paths, table: &mut Report) -> Result<()> {
    println!("orch/secret-scan on a tree");
    let mib = if paths.quick { 40 } else { 200 };
    let folder = tempfile::tempdir_in(".")?;
    let tree = folder.path().join("tree");
    let bytes = grow(&paths.repository, &tree, mib << 20)?;
    std::fs::write(folder.path().join("workflow.yaml"), WORKFLOW)?;
    let megabytes = bytes as f64 / 1e6;
    // Each once to warm the page cache and the code cache, then the better of two.
    let native = best(|| native(paths, &tree))?;
    let sandboxed = best(|| sandboxed(paths, folder.path()))?;
    table.row(
        format!("secret-scan, {megabytes:.0} MB of source"),
        format!("{sandboxed:.2} s, {:.0} MB/s", megabytes / sandboxed),
        format!("{native:.2} s, {:.0} MB/s native", megabytes / native),
        Some(sandboxed / native),
        "ratio ≤ 1.6",
    );
    Ok(())
}

fn best(mut measure: impl FnMut() -> Result<f64>) -> Result<f64> {
    measure()?;
    Ok(measure()?.min(measure()?))
}

fn native(paths: &Paths, tree: &Path) -> Result<f64> {
    let begun = Instant::now();
    let status = Command::new(&paths.scan_native).arg(tree).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
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
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
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
