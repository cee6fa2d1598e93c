//! `fuzz`: gives each parser changed examples for a while, with nightly Rust, libFuzzer and AddressSanitizer, and tells what came of it.
//! What a target asserts besides "no panic" stands in `fuzz/targets`.

mod seeds;

use crate::chores::{code, root, say, start, target};
use anyhow::{Context, Result, bail, ensure};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The targets, in the order in which they run.
const TARGETS: [&str; 7] = ["workflow", "expression", "manifest", "lock", "index", "log_record", "policy"];
/// The tool, pinned: a newer one may name its results otherwise.
const TOOL: &str = "0.13.2";
/// libFuzzer needs instrumentation that only nightly Rust has.
const TOOLCHAIN: &str = "nightly";
/// Mebibytes of a target, with AddressSanitizer's own.
const MEMORY: u32 = 2_048;
/// Seconds for one input. Debug assertions and AddressSanitizer make a target about ten times slower than the engine.
const SLOWEST: u32 = 10;
/// Bytes of an input: enough for every rule of a file, and libFuzzer is lost in longer ones.
const LONGEST: u32 = 8 << 10;

/// What came of one target.
#[derive(Debug, Default, PartialEq, Eq)]
struct Outcome {
    runs: u64,
    per_second: u64,
    coverage: u64,
    /// The input that broke it.
    crash: Option<String>,
}

/// `fuzz [--seconds N] [TARGET]…`
pub(crate) fn run(arguments: &[&str]) -> Result<()> {
    let (seconds, wanted) = match arguments {
        ["--seconds", seconds, rest @ ..] => (seconds.parse().context("`--seconds` takes a number")?, rest),
        rest => (60, rest),
    };
    if let Some(unknown) = wanted.iter().find(|name| !TARGETS.contains(name)) {
        bail!("there is no target `{unknown}` (known: {})", TARGETS.join(", "));
    }
    let wanted: Vec<&str> = TARGETS.into_iter().filter(|name| wanted.is_empty() || wanted.contains(name)).collect();
    let tool = tool()?;
    let mut table = format!("{:<12} {:>10} {:>8} {:>9}  result\n", "target", "runs", "runs/s", "coverage");
    let mut broken = 0;
    for name in wanted {
        let outcome = one(&tool, name, seconds)?;
        broken += usize::from(outcome.crash.is_some());
        table += &row(name, &outcome);
    }
    say(&table);
    ensure!(broken == 0, "{broken} of the targets broke; each input that did it is kept where the table says");
    Ok(())
}

fn row(name: &str, outcome: &Outcome) -> String {
    let result = outcome.crash.as_ref().map_or_else(|| "nothing broke".to_owned(), |path| format!("BROKE: {path}"));
    let Outcome { runs, per_second, coverage, .. } = outcome;
    format!("{name:<12} {runs:>10} {per_second:>8} {coverage:>9}  {result}\n")
}

/// Installs what is missing; returns the tool.
fn tool() -> Result<PathBuf> {
    let there = Command::new("rustup").args(["run", TOOLCHAIN, "rustc", "--version"]).output();
    if !there.is_ok_and(|there| there.status.success()) {
        let install = ["toolchain", "install", TOOLCHAIN, "--profile", "minimal"];
        start(Command::new("rustup").args(install)).context("fuzzing needs nightly Rust")?;
    }
    let tools = target().join("tools");
    let tool = tools.join("bin/cargo-fuzz");
    let version = Command::new(&tool).args(["fuzz", "--version"]).output();
    if !version.is_ok_and(|version| String::from_utf8_lossy(&version.stdout).trim().ends_with(TOOL)) {
        let install = ["install", "cargo-fuzz", "--locked", "--version", TOOL, "--root"];
        start(crate::chores::cargo().args(install).arg(&tools))?;
    }
    Ok(tool)
}

/// Runs one target.
fn one(tool: &Path, name: &str, seconds: u32) -> Result<Outcome> {
    let place = target().join("fuzz");
    let folder = |kind: &str| -> Result<PathBuf> {
        let folder = place.join(kind).join(name);
        std::fs::create_dir_all(&folder).with_context(|| format!("`{}` cannot be made", folder.display()))?;
        Ok(folder)
    };
    let (corpus, seeds, crashes) = (folder("corpus")?, folder("seeds")?, folder("crashes")?);
    let count = seeds::write(name, &root(), &seeds)?;
    say(&format!("{name}: {count} seeds, {seconds} s"));
    let log = folder("logs")?.join("log");
    let mut command = Command::new("rustup");
    // Set by the cargo that runs us: the tool would take that cargo for its own.
    for inherited in ["CARGO", "RUSTC", "RUSTDOC", "RUSTUP_TOOLCHAIN", "CARGO_TARGET_DIR", "CARGO_MANIFEST_DIR"] {
        command.env_remove(inherited);
    }
    command.current_dir(root().join("fuzz")).args(["run", TOOLCHAIN]).arg(tool).args([
        "fuzz",
        "run",
        "--fuzz-dir",
        ".",
    ]);
    command.arg("--target-dir").arg(&place).arg(name).args([&corpus, &seeds]).arg("--");
    command.args([
        format!("-max_total_time={seconds}"),
        format!("-rss_limit_mb={MEMORY}"),
        format!("-timeout={SLOWEST}"),
        format!("-max_len={LONGEST}"),
        "-print_final_stats=1".to_owned(),
        format!("-artifact_prefix={}/", crashes.display()),
    ]);
    command.stderr(std::fs::File::create(&log)?);
    let code = code(&mut command);
    let text = String::from_utf8_lossy(&std::fs::read(&log)?).into_owned();
    let outcome = read(&text);
    match (code, outcome.crash.is_some()) {
        (Ok(0), false) | (_, true) => Ok(outcome),
        // It did not even begin, or ended in a way that libFuzzer does not tell.
        _ => bail!(
            "the target `{name}` did not run to its end; its last words are in `{}`:\n{}",
            log.display(),
            end(&text)
        ),
    }
}

/// The last lines of a text.
fn end(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(15)..].join("\n")
}

/// Reads what libFuzzer said.
fn read(log: &str) -> Outcome {
    let mut outcome = Outcome::default();
    for line in log.lines() {
        let number = |text: &str| text.trim().split(' ').next().and_then(|word| word.parse().ok());
        if let Some(runs) = line.strip_prefix("stat::number_of_executed_units:").and_then(number) {
            outcome.runs = runs;
        } else if let Some(rate) = line.strip_prefix("stat::average_exec_per_sec:").and_then(number) {
            outcome.per_second = rate;
        } else if let Some((_, path)) = line.split_once("Test unit written to ") {
            outcome.crash = Some(path.trim().to_owned());
        } else if line.starts_with('#')
            && let Some(coverage) = line.split_once(" cov: ").and_then(|(_, rest)| number(rest))
        {
            outcome.coverage = coverage;
        }
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_libfuzzer_says_is_read() {
        let fine = "#2\tINITED cov: 10 ft: 11 corp: 1/1b exec/s: 0 rss: 30Mb\n#99\tDONE   cov: 25 ft: 30 corp: 3/9b\n\
                    stat::number_of_executed_units: 1234\nstat::average_exec_per_sec:     617\n";
        assert_eq!(read(fine), Outcome { runs: 1_234, per_second: 617, coverage: 25, crash: None });
        let broken = format!("{fine}artifact_prefix='x/'; Test unit written to x/crash-1\nBase64: YQ==\n");
        assert_eq!(read(&broken).crash.as_deref(), Some("x/crash-1"));
        assert!(row("lock", &read(&broken)).contains("BROKE: x/crash-1"));
        assert_eq!(read(""), Outcome::default());
    }

    #[test]
    fn every_target_is_there_and_has_seeds() {
        let manifest = std::fs::read_to_string(root().join("fuzz/Cargo.toml")).unwrap();
        for name in TARGETS {
            assert!(manifest.contains(&format!("path = \"targets/{name}.rs\"")), "{name}");
            let folder = tempfile::tempdir().unwrap();
            let count = seeds::write(name, &root(), folder.path()).unwrap();
            assert!(count > 0 && std::fs::read_dir(folder.path()).unwrap().count() == count, "{name}: {count}");
        }
        assert_eq!(manifest.matches("[[bin]]").count(), TARGETS.len());
    }
}
