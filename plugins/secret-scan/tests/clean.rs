//! The repository that this plugin lives in has no secrets but the planted ones of an example, samples and documentation included.

mod support;

use orch_plugin_secret_scan::{Input, scan};
use orch_sdk::TestHost;
use std::path::Path;

#[test]
fn the_repository_is_clean() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let host = TestHost::new().with_mount("source", root);
    // A case of ours has an archive that is cut off.
    let exclude = vec!["target".to_owned(), "plugins/secret-scan/cases/archives/tree/dist/cut.zip".to_owned()];
    scan(Input { exclude, ..Input::default() }, &host).unwrap();
    let (planted, found): (Vec<_>, Vec<_>) = host.findings().into_iter().partition(|finding| {
        finding.location.as_ref().is_some_and(|at| at.path.starts_with("examples/release-gate/app/"))
    });
    assert_eq!(found.iter().map(support::place).collect::<Vec<_>>(), Vec::<String>::new());
    assert_eq!(planted.len(), 3, "the example's own are found");
}
