//! Runs that lose their process, are paused, stopped, and repeated in part.

use super::kit::*;
use super::people::{DEPLOY, SHIP, unknown};
use super::program::Place;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// What does something that can be taken back, and then LAST.
const TAKEN_BACK: &str = "tasks:
  one: { EFFECT, undo: { EFFECT } }
  two: { EFFECT, needs: one, undo: { EFFECT } }
  each: { EFFECT, needs: two, for-each: [x, y], max-parallel: 1, undo: { EFFECT, with: { seen: '${{ item }}' } } }
  last: { LAST, needs: each }
on-failure:
  - { EFFECT }
finally:
  - { EFFECT }
";

/// The steps that began after somebody wanted the run to stop.
fn after_cancel(log: &[Value]) -> Vec<String> {
    let wanted = log.iter().position(|line| line["event"]["type"] == "cancel-requested").unwrap();
    steps(&log[wanted..], "task-started")
}

#[track_caller]
fn is_cancelled(place: &Place, log: &[Value], undone: bool) {
    let run = run_of(log);
    assert_eq!(run_outcome(log), Some("cancelled"));
    let asked = of(log, "cancel-requested");
    assert_eq!((asked.len(), &asked[0]["undo"]), (1, &json!(undone)));
    assert_eq!(asked[0]["by"]["name"], account("-un"));
    assert_eq!(outcome(log, "last"), "cancelled");
    let undo: &[&str] = if undone { &["undo/each[1]", "undo/each[0]", "undo/two", "undo/one"] } else { &[] };
    assert_eq!(after_cancel(log), [undo, &["finally/1"]].concat());
    let marks = marks(place, &run);
    assert_eq!(marks.iter().filter(|mark| mark.starts_with("undo")).count(), undo.len(), "{marks:?}");
    assert!(marks.contains(&"finally_1 1".to_owned()) && !marks.contains(&"on-failure_1 1".to_owned()), "{marks:?}");
    if undone {
        assert_eq!(end(log, "undo/each[1]")["output"]["seen"], "y");
    }
    assert_eq!(listed(place, &run), "cancelled");
}

#[test]
fn a_run_that_is_driven_is_cancelled_from_outside() {
    for undo in [false, true] {
        let place = place_with(&TAKEN_BACK.replace("LAST", "uses: GUEST/wait@^1"));
        let mut live = Live::start(&place, &["run"]);
        live.until("task-log", "last");
        let asked = Instant::now();
        let arguments = ["cancel", "latest", "--undo"];
        place.run(&arguments[..if undo { 3 } else { 2 }]).exits(0).says("asked to stop");
        live.until("cancel-requested", "");
        assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
        let (ran, log) = live.end();
        ran.exits(6);
        is_cancelled(&place, &log, undo);
    }
}

#[test]
fn a_run_that_nobody_drives_is_brought_to_its_end_by_cancel() {
    for undo in [false, true] {
        let place = place_with(&TAKEN_BACK.replace("LAST", "approval: { prompt: well? }"));
        let run = waiting(&place);
        let arguments = ["cancel", "latest", "--undo"];
        place.run(&arguments[..if undo { 3 } else { 2 }]).exits(6);
        is_cancelled(&place, &log(&place, &run), undo);
        place.run(["cancel", "latest"]).refused("OW0505", &["is over"]);
    }
}

#[test]
fn a_run_whose_process_died_is_cancelled_too() {
    let place = place_with(&TAKEN_BACK.replace("LAST", "uses: GUEST/wait@^1"));
    let mut live = Live::start(&place, &["run"]);
    live.until("task-log", "last");
    let run = live.run();
    live.kill();
    place.run(["cancel", &run, "--undo"]).exits(6);
    let log = log(&place, &run);
    is_cancelled(&place, &log, true);
    assert_eq!(steps(&log, "task-started").iter().filter(|step| *step == "last").count(), 1, "it is not begun again");
}

#[test]
fn what_runs_at_the_end_is_cancelled_by_asking_once_more() {
    let place =
        place_with("tasks:\n  last: { uses: GUEST/wait@^1 }\nfinally:\n  - { uses: GUEST/wait@^1 }\n  - { EFFECT }\n");
    let mut live = Live::start(&place, &["run"]);
    live.until("task-log", "last");
    place.run(["cancel", "latest"]).exits(0);
    live.until("task-log", "finally/1");
    place.run(["cancel", "latest"]).exits(0);
    let run = live.run();
    let (ran, log) = live.end();
    ran.exits(6);
    assert_eq!((outcome(&log, "finally/1"), run_outcome(&log)), ("cancelled", Some("cancelled")));
    assert_eq!(marks(&place, &run), [""; 0], "what stood after it did not begin");
}

const PARTS: &str = "inputs: { word: { type: string, default: one } }
tasks:
  say: { uses: GUEST/say@^1, with: { text: found } }
  a: { EFFECT, needs: say, with: { seen: first } }
  b: { EFFECT, needs: a, with: { seen: '${{ inputs.word }}' } }
  c: { EFFECT, needs: b, with: { seen: '${{ tasks.b.outputs.seen }}' } }
  gate: { needs: say, gate: { checks: [{ id: some, assert: \"findings.of('say').open == 1\" }] } }
outputs: { c: '${{ tasks.c.outputs.seen }}' }
";

/// The runs whose results a run used, by task.
pub(super) fn reused(log: &[Value]) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    of(log, "task-reused").iter().map(|event| (text(&event["task"]), text(&event["from"]))).collect()
}

/// Repeats a part of the latest run.
#[track_caller]
fn again(place: &Place, arguments: &[&str]) -> Vec<Value> {
    let ran = place.run(["rerun", "latest", "--format", "json", "--from"].iter().chain(arguments));
    let lines = ran.exits(0).lines();
    assert_eq!(log(place, &run_of(&lines)), lines);
    lines
}

#[test]
fn a_part_of_a_run_is_repeated_and_the_rest_is_used_again() {
    let place = place_with(PARTS);
    let first = place.run(["run", "--format", "json"]).exits(0).lines();
    let id = run_of(&first);
    let second = again(&place, &["b"]);
    assert_eq!(marks(&place, &run_of(&second)), ["b 1"]);
    assert_eq!(second[0]["event"]["rerun_of"], json!(id));
    let used = |tasks: &[&str], from: &str| -> Vec<_> {
        tasks.iter().map(|task| ((*task).to_owned(), from.to_owned())).collect()
    };
    let sorted = |log: &[Value]| {
        let mut all = reused(log);
        all.sort();
        all
    };
    assert_eq!(sorted(&second), used(&["a", "c", "gate", "say"], &id));
    for task in ["say", "a", "c"] {
        assert_eq!(end(&second, task)["output"], end(&first, task)["output"], "{task}");
    }
    assert_eq!(of(&second, "task-findings"), of(&first, "task-findings"));
    assert_eq!(of(&second, "run-finished")[0]["outputs"], of(&first, "run-finished")[0]["outputs"]);
    place.run(["runs", "show"]).exits(0).says_out("from run ");
    place.run(["runs", "show", "--format", "markdown"]).exits(0).says_out(&format!("from run `{id}`"));
    // A run that used results itself can be repeated in part.
    let third = again(&place, &["c"]);
    assert_eq!(marks(&place, &run_of(&third)), ["c 1"]);
    assert_eq!(reused(&third).len(), 4);
    for task in ["say", "a", "b"] {
        assert_eq!(end(&third, task)["output"], end(&second, task)["output"], "{task}");
    }
    assert_eq!(of(&third, "task-findings"), of(&first, "task-findings"));
    // A gate decides once more, over findings that another run found.
    let fourth = again(&place, &["gate"]);
    assert_eq!((of(&fourth, "gate-decided").len(), outcome(&fourth, "gate")), (1, "succeeded"));
    assert_eq!(marks(&place, &run_of(&fourth)), [""; 0]);
}

#[test]
fn what_needs_the_repeated_task_is_repeated_when_asked_for() {
    let place = place_with(PARTS);
    place.run(["run", "--input", "word=zero"]).exits(0);
    let second = again(&place, &["b", "--with-descendants"]);
    assert_eq!(marks(&place, &run_of(&second)), ["b 1", "c 1"]);
    assert_eq!(end(&second, "b")["output"]["seen"], "zero", "inputs are those of the earlier run");
    let third = again(&place, &["b", "--with-descendants", "--input", "word=two"]);
    assert_eq!(marks(&place, &run_of(&third)), ["b 1", "c 1"]);
    assert_eq!(of(&third, "run-finished")[0]["outputs"]["c"], "two");
    let fourth = again(&place, &["say", "--with-descendants"]);
    assert_eq!(marks(&place, &run_of(&fourth)), ["a 1", "b 1", "c 1"]);
    assert_eq!(reused(&fourth), []);
    assert_eq!(end(&fourth, "b")["output"]["seen"], "two", "inputs are those of the run that is repeated");
}

#[test]
fn a_task_that_failed_is_repeated_with_all_that_it_held_up() {
    let place = place_with(
        "tasks:\n  a: { EFFECT }\n  b: { EFFECT, needs: a, with: { fails: 1 } }\n  c: { EFFECT, needs: b }\n",
    );
    let first = place.run(["run", "--format", "json"]).exits(1).lines();
    assert_eq!(marks(&place, &run_of(&first)), ["a 1", "b 1"]);
    place.replace("workflow.yaml", "fails: 1", "fails: 0");
    let second = again(&place, &["b"]);
    assert_eq!(marks(&place, &run_of(&second)), ["b 1", "c 1"]);
    assert_eq!(reused(&second), [("a".to_owned(), run_of(&first))]);
}

#[test]
fn a_result_that_does_not_hold_any_more_is_not_used() {
    let place = place_with(PARTS);
    place.run(["run"]).exits(0);
    let refused = |arguments: &[&str], texts: &[&str]| {
        let before = place.runs();
        place.run(["rerun", "latest", "--from"].iter().chain(arguments)).refused("OW0506", texts);
        assert_eq!(place.runs(), before);
    };
    refused(&["nobody"], &["`nobody`", "orch-wasm graph"]);
    // Another input is another task.
    refused(&["a", "--input", "word=two"], &["`b` changed", "--with-descendants"]);
    place.replace("workflow.yaml", "seen: first", "seen: changed");
    refused(&["b"], &["`a` changed", "--with-descendants"]);
    refused(&["c"], &["`a` changed"]);
    let third = again(&place, &["a"]);
    assert_eq!(marks(&place, &run_of(&third)), ["a 1"]);
    place.run(["rerun", "ffffffff", "--from", "a"]).refused("OW0502", &["runs list"]);
    place.run(["rerun", "latest", "--from", "a", "--input", "nothing=1"]).refused("OW0114", &["nothing"]);
}

#[test]
fn an_approval_is_carried_over_for_the_very_same_plan_only() {
    let place = place_with(SHIP);
    waiting(&place);
    place.run(["approve", "latest"]).exits(0);
    place.run(["resume"]).exits(0);
    let second = again(&place, &["ship"]);
    assert_eq!(marks(&place, &run_of(&second)), ["finally_1 1", "ship 1"]);
    assert_eq!(of(&second, "approval-requested").len(), 0);
    place.replace("workflow.yaml", "needs: sign-off", "needs: sign-off, with: { seen: more }");
    let ran = place.run(["rerun", "latest", "--from", "ship", "--format", "json"]);
    let third = ran.exits(4).lines();
    assert_eq!(marks(&place, &run_of(&third)), [""; 0]);
    assert_eq!(steps(&third, "approval-requested"), ["sign-off"]);
    place.run(["approve", "latest"]).exits(0);
    place.run(["resume"]).exits(0);
    assert_eq!(marks(&place, &run_of(&third)), ["finally_1 1", "ship 1"]);
}

#[test]
fn items_whose_end_nobody_knows_are_settled_one_by_one() {
    let place = place_with(
        "tasks:
  each: { EFFECT, for-each: [0, 1, 2], max-parallel: 3, fail-fast: false, retry: never, with: { ms: 1500 } }
  after: { EFFECT, needs: each, with: { seen: '${{ tasks.each.outputs.map(one, one) }}' } }
",
    );
    let mut live = Live::start(&place, &["run", "--jobs", "4"]);
    live.until("task-started", "each[2]");
    let run = live.run();
    wait_for("the effects", || marks(&place, &run) == ["each_0_ 1", "each_1_ 1", "each_2_ 1"]);
    live.kill();
    let ran = place.run(["resume"]);
    ran.exits(4).says("each[0]").says("each[1]").says("each[2]");
    // One is named; all at once are not.
    not_taken(&place, &["settle", &run, "each", "--as", "succeeded"], &["`each[0]`"]);
    not_taken(&place, &["settle", &run, "each[7]", "--as", "succeeded"], &["`each[0]`"]);
    not_taken(&place, &["settle", &run, "--as", "succeeded"], &["`each[0]`", "`each[2]`"]);
    place.run(["settle", &run, "each[0]", "--as", "succeeded"]).exits(0);
    place.run(["settle", &run, "each[1]", "--as", "again"]).exits(0);
    place.run(["resume"]).exits(4).says("each[2]").does_not_say("each[0]: nobody");
    assert_eq!(marks(&place, &run), ["each_0_ 1", "each_1_ 1", "each_1_ 2", "each_2_ 1"]);
    place.run(["settle", &run, "each[2]", "--as", "again"]).exits(0);
    place.run(["resume"]).exits(0);
    assert_eq!(marks(&place, &run), ["after 1", "each_0_ 1", "each_1_ 1", "each_1_ 2", "each_2_ 1", "each_2_ 2"]);
    let log = log(&place, &run);
    let outputs = &end(&log, "after")["output"]["seen"];
    assert_eq!((&outputs[1]["attempt"], &outputs[2]["attempt"]), (&json!(2), &json!(2)), "{outputs}");
}

#[test]
fn a_run_whose_task_is_unknown_can_be_cancelled() {
    let place = place_with(DEPLOY);
    let run = unknown(&place);
    place.run(["cancel", &run]).exits(6);
    let log = log(&place, &run);
    assert_eq!((outcome(&log, "deploy"), run_outcome(&log)), ("cancelled", Some("cancelled")));
    assert_eq!(marks(&place, &run), ["deploy 1"]);
    not_taken(&place, &["settle", &run, "deploy", "--as", "succeeded"], &["waits for nobody"]);
}

#[test]
fn a_run_that_died_goes_on_where_it_was() {
    let place = place_with(
        "tasks:
  each: { EFFECT, for-each: [1, 1, 4000, 1], max-parallel: 1, with: { ms: '${{ item }}' } }
  tries: { EFFECT, with: { fails: 1 }, retry: { attempts: 3, initial: 3s, jitter: none, retry-on: [failed] } }
  ask: { approval: { prompt: well? } }
  after: { EFFECT, needs: [each, ask, tries] }
",
    );
    let mut live = Live::start(&place, &["run", "--jobs", "4"]);
    live.until("task-started", "each[2]");
    let run = live.run();
    let before = ["each_0_ 1", "each_1_ 1", "each_2_ 1", "tries 1"];
    wait_for("the effects", || marks(&place, &run) == before);
    wait_for("the wait", || !of(&log(&place, &run), "attempt-ended").is_empty());
    live.kill();
    // What is said while nobody drives it is not lost.
    place.run(["approve", &run, "ask"]).exits(0);
    place.run(["resume"]).exits(0);
    assert_eq!(
        marks(&place, &run),
        ["after 1", "each_0_ 1", "each_1_ 1", "each_2_ 1", "each_2_ 2", "each_3_ 1", "tries 1", "tries 2"]
    );
    assert_eq!(end(&log(&place, &run), "tries")["output"]["attempt"], 2);
}

#[test]
fn an_approval_inside_of_a_file_is_answered_by_its_whole_name() {
    let place = place_with("tasks:\n  inner: { workflow: ./inner.yaml }\n  after: { EFFECT, needs: inner }\n");
    describe(
        &place,
        "inner.yaml",
        "tasks:\n  ask: { approval: { prompt: well? } }\n  done: { EFFECT, needs: ask, undo: { EFFECT } }\n",
    );
    let run = waiting(&place);
    not_taken(&place, &["approve", &run, "ask"], &["`inner/ask`"]);
    not_taken(&place, &["approve", &run, "inner"], &["`inner/ask`"]);
    place.run(["approve", &run, "inner/ask"]).exits(0);
    place.run(["resume"]).exits(0);
    assert_eq!(marks(&place, &run), ["after 1", "inner_done 1"]);
    // A file is repeated as a whole.
    place.run(["rerun", "latest", "--from", "inner/done"]).refused("OW0506", &["inner/done", "task that holds it"]);
    let ran = place.run(["rerun", "latest", "--from", "inner", "--format", "json"]);
    let second = run_of(&ran.exits(4).lines());
    place.run(["approve", "latest"]).exits(0);
    place.run(["resume"]).exits(0);
    assert_eq!(marks(&place, &second), ["inner_done 1"]);
    let third = again(&place, &["after"]);
    assert_eq!(marks(&place, &run_of(&third)), ["after 1"]);
    assert!(steps(&third, "task-started").iter().all(|step| !step.starts_with("inner")));
    // What it did is taken back with the rest.
    place.replace("workflow.yaml", "  after:", "  breaks: { needs: inner, uses: test/hostile/fail@^1 }\n  after:");
    let broken = waiting(&place);
    place.run(["approve", "latest"]).exits(0);
    place.run(["resume"]).exits(1);
    let mut marks = marks(&place, &broken);
    marks.retain(|mark| mark != "after 1");
    assert_eq!(marks, ["inner_done 1", "undo_inner_done 1"]);
}

#[test]
fn a_rejection_that_may_be_holds_up_nobody() {
    let place = place_with(
        "tasks:
  ask: { approval: { prompt: well? }, continue-on-error: true }
  after: { EFFECT, needs: ask, with: { seen: '${{ tasks.ask.outcome }}' } }
",
    );
    let run = waiting(&place);
    place.run(["reject", &run]).exits(0);
    place.run(["resume"]).exits(0);
    let log = log(&place, &run);
    assert_eq!((outcome(&log, "ask"), run_outcome(&log)), ("rejected", Some("succeeded")));
    assert_eq!(end(&log, "after")["output"]["seen"], "rejected");
}

#[test]
fn what_a_person_writes_stays_what_it_is() {
    let place = place_with(SHIP);
    let run = waiting(&place);
    let said = "<b>|`x`\u{1b}[31m\nsecond ${{ run.id }}";
    place.run(["approve", &run, "sign-off", "--comment", said]).exits(0);
    place.run(["resume"]).exits(0);
    assert_eq!(of(&log(&place, &run), "task-answered")[0]["comment"], said);
    for format in ["text", "json", "markdown", "junit", "sarif"] {
        let shown = place.run(["runs", "show", "--format", format]);
        assert!(!shown.exits(0).stdout.contains('\u{1b}'), "{shown}");
        assert!(format != "markdown" || !shown.stdout.contains("<b>"), "{shown}");
    }
    assert!(!place.run(["runs", "logs"]).exits(0).stdout.contains('\u{1b}'));
}

#[test]
fn the_time_of_a_run_stands_still_while_nobody_drives_it() {
    let place = place_with(&format!("timeout: 1s\n{SHIP}"));
    let run = waiting(&place);
    let begun = Instant::now();
    wait_for("that time", || begun.elapsed() > Duration::from_millis(1100));
    place.run(["resume"]).exits(4);
    place.run(["approve", "latest"]).exits(0);
    place.run(["resume"]).exits(0);
    assert_eq!(run_outcome(&log(&place, &run)), Some("succeeded"));
}

#[test]
fn an_approval_expires_while_another_task_is_on() {
    let place = place_with(
        "tasks:
  long: { EFFECT, with: { ms: 3000 } }
  ask: { approval: { prompt: well?, expires: 500ms } }
  ship: { EFFECT, needs: ask }
",
    );
    let mut live = Live::start(&place, &["run", "--jobs", "2"]);
    live.until("task-finished", "ask");
    not_taken(&place, &["approve", &live.run(), "ask"], &["rejected"]);
    let (ran, log) = live.end();
    ran.exits(5);
    assert_eq!(
        (outcome(&log, "ask"), outcome(&log, "long"), outcome(&log, "ship")),
        ("rejected", "succeeded", "unreachable")
    );
    assert_eq!(steps(&log, "task-finished").last().unwrap(), "long", "it was over at once, and not when `long` was");
}

#[test]
fn of_two_that_resume_a_run_one_does() {
    let place = place_with(
        "tasks:\n  ask: { approval: { prompt: well? } }\n  ship: { EFFECT, needs: ask, with: { ms: 800 } }\n",
    );
    let run = waiting(&place);
    place.run(["approve", &run]).exits(0);
    let all: Vec<_> = (0..3).map(|_| Live::start(&place, &["resume", &run])).collect();
    let mut codes: Vec<_> = all
        .into_iter()
        .map(|live| {
            let (ran, _) = live.end();
            assert!(ran.code == 0 || ran.stderr.contains("OW0504"), "{ran}");
            ran.code
        })
        .collect();
    codes.sort_unstable();
    assert_eq!(codes[0], 0);
    let log = log(&place, &run);
    assert_eq!((marks(&place, &run), of(&log, "run-resumed").len()), (vec!["ship 1".to_owned()], 1));
}

#[test]
fn what_is_taken_back_is_taken_back_to_the_end() {
    let place = place_with(
        "tasks:
  one: { EFFECT, undo: { EFFECT } }
  two: { EFFECT, needs: one, undo: { EFFECT, with: { ms: 2000 } } }
  last: { needs: two, uses: GUEST/wait@^1 }
finally:
  - { EFFECT }
",
    );
    let mut live = Live::start(&place, &["run"]);
    live.until("task-log", "last");
    let run = live.run();
    place.run(["cancel", &run, "--undo"]).exits(0);
    live.until("task-started", "undo/two");
    wait_for("the effect", || marks(&place, &run).contains(&"undo_two 1".to_owned()));
    live.kill();
    assert_eq!(listed(&place, &run), "interrupted");
    place.run(["resume"]).exits(6);
    assert_eq!(marks(&place, &run), ["finally_1 1", "one 1", "two 1", "undo_one 1", "undo_two 1", "undo_two 2"]);
    let log = log(&place, &run);
    assert_eq!(after_cancel(&log), ["undo/two", "undo/two", "undo/one", "finally/1"]);
    assert_eq!(run_outcome(&log), Some("cancelled"));
}

#[test]
fn items_are_used_again_with_their_task() {
    let place = place_with(
        "tasks:
  each: { EFFECT, strategy: { matrix: { n: [1, 2] } }, with: { seen: '${{ matrix.n }}' } }
  after: { EFFECT, needs: each, with: { seen: '${{ tasks.each.outputs.map(one, one.seen) }}' } }
",
    );
    place.run(["run"]).exits(0);
    let second = again(&place, &["after"]);
    assert_eq!(marks(&place, &run_of(&second)), ["after 1"]);
    assert_eq!(end(&second, "after")["output"]["seen"], json!([1, 2]));
    let third = again(&place, &["each"]);
    assert_eq!(marks(&place, &run_of(&third)), ["each_0_ 1", "each_1_ 1"]);
    place.replace("workflow.yaml", "n: [1, 2]", "n: [1, 2, 3]");
    place.run(["rerun", "latest", "--from", "after"]).refused("OW0506", &["`each` changed"]);
}

#[test]
fn a_run_that_is_not_over_lends_what_it_has() {
    let place = place_with(
        "tasks:\n  a: { EFFECT }\n  b: { EFFECT, needs: a, with: { ms: 2500 } }\n  c: { EFFECT, needs: b }\n",
    );
    let mut live = Live::start(&place, &["run"]);
    live.until("task-started", "b");
    let second = again(&place, &["c"]);
    assert_eq!(marks(&place, &run_of(&second)), ["b 1", "c 1"], "what had no result yet runs");
    assert_eq!(reused(&second), [("a".to_owned(), live.run())]);
    live.end().0.exits(0);
}

#[test]
fn a_part_of_a_run_of_another_workflow_is_not_repeated_with_this_one() {
    let place = place_with("tasks:\n  a: { EFFECT }\n  own: { EFFECT, needs: a }\n");
    describe(&place, "other.yaml", "tasks:\n  a: { EFFECT }\n  others: { EFFECT, needs: a }\n");
    place.replace("other.yaml", "name: cases", "name: other");
    place.run(["run", "other.yaml"]).exits(0);
    let ran = place.run(["rerun", "latest", "--from", "a"]);
    match ran.code {
        // It goes by the file that the run was made from, or says which one that is.
        0 => assert_eq!(log(&place, "latest")[0]["event"]["workflow"], "other", "{ran}"),
        _ => {
            ran.exits(2).says("other");
            assert_eq!(place.runs(), 1);
        }
    }
    let ran = place.run(["rerun", "latest", "--from", "a", "--workflow", "other.yaml", "--format", "json"]);
    assert_eq!(marks(&place, &run_of(&ran.exits(0).lines())), ["a 1"]);
}

#[test]
fn a_run_in_which_nothing_runs_just_now_is_paused_and_cancelled_too() {
    let backoff = "tasks:
  a: { EFFECT, with: { fails: 1 }, retry: { attempts: 2, initial: 3s, jitter: none, retry-on: [failed] } }
finally:
  - { EFFECT }
";
    let signalled = |signal: Signal, exit: i32| {
        let place = place_with(backoff);
        let mut live = Live::start(&place, &["run"]);
        live.until("attempt-ended", "a");
        live.signal(signal);
        let run = live.run();
        let (ran, _) = live.end();
        assert!(ran.exits(exit).took < Duration::from_secs(3), "it waited for the next attempt: {ran}");
        (place, run)
    };
    let (place, run) = signalled(Signal::TERM, 4);
    assert_eq!(marks(&place, &run), ["a 1"]);
    place.run(["resume"]).exits(0);
    assert_eq!(marks(&place, &run), ["a 1", "a 2", "finally_1 1"]);
    let (place, run) = signalled(Signal::INT, 6);
    assert_eq!(marks(&place, &run), ["a 1", "finally_1 1"]);
    assert_eq!(outcome(&log(&place, &run), "a"), "cancelled");
}

#[test]
fn what_runs_at_the_end_is_paused_and_goes_on() {
    let place = place_with(
        "tasks:
  a: { EFFECT, undo: { EFFECT, with: { ms: 1500 } } }
  b: { uses: GUEST/fail@^1, needs: a, with: { how: failed, text: no } }
on-failure:
  - { EFFECT }
finally:
  - { EFFECT }
",
    );
    let mut live = Live::start(&place, &["run"]);
    live.until("task-started", "undo/a");
    live.signal(Signal::TERM);
    let run = live.run();
    live.end().0.exits(4);
    assert_eq!(marks(&place, &run), ["a 1", "undo_a 1"]);
    place.run(["resume"]).exits(1);
    assert_eq!(marks(&place, &run), ["a 1", "finally_1 1", "on-failure_1 1", "undo_a 1"]);
}
