//! Runs that wait for people, and tasks of which nobody knows the end. What happened is read from the log and from the marks that the
//! tasks left outside of the sandbox; what is said is looked at only where a person needs it.

use super::kit::*;
use super::program::{Place, Ran};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::fs;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

pub(super) const SHIP: &str = "tasks:
  build: { EFFECT }
  sign-off: { needs: build, approval: { prompt: 'ship ${{ tasks.build.outputs.task }}?' } }
  ship: { EFFECT, needs: sign-off }
  beside: { EFFECT }
finally:
  - { EFFECT }
";

#[test]
fn an_approval_lets_the_run_go_on() {
    let place = place_with(SHIP);
    let ran = place.run(["run"]);
    ran.exits(4).says("sign-off: ship build?");
    let before = log(&place, "latest");
    let run = run_of(&before);
    for verb in ["approve", "resume"] {
        let line = ran.stderr.lines().find_map(|line| line.split_once(&format!("orch-wasm {verb} ")));
        let (_, rest) = line.unwrap_or_else(|| panic!("{ran}"));
        assert!(run.contains(rest.split_whitespace().next().unwrap()), "{ran}");
    }
    ran.says("reject");
    assert_eq!(before.last().unwrap()["event"], json!({ "type": "run-suspended", "waits": ["sign-off"] }));
    assert_eq!(listed(&place, &run), "waiting");
    assert_eq!(marks(&place, &run), ["beside 1", "build 1"], "what needs nobody goes on");
    place.run(["runs", "show"]).exits(0).says_out("waits for people").says_out("waiting");
    // To resume without an answer changes nothing for anybody.
    place.run(["resume"]).exits(4).says("sign-off: ship build?");
    assert_eq!(marks(&place, &run), ["beside 1", "build 1"]);

    place.run(["approve", "latest", "sign-off", "--comment", "change 4711"]).exits(0).says("orch-wasm resume");
    assert_eq!(marks(&place, &run), ["beside 1", "build 1"], "an answer runs nothing");
    place.run(["resume", &run]).exits(0);
    assert_eq!(marks(&place, &run), ["beside 1", "build 1", "finally_1 1", "ship 1"]);
    let after = log(&place, &run);
    assert_eq!(run_outcome(&after), Some("succeeded"));
    let [answered] = of(&after, "task-answered")[..] else { panic!("{after:#?}") };
    assert_eq!((&answered["answer"], &answered["comment"]), (&json!("approve"), &json!("change 4711")));
    assert_eq!(answered["by"]["name"], account("-un"));
    assert_eq!(outcome(&after, "sign-off"), "succeeded");
    assert_eq!(listed(&place, &run), "succeeded");
    for format in ["text", "markdown"] {
        place.run(["runs", "show", "--format", format]).exits(0).says_out(&account("-un"));
    }
    place.run(["runs", "show", "--format", "markdown"]).exits(0).says_out("change 4711");
}

#[test]
fn the_commands_that_are_printed_work_where_they_are_printed() {
    let place = place_with("tasks:\n  a: { EFFECT }\n");
    let text = "tasks: { ask: { approval: { prompt: well? } } }\n";
    describe(&place, "below/other.yaml", text);
    describe(&place, "beside.yaml", text);
    fs::copy(place.path("policy.yaml"), place.path("below/policy.yaml")).unwrap();
    let elsewhere = ["run", "beside.yaml", "--state", "elsewhere"];
    for arguments in [&["run", "beside.yaml"][..], &["run", "below/other.yaml"], &elsewhere] {
        let ran = place.run(arguments);
        ran.exits(4);
        for (verb, exit) in [("approve", 0), ("resume", 0)] {
            let said = ran.stderr.lines().find_map(|line| line.split_once(&format!("orch-wasm {verb} ")));
            let (_, rest) = said.unwrap_or_else(|| panic!("{ran}"));
            // What is said of the command stands behind it.
            let rest = rest.split("  ").next().unwrap().split_whitespace();
            place.run([verb].into_iter().chain(rest)).exits(exit);
        }
    }
}

#[test]
fn a_rejection_ends_it() {
    let place = place_with(SHIP);
    let run = waiting(&place);
    place.run(["reject", "latest", "--comment", "not before the freeze ends"]).exits(0);
    place.run(["resume"]).exits(5);
    let log = log(&place, &run);
    assert_eq!((outcome(&log, "sign-off"), outcome(&log, "ship")), ("rejected", "unreachable"));
    assert_eq!(of(&log, "task-answered")[0]["comment"], "not before the freeze ends");
    assert_eq!(run_outcome(&log), Some("rejected"));
    assert_eq!(marks(&place, &run), ["beside 1", "build 1", "finally_1 1"]);
    assert_eq!(listed(&place, &run), "rejected");
}

#[test]
fn an_answer_that_nobody_waits_for_is_refused() {
    let place = place_with(
        "tasks:
  build: { EFFECT }
  one: { needs: build, approval: { prompt: one? } }
  two: { needs: build, approval: { prompt: two?, required: 2 } }
",
    );
    let run = waiting(&place);
    let waits = ["`one`", "`two`"];
    not_taken(&place, &["approve", &run, "build"], &[&["succeeded"], &waits[..]].concat());
    not_taken(&place, &["reject", &run, "nobody"], &[&["there is no such task"], &waits[..]].concat());
    not_taken(&place, &["settle", &run, "one", "--as", "succeeded"], &[&["approved or rejected"], &waits[..]].concat());
    not_taken(&place, &["approve", &run, "one[0]"], &waits);
    // Which of the two is not guessed.
    not_taken(&place, &["approve", &run], &waits);
    // Twice, before the first answer is in the log and after.
    place.run(["approve", &run, "two"]).exits(0);
    place.run(["resume"]).exits(4);
    not_taken(&place, &["approve", &run, "two"], &["answered already", "`one`"]);
    not_taken(&place, &["reject", &run, "two"], &["answered already"]);
    place.run(["approve", &run, "one"]).exits(0);
    place.run(["resume"]).exits(4);
    not_taken(&place, &["reject", &run, "one"], &["succeeded", "`two`"]);
    assert_eq!(steps(&log(&place, &run), "answer-refused"), [""; 0]);
    // A run that is over.
    place.run(["cancel", &run]).exits(6);
    for verb in ["approve", "reject"] {
        not_taken(&place, &[verb, &run, "two"], &["waits for nobody"]);
        not_taken(&place, &[verb, &run], &["waits for nobody"]);
    }
    not_taken(&place, &["cancel", &run], &["is over"]);
}

#[test]
fn two_answers_of_one_person_before_anybody_looks_are_one() {
    let place =
        place_with("tasks:\n  ask: { approval: { prompt: well?, required: 2 } }\n  ship: { EFFECT, needs: ask }\n");
    let run = waiting(&place);
    place.run(["approve", "latest"]).exits(0);
    // The second one is refused at once, or told in the log; in no case does it count.
    let second = place.run(["approve", "latest"]);
    assert!([0, 2].contains(&second.code), "{second}");
    place.run(["resume"]).exits(4);
    let log = log(&place, &run);
    assert_eq!((of(&log, "task-answered").len(), run_outcome(&log)), (1, None));
    assert_eq!(of(&log, "answer-refused").len(), usize::from(second.code == 0));
    assert_eq!(marks(&place, &run), [""; 0]);
}

#[test]
fn one_person_is_no_quorum() {
    let place =
        place_with("tasks:\n  ask: { approval: { prompt: well?, required: 2 } }\n  ship: { EFFECT, needs: ask }\n");
    let run = waiting(&place);
    place.run(["approve", "latest", "ask"]).exits(0);
    place.run(["resume"]).exits(4).says("ask");
    assert_eq!(listed(&place, &run), "waiting");
    assert_eq!(of(&log(&place, &run), "approval-requested")[0]["required"], 2);
    assert_eq!(marks(&place, &run), [""; 0]);
    // More than there are people is a mistake.
    describe(
        &place,
        "never.yaml",
        "tasks:\n  ask: { approval: { prompt: x, required: 2, approvers: { users: [ann] } } }\n",
    );
    assert_eq!(place.run(["run", "never.yaml"]).exits(2).stdout, "");
}

#[test]
fn who_may_answer_is_what_the_workflow_says() {
    let (user, group) = (account("-un"), account("-gn"));
    let may: [(&str, bool); 7] = [
        ("users: [USER]", true),
        ("groups: [GROUP]", true),
        ("users: [nobody-here], groups: [GROUP]", true),
        ("users: [nobody-here]", false),
        ("groups: [no-such-group]", false),
        ("users: [GROUP-], groups: [USER-]", false),
        ("groups: ['']", false),
    ];
    for (approvers, allowed) in may {
        let approvers = approvers.replace("USER", &user).replace("GROUP", &group);
        let place = place_with(&format!(
            "tasks:\n  ask: {{ approval: {{ prompt: well?, approvers: {{ {approvers} }} }} }}\n  ship: {{ EFFECT, needs: ask }}\n"
        ));
        if approvers.contains("''") {
            // A name that nobody has may be refused before anything; it never lets somebody in.
            if place.run(["validate"]).code == 2 {
                continue;
            }
        }
        let run = waiting(&place);
        for verb in ["approve", "reject"] {
            match allowed {
                true if verb == "approve" => drop(place.run([verb, "latest", "ask"]).exits(0)),
                true => {}
                false => not_taken(&place, &[verb, &run, "ask"], &[&user, "not among those who may answer", "`ask`"]),
            }
        }
        place.run(["resume"]).exits(if allowed { 0 } else { 4 });
        assert_eq!(marks(&place, &run).len(), usize::from(allowed), "{approvers}");
    }
}

#[test]
fn who_started_the_run_can_be_shut_out() {
    let place = place_with(
        "tasks:\n  ask: { approval: { prompt: well?, exclude-requester: true } }\n  ship: { EFFECT, needs: ask }\n",
    );
    let run = waiting(&place);
    assert_eq!(log(&place, &run)[0]["event"]["requester"]["name"], account("-un"));
    for verb in ["approve", "reject"] {
        not_taken(&place, &[verb, &run, "ask"], &["started the run", "`ask`"]);
    }
    // The environment is no identity.
    let mut command = place.command(["approve", &run, "ask"]);
    command.env("USER", "ann").env("LOGNAME", "ann").env("SUDO_USER", "ann");
    Ran::of(command).refused("OW0505", &["started the run"]);
    place.run(["resume"]).exits(4);
    assert_eq!(marks(&place, &run), [""; 0]);
}

#[expect(clippy::disallowed_methods, reason = "what is waited for is a time of day")]
/// Waits until an approval has expired.
fn expired(asked: &Value) {
    let due = u128::try_from(asked["expires"].as_i64().unwrap()).unwrap();
    wait_for("that time", || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() > due);
}

#[test]
fn an_approval_that_nobody_gave_in_time_is_a_rejection() {
    let text = "tasks:\n  ask: { approval: { prompt: well?, expires: 2s } }\n  ship: { EFFECT, needs: ask }\n";
    // Nobody, somebody too late, and somebody in time whom nobody looked at before it was too late.
    for (early, late, exit) in [(false, false, 5), (false, true, 5), (true, false, 0)] {
        let place = place_with(text);
        let run = waiting(&place);
        if early {
            place.run(["approve", &run, "ask"]).exits(0);
        }
        expired(of(&log(&place, &run), "approval-requested")[0]);
        if late {
            let ran = place.run(["approve", &run, "ask"]);
            assert!([0, 2].contains(&ran.code), "{ran}");
        }
        let ran = place.run(["resume"]);
        assert_eq!(ran.code, exit, "early {early}, late {late}: {ran}");
        let log = log(&place, &run);
        let outcomes = if exit == 5 { ("rejected", "unreachable") } else { ("succeeded", "succeeded") };
        assert_eq!((outcome(&log, "ask"), outcome(&log, "ship")), outcomes);
        if exit == 5 {
            assert_eq!(run_outcome(&log), Some("rejected"));
            assert!(end(&log, "ask")["reason"].as_str().unwrap().contains("in time"), "{log:#?}");
            assert_eq!(of(&log, "task-answered").len(), 0, "an answer that does not count is told as one: {log:#?}");
        }
        assert_eq!(marks(&place, &run).len(), usize::from(exit == 0));
    }
}

#[test]
fn an_answer_reaches_the_process_that_is_busy_with_another_task() {
    for (verb, exit, marked) in [("approve", 0, vec!["long 1", "ship 1"]), ("reject", 5, vec!["long 1"])] {
        let place = place_with(
            "tasks:
  long: { EFFECT, with: { ms: 4000 } }
  ask: { approval: { prompt: well? } }
  ship: { EFFECT, needs: ask }
",
        );
        let mut live = Live::start(&place, &["run", "--jobs", "2"]);
        live.until("approval-requested", "ask");
        place.run([verb, &live.run(), "ask"]).exits(0).does_not_say("resume");
        let answered = Instant::now();
        live.until("task-answered", "ask");
        assert!(answered.elapsed() < Duration::from_secs(3), "{:?}", answered.elapsed());
        let run = live.run();
        let (ran, log) = live.end();
        ran.exits(exit);
        assert!(of(&log, "run-suspended").is_empty() && of(&log, "run-resumed").is_empty(), "{log:#?}");
        let position = |kind: &str, step: &str| {
            log.iter().position(|line| line["event"]["type"] == kind && line["event"]["task"] == step).unwrap()
        };
        assert!(position("task-finished", "ask") < position("task-finished", "long"), "it waited for the other task");
        assert_eq!(marks(&place, &run), marked);
    }
}

#[test]
fn a_run_that_waits_goes_on_with_the_plan_that_was_approved() {
    let place = place_with(SHIP);
    let run = waiting(&place);
    let before = log(&place, &run)[0].clone();
    describe(
        &place,
        "workflow.yaml",
        "tasks:\n  other: { EFFECT }\n  sign-off: { needs: other, approval: { prompt: x } }\n",
    );
    // Nor does anything else count that a new run would look at.
    fs::remove_dir_all(place.path("registry")).unwrap();
    fs::remove_file(place.path("orch-wasm.lock")).ok();
    place.replace("policy.yaml", "plugins: \"*\"\n    fs", "plugins: \"nobody/*\"\n    fs");
    place.run(["approve", &run, "sign-off"]).exits(0).says_out(before["event"]["plan_hash"].as_str().unwrap());
    place.run(["resume", &run]).exits(0);
    let after = log(&place, &run);
    assert_eq!(after[0], before);
    assert_eq!(marks(&place, &run), ["beside 1", "build 1", "finally_1 1", "ship 1"]);
    assert!(steps(&after, "task-started").iter().all(|step| step != "other"));
    // Without the file at all, too.
    let place = place_with(SHIP);
    let run = waiting(&place);
    fs::remove_file(place.path("workflow.yaml")).unwrap();
    place.run(["reject", &run]).exits(0);
    place.run(["resume", &run]).exits(5);
}

pub(super) const DEPLOY: &str = "tasks:
  deploy: { EFFECT, with: { ms: 2500 }, retry: never }
  after: { EFFECT, needs: deploy }
on-failure:
  - { EFFECT }
";

/// Kills the process in the midst of `deploy` and resumes the run, which then waits for somebody who knows.
#[track_caller]
pub(super) fn unknown(place: &Place) -> String {
    let mut live = Live::start(place, &["run"]);
    live.until("task-started", "deploy");
    let run = live.run();
    wait_for("the effect", || marks(place, &run) == ["deploy 1"]);
    live.kill();
    assert_eq!(listed(place, &run), "interrupted");
    // Before anybody looked at what is left there is nothing to settle.
    not_taken(place, &["settle", &run, "deploy", "--as", "again"], &["deploy"]);
    let ran = place.run(["resume"]);
    ran.exits(4).says("deploy: nobody knows").says("orch-wasm settle").says("failed").says("again");
    let log = log(place, &run);
    assert_eq!(of(&log, "attempt-lost")[0]["unknown"], true);
    assert_eq!(of(&log, "run-resumed").len(), 1);
    assert_eq!(listed(place, &run), "waiting");
    assert_eq!(marks(place, &run), ["deploy 1"], "it ran once");
    place.run(["runs", "show"]).exits(0).says_out("unknown");
    not_taken(place, &["approve", &run, "deploy"], &["settled", "`deploy`"]);
    not_taken(place, &["settle", &run, "after", "--as", "failed"], &["`deploy`"]);
    run
}

#[test]
fn a_task_whose_end_nobody_knows_is_settled_by_a_person() {
    let cases: [(&str, i32, &str, &[&str]); 3] = [
        ("succeeded", 0, "succeeded", &["after 1", "deploy 1"]),
        ("failed", 1, "failed", &["deploy 1", "on-failure_1 1"]),
        ("again", 0, "succeeded", &["after 1", "deploy 1", "deploy 2"]),
    ];
    for (how, exit, deployed, marked) in cases {
        let place = place_with(DEPLOY);
        let run = unknown(&place);
        place.run(["settle", &run, "deploy", "--as", how, "--comment", "looked"]).exits(0).says("orch-wasm resume");
        place.run(["resume"]).exits(exit);
        let log = log(&place, &run);
        assert_eq!(of(&log, "task-answered")[0]["comment"], "looked");
        assert_eq!(of(&log, "task-answered")[0]["answer"], how);
        assert_eq!(outcome(&log, "deploy"), deployed, "{how}");
        assert_eq!(outcome(&log, "after"), if exit == 0 { "succeeded" } else { "unreachable" });
        assert_eq!(marks(&place, &run), marked, "{how}");
    }
}

#[test]
fn a_task_that_may_be_tried_again_is_when_its_process_dies() {
    let place = place_with("tasks:\n  first: { EFFECT }\n  deploy: { EFFECT, needs: first, with: { ms: 1500 } }\n");
    let mut live = Live::start(&place, &["run"]);
    live.until("task-started", "deploy");
    let run = live.run();
    wait_for("the effect", || marks(&place, &run) == ["deploy 1", "first 1"]);
    live.kill();
    place.run(["resume"]).exits(0);
    assert_eq!(marks(&place, &run), ["deploy 1", "deploy 2", "first 1"]);
    let log = log(&place, &run);
    assert_eq!(of(&log, "attempt-lost")[0]["unknown"], false);
    assert_eq!(end(&log, "deploy")["output"]["attempt"], 2);
}

#[test]
fn there_may_be_nothing_to_resume() {
    let place = place_with("tasks:\n  a: { EFFECT }\n");
    place.run(["resume"]).refused("OW0502", &["there are no runs", "orch-wasm run"]);
    place.run(["run"]).exits(0);
    place.run(["resume"]).refused("OW0502", &["there is no run to resume", "orch-wasm runs list"]);
    place.run(["resume", "ffffffffffff"]).refused("OW0502", &["runs list"]);
    // One that is over stays as it is.
    let before = log(&place, "latest");
    place.run(["resume", "latest"]);
    assert_eq!(log(&place, "latest"), before);
    assert_eq!(marks(&place, &run_of(&before)), ["a 1"]);
    assert_eq!(place.runs(), 1);
}

#[test]
fn one_process_drives_a_run_and_others_drive_others() {
    let place = place_with("tasks:\n  long: { EFFECT, with: { ms: 4000 } }\n  after: { EFFECT, needs: long }\n");
    describe(&place, "other.yaml", "tasks:\n  a: { EFFECT }\n  b: { EFFECT, needs: a }\n");
    let mut live = Live::start(&place, &["run"]);
    live.until("task-started", "long");
    let run = live.run();
    assert_eq!(listed(&place, &run), "running");
    place.run(["resume", &run]).refused("OW0504", &["another process drives run", "orch-wasm cancel"]);
    place.run(["resume"]).exits(2);
    let other = place.run(["run", "other.yaml", "--format", "json"]);
    assert_eq!(marks(&place, &run_of(&other.exits(0).lines())), ["a 1", "b 1"]);
    let (ran, log) = live.end();
    ran.exits(0);
    assert!(of(&log, "run-resumed").is_empty());
    assert_eq!(marks(&place, &run), ["after 1", "long 1"]);
    place.run(["runs", "verify", &run]).exits(0);
}

#[test]
fn a_run_that_is_asked_to_pause_goes_on_later() {
    let place = place_with("tasks:\n  first: { EFFECT, with: { ms: 1500 } }\n  then: { EFFECT, needs: first }\n");
    let mut live = Live::start(&place, &["run"]);
    live.until("task-started", "first");
    live.signal(Signal::TERM);
    let run = live.run();
    live.end().0.exits(4).says("orch-wasm resume");
    assert_eq!(marks(&place, &run), ["first 1"], "what ran came to its end, and nothing more began");
    place.run(["resume"]).exits(0);
    assert_eq!(marks(&place, &run), ["first 1", "then 1"]);
}
