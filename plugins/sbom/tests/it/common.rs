//! Runs the task on folders of fixtures.

use orch_plugin_sbom::{Input, Output, generate};
use orch_sdk::TestHost;
use std::path::{Path, PathBuf};

pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// What came of a run.
pub struct Run {
    pub output: Output,
    pub host: TestHost,
    pub bytes: Vec<u8>,
    pub bill: serde_json::Value,
}

#[track_caller]
pub fn run(folder: &Path, input: Input) -> Run {
    let host = TestHost::new().with_mount("source", folder);
    let output = generate(input, &host).unwrap().succeeded().unwrap();
    let bytes = host.artifacts()[0].content.clone();
    let bill = serde_json::from_slice(&bytes).unwrap();
    Run { output, host, bytes, bill }
}
