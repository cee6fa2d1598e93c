//! What workflow files can say, seen from outside: attempts, times, items, files inside of files. Each case is a workflow and what its
//! log and the marks of its tasks have to show.

use super::kit::*;
use super::program::Place;
use serde_json::{Value, json};
use std::fs;
use std::time::Duration;

#[test]
fn a_task_that_fails_is_tried_again_as_its_retry_says() {
    let (place, log) = runs(
        "tasks:
  a: { EFFECT, with: { fails: 2 }, retry: { attempts: 4, initial: 60ms, jitter: none, retry-on: [failed] } }
  b: { EFFECT, needs: a, with: { seen: '${{ tasks.a.outputs.attempt }}' } }
",
        0,
    );
    // Marks are named by the idempotency key: one key, three attempts, one effect.
    let run = run_of(&log);
    assert_eq!(marks(&place, &run), ["a 1", "a 2", "a 3", "b 1"]);
    assert_eq!(place.read(format!("ledger/marks/{run}_a.effect")), "3");
    let ended = of(&log, "attempt-ended");
    let ends: Vec<_> = ended.iter().map(|end| (end["attempt"].as_u64(), end["delay_ms"].as_u64())).collect();
    assert_eq!(ends, [(Some(1), Some(60)), (Some(2), Some(120))]);
    assert_eq!(ended[0]["failure"]["what"]["kind"], "dependency");
    assert_eq!(end(&log, "b")["output"]["seen"], 3);
    // The waits took place.
    let times = times(&place, &run);
    let of_a = |kind: &str| -> Vec<i64> {
        let is = |line: &Value| line["event"]["type"] == kind && line["event"]["task"] == "a";
        log.iter().zip(&times).filter(|(line, _)| is(line)).map(|(_, at)| *at).collect()
    };
    let (began, failed) = (of_a("task-started"), of_a("attempt-ended"));
    assert!(began[1] - failed[0] >= 60 && began[2] - failed[1] >= 120, "{began:?} {failed:?}");
    place.run(["runs", "show"]).exits(0).says_out("2 retries");
}

#[test]
fn waits_grow_as_the_backoff_says_and_end_with_the_attempts() {
    let cases = [
        ("backoff: fixed, jitter: none", vec![20, 20, 20, 20]),
        ("backoff: linear, jitter: none", vec![20, 40, 50, 50]),
        ("backoff: exponential, jitter: none", vec![20, 40, 50, 50]),
        ("jitter: none", vec![20, 40, 50, 50]),
        ("backoff: exponential", vec![20, 40, 50, 50]),
    ];
    for (how, delays) in cases {
        let (place, log) = runs(
            &format!(
                "tasks:\n  a: {{ EFFECT, with: {{ fails: 99 }}, retry: {{ attempts: 5, initial: 20ms, max: 50ms, retry-on: [failed], {how} }} }}\n"
            ),
            1,
        );
        assert_eq!(marks(&place, &run_of(&log)), ["a 1", "a 2", "a 3", "a 4", "a 5"], "{how}");
        let waited: Vec<_> = of(&log, "attempt-ended").iter().map(|end| end["delay_ms"].as_i64().unwrap()).collect();
        match how.contains("jitter") {
            true => assert_eq!(waited, delays, "{how}"),
            false => assert!(waited.len() == 4 && waited.iter().zip(&delays).all(|(a, b)| a <= b), "{waited:?}"),
        }
        assert_eq!(outcome(&log, "a"), "failed");
    }
}

#[test]
fn only_what_retry_on_names_is_tried_again() {
    let panic = "uses: GUEST/fail@^1, with: { how: panic, text: no }";
    let fail = "uses: GUEST/fail@^1, with: { how: failed, text: no }";
    let late = "uses: GUEST/sleep@^1, with: { nanoseconds: 60000000000 }, timeout: 150ms";
    let quick = "initial: 5ms";
    let cases = [
        (panic, format!("attempts: 3, {quick}"), 3, 7),
        (late, format!("attempts: 2, {quick}"), 2, 7),
        (fail, format!("attempts: 3, {quick}"), 1, 1),
        (fail, format!("attempts: 3, retry-on: [failed], {quick}"), 3, 1),
        (panic, format!("attempts: 3, retry-on: [failed, timed-out], {quick}"), 1, 7),
        (late, format!("attempts: 3, retry-on: [errored], {quick}"), 1, 7),
        // Nobody begins later than the budget allows.
        (fail, "attempts: 9, retry-on: [failed], backoff: fixed, initial: 5s, jitter: none, budget: 2s".into(), 1, 1),
    ];
    for (task, retry, attempts, exit) in cases {
        let (_, log) = runs(&format!("tasks:\n  a: {{ {task}, retry: {{ {retry} }} }}\n"), exit);
        assert_eq!(steps(&log, "task-started").len(), attempts, "{task} {retry}");
    }
    // What the task says comes first, the rest from the defaults; `never` is never.
    let (_, log) = runs(
        &format!(
            "defaults: {{ retry: {{ attempts: 2, initial: 5ms, retry-on: [failed] }} }}
tasks:
  a: {{ {fail}, continue-on-error: true }}
  b: {{ {fail}, retry: {{ attempts: 3 }}, continue-on-error: true }}
  c: {{ {fail}, retry: never }}
"
        ),
        1,
    );
    let started = steps(&log, "task-started");
    let count = |task: &str| started.iter().filter(|step| *step == task).count();
    assert_eq!((count("a"), count("b"), count("c")), (2, 3, 1));
}

#[test]
fn a_task_has_its_time() {
    let sleep = "uses: GUEST/sleep@^1, with: { nanoseconds: 60000000000 }";
    // How long an attempt may take, how long all of them, and the run; how many attempts begin, at least and at most.
    let cases = [
        ("", "timeout: 200ms", 1, 1),
        ("", "timeout: { task: 300ms }", 1, 1),
        ("", "timeout: { attempt: 200ms, task: 700ms }, retry: { attempts: 50, initial: 5ms, max: 5ms }", 2, 4),
        ("", "timeout: { attempt: 1h, task: 300ms }, retry: { attempts: 50, initial: 5ms }", 0, 0),
        ("defaults: { timeout: 200ms }\n", "retry: never", 1, 1),
        ("timeout: 400ms\n", "timeout: 1h", 1, 1),
    ];
    for (head, timeout, least, most) in cases {
        let text = format!(
            "{head}tasks:\n  a: {{ {sleep}, {timeout} }}\n  b: {{ EFFECT, needs: a }}\nfinally: [{{ EFFECT }}]\n"
        );
        let place = place_with(&text);
        if most == 0 {
            // The whole is never shorter than its part.
            let ran = place.run(["run"]);
            assert!(ran.code == 2 && ran.stderr.contains("`task`"), "{ran}");
            continue;
        }
        let ran = place.run(["run", "--format", "json"]);
        ran.exits(7).within(Duration::from_secs(20));
        let log = ran.lines();
        let attempts = steps(&log, "task-started").iter().filter(|step| *step == "a").count();
        assert!((least..=most).contains(&attempts), "{timeout}: {attempts} attempts");
        assert_eq!(run_outcome(&log), Some("timed-out"), "{ran}");
        assert_eq!(marks(&place, &run_of(&log)), ["finally_1 1"], "{head}{timeout}");
        if head.starts_with("timeout") {
            assert_eq!(of(&log, "cancel-requested").len(), 1, "{ran}");
        } else {
            assert_eq!((outcome(&log, "a"), outcome(&log, "b")), ("timed-out", "unreachable"), "{timeout}");
        }
    }
}

#[test]
fn a_matrix_runs_a_task_for_each_combination() {
    let text = "inputs: { systems: { type: string, default: 'linux,mac' } }
tasks:
  build:
    uses: test/hostile/effect@^1
    permissions: { fs: [{ mount: folder, path: ledger, access: write }] }
    strategy:
      matrix:
        system: \"${{ inputs.systems.split(',') }}\"
        level: [debug, release]
        exclude: [{ system: mac, level: debug }]
        include: [{ level: release, strip: true }, { system: windows, level: release }]
      max-parallel: 2
    with: { ms: 150, seen: '${{ matrix.system }}-${{ matrix.level }}-${{ has(matrix.strip) }}' }
  after: { EFFECT, needs: build, with: { seen: '${{ tasks.build.outputs.map(each, each.seen) }}' } }
";
    let place = place_with(text);
    let log = run_with(&place, &["--jobs", "8"], 0);
    let all = json!(["linux-debug-false", "linux-release-true", "mac-release-true", "windows-release-false"]);
    assert_eq!(seen(&log, "build"), all);
    assert_eq!(end(&log, "after")["output"]["seen"], all);
    assert_eq!(at_once(&log, "build"), 2, "never more than two, and two when there is room");
    let items = &of(&log, "task-expanded")[0]["items"];
    assert_eq!(items[1], json!({ "system": "linux", "level": "release", "strip": true }));
    let ran: Vec<_> = (0..4).map(|item| format!("build_{item}_ 1")).collect();
    assert_eq!(marks(&place, &run_of(&log))[1..], ran);
    // Another input is another matrix.
    let log = run_with(&place, &["--input", "systems=mac"], 0);
    assert_eq!(seen(&log, "build"), json!(["mac-release-true", "windows-release-false"]));
    for verb in ["plan", "graph", "validate"] {
        place.run([verb]).exits(0);
    }
    place.run(["plan"]).exits(0).says_out("build");
}

#[test]
fn a_matrix_that_means_nothing_is_told() {
    let task = |matrix: &str| format!("tasks:\n  a: {{ EFFECT, strategy: {{ matrix: {{ {matrix} }} }} }}\n");
    let place = place_with(&task("x: [1, 2], exclude: [{ x: 3 }]"));
    place.run(["run"]).exits(0).says("warning");
    for (matrix, text) in [
        ("x: 1", "list"),
        ("x: [1], exclude: [{ y: 1 }]", "`y`"),
        ("x: '${{ tasks.b.outputs }}'", "tasks"),
        (&format!("x: [{0}], y: [{0}]", vec!["1"; 200].join(", ")), "10000"),
    ] {
        let place = place_with(&task(matrix));
        let ran = place.run(["run"]);
        assert!(ran.code == 2 && ran.stderr.contains(text), "{matrix}: {ran}");
        assert_eq!(place.runs(), 0);
    }
}

#[test]
fn a_list_of_another_task_gives_the_items() {
    let (place, log) = runs(
        "tasks:
  list: { EFFECT, with: { seen: [{ name: slow, ms: 500 }, { name: middle, ms: 250 }, { name: quick, ms: 1 }] } }
  each:
    uses: test/hostile/effect@^1
    needs: list
    permissions: { fs: [{ mount: folder, path: ledger, access: write }] }
    for-each: '${{ tasks.list.outputs.seen }}'
    with: { ms: '${{ item.ms }}', seen: '${{ index }} ${{ item.name }}' }
    outputs: { said: '${{ output.seen }}', number: '${{ index + 1 }}' }
outputs: { all: '${{ tasks.each.outputs.map(one, one.said) }}', last: '${{ tasks.each.outputs[2].number }}' }
",
        0,
    );
    // They end in another order than that of the list.
    let ends: Vec<_> = steps(&log, "task-finished").into_iter().filter(|step| step.starts_with("each[")).collect();
    assert_ne!(ends, ["each[0]", "each[1]", "each[2]"], "nothing was there to be put in order");
    let outputs = &of(&log, "run-finished")[0]["outputs"];
    assert_eq!(*outputs, json!({ "all": ["0 slow", "1 middle", "2 quick"], "last": 3 }));
    assert_eq!(of(&log, "task-expanded")[0]["items"][2]["name"], "quick");
    assert_eq!(marks(&place, &run_of(&log)), ["each_0_ 1", "each_1_ 1", "each_2_ 1", "list 1"]);
}

#[test]
fn a_list_may_be_empty_and_has_to_be_one() {
    let list = |value: &str| {
        format!(
            "tasks:
  list: {{ EFFECT, with: {{ seen: {value} }} }}
  each: {{ EFFECT, needs: list, for-each: '${{{{ tasks.list.outputs.seen }}}}' }}
  after: {{ EFFECT, needs: each, with: {{ seen: '${{{{ tasks.each.outputs }}}}' }} }}
"
        )
    };
    let (place, log) = runs(&list("[]"), 0);
    assert_eq!((outcome(&log, "each"), &end(&log, "each")["output"]), ("succeeded", &json!([])));
    assert_eq!(marks(&place, &run_of(&log)), ["after 1", "list 1"]);
    for (value, shown) in [("7", "`7`"), ("text", "text"), ("{ a: [1] }", "[1]"), ("~", "null")] {
        let (place, log) = runs(&list(value), 7);
        assert_eq!((outcome(&log, "each"), outcome(&log, "after")), ("errored", "unreachable"));
        let reason = end(&log, "each")["reason"].as_str().unwrap().to_owned();
        assert!(reason.contains("`for-each` runs over a list") && reason.contains(shown), "{reason}");
        assert_eq!(marks(&place, &run_of(&log)), ["list 1"]);
        place.run(["runs", "show"]).exits(0).says_out("runs over a list");
    }
}

const ITEMS: &str = "tasks:
  each:
    uses: test/hostile/effect@^1
    permissions: { fs: [{ mount: folder, path: ledger, access: write }] }
    for-each: [{ ms: LONG, fails: 0 }, { ms: 1, fails: 1 }, { ms: 2, fails: 0 }]
    max-parallel: 2
    fail-fast: FAST
    with: { ms: '${{ item.ms }}', fails: '${{ item.fails }}' }
  after: { EFFECT, needs: each }
";

#[test]
fn one_item_that_fails_ends_the_others_only_if_it_shall() {
    let place = place_with(&ITEMS.replace("LONG", "60000").replace("FAST", "true"));
    let ran = place.run(["run", "--format", "json", "--jobs", "4"]);
    let log = ran.exits(1).within(Duration::from_secs(30)).lines();
    assert_eq!(
        (outcome(&log, "each[0]"), outcome(&log, "each[1]"), outcome(&log, "each")),
        ("cancelled", "failed", "failed")
    );
    assert_eq!((outcome(&log, "after"), run_outcome(&log)), ("unreachable", Some("failed")));
    assert_eq!(marks(&place, &run_of(&log)), ["each_0_ 1", "each_1_ 1"], "the third never began");

    let place = place_with(&ITEMS.replace("LONG", "300").replace("FAST", "false"));
    let log = run_with(&place, &["--jobs", "4"], 1);
    let ends = ["each[0]", "each[1]", "each[2]", "each"].map(|step| outcome(&log, step).to_owned());
    assert_eq!(ends, ["succeeded", "failed", "succeeded", "failed"]);
    assert_eq!(marks(&place, &run_of(&log)), ["each_0_ 1", "each_1_ 1", "each_2_ 1"]);
    // Reports count the items and say what broke.
    place.run(["runs", "show"]).exits(0).says_out("2 of 3 items").says_out("not yet");
    place.run(["runs", "show", "--format", "markdown"]).exits(0).says_out("2 of 3 items").says_out("not yet");
    place.run(["runs", "show", "--format", "junit"]).exits(0).says_out("name=\"each\"").says_out("not yet");
    place.run(["runs", "logs", "latest", "each"]).exits(0).says_out("each[2]");
    place.run(["explain", "latest", "each"]).exits(0).says_out("folder");
    let failed = run_of(&log);
    // One that may fail holds up nobody.
    place.replace("workflow.yaml", "max-parallel: 2", "continue-on-error: true");
    let log = run(&place, 0);
    assert_eq!(outcome(&log, "after"), "succeeded");
    // Which one it was is said where people look.
    for (format, name) in [("text", "each[1]"), ("markdown", "each&#91;1&#93;"), ("junit", "each[1]")] {
        place.run(["runs", "show", &failed, "--format", format]).exits(0).says_out(name);
    }
}

#[test]
fn items_are_tried_again_by_themselves() {
    let place = place_with(
        &ITEMS
            .replace("LONG", "1")
            .replace("FAST", "true\n    retry: { attempts: 3, initial: 5ms, retry-on: [failed] }"),
    );
    let log = run(&place, 0);
    assert_eq!(marks(&place, &run_of(&log)), ["after 1", "each_0_ 1", "each_1_ 1", "each_1_ 2", "each_2_ 1"]);
    assert_eq!(steps(&log, "attempt-ended"), ["each[1]"]);
}

/// A workflow that runs `ci/build.yaml`, in which CALL stands for further keys of the task.
pub(super) const OUTER: &str = "inputs: { go: { type: boolean, default: true } }
tasks:
  version: { EFFECT, with: { seen: v1 } }
  build:
    needs: version
    workflow: ./ci/build.yaml
    with: { tag: '${{ tasks.version.outputs.seen }}', source: ./app }
    CALL
  ship: { EFFECT, needs: build, with: { seen: '${{ tasks.build.outputs }}' } }
";

const INNER: &str = "inputs:
  tag: { type: string }
  count: { type: integer, default: 2 }
  source: { type: directory }
  own: { type: directory, default: ./app }
tasks:
  compile: { EFFECT, with: { seen: '${{ inputs.tag }}-${{ inputs.count + 1 }}' } }
  read:
    uses: GUEST/files@^1
    permissions: { fs: [{ mount: folder, path: '${{ inputs.source }}', access: read }] }
    with: { steps: [{ mount: /folder, op: read, path: file }] }
  own:
    uses: GUEST/files@^1
    permissions: { fs: [{ mount: folder, path: '${{ inputs.own }}', access: read }] }
    with: { steps: [{ mount: /folder, op: read, path: file }] }
  say: { needs: compile, uses: GUEST/say@^1, with: { text: found } }
  gate: { needs: say, gate: { checks: [{ id: few, assert: \"findings.all().open <= MOST\" }] } }
outputs: { image: '${{ tasks.compile.outputs.seen }}', read: '${{ tasks.read.outputs }}', own: '${{ tasks.own.outputs }}' }
";

pub(super) fn nested(call: &str, most: &str) -> Place {
    let place = place_with(&OUTER.replace("CALL", call));
    describe(&place, "ci/build.yaml", &INNER.replace("MOST", most));
    place.write("app/file", "outer");
    place.write("ci/app/file", "inner");
    fs::create_dir(place.path("ci/ledger")).unwrap();
    place
}

/// How many marks lie beside the inner file.
pub(super) fn inner_marks(place: &Place) -> usize {
    fs::read_dir(place.path("ci/ledger/marks")).map_or(0, |all| {
        all.filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().contains(".attempt.")).count()
    })
}

#[test]
fn a_workflow_runs_another_file_with_its_own_paths_inputs_and_outputs() {
    let place = nested("continue-on-error: false", "1");
    let log = run(&place, 0);
    let image = &end(&log, "ship")["output"]["seen"];
    assert_eq!(image["image"], "v1-3");
    // What the caller gives is relative to the caller, a default to the file that says it.
    assert_eq!((&image["read"], &image["own"]), (&json!(["ok: outer"]), &json!(["ok: inner"])));
    assert_eq!((inner_marks(&place), marks(&place, &run_of(&log))), (1, vec!["ship 1".into(), "version 1".into()]));
    assert_eq!(end(&log, "build/compile")["output"]["task"], "build/compile");
    assert_eq!(of(&log, "workflow-entered")[0]["inputs"]["tag"], "v1");
    place.run(["runs", "show"]).exits(0).says_out("build/compile");
    place.run(["runs", "logs", "latest", "build/say"]).exits(0).says_out("found");
    place.run(["explain", "latest", "build/read"]).exits(0).says_out("app");
    place.run(["validate"]).exits(0);
    place.run(["plan"]).exits(0).says_out("build/compile").says_out("ci/build.yaml");
    place.run(["graph"]).exits(0).says_out("build");
    place.run(["lock"]).exits(0);
    // The inner file by itself is a workflow too.
    place.run(["validate", "ci/build.yaml"]).exits(0);
}

#[test]
fn a_gate_inside_decides_over_findings_inside_and_one_outside_over_all() {
    let place = nested("continue-on-error: false", "0");
    let log = run(&place, 3);
    assert_eq!(
        (outcome(&log, "build/gate"), outcome(&log, "build"), outcome(&log, "ship")),
        ("blocked", "blocked", "unreachable")
    );
    let place = nested("continue-on-error: false", "1");
    let gate =
        "gate: { checks: [{ id: some, assert: \"findings.of('build').open == 1 && findings.all().open == 1\" }] }";
    place.replace("workflow.yaml", "  ship:", &format!("  decide: {{ needs: build, {gate} }}\n  ship:"));
    let log = run(&place, 0);
    assert_eq!(outcome(&log, "decide"), "succeeded");
}

#[test]
fn a_file_whose_caller_does_not_run_does_not_run() {
    let place = nested("if: inputs.go", "1");
    place.replace("workflow.yaml", "'${{ tasks.build.outputs }}'", "x");
    let log = run_with(&place, &["--input", "go=false"], 0);
    assert_eq!((outcome(&log, "build"), outcome(&log, "ship")), ("skipped", "succeeded"));
    assert!(steps(&log, "task-started").iter().all(|step| !step.starts_with("build")), "{log:#?}");
    assert_eq!((inner_marks(&place), of(&log, "workflow-entered").len()), (0, 0));
    // The run is over, so nothing of it waits or goes on.
    for format in ["text", "markdown", "junit"] {
        let shown = place.run(["runs", "show", "--format", format]);
        let open = ["not begun", "waiting", "not finished"];
        assert!(!open.iter().any(|word| shown.exits(0).stdout.contains(word)), "{format}: {shown}");
    }
    let log = run_with(&place, &["--input", "go=true"], 0);
    assert_eq!((outcome(&log, "build"), inner_marks(&place)), ("succeeded", 1));
    // Nor when what the caller needs did not succeed.
    let place = nested("if: inputs.go", "1");
    place.replace("workflow.yaml", "seen: v1", "fails: 1");
    let log = run(&place, 1);
    assert_eq!((outcome(&log, "build"), outcome(&log, "ship"), inner_marks(&place)), ("unreachable", "unreachable", 0));
}

#[test]
fn a_file_has_its_time_and_is_cancelled_as_a_whole() {
    let long = "tasks:\n  long: { uses: GUEST/wait@^1 }\n  after: { uses: GUEST/info@^1, needs: long }\n";
    for (head, keys) in
        [("timeout: 400ms\n", ""), ("", ", timeout: { task: 400ms }"), ("timeout: 1h\n", ", timeout: { task: 400ms }")]
    {
        let place = place_with(&format!(
            "tasks:\n  inner: {{ workflow: ./inner.yaml{keys} }}\n  after: {{ EFFECT, needs: inner }}\n"
        ));
        describe(&place, "inner.yaml", &format!("{head}{long}"));
        let log = run(&place, 7);
        assert_eq!((outcome(&log, "inner"), outcome(&log, "after")), ("timed-out", "unreachable"), "{head}{keys}");
        assert_eq!(steps(&log, "task-started").iter().filter(|step| *step == "inner/after").count(), 0);
    }
    let place = place_with("tasks:\n  inner: { workflow: ./inner.yaml }\n");
    describe(&place, "inner.yaml", long);
    let mut live = Live::start(&place, &["run"]);
    live.until("task-log", "inner/long");
    place.run(["cancel", "latest"]).exits(0);
    let (ran, log) = live.end();
    ran.exits(6);
    assert_eq!((outcome(&log, "inner/long"), outcome(&log, "inner")), ("cancelled", "cancelled"));
}

#[test]
fn files_that_cannot_be_run_inside_of_others_are_refused() {
    let call = |file: &str, with: &str| {
        format!("tasks:\n  a: {{ EFFECT }}\n  inner: {{ workflow: {file}, needs: a{with} }}\n")
    };
    let place = place_with(&call("./workflow.yaml", ""));
    let itself = |place: &Place| {
        for verb in ["validate", "plan", "graph", "run"] {
            let ran = place.run([verb]);
            // A file by itself is checked without what it runs, if that is needed to know.
            assert!(ran.code == 2 || (verb != "run" && verb != "plan"), "{ran}");
            if ran.code == 2 {
                ran.within(Duration::from_secs(5)).says("itself");
            }
        }
        assert_eq!(place.runs(), 0);
    };
    itself(&place);
    let place = place_with(&call("./b.yaml", ""));
    describe(&place, "b.yaml", &call("./c.yaml", ""));
    describe(&place, "c.yaml", &call("./workflow.yaml", ""));
    itself(&place);
    // Another name of the same file is the same file.
    let place = place_with(&call("./link.yaml", ""));
    std::os::unix::fs::symlink("workflow.yaml", place.path("link.yaml")).unwrap();
    let ran = place.run(["run"]);
    assert!(ran.exits(2).took < Duration::from_secs(5), "{ran}");
    // Deeper than anybody writes by hand.
    let place = place_with(&call("./f1.yaml", ""));
    (1..12).for_each(|n| describe(&place, &format!("f{n}.yaml"), &call(&format!("./f{}.yaml", n + 1), "")));
    describe(&place, "f12.yaml", "tasks: { a: { EFFECT } }\n");
    place.run(["run"]).exits(2).says("8");
    assert_eq!(place.runs(), 0);

    let inner = "inputs: { n: { type: integer } }\ntasks: { x: { EFFECT, with: { seen: '${{ inputs.n }}' } } }\n";
    let cases = [
        (call("./nowhere.yaml", ""), "nowhere.yaml"),
        (call("inner.yaml", ""), "./"),
        (call("./inner.yaml", ""), "`n`"),
        (call("./inner.yaml", ", with: { n: text }"), "`n`"),
        (call("./inner.yaml", ", with: { n: 1, m: 1 }"), "`m`"),
        (call("./inner.yaml", ", with: { n: 1 }, retry: { attempts: 2 }"), "retry"),
        (call("./hooks.yaml", ""), "finally"),
    ];
    for (text, says) in cases {
        let place = place_with(&text);
        describe(&place, "inner.yaml", inner);
        describe(&place, "hooks.yaml", "tasks: { x: { EFFECT } }\nfinally: [{ EFFECT }]\n");
        let ran = place.run(["run"]);
        assert!(ran.code == 2 && ran.stderr.contains(says), "{text}: {ran}");
        assert_eq!(place.runs(), 0);
    }
    // What is known only in the run is checked there.
    let place = place_with(&call("./inner.yaml", ", with: { n: '${{ tasks.a.outputs.task }}' }"));
    describe(&place, "inner.yaml", inner);
    let log = run(&place, 7);
    assert_eq!(outcome(&log, "inner"), "errored");
    assert!(end(&log, "inner").to_string().contains("`n`"), "{}", end(&log, "inner"));
    assert_eq!(marks(&place, &run_of(&log)), ["a 1"]);
}
