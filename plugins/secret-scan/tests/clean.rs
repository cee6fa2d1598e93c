//! The repository that this plugin lives in has no secrets, samples and documentation included.

mod support;

use orch_plugin_secret_scan::{Input, scan};
use orch_sdk::TestHost;
use std::path::Path;

#[test]
fn the_repository_is_clean() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let host = TestHost::new().with_mount("source", root);
    let exclude = vec!["target".to_owned()];
    scan(Input { exclude, ..Input::default() }, &host).unwrap();
    let found: Vec<_> = host.findings().iter().map(support::place).collect();
    assert_eq!(found, Vec::<String>::new());
}
