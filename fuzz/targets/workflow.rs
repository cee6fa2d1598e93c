//! A workflow, from text to plan. What is planned is stored in a run's log: it survives that as it is.
#![no_main]

use camino::Utf8Path;
use libfuzzer_sys::fuzz_target;
use orch_core::{PluginName, Policy, Source};
use orch_fuzz::{plugin, refused_or_read, sound, text};
use orch_workflow::{Plan, PlanRequest, PluginReference, load, parse, plan as make_plan};
use std::collections::BTreeMap;

/// Where the file would lie.
const FOLDER: &str = "/project";

fuzz_target!(|input: &[u8]| {
    let Some(text) = text(input) else { return };
    let source = Source::new("workflow.yaml", text);
    let (workflow, found) = parse(&source);
    sound(&source, &found);
    refused_or_read(&workflow, &found);
    let Some(workflow) = workflow else { return };
    let folder = Utf8Path::new(FOLDER);
    let (nested, found) = load(&folder.join("workflow.yaml"), &workflow, &source, &mut |_| Err("not there".to_owned()));
    sound(&source, &found);
    let plugins = workflow.plugin_references().into_iter().map(|used| {
        let name = match &used.reference {
            PluginReference::Registry { name, .. } => name.clone(),
            PluginReference::File { .. } => PluginName::try_from("some/file").expect("it is a name"),
        };
        ((folder.to_owned(), used.uses), plugin(name, used.reference.task()))
    });
    let inputs = workflow.inputs().iter().map(|input| (input.name.to_string(), "1".to_owned()));
    // Once as it is, and once with every input given, which is another way through the same checks.
    for inputs in [BTreeMap::new(), inputs.collect()] {
        let request = PlanRequest {
            workflow: &workflow,
            source: &source,
            folder,
            dry_run: false,
            inputs: &inputs,
            nested: &nested,
            plugins: &plugins.clone().collect(),
            policy: &Policy::built_in(folder.to_owned(), Vec::new()),
            waivers: &BTreeMap::new(),
        };
        let (plan, found) = make_plan(&request);
        sound(&source, &found);
        refused_or_read(&plan, &found);
        let Some(plan) = plan else { continue };
        let printed = serde_json::to_string(&plan).expect("a plan can be printed");
        let again: Plan = serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{error}: {printed}"));
        assert_eq!(plan.hash(), again.hash(), "{printed}");
    }
});
