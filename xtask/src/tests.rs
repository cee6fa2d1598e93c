//! `test`: the whole suite.

use crate::chores::{cargo, root, start, wasm_target};
use anyhow::Result;

pub(crate) fn run() -> Result<()> {
    wasm_target()?;
    // The program too, which the whole-binary tests start. Always the whole workspace: dependencies have fewer features for a part of it,
    // and would be built twice.
    start(cargo().args(["build", "--workspace", "--all-targets"]))?;
    start(cargo().args(["test", "--workspace", "--", "--skip", "durable::"]))?;
    // They say how much they tried: random workflows, kills, disks that filled up.
    start(cargo().args(["test", "--workspace", "--test", "all", "durable::", "--", "--nocapture"]))?;
    start(cargo().current_dir(root().join("sdk/rust")).arg("test"))?;
    start(cargo().current_dir(root().join("plugins")).args(["test", "--workspace"]))
}
