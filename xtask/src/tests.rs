//! `test`: the whole suite.

use crate::chores::{cargo, engine, root, start, wasm_target};
use anyhow::Result;

pub(crate) fn run() -> Result<()> {
    wasm_target()?;
    // The whole-binary tests start it.
    engine()?;
    start(cargo().args(["test", "--workspace", "--", "--skip", "durable::"]))?;
    // They say how much they tried: random workflows, kills, disks that filled up.
    start(cargo().args(["test", "--package", "orch-tests", "durable::", "--", "--nocapture"]))?;
    start(cargo().current_dir(root().join("sdk/rust")).arg("test"))?;
    start(cargo().current_dir(root().join("plugins")).args(["test", "--workspace"]))
}
