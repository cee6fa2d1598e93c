//! Chores of this repository: `cargo xtask demo|test|toolchains|soak|fuzz|bench|plugins|docs|check|advisories`.

mod advisories;
mod bench;
mod cases;
mod chores;
mod demo;
mod docs;
mod fuzz;
mod layering;
mod peers;
mod soak;
mod tests;
mod toolchains;

use anyhow::bail;

const USAGE: &str = "cargo xtask <chore>

  demo      build everything, publish the plugins, run the examples
  test      every test, unit to whole-binary, guests included
  toolchains
            install what plugins in C, Go, JavaScript, Python and TypeScript are made with, for the tests, into target/tools
  soak      the random tests with fresh seeds (--minutes N)
  fuzz      changed inputs for every parser ([--seconds 60] [TARGET]…), with nightly Rust and cargo-fuzz, which it installs
  check     what a commit has to pass besides the tests: format, lock files, lints, layering, licences
  advisories PATH
            compare the lock files with a local copy of the RustSec advisory database
  plugins   build the first-party plugins and publish them, signed, into ./registry
  docs      write the generated pages: docs/cli.md, docs/schema/*.json, docs/security/cases.md
  bench     measure, beside the physical floor (--quick for a first look);
            --peers [NAME]… measures other engines beside ours, installed from their registries into a folder that is thrown away
";

fn main() -> std::process::ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        [] | ["help" | "--help" | "-h"] | [_, "--help" | "-h"] => {
            chores::say(USAGE);
            Ok(())
        }
        ["demo"] => demo::run(),
        ["test"] => tests::run(),
        ["toolchains"] => toolchains::install(),
        ["soak", "--minutes", minutes] => soak::run(minutes),
        ["fuzz", rest @ ..] => fuzz::run(rest),
        ["check"] => chores::check(),
        ["advisories", path] => advisories::run(path),
        ["plugins"] => demo::plugins().map(|_| ()),
        ["docs"] => docs::write(),
        ["bench", "--peers", wanted @ ..] => peers::run(wanted),
        ["bench"] => bench::run(false),
        ["bench", "--quick"] => bench::run(true),
        unknown => (|| bail!("there is no chore `{}`\n\n{USAGE}", unknown.join(" ")))(),
    };
    match done {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            chores::say(&format!("error: {error:#}"));
            std::process::ExitCode::FAILURE
        }
    }
}
