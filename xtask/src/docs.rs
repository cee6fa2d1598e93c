//! `docs`: pages that are made from the program, and the page of cases. Tests compare them with what is there.

use crate::chores::{engine, root};
use anyhow::{Context, Result, bail};
use std::process::Command;

/// What is generated: the file and the arguments that print it.
const PAGES: [(&str, &[&str]); 5] = [
    ("docs/cli.md", &["reference"]),
    ("docs/schema/workflow.json", &["schema", "workflow"]),
    ("docs/schema/policy.json", &["schema", "policy"]),
    ("docs/schema/plugin.json", &["schema", "plugin"]),
    ("docs/schema/waivers.json", &["schema", "waivers"]),
];

pub(crate) fn write() -> Result<()> {
    crate::cases::write()?;
    let program = engine()?;
    for (file, arguments) in PAGES {
        let printed = Command::new(&program).args(arguments).output()?;
        if !printed.status.success() {
            bail!("`orch-wasm {}` failed", arguments.join(" "));
        }
        let place = root().join(file);
        std::fs::create_dir_all(place.parent().context("a page lies in a folder")?)?;
        std::fs::write(place, printed.stdout)?;
    }
    Ok(())
}
