//! Runs the task on folders of fixtures.

use orch_plugin_lockfiles::testing::rpm_database;
use orch_plugin_sbom::{Input, Output, generate};
use orch_sdk::TestHost;
use serde_json::Value;
use std::path::{Path, PathBuf};

pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// The tree of a case.
pub fn case(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("cases").join(name).join("tree")
}

/// The tree of the case `systems`, and a root with a database of rpm, which is built and not kept.
pub fn systems() -> tempfile::TempDir {
    let tree = tempfile::tempdir().unwrap();
    copy(&case("systems"), tree.path());
    let root = tree.path().join("rocky");
    for folder in ["etc", "usr/lib/sysimage/rpm"] {
        std::fs::create_dir_all(root.join(folder)).unwrap();
    }
    std::fs::write(root.join("etc/os-release"), "ID=\"rocky\"\nVERSION_ID=\"9.3\"\n").unwrap();
    std::fs::write(root.join("usr/lib/sysimage/rpm/rpmdb.sqlite"), rpm_database()).unwrap();
    tree
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// What came of a run.
pub struct Run {
    pub output: Output,
    pub host: TestHost,
    /// Of the first format.
    pub bytes: Vec<u8>,
    pub bill: Value,
}

#[track_caller]
pub fn run(folder: &Path, input: Input) -> Run {
    let host = TestHost::new().with_mount("source", folder);
    let output = generate(input, &host).unwrap().succeeded().unwrap();
    let bytes = host.artifacts()[0].content.clone();
    let bill = serde_json::from_slice(&bytes).unwrap();
    Run { output, host, bytes, bill }
}

pub fn component<'a>(bill: &'a Value, reference: &str) -> &'a Value {
    let components = bill["components"].as_array().unwrap();
    let references = || components.iter().map(|it| it["bom-ref"].as_str().unwrap()).collect::<Vec<_>>();
    components.iter().find(|it| it["bom-ref"] == reference).unwrap_or_else(|| panic!("{:#?}", references()))
}

pub fn depends_on(bill: &Value, reference: &str) -> Vec<String> {
    let entry = bill["dependencies"].as_array().unwrap().iter().find(|it| it["ref"] == reference).expect(reference);
    let targets = entry["dependsOn"].as_array().cloned().unwrap_or_default();
    targets.iter().map(|target| target.as_str().unwrap().to_owned()).collect()
}

pub fn properties<'a>(component: &'a Value, name: &str) -> Vec<&'a str> {
    let all = component["properties"].as_array().unwrap();
    all.iter().filter(|it| it["name"] == format!("orch:sbom:{name}")).map(|it| it["value"].as_str().unwrap()).collect()
}
