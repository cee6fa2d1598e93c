//! `run --record` and `plugin test` from outside.

use super::kit::{edit, names};
use crate::cli::packages::{hostile, hostile_place};
use crate::cli::program::Place;
use serde_json::{Value, json};

const WORKFLOW: &str = "schema: orch-wasm/v1
name: recorded
tasks:
  look:
    uses: test/hostile/files@^1
    permissions: { fs: [{ mount: folder, path: looked-at, access: read }] }
    with: { steps: [{ mount: /folder, op: read, path: a.txt }] }
  say:
    uses: orch/echo@^1
    with: { message: said }
";

/// A place with a run that was recorded into `recs`, and the plugin as a file.
fn recorded() -> Place {
    let place = hostile_place();
    place.write("looked-at/a.txt", "content of a");
    place.write("workflow.yaml", WORKFLOW);
    place.write("hostile.wasm", hostile());
    let ran = place.run(["run", "--record", "recs"]);
    ran.exits(0).says("recorded look: recs/look.attempt-1").says("recorded say: recs/say.attempt-1");
    assert_eq!(names(&place.path("recs")), ["look.attempt-1", "say.attempt-1"]);
    place
}

fn json_of(place: &Place, exit: i32) -> Value {
    let ran = place.run(["plugin", "test", "hostile.wasm", "--recordings", "recs", "--format", "json"]);
    serde_json::from_str(&ran.exits(exit).stdout).unwrap()
}

#[test]
fn a_run_is_recorded_and_replayed() {
    let place = recorded();
    std::fs::remove_dir_all(place.path("looked-at")).unwrap();
    let ran = place.run(["plugin", "test", "hostile.wasm", "--recordings", "recs"]);
    ran.exits(0).says_out("look.attempt-1  files  passed").says_out("other plugin").says_out("1 of 1 recording passed");
    assert_eq!(
        json_of(&place, 0)["recordings"],
        json!([
            { "recording": "look.attempt-1", "task": "files", "result": "passed", "unrecorded": [], "differences": [], "no-longer-made": [] },
            { "recording": "say.attempt-1", "task": "echo", "result": "other plugin" },
        ])
    );
    // Beside the component it needs no name, and one recording is enough.
    std::fs::rename(place.path("recs"), place.path("recordings")).unwrap();
    place.run(["plugin", "test", "hostile.wasm"]).exits(0).says_out("passed");
    place.run(["plugin", "test", "hostile.wasm", "--recordings", "recordings/look.attempt-1"]).exits(0);
}

#[test]
fn what_fails_is_named_with_the_way_to_record_again() {
    let place = recorded();
    let look = place.path("recs/look.attempt-1");
    edit(&look, |recording| recording["outcome"]["output"] = json!(["ok: something else"]));
    let ran = place.run(["plugin", "test", "hostile.wasm", "--recordings", "recs"]);
    ran.exits(1)
        .says_out("look.attempt-1  files  differs")
        .says_out("differs: output[0] was `\"ok: something else\"`, and is `\"ok: content of a\"`")
        .says("record again: orch-wasm run WORKFLOW --record recs");
    assert_eq!(json_of(&place, 1)["failed"], 1);
    edit(&look, |recording| recording["input"]["steps"][0]["path"] = json!("b.txt"));
    let ran = place.run(["plugin", "test", "hostile.wasm", "--recordings", "recs"]);
    ran.exits(1).says_out("unrecorded call").says_out("not in the recording: fs folder: look at `b.txt`");
    assert_eq!(json_of(&place, 1)["recordings"][0]["unrecorded"], json!(["fs folder: look at `b.txt`"]));
    std::fs::write(look.join("recording.json"), "{}").unwrap();
    let ran = place.run(["plugin", "test", "hostile.wasm", "--recordings", "recs"]);
    ran.exits(1).says_out("unusable").says_out("its format is null, and this version reads 1");
}

#[test]
fn without_recordings_nothing_is_tested() {
    let place = hostile_place();
    place.write("hostile.wasm", hostile());
    place
        .run(["plugin", "test", "hostile.wasm"])
        .refused("OW0601", &["recordings", "make recordings: orch-wasm run WORKFLOW --record"]);
    place.run(["run", "--record", "recs", "--idempotency-key", "k"]).exits(2);
}
