//! Measures the engine beside what no engine can beat: the runtime alone, an fsync, a process spawn, native code.
//!
//! `cargo xtask bench` builds everything in release and runs this with the paths of what it built. Figures are printed, never
//! asserted: a shared machine is no ruler.
#![allow(clippy::print_stdout, reason = "printing figures is what this program does")]

mod cancel;
mod chain;
mod cold;
mod field;
mod long;
mod machine;
mod numbers;
mod one;
mod plugins;
mod reach;
mod scan;
mod setup;

use anyhow::{Context, Result};
use std::path::PathBuf;

/// What `cargo xtask bench` passes.
struct Paths {
    program: PathBuf,
    echo: PathBuf,
    work: PathBuf,
    net: PathBuf,
    programs: PathBuf,
    hostile: PathBuf,
    scan_native: PathBuf,
    iac_native: PathBuf,
    repository: PathBuf,
    quick: bool,
}

fn main() -> Result<()> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let mut next =
        |what: &str| arguments.next().with_context(|| format!("missing argument: {what}; run `cargo xtask bench`"));
    let paths = Paths {
        program: next("the orch-wasm program")?,
        echo: next("the echo component")?,
        work: next("the component of the published workloads")?,
        net: next("the component that reaches for a network")?,
        programs: next("the component that runs programs")?,
        hostile: next("the component of the tests that tries what it may not")?,
        scan_native: next("the native secret scanner")?,
        iac_native: next("the native scanner of infrastructure")?,
        repository: next("the repository")?,
        quick: false,
    };
    let mode = next("`quick`, `full` or `shapes`")?;
    let paths = Paths { quick: mode.as_os_str() == "quick", ..paths };
    machine::print();
    if mode.as_os_str() == "shapes" {
        return field::print_lines(&paths);
    }
    let floors = machine::floors()?;
    let mut table = numbers::Report::default();
    one::measure(&paths, &mut table)?;
    chain::measure(&paths, &mut table)?;
    cold::measure(&paths, &floors, &mut table)?;
    field::measure(&paths, &floors, &mut table)?;
    long::measure(&paths, &mut table)?;
    reach::measure(&paths, &mut table)?;
    cancel::measure(&paths, &mut table)?;
    scan::measure(&paths, &mut table)?;
    plugins::measure(&paths, &floors, &mut table)?;
    table.print();
    Ok(())
}
