//! What workflows say about more than one task or run, seen from outside: what runs at the end, results that are used again, runs one
//! after the other.

use super::going_on::reused;
use super::kit::*;
use super::language::{OUTER, nested};
use super::packages::{manifest, publish};
use super::program::{Place, Ran};
use orch_registry::package;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::fs;
use std::process::Command;

#[test]
fn what_runs_at_the_end_depends_on_how_the_tasks_came_out() {
    let hooks = "on-failure:
  - { EFFECT, if: \"run.outcome == 'failed'\", with: { seen: '${{ tasks.b.outcome }}' } }
  - { EFFECT, if: \"run.outcome == 'errored'\" }
finally:
  - { EFFECT, with: { seen: '${{ run.outcome }}' } }
  - { EFFECT, if: \"run.outcome != 'succeeded'\" }
";
    let cases: [(&str, i32, &str, &[&str]); 4] = [
        ("EFFECT", 0, "succeeded", &["finally/1"]),
        (
            "uses: GUEST/fail@^1, with: { how: failed }",
            1,
            "failed",
            &["undo/c", "undo/a", "on-failure/1", "finally/1", "finally/2"],
        ),
        (
            "uses: GUEST/fail@^1, with: { how: panic }",
            7,
            "errored",
            &["undo/c", "undo/a", "on-failure/2", "finally/1", "finally/2"],
        ),
        ("uses: GUEST/fail@^1, with: { how: failed }, continue-on-error: true", 0, "succeeded", &["finally/1"]),
    ];
    for (task, exit, came_out, ran) in cases {
        let (place, log) = runs(
            &format!(
                "tasks:
  a: {{ EFFECT, with: {{ seen: made }}, undo: {{ EFFECT, with: {{ seen: '${{{{ tasks.a.outputs.seen }}}}' }} }} }}
  c: {{ EFFECT, needs: a, undo: {{ EFFECT }} }}
  b: {{ {task}, needs: c, undo: {{ EFFECT }} }}
  d: {{ EFFECT, needs: b, undo: {{ EFFECT }} }}
{hooks}"
            ),
            exit,
        );
        let over = ["a", "b", "c", "d"];
        let began: Vec<_> =
            steps(&log, "task-started").into_iter().filter(|step| !over.contains(&step.as_str())).collect();
        assert_eq!(began, ran, "{task}");
        assert_eq!(end(&log, "finally/1")["output"]["seen"], came_out);
        if exit != 0 {
            assert_eq!(end(&log, "undo/a")["output"]["seen"], "made");
            assert_eq!(outcome(&log, "finally/2"), "succeeded");
        }
        if exit == 1 {
            assert_eq!(end(&log, "on-failure/1")["output"]["seen"], "failed");
        }
        // They run one after the other, after all tasks.
        let order: Vec<_> = log
            .iter()
            .map(|line| &line["event"])
            .filter(|event| event["task"].as_str().is_some_and(|step| ran.contains(&step)))
            .filter_map(|event| event["type"].as_str())
            .filter(|kind| ["task-started", "task-finished"].contains(kind))
            .collect();
        assert_eq!(order, ["task-started", "task-finished"].repeat(ran.len()));
        let marks = marks(&place, &run_of(&log));
        assert_eq!(marks.iter().filter(|mark| mark.contains("undo")).count(), if exit == 0 { 0 } else { 2 });
    }
}

#[test]
fn what_runs_at_the_end_can_fail_too() {
    let fail = "uses: GUEST/fail@^1, with: { how: failed, text: no }";
    let (place, log) =
        runs(&format!("tasks: {{ a: {{ EFFECT }} }}\nfinally:\n  - {{ {fail} }}\n  - {{ EFFECT }}\n"), 1);
    assert_eq!(run_outcome(&log), Some("failed"));
    assert_eq!(marks(&place, &run_of(&log)), ["a 1", "finally_2 1"]);
    let (_, log) =
        runs(&format!("tasks: {{ a: {{ EFFECT }} }}\nfinally:\n  - {{ {fail}, continue-on-error: true }}\n"), 0);
    assert_eq!(run_outcome(&log), Some("succeeded"));
    // An undo that fails is tried again as its retry says, and stops no other.
    let (place, log) = runs(
        &format!(
            "tasks:
  a: {{ EFFECT, undo: {{ EFFECT }} }}
  b: {{ EFFECT, needs: a, undo: {{ EFFECT, with: {{ fails: 9 }}, retry: {{ attempts: 2, initial: 5ms, retry-on: [failed] }} }} }}
  c: {{ {fail}, needs: b }}
"
        ),
        1,
    );
    assert_eq!(marks(&place, &run_of(&log)), ["a 1", "b 1", "undo_a 1", "undo_b 1", "undo_b 2"]);
    assert_eq!(outcome(&log, "undo/b"), "failed");
}

/// The guest with a manifest that calls its tasks idempotent.
fn pure_place(text: &str) -> Place {
    let place = place_with(&text.replace("PURE", "test/pure"));
    let guest = orch_tests::hostile();
    let mut manifest = manifest(
        "test/pure",
        "1.0.0",
        json!({
            "fs": [{ "mount": "folder", "access": "write", "reason": "to look", "optional": true }],
            "env": [{ "name": "CASE_A", "reason": "to look", "optional": true }],
            "artifacts": [{ "name": "stored", "reason": "to keep", "optional": true }],
            "secrets": [{ "name": "token", "audience": [], "reveal": true, "reason": "to try", "optional": true }],
            "kv": [{ "bucket": "seen", "quota": "1MiB", "reason": "to try", "optional": true }],
        }),
    );
    let mut task = manifest.tasks.pop_first().unwrap().1;
    (task.input, task.output, task.idempotent) = (json!(true), json!(true), true);
    manifest.tasks = guest.tasks.iter().map(|name| (name.as_str().try_into().unwrap(), task.clone())).collect();
    publish(&place, &package::embed(&guest.bytes, &manifest).unwrap());
    place
}

/// Runs with a variable.
#[track_caller]
fn run_as(place: &Place, value: &str, arguments: &[&str]) -> Vec<Value> {
    let mut command: Command = place.command(["run", "--format", "json"].iter().chain(arguments));
    command.env("CASE_A", value);
    Ran::of(command).exits(0).lines()
}

const CACHED: &str = "inputs: { word: { type: string, default: one } }
tasks:
  info: { uses: PURE/info@^1, cache: true, with: { word: '${{ inputs.word }}' } }
  look:
    uses: PURE/files@^1
    cache: true
    permissions: { fs: [{ mount: folder, path: data, access: read }] }
    with: { steps: [{ mount: /folder, op: list, path: '.' }] }
  env: { uses: PURE/env@^1, cache: true, permissions: { env: [CASE_A] } }
  say: { uses: PURE/say@^1, cache: true, with: { text: found } }
  gate: { needs: say, gate: { checks: [{ id: some, assert: \"findings.of('say').open == 1\" }] } }
";

#[test]
fn a_result_that_still_holds_is_used_again() {
    let place = pure_place(CACHED);
    place.write("data/below/file", "one");
    let hits = |log: &[Value]| {
        let mut tasks: Vec<_> = reused(log).into_iter().map(|(task, _)| task).collect();
        tasks.sort();
        tasks
    };
    let first = run_as(&place, "1", &[]);
    assert_eq!(hits(&first), [""; 0]);
    let second = run_as(&place, "1", &[]);
    assert_eq!(hits(&second), ["env", "info", "look", "say"]);
    // The guest says in which run it ran: it did not in the second one.
    assert_eq!(end(&second, "info")["output"]["run"], json!(run_of(&first)));
    assert_eq!(of(&second, "task-findings").len(), 1, "findings come with it, and the gate counts them");
    assert!(reused(&second).iter().all(|(_, from)| *from == run_of(&first)));
    assert!(of(&second, "task-log").is_empty());
    place.run(["runs", "show"]).exits(0).says_out("from run ");
    // Each thing that it may depend on is looked at.
    assert_eq!(hits(&run_as(&place, "2", &[])), ["info", "look", "say"]);
    assert_eq!(hits(&run_as(&place, "1", &["--input", "word=two"])), ["env", "look", "say"]);
    let all = ["env", "info", "look", "say"];
    let without_look = ["env", "info", "say"];
    place.write("data/below/file", "two");
    assert_eq!(hits(&run_as(&place, "1", &[])), without_look, "a changed file");
    assert_eq!(hits(&run_as(&place, "1", &[])), all);
    fs::rename(place.path("data/below/file"), place.path("data/below/other")).unwrap();
    assert_eq!(hits(&run_as(&place, "1", &[])), without_look, "another name");
    place.write("data/more", "");
    assert_eq!(hits(&run_as(&place, "1", &[])), without_look, "another file");
    fs::remove_file(place.path("data/more")).unwrap();
    assert_eq!(hits(&run_as(&place, "1", &[])), all, "as it was before");
    // A result that is not there any more holds nothing.
    place.replace("workflow.yaml", "text: found }", "text: found }, timeout: 3m");
    assert_eq!(hits(&run_as(&place, "1", &[])), ["env", "info", "look"], "another timeout");
    place.run(["runs", "prune", "--keep", "0"]).exits(0);
    assert_eq!(hits(&run_as(&place, "1", &[])), [""; 0]);
}

const STORED: &str = "tasks:
  keep:
    uses: PURE/artifact@^1
    cache: true
    permissions: { artifacts: [stored] }
    with: { name: stored, media-type: text/plain, steps: [{ op: write, bytes: 5 }, { op: finish }] }
  read: { needs: keep, uses: PURE/files@^1, with: { steps: [{ mount: /artifacts, op: read, path: keep/stored }] } }
outputs: { read: '${{ tasks.read.outputs }}' }
";

#[test]
fn artifacts_come_with_the_result_that_is_used_again() {
    let place = pure_place(STORED);
    let right = |log: &[Value], from: &[&str]| {
        assert_eq!(of(log, "run-finished")[0]["outputs"]["read"], json!(["ok: xxxxx"]), "{log:#?}");
        assert_eq!(reused(log).iter().map(|(_, run)| run.as_str()).collect::<Vec<_>>(), from);
        assert_eq!(steps(log, "artifact-stored"), ["keep"]);
    };
    let first = run(&place, 0);
    right(&first, &[]);
    let second = run(&place, 0);
    right(&second, &[&run_of(&first)]);
    let third = place.run(["rerun", "latest", "--from", "read", "--format", "json"]).exits(0).lines();
    right(&third, &[&run_of(&second)]);
    // What a later run uses stays when the run that made it goes.
    place.run(["runs", "prune", "--keep", "1"]).exits(0);
    assert_eq!(place.runs(), 1);
    let fourth = place.run(["rerun", "latest", "--from", "read", "--format", "json"]).exits(0).lines();
    right(&fourth, &[&run_of(&third)]);
    let fifth = run(&place, 0);
    assert_eq!(of(&fifth, "run-finished")[0]["outputs"]["read"], json!(["ok: xxxxx"]));
    place.run(["doctor"]).exits(0);
}

#[test]
fn a_task_that_shall_run_again_does_not_take_an_earlier_result() {
    let place = pure_place(
        "tasks:
  a: { uses: PURE/info@^1, cache: true }
  b: { needs: a, uses: PURE/info@^1, cache: true }
",
    );
    run(&place, 0);
    let ran_in = |arguments: &[&str], tasks: &[&str]| {
        let again = ["rerun", "latest", "--format", "json", "--from", "a"];
        let log = place.run(again.iter().chain(arguments)).exits(0).lines();
        for task in ["a", "b"] {
            let own = end(&log, task)["output"]["run"] == json!(run_of(&log));
            assert_eq!(own, tasks.contains(&task), "{task}: {log:#?}");
        }
        run_of(&log)
    };
    ran_in(&[], &["a"]);
    let newest = ran_in(&["--with-descendants"], &["a", "b"]);
    // What it gave is an earlier result for those who come after.
    let log = run(&place, 0);
    assert!(reused(&log).iter().all(|(_, from)| *from == newest) && reused(&log).len() == 2, "{log:#?}");
}

#[test]
fn what_went_wrong_is_not_used_again() {
    let place = pure_place("tasks:\n  a: { uses: PURE/fail@^1, cache: true, with: { how: failed } }\n");
    for _ in 0..2 {
        let log = run(&place, 1);
        assert_eq!((reused(&log).len(), steps(&log, "task-started").len()), (0, 1));
    }
    // Items are looked up one by one.
    let each = "tasks:\n  each: { uses: PURE/info@^1, cache: true, for-each: [ITEMS], with: { n: '${{ item }}' } }\n";
    let place = pure_place(&each.replace("ITEMS", "1, 2"));
    let first = run(&place, 0);
    place.replace("workflow.yaml", "[1, 2]", "[2, 3, 1]");
    let second = run(&place, 0);
    let from = run_of(&first);
    assert_eq!(
        reused(&second).into_iter().collect::<std::collections::BTreeSet<_>>(),
        [("each[0]".to_owned(), from.clone()), ("each[2]".to_owned(), from)].into()
    );
}

#[test]
fn a_task_that_may_not_be_cached_is_refused_with_the_reason() {
    let place = place_with("tasks:\n  a: { EFFECT, cache: true }\n");
    let ran = place.run(["run"]);
    assert!(ran.exits(2).stderr.contains("idempotent"), "{ran}");
    assert_eq!(place.runs(), 0);
    let writes = "permissions: { fs: [{ mount: folder, path: ledger, access: write }] }";
    let place = pure_place(&format!("tasks:\n  a: {{ uses: PURE/info@^1, {writes}, cache: true }}\n"));
    let ran = place.run(["run"]);
    assert!(ran.exits(2).stderr.contains("folder"), "{ran}");
    assert_eq!(place.runs(), 0);
    // In the defaults it means those that may.
    let place = pure_place(&format!(
        "defaults: {{ cache: true }}\ntasks:\n  a: {{ uses: PURE/effect@^1, {writes} }}\n  b: {{ uses: PURE/info@^1 }}\n  c: {{ uses: PURE/info@^1, cache: false }}\n"
    ));
    run(&place, 0);
    let log = run(&place, 0);
    assert_eq!(reused(&log).into_iter().map(|(task, _)| task).collect::<Vec<_>>(), ["b"]);
    assert_eq!(marks(&place, &run_of(&log)), ["a 1"]);
}

/// A workflow with one task in a concurrency group.
fn grouped(keys: &str, task: &str) -> String {
    format!("concurrency: {{ group: one, {keys} }}\ntasks:\n  a: {{ {task} }}\nfinally:\n  - {{ EFFECT }}\n")
}

const LONG: &str = "EFFECT, with: { ms: 3000 }";

#[test]
fn runs_of_a_group_run_one_after_the_other() {
    let place = place_with(&grouped("limit: 1", LONG));
    let mut first = Live::start(&place, &["run"]);
    first.until("task-started", "a");
    assert_eq!(of(&first.seen, "run-admitted")[0]["group"], "one");
    let mut second = Live::start(&place, &["run"]);
    let queued = second.until("run-queued", "");
    assert_eq!(
        (&queued["event"]["group"], &queued["event"]["ahead"]),
        (&json!("one"), &json!(0)),
        "nobody is before it in the line"
    );
    assert_eq!(marks(&place, &second.run()), [""; 0]);
    // A third one, as a person sees it.
    let third = place.run(["run"]);
    third.exits(0).says("waiting for a place in `one`");
    let (ran, first) = first.end();
    ran.exits(0);
    let (ran, second) = second.end();
    ran.exits(0);
    assert!(at(&place, &first, "run-finished") <= at(&place, &second, "run-admitted"), "they overlap");
    let third = log(&place, "latest");
    assert!(at(&place, &second, "run-finished") <= at(&place, &third, "run-admitted"), "they overlap");
    // Nobody of another group waits.
    place.replace("workflow.yaml", "group: one", "group: '${{ inputs.g }}'");
    place.replace("workflow.yaml", "tasks:", "inputs: { g: { type: string } }\ntasks:");
    let mut first = Live::start(&place, &["run", "--input", "g=x"]);
    first.until("task-started", "a");
    let second = run_with(&place, &["--input", "g=y"], 0);
    let (_, first) = first.end();
    assert!(of(&second, "run-queued").is_empty());
    assert!(at(&place, &second, "run-admitted") < at(&place, &first, "run-finished"), "two groups are two lines");
}

#[test]
fn two_at_once_are_two_when_the_limit_says_so() {
    let place = place_with(&grouped("limit: 2", LONG));
    let mut all: Vec<_> = (0..3).map(|_| Live::start(&place, &["run"])).collect();
    all.iter_mut().for_each(|live| drop(live.until("run-admitted", "")));
    let mut spans: Vec<_> = all
        .into_iter()
        .map(|live| {
            let (ran, log) = live.end();
            ran.exits(0);
            (at(&place, &log, "run-admitted"), at(&place, &log, "run-finished"))
        })
        .collect();
    spans.sort_unstable();
    assert!(spans[1].0 < spans[0].1, "two run at once: {spans:?}");
    assert!(spans[2].0 >= spans[0].1.min(spans[1].1), "three never do: {spans:?}");
}

#[test]
fn a_run_that_finds_no_place_does_what_on_conflict_says() {
    let place = place_with(&grouped("limit: 1", LONG));
    describe(&place, "cancel.yaml", &grouped("on-conflict: cancel", "EFFECT"));
    describe(&place, "full.yaml", &grouped("queue: 0", "EFFECT"));
    let mut first = Live::start(&place, &["run"]);
    first.until("task-started", "a");
    for file in ["cancel.yaml", "full.yaml"] {
        let ran = place.run(["run", file, "--format", "json"]);
        let log = ran.exits(6).lines();
        assert_eq!(run_outcome(&log), Some("cancelled"));
        assert_eq!(marks(&place, &run_of(&log)), [""; 0], "what never had a place does nothing, not even at its end");
        place.run(["runs", "show", &run_of(&log)]).exits(0).says_out("`one`");
        place.run(["run", file]).exits(6).says("`one`");
    }
    first.end().0.exits(0);

    let place = place_with(&grouped("limit: 1", "uses: GUEST/wait@^1"));
    describe(&place, "newer.yaml", &grouped("on-conflict: cancel-running", "EFFECT"));
    let mut first = Live::start(&place, &["run"]);
    first.until("task-log", "a");
    let newer = place.run(["run", "newer.yaml", "--format", "json"]);
    let newer = newer.exits(0).lines();
    let (ran, first) = first.end();
    ran.exits(6);
    assert_eq!(run_outcome(&first), Some("cancelled"));
    assert!(of(&first, "cancel-requested")[0]["by"]["name"].as_str().unwrap().contains("one"));
    assert_eq!(marks(&place, &run_of(&first)), ["finally_1 1"]);
    assert_eq!(marks(&place, &run_of(&newer)), ["a 1", "finally_1 1"]);
    assert!(at(&place, &first, "run-finished") <= at(&place, &newer, "run-admitted"));
}

#[test]
fn a_place_is_free_when_its_process_is_killed() {
    let place = place_with(&grouped("limit: 1", "uses: GUEST/wait@^1"));
    describe(&place, "next.yaml", &grouped("limit: 1", "EFFECT"));
    let mut first = Live::start(&place, &["run"]);
    first.until("task-log", "a");
    let mut second = Live::start(&place, &["run", "next.yaml"]);
    second.until("run-queued", "");
    let killed = first.run();
    first.kill();
    let (ran, second) = second.end();
    ran.exits(0);
    assert_eq!(marks(&place, &run_of(&second)), ["a 1", "finally_1 1"]);
    // What was killed takes a place again, and gives it back.
    place.run(["cancel", &killed]).exits(6);
    assert_eq!(
        run_with(&place, &["next.yaml"], 0).iter().filter(|line| line["event"]["type"] == "run-queued").count(),
        0
    );
}

#[test]
fn a_run_that_waits_for_people_keeps_its_place_and_the_line_has_an_order() {
    let place = place_with(&grouped("limit: 1", "approval: { prompt: well? }"));
    let next = |priority: u32| format!("priority: {priority}\n{}", grouped("limit: 1", "EFFECT, with: { ms: 300 }"));
    describe(&place, "low.yaml", &next(10));
    describe(&place, "high.yaml", &next(90));
    place.run(["run"]).exits(4);
    let holder = run_of(&log(&place, "latest"));
    let mut low = Live::start(&place, &["run", "low.yaml"]);
    low.until("run-queued", "");
    let mut high = Live::start(&place, &["run", "high.yaml"]);
    high.until("run-queued", "");
    let mut given_up = Live::start(&place, &["run", "low.yaml"]);
    given_up.until("run-queued", "");
    // One that waits in the line can be cancelled there.
    place.run(["cancel", &given_up.run()]).exits(0);
    let run = given_up.run();
    given_up.end().0.exits(6);
    assert_eq!(marks(&place, &run), [""; 0]);
    assert!(of(&low.seen, "run-admitted").is_empty());
    place.run(["approve", &holder]).exits(0);
    place.run(["resume", &holder]).exits(0);
    let (ran, low) = low.end();
    ran.exits(0);
    let (ran, high) = high.end();
    ran.exits(0);
    assert!(at(&place, &high, "run-finished") <= at(&place, &low, "run-admitted"), "the higher priority is first");
    wait_for("the end of the line", || !place.run(["runs", "list"]).stdout.contains("running"));
}

#[test]
fn a_run_that_left_the_line_comes_back() {
    let place = place_with(&grouped("limit: 1", "approval: { prompt: well? }"));
    describe(&place, "next.yaml", &grouped("limit: 1", "EFFECT"));
    place.run(["run"]).exits(4);
    let holder = run_of(&log(&place, "latest"));
    let left: Vec<_> = [(Signal::KILL, 128 + 9), (Signal::TERM, 4)]
        .into_iter()
        .map(|(signal, exit)| {
            let mut live = Live::start(&place, &["run", "next.yaml"]);
            live.until("run-queued", "");
            live.signal(signal);
            let run = live.run();
            live.end().0.exits(exit);
            run
        })
        .collect();
    // One that nobody drives holds up nobody, and is not brought to its end by others.
    let mut third = Live::start(&place, &["run", "next.yaml"]);
    third.until("run-queued", "");
    place.run(["cancel", &holder]).exits(6);
    third.end().0.exits(0);
    for run in &left {
        assert_eq!(marks(&place, run), [""; 0]);
        place.run(["resume", run]).exits(0);
        assert_eq!(marks(&place, run), ["a 1", "finally_1 1"]);
    }
}

#[test]
fn every_listing_is_there_for_machines() {
    let place = nested("if: always()", "1");
    let more = "  each: { EFFECT, for-each: [1, 2], undo: { EFFECT } }\n  ask: { approval: { prompt: 'x\\u001b' } }\nfinally: [{ EFFECT }]\nconcurrency: { group: g }\n";
    describe(&place, "workflow.yaml", &(OUTER.replace("CALL", "if: always()") + more));
    place.write("broken.yaml", "schema: orch-wasm/v1\nname: 1\n");
    let begun = place.run(["run", "--format", "json"]);
    let begun = begun.exits(4).lines();
    place.run(["approve", "latest"]).exits(0);
    let rest = place.run(["resume", "--format", "json"]).exits(0).lines();
    let shown = place.run(["runs", "show", "--format", "json"]).exits(0).lines();
    assert_eq!(shown, [begun, rest].concat(), "what both processes printed is the log");
    let again = place.run(["rerun", "latest", "--from", "ship", "--format", "json"]).exits(0).lines();
    assert_eq!(place.run(["runs", "show", "--format", "json"]).exits(0).lines(), again);
    for (arguments, exit) in [
        (&["runs", "list"][..], 0),
        (&["plan"], 0),
        (&["validate"], 0),
        (&["validate", "broken.yaml"], 2),
        (&["plugin", "list"], 0),
        (&["keys", "list"], 0),
        (&["cache", "ls"], 0),
    ] {
        let ran = place.run(arguments.iter().chain(&["--format", "json"]));
        let lines = ran.exits(exit).lines();
        assert!(!lines.is_empty() || arguments == ["validate"], "{ran}");
        assert!(!ran.stdout.contains('\u{1b}'), "{ran}");
    }
    let _: Value = serde_json::from_str(&place.run(["runs", "show", "--format", "sarif"]).exits(0).stdout).unwrap();
}

#[test]
fn what_goes_wrong_in_a_file_that_may_fail_does_not_count() {
    let fail = "uses: GUEST/fail@^1, with: { how: failed, text: no }";
    let inner = [
        (format!("tasks:\n  x: {{ {fail} }}\n  y: {{ EFFECT, needs: x }}\n"), "failed"),
        ("tasks:\n  x: { uses: GUEST/say@^1, with: { text: t } }\n  y: { needs: x, gate: { checks: [{ id: a, assert: \"false\" }] } }\n".into(), "blocked"),
        ("timeout: 300ms\ntasks:\n  x: { uses: GUEST/wait@^1 }\n  y: { EFFECT, needs: x }\n".into(), "timed-out"),
        (format!("tasks:\n  x: {{ {fail}, continue-on-error: true }}\n  y: {{ EFFECT, needs: x }}\n"), "succeeded"),
    ];
    for (text, came_out) in inner {
        let place = place_with(
            "tasks:
  inner: { workflow: ./inner.yaml, continue-on-error: true }
  after: { EFFECT, needs: inner, with: { seen: '${{ tasks.inner.outcome }}' } }
on-failure: [{ uses: GUEST/info@^1 }]
",
        );
        describe(&place, "inner.yaml", &text);
        let log = run(&place, 0);
        assert_eq!((outcome(&log, "inner"), run_outcome(&log)), (came_out, Some("succeeded")));
        assert_eq!(end(&log, "after")["output"]["seen"], came_out);
        assert!(!steps(&log, "task-started").contains(&"on-failure/1".to_owned()));
    }
}

#[test]
fn a_file_may_be_run_twice_and_files_run_files() {
    let place = place_with(
        "tasks:
  one: { workflow: ./ci/mid.yaml, with: { n: 1 } }
  two: { workflow: ./ci/mid.yaml, with: { n: 2 } }
outputs: { one: '${{ tasks.one.outputs.n }}', two: '${{ tasks.two.outputs.n }}' }
",
    );
    let input = "inputs: { n: { type: integer } }\n";
    describe(
        &place,
        "ci/mid.yaml",
        &format!(
            "{input}tasks:\n  low: {{ workflow: ../lib/low.yaml, with: {{ n: '${{{{ inputs.n * 10 }}}}' }} }}\noutputs: {{ n: '${{{{ tasks.low.outputs.n }}}}' }}\n"
        ),
    );
    describe(
        &place,
        "lib/low.yaml",
        &format!(
            "{input}tasks:\n  do: {{ EFFECT, with: {{ seen: '${{{{ inputs.n + 1 }}}}' }} }}\noutputs: {{ n: '${{{{ tasks.do.outputs.seen }}}}' }}\n"
        ),
    );
    fs::create_dir(place.path("lib/ledger")).unwrap();
    let log = run(&place, 0);
    assert_eq!(of(&log, "run-finished")[0]["outputs"], json!({ "one": 11, "two": 21 }));
    let marks: Vec<_> = fs::read_dir(place.path("lib/ledger/marks")).unwrap().collect();
    assert_eq!(marks.len(), 4, "each has its own key");
    assert_eq!(end(&log, "one/low/do")["output"]["task"], "one/low/do");
}

#[test]
fn nobody_waits_for_an_attempt_for_which_there_is_no_time() {
    let (_, log) = runs(
        "tasks:
  a: { EFFECT, with: { fails: 9 }, timeout: { attempt: 300ms, task: 600ms }, retry: { attempts: 3, initial: 30s, jitter: none, retry-on: [failed] } }
",
        7,
    );
    assert_eq!((outcome(&log, "a"), steps(&log, "task-started").len()), ("timed-out", 1));
}

#[test]
fn the_condition_of_a_task_with_items_is_one_for_all() {
    let (place, log) = runs(
        "tasks:
  list: { EFFECT, with: { seen: [] } }
  no: { EFFECT, needs: list, for-each: [1, 2], if: 'size(tasks.list.outputs.seen) > 0' }
  breaks: { uses: GUEST/fail@^1, with: { how: failed }, continue-on-error: true }
  late: { EFFECT, needs: breaks, for-each: '${{ tasks.breaks.outputs }}' }
  after: { EFFECT, needs: no, with: { seen: '${{ tasks.no.outputs }}' } }
",
        7,
    );
    assert_eq!(
        (outcome(&log, "no"), outcome(&log, "after"), outcome(&log, "late")),
        ("skipped", "succeeded", "errored")
    );
    assert_eq!(steps(&log, "task-expanded"), [""; 0]);
    assert_eq!(marks(&place, &run_of(&log)), ["after 1", "list 1"]);
}
