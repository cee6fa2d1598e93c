//! Programs: on replay none is started. The proof is that the program is gone.

use super::kit::{Tapes, edit, read};
use crate::programs::world::{World, spawn};
use orch_tests::programs;
use serde_json::json;

#[test]
fn a_program_is_replayed_without_being_started() {
    let (tapes, world) = (Tapes::new(), World::new());
    let grant = world.grant(&["cat"], json!({}));
    let steps = json!([
        spawn(&[]), { "do": "write", "as": "p", "text": "given" }, { "do": "close", "as": "p" },
        { "do": "stdout", "as": "p" }, { "do": "stderr", "as": "p" }, { "do": "wait", "as": "p" },
    ]);
    let (ended, place) = tapes.record(&programs(), world.call(grant, steps));
    assert_eq!(ended.output()[3]["text"], "given", "{}", ended.output());
    std::fs::remove_file(world.path("bin/child")).unwrap();
    tapes.passes(&programs(), &place);
    let other = |change: &dyn Fn(&mut serde_json::Value), expected: &str| {
        let whole = read(&place);
        edit(&place, change);
        tapes.unrecorded(&programs(), &place, expected);
        edit(&place, |recording| *recording = whole.clone());
    };
    other(
        &|recording| recording["input"][1]["text"] = json!("another"),
        "exec child: with 7 bytes of other standard input",
    );
    other(&|recording| recording["exec"] = json!([]), "exec child");
    other(
        &|recording| recording["exec"][0]["stdout"]["whole"] = json!(false),
        "reads more of Stdout than was recorded",
    );
}

#[test]
fn slots_tell_programs_apart_and_paths_are_recorded() {
    let (tapes, world) = (Tapes::new(), World::new());
    let grant = world.grant(&["read", "{path}"], json!({ "slots": { "path": "path" } }));
    let steps = json!([spawn(&[("path", "/work/file")]), { "do": "stdout", "as": "p" }, { "do": "wait", "as": "p" }]);
    let (ended, place) = tapes.record(&programs(), world.call(grant, steps));
    assert_eq!(ended.output()[1]["text"].as_str().unwrap().trim(), "ok: content", "{}", ended.output());
    std::fs::remove_file(world.path("bin/child")).unwrap();
    std::fs::remove_dir_all(world.path("work")).unwrap();
    tapes.passes(&programs(), &place);
    edit(&place, |recording| recording["input"][0]["slots"][0]["value"] = json!("/work/other"));
    tapes.unrecorded(&programs(), &place, "fs work: look at `other`");
}

#[test]
fn a_program_that_could_not_be_started_cannot_again() {
    let (tapes, world) = (Tapes::new(), World::new());
    let grant = world.grant(&["cat"], json!({}));
    std::fs::remove_file(world.path("bin/child")).unwrap();
    let (ended, place) = tapes.record(&programs(), world.call(grant, json!([spawn(&[])])));
    assert!(ended.output()[0]["error"].is_string(), "{}", ended.output());
    world.copy("bin/child");
    tapes.passes(&programs(), &place);
}
