//! A policy, its waivers and its cases: what is read survives being stored.
#![no_main]

use libfuzzer_sys::fuzz_target;
use orch_core::Source;
use orch_fuzz::{refused_or_read, sound, survives, text};
use orch_workflow::{parse_policy, parse_policy_cases, parse_waivers};

fuzz_target!(|input: &[u8]| {
    let Some(text) = text(input) else { return };
    let source = Source::new("policy.yaml", text);
    let (policy, found) = parse_policy(&source, "/project".into());
    sound(&source, &found);
    refused_or_read(&policy, &found);
    if let Some(policy) = &policy {
        survives(policy);
    }
    let (waivers, found) = parse_waivers(&source);
    sound(&source, &found);
    refused_or_read(&waivers, &found);
    let (cases, found) = parse_policy_cases(&source, "/project".into());
    sound(&source, &found);
    refused_or_read(&cases, &found);
});
