//! The index of a plugin in a folder registry. A line that has `*` as the hash of the line before gets the right one: else nothing
//! but the first line would ever be looked at.
#![no_main]

use libfuzzer_sys::fuzz_target;
use orch_core::{Digest, PluginName};
use orch_registry::FolderRegistry;
use std::cell::RefCell;

thread_local! {
    /// One registry for all inputs: making its folders costs more than reading it.
    static REGISTRY: RefCell<Option<tempfile::TempDir>> = const { RefCell::new(None) };
}

const NAME: &str = "orch/a";

/// The index with every `"prev":"*"` as the chain needs it, and its lines.
fn chained(input: &[u8]) -> Vec<Vec<u8>> {
    let mut head = Digest::of(format!("orch-wasm index v1\n{NAME}").as_bytes());
    let mut lines = Vec::new();
    for line in input.split(|byte| *byte == b'\n') {
        let line = match std::str::from_utf8(line) {
            Ok(text) => text.replace("\"prev\":\"*\"", &format!("\"prev\":\"{head}\"")).into_bytes(),
            Err(_) => line.to_vec(),
        };
        head = Digest::of(&line);
        lines.push(line);
    }
    lines
}

/// How many versions a registry with this index has; nothing if it is damaged.
fn versions(folder: &std::path::Path, index: &[u8]) -> Option<usize> {
    std::fs::write(folder.join("index/orch/a.jsonl"), index).expect("it can be written");
    let registry = FolderRegistry::open(folder).expect("it is a registry");
    let name = PluginName::try_from(NAME).expect("it is a name");
    let listed = registry.list().expect("it can be listed");
    assert_eq!(listed.len(), 1);
    let versions = registry.versions(&name).ok();
    // An index without a whole line is one of a plugin that nobody has published.
    if listed[0].damage.is_none() && listed[0].versions == 0 {
        assert!(versions.is_none());
        return None;
    }
    // Two ways to the same answer.
    assert_eq!(versions.is_none(), listed[0].damage.is_some(), "{listed:?}");
    let versions = versions?;
    assert_eq!(versions.len(), listed[0].versions);
    assert_eq!(versions.iter().filter(|version| version.yanked.is_some()).count(), listed[0].yanked);
    assert!(versions.is_sorted_by(|a, b| a.version >= b.version));
    Some(versions.len())
}

fuzz_target!(|input: &[u8]| {
    REGISTRY.with_borrow_mut(|registry| {
        let folder = registry.get_or_insert_with(|| {
            let folder = tempfile::tempdir().expect("a folder can be made");
            for inner in ["index/orch", "blobs", "keys"] {
                std::fs::create_dir_all(folder.path().join(inner)).expect("a folder can be made");
            }
            folder
        });
        let lines = chained(input);
        let whole = versions(folder.path(), &lines.join(&b'\n'));
        // Without its first line a chain is broken, or has nothing left that counts.
        if whole.is_some_and(|versions| versions > 0) {
            let rest = versions(folder.path(), &lines[1..].join(&b'\n'));
            assert!(matches!(rest, None | Some(0)), "the first line can be taken away");
        }
    });
});
