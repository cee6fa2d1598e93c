//! What each first-party plugin costs to have: the size of its component, its first run, in which it is compiled, and those after it,
//! in which its code comes from the cache. A run is that of its smallest case, whole process.

use crate::Paths;
use crate::machine::Floors;
use crate::numbers::{Report, time};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

pub(crate) fn measure(paths: &Paths, floors: &Floors, table: &mut Report) -> Result<()> {
    println!("first-party plugins, each with its smallest case");
    let mut all = folders(&paths.repository.join("plugins"))?;
    all.retain(|folder| folder.join("plugin.yaml").is_file());
    for plugin in all {
        let name = plugin.file_name().and_then(|name| name.to_str()).context("a folder's name")?.to_owned();
        let mut cases = folders(&plugin.join("cases"))?;
        cases.retain(|case| case.join("expected.json").is_file());
        let case =
            cases.into_iter().min_by_key(|case| files_in(case)).with_context(|| format!("{name} has no case"))?;
        let (first, later) = runs(paths, &case)?;
        table.row(
            format!("orch/{name}: component, first run, later runs"),
            format!("{} KiB, {}, {}", component(paths, &name)? / 1024, time(first), time(later)),
            format!("{} process spawn", time(floors.spawn)),
            None,
            "-",
        );
    }
    Ok(())
}

/// Bytes of the newest version's component, as the registry's index has them.
fn component(paths: &Paths, name: &str) -> Result<u64> {
    let index = paths.repository.join(format!("registry/index/orch/{name}.jsonl"));
    let text =
        std::fs::read_to_string(&index).with_context(|| format!("{}: run `cargo xtask plugins`", index.display()))?;
    let lines = text.lines().map(serde_json::from_str).collect::<Result<Vec<Value>, _>>()?;
    lines.iter().rev().find_map(|line| line["size"].as_u64()).context("no size in the index")
}

fn runs(paths: &Paths, case: &Path) -> Result<(Duration, Duration)> {
    let place = tempfile::tempdir_in(".")?;
    let place = place.path().canonicalize()?;
    let copied = Command::new("cp").arg("-a").arg(case).arg(place.join("case")).status()?;
    ensure!(copied.success(), "the case could not be copied");
    let expected: Value = serde_json::from_str(&std::fs::read_to_string(case.join("expected.json"))?)?;
    let arguments: Vec<&str> =
        expected["arguments"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let exit = expected["exit"].as_i64().unwrap_or(0);
    let run = || {
        let begun = Instant::now();
        let status = Command::new(paths.program.canonicalize()?)
            .args(["run", "--registry"])
            .arg(paths.repository.join("registry").canonicalize()?)
            .args(&arguments)
            .current_dir(place.join("case"))
            // Nothing is compiled yet.
            .env("XDG_CACHE_HOME", place.join("cache"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()?;
        ensure!(status.code().map(i64::from) == Some(exit), "{}: {status}", case.display());
        Ok(begun.elapsed())
    };
    let first = run()?;
    let later = (0..5).map(|_| run()).collect::<Result<Vec<_>>>()?;
    Ok((first, later.into_iter().min().unwrap_or_default()))
}

fn folders(of: &Path) -> Result<Vec<PathBuf>> {
    let mut folders: Vec<_> = std::fs::read_dir(of)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    folders.retain(|path| path.is_dir());
    folders.sort();
    Ok(folders)
}

/// How many files are below a folder.
fn files_in(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| if entry.path().is_dir() { files_in(&entry.path()) } else { 1 }).sum()
}
