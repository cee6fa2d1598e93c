//! A `plugin.yaml`: what it becomes is stored in the component as JSON, and survives that.
#![no_main]

use libfuzzer_sys::fuzz_target;
use orch_core::{Manifest, Source};
use orch_fuzz::{refused_or_read, sound, survives, text};
use orch_workflow::parse_manifest;
use serde_json::json;
use std::collections::BTreeMap;

fuzz_target!(|input: &[u8]| {
    let Some(text) = text(input) else { return };
    // The form inside of a component, which whoever packed it wrote.
    if let Ok(manifest) = serde_json::from_str::<Manifest>(text) {
        survives(&manifest);
    }
    let source = Source::new("plugin.yaml", text);
    let (manifest, found) = parse_manifest(&source);
    sound(&source, &found);
    refused_or_read(&manifest, &found);
    let Some(manifest) = manifest else { return };
    let described = manifest.tasks.keys().map(|name| (name.to_string(), (json!({}), json!({}))));
    let described: BTreeMap<_, _> = described.collect();
    if let Ok(manifest) = manifest.complete(&described) {
        survives(&manifest);
        // Reasons are for people: what is asked for does not change with them.
        let mut silent = manifest.clone();
        silent.permissions = silent.permissions.without_reasons();
        assert_eq!(manifest.capability_hash(), silent.capability_hash());
        assert!(manifest.permissions.more_than(&silent.permissions).is_empty());
    }
});
