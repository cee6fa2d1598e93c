//! Every control passes on its base, and fails with each change that its fixture has for that.

use crate::system::System;
use orch_plugin_compliance_check::{Input, profile};
use orch_plugin_kit::yaml::{self, node};
use orch_sdk::Status;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fixtures {
    base: System,
    controls: BTreeMap<String, Changes>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Changes {
    fail: Vec<System>,
    #[serde(default)]
    pass: Vec<System>,
}

fn statuses(system: &System, profile: &str, include: &[&str]) -> Vec<(String, Status, String)> {
    let input = Input {
        profiles: vec![profile.to_owned()],
        include: include.iter().map(|id| (*id).to_owned()).collect(),
        ..Input::default()
    };
    let (output, findings) = system.check(input);
    output.unwrap();
    findings.into_iter().map(|one| (one.rule, one.status, one.detail.unwrap_or_default())).collect()
}

fn check(name: &str, at_least: usize) {
    let (_, text) = profile::BUILT_IN.iter().find(|(known, _)| *known == name).unwrap();
    let profile = profile::read(text).unwrap();
    assert!(profile.controls.len() >= at_least, "{} controls", profile.controls.len());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/{name}.yaml"));
    let fixtures: Fixtures = node::read(&yaml::read(&std::fs::read_to_string(path).unwrap()).unwrap()).unwrap();
    let ids: BTreeSet<&str> = profile.controls.iter().map(|control| control.id.as_str()).collect();
    let with_fixture: BTreeSet<&str> = fixtures.controls.keys().map(String::as_str).collect();
    assert_eq!(ids, with_fixture, "each control has a fixture, and each fixture a control");
    let mut wrong = Vec::new();
    let on_base = statuses(&fixtures.base, name, &[]);
    assert_eq!(on_base.len(), ids.len());
    wrong.extend(on_base.into_iter().filter(|(_, status, _)| *status != Status::Passed));
    for (id, changes) in &fixtures.controls {
        assert!(!changes.fail.is_empty(), "{id} has no failing fixture");
        let all = changes
            .fail
            .iter()
            .map(|one| (one, Status::Open))
            .chain(changes.pass.iter().map(|one| (one, Status::Passed)));
        for (number, (change, expected)) in all.enumerate() {
            let found = statuses(&fixtures.base.with(change), name, &[id]);
            if found.len() != 1 || found[0].1 != expected {
                wrong.push((
                    format!("{id} with change {number}, expected {expected:?}"),
                    found[0].1,
                    found[0].2.clone(),
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    for control in &profile.controls {
        let texts = [&control.title, &control.description, &control.remediation];
        assert!(texts.iter().all(|text| !text.is_empty()), "{} lacks a text", control.id);
    }
}

#[test]
fn ssh() {
    check("ssh", 28);
}

#[test]
fn ids_are_unique_over_all_profiles() {
    let profiles: Vec<_> = profile::BUILT_IN.iter().map(|(_, text)| profile::read(text).unwrap()).collect();
    let ids: Vec<&str> =
        profiles.iter().flat_map(|profile| profile.controls.iter().map(|one| one.id.as_str())).collect();
    assert_eq!(ids.len(), ids.iter().collect::<BTreeSet<_>>().len());
}

#[test]
fn debian_12() {
    check("debian-12", 55);
}
